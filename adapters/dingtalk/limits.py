"""How often DingTalk may be called: kept by ourselves, so that it need not say no.

20 calls a second of each API, 20 messages a minute of each custom robot, and some thousand calls a
month of the whole organisation:
https://open.dingtalk.com/document/orgapp/how-to-process-api-throttling-on-the-dingtalk-server
https://open.dingtalk.com/document/robots/custom-robot-access
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

from adapters.contract import DeliveryFailed
from adapters.windows import LONGEST_PAUSE, ROUNDING, Limit, Windows

A_SECOND = 15.0
# Together with what comes back within a second never more than DingTalk takes in one.
AT_ONCE = 5.0
ROBOT = Limit(20)

Audience = Literal["person", "group"]
"""Whom a metered call is for."""

# DingTalk counts its months there.
ZONE = ZoneInfo("Asia/Shanghai")
REST_SECONDS = 3600.0
# What became of the one call that looks whether there are calls again is known by then.
PROBE_SECONDS = 60.0


class Pace:
    """A bucket of turns for each API. `clock` is monotonic, in seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._left: dict[str, tuple[float, float]] = {}
        """By API: how many turns there were (less than none: given away ahead), and when."""

    def take(self, api: str) -> None:
        """Take a turn for one call ("POST /v1.0/…"). Raises DeliveryFailed ("paced", `after` in
        seconds) while there is none.
        """
        now, left = self._filled(api)
        _wait((1 - left) / A_SECOND)
        self._left[api] = (left - 1, now)

    def reserve(self, api: str) -> float:
        """Take the next turn there will be; seconds until it comes, for who can wait that long.

        Raises DeliveryFailed ("paced") where that would be too long, and takes none.
        """
        now, left = self._filled(api)
        wait = max(0.0, (1 - left) / A_SECOND)
        if wait > LONGEST_PAUSE:
            _wait(wait)
        self._left[api] = (left - 1, now)
        return wait

    def pause(self, api: str, seconds: float) -> None:
        """DingTalk refused a call as one too many: the next turn comes after so many seconds."""
        now, left = self._filled(api)
        self._left[api] = (min(left, 1 - seconds * A_SECOND), now)

    def _filled(self, api: str) -> tuple[float, float]:
        now = self._clock()
        left, since = self._left.get(api, (AT_ONCE, now))
        return now, min(AT_ONCE, left + (now - since) * A_SECOND)


def _wait(seconds: float) -> None:
    if seconds > ROUNDING:
        raise DeliveryFailed("paced", "not its turn yet", after=min(seconds, LONGEST_PAUSE))


class RobotTurns:
    """A window for each custom robot. `clock` is monotonic, in seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._windows = Windows(clock)
        self._clock = clock
        self._rests: dict[str, tuple[float, str]] = {}
        """By token: until when DingTalk lets the robot say nothing, and why."""

    def take(self, token: str) -> None:
        """Take a turn for one message of the robot, of whose token nothing is said. Raises
        DeliveryFailed while there is none: "paced" (`after` in seconds), or "retry" where that
        takes so long that another way is better.
        """
        until, why = self._rests.get(token, (0.0, ""))
        left = until - self._clock() if why else 0.0
        if left > 0:
            raise DeliveryFailed("retry", why, after=left)
        self._windows.take(token, *ROBOT)

    def rest(self, token: str, seconds: float, why: str) -> None:
        """DingTalk refused a message as one too many, and refuses all of the robot's for so long,
        in whichever chat they stand next.
        """
        self._rests[token] = (self._clock() + seconds, why)


class Quota:
    """Whether the month's calls are used up. `clock` tells the time of day, aware.

    While they are, nobody calls for an hour; then one message to a person looks whether there are
    calls again (somebody may have bought more), and only when it went out do the groups follow.
    Where nobody has anything to be told for another hour, a group's message looks. A new month ends
    it at once.
    """

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self._until: datetime | None = None
        """Until when nobody looks, while the calls are used up."""
        self._month_ends = datetime.max.replace(tzinfo=ZONE)
        self._probed: datetime | None = None
        self._spells = 0

    @property
    def is_exhausted(self) -> bool:
        """Whether DingTalk said so, and nothing has happened since that ends it."""
        return self._until is not None and self._clock() < self._month_ends

    @property
    def spell(self) -> str:
        """A name for the time without calls that lasts or lasted, and for no other."""
        return f"{month_of(self._month_ends - timedelta(days=1))}.{self._spells}"

    def exhausted(self) -> None:
        """DingTalk said that the month's calls are used up."""
        now = self._clock()
        if now >= self._month_ends:
            self._until, self._spells = None, 0
        if self._until is None:
            self._spells += 1
        self._until = now + timedelta(seconds=REST_SECONDS)
        self._month_ends = next_month(now)
        self._probed = None

    def has_calls(self) -> None:
        """DingTalk looked at a call, whatever it said to it. It counts when it was the one that was
        to find that out: others may have been on their way before the last one was used.
        """
        if self._probed is not None:
            self._until = self._probed = None

    def may_call(self, audience: Audience) -> float:
        """Seconds to wait before a call, 0.0: now. Whoever is told 0.0
        makes the call: it may be the one that looks.
        """
        if self._until is None:
            return 0.0
        now = self._clock()
        if now >= self._month_ends:
            self._until = self._probed = None
            return 0.0
        wait = (self._until - now).total_seconds()
        if wait <= 0:
            wait = self._after_rest(audience, now, -wait)
        return min(wait, REST_SECONDS, (self._month_ends - now).total_seconds())

    def rest(self) -> float:
        """Seconds for which what can wait does so, before it looks again."""
        now = self._clock()
        return min(REST_SECONDS, (next_month(now) - now).total_seconds())

    def _after_rest(self, audience: Audience, now: datetime, rested: float) -> float:
        """`rested`: seconds in which a person's message might have looked."""
        if self._probed is not None:
            left = PROBE_SECONDS - (now - self._probed).total_seconds()
            if 0 < left <= PROBE_SECONDS:
                return left
        if audience == "group" and rested < REST_SECONDS:
            return PROBE_SECONDS
        self._probed = now
        return 0.0


def next_month(now: datetime) -> datetime:
    """The first moment of DingTalk's next month."""
    here = now.astimezone(ZONE)
    first = here.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    return (first + timedelta(days=32)).replace(day=1)


def month_of(now: datetime) -> str:
    """DingTalk's month: "2026-11"."""
    return f"{now.astimezone(ZONE):%Y-%m}"
