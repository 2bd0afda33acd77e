"""The aibot's connection against the stand-in's gateway: lines that begin, end, lie and fall
silent, who may have one, and what becomes of what is said on them.
"""

from __future__ import annotations

import asyncio
import json
import logging
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from itertools import pairwise

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from adapters import hands
from adapters.contract import DeliveryFailed
from adapters.wecom.line import BotRefused
from adapters.wecom.socket import BotSocket, Timings
from adapters.wires import LARGEST_FRAME, Connect, Wire
from tests.patience import nothing_is_left_behind, throughout, until
from tests.platforms.wecom_gateway import (
    CLEAN,
    CUT,
    INTERNAL_ERROR,
    ODD_FRAMES,
    Gateway,
    InProcess,
    connect_in_process,
)
from tests.platforms.wecom_model import Corp, Json
from tests.platforms.wecom_socket import BotServer

QUICK = Timings(
    ping=30.0,
    missed=2,
    subscribe=2.0,
    answer=2.0,
    first_wait=0.02,
    longest_wait=0.1,
    settled=0.0,
    refused_wait=0.2,
    kicked_wait=0.15,
    longest_kicked_wait=0.3,
    lead=0.05,
    unconnected=0.1,
    finish=1.0,
    close=0.3,
)
# Those without pongs are found out soon; others may be slow on a busy machine.
PINGING = replace(QUICK, ping=0.05)
SEND = "aibot_send_msg"
PUSH: Json = {"chatid": "wangmin", "chat_type": 1, "msgtype": "markdown"}


def push(words: str = "早") -> Json:
    return PUSH | {"markdown": {"content": words}}


@pytest.fixture
def corp() -> Corp:
    corp = Corp()
    corp.add_member("WangMin", "王敏")
    corp.spoken.add("wangmin")
    return corp


@pytest.fixture
def server(corp: Corp) -> Iterator[BotServer]:
    with BotServer(corp) as server:
        yield server


@pytest.fixture(autouse=True)
async def _nothing_is_left_behind(
    caplog: pytest.LogCaptureFixture, corp: Corp
) -> AsyncIterator[None]:
    """No task that nobody awaits, no session or connection that nobody closed, no secret told."""
    caplog.set_level(logging.DEBUG, "adapters")
    yield
    await nothing_is_left_behind(caplog)
    assert corp.bot_secret not in caplog.text
    assert "秘密" not in caplog.text


class Bot:
    """What BotSocket calls: it remembers, holds and fails as it is told to."""

    def __init__(self) -> None:
        self.frames: list[tuple[str, Json]] = []
        self.at_work = self.most = 0
        self.gate = asyncio.Event()
        self.gate.set()
        self.failures: list[Exception] = []
        self.leads: bool | Exception = True
        self.lease = asyncio.Event()  # not set: whoever asks for the lead waits
        self.lease.set()
        self.looks: list[float] = []
        self.alarms: list[str] = []
        self.alarm_failures: list[Exception] = []
        self.opened_at: list[float] = []

    async def handle(self, cmd: str, frame: Json) -> None:
        self.frames.append((cmd, frame))
        self.at_work += 1
        self.most = max(self.most, self.at_work)
        try:
            await self.gate.wait()
            if self.failures:
                raise self.failures.pop(0)
        finally:
            self.at_work -= 1

    async def lead(self) -> bool:
        self.looks.append(now())
        await self.lease.wait()
        if isinstance(self.leads, Exception):
            raise self.leads
        return self.leads

    async def alarm(self, word: str) -> None:
        if self.alarm_failures:
            raise self.alarm_failures.pop(0)
        self.alarms.append(word)

    @property
    def heard(self) -> list[str]:
        """The words of the messages."""
        return [frame["body"]["text"]["content"] for _, frame in self.frames]


def now() -> float:
    return asyncio.get_running_loop().time()


@asynccontextmanager
async def listening(
    server: BotServer,
    bot: Bot | None = None,
    timings: Timings = QUICK,
    *,
    url: str = "",
    secret: str = "",
    connect: Connect | None = None,
    wait: bool = True,
) -> AsyncIterator[BotSocket]:
    """Connected, unless the test wants to see it connect."""
    made = bot or Bot()
    told = url or server.url
    bot_id, bot_secret = server.corp.bot_id, secret or server.corp.bot_secret
    line = BotSocket(
        told,
        bot_id,
        bot_secret,
        made.handle,
        lead=made.lead,
        alarm=made.alarm,
        timings=timings,
        connect=connect,
    )
    line.start()
    try:
        if wait:
            await until(lambda: line.connected)
        yield line
    finally:
        made.gate.set()
        made.lease.set()
        await line.stop()


