"""DingTalk's HTTP API: one token for all, every failure named, nothing secret in a log."""

from __future__ import annotations

import asyncio
import json
import logging
import socket
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from itertools import count, product
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from adapters.calls import Calls, deadline_in
from adapters.contract import DeliveryFailed
from adapters.dingtalk import api as dingtalk_api
from adapters.dingtalk.api import FOREIGN_WEBHOOK, DingtalkApi, DingtalkRefused
from adapters.dingtalk.errcodes import GET_TOKEN, IP_BAN, OPEN_STREAM
from adapters.dingtalk.setup import Robot, Setup
from adapters.dingtalk.signing import sign
from tests.platforms.dingtalk_api import ROBOT, SESSION, TO_PEOPLE, USER, Api
from tests.platforms.dingtalk_gateway import BOT, Gateway
from tests.platforms.dingtalk_http import HttpApi
from tests.platforms.dingtalk_model import Group, Json, Org
from tests.platforms.dingtalk_refusals import IP_BAN as BAN_BODY
from tests.platforms.dingtalk_refusals import PERMISSION
from tests.platforms.served import served

NOW = datetime(2026, 11, 23, 1, 0, tzinfo=UTC)
PAGE = b"<html>502 Bad Gateway</html>"
TEST = "http://dingtalk.test"
TO_GROUP = "/v1.0/robot/groupMessages/send"
QPS = "Forbidden.AccessDenied.QpsLimitForAppkeyAndApi"
SUBSCRIPTIONS = [{"type": "EVENT", "topic": "*"}, {"type": "CALLBACK", "topic": BOT}]
TEXT = {"msgtype": "text", "text": {"content": "你好"}}


@pytest.fixture
def org() -> Org:
    made = Org()
    made.add_member("lisi", "李四")
    made.add_member("wangwu", "王五")
    return made


@pytest.fixture
def group(org: Org) -> Group:
    return org.add_group("老师群", ["lisi", "wangwu"])


@pytest.fixture
def standin(org: Org) -> Api:
    made = Api(org, Gateway(org))
    made.enforce_pace(False)
    return made


@pytest.fixture(scope="module")
def served_api() -> Iterator[tuple[str, HttpApi]]:
    application = HttpApi(Api(Org()))
    with served(application) as address:
        yield address, application


@pytest.fixture
def origin(standin: Api, served_api: tuple[str, HttpApi]) -> str:
    """One server for all; each test has an organisation of its own behind it."""
    address, application = served_api
    application.api = standin
    return address


def setup_of(org: Org, url: str = TEST, **more: Any) -> Setup:
    return replace(Setup(url, org.client_id, org.client_secret, robot_code=org.robot_code), **more)


@asynccontextmanager
async def opened(
    org: Org, url: str = TEST, transport: httpx.AsyncBaseTransport | None = None, **more: Any
) -> AsyncIterator[DingtalkApi]:
    org.webhook_origin = url
    made = DingtalkApi(
        setup_of(org, url, **more),
        lambda: datetime.fromtimestamp(org.now(), UTC),
        transport,
        count(step=3600.0).__next__,  # never too soon
    )
    await made.open()
    try:
        yield made
    finally:
        await made.close()


def in_process(standin: Api) -> httpx.ASGITransport:
    return httpx.ASGITransport(standin.application())


@pytest.fixture(params=["over HTTP", "in process"])
async def api(org: Org, standin: Api, request: pytest.FixtureRequest) -> AsyncIterator[DingtalkApi]:
    if request.param == "over HTTP":
        async with opened(org, request.getfixturevalue("origin")) as made:
            yield made
    else:
        async with opened(org, TEST, in_process(standin)) as made:
            yield made


def text(words: str = "你好", *to: str) -> Json:
    return {
        "robotCode": Org().robot_code,
        "userIds": list(to or ("lisi",)),
        "msgKey": "sampleText",
        "msgParam": json.dumps({"content": words}, ensure_ascii=False),
    }


async def say(api: DingtalkApi, words: str = "你好") -> Json:
    return await api.call("POST", TO_PEOPLE, text(words))


async def failed(api: DingtalkApi) -> DeliveryFailed:
    with pytest.raises(DeliveryFailed) as found:
        await say(api)
    assert found.value.why
    return found.value


