"""The stand-in's Socket Mode, driven by slack_sdk's own client, by Bolt's, and by bare hands."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import aiohttp
import pytest
from slack_bolt.adapter.socket_mode.async_handler import AsyncSocketModeHandler
from slack_bolt.async_app import AsyncApp
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError
from slack_sdk.socket_mode.aiohttp import SocketModeClient
from slack_sdk.socket_mode.async_client import AsyncBaseSocketModeClient
from slack_sdk.socket_mode.request import SocketModeRequest
from slack_sdk.socket_mode.response import SocketModeResponse
from slack_sdk.web.async_client import AsyncWebClient

from tests.platforms.slack import RateLimited, Reply, StandInSlack

CLAIM = {
    "type": "button",
    "action_id": "q.claim",
    "text": {"type": "plain_text", "text": "Claim"},
    "value": "Q1",
}
CARD = [{"type": "actions", "elements": [CLAIM]}]
FORM = {
    "type": "modal",
    "callback_id": "ask",
    "title": {"type": "plain_text", "text": "Ask"},
    "submit": {"type": "plain_text", "text": "Send"},
    "blocks": [
        {
            "type": "input",
            "block_id": "question",
            "label": {"type": "plain_text", "text": "Question"},
            "element": {"type": "plain_text_input", "action_id": "text"},
        }
    ],
}


@pytest.fixture
def slack() -> Iterator[StandInSlack]:
    with StandInSlack() as standin:
        standin.add_user("U1", "wang")
        standin.add_channel("C1", "teachers", ["U1"])
        standin.deliver_by_socket()
        standin.patience = 2.0
        yield standin


class App:
    """slack_sdk's client with a listener that writes down and acknowledges."""

    def __init__(self, slack: StandInSlack, ping_interval: float) -> None:
        self.heard: list[SocketModeRequest] = []
        self.messages: list[dict[str, Any]] = []
        self.answer: dict[str, Any] | None = None
        self.acknowledges = True
        web_client = AsyncWebClient(base_url=slack.api_url)
        self.client = SocketModeClient(
            slack.app_token, web_client=web_client, ping_interval=ping_interval
        )
        self.client.message_listeners.append(self._message)
        self.client.socket_mode_request_listeners.append(self._request)

    async def _message(
        self, client: AsyncBaseSocketModeClient, message: dict[str, Any], raw: str | None
    ) -> None:
        self.messages.append(message)

    async def _request(self, client: AsyncBaseSocketModeClient, request: SocketModeRequest) -> None:
        self.heard.append(request)
        if self.acknowledges:
            response = SocketModeResponse(request.envelope_id, self.answer)
            await client.send_socket_mode_response(response)


@asynccontextmanager
async def running(slack: StandInSlack, ping_interval: float = 5.0) -> AsyncIterator[App]:
    app = App(slack, ping_interval)
    client: Any = app.client  # connect() and close() have no types
    try:
        await client.connect()
        await until(slack, lambda: app.messages)
        yield app
    finally:
        await client.close()


async def until(slack: StandInSlack, predicate: Any) -> Any:
    return await asyncio.to_thread(slack.wait_for, predicate)


async def command(slack: StandInSlack, text: str = "why?") -> Reply:
    return await asyncio.to_thread(slack.command, "U1", "/ask", text, "C1")


async def address(slack: StandInSlack) -> str:
    client = AsyncWebClient(base_url=slack.api_url)
    found: str = (await client.apps_connections_open(app_token=slack.app_token))["url"]
    return found


@asynccontextmanager
async def line(slack: StandInSlack) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
    """A connection without anybody's client around it."""
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(await address(slack), autoping=False) as ws,
    ):
        yield ws


# ---- what is sent