@asynccontextmanager
async def in_process(
    gateway: Gateway, bot: Bot | None = None, timings: Timings = QUICK, *, wait: bool = True
) -> AsyncIterator[tuple[BotSocket, InProcess]]:
    """The same without sockets, for what no socket can change."""
    made, corp = bot or Bot(), gateway.corp
    connect = connect_in_process(gateway)
    line = BotSocket(
        "ws://nowhere",
        corp.bot_id,
        corp.bot_secret,
        made.handle,
        lead=made.lead,
        alarm=made.alarm,
        timings=timings,
        connect=connect,
    )
    line.start()
    try:
        if wait:
            await until(lambda: line.connected)
        yield line, connect
    finally:
        made.gate.set()
        await line.stop()


async def reached(number: int, look: Callable[[], int]) -> None:
    await until(lambda: look() == number)


async def failure(asking: Awaitable[Json]) -> DeliveryFailed:
    with pytest.raises(DeliveryFailed) as caught:
        await asking
    return caught.value


# --- lines that begin


async def test_one_connection_and_no_more(server: BotServer) -> None:
    async with listening(server, timings=replace(PINGING, missed=100)) as line:
        session = server.gateway.subscribed
        assert session is not None
        await throughout(0.3, lambda: line.connected and server.lines == 1)
        await until(lambda: session.pings > 3)
        assert server.gateway.subscriptions == 1
        assert line.trouble() is None
    await until(lambda: server.lines == 0)
    assert not line.connected


async def test_what_comes_is_handed_over(server: BotServer, corp: Corp) -> None:
    bot = Bot()
    async with listening(server, bot) as line:
        before = line.callback_at
        assert before is None
        req_id = server.gateway.say("WangMin", "签到")
        server.gateway.enter_chat("WangMin")
        await until(lambda: len(bot.frames) == 2)
        (cmd, frame), (event_cmd, event) = bot.frames
        assert (cmd, frame["headers"]) == ("aibot_msg_callback", {"req_id": req_id})
        assert frame["body"]["text"] == {"content": "签到"}
        assert event_cmd == "aibot_event_callback"
        assert event["body"]["event"]["eventtype"] == "enter_chat"
        assert line.callback_at is not None
        assert line.heard_at is not None
        assert line.callback_at <= line.heard_at
        await line.idle()
        assert line.in_hand == frozenset()


async def test_a_command_is_acknowledged(server: BotServer, corp: Corp) -> None:
    async with listening(server) as line:
        said = await line.ask(SEND, push("早，班长在"))
        assert said["errcode"] == 0
        assert corp.last("wangmin") == "早，班长在"
        about: Json = {"type": "file", "filename": "a", "total_size": 5, "total_chunks": 1}
        uploaded = await line.ask("aibot_upload_media_init", about)
        assert uploaded["body"]["upload_id"]


async def test_a_command_is_refused(server: BotServer) -> None:
    async with listening(server) as line:
        for code in (-1, 6000, 45009, 93006, 846609):
            server.gateway.fail_next(code)
            with pytest.raises(BotRefused) as caught:
                await line.ask(SEND, push())
            assert caught.value.code == code
        assert (await line.ask(SEND, push()))["errcode"] == 0
        assert server.gateway.subscriptions == 1


async def test_no_acknowledgement_of_the_subscription(server: BotServer) -> None:
    server.gateway.swallows_subscriptions = True
    async with listening(server, timings=replace(QUICK, subscribe=0.05), wait=False) as line:
        await until(lambda: server.gateway.tries >= 3)
        await until(line.trouble)
        assert line.trouble() == (
            "the aibot's WebSocket has no connection: the subscription was not acknowledged"
        )
        assert (await failure(line.ask(SEND, push()))).outcome == "retry"
        server.gateway.swallows_subscriptions = False
        await until(lambda: line.connected)
        assert line.trouble() is None
        await until(lambda: server.lines == 1)


