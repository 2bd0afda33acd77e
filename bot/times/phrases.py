"""Whole phrases: a day and a clock time in either order, or a span from now."""

import re
from dataclasses import dataclass
from typing import Final

from bot.times.clock import Clock, Part, clock_at, part_at
from bot.times.days import Day, day_at
from bot.times.durations import Span, span_at
from bot.times.writing import pattern


@dataclass(frozen=True, slots=True)
class Phrase:
    """A point in time as written: on a day, or a span away from now, or at a clock time today."""

    day: Day | None = None
    part: Part | None = None
    clock: Clock | None = None
    span: Span | None = None
    ago: bool = False


# Words that say it is a deadline, or the like; they mean the moment itself.
_DEADLINE: Final = pattern(r"(?:due(?![a-z])|截止到?|截至)?\s*")
_LEAD: Final = pattern(r"(?:(?:by|before|until|till|on)(?![a-z])|到|在|于)?\s*")
_TAIL: Final = pattern(r"\s*(?:之前|以前|前(?![台面往后天])|截止|为止)")
_GAP: Final = pattern(r"(?:\s*,)?\s*")
_GAP_TO_CLOCK: Final = pattern(r"t(?=[0-9]{2}:)|(?:\s*[,的])?\s*")
_GAP_TO_DAY: Final = pattern(r"(?:\s*,)?\s*(?:on\s+)?")

_WITHIN: Final = pattern(r"(?:in|within)\s+")
_FROM_NOW: Final = pattern(r"\s*(?:(?:from\s+now|later)(?![a-z])|以后|之后|后(?!天)|[之以]?内)")
_AGO: Final = pattern(r"\s*(?:ago(?![a-z])|以前|之前|前(?![台面天]))")

_Match = tuple[Phrase, int]


def phrase_at(text: str, start: int) -> _Match | None:
    """Read the longest phrase that begins at ``start`` of plain text, and where it ends."""
    start = _skip(_DEADLINE, text, start)
    found = [m for m in (_span_phrase(text, start), _moment_phrase(text, start)) if m]
    return max(found, key=lambda match: match[1], default=None)


def _skip(words: re.Pattern[str], text: str, start: int) -> int:
    found = words.match(text, start)
    return found.end() if found else start


def _span_phrase(text: str, start: int) -> _Match | None:
    number_start = _skip(_WITHIN, text, start)
    read = span_at(text, number_start)
    if read is None:
        return None
    span, end = read
    if ago := _AGO.match(text, end):
        return (Phrase(span=span, ago=True), ago.end()) if number_start == start else None
    end_marked = _skip(_FROM_NOW, text, end)
    is_marked = end_marked > end or number_start > start
    # 3天后18:00: whole days may be followed by a clock time.
    if is_marked and not span.exact and (timed := _part_and_clock(text, end_marked)):
        part, clock, end = timed
        return Phrase(span=span, part=part, clock=clock), _skip(_TAIL, text, end)
    return Phrase(span=span), end_marked


def _moment_phrase(text: str, start: int) -> _Match | None:
    start = _skip(_LEAD, text, start)
    found = [m for m in (_day_first(text, start), _clock_first(text, start)) if m]
    if not found:
        return None
    phrase, end = max(found, key=lambda match: match[1])
    return phrase, _skip(_TAIL, text, end)


def _day_first(text: str, start: int) -> _Match | None:
    read = day_at(text, start)
    if read is None:
        return None
    day, end = read
    if timed := _part_and_clock(text, end):
        part, clock, end = timed
        return Phrase(day, part, clock), end
    return Phrase(day), end


def _clock_first(text: str, start: int) -> _Match | None:
    timed = _part_and_clock(text, start)
    if timed is None:
        return None
    part, clock, end = timed
    day = None
    if read := day_at(text, _skip(_GAP_TO_DAY, text, end)):
        day, end = read
    if part is None and (confirmed := part_at(text, _skip(_GAP, text, end), shifts=False)):
        part, end = confirmed
    return Phrase(day, part, clock), end


def _part_and_clock(text: str, start: int) -> tuple[Part | None, Clock | None, int] | None:
    start = _skip(_GAP_TO_CLOCK, text, start)
    part = None
    end = start
    if read := part_at(text, start):
        part, end = read
    if timed := clock_at(text, _skip(_GAP, text, end)):
        clock, end = timed
        return part, clock, end
    return (part, None, end) if part else None
