"""How often platforms were called in a month, where they count."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import select
from sqlalchemy.orm import Session

from storage.tables.queues import calls
from storage.upsert import insert_into


class Calls:
    """A row for each platform, month ("2026-11") and kind of call."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def add(self, platform: str, month: str, made: Mapping[str, int]) -> Mapping[str, int]:
        """Add what was called since the last time; the month's totals by kind."""
        for kind, count in sorted(made.items()):
            new = insert_into(self._session, calls).values(
                platform=platform, month=month, kind=kind, made=count
            )
            self._session.execute(
                new.on_conflict_do_update(
                    index_elements=["platform", "month", "kind"],
                    set_={"made": calls.c.made + new.excluded.made},
                )
            )
        return self.of(platform, month)

    def of(self, platform: str, month: str) -> Mapping[str, int]:
        """The month's totals by kind."""
        rows = self._session.execute(
            select(calls.c.kind, calls.c.made).where(
                calls.c.platform == platform, calls.c.month == month
            )
        )
        return {row.kind: row.made for row in rows}
