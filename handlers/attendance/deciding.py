"""Deciding about corrections: by a lead of the team, never by the one who asked, and only once."""

from __future__ import annotations

from datetime import datetime

from bot.commands import Request
from bot.messages import Answer, Moment, Refused, Send, Text, ToPerson, lines, text
from handlers.attendance import corrections, rules, sessions
from handlers.attendance.corrections import short_id
from handlers.attendance.rules import Worked
from storage.tables.attendance import Correction, WorkSession
from storage.uow import UnitOfWork


def approve(request: Request, uow: UnitOfWork) -> Answer:
    """`approve C4`: the session is changed, and both sides are told."""
    correction = _undecided(request, uow)
    assert correction.new is not None
    if correction.session_id is None:
        row = _make_session(request, uow, correction, correction.new)
    else:
        row = _change_session(request, uow, correction, correction.new)
    uow.session.flush()
    result = text("attendance.approved", id=short_id(correction), result=_result(row))
    _decide(request, uow, correction, "approved", result)
    return Answer(words=result, private=True)


def reject(request: Request, uow: UnitOfWork) -> Answer:
    """`reject C4 REASON`: nothing changes, and the worker reads why."""
    correction = _undecided(request, uow)
    reason = request.words("reason").strip()
    if not reason:
        raise Refused("attendance.reject_reason", field="reason", id=short_id(correction))
    stays = None
    if correction.session_id is not None:
        row = uow.attendance.session(correction.session_id)
        assert row is not None
        if corrections.is_claim(row, correction):
            _withdraw_claim(request, uow, row)
        stays = _result(row)
    said = text("attendance.rejected", id=short_id(correction), reason=reason)
    _decide(request, uow, correction, "rejected", said, reason, stays)
    return Answer(words=said, private=True)


def _undecided(request: Request, uow: UnitOfWork) -> Correction:
    """The correction, locked and fit to be decided by this person. Raises Refused."""
    number = request.number("correction")
    known = uow.attendance.peek_correction(number)
    if known is None:
        raise Refused("attendance.no_correction", id=f"C{number}")
    if known.person_id == request.person.id:
        raise Refused("attendance.not_your_own", id=short_id(known))
    if not sessions.is_lead(uow, request.person.id, known.team_id):
        raise Refused("attendance.not_your_team", id=short_id(known))
    uow.attendance.lock(known.person_id)
    correction = uow.attendance.correction(number) or known
    match correction.state:
        case "waiting":
            return correction
        case "asked":
            name = uow.people.get(correction.person_id).name
            raise Refused("attendance.not_complete", id=short_id(correction), name=name)
        case "replaced":
            newer = correction.decision_note
            raise Refused("attendance.was_replaced", id=short_id(correction), newer=newer)
    decider = uow.people.get(correction.decided_by) if correction.decided_by else None
    raise Refused(
        "attendance.was_approved" if correction.state == "approved" else "attendance.was_rejected",
        id=short_id(correction),
        name=decider.name if decider else "?",
        at=Moment(at=correction.decided_at or correction.asked_at),
    )


def _result(row: WorkSession) -> Text:
    """How a session stands now."""
    return text("attendance.session", id=sessions.short_id(row), span=corrections.span_of(row))


# --- applying ------------------------------------------------------------------------------------


def _change_session(
    request: Request, uow: UnitOfWork, correction: Correction, new: datetime
) -> WorkSession:
    assert correction.session_id is not None
    row = uow.attendance.session(correction.session_id)
    assert row is not None
    if rules.is_locked(row.state):
        raise Refused("attendance.locked", id=sessions.short_id(row))
    is_in = correction.direction == "in"
    found = row.started_at if is_in else row.ended_at
    if found != correction.old and not corrections.is_claim(row, correction):
        id, session = short_id(correction), sessions.short_id(row)
        raise Refused(
            "attendance.changed_meanwhile", id=id, session=session, span=corrections.span_of(row)
        )
    start, end = (new, row.ended_at) if is_in else (row.started_at, new)
    is_open = row.state == "open"
    corrections.refuse_impossible(uow, row.person_id, start, end, request.now, row.id, is_open)
    if is_in:
        sessions.move_start(uow, row, new)
    else:
        row.ended_at = new
        sessions.count_breaks(uow, row)
    _settle(request, uow, row, correction)
    sessions.punch_corrected(uow, row, correction.id, correction.direction, new, request.now)
    return row


def _settle(request: Request, uow: UnitOfWork, row: WorkSession, correction: Correction) -> None:
    """The state after a correction: what was approved before has to be approved again."""
    if row.state in ("open", "provisional") and correction.direction == "out":
        by = short_id(correction)
        sessions.confirm(uow, row, now=request.now, actor_id=request.person.id, by=by)
        return
    if row.state == "approved":
        row.state = "closed"
    uow.audit.record(
        request.now,
        request.person.id,
        "session.corrected",
        sessions.short_id(row),
        seconds=sessions.worked_seconds(row),
        by=short_id(correction),
    )


def _make_session(
    request: Request, uow: UnitOfWork, correction: Correction, start: datetime
) -> WorkSession:
    """Somebody forgot to check in: the session that should have been there."""
    person, team = uow.people.get(correction.person_id), uow.teams.get(correction.team_id)
    end, now = correction.paired_at, request.now
    corrections.refuse_impossible(uow, person.id, start, end, now, None, False)
    running = Worked(start)
    over = now >= rules.lapses_at(running, sessions.longest_day(uow, team.id))
    later = uow.attendance.overlapping(person.id, start, now, None) if start < now else None
    if end is not None:
        work = rules.ended(running, end, "closed")
    elif over or later is not None or uow.attendance.open_session(person.id) is not None:
        work = rules.lapsed(running)
    else:
        work = running
    row = sessions.begin(uow, person, team, work, now=now, actor_id=request.person.id)
    if end is not None:
        by = short_id(correction)
        sessions.confirm(uow, row, now=now, actor_id=request.person.id, by=by)
        sessions.punch_corrected(uow, row, correction.id, "out", end, now)
    correction.session_id = row.id
    sessions.punch_corrected(uow, row, correction.id, "in", start, now)
    return row


def _withdraw_claim(request: Request, uow: UnitOfWork, row: WorkSession) -> None:
    """The end was only claimed: back to the last sign of work, and the worker is asked again."""
    row.ended_at = None
    work = rules.lapsed(sessions.worked(uow, row))
    row.provisional_since = None
    sessions.write(uow, row, work, now=request.now, actor_id=request.person.id)


# --- telling -------------------------------------------------------------------------------------


def _decide(
    request: Request,
    uow: UnitOfWork,
    correction: Correction,
    state: str,
    result: Text,
    note: str = "",
    stays: Text | None = None,
) -> None:
    """Write the decision down; tell the worker, and take the buttons off the leads' cards."""
    correction.state, correction.decision_note = state, note[:500]
    correction.decided_by, correction.decided_at = request.person.id, request.now
    uow.audit.record(request.now, request.person.id, f"correction.{state}", short_id(correction))
    by = text("attendance.decided_by", name=request.person.name)
    to = ToPerson(person_id=correction.person_id)
    key = f"{short_id(correction)}/decided"
    uow.outbox.put(Send(to=to, key=key, words=lines(result, stays, by)), request.now)
    said = lines(result, by)
    corrections.edit_cards(uow, correction, "decided", said, request.now, by=request.person.id)
