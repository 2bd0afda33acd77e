"""Brings a database to the newest shape: one at a time, with a backup before."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, Engine, text

from storage.engine import is_sqlite

FOLDER = Path(__file__).parent / "migrations"
# Any constant of our own: whoever migrates holds this advisory lock on PostgreSQL.
LOCK = 0x62616E7A


def config(connection: Connection | None = None) -> Config:
    """Alembic's configuration, without a file of its own."""
    made = Config()
    made.set_main_option("script_location", str(FOLDER))
    made.attributes["connection"] = connection
    return made


def head() -> str:
    """The newest revision that this version of the code knows."""
    revision = ScriptDirectory.from_config(config()).get_current_head()
    if revision is None:
        raise RuntimeError("there are no migrations in the package")
    return revision


def knows(revision: str) -> bool:
    """Whether this version of the code knows a revision; else a newer version made it."""
    try:
        return ScriptDirectory.from_config(config()).get_revision(revision) is not None
    except CommandError:
        return False


def current(engine: Engine) -> str | None:
    """The revision of the database; None: empty."""
    with engine.connect().execution_options(reading=True) as connection:
        return MigrationContext.configure(connection).get_current_revision()


def upgrade(engine: Engine, backup_to: Path | None = None) -> bool:
    """Apply what is pending; True when something was. SQLite is copied to `backup_to` first."""
    at = current(engine)
    if at == head():
        return False
    if at is not None and backup_to is not None and is_sqlite(engine):
        back_up(engine, backup_to)
    with _alone(engine) as connection:
        command.upgrade(config(connection), "head")
    return True


def downgrade(engine: Engine, to: str = "base") -> None:
    """Undo migrations down to a revision."""
    with _alone(engine) as connection:
        command.downgrade(config(connection), to)


@contextmanager
def _alone(engine: Engine) -> Iterator[Connection]:
    """A transaction that no other migration shares (SQLite has one writer anyway)."""
    with engine.begin() as connection:
        if not is_sqlite(engine):
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
        yield connection


def back_up(engine: Engine, to: Path) -> None:
    """Copy a SQLite database while it is in use. Raises FileExistsError rather than overwrite.

    The copy gets its name when it is whole: one that was broken off is never taken for a backup.
    """
    if to.exists():
        raise FileExistsError(f"{to} exists already")
    database = engine.url.database
    if not database:
        raise ValueError("a database in memory cannot be backed up")
    part = to.with_name(f"{to.name}.part")
    part.touch(mode=0o600)
    with closing(sqlite3.connect(database)) as source, closing(sqlite3.connect(part)) as target:
        source.backup(target)
    part.replace(to)
