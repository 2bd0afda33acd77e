"""A platform's HTTP API behind its stand-in, and the adapter's client of it."""

from __future__ import annotations

import asyncio
import json
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from itertools import count
from types import ModuleType
from typing import Any, Generic, TypeVar

import httpx
import pytest

from adapters.contract import DeliveryFailed
from adapters.dingtalk import api as dingtalk_api
from adapters.dingtalk.api import DingtalkApi, DingtalkRefused
from adapters.dingtalk.setup import Robot, Setup
from adapters.wecom import api as wecom_api
from adapters.wecom.api import WecomApi, WecomRefused
from tests.platforms import dingtalk_api as dingtalk
from tests.platforms import wecom_api as wecom
from tests.platforms.dingtalk_gateway import BOT, Gateway
from tests.platforms.dingtalk_model import Json, Org
from tests.platforms.wecom_model import Corp

A = TypeVar("A", DingtalkApi, WecomApi)
R = TypeVar("R", DingtalkRefused, WecomRefused)
TEST = "http://platform.test"
"""Where the stand-in is in process."""
READER = "lisi"
TEXT = {"msgtype": "text", "text": {"content": "你好"}}
SUBSCRIPTIONS = [{"type": "EVENT", "topic": "*"}, {"type": "CALLBACK", "topic": BOT}]
"""What a line of DingTalk's is asked to bring."""


class Door(ABC, Generic[A, R]):
    """What can be asked of either, in the words of each."""

    title: str
    client: ModuleType
    """Of the adapter; it holds CALL_SECONDS."""
    refusal: type[R]
    token_path: str
    send_path: str
    busy: Any
    bad_token: Any
    bad_secret: Any
    """Codes."""
    harmless: tuple[Any, ...]
    """Codes that say nothing against the app itself."""
    odd_tokens: tuple[bytes, ...]
    """Answers in which there is none."""
    office: Org | Corp
    standin: dingtalk.Api | wecom.Api

    @abstractmethod
    def made(
        self, url: str = TEST, transport: httpx.AsyncBaseTransport | None = None, secret: str = ""
    ) -> A:
        """A client that is not open yet."""

    @abstractmethod
    async def say(self, api: A, words: str = "你好") -> Json:
        """Send a message to READER, by the app."""

    @abstractmethod
    async def say_by_robot(self, api: A) -> Json:
        """Send one in a way that needs no token."""

    @abstractmethod
    async def look_up(self, api: A) -> Json:
        """Ask for something that says nothing of messages."""

    @abstractmethod
    def refuse(self, path: str, code: Any, times: int | None = 1) -> None:
        """The next calls are refused like this."""

    # --- the same for all ----------------------------------------------------------------------

    def opened(
        self,
        url: str = TEST,
        transport: httpx.AsyncBaseTransport | None = None,
        **more: Any,
    ) -> AbstractAsyncContextManager[A]:
        return _opened(self.made(url, transport, **more))

    def opened_in_process(self, **more: Any) -> AbstractAsyncContextManager[A]:
        return self.opened(TEST, httpx.ASGITransport(self.standin.application()), **more)

    def tokens_and_sends(self) -> tuple[int, int]:
        """How often each was asked for."""
        return self.standin.token_calls, len(self.standin.calls_of(self.send_path))

    async def all_of(self, api: A, times: int = 10) -> list[Any]:
        """Many messages at once: answers or errors."""
        calls = (self.say(api, str(number)) for number in range(times))
        return await asyncio.gather(*calls, return_exceptions=True)

    async def failed(self, api: A) -> DeliveryFailed:
        """Why a message is not delivered."""
        with pytest.raises(DeliveryFailed) as found:
            await self.say(api)
        assert found.value.why
        return found.value

    async def refused(self, api: A) -> R:
        """Why a message is refused."""
        with pytest.raises(self.refusal) as found:
            await self.say(api)
        assert str(found.value) == str(found.value.code)
        return found.value

    def now(self) -> datetime:
        """By the platform's clock."""
        return datetime.fromtimestamp(self.office.now(), UTC)


@asynccontextmanager
async def _opened(api: A) -> AsyncIterator[A]:
    await api.open()
    try:
        yield api
    finally:
        await api.close()


