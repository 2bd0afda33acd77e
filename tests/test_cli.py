"""The command line: 0 fine, 1 one plain sentence on stderr, 2 wrong usage; never a traceback."""

from __future__ import annotations

import json
import os
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
import yaml

from bot import logs
from bot.__main__ import main
from bot.settings import Settings
from tests.doctoring import migrated

SLACK = {"SLACK_BOT_TOKEN": "xoxb-1-a", "SLACK_SIGNING_SECRET": "8f742231b10e"}
WECOM_BOT = {"WECOM_BOT_ID": "aib1", "WECOM_BOT_SECRET": "hunter2"}

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> Run:
    """Runs `banzhang …` in an empty folder; returns exit code, stdout and stderr."""
    for field in Settings.model_fields.values():
        monkeypatch.delenv(str(field.alias), raising=False)
    monkeypatch.chdir(tmp_path)
    # Logs are set up once for a process, and this one is not theirs alone.
    monkeypatch.setattr(logs, "set_up", lambda _level, _form: None)

    def run(*arguments: str, **variables: str) -> tuple[int, str, str]:
        with monkeypatch.context() as patch:
            patch.setattr(sys, "argv", ["banzhang", *arguments])
            for name, value in variables.items():
                patch.setenv(name, value)
            with pytest.raises(SystemExit) as ended:
                main()
        told = capfd.readouterr()
        return int(ended.value.code or 0), told.out, told.err

    return run


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """A database in the newest shape, where the default setting looks for it."""
    return migrated(tmp_path)


def one_sentence(words: str) -> bool:
    """Whether this is all that a person wants to read when something goes wrong."""
    return len(words.strip().splitlines()) == 1 and "Error" not in words and words.strip() != ""


@pytest.mark.parametrize(
    "arguments",
    [
        ["nonsense"],
        ["serve", "--port", "eighty"],
        ["serve", "--port", "99999"],
        ["demo", "--port", "-1"],
        ["export"],
        ["export", "nonsense"],
        ["export", "people", "--format", "pdf"],
        ["export", "people", "--from", "yesterday"],
        ["backup"],
        ["admin", "nonsense"],
        ["slack"],
        ["slack", "nonsense"],
        ["slack", "manifest", "--url"],
        ["wecom"],
        ["wecom", "nonsense"],
        ["wecom", "menu", "zh_CN"],
    ],
    ids=" ".join,
)
def test_wrong_usage(run: Run, tmp_path: Path, arguments: list[str]) -> None:
    code, _out, error = run(*arguments)
    assert code == 2
    assert "Traceback" not in error
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "variables", "said"),
    [
        (["serve"], {}, "SLACK_BOT_TOKEN"),
        (["serve"], {}, "WECOM_BOT_ID"),
        (["serve"], {"SLACK_BOT_TOKEN": "xoxb-1"}, "SLACK_SIGNING_SECRET"),
        (["serve"], {"SLACK_APP_TOKEN": "xapp-1"}, "SLACK_BOT_TOKEN"),
        (["doctor"], {"SLACK_APP_TOKEN": "xoxb-1"}, "SLACK_APP_TOKEN"),
        (["slack", "manifest"], {"BANZHANG_LOCALE": "fr"}, "BANZHANG_LOCALE"),
        (["wecom", "menu"], {"BANZHANG_LOCALE": "fr"}, "BANZHANG_LOCALE"),
        (["wecom", "menu"], {}, "WECOM_CORP_ID"),
        (["wecom", "menu"], WECOM_BOT, "应用管理 → 创建应用"),
        (["wecom", "menu"], {"WECOM_CORP_ID": "ww1"}, "WECOM_SECRET"),
        (["doctor"], {"WECOM_BOT_ID": "aib1"}, "WECOM_BOT_SECRET"),
        (["serve"], {"BANZHANG_PORT": "eighty"}, "BANZHANG_PORT"),
        (["migrate"], {"BANZHANG_DATABASE_URL": "sqlite:////nowhere/x.db"}, "database"),
        (
            ["migrate"],
            {"BANZHANG_DATABASE_URL": "postgresql+psycopg://u:hunter2@127.0.0.1:1/x"},
            "database",
        ),
        (["admin", "code"], {}, "banzhang migrate"),
        (["export", "people"], {}, "banzhang migrate"),
        (["audit", "verify"], {}, "banzhang migrate"),
        (["backup", "copy.db"], {}, "banzhang migrate"),
        (["sop", "check", "/nowhere"], {}, "/nowhere"),
        (["demo", "--data", "/dev/null/demo"], {}, "/dev/null"),
    ],
)
def test_a_failure_is_one_sentence_and_leaves_nothing_behind(
    run: Run, tmp_path: Path, arguments: list[str], variables: dict[str, str], said: str
) -> None:
    code, _out, error = run(*arguments, **variables)
    assert code == 1
    assert one_sentence(error), error
    assert said in error
    assert "hunter2" not in error
    assert list(tmp_path.iterdir()) == []


