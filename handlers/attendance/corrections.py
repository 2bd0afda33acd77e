"""Asking for another start or end. The old value is kept, and somebody else decides."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from bot.commands import Request
from bot.messages import (
    Answer,
    Button,
    Card,
    CardField,
    Mention,
    Moment,
    Refused,
    Send,
    Text,
    ToPerson,
    Words,
    lines,
    text,
)
from handlers.attendance import rules, sessions
from handlers.attendance.rules import Candidate
from handlers.reminding import quiet_ends, remind, zone_of
from storage.tables.attendance import Correction, WorkSession
from storage.tables.people import Person
from storage.uow import UnitOfWork

ASK = "correction.ask"
LONGEST_REASON = 500
LIKELY = timedelta(hours=9)
"""How long a session is in examples."""


def short_id(correction: Correction) -> str:
    """How people write a correction: C4."""
    return f"C{correction.id}"


def fix(request: Request, uow: UnitOfWork) -> Answer:
    """`fix in|out TIME REASON`: ask for a missing or wrong start or end to be put right."""
    reason, at = request.words("reason").strip(), request.time("time")
    if not reason:
        raise Refused("attendance.reason_missing", field="reason")
    if at > request.now:
        raise Refused("attendance.in_the_future", field="time", at=Moment(at=at))
    uow.attendance.lock(request.person.id)
    wish = _wish_start if request.words("direction") == "in" else _wish_end
    correction = wish(request, uow, at, reason[:LONGEST_REASON])
    uow.audit.record(request.now, request.person.id, "correction.asked", short_id(correction))
    told = ask_leads(uow, correction, request.now)
    asked = text("attendance.asked_nobody")
    if told:
        asked = text("attendance.asked", people=_mentions(told))
    words = lines(
        text("attendance.wish", id=short_id(correction), change=change(uow, correction)), asked
    )
    return Answer(words=words, private=True)


def _mentions(people: list[Person]) -> Words:
    named = (text("person", person=Mention(person_id=one.id, name=one.name)) for one in people)
    return lines(*named, separator=" / ")


# --- a start -------------------------------------------------------------------------------------


def _wish_start(request: Request, uow: UnitOfWork, at: datetime, reason: str) -> Correction:
    person_id = request.person.id
    kept = _kept_end(uow, person_id, at)
    if kept is not None:
        kept.new, kept.reason, kept.state, kept.asked_at = at, reason, "waiting", request.now
        return kept
    row = _session_to_start(request, uow, at)
    if row is None:
        return _wish_session(request, uow, at, reason)
    _refuse_locked(row)
    if row.started_at == at:
        raise Refused("attendance.same_start", field="time", id=sessions.short_id(row))
    refuse_impossible(uow, person_id, at, row.ended_at, request.now, row.id, row.state == "open")
    return _store(request, uow, row, "in", row.started_at, at, reason)


def _kept_end(uow: UnitOfWork, person_id: int, at: datetime) -> Correction | None:
    """The check-out without a check-in that a start belongs to."""
    for one in uow.attendance.pending_ends(person_id, at, at + rules.LONGEST):
        if one.state != "asked" or one.paired_at is None or one.paired_at <= at:
            continue
        if uow.attendance.overlapping(person_id, at, one.paired_at, None) is None:
            return one
    return None


def _session_to_start(request: Request, uow: UnitOfWork, at: datetime) -> WorkSession | None:
    assert request.team is not None
    near = uow.attendance.sessions_started(
        request.person.id, at - rules.LONGEST, at + rules.LONGEST
    )
    candidates = [
        Candidate(one.id, one.started_at, one.ended_at, one.work_date, one.state == "open")
        for one in near
    ]
    day = rules.work_date(at, zone_of(request.person, request.team))
    found = rules.session_to_start(candidates, at, day)
    return None if found is None else uow.attendance.session(found)


def _wish_session(request: Request, uow: UnitOfWork, at: datetime, reason: str) -> Correction:
    """There is no session yet: once approved, there will be one."""
    person_id = request.person.id
    before = [
        one
        for one in uow.attendance.pending_starts(
            person_id, at - rules.NEAR_START, at + rules.NEAR_START
        )
        if one.paired_at is None or one.paired_at > at
    ]
    paired_at = before[-1].paired_at if before else None
    refuse_impossible(uow, person_id, at, paired_at, request.now, None, False)
    correction = _store(request, uow, None, "in", None, at, reason)
    correction.paired_at = paired_at
    for one in before:
        _replace(uow, one, correction, request.now)
    return correction


# --- an end --------------------------------------------------------------------------------------


def _wish_end(request: Request, uow: UnitOfWork, at: datetime, reason: str) -> Correction:
    person_id = request.person.id
    row = uow.attendance.latest_session(person_id, at)
    unended = unended_before(uow, person_id, at)
    start = unended.new if unended is not None else None
    if unended is not None and start is not None and (row is None or row.started_at < start):
        refuse_impossible(uow, person_id, start, at, request.now, None, False)
        unended.reason = f"{unended.reason} / {reason}"[:LONGEST_REASON]
        pair(uow, unended, at, request.now)
        return unended
    if row is None or at - row.started_at > rules.LONGEST:
        before = Moment(at=at - LIKELY)
        raise Refused("attendance.no_start_before", field="time", at=Moment(at=at), time=before)
    row = uow.attendance.session(row.id) or row
    _refuse_locked(row)
    if row.ended_at == at:
        raise Refused("attendance.same_end", field="time", id=sessions.short_id(row))
    refuse_impossible(uow, person_id, row.started_at, at, request.now, row.id, False)
    return _wish_other_end(request, uow, row, at, reason)


def _wish_other_end(
    request: Request, uow: UnitOfWork, row: WorkSession, at: datetime, reason: str
) -> Correction:
    earlier = uow.attendance.waiting_correction(row.id, "out")
    claimed = earlier is not None and is_claim(row, earlier)
    old = earlier.old if earlier is not None and claimed else row.ended_at
    correction = _store(request, uow, row, "out", old, at, reason)
    if row.state == "open" or claimed:
        # They have left: what they say holds for now, and is not paid before it is approved.
        work = rules.ended(sessions.worked(uow, row), at, "provisional")
        sessions.write(uow, row, work, now=request.now, actor_id=request.person.id)
    return correction


def is_claim(row: WorkSession, correction: Correction) -> bool:
    """Whether the session's end is only what this correction says."""
    return (
        correction.direction == "out"
        and row.state == "provisional"
        and correction.old is None
        and row.ended_at == correction.new
    )


