"""Writes a time so that it reads back as the same one."""

from datetime import datetime
from zoneinfo import ZoneInfo

from bot.times.days import MonthDay
from bot.times.instants import readings


def show_time(at: datetime, now: datetime, zone: ZoneInfo) -> str:
    """Write a time for somebody in ``zone``, as short as ``now`` allows and without words.

    ``18:00`` today, ``11-30 18:00`` this year, else ``2027-01-03 18:00``; where the clocks
    show that time twice, ``01:30+02:00``. Seconds are dropped. ``read_time`` reads it back to
    the same minute. Both times are aware; naive ones raise ``TypeError``.
    """
    if at.utcoffset() is None or now.utcoffset() is None:
        raise TypeError("at and now must be aware datetimes")
    local = at.astimezone(zone).replace(second=0, microsecond=0)
    today = now.astimezone(zone).date()
    is_twice = len(readings(local.replace(tzinfo=None, fold=0), zone)) > 1
    clock = local.isoformat(timespec="minutes")[11:] if is_twice else f"{local:%H:%M}"
    if local.date() == today:
        return clock
    # In December 01-05 is read as next January's, so last January's needs its year.
    reads_back = MonthDay(local.month, local.day).on(today, "ahead") == local.date()
    if local.year == today.year and reads_back:
        return f"{local:%m-%d} {clock}"
    return f"{local.date().isoformat()} {clock}"
