"""Small facts about this database."""

from __future__ import annotations

from sqlalchemy import delete, insert, select
from sqlalchemy.orm import Session

from storage.tables.queues import facts


class Facts:
    """Names and short values, such as the demo's clock offset."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def get(self, name: str) -> str | None:
        """The value, or None."""
        return self._session.scalar(select(facts.c.value).where(facts.c.name == name))

    def put(self, name: str, value: str) -> None:
        """Remember the value, in place of an earlier one."""
        self._session.execute(delete(facts).where(facts.c.name == name))
        self._session.execute(insert(facts).values(name=name, value=value))
