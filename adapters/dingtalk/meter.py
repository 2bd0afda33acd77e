"""How often DingTalk was called this month, for it lets an organisation call only so often.

https://open.dingtalk.com/document/orgapp/invocation-frequency-limit
Counted in memory and handed on every few seconds: what a killed process had not handed on is few.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime

from adapters.dingtalk.limits import month_of

log = logging.getLogger(__name__)

METERED = "api"
HAND_ON_SECONDS = 5.0
WARN_AT = 80  # per cent
# Words of the alarms.
CALLS_80, CALLS_100 = "calls_80", "calls_100"

Called = Callable[[str, Mapping[str, int]], Awaitable[Mapping[str, int]]]
Alarm = Callable[[str], Awaitable[None]]


class Meter:
    """Counts calls by kind. Where nobody takes the counts yet, they stay here."""

    def __init__(self, clock: Callable[[], datetime], allowed: int) -> None:
        """`allowed` calls a month; 0 for no limit."""
        self._clock = clock
        self._allowed = allowed
        self._made: dict[str, Counter[str]] = {}
        self._called: Called | None = None
        self._alarm: Alarm | None = None
        self._handing: asyncio.Task[None] | None = None

    def start(self, called: Called, alarm: Alarm) -> None:
        """From now on counts are handed to `called`; `alarm` is told at 80 and 100 per cent."""
        self._called, self._alarm = called, alarm

    def count(self, kind: str) -> None:
        """One call was made; on the loop."""
        self._made.setdefault(month_of(self._clock()), Counter())[kind] += 1
        if self._called is not None and self._handing is None:
            self._handing = asyncio.create_task(self._later())

    async def stop(self) -> None:
        """Hand on what is left, within a second."""
        handing, self._handing = self._handing, None
        if handing is not None:
            handing.cancel()
        try:
            async with asyncio.timeout(1.0):
                await self.hand_on()
        except Exception as error:
            log.warning("the last calls are not counted: %s", type(error).__name__)
        self._called = None

    async def hand_on(self) -> None:
        """Give what was counted to whoever keeps it; what cannot be kept now is kept next time."""
        if self._called is None:
            return
        made, self._made = self._made, {}
        while made:
            month, counts = made.popitem()
            try:
                totals = await self._called(month, counts)
            except BaseException:
                for later, more in [(month, counts), *made.items()]:
                    self._made.setdefault(later, Counter()).update(more)
                raise
            await self._warn(totals.get(METERED, 0), counts[METERED])

    async def _later(self) -> None:
        await asyncio.sleep(HAND_ON_SECONDS)
        self._handing = None
        try:
            await self.hand_on()
        except Exception as error:
            log.warning("calls could not be counted yet: %s", type(error).__name__)

    async def _warn(self, total: int, newly: int) -> None:
        """Once a month each, by whoever made the call that crossed it."""
        if not self._allowed or self._alarm is None:
            return
        for share, word in ((WARN_AT, CALLS_80), (100, CALLS_100)):
            line = self._allowed * share // 100
            if total - newly < line <= total:
                await self._alarm(word)
