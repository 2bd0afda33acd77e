"""What is due when. The row is the truth; the scheduler only looks at it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from bot.messages import Tick
from storage.tables.queues import timers
from storage.upsert import Insert, prepared

FIRST_RETRY = timedelta(seconds=10)
LONGEST_RETRY = timedelta(hours=1)
SOONEST_AGAIN = timedelta(seconds=1)
KEPT = timedelta(days=30)


def _arm(insert: Insert) -> Any:
    new = insert(timers)
    moved = {name: new.excluded[name] for name in ("due_at", "wake_at", "attempts", "fired_at")}
    return new.on_conflict_do_update(index_elements=["kind", "subject", "step"], set_=moved)


def _arm_unless_waiting(insert: Insert) -> Any:
    new = insert(timers)
    moved = {name: new.excluded[name] for name in ("due_at", "wake_at", "attempts", "fired_at")}
    return new.on_conflict_do_update(
        index_elements=["kind", "subject", "step"],
        set_=moved,
        where=timers.c.fired_at.is_not(None),
    )


class Timers:
    """Rows of (kind, subject, step), UNIQUE."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def arm(self, kind: str, subject: str, step: str, due_at: datetime) -> None:
        """Make `kind` happen at `due_at`; the same three names again only move it."""
        self._write(_arm, kind, subject, step, due_at)

    def arm_unless_waiting(self, kind: str, subject: str, step: str, due_at: datetime) -> None:
        """The same, but one that waits already keeps its time: what goes on and on would put it
        off for ever.
        """
        self._write(_arm_unless_waiting, kind, subject, step, due_at)

    def _write(
        self, how: Callable[[Insert], Any], kind: str, subject: str, step: str, due_at: datetime
    ) -> None:
        row = {"kind": kind, "subject": subject, "step": step, "due_at": due_at, "wake_at": due_at}
        row |= {"attempts": 0, "fired_at": None}
        self._session.execute(prepared(self._session, how), row)
        self._session.info["armed"] = True

    def claim_due(
        self,
        now: datetime,
        limit: int,
        *,
        only: Collection[str] | None = None,
        without: Collection[str] = (),
    ) -> Sequence[tuple[int, Tick]]:
        """Take what is due (of these kinds, or of all but these), oldest first, and mark it fired;
        other replicas skip it.
        """
        wanted = [timers.c.fired_at.is_(None), timers.c.wake_at <= now]
        if only is not None:
            wanted.append(timers.c.kind.in_(sorted(only)))
        if without:
            wanted.append(timers.c.kind.not_in(sorted(without)))
        due = self._session.execute(
            select(timers.c.id, timers.c.kind, timers.c.subject, timers.c.step, timers.c.due_at)
            .where(*wanted)
            .order_by(timers.c.wake_at, timers.c.id)
            .limit(limit)
            .with_for_update(skip_locked=True)
        ).all()
        if not due:
            return []
        self._session.execute(
            update(timers).where(timers.c.id.in_([row.id for row in due])).values(fired_at=now)
        )
        return [
            (
                row.id,
                Tick(kind=row.kind, subject=row.subject, step=row.step, due_at=row.due_at, now=now),
            )
            for row in due
        ]

    def failed(self, timer_id: int, now: datetime) -> None:
        """It fires again later: after 10 s, doubling up to an hour."""
        attempts = self._session.scalar(select(timers.c.attempts).where(timers.c.id == timer_id))
        wait = min(FIRST_RETRY * 2 ** min(attempts or 0, 12), LONGEST_RETRY)
        self._session.execute(
            update(timers)
            .where(timers.c.id == timer_id)
            .values(fired_at=None, wake_at=now + wait, attempts=timers.c.attempts + 1)
        )

    def hold_back(self, fired: Sequence[int], now: datetime) -> None:
        """Those of them that armed themselves for now or earlier wait a little, or they would fire
        for ever within one tick.
        """
        if fired:
            self._session.execute(
                update(timers)
                .where(timers.c.id.in_(fired), timers.c.fired_at.is_(None), timers.c.wake_at <= now)
                .values(wake_at=now + SOONEST_AGAIN)
            )

    def waits(self, kind: str) -> bool:
        """Whether any timer of this kind is waiting."""
        return (
            self._session.scalar(
                select(timers.c.id)
                .where(timers.c.kind == kind, timers.c.fired_at.is_(None))
                .limit(1)
            )
            is not None
        )

    def next_wake(self) -> datetime | None:
        """When the earliest waiting timer wants to be looked at."""
        earliest: datetime | None = self._session.scalar(
            select(func.min(timers.c.wake_at)).where(timers.c.fired_at.is_(None))
        )
        return earliest

    def overdue(self, before: datetime) -> int:
        """How many timers should have fired before this moment and have not."""
        count = self._session.scalar(
            select(func.count())
            .select_from(timers)
            .where(timers.c.fired_at.is_(None), timers.c.wake_at < before)
        )
        return count or 0

    def prune(self, now: datetime) -> None:
        """Forget what fired long ago; the reminders table keeps the proof."""
        self._session.execute(delete(timers).where(timers.c.fired_at < now - KEPT))