async def test_a_handshake_that_is_never_answered_is_given_up(server: BotServer) -> None:
    """TCP connects and nothing comes: without a bound the line would wait for ever."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"ws://127.0.0.1:{silent.getsockname()[1]}/"
        timings = replace(QUICK, subscribe=0.05)
        async with listening(server, timings=timings, url=url, wait=False) as line:
            await until(line.trouble)
            assert line.trouble() == "the aibot's WebSocket has no connection: TimeoutError"


async def test_refused_handshakes_are_tried_again_at_a_pace(server: BotServer) -> None:
    server.refusals = 5
    bot = Bot()
    timings = replace(QUICK, first_wait=0.02, longest_wait=0.08, unconnected=0.0)
    async with listening(server, bot, timings, wait=False) as line:
        await until(line.trouble)
        await until(lambda: server.refusals == 4)
        await until(lambda: str(line.trouble()).endswith("WSServerHandshakeError 502"))
        await until(lambda: line.connected)
        waits = [later - earlier for earlier, later in pairwise(bot.looks[:6])]
        for wait, least in zip(waits, (0.02, 0.04, 0.08, 0.08, 0.08), strict=True):
            assert wait >= least
    assert bot.alarms == []


async def test_no_address_is_trouble_and_not_the_end(server: BotServer) -> None:
    async with listening(server, url="no address", wait=False) as line:
        await until(line.trouble)
        assert "InvalidUrl" in str(line.trouble())


@pytest.mark.parametrize("code", [-1, 6000, 45009, 846609])
async def test_a_subscription_that_is_refused_for_now(server: BotServer, code: int) -> None:
    server.gateway.fail_next(code, 2, "aibot_subscribe")
    bot = Bot()
    async with listening(server, bot):
        assert server.gateway.tries == 3
    assert bot.alarms == []


# --- lines that end


@pytest.mark.parametrize("code", [CLEAN, INTERNAL_ERROR, CUT])
async def test_a_line_that_ends_is_followed_by_another(server: BotServer, code: int) -> None:
    """The vendor's client is gone for ever after a clean close."""
    bot = Bot()
    async with listening(server, bot) as line:
        for number in range(2, 6):
            server.gateway.close(code)
            await asyncio.to_thread(server.wait_subscribed, number)
            await until(lambda: line.connected)
            server.gateway.say("WangMin", str(number))
            await reached(number - 1, lambda: len(bot.frames))
            assert (await line.ask(SEND, push()))["errcode"] == 0
        await until(lambda: server.lines == 1)
    assert bot.heard == ["2", "3", "4", "5"]
    assert bot.alarms == []


async def test_a_line_without_pongs_is_cut(server: BotServer) -> None:
    bot = Bot()
    async with listening(server, bot, PINGING) as line:
        server.gateway.swallows_pongs = True
        first = server.gateway.subscribed
        await asyncio.to_thread(server.wait_subscribed, 3)
        assert first is not None
        assert first.pings == QUICK.missed
        server.gateway.swallows_pongs = False
        await until(lambda: line.connected)
        seen = server.gateway.subscriptions
        await throughout(0.3, lambda: server.gateway.subscriptions == seen)
        server.gateway.say("WangMin", "在吗")
        await until(lambda: bot.heard == ["在吗"])


async def test_a_peer_that_reads_nothing_any_more_is_noticed(server: BotServer) -> None:
    """And no polite close is waited for."""
    async with listening(server, timings=PINGING) as line:
        server.is_deaf = True
        await until(lambda: not line.connected)
        server.is_deaf = False
        await asyncio.to_thread(server.wait_subscribed, 2)
        await until(lambda: line.connected)


async def test_lines_that_never_stay_come_at_a_slower_pace(corp: Corp) -> None:
    gateway, bot = Gateway(corp), Bot()
    timings = replace(QUICK, settled=60.0, first_wait=0.02, longest_wait=0.08)
    async with in_process(gateway, bot, timings) as (line, connect):
        for number in range(1, 6):
            await until(lambda: line.connected)
            gateway.close()
            await reached(number + 1, lambda: len(connect.opened_at))
        waits = [later - earlier for earlier, later in pairwise(connect.opened_at)]
        for wait, least in zip(waits, (0.02, 0.04, 0.08, 0.08, 0.08), strict=True):
            assert wait >= least


async def test_a_line_that_stayed_makes_the_next_one_quick(corp: Corp) -> None:
    gateway = Gateway(corp)
    timings = replace(QUICK, settled=0.0, first_wait=0.01, longest_wait=30.0)
    async with in_process(gateway, None, timings) as (line, connect):
        for number in range(20):
            await until(lambda: line.connected)
            gateway.close()
            await reached(number + 2, lambda: len(connect.opened_at))


async def test_a_subscription_that_is_gone_is_made_again(server: BotServer) -> None:
    """Open, alive, and of no use: pings are answered with the errcode."""
    async with listening(server, timings=PINGING) as line:
        session = server.gateway.subscribed
        assert session is not None
        session.is_subscribed = False
        await asyncio.to_thread(server.wait_subscribed, 2)
        await until(lambda: line.connected)


async def test_a_command_may_find_that_the_subscription_is_gone(server: BotServer) -> None:
    """Right after the subscription this errcode passes by itself, and the line is kept."""
    async with listening(server) as line:
        server.gateway.fail_next(846609)
        with pytest.raises(BotRefused):
            await line.ask(SEND, push())
        assert line.connected
    async with listening(server, timings=replace(PINGING, missed=1000)) as line:
        await asyncio.sleep(0.1)
        server.gateway.fail_next(846609)
        with pytest.raises(BotRefused):
            await line.ask(SEND, push())
        await asyncio.to_thread(server.wait_subscribed, 3)
        await until(lambda: line.connected)
        assert (await line.ask(SEND, push()))["errcode"] == 0


# --- nos that only a person can change


