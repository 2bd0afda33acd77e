"""Stream mode against the stand-in's gateway: lines that begin, end, lie and fall silent, and what
becomes of what they bring.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from itertools import pairwise
from urllib.parse import quote_plus

import pytest

from adapters import hands
from adapters.contract import DeliveryFailed, Rejected
from adapters.dingtalk.api import DingtalkApi, DingtalkRefused
from adapters.dingtalk.errcodes import OPEN_STREAM
from adapters.dingtalk.setup import Setup
from adapters.dingtalk.socket import CARDS, EVENTS, MESSAGES, Stream, Timings
from adapters.wires import LARGEST_FRAME
from tests.patience import nothing_is_left_behind, throughout, timed, until
from tests.platforms.dingtalk_gateway import (
    BOT,
    CARD,
    CLEAN,
    CUT,
    INTERNAL_ERROR,
    ODD_FRAMES,
    Gateway,
    Pushed,
    connect_in_process,
)
from tests.platforms.dingtalk_model import Json, Org
from tests.platforms.dingtalk_socket import StreamServer
from tests.platforms.wires import InProcess

QUICK = Timings(
    ping=0.1,
    dead=5.0,
    hello=2.0,
    settled=0.0,
    grace=0.5,
    apart=0.0,
    first_wait=0.02,
    longest_wait=0.1,
    refused_wait=0.1,
    unconnected=0.1,
    finish=1.0,
    close=0.3,
    take_again=(0.01, 0.02, 0.03),
)
HASTY = replace(QUICK, finish=0.3, close=0.2)
ASKED = (
    {"type": "EVENT", "topic": EVENTS},
    {"type": "CALLBACK", "topic": MESSAGES},
    {"type": "CALLBACK", "topic": CARDS},
)
SAID: Json = {"msgId": "msg1", "text": {"content": "秘密"}}


@pytest.fixture
def org() -> Org:
    return Org()


@pytest.fixture
def gateway(org: Org) -> Gateway:
    return Gateway(org)


@pytest.fixture
def server(gateway: Gateway) -> Iterator[StreamServer]:
    with StreamServer(gateway) as server:
        yield server


@pytest.fixture(autouse=True)
async def _nothing_is_left_behind(
    caplog: pytest.LogCaptureFixture, org: Org, gateway: Gateway
) -> AsyncIterator[None]:
    """No task, no session, no connection; no secret told, no ticket, and nothing that was said."""
    caplog.set_level(logging.DEBUG, "adapters")
    yield
    await nothing_is_left_behind(caplog)
    assert org.client_secret not in caplog.text
    assert "秘密" not in caplog.text
    for opened in gateway.opens:
        assert not opened.ticket or opened.ticket not in caplog.text
    assert gateway.strays == []


class Bot:
    """What Stream calls: it remembers, holds and fails as it is told to."""

    def __init__(self) -> None:
        self.frames: list[tuple[str, Json, Json]] = []
        self.told: list[str] = []  # messageIds of which it was said that they are acknowledged
        self.at_work = self.most = self.done = 0
        self.gate = asyncio.Event()
        self.gate.set()
        self.failures: list[Exception] = []

    async def handle(self, topic: str, headers: Json, data: Json) -> Json:
        self.frames.append((topic, headers, data))
        self.at_work += 1
        self.most = max(self.most, self.at_work)
        try:
            await self.gate.wait()
            if self.failures:
                raise self.failures.pop(0)
        finally:
            self.at_work -= 1
        self.done += 1
        return {"status": "SUCCESS"} if topic == EVENTS else {"response": {"by": "bot"}}

    def acknowledged(self, headers: Json) -> None:
        self.told.append(headers["messageId"])


@asynccontextmanager
async def running(stream: Stream, bot: Bot) -> AsyncIterator[None]:
    stream.start()
    try:
        yield
    finally:
        bot.gate.set()
        await stream.stop()


@asynccontextmanager
async def listening(
    server: StreamServer,
    bot: Bot | None = None,
    timings: Timings = QUICK,
    *,
    client_secret: str = "",
    connections: int = 2,
    wait: bool = True,
) -> AsyncIterator[Stream]:
    """Over real WebSockets, by the real API client; connected unless the test wants to see it."""
    made, org = bot or Bot(), server.org
    setup = Setup(server.api_url, org.client_id, client_secret or org.client_secret)
    api = DingtalkApi(setup, lambda: datetime.fromtimestamp(org.now(), UTC))
    stream = Stream(
        lambda: api.open_stream(ASKED),
        made.handle,
        acknowledged=made.acknowledged,
        connections=connections,
        timings=timings,
    )
    await api.open()
    try:
        async with running(stream, made):
            if wait:
                await until(lambda: len(server.gateway.listening) == connections)
                await until(lambda: stream.connected == connections)
            yield stream
    finally:
        await api.close()


@asynccontextmanager
async def in_process(
    gateway: Gateway,
    bot: Bot | None = None,
    timings: Timings = QUICK,
    *,
    connections: int = 2,
    wait: bool = True,
) -> AsyncIterator[tuple[Stream, InProcess]]:
    """The same without sockets, for what no socket can change."""
    made, org = bot or Bot(), gateway.org
    connect = connect_in_process(gateway)
    body = {
        "clientId": org.client_id,
        "clientSecret": org.client_secret,
        "subscriptions": list(ASKED),
    }

    async def url() -> str:
        opened = gateway.open(body)
        return f"{opened['endpoint']}?ticket={quote_plus(opened['ticket'])}"

    stream = Stream(
        url,
        made.handle,
        acknowledged=made.acknowledged,
        connections=connections,
        timings=timings,
        connect=connect,
    )
    async with running(stream, made):
        if wait:
            await until(lambda: stream.connected == connections)
        yield stream, connect


def failing(error: Exception) -> tuple[Callable[[], Awaitable[str]], list[float]]:
    """An open_url that fails, and when it was asked."""
    asked: list[float] = []

    async def url() -> str:
        asked.append(time.monotonic())
        raise error

    return url, asked


async def acked(*pushes: Pushed) -> list[tuple[int, object]]:
    """The first acknowledgement of each: code and data."""
    await until(lambda: all(one.acks for one in pushes))
    return [(one.acks[0].code, one.acks[0].data) for one in pushes]


def assert_paced(moments: list[float], *least: float) -> None:
    waits = [later - earlier for earlier, later in pairwise(moments)]
    for wait, expected in zip(waits, least, strict=False):
        assert wait >= expected
    assert len(waits) >= len(least)


# --- lines that begin


async def test_two_connections_and_no_more(server: StreamServer) -> None:
    async with listening(server) as stream:
        await until(lambda: server.lines == 2)
        await throughout(0.2, lambda: stream.connected == server.lines == 2)
        assert len(server.gateway.opens) == 2
        assert stream.trouble() is None
        assert server.gateway.opens[0].body["subscriptions"] == list(ASKED)
    await until(lambda: server.lines == 0)
    assert stream.connected == 0


async def test_they_begin_one_after_the_other(gateway: Gateway) -> None:
    async with in_process(gateway, timings=replace(QUICK, apart=0.2)) as (_, connect):
        assert_paced(connect.opened_at, 0.15)
    assert Timings().apart >= 30


async def test_a_handshake_that_is_never_answered_is_given_up() -> None:
    tries = 0
    bot = Bot()
    with socket.create_server(("127.0.0.1", 0)) as silent:

        async def url() -> str:
            nonlocal tries
            tries += 1
            return f"ws://127.0.0.1:{silent.getsockname()[1]}/?ticket=秘密"

        stream = Stream(url, bot.handle, timings=replace(QUICK, hello=0.05))
        async with running(stream, bot):
            await until(lambda: tries >= 4)
            await until(stream.trouble)
            assert stream.trouble() == "DingTalk's Stream has no connection: TimeoutError"


async def test_refused_handshakes_are_tried_again_at_a_pace(server: StreamServer) -> None:
    server.gateway.refused_handshakes = 5
    timings = replace(QUICK, first_wait=0.02, longest_wait=0.08)
    async with listening(server, timings=timings, connections=1, wait=False) as stream:
        await until(lambda: "WSServerHandshakeError 502" in str(stream.trouble()))
        await until(lambda: stream.connected == 1)
        assert stream.trouble() is None
    asked = [opened.at for opened in server.gateway.opens]
    assert len(asked) == 6, "a ticket is good once: each try has its own"
    assert_paced(asked, 0.02, 0.04, 0.08, 0.08, 0.08)


async def test_dingtalk_down_is_tried_slower_and_slower(server: StreamServer) -> None:
    server.gateway.refuse_opens(503, "ServiceUnavailable")
    timings = replace(QUICK, first_wait=0.02, longest_wait=0.08)
    async with listening(server, timings=timings, connections=1, wait=False) as stream:
        await until(lambda: len(server.gateway.opens) == 5)
        assert "ServiceUnavailable" in str(stream.trouble())
        assert_paced([opened.at for opened in server.gateway.opens], 0.02, 0.04, 0.08, 0.08)
        server.gateway.heal()
        await until(lambda: stream.connected == 1)
        assert stream.trouble() is None


async def test_a_wrong_secret_is_asked_for_rarely_and_is_trouble(server: StreamServer) -> None:
    timings = replace(QUICK, first_wait=0.001, longest_wait=0.001)
    async with listening(
        server, timings=timings, client_secret="another", connections=1, wait=False
    ) as stream:
        await until(lambda: len(server.gateway.opens) == 3)
        assert stream.trouble() == "DingTalk's Stream has no connection: authFailed"
    assert_paced([opened.at for opened in server.gateway.opens], 0.1, 0.1)


@pytest.mark.parametrize(
    ("error", "wait"),
    [
        (DingtalkRefused("authFailed", OPEN_STREAM), 0.1),
        (DingtalkRefused("Forbidden.AccessDenied.ApiCountLimitForOrg", OPEN_STREAM), 0.1),
        (DingtalkRefused("ServiceUnavailable", OPEN_STREAM), 0.001),
        (DeliveryFailed("retry", "ip_ban", after=0.08, scope="platform"), 0.08),
        (DeliveryFailed("retry", "ConnectError"), 0.001),
    ],
)
async def test_how_long_a_refusal_is_believed(error: Exception, wait: float) -> None:
    url, asked = failing(error)
    bot = Bot()
    timings = replace(QUICK, first_wait=0.001, longest_wait=0.001)
    stream = Stream(url, bot.handle, connections=1, timings=timings)
    async with running(stream, bot):
        await until(lambda: len(asked) >= 3)
        assert_paced(asked[:3], wait, wait)
        await until(stream.trouble)
        assert stream.trouble() == f"DingTalk's Stream has no connection: {error}"


async def test_an_error_that_names_the_address_is_not_told() -> None:
    url, _ = failing(ValueError("ws://…?ticket=秘密"))
    bot = Bot()
    stream = Stream(url, bot.handle, timings=QUICK)
    async with running(stream, bot):
        await until(stream.trouble)
        assert stream.trouble() == "DingTalk's Stream has no connection: ValueError"


async def test_a_gateway_that_stalls_keeps_nobody(server: StreamServer) -> None:
    """Eight seconds, in which everything else goes on, and stopping too."""
    server.gateway.stall = 8.0
    async with listening(server, timings=HASTY, wait=False) as stream:
        worst, last = 0.0, time.monotonic()
        while stream.trouble() is None:
            await asyncio.sleep(0.005)
            worst, last = max(worst, time.monotonic() - last), time.monotonic()
        assert worst < 0.5
        assert stream.trouble() == "DingTalk's Stream has no connection: not connected yet"
        assert await timed(stream.stop()) < 1.5


async def test_a_gateway_that_stalls_for_a_moment_is_waited_for(server: StreamServer) -> None:
    server.gateway.stall = 0.2
    async with listening(server) as stream:
        assert len(server.gateway.opens) == stream.connected == 2


# --- lines that end


async def test_a_gateway_that_closes_at_once_makes_no_storm(gateway: Gateway) -> None:
    """And it is trouble, though each line is open for a moment."""
    gateway.closes_at_once = True
    timings = replace(QUICK, settled=60.0, first_wait=0.02, longest_wait=0.1)
    async with in_process(gateway, timings=timings, connections=1, wait=False) as (stream, connect):
        await until(lambda: len(connect.opened_at) == 4)
        assert_paced(connect.opened_at, 0.02, 0.04, 0.08)
        await until(stream.trouble)
        assert stream.trouble() == "DingTalk's Stream has no connection: it was closed"
        seen = []
        for _ in range(50):
            await asyncio.sleep(0.005)
            seen.append(stream.trouble())
        assert seen.count(None) <= len(connect.opened_at) - 4, "only while one is open"
        gateway.heal()
        await until(lambda: stream.connected == 1)
        assert stream.trouble() is None


async def test_many_lines_leave_nothing_behind(gateway: Gateway) -> None:
    """Neither tasks nor lines, however often they end."""
    gateway.closes_at_once = True
    timings = replace(QUICK, first_wait=0.0, longest_wait=0.0)
    async with in_process(gateway, timings=timings, wait=False) as (stream, connect):
        for number in range(1, 11):
            await until(lambda: len(connect.opened_at) >= 50 * number)  # noqa: B023
            assert len(asyncio.all_tasks()) < 15
            assert stream.connected <= 2
            connect.wires.clear()


@pytest.mark.parametrize("code", [CLEAN, INTERNAL_ERROR, CUT])
async def test_a_line_that_ends_is_followed_by_another(server: StreamServer, code: int) -> None:
    bot = Bot()
    async with listening(server, bot) as stream:
        for number in range(3):
            server.gateway.close(code)
            await until(lambda: len(server.gateway.listening) == stream.connected == 2)
            await acked(server.gateway.push(BOT, {"msgId": str(number)}))
        await until(lambda: server.lines == 2)
        assert stream.trouble() is None
    assert [data["msgId"] for _, _, data in bot.frames] == ["0", "1", "2"]


async def test_a_line_that_is_told_to_go_is_replaced_first(server: StreamServer) -> None:
    """And nothing is lost while both are replaced."""
    bot, gateway = Bot(), server.gateway
    pushes: list[Pushed] = []
    async with listening(server, bot, replace(QUICK, grace=30.0)) as stream:
        for number in range(60):
            if number in (20, 40):
                gateway.disconnect(gateway.listening[0], with_id=number == 20)
            pushes.append(gateway.push(BOT, {"msgId": str(number)}))
            await asyncio.sleep(0.002)
        await acked(*pushes)
        await until(lambda: len(gateway.listening) == 2)
        assert len(gateway.open_lines) == stream.connected == 4
        gateway.org.advance(11)
        await until(lambda: len(gateway.open_lines) == stream.connected == 2)
    assert gateway.lost == []
    assert len(bot.frames) == 60


async def test_a_replaced_line_is_closed_by_us_in_the_end(gateway: Gateway) -> None:
    async with in_process(gateway, timings=replace(QUICK, grace=0.1)) as (stream, _):
        old = gateway.listening[0]
        gateway.disconnect(old)
        await until(lambda: len(gateway.listening) == 2)
        assert old.is_open
        await until(lambda: not old.is_open)
        assert stream.connected == 2


async def test_what_is_in_hand_is_acknowledged_by_the_line_it_came_by(gateway: Gateway) -> None:
    """Also when that is about to go, and even when it is gone: then it comes again."""
    bot = Bot()
    async with in_process(gateway, bot, replace(QUICK, grace=30.0), connections=1) as (stream, _):
        bot.gate.clear()
        old = gateway.listening[0]
        pushed = gateway.push(BOT, SAID)
        gateway.disconnect(old)
        await until(lambda: gateway.listening and bot.at_work == 1)
        bot.gate.set()
        await acked(pushed)
        assert pushed.acks[0].session is old

        bot.gate.clear()
        pushed = gateway.push(BOT, SAID)
        await until(lambda: bot.at_work == 1)
        gateway.close(CUT)
        await until(lambda: gateway.listening)
        bot.gate.set()
        await stream.idle()
        assert pushed.acks == []
        gateway.org.advance(61)
        gateway.tick()
        await acked(pushed)
        assert pushed.delivered == 2


async def test_disconnected_every_minute_for_an_hour(gateway: Gateway) -> None:
    """Nothing is lost between, and nothing grows."""
    bot = Bot()
    gateway.disconnect_every = 60.0
    async with in_process(gateway, bot) as (stream, _):
        for minute in range(60):
            gateway.org.advance(61)
            gateway.tick()
            await until(lambda: len(gateway.listening) == 2)
            await acked(gateway.push(BOT, {"msgId": str(minute)}))
            gateway.org.advance(11)
            gateway.tick()
            await until(lambda: stream.connected == 2)
            assert len(asyncio.all_tasks()) < 15
        assert stream.trouble() is None
    assert (len(bot.frames), gateway.lost) == (60, [])


async def test_lines_told_to_go_too_soon_come_at_a_slower_pace(gateway: Gateway) -> None:
    timings = replace(QUICK, settled=60.0, first_wait=0.02, longest_wait=0.1)
    async with in_process(gateway, timings=timings, connections=1) as (_, connect):
        for number in range(2, 6):
            await until(lambda: gateway.listening)
            gateway.disconnect()
            await until(lambda: len(connect.opened_at) == number)  # noqa: B023
    assert_paced(connect.opened_at, 0.02, 0.04, 0.08, 0.1)


# --- lines that lie


async def test_pings_are_answered_with_what_they_brought(gateway: Gateway) -> None:
    bot = Bot()
    async with in_process(gateway, bot):
        bot.gate.clear()
        for _ in range(3):
            gateway.push(BOT, SAID)
            gateway.ping()
        await until(lambda: all(line.pongs == 3 for line in gateway.listening))
    assert gateway.odd == []
    assert bot.told != []


async def test_a_gateway_that_never_pings_is_believed(gateway: Gateway) -> None:
    async with in_process(gateway, timings=replace(QUICK, silent=0.05)) as (stream, connect):
        await throughout(0.3, lambda: stream.connected == 2)
        assert len(connect.opened_at) == 2


async def test_one_that_pinged_and_is_silent_is_replaced(server: StreamServer) -> None:
    """Its WebSocket answers our pings all the while. The new line is there before it goes."""
    gateway = server.gateway
    async with listening(server, timings=replace(QUICK, silent=0.3, grace=0.1)) as stream:
        gateway.ping()
        old = gateway.listening[0]
        old.is_silent = True
        while old.is_open:
            assert stream.connected >= 2
            await asyncio.sleep(0.01)
            gateway.ping(gateway.listening[-1])
        await until(lambda: stream.connected == 2)
        assert stream.trouble() is None
        await acked(gateway.push(BOT, SAID, to=gateway.listening[-1]))


async def test_pings_keep_a_line(gateway: Gateway) -> None:
    async with in_process(gateway, timings=replace(QUICK, silent=0.3)) as (stream, connect):
        for _ in range(20):
            gateway.ping()
            await asyncio.sleep(0.02)
        assert (stream.connected, len(connect.opened_at)) == (2, 2)


async def test_a_zombie_is_replaced_though_it_pings(gateway: Gateway) -> None:
    """It brings nothing else, and nobody can tell but by that."""
    bot = Bot()
    timings = replace(QUICK, idle=0.3, silent=10.0, grace=0.1)
    async with in_process(gateway, bot, timings) as (stream, _):
        zombies = gateway.listening
        for line in zombies:
            line.is_zombie = True
        pushed = gateway.push(BOT, SAID)
        while any(line.is_open for line in zombies):
            gateway.ping()
            await asyncio.sleep(0.01)
            assert stream.connected >= 2
        assert pushed.acks == []
        gateway.org.advance(61)
        gateway.tick()
        await acked(pushed)


async def test_a_peer_that_answers_no_pings_of_ours_is_noticed(server: StreamServer) -> None:
    timings = replace(QUICK, ping=0.05, dead=0.2, settled=60.0)
    async with listening(server, timings=timings) as stream:
        server.is_deaf = True
        server.gateway.ping()  # what it brings is the last that is read
        await until(stream.trouble)
        server.is_deaf = False
        await until(lambda: stream.trouble() is None and len(server.gateway.listening) >= 2)


# --- what a line brings


async def test_what_is_done_is_acknowledged_and_not_before(server: StreamServer) -> None:
    bot, gateway = Bot(), server.gateway
    async with listening(server, bot) as stream:
        bot.gate.clear()
        message = gateway.push(BOT, SAID)
        event = gateway.event({"userId": ["lisi"]}, "user_leave_org")
        press = gateway.push(CARD, {"outTrackId": "m1"})
        await until(lambda: bot.at_work == 3)
        await throughout(0.1, lambda: not (message.acks or event.acks or press.acks or bot.told))
        assert len(stream.in_hand) == 3
        bot.gate.set()
        assert await acked(message, event, press) == [
            (200, {"response": {"by": "bot"}}),
            (200, {"status": "SUCCESS"}),
            (200, {"response": {"by": "bot"}}),
        ]
        await stream.idle()
    assert sorted(bot.told) == sorted(one.message_id for one in (message, event, press))
    by_topic = {topic: (headers, data) for topic, headers, data in bot.frames}
    assert by_topic[MESSAGES][1] == SAID
    assert by_topic[EVENTS][0]["eventType"] == "user_leave_org"
    assert by_topic[CARDS][1] == {"outTrackId": "m1"}
    assert gateway.odd == []


async def test_odd_frames_end_nothing(server: StreamServer) -> None:
    bot = Bot()
    async with listening(server, bot) as stream:
        for frame in ODD_FRAMES:
            server.gateway.send_raw(frame)
        await acked(*(server.gateway.push(BOT, SAID) for _ in range(5)))
        assert len(server.gateway.opens) == stream.connected == 2
    assert len(bot.frames) == 5


async def test_a_frame_of_bytes_or_too_large_ends_its_line_only(server: StreamServer) -> None:
    async with listening(server) as stream:
        server.gateway.send_raw("x" * (LARGEST_FRAME + 1), server.gateway.listening[0])
        await until(lambda: len(server.gateway.opens) == 3 and stream.connected == 2)
        await acked(server.gateway.push(BOT, SAID))


@pytest.mark.parametrize("data", ["no json", "[]", '"words"', ""])
async def test_data_that_nobody_can_read_do_not_come_again(gateway: Gateway, data: str) -> None:
    bot = Bot()
    async with in_process(gateway, bot):
        message, press = gateway.push(BOT, data), gateway.push(CARD, data)
        event = gateway.push("*", data, kind="EVENT")
        assert await acked(message, press, event) == [
            (200, {"response": None}),
            (200, {"response": {}}),
            (200, {"status": "SUCCESS"}),
        ]
    assert bot.frames == []


async def test_what_is_odd_is_acknowledged_for_it_will_stay_odd(gateway: Gateway) -> None:
    bot = Bot()
    bot.failures = [Rejected(400, "odd") for _ in range(3)]
    async with in_process(gateway, bot):
        message = gateway.push(BOT, SAID)
        event = gateway.event({}, "user_leave_org")
        press = gateway.push(CARD, {})
        assert await acked(message, event, press) == [
            (200, {"response": None}),
            (200, {"status": "SUCCESS"}),
            (200, {"response": {}}),
        ]


async def test_a_topic_of_somebody_else(gateway: Gateway) -> None:
    bot = Bot()
    async with in_process(gateway, bot):
        (line, _) = gateway.listening
        other = gateway.push("/v1.0/im/bot/messages/delegate", SAID, to=line)
        card_event = gateway.push(BOT, SAID, kind="EVENT", to=line)
        tomorrow = gateway.push("of tomorrow", SAID, kind="SYSTEM", to=line)
        for code, _data in await acked(other, card_event, tomorrow):
            assert code == 404
    assert bot.frames == []


async def test_a_message_that_fails_is_tried_again_at_once(gateway: Gateway) -> None:
    bot = Bot()
    bot.failures = [OSError("秘密") for _ in range(3)]
    async with in_process(gateway, bot) as (stream, _):
        pushed = gateway.push(BOT, SAID)
        assert await acked(pushed) == [(200, {"response": {"by": "bot"}})]
        await stream.idle()
    assert len(bot.frames) == 4
    assert bot.told == [pushed.message_id]


async def test_a_message_that_cannot_be_taken_comes_again_after_a_minute(
    gateway: Gateway, caplog: pytest.LogCaptureFixture
) -> None:
    bot = Bot()
    bot.failures = [OSError("no disk") for _ in range(4)]
    async with in_process(gateway, bot) as (stream, _):
        pushed = gateway.push(BOT, SAID)
        await until(lambda: len(bot.frames) == 4)
        await stream.idle()
        assert pushed.acks == []
        assert "a frame of DingTalk's Stream failed" in caplog.text
        gateway.org.advance(59)
        gateway.tick()
        assert pushed.delivered == 1
        gateway.org.advance(2)
        gateway.tick()
        assert await acked(pushed) == [(200, {"response": {"by": "bot"}})]
    one, *_, again = bot.frames
    assert one[1]["messageId"] == again[1]["messageId"]
    assert one[2] == again[2] == SAID


async def test_what_takes_longer_than_a_minute_comes_again_meanwhile(gateway: Gateway) -> None:
    """It is handed over twice, for the inbox knows its key; each line gets its acknowledgement."""
    bot = Bot()
    async with in_process(gateway, bot) as (stream, _):
        bot.gate.clear()
        pushed = gateway.push(BOT, SAID)
        for number in range(2, 5):
            gateway.org.advance(61)
            gateway.tick()
            await until(lambda: bot.at_work == number)  # noqa: B023
        bot.gate.set()
        await until(lambda: len(pushed.acks) == 4)
        assert {ack.session for ack in pushed.acks} == {line for line, _ in pushed.sent}
        await stream.idle()


async def test_an_event_that_fails_is_asked_for_again(gateway: Gateway) -> None:
    bot = Bot()
    bot.failures = [OSError("no disk")]
    async with in_process(gateway, bot):
        event = gateway.event({"userId": ["lisi"]}, "user_leave_org")
        assert await acked(event) == [(200, {"status": "LATER"})]
        gateway.org.advance(61)
        gateway.tick()
        await until(lambda: len(event.acks) == 2)
        assert event.acks[1].data == {"status": "SUCCESS"}


# --- presses


async def test_a_press_is_acknowledged_in_time_and_goes_on(gateway: Gateway) -> None:
    bot = Bot()
    async with in_process(gateway, bot, replace(QUICK, card=0.1)) as (stream, _):
        bot.gate.clear()
        began = time.monotonic()
        press = gateway.push(CARD, {"outTrackId": "m1"})
        assert await acked(press) == [(200, {"response": {}})]
        assert 0.1 <= time.monotonic() - began < 1.0
        await until(lambda: bot.told == [press.message_id])
        assert bot.at_work == 1
        bot.gate.set()
        await stream.idle()
        assert bot.done == len(press.acks) == 1
    assert bot.told == [press.message_id] * 2
    assert Timings().card < 2


async def test_a_press_that_waits_for_its_turn_is_acknowledged_in_time(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hands, "AT_ONCE", 2)
    bot = Bot()
    async with in_process(gateway, bot, replace(QUICK, card=0.1)):
        bot.gate.clear()
        gateway.flood(5)
        press = gateway.push(CARD, {"outTrackId": "m1"})
        assert await acked(press) == [(200, {"response": {}})]
        assert bot.at_work == 2


async def test_a_press_that_fails(gateway: Gateway) -> None:
    bot = Bot()
    bot.failures = [OSError("no disk")]
    async with in_process(gateway, bot) as (stream, _):
        press = gateway.push(CARD, {"outTrackId": "m1"})
        assert await acked(press) == [(500, {})]
        await stream.idle()
    assert len(bot.frames) == len(bot.told) == 1


async def test_a_press_that_fails_late_says_nothing_more(gateway: Gateway) -> None:
    bot = Bot()
    async with in_process(gateway, bot, replace(QUICK, card=0.05)) as (stream, _):
        bot.gate.clear()
        bot.failures = [OSError("no disk")]
        press = gateway.push(CARD, {"outTrackId": "m1"})
        await acked(press)
        bot.gate.set()
        await stream.idle()
        assert len(press.acks) == 1


# --- much at once


async def test_a_flood_is_bounded_and_all_of_it_is_done(
    server: StreamServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And lines that are not read for that long are not taken for dead."""
    monkeypatch.setattr(hands, "AT_ONCE", 20)
    monkeypatch.setattr(hands, "READ_AHEAD", 50)
    bot, gateway = Bot(), server.gateway
    timings = replace(QUICK, ping=0.05, dead=0.25, idle=0.25, silent=0.25)
    async with listening(server, bot, timings) as stream:
        bot.gate.clear()
        gateway.ping()
        pushes = await asyncio.to_thread(gateway.flood, 500)
        await until(lambda: len(stream.in_hand) == 50)
        await throughout(0.5, lambda: len(stream.in_hand) == 50 and bot.at_work == 20)
        assert len(gateway.opens) == 2
        bot.gate.set()
        await acked(*pushes)
    assert bot.most == 20
    assert len(bot.frames) == 500


