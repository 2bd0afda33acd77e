"""What the bot does for adapters, for adapters that are tested alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from adapters.contract import Services


class Alone:
    """The only process there is; remembers what it was asked to tell the admins."""

    def __init__(self) -> None:
        self.alarms: list[str] = []
        self.once: list[str] = []
        """For which time each of them is told once."""
        self.deaf = False
        """Whether nobody can be told just now."""
        self.leads = True
        """Whether this process may have the lead in anything."""
        self.resigned: list[str] = []
        self.woken = 0
        self.calls: dict[str, Counter[str]] = {}

    @property
    def services(self) -> Services:
        """As an adapter is given them."""
        return Services(self._lead, self._resign, self._wake, self._alarm, self._called)

    def _wake(self) -> None:
        self.woken += 1

    async def _lead(self, _what: str) -> bool:
        return self.leads

    async def _resign(self, what: str) -> None:
        self.resigned.append(what)

    async def _called(self, month: str, made: Mapping[str, int]) -> Mapping[str, int]:
        self.calls.setdefault(month, Counter()).update(made)
        return self.calls[month]

    async def _alarm(self, word: str, once: str = "") -> None:
        if self.deaf:
            raise ConnectionError
        self.alarms.append(word)
        self.once.append(once)
