"""WeCom's HTTP API: messages, files and groups' webhooks, and how they travel."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from adapters.contract import DeliveryFailed
from adapters.wecom.api import WecomApi, WecomRefused, unreached
from adapters.wecom.errcodes import (
    INVALID_USER,
    UNLICENSED,
)
from tests.apis.door import WecomDoor
from tests.platforms.wecom_api import Api
from tests.platforms.wecom_model import Corp, Json


@pytest.fixture
def door() -> WecomDoor:
    return WecomDoor()


async def test_a_message(door: WecomDoor, corp: Corp, standin: Api, api: WecomApi) -> None:
    told = await api.call("message/send", door.text())
    assert told["errcode"] == 0
    assert corp.last("lisi") == "你好"
    assert (await api.call("user/get", query={"userid": "LISI"}))["name"] == "李四"
    assert [(call.method, call.path) for call in standin.calls] == [
        ("GET", "gettoken"),
        ("POST", "message/send"),
        ("GET", "user/get"),
    ]


async def test_an_answer_with_its_headers(door: WecomDoor, api: WecomApi) -> None:
    told = await api.ask("message/send", door.text())
    assert told.body["errmsg"] == "ok"
    assert told.headers["date"].endswith("GMT")


async def test_a_query_beside_the_token(standin: Api, api: WecomApi) -> None:
    await api.call("agent/get", query={"agentid": 1000002})
    (call,) = standin.calls_of("agent/get")
    assert call.query == {"agentid": "1000002"}
    menu = {"button": [{"type": "click", "name": "打卡", "key": "checkin"}]}
    await api.call("menu/create", menu, query={"agentid": 1000002})
    assert standin.corp.menu == menu


async def test_a_part_of_the_receivers(door: WecomDoor, corp: Corp, api: WecomApi) -> None:
    """That it did not reach everybody is an answer, and no failure."""
    corp.add_member("WangWu", "王五", licensed=False)
    corp.add_member("Gone", "走了", visible=False)
    told = await api.call("message/send", door.text("ZhangSan|WangWu|Gone|Nobody"))
    assert unreached(told) == {
        "wangwu": UNLICENSED,
        "gone": INVALID_USER,
        "nobody": INVALID_USER,
    }
    assert corp.last("zhangsan") == "你好"
    assert unreached(await api.call("message/send", door.text())) == {}
    with pytest.raises(WecomRefused) as found:
        await api.call("message/send", door.text("nobody|gone"))
    assert found.value.code == 81013


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


async def test_a_file_with_a_token_that_ended(
    door: WecomDoor, corp: Corp, standin: Api, api: WecomApi
) -> None:
    await api.call("message/send", door.text())
    standin.expire_tokens()
    assert corp.media[await api.upload("a.csv", b"hello world")] == ("a.csv", b"hello world")


@pytest.mark.parametrize("ended", [Api.expire_tokens, Api.forget_tokens], ids=["42001", "40014"])
async def test_a_token_that_ends_early(
    door: WecomDoor, corp: Corp, standin: Api, api: WecomApi, ended: Callable[[Api], None]
) -> None:
    await api.call("message/send", door.text())
    ended(standin)
    await api.call("message/send", door.text(words="again"))
    assert corp.last("lisi") == "again"
    assert door.tokens_and_sends() == (2, 3)


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


# --- proxies, and how arguments travel


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


async def test_a_proxy_of_the_environment(door: WecomDoor, monkeypatch: pytest.MonkeyPatch) -> None:
    said = b'{"errcode":0}'
    answer = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 13\r\n\r\n" + said
    async with proxy(answer) as (address, asked):
        monkeypatch.setenv("HTTP_PROXY", address)
        async with door.opened("http://wecom.test") as api:
            assert await api.webhook("k", door.text()) == {"errcode": 0}
    assert asked == [b"POST http://wecom.test/cgi-bin/webhook/send?key=k HTTP/1.1"]


async def test_a_proxy_that_lets_nothing_through(
    door: WecomDoor, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with proxy(b"HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n") as (address, asked):
        monkeypatch.setenv("HTTPS_PROXY", address)
        async with door.opened("https://wecom.test") as api:
            with pytest.raises(DeliveryFailed) as found:
                await api.webhook("k", door.text())
            assert (found.value.outcome, found.value.why) == (
                "retry",
                "WeCom is not reachable: ProxyError",
            )
    assert asked == [b"CONNECT wecom.test:443 HTTP/1.1"]


async def test_json_travels_as_it_is(door: WecomDoor) -> None:
    """Of \\uXXXX WeCom says 40033."""
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, json={"errcode": 0, "access_token": "t/+", "expires_in": 7200})

    transport = httpx.MockTransport(answer)
    async with door.opened("http://wecom.test", transport, corp_id="c", secret="s&=") as api:
        await api.call("message/send", {"text": {"content": "你好 😀"}})
    token, sent = seen
    assert token.url.query == b"corpid=c&corpsecret=s%26%3D"
    assert token.method == "GET"
    assert sent.url.query == b"access_token=t%2F%2B"
    assert sent.content == '{"text":{"content":"你好 😀"}}'.encode()
    assert sent.headers["content-type"] == "application/json"
