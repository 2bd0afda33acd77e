"""WeCom's end of an aibot's long connection: who is subscribed, what is acknowledged, what comes.

https://developer.work.weixin.qq.com/document/path/101463
Pure and synchronous. A line is two functions, one that sends a text to the bot and one that closes
it, so tests may run it with sockets (wecom_socket.py) or without (`connect_in_process`). What the
bot says appears in the corp's timeline, `via="bot"`.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.platforms.wecom_bodies import event_body, press_body, text_body
from tests.platforms.wecom_commands import BotCommands
from tests.platforms.wecom_model import Corp, Json, Message, plain
from tests.platforms.wecom_refusals import ERRMSGS, Refusal
from tests.platforms.wires import CLEAN, CUT, INTERNAL_ERROR, InProcess

__all__ = [
    "CLEAN",
    "CUT",
    "INTERNAL_ERROR",
    "ODD_FRAMES",
    "Gateway",
    "InProcess",
    "Session",
    "connect_in_process",
]

WRONG_SECRET, NOT_SUBSCRIBED = 853000, 846609

ODD_FRAMES = (
    "",
    "no json",
    "[]",
    "null",
    "7",
    "{}",
    '{"headers": []}',
    '{"headers": {}}',
    '{"headers": {"req_id": 7}, "errcode": 0}',
    '{"headers": {"req_id": "of nobody"}, "errcode": 0, "errmsg": "ok"}',
    '{"headers": {"req_id": "of nobody"}, "errcode": "zero"}',
    '{"cmd": "aibot_of_tomorrow", "headers": {"req_id": "1"}, "body": {}}',
    '{"cmd": ["aibot_msg_callback"], "headers": {"req_id": "1"}, "body": {}}',
    '{"cmd": "aibot_msg_callback", "body": {}}',
    '{"cmd": "aibot_msg_callback", "headers": {"req_id": "1"}, "body": []}',
    '{"cmd": "aibot_event_callback", "headers": {"req_id": "1"}, "body": null}',
    '{"cmd": "aibot_msg_callback", "headers": {"req_id": "1"}, "body": {"text": "\\ud83d"}}',
    "[" * 100_000,
)


class Session:
    """One line, from its handshake on."""

    def __init__(
        self, gateway: Gateway, send: Callable[[str], None], close: Callable[[int], None]
    ) -> None:
        self.is_open = True
        self.is_subscribed = False
        self.pings = 0
        self._gateway = gateway
        self._send = send
        self._close = close

    def receive(self, text: str) -> None:
        """The bot sends this."""
        self._gateway.receive(self, text)

    def gone(self) -> None:
        """The line broke, or the bot closed it."""
        self.is_open = self.is_subscribed = False

    def send(self, frame: Json | str) -> None:
        """To the bot, when the line is there."""
        if self.is_open:
            self._send(frame if isinstance(frame, str) else json.dumps(frame, ensure_ascii=False))

    def close(self, code: int = CLEAN) -> None:
        """WeCom ends it; CUT: without a word."""
        if self.is_open:
            self.gone()
            self._close(code)


@dataclass
class Fault:
    errcode: int
    cmd: str  # "" for every command
    left: int


class Gateway:
    def __init__(self, corp: Corp) -> None:
        self.corp = corp
        self.commands = BotCommands(corp)
        self.sessions: list[Session] = []  # those that are gone, too
        self.tries = 0  # of a subscription
        self.subscriptions = 0
        self.heard: list[Json] = []  # the commands, pings and subscriptions excepted
        self.lost: list[Json] = []  # bodies that came while nobody was subscribed
        # Misbehaviour, until it is switched off.
        self.swallows_pongs = False
        self.swallows_subscriptions = False
        self.swallows_acks = False  # the command takes effect
        self.holds_acks = False  # until release_acks()
        self._held: list[tuple[Session, Json]] = []
        self._faults: list[Fault] = []
        self._doubles = 0

    # ---- the line

    def connect(self, send: Callable[[str], None], close: Callable[[int], None]) -> Session:
        """A WebSocket was opened."""
        with self.corp.changed:
            session = Session(self, send, close)
            self.sessions.append(session)
            self.corp.changed.notify_all()
            return session

    @property
    def subscribed(self) -> Session | None:
        """The one line by which callbacks go."""
        with self.corp.changed:
            return next((one for one in self.sessions if one.is_subscribed), None)

    def receive(self, session: Session, text: str) -> None:
        with self.corp.changed:
            try:
                frame = json.loads(text)
                cmd, req_id = str(frame["cmd"]), frame["headers"]["req_id"]
            except (KeyError, TypeError, ValueError):
                return  # what WeCom does about such frames is not known
            if cmd == "ping":
                session.pings += 1
                if not self.swallows_pongs:
                    self._acknowledge(
                        session, req_id, 0 if session.is_subscribed else NOT_SUBSCRIBED
                    )
            elif cmd == "aibot_subscribe":
                self._subscribe(session, req_id, frame.get("body") or {})
            else:
                self.heard.append(frame)
                self._command(session, cmd, req_id, frame.get("body") or {})
            self.corp.changed.notify_all()

    def _subscribe(self, session: Session, req_id: str, body: Json) -> None:
        self.tries += 1
        if self.swallows_subscriptions:
            return
        expected = {"bot_id": self.corp.bot_id, "secret": self.corp.bot_secret}
        code = self._fault("aibot_subscribe")
        if not code and {name: body.get(name) for name in expected} != expected:
            code = WRONG_SECRET
        if code:
            self._acknowledge(session, req_id, code)
            return
        if session is not self.subscribed:
            self.kick()
            session.is_subscribed = True
            self.subscriptions += 1
        self._acknowledge(session, req_id, 0)

    def _command(self, session: Session, cmd: str, req_id: str, body: Json) -> None:
        code = self._fault(cmd) if session.is_subscribed else NOT_SUBSCRIBED
        try:
            if code:
                raise Refusal(code)
            answer: Json = {"errcode": 0, "errmsg": "ok"}
            if said := self.commands.run(cmd, req_id, body):
                answer["body"] = said
        except Refusal as refusal:
            answer = {"errcode": refusal.errcode, "errmsg": refusal.errmsg}
        frame = {"headers": {"req_id": req_id}} | answer
        if self.holds_acks:
            self._held.append((session, frame))
        elif not self.swallows_acks:
            session.send(frame)

    def _acknowledge(self, session: Session, req_id: str, code: int) -> None:
        errmsg = ERRMSGS.get(code, "refused") if code else "ok"
        session.send({"headers": {"req_id": req_id}, "errcode": code, "errmsg": errmsg})

    # ---- what comes to the bot

    def deliver(self, body: Json, event: bool = False) -> str:
        """A callback; gives its req_id. Nothing is kept for later when nobody is subscribed."""
        with self.corp.changed:
            cmd = "aibot_event_callback" if event else "aibot_msg_callback"
            twice, self._doubles = self._doubles > 0, max(0, self._doubles - 1)
            req_ids = [self.corp.new_id("req", 24) for _ in range(2 if twice else 1)]
            session = self.subscribed
            if session is None:
                self.lost.append(body)
            for req_id in req_ids:
                self.commands.remember(req_id, body)
                if session is not None:
                    session.send({"cmd": cmd, "headers": {"req_id": req_id}, "body": body})
            return req_ids[0]

    def say(
        self,
        userid: str,
        content: str,
        chatid: str | None = None,
        quote: Json | Message | None = None,
        **more: Any,
    ) -> str:
        """Somebody writes to the bot; in a group "@班长 " is put before it (see text_body)."""
        quoted = _quoted(quote) if isinstance(quote, Message) else quote
        return self.deliver(text_body(self.corp, userid, content, chatid, quoted, **more))

    def press(self, userid: str, message: Message, key: str, **more: Any) -> str:
        """Somebody presses a button (see press_body)."""
        return self.deliver(press_body(self.corp, userid, message, key, **more), event=True)

    def enter_chat(self, userid: str, **more: Any) -> str:
        """Somebody opens the direct chat for the first time today."""
        return self.deliver(event_body(self.corp, "enter_chat", userid, **more), event=True)

    # ---- misbehaviour

    def fail_next(self, errcode: int, n: int = 1, cmd: str = "") -> None:
        """The next n commands do nothing and are answered with it."""
        with self.corp.changed:
            self._faults.append(Fault(errcode, cmd, n))

    def double_next(self, n: int = 1) -> None:
        """The next n callbacks come twice, with one msgid."""
        with self.corp.changed:
            self._doubles = n

    def release_acks(self) -> None:
        """What was held back goes out now, in whatever line it still can."""
        with self.corp.changed:
            self.holds_acks = False
            held, self._held = self._held, []
            for session, frame in held:
                session.send(frame)

    def close(self, code: int = CLEAN) -> None:
        """WeCom ends the subscribed line, or all there are when none is; CUT: without a word."""
        with self.corp.changed:
            session = self.subscribed
            for one in [session] if session is not None else list(self.sessions):
                one.close(code)
            self.corp.changed.notify_all()

    def kick(self) -> None:
        """Another client subscribed: the line that was is told so, and closed."""
        with self.corp.changed:
            session = self.subscribed
            if session is None:
                return
            body = event_body(self.corp, "disconnected_event")
            del body["chattype"]
            headers = {"req_id": self.corp.new_id("req", 24)}
            session.send({"cmd": "aibot_event_callback", "headers": headers, "body": body})
            session.close(CLEAN)
            self.corp.changed.notify_all()

    def send(self, text: str) -> None:
        """Anything at all, to the subscribed line."""
        with self.corp.changed:
            if (session := self.subscribed) is not None:
                session.send(text)

    def _fault(self, cmd: str) -> int:
        for fault in self._faults:
            if fault.cmd in ("", cmd):
                fault.left -= 1
                if fault.left <= 0:
                    self._faults.remove(fault)
                return fault.errcode
        return 0


def _quoted(message: Message) -> Json:
    return {"msgtype": "text", "text": {"content": plain(message)}}


# ---- without sockets


def connect_in_process(gateway: Gateway) -> InProcess:
    """Opens lines without sockets, whatever the address."""
    return InProcess(lambda _url, put: gateway.connect(put, put))
