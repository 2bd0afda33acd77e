"""The stand-in's gateway is WeCom's as far as the vendor's own client can tell."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import time
import warnings
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from tests.platforms.wecom_gateway import CUT, Gateway, connect_in_process
from tests.platforms.wecom_model import LEFT, Corp, Json, buttons
from tests.platforms.wecom_socket import BotServer

with warnings.catch_warnings():
    # It still imports what websockets calls legacy.
    warnings.simplefilter("ignore")
    import aibot
    import aibot.ws

MARKDOWN: Json = {"msgtype": "markdown", "markdown": {"content": "**早**"}}


def card(task_id: str = "1", title: str = "派单") -> Json:
    return {
        "card_type": "button_interaction",
        "main_title": {"title": title},
        "button_list": [{"text": "接单", "key": "take"}],
        "task_id": task_id,
    }


@pytest.fixture
def corp() -> Corp:
    corp = Corp()
    corp.add_member("WangMin", "王敏")
    corp.add_group("前台", ["wangmin"], chatid="wrGroup")
    return corp


@pytest.fixture
def server(corp: Corp) -> Iterator[BotServer]:
    with BotServer(corp) as server:
        yield server


@pytest.fixture(autouse=True)
def _plain_sockets(monkeypatch: pytest.MonkeyPatch) -> None:
    """The client hands its TLS context over even where the address is ws://."""
    monkeypatch.setattr(aibot.ws, "_SSL_CONTEXT", None)


class Quiet:
    """Where the client's log goes."""

    def debug(self, *_: object) -> None: ...

    info = warn = error = debug


async def until(fact: Callable[[], object]) -> None:
    deadline = time.monotonic() + 5
    while not fact():
        assert time.monotonic() < deadline, "it never happened"
        await asyncio.sleep(0.005)


@asynccontextmanager
async def client(
    server: BotServer, *, secret: str = "", **options: Any
) -> AsyncIterator[tuple[Any, list[Json], list[str]]]:
    """The vendor's client; what came to it, and what went wrong."""
    made: Any = aibot.WSClient(
        aibot.WSClientOptions(
            bot_id=server.corp.bot_id,
            secret=secret or server.corp.bot_secret,
            ws_url=server.url,
            logger=Quiet(),
            **options,
        )
    )
    came: list[Json] = []
    errors: list[str] = []
    made.on("message", came.append)
    made.on("event", came.append)
    made.on("error", lambda error: errors.append(str(error)))
    await made.connect()
    try:
        yield made, came, errors
    finally:
        made.disconnect()
        await until(lambda: server.lines == 0)
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)


@asynccontextmanager
async def subscribed(server: BotServer) -> AsyncIterator[tuple[Any, list[Json]]]:
    async with client(server) as (made, came, errors):
        await asyncio.to_thread(server.wait_subscribed)
        yield made, came
        assert errors == []


async def test_a_message_is_answered_by_a_stream(server: BotServer) -> None:
    async with subscribed(server) as (made, came):
        server.gateway.say("WangMin", "签到", "wrGroup")
        await until(lambda: came)
        body = came[0]["body"]
        assert body["text"] == {"content": "@班长 签到"}
        assert (body["chattype"], body["chatid"]) == ("group", "wrGroup")
        await made.reply_stream(came[0], "s1", "稍等")
        assert server.corp.last("wrGroup") == "稍等"
        await made.reply_stream(came[0], "s1", "稍等，已签到", finish=True)
        (said,) = server.corp.messages("wrGroup")
        assert (said.via, said.body["content"]) == ("bot", "稍等，已签到")
        with pytest.raises(RuntimeError, match="846608"):
            await made.reply_stream(came[0], "s1", "再说一次", finish=True)
        server.gateway.commands.discards_late_streams = True
        await made.reply_stream(came[0], "s1", "再说一次", finish=True)
        assert server.corp.last("wrGroup") == "稍等，已签到"


async def test_a_stream_ends_after_six_minutes(server: BotServer) -> None:
    async with subscribed(server) as (made, came):
        server.gateway.say("WangMin", "算工资")
        await until(lambda: came)
        await made.reply_stream(came[0], "s1", "稍等")
        server.corp.advance(361)
        with pytest.raises(RuntimeError, match="846608"):
            await made.reply_stream(came[0], "s1", "好了", finish=True)
        await made.reply(came[0], MARKDOWN)
        assert server.corp.last("wangmin") == "**早**"


