"""DingTalk's HTTP API: both halves of it, what is counted, and its pace."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest

from adapters.contract import DeliveryFailed
from adapters.dingtalk.api import DingtalkApi, DingtalkRefused
from adapters.dingtalk.errcodes import GET_TOKEN
from adapters.dingtalk.setup import Robot
from tests.apis.door import SUBSCRIPTIONS, TEXT, DingtalkDoor
from tests.platforms.dingtalk_api import TO_PEOPLE, USER, Api
from tests.platforms.dingtalk_model import Group, Org

TO_GROUP = "/v1.0/robot/groupMessages/send"
QPS = "Forbidden.AccessDenied.QpsLimitForAppkeyAndApi"


@pytest.fixture
def door() -> DingtalkDoor:
    return DingtalkDoor()


async def test_a_message(door: DingtalkDoor, org: Org, standin: Api, api: DingtalkApi) -> None:
    told = await door.say(api)
    assert told["processQueryKey"]
    assert org.last("lisi") == "你好"
    assert [(call.method, call.path) for call in standin.calls] == [
        ("POST", GET_TOKEN),
        ("POST", TO_PEOPLE),
    ]
    assert api.headers["date"].endswith("GMT")


async def test_the_older_half(standin: Api, api: DingtalkApi) -> None:
    told = await api.ask_old(USER, {"userid": "lisi"})
    assert told["result"]["name"] == "李四"
    with pytest.raises(DingtalkRefused) as found:
        await api.ask_old(USER, {"userid": "nobody"})
    assert (found.value.code, found.value.what) == ("60121", USER)
    assert standin.metered == 0


async def test_how_arguments_travel(door: DingtalkDoor, org: Org) -> None:
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        if request.url.path == GET_TOKEN:
            return httpx.Response(200, json={"accessToken": "t/+", "expireIn": 7200})
        return httpx.Response(200, json={"errcode": 0, "result": {}})

    async with door.opened("https://api.dingtalk.com", httpx.MockTransport(answer)) as api:
        await api.call("PUT", "/v1.0/card/instances", {"outTrackId": "你好 😀"})
        await api.ask_old(USER, {"userid": "lisi"})
        await api.call("GET", "/v1.0/robot/oToMessages/readStatus")
    token, changed, asked, got = seen
    assert json.loads(token.content) == {"appKey": org.client_id, "appSecret": org.client_secret}
    assert changed.method == "PUT"
    assert changed.headers["x-acs-dingtalk-access-token"] == "t/+"
    assert changed.content == '{"outTrackId":"你好 😀"}'.encode()
    assert changed.headers["content-type"] == "application/json"
    assert (asked.url.host, asked.url.query) == ("oapi.dingtalk.com", b"access_token=t%2F%2B")
    assert "x-acs-dingtalk-access-token" not in asked.headers
    assert (got.method, got.content) == ("GET", b"")


async def test_both_halves_share_a_token(
    door: DingtalkDoor, standin: Api, api: DingtalkApi
) -> None:
    await api.ask_old(USER, {"userid": "lisi"})
    await door.say(api)
    assert standin.token_calls == 1
    standin.expire_tokens()
    await api.ask_old(USER, {"userid": "lisi"})
    await door.say(api)
    assert standin.token_calls == 2


# --- what is counted


async def test_every_call_is_counted(
    door: DingtalkDoor, org: Org, standin: Api, group: Group, api: DingtalkApi
) -> None:
    """As DingTalk does: neither tokens nor people looked up."""
    made: Counter[str] = Counter()
    api.counted = lambda kind: made.update([kind])
    await door.say(api)
    await api.ask_old(USER, {"userid": "lisi"})
    await api.by_session(org.session_url(group.id), TEXT)
    await api.by_robot(Robot(*org.add_robot(group.id)), TEXT, door.now())
    await api.open_stream(SUBSCRIPTIONS)
    assert made == {"api": 1, "session": 1, "robot": 1, "open": 1}
    assert standin.metered == 1


async def test_what_may_have_been_taken_is_counted(door: DingtalkDoor, standin: Api) -> None:
    made: Counter[str] = Counter()
    async with door.opened_in_process() as api:
        api.counted = lambda kind: made.update([kind])
        standin.fail(TO_PEOPLE, "drop_after")
        await door.failed(api)
        assert made["api"] == standin.metered == 1
    await door.failed(api)
    assert made["api"] == 1, "after the end nothing was asked"


# --- the pace


@asynccontextmanager
async def paced(door: DingtalkDoor) -> AsyncIterator[DingtalkApi]:
    """With a clock that stands still unless the organisation's moves on."""
    began = door.org.now()

    def still() -> float:
        return round(door.org.now() - began)

    transport = httpx.ASGITransport(door.api.application())
    made = DingtalkApi(door.setup(), door.now, transport, still)
    await made.open()
    try:
        yield made
    finally:
        await made.close()


async def test_each_call_has_a_pace_of_its_own(
    door: DingtalkDoor, org: Org, standin: Api, group: Group
) -> None:
    async with paced(door) as api:
        answers = await door.all_of(api, 8)
        held = [one for one in answers if isinstance(one, DeliveryFailed)]
        assert [one.outcome for one in held] == ["paced"] * 3
        assert len(standin.calls_of(TO_PEOPLE)) == 5
        body = {**door.text(), "openConversationId": group.id}
        await api.call("POST", TO_GROUP, body)
        org.advance(1)
        await door.say(api)


async def test_who_can_wait_waits(door: DingtalkDoor) -> None:
    async with paced(door) as api:
        await door.all_of(api, 5)
        began = time.monotonic()
        await api.call("POST", TO_PEOPLE, door.text(), waits=True)
        assert time.monotonic() - began >= 1 / 15 - 0.001
        lookups = [api.ask_old(USER, {"userid": "lisi"}) for _ in range(7)]
        assert all("result" in one for one in await asyncio.gather(*lookups))


async def test_after_one_too_many_comes_a_pause(door: DingtalkDoor, org: Org, standin: Api) -> None:
    async with paced(door) as api:
        standin.fail(TO_PEOPLE, code=QPS)
        assert (await door.refused(api)).code == QPS
        found = await door.failed(api)
        assert found.outcome == "paced"
        assert found.after == pytest.approx(1.0)
        org.advance(1)
        await door.say(api)
