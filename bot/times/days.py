"""Days: ``tomorrow``, ``周五``, ``11月30日``, ``25号``, ``月底``, and which date each one is.

Weeks run from Monday to Sunday. ``today`` is the local date on which the text was typed.

========================  ===========================================================
``周五`` ``fri``            the nearest one, today included (back: the latest one)
``本周五`` ``this friday``   of this calendar week, even if that is over
``下周五`` ``friday next week``  of the next calendar week
``next friday`` ``下个周五``  ambiguous while this week's is still ahead (Mon–Thu)
``last friday`` ``上个周五``  ambiguous once this week's is over (Sat, Sun)
``11月30日`` ``11-30``       this year; in Oct–Dec a date in Jan–Mar means next year's,
                          and looking back in Jan–Mar one in Oct–Dec last year's
``25号``                   this month; if that day is over, next month
                          (back: if it has not come, last month)
``12/11``                  ambiguous when both could be a month and they differ
========================  ===========================================================
"""

import re
from calendar import monthrange
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final, Literal, Protocol

from bot.times.errors import Reason
from bot.times.writing import SMALL_NUMBER, number, pattern

Looking = Literal["ahead", "back"]


class Day(Protocol):
    """A day as written."""

    def on(self, today: date, looking: Looking) -> date | Reason:
        """The date it means, or why it means none. Raises ``ValueError`` outside the calendar."""


@dataclass(frozen=True, slots=True)
class InDays:
    days: int

    def on(self, today: date, looking: Looking) -> date | Reason:
        return today + timedelta(days=self.days)


@dataclass(frozen=True, slots=True)
class Weekday:
    weekday: int  # Monday is 0
    week: int | None = None  # calendar weeks from this one; None is the nearest
    loose: bool = False  # "next friday", which not everybody counts in calendar weeks

    def on(self, today: date, looking: Looking) -> date | Reason:
        ahead = self.weekday - today.weekday()
        if self.week is None:
            days = ahead % 7 if looking == "ahead" else -(-ahead % 7)
            return today + timedelta(days=days)
        if self.loose and ahead * self.week > 0:
            return "ambiguous"
        return today + timedelta(days=ahead + 7 * self.week)


@dataclass(frozen=True, slots=True)
class MonthDay:
    month: int
    day: int | None  # None is the last of the month
    year: int | None = None
    years: int | None = None  # years from this one: 明年 is 1

    def on(self, today: date, looking: Looking) -> date | Reason:
        if self.year is not None:
            return _date(self.year, self.month, self.day)
        if self.years is not None:
            return _date(today.year + self.years, self.month, self.day)
        year = today.year
        if looking == "ahead" and today.month >= 10 and self.month <= 3:
            year += 1
        if looking == "back" and today.month <= 3 and self.month >= 10:
            year -= 1
        return _date(year, self.month, self.day)


@dataclass(frozen=True, slots=True)
class DayOfMonth:
    day: int | None  # None is the last of the month
    months: int | None = None  # months from this one; None is not said

    def on(self, today: date, looking: Looking) -> date | Reason:
        months = self.months or 0
        if self.months is None and self.day is not None:
            if looking == "ahead" and self.day < today.day:
                months = 1
            if looking == "back" and self.day > today.day:
                months = -1
        year, month = divmod(today.year * 12 + today.month - 1 + months, 12)
        return _date(year, month + 1, self.day)


@dataclass(frozen=True, slots=True)
class Slashed:
    first: int
    second: int

    def on(self, today: date, looking: Looking) -> date | Reason:
        if self.first <= 12 and self.second <= 12 and self.first != self.second:
            return "ambiguous"
        month, day = sorted((self.first, self.second))
        return MonthDay(month, day).on(today, looking)


def _date(year: int, month: int, day: int | None) -> date | Reason:
    if not (1 <= month <= 12 and 1 <= year <= 9999):
        return "unreadable"
    last = monthrange(year, month)[1]
    if day is None:
        return date(year, month, last)
    return date(year, month, day) if 1 <= day <= last else "unreadable"


