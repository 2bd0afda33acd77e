"""WeCom's HTTP API: one token for all, every failure named, nothing secret in a log."""

from __future__ import annotations

import asyncio
import logging
import socket
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from adapters.contract import DeliveryFailed
from adapters.wecom import api as wecom_api
from adapters.wecom.api import WecomApi, WecomRefused, unreached
from adapters.wecom.errcodes import (
    CODES,
    GET_TOKEN,
    INVALID_USER,
    UNLICENSED,
    Kind,
    failure,
    kind_of,
    told_ip,
)
from tests.platforms.served import served
from tests.platforms.wecom_api import Api
from tests.platforms.wecom_http import HttpApi
from tests.platforms.wecom_model import Corp, Json

NOW = datetime(2026, 11, 23, 1, 0, tzinfo=UTC)
HTML = b"<html>502 Bad Gateway</html>"


@pytest.fixture
def corp() -> Corp:
    made = Corp()
    made.add_member("ZhangSan", "张三")
    made.add_member("LiSi", "李四")
    return made


@pytest.fixture
def standin(corp: Corp) -> Api:
    return Api(corp)


@pytest.fixture(scope="module")
def served_api() -> Iterator[tuple[str, HttpApi]]:
    application = HttpApi(Api(Corp()))
    with served(application) as address:
        yield address, application


@pytest.fixture
def origin(standin: Api, served_api: tuple[str, HttpApi]) -> str:
    """One server for all; each test has a corp of its own behind it."""
    address, application = served_api
    application.api = standin
    return address


@asynccontextmanager
async def opened(
    corp: Corp, url: str, transport: httpx.AsyncBaseTransport | None = None, **more: str
) -> AsyncIterator[WecomApi]:
    made = WecomApi(
        url,
        more.get("corp_id", corp.corp_id),
        more.get("secret", corp.secret),
        lambda: datetime.fromtimestamp(corp.now(), UTC),
        transport,
    )
    await made.open()
    yield made
    await made.close()


def in_process(standin: Api) -> httpx.ASGITransport:
    return httpx.ASGITransport(standin.application())


@pytest.fixture(params=["over HTTP", "in process"])
async def api(corp: Corp, standin: Api, request: pytest.FixtureRequest) -> AsyncIterator[WecomApi]:
    if request.param == "over HTTP":
        async with opened(corp, request.getfixturevalue("origin")) as made:
            yield made
    else:
        async with opened(corp, "http://wecom.test", in_process(standin)) as made:
            yield made


def text(to: str = "zhangsan", words: str = "你好") -> Json:
    return {
        "touser": to,
        "agentid": 1000002,
        "msgtype": "text",
        "text": {"content": words},
    }


async def failed(api: WecomApi, path: str = "message/send", body: Json | None = None) -> str:
    """The outcome of a call that fails; its reason is checked to be there."""
    with pytest.raises(DeliveryFailed) as found:
        await api.call(path, body or text())
    assert found.value.why
    return found.value.outcome


async def refused(api: WecomApi, path: str = "message/send", body: Json | None = None) -> int:
    with pytest.raises(WecomRefused) as found:
        await api.call(path, body or text())
    return found.value.code


# --- what arrives


async def test_a_message(corp: Corp, standin: Api, api: WecomApi) -> None:
    told = await api.call("message/send", text())
    assert told["errcode"] == 0
    assert corp.last("zhangsan") == "你好"
    assert (await api.call("user/get", query={"userid": "LISI"}))["name"] == "李四"
    assert [(call.method, call.path) for call in standin.calls] == [
        ("GET", "gettoken"),
        ("POST", "message/send"),
        ("GET", "user/get"),
    ]


@pytest.mark.parametrize("slash", ["", "/"])
async def test_the_address_with_and_without_a_last_slash(
    corp: Corp, standin: Api, slash: str
) -> None:
    async with opened(corp, f"http://wecom.test{slash}", in_process(standin)) as api:
        assert await api.call("message/send", text())


