"""A line between a bot and a stand-in that needs no socket, so that nothing waits for a kernel.

The bot's end is what the adapters call a Wire. The platform's end is a `Put`: it takes a text that
goes to the bot, or the number with which the line ends.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Protocol

CLEAN, INTERNAL_ERROR, CUT = 1000, 1011, 1006
"""How a line ends; 1006 without a word."""

Put = Callable[[str | int], None]


class FarEnd(Protocol):
    """One line, as the platform has it."""

    def receive(self, text: str) -> None:
        """The bot sends this."""

    def gone(self) -> None:
        """The line broke, or the bot closed it."""


Dial = Callable[[str, Put], FarEnd]
"""An address is opened. Raises OSError when the platform wants no line."""


class InProcessWire:
    """Straight into the stand-in."""

    def __init__(self, url: str, dial: Dial) -> None:
        self.is_open = True
        self.unread = 0
        self._is_reading = False
        self._loop, self._thread = asyncio.get_running_loop(), threading.get_ident()
        self._frames: asyncio.Queue[str | int] = asyncio.Queue()
        self._far_end = dial(url, self._bring)

    async def send_str(self, data: str) -> None:
        """Raises OSError when the line is no more."""
        if not self.is_open:
            raise ConnectionResetError("the line is gone")
        self._far_end.receive(data)

    async def next_text(self) -> str | None:
        """Whoever asks for the next one is done with the last."""
        self.unread -= self._is_reading
        self._is_reading = False
        frame = await self._frames.get()
        self._is_reading = True
        if isinstance(frame, int):
            self.is_open = False
            return None
        return frame

    async def close(self) -> None:
        """Politely."""
        self.abort()

    def abort(self) -> None:
        """At once. Whoever still reads learns that it is over."""
        if self.is_open:
            self.is_open = False
            self._bring(CUT)
        self._far_end.gone()

    def _bring(self, frame: str | int) -> None:
        """From whichever thread."""
        if threading.get_ident() != self._thread:
            self._loop.call_soon_threadsafe(self._bring, frame)
            return
        self.unread += 1
        self._frames.put_nowait(frame)


class InProcess:
    """Opens wires into a stand-in: an adapter's `connect`."""

    def __init__(self, dial: Dial) -> None:
        self.wires: list[InProcessWire] = []
        self.opened_at: list[float] = []  # by the loop's clock
        self._dial = dial

    async def __call__(self, url: str) -> InProcessWire:
        wire = InProcessWire(url, self._dial)
        self.wires.append(wire)
        self.opened_at.append(asyncio.get_running_loop().time())
        return wire

    async def read_up(self) -> None:
        """Returns when the bot has read all that was sent to it."""
        while any(wire.is_open and wire.unread for wire in self.wires):  # noqa: ASYNC110
            await asyncio.sleep(0)
