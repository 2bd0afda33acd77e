"""Signs that somebody is at work. They decide where a session ends that nobody ended."""

from __future__ import annotations

from datetime import UTC, datetime

from handlers.attendance import rules, sessions
from storage.uow import UnitOfWork


def note_evidence(uow: UnitOfWork, person_id: int, at: datetime) -> None:
    """Somebody did something that people do at work: a reply, a task's step, an answer to us."""
    row = uow.attendance.open_session(person_id)
    if row is None:
        return
    at = at.astimezone(UTC)
    longest = sessions.longest_day(uow, row.team_id)
    work = sessions.worked(uow, row)
    if at >= rules.lapses_at(work, longest):
        sessions.lapse(uow, row, now=at)
        return
    row.evidence_at = rules.seen(work, at).evidence
