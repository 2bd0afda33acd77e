"""How long somebody worked. What is confirmed and what is provisional are never added up."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from handlers.attendance import rules, sessions
from storage.tables.attendance import WorkSession
from storage.tables.people import Person
from storage.uow import UnitOfWork

COUNTED = frozenset(("closed", "confirmed", "approved", "locked"))


@dataclass(frozen=True, slots=True)
class Hours:
    """Worked time in whole seconds, breaks subtracted."""

    counted: int = 0
    """Of sessions that have ended and need no word from the worker."""
    provisional: int = 0
    """Of sessions whose end is still to be confirmed: not payable, not lost."""
    running: int = 0
    """Of the open session, up to now."""


@dataclass(frozen=True, slots=True)
class OpenSession:
    """The session somebody is in."""

    id: str
    since: datetime
    break_since: datetime | None
    team_id: int


@dataclass(frozen=True, slots=True)
class Waiting:
    """A provisional session."""

    id: str
    start: datetime
    end: datetime | None
    """None: the worker has still to say when it ended."""


@dataclass(frozen=True, slots=True)
class Summary:
    """Somebody's hours at a glance."""

    today: Hours
    week: Hours
    """Since Monday."""
    open: OpenSession | None
    waiting: tuple[Waiting, ...]
    corrections: tuple[str, ...]
    """Ids of corrections that nobody has decided."""


def hours_of(
    uow: UnitOfWork,
    person_id: int,
    first: date,
    last: date,
    now: datetime,
    *,
    team_id: int | None = None,
) -> Hours:
    """Worked time of the work dates [first, last], in one team or in all."""
    return _sum(uow, uow.attendance.sessions_between(person_id, first, last, team_id), now)


def _sum(uow: UnitOfWork, rows: Iterable[WorkSession], now: datetime) -> Hours:
    counted = provisional = running = 0
    for row in rows:
        if row.state == "open":
            running += so_far(uow, row, now)
        elif row.state in COUNTED:
            counted += sessions.worked_seconds(row) or 0
        elif row.state == "provisional":
            provisional += sessions.worked_seconds(row) or 0
    return Hours(counted, provisional, running)


def so_far(uow: UnitOfWork, row: WorkSession, now: datetime) -> int:
    """Seconds worked in an open session up to now, without its breaks."""
    work = rules.ended(sessions.worked(uow, row), max(now, row.started_at), "closed")
    return rules.worked_seconds(work.start, work.end or work.start, work.breaks)


def _open(row: WorkSession) -> OpenSession:
    return OpenSession(sessions.short_id(row), row.started_at, row.break_started_at, row.team_id)


def week_of(day: date) -> tuple[date, date]:
    """Monday and Sunday of a day's week."""
    monday = day - timedelta(days=day.weekday())
    return monday, monday + timedelta(days=6)


def summary(uow: UnitOfWork, person: Person, zone: ZoneInfo, now: datetime) -> Summary:
    """Today, this week, and what still waits, in all the person's teams."""
    today = rules.work_date(now, zone)
    row = uow.attendance.open_session(person.id)
    return Summary(
        today=hours_of(uow, person.id, today, today, now),
        week=hours_of(uow, person.id, *week_of(today), now),
        open=None if row is None else _open(row),
        waiting=tuple(
            Waiting(sessions.short_id(one), one.started_at, one.ended_at)
            for one in uow.attendance.provisional(person.id)
        ),
        corrections=tuple(f"C{one.id}" for one in uow.attendance.undecided(person.id)),
    )
