"""Who does what only one process may do at a time, such as holding a platform's one connection."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import delete, or_, select
from sqlalchemy.orm import Session

from storage.tables.queues import leads
from storage.upsert import insert_into


class Leads:
    """One row for each thing; its UNIQUE name keeps it to one holder."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def take(self, what: str, holder: str, now: datetime, until: datetime) -> bool:
        """Take or keep the lead until a moment; False while another process has it."""
        new = insert_into(self._session, leads).values(what=what, holder=holder, until=until)
        taken = new.on_conflict_do_update(
            index_elements=["what"],
            set_={"holder": holder, "until": until},
            where=or_(leads.c.holder == holder, leads.c.until <= now),
        ).returning(leads.c.what)
        return self._session.execute(taken).scalar() is not None

    def resign(self, what: str, holder: str) -> None:
        """Give it up, if it is ours."""
        self._session.execute(delete(leads).where(leads.c.what == what, leads.c.holder == holder))

    def resign_all(self) -> None:
        """Forget every lead: for a process that knows it is the only one, at its start."""
        self._session.execute(delete(leads))

    def is_led(self, what: str, now: datetime) -> bool:
        """Whether some process has the lead now."""
        found = self._session.scalar(
            select(leads.c.what).where(leads.c.what == what, leads.c.until > now)
        )
        return found is not None
