"""INSERT … ON CONFLICT, which both databases have and SQLAlchemy spells per dialect."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

from sqlalchemy import Table
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.orm import Session

Insert = Callable[[Table], Any]
"""An INSERT that knows `on_conflict_do_nothing` and `on_conflict_do_update`."""

INSERTS: dict[str, Insert] = {"sqlite": sqlite_insert, "postgresql": postgresql_insert}


def insert_into(session: Session, table: Table) -> Any:
    """An INSERT for this session's database."""
    return INSERTS[session.get_bind().dialect.name](table)


def prepared(session: Session, build: Callable[[Insert], Any]) -> Any:
    """The statement that `build` makes, built once per database.

    For statements that run with every event: building one costs as much as running it (measured).
    """
    return _built(session.get_bind().dialect.name, build)


@cache
def _built(dialect: str, build: Callable[[Insert], Any]) -> Any:
    return build(INSERTS[dialect])
