"""A clock that moves only when it is pushed."""

from __future__ import annotations

from datetime import UTC, datetime

# A Monday, nine o'clock in Shanghai.
MORNING = datetime(2026, 11, 23, 1, 0, tzinfo=UTC)


class StillClock:
    """Stands still until somebody pushes it."""

    def __init__(self, moment: datetime = MORNING) -> None:
        self.moment = moment
        self._steps = 0.0

    def now(self) -> datetime:
        """The moment it shows."""
        return self.moment

    def monotonic(self) -> float:
        """A little later at every look."""
        self._steps += 0.001
        return self._steps

    def push_to(self, moment: datetime) -> None:
        """Show this moment, unless it is earlier."""
        self.moment = max(self.moment, moment)