async def test_a_callback_is_answered_within_a_day(server: BotServer) -> None:
    async with subscribed(server) as (made, came):
        server.gateway.say("WangMin", "帮助")
        await until(lambda: came)
        await made.reply_template_card(came[0], card())
        server.corp.advance(24 * 3600 + 1)
        for frame in (came[0], {"headers": {"req_id": "never heard of"}}):
            with pytest.raises(RuntimeError, match="846605"):
                await made.reply(frame, MARKDOWN)


async def test_messages_by_the_bots_own_will(server: BotServer, corp: Corp) -> None:
    corp.spoken.add("wangmin")
    corp.groups["wrGroup"].heard = True
    async with subscribed(server) as (made, _):
        await made.send_message("WANGMIN", MARKDOWN | {"chat_type": 1})
        await made.send_message("wrGroup", MARKDOWN | {"chat_type": 2})
        await made.send_message("wrGroup", MARKDOWN)
        assert [one.to for one in corp.timeline] == ["wangmin", "wrGroup", "wrGroup"]
        media_id = corp.keep_media("工资.xlsx", b"xlsx")
        await made.send_message("wangmin", {"msgtype": "file", "file": {"media_id": media_id}})
        assert corp.timeline[-1].file == ("工资.xlsx", b"xlsx")
        open_userid = corp.members["wangmin"].open_userid
        await made.send_message(open_userid, MARKDOWN | {"chat_type": 1})
        assert corp.timeline[-1].to == "wangmin"


async def test_what_is_refused(server: BotServer, corp: Corp) -> None:
    corp.spoken.add("wangmin")
    corp.spoken.add("gone")
    corp.add_member("Gone", status=LEFT)
    corp.add_member("Silent")
    corp.add_group("没有班长", chatid="wrOther", heard=True, has_bot=False)
    too_long = {"msgtype": "markdown", "markdown": {"content": "长" * 6827}}
    no_file = {"msgtype": "file", "file": {"media_id": "of another corp"}}
    refusals: list[tuple[str, Json, int]] = [
        ("wangmin", {"msgtype": "text", "text": {"content": "早"}}, 40008),
        ("wangmin", {"msgtype": "markdown_v2", "markdown_v2": {"content": "早"}}, 40008),
        ("wangmin", {"msgtype": "markdown", "markdown": {"content": ""}}, 44004),
        ("wangmin", {"msgtype": "markdown", "markdown": {"content": 7}}, 40058),
        ("wangmin", {"msgtype": "markdown"}, 40058),
        ("wangmin", too_long, 45002),
        ("wangmin", no_file, 40007),
        ("wangmin", MARKDOWN | {"chat_type": 3}, 40058),
        ("wangmin", MARKDOWN | {"chat_type": 2}, 93006),
        ("silent", MARKDOWN, 93006),
        ("gone", MARKDOWN, 93006),
        ("nobody", MARKDOWN, 93006),
        ("wrGroup", MARKDOWN, 93006),
        ("wrOther", MARKDOWN, 93008),
        ("wangmin", {"msgtype": "template_card", "template_card": card("no spaces")}, 42014),
    ]
    async with subscribed(server) as (made, _):
        for chatid, body, code in refusals:
            with pytest.raises(RuntimeError, match=f"errcode={code}"):
                await made.send_message(chatid, body)
        with pytest.raises(RuntimeError, match="errcode=40058"):
            await made.reply({"headers": {"req_id": "1"}}, {}, "aibot_of_tomorrow")
    assert corp.timeline == []


async def test_cards_in_groups_are_a_question(server: BotServer, corp: Corp) -> None:
    corp.groups["wrGroup"].heard = True
    body: Json = {"msgtype": "template_card", "template_card": card()}
    async with subscribed(server) as (made, _):
        with pytest.raises(RuntimeError, match="errcode=40008"):
            await made.send_message("wrGroup", body)
        server.gateway.commands.cards_in_groups = True
        await made.send_message("wrGroup", body)
        with pytest.raises(RuntimeError, match="errcode=42014"):
            await made.send_message("wrGroup", body)


