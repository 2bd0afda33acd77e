"""What a platform told lately, so that it need not be asked with every event."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from typing import Generic, TypeVar

FRESH_SECONDS = 3600.0
REMEMBERED = 10_000

Thing = TypeVar("Thing")


class Memory(Generic[Thing]):
    """The newest things by id, each believed for an hour, and better than nothing after it."""

    def __init__(self) -> None:
        self._known: OrderedDict[str, tuple[float, Thing]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._known)

    def is_fresh(self, id: str, now: float) -> bool:
        """Whether it need not be asked about."""
        known = self._known.get(id)
        return known is not None and known[0] > now

    def get(self, id: str, default: Thing) -> Thing:
        """What is known of it."""
        known = self._known.get(id)
        return default if known is None else known[1]

    def keep(self, id: str, thing: Thing) -> None:
        """Remember it; what was not heard of for longest is forgotten."""
        self._known[id] = (asyncio.get_running_loop().time() + FRESH_SECONDS, thing)
        self._known.move_to_end(id)
        while len(self._known) > REMEMBERED:
            self._known.popitem(last=False)

    def forget(self, id: str) -> None:
        """It has changed."""
        self._known.pop(id, None)
