"""A loop on which a day passes in a moment: where everybody waits, time jumps to what is next."""

from __future__ import annotations

import asyncio
import math
import selectors
from collections.abc import Callable
from concurrent.futures import Executor
from datetime import timedelta
from typing import TypeVar, TypeVarTuple, Unpack

from tests.clock import MORNING, StillClock

T = TypeVar("T")
Arguments = TypeVarTuple("Arguments")


class RunningClock(StillClock):
    """What a QuickLoop goes by, and pushes."""

    def monotonic(self) -> float:
        """Seconds since it was started."""
        return (self.moment - MORNING).total_seconds()

    def push(self, seconds: float) -> None:
        """So much later, and never a little less."""
        self.push_to(self.moment + timedelta(microseconds=math.ceil(seconds * 1e6)))


class QuickLoop(asyncio.SelectorEventLoop):
    """Nothing on it may wait for a real clock. What belongs into threads is done at once, while
    time stands still.
    """

    def __init__(self, clock: RunningClock) -> None:
        self._running_clock = clock
        super().__init__(_Jumps(clock))

    def time(self) -> float:
        """Seconds since the clock was started."""
        return self._running_clock.monotonic()

    def run_in_executor(
        self,
        executor: Executor | None,
        func: Callable[[Unpack[Arguments]], T],
        *args: *Arguments,
    ) -> asyncio.Future[T]:
        """Now and here."""
        done: asyncio.Future[T] = self.create_future()
        try:
            done.set_result(func(*args))
        except Exception as error:
            done.set_exception(error)
        return done


class _Jumps(selectors.DefaultSelector):
    """Waits for no socket: either something is there, or the next timer is due."""

    def __init__(self, clock: RunningClock) -> None:
        super().__init__()
        self._clock = clock

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        found = super().select(0)
        if not found and timeout is None:
            raise RuntimeError("everybody waits for something that will never come")
        if not found and timeout is not None and timeout > 0:
            self._clock.push(timeout)
        return found