def test_a_port_that_somebody_has(run: Run, database: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        code, _out, error = run("serve", "--port", port, **SLACK)
    assert code == 1
    assert one_sentence(error), error
    assert port in error


def test_a_procedure_that_is_wrong(run: Run, database: Path, tmp_path: Path) -> None:
    (tmp_path / "sop").mkdir()
    (tmp_path / "sop" / "broken.yaml").write_text("name: [")
    folder = str(tmp_path / "sop")
    code, _out, error = run("serve", "--port", "0", BANZHANG_SOP_DIR=folder, **SLACK)
    assert code == 1
    assert one_sentence(error), error
    assert "broken.yaml" in error


def test_a_file_that_is_no_database(run: Run, database: Path) -> None:
    database.write_bytes(b"a letter to grandmother " * 100)
    code, _out, error = run("admin", "code")
    assert code == 1
    assert one_sentence(error), error
    assert database.read_bytes().startswith(b"a letter")


def test_a_database_that_somebody_else_writes_to(run: Run, database: Path) -> None:
    with closing(sqlite3.connect(database, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        code, _out, error = run("admin", "code")
    assert code == 1
    assert one_sentence(error), error
    assert "locked" in error


@pytest.mark.parametrize(
    "arguments", [["serve", "--port", "0"], ["migrate"], ["admin", "code"]], ids=" ".join
)
def test_a_database_of_a_newer_version(run: Run, database: Path, arguments: list[str]) -> None:
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
        connection.commit()
    code, _out, error = run(*arguments, **SLACK)
    assert code == 1
    assert one_sentence(error), error
    assert "newer" in error


def test_a_server_that_cannot_start_says_so_and_ends_with_1(database: Path, tmp_path: Path) -> None:
    environment = {**os.environ, **SLACK, "COVERAGE_PROCESS_START": ""}
    with closing(sqlite3.connect(database, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        ended = subprocess.run(
            [sys.executable, "-m", "bot", "serve", "--port", "0"],
            env={**environment, "PYTHONPATH": str(Path(__file__).parent.parent)},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert ended.returncode == 1
    assert "could not start" in ended.stderr.splitlines()[-1]


def test_a_code_for_the_first_admin(run: Run, database: Path) -> None:
    code, out, error = run("admin", "code")
    assert (code, error) == (0, "")
    assert out.split()[0] in out.splitlines()[-1]


def test_a_backup_is_made_once(run: Run, database: Path, tmp_path: Path) -> None:
    assert run("backup", "copy.db")[0] == 0
    with closing(sqlite3.connect(tmp_path / "copy.db")) as copy:
        assert copy.execute("SELECT version_num FROM alembic_version").fetchone()
    code, _out, error = run("backup", "copy.db")
    assert code == 1
    assert one_sentence(error), error
    assert run("backup", "/nowhere/copy.db")[0] == 1


def test_an_export_to_a_file_and_to_a_pipe(run: Run, database: Path, tmp_path: Path) -> None:
    code, out, _error = run("export", "people", "--format", "json")
    assert (code, out.strip()) == (0, "[]")
    assert run("export", "audit", "--output", "audit.csv")[0] == 0
    assert (tmp_path / "audit.csv").read_bytes().startswith(b"\xef\xbb\xbfseq,at,actor")
    code, _out, error = run("export", "people", "--team", "Nobody")
    assert code == 1
    assert one_sentence(error), error


def test_the_audit_log_needs_its_key(run: Run, database: Path) -> None:
    assert run("audit", "verify", BANZHANG_SECRET_KEY="a secret for tests alone")[0] == 0


def test_the_doctor_finds_what_is_missing(run: Run, database: Path) -> None:
    code, out, error = run("doctor")
    assert code == 1
    assert "BANZHANG_SECRET_KEY" in out
    assert one_sentence(error), error


@pytest.mark.parametrize("locale", ["en", "zh_CN"])
def test_the_manifest_and_the_link_that_fills_it_in(run: Run, tmp_path: Path, locale: str) -> None:
    """It can be piped into a file as it is: the link is a comment."""
    code, out, error = run("slack", "manifest", BANZHANG_LOCALE=locale)
    assert (code, error) == (0, "")
    link, _end, written = out.partition("\n")
    assert link.startswith("# https://api.slack.com/apps?new_app=1&manifest_yaml=_metadata%3A%0A")
    assert yaml.safe_load(out) == yaml.safe_load(written)
    assert parse_qs(urlsplit(link[2:]).query)["manifest_yaml"] == [written]
    assert yaml.safe_load(out)["settings"]["socket_mode_enabled"] is True
    assert list(tmp_path.iterdir()) == []


def test_the_manifest_for_http(run: Run) -> None:
    code, out, error = run("slack", "manifest", "--url", "https://x")
    assert (code, error) == (0, "")
    assert out.startswith("# https://api.slack.com/apps?new_app=1&manifest_yaml=")
    made = yaml.safe_load(out)
    assert made["settings"]["socket_mode_enabled"] is False
    assert made["settings"]["interactivity"]["request_url"] == "https://x/slack/events"
    assert out.count("https://x/slack/events") == 2 + len(made["features"]["slash_commands"])


@pytest.mark.parametrize(("locale", "first"), [("en", "Check in"), ("zh_CN", "签到")])
def test_wecoms_menu_can_be_looked_at(run: Run, tmp_path: Path, locale: str, first: str) -> None:
    """It needs no app and calls nobody."""
    code, out, error = run("wecom", "menu", "--show", BANZHANG_LOCALE=locale)
    assert (code, error) == (0, "")
    assert json.loads(out)["button"][0]["name"] == first
    assert list(tmp_path.iterdir()) == []


def test_help_is_help(run: Run) -> None:
    code, out, error = run("--help")
    assert (code, error) == (0, "")
    assert all(
        word in out for word in ("serve", "demo", "export", "backup", "doctor", "slack", "wecom")
    )