async def test_an_answer_with_its_headers(api: WecomApi) -> None:
    told = await api.ask("message/send", text())
    assert told.body["errmsg"] == "ok"
    assert told.headers["date"].endswith("GMT")


async def test_a_query_beside_the_token(standin: Api, api: WecomApi) -> None:
    await api.call("agent/get", query={"agentid": 1000002})
    (call,) = standin.calls_of("agent/get")
    assert call.query == {"agentid": "1000002"}
    menu = {"button": [{"type": "click", "name": "打卡", "key": "checkin"}]}
    await api.call("menu/create", menu, query={"agentid": 1000002})
    assert standin.corp.menu == menu


async def test_a_part_of_the_receivers(corp: Corp, api: WecomApi) -> None:
    """That it did not reach everybody is an answer, and no failure."""
    corp.add_member("WangWu", "王五", licensed=False)
    corp.add_member("Gone", "走了", visible=False)
    told = await api.call("message/send", text("ZhangSan|WangWu|Gone|Nobody"))
    assert unreached(told) == {
        "wangwu": UNLICENSED,
        "gone": INVALID_USER,
        "nobody": INVALID_USER,
    }
    assert corp.last("zhangsan") == "你好"
    assert unreached(await api.call("message/send", text())) == {}
    assert await refused(api, body=text("nobody|gone")) == 81013


@pytest.mark.parametrize(
    ("answer", "found"),
    [
        ({}, {}),
        ({"invaliduser": "", "unlicenseduser": ""}, {}),
        ({"invaliduser": "A||b|"}, {"a": INVALID_USER, "b": INVALID_USER}),
        ({"invaliduser": "a", "unlicenseduser": "A"}, {"a": INVALID_USER}),
        ({"invaliduser": ["a"], "unlicenseduser": None}, {}),
    ],
)
def test_who_was_not_reached(answer: Json, found: dict[str, str]) -> None:
    assert unreached(answer) == found


async def test_a_file(corp: Corp, standin: Api, api: WecomApi) -> None:
    content = "姓名,工时\r\n小李,8\r\n".encode()
    media_id = await api.upload('工时 "1".csv', content)
    name, kept = corp.media[media_id]
    assert name.startswith("工时 ")
    assert name.endswith(".csv")
    assert kept == content
    (call,) = standin.calls_of("media/upload")
    assert call.query == {"type": "file"}


async def test_a_file_that_wecom_refuses(corp: Corp, api: WecomApi) -> None:
    with pytest.raises(WecomRefused) as found:
        await api.upload("a.csv", b"")
    assert found.value.what == "media/upload"
    assert corp.media == {}


@pytest.mark.parametrize(
    "fault",
    [{"how": "drop"}, {"how": "drop_after"}, {"status": 502}, {"body": b'{"errcode": 0}'}],
    ids=str,
)
async def test_a_file_of_doubt_goes_up_again(
    corp: Corp, standin: Api, api: WecomApi, fault: dict[str, Any]
) -> None:
    """Nobody sees what was only uploaded."""
    key = corp.add_webhook(corp.add_group("客房").chatid)

    async def upload(path: str) -> str:
        if path == "media/upload":
            return await api.upload("a.csv", b"hello world")
        return await api.webhook_upload(key, "a.csv", b"hello world")

    for path in ("media/upload", "webhook/upload_media"):
        standin.fail(path, **fault)
        with pytest.raises(DeliveryFailed) as found:
            await upload(path)
        assert found.value.outcome == "retry"
        assert await upload(path)


# --- a group's webhook


async def test_a_webhook(corp: Corp, standin: Api, api: WecomApi) -> None:
    group = corp.add_group("客房", ["zhangsan"])
    key = corp.add_webhook(group.chatid)
    body = {"msgtype": "text", "text": {"content": "开会", "mentioned_list": ["zhangsan"]}}
    assert (await api.webhook(key, body))["errcode"] == 0
    assert corp.last(group.chatid) == "开会"
    media_id = await api.webhook_upload(key, "工时.csv", b"name,hours\n")
    await api.webhook(key, {"msgtype": "file", "file": {"media_id": media_id}})
    assert corp.messages(group.chatid)[-1].file == ("工时.csv", b"name,hours\n")
    assert standin.token_calls == 0