async def refused(api: DingtalkApi) -> DingtalkRefused:
    with pytest.raises(DingtalkRefused) as found:
        await say(api)
    assert str(found.value) == found.value.code
    return found.value


# --- what arrives


async def test_a_message(org: Org, standin: Api, api: DingtalkApi) -> None:
    told = await say(api)
    assert told["processQueryKey"]
    assert org.last("lisi") == "你好"
    assert [(call.method, call.path) for call in standin.calls] == [
        ("POST", GET_TOKEN),
        ("POST", TO_PEOPLE),
    ]
    assert api.headers["date"].endswith("GMT")


@pytest.mark.parametrize("slash", ["", "/"])
async def test_the_address_with_and_without_a_last_slash(
    org: Org, standin: Api, slash: str
) -> None:
    async with opened(org, TEST + slash, in_process(standin)) as api:
        await say(api)
        await api.ask_old(USER, {"userid": "lisi"})


async def test_the_older_half(standin: Api, api: DingtalkApi) -> None:
    told = await api.ask_old(USER, {"userid": "lisi"})
    assert told["result"]["name"] == "李四"
    with pytest.raises(DingtalkRefused) as found:
        await api.ask_old(USER, {"userid": "nobody"})
    assert (found.value.code, found.value.what) == ("60121", USER)
    assert standin.metered == 0


async def test_a_refusal_names_what_is_missing(
    standin: Api, api: DingtalkApi, caplog: pytest.LogCaptureFixture
) -> None:
    standin.fail(TO_PEOPLE, code=PERMISSION)
    found = await refused(api)
    assert (found.code, found.what, found.scopes) == (PERMISSION, TO_PEOPLE, ("Contact.User.Read",))
    assert "Contact.User.Read" in caplog.text
    assert api.trouble is None


async def test_a_call_with_a_name_of_its_own(standin: Api, api: DingtalkApi) -> None:
    standin.fail(TO_PEOPLE, code="param.invalid")
    with pytest.raises(DingtalkRefused) as found:
        await api.call("POST", TO_PEOPLE, text(), what="a batch")
    assert found.value.what == "a batch"


# --- webhooks


async def test_a_session_webhook(org: Org, standin: Api, group: Group, api: DingtalkApi) -> None:
    told = await api.by_session(org.session_url(group.id), TEXT)
    assert told["errcode"] == 0
    assert org.last(group.id) == "你好"
    assert standin.token_calls == 0


async def test_a_session_webhook_that_has_run_out(org: Org, group: Group, api: DingtalkApi) -> None:
    url = org.session_url(group.id)
    org.advance(5400)
    with pytest.raises(DingtalkRefused) as found:
        await api.by_session(url, TEXT)
    assert (found.value.code, found.value.what) == ("300001", SESSION)
    assert api.trouble is None


FOREIGN = [
    "https://evil.test/robot/sendBySession?session=1",
    "https://oapi.dingtalk.com.evil.test/robot/sendBySession?session=1",
    "https://oapi.dingtalk.com@evil.test/robot/sendBySession?session=1",
    "https://evil.test\\@oapi.dingtalk.com/robot/sendBySession",
    "https://oapi.dingtalk.com\\@evil.test/robot/sendBySession",
    "https://somebody@oapi.dingtalk.com/robot/sendBySession?session=1",
    "https://oapi.dingtalk.com:8443/robot/sendBySession?session=1",
    "https://oapi.dingtalk.cn/robot/sendBySession?session=1",
    "http://127.0.0.1/robot/sendBySession",
    "http://169.254.169.254/latest/meta-data",
    "ftp://oapi.dingtalk.com/robot/sendBySession",
    "file:///etc/passwd",
    "//oapi.dingtalk.com/robot/sendBySession",
    "/robot/sendBySession?session=1",
    "https://[::1/",
    "https://oapi.dingtalk.com:no/",
    "https://oapi.dingtalk.com/\x00",
    "",
]


@pytest.mark.parametrize("url", FOREIGN)
async def test_a_webhook_of_somebody_else(org: Org, standin: Api, url: str) -> None:
    """What a message names as the way back may be anything: nobody but DingTalk is called."""
    async with opened(org, TEST, in_process(standin)) as api:
        with pytest.raises(DeliveryFailed) as found:
            await api.by_session(url, TEXT)
        assert (found.value.outcome, found.value.why) == ("dead", FOREIGN_WEBHOOK)
    assert standin.calls == []


