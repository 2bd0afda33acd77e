"""How often each method may be called: kept by ourselves, so that Slack need not say 429.

A bucket for each method holds as many calls as its tier allows in a quarter of a minute and fills
evenly. A call whose turn has not come is not made; it is told when to come back, and what comes
back first in the outbox's order (people before reminders before digests) goes first.
"""

from __future__ import annotations

from collections.abc import Callable

from adapters.contract import DeliveryFailed
from adapters.slack.methods import METHODS

BURST_SECONDS = 15.0
# Nobody is sent away for longer: what is more urgent must not find all turns given away.
LONGEST_PAUSE = 5.0
# What comes back when it was told to must not be sent away for a millionth of a second.
ROUNDING = 1e-6


class Limits:
    """Buckets by method, and the pauses that Slack asked for. `clock` is monotonic, in seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._left: dict[str, tuple[float, float]] = {}
        self._until: dict[str, float] = {}

    def take(self, method: str) -> None:
        """Take a turn for one call. Raises DeliveryFailed ("paced") while there is none."""
        now = self._clock()
        pause = self._until.get(method, 0.0) - now
        if pause > ROUNDING:
            raise _not_yet(method, pause)
        a_minute = METHODS[method].a_minute
        if a_minute is None:
            return
        rate, most = a_minute / 60, max(1.0, a_minute / 60 * BURST_SECONDS)
        left, since = self._left.get(method, (most, now))
        left = min(most, left + (now - since) * rate)
        if left < 1 - ROUNDING:
            self._left[method] = (left, now)
            raise _not_yet(method, (1 - left) / rate)
        self._left[method] = (max(0.0, left - 1), now)

    def pause(self, method: str, seconds: float) -> None:
        """Slack asked for silence: https://docs.slack.dev/apis/web-api/rate-limits"""
        self._until[method] = max(self._until.get(method, 0.0), self._clock() + seconds)


def _not_yet(method: str, seconds: float) -> DeliveryFailed:
    after = min(seconds, LONGEST_PAUSE)
    return DeliveryFailed("paced", f"{method}: not its turn yet", after=after)
