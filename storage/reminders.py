"""The proof of reminding, and the daily budget of each person."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from storage.tables.queries import Reminder, ReminderDay
from storage.upsert import insert_into


class Reminders:
    """One row a rung, whether somebody was told or not."""

    def __init__(self, session: Session) -> None:
        self._session = session

    # --- proof -------------------------------------------------------------------------------

    def record(
        self,
        subject: str,
        step: str,
        due_at: datetime,
        fired_at: datetime,
        told: Sequence[int],
        outcome: str,
    ) -> None:
        """Write down that a reminder ran and what came of it. The same step twice is an error."""
        self._session.add(
            Reminder(
                subject=subject,
                step=step,
                due_at=due_at,
                fired_at=fired_at,
                late_seconds=max(0, int((fired_at - due_at).total_seconds())),
                told=list(told),
                outcome=outcome,
            )
        )
        self._session.flush()

    def ran(self, subject: str, step: str) -> bool:
        """Whether this step has run."""
        found = self._session.scalar(
            select(Reminder.id).where(Reminder.subject == subject, Reminder.step == step)
        )
        return found is not None

    def of(self, subject: str) -> Sequence[Reminder]:
        """What was done about a subject, in order."""
        return self._session.scalars(
            select(Reminder).where(Reminder.subject == subject).order_by(Reminder.id)
        ).all()

    def told_since(self, subject: str, moment: datetime) -> set[int]:
        """Who was told about a subject at that moment or later."""
        rows = self._session.scalars(
            select(Reminder.told).where(Reminder.subject == subject, Reminder.fired_at >= moment)
        )
        return {person_id for row in rows for person_id in row}

    # --- budget ------------------------------------------------------------------------------

    def spend(self, person_id: int, day: date, budget: int) -> bool:
        """Use one of the day's reminders; False when the budget is spent."""
        today = self._day(person_id, day)
        if today.count >= budget:
            return False
        today.count += 1
        return True

    def fold(self, person_id: int, day: date, entry: dict[str, Any]) -> bool:
        """Keep a reminder for the digest; True when nothing else was waiting for it."""
        today = self._day(person_id, day)
        first = not today.folded
        today.folded = [*today.folded, entry]
        return first

    def unfold(self, person_id: int, day: date) -> list[dict[str, Any]]:
        """Take what was kept for the digest."""
        today = self._day(person_id, day)
        kept, today.folded = today.folded, []
        return kept

    def _day(self, person_id: int, day: date) -> ReminderDay:
        """The day's row, locked; made on first need, once even when two need it together."""
        self._session.execute(
            insert_into(self._session, ReminderDay.__table__)  # type: ignore[arg-type]
            .values(person_id=person_id, day=day.isoformat(), count=0, folded=[])
            .on_conflict_do_nothing()
        )
        return self._session.scalars(
            select(ReminderDay)
            .where(ReminderDay.person_id == person_id, ReminderDay.day == day.isoformat())
            .with_for_update()
            .execution_options(populate_existing=True)
        ).one()