async def test_a_wrong_secret_is_told_once_and_tried_rarely(corp: Corp) -> None:
    gateway, bot = Gateway(corp), Bot()
    timings = replace(QUICK, first_wait=0.001, longest_wait=0.001, refused_wait=0.1)
    right, corp.bot_secret = corp.bot_secret, "another one"
    made = connect_in_process(gateway)
    line = BotSocket(
        "",
        corp.bot_id,
        right,
        bot.handle,
        lead=bot.lead,
        alarm=bot.alarm,
        timings=timings,
        connect=made,
    )
    line.start()
    try:
        await until(lambda: gateway.tries == 3)
        assert bot.alarms == ["bot_refused"]
        assert line.trouble() == "the aibot's WebSocket has no connection: errcode 853000"
        assert all(later - earlier >= 0.1 for earlier, later in pairwise(made.opened_at))
        corp.bot_secret = right
        await until(lambda: line.connected)
        assert line.trouble() is None
        corp.bot_secret = "another one"
        gateway.close()
        await until(lambda: bot.alarms == ["bot_refused", "bot_refused"])
        corp.bot_secret = right
    finally:
        await line.stop()


async def test_an_alarm_that_could_not_be_told_is_told_later(corp: Corp) -> None:
    gateway, bot = Gateway(corp), Bot()
    bot.alarm_failures = [OSError("no database"), OSError("no database")]
    gateway.fail_next(853000, 4, "aibot_subscribe")
    async with in_process(gateway, bot, replace(QUICK, refused_wait=0.01)):
        assert gateway.tries == 5
    assert bot.alarms == ["bot_refused"]


async def test_an_alarm_that_hangs_keeps_nobody(corp: Corp) -> None:
    gateway, bot = Gateway(corp), Bot()
    gateway.fail_next(853000, 2, "aibot_subscribe")
    asked: list[str] = []

    async def alarm(word: str) -> None:
        asked.append(word)
        await asyncio.Event().wait()

    bot.alarm = alarm  # type: ignore[method-assign]
    async with in_process(gateway, bot, replace(QUICK, answer=0.05, refused_wait=0.01)):
        assert asked == ["bot_refused", "bot_refused"]


async def test_another_client_takes_our_place(server: BotServer) -> None:
    """No fight: one alarm, and long waits that double while it goes on."""
    bot = Bot()
    in_all: list[float] = []
    async with listening(server, bot) as line:
        for kicks in (1, 2, 3):
            began = now()
            server.gateway.kick()
            await until(lambda: not line.connected)
            await reached(kicks + 1, lambda: server.gateway.subscriptions)
            in_all.append(now() - began)
            await until(lambda: line.connected)
            assert bot.alarms == ["bot_kicked"]
        for waited, least in zip(in_all, (0.15, 0.3, 0.3), strict=True):
            assert waited >= least


async def test_the_lead_is_kept_while_another_client_has_our_place(server: BotServer) -> None:
    """Another of our own would not wait, and start the fight that this one avoids."""
    bot = Bot()
    async with listening(server, bot, replace(QUICK, kicked_wait=0.4)) as line:
        server.gateway.kick()
        await until(lambda: not line.connected)
        seen = len(bot.looks)
        await until(lambda: line.connected)
        assert len(bot.looks) - seen >= 5
        assert server.gateway.tries == 2


async def test_it_is_over_when_a_line_stayed_for_long(server: BotServer) -> None:
    bot = Bot()
    async with listening(server, bot, replace(QUICK, kicked_wait=0.05)) as line:
        for _ in range(2):
            server.gateway.kick()
            await until(lambda: not line.connected)
            await until(lambda: line.connected)
            await asyncio.sleep(0.2)
    assert bot.alarms == ["bot_kicked", "bot_kicked"]


async def test_one_of_us_takes_our_place_and_nobody_is_alarmed(server: BotServer) -> None:
    """It has the lead: this one had stood still for longer than it lasts."""
    bot = Bot()
    async with listening(server, bot, replace(QUICK, lead=30.0)) as line:
        bot.leads = False
        server.gateway.kick()
        await until(lambda: not line.connected)
        await until(lambda: len(bot.looks) == 2)
        await throughout(0.2, lambda: line.trouble() is None)
    assert bot.alarms == []


async def test_a_kick_before_the_subscription_is_acknowledged(corp: Corp) -> None:
    gateway, bot = Gateway(corp), Bot()
    gateway.swallows_subscriptions = True
    async with in_process(gateway, bot, wait=False) as (line, _):
        await until(lambda: gateway.tries == 1)
        gateway.sessions[0].send(
            '{"cmd": "aibot_event_callback", "headers": {"req_id": "1"},'
            ' "body": {"event": {"eventtype": "disconnected_event"}}}'
        )
        await until(lambda: bot.alarms == ["bot_kicked"])
        gateway.swallows_subscriptions = False
        await until(lambda: line.connected)