async def test_hello_and_a_command_with_its_answer(slack: StandInSlack) -> None:
    async with running(slack) as app:
        app.answer = {"text": "Q1 opened"}
        reply = await command(slack, "is 1 < 2, @wang?")
        hello = app.messages[0]
    assert (hello["type"], hello["num_connections"]) == ("hello", 1)
    assert hello["connection_info"] == {"app_id": "A0BANZHANG"}
    assert hello["debug_info"]["approximate_connection_time"] == 18060
    assert (reply.status_code, reply.text) == (200, "Q1 opened")
    assert slack.reads("U1") == ["Q1 opened"]
    (request,) = app.heard
    assert (request.type, request.accepts_response_payload) == ("slash_commands", True)
    assert request.payload["text"] == "is 1 &lt; 2, <@U1>?"
    assert request.payload["command"] == "/ask"
    assert request.retry_attempt is None
    (delivery,) = slack.socket.deliveries
    assert delivery.connections == [1]
    assert delivery.acknowledged_by == 1


async def test_an_acknowledgement_without_words(slack: StandInSlack) -> None:
    async with running(slack) as app:
        answers: list[dict[str, Any] | None] = [None, {}]
        for app.answer in answers:
            reply = await command(slack)
            assert (reply.status_code, reply.text) == (200, "")
    assert slack.ephemerals == []


async def test_an_event_and_its_second_try(slack: StandInSlack) -> None:
    async with running(slack) as app:
        (reply,) = await asyncio.to_thread(slack.say, "U1", "C1", "hello")
        again = await asyncio.to_thread(slack.redeliver, reply)
        third = await asyncio.to_thread(slack.redeliver, again)
    assert [r.status_code for r in (reply, again, third)] == [200] * 3
    assert [(r.retry_attempt, r.retry_reason) for r in app.heard] == [
        (0, ""),
        (1, "timeout"),
        (2, "timeout"),
    ]
    assert {r.type for r in app.heard} == {"events_api"}
    assert not app.heard[0].accepts_response_payload
    assert len({r.payload["event_id"] for r in app.heard}) == 1
    assert len({r.envelope_id for r in app.heard}) == 3
    assert app.heard[0].payload["event"]["text"] == "hello"


async def test_buttons_and_forms(slack: StandInSlack) -> None:
    client = AsyncWebClient(slack.token, base_url=slack.api_url)
    await client.chat_postMessage(channel="C1", text="Q1", blocks=CARD)
    async with running(slack) as app:
        card = slack.last_message("C1")
        pressed = await asyncio.to_thread(slack.press, "U1", card, "Claim")
        trigger = app.heard[0].payload["trigger_id"]
        await client.views_open(trigger_id=trigger, view=FORM)
        form = slack.open_view("U1")
        app.answer = {"response_action": "errors", "errors": {"question": "too short"}}
        refused = await asyncio.to_thread(slack.submit, "U1", form, {"Question": "?"})
        app.answer = None
        taken = await asyncio.to_thread(slack.submit, "U1", form, {"Question": "why?"})
    assert pressed.status_code == taken.status_code == 200
    assert refused.errors == {"question": "too short"}
    assert form.state == "submitted"
    kinds = [(r.type, r.payload["type"]) for r in app.heard]
    assert kinds == [("interactive", "block_actions"), *[("interactive", "view_submission")] * 2]


async def test_the_same_request_again_in_another_envelope(slack: StandInSlack) -> None:
    async with running(slack) as app:
        reply = await command(slack)
        await asyncio.to_thread(slack.send, reply.request)
        with pytest.raises(AssertionError, match="only events"):
            slack.redeliver(reply)
    first, second = app.heard
    assert first.payload == second.payload
    assert first.envelope_id != second.envelope_id


def test_what_sockets_do_not_carry(slack: StandInSlack) -> None:
    requests = [slack.request_for_url_verification(), slack.request_for_ssl_check()]
    for request in (*requests, slack.sign(b"{}", "application/json")):
        with pytest.raises(AssertionError, match="knows no such request"):
            slack.send(request)


# ---- what nobody answers


