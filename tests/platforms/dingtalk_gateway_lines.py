"""Lines of DingTalk's Stream mode: who may open one, how it is kept and how it ends.

https://opensource.dingtalk.com/developerpedia/docs/learn/stream/protocol
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from tests.platforms.dingtalk_gateway_frames import (
    CALLBACK,
    EVENT,
    EVERY_EVENT,
    SYSTEM,
    HandshakeRefused,
    Json,
    OpenRefused,
    Session,
    written,
)
from tests.platforms.dingtalk_model import Org
from tests.platforms.wires import CLEAN, CUT, Put

TICKET_LIFE = 90.0
LINGER = 10.0
"""A line that was told to go lives on for so long, and gets nothing any more."""


@dataclass
class Opened:
    """One call of connections/open."""

    at: float
    body: Json
    ticket: str = ""  # "" when it was refused
    is_used: bool = False


class Lines:
    def __init__(self, org: Org) -> None:
        self.org = org
        self.endpoint = "ws://127.0.0.1:9/connect"  # a server puts its own
        self.opens: list[Opened] = []
        self.lines: list[Session] = []  # those that are gone, too
        self.ping_every: float | None = None  # seconds; DingTalk: 20 to 30
        self.disconnect_every: float | None = None  # seconds of a line's life
        # Misbehaviour, until it is switched off.
        self.stall = 0.0  # seconds that connections/open takes
        self.closes_at_once = False
        self.refused_handshakes = 0  # so many, with HTTP 502
        self._refusals: list[OpenRefused] = []
        self._refuses: OpenRefused | None = None
        self._goodbyes: set[str] = set()

    # ---- opening

    def open(self, body: Json) -> Json:
        """POST /v1.0/gateway/connections/open. Raises OpenRefused."""
        with self.org.changed:
            opened = Opened(self.org.now(), body)
            self.opens.append(opened)
            self.org.changed.notify_all()
            if self._refusals:
                raise self._refusals.pop(0)
            if self._refuses is not None:
                raise self._refuses
            self._check(body)
            # DingTalk's look like a UUID; one that must be quoted shows who does not.
            opened.ticket = self.org.new_id("ticket", 26) + "+/="
            return {"endpoint": self.endpoint, "ticket": opened.ticket}

    def _check(self, body: Json) -> None:
        expected = {"clientId": self.org.client_id, "clientSecret": self.org.client_secret}
        if {name: body.get(name) for name in expected} != expected:
            raise self.refusal(401, "authFailed", "鉴权失败")
        asked = body.get("subscriptions")
        if not isinstance(asked, list) or not asked or not all(map(_is_subscription, asked)):
            # What it says of these is not known; this is its word for much that it does not take.
            raise self.refusal(400, "systemError", "系统错误")

    def refusal(self, status: int, code: str, message: str = "refused") -> OpenRefused:
        """As DingTalk's newer API words its refusals."""
        requestid = self.org.new_id("", 32).upper()
        return OpenRefused(status, {"code": code, "requestid": requestid, "message": message})

    def connect(self, ticket: str, put: Put) -> Session:
        """A WebSocket is opened. Raises HandshakeRefused, with a status that is a guess."""
        with self.org.changed:
            if self.refused_handshakes:
                self.refused_handshakes -= 1
                raise HandshakeRefused(502)
            found = next((one for one in self.opens if ticket and one.ticket == ticket), None)
            if found is None or found.is_used or self.org.now() - found.at > TICKET_LIFE:
                raise HandshakeRefused(401)
            found.is_used = True
            connection_id = self.org.new_id("connection", 22)
            session = Session(self, connection_id, found.body["subscriptions"], put)
            self.lines.append(session)
            if self.closes_at_once:
                session.close(CLEAN)
            self.org.changed.notify_all()
            return session

    # ---- what a test looks at

    @property
    def open_lines(self) -> list[Session]:
        """Those told to go included."""
        with self.org.changed:
            return [one for one in self.lines if one.is_open]

    @property
    def listening(self) -> list[Session]:
        """Those by which something may come."""
        with self.org.changed:
            return [one for one in self.lines if one.is_listening]

    def wait_listening(self, n: int = 1, timeout: float = 5.0) -> list[Session]:
        """At least n lines at the same time."""
        return self.org.wait_for(
            lambda: found if len(found := self.listening) >= n else [], timeout
        )

    # ---- keeping and ending; without a session they meet every line that is open

    def tick(self) -> None:
        """What is due by now happens."""
        with self.org.changed:
            for line in self.open_lines:
                self._look_after(line, self.org.now())

    def _look_after(self, line: Session, now: float) -> None:
        if line.told_at is not None:
            if now - line.told_at >= LINGER:
                line.close(CUT)
            return
        if self.disconnect_every is not None and now - line.opened_at >= self.disconnect_every:
            self.disconnect(line)
        elif self.ping_every is not None and now - line.pinged_at >= self.ping_every:
            self.ping(line)

    def ping(self, session: Session | None = None) -> None:
        """DingTalk's own, not the WebSocket's."""
        with self.org.changed:
            for line in self._meant(session):
                line.pinged_at = self.org.now()
                message_id = self.org.new_id("ping", 16)
                line.unanswered[message_id] = opaque = self.org.new_id("opaque", 30)
                self._system(line, "ping", {"opaque": opaque}, message_id)

    def disconnect(
        self,
        session: Session | None = None,
        reason: str = "persistent connection is timeout",
        *,
        with_id: bool = True,
    ) -> None:
        """It is told to go. Without an id the frame is as its page shows it, with one as seen."""
        with self.org.changed:
            for line in self._meant(session):
                line.told_at = self.org.now()
                message_id = self.org.new_id("bye", 24) if with_id else ""
                self._goodbyes.add(message_id)
                self._system(line, "disconnect", {"reason": reason}, message_id)

    def close(self, code: int = CLEAN, session: Session | None = None) -> None:
        """It ends without having been told; CUT: without a word."""
        with self.org.changed:
            for line in self._meant(session):
                line.close(code)

    def send_raw(self, text: str, session: Session | None = None) -> None:
        """Anything at all."""
        with self.org.changed:
            for line in self._meant(session):
                line.send(text)

    def receive(self, session: Session, text: str) -> None:
        """The bot says this by that line."""
        raise NotImplementedError

    def _system(self, line: Session, topic: str, data: Json, message_id: str) -> None:
        headers = {"contentType": "application/json", "topic": topic}
        if message_id:
            headers |= {"messageId": message_id, "time": str(int(self.org.now() * 1000))}
        line.send(written(SYSTEM, headers, json.dumps(data)))

    def _meant(self, session: Session | None) -> list[Session]:
        return self.open_lines if session is None else [session]

    # ---- misbehaviour

    def refuse_opens(
        self,
        status: int = 503,
        code: str = "ServiceUnavailable",
        *,
        body: Json | str | None = None,
        times: int | None = None,
    ) -> None:
        """Of connections/open: the next so many, or all until `heal`."""
        made = self.refusal(status, code) if body is None else OpenRefused(status, body)
        with self.org.changed:
            if times is None:
                self._refuses = made
            else:
                self._refusals += [made] * times

    def heal(self) -> None:
        """All goes well again, on the lines that are there, too."""
        with self.org.changed:
            self.stall, self.closes_at_once, self.refused_handshakes = 0.0, False, 0
            self._refusals, self._refuses = [], None
            for line in self.lines:
                line.is_zombie = line.is_silent = False


def _is_subscription(asked: Any) -> bool:
    if not isinstance(asked, dict) or not isinstance(topic := asked.get("topic"), str):
        return False
    return topic == EVERY_EVENT if asked.get("type") == EVENT else asked.get("type") == CALLBACK