async def test_thirty_in_a_minute_and_a_thousand_in_an_hour(corp: Corp) -> None:
    corp.spoken.add("wangmin")
    gateway = Gateway(corp)
    with BotServer(gateway) as server:
        async with subscribed(server) as (made, came):
            gateway.say("WangMin", "早")
            await until(lambda: came)
            await made.reply(came[0], MARKDOWN)
            for _ in range(29):
                await made.send_message("wangmin", MARKDOWN)
            for said in (made.send_message("wangmin", MARKDOWN), made.reply(came[0], MARKDOWN)):
                with pytest.raises(RuntimeError, match="errcode=45009"):
                    await said
            corp.advance(61)
            await made.send_message("wangmin", MARKDOWN)
            gateway.commands.enforces_pace = False
            for _ in range(30):
                await made.send_message("wangmin", MARKDOWN)


async def test_a_welcome_within_five_seconds(server: BotServer) -> None:
    welcome: Json = {"msgtype": "text", "text": {"content": "我是班长"}}
    async with subscribed(server) as (made, came):
        server.gateway.enter_chat("WangMin")
        await until(lambda: came)
        assert came[0]["body"]["event"]["eventtype"] == "enter_chat"
        await made.reply_welcome(came[0], welcome)
        assert server.corp.last("wangmin") == "我是班长"
        with pytest.raises(RuntimeError, match="846605"):
            await made.reply_welcome(came[0], welcome)
        server.gateway.enter_chat("WangMin")
        await until(lambda: len(came) == 2)
        server.corp.advance(6)
        with pytest.raises(RuntimeError, match="846605"):
            await made.reply_welcome(came[1], welcome)


async def test_a_button_is_pressed_and_the_card_changes(server: BotServer, corp: Corp) -> None:
    async with subscribed(server) as (made, came):
        server.gateway.say("WangMin", "派单")
        await until(lambda: came)
        await made.reply_template_card(came[0], card("q1"))
        (message,) = corp.timeline
        assert buttons(message) == [("接单", "take")]
        server.gateway.press("WangMin", message, "take")
        await until(lambda: len(came) == 2)
        event = came[1]["body"]["event"]["template_card_event"]
        assert (event["event_key"], event["task_id"]) == ("take", "q1")
        with pytest.raises(RuntimeError, match="errcode=42014"):
            await made.update_template_card(came[1], card("q2"))
        await made.update_template_card(came[1], card("q1", "已接单"))
        assert corp.last("wangmin") == "已接单"
        assert message.changed
        with pytest.raises(RuntimeError, match="846605"):
            await made.update_template_card(came[1], card("q1"))
        server.gateway.press("WangMin", message, "take")
        await until(lambda: len(came) == 3)
        corp.advance(6)
        with pytest.raises(RuntimeError, match="846605"):
            await made.update_template_card(came[2], card("q1"))


async def test_a_file_goes_up_in_parts(server: BotServer, corp: Corp) -> None:
    content = b"0123456789" * 60_000
    parts = [content[: 512 * 1024], content[512 * 1024 :]]
    about: Json = {
        "type": "file",
        "filename": "九月.xlsx",
        "total_size": len(content),
        "total_chunks": 2,
        "md5": hashlib.md5(content).hexdigest(),
    }

    async with subscribed(server) as (made, _):

        async def ask(step: str, body: Json) -> Json:
            frame = {"headers": {"req_id": aibot.generate_req_id(step)}}
            said: Json = await made.reply(frame, body, f"aibot_upload_media_{step}")
            answered: Json = said.get("body", {})
            return answered

        upload_id = (await ask("init", about))["upload_id"]
        for index, part in enumerate(parts):
            encoded = base64.b64encode(part).decode()
            chunk = {"upload_id": upload_id, "chunk_index": index, "base64_data": encoded}
            await ask("chunk", chunk)
        found = await ask("finish", {"upload_id": upload_id})
        assert found["type"] == "file"
        assert corp.find_media(found["media_id"]) == ("九月.xlsx", content)
        for step, body, code in (
            ("init", about | {"type": "html"}, 40058),
            ("init", about | {"total_size": 4}, 40006),
            ("init", about | {"total_chunks": 1}, 40006),
            ("chunk", {"upload_id": "of another", "chunk_index": 0}, 40058),
            ("finish", {"upload_id": upload_id}, 40058),
        ):
            with pytest.raises(RuntimeError, match=f"errcode={code}"):
                await ask(step, body)