async def test_a_webhook_that_was_removed(api: WecomApi) -> None:
    with pytest.raises(WecomRefused) as found:
        await api.webhook("gone", {"msgtype": "text", "text": {"content": "x"}})
    assert (found.value.code, found.value.what) == (93000, "webhook/send")
    assert api.trouble is None


@pytest.mark.parametrize(
    "fault", [{"how": "drop"}, {"how": "drop_after"}, {"status": 503}], ids=str
)
async def test_a_webhook_of_doubt(
    corp: Corp, standin: Api, api: WecomApi, fault: dict[str, Any]
) -> None:
    group = corp.add_group("客房", ["zhangsan"])
    key = corp.add_webhook(group.chatid)
    standin.fail("webhook/send", **fault)
    with pytest.raises(DeliveryFailed) as found:
        await api.webhook(key, {"msgtype": "text", "text": {"content": "x"}})
    assert found.value.outcome == "unknown"


# --- the token


def tokens_and_sends(standin: Api) -> tuple[int, int]:
    return standin.token_calls, len(standin.calls_of("message/send"))


async def all_of(api: WecomApi, times: int = 10) -> list[Any]:
    calls = (api.call("message/send", text(words=str(number))) for number in range(times))
    return await asyncio.gather(*calls, return_exceptions=True)


async def test_many_with_a_cold_token_get_one(standin: Api, api: WecomApi) -> None:
    assert all(told["errcode"] == 0 for told in await all_of(api))
    assert tokens_and_sends(standin) == (1, 10)


async def test_many_with_a_token_that_ended_get_one_more(standin: Api, api: WecomApi) -> None:
    await all_of(api)
    standin.expire_tokens()
    assert all(told["errcode"] == 0 for told in await all_of(api))
    tokens, sends = tokens_and_sends(standin)
    assert tokens == 2
    assert sends <= 30, "none was sent a third time"


async def test_a_token_is_renewed_before_its_end(corp: Corp, standin: Api, api: WecomApi) -> None:
    await api.call("message/send", text())
    corp.advance(7200 - 301)
    await api.call("message/send", text())
    assert standin.token_calls == 1
    corp.advance(2)
    await api.call("message/send", text())
    await api.call("message/send", text())
    assert standin.token_calls == 2
    corp.advance(300)
    await api.call("message/send", text())
    assert tokens_and_sends(standin) == (3, 5), "none was sent in vain"


@pytest.mark.parametrize("ended", [Api.expire_tokens, Api.forget_tokens], ids=["42001", "40014"])
async def test_a_token_that_ends_early(
    corp: Corp, standin: Api, api: WecomApi, ended: Callable[[Api], None]
) -> None:
    await api.call("message/send", text())
    ended(standin)
    await api.call("message/send", text(words="again"))
    assert corp.last("zhangsan") == "again"
    assert tokens_and_sends(standin) == (2, 3)


@pytest.mark.parametrize("code", [40014, 42001])
async def test_a_token_that_is_never_good_is_tried_twice(
    standin: Api, api: WecomApi, code: int
) -> None:
    standin.fail("message/send", errcode=code, times=None)
    assert await refused(api) == code
    assert tokens_and_sends(standin) == (2, 2)
    assert api.trouble is None
    standin.heal()
    assert await api.call("message/send", text())


async def test_a_file_with_a_token_that_ended(corp: Corp, standin: Api, api: WecomApi) -> None:
    await api.call("message/send", text())
    standin.expire_tokens()
    assert corp.media[await api.upload("a.csv", b"hello world")] == ("a.csv", b"hello world")


