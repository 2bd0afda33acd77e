"""Missing check-outs: reminders, the provisional end, next morning's question, then the leads.

Each looks again before it speaks: still open? still provisional? still theirs? is it night?
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from bot.messages import Button, Card, Duration, Moment, Tick, text
from handlers.attendance import corrections, rules, sessions
from handlers.attendance.answers import likely_end
from handlers.attendance.provisional import card_for_lead, card_for_worker
from handlers.reminding import Outcome, in_quiet_hours, quiet_ends, remind, zone_of
from storage.tables.attendance import WorkSession
from storage.tables.people import Person
from storage.tables.teams import Team
from storage.uow import UnitOfWork

NEXT_MORNING = timedelta(hours=12)


# --- still open ----------------------------------------------------------------------------------


def overlong(tick: Tick, uow: UnitOfWork) -> None:
    """A session is longer than the longest day: ask twice, then give it its provisional end."""
    row = _session(tick, uow)
    if row is None or row.state != "open":
        return
    work, longest = sessions.worked(uow, row), sessions.longest_day(uow, row.team_id)
    ends = rules.lapses_at(work, longest)
    if tick.now >= ends:
        sessions.lapse(uow, row, now=tick.now)
        return
    if tick.step == "end":
        uow.timers.arm(tick.kind, tick.subject, tick.step, ends)  # seen at work since
        return
    due = rules.expected_end(row.started_at, longest) + rules.REMINDERS[tick.step]
    if tick.now < due:
        uow.timers.arm(tick.kind, tick.subject, tick.step, due)  # the start or the policy has moved
        return
    _ask_whether_over(tick, uow, row)


def _ask_whether_over(tick: Tick, uow: UnitOfWork, row: WorkSession) -> None:
    step = f"overlong/{tick.step}"
    if uow.reminders.ran(tick.subject, step):
        return
    person, team = uow.people.get(row.person_id), uow.teams.get(row.team_id)
    seen = rules.seen_until(sessions.worked(uow, row))
    awake = seen is not None and tick.now - seen <= rules.PATIENCE
    outcome: Outcome = "quiet"
    # They count as being on duty, and may be fast asleep: at night only who was just seen is rung.
    if awake or not in_quiet_hours(person, team, tick.now):
        card = _card_whether_over(row, tick.now)
        key = f"{tick.subject}/{step}"
        outcome = _ask(tick, uow, person, team, key, card, may_ring_at_night=True)
    _record(tick, uow, step, [person] if outcome == "told" else [], outcome)


def _card_whether_over(row: WorkSession, now: datetime) -> Card:
    length = Duration(seconds=rules.whole_seconds(row.started_at, now))
    return Card(
        title=text(
            "attendance.overlong", id=sessions.short_id(row), start=Moment(at=row.started_at)
        ),
        body=(text("attendance.overlong_ask", length=length),),
        buttons=(
            Button(label=text("attendance.button_checkout"), command="checkout", style="primary"),
            Button(
                label=text("attendance.button_left_earlier"),
                command="fix",
                arguments={"direction": "out"},
                hint=text("attendance.typed_fix_out", time=likely_end(row, now)),
            ),
            Button(label=text("attendance.button_still_here"), command="back"),
        ),
    )


# --- provisional ---------------------------------------------------------------------------------


def ask_to_confirm(tick: Tick, uow: UnitOfWork) -> None:
    """A provisional end: ask the worker on two mornings, then the leads."""
    row = _session(tick, uow)
    if row is None or row.state != "provisional":
        return
    person, team = uow.people.get(row.person_id), uow.teams.get(row.team_id)
    tomorrow = rules.morning_after(tick.now, zone_of(person, team), NEXT_MORNING)
    if uow.attendance.waiting_correction(row.id) is not None:
        uow.timers.arm(tick.kind, tick.subject, tick.step, tomorrow)  # a lead decides that first
    elif tick.step == "leads":
        for lead in sessions.leads_of(uow, row.team_id, row.person_id):
            step = f"lead/{lead.id}"
            uow.timers.arm(tick.kind, tick.subject, step, quiet_ends(lead, team, tick.now))
    elif tick.step.startswith("lead/"):
        _ask_lead(tick, uow, row, uow.people.get(int(tick.step.removeprefix("lead/"))))
    else:
        _ask_worker(tick, uow, row, person, tomorrow)


def _ask_worker(
    tick: Tick, uow: UnitOfWork, row: WorkSession, person: Person, tomorrow: datetime
) -> None:
    team = uow.teams.get(row.team_id)
    outcome: Outcome | None = None
    if person.state == "active":
        card = card_for_worker(row, tick.now)
        key = f"{tick.subject}/confirm/{tick.step}/{_since(row)}"
        outcome = _ask(tick, uow, person, team, key, card)
    if outcome == "quiet":
        morning = quiet_ends(person, team, tick.now)
        uow.timers.arm(tick.kind, tick.subject, tick.step, morning)
        return
    told = [person] if outcome == "told" else []
    _record(tick, uow, f"confirm/{tick.step}", told, outcome or "empty")
    if tick.step == "1":
        uow.timers.arm(tick.kind, tick.subject, "2", tomorrow)
    else:
        since = row.provisional_since or tick.now
        zone = zone_of(person, team)
        after = rules.morning_after(since, zone, rules.LEADS_AFTER)
        uow.timers.arm(tick.kind, tick.subject, "leads", max(after, tick.now))


def _ask_lead(tick: Tick, uow: UnitOfWork, row: WorkSession, lead: Person) -> None:
    team = uow.teams.get(row.team_id)
    if not sessions.is_lead(uow, lead.id, team.id):
        return
    card = card_for_lead(uow, row, tick.now)
    outcome = _ask(tick, uow, lead, team, f"{tick.subject}/{tick.step}/{_since(row)}", card)
    if outcome == "quiet":
        uow.timers.arm(tick.kind, tick.subject, tick.step, quiet_ends(lead, team, tick.now))
        return
    _record(tick, uow, tick.step, [lead] if outcome == "told" else [], outcome)


def ask_to_decide(tick: Tick, uow: UnitOfWork) -> None:
    """A lead slept when a correction came: now it is morning."""
    correction = uow.attendance.peek_correction(int(tick.subject[1:]))
    lead = uow.people.get(int(tick.step.rpartition("/")[2]))
    if correction is None or correction.state != "waiting":
        return
    if sessions.is_lead(uow, lead.id, correction.team_id):
        corrections.ask_lead(uow, correction, lead, tick.now)


# --- what all have in common ---------------------------------------------------------------------


def _ask(
    tick: Tick,
    uow: UnitOfWork,
    person: Person,
    team: Team,
    key: str,
    card: Card,
    *,
    may_ring_at_night: bool = False,
) -> Outcome:
    """Send the card as a reminder about the tick's session."""
    return remind(
        uow,
        person,
        team,
        key=key,
        subject=tick.subject,
        words=card.title,
        card=card,
        now=tick.now,
        may_ring_at_night=may_ring_at_night,
    )


def _session(tick: Tick, uow: UnitOfWork) -> WorkSession | None:
    return sessions.find_locked(uow, int(tick.subject[1:]))


def _since(row: WorkSession) -> str:
    """Tells the questions apart when a session becomes provisional a second time."""
    return f"{row.provisional_since:%Y%m%d%H%M}" if row.provisional_since else ""


def _record(tick: Tick, uow: UnitOfWork, step: str, told: Sequence[Person], outcome: str) -> None:
    if not uow.reminders.ran(tick.subject, step):
        ids = [one.id for one in told]
        uow.reminders.record(tick.subject, step, tick.due_at, tick.now, ids, outcome)
