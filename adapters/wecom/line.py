"""One WebSocket of the aibot: frames out, acknowledgements in, and an end that waits for nobody.

https://developer.work.weixin.qq.com/document/path/101463
"""

from __future__ import annotations

import asyncio
import json
import secrets
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Protocol

import aiohttp

from adapters.contract import DeliveryFailed
from adapters.reading import Json

PING = "ping"
LARGEST_FRAME = 4 * 2**20
BROKEN = (OSError, aiohttp.ClientError)
"""What a wire raises when it is no more."""

# https://developer.work.weixin.qq.com/document/path/90313
NOT_SUBSCRIBED = 846609

# Words of DeliveryFailed.why.
NOT_CONNECTED = "bot_not_connected"
NO_ANSWER = "bot_no_answer"


class BotRefused(Exception):
    """WeCom acknowledged a command with this errcode, which is not 0."""

    def __init__(self, code: int) -> None:
        super().__init__(f"errcode {code}")
        self.code = code


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
    """aiohttp's, with a way to end it that waits for nobody."""

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
        """The next frame; None when the wire is over, or a frame is larger than we read."""
        frame = await self.receive()
        if frame.type == aiohttp.WSMsgType.TEXT:
            return str(frame.data)
        if frame.type == aiohttp.WSMsgType.BINARY:
            return bytes(frame.data).decode("utf-8", "replace")
        return None

    def abort(self) -> None:
        """At once."""
        if self.transport is not None:
            self.transport.abort()
        self._response.close()


class WebSockets:
    """Opens them, in one session, which is to be closed after them all."""

    def __init__(self) -> None:
        self._session: aiohttp.ClientSession | None = None

    async def __call__(self, url: str) -> Wire:
        """Raises OSError, aiohttp.ClientError, and ValueError for what is no address."""
        if self._session is None:
            self._session = aiohttp.ClientSession(
                timeout=aiohttp.ClientTimeout(total=None),
                trust_env=True,
                ws_response_class=WebSocket,
            )
        socket = await self._session.ws_connect(url, max_msg_size=LARGEST_FRAME)
        if not isinstance(socket, WebSocket):
            raise TypeError("aiohttp made another WebSocket than ours")
        return socket

    async def close(self) -> None:
        """Nothing can be opened in it any more."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()


@dataclass(slots=True)
class _Turn:
    """Whose turn it is to use a req_id, and how many want it."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    wanted: int = 0


class Line:
    """A wire with what is known of it, and those who wait for acknowledgements by it."""

    def __init__(self, wire: Wire) -> None:
        self.over = asyncio.Event()
        self.why = ""
        self.subscribed_at = 0.0
        self.is_kicked = False
        self.is_dead = False
        self.is_held = False
        """There is so much in hand that nothing is read: the silence is ours."""
        self.unanswered: set[str] = set()
        """The req_ids of pings."""
        self._wire = wire
        self._waiting: dict[str, asyncio.Future[Json | None]] = {}
        self._owed: Counter[str] = Counter()
        self._turns: dict[str, _Turn] = {}

    async def ask(self, cmd: str, body: Json, req_id: str, patience: float) -> Json:
        """Send a command when all earlier ones of its req_id are done; gives the acknowledgement.

        Raises BotRefused, and DeliveryFailed: "retry" when nothing was sent, "unknown" when no
        acknowledgement came within `patience` seconds or before the line ended.
        """
        text = json.dumps({"cmd": cmd, "headers": {"req_id": req_id}, "body": body})
        async with self._turn(req_id):
            if self.over.is_set() or not self._wire.is_open:
                raise DeliveryFailed("retry", NOT_CONNECTED, after=1.0)
            said = await self._exchange(text, req_id, patience)
        code = None if said is None else said.get("errcode")
        if said is None or not isinstance(code, int) or isinstance(code, bool):
            raise DeliveryFailed("unknown", NO_ANSWER)
        if code:
            raise BotRefused(code)
        return said

    async def _exchange(self, text: str, req_id: str, patience: float) -> Json | None:
        """None: it was sent, and nobody knows."""
        answer: asyncio.Future[Json | None] = asyncio.get_running_loop().create_future()
        self._waiting[req_id] = answer
        try:
            async with asyncio.timeout(patience):
                await self._wire.send_str(text)
                return await answer
        except (TimeoutError, *BROKEN):
            return None
        finally:
            del self._waiting[req_id]
            if not answer.done() or answer.cancelled():
                # It may still come, and must not be taken for the next one's.
                self._owed[req_id] += 1

    @asynccontextmanager
    async def _turn(self, req_id: str) -> AsyncIterator[None]:
        """An acknowledgement names nothing but the req_id: two at once could not be told apart."""
        turn = self._turns.setdefault(req_id, _Turn())
        turn.wanted += 1
        try:
            async with turn.lock:
                yield
        finally:
            turn.wanted -= 1
            if not turn.wanted:
                del self._turns[req_id]

    async def ping(self, patience: float) -> None:
        """Have it be acknowledged, sooner or later."""
        req_id = new_id(PING)
        if not self.is_held:
            self.unanswered.add(req_id)
        # What takes nothing any more is found out by what is not acknowledged.
        with suppress(TimeoutError, *BROKEN):
            async with asyncio.timeout(patience):
                await self._wire.send_str(json.dumps({"cmd": PING, "headers": {"req_id": req_id}}))

    async def read(self) -> str | None:
        """The next frame; None when the line is over."""
        return await self._wire.next_text()

    def acknowledge(self, req_id: str, said: Json) -> None:
        """An acknowledgement came in; one that nobody waits for any more is nothing."""
        if req_id in self.unanswered:
            if said.get("errcode") == NOT_SUBSCRIBED:
                self.end("its subscription is gone")
            elif said.get("errcode") == 0:
                self.unanswered.clear()
        elif self._owed[req_id]:
            self._owed[req_id] -= 1
        elif (answer := self._waiting.get(req_id)) is not None and not answer.done():
            answer.set_result(said)

    def end(self, why: str) -> None:
        """It is of no use any more; whoever waits for an acknowledgement learns it."""
        self.why = self.why or why
        self.over.set()
        for answer in self._waiting.values():
            if not answer.done():
                answer.set_result(None)

    async def close(self, patience: float) -> None:
        """Politely within `patience` seconds, a dead one at once; then it is closed in any case."""
        try:
            if not self.is_dead:
                async with asyncio.timeout(patience):
                    await self._wire.close()
        except (TimeoutError, *BROKEN):
            pass
        finally:
            self._wire.abort()


def new_id(cmd: str) -> str:
    """A req_id of our own."""
    return f"{cmd}_{secrets.token_hex(16)}"