async def test_the_end_of_an_old_line_does_not_harm_the_new_one(corp: Corp) -> None:
    gateway = Gateway(corp)
    async with in_process(gateway) as (line, connect):
        gateway.close(CUT)
        await until(lambda: gateway.subscriptions == 2)
        await until(lambda: line.connected)
        old = connect.wires[0]
        old._bring(
            '{"cmd": "aibot_event_callback", "headers": {"req_id": "1"},'
            ' "body": {"event": {"eventtype": "disconnected_event"}}}'
        )
        old._bring(CUT)
        await throughout(0.2, lambda: line.connected)
        assert gateway.subscriptions == 2


# --- odd frames


async def test_odd_frames_are_survived(server: BotServer) -> None:
    bot = Bot()
    async with listening(server, bot) as line:
        for frame in ODD_FRAMES:
            server.gateway.send(frame)
        server.gateway.say("WangMin", "签到")
        await until(lambda: bot.heard == ["签到"])
        assert (await line.ask(SEND, push()))["errcode"] == 0
        assert server.gateway.subscriptions == 1


async def test_a_frame_that_is_too_large_costs_the_line_only(server: BotServer) -> None:
    bot = Bot()
    async with listening(server, bot) as line:
        server.gateway.send(json.dumps({"cmd": "x" * LARGEST_FRAME}))
        await asyncio.to_thread(server.wait_subscribed, 2)
        await until(lambda: line.connected)
        server.gateway.say("WangMin", "大" * 1_000_000)
        await until(lambda: len(bot.frames) == 1)


async def test_a_callback_that_comes_twice_is_handed_over_twice(server: BotServer) -> None:
    bot = Bot()
    async with listening(server, bot):
        server.gateway.double_next()
        server.gateway.say("WangMin", "签到")
        await until(lambda: len(bot.frames) == 2)
        (_, first), (_, again) = bot.frames
        assert first["body"] == again["body"]


async def test_frames_of_bytes_are_read_as_text() -> None:
    bot = Bot()

    async def attend(request: web.Request) -> web.WebSocketResponse:
        ws = web.WebSocketResponse()
        await ws.prepare(request)
        req_id = (await ws.receive_json())["headers"]["req_id"]
        await ws.ping()
        for frame in (
            {"headers": {"req_id": req_id}, "errcode": 0},
            {"cmd": "aibot_msg_callback", "headers": {"req_id": "1"}, "body": {"早": 1}},
        ):
            await ws.send_bytes(json.dumps(frame, ensure_ascii=False).encode())
        await ws.receive()
        return ws

    app = web.Application()
    app.router.add_get("/", attend)
    async with TestServer(app, host="127.0.0.1") as there:
        url = f"ws://127.0.0.1:{there.port}/"
        line = BotSocket(url, "", "", bot.handle, lead=bot.lead, alarm=bot.alarm, timings=QUICK)
        line.start()
        await until(lambda: bot.frames)
        assert bot.frames[0][1]["body"] == {"早": 1}
        await line.stop()


# --- handlers


async def test_a_handler_that_fails_harms_nobody(
    server: BotServer, caplog: pytest.LogCaptureFixture
) -> None:
    bot = Bot()
    bot.failures = [ValueError("odd"), RuntimeError("very odd")]
    async with listening(server, bot) as line:
        for words in ("秘密一", "秘密二", "三"):
            server.gateway.say("WangMin", words)
        await until(lambda: len(bot.frames) == 3)
        await line.idle()
        assert line.connected
    assert [one.message for one in caplog.records if one.levelno == logging.ERROR] == (
        ["a callback of the aibot failed"] * 2
    )


async def test_a_handler_may_ask_while_others_hang(server: BotServer, corp: Corp) -> None:
    """The acknowledgement comes by the line on which the callback came."""
    bot = Bot()
    bot.gate.clear()
    asking: list[BotSocket] = []

    async def handle(cmd: str, frame: Json) -> None:
        if frame["body"]["text"]["content"] == "问":
            body: Json = {"msgtype": "markdown", "markdown": {"content": "答"}}
            await asking[0].ask("aibot_respond_msg", body, frame["headers"]["req_id"])
        else:
            await bot.handle(cmd, frame)

    line = BotSocket(
        server.url,
        corp.bot_id,
        corp.bot_secret,
        handle,
        lead=bot.lead,
        alarm=bot.alarm,
        timings=QUICK,
    )
    asking.append(line)
    line.start()
    await until(lambda: line.connected)
    for words in ("等", "等", "问"):
        server.gateway.say("WangMin", words)
    await until(lambda: corp.last("wangmin") == "答")
    await until(lambda: len(line.in_hand) == 2)
    bot.gate.set()
    await line.stop()