_WEEKDAYS_EN: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_MONTHS_EN: Final = (
    *("jan", "feb", "mar", "apr", "may", "jun"),
    *("jul", "aug", "sep", "oct", "nov", "dec"),
)
_SHIFT_WORDS: Final = {-2: "上上", -1: "上 去 last", 0: "本 这 今 this", 1: "下 明 next", 2: "下下"}
_SHIFTS: Final = {word: shift for shift, words in _SHIFT_WORDS.items() for word in words.split()}

_PART_EN: Final = r"(?:morning|afternoon|evening)(?![a-z])"
# 今晚, tonight, this morning, last night: only the day is read here, the part of day follows.
_RELATIVE_DAYS: Final = {
    "大前天": -3,
    "前天|(?:the\\s+)?day\\s+before\\s+yesterday(?![a-z])": -2,
    "昨[天日]|昨(?=晚)|yesterday(?![a-z])|last(?=\\s+night(?![a-z]))": -1,
    f"今[天日]|今(?=[早晚])|today(?![a-z])|to(?=night(?![a-z]))|this(?=\\s+{_PART_EN})": 0,
    "明[天日]|明(?=[早晚])|(?:tomorrow|tmrw?)(?![a-z])": 1,
    "大后天": 3,
    "后天|(?:the\\s+)?day\\s+after\\s+tomorrow(?![a-z])": 2,
}
_RELATIVE: Final = tuple((pattern(words), days) for words, days in _RELATIVE_DAYS.items())

_WEEKDAY_CN: Final = pattern(r"""
    (?:(?P<week>下下|上上|[上下本这])(?P<loose>个)?)?(?:周|星期|礼拜)
    (?P<weekday>[一二三四五六日天]|[1-7](?![0-9点时个天年月号.]))
""")
_WEEKDAY_EN: Final = pattern(r"""
    (?:(?P<week>this|next|last)\s+(?P<whole>week\s+)?)?
    (?P<weekday>mon(?:day)?|tue(?:s(?:day)?)?|wed(?:nesday)?|thu(?:r(?:s(?:day)?)?)?
      |fri(?:day)?|sat(?:urday)?|sun(?:day)?)(?![a-z])
    (?:\s+(?P<after>this|next|last)\s+week(?![a-z]))?
""")

_YEAR_CN: Final = r"(?:(?P<year>[0-9]{4})年\s*|(?P<years>[今明去])年\s*)?"
# 25号 is a day, 3号楼 a building.
_NOT_PLACE: Final = r"(?![楼店线机桌门馆厅仓位员院码口台车岗铺])"
_MONTH_DAY_CN: Final = pattern(rf"""
    {_YEAR_CN}(?P<month>{SMALL_NUMBER})\s*月(?:份(?=底))?\s*
    (?:(?P<end>[底末])
      |(?P<day>{SMALL_NUMBER})(?:\s*[日号]|(?<=[0-9])(?![0-9点时分个天月年小人.:/~-])))
""")
_DAY_CN: Final = pattern(rf"""
    (?:(?P<months>[本这上下])个?月)?
    (?P<day>{SMALL_NUMBER})\s*(?:日|号{_NOT_PLACE})
  | (?:(?P<months_end>[本这上下])个?)?月(?:底|末)
""")
# 3-5天 and 3-5 days are lengths.
_NO_MORE: Final = (
    r"(?![0-9]|[-~/.:][0-9]|[点时分月日号年天个小周人]"
    r"|\s*(?:days?|hours?|hrs?|min(?:ute)?s?|weeks?|[dhmw])(?![a-z]))"
)
_ISO: Final = pattern(
    rf"(?P<year>[0-9]{{4}})([-/.])(?P<month>[0-9]{{1,2}})\2(?P<day>[0-9]{{1,2}}){_NO_MORE}"
)
_DASHED: Final = pattern(rf"(?P<month>[0-9]{{1,2}})-(?P<day>[0-9]{{1,2}}){_NO_MORE}")
_SLASHED: Final = pattern(rf"(?P<first>[0-9]{{1,2}})/(?P<second>[0-9]{{1,2}}){_NO_MORE}")

