"""One WebSocket of the aibot: frames out, acknowledgements in, and an end that waits for nobody.

https://developer.work.weixin.qq.com/document/path/101463
"""

from __future__ import annotations

import asyncio
import json
import secrets
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

from adapters.contract import DeliveryFailed
from adapters.reading import Json
from adapters.wires import BROKEN, Wire, close

PING = "ping"

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
        await close(self._wire, 0.0 if self.is_dead else patience)


def new_id(cmd: str) -> str:
    """A req_id of our own."""
    return f"{cmd}_{secrets.token_hex(16)}"
