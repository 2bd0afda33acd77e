"""Sessions that nobody ended: the worker confirms the end, after two days a lead may."""

from __future__ import annotations

from datetime import datetime

from bot.commands import Request
from bot.messages import Answer, Card, CardField, Duration, Moment, Refused, Send, ToPerson, text
from handlers.attendance import corrections, rules, sessions
from handlers.attendance.answers import end_is_provisional, likely_end, provisional_buttons
from handlers.attendance.evidence import note_evidence
from storage.tables.attendance import WorkSession
from storage.uow import UnitOfWork


def confirm(request: Request, uow: UnitOfWork) -> Answer:
    """`confirm H3 [TIME]`: the provisional end is right. TIME: for leads, where there is none."""
    number = request.number("session")
    known = uow.attendance.peek(number)
    if known is None:
        raise Refused("attendance.no_session", id=f"H{number}")
    own = known.person_id == request.person.id
    if not own and not sessions.is_lead(uow, request.person.id, known.team_id):
        raise Refused("attendance.not_yours", id=f"H{number}")
    row = sessions.find_locked(uow, number) or known
    _refuse_settled(uow, row)
    given = request.arguments.get("time")
    end = given if isinstance(given, datetime) else None
    if own:
        _refuse_other_end(row, end, request.now)
    else:
        _let_lead_end(request, uow, row, end)
    by = "worker" if own else "lead"
    sessions.confirm(uow, row, now=request.now, actor_id=request.person.id, by=by)
    if own:
        note_evidence(uow, request.person.id, request.at)
    else:
        _tell_worker(request, uow, row)
    worked = Duration(seconds=sessions.worked_seconds(row) or 0)
    return Answer(
        words=text(
            "attendance.confirmed",
            id=sessions.short_id(row),
            span=corrections.span_of(row),
            worked=worked,
        ),
        private=True,
    )


def _refuse_settled(uow: UnitOfWork, row: WorkSession) -> None:
    """Raises Refused where there is nothing to confirm, or somebody else decides."""
    id = sessions.short_id(row)
    match row.state:
        case "provisional":
            correction = uow.attendance.waiting_correction(row.id)
            if correction is not None:
                waits = corrections.short_id(correction)
                raise Refused("attendance.correction_waits", id=id, correction=waits)
        case "open":
            raise Refused("attendance.confirm_open", id=id)
        case "closed":
            raise Refused("attendance.confirm_closed", id=id, span=corrections.span_of(row))
        case _:
            raise Refused("attendance.confirm_twice", id=id, span=corrections.span_of(row))


def _refuse_other_end(row: WorkSession, end: datetime | None, now: datetime) -> None:
    id, time = sessions.short_id(row), likely_end(row, now)
    if row.ended_at is None:
        raise Refused("attendance.say_when", id=id, time=time)
    if end is not None and end != row.ended_at:
        raise Refused("attendance.other_end", id=id, time=Moment(at=end))


def _let_lead_end(
    request: Request, uow: UnitOfWork, row: WorkSession, end: datetime | None
) -> None:
    """Two days after, a lead may confirm, and name the end where the worker did not."""
    id, name = sessions.short_id(row), uow.people.get(row.person_id).name
    since = row.provisional_since or row.started_at
    if request.now < since + rules.LEADS_AFTER:
        until = Moment(at=since + rules.LEADS_AFTER)
        raise Refused("attendance.too_early", id=id, name=name, until=until)
    if row.ended_at is not None:
        if end is not None and end != row.ended_at:
            raise Refused("attendance.end_is_known", id=id, span=corrections.span_of(row))
        return
    if end is None:
        time = likely_end(row, request.now)
        raise Refused("attendance.lead_says_when", id=id, name=name, time=time)
    corrections.refuse_impossible(
        uow, row.person_id, row.started_at, end, request.now, row.id, False
    )
    work = rules.ended(sessions.worked(uow, row), end, "provisional")
    sessions.write(uow, row, work, now=request.now, actor_id=request.person.id)


def _tell_worker(request: Request, uow: UnitOfWork, row: WorkSession) -> None:
    words = text(
        "attendance.confirmed_by",
        id=sessions.short_id(row),
        span=corrections.span_of(row),
        name=request.person.name,
    )
    key = f"{sessions.short_id(row)}/confirmed"
    uow.outbox.put(Send(to=ToPerson(person_id=row.person_id), key=key, words=words), request.now)


# --- cards ---------------------------------------------------------------------------------------


def card_for_worker(row: WorkSession, now: datetime) -> Card:
    """Was that the end?"""
    key = "attendance.ask_end" if row.ended_at is None else "attendance.ask_whether"
    return Card(
        title=text(key, id=sessions.short_id(row)),
        body=(end_is_provisional(row, now),),
        buttons=provisional_buttons(row, now),
    )


def card_for_lead(uow: UnitOfWork, row: WorkSession, now: datetime) -> Card:
    """The worker has said nothing for two days."""
    id, name = sessions.short_id(row), uow.people.get(row.person_id).name
    if row.ended_at is None:
        body = text("attendance.lead_says_when", id=id, name=name, time=likely_end(row, now))
        return Card(title=text("attendance.lead_asked", id=id, name=name), body=(body,))
    worked = Duration(seconds=sessions.worked_seconds(row) or 0)
    return Card(
        title=text("attendance.lead_asked", id=id, name=name),
        body=(text("attendance.lead_may_confirm", id=id),),
        fields=(
            CardField(label=text("attendance.field_time"), value=corrections.span_of(row)),
            CardField(
                label=text("attendance.field_worked"),
                value=text("attendance.length", worked=worked),
            ),
        ),
        buttons=(provisional_buttons(row, now)[0],),
    )
