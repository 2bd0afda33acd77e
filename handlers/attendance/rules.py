"""What a tap means, and how long somebody worked. Pure: everything is handed in, nothing looked up.

`decide` reads one tap against the situation it meets; `sessions_from` folds a history of taps with
the same function, so what was computed tap by tap can be computed again at any time.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Literal, get_args
from zoneinfo import ZoneInfo

Direction = Literal["in", "out", "break", "back"]
DIRECTIONS: tuple[Direction, ...] = get_args(Direction)
Outcome = Literal[
    "started",
    "replaced",
    "still_in",
    "ended",
    "end_waits",
    "no_start",
    "break_started",
    "already_on_break",
    "break_ended",
    "at_work",
    "not_in",
    "overtaken",
]
"""What a tap did.

started, ended, break_started, break_ended: what was asked for.
replaced: the old session got a provisional end and a new one began.
still_in, already_on_break, at_work: nothing to do.
end_waits: an OUT for a session that has a provisional end already.
no_start: an OUT without an IN. not_in: a break or its end without an IN.
overtaken: it arrived after a later one had been counted, and changes nothing.
"""
OUTCOMES: tuple[Outcome, ...] = get_args(Outcome)
State = Literal["open", "closed", "provisional"]

FOLD = timedelta(seconds=60)
"""Same-kind taps so near to each other are one."""
STALE = timedelta(hours=6)
"""After so long without a sign of work, an IN begins a new session."""
REMINDERS = {"15m": timedelta(minutes=15), "60m": timedelta(minutes=60)}
"""When a missing check-out is asked about, after the expected end."""
PATIENCE = timedelta(hours=2)
"""How long after the expected end, or the last sign of work after it, the provisional end comes."""
LONGEST = timedelta(hours=24)
"""No session is longer than this."""
DELAYED = timedelta(minutes=5)
"""A message that took longer to arrive is flagged."""
LEADS_AFTER = timedelta(days=2)
"""When a lead may confirm what the worker has not."""
MORNING = time(9)
NIGHT = timedelta(hours=8)
"""So long a provisional end is left alone before its worker is asked."""
NEAR_START = timedelta(hours=6)
"""How far a missing start may lie from the start it corrects, over midnight."""


# --- worked time ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of time [start, end)."""

    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class Worked:
    """A session as the rules see it."""

    start: datetime
    end: datetime | None = None
    state: State = "open"
    evidence: datetime | None = None
    """The last sign of work after the start."""
    break_start: datetime | None = None
    """Set while on a break."""
    breaks: tuple[Span, ...] = ()