async def test_failures_and_odd_ones_give_their_place_back(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hands, "AT_ONCE", 2)
    monkeypatch.setattr(hands, "READ_AHEAD", 4)
    bot = Bot()
    bot.failures = [ValueError("no")] * 10 + [Rejected(400, "odd")] * 10
    async with in_process(gateway, bot, replace(QUICK, take_again=())) as (stream, _):
        pushes = gateway.flood(30)
        await until(lambda: len(bot.frames) == 30)
        await stream.idle()
    assert sum(len(one.acks) for one in pushes) == 20


# --- the end


def test_stopping_is_bounded_by_less_than_five_seconds() -> None:
    timings = Timings()
    assert timings.finish + 1.5 * timings.close < 5


async def test_stopping_waits_for_what_is_in_hand(gateway: Gateway) -> None:
    bot = Bot()
    async with in_process(gateway, bot) as (stream, _):
        bot.gate.clear()
        first = gateway.push(BOT, SAID)
        await until(lambda: bot.at_work == 1)
        stopping = asyncio.create_task(stream.stop())
        await asyncio.sleep(0.05)
        later = gateway.push(BOT, SAID)
        await until(lambda: bot.at_work == 2)
        bot.gate.set()
        await acked(first, later)
        await stopping
        assert stream.connected == 0
        assert stream.trouble() is None


