"""Reads the times people type, in Chinese and English, and writes times back.

The grammar is closed: a text is a time as a whole or it is refused, since a wrong due time
is worse than a question. Nothing is matched loosely and nothing rolls to another day unsaid.

What a text may be, in either language and width of characters::

    [by|before|due|截止] DAY [PART] [CLOCK] [前|之前]   tomorrow 6pm, 明天下午6点前, 11-30 18:00
    CLOCK [DAY] [PART]                                18:00, 6pm on friday
    [in] SPAN [from now|ago|后|前|内]                   in 2 hours, 2h, 1个半小时后, 3天前
    in DAYS CLOCK                                     in 3 days 18:00, 3天后下午6点

A day without a clock time means the end of that working day; looking back it is refused,
and so is a part of the day (明天下午). ``clock`` and ``days`` list how the rest is decided.
"""

from bot.times.days import Looking
from bot.times.errors import Reason, UnreadableTime
from bot.times.read import read_duration, read_leading_time, read_time, read_trailing_time
from bot.times.show import show_time

__all__ = [
    "Looking",
    "Reason",
    "UnreadableTime",
    "read_duration",
    "read_leading_time",
    "read_time",
    "read_trailing_time",
    "show_time",
]