OURS = [
    "https://oapi.dingtalk.com/robot/sendBySession?session=1",
    "https://OAPI.dingtalk.com:443/robot/sendBySession?session=1",
    "https://api.dingtalk.io/robot/sendBySession?session=1",
]


@pytest.mark.parametrize("url", [*OURS, "http://oapi.dingtalk.com/robot/sendBySession?session=1"])
async def test_a_webhook_of_dingtalks(org: Org, url: str) -> None:
    seen: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(str(request.url))
        return httpx.Response(200, json={"errcode": 0})

    async with opened(org, "https://api.dingtalk.com", httpx.MockTransport(answer)) as api:
        if url.startswith("https"):
            await api.by_session(url, TEXT)
            assert seen == [url.replace("OAPI", "oapi").replace(":443", "")]
        else:
            with pytest.raises(DeliveryFailed, match=FOREIGN_WEBHOOK):
                await api.by_session(url, TEXT)
            assert seen == []


async def test_a_webhook_that_leads_elsewhere(org: Org) -> None:
    def answer(_request: httpx.Request) -> httpx.Response:
        return httpx.Response(302, headers={"Location": "http://127.0.0.1:1/"})

    async with opened(org, TEST, httpx.MockTransport(answer)) as api:
        with pytest.raises(DeliveryFailed) as found:
            await api.by_session(f"{TEST}/robot/sendBySession?session=1", TEXT)
        assert (found.value.outcome, found.value.why) == ("unknown", "an odd answer: HTTP 302")


@pytest.mark.parametrize("secret", [True, False], ids=["signed", "unsigned"])
async def test_a_custom_robot(
    org: Org, standin: Api, group: Group, api: DingtalkApi, secret: bool
) -> None:
    robot = Robot(*org.add_robot(group.id, secret))
    body = {
        "msgtype": "text",
        "text": {"content": "开会 @lisi"},
        "at": {"atUserIds": ["lisi"], "isAtAll": False},
    }
    assert (await api.by_robot(robot, body, now(org)))["errcode"] == 0
    (message,) = org.messages(group.id)
    assert message.at_users == ("lisi",)
    assert standin.token_calls == 0


def now(org: Org) -> datetime:
    return datetime.fromtimestamp(org.now(), UTC)


async def test_a_custom_robot_that_is_refused(org: Org, group: Group, api: DingtalkApi) -> None:
    token, secret = org.add_robot(group.id)
    for robot, code in ((Robot(token, secret + "x"), "310000"), (Robot("gone"), "300005")):
        with pytest.raises(DingtalkRefused) as found:
            await api.by_robot(robot, TEXT, now(org))
        assert (found.value.code, found.value.what) == (code, ROBOT)
    assert api.trouble is None


def test_the_signature() -> None:
    """Computed, for DingTalk publishes no expected value of its sample code."""
    assert sign("this is secret", "1577262236757") == "hmPWwU+7lVdm3ZZz0r9tSfx0L4Q26jWOZr9+Gs6EZQM="


async def test_the_signature_is_quoted_once(org: Org) -> None:
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, json={"errcode": 0, "errmsg": "ok"})

    at = datetime.fromtimestamp(1577262236.757, UTC)
    async with opened(org, "https://api.dingtalk.com", httpx.MockTransport(answer)) as api:
        await api.by_robot(Robot("t0k/+", "this is secret"), TEXT, at)
    (request,) = seen
    assert (request.method, request.url.host, request.url.path) == (
        "POST",
        "oapi.dingtalk.com",
        "/robot/send",
    )
    assert request.url.query == (
        b"access_token=t0k%2F%2B&timestamp=1577262236757"
        b"&sign=hmPWwU%2B7lVdm3ZZz0r9tSfx0L4Q26jWOZr9%2BGs6EZQM%3D"
    )


async def test_how_arguments_travel(org: Org) -> None:
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        if request.url.path == GET_TOKEN:
            return httpx.Response(200, json={"accessToken": "t/+", "expireIn": 7200})
        return httpx.Response(200, json={"errcode": 0, "result": {}})

    async with opened(org, "https://api.dingtalk.com", httpx.MockTransport(answer)) as api:
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


