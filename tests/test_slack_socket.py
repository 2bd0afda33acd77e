"""Socket Mode against the stand-in, over real WebSockets: lines that begin, end, lie and fall
silent, and what becomes of what they bring.
"""

from __future__ import annotations

import asyncio
import json
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from adapters import hands
from adapters.contract import DeliveryFailed, Rejected
from adapters.hands import AT_ONCE
from adapters.lines import Timings
from adapters.slack.adapter import SlackAdapter
from adapters.slack.api import SlackApi, SlackRefused
from adapters.slack.socket import SocketMode, opened_url
from tests.patience import nothing_is_left_behind, throughout, timed, until
from tests.platforms import slack_links
from tests.platforms.slack import RateLimited, Reply, ServerError, SlackError, StandInSlack
from tests.platforms.slack_envelopes import envelope_for
from tests.platforms.slack_links import Connection, Delivery
from tests.recorder import Recorder
from tests.slack_stage import QUICK, make_adapter, populated

OPEN = "apps.connections.open"
HELLO = json.dumps({"type": "hello", "num_connections": 1})
Json = dict[str, Any]


@pytest.fixture
def slack() -> Iterator[StandInSlack]:
    with populated() as standin:
        standin.deliver_by_socket()
        standin.patience = 2.0
        yield standin


@pytest.fixture(autouse=True)
async def _nothing_is_left_behind(caplog: pytest.LogCaptureFixture) -> AsyncIterator[None]:
    """No task that nobody awaits, no session or connection that nobody closed."""
    yield
    await nothing_is_left_behind(caplog)


class Handler:
    """Stands where Bolt stands: remembers payloads, holds them, fails as it is told to."""

    def __init__(self) -> None:
        self.payloads: list[Json] = []
        self.in_hand = self.most = self.done = 0
        self.gate = asyncio.Event()
        self.gate.set()
        self.body = ""
        self.failures: list[Exception] = []

    async def __call__(self, payload: Json) -> str:
        self.payloads.append(payload)
        self.in_hand += 1
        self.most = max(self.most, self.in_hand)
        try:
            await self.gate.wait()
            if self.failures:
                raise self.failures.pop(0)
        finally:
            self.in_hand -= 1
        self.done += 1
        return self.body

    @property
    def ids(self) -> list[str]:
        return [payload["event_id"] for payload in self.payloads]


@asynccontextmanager
async def open_urls(
    slack: StandInSlack, app_token: str | None = None
) -> AsyncIterator[Callable[[], Awaitable[str]]]:
    """apps.connections.open by the real Web API client."""
    token = app_token or slack.app_token
    api = SlackApi(slack.token, slack.api_url, lambda: datetime.now(UTC), token)
    await api.open(learn=False)
    try:
        yield lambda: opened_url(api.call)
    finally:
        await api.close()


@asynccontextmanager
async def running(
    url: Callable[[], Awaitable[str]], handler: Handler, timings: Timings, connections: int = 2
) -> AsyncIterator[SocketMode]:
    mode = SocketMode(url, handler, timings=timings, connections=connections)
    mode.start()
    try:
        yield mode
    finally:
        handler.gate.set()
        await mode.stop()


@asynccontextmanager
async def listening(
    slack: StandInSlack,
    handler: Handler | None = None,
    timings: Timings = QUICK,
    *,
    app_token: str | None = None,
    connections: int = 2,
    wait: bool = True,
) -> AsyncIterator[SocketMode]:
    """Socket Mode, connected unless the test wants to see it connect."""
    made = handler or Handler()
    async with (
        open_urls(slack, app_token) as url,
        running(url, made, timings, connections) as mode,
    ):
        if wait:
            await until(lambda: len(slack.socket.connections) == mode.connected == connections)
        yield mode


@asynccontextmanager
async def adapter_at_work(
    slack: StandInSlack, recorder: Recorder, timings: Timings = QUICK
) -> AsyncIterator[SlackAdapter]:
    adapter = make_adapter(slack, by_socket=True, timings=timings)
    await adapter.start(recorder)
    try:
        yield adapter
    finally:
        await adapter.stop()


