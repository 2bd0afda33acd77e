"""Reads a text as a time: all of it, its beginning or its end."""

from datetime import datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from bot.times.days import Looking
from bot.times.durations import span_at
from bot.times.errors import UnreadableTime
from bot.times.instants import View, instant_of
from bot.times.phrases import Phrase, phrase_at
from bot.times.writing import pattern, plain

MAX_LENGTH: Final = 200
DAY_ENDS: Final = time(18)
_SEPARATORS: Final = " \t\r\n\u3000,，、;；:：。"
_BRACKETS: Final = "()[]（）的"

# What may not follow a time read from the left: the time would have been cut short. A range
# (9点到18点), a second date or clock, 周五起, 25号以后, and a letter or digit in mid-word.
_CUT_SHORT: Final = pattern(r"""
    (?<=[0-9a-z])[0-9a-z]
  | \s*(?:[-~]|到|至|(?:to|till?|until)(?![a-z]))\s*
    (?:[0-9零一二两三四五六七八九十上下早晚中凌今明后周]|noon|midnight|mon|tue|wed|thu|fri|sat|sun)
  | \s*[0-9]{1,4}[-/:][0-9] | [:.][0-9]
  | (?:之后|以后|后(?!来)|起|开始|左右|之间|多|(?<=[天周])半|分?钟)
  | \s*(?:after|and|or|or\s+so)(?![a-z])
""")
# What may not stand before a time read from the right; the bar marks where the time begins.
_CUT_OFF: Final = pattern(r"""
    [0-9a-z]\|[0-9a-z] | [0-9][-~+/:.]?\|[0-9] | [$¥#+.:/~-]\|[0-9]
  | [零〇一二两三四五六七八九十百千第近约几每]\|[零〇一二两三四五六七八九十0-9半]
  | [0-9][零〇一二两三四五六七八九十百千]*\|[零〇一二两三四五六七八九十]
  | [上下]个?\|(?:[上下]|周|星期|礼拜|月) | 大\|[大前后] | (?:第|年)\s*\|
  | 每\S{0,2}\s*\|
  | (?<![a-z])(?:every|each|daily|weekly|about|around|after|from|since|between)\s+\|
  | (?:从|自|除了|不是|晚于|早于|大概|大约|差不多)\s*\|
  | [0-9]{1,4}[-~/:][0-9]{1,2}\s*\|
""")
# Where a phrase may begin: not at a space, not inside an English word.
_PHRASE_START: Final = pattern(r"(?<![a-z])[a-z]|[^a-z\s]")
_CONNECTOR: Final = pattern(r"(?:[-~]|到|至|(?<![a-z])(?:to|and|or|until|till))$")


def read_time(
    text: str,
    now: datetime,
    zone: ZoneInfo,
    *,
    looking: Looking = "ahead",
    day_ends: time = DAY_ENDS,
) -> datetime:
    """Read a text that is a time and nothing else.

    ``now`` is when it was typed (aware), ``zone`` the writer's. Looking ``ahead`` the result
    is after ``now``; looking ``back``, for corrections, it is not, and a bare clock time is
    the latest such instant. ``day_ends`` is what a day without a clock time means.

    Returns a whole minute in UTC. Raises ``UnreadableTime``; ``TypeError`` if ``now`` is naive.
    """
    view = View(now, zone, looking, day_ends)
    written = plain(text).strip()
    if not written:
        raise UnreadableTime("missing", text)
    found = phrase_at(written, 0) if len(text) <= MAX_LENGTH else None
    if found is None or found[1] != len(written):
        raise UnreadableTime("unreadable", text)
    return _instant(found[0], view, text)


