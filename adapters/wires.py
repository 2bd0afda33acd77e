"""WebSockets that we open: text frames in and out, and an end that waits for nobody."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Protocol

import aiohttp

LARGEST_FRAME = 4 * 2**20
BROKEN = (OSError, aiohttp.ClientError)
"""What a wire raises when it is no more."""


class Wire(Protocol):
    """Carries text frames; in tests it need not be a socket."""

    @property
    def is_open(self) -> bool:
        """False: nothing that is sent now leaves."""

    async def send_str(self, data: str) -> None:
        """Raises OSError or aiohttp.ClientError; the text may have left all the same."""

    async def next_text(self) -> str | None:
        """The next frame; None when the wire is over, whoever ended it."""

    async def close(self) -> object:
        """Politely, which may take long."""

    def abort(self) -> None:
        """At once."""


Connect = Callable[[str], Awaitable[Wire]]
"""From an address to an open wire. Raises whatever goes wrong."""


class WebSocket(aiohttp.ClientWebSocketResponse):
    """aiohttp's, with a way to end it that waits for nobody, and pings whose pongs are seen."""

    ping_every: float | None = None
    """After so many seconds in which nothing came; None: never."""
    dead_after: float = math.inf
    """Without any frame for so many seconds it is broken, whatever TCP says."""

    @property
    def transport(self) -> asyncio.Transport | None:
        """None when it is closed."""
        connection = self._response.connection
        return None if connection is None else connection.transport

    @property
    def is_open(self) -> bool:
        """False: nothing that is sent now leaves."""
        return not self.closed and self.transport is not None and not self.transport.is_closing()

    async def next_text(self) -> str | None:
        """The next frame; None when the wire is over, or a frame is larger than we read.

        Raises ConnectionError when nothing came for long, not even a pong. What nobody asks for is
        not missed: the silence of a wire that is not read is ours.
        """
        heard_at = self._loop.time()
        while True:
            try:
                async with asyncio.timeout(self.ping_every):
                    frame = await self.receive()
            except TimeoutError:
                await self._after_silence(self._loop.time() - heard_at)
                continue
            heard_at = self._loop.time()
            if frame.type == aiohttp.WSMsgType.TEXT:
                return str(frame.data)
            if frame.type == aiohttp.WSMsgType.BINARY:
                return bytes(frame.data).decode("utf-8", "replace")
            if frame.type == aiohttp.WSMsgType.PING:
                await self._write(self.pong(frame.data))
            elif frame.type != aiohttp.WSMsgType.PONG:
                return None

    async def _after_silence(self, seconds: float) -> None:
        if seconds > self.dead_after:
            raise ConnectionError(f"nothing was heard for {seconds:.0f} s")
        await self._write(self.ping())

    async def _write(self, control: Awaitable[None]) -> None:
        """One that takes nothing any more must not keep us from noticing it."""
        with suppress(TimeoutError):
            async with asyncio.timeout(self.ping_every):
                await control

    def abort(self) -> None:
        """At once."""
        if self.transport is not None:
            self.transport.abort()
        self._response.close()


class WebSockets:
    """Opens them, in one session, which is to be closed after them all.

    `ping` and `dead` are the seconds of WebSocket.ping_every and WebSocket.dead_after.
    """

    def __init__(self, ping: float | None = None, dead: float = math.inf) -> None:
        self._ping = ping
        self._dead = dead
        self._session: aiohttp.ClientSession | None = None

    async def __call__(self, url: str) -> Wire:
        """Raises OSError, aiohttp.ClientError, and ValueError for what is no address."""
        if self._session is None:
            self._session = aiohttp.ClientSession(
                timeout=aiohttp.ClientTimeout(total=None),
                trust_env=True,
                ws_response_class=WebSocket,
            )
        socket = await self._session.ws_connect(url, autoping=False, max_msg_size=LARGEST_FRAME)
        if not isinstance(socket, WebSocket):
            raise TypeError("aiohttp made another WebSocket than ours")
        socket.ping_every, socket.dead_after = self._ping, self._dead
        return socket

    async def close(self, patience: float) -> None:
        """Within so many seconds. What is opened afterwards is in another session."""
        session, self._session = self._session, None
        if session is not None:
            with suppress(TimeoutError):
                async with asyncio.timeout(patience):
                    await session.close()


async def close(wire: Wire, patience: float) -> None:
    """Politely within `patience` seconds, without any at once; then it is closed in any case."""
    try:
        if patience:
            with suppress(Exception):  # it is over, whatever is the matter with it
                async with asyncio.timeout(patience):
                    await wire.close()
    finally:
        wire.abort()


def reason(error: Exception, *spoken: type[Exception]) -> str:
    """What went wrong, in the error's own words only where it is one of `spoken` or we raised it:
    others name the address, and the ticket in it would open a connection.
    """
    if isinstance(error, spoken) or type(error) is ConnectionError:
        return str(error)
    status = getattr(error, "status", None)
    return f"{type(error).__name__} {status}" if status else type(error).__name__
