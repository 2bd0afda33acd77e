"""The stand-in for DingTalk's cloud: a real HTTP server, and people who use it.

    with StandInDingtalk() as dingtalk:
        dingtalk.org.add_member("lisi", "李四")
        …start the bot with dingtalk.api_url, tell dingtalk.deliver_to(its address)…
        assert dingtalk.say("lisi", "签到") == 200
        dingtalk.wait_for(lambda: dingtalk.org.last("lisi"))

It replaces only the cloud: both halves of the HTTP API, and DingTalk's calls of a robot in HTTP
mode. Stream mode's WebSockets are dingtalk_socket.py's; give its gateway to have them opened.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from types import TracebackType
from typing import Any, Self, TypeVar

import httpx

from tests.platforms.dingtalk_api import Api
from tests.platforms.dingtalk_gateway import Gateway
from tests.platforms.dingtalk_messages import text_payload
from tests.platforms.dingtalk_model import Group, Org
from tests.platforms.dingtalk_requests import SignedRequest, signed_request
from tests.platforms.served import served

T = TypeVar("T")

PATIENCE = 5.0


class StandInDingtalk:
    def __init__(self, org: Org | None = None, gateway: Gateway | None = None) -> None:
        """`gateway`: of the same organisation."""
        self.org = org or Org()
        self.api = Api(self.org, gateway)
        self.api_url = "http://127.0.0.1:1"  # nobody listens there before it starts
        self._bot_url = ""
        self._open = ExitStack()
        # trust_env off: a proxy of this machine must not see 127.0.0.1.
        self._http = httpx.Client(trust_env=False)

    def __enter__(self) -> Self:
        self.api_url = self._open.enter_context(served(self.api.application()))
        self.org.webhook_origin = self.api_url
        self._open.enter_context(self._http)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._open.close()

    def robot_url(self, group: Group) -> tuple[str, str]:
        """Somebody adds a custom robot to this group; gives its address and what it signs with."""
        token, secret = self.org.add_robot(group.id)
        return f"{self.api_url}/robot/send?access_token={token}", secret

    def deliver_to(self, url: str) -> None:
        """Where the robot listens in HTTP mode: the whole address, as somebody typed it."""
        self._bot_url = url

    def wait_for(self, predicate: Callable[[], T], timeout: float = 5.0) -> T:
        return self.org.wait_for(predicate, timeout)

    # ---- what people do, in HTTP mode

    def say(self, staff: str, words: str, group: Group | str | None = None, **more: Any) -> int:
        """A text, `more` as text_payload takes it; gives the status that the bot answers with."""
        payload = text_payload(self.org, staff, words, group, **more)
        return self.send(signed_request(self.org, payload))

    def send(self, request: SignedRequest) -> int:
        """Once: a robot in HTTP mode is told nothing twice. 0: there was no answer."""
        if not self._bot_url:
            raise AssertionError("deliver_to(url) first: DingTalk does not know the bot's address")
        try:
            response = self._http.request(
                request.method,
                self._bot_url,
                content=request.body,
                headers=request.headers,
                timeout=PATIENCE,
            )
        except httpx.TransportError:
            return 0
        return response.status_code
