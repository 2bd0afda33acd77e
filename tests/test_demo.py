"""The demo: a database of its own, a clock that only goes forward, and hands off what is real."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from pydantic import SecretStr

from adapters.sandbox.world import SLACK_LIKE
from bot.app import Bot
from bot.clock import WallClock
from bot.demo import DATABASE, build_demo, demo_settings, first_offset, read_push
from bot.messages import Refused
from bot.operations import Trouble
from storage import migrate
from storage.engine import make_engine
from storage.tables import Base
from tests.town import Town, make_settings

SHANGHAI = ZoneInfo("Asia/Shanghai")
HOSTS = ["127.0.0.1:8765"]


@contextmanager
def demo(folder: Path) -> Iterator[Bot]:
    """A demo that is built and closed, without its page being served."""
    settings = demo_settings(folder, make_settings())
    bot, _application = build_demo(settings, folder, HOSTS)
    try:
        yield bot
    finally:
        bot.close()


def fingerprint(file: Path) -> bytes:
    """All bytes of a database, its log written back first."""
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return file.read_bytes()


def test_a_demo_has_its_own_database_and_key_and_no_platform(tmp_path: Path) -> None:
    given = make_settings(
        SLACK_BOT_TOKEN=SecretStr("xoxb-1"),
        SLACK_SIGNING_SECRET=SecretStr("s"),
        BANZHANG_ADMINS="slack:U1",
        BANZHANG_DATABASE_URL="sqlite:///real.db",
    )
    settings = demo_settings(tmp_path / "demo", given)
    assert settings.database_url == f"sqlite:///{tmp_path}/demo/{DATABASE}"
    assert settings.slack_bot_token is None
    assert settings.signing_secrets() == ()
    assert settings.admin_accounts() == ()
    assert settings.secret_key != given.secret_key
    assert demo_settings(tmp_path / "demo", given).secret_key == settings.secret_key
    assert (tmp_path / "demo" / "secret.key").stat().st_mode & 0o077 == 0


def test_a_demo_starts_again_where_it_was(tmp_path: Path) -> None:
    with demo(tmp_path) as bot:
        assert isinstance(bot.clock, WallClock)
        first = bot.clock.offset
        with bot.engine.connect() as connection:
            people = connection.exec_driver_sql("SELECT count(*) FROM persons").scalar()
    with demo(tmp_path) as bot:
        assert isinstance(bot.clock, WallClock)
        assert abs(bot.clock.offset - first) < timedelta(seconds=1)
        with bot.engine.connect() as connection:
            again = connection.exec_driver_sql("SELECT count(*) FROM persons").scalar()
    assert people == again == 6


def test_a_real_database_is_left_alone_to_the_last_byte(tmp_path: Path) -> None:
    engine = make_engine(f"sqlite:///{tmp_path / DATABASE}")
    migrate.upgrade(engine)
    town = Town(engine, SLACK_LIKE)
    town.close()
    before = fingerprint(tmp_path / DATABASE)
    with pytest.raises(Trouble, match="not a demo"), demo(tmp_path):
        pass
    assert fingerprint(tmp_path / DATABASE) == before


def test_a_real_database_of_an_older_version_is_not_even_migrated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = make_engine(f"sqlite:///{tmp_path / DATABASE}")
    migrate.upgrade(engine)
    Town(engine, SLACK_LIKE).close()

    def upgrade(*_arguments: object) -> bool:
        raise AssertionError("it was migrated")

    monkeypatch.setattr(migrate, "upgrade", upgrade)
    with pytest.raises(Trouble, match="not a demo"), demo(tmp_path):
        pass


@pytest.mark.parametrize("statement", ["CREATE TABLE letters (id INTEGER)", None])
def test_a_database_of_another_program_is_left_alone(tmp_path: Path, statement: str | None) -> None:
    with closing(sqlite3.connect(tmp_path / DATABASE)) as connection:
        if statement is None:  # ours, but made without migrations and in use
            engine = make_engine(f"sqlite:///{tmp_path / DATABASE}")
            Base.metadata.create_all(engine)
            engine.dispose()
        else:
            connection.execute(statement)
            connection.commit()
    with pytest.raises(Trouble, match="not a demo"), demo(tmp_path):
        pass


def test_a_demo_that_was_killed_while_it_was_made_can_be_made_again(tmp_path: Path) -> None:
    engine = make_engine(f"sqlite:///{tmp_path / DATABASE}")
    migrate.upgrade(engine)
    engine.dispose()
    with demo(tmp_path) as bot:
        assert bot.adapters.keys() == {"sandbox"}


@pytest.mark.parametrize(
    ("local", "opens"),
    [
        ("2026-11-23 09:00", "2026-11-23 09:00"),
        ("2026-11-23 16:59", "2026-11-23 16:59"),
        ("2026-11-23 03:00", "2026-11-23 09:00"),
        ("2026-11-23 17:00", "2026-11-24 09:00"),
        ("2026-12-31 23:59", "2027-01-01 09:00"),
    ],
)
def test_the_first_day_begins_in_working_hours(local: str, opens: str) -> None:
    now = datetime.fromisoformat(local).replace(tzinfo=SHANGHAI)
    begins = now + first_offset(now.astimezone(UTC), make_settings())
    assert begins == datetime.fromisoformat(opens).replace(tzinfo=SHANGHAI)


NOON = datetime(2026, 11, 23, 12, 0, tzinfo=SHANGHAI)


@pytest.mark.parametrize(
    ("typed", "later"),
    [
        ("+2 h", timedelta(hours=2)),
        ("2h", timedelta(hours=2)),
        ("+1 day", timedelta(days=1)),
        ("＋1天", timedelta(days=1)),
        ("45 min", timedelta(minutes=45)),
        ("18:00", timedelta(hours=6)),
        ("明天9点", timedelta(hours=21)),
    ],
)
def test_pushing_the_clock(typed: str, later: timedelta) -> None:
    assert read_push(typed, NOON.astimezone(UTC), SHANGHAI) == NOON + later


@pytest.mark.parametrize("typed", ["", "+", "soon", "-2 h", "400 days", "2030-01-01", "昨天"])
def test_a_clock_is_not_pushed_back_nor_into_another_age(typed: str) -> None:
    with pytest.raises(Refused):
        read_push(typed, NOON.astimezone(UTC), SHANGHAI)


def test_the_clock_never_goes_back() -> None:
    clock = WallClock()
    clock.push_to(clock.now() + timedelta(hours=1))
    ahead = clock.offset
    clock.push_to(clock.now() - timedelta(hours=5))
    assert clock.offset == ahead