async def test_nobody_is_connected(slack: StandInSlack) -> None:
    assert (await command(slack)).text == '/ask failed with the error "dispatch_failed"'


async def test_nobody_acknowledges(slack: StandInSlack) -> None:
    slack.patience = 0.1
    async with running(slack) as app:
        app.acknowledges = False
        reply = await command(slack)
        assert (reply.error, reply.status_code) == ("operation_timeout", 0)
        assert [r.type for r in app.heard] == ["slash_commands"]


async def test_a_lost_envelope(slack: StandInSlack) -> None:
    async with running(slack) as app:
        slack.socket.lose_next(2)
        assert (await command(slack)).error == "operation_timeout"
        (lost,) = await asyncio.to_thread(slack.say, "U1", "C1", "hello")
        assert (lost.error, app.heard) == ("operation_timeout", [])
        assert (await asyncio.to_thread(slack.redeliver, lost)).error is None
    assert [r.retry_attempt for r in app.heard] == [1]


async def test_the_same_envelope_twice(slack: StandInSlack) -> None:
    async with running(slack) as one:
        slack.socket.duplicate_next()
        await command(slack)
        await until(slack, lambda: len(one.heard) == 2)
        assert one.heard[0].envelope_id == one.heard[1].envelope_id
        async with running(slack) as two:
            slack.socket.duplicate_next()
            await command(slack)
            await until(slack, lambda: len(one.heard) == 3 and two.heard)
            assert one.heard[2].envelope_id == two.heard[0].envelope_id


async def test_any_connection_may_be_chosen(slack: StandInSlack) -> None:
    async with running(slack) as one, running(slack) as two:
        assert [m["num_connections"] for m in (one.messages[0], two.messages[0])] == [1, 2]
        for _ in range(4):
            await command(slack)
        assert (len(one.heard), len(two.heard)) == (2, 2)
        assert [len(c.envelopes) for c in slack.socket.connections] == [2, 2]


# ---- lines that end


async def test_the_sdk_comes_back_after_a_warning_but_leaves_a_gap(slack: StandInSlack) -> None:
    async with running(slack):
        (old,) = slack.socket.connections
        slack.socket.disconnect("warning")
        await until(slack, lambda: slack.socket.opened == 2)
        assert old.told == ["warning"]
        (told,) = slack.socket.disconnects
        assert (told.connection, told.reason, told.overlapped) == (1, "warning", False)
        assert told.closed is not None
        assert told.replaced is not None
        assert not slack.socket.overlap_seen
        assert (await command(slack)).status_code == 200


async def test_a_replacement_before_the_end(slack: StandInSlack) -> None:
    async with line(slack) as old:
        await old.receive()
        slack.socket.disconnect("warning")
        async with line(slack) as new:
            await new.receive()
            (first, _) = slack.socket.wait_connected(2)
            slack.socket.disconnect("refresh_requested", first, close_after=0)
            reasons = [json.loads((await old.receive()).data)["reason"] for _ in range(2)]
            assert reasons == ["warning", "refresh_requested"]
            assert (await old.receive()).type is aiohttp.WSMsgType.CLOSE
            await until(slack, lambda: len(slack.socket.connections) == 1)
    assert [d.overlapped for d in slack.socket.disconnects] == [True, True]
    assert slack.socket.overlap_seen


async def test_socket_mode_is_switched_off_and_on(slack: StandInSlack) -> None:
    spare = await address(slack)
    async with aiohttp.ClientSession() as session, line(slack) as ws:
        await ws.receive()
        slack.socket.disconnect("link_disabled")
        assert (await ws.receive_json())["reason"] == "link_disabled"
        assert (await ws.receive()).type is aiohttp.WSMsgType.CLOSE
        with pytest.raises(SlackApiError, match="socket_mode_not_enabled"):
            await address(slack)
        with pytest.raises(aiohttp.WSServerHandshakeError, match="404"):
            await session.ws_connect(spare)
        slack.socket.enable()
        async with line(slack) as again:
            assert (await again.receive_json())["type"] == "hello"


