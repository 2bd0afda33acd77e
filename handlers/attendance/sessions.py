"""Sessions as rows: what the rules decide, written down with its timers and audit entries."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from bot.messages import Role
from handlers.attendance import rules
from handlers.attendance.rules import Span, Worked
from handlers.people.policies import policies_of
from handlers.reminding import zone_of
from storage.tables.attendance import Break, Punch, WorkSession
from storage.tables.people import Person
from storage.tables.teams import Team
from storage.uow import UnitOfWork

OVERLONG = "session.overlong"
CONFIRM = "session.confirm"
LEADS: frozenset[Role] = frozenset(("lead", "manager", "admin"))


def short_id(row: WorkSession) -> str:
    """How people write a session: H3."""
    return f"H{row.id}"


def longest_day(uow: UnitOfWork, team_id: int) -> timedelta:
    """The team's longest day."""
    return timedelta(hours=policies_of(uow.teams.get(team_id)).longest_day_hours)


def worked(uow: UnitOfWork, row: WorkSession) -> Worked:
    """A row as the rules see it."""
    return Worked(
        start=row.started_at,
        end=row.ended_at,
        state="open" if row.state == "open" else _ended_state(row),
        evidence=row.evidence_at,
        break_start=row.break_started_at,
        breaks=tuple(Span(one.started_at, one.ended_at) for one in uow.attendance.breaks(row.id)),
    )


def _ended_state(row: WorkSession) -> rules.State:
    return "provisional" if row.state == "provisional" else "closed"


def worked_seconds(row: WorkSession) -> int | None:
    """Whole seconds of a session without its breaks; None while its end is not known."""
    if row.ended_at is None:
        return None
    return max(0, rules.whole_seconds(row.started_at, row.ended_at) - row.break_seconds)


def find_locked(uow: UnitOfWork, session_id: int) -> WorkSession | None:
    """A session, after everybody else who changes its person's hours has finished."""
    row = uow.attendance.peek(session_id)
    if row is None:
        return None
    uow.attendance.lock(row.person_id)
    return uow.attendance.session(session_id)


# --- changes -------------------------------------------------------------------------------------


def begin(
    uow: UnitOfWork,
    person: Person,
    team: Team,
    work: Worked,
    *,
    now: datetime,
    actor_id: int | None,
) -> WorkSession:
    """A new session, in whatever state it begins its life."""
    zone = zone_of(person, team)
    row = WorkSession(
        person_id=person.id,
        team_id=team.id,
        started_at=work.start,
        work_date=rules.work_date(work.start, zone),
        zone=zone.key,
        state=work.state,
        break_seconds=0,
    )
    uow.attendance.add(row)
    if work.state == "open":
        watch(uow, row)
        uow.audit.record(now, actor_id, "session.open", short_id(row))
    else:
        write(uow, row, work, now=now, actor_id=actor_id)
    return row


def write(
    uow: UnitOfWork, row: WorkSession, work: Worked, *, now: datetime, actor_id: int | None
) -> None:
    """Make the row say what the rules decided."""
    before = row.state
    row.evidence_at = work.evidence
    row.break_started_at = work.break_start
    row.ended_at = work.end
    known = len(uow.attendance.breaks(row.id))
    for one in work.breaks[known:]:
        uow.attendance.add(Break(session_id=row.id, started_at=one.start, ended_at=one.end))
        uow.audit.record(now, actor_id, "session.break", short_id(row))
    if work.state != "open":
        row.state = work.state
    count_breaks(uow, row)
    if work.state == "provisional" and row.provisional_since is None:
        row.provisional_since = now
        _ask_in_the_morning(uow, row, now)
    if before != row.state or work.end is not None:
        uow.audit.record(
            now, actor_id, f"session.{row.state}", short_id(row), seconds=worked_seconds(row)
        )