@asynccontextmanager
async def websockets(
    attend: Callable[[web.WebSocketResponse], Awaitable[None]],
) -> AsyncIterator[Callable[[], Awaitable[str]]]:
    """A server that does what Slack would not do for a stand-in; gives its address as open_url."""

    async def link(request: web.Request) -> web.WebSocketResponse:
        ws = web.WebSocketResponse(timeout=0.1)
        await ws.prepare(request)
        await attend(ws)
        return ws

    app = web.Application()
    app.router.add_get("/link/", link)
    async with TestServer(app, host="127.0.0.1") as server:

        async def url() -> str:
            return f"ws://127.0.0.1:{server.port}/link/"

        yield url


async def command(slack: StandInSlack, words: str = "why?") -> Reply:
    return await asyncio.to_thread(slack.command, "U1", "/ask", words, "C1")


async def event(slack: StandInSlack, number: int = 0) -> Reply:
    inner = {"type": "message", "user": "U1", "channel": "C1", "text": "x", "ts": f"1700.{number}"}
    return await asyncio.to_thread(slack.event, inner, event_id=f"Ev{number}")


def opened_at(slack: StandInSlack) -> list[float]:
    """When an address was asked for."""
    return [call.at for call in slack.calls_of(OPEN)]


# --- lines that begin


async def test_two_connections_and_no_more(slack: StandInSlack) -> None:
    async with listening(slack) as mode:
        await throughout(0.2, lambda: mode.connected == 2)
        assert slack.socket.opened == 2
        assert mode.trouble() is None
    await until(lambda: slack.socket.connections == [])


async def test_a_slow_hello_is_waited_for(slack: StandInSlack) -> None:
    slack.socket.slow_hello = 0.3
    async with listening(slack, wait=False) as mode:
        await until(lambda: len(slack.socket._lines) == 2)
        assert mode.connected == 0
        await until(lambda: mode.connected == 2)
        assert len(slack.calls_of(OPEN)) == 2


async def test_a_hello_that_never_comes_is_given_up(slack: StandInSlack) -> None:
    slack.socket.slow_hello = 60
    async with listening(slack, timings=replace(QUICK, hello=0.05), wait=False) as mode:
        await until(lambda: len(slack.calls_of(OPEN)) >= 4)
        await until(lambda: mode.trouble() == "Socket Mode has no connection: TimeoutError")
        slack.socket.slow_hello = 0
        await until(lambda: mode.connected == 2)
        assert mode.trouble() is None


async def test_a_handshake_that_is_never_answered_is_given_up() -> None:
    """TCP connects and nothing comes: without a bound the line would wait for ever."""
    handler = Handler()
    with socket.create_server(("127.0.0.1", 0)) as silent:
        tries = 0

        async def url() -> str:
            nonlocal tries
            tries += 1
            return f"ws://127.0.0.1:{silent.getsockname()[1]}/"

        async with running(url, handler, replace(QUICK, hello=0.05)) as mode:
            await until(lambda: tries >= 4)
            await until(lambda: mode.trouble())


async def test_what_is_said_before_hello_is_no_hello(slack: StandInSlack) -> None:
    slack.socket.slow_hello = 0.3
    async with listening(slack, wait=False) as mode:
        await until(lambda: len(slack.socket._lines) == 2)
        for words in ("no json", "[]", "{}", '{"type": "error"}', '{"type": ["hello"]}'):
            await asyncio.to_thread(slack.socket.garbage, words)
        assert mode.connected <= slack.socket.opened
        await until(lambda: mode.connected == 2)
        assert slack.socket.opened == 2


async def test_other_frames_before_hello() -> None:
    async def attend(ws: web.WebSocketResponse) -> None:
        await ws.ping(b"there?")
        await ws.pong(b"unasked")
        await ws.send_bytes(b"\x00")
        await ws.send_str(HELLO)
        await ws.receive()

    async with websockets(attend) as url, running(url, Handler(), QUICK, 1) as mode:
        await until(lambda: mode.connected == 1)


async def test_refused_handshakes_are_tried_again_at_a_pace(slack: StandInSlack) -> None:
    slack.socket.refuse_next(5)
    timings = replace(QUICK, first_wait=0.02, longest_wait=0.08)
    async with listening(slack, timings=timings, connections=1) as mode:
        assert mode.trouble() is None
        waits = [later - earlier for earlier, later in pairwise(opened_at(slack))]
        assert len(waits) == 5
        for wait, least in zip(waits, (0.02, 0.04, 0.08, 0.08, 0.08), strict=True):
            assert wait >= least