def unended_before(uow: UnitOfWork, person_id: int, at: datetime) -> Correction | None:
    """The latest start that waits for approval and has no end, up to 24 hours before a moment."""
    found = [
        one
        for one in uow.attendance.pending_starts(person_id, at - rules.LONGEST, at)
        if one.paired_at is None and one.new is not None and one.new < at
    ]
    return found[-1] if found else None


def pair(uow: UnitOfWork, correction: Correction, at: datetime, now: datetime) -> None:
    """The end of a session that waits for approval is known now; whoever was asked sees it."""
    correction.paired_at = at
    said = text("attendance.wish_grew", id=short_id(correction), change=change(uow, correction))
    edit_cards(uow, correction, "paired", said, now)


# --- what both have in common --------------------------------------------------------------------


def _store(
    request: Request,
    uow: UnitOfWork,
    row: WorkSession | None,
    direction: str,
    old: datetime | None,
    new: datetime,
    reason: str,
) -> Correction:
    assert request.team is not None
    earlier = uow.attendance.waiting_correction(row.id, direction) if row is not None else None
    if earlier is not None:
        earlier.state = "replaced"
        uow.session.flush()
    correction = Correction(
        person_id=request.person.id,
        team_id=row.team_id if row is not None else request.team.id,
        session_id=row.id if row is not None else None,
        direction=direction,
        old=old,
        new=new,
        reason=reason,
        state="waiting",
        asked_at=request.now,
    )
    uow.attendance.add(correction)
    if earlier is not None:
        _replace(uow, earlier, correction, request.now)
    return correction


def _replace(uow: UnitOfWork, earlier: Correction, newer: Correction, now: datetime) -> None:
    earlier.state, earlier.decision_note = "replaced", short_id(newer)
    uow.audit.record(now, newer.person_id, "correction.replaced", short_id(earlier), by=newer.id)
    said = text("attendance.was_replaced", id=short_id(earlier), newer=short_id(newer))
    edit_cards(uow, earlier, "replaced", said, now)


def _refuse_locked(row: WorkSession) -> None:
    if rules.is_locked(row.state):
        raise Refused("attendance.locked", id=sessions.short_id(row))


def refuse_impossible(
    uow: UnitOfWork,
    person_id: int,
    start: datetime,
    end: datetime | None,
    now: datetime,
    except_id: int | None,
    is_open: bool,
) -> None:
    """Raises Refused where nobody can have worked from `start` to `end`, or did so already."""
    span = {"start": Moment(at=start), "end": Moment(at=end or start)}
    match rules.what_is_wrong(start, end, now):
        case "in_the_future":
            raise Refused("attendance.in_the_future", field="time", at=span["end"])
        case "end_before_start":
            raise Refused("attendance.end_before_start", field="time", **span)
        case "too_long":
            raise Refused("attendance.too_long", field="time", **span)
    # Of a session without an end only the start is certain; an open one lasts until now.
    until = end or (now if is_open else start + timedelta(seconds=1))
    other = uow.attendance.overlapping(person_id, start, until, except_id)
    if other is not None:
        raise Refused(
            "attendance.overlaps", field="time", id=sessions.short_id(other), span=span_of(other)
        )


