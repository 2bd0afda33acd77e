"""Sliding windows: how often something may be done in any minute, and in any hour.

For limits that a platform counts and does not always tell: not a message more than allowed may be
within any window, wherever it begins. Who has to wait is told for how long, and what comes back
first in the outbox's order goes first.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import NamedTuple

from adapters.contract import DeliveryFailed

MINUTE, HOUR = 60.0, 3600.0
# One message may be longer on its way than the next, and so be nearer to it when it arrives.
ON_THE_WAY = 1.0
# Nobody is sent away for longer: what is more urgent must not find all turns given away.
LONGEST_PAUSE = 5.0
# What comes back when it was told to must not be sent away for a millionth of a second.
ROUNDING = 1e-6


class Limit(NamedTuple):
    """Messages in any minute and in any hour: `windows.take(key, *limit)`."""

    a_minute: int
    an_hour: int | None = None


class Windows:
    """Sliding windows by key. `clock` is monotonic, in seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._taken: dict[str, deque[float]] = {}
        self._forgot = clock()

    def __len__(self) -> int:
        """How many keys are remembered."""
        return len(self._taken)

    def take(self, key: str, a_minute: int, an_hour: int | None = None, *, count: int = 1) -> None:
        """Take a turn for one message, or `count` turns for one in pieces: all of them or none.
        More pieces than fit into a minute take the whole of it. The limits of a key are always the
        same.

        Raises DeliveryFailed ("paced", `after` in seconds) while there are not so many. Of the key
        nothing is said: it may be a webhook's, which is a secret.
        """
        count = min(count, a_minute)
        now = self._clock()
        self._forget(now)
        taken = self._taken.get(key)
        if taken is None:
            taken = deque(maxlen=max(a_minute, an_hour or 0))
        wait = _wait(taken, a_minute - count, MINUTE, now)
        if an_hour is not None:
            wait = max(wait, _wait(taken, an_hour - count, HOUR, now))
        if wait > ROUNDING:
            raise DeliveryFailed("paced", "not its turn yet", after=min(wait, LONGEST_PAUSE))
        taken.extend([now] * count)
        self._taken[key] = taken

    def _forget(self, now: float) -> None:
        """Once a minute, of the keys that have been silent for longer than any window."""
        if now - self._forgot < MINUTE:
            return
        self._forgot = now
        past = now - HOUR - ON_THE_WAY
        self._taken = {key: taken for key, taken in self._taken.items() if taken[-1] > past}


def _wait(taken: deque[float], others: int, window: float, now: float) -> float:
    """Seconds until no more than so many others are within the window."""
    if len(taken) <= others:
        return 0.0
    return taken[-others - 1] + window + ON_THE_WAY - now