async def test_a_wrong_secret(server: BotServer) -> None:
    async with client(server, secret="wrong") as (_, _, errors):
        await until(lambda: errors)
        assert "853000" in errors[0]
        assert server.gateway.subscribed is None
        server.gateway.say("WangMin", "在吗")
        assert len(server.gateway.lost) == 1


async def test_who_is_not_subscribed_may_do_nothing(server: BotServer, corp: Corp) -> None:
    corp.spoken.add("wangmin")
    server.gateway.swallows_subscriptions = True
    async with client(server) as (made, _, _):
        await until(lambda: server.gateway.tries)
        with pytest.raises(RuntimeError, match="846609"):
            await made.send_message("wangmin", MARKDOWN)


async def test_another_client_takes_the_place(server: BotServer) -> None:
    async with client(server) as (_, came, _):
        first = await asyncio.to_thread(server.wait_subscribed)
        async with client(server):
            second = await asyncio.to_thread(server.wait_subscribed, 2)
            assert second is not first
            await until(lambda: came)
            body = came[0]["body"]
            assert body["event"]["eventtype"] == "disconnected_event"
            assert "from" not in body
            await until(lambda: not first.is_open)


async def test_pings_are_acknowledged(server: BotServer) -> None:
    async with client(server, heartbeat_interval=10) as (made, _, errors):
        session = await asyncio.to_thread(server.wait_subscribed)
        await until(lambda: session.pings > 5)
        assert made.is_connected
        server.gateway.swallows_pongs = True
        await until(lambda: not session.is_open)
        assert errors == []


async def test_a_line_that_is_cut_is_opened_again(server: BotServer) -> None:
    async with client(server, reconnect_interval=10):
        await asyncio.to_thread(server.wait_subscribed)
        server.gateway.close(CUT)
        await asyncio.to_thread(server.wait_subscribed, 2)


async def test_faults_are_met_in_turn(server: BotServer, corp: Corp) -> None:
    corp.spoken.add("wangmin")
    async with subscribed(server) as (made, _):
        server.gateway.fail_next(6000, 2, "aibot_send_msg")
        for _ in range(2):
            with pytest.raises(RuntimeError, match="errcode=6000"):
                await made.send_message("wangmin", MARKDOWN)
        await made.send_message("wangmin", MARKDOWN)
        assert len(corp.timeline) == 1


async def test_a_callback_that_comes_twice(server: BotServer) -> None:
    async with subscribed(server) as (_, came):
        server.gateway.double_next()
        server.gateway.say("WangMin", "签到")
        server.gateway.say("WangMin", "签退")
        await until(lambda: len(came) == 3)
        first, again, second = came
        assert first["body"] == again["body"]
        assert first["headers"] != again["headers"]
        assert second["body"]["msgid"] != first["body"]["msgid"]


async def test_a_quotation(server: BotServer, corp: Corp) -> None:
    async with subscribed(server) as (made, came):
        server.gateway.say("WangMin", "早")
        await until(lambda: came)
        await made.reply(came[0], MARKDOWN)
        server.gateway.say("WangMin", "什么？", quote=corp.timeline[0])
        await until(lambda: len(came) == 2)
        assert came[1]["body"]["quote"] == {"msgtype": "text", "text": {"content": "**早**"}}


async def test_without_sockets(corp: Corp) -> None:
    gateway = Gateway(corp)
    connect = connect_in_process(gateway)
    wire = await connect("ws://nowhere")
    await wire.send_str("no json")
    await wire.send_str('{"cmd": "ping", "headers": {"req_id": "1"}}')
    assert "846609" in str(await wire.next_text())
    reading = asyncio.create_task(wire.next_text())
    await connect.read_up()
    await asyncio.to_thread(gateway.close)
    assert await reading is None
    assert not wire.is_open
    with pytest.raises(ConnectionError):
        await wire.send_str("{}")
