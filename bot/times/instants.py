"""From a phrase to the instant it means, seen from now and from a place."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from bot.times.clock import minutes_of
from bot.times.days import Looking
from bot.times.durations import Span
from bot.times.errors import Reason
from bot.times.phrases import Phrase


@dataclass(frozen=True, slots=True)
class View:
    """Where and when a text was typed, and which way its writer looks."""

    now: datetime
    zone: ZoneInfo
    looking: Looking
    day_ends: time

    def __post_init__(self) -> None:
        if self.now.tzinfo is None or self.now.utcoffset() is None:
            raise TypeError("now must be an aware datetime")

    @property
    def today(self) -> date:
        return self.now.astimezone(self.zone).date()


def instant_of(phrase: Phrase, view: View) -> datetime | Reason:
    """The whole minute in UTC that a phrase means, or why it means none."""
    try:
        at = (
            _span_instant(phrase.span, phrase, view)
            if phrase.span
            else _moment_instant(phrase, view)
        )
    except (OverflowError, ValueError):  # beyond the calendar's first or last year
        return "unreadable"
    if not isinstance(at, datetime):
        return at
    if view.looking == "ahead":
        return at if at > view.now else "past"
    return at if at <= view.now else "future"


def readings(wall: datetime, zone: ZoneInfo) -> list[datetime]:
    """The instants (UTC) at which the clocks of a zone show ``wall`` (naive).

    One, two when the clocks are put back over it, none when they are put forward over it.
    """
    found = []
    for fold in (0, 1):
        at = wall.replace(tzinfo=zone, fold=fold).astimezone(UTC)
        if at.astimezone(zone).replace(tzinfo=None) == wall and at not in found:
            found.append(at)
    return found


def _instant(wall: datetime, zone: ZoneInfo, offset: timedelta | None) -> datetime | Reason:
    found = readings(wall, zone)
    if offset is None:
        return found[0] if len(found) == 1 else "ambiguous" if found else "unreadable"
    # An offset only chooses between two readings, or 09:00-05:00, a shift, would be one time.
    for at in found:
        if len(found) == 2 and at.astimezone(zone).utcoffset() == offset:
            return at
    return "unreadable"


def _moment_instant(phrase: Phrase, view: View) -> datetime | Reason:
    day = phrase.day.on(view.today, view.looking) if phrase.day else view.today
    if not isinstance(day, date):
        return day
    at = _on_day(day, phrase, view)
    # A night shift is corrected after midnight: 18:00 typed at 02:00 is yesterday's.
    if phrase.day is None and view.looking == "back" and isinstance(at, datetime) and at > view.now:
        return _on_day(day - timedelta(days=1), phrase, view)
    return at


def _on_day(day: date, phrase: Phrase, view: View) -> datetime | Reason:
    clock, part = phrase.clock, phrase.part
    if (clock.form == "day_end") if clock else (part is None):
        if view.looking == "back":
            return "missing"  # nobody started or stopped work at "yesterday"
        return _instant(datetime.combine(day, view.day_ends), view.zone, None)
    minutes = minutes_of(clock, part)
    if not isinstance(minutes, int):
        return minutes
    wall = datetime.combine(day, time()) + timedelta(minutes=minutes)
    return _instant(wall, view.zone, clock.offset if clock else None)


def _span_instant(span: Span, phrase: Phrase, view: View) -> datetime | Reason:
    sign = -1 if phrase.ago else 1
    days, exact = sign * timedelta(days=span.days), sign * span.exact
    if phrase.clock or phrase.part:
        return _on_day(view.today + days, phrase, view)
    at: datetime | Reason = view.now.astimezone(UTC)
    if days:  # days keep the local clock time, hours are absolute
        local = view.now.astimezone(view.zone)
        at = _instant(local.replace(tzinfo=None, fold=0) + days, view.zone, None)
    if not isinstance(at, datetime):
        return at
    return (at + exact).replace(second=0, microsecond=0)