async def test_a_renewal_that_fails_fails_all_who_wait_once(standin: Api, api: WecomApi) -> None:
    standin.fail(GET_TOKEN, errcode=-1)
    answers = await all_of(api)
    assert [one.code for one in answers] == [-1] * 10
    assert {one.what for one in answers} == {GET_TOKEN}
    assert tokens_and_sends(standin) == (1, 0)
    await api.call("message/send", text())
    assert tokens_and_sends(standin) == (2, 1)


@pytest.mark.parametrize(
    "fault",
    [
        {"how": "drop"},
        {"how": "drop_after"},
        {"status": 502},
        {"body": HTML},
        {"body": b'{"errcode": 0}'},
        {"body": b'{"errcode": 0, "access_token": "", "expires_in": 7200}'},
        {"body": b'{"errcode": 0, "access_token": "x", "expires_in": "7200"}'},
    ],
    ids=str,
)
async def test_while_there_is_no_token_nothing_was_sent(
    standin: Api, api: WecomApi, fault: dict[str, Any]
) -> None:
    standin.fail(GET_TOKEN, **fault)
    assert await failed(api) == "retry"
    assert standin.calls_of("message/send") == []
    assert await api.call("message/send", text())


async def test_a_token_that_does_not_come(
    standin: Api, api: WecomApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wecom_api, "CALL_SECONDS", 0.1)
    standin.fail(GET_TOKEN, slow=0.5)
    assert await failed(api) == "retry"
    monkeypatch.undo()
    assert await api.call("message/send", text())


async def test_who_waits_for_a_token_may_leave(standin: Api, api: WecomApi) -> None:
    """And takes it from nobody else."""
    standin.fail(GET_TOKEN, slow=0.1)
    first = asyncio.create_task(api.call("message/send", text()))
    await asyncio.sleep(0.02)
    second = asyncio.create_task(api.call("message/send", text()))
    await asyncio.sleep(0)
    first.cancel()
    assert (await second)["errcode"] == 0
    assert first.cancelled()
    assert standin.token_calls == 1


async def test_a_token_nobody_waits_for_any_more_may_fail(standin: Api, api: WecomApi) -> None:
    standin.fail(GET_TOKEN, "drop", slow=0.0)
    leaving = asyncio.create_task(api.call("message/send", text()))
    await asyncio.sleep(0)
    leaving.cancel()
    await asyncio.wait([leaving])
    assert leaving.cancelled()
    await asyncio.sleep(0.05)
    assert await api.call("message/send", text())


# --- what does not arrive


@pytest.mark.parametrize(
    "fault",
    [
        {"how": "drop"},
        {"how": "drop_after"},
        {"status": 500},
        {"status": 502},
        {"status": 503, "body": b""},
        {"status": 503, "body": b"{}"},
        {"status": 302, "body": b""},
        {"status": 403, "body": b'{"message": "no"}'},
        {"body": HTML},
        {"body": b"[]"},
        {"body": b"{oops"},
        {"body": b"\xff"},
        {"body": b'{"errmsg": "ok"}'},
        {"body": b'{"errcode": "0"}'},
        {"body": b'{"errcode": null}'},
        {"body": b'{"a":' + b"[" * 100_000},
    ],
    ids=lambda fault: str(fault)[:60],
)
async def test_what_nobody_knows(
    corp: Corp, standin: Api, api: WecomApi, fault: dict[str, Any]
) -> None:
    """It is asked once: WeCom may have taken it."""
    await api.call("user/get", query={"userid": "zhangsan"})
    standin.fail("message/send", **fault)
    assert await failed(api) == "unknown"
    assert len(standin.calls_of("message/send")) == 1
    assert len(corp.messages("zhangsan")) == (1 if fault.get("how") == "drop_after" else 0)
    assert api.trouble is None
    await api.call("message/send", text(words="again"))
    assert corp.last("zhangsan") == "again"