def span_of(row: WorkSession) -> Text:
    """From when to when a session goes, in words."""
    if row.ended_at is not None:
        return text("attendance.span", **_from_to(row.started_at, row.ended_at, ZoneInfo(row.zone)))
    key = "attendance.span_open" if row.state == "open" else "attendance.span_unknown"
    return text(key, start=Moment(at=row.started_at))


def _from_to(start: datetime, end: datetime, zone: ZoneInfo) -> dict[str, Moment | Text]:
    """Both ends of worked time; the second has its date where the day is another one."""
    clock = Moment(at=end, style="clock")
    if rules.work_date(start, zone) == rules.work_date(end, zone):
        return {"start": Moment(at=start), "end": clock}
    day = Moment(at=end, style="date")
    return {"start": Moment(at=start), "end": text("attendance.on_day", day=day, time=clock)}


# --- those who decide ----------------------------------------------------------------------------


def change(uow: UnitOfWork, correction: Correction) -> Text:
    """What a correction would do, in words."""
    assert correction.new is not None
    new = Moment(at=correction.new)
    id = f"H{correction.session_id}"
    if correction.direction == "in":
        if correction.old is None:  # there was no session
            return _new_session(uow, correction, correction.new)
        return text("attendance.change_in", id=id, old=Moment(at=correction.old), new=new)
    if correction.old is None:
        row = uow.attendance.peek(correction.session_id or 0)
        assert row is not None
        start = Moment(at=row.started_at)
        return text("attendance.change_out_none", id=id, start=start, new=new)
    return text("attendance.change_out", id=id, old=Moment(at=correction.old), new=new)


def _new_session(uow: UnitOfWork, correction: Correction, start: datetime) -> Text:
    if correction.paired_at is None:
        return text("attendance.change_new_start", start=Moment(at=start))
    person, team = uow.people.get(correction.person_id), uow.teams.get(correction.team_id)
    ends = _from_to(start, correction.paired_at, zone_of(person, team))
    return text("attendance.change_new", **ends)


def card_to_decide(uow: UnitOfWork, correction: Correction) -> Card:
    """What a lead reads about a correction; the buttons are there while it waits."""
    asker, id = uow.people.get(correction.person_id), short_id(correction)
    buttons = _decisions(id) if correction.state == "waiting" else ()
    return Card(
        title=text("attendance.decide", id=id, name=asker.name),
        fields=(
            CardField(label=text("attendance.field_change"), value=change(uow, correction)),
            CardField(
                label=text("attendance.field_reason"), value=text("said", words=correction.reason)
            ),
        ),
        buttons=buttons,
    )


def _decisions(id: str) -> tuple[Button, ...]:
    return (
        Button(
            label=text("attendance.button_approve"),
            command="approve_correction",
            arguments={"correction": id},
            style="primary",
        ),
        Button(
            label=text("attendance.button_reject"),
            command="reject_correction",
            arguments={"correction": id},
            hint=text("attendance.typed_reject", id=id),
            style="danger",
        ),
    )


def ask_leads(uow: UnitOfWork, correction: Correction, now: datetime) -> list[Person]:
    """Ask those who may decide, by direct message; whoever sleeps is asked in the morning."""
    leads = sessions.leads_of(uow, correction.team_id, correction.person_id)
    for lead in leads:
        ask_lead(uow, correction, lead, now)
    return leads


def ask_lead(uow: UnitOfWork, correction: Correction, lead: Person, now: datetime) -> None:
    """Ask one of them, unless it is their night: then a timer comes back in the morning."""
    team = uow.teams.get(correction.team_id)
    outcome = remind(
        uow,
        lead,
        team,
        key=_card_key(correction, lead),
        subject=short_id(correction),
        words=change(uow, correction),
        card=card_to_decide(uow, correction),
        now=now,
        counts=False,
    )
    if outcome == "quiet":
        morning = quiet_ends(lead, team, now)
        uow.timers.arm(ASK, short_id(correction), f"person/{lead.id}", morning)


def edit_cards(
    uow: UnitOfWork,
    correction: Correction,
    step: str,
    said: Words,
    now: datetime,
    *,
    by: int | None = None,
) -> None:
    """Say on the cards that were sent what has come of the correction.

    A card that still waits shows the new change by itself. Where cards cannot be edited a line
    follows, except for the one (`by`) whose doing it was.
    """
    card = card_to_decide(uow, correction)
    if correction.state != "waiting":
        card = card.model_copy(update={"body": (said,)})
    for lead in sessions.all_leads(uow, correction.team_id):
        key = _card_key(correction, lead)
        words = None if lead.id == by else said
        to = ToPerson(person_id=lead.id)
        send = Send(to=to, key=f"{key}/{step}", edits=key, card=card, words=words)
        uow.outbox.put(send, now)


def _card_key(correction: Correction, lead: Person) -> str:
    return f"{short_id(correction)}/ask/{lead.id}"
