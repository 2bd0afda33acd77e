"""Everything that is kept about one person, table by table."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from storage.tables.attendance import Correction, Punch, WorkSession
from storage.tables.base import Base
from storage.tables.people import Identity, JoinRequest, Membership, Person
from storage.tables.queries import Query, QueryEntry

Row = dict[str, str | int | bool | None]

# What is about a person, and the columns that say whom. What a colleague wrote in somebody's query
# is the colleague's.
ABOUT: dict[str, tuple[type[Base], tuple[str, ...]]] = {
    "person": (Person, ("id",)),
    "accounts": (Identity, ("person_id",)),
    "roles": (Membership, ("person_id",)),
    "requests_to_join": (JoinRequest, ("person_id",)),
    "punches": (Punch, ("person_id",)),
    "sessions": (WorkSession, ("person_id",)),
    "corrections": (Correction, ("person_id",)),
    "queries": (Query, ("asker_id", "owner_id")),
    "query_entries": (QueryEntry, ("person_id",)),
}
# How the bot works, and nothing about anybody.
INSIDE = frozenset({"policy", "cards", "asked", "asked_in"})


def kept_about(session: Session, person_id: int) -> dict[str, list[Row]]:
    """The rows about a person by table, oldest first; times in UTC, ISO 8601."""
    return {name: _rows(session, *about, person_id) for name, about in ABOUT.items()}


def _rows(
    session: Session, table: type[Base], columns: tuple[str, ...], person_id: int
) -> list[Row]:
    theirs = or_(*(getattr(table, column) == person_id for column in columns))
    found = session.scalars(
        select(table).where(theirs).order_by(*table.__table__.primary_key)
    ).all()
    names = [column.key for column in table.__mapper__.columns if column.key not in INSIDE]
    return [{name: _value(getattr(row, name)) for name in names} for row in found]


def _value(value: Any) -> str | int | bool | None:
    if isinstance(value, date | datetime):
        return value.isoformat()
    return value if isinstance(value, str | int | bool) or value is None else str(value)
