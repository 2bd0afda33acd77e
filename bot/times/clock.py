"""Clock times and parts of the day, and which of the two hours a written hour means.

A written hour from 1 to 12 may stand for itself or for twelve hours later.

=========================  ==========================================================
``18:00`` ``18点`` ``0点``   as written
``06:30``                  as written: the zero says 24-hour clock
``9点`` ``9:00`` … ``12点``   as written (09:00, 12:00)
``3点`` ``3:15`` (1 to 6)    ambiguous without a part of the day
``at 9`` (English, 1–12)   ambiguous without one; ``at 18`` is 18:00
``下午3点`` ``晚上8点``       the one hour that lies in that part of the day
``晚上1点`` ``上午12点``      ambiguous: no such hour lies in it
``今晚12点`` ``24:00``       the midnight that ends the day
``12:00 am`` ``midnight``   ambiguous, except with tonight/evening: the end of the day
=========================  ==========================================================
"""

import re
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, Literal

from bot.times.errors import Reason
from bot.times.writing import SMALL_NUMBER, number, pattern

Form = Literal["digits", "dian", "hour", "midnight", "day_end"]

# The hours each part of the day covers; 24 is the midnight that ends it.
_PARTS: Final[dict[str, range]] = {
    "凌晨": range(7),
    "清晨|早上|早晨|一早|morning": range(4, 12),
    "上午": range(5, 12),
    "中午|正午|noon|midday": range(11, 15),
    "下午|afternoon": range(12, 20),
    "傍晚": range(16, 21),
    "晚上|晚间|夜里|evening|night": range(17, 25),
    "半夜|深夜": range(22, 24),
}
_HOURS_OF: Final = {word: hours for words, hours in _PARTS.items() for word in words.split("|")}
_HOURS_OF["早"], _HOURS_OF["晚"] = _HOURS_OF["早上"], _HOURS_OF["晚上"]
_NOON: Final = _HOURS_OF["noon"]

# 早 and 晚 alone are parts of the day only in 今晚, 明早 or before an hour: 昨天早退了 is not.
_PART: Final = pattern(rf"""
    (?:at\s+(?=noon|midday|night)|in\s+the\s+)?
    (?P<part>{"|".join(_PARTS)}|(?<=[今明昨])[早晚]|[早晚](?=\s*{SMALL_NUMBER}\s*[点时:]))
    (?:(?<![a-z])|(?![a-z]))
""")
_HALF: Final = r"(?:\s*(?P<half>[ap])\.?m(?![a-z])\.?)"
_COLON: Final = pattern(rf"""
    (?:at\s+|@\s*)?
    (?P<hour>[0-9]{{1,2}}):(?P<minute>[0-9]{{2}})
    (?::(?P<second>[0-9]{{2}})(?:\.[0-9]{{1,6}})?)?(?![0-9]|:[0-9])
    (?P<offset>[+-][0-9]{{2}}:[0-9]{{2}}(?![0-9:]))?{_HALF}?
""")
_DIAN: Final = pattern(rf"""
    (?P<hour>{SMALL_NUMBER})\s*[点时]
    (?:钟|整|\s*(?P<half_past>半)|\s*(?P<quarter>[一三13])刻
      |\s*(?P<minute>{SMALL_NUMBER})\s*分(?!钟)
      |(?P<minute2>[0-9]{{2}}|[零〇二三四五]?十[一二三四五六七八九]?|[零〇][一二三四五六七八九])
       (?![0-9个天人元小名位秒一二三四五六七八九十])
      |(?![0-9零〇一二两三四五六七八九十]))
""")
_HOUR: Final = pattern(rf"(?P<at>at\s+|@\s*)?(?P<hour>[0-9]{{1,2}})(?![0-9:.]){_HALF}?")
_MIDNIGHT: Final = pattern(r"(?:at\s+)?(?:midnight(?![a-z])|午夜(?!\s*[0-9十]))")
_DAY_END: Final = pattern(r"""
    下班(?:之前|以前|前)
  | (?:eod|cob|(?:the\s+)?end\s+of\s+(?:the\s+)?(?:working\s+)?day|close\s+of\s+business)(?![a-z])
""")


