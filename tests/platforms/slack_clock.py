"""The workspace's clock and what it numbers: messages by the time, everything else in turn."""

from __future__ import annotations

from tests.platforms.watched import Watched


class Clock(Watched):
    """Real time, and a test may push it forward instead of sleeping."""

    def __init__(self) -> None:
        super().__init__()
        self._last_tick = 0
        self._serial = 0

    def next_ts(self) -> str:
        """A string key, unique and increasing: https://docs.slack.dev/messaging"""
        with self.changed:
            self._last_tick = max(self._last_tick + 100, int(self.now() * 1_000_000))
            return f"{self._last_tick // 1_000_000}.{self._last_tick % 1_000_000:06d}"

    def new_id(self, letter: str) -> str:
        with self.changed:
            self._serial += 1
            return f"{letter}0{self._serial:07d}"