@pytest.mark.parametrize("is_deaf", [False, True])
async def test_a_handler_that_hangs_does_not_keep_it(server: StreamServer, is_deaf: bool) -> None:
    """Nor a server that says no goodbye; what was not acknowledged comes again to another."""
    bot = Bot()
    async with listening(server, bot, HASTY) as stream:
        bot.gate.clear()
        pushed = server.gateway.push(BOT, SAID)
        await until(lambda: bot.at_work == 1)
        server.is_deaf = is_deaf
        server.gateway.ping()
        assert await timed(stream.stop()) < 1.5
        assert (bot.at_work, pushed.acks) == (0, [])
        server.is_deaf = False
    await until(lambda: server.lines == 0)


async def test_who_swallows_a_cancellation_does_not_keep_it(gateway: Gateway) -> None:
    never, swallowed = asyncio.Event(), asyncio.Event()

    async def stubborn(_topic: str, _headers: Json, _data: Json) -> Json:
        try:
            await never.wait()
        except asyncio.CancelledError:
            swallowed.set()
            await never.wait()
        return {}

    bot = Bot()
    bot.handle = stubborn  # type: ignore[assignment, method-assign]
    async with in_process(gateway, bot, HASTY) as (stream, _):
        gateway.push(CARD, SAID)
        await until(lambda: stream.in_hand)
        await asyncio.sleep(0)
        assert await timed(stream.stop()) < 1.5
        assert swallowed.is_set()


@pytest.mark.parametrize("moment", ["pause", "between", "retry"])
async def test_stopping_meanwhile(gateway: Gateway, moment: str) -> None:
    """While it waits to connect, for the turn of the second line, or to try a message again."""
    bot = Bot()
    timings = replace(
        HASTY, first_wait=30.0, longest_wait=30.0, apart=30.0, settled=60.0, take_again=(30.0,)
    )
    async with in_process(gateway, bot, timings, wait=False) as (stream, _):
        await until(lambda: stream.connected == 1)
        if moment == "pause":
            gateway.close()
            await until(lambda: stream.connected == 0)
        elif moment == "retry":
            bot.failures = [OSError("no disk")]
            gateway.push(BOT, SAID)
            await until(lambda: bot.frames)
        assert await timed(stream.stop()) < 1.5
        assert stream.connected == 0


async def test_stopping_what_never_started_and_starting_again(gateway: Gateway) -> None:
    async with in_process(gateway) as (stream, _):
        await stream.stop()
        await stream.stop()
        assert (stream.connected, stream.trouble()) == (0, None)
        stream.start()
        await until(lambda: stream.connected == 2)
        await acked(gateway.push(BOT, SAID))
        assert stream.heard_at is not None
