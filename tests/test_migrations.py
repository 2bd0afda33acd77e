"""Migrations: up, down and up again, and the tables they make are the tables of the code."""

from __future__ import annotations

from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Engine, inspect, text

from storage import migrate
from storage.engine import make_engine
from storage.tables import Base


def tables(engine: Engine) -> set[str]:
    return set(inspect(engine).get_table_names()) - {"alembic_version"}


def test_up_makes_exactly_the_tables_of_the_code(database_url: str) -> None:
    engine = make_engine(database_url)
    assert migrate.upgrade(engine)
    assert not migrate.upgrade(engine)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Base.metadata) == []
    assert tables(engine) == set(Base.metadata.tables)
    engine.dispose()


def test_partial_indexes_are_partial(database_url: str) -> None:
    """Autogenerate does not compare the condition of an index, so it is compared here."""
    engine = make_engine(database_url)
    migrate.upgrade(engine)
    migrated = conditions(engine)
    other = make_engine(database_url)
    with other.begin() as connection:
        Base.metadata.drop_all(connection)
    with other.begin() as connection:
        Base.metadata.create_all(connection)
    assert migrated == conditions(other)
    engine.dispose()
    other.dispose()


def conditions(engine: Engine) -> dict[str, str]:
    """Each index with its definition, as the database itself tells it."""
    if engine.dialect.name == "sqlite":
        wanted = "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL"
    else:
        wanted = "SELECT indexname, indexdef FROM pg_indexes WHERE tablename != 'alembic_version'"
    with engine.connect() as connection:
        rows = connection.execute(text(wanted)).all()
    return {row[0]: " ".join(row[1].split()) for row in rows if not row[0].startswith("pg_")}


def test_down_leaves_nothing_and_up_works_again(database_url: str) -> None:
    engine = make_engine(database_url)
    migrate.upgrade(engine)
    migrate.downgrade(engine)
    assert tables(engine) == set()
    assert migrate.upgrade(engine)
    assert tables(engine) == set(Base.metadata.tables)
    engine.dispose()


def test_a_backup_is_a_working_copy_and_never_overwrites(tmp_path: Path, sqlite_url: str) -> None:
    engine = make_engine(sqlite_url)
    migrate.upgrade(engine)
    copy = tmp_path / "copy.db"
    migrate.back_up(engine, copy)
    with pytest.raises(FileExistsError):
        migrate.back_up(engine, copy)
    other = make_engine(f"sqlite:///{copy}")
    assert migrate.current(other) == migrate.head()
    engine.dispose()
    other.dispose()