# --- the stream's door


async def test_a_line_is_asked_for(org: Org, standin: Api, api: DingtalkApi) -> None:
    url = await api.open_stream(SUBSCRIPTIONS)
    parts = urlsplit(url)
    assert parts.scheme in ("ws", "wss")
    assert parse_qs(parts.query)["ticket"][0]
    (call,) = standin.calls
    assert call.path == OPEN_STREAM
    assert call.body == {
        "clientId": org.client_id,
        "subscriptions": SUBSCRIPTIONS,
        "ua": "banzhang",
        "localIp": "127.0.0.1",
    }


async def test_a_ticket_is_quoted(org: Org) -> None:
    def answer(_request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json={"endpoint": "wss://here/connect", "ticket": "a b+/=&c"})

    async with opened(org, TEST, httpx.MockTransport(answer)) as api:
        url = await api.open_stream(SUBSCRIPTIONS)
    assert url == "wss://here/connect?ticket=a+b%2B%2F%3D%26c"


@pytest.mark.parametrize(
    "fault",
    [
        {"how": "drop"},
        {"how": "drop_after"},
        {"status": 502},
        {"status": 504, "body": b"{}"},
        {"body": b"{}"},
        {"body": b"[]"},
        {"body": {"endpoint": "wss://here", "ticket": ""}},
        {"body": {"endpoint": "wss://here", "ticket": 7}},
        {"body": {"endpoint": None, "ticket": "t"}},
    ],
    ids=str,
)
async def test_a_line_that_does_not_come(
    standin: Api, api: DingtalkApi, fault: dict[str, Any]
) -> None:
    """Nobody sees what was only asked for."""
    standin.fail(OPEN_STREAM, **fault)
    with pytest.raises(DeliveryFailed) as found:
        await api.open_stream(SUBSCRIPTIONS)
    assert found.value.outcome == "retry"
    assert await api.open_stream(SUBSCRIPTIONS)


async def test_a_line_that_takes_too_long(
    org: Org, standin: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dingtalk_api, "CALL_SECONDS", 0.05)
    standin.fail(OPEN_STREAM, slow=0.5)
    async with opened(org, TEST, in_process(standin)) as api:
        with pytest.raises(DeliveryFailed) as found:
            await api.open_stream(SUBSCRIPTIONS)
    assert found.value.outcome == "retry"


async def test_a_line_that_is_refused(org: Org, standin: Api, api: DingtalkApi) -> None:
    standin.fail(OPEN_STREAM, code="authFailed")
    with pytest.raises(DingtalkRefused) as found:
        await api.open_stream(SUBSCRIPTIONS)
    assert (found.value.code, found.value.what) == ("authFailed", OPEN_STREAM)
    assert api.trouble is not None
    await api.open_stream(SUBSCRIPTIONS)
    assert api.trouble is None


# --- the token


def tokens_and_sends(standin: Api) -> tuple[int, int]:
    return standin.token_calls, len(standin.calls_of(TO_PEOPLE))


async def all_of(api: DingtalkApi, times: int = 10) -> list[Any]:
    calls = (say(api, str(number)) for number in range(times))
    return await asyncio.gather(*calls, return_exceptions=True)


async def test_many_with_a_cold_token_get_one(standin: Api, api: DingtalkApi) -> None:
    assert all(told["processQueryKey"] for told in await all_of(api))
    assert tokens_and_sends(standin) == (1, 10)


async def test_many_with_a_token_that_ended_get_one_more(standin: Api, api: DingtalkApi) -> None:
    await all_of(api)
    standin.expire_tokens()
    assert all(told["processQueryKey"] for told in await all_of(api))
    tokens, sends = tokens_and_sends(standin)
    assert tokens == 2
    assert sends <= 30, "none was sent a third time"


async def test_both_halves_share_a_token(standin: Api, api: DingtalkApi) -> None:
    await api.ask_old(USER, {"userid": "lisi"})
    await say(api)
    assert standin.token_calls == 1
    standin.expire_tokens()
    await api.ask_old(USER, {"userid": "lisi"})
    await say(api)
    assert standin.token_calls == 2


