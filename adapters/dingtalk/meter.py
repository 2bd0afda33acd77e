"""How often DingTalk was called this month, for it lets an organisation call only so often.

https://open.dingtalk.com/document/orgapp/invocation-frequency-limit
Counted in memory and handed on every few seconds: what a killed process had not handed on is few.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta

from adapters.contract import Alarm
from adapters.dingtalk.limits import month_of, next_month

log = logging.getLogger(__name__)

METERED = "api"
HAND_ON_SECONDS = 5.0
# What others that share the account have called meanwhile is known by then.
LOOK_SECONDS = 600.0
WARN_AT, SPARE_AT = 80, 95  # per cent
# Words of the alarms.
CALLS_80, CALLS_95, CALLS_100 = "calls_80", "calls_95", "calls_100"
WARNINGS = ((100, CALLS_100), (SPARE_AT, CALLS_95), (WARN_AT, CALLS_80))

Called = Callable[[str, Mapping[str, int]], Awaitable[Mapping[str, int]]]


class Meter:
    """Counts calls by kind. Where nobody takes the counts yet, they stay here."""

    def __init__(self, clock: Callable[[], datetime], allowed: int) -> None:
        """`allowed` calls a month; 0 for no limit."""
        self._clock = clock
        self._allowed = allowed
        self._made: dict[str, Counter[str]] = {}
        self._month, self._total = "", 0
        """What was called in the newest month of which the account is known."""
        self._warned: set[tuple[str, str]] = set()
        self._called: Called | None = None
        self._alarm: Alarm | None = None
        self._handing: asyncio.Task[None] | None = None
        self._looking: asyncio.Task[None] | None = None

    async def start(self, called: Called, alarm: Alarm) -> None:
        """From now on counts are handed to `called`; `alarm` is told at 80, 95 and 100 per cent."""
        self._called, self._alarm = called, alarm
        await self._look()
        self._looking = asyncio.create_task(self._look_again())

    def count(self, kind: str) -> None:
        """One call was made; on the loop."""
        self._made.setdefault(month_of(self._clock()), Counter())[kind] += 1
        if self._called is not None and self._handing is None:
            self._handing = asyncio.create_task(self._later())

    @property
    def is_low(self) -> bool:
        """Whether what is left of the month's calls is kept for people who are to be told."""
        if not self._allowed:
            return False
        month = month_of(self._clock())
        made = self._made.get(month, Counter())[METERED]
        if month == self._month:
            made += self._total
        return made * 100 >= self._allowed * SPARE_AT

    def taken(self) -> Mapping[str, Mapping[str, int]]:
        """What nobody has taken yet, by month; it is the caller's from now on."""
        made, self._made = self._made, {}
        return made

    async def stop(self) -> None:
        """Hand on what is left, within a second."""
        tasks = [one for one in (self._handing, self._looking) if one is not None]
        self._handing = self._looking = None
        for task in tasks:
            task.cancel()
        # What they had taken comes back.
        await asyncio.gather(*tasks, return_exceptions=True)
        try:
            async with asyncio.timeout(1.0):
                await self.hand_on()
        except Exception as error:
            log.warning("the last calls are not counted: %s", type(error).__name__)
        self._called = None

    async def hand_on(self) -> None:
        """Give what was counted to whoever keeps it, the oldest month first; what cannot be kept
        now is kept next time.
        """
        if self._called is None:
            return
        made = dict(sorted(self.taken().items()))
        while made:
            month = next(iter(made))
            try:
                totals = await self._called(month, made[month])
            except BaseException:
                for later, counts in made.items():
                    self._made.setdefault(later, Counter()).update(counts)
                raise
            del made[month]
            await self._know(month, totals.get(METERED, 0))

    async def look(self) -> None:
        """Learn how it stands this month, which may have begun just now, though nobody calls."""
        self._made.setdefault(month_of(self._clock()), Counter())[METERED] += 0
        await self.hand_on()

    async def _know(self, month: str, total: int) -> None:
        if month < self._month:
            return
        # Of two that were asked at the same time the earlier may answer last.
        self._total = max(total, self._total) if month == self._month else total
        self._month = month
        await self._warn()

    async def _warn(self) -> None:
        """Of the highest line that is crossed, once for the month and what it allows."""
        if not self._allowed or self._alarm is None:
            return
        crossed = (word for at, word in WARNINGS if self._total * 100 >= self._allowed * at)
        word = next(crossed, None)
        if word is None or (self._month, word) in self._warned:
            return
        await self._alarm(word, f"{self._month}.{self._allowed}")
        self._warned.add((self._month, word))

    async def _later(self) -> None:
        await asyncio.sleep(HAND_ON_SECONDS)
        self._handing = None
        try:
            await self.hand_on()
        except Exception as error:
            log.warning("calls could not be counted yet: %s", type(error).__name__)

    async def _look(self) -> None:
        try:
            await self.look()
        except Exception as error:
            log.warning("how many calls were made is not known: %s", type(error).__name__)

    async def _look_again(self) -> None:
        while True:
            now = self._clock()
            await asyncio.sleep(min(LOOK_SECONDS, _seconds(next_month(now) - now)))
            await self._look()


def _seconds(left: timedelta) -> float:
    """Until the month has begun, also by a clock that is a little behind."""
    return left.total_seconds() + 1.0