class DingtalkDoor(Door[DingtalkApi, DingtalkRefused]):
    title = "DingTalk"
    client, refusal = dingtalk_api, DingtalkRefused
    token_path, send_path = dingtalk.ACCESS_TOKEN, dingtalk.TO_PEOPLE
    busy, bad_token, bad_secret = "system.busy", "InvalidAuthentication", "invalidClientIdOrSecret"
    harmless = (
        "system.busy",
        "Forbidden.AccessDenied.QpsLimitForAppkeyAndApi",
        "Forbidden.AccessDenied.AccessTokenPermissionDenied",
        "staffId.notExisted",
        "param.invalid",
    )
    odd_tokens = (
        b"{}",
        b'{"accessToken": "", "expireIn": 7200}',
        b'{"accessToken": "x", "expireIn": "7200"}',
    )

    def __init__(self) -> None:
        self.office = self.org = Org()
        self.org.add_member("lisi", "李四")
        self.org.add_member("wangwu", "王五")
        self.standin = self.api = dingtalk.Api(self.org, Gateway(self.org))
        self.api.enforce_pace(False)

    def setup(self, url: str = TEST, **more: Any) -> Setup:
        org = self.org
        setup = Setup(url, org.client_id, org.client_secret, robot_code=org.robot_code)
        return replace(setup, **more)

    def made(
        self, url: str = TEST, transport: httpx.AsyncBaseTransport | None = None, secret: str = ""
    ) -> DingtalkApi:
        self.org.webhook_origin = url
        setup = self.setup(url, client_secret=secret or self.org.client_secret)
        # Each look at the pace's clock is an hour after the last: it is never too soon.
        return DingtalkApi(setup, self.now, transport, count(step=3600.0).__next__)

    async def say(self, api: DingtalkApi, words: str = "你好") -> Json:
        return await api.call("POST", dingtalk.TO_PEOPLE, self.text(words))

    def text(self, words: str = "你好") -> Json:
        return {
            "robotCode": self.org.robot_code,
            "userIds": [READER],
            "msgKey": "sampleText",
            "msgParam": json.dumps({"content": words}, ensure_ascii=False),
        }

    async def say_by_robot(self, api: DingtalkApi) -> Json:
        return await api.by_robot(Robot("t"), TEXT, self.now())

    async def look_up(self, api: DingtalkApi) -> Json:
        return await api.ask_old(dingtalk.USER, {"userid": READER})

    def refuse(self, path: str, code: Any, times: int | None = 1) -> None:
        self.api.fail(path, code=code, times=times)


class WecomDoor(Door[WecomApi, WecomRefused]):
    title = "WeCom"
    client, refusal = wecom_api, WecomRefused
    token_path, send_path = "gettoken", "message/send"
    busy, bad_token, bad_secret = -1, 40014, 40001
    harmless = (-1, 45009, 60011, 81013, 40058)
    odd_tokens = (
        b'{"errcode": 0}',
        b'{"errcode": 0, "access_token": "", "expires_in": 7200}',
        b'{"errcode": 0, "access_token": "x", "expires_in": "7200"}',
    )

    def __init__(self) -> None:
        self.office = self.corp = Corp()
        self.corp.add_member("ZhangSan", "张三")
        self.corp.add_member("LiSi", "李四")
        self.standin = self.api = wecom.Api(self.corp)

    def made(
        self,
        url: str = TEST,
        transport: httpx.AsyncBaseTransport | None = None,
        secret: str = "",
        corp_id: str = "",
    ) -> WecomApi:
        corp = self.corp
        known = (corp_id or corp.corp_id, secret or corp.secret)
        return WecomApi(url, *known, self.now, transport)

    async def say(self, api: WecomApi, words: str = "你好") -> Json:
        return await api.call("message/send", self.text(words=words))

    def text(self, to: str = READER, words: str = "你好") -> Json:
        return {"touser": to, "agentid": 1000002, "msgtype": "text", "text": {"content": words}}

    async def say_by_robot(self, api: WecomApi) -> Json:
        return await api.webhook("key", self.text())

    async def look_up(self, api: WecomApi) -> Json:
        return await api.call("user/get", query={"userid": READER})

    def refuse(self, path: str, code: Any, times: int | None = 1) -> None:
        self.api.fail(path, errcode=code, times=times)