@dataclass(frozen=True, slots=True)
class Clock:
    """A clock time as written; ``hour`` and ``minute`` are not checked yet."""

    form: Form
    hour: int = 0
    minute: int = 0
    half: str | None = None  # "a" or "p" of am and pm
    zero: bool = False  # written 06, not 6
    offset: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Part:
    """A part of the day. One written after the clock may confirm the hour, never shift it."""

    hours: range
    shifts: bool = True

    @property
    def is_noon(self) -> bool:
        return self.hours == _NOON


def part_at(text: str, start: int, *, shifts: bool = True) -> tuple[Part, int] | None:
    """Read a part of the day that begins at ``start`` of plain text."""
    found = _PART.match(text, start)
    return (Part(_HOURS_OF[found["part"]], shifts), found.end()) if found else None


def clock_at(text: str, start: int) -> tuple[Clock, int] | None:
    """Read a clock time that begins at ``start`` of plain text."""
    if found := _COLON.match(text, start):
        return _colon(found), found.end()
    if found := _DIAN.match(text, start):
        zero = found["hour"].startswith("0")
        return Clock("dian", number(found["hour"]), _dian_minute(found), zero=zero), found.end()
    if (found := _HOUR.match(text, start)) and (found["at"] or found["half"]):
        return Clock("hour", int(found["hour"]), 0, found["half"]), found.end()
    if found := _MIDNIGHT.match(text, start):
        return Clock("midnight"), found.end()
    if found := _DAY_END.match(text, start):
        return Clock("day_end"), found.end()
    return None


def _colon(found: re.Match[str]) -> Clock:
    offset = None
    if written := found["offset"]:
        size = timedelta(hours=int(written[1:3]), minutes=int(written[4:6]))
        offset = -size if written[0] == "-" else size
    second_exists = int(found["second"] or 0) < 60
    minute = int(found["minute"]) if second_exists else 60
    zero = found["hour"].startswith("0")
    return Clock("digits", int(found["hour"]), minute, found["half"], zero, offset)


def _dian_minute(found: re.Match[str]) -> int:
    if found["half_past"]:
        return 30
    if found["quarter"]:
        return 45 if found["quarter"] in "三3" else 15
    return number(found["minute"] or found["minute2"] or "0")


def minutes_of(clock: Clock | None, part: Part | None) -> int | Reason:
    """Minutes since the day's midnight (up to 24:59), or why there are none."""
    if clock is None:
        return 12 * 60 if part and part.is_noon else "missing"
    if clock.form == "midnight":
        return 24 * 60 if part and 24 in part.hours else "ambiguous"
    if clock.minute > 59 or clock.hour > 24 or (clock.hour == 24 and clock.minute):
        return "unreadable"
    hour = _hour_by_half(clock, part) if clock.half else _hour_by_part(clock, part)
    return hour * 60 + clock.minute if isinstance(hour, int) else hour


def _hour_by_half(clock: Clock, part: Part | None) -> int | Reason:
    if not 1 <= clock.hour <= 12:
        return "unreadable"
    hour = clock.hour % 12 + (12 if clock.half == "p" else 0)
    if part is None:
        return "ambiguous" if (hour, clock.minute) == (0, 0) else hour
    if hour == 0 and 24 in part.hours:
        return 24
    return hour if hour in part.hours else "ambiguous"


def _hour_by_part(clock: Clock, part: Part | None) -> int | Reason:
    hour = clock.hour
    if part is None:
        two_ways = range(1, 13) if clock.form == "hour" else range(1, 7)
        return "ambiguous" if hour in two_ways and not clock.zero else hour
    readings = {hour, hour + 12} if 1 <= hour <= 12 and part.shifts else {hour}
    inside = [reading for reading in readings if reading in part.hours]
    if len(inside) == 1:
        return inside[0]
    return "ambiguous" if hour <= 12 else "unreadable"