async def test_so_many_at_once_and_no_more(
    server: BotServer, corp: Corp, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Behind those that wait come acknowledgements; behind very many the line is not read on."""
    monkeypatch.setattr(hands, "AT_ONCE", 3)
    monkeypatch.setattr(hands, "READ_AHEAD", 6)
    bot = Bot()
    bot.gate.clear()
    async with listening(server, bot, PINGING) as line:
        for number in range(6):
            server.gateway.say("WangMin", str(number))
        await until(lambda: len(line.in_hand) == 6)
        assert (await line.ask(SEND, push()))["errcode"] == 0
        for number in range(6, 10):
            server.gateway.say("WangMin", str(number))
        # Its own silence does not make the line a dead one.
        await throughout(0.4, lambda: len(line.in_hand) == 6 and bot.at_work == 3)
        assert server.gateway.subscriptions == 1
        bot.gate.set()
        await until(lambda: len(bot.frames) == 10)
        await line.idle()
        assert (await line.ask(SEND, push()))["errcode"] == 0
        await throughout(0.2, lambda: server.gateway.subscriptions == 1)
    assert bot.most == 3
    assert bot.heard == [str(number) for number in range(10)]


# --- commands


async def test_without_a_line_nothing_is_sent(server: BotServer) -> None:
    bot = Bot()
    bot.leads = False
    async with listening(server, bot, wait=False) as line:
        await until(lambda: bot.looks)
        failed = await failure(line.ask(SEND, push()))
        assert (failed.outcome, failed.why, failed.after) == ("retry", "bot_not_connected", 1.0)
    assert (await failure(line.ask(SEND, push()))).outcome == "retry"


@pytest.mark.parametrize("code", [CLEAN, INTERNAL_ERROR, CUT])
async def test_the_line_drops_before_the_acknowledgement(
    server: BotServer, corp: Corp, code: int
) -> None:
    """It was shown, and nobody knows: this must not be said twice."""
    server.gateway.swallows_acks = True
    async with listening(server) as line:
        asked = [asyncio.create_task(line.ask(SEND, push(str(n)))) for n in range(5)]
        await until(lambda: len(corp.timeline) == 5)
        server.gateway.close(code)
        for one in asked:
            failed = await failure(one)
            assert (failed.outcome, failed.why) == ("unknown", "bot_no_answer")


async def test_a_line_that_is_closed_already_is_not_written_to(corp: Corp) -> None:
    gateway = Gateway(corp)
    async with in_process(gateway) as (line, connect):
        connect.wires[0].is_open = False
        assert (await failure(line.ask(SEND, push()))).outcome == "retry"
        assert gateway.heard == []


async def test_a_line_that_breaks_while_it_is_written_to(corp: Corp) -> None:
    gateway = Gateway(corp)
    async with in_process(gateway) as (line, connect):

        async def broken(data: str) -> None:
            raise ConnectionResetError("broken")

        connect.wires[0].send_str = broken  # type: ignore[method-assign]
        assert (await failure(line.ask(SEND, push()))).outcome == "unknown"


async def test_a_line_that_takes_nothing_any_more(corp: Corp) -> None:
    gateway = Gateway(corp)
    async with in_process(gateway, timings=replace(QUICK, answer=0.05)) as (line, connect):

        async def full(data: str) -> None:
            await asyncio.Event().wait()

        connect.wires[0].send_str = full  # type: ignore[method-assign]
        assert (await failure(line.ask(SEND, push()))).outcome == "unknown"


async def test_no_acknowledgement_in_time(server: BotServer, corp: Corp) -> None:
    """The late one is nothing to anybody, not to the next command with its req_id either."""
    async with listening(server, timings=replace(QUICK, answer=0.1)) as line:
        req_id = server.gateway.say("WangMin", "早")
        server.gateway.holds_acks = True
        answer: Json = {"msgtype": "markdown", "markdown": {"content": "早"}}
        for asked in (line.ask("aibot_respond_msg", answer, req_id), line.ask(SEND, push())):
            assert (await failure(asked)).outcome == "unknown"
        server.gateway.fail_next(45009)
        next_one = asyncio.create_task(line.ask("aibot_respond_msg", answer, req_id))
        await until(lambda: len(server.gateway.heard) == 3)
        server.gateway.release_acks()
        with pytest.raises(BotRefused) as caught:
            await next_one
        assert caught.value.code == 45009
        assert (await line.ask(SEND, push()))["errcode"] == 0


async def test_an_acknowledgement_that_says_nothing(corp: Corp) -> None:
    gateway = Gateway(corp)
    async with in_process(gateway) as (line, _):
        gateway.holds_acks = True
        for errcode in ("null", '"0"', "true", "[]"):
            asked = asyncio.create_task(line.ask(SEND, push(), f"r{errcode}"))
            await asyncio.sleep(0)
            frame = {"headers": {"req_id": f"r{errcode}"}, "errcode": json.loads(errcode)}
            gateway.send(json.dumps(frame))
            assert (await failure(asked)).outcome == "unknown"


async def test_those_of_one_req_id_go_one_after_another(server: BotServer, corp: Corp) -> None:
    async with listening(server) as line:
        first, second = (server.gateway.say("WangMin", words) for words in ("一", "二"))
        server.gateway.holds_acks = True

        def answer(words: str) -> Json:
            return {"msgtype": "markdown", "markdown": {"content": words}}

        async with asyncio.TaskGroup() as asking:
            for number in range(5):
                for req_id in (first, second):
                    body = answer(f"{req_id} {number}")
                    asking.create_task(line.ask("aibot_respond_msg", body, req_id))
            await until(lambda: len(corp.timeline) == 2)
            await throughout(0.1, lambda: len(corp.timeline) == 2)
            server.gateway.release_acks()
        for req_id in (first, second):
            said = [one.body["content"] for one in corp.timeline]
            expected = [f"{req_id} {number}" for number in range(5)]
            assert [words for words in said if words.startswith(req_id)] == expected


async def test_who_waits_for_a_turn_when_the_line_drops_has_sent_nothing(
    server: BotServer, corp: Corp
) -> None:
    server.gateway.swallows_acks = True
    async with listening(server) as line:
        asked = [asyncio.create_task(line.ask(SEND, push(), "one")) for _ in range(3)]
        await until(lambda: len(corp.timeline) == 1)
        server.gateway.close(CUT)
        outcomes = [(await failure(one)).outcome for one in asked]
        assert outcomes == ["unknown", "retry", "retry"]
        assert len(corp.timeline) == 1


async def test_who_asks_may_be_cancelled(server: BotServer, corp: Corp) -> None:
    server.gateway.holds_acks = True
    async with listening(server) as line:
        asked = [asyncio.create_task(line.ask(SEND, push(), "one")) for _ in range(2)]
        await until(lambda: len(corp.timeline) == 1)
        for one in asked:
            one.cancel()
        await asyncio.gather(*asked, return_exceptions=True)
        assert all(one.cancelled() for one in asked)
        server.gateway.release_acks()
        assert (await line.ask(SEND, push()))["errcode"] == 0


async def test_many_commands_at_once(server: BotServer, corp: Corp) -> None:
    server.gateway.commands.enforces_pace = False
    async with listening(server) as line:
        said = await asyncio.gather(*(line.ask(SEND, push(str(n))) for n in range(300)))
        assert [one["errcode"] for one in said] == [0] * 300
    assert sorted(one.body["content"] for one in corp.timeline) == sorted(map(str, range(300)))


# --- who may have a line


async def test_without_the_lead_there_is_no_line_and_no_trouble(server: BotServer) -> None:
    bot = Bot()
    bot.leads = False
    async with listening(server, bot, wait=False) as line:
        await until(lambda: len(bot.looks) > 3)
        assert server.gateway.sessions == []
        await throughout(0.2, lambda: line.trouble() is None)
        bot.leads = True
        await until(lambda: line.connected)


async def test_a_lost_lead_closes_the_line(server: BotServer) -> None:
    bot = Bot()
    async with listening(server, bot) as line:
        bot.leads = False
        await until(lambda: server.lines == 0)
        assert not line.connected
        await throughout(0.2, lambda: server.lines == 0 and line.trouble() is None)
        bot.leads = True
        await until(lambda: line.connected)


async def test_one_doubt_about_the_lead_is_none(server: BotServer) -> None:
    bot = Bot()
    async with listening(server, bot) as line:
        for _ in range(3):
            bot.leads = OSError("no database")
            seen = len(bot.looks)
            await reached(seen + 1, lambda: len(bot.looks))
            bot.leads = True
            await reached(seen + 2, lambda: len(bot.looks))
        assert line.connected
        assert server.gateway.subscriptions == 1


async def test_nobody_knows_who_has_the_lead(server: BotServer) -> None:
    bot = Bot()
    async with listening(server, bot) as line:
        bot.leads = OSError("no database: 秘密")
        await until(lambda: server.lines == 0)
        await until(line.trouble)
        assert line.trouble() == (
            "the aibot's WebSocket has no connection: who has the lead cannot be found out: OSError"
        )
        bot.leads = True
        await until(lambda: line.connected)
        assert line.trouble() is None


async def test_a_question_about_the_lead_that_hangs(server: BotServer) -> None:
    """It is given up, and a second one in a row ends the line."""
    bot = Bot()
    async with listening(server, bot, replace(QUICK, lead=0.2)) as line:
        seen = len(bot.looks)
        await until(lambda: len(bot.looks) > seen)
        bot.lease.clear()
        await until(lambda: not line.connected)
        assert len(bot.looks) == seen + 3
        bot.lease.set()
        await until(lambda: line.connected)


class Lease:
    """A lead that only one has, until it is given up."""

    def __init__(self) -> None:
        self.holder = ""

    def lead(self, name: str) -> Callable[[], Awaitable[bool]]:
        async def ask() -> bool:
            self.holder = self.holder or name
            return self.holder == name

        return ask


async def test_two_of_us_and_one_line(server: BotServer, corp: Corp) -> None:
    """The other takes over when the lead is its, and neither tells anybody of a fight."""
    lease, bots = Lease(), {"a": Bot(), "b": Bot()}
    lines = {
        name: BotSocket(
            server.url,
            corp.bot_id,
            corp.bot_secret,
            bot.handle,
            lead=lease.lead(name),
            alarm=bot.alarm,
            timings=QUICK,
        )
        for name, bot in bots.items()
    }
    for line in lines.values():
        line.start()
    try:
        await until(lambda: lines["a"].connected or lines["b"].connected)
        await throughout(0.3, lambda: server.gateway.subscriptions == server.lines == 1)
        first = lease.holder
        second = "b" if first == "a" else "a"
        server.gateway.say("WangMin", "一")
        await until(lambda: bots[first].heard == ["一"])
        await lines[first].stop()
        assert not lines[second].connected
        lease.holder = ""
        await until(lambda: lines[second].connected)
        server.gateway.say("WangMin", "二")
        await until(lambda: bots[second].heard == ["二"])
        assert server.gateway.subscriptions == 2
        assert bots[first].alarms == bots[second].alarms == []
    finally:
        for line in lines.values():
            await line.stop()


# --- stopping


async def test_stopping_lets_what_is_in_hand_finish(server: BotServer, corp: Corp) -> None:
    """It may still ask meanwhile."""
    bot = Bot()
    started = asyncio.Event()
    made: list[BotSocket] = []

    async def handle(cmd: str, frame: Json) -> None:
        started.set()
        await bot.gate.wait()
        await made[0].ask(SEND, push("好了"))

    bot.gate.clear()
    line = BotSocket(
        server.url,
        corp.bot_id,
        corp.bot_secret,
        handle,
        lead=bot.lead,
        alarm=bot.alarm,
        timings=QUICK,
    )
    made.append(line)
    line.start()
    await until(lambda: line.connected)
    server.gateway.say("WangMin", "算工资")
    await started.wait()
    stopping = asyncio.create_task(line.stop())
    await asyncio.sleep(0.05)
    bot.gate.set()
    await stopping
    assert corp.last("wangmin") == "好了"
    await until(lambda: server.lines == 0)


async def test_stopping_takes_no_longer_than_it_may(server: BotServer) -> None:
    """A handler hangs, and the peer reads nothing, not even a close."""
    bot = Bot()
    bot.gate.clear()
    async with listening(server, bot, replace(QUICK, finish=0.2)) as line:
        server.gateway.say("WangMin", "算工资")
        await until(lambda: bot.frames)
        server.is_deaf = True
        async with asyncio.timeout(2):
            await line.stop()
        assert line.in_hand == frozenset()


async def test_stopping_leaves_behind_what_does_not_end(
    server: BotServer, corp: Corp, caplog: pytest.LogCaptureFixture
) -> None:
    bot, freed = Bot(), asyncio.Event()

    async def stubborn(cmd: str, frame: Json) -> None:
        while not freed.is_set():
            with suppress(asyncio.CancelledError):
                await freed.wait()

    timings = replace(QUICK, finish=0.05)
    line = BotSocket(
        server.url,
        corp.bot_id,
        corp.bot_secret,
        stubborn,
        lead=bot.lead,
        alarm=bot.alarm,
        timings=timings,
    )
    line.start()
    await until(lambda: line.connected)
    server.gateway.say("WangMin", "算工资")
    await until(lambda: line.in_hand)
    await line.stop()
    assert "leaves 1 tasks behind" in caplog.text
    await until(lambda: server.lines == 0)
    freed.set()
    await line.idle()


async def test_stopping_in_the_middle_of_things(server: BotServer) -> None:
    """While it connects, while it waits, before it began, and a second time."""
    server.gateway.swallows_subscriptions = True
    async with listening(server, wait=False) as line:
        await until(lambda: server.gateway.tries == 1)
        await line.stop()
    async with listening(server, url="ws://127.0.0.1:1/", wait=False) as line:
        await until(line.trouble)
        await line.stop()
        assert line.trouble() is None
    bot = Bot()
    never = BotSocket(server.url, "", "", bot.handle, lead=bot.lead, alarm=bot.alarm)
    await never.stop()
    assert never.trouble() is None


async def test_a_wire_that_does_not_close(corp: Corp) -> None:
    gateway, bot = Gateway(corp), Bot()
    inner = connect_in_process(gateway)

    async def connect(url: str) -> Wire:
        wire = await inner(url)

        async def close() -> None:
            await asyncio.Event().wait()

        wire.close = close  # type: ignore[method-assign]
        return wire

    line = BotSocket(
        "",
        corp.bot_id,
        corp.bot_secret,
        bot.handle,
        lead=bot.lead,
        alarm=bot.alarm,
        timings=QUICK,
        connect=connect,
    )
    line.start()
    await until(lambda: line.connected)
    gateway.close()
    await until(lambda: gateway.subscriptions == 2)
    await until(lambda: line.connected)
    async with asyncio.timeout(2):
        await line.stop()
    assert [wire.is_open for wire in inner.wires] == [False, False]