_MONTH_EN: Final = (
    r"(?P<month>jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?"
    r"|sept?(?:ember)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)(?![a-z])\.?"
)
_DAY_EN: Final = r"(?:the\s+)?(?P<day>[0-9]{1,2})(?:st|nd|rd|th)?(?![a-z0-9]|[-/.:][0-9])"
_YEAR_EN: Final = r"(?:,?\s+(?P<year>[0-9]{4})(?![0-9:]))?"
_MONTH_FIRST_EN: Final = pattern(rf"{_MONTH_EN}\s*{_DAY_EN}(?!\s*[ap]\.?m(?![a-z])){_YEAR_EN}")
_DAY_FIRST_EN: Final = pattern(rf"{_DAY_EN}\s*(?:of\s+)?{_MONTH_EN}{_YEAR_EN}")
_ORDINAL_EN: Final = pattern(r"(?:the\s+)?(?P<day>[0-9]{1,2})(?:st|nd|rd|th)(?![a-z0-9])")
_MONTH_END_EN: Final = pattern(r"""
    (?:the\s+)?end\s+of\s+(?:the\s+)?(?:(?P<months>this|next)\s+)?month(?![a-z])|eom(?![a-z])
""")


def _weekday_cn(found: re.Match[str]) -> Day:
    written = found["weekday"]
    weekday = "一二三四五六日".find(written.replace("天", "日"))
    if weekday < 0:
        weekday = int(written) - 1
    week = _SHIFTS[found["week"]] if found["week"] else None
    return Weekday(weekday, week, bool(found["loose"]))


def _weekday_en(found: re.Match[str]) -> Day:
    weekday = _WEEKDAYS_EN.index(found["weekday"][:3])
    said = found["after"] or found["week"]
    if said is None:
        return Weekday(weekday)
    return Weekday(weekday, _SHIFTS[said], loose=not (found["after"] or found["whole"]))


def _month_day_cn(found: re.Match[str]) -> Day:
    day = None if found["end"] else number(found["day"])
    year = int(found["year"]) if found["year"] else None
    years = _SHIFTS[found["years"]] if found["years"] else None
    return MonthDay(number(found["month"]), day, year, years)


def _day_cn(found: re.Match[str]) -> Day:
    if found["day"] is None:
        return DayOfMonth(None, _SHIFTS[found["months_end"] or "本"])
    return DayOfMonth(number(found["day"]), _SHIFTS[found["months"]] if found["months"] else None)


def _month_day(found: re.Match[str]) -> Day:
    year = found.groupdict().get("year")
    return MonthDay(int(found["month"]), int(found["day"]), int(year) if year else None)


def _month_day_en(found: re.Match[str]) -> Day:
    month = _MONTHS_EN.index(found["month"][:3]) + 1
    return MonthDay(month, int(found["day"]), int(found["year"]) if found["year"] else None)


_RULES: Final[tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], Day]], ...]] = (
    (_ISO, _month_day),
    (_DASHED, _month_day),
    (_SLASHED, lambda found: Slashed(int(found["first"]), int(found["second"]))),
    (_MONTH_DAY_CN, _month_day_cn),
    (_DAY_CN, _day_cn),
    (_WEEKDAY_CN, _weekday_cn),
    (_WEEKDAY_EN, _weekday_en),
    (_MONTH_FIRST_EN, _month_day_en),
    (_DAY_FIRST_EN, _month_day_en),
    (_ORDINAL_EN, lambda found: DayOfMonth(int(found["day"]))),
    (_MONTH_END_EN, lambda found: DayOfMonth(None, _SHIFTS[found["months"] or "this"])),
)


def day_at(text: str, start: int) -> tuple[Day, int] | None:
    """Read the longest day that begins at ``start`` of plain text."""
    best: tuple[Day, int] | None = None
    for rule, days in _RELATIVE:
        if found := rule.match(text, start):
            return InDays(days), found.end()
    for rule, build in _RULES:
        found = rule.match(text, start)
        if found and (best is None or found.end() > best[1]):
            best = build(found), found.end()
    return best
