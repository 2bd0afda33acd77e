"""Stream mode: DingTalk's messages, presses and events over WebSockets that we open.

https://opensource.dingtalk.com/developerpedia/docs/learn/stream/protocol

Two connections (see adapters/lines.py), begun one after the other so that they do not run out
together: DingTalk chooses one of them for each push, and tells the one that is to go. Nothing can
be sent by them but acknowledgements, each by the line on which its frame came.

An acknowledgement leaves when the work is done, never before: a message that was not acknowledged
has been seen to come again after a minute, and the inbox knows it. Only a press cannot wait so
long, for somebody looks at the button.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial

from adapters.contract import DeliveryFailed, Rejected
from adapters.dingtalk.answers import DingtalkRefused
from adapters.dingtalk.errcodes import Kind, is_alarm, kind_of
from adapters.lines import Line, Lines, parsed
from adapters.lines import Timings as LineTimings
from adapters.reading import Json
from adapters.waits import TAKE_AGAIN
from adapters.wires import Connect

log = logging.getLogger(__name__)

MESSAGES = "/v1.0/im/bot/messages/get"
CARDS = "/v1.0/card/instances/callback"
EVENTS = "*"

Handle = Callable[[str, Json, Json], Awaitable[Json]]
"""A topic, the headers and the data of a frame → what its acknowledgement answers. Raises Rejected
for an odd one."""

OK, NO_SUCH_TOPIC, FAILED = 200, 404, 500
_MESSAGES_OF_CODES = {OK: "OK", NO_SUCH_TOPIC: "no such topic", FAILED: "failed"}
# What an acknowledgement answers where there is nothing to say.
NOTHING: Mapping[str, Json] = {
    MESSAGES: {"response": None},
    CARDS: {"response": {}},
    EVENTS: {"status": "SUCCESS"},
}


@dataclass(frozen=True, slots=True)
class Timings(LineTimings):
    """In seconds; tests take shorter ones."""

    settled: float = 30.0
    """A line that DingTalk wants back after a minute was one: its minute is not quite ours."""
    idle: float = 7200.0
    """Each renewal asks for an address, and DingTalk may count that."""
    silent: float = 90.0
    """DingTalk pings every 20 to 30 s where it does. WebSockets and their pongs have been seen to
    outlive pings and pushes."""
    apart: float = 30.0
    card: float = 1.5
    """A press is acknowledged so soon, done or not; DingTalk waits for 2 s."""
    take_again: tuple[float, ...] = TAKE_AGAIN
    """Between the tries of a message that our own database could not take."""


@dataclass(slots=True)
class Frame:
    """Something to be done, and the line that waits for its acknowledgement."""

    line: Line
    topic: str
    headers: Json
    data: Json
    acknowledged: asyncio.Event = field(default_factory=asyncio.Event)


class Stream(Lines):
    """Keeps `connections` lines open and hands each frame to `handle`.

    `open_url` is DingtalkApi.open_stream. `acknowledged` gets the headers of a frame when its
    acknowledgement has left or never will; of a press that took longer once more when it is done.
    """

    name = "DingTalk's Stream"
    spoken = (DingtalkRefused, DeliveryFailed)

    def __init__(
        self,
        open_url: Callable[[], Awaitable[str]],
        handle: Handle,
        *,
        acknowledged: Callable[[Json], None] = lambda _headers: None,
        connections: int = 2,
        timings: Timings | None = None,
        connect: Connect | None = None,
    ) -> None:
        own = timings or Timings()
        super().__init__(open_url, connections=connections, timings=own, connect=connect)
        self._card_seconds = own.card
        self._take_again = own.take_again
        self._handle = handle
        self._acknowledged = acknowledged

    def _asked_wait(self, error: Exception) -> float | None:
        """Long where only a person can change it, or the next month."""
        if isinstance(error, DeliveryFailed):
            return error.after
        if isinstance(error, DingtalkRefused):
            needs_a_person = is_alarm(error.code, error.what)
            if needs_a_person or kind_of(error.code) in (Kind.PERMISSION, Kind.QUOTA):
                return self._timings.refused_wait
        return None

    async def _greet(self, line: Line) -> None:
        """DingTalk says nothing first: an open line is one."""

    # --- frames --------------------------------------------------------------------------------

    async def _take(self, line: Line, said: Json) -> None:
        kind, headers = said.get("type"), said.get("headers")
        if not isinstance(headers, dict):
            log.warning("%s brought a frame without headers", self.name)
            return
        topic = headers.get("topic")
        if line.pinged_at is not None or topic == "ping":
            line.pinged_at = self._now()
        if kind == "SYSTEM" and topic == "disconnect":
            data = parsed(said.get("data")) or {}
            self._finish(line, f"DingTalk asks for it ({data.get('reason')})")
        elif kind == "SYSTEM" and topic == "ping":
            await self._acknowledge(line, headers, OK, said.get("data"))
        elif not isinstance(headers.get("messageId"), str):
            log.warning("%s brought a frame without messageId", self.name)
        elif (kind == "EVENT" and topic == EVENTS) or (
            kind == "CALLBACK" and topic in (MESSAGES, CARDS)
        ):
            await self._work_for(line, topic, headers, parsed(said.get("data")))
        else:
            log.info("%s brought a frame of a topic that is none of ours", self.name)
            await self._acknowledge(line, headers, NO_SUCH_TOPIC, "{}")

    async def _work_for(self, line: Line, topic: str, headers: Json, data: Json | None) -> None:
        if data is None:
            log.warning("%s brought a frame whose data are no JSON object", self.name)
            await self._acknowledge(line, headers, OK, json.dumps(NOTHING[topic]))
            return
        frame = Frame(line, topic, headers, data)
        if topic == CARDS:
            self._spawn(self._not_later(frame))
        await self._hand_over(line, partial(self._work, frame))

    async def _work(self, frame: Frame) -> None:
        """Handle one frame and acknowledge it."""
        waits = self._take_again if frame.topic == MESSAGES else ()
        try:
            for wait in (*waits, None):
                if await self._is_handled(frame, is_last=wait is None):
                    return
                await asyncio.sleep(wait or 0.0)
        finally:
            self._acknowledged(frame.headers)

    async def _is_handled(self, frame: Frame, *, is_last: bool) -> bool:
        try:
            answer = await self._handle(frame.topic, frame.headers, frame.data)
        except Rejected as rejected:
            # It would stay odd, however often it came.
            log.info("%s brought an odd frame: %s", self.name, rejected)
            answer = NOTHING[frame.topic]
        except Exception as error:
            if is_last:
                log.exception("a frame of %s failed", self.name)
                await self._give_up(frame)
            else:
                log.warning("a frame could not be taken yet: %s", type(error).__name__)
            return is_last
        await self._answer(frame, OK, answer)
        return True

    async def _give_up(self, frame: Frame) -> None:
        """An event comes again where we say so, a message where we say nothing, a press never."""
        if frame.topic == EVENTS:
            await self._answer(frame, OK, {"status": "LATER"})
        elif frame.topic == CARDS:
            await self._answer(frame, FAILED, {})

    async def _not_later(self, frame: Frame) -> None:
        """https://open.dingtalk.com/document/orgapp/event-callback-card: slow work is acknowledged
        first, and the card changed afterwards.
        """
        with suppress(TimeoutError):
            async with asyncio.timeout(self._card_seconds):
                await frame.acknowledged.wait()
                return
        await self._answer(frame, OK, NOTHING[CARDS])
        self._acknowledged(frame.headers)

    # --- acknowledgements ----------------------------------------------------------------------

    async def _answer(self, frame: Frame, code: int, answer: Json) -> None:
        """Once: what comes later is nothing."""
        if not frame.acknowledged.is_set():
            frame.acknowledged.set()
            await self._acknowledge(frame.line, frame.headers, code, json.dumps(answer))

    async def _acknowledge(self, line: Line, headers: Json, code: int, data: object) -> None:
        message_id = headers.get("messageId")
        if isinstance(message_id, str) and isinstance(data, str):
            await self._say(
                line,
                {
                    "code": code,
                    "message": _MESSAGES_OF_CODES[code],
                    "headers": {"messageId": message_id, "contentType": "application/json"},
                    "data": data,
                },
            )