async def test_a_token_is_renewed_before_its_end(org: Org, standin: Api, api: DingtalkApi) -> None:
    await say(api)
    org.advance(7200 - 301)
    await say(api)
    assert standin.token_calls == 1
    org.advance(2)
    await say(api)
    assert standin.token_calls == 2
    org.advance(300)
    await say(api)
    assert tokens_and_sends(standin) == (3, 4), "none was sent in vain"


async def test_a_token_that_is_never_good_is_tried_twice(standin: Api, api: DingtalkApi) -> None:
    standin.fail(TO_PEOPLE, code="InvalidAuthentication", times=None)
    assert (await refused(api)).code == "InvalidAuthentication"
    assert tokens_and_sends(standin) == (2, 2)
    assert api.trouble is None
    standin.heal()
    await say(api)


async def test_a_renewal_that_fails_fails_all_who_wait_once(standin: Api, api: DingtalkApi) -> None:
    standin.fail(GET_TOKEN, code="system.busy")
    answers = await all_of(api)
    assert [(one.code, one.what) for one in answers] == [("system.busy", GET_TOKEN)] * 10
    assert tokens_and_sends(standin) == (1, 0)
    assert api.trouble is None
    await say(api)
    assert tokens_and_sends(standin) == (2, 1)


@pytest.mark.parametrize(
    "fault",
    [
        {"how": "drop"},
        {"how": "drop_after"},
        {"status": 502},
        {"status": 500, "body": b"{}"},
        {"body": b"{}"},
        {"body": {"accessToken": "", "expireIn": 7200}},
        {"body": {"accessToken": "x", "expireIn": "7200"}},
    ],
    ids=str,
)
async def test_while_there_is_no_token_nothing_was_sent(
    standin: Api, api: DingtalkApi, fault: dict[str, Any]
) -> None:
    standin.fail(GET_TOKEN, **fault)
    assert (await failed(api)).outcome == "retry"
    assert standin.calls_of(TO_PEOPLE) == []
    await say(api)


async def test_a_token_that_does_not_come(
    standin: Api, api: DingtalkApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dingtalk_api, "CALL_SECONDS", 0.05)
    standin.fail(GET_TOKEN, slow=0.2)
    assert (await failed(api)).outcome == "retry"
    monkeypatch.undo()
    await say(api)


async def until_a_token_is_asked_for(standin: Api) -> None:
    await asyncio.to_thread(standin.org.wait_for, lambda: standin.token_calls)


async def test_who_waits_for_a_token_may_leave(standin: Api, api: DingtalkApi) -> None:
    """And takes it from nobody else."""
    standin.fail(GET_TOKEN, slow=0.05)
    first = asyncio.create_task(say(api))
    await until_a_token_is_asked_for(standin)
    second = asyncio.create_task(say(api))
    await asyncio.sleep(0)
    first.cancel()
    assert (await second)["processQueryKey"]
    assert first.cancelled()
    assert standin.token_calls == 1


async def test_a_token_nobody_waits_for_any_more_may_fail(standin: Api, api: DingtalkApi) -> None:
    standin.fail(GET_TOKEN, "drop")
    leaving = asyncio.create_task(say(api))
    await asyncio.sleep(0)
    leaving.cancel()
    await asyncio.wait([leaving])
    assert leaving.cancelled()
    await until_a_token_is_asked_for(standin)
    await asyncio.sleep(0.02)
    await say(api)


# --- what does not arrive


@pytest.mark.parametrize(
    "fault",
    [
        {"how": "drop"},
        {"how": "drop_after"},
        {"status": 500, "body": b""},
        {"status": 502},
        {"status": 503, "body": b"{}"},
        {"status": 504},
        {"status": 504, "body": {"code": "staffId.notExisted"}},
        {"status": 500, "body": {"code": "NobodyKnowsThis"}},
        {"status": 302, "body": b""},
        {"status": 404, "body": b"{}"},
        {"body": b""},
        {"body": b"[]"},
        {"body": b"{oops"},
        {"body": b"\xff"},
        {"body": b'{"a":' + b"[" * 100_000},
    ],
    ids=lambda fault: str(fault)[:60],
)
async def test_what_nobody_knows(
    org: Org, standin: Api, api: DingtalkApi, fault: dict[str, Any]
) -> None:
    """It is asked once: DingTalk may have taken it."""
    await say(api, "before")
    standin.fail(TO_PEOPLE, **fault)
    assert (await failed(api)).outcome == "unknown"
    assert len(standin.calls_of(TO_PEOPLE)) == 2
    assert len(org.messages("lisi")) == (2 if fault.get("how") == "drop_after" else 1)
    assert api.trouble is None
    await say(api, "again")
    assert org.last("lisi") == "again"