async def test_a_cut_line(slack: StandInSlack) -> None:
    async with running(slack, ping_interval=0.2) as app:
        slack.socket.cut()
        assert slack.socket.connections == []
        await until(slack, lambda: slack.socket.opened == 2)
        assert (await command(slack)).status_code == 200
        assert len(app.heard) == 1


async def test_pings_both_ways(slack: StandInSlack) -> None:
    slack.socket.ping_every = 0.02
    async with running(slack, ping_interval=0.3):
        (found,) = slack.socket.connections
        await until(slack, lambda: found.pings >= 3 and found.pongs >= 3)


async def test_a_half_dead_line(slack: StandInSlack) -> None:
    async with running(slack, ping_interval=0.2) as app:
        (dead,) = slack.socket.connections
        dead.starved, slack.patience = True, 0.05
        assert (await command(slack)).error == "operation_timeout"
        await until(slack, lambda: slack.socket.opened == 2)
        assert slack.socket.wait_connected()[0] is not dead
        slack.patience = 2.0
        assert (await command(slack)).error is None
        assert len(app.heard) == 1


async def test_every_line_half_dead(slack: StandInSlack) -> None:
    slack.patience = 0.05
    async with line(slack) as ws:
        await ws.receive()
        slack.socket.starve_pongs = True
        await ws.ping()
        assert (await command(slack)).error == "operation_timeout"
        slack.socket.disconnect("warning")
        async with line(slack) as mute:
            with pytest.raises(TimeoutError):
                await mute.receive(timeout=0.05)
            slack.socket.starve_pongs = False
        await ws.ping()
        assert (await ws.receive()).type is aiohttp.WSMsgType.PONG
        assert slack.socket.connections[0].pings == 2


async def test_what_is_no_json(slack: StandInSlack) -> None:
    async with running(slack) as app:
        slack.socket.garbage("<html>502</html>")
        await until(slack, lambda: len(app.messages) == 2)
        assert (await command(slack)).status_code == 200


async def test_acknowledgements_that_make_no_sense(slack: StandInSlack) -> None:
    async with line(slack) as ws:
        await ws.receive()
        waiting = asyncio.create_task(command(slack))
        envelope = await ws.receive_json()
        for words in ("{", "[]", '{"envelope_id": "another"}'):
            await ws.send_str(words)
        await ws.send_json({"envelope_id": envelope["envelope_id"]})
        assert (await waiting).status_code == 200


# ---- lines that begin


async def test_tickets_and_refused_handshakes(slack: StandInSlack) -> None:
    slack.socket.refuse_next()
    url = await address(slack)
    async with aiohttp.ClientSession() as session:
        with pytest.raises(aiohttp.WSServerHandshakeError, match="500"):
            await session.ws_connect(url)
        async with session.ws_connect(url) as ws:
            assert (await ws.receive_json())["type"] == "hello"
            with pytest.raises(aiohttp.WSServerHandshakeError, match="404"):
                await session.ws_connect(url)
    assert slack.socket.opened == 1


async def test_a_slow_hello(slack: StandInSlack) -> None:
    slack.socket.slow_hello = 0.1
    async with line(slack) as ws:
        assert slack.socket.connections == []
        assert (await command(slack)).error == "dispatch_failed"
        assert (await ws.receive_json())["type"] == "hello"
        assert len(slack.socket.connections) == 1


async def test_ten_connections_and_no_more(slack: StandInSlack) -> None:
    async with AsyncExitStack() as stack:
        for number in range(10):
            ws = await stack.enter_async_context(line(slack))
            assert (await ws.receive_json())["num_connections"] == number + 1
        one_too_many = await stack.enter_async_context(line(slack))
        assert (await one_too_many.receive_json())["reason"] == "too_many_websockets"
        assert (await one_too_many.receive()).type is aiohttp.WSMsgType.CLOSE
    assert slack.socket.opened == 10


