"""WeCom's gateway behind real WebSockets: a thread of its own, 127.0.0.1, any free port.

https://developer.work.weixin.qq.com/document/path/101463
"""

from __future__ import annotations

import asyncio
import threading
from types import TracebackType
from typing import Self

from aiohttp import WSMessage, WSMsgType, web

from tests.platforms.wecom_gateway import CUT, Gateway, Session
from tests.platforms.wecom_model import Corp

LARGEST_FRAME = 4 * 2**20


class BotServer:
    """`with BotServer(corp) as server: …`. The gateway may be called from any thread."""

    def __init__(self, corp: Corp | Gateway) -> None:
        self.gateway = corp if isinstance(corp, Gateway) else Gateway(corp)
        self.corp = self.gateway.corp
        self.refusals = 0  # so many handshakes are answered with HTTP 502
        self.is_deaf = False  # lines stay open, and nothing is read from them, not even a close
        self._port = 0
        self._ready = threading.Event()
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self._transports: set[asyncio.Transport] = set()

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self._port}/"

    @property
    def lines(self) -> int:
        """WebSockets that are open, subscribed or not."""
        return len(self._transports)

    def wait_subscribed(self, n: int = 1, timeout: float = 5.0) -> Session:
        """The subscribed line, when there have been n subscriptions at least."""
        gateway = self.gateway

        def found() -> Session | None:
            return gateway.subscribed if gateway.subscriptions >= n else None

        session = self.corp.wait_for(found, timeout)
        assert session is not None
        return session

    # ---- life

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), daemon=True)
        self._thread.start()
        assert self._ready.wait(10), "the gateway did not start"
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
        assert not self._thread.is_alive(), "the gateway did not stop"

    async def _serve(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        app = web.Application()
        app.router.add_get("/", self._attend)
        runner = web.AppRunner(app, shutdown_timeout=1.0)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        self._port = runner.addresses[0][1]
        self._ready.set()
        await self._stop.wait()
        # The lines just end: a goodbye would wait for a bot whose loop may stand still.
        for transport in list(self._transports):
            transport.abort()
        await runner.cleanup()

    # ---- one line

    async def _attend(self, request: web.Request) -> web.StreamResponse:
        if self.refusals:
            self.refusals -= 1
            return web.Response(status=502)
        ws = web.WebSocketResponse(timeout=0.5, autoclose=False, max_msg_size=LARGEST_FRAME)
        await ws.prepare(request)
        transport = request.transport
        if transport is None:
            return ws
        frames: asyncio.Queue[str | int] = asyncio.Queue()
        session = self.gateway.connect(self._put(frames), self._put(frames))
        self._transports.add(transport)
        sender = asyncio.create_task(_send(ws, transport, frames))
        try:
            while not transport.is_closing():
                if self.is_deaf:
                    await asyncio.sleep(0.01)
                elif not self._heard(session, await ws.receive()):
                    break
        finally:
            sender.cancel()
            self._transports.discard(transport)
            session.gone()
        return ws

    def _heard(self, session: Session, message: WSMessage) -> bool:
        """False when this was the last of it."""
        if self.is_deaf:
            return True
        if message.type is WSMsgType.TEXT:
            session.receive(message.data)
        return message.type in (WSMsgType.TEXT, WSMsgType.BINARY)

    def _put(self, frames: asyncio.Queue[str | int]) -> _Put:
        assert self._loop is not None
        return _Put(self._loop, frames)


class _Put:
    """Sends a text, or closes with a code, from whichever thread, one after another."""

    def __init__(self, loop: asyncio.AbstractEventLoop, frames: asyncio.Queue[str | int]) -> None:
        self._loop = loop
        self._frames = frames

    def __call__(self, frame: str | int) -> None:
        self._loop.call_soon_threadsafe(self._frames.put_nowait, frame)


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