def whole_seconds(start: datetime, end: datetime) -> int:
    """Whole seconds between two moments, by UTC: within one zone Python subtracts wall clocks."""
    return max(0, (end.astimezone(UTC) - start.astimezone(UTC)) // timedelta(seconds=1))


def break_seconds(start: datetime, end: datetime, breaks: Iterable[Span]) -> int:
    """The seconds of the breaks that lie between start and end."""
    return sum(whole_seconds(max(one.start, start), min(one.end, end)) for one in breaks)


def worked_seconds(start: datetime, end: datetime, breaks: Iterable[Span] = ()) -> int:
    """Worked time between start and end in whole seconds, breaks subtracted; never negative."""
    return max(0, whole_seconds(start, end) - break_seconds(start, end, breaks))


def expected_end(start: datetime, longest: timedelta) -> datetime:
    """When a session ought to be over: nothing was planned, so after the team's longest day."""
    return start + longest


def lapses_at(work: Worked, longest: timedelta) -> datetime:
    """When a session that nobody ends gets its provisional end.

    Somebody who was seen at work lately is given more time, but never beyond 24 hours.
    """
    expected = expected_end(work.start, longest)
    return min(max(expected, work.evidence or expected) + PATIENCE, work.start + LONGEST)


def seen_until(work: Worked) -> datetime | None:
    """The last moment a worker is known to have been there, other than by checking in."""
    known = [at for at in (work.evidence, work.break_start) if at is not None and at > work.start]
    return max(known, default=None)


def ended(work: Worked, at: datetime | None, state: State) -> Worked:
    """The session with its end; a break that is still running ends there too.

    Without an end (None), the worker has still to say when it was.
    """
    breaks = work.breaks
    if at is not None and work.break_start is not None and work.break_start < at:
        breaks = (*breaks, Span(work.break_start, at))
    return replace(work, end=at, state=state, break_start=None, breaks=breaks)


def lapsed(work: Worked) -> Worked:
    """The session with its provisional end: the last sign of work, else for the worker to say."""
    return ended(work, seen_until(work), "provisional")


def seen(work: Worked, at: datetime) -> Worked:
    """The session with a newer sign of work."""
    if at <= work.start or (work.evidence is not None and at <= work.evidence):
        return work
    return replace(work, evidence=at)


# --- taps ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Tap:
    """Somebody said so: in, out, break or back."""

    direction: Direction
    at: datetime


@dataclass(frozen=True, slots=True)
class Seen:
    """Another sign of work, such as a reply to a question."""

    at: datetime


@dataclass(frozen=True, slots=True)
class Situation:
    """What a tap meets."""

    longest: timedelta
    """The team's longest day."""
    work: Worked | None = None
    """The session the person is in."""
    before: Worked | None = None
    """The newest session that is not open."""
    last: Tap | None = None
    """The last tap that counted."""
    outcome: Outcome = "started"
    """What that tap did."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What a tap does. `at` is the moment that counts for it."""

    outcome: Outcome
    at: datetime
    work: Worked | None = None
    """The session that it opens, changes or closes, as it is afterwards."""
    lapsed: Worked | None = None
    """The session that nobody had ended, with its provisional end."""
    repeated: bool = False
    """The same as the tap before it: nothing changes, the answer is the same."""


def decide(tap: Tap, situation: Situation) -> Decision:
    """What a tap means in its situation."""
    tap = replace(tap, at=tap.at.astimezone(UTC))
    last = situation.last
    if last is not None and last.direction == tap.direction and abs(tap.at - last.at) <= FOLD:
        return Decision(situation.outcome, last.at, repeated=True)
    counted = _counted_until(situation)
    if counted is not None and tap.at < counted - FOLD:
        return Decision("overtaken", tap.at)
    # Two clocks that differ a little must not make an end before its beginning.
    at = tap.at if counted is None else max(tap.at, counted)
    work, gone = situation.work, None
    if work is not None and at >= lapses_at(work, situation.longest):
        gone = lapsed(work)
        work = None
    match tap.direction:
        case "in":
            return _in(at, work, gone, situation.longest)
        case "out":
            return _out(at, work, gone, situation.before)
        case "break":
            return _break(at, work, gone)
        case "back":
            return _back(at, work, gone)


def _counted_until(situation: Situation) -> datetime | None:
    """Everything up to this moment has been counted."""
    known: list[datetime | None] = []
    if situation.last is not None:
        known.append(situation.last.at)
    if situation.before is not None:
        known.append(situation.before.end)
    if situation.work is not None:
        known += [situation.work.start, situation.work.break_start]
        known += [one.end for one in situation.work.breaks]
    return max((at for at in known if at is not None), default=None)


def _in(at: datetime, work: Worked | None, gone: Worked | None, longest: timedelta) -> Decision:
    if work is None:
        return Decision("replaced" if gone else "started", at, Worked(at), gone)
    stale = at - (seen_until(work) or work.start) > STALE
    if stale or at > expected_end(work.start, longest):
        old = lapsed(work)
        return Decision("replaced", at, Worked(max(at, old.end or at)), old)
    if work.break_start is not None:
        # Whoever says so during a break is back; to let the break run on would swallow their time.
        return _back(at, work, None)
    return Decision("still_in", at, seen(work, at))


def _out(at: datetime, work: Worked | None, gone: Worked | None, before: Worked | None) -> Decision:
    if work is not None:
        return Decision("ended", at, ended(work, at, "closed"))
    waiting = gone or before
    if waiting is not None and waiting.state == "provisional" and at - waiting.start <= LONGEST:
        return Decision("end_waits", at, None, gone)
    return Decision("no_start", at, None, gone)


def _break(at: datetime, work: Worked | None, gone: Worked | None) -> Decision:
    if work is None:
        return Decision("not_in", at, None, gone)
    if work.break_start is not None:
        return Decision("already_on_break", at, seen(work, at))
    return Decision("break_started", at, replace(seen(work, at), break_start=at))


def _back(at: datetime, work: Worked | None, gone: Worked | None) -> Decision:
    if work is None:
        return Decision("not_in", at, None, gone)
    if work.break_start is None:
        return Decision("at_work", at, seen(work, at))
    breaks = work.breaks
    if work.break_start < at:
        breaks = (*breaks, Span(work.break_start, at))
    return Decision("break_ended", at, replace(seen(work, at), break_start=None, breaks=breaks))


def settled(decision: Decision) -> list[Worked]:
    """The sessions that a decision ended, in order."""
    return [one for one in (decision.lapsed, decision.work) if one and one.state != "open"]


def after(situation: Situation, tap: Tap, decision: Decision) -> Situation:
    """The situation that the next tap meets."""
    if decision.repeated or decision.outcome == "overtaken":
        return situation
    work = situation.work if decision.lapsed is None else None
    if decision.work is not None:
        work = decision.work if decision.work.state == "open" else None
    before = [situation.before, *settled(decision)][-1]
    return Situation(situation.longest, work, before, tap, decision.outcome)


def after_sign(situation: Situation, sign: Seen) -> Situation:
    """The situation after another sign of work; one that comes too late ends the session."""
    work = situation.work
    if work is None:
        return situation
    if sign.at < lapses_at(work, situation.longest):
        return replace(situation, work=seen(work, sign.at))
    return replace(situation, work=None, before=lapsed(work))


def sessions_from(
    events: Iterable[Tap | Seen], longest: timedelta, until: datetime | None = None
) -> tuple[Worked, ...]:
    """The sessions that a history of taps makes, in the order in which they arrived.

    `until`: what nobody has ended by then has its provisional end.
    """
    done: list[Worked] = []
    now = Situation(longest)
    for event in events:
        if isinstance(event, Seen):
            met, now = now, after_sign(now, event)
            if now.before is not None and now.before is not met.before:
                done.append(now.before)
            continue
        decision = decide(event, now)
        done += settled(decision)
        now = after(now, event, decision)
    if now.work is None:
        return tuple(done)
    over = until is not None and until >= lapses_at(now.work, longest)
    return (*done, lapsed(now.work) if over else now.work)


# --- days ----------------------------------------------------------------------------------------


def work_date(start: datetime, zone: ZoneInfo) -> date:
    """The day a session belongs to: the local date on which it began."""
    return start.astimezone(zone).date()


def morning_after(moment: datetime, zone: ZoneInfo, wait: timedelta = NIGHT) -> datetime:
    """The first nine o'clock by the local clock that is at least `wait` after a moment."""
    earliest = moment.astimezone(UTC) + wait
    day = work_date(earliest, zone)
    morning = datetime.combine(day, MORNING, zone)
    if morning < earliest:
        morning = datetime.combine(day + timedelta(days=1), MORNING, zone)
    return morning.astimezone(UTC)


# --- corrections ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Candidate:
    """A session that a missing or wrong start may belong to."""

    id: int
    start: datetime
    end: datetime | None
    work_date: date
    open: bool


def session_to_start(candidates: Sequence[Candidate], at: datetime, day: date) -> int | None:
    """Which session `at` is the start of: the nearest of that day, or the open one.

    `day` is the local date of `at`. A session that had ended by then is none, and one that began
    shortly after midnight may well have begun shortly before. None: there is no such session yet.
    """
    fitting = [
        one
        for one in candidates
        if (one.end is None or at < one.end)
        and (one.open or one.work_date == day or abs(one.start - at) <= NEAR_START)
        and abs(one.start - at) < LONGEST
    ]
    nearest = min(fitting, key=lambda one: abs(one.start - at), default=None)
    return None if nearest is None else nearest.id


Wrong = Literal["end_before_start", "too_long", "in_the_future"]


def what_is_wrong(start: datetime, end: datetime | None, now: datetime) -> Wrong | None:
    """Why nobody can have worked from `start` to `end` (None: not known yet)."""
    if start > now or (end is not None and end > now):
        return "in_the_future"
    if end is None:
        return None
    if end <= start:
        return "end_before_start"
    return "too_long" if end - start > LONGEST else None


CHANGEABLE = frozenset(("open", "closed", "provisional", "confirmed", "approved"))


def is_locked(state: str) -> bool:
    """Whether a session may not be changed any more. A state nobody knows means locked."""
    return state not in CHANGEABLE