async def test_one_connection_too_many_waits_for_its_place(
    slack: StandInSlack, monkeypatch: pytest.MonkeyPatch
) -> None:
    """https://github.com/slackapi/bolt-js/issues/2021: a goodbye comes instead of hello."""
    monkeypatch.setattr(slack_links, "MOST_CONNECTIONS", 1)
    async with listening(slack, wait=False) as mode:
        await until(lambda: mode.connected == 1 and len(slack.calls_of(OPEN)) > 3)
        assert mode.trouble() is None
        assert (await command(slack)).error is None
        monkeypatch.setattr(slack_links, "MOST_CONNECTIONS", 10)
        await until(lambda: mode.connected == 2)


async def test_no_place_at_all_is_trouble(
    slack: StandInSlack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(slack_links, "MOST_CONNECTIONS", 0)
    async with listening(slack, wait=False) as mode:
        await until(mode.trouble)
        assert mode.trouble() == ("Socket Mode has no connection: turned away: too_many_websockets")


# --- addresses that are not given out


async def test_a_limit_is_kept_to_the_second(slack: StandInSlack) -> None:
    """Retry-After is the least; to come back a moment sooner is to be refused again."""
    slack.faults.script(OPEN, [RateLimited(retry_after=1)])
    async with listening(slack, connections=1, wait=False) as mode:
        await until(lambda: mode.connected == 1)
        first, second = opened_at(slack)
        assert second - first >= 1


async def test_every_limit_is_kept_by_every_connection() -> None:
    asked: list[float] = []

    async def url() -> str:
        asked.append(time.monotonic())
        raise SlackRefused("ratelimited", 429, 0.1)

    async with running(url, Handler(), QUICK):
        await until(lambda: len(asked) == 6)
    for line in (asked[::2], asked[1::2]):
        assert all(later - earlier >= 0.1 for earlier, later in pairwise(line))


@pytest.mark.parametrize("code", ["invalid_auth", "missing_scope", "not_allowed_token_type"])
async def test_a_no_that_only_a_person_can_change_is_asked_for_rarely_and_is_trouble(
    slack: StandInSlack, code: str
) -> None:
    slack.faults.every(1, SlackError(code), OPEN)
    timings = replace(
        QUICK, first_wait=0.001, longest_wait=0.001, refused_wait=0.2, unconnected=0.5
    )
    async with listening(slack, timings=timings, wait=False) as mode:
        await until(lambda: len(slack.calls_of(OPEN)) == 2)
        assert mode.trouble() is None, "not at the first no"
        await until(mode.trouble)
        assert mode.trouble() == f"Socket Mode has no connection: {code}"
        await until(lambda: len(slack.calls_of(OPEN)) >= 4)
        asked = opened_at(slack)
        assert asked[2] - asked[0] >= 0.2
        slack.faults.clear()
        await until(lambda: mode.connected == 2)
        assert mode.trouble() is None


async def test_a_wrong_app_token_is_not_the_bot_tokens_trouble(slack: StandInSlack) -> None:
    recorder = Recorder()
    slack._server.app_tokens.clear()
    async with adapter_at_work(slack, recorder) as adapter:
        await until(adapter.trouble)
        assert adapter.trouble() == "Socket Mode has no connection: invalid_auth"
        assert adapter._api.trouble is None


async def test_slack_down_is_tried_slower_and_slower(slack: StandInSlack) -> None:
    slack.faults.every(1, ServerError(), OPEN)
    timings = replace(QUICK, first_wait=0.02, longest_wait=0.08)
    async with listening(slack, timings=timings, connections=1, wait=False) as mode:
        await until(lambda: len(slack.calls_of(OPEN)) == 5)
        waits = [later - earlier for earlier, later in pairwise(opened_at(slack))]
        for wait, least in zip(waits, (0.02, 0.04, 0.08, 0.08), strict=True):
            assert wait >= least
        assert mode.trouble() is not None


async def test_an_answer_without_an_address() -> None:
    async def ask(_method: str, _arguments: Json) -> Json:
        return {"ok": True, "url": "https://slack.com"}

    with pytest.raises(DeliveryFailed, match="no address"):
        await opened_url(ask)


# --- lines that end


@pytest.mark.parametrize("reason", ["warning", "refresh_requested"])
async def test_a_line_that_is_told_to_go_is_replaced_first(
    slack: StandInSlack, reason: str
) -> None:
    """And nothing is lost or doubled, while events keep coming and both lines are renewed."""
    handler = Handler()
    async with listening(slack, handler, replace(QUICK, grace=30.0)) as mode:
        for number in range(60):
            if number == 20:
                await asyncio.to_thread(slack.socket.disconnect, reason)
            assert (await event(slack, number)).error is None
        await until(lambda: slack.socket.opened == 4)
        closing = slack.socket._close(slack.socket.connections[:2], 0)
        await asyncio.to_thread(slack.socket._run, closing)
        await until(lambda: len(slack.socket.connections) == mode.connected == 2)
        assert slack.socket.overlap_seen
        assert (await event(slack, 60)).error is None
    assert sorted(handler.ids) == sorted(f"Ev{number}" for number in range(61))


async def test_slack_closes_what_it_told_to_go(slack: StandInSlack) -> None:
    """What travels at that moment may be lost on the way, and comes again: nothing is missing."""
    handler, again = Handler(), 0
    slack.patience = 0.2
    async with listening(slack, handler) as mode:
        for number in range(40):
            if number % 10 == 5:
                for line in list(slack.socket.connections):
                    await asyncio.to_thread(
                        slack.socket.disconnect, "refresh_requested", line, close_after=0.1
                    )
            reply = await event(slack, number)
            while reply.error is not None:
                again += 1
                reply = await asyncio.to_thread(slack.redeliver, reply)
        await until(lambda: mode.connected == len(slack.socket.connections) == 2)
    assert slack.socket.overlap_seen
    assert set(handler.ids) == {f"Ev{number}" for number in range(40)}
    assert len(handler.ids) <= 40 + again


async def test_a_replaced_line_is_closed_by_us_in_the_end(slack: StandInSlack) -> None:
    async with listening(slack, timings=replace(QUICK, grace=0.2)) as mode:
        (first, _) = slack.socket.connections
        await asyncio.to_thread(slack.socket.disconnect, "warning", first)
        await until(lambda: slack.socket.opened == 3)
        await until(lambda: first not in slack.socket.connections)
        await until(lambda: mode.connected == len(slack.socket.connections) == 2)
    assert slack.socket.overlap_seen


async def test_socket_mode_switched_off_is_trouble_until_it_is_on_again(
    slack: StandInSlack,
) -> None:
    timings = replace(QUICK, first_wait=0.001, longest_wait=0.001, refused_wait=0.1)
    async with listening(slack, timings=timings) as mode:
        await asyncio.to_thread(slack.socket.disconnect, "link_disabled")
        await until(mode.trouble)
        assert mode.trouble() == "Socket Mode has no connection: socket_mode_not_enabled"
        before = len(slack.calls_of(OPEN))
        await until(lambda: len(slack.calls_of(OPEN)) >= before + 4)
        asked = opened_at(slack)[before:]
        assert asked[3] - asked[0] >= 0.1, "it is asked slowly"
        slack.socket.enable()
        await until(lambda: mode.connected == 2)
        assert mode.trouble() is None
        assert (await command(slack)).error is None


async def test_one_line_cut(slack: StandInSlack) -> None:
    handler = Handler()
    async with listening(slack, handler) as mode:
        await asyncio.to_thread(slack.socket.cut, slack.socket.connections[0])
        assert (await command(slack)).error is None
        assert mode.trouble() is None
        await until(lambda: slack.socket.opened == 3 and mode.connected == 2)
    assert len(handler.payloads) == 1


async def test_both_lines_cut(slack: StandInSlack) -> None:
    async with listening(slack) as mode:
        await asyncio.to_thread(slack.socket.cut)
        await until(lambda: slack.socket.opened == 4 and mode.connected == 2)
        assert (await command(slack)).error is None
        assert mode.trouble() is None


async def test_both_lines_cut_while_slack_is_down(slack: StandInSlack) -> None:
    async with listening(slack, timings=replace(QUICK, unconnected=0.5)) as mode:
        slack.faults.every(1, ServerError(), OPEN)
        await asyncio.to_thread(slack.socket.cut)
        assert mode.trouble() is None, "not at once"
        await until(mode.trouble)
        slack.faults.clear()
        await until(lambda: mode.connected == 2)
        assert mode.trouble() is None


WATCHFUL = replace(QUICK, ping=0.05, dead=0.3)


async def test_a_half_dead_line_is_noticed_and_replaced(slack: StandInSlack) -> None:
    """TCP stands and nothing comes any more, not even a pong."""
    handler = Handler()
    async with listening(slack, handler, WATCHFUL) as mode:
        dead = slack.socket.connections[0]
        began = time.monotonic()
        dead.starved = True
        await until(lambda: dead not in slack.socket.connections)
        assert time.monotonic() - began < 2
        await until(lambda: slack.socket.opened >= 3 and mode.connected == 2)
        assert (await command(slack)).error is None
        assert mode.trouble() is None


async def test_what_a_half_dead_line_swallowed_comes_again(slack: StandInSlack) -> None:
    handler = Handler()
    slack.patience = 0.1
    async with listening(slack, handler, WATCHFUL):
        for line in slack.socket.connections:
            line.starved = True
        reply = await event(slack, 1)
        assert reply.error == "operation_timeout"
        slack.patience = 2.0
        await until(lambda: _awake(slack.socket.connections))
        assert (await asyncio.to_thread(slack.redeliver, reply)).error is None
    assert handler.ids == ["Ev1"]


def _awake(lines: list[Connection]) -> bool:
    return len(lines) == 2 and not any(line.starved for line in lines)


async def test_every_line_half_dead_is_trouble(slack: StandInSlack) -> None:
    async with listening(slack, timings=replace(WATCHFUL, hello=0.1)) as mode:
        slack.socket.starve_pongs = True
        await until(mode.trouble)
        slack.socket.starve_pongs = False
        await until(lambda: mode.connected == 2)
        assert mode.trouble() is None
        assert (await command(slack)).error is None


async def test_pongs_alone_keep_a_line(slack: StandInSlack) -> None:
    async with listening(slack, timings=replace(WATCHFUL, dead=0.5)) as mode:
        await until(lambda: all(line.pings >= 12 for line in slack.socket.connections))
        assert (slack.socket.opened, mode.connected) == (2, 2)


async def test_slacks_own_pings_are_answered(slack: StandInSlack) -> None:
    slack.socket.ping_every = 0.02
    async with listening(slack):
        await until(lambda: all(line.pongs >= 3 for line in slack.socket.connections))


async def test_a_line_without_envelopes_is_renewed_without_a_gap(slack: StandInSlack) -> None:
    """bolt-python#1529: a line that only pongs may have stopped bringing anything."""
    timings = replace(QUICK, ping=0.05, idle=0.3, grace=0.2)
    async with listening(slack, timings=timings) as mode:
        first = {line.id for line in slack.socket.connections}
        seen: list[set[int]] = []

        def renewed() -> bool:
            seen.append({line.id for line in slack.socket.connections})
            return not first & seen[-1]

        await until(renewed)
        assert min(len(lines) for lines in seen) >= 2
        assert (await command(slack)).error is None
        assert mode.trouble() is None


async def test_envelopes_keep_a_line(slack: StandInSlack) -> None:
    timings = replace(QUICK, ping=0.02, idle=0.6)
    async with listening(slack, timings=timings):
        for number in range(16):
            assert (await event(slack, number)).error is None
            await asyncio.sleep(0.05)
        assert slack.socket.opened == 2


async def test_a_line_that_closes_after_hello_makes_no_storm() -> None:
    """Each address costs a call that Slack allows about once a minute."""
    opened: list[float] = []

    async def attend(ws: web.WebSocketResponse) -> None:
        opened.append(time.monotonic())
        await ws.send_str(HELLO)
        await ws.close()

    timings = replace(QUICK, settled=60.0, first_wait=0.02, longest_wait=0.08)
    async with websockets(attend) as url, running(url, Handler(), timings, 1):
        await until(lambda: len(opened) == 6)
    waits = [later - earlier for earlier, later in pairwise(opened)]
    for wait, least in zip(waits, (0.02, 0.04, 0.08, 0.08, 0.08), strict=True):
        assert wait >= least


async def test_a_line_that_lasted_is_replaced_at_once(slack: StandInSlack) -> None:
    timings = replace(QUICK, settled=0.1, first_wait=60.0, longest_wait=60.0)
    async with listening(slack, timings=timings) as mode:
        await throughout(0.15, lambda: mode.connected == 2)
        await asyncio.to_thread(slack.socket.cut)
        await until(lambda: mode.connected == 2)


# --- what a line brings


async def test_nonsense_breaks_no_line(slack: StandInSlack) -> None:
    handler = Handler()
    nonsense = (
        "<html>502</html>",
        "[]",
        "null",
        "{}",
        '{"type": 5}',
        '{"envelope_id": 5, "payload": {}}',
        '{"envelope_id": "x", "payload": []}',
        '{"envelope_id": "x", "payload": {"text": "half a \\ud83d"}}',
        "[" * 100_000,
        '{"a": ' + "9" * 5000 + "}",
    )
    async with listening(slack, handler) as mode:
        for words in nonsense:
            await asyncio.to_thread(slack.socket.garbage, words)
        for _ in range(2):
            assert (await command(slack)).error is None
        assert mode.connected == 2
    assert slack.socket.opened == 2
    assert len(handler.payloads) == 2


async def test_a_frame_that_is_too_large_ends_its_line_only(slack: StandInSlack) -> None:
    async with listening(slack) as mode:
        first = slack.socket.connections[0]
        await asyncio.to_thread(slack.socket.garbage, '"' + "x" * 5 * 2**20 + '"', first)
        await until(lambda: slack.socket.opened == 3 and mode.connected == 2)
        assert (await command(slack)).error is None


async def test_it_is_acknowledged_when_it_is_done_and_not_before(slack: StandInSlack) -> None:
    handler = Handler()
    async with listening(slack, handler):
        handler.gate.clear()
        waiting = asyncio.create_task(event(slack))
        await until(lambda: handler.in_hand == 1)
        (delivery,) = slack.socket.deliveries
        await throughout(0.1, lambda: delivery.acknowledged_by is None)
        handler.gate.set()
        assert (await waiting).error is None
        assert delivery.acknowledged_by in delivery.connections


async def test_what_failed_is_not_acknowledged_and_comes_again(
    slack: StandInSlack, caplog: pytest.LogCaptureFixture
) -> None:
    handler = Handler()
    slack.patience = 0.2
    async with listening(slack, handler) as mode:
        handler.failures = [OSError("the disk is full")]
        reply = await event(slack)
        assert reply.error == "operation_timeout"
        assert (await asyncio.to_thread(slack.redeliver, reply)).error is None
        assert mode.connected == 2
    assert handler.ids == ["Ev0", "Ev0"]
    assert "is not acknowledged" in caplog.text


async def test_what_is_odd_is_acknowledged_for_it_will_stay_odd(slack: StandInSlack) -> None:
    handler = Handler()
    async with listening(slack, handler):
        handler.failures = [Rejected(400, "an odd payload")]
        reply = await command(slack)
        assert (reply.error, reply.body) == (None, {})


@pytest.mark.parametrize(
    ("body", "command_shows", "event_gets"),
    [
        ('{"text": "你好"}', {"text": "你好"}, {}),
        ("", {}, {}),
        ("{}", {}, {}),
        ("heard", {}, {}),
        ("[1]", {}, {}),
    ],
)
async def test_a_response_goes_along_only_where_slack_takes_one(
    slack: StandInSlack, body: str, command_shows: Json, event_gets: Json
) -> None:
    handler = Handler()
    handler.body = body
    async with listening(slack, handler):
        assert (await command(slack)).body == command_shows
        assert (await event(slack)).error is None
    (by_command, by_event) = slack.socket.deliveries
    assert by_command.answer == command_shows
    assert by_event.answer == event_gets


async def test_the_same_envelope_twice_is_one_key(slack: StandInSlack) -> None:
    """On two connections; the inbox knows the key and does it once."""
    recorder = Recorder()
    async with adapter_at_work(slack, recorder) as adapter:
        await until(lambda: len(slack.socket.connections) == 2)
        slack.socket.duplicate_next()
        assert (await command(slack)).error is None
        await until(lambda: len(recorder.events) == 2)
        assert adapter.trouble() is None
    one, two = recorder.events
    assert one.key == two.key


async def test_a_lost_envelope_comes_again_and_is_heard_once(slack: StandInSlack) -> None:
    recorder = Recorder()
    async with adapter_at_work(slack, recorder):
        await until(lambda: len(slack.socket.connections) == 2)
        slack.socket.lose_next()
        (reply,) = await asyncio.to_thread(slack.say, "U1", None, "checkin")
        assert reply.error == "operation_timeout"
        assert recorder.events == []
        assert (await asyncio.to_thread(slack.redeliver, reply)).error is None
    assert [one.text for one in recorder.events] == ["checkin"]


async def test_a_second_try_after_a_lost_acknowledgement_has_the_same_key(
    slack: StandInSlack,
) -> None:
    recorder = Recorder()
    async with adapter_at_work(slack, recorder):
        await until(lambda: len(slack.socket.connections) == 2)
        (reply,) = await asyncio.to_thread(slack.say, "U1", None, "checkin")
        await asyncio.to_thread(slack.redeliver, reply)
    one, two = recorder.events
    assert one.key == two.key


# --- much at once


def flood(slack: StandInSlack, amount: int) -> list[Delivery]:
    """So many events, to both lines in turn, without waiting for anything."""
    deliveries = []
    for number in range(amount):
        inner = {"type": "message", "user": "U1", "channel": "C1", "text": "x", "ts": f"1.{number}"}
        made = slack.request_for_event(inner, event_id=f"Ev{number}")
        delivery = Delivery(envelope_for(made))
        with slack.workspace.changed:
            slack.socket.deliveries.append(delivery)
        (line,) = slack.socket._chosen()
        said = json.dumps(delivery.envelope)
        assert slack.socket._run(slack.socket._send(line, said, delivery))
        deliveries.append(delivery)
    return deliveries


async def test_a_flood_is_taken_a_hundred_at_a_time(
    slack: StandInSlack, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And lines that are not read for that long are not taken for dead."""
    monkeypatch.setattr(hands, "READ_AHEAD", 150)
    handler = Handler()
    handler.gate.clear()
    async with listening(slack, handler, replace(WATCHFUL, dead=0.25)):
        deliveries = await asyncio.to_thread(flood, slack, 500)
        await until(lambda: handler.in_hand == AT_ONCE)
        await throughout(0.5, lambda: handler.in_hand == AT_ONCE)
        assert slack.socket.opened == 2
        handler.gate.set()
        await until(lambda: all(one.acknowledged_by is not None for one in deliveries))
        assert slack.socket.opened == 2
    assert handler.most == AT_ONCE
    assert sorted(handler.ids) == sorted(f"Ev{number}" for number in range(500))


async def test_failures_and_odd_ones_give_their_place_back(slack: StandInSlack) -> None:
    handler = Handler()
    handler.failures = [ValueError("no")] * 120 + [Rejected(400, "odd")] * 120
    async with listening(slack, handler):
        deliveries = await asyncio.to_thread(flood, slack, 260)
        await until(lambda: sum(one.acknowledged_by is not None for one in deliveries) == 140)
        assert (await command(slack)).error is None


# --- the end

HASTY = replace(QUICK, finish=0.3, close=0.2)


def test_stopping_is_bounded_by_less_than_five_seconds() -> None:
    timings = Timings()
    assert timings.finish + 1.5 * timings.close < 5


async def test_stopping_waits_for_what_is_in_hand(slack: StandInSlack) -> None:
    """A command is not sent again: who typed it would have to."""
    handler = Handler()
    handler.body = '{"text": "done"}'
    async with listening(slack, handler) as mode:
        handler.gate.clear()
        waiting = asyncio.create_task(command(slack))
        await until(lambda: handler.in_hand == 1)
        stopping = asyncio.create_task(mode.stop())
        await asyncio.sleep(0.05)
        later = asyncio.create_task(command(slack, "just now"))
        await until(lambda: handler.in_hand == 2)
        handler.gate.set()
        assert [(await one).text for one in (waiting, later)] == ["done", "done"]
        await stopping
        assert mode.connected == 0


async def test_a_handler_that_hangs_does_not_keep_it(slack: StandInSlack) -> None:
    handler = Handler()
    slack.patience = 0.1
    async with listening(slack, handler, HASTY) as mode:
        handler.gate.clear()
        assert (await command(slack)).error == "operation_timeout"
        assert await timed(mode.stop()) < 1.5
        assert handler.in_hand == 0
    assert slack.socket.deliveries[0].acknowledged_by is None


@pytest.mark.parametrize("what", ["handler", "address"])
async def test_who_swallows_a_cancellation_does_not_keep_it(slack: StandInSlack, what: str) -> None:
    """As wait_for of Python 3.11 does when what it waited for was just done."""
    never, swallowed = asyncio.Event(), asyncio.Event()

    async def stubborn() -> str:
        try:
            await never.wait()
        except asyncio.CancelledError:
            swallowed.set()
            await never.wait()
        return ""

    async def handle(_payload: Json) -> str:
        return await stubborn()

    async with open_urls(slack) as url:
        mode = SocketMode(stubborn if what == "address" else url, handle, timings=HASTY)
        mode.start()
        if what == "handler":
            await until(lambda: len(slack.socket.connections) == 2)
            slack.patience = 0.1
            assert (await command(slack)).error == "operation_timeout"
        await asyncio.sleep(0)
        assert await timed(mode.stop()) < 1.5
        assert swallowed.is_set()


async def test_a_server_that_does_not_say_goodbye_does_not_keep_it(slack: StandInSlack) -> None:
    handler = Handler()
    async with listening(slack, handler, HASTY) as mode:
        slack.socket.starve_pongs = True
        assert await timed(mode.stop()) < 1.5
        assert mode.connected == 0
    await until(lambda: slack.socket._lines == [])


@pytest.mark.parametrize("moment", ["hello", "handshake", "pause", "address"])
async def test_stopping_while_it_connects(slack: StandInSlack, moment: str) -> None:
    timings = replace(HASTY, hello=30.0, first_wait=30.0, longest_wait=30.0)
    if moment == "hello":
        slack.socket.slow_hello = 30
    elif moment == "pause":
        slack.faults.every(1, ServerError(), OPEN)
    silent = socket.create_server(("127.0.0.1", 0))
    port = silent.getsockname()[1]

    async def nowhere() -> str:
        if moment == "address":
            await asyncio.sleep(30)
        return f"ws://127.0.0.1:{port}/"

    async with open_urls(slack) as url:
        there = url if moment in ("hello", "pause") else nowhere
        mode = SocketMode(there, Handler(), timings=timings)
        mode.start()
        await asyncio.sleep(0.1)
        assert await timed(mode.stop()) < 1.5
        assert mode.connected == 0
    silent.close()


async def test_stopping_what_never_started() -> None:
    mode = SocketMode(lambda: asyncio.sleep(0, ""), Handler())
    await mode.stop()
    assert mode.trouble() is None


async def test_starting_again_after_stopping(slack: StandInSlack) -> None:
    handler = Handler()
    async with open_urls(slack) as url, running(url, handler, QUICK) as mode:
        await until(lambda: mode.connected == 2)
        await mode.stop()
        mode.start()
        await until(lambda: mode.connected == 2)
        await until(lambda: len(slack.socket.connections) == 2)
        assert (await command(slack)).error is None


async def test_an_acknowledgement_for_a_line_that_is_gone(slack: StandInSlack) -> None:
    """It has nowhere to go; Slack sends the event again."""
    handler = Handler()
    slack.patience = 0.3
    async with listening(slack, handler, connections=1) as mode:
        handler.gate.clear()
        waiting = asyncio.create_task(event(slack))
        await until(lambda: handler.in_hand == 1)
        await asyncio.to_thread(slack.socket.cut)
        await until(lambda: slack.socket.opened == 2)
        handler.gate.set()
        assert (await waiting).error == "operation_timeout"
        assert (await asyncio.to_thread(slack.redeliver, await waiting)).error is None
        assert mode.connected == 1


async def test_what_lies_in_the_line_is_written_down_without_what_is_said(
    slack: StandInSlack, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    handler = Handler()
    async with listening(slack, handler):
        await command(slack, "my salary")
        await asyncio.to_thread(slack.socket.garbage, "my salary")
        handler.failures = [Rejected(400, "odd")]
        await command(slack, "my salary")
    assert "salary" not in caplog.text
    assert slack.app_token not in caplog.text
    assert "ticket=" not in "".join(one.message for one in caplog.records if "adapters" in one.name)


async def test_one_session_is_used_for_every_line(slack: StandInSlack) -> None:
    """None is left open when lines come and go."""
    async with listening(slack) as mode:
        session = mode._web._session
        assert isinstance(session, aiohttp.ClientSession)
        await asyncio.to_thread(slack.socket.cut)
        await until(lambda: slack.socket.opened == 4)
        assert mode._web._session is session
    assert session.closed