async def test_an_answer_that_does_not_come_in_time(
    corp: Corp, standin: Api, api: WecomApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    await api.call("user/get", query={"userid": "zhangsan"})
    monkeypatch.setattr(wecom_api, "CALL_SECONDS", 0.1)
    standin.fail("message/send", slow=0.5)
    assert await failed(api) == "unknown"
    assert corp.last("zhangsan") == "你好"


async def test_an_errcode_counts_whatever_the_status(standin: Api, api: WecomApi) -> None:
    standin.fail("message/send", status=500, body=b'{"errcode": -1, "errmsg": "busy"}')
    assert await refused(api) == -1


async def test_wecom_out_of_reach(corp: Corp) -> None:
    async with opened(corp, "http://127.0.0.1:1") as api:
        with pytest.raises(DeliveryFailed) as found:
            await api.webhook("key", text())
        assert (found.value.outcome, found.value.why) == (
            "retry",
            "WeCom is not reachable: ConnectError",
        )
        assert await failed(api) == "retry"


@pytest.mark.parametrize("url", ["ftp://127.0.0.1", "127.0.0.1"])
async def test_an_address_that_is_none(corp: Corp, url: str) -> None:
    async with opened(corp, url) as api:
        assert await failed(api) == "retry"


async def test_before_the_beginning_and_after_the_end(corp: Corp, standin: Api) -> None:
    api = WecomApi("http://wecom.test", corp.corp_id, corp.secret, lambda: NOW)
    assert await failed(api) == "retry"
    await api.close()
    async with opened(corp, "http://wecom.test", in_process(standin)) as api:
        await api.call("message/send", text())
    with pytest.raises(DeliveryFailed) as found:
        await api.call("message/send", text())
    assert (found.value.outcome, found.value.why) == (
        "retry",
        "the WeCom session is not open",
    )
    await api.close()


async def test_the_end_is_quick_even_while_wecom_is_silent(corp: Corp) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        api = WecomApi(
            f"http://127.0.0.1:{silent.getsockname()[1]}", corp.corp_id, corp.secret, lambda: NOW
        )
        await api.open()
        waiting = asyncio.create_task(failed(api))
        sending = asyncio.create_task(api.webhook("key", text()))
        await asyncio.sleep(0.05)
        began = time.monotonic()
        await api.close()
        assert time.monotonic() - began < 1
        assert await waiting == "retry", "it never got its token"
        with pytest.raises(DeliveryFailed) as found:
            await sending
        assert found.value.outcome == "unknown"


# --- proxies


@asynccontextmanager
async def proxy(answer: bytes) -> AsyncIterator[tuple[str, list[bytes]]]:
    """One that answers everything like this; and the first lines of what it was asked."""
    asked: list[bytes] = []

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append((await reader.readuntil(b"\r\n\r\n")).split(b"\r\n")[0])
        writer.write(answer)
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(talk, "127.0.0.1", 0) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", asked


async def test_a_proxy_of_the_environment(corp: Corp, monkeypatch: pytest.MonkeyPatch) -> None:
    said = b'{"errcode":0}'
    answer = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 13\r\n\r\n" + said
    async with proxy(answer) as (address, asked):
        monkeypatch.setenv("HTTP_PROXY", address)
        async with opened(corp, "http://wecom.test") as api:
            assert await api.webhook("k", text()) == {"errcode": 0}
    assert asked == [b"POST http://wecom.test/cgi-bin/webhook/send?key=k HTTP/1.1"]


async def test_a_proxy_that_lets_nothing_through(
    corp: Corp, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with proxy(b"HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n") as (address, asked):
        monkeypatch.setenv("HTTPS_PROXY", address)
        async with opened(corp, "https://wecom.test") as api:
            with pytest.raises(DeliveryFailed) as found:
                await api.webhook("k", text())
            assert (found.value.outcome, found.value.why) == (
                "retry",
                "WeCom is not reachable: ProxyError",
            )
    assert asked == [b"CONNECT wecom.test:443 HTTP/1.1"]


# --- how arguments travel


async def test_json_travels_as_it_is() -> None:
    """Of \\uXXXX WeCom says 40033."""
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, json={"errcode": 0, "access_token": "t/+", "expires_in": 7200})

    api = WecomApi("http://wecom.test", "c", "s&=", lambda: NOW, httpx.MockTransport(answer))
    await api.open()
    await api.call("message/send", {"text": {"content": "你好 😀"}})
    await api.close()
    token, sent = seen
    assert token.url.query == b"corpid=c&corpsecret=s%26%3D"
    assert token.method == "GET"
    assert sent.url.query == b"access_token=t%2F%2B"
    assert sent.content == '{"text":{"content":"你好 😀"}}'.encode()
    assert sent.headers["content-type"] == "application/json"


# --- trouble


async def test_a_wrong_secret(corp: Corp, standin: Api, caplog: pytest.LogCaptureFixture) -> None:
    async with opened(corp, "http://wecom.test", in_process(standin), secret="wrong-secret") as api:
        answers = await all_of(api)
        assert [(one.code, one.what) for one in answers] == [(40001, GET_TOKEN)] * 10
        assert tokens_and_sends(standin) == (1, 0)
        assert api.trouble is not None
        assert api.trouble.startswith("WeCom refuses the app since 20")
        assert "40001" in api.trouble
        assert await refused(api) == 40001
    critical = [one for one in caplog.records if one.levelno == logging.CRITICAL]
    assert len(critical) == 1, "said once"
    assert "wrong-secret" not in caplog.text


async def test_another_corp(corp: Corp, standin: Api) -> None:
    async with opened(
        corp, "http://wecom.test", in_process(standin), corp_id="ww0000000000000000"
    ) as api:
        assert await refused(api) == 40013
        assert "40013" in str(api.trouble)


async def test_an_address_that_is_not_trusted(corp: Corp, standin: Api, api: WecomApi) -> None:
    corp.trusted_ips = {"198.51.100.1"}
    with pytest.raises(WecomRefused) as found:
        await api.call("message/send", text())
    assert (found.value.code, found.value.ip) == (60020, "203.0.113.7")
    assert str(found.value) == "60020"
    assert api.trouble is not None
    assert api.trouble.endswith(": 60020 (we call from 203.0.113.7)")
    assert api.refused is found.value
    corp.trusted_ips = None
    await api.call("user/get", query={"userid": "zhangsan"}, quietly=True)
    assert api.trouble is not None
    await api.call("user/get", query={"userid": "zhangsan"})
    cleared: tuple[str | None, WecomRefused | None] = (api.trouble, api.refused)
    assert cleared == (None, None)


async def test_what_is_asked_quietly_changes_nothing(standin: Api, api: WecomApi) -> None:
    standin.fail("user/get", errcode=60020)
    with pytest.raises(WecomRefused):
        await api.call("user/get", query={"userid": "zhangsan"}, quietly=True)
    assert api.trouble is None


async def test_another_call_says_nothing_about_the_agentid(standin: Api, api: WecomApi) -> None:
    assert await refused(api, body={**text(), "agentid": 7}) in (40056, 301002)
    assert api.trouble is not None
    await api.call("user/get", query={"userid": "zhangsan"})
    assert api.trouble is not None
    await api.call("message/send", text())
    assert api.trouble is None


@pytest.mark.parametrize("code", [-1, 45009, 60011, 81013, 40058])
async def test_other_codes_are_no_trouble(standin: Api, api: WecomApi, code: int) -> None:
    standin.fail("message/send", errcode=code)
    assert await refused(api) == code
    assert api.trouble is None


# --- logs


async def test_nothing_secret_is_logged(
    corp: Corp, standin: Api, origin: str, caplog: pytest.LogCaptureFixture
) -> None:
    group = corp.add_group("客房", ["zhangsan"])
    key = corp.add_webhook(group.chatid)
    said: list[str] = []
    with caplog.at_level(logging.DEBUG):
        async with opened(corp, origin) as api:
            await api.call("message/send", text(words="my salary"))
            standin.expire_tokens()
            await api.upload("a.csv", b"my salary")
            await api.webhook(key, {"msgtype": "text", "text": {"content": "my salary"}})
            for fault in ({"how": "drop"}, {"status": 502}, {"errcode": 60020}, {"errcode": 40001}):
                standin.fail("message/send", **fault)
                with pytest.raises((DeliveryFailed, WecomRefused)) as found:
                    await api.call("message/send", text(words="my salary"))
                said += [str(found.value), repr(found.value), str(found.value.__cause__)]
            said.append(str(api.trouble))
    ours = [one for one in caplog.records if one.name != "uvicorn.access"]  # the stand-in's
    logged = "\n".join([logging.Formatter().format(one) for one in ours] + said)
    assert "HTTP Request: POST" in logged, "httpx does log, and what it logs was looked at"
    assert f"{origin}/cgi-bin/message/send" in logged
    for secret in (*standin._tokens, corp.secret, key, "salary", "access_token", "secret="):
        assert secret not in logged


# --- what a code means


@pytest.mark.parametrize("code", CODES)
def test_every_code_has_a_meaning(code: int) -> None:
    found = failure(code, "message/send")
    assert found.why == str(code)
    meant = (found.outcome, found.after, found.scope)
    kind = kind_of(code)
    if kind in (Kind.ALARM, Kind.NETWORK):
        assert meant == ("retry", 600.0, "platform")
    elif kind is Kind.RATE:
        assert meant == ("retry", 60.0, "address")
    elif kind in (Kind.RETRY, Kind.TOKEN):
        assert meant == ("retry", None, "address")
    else:
        assert meant == ("dead", None, "address")
    assert not found.gone


EXPECTED = {
    Kind.RETRY: {-1, 6000, 846609},
    Kind.TOKEN: {40014, 42001},
    Kind.ALARM: {40001, 40013, 40091, 853000},
    Kind.NETWORK: {60020},
    Kind.FORBIDDEN: {48002, 60011},
    Kind.UNREACHABLE: {40003, 60111, 81013},
    Kind.RATE: {45009, 45033},
    Kind.GONE_GROUP: {40050, 86003, 93000, 93001, 93004, 93006, 93008},
    Kind.DEAD: {40058, 44004, 45002, 82001, 1, 99999},
}


@pytest.mark.parametrize("kind", EXPECTED)
def test_the_kinds(kind: Kind) -> None:
    assert {kind_of(code) for code in EXPECTED[kind]} == {kind}


def test_words_where_there_is_no_code() -> None:
    assert failure(0, INVALID_USER).why == "invaliduser"
    assert failure(0, UNLICENSED).why == "unlicensed"
    assert failure(0, UNLICENSED).outcome == "dead"


def test_too_many_wrong_secrets_close_wecom_to_all() -> None:
    found = failure(45009, GET_TOKEN)
    assert (found.outcome, found.after, found.scope) == ("retry", 600.0, "platform")


IN_FULL = (
    "not allow to access from your ip, hint: [1662317178339603627481038], "
    "from ip: 114.132.235.244, more info at https://open.work.weixin.qq.com/devtool/query?e=60020"
)


@pytest.mark.parametrize(
    ("errmsg", "ip"),
    [
        (IN_FULL, "114.132.235.244"),
        ("from ip: 2001:db8::7, more", "2001:db8::7"),
        ("from ip:203.0.113.7", "203.0.113.7"),
        ("seen from ip: 203.0.113.7.", "203.0.113.7"),
        ("from ip: 999.1.1.1, more", None),
        ("from ip: *.*.*.*", None),
        ("from ip: ::::::", None),
        ("from ip: " + "1." * 50_000, None),
        ("invalid credential", None),
        ("", None),
    ],
    ids=lambda one: str(one)[:40],
)
def test_the_address_that_wecom_saw(errmsg: str, ip: str | None) -> None:
    assert told_ip(errmsg) == ip
