"""Wakes the timers: every second, once more exactly when the next is due, and a watch that it
happens.

APScheduler stands still when the wall clock is set back (measured on 3.11.3), so a monotonic watch
calls the tick after five seconds of silence. There is no job per reminder: the rows are the only
truth.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from datetime import datetime, timedelta
from typing import Any

import structlog
from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.interval import IntervalTrigger

from bot.clock import Clock
from bot.dispatch import Dispatch
from bot.metrics import LAST_TICK_AGE
from bot.transactions import Transactions

log = structlog.get_logger()

SILENCE = 5.0
# What is due and was not fired is in another replica's hands; it is not looked at without a pause.
BREATH = timedelta(milliseconds=50)
TICK = "tick"


class Schedule:
    """APScheduler wiring around `dispatch.tick`."""

    def __init__(self, dispatch: Dispatch, transactions: Transactions, clock: Clock) -> None:
        self._dispatch = dispatch
        self._transactions = transactions
        self._clock = clock
        self._scheduler = AsyncIOScheduler(
            timezone="UTC",
            job_defaults={"max_instances": 1, "coalesce": True, "misfire_grace_time": None},
        )
        self._ticking = asyncio.Lock()
        self._last = clock.monotonic()
        self._exact: asyncio.TimerHandle | None = None
        self._exact_at: datetime | None = None
        self._rings_at = 0.0
        self._aim_wanted = False
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self) -> None:
        """Begin to tick; call on the loop."""
        self._last = self._clock.monotonic()
        self._scheduler.add_job(self.tick, IntervalTrigger(seconds=1), id=TICK)
        self._scheduler.start()
        self._spawn(self._watch())
        self._spawn(self.tick())

    async def stop(self) -> None:
        """Stop ticking; a tick that runs is finished."""
        self._scheduler.shutdown(wait=False)
        if self._exact is not None:
            self._exact.cancel()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        async with self._ticking:
            return

    @property
    def age(self) -> float:
        """Seconds since the timers were last looked at."""
        return self._clock.monotonic() - self._last

    async def tick(self) -> None:
        """Fire what is due; never twice at once."""
        if self._ticking.locked():
            return
        async with self._ticking:
            try:
                await self._dispatch.tick(self._clock.now())
                self._last = self._clock.monotonic()
                LAST_TICK_AGE.set(0)
                await self._aim(not_before=self._clock.now() + BREATH)
            except Exception:
                log.exception("the timers could not be read")

    def armed(self) -> None:
        """A timer was written: perhaps the next exact wake-up is sooner now. Call on the loop."""
        if not self._aim_wanted:
            self._aim_wanted = True
            self._spawn(self._aim_anew())

    async def _aim_anew(self) -> None:
        """One look for all commits that came before it; a later one asks for another."""
        self._aim_wanted = False
        await self._aim()

    async def _aim(self, not_before: datetime | None = None) -> None:
        """Wake once more exactly at the earliest due time, if that is within the next second or
        so.
        """
        wake_at = await self._transactions.read(lambda uow: uow.timers.next_wake())
        now = self._clock.now()
        if wake_at is None or wake_at > now + timedelta(seconds=2):
            return
        if not_before is not None and wake_at <= now:
            wake_at = not_before
        if self._exact is not None and self._exact_at is not None:
            if self._exact_at <= wake_at and not self._exact.cancelled() and self._pending():
                return
            self._exact.cancel()
        delay = max(0.0, (wake_at - now).total_seconds())
        loop = asyncio.get_running_loop()
        self._exact_at = wake_at
        # uvloop's handle of a call without delay cannot say when it is due.
        self._rings_at = loop.time() + delay
        self._exact = loop.call_later(delay, lambda: self._spawn(self.tick()))

    def _pending(self) -> bool:
        return self._rings_at > asyncio.get_running_loop().time()

    async def _watch(self) -> None:
        """The second pair of eyes, on a clock that nobody can set."""
        while True:
            await asyncio.sleep(1)
            LAST_TICK_AGE.set(self.age)
            if self.age > SILENCE:
                log.warning("the scheduler was silent", seconds=round(self.age, 1))
                await self.tick()

    def _spawn(self, coroutine: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