def read_leading_time(
    text: str,
    now: datetime,
    zone: ZoneInfo,
    *,
    looking: Looking = "ahead",
    day_ends: time = DAY_ENDS,
) -> tuple[datetime, str]:
    """Read the longest time a text begins with: the time, and the rest without separators.

    The time must lie in the first 200 characters; the rest may be of any length. A time that
    seems cut short by what follows (9点到18点, 周五以后) is refused. Otherwise as ``read_time``.
    """
    view = View(now, zone, looking, day_ends)
    text = text.strip()
    if not text:
        raise UnreadableTime("missing", text)
    written = plain(text[:MAX_LENGTH])
    found = phrase_at(written, 0)
    if found is None or _is_cut_short(written, *found):
        raise UnreadableTime("unreadable", text)
    phrase, end = found
    if len(text) > MAX_LENGTH and not written[end:].strip():  # it may go on where nobody looks
        raise UnreadableTime("unreadable", text)
    return _instant(phrase, view, text), text[end:].strip(_SEPARATORS)


def read_trailing_time(
    text: str,
    now: datetime,
    zone: ZoneInfo,
    *,
    looking: Looking = "ahead",
    day_ends: time = DAY_ENDS,
) -> tuple[str, datetime]:
    """Read the longest time a text ends with: what stands before it, and the time.

    Deadline words (by, due, 截止) belong to the time. It must lie in the last 200 characters.
    A time that seems to be half of one (每周五18:00, 9点到18点) is refused. Otherwise as
    ``read_time``.
    """
    view = View(now, zone, looking, day_ends)
    text = text.strip()
    if not text:
        raise UnreadableTime("missing", text)
    hidden = max(0, len(text) - MAX_LENGTH)
    written = plain(text[hidden:])
    found = _last_phrase(written)
    if found is None or _is_cut_off(written, found[1]):
        raise UnreadableTime("unreadable", text)
    phrase, start = found
    if hidden and not written[:start].strip():  # it may begin where nobody looks
        raise UnreadableTime("unreadable", text)
    return text[: hidden + start].strip(_SEPARATORS), _instant(phrase, view, text)


def read_duration(text: str) -> timedelta:
    """Read a length of time: ``2h``, ``90 min``, ``in 2 hours``, ``1个半小时``, ``3天``.

    A day counts as 24 hours. Returns whole seconds, more than none; raises ``UnreadableTime``.
    """
    written = plain(text).strip()
    if not written:
        raise UnreadableTime("missing", text)
    start = len("in ") if written.startswith("in ") else 0
    found = span_at(written, start) if len(text) <= MAX_LENGTH else None
    if found is None or found[1] != len(written) or not found[0].length():
        raise UnreadableTime("unreadable", text)
    return found[0].length()


def _instant(phrase: Phrase, view: View, text: str) -> datetime:
    at = instant_of(phrase, view)
    if not isinstance(at, datetime):
        raise UnreadableTime(at, text)
    return at


def _is_cut_short(written: str, phrase: Phrase, end: int) -> bool:
    if _CUT_SHORT.match(written, end):
        return True
    if phrase.clock or phrase.part or phrase.span:
        return False
    # 11月30日(周一)18:00, tomorrow 9: the clock time would be lost.
    rest = written[end:].lstrip(_SEPARATORS + _BRACKETS)
    return rest[:1].isdecimal() or phrase_at(rest, 0) is not None


def _last_phrase(written: str) -> tuple[Phrase, int] | None:
    """The longest phrase that ends the text, and where it begins."""
    for word in _PHRASE_START.finditer(written):
        found = phrase_at(written, word.start())
        if found and found[1] == len(written):
            return found[0], word.start()
    return None


def _is_cut_off(written: str, start: int) -> bool:
    head = written[:start].rstrip()
    space = " " if len(head) < start else ""
    if _CUT_OFF.search(f"{head[-24:]}{space}|{written[start : start + 2]}"):
        return True
    # 9点到18点, 11月30日周一18:00: what stands before is a time too.
    before = _CONNECTOR.sub("", head.rstrip(_SEPARATORS + _BRACKETS))
    before = before.rstrip(_SEPARATORS + _BRACKETS)
    return _last_phrase(before) is not None