async def test_an_answer_that_does_not_come_in_time(
    org: Org, standin: Api, api: DingtalkApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    await say(api, "before")
    monkeypatch.setattr(dingtalk_api, "CALL_SECONDS", 0.05)
    standin.fail(TO_PEOPLE, slow=0.2)
    assert (await failed(api)).outcome == "unknown"
    assert org.last("lisi") == "你好"


@pytest.mark.parametrize("status", [200, 400, 403, 404, 500, 503])
async def test_a_code_counts_whatever_the_status(
    standin: Api, api: DingtalkApi, status: int
) -> None:
    standin.fail(TO_PEOPLE, code="system.busy", status=status)
    assert (await refused(api)).code == "system.busy"


async def test_a_code_that_is_nothing_is_none(standin: Api, api: DingtalkApi) -> None:
    standin.fail(TO_PEOPLE, body={"code": "", "processQueryKey": "k"})
    assert (await say(api))["processQueryKey"] == "k"


async def test_dingtalk_out_of_reach(org: Org) -> None:
    async with opened(org, "http://127.0.0.1:1") as api:
        why = "DingTalk is not reachable: ConnectError"
        found = await failed(api)
        assert (found.outcome, found.why) == ("retry", why)
        with pytest.raises(DeliveryFailed, match=why):
            await api.open_stream(SUBSCRIPTIONS)
        with pytest.raises(DeliveryFailed, match=why):
            await api.by_robot(Robot("t"), TEXT, NOW)


@pytest.mark.parametrize("url", ["ftp://127.0.0.1", "127.0.0.1"])
async def test_an_address_that_is_none(org: Org, url: str) -> None:
    async with opened(org, url) as api:
        assert (await failed(api)).outcome == "retry"


async def test_before_the_beginning_and_after_the_end(org: Org, standin: Api) -> None:
    api = DingtalkApi(setup_of(org), lambda: NOW)
    assert (await failed(api)).outcome == "retry"
    await api.close()
    async with opened(org, TEST, in_process(standin)) as api:
        await say(api)
    found = await failed(api)
    assert (found.outcome, found.why) == ("retry", "the DingTalk session is not open")
    await api.close()


async def test_no_time_left(org: Org) -> None:
    calls = Calls("DingTalk")
    await calls.open()
    with pytest.raises(DeliveryFailed) as found:
        await calls.ask("POST", "http://127.0.0.1:1/", deadline_in(0))
    assert found.value.outcome == "retry", "it was surely not asked"
    await calls.close()


async def test_the_end_is_quick_even_while_dingtalk_is_silent(org: Org) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        api = DingtalkApi(setup_of(org, url), lambda: NOW)
        await api.open()
        waiting = asyncio.create_task(failed(api))
        sending = asyncio.create_task(api.by_robot(Robot("t"), TEXT, NOW))
        await asyncio.sleep(0.05)
        began = time.monotonic()
        await api.close()
        assert time.monotonic() - began < 1
        assert (await waiting).outcome == "retry", "it never got its token"
        with pytest.raises(DeliveryFailed) as found:
            await sending
        assert found.value.outcome == "unknown"


# --- an address that DingTalk does not listen to


@pytest.mark.parametrize(
    "fault",
    [
        {"body": BAN_BODY},
        {"status": 403, "body": BAN_BODY},
        {"status": 403, "body": b"  <!doctype html><html></html>"},
    ],
    ids=lambda fault: str(fault)[:60],
)
async def test_a_ban(org: Org, standin: Api, group: Group, fault: dict[str, Any]) -> None:
    """Nobody asks any more for five minutes, by whichever way."""
    async with opened(org, TEST, in_process(standin)) as api:
        await say(api, "before")
        standin.fail(TO_PEOPLE, **fault)
        found = await failed(api)
        assert (found.outcome, found.why, found.after, found.scope) == (
            "retry",
            IP_BAN,
            300.0,
            "platform",
        )
        asked = len(standin.calls)
        org.advance(200)
        ways = (
            say(api),
            api.ask_old(USER, {"userid": "lisi"}),
            api.open_stream(SUBSCRIPTIONS),
            api.by_session(org.session_url(group.id), TEXT),
            api.by_robot(Robot("t"), TEXT, now(org)),
        )
        for rested in await asyncio.gather(*ways, return_exceptions=True):
            assert isinstance(rested, DeliveryFailed)
            assert (rested.outcome, rested.why, rested.scope) == ("retry", IP_BAN, "platform")
            assert rested.after == pytest.approx(100, abs=2)
        assert len(standin.calls) == asked
        org.advance(101)
        await say(api, "again")
        assert org.last("lisi") == "again"
        assert api.trouble is None


# --- trouble


async def test_a_wrong_secret(org: Org, standin: Api, caplog: pytest.LogCaptureFixture) -> None:
    more = {"client_secret": "wrong-secret"}
    async with opened(org, TEST, in_process(standin), **more) as api:
        answers = await all_of(api)
        assert {(one.code, one.what) for one in answers} == {("invalidClientIdOrSecret", GET_TOKEN)}
        assert tokens_and_sends(standin) == (1, 0)
        assert api.trouble is not None
        assert api.trouble.startswith("DingTalk refuses the app since 20")
        assert api.trouble.endswith(" UTC: invalidClientIdOrSecret")
        await refused(api)
    critical = [one for one in caplog.records if one.levelno == logging.CRITICAL]
    assert len(critical) == 1, "said once"
    assert "wrong-secret" not in caplog.text


async def test_what_ends_trouble(standin: Api, api: DingtalkApi) -> None:
    """A wrong robot code is not wrong no more because people can be looked up."""
    standin.fail(TO_PEOPLE, code="invalidParameter.robotCode.auth")
    await refused(api)
    assert api.trouble is not None
    first = api.trouble
    standin.fail(GET_TOKEN, code="authFailed")
    await api.ask_old(USER, {"userid": "lisi"})
    await api.open_stream(SUBSCRIPTIONS)
    assert api.trouble == first
    assert api.refused is not None
    assert api.refused.what == TO_PEOPLE
    await say(api)
    cleared: tuple[str | None, DingtalkRefused | None] = (api.trouble, api.refused)
    assert cleared == (None, None)


async def test_anything_that_works_shows_that_the_secret_is_right(
    standin: Api, api: DingtalkApi
) -> None:
    standin.fail(GET_TOKEN, code="invalid.client")
    await refused(api)
    assert api.trouble is not None
    await api.ask_old(USER, {"userid": "lisi"})
    assert api.trouble is None


@pytest.mark.parametrize(
    "code", ["system.busy", QPS, PERMISSION, "staffId.notExisted", "param.invalid"]
)
async def test_other_codes_are_no_trouble(standin: Api, api: DingtalkApi, code: str) -> None:
    standin.fail(TO_PEOPLE, code=code)
    assert (await refused(api)).code == code
    assert api.trouble is None


# --- what is counted


async def test_every_call_is_counted(
    org: Org, standin: Api, group: Group, api: DingtalkApi
) -> None:
    """As DingTalk does: neither tokens nor people looked up."""
    made: Counter[str] = Counter()
    api.counted = lambda kind: made.update([kind])
    await say(api)
    await api.ask_old(USER, {"userid": "lisi"})
    await api.by_session(org.session_url(group.id), TEXT)
    await api.by_robot(Robot(*org.add_robot(group.id)), TEXT, now(org))
    await api.open_stream(SUBSCRIPTIONS)
    assert made == {"api": 1, "session": 1, "robot": 1, "open": 1}
    assert standin.metered == 1


async def test_what_may_have_been_taken_is_counted(org: Org, standin: Api) -> None:
    made: Counter[str] = Counter()
    async with opened(org, TEST, in_process(standin)) as api:
        api.counted = lambda kind: made.update([kind])
        standin.fail(TO_PEOPLE, "drop_after")
        await failed(api)
        assert made["api"] == standin.metered == 1
    await failed(api)
    assert made["api"] == 1, "after the end nothing was asked"


# --- the pace


@asynccontextmanager
async def paced(org: Org, standin: Api) -> AsyncIterator[DingtalkApi]:
    """With a clock that stands still unless `org` moves on."""
    moved = org.now()

    def still() -> float:
        return round(org.now() - moved)

    made = DingtalkApi(setup_of(org), lambda: now(org), in_process(standin), still)
    await made.open()
    try:
        yield made
    finally:
        await made.close()


async def test_each_call_has_a_pace_of_its_own(org: Org, standin: Api, group: Group) -> None:
    async with paced(org, standin) as api:
        answers = await all_of(api, 8)
        held = [one for one in answers if isinstance(one, DeliveryFailed)]
        assert [one.outcome for one in held] == ["paced"] * 3
        assert len(standin.calls_of(TO_PEOPLE)) == 5
        body = {**text(), "openConversationId": group.id}
        await api.call("POST", TO_GROUP, body)
        org.advance(1)
        await say(api)


async def test_who_can_wait_waits(org: Org, standin: Api) -> None:
    async with paced(org, standin) as api:
        await all_of(api, 5)
        began = time.monotonic()
        await api.call("POST", TO_PEOPLE, text(), waits=True)
        assert time.monotonic() - began >= 1 / 15 - 0.001
        lookups = [api.ask_old(USER, {"userid": "lisi"}) for _ in range(7)]
        assert all("result" in one for one in await asyncio.gather(*lookups))


async def test_after_one_too_many_comes_a_pause(org: Org, standin: Api) -> None:
    async with paced(org, standin) as api:
        standin.fail(TO_PEOPLE, code=QPS)
        assert (await refused(api)).code == QPS
        found = await failed(api)
        assert found.outcome == "paced"
        assert found.after == pytest.approx(1.0)
        org.advance(1)
        await say(api)


# --- logs


async def test_nothing_secret_is_logged(
    org: Org, standin: Api, origin: str, group: Group, caplog: pytest.LogCaptureFixture
) -> None:
    token, secret = org.add_robot(group.id)
    said: list[str] = []
    with caplog.at_level(logging.DEBUG):
        async with opened(org, origin) as api:
            url = org.session_url(group.id)
            await say(api, "my salary")
            standin.expire_tokens()
            await api.ask_old(USER, {"userid": "lisi"})
            await api.by_session(url, {"msgtype": "text", "text": {"content": "my salary"}})
            await api.by_robot(Robot(token, secret), TEXT, now(org))
            line = await api.open_stream(SUBSCRIPTIONS)
            ways: list[tuple[str, Callable[[], Awaitable[object]]]] = [
                (TO_PEOPLE, lambda: say(api, "my salary")),
                (SESSION, lambda: api.by_session(url, TEXT)),
                (ROBOT, lambda: api.by_robot(Robot(token, secret), TEXT, now(org))),
                (OPEN_STREAM, lambda: api.open_stream(SUBSCRIPTIONS)),
            ]
            faults: list[dict[str, Any]] = [
                {"how": "drop"},
                {"status": 502},
                {"code": "authFailed"},
            ]
            for (path, way), fault in product(ways, faults):
                standin.fail(path, **fault)
                with pytest.raises((DeliveryFailed, DingtalkRefused)) as found:
                    await way()
                said += [str(found.value), repr(found.value), str(found.value.__cause__)]
            with pytest.raises(DeliveryFailed) as found:
                await api.by_session("https://evil.test/?session=stolen", TEXT)
            said += [str(found.value), str(found.value.__cause__), str(api.trouble), repr(api)]
    ours = [one for one in caplog.records if one.name != "uvicorn.access"]  # the stand-in's
    logged = "\n".join([logging.Formatter().format(one) for one in ours] + said)
    assert "HTTP Request: POST" in logged, "httpx does log, and what it logs was looked at"
    ticket = parse_qs(urlsplit(line).query)["ticket"][0]
    session = url.rpartition("=")[2]
    secrets = (org.client_secret, token, secret, session, ticket, "stolen", *standin._tokens)
    for one in (*secrets, "salary", "access_token", "session=", "sign="):
        assert one not in logged
