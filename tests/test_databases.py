"""The test databases themselves: real, apart from one another, and gone afterwards."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool

from tests.databases import fresh_database

ROOT = Path(__file__).parents[1]

# Starts a server, says where it listens, and waits for its own death.
VICTIM = """
import sys
from tests.databases import running_server
with running_server() as url:
    print(url, flush=True)
    sys.stdin.read()
"""


def scalar(url: str, query: str) -> object:
    engine = create_engine(url, poolclass=NullPool)
    try:
        with engine.begin() as connection:
            result = connection.execute(text(query))
            return result.scalar() if result.returns_rows else None
    finally:
        engine.dispose()


def answers(url: str) -> bool:
    try:
        psycopg.connect(url.replace("+psycopg", "") + "/postgres", connect_timeout=1).close()
    except psycopg.OperationalError:
        return False
    return True


def test_it_is_postgresql(postgres_url: str) -> None:
    assert str(scalar(postgres_url, "SELECT version()")).startswith("PostgreSQL 18.")
    assert scalar(postgres_url, "SHOW server_encoding") == "UTF8"


def test_two_databases_do_not_see_each_other(postgres_server: str, postgres_url: str) -> None:
    scalar(postgres_url, "CREATE TABLE shift (name text)")
    with fresh_database(postgres_server) as other:
        assert other != postgres_url
        assert scalar(other, "SELECT to_regclass('shift')") is None
    assert scalar(postgres_url, "SELECT to_regclass('shift')::text") == "shift"


def test_a_database_is_dropped_even_while_somebody_is_connected(postgres_server: str) -> None:
    with fresh_database(postgres_server) as url:
        left_open = psycopg.connect(url.replace("+psycopg", ""))
    left_open.close()
    name = url.rpartition("/")[2]
    count = f"SELECT count(*) FROM pg_database WHERE datname = '{name}'"
    assert scalar(f"{postgres_server}/postgres", count) == 0


def test_a_database_can_be_copied_from_a_template(postgres_server: str, postgres_url: str) -> None:
    scalar(postgres_url, "CREATE TABLE shift (name text)")
    with fresh_database(postgres_server, template=postgres_url.rpartition("/")[2]) as copy:
        assert scalar(copy, "SELECT to_regclass('shift')::text") == "shift"


def test_every_kind_of_database_answers(database_url: str) -> None:
    assert scalar(database_url, "SELECT 班 FROM (SELECT '长' AS 班) AS shift") == "长"


@pytest.mark.usefixtures("postgres_server")
def test_a_killed_test_process_leaves_no_server_behind() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", VICTIM],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as victim:
        assert victim.stdout is not None
        url = victim.stdout.readline().strip()
        assert answers(url)
        victim.send_signal(signal.SIGKILL)
    deadline = time.monotonic() + 20
    while answers(url):
        assert time.monotonic() < deadline, "the server outlived its test process"
        time.sleep(0.05)
