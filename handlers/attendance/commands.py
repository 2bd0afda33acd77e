"""Checking in and out, breaks, and who is on."""

from __future__ import annotations

from datetime import UTC, datetime

from bot.commands import Request
from bot.messages import Answer, Moment, Words, lines, text
from handlers.attendance import corrections, rules, sessions
from handlers.attendance.answers import Done, answer_to
from handlers.attendance.rules import Decision, Direction, Outcome, Situation, Tap
from handlers.paging import paged, paging
from storage.tables.attendance import Correction, Punch, WorkSession
from storage.tables.people import Person
from storage.uow import UnitOfWork

LISTED = 50
"""People on a page of `who`."""


def check_in(request: Request, uow: UnitOfWork) -> Answer:
    """`checkin [note]`: work begins. The very first time the privacy notice rides along."""
    return _tap(request, uow, "in")


def check_out(request: Request, uow: UnitOfWork) -> Answer:
    """`checkout [note]`: work ends; the answer adds up the day and the week."""
    return _tap(request, uow, "out")


def take_break(request: Request, uow: UnitOfWork) -> Answer:
    """`break`: a pause begins."""
    return _tap(request, uow, "break")


def come_back(request: Request, uow: UnitOfWork) -> Answer:
    """`back`: the pause is over; without one, "I am still at work"."""
    return _tap(request, uow, "back")


def _tap(request: Request, uow: UnitOfWork, direction: Direction) -> Answer:
    """Lock, look, decide, write down, answer."""
    person = request.person
    uow.attendance.lock(person.id)
    open_row = uow.attendance.open_session(person.id)
    before = uow.attendance.latest_ended(person.id)
    situation = _situation(request, uow, open_row, before)
    # No clock of ours or of a platform may put a tap into the future.
    tap = Tap(direction, min(request.at, request.now).astimezone(UTC))
    decision = rules.decide(tap, situation)
    _store_punch(request, uow, tap, decision)
    if decision.repeated:
        return _same_answer(request, uow, decision, open_row or before)
    row, lapsed = _apply(request, uow, decision, open_row)
    unstarted = None
    if decision.outcome == "no_start":
        unstarted = _ask_for_start(request, uow, decision.at)
    first_ever = direction == "in" and person.privacy_told_at is None
    if first_ever:
        person.privacy_told_at = request.now
    row = row or lapsed or before
    return answer_to(
        Done(request, uow, decision.outcome, decision.at, row, lapsed, unstarted, first_ever)
    )


def _situation(
    request: Request, uow: UnitOfWork, open_row: WorkSession | None, before: WorkSession | None
) -> Situation:
    assert request.team is not None
    last = uow.attendance.last_punch(request.person.id)
    return Situation(
        longest=sessions.longest_day(uow, open_row.team_id if open_row else request.team.id),
        work=sessions.worked(uow, open_row) if open_row else None,
        before=sessions.worked(uow, before) if before else None,
        last=Tap(direction_of(last), last.at) if last else None,
        outcome=_outcome(last.outcome) if last else "started",
    )


def direction_of(punch: Punch) -> Direction:
    """Which way a stored tap went."""
    return next(one for one in rules.DIRECTIONS if one == punch.direction)


def _outcome(stored: str) -> Outcome:
    return next(one for one in rules.OUTCOMES if one == stored)


def _store_punch(request: Request, uow: UnitOfWork, tap: Tap, decision: Decision) -> None:
    assert request.team is not None
    uow.attendance.add(
        Punch(
            person_id=request.person.id,
            team_id=request.team.id,
            direction=tap.direction,
            at=tap.at,
            received_at=request.now,
            source=request.platform,
            event_key=request.event_key,
            outcome="repeated" if decision.repeated else decision.outcome,
            note=request.words("note")[:500],
        )
    )


def _apply(
    request: Request, uow: UnitOfWork, decision: Decision, open_row: WorkSession | None
) -> tuple[WorkSession | None, WorkSession | None]:
    """Write the decision down; the session it is about, and the one that lapsed."""
    person, team, now = request.person, request.team, request.now
    assert team is not None
    lapsed = None
    if decision.lapsed is not None and open_row is not None:
        sessions.write(uow, open_row, decision.lapsed, now=now, actor_id=person.id)
        # The unique index allows one open session: the old one must be seen to have ended.
        uow.session.flush()
        lapsed, open_row = open_row, None
    if decision.work is None:
        return open_row, lapsed
    if open_row is None:
        begun = sessions.begin(uow, person, team, decision.work, now=now, actor_id=person.id)
        return begun, lapsed
    sessions.write(uow, open_row, decision.work, now=now, actor_id=person.id)
    return open_row, lapsed


def _same_answer(
    request: Request, uow: UnitOfWork, decision: Decision, row: WorkSession | None
) -> Answer:
    """The tap before was the same: so is the answer."""
    unstarted, lapsed = None, None
    if decision.outcome == "no_start":
        near = (decision.at - rules.FOLD, decision.at + rules.FOLD)
        unstarted = uow.attendance.pending_ends(request.person.id, *near)[-1]
    if decision.outcome == "replaced":
        lapsed = uow.attendance.latest_ended(request.person.id)
    return answer_to(Done(request, uow, decision.outcome, decision.at, row, lapsed, unstarted))


def _ask_for_start(request: Request, uow: UnitOfWork, at: datetime) -> Correction:
    """A check-out without a check-in is kept; its start waits for approval, or is asked for."""
    person, team = request.person, request.team
    assert team is not None
    waiting = corrections.unended_before(uow, person.id, at)
    if waiting is not None:
        corrections.pair(uow, waiting, at, request.now)
        return waiting
    correction = Correction(
        person_id=person.id,
        team_id=team.id,
        direction="in",
        paired_at=at,
        state="asked",
        asked_at=request.now,
    )
    uow.attendance.add(correction)
    uow.audit.record(request.now, person.id, "correction.opened", f"C{correction.id}")
    return correction


# --- who -----------------------------------------------------------------------------------------


def who(request: Request, uow: UnitOfWork) -> Answer:
    """`who [PAGE]`: who is at work, since when; who is on a break."""
    assert request.team is not None
    on = uow.attendance.on_duty(request.team.id)
    if not on:
        return Answer(words=text("attendance.nobody_on", team=request.team.name))
    working = [one for one in on if one[0].break_started_at is None]
    resting = [one for one in on if one[0].break_started_at is not None]
    page = paging(request, len(on), LISTED)
    here = [*working, *resting][page.start : page.end]
    words = lines(
        text("attendance.on_duty", team=request.team.name, n=len(working)) if working else None,
        *(_who_line(*one) for one in here if one in working),
        text("attendance.resting", n=len(resting)) if resting else None,
        *(_who_line(*one) for one in here if one in resting),
    )
    return paged(words, page, "who", {})


def _who_line(row: WorkSession, person: Person) -> Words:
    # The name as plain words: whoever asks who is on wants to read, not to ring everybody.
    if row.break_started_at is not None:
        since = Moment(at=row.break_started_at)
        return text("attendance.resting_person", name=person.name, since=since)
    return text("attendance.working_person", name=person.name, since=Moment(at=row.started_at))