def test_which_token_opens_what(slack: StandInSlack) -> None:
    client = WebClient(slack.token, base_url=slack.api_url)
    with pytest.raises(SlackApiError, match="not_allowed_token_type"):
        client.apps_connections_open(app_token=slack.token)
    with pytest.raises(SlackApiError, match="not_allowed_token_type"):
        WebClient(slack.app_token, base_url=slack.api_url).auth_test()
    with pytest.raises(SlackApiError, match="invalid_auth"):
        client.apps_connections_open(app_token="xapp-another")
    found = client.apps_connections_open(app_token=slack.app_token)
    assert found["url"].startswith(slack.origin.replace("http", "ws") + "/link/?ticket=")
    assert found.headers["x-oauth-scopes"] == "connections:write"


def test_addresses_are_given_out_at_a_pace(slack: StandInSlack) -> None:
    slack.enforce_rate_limits = True
    client = WebClient(base_url=slack.api_url)
    for _ in range(10):
        client.apps_connections_open(app_token=slack.app_token)
    with pytest.raises(SlackApiError, match="ratelimited") as caught:
        client.apps_connections_open(app_token=slack.app_token)
    assert caught.value.response.headers["retry-after"] == "60"
    slack.advance(60)
    client.apps_connections_open(app_token=slack.app_token)


async def test_faults_meet_the_opening_too(slack: StandInSlack) -> None:
    slack.faults.script("apps.connections.open", [RateLimited(0)])
    async with running(slack):
        assert len(slack.calls_of("apps.connections.open")) == 2


# ---- the whole of it


async def test_bolt_from_end_to_end(slack: StandInSlack) -> None:
    client = AsyncWebClient(slack.token, base_url=slack.api_url)
    app = AsyncApp(signing_secret="none is needed", client=client)
    retries: list[list[str] | None] = []

    @app.command("/ask")
    async def ask(ack: Any, body: dict[str, Any]) -> None:
        await ack(f"Q1 opened: {body['text']}")

    @app.event("app_mention")
    async def mentioned(request: Any, say: Any) -> None:
        retries.append(request.headers.get("x-slack-retry-num"))
        await say("you called?")

    @app.event("message")
    async def heard() -> None:
        pass

    handler: Any = AsyncSocketModeHandler(app, slack.app_token)
    await handler.connect_async()
    try:
        await until(slack, lambda: slack.socket.connections)
        assert (await command(slack, "fix the payload parser")).text == (
            "Q1 opened: fix the payload parser"
        )
        replies = await asyncio.to_thread(slack.say, "U1", "C1", "@banzhang help")
        assert [reply.error for reply in replies] == [None, None]
        await until(slack, lambda: slack.last("C1") == "you called?")
        await asyncio.to_thread(slack.redeliver, replies[1])
        await until(slack, lambda: len(retries) == 2)
        assert retries == [["0"], ["1"]]
        slack.patience = 0.1  # what Bolt does not know it does not acknowledge
        unknown = await asyncio.to_thread(slack.event, {"type": "unheard_of"})
        assert unknown.error == "operation_timeout"
    finally:
        await handler.close_async()


async def test_back_to_requests(slack: StandInSlack) -> None:
    async with running(slack):
        slack.deliver_to("http://127.0.0.1:1/")
        assert (await command(slack)).error == "dispatch_failed"
        assert slack.socket.deliveries == []


def test_the_environment_of_each_transport(slack: StandInSlack) -> None:
    by_socket, by_request = slack.environment(socket=True), slack.environment()
    assert by_socket["SLACK_APP_TOKEN"] == slack.app_token
    assert "SLACK_SIGNING_SECRET" not in by_socket
    assert "SLACK_APP_TOKEN" not in by_request
    assert by_request["SLACK_SIGNING_SECRET"] == slack.signing_secret
