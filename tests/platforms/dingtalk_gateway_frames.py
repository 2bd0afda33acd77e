"""Frames of DingTalk's Stream mode: what is pushed, what is acknowledged, what is neither.

https://opensource.dingtalk.com/developerpedia/docs/learn/stream/protocol
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.platforms.wires import CLEAN, Put

if TYPE_CHECKING:
    from tests.platforms.dingtalk_gateway_lines import Lines

Json = dict[str, Any]

SYSTEM, EVENT, CALLBACK = "SYSTEM", "EVENT", "CALLBACK"
BOT = "/v1.0/im/bot/messages/get"
CARD = "/v1.0/card/instances/callback"
EVERY_EVENT = "*"

ODD_FRAMES = (
    "",
    "no json",
    "[]",
    "null",
    "7",
    "{}",
    '{"type": "CALLBACK"}',
    '{"type": "CALLBACK", "headers": []}',
    '{"type": "CALLBACK", "headers": {}, "data": "{}"}',
    '{"type": "CALLBACK", "headers": {"topic": "/v1.0/im/bot/messages/get"}, "data": "{}"}',
    '{"type": "CALLBACK", "headers": {"topic": ["ping"], "messageId": 7}, "data": "{}"}',
    '{"type": ["SYSTEM"], "headers": {"topic": "ping", "messageId": "odd-1"}, "data": "{}"}',
    '{"type": "SYSTEM", "headers": {"topic": "ping"}, "data": "{\\"opaque\\": \\"1\\"}"}',
    '{"type": "SYSTEM", "headers": {"topic": "of tomorrow", "messageId": "odd-2"}, "data": "{}"}',
    '{"type": "TOMORROW", "headers": {"topic": "ping", "messageId": "odd-3"}, "data": "{}"}',
    '{"type": "EVENT", "headers": {"topic": "*", "messageId": "odd-4"}, "data": {"userId": []}}',
    "[" * 100_000,
)


class OpenRefused(Exception):
    """connections/open is answered with this instead: an HTTP status and a body."""

    def __init__(self, status: int, body: Json | str) -> None:
        super().__init__(f"HTTP {status}")
        self.status = status
        self.body = body


class HandshakeRefused(ConnectionError):
    """The WebSocket is not opened."""

    def __init__(self, status: int) -> None:
        super().__init__(f"HTTP {status}")
        self.status = status


@dataclass(frozen=True)
class Ack:
    """What a client says of one frame."""

    session: Session
    message_id: str
    code: int
    message: str
    data: Any  # decoded
    at: float


@dataclass(eq=False)
class Pushed:
    """One thing that DingTalk has to tell, however often it did."""

    kind: str
    topic: str
    message_id: str
    data: str  # a JSON object as text
    headers: Json
    sent: list[tuple[Session, float]] = field(default_factory=list)
    acks: list[Ack] = field(default_factory=list)
    is_lost: bool = False
    """There was no line for it, or it got lost on its way: it never comes again."""

    @property
    def delivered(self) -> int:
        """How often it was put on a line."""
        return len(self.sent)

    @property
    def response(self) -> Any:
        """What the first acknowledgement answers: a card's callback takes its update from it."""
        return self.acks[0].data.get("response")

    @property
    def comes_again(self) -> bool:
        """Events do by the book, messages to the bot have been seen to; a press of a button has
        somebody who waits, and is not said twice.
        """
        return self.topic != CARD

    def frame(self, session: Session, now: float) -> str:
        """For this line: its own id stands in it, all else is the same each time."""
        own = {"connectionId": session.connection_id, "messageId": self.message_id}
        fixed = {"contentType": "application/json", "topic": self.topic}
        headers = fixed | own | {"time": str(int(now * 1000))} | self.headers
        return written(self.kind, headers, self.data)

    def is_done_by(self, ack: Ack) -> bool:
        """Whether it need not come again. Only an event can be put off."""
        if self.kind != EVENT:
            return True
        later = isinstance(ack.data, dict) and ack.data.get("status") == "LATER"
        return ack.code == 200 and not later


class Session:
    """One line, from its handshake on."""

    def __init__(self, gateway: Lines, connection_id: str, asked: list[Json], put: Put) -> None:
        self.connection_id = connection_id
        self.is_open = True
        self.opened_at = self.pinged_at = gateway.org.now()
        self.told_at: float | None = None  # to disconnect
        self.pongs = 0
        self.unanswered: dict[str, str] = {}  # pings: what is opaque by messageId
        self.asked = {(one["type"], one["topic"]) for one in asked}
        # Misbehaviour, until it is switched off.
        self.is_zombie = False  # pings come, and nothing else
        self.is_silent = False  # nothing comes
        self._gateway = gateway
        self._put = put

    def receive(self, text: str) -> None:
        """The bot sends this."""
        self._gateway.receive(self, text)

    def gone(self) -> None:
        """The line broke, or the bot closed it."""
        self.is_open = False

    def send(self, text: str) -> None:
        """To the bot, when the line is there and does what it should."""
        if self.is_open and not self.is_silent:
            self._put(text)

    def close(self, code: int = CLEAN) -> None:
        """DingTalk ends it; CUT: without a word."""
        if self.is_open:
            self.gone()
            self._put(code)

    @property
    def is_listening(self) -> bool:
        """Pushes may go here: it is open and was not told to go."""
        return self.is_open and self.told_at is None


def written(kind: str, headers: Json, data: str) -> str:
    """A frame as text."""
    frame = {"specVersion": "1.0", "type": kind, "headers": headers, "data": data}
    return json.dumps(frame, ensure_ascii=False)


def read_ack(session: Session, text: str, at: float) -> Ack:
    """As strictly as its page describes it. Raises ValueError for anything else."""
    said = json.loads(text)
    _is(said, lambda value: isinstance(value, dict) and isinstance(value.get("headers"), dict))
    headers: Json = said["headers"]
    _is(headers.get("contentType"), lambda value: value == "application/json")
    _is(headers.get("messageId"), lambda value: isinstance(value, str) and value)
    _is(said.get("code"), lambda value: type(value) is int)
    _is(said.get("message"), lambda value: isinstance(value, str))
    _is(said.get("data"), lambda value: isinstance(value, str))
    data = json.loads(said["data"])
    return Ack(session, headers["messageId"], said["code"], said["message"], data, at)


def _is(value: object, right: Callable[[Any], object]) -> None:
    if not right(value):
        raise ValueError(f"{value!r} in an acknowledgement")
