"""What people read after a tap."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from bot.commands import Request
from bot.messages import Answer, Button, Card, Duration, Moment, Text, Words, lines, text
from bot.times import show_time
from handlers.attendance import corrections, hours, rules, sessions
from handlers.attendance.rules import Outcome
from handlers.reminding import zone_of
from storage.tables.attendance import Correction, WorkSession
from storage.uow import UnitOfWork


@dataclass(frozen=True, slots=True)
class Done:
    """A tap that has been written down."""

    request: Request
    uow: UnitOfWork
    outcome: Outcome
    at: datetime
    row: WorkSession | None
    """The session it is about: the open one, else the newest."""
    lapsed: WorkSession | None = None
    """The session that got its provisional end because of it."""
    unstarted: Correction | None = None
    """The check-out for which the worker has still to name the start."""
    first_ever: bool = False


def answer_to(done: Done) -> Answer:
    """The answer to a tap."""
    lapsed = None if done.lapsed is None else end_is_provisional(done.lapsed, done.request.now)
    said = ANSWERS[done.outcome](done)
    notes = [*_delay(done), *([text("attendance.privacy")] if done.first_ever else [])]
    if isinstance(said, Card):
        body = (*said.body, *notes) if lapsed is None else (lapsed, *said.body, *notes)
        return Answer(card=said.model_copy(update={"body": body}))
    return Answer(words=lines(said, lapsed, *notes))


def end_is_provisional(row: WorkSession, now: datetime) -> Words:
    """That nobody ended a session, where its end is now, and what to type."""
    start, id = Moment(at=row.started_at), sessions.short_id(row)
    if row.ended_at is None:
        return text("attendance.lapsed_unknown", id=id, start=start, time=likely_end(row, now))
    return text("attendance.lapsed", id=id, start=start, end=Moment(at=row.ended_at))


def likely_end(row: WorkSession, now: datetime) -> Moment:
    """An end that could be right, for examples: people see which day is meant, and change it."""
    return Moment(at=min(row.started_at + corrections.LIKELY, now))


def _delay(done: Done) -> list[Text]:
    delay = done.request.now - done.request.at
    if delay <= rules.DELAYED or done.outcome == "overtaken":
        return []
    seconds = rules.whole_seconds(done.request.at, done.request.now)
    return [
        text("attendance.delayed", delay=Duration(seconds=seconds), at=Moment(at=done.request.at))
    ]


# --- in ------------------------------------------------------------------------------------------


def _checked_in(done: Done) -> Words:
    row = _row(done)
    return text("attendance.checked_in", time=Moment(at=row.started_at), id=sessions.short_id(row))


def _still_in(done: Done) -> Card:
    row, team = _row(done), done.request.team
    so_far = Duration(seconds=hours.so_far(done.uow, row, done.at))
    elsewhere = None
    if team is not None and team.id != row.team_id:
        elsewhere = text("attendance.elsewhere", team=done.uow.teams.get(row.team_id).name)
    return Card(
        title=text(
            "attendance.still_in", since=Moment(at=row.started_at), id=sessions.short_id(row)
        ),
        body=tuple(part for part in (elsewhere, text("attendance.so_far", worked=so_far)) if part),
        buttons=(_button("checkout"), _button("break")),
    )


# --- out -----------------------------------------------------------------------------------------


def _checked_out(done: Done) -> Words:
    row = _row(done)
    assert row.ended_at is not None
    worked = Duration(seconds=sessions.worked_seconds(row) or 0)
    pause = text("attendance.with_breaks", breaks=Duration(seconds=row.break_seconds))
    return lines(
        text(
            "attendance.checked_out",
            time=Moment(at=row.ended_at),
            id=sessions.short_id(row),
            worked=worked,
        ),
        pause if row.break_seconds else None,
        _totals(done.uow, row),
        *_uncounted(done.uow.attendance.provisional(row.person_id), done.request.now),
    )


def _uncounted(waiting: Sequence[WorkSession], now: datetime) -> Iterator[Text]:
    """The sessions without a check-out, and what to type: where an end is known, and where not."""
    ended = [sessions.short_id(one) for one in waiting if one.ended_at is not None]
    if ended:
        yield text("attendance.to_confirm", ids=" ".join(ended), id=ended[0])
    for one in waiting:
        if one.ended_at is None:
            id, time = sessions.short_id(one), likely_end(one, now)
            yield text("attendance.to_end", id=id, start=Moment(at=one.started_at), time=time)
            return


def _totals(uow: UnitOfWork, row: WorkSession) -> Words:
    """The day and the week a session belongs to; after a night shift the day was yesterday."""
    assert row.ended_at is not None
    day, until = row.work_date, row.ended_at
    on_day = hours.hours_of(uow, row.person_id, day, day, until)
    in_week = hours.hours_of(uow, row.person_id, *hours.week_of(day), until)
    today, week = Duration(seconds=on_day.counted), Duration(seconds=in_week.counted)
    if rules.work_date(until, ZoneInfo(row.zone)) == day:
        return text("attendance.totals", today=today, week=week)
    began = Moment(at=row.started_at, style="date")
    return text("attendance.totals_of", day=began, worked=today, week=week)


def _end_waits(done: Done) -> Card:
    """The end was found without them; they say whether it is right, or that it is now."""
    row = _row(done)
    id, at = sessions.short_id(row), Moment(at=done.at)
    zone = zone_of(done.request.person, done.uow.teams.get(row.team_id))
    typed = show_time(done.at, done.request.now, zone)
    decided_by = done.uow.attendance.waiting_correction(row.id, "out")
    if decided_by is not None:
        asked = text("attendance.correction_waits", id=id, correction=f"C{decided_by.id}")
        return Card(title=text("attendance.end_waits", id=id, at=at), body=(asked,))
    now = Button(
        label=text("attendance.button_ended_at", time=at),
        command="fix",
        arguments={"direction": "out", "time": typed},
        hint=text("attendance.typed_fix_out", time=typed),
    )
    *confirm, other = provisional_buttons(row, done.request.now)
    return Card(
        title=text("attendance.end_waits", id=id, at=at),
        body=() if done.lapsed is not None else (end_is_provisional(row, done.request.now),),
        buttons=(*confirm, now, other),
    )


def provisional_buttons(row: WorkSession, now: datetime) -> tuple[Button, ...]:
    """Confirm (where there is an end), or say when it was."""
    other = Button(
        label=text(
            "attendance.button_other_time" if row.ended_at else "attendance.button_say_when"
        ),
        command="fix",
        arguments={"direction": "out"},
        hint=text("attendance.typed_fix_out", time=likely_end(row, now)),
    )
    if row.ended_at is None:
        return (other,)
    return (
        Button(
            label=text("attendance.button_confirm"),
            command="confirm_session",
            arguments={"session": sessions.short_id(row)},
            style="primary",
        ),
        other,
    )


def _no_start(done: Done) -> Card:
    correction = done.unstarted
    assert correction is not None
    assert correction.paired_at is not None
    if correction.new is not None:
        return Card(
            title=text("attendance.end_noted", at=Moment(at=correction.paired_at)),
            body=(
                text(
                    "attendance.start_waits",
                    id=f"C{correction.id}",
                    start=Moment(at=correction.new),
                ),
            ),
        )
    last = done.row
    before = None
    if last is not None and last.ended_at is not None:
        before = text(
            "attendance.last_ended", id=sessions.short_id(last), end=Moment(at=last.ended_at)
        )
    return Card(
        title=text(
            "attendance.no_start", at=Moment(at=correction.paired_at), id=f"C{correction.id}"
        ),
        body=tuple(part for part in (text("attendance.name_start"), before) if part),
        buttons=(
            Button(
                label=text("attendance.button_name_start"),
                command="fix",
                arguments={"direction": "in"},
                hint=text("attendance.typed_fix_in", time="9:00"),
                style="primary",
            ),
        ),
    )


# --- breaks --------------------------------------------------------------------------------------


def _on_break(done: Done) -> Card:
    row = _row(done)
    since = Moment(at=row.break_started_at or done.at)
    key = "attendance.on_break" if done.outcome == "break_started" else "attendance.still_on_break"
    return Card(title=text(key, since=since), buttons=(_button("back"),))


def _back(done: Done) -> Words:
    row = _row(done)
    breaks = done.uow.attendance.breaks(row.id)
    # A break that ended at the moment it began leaves no trace.
    pause = rules.whole_seconds(breaks[-1].started_at, breaks[-1].ended_at) if breaks else 0
    return text(
        "attendance.back",
        time=Moment(at=done.at),
        pause=Duration(seconds=pause),
        since=Moment(at=row.started_at),
    )


def _at_work(done: Done) -> Words:
    row = _row(done)
    return text("attendance.at_work", since=Moment(at=row.started_at), id=sessions.short_id(row))


def _not_in(_done: Done) -> Card:
    return Card(title=text("attendance.not_in"), buttons=(_button("checkin"),))


def _overtaken(done: Done) -> Words:
    last = done.uow.attendance.last_punch(done.request.person.id)
    return text(
        "attendance.overtaken",
        at=Moment(at=done.at),
        later=Moment(at=last.at if last is not None else done.request.now),
    )


def _row(done: Done) -> WorkSession:
    assert done.row is not None
    return done.row


def _button(command: str) -> Button:
    return Button(label=text(f"attendance.button_{command}"), command=command)


ANSWERS: Mapping[Outcome, Callable[[Done], Words | Card]] = {
    "started": _checked_in,
    "replaced": _checked_in,
    "still_in": _still_in,
    "ended": _checked_out,
    "end_waits": _end_waits,
    "no_start": _no_start,
    "break_started": _on_break,
    "already_on_break": _on_break,
    "break_ended": _back,
    "at_work": _at_work,
    "not_in": _not_in,
    "overtaken": _overtaken,
}