def lapse(uow: UnitOfWork, row: WorkSession, *, now: datetime, actor_id: int | None = None) -> None:
    """Nobody ended it: the provisional end, and the worker is asked in the morning."""
    write(uow, row, rules.lapsed(worked(uow, row)), now=now, actor_id=actor_id)


def count_breaks(uow: UnitOfWork, row: WorkSession) -> None:
    """Count the seconds of the breaks that lie inside the session."""
    spans = [Span(one.started_at, one.ended_at) for one in uow.attendance.breaks(row.id)]
    until = row.ended_at or max((one.end for one in spans), default=row.started_at)
    row.break_seconds = rules.break_seconds(row.started_at, until, spans)


def confirm(uow: UnitOfWork, row: WorkSession, *, now: datetime, actor_id: int, by: str) -> None:
    """The end is right: the session counts. `by`: worker, lead, or the id of a correction."""
    row.state = "confirmed"
    uow.audit.record(
        now, actor_id, "session.confirmed", short_id(row), seconds=worked_seconds(row), by=by
    )


def end_for_leaver(
    uow: UnitOfWork, person_id: int, *, now: datetime, actor_id: int | None
) -> WorkSession | None:
    """Somebody leaves: their open session, which is returned, gets its provisional end."""
    uow.attendance.lock(person_id)
    row = uow.attendance.open_session(person_id)
    if row is not None:
        lapse(uow, row, now=now, actor_id=actor_id)
    return row


def punch_corrected(
    uow: UnitOfWork,
    row: WorkSession,
    correction_id: int,
    direction: str,
    at: datetime,
    now: datetime,
) -> None:
    """An approved correction leaves its own punch; those that were there stay as they came."""
    uow.attendance.add(
        Punch(
            person_id=row.person_id,
            team_id=row.team_id,
            direction=direction,
            at=at,
            received_at=now,
            source="correction",
            event_key=f"C{correction_id}/{direction}",
            outcome="corrected",
        )
    )


# --- timers --------------------------------------------------------------------------------------


def watch(uow: UnitOfWork, row: WorkSession) -> None:
    """Look after a missing check-out: two reminders, then the provisional end."""
    work, longest = worked(uow, row), longest_day(uow, row.team_id)
    expected = rules.expected_end(row.started_at, longest)
    for step, after in rules.REMINDERS.items():
        uow.timers.arm(OVERLONG, short_id(row), step, expected + after)
    uow.timers.arm(OVERLONG, short_id(row), "end", rules.lapses_at(work, longest))


def _ask_in_the_morning(uow: UnitOfWork, row: WorkSession, now: datetime) -> None:
    person, team = uow.people.get(row.person_id), uow.teams.get(row.team_id)
    uow.timers.arm(CONFIRM, short_id(row), "1", rules.morning_after(now, zone_of(person, team)))


def move_start(uow: UnitOfWork, row: WorkSession, at: datetime) -> None:
    """The session began at another time, perhaps on another day."""
    row.started_at = at
    row.work_date = rules.work_date(at, ZoneInfo(row.zone))
    count_breaks(uow, row)
    if row.state == "open":
        watch(uow, row)


# --- leads ---------------------------------------------------------------------------------------


def is_lead(uow: UnitOfWork, person_id: int, team_id: int) -> bool:
    """Whether somebody decides about hours in a team."""
    return bool(uow.people.roles(person_id, team_id) & LEADS)


def leads_of(uow: UnitOfWork, team_id: int, but: int) -> list[Person]:
    """Who is asked about the hours of `but`: the other leads, else managers, else admins."""
    for role in ("lead", "manager", "admin"):
        found = [one for one in uow.people.holders(role, team_id) if one.id != but]
        if found:
            return found
    return []


def all_leads(uow: UnitOfWork, team_id: int) -> list[Person]:
    """Everybody who may have been asked, whoever they were at the time."""
    found = {one.id: one for role in LEADS for one in uow.people.holders(role, team_id)}
    return list(found.values())
