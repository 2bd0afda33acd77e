"""How long to wait before something is tried again, the same for every platform's connection."""

from __future__ import annotations

import random

# What our own database could not take is tried again, where the platform says it only once or late.
TAKE_AGAIN = (0.5, 2.0, 5.0)


def doubled(first: float, longest: float, times: int) -> float:
    """Seconds, doubling from `first`, until what has failed so many times is tried again."""
    return min(longest, first * 2.0 ** min(max(times - 1, 0), 10))


def spread(seconds: float) -> float:
    """Not all at the same moment, and never sooner than that."""
    return seconds * random.uniform(1.0, 1.25)  # noqa: S311 - spreading load, not a secret
