"""The only reader of the wall clock."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """Tells the time; everything else receives it as an argument."""

    def now(self) -> datetime:
        """The present moment, aware, in UTC."""

    def monotonic(self) -> float:
        """Seconds that never run backwards, for watching that things still move."""


class WallClock:
    """The machine's clock, and in a demo an offset that only grows."""

    def __init__(self, offset: timedelta = timedelta(0)) -> None:
        self.offset = offset

    def now(self) -> datetime:
        """The present moment plus the offset, in UTC."""
        return datetime.now(UTC) + self.offset

    def monotonic(self) -> float:
        """The machine's monotonic seconds."""
        return time.monotonic()

    def push_to(self, moment: datetime) -> None:
        """From now on it is `moment` and later; never earlier than it was."""
        self.offset = max(self.offset, moment - datetime.now(UTC))
