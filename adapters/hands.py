"""What came by a long connection and is being handled, outside of its reader."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress

log = logging.getLogger(__name__)

AT_ONCE = 100
READ_AHEAD = 1000
"""So many may be in hand, at work or waiting, before the connection is not read on. More than are
handled at once: behind the waiting ones come the acknowledgements that the others wait for, and
pings that want an answer.
"""


class Hands:
    """Tasks, one for each piece of work; what it raises is logged as a failure of `what`."""

    def __init__(self, what: str) -> None:
        self.tasks: set[asyncio.Task[None]] = set()
        self._what = what
        self._room = asyncio.Semaphore(READ_AHEAD)
        self._work = asyncio.Semaphore(AT_ONCE)

    async def take(self, work: Callable[[], Awaitable[None]]) -> None:
        """Returns when it is in hand, which takes long only where too much is."""
        await self._room.acquire()
        task = asyncio.create_task(self._handled(work))
        self.tasks.add(task)
        task.add_done_callback(self._is_done)

    async def finish(self, seconds: float | None = None) -> None:
        """Returns when nothing is in hand, or after so many seconds."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while self.tasks:
                    await asyncio.wait(self.tasks)

    async def _handled(self, work: Callable[[], Awaitable[None]]) -> None:
        try:
            async with self._work:
                await work()
        except Exception:
            log.exception("%s failed", self._what)

    def _is_done(self, task: asyncio.Task[None]) -> None:
        self.tasks.discard(task)
        self._room.release()


async def end(tasks: set[asyncio.Task[None]], seconds: float, whose: str) -> None:
    """Cancel, and again where a library swallowed it; what never ends keeps nobody for longer."""
    for _ in range(2):
        for task in tasks:
            task.cancel()
        if tasks:
            _, tasks = await asyncio.wait(tasks, timeout=seconds / 2)
    if tasks:
        log.error("%s leaves %d tasks behind that do not end", whose, len(tasks))
