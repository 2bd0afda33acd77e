"""What is kept about one person, table by table."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

from sqlalchemy import ColumnElement, or_, select
from sqlalchemy.orm import Session

from storage.tables.attendance import Correction, Punch, WorkSession
from storage.tables.audit import AuditEntry
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
INSIDE = frozenset({"policy", "cards", "asked", "asked_in", "chained", "seal"})


def kept_about(session: Session, person_id: int) -> dict[str, list[Row]]:
    """The rows about a person by table, oldest first; times in UTC, ISO 8601.

    Whoever was joined with this person was this person.
    """
    joined = select(Person.id).where(Person.merged_into_id == person_id).order_by(Person.id)
    ids = [person_id, *session.scalars(joined)]
    kept = {}
    for name, (table, columns) in ABOUT.items():
        theirs = or_(*(getattr(table, column).in_(ids) for column in columns))
        kept[name] = _rows(session, table, theirs, ids)
    subjects = [f"person/{one}" for one in ids]
    kept["changes"] = _rows(session, AuditEntry, AuditEntry.subject.in_(subjects), ids)
    return kept


def _rows(
    session: Session, table: type[Base], theirs: ColumnElement[bool], ids: Sequence[int]
) -> list[Row]:
    found = session.scalars(
        select(table).where(theirs).order_by(*table.__table__.primary_key)
    ).all()
    names = [column.key for column in table.__mapper__.columns if column.key not in INSIDE]
    return [
        {name: _value(getattr(row, name)) for name in names if not _is_anothers(row, name, ids)}
        for row in found
    ]


def _is_anothers(row: Base, name: str, ids: Sequence[int]) -> bool:
    """What somebody asked is not their answerer's."""
    return isinstance(row, Query) and name == "question" and row.asker_id not in ids


def _value(value: Any) -> str | int | bool | None:
    if isinstance(value, date | datetime):
        return value.isoformat()
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False, sort_keys=True)
    return value if isinstance(value, str | int | bool) or value is None else str(value)
