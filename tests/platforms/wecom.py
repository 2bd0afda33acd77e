"""The stand-in for WeCom's cloud: a real HTTP server, and people who use it.

    with StandInWecom() as wecom:
        wecom.corp.add_member("ZhangSan", "张三")
        …start the bot with wecom.api_url, tell wecom.deliver_to(its address)…
        assert wecom.verify()
        assert "签到" in plain(wecom.say("zhangsan", "签到").message)
        wecom.wait_for(lambda: wecom.corp.last("zhangsan"))

It replaces only the cloud: the HTTP API, and WeCom's calls of the bot. The aibot's WebSocket is
wecom_socket.py's. What it refuses is WeCom's behaviour, proven with wechatpy's own client.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self, TypeVar, Unpack

import httpx

from tests.platforms.served import served
from tests.platforms.wecom_api import Api
from tests.platforms.wecom_callbacks import Callbacks
from tests.platforms.wecom_model import Corp, Message
from tests.platforms.wecom_requests import Knobs, Side, SignedRequest

__all__ = ["Delivery", "StandInWecom"]

PATIENCE = 5.0  # https://developer.work.weixin.qq.com/document/path/90238
VERIFY_PATIENCE = 1.0
RETRIES = 3
NEVER_REPEATED = ("bot", "template_card_event")  # an aibot's pressed button is told once

T = TypeVar("T")


@dataclass
class Delivery:
    """What became of one callback."""

    request: SignedRequest
    statuses: list[int] = field(default_factory=list)  # of every attempt; 0: no answer in time
    body: bytes = b""  # of the answer that was taken
    message: Message | None = None  # what the answer says

    @property
    def taken(self) -> bool:
        return bool(self.statuses) and self.statuses[-1] == 200


class StandInWecom:
    def __init__(self, corp: Corp | None = None) -> None:
        self.corp = corp or Corp()
        self.api = Api(self.corp)
        self.callbacks = Callbacks(self.corp)
        self.patience = PATIENCE
        self.verify_patience = VERIFY_PATIENCE
        self.origin = "http://127.0.0.1:1"  # nobody listens there before it starts
        self._bot_url = ""
        self._open = ExitStack()
        # trust_env off: a proxy of this machine must not see 127.0.0.1.
        self._http = httpx.Client(trust_env=False)

    def __enter__(self) -> Self:
        self.origin = self._open.enter_context(served(self.api.application()))
        self._open.enter_context(self._http)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._open.close()

    @property
    def api_url(self) -> str:
        """What stands for https://qyapi.weixin.qq.com/cgi-bin/."""
        return f"{self.origin}/cgi-bin/"

    def webhook_url(self, chatid: str) -> str:
        """Somebody adds a 消息推送 to this group and copies its address."""
        return f"{self.api_url}webhook/send?key={self.corp.add_webhook(chatid)}"

    def deliver_to(self, base_url: str) -> None:
        """Where the bot listens; the paths are /wecom/app and /wecom/bot there."""
        self._bot_url = base_url.rstrip("/")

    def wait_for(self, predicate: Callable[[], T], timeout: float = 5.0) -> T:
        return self.corp.wait_for(predicate, timeout)

    # ---- what people do

    def verify(self, side: Side = "app", **knobs: Unpack[Knobs]) -> bool:
        """Somebody saves the bot's address: is the echo back, as it is, within a second?"""
        request = self.callbacks.verify(side, **knobs)
        response = self._ask(request, self.verify_patience)
        if response is None or response.status_code != 200:
            return False
        return response.content == request.origin.echo.encode()

    def say(self, userid: str, content: str, **knobs: Unpack[Knobs]) -> Delivery:
        """Writes to the app."""
        return self.send(self.callbacks.text(userid, content, **knobs))

    def click(self, userid: str, key: str, **knobs: Unpack[Knobs]) -> Delivery:
        """An item of the app's menu."""
        return self.send(self.callbacks.click(userid, key, **knobs))

    def press(self, userid: str, message: Message, key: str, **knobs: Unpack[Knobs]) -> Delivery:
        """A button of a card that the app sent."""
        return self.send(self.callbacks.press(userid, message, key, **knobs))

    def say_to_bot(
        self, userid: str, content: str, chatid: str | None = None, **knobs: Unpack[Knobs]
    ) -> Delivery:
        """Writes to the aibot in callback mode; in a group it is called by its name."""
        return self.send(self.callbacks.bot_text(userid, content, chatid, **knobs))

    def press_of_bot(
        self, userid: str, message: Message, key: str, **knobs: Unpack[Knobs]
    ) -> Delivery:
        """A button of a card that the aibot sent."""
        return self.send(self.callbacks.bot_press(userid, message, key, **knobs))

    def retry(self, delivery: Delivery) -> Delivery:
        """Our answer got lost on the way to WeCom: the same bytes come once more."""
        return self.send(self.callbacks.again(delivery.request))

    def send(self, request: SignedRequest) -> Delivery:
        """Until it is taken: what is late or not a 200 is sent again, three times at most."""
        delivery = Delivery(request)
        once = (request.origin.side, request.origin.what) == NEVER_REPEATED
        for _ in range(1 if once else 1 + RETRIES):
            response = self._ask(request, self.patience)
            delivery.statuses.append(0 if response is None else response.status_code)
            if response is not None and delivery.taken:
                delivery.body = response.content
                delivery.message = self.callbacks.read_passive(response.content, request)
                break
        return delivery

    def _ask(self, request: SignedRequest, patience: float) -> httpx.Response | None:
        if not self._bot_url:
            raise AssertionError("deliver_to(url) first: WeCom does not know the bot's address")
        try:
            return self._http.request(
                request.method,
                self._bot_url + request.target,
                content=request.body,
                headers=request.headers,
                timeout=patience,
            )
        except httpx.TransportError:
            return None
