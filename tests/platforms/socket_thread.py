"""A stand-in's WebSockets, for real: a thread of its own, 127.0.0.1, any free port."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from contextlib import suppress
from types import TracebackType
from typing import Any, Self

from aiohttp import WSMessage, WSMsgType, web

from tests.platforms.wires import CUT, FarEnd, Put

LARGEST_FRAME = 4 * 2**20


class SocketThread:
    """`with …:` it serves. What it dials may be called from any thread."""

    path = "/"

    def __init__(self) -> None:
        self.refusals = 0  # so many handshakes are answered with HTTP 502
        self.is_deaf = False  # lines stay open, and nothing is read from them, not even a close
        self.port = 0
        self._ready = threading.Event()
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self._transports: set[asyncio.Transport] = set()

    def dial(self, request: web.Request, put: Put) -> FarEnd:
        """The platform's end of a line that is about to be opened. May raise an HTTP error."""
        raise NotImplementedError

    def routes(self) -> list[web.RouteDef]:
        """What else is served."""
        return []

    def beside(self) -> list[Coroutine[Any, Any, None]]:
        """What runs while it serves."""
        return []

    @property
    def lines(self) -> int:
        """WebSockets that are open, whatever the platform thinks of them."""
        return len(self._transports)

    # ---- life

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), daemon=True)
        self._thread.start()
        assert self._ready.wait(10), "the stand-in did not start"
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        assert self._thread is not None
        assert self._loop is not None
        assert self._stop is not None
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)
        assert not self._thread.is_alive(), "the stand-in did not stop"

    async def _serve(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        app = web.Application()
        app.router.add_get(self.path, self._attend)
        app.router.add_routes(self.routes())
        runner = web.AppRunner(app, shutdown_timeout=0.2)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        self.port = runner.addresses[0][1]
        tasks = [asyncio.create_task(work) for work in self.beside()]
        self._ready.set()
        await self._stop.wait()
        for task in tasks:
            task.cancel()
        # The lines just end: a goodbye would wait for a bot whose loop may stand still.
        for transport in list(self._transports):
            transport.abort()
        await runner.cleanup()
        for task in tasks:
            with suppress(asyncio.CancelledError):
                await task

    # ---- one line

    async def _attend(self, request: web.Request) -> web.StreamResponse:
        if self.refusals:
            self.refusals -= 1
            return web.Response(status=502)
        frames: asyncio.Queue[str | int] = asyncio.Queue()
        loop = asyncio.get_running_loop()

        def put(frame: str | int) -> None:
            """Sent, or closed with that code, from whichever thread, one after another."""
            loop.call_soon_threadsafe(frames.put_nowait, frame)

        far_end = self.dial(request, put)
        try:
            return await self._carry(request, far_end, frames)
        finally:
            far_end.gone()

    async def _carry(
        self, request: web.Request, far_end: FarEnd, frames: asyncio.Queue[str | int]
    ) -> web.StreamResponse:
        ws = web.WebSocketResponse(timeout=0.5, autoclose=False, max_msg_size=LARGEST_FRAME)
        await ws.prepare(request)
        transport = request.transport
        if transport is None:
            return ws
        self._transports.add(transport)
        sender = asyncio.create_task(_send(ws, transport, frames))
        try:
            while not transport.is_closing():
                if self.is_deaf:
                    await asyncio.sleep(0.01)
                elif not self._heard(far_end, await ws.receive()):
                    break
        finally:
            sender.cancel()
            self._transports.discard(transport)
        return ws

    def _heard(self, far_end: FarEnd, message: WSMessage) -> bool:
        """False when this was the last of it."""
        if self.is_deaf:
            return True
        if message.type is WSMsgType.TEXT:
            far_end.receive(message.data)
        return message.type in (WSMsgType.TEXT, WSMsgType.BINARY)


async def _send(
    ws: web.WebSocketResponse, transport: asyncio.Transport, frames: asyncio.Queue[str | int]
) -> None:
    while True:
        frame = await frames.get()
        if frame == CUT:
            transport.abort()
            return
        try:
            if isinstance(frame, int):
                await ws.close(code=frame)
                return
            await ws.send_str(frame)
        except ConnectionError:
            return
