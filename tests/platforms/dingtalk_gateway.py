"""DingTalk's end of Stream mode: what is pushed on which line, what comes again, what is lost.

https://opensource.dingtalk.com/developerpedia/docs/learn/stream/protocol
Pure and synchronous, and callable from any thread. A line is a function that sends to the bot, so
tests may run it with sockets (dingtalk_socket.py) or without (`connect_in_process`).

The platform keeps nothing for a bot that has no line. What a line took and nobody acknowledged
comes again when `tick` finds it older than `redeliver_after`: by DingTalk's page only events do,
in the field messages to the bot do, too, after about a minute and with the same msgId.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Sequence
from urllib.parse import parse_qs, urlsplit

from tests.platforms.dingtalk_gateway_frames import (
    BOT,
    CALLBACK,
    CARD,
    EVENT,
    EVERY_EVENT,
    ODD_FRAMES,
    Ack,
    HandshakeRefused,
    OpenRefused,
    Pushed,
    Session,
    read_ack,
)
from tests.platforms.dingtalk_gateway_lines import Lines, Opened
from tests.platforms.dingtalk_model import Json, Org
from tests.platforms.wires import CLEAN, CUT, INTERNAL_ERROR, InProcess, Put

__all__ = [
    "BOT",
    "CALLBACK",
    "CARD",
    "CLEAN",
    "CUT",
    "EVENT",
    "EVERY_EVENT",
    "INTERNAL_ERROR",
    "ODD_FRAMES",
    "Ack",
    "Gateway",
    "HandshakeRefused",
    "OpenRefused",
    "Opened",
    "Pushed",
    "Session",
    "connect_in_process",
]

APP_ID = "1305d5f5-29ae-484f-8c3c-97d9bd4aef67"


class Gateway(Lines):
    """`lost`: there was no line for it, or `lose_next`; it never comes again.
    `strays`: acknowledged by another line than it came by, which counts for nothing.
    `odd`: what no client should say.
    """

    def __init__(self, org: Org) -> None:
        super().__init__(org)
        self.pushes: list[Pushed] = []
        self.lost: list[Pushed] = []
        self.strays: list[Ack] = []
        self.odd: list[str] = []
        self.choose: Callable[[Sequence[Session]], Session] = random.Random(7).choice
        self.redeliver_after = 60.0
        self._by_id: dict[str, Pushed] = {}
        self._waiting: dict[str, Pushed] = {}
        # Misbehaviour, until it is used up.
        self._losses = self._doubles = 0

    # ---- what comes to the bot

    def push(
        self,
        topic: str,
        data: Json | str,
        *,
        kind: str = CALLBACK,
        headers: Json | None = None,
        to: Session | None = None,
    ) -> Pushed:
        """On a line of those that asked for it, or on this one, asked for or not."""
        with self.org.changed:
            text = data if isinstance(data, str) else json.dumps(data, ensure_ascii=False)
            own = self._headers(kind) | (headers or {})
            pushed = Pushed(kind, topic, self.org.new_id("push", 20), text, own)
            self.pushes.append(pushed)
            self._by_id[pushed.message_id] = pushed
            pushed.is_lost = self._losses > 0 or not self._send(pushed, to)
            if pushed.is_lost:
                self._losses = max(0, self._losses - 1)
                self.lost.append(pushed)
                return pushed
            self._waiting[pushed.message_id] = pushed
            if self._doubles:
                self._doubles -= 1
                self._send(pushed, to)
            return pushed

    def event(self, data: Json, eventType: str, **headers: str) -> Pushed:  # noqa: N803
        """Something happened in the organisation; the headers beside its data by their own names
        (dingtalk_messages.event_headers), those that are left out are made up.
        """
        named = {"eventType": eventType} | headers
        return self.push(EVERY_EVENT, data, kind=EVENT, headers=named)

    def flood(self, n: int, make: Callable[[int], Json] | None = None) -> list[Pushed]:
        """So many messages at once."""
        made = make or (lambda number: {"msgId": f"flood-{number}"})
        return [self.push(BOT, made(number)) for number in range(n)]

    def wait_acked(self, pushed: Pushed, timeout: float = 5.0) -> Ack:
        """The first acknowledgement of it."""
        return self.org.wait_for(lambda: pushed.acks, timeout)[0]

    def tick(self) -> None:
        """What is due by now happens, to lines and to what nobody acknowledged."""
        with self.org.changed:
            super().tick()
            now = self.org.now()
            for pushed in list(self._waiting.values()):
                if pushed.comes_again and now - pushed.sent[-1][1] >= self.redeliver_after:
                    self._send(pushed)

    def _headers(self, kind: str) -> Json:
        if kind != EVENT:
            return {"appId": APP_ID}
        return {
            "eventId": self.org.new_id("event", 32),
            "eventBornTime": str(int(self.org.now() * 1000)),
            "eventCorpId": self.org.corp_id,
            "eventUnifiedAppId": APP_ID,
        }

    def _send(self, pushed: Pushed, to: Session | None = None) -> bool:
        """False when there is no line for it."""
        wanted = (pushed.kind, pushed.topic)
        lines = [one for one in self.listening if wanted in one.asked] if to is None else [to]
        if not lines:
            return False
        line, now = self.choose(lines), self.org.now()
        pushed.sent.append((line, now))
        if not line.is_zombie:
            line.send(pushed.frame(line, now))
        return True

    # ---- what the bot says

    def receive(self, session: Session, text: str) -> None:
        """It says nothing but acknowledgements."""
        with self.org.changed:
            try:
                ack = read_ack(session, text, self.org.now())
            except (ValueError, RecursionError):
                self.odd.append(text)
                return
            pushed = self._by_id.get(ack.message_id)
            if pushed is not None:
                self._acknowledged(pushed, ack, text)
            elif ack.message_id in session.unanswered:
                session.pongs += 1
                if ack.data != {"opaque": session.unanswered.pop(ack.message_id)}:
                    self.odd.append(text)
            elif ack.message_id not in self._goodbyes:
                self.odd.append(text)
            self.org.changed.notify_all()

    def _acknowledged(self, pushed: Pushed, ack: Ack, text: str) -> None:
        if all(ack.session is not line for line, _ in pushed.sent):
            self.strays.append(ack)
            return
        pushed.acks.append(ack)
        answers = ack.data if isinstance(ack.data, dict) else {}
        if ack.code == 200 and ("status" if pushed.kind == EVENT else "response") not in answers:
            # The vendor's own client leaves it out for events, so it is taken for a yes.
            self.odd.append(text)
        if pushed.is_done_by(ack):
            self._waiting.pop(pushed.message_id, None)

    # ---- misbehaviour

    def lose_next(self, n: int = 1) -> None:
        """The next n pushes never arrive, and nobody notices."""
        self._losses = n

    def double_next(self, n: int = 1) -> None:
        """The next n pushes come twice, on two lines perhaps."""
        self._doubles = n

    def heal(self) -> None:
        """All goes well again, on the lines that are there, too."""
        with self.org.changed:
            super().heal()
            self._losses = self._doubles = 0


def connect_in_process(gateway: Gateway) -> InProcess:
    """Opens lines without sockets. The address is the one that `open` and its ticket make."""

    def dial(url: str, put: Put) -> Session:
        parts = urlsplit(url)
        if parts._replace(query="").geturl() != gateway.endpoint:
            raise HandshakeRefused(404)
        return gateway.connect(parse_qs(parts.query).get("ticket", [""])[0], put)

    return InProcess(dial)
