"""When somebody may be rung: quiet hours by their own clock, over midnight, DST-safe. Pure."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

DIGEST_AT = time(18, 0)
LATE_DIGEST_AT = time(9, 0)
"""For what folds after the day's digest: the next morning."""


def is_quiet(at: datetime, zone: ZoneInfo, start: time, end: time) -> bool:
    """Whether the clock on the wall lies in [start, end); equal ends mean never."""
    wall = at.astimezone(zone).time()
    if start <= end:
        return start <= wall < end
    return wall >= start or wall < end


def quiet_ends(at: datetime, zone: ZoneInfo, start: time, end: time) -> datetime:
    """The first moment from `at` on that is not quiet; `at` itself outside of quiet hours."""
    if not is_quiet(at, zone, start, end):
        return at
    local = at.astimezone(zone)
    day = local.date() if local.time() < end else local.date() + timedelta(days=1)
    ends = _instant(datetime.combine(day, end), zone)
    # Where the clocks go back over the end, its first reading may lie behind us already.
    return ends if ends > at else _instant(datetime.combine(day, end), zone, fold=1)


def digest_at(now: datetime, zone: ZoneInfo, start: time, end: time) -> datetime:
    """When what exceeds the day's budget is told: 18:00, else 9:00 tomorrow; never by night."""
    local = now.astimezone(zone)
    at = _instant(datetime.combine(local.date(), DIGEST_AT), zone)
    if at <= now:
        at = _instant(datetime.combine(local.date() + timedelta(days=1), LATE_DIGEST_AT), zone)
    return quiet_ends(at, zone, start, end)


def _instant(wall: datetime, zone: ZoneInfo, fold: int = 0) -> datetime:
    """The moment when the clocks show `wall`; one that they skip is read as before the change."""
    return wall.replace(tzinfo=zone, fold=fold).astimezone(UTC)
