"""Lengths of time: ``1h30m``, ``half an hour``, ``两小时``, ``1个半小时``, ``3天``."""

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Final

from bot.times.writing import NUMBER, number, pattern


@dataclass(frozen=True, slots=True)
class Span:
    """Calendar days and exact time, kept apart: a day is not always 24 hours."""

    days: int
    exact: timedelta

    def length(self) -> timedelta:
        """The span with every day counted as 24 hours."""
        return timedelta(days=self.days) + self.exact


_DECIMAL: Final = rf"(?:[0-9]{{1,4}}\.[0-9]{{1,2}}|{NUMBER})"
_DURATION: Final = pattern(rf"""
    (?:(?P<weeks>{NUMBER}|a(?=\s+week))\s*(?:(?:weeks?|wks?|w)(?![a-z])|个?(?:星期|礼拜)|周))?
    (?:\s*(?P<days>{NUMBER}|a(?=\s+day))\s*(?:(?:days?|d)(?![a-z])|天))?
    (?:\s*
      (?:(?P<half_hour>半个?(?:小时|钟头)|half\s+(?:an\s+)?hour(?![a-z]))
      | (?P<hours>{_DECIMAL}|an(?=\s+hour))\s*
        (?:(?:hours?|hrs?|h)(?![a-z])(?P<half_en>\s+and\s+a\s+half(?![a-z]))?
          |(?P<half_mid>个半)(?:小时|钟头)
          |个?(?:小时|钟头)(?P<half_end>半)?)
      )
    )?
    (?:(?:\s+and(?=\s))?\s*
      (?:(?P<quarters>{NUMBER})\s*刻钟
      | (?P<minutes>{NUMBER})\s*(?:(?:minutes?|mins?|m)(?![a-z])|分钟|(?P<short>分))
      )
    )?
""")


def span_at(text: str, start: int) -> tuple[Span, int] | None:
    """Read the span that begins at ``start`` of plain text: the span and where it ends."""
    found = _DURATION.match(text, start)
    if found is None or not found[0]:
        return None
    said = found.groupdict()
    hours = _hours(said["hours"])
    if said["half_hour"] or said["half_en"] or said["half_mid"] or said["half_end"]:
        hours += Decimal("0.5")
    if said["short"] and not said["hours"]:
        return None  # 30分 alone is a mark out of a hundred as often as half an hour
    seconds = int(hours * 3600) + 60 * (
        15 * number(said["quarters"] or "0") + number(said["minutes"] or "0")
    )
    days = 7 * _counted(said["weeks"]) + _counted(said["days"])
    return Span(days, timedelta(seconds=seconds)), found.end()


def _counted(written: str | None) -> int:
    return 0 if written is None else 1 if written == "a" else number(written)


def _hours(written: str | None) -> Decimal:
    if written is None:
        return Decimal(0)
    if "." in written:
        return Decimal(written)
    return Decimal(1 if written == "an" else number(written))
