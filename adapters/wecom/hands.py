"""What came by the aibot's connection and is being handled, outside of its reader."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress

from adapters.reading import Json

log = logging.getLogger(__name__)

Handle = Callable[[str, Json], Awaitable[None]]
"""A cmd ("aibot_msg_callback" or "aibot_event_callback") and its frame {headers, body}."""

AT_ONCE = 100
READ_AHEAD = 1000
"""So many may be in hand, at work or waiting, before the connection is not read on. More than are
handled at once: behind the waiting ones come the acknowledgements that the others wait for.
"""


class Hands:
    """Tasks, one for each callback, that `handle` it; what it raises is logged."""

    def __init__(self, handle: Handle) -> None:
        self.tasks: set[asyncio.Task[None]] = set()
        self._handle = handle
        self._room = asyncio.Semaphore(READ_AHEAD)
        self._work = asyncio.Semaphore(AT_ONCE)

    async def take(self, cmd: str, frame: Json) -> None:
        """Returns when it is in hand, which takes long only where too much is."""
        await self._room.acquire()
        task = asyncio.create_task(self._handled(cmd, frame))
        self.tasks.add(task)
        task.add_done_callback(self._is_done)

    async def finish(self, seconds: float | None = None) -> None:
        """Returns when nothing is in hand, or after so many seconds."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while self.tasks:
                    await asyncio.wait(self.tasks)

    async def _handled(self, cmd: str, frame: Json) -> None:
        try:
            async with self._work:
                await self._handle(cmd, frame)
        except Exception:
            log.exception("a callback of the aibot failed")

    def _is_done(self, task: asyncio.Task[None]) -> None:
        self.tasks.discard(task)
        self._room.release()
