"""What slack-bolt 1.30 and slack_sdk 3.47 get wrong, and that the adapter does not have it.

One test for each, named after its source: where it takes a line or two, first that it is real, on
plain Bolt, then that what stands before, around and instead of it keeps it from us. When a new
release mends one of them, the first half fails and tells us that its remedy may go.
"""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from slack_bolt.async_app import AsyncApp, AsyncBoltRequest
from slack_bolt.authorization import AuthorizeResult
from slack_bolt.request.internals import parse_body
from slack_bolt.response import BoltResponse
from slack_sdk.web.async_client import AsyncWebClient

from adapters.contract import DeliveryFailed, Receive
from adapters.slack.adapter import SlackAdapter
from adapters.slack.api import Identity, SlackApi
from adapters.slack.bolt import Bolt
from bot.messages import Address, Event, Outgoing, Reply
from bot.words import reader_for
from tests.platforms.slack import DropAfter, Slow, StandInSlack, signed_headers
from tests.recorder import Recorder, answer, said
from tests.slack_stage import (
    FORM,
    QUICK,
    TRANSPORTS,
    at_work,
    make_adapter,
    populated,
    reach,
    staged,
)

SECRET = "8f742231b10e8888abcd99yyyzzz85a5"
JSON = "application/json"
COMMAND = "command=%2Fx&team_id=T1&user_id=U1&trigger_id=1"
NOW = datetime(2026, 11, 23, 1, 0, tzinfo=UTC)
READER = reader_for("en", "Asia/Shanghai", NOW)
Json = dict[str, Any]


@pytest.fixture(scope="module", params=TRANSPORTS)
def stage(request: pytest.FixtureRequest) -> Iterator[tuple[StandInSlack, Recorder]]:
    with staged(request.param) as made:
        yield made


over_http = pytest.mark.parametrize("stage", ["http"], indirect=True)


@pytest.fixture
def slack(stage: tuple[StandInSlack, Recorder]) -> StandInSlack:
    stage[0].faults.clear()
    stage[0].patience = 3.0
    return stage[0]


@pytest.fixture
def recorder(stage: tuple[StandInSlack, Recorder]) -> Recorder:
    stage[1].forget()
    return stage[1]


# --- plain Bolt, to show that a defect is real


async def authorize() -> AuthorizeResult:
    return AuthorizeResult(enterprise_id=None, team_id="T1", bot_token="xoxb-1")


def plain_bolt(level: int = logging.CRITICAL) -> AsyncApp:
    """Bolt as its own pages show it, silent unless a test wants to read what it writes down."""
    logger = logging.getLogger(f"tests.bolt.{level}")
    logger.setLevel(level)
    client = AsyncWebClient("xoxb-1", base_url="http://127.0.0.1:1/api/")
    return AsyncApp(signing_secret=SECRET, client=client, authorize=authorize, logger=logger)


def hurried(app: AsyncApp) -> AsyncApp:
    """It waits 3 s for ack(); these tests have seen enough after a tenth."""
    for listener in app._async_listeners:
        listener.ack_timeout = 0.1  # type: ignore[assignment]
    return app


async def told(app: AsyncApp, body: str, kind: str = FORM, **headers: str) -> BoltResponse:
    given = {"Content-Type": kind, **signed_headers(body, SECRET, int(time.time()))}
    given |= {name.replace("_", "-"): value for name, value in headers.items()}
    sent = {name.lower(): [value] for name, value in given.items()}
    return await app.async_dispatch(AsyncBoltRequest(body=body, headers=dict(sent)))


def message_event(event_id: str = "Ev1") -> str:
    inner = {"type": "message", "user": "U1", "channel": "C1", "ts": "1.1", "text": "x"}
    return json.dumps(
        {"type": "event_callback", "team_id": "T1", "event_id": event_id, "event": inner}
    )


# --- the seven


@pytest.mark.parametrize("words", ["why is the payload={} empty?", "payload", "&payload=x&"])
def test_1_a_command_whose_text_says_payload_is_heard(
    slack: StandInSlack, recorder: Recorder, words: str
) -> None:
    """slack-bolt 1.30 `parse_body` asks whether "payload" is anywhere in the form; it has done so
    since 0.2.0a4, no issue is known. What it takes for a press it cannot read, and drops.
    """
    assert parse_body(urlencode({"command": "/ask", "text": words}), FORM) == {}

    found = slack.command("U1", "/ask", words, channel="C1")
    assert found.error is None
    assert recorder.events[-1].text == f"ask {words}"


async def test_2_bolt_loses_the_answer_to_what_fails_right_after_it() -> None:
    """An exception within 10 ms of ack() takes the ack back, and three seconds pass before it says
    404.
    """
    app = plain_bolt()

    @app.command("/x")
    async def listener(ack: Any) -> None:
        await ack("done")
        raise OSError("too late to matter")

    found = await told(hurried(app), COMMAND)
    assert (found.status, "done" in found.body) == (404, False)


def test_2_a_failure_is_told_at_once_and_an_answer_stands(
    slack: StandInSlack, recorder: Recorder
) -> None:
    """There is no ack() here: what is handed back after the commit is the answer, and a failure
    before it is no answer. Over HTTP it is told at once, for nothing is waited for.
    """

    def fail(_event: Event) -> Reply:
        raise OSError("before the commit")

    recorder.answering = fail
    by_socket = bool(slack.socket.connections)
    slack.patience = 0.5 if by_socket else 2.5
    found = slack.command("U1", "/checkin")
    assert found.error == ("operation_timeout" if by_socket else "dispatch_failed")
    slack.patience = 3.0
    recorder.answering = lambda _event: answer("you are in")
    assert slack.command("U1", "/checkin").text == "you are in"


async def test_3_bolt_stumbles_over_what_nobody_signed() -> None:
    """500 for an odd timestamp or signature, an exception out of dispatch for odd JSON, because it
    reads the body before it looks at the signature; and 200 for any check of its certificate.
    """
    app = plain_bolt()
    assert (await told(app, COMMAND, X_Slack_Request_Timestamp="abc")).status == 500
    assert (await told(app, COMMAND, X_Slack_Signature="v0=é")).status == 500
    for body, kind in (("{bad", JSON), ("[1]", JSON), ("payload={bad", FORM)):
        with pytest.raises((ValueError, AttributeError)):
            await told(app, body, kind, X_Slack_Signature="v0=00")
    assert (await told(app, "ssl_check=1", X_Slack_Signature="v0=00")).status == 200


@over_http
@pytest.mark.parametrize("stamp", ["abc", "1531420618.5", "1e9", "-1", "9" * 400, ""])
def test_3_an_odd_timestamp_is_not_slack(
    slack: StandInSlack, recorder: Recorder, stamp: str
) -> None:
    headers = {"X-Slack-Request-Timestamp": stamp}
    assert slack.command("U1", "/ask", "x", headers=headers).status_code == 401
    assert recorder.events == []


@over_http
@pytest.mark.parametrize("signature", ["v0=\u00e9", "\u00e9" * 67, "v0=", "v0=00", None])
def test_3_an_odd_signature_is_not_slack(
    slack: StandInSlack, recorder: Recorder, signature: str | None
) -> None:
    request = slack.request_for_command("U1", "/ask", "x", signature=signature)
    headers = {name: value.encode("latin-1") for name, value in request.headers.items()}
    found = slack.send(request._replace(headers=headers))  # type: ignore[arg-type]
    assert found.status_code == 401
    assert recorder.events == []


@over_http
@pytest.mark.parametrize("body", ["{bad", "[1]", '"x"', "payload={bad", "payload=[1]", "\x00"])
def test_3_who_did_not_sign_learns_nothing_of_how_it_is_read(
    slack: StandInSlack, recorder: Recorder, body: str
) -> None:
    """401 before anything is parsed; the same with a signature is 400, never 500."""
    for kind in (JSON, FORM):
        assert slack.send_raw(body, kind, signature="v0=00").status_code == 401
        assert slack.send_raw(body, kind).status_code in (200, 400)
    assert recorder.events == []


@over_http
def test_3_a_certificate_check_needs_a_signature_too(slack: StandInSlack) -> None:
    assert slack.ssl_check(signature=None).status_code == 401
    assert slack.ssl_check(secret="another").status_code == 401
    assert slack.ssl_check().status_code == 200


@over_http
def test_3_what_was_said_is_not_written_down_for_a_bad_signature(
    slack: StandInSlack, recorder: Recorder, caplog: pytest.LogCaptureFixture
) -> None:
    """Bolt writes the whole body of a request with a bad signature into its log, at INFO."""
    with caplog.at_level(logging.DEBUG):
        body = f"{COMMAND}&text=salary"
        asyncio.run(_discarded(plain_bolt(logging.INFO), body))
        assert "salary" in caplog.text

        caplog.clear()
        assert slack.command("U1", "/ask", "my salary", secret="wrong").status_code == 401
        assert slack.send_raw('{"my": "salary" oops').status_code == 400
        assert "salary" not in "".join(one.getMessage() for one in caplog.records)


async def _discarded(app: AsyncApp, body: str) -> None:
    assert (await told(app, body, X_Slack_Signature="v0=00")).status == 401


async def test_4_bolt_hears_the_same_event_twice() -> None:
    """bolt-python#1027, #868, #845 and python-slack-sdk#1164: nothing in it knows an event_id."""
    app, heard = plain_bolt(), []

    @app.event("message")
    async def listener(body: Json) -> None:
        heard.append(body["event_id"])

    for attempt in range(2):
        await told(app, message_event(), JSON, X_Slack_Retry_Num=str(attempt))
    await asyncio.sleep(0.05)
    assert heard == ["Ev1", "Ev1"]


def test_4_a_second_try_has_the_key_of_the_first(slack: StandInSlack, recorder: Recorder) -> None:
    """By which the inbox knows it: tests/test_dispatch.py."""
    (first,) = slack.say("U1", None, "checkin")
    again = slack.redeliver(first)
    assert (again.error, slack.redeliver(again).error) == (None, None)
    assert len(recorder.events) == 3
    assert len({event.key for event in recorder.events}) == 1


def test_4_a_second_try_of_what_never_arrived_is_heard(
    slack: StandInSlack, recorder: Recorder
) -> None:
    """bolt-python#731, agno PR #10073: whoever drops by the retry header alone loses messages."""

    def fail(_event: Event) -> Reply:
        raise OSError("not this time")

    recorder.answering = fail
    slack.patience = 0.3
    (lost,) = slack.say("U1", None, "checkin")
    assert lost.error is not None
    recorder.forget()
    slack.patience = 3.0
    assert slack.redeliver(lost).error is None
    assert [event.text for event in recorder.events] == ["checkin"]


async def test_5_a_header_that_nobody_signed_silences_bolt() -> None:
    """X-Slack-Bolt-Lazy-Only keeps the listener from running, and the person waits three seconds
    for nothing.
    """
    app, heard = plain_bolt(), []

    @app.command("/x")
    async def listener(ack: Any) -> None:
        heard.append("x")
        await ack("done")

    assert (await told(hurried(app), COMMAND)).body == "done"
    silenced = await told(app, COMMAND, X_Slack_Bolt_Lazy_Only="1")
    assert (silenced.status, heard) == (404, ["x"])


@over_http
def test_5_bolts_own_headers_have_no_power(slack: StandInSlack, recorder: Recorder) -> None:
    headers = {"X-Slack-Bolt-Lazy-Only": "1", "X-Slack-Bolt-Lazy-Function-Name": "x"}
    began = time.monotonic()
    assert slack.command("U1", "/checkin", headers=headers).text == "heard checkin"
    assert time.monotonic() - began < 1


async def test_6_there_is_no_list_of_listeners_to_search() -> None:
    """Bolt asks one listener after another: 66 µs a request with one, 436 µs with fifty. Ours has
    none, and one middleware that takes everything.
    """
    plain = plain_bolt()
    for name in "abc":
        plain.command(f"/{name}")(authorize)
    assert len(plain._async_listeners) == 3

    bolt = Bolt(AsyncWebClient("xoxb-1"), lambda: None, _nothing)
    assert bolt._app._async_listeners == []
    assert type(bolt._app._async_middleware_list[-1]).__name__ == "_ClaimEverything"


async def _nothing(_payload: Json, _at: datetime, _receive: Receive) -> None:
    return None


async def test_7_one_session_serves_all_calls() -> None:
    """Without a session of its own slack_sdk opens a connection for each call, and a new TLS
    handshake with it; so does respond(). Sessions that nobody closed: bolt-python#645, #926.
    """
    ports: set[int] = set()

    async def method(request: web.Request) -> web.Response:
        assert request.transport is not None
        ports.add(request.transport.get_extra_info("peername")[1])
        return web.json_response({"ok": True, "channel": "C1", "ts": "1.1", "user": {}})

    app = web.Application()
    app.router.add_post("/api/{method}", method)
    async with TestServer(app, host="127.0.0.1") as server:
        address = f"http://127.0.0.1:{server.port}/api/"
        plain = AsyncWebClient("xoxb-1", base_url=address)
        for _ in range(5):
            await plain.auth_test()
        assert len(ports) == 5

        ports.clear()
        api = SlackApi("xoxb-1", address, lambda: NOW)
        adapter = SlackAdapter(api, (SECRET,), lambda: NOW, reader_for)
        await adapter.start(Recorder())
        session = api.session
        assert api._asking is not None
        await api._asking
        for number in range(20):
            await adapter.send(outgoing(number), READER)
            payload = json.loads(message_event(f"Ev{number}"))
            payload["event"] |= {"channel": "D1", "user": f"U{number}"}
            await adapter._dispatched(payload, NOW, Recorder())
        assert len(ports) == 1
        await adapter.stop()
    assert session.closed


def outgoing(number: int = 1) -> Outgoing:
    address = Address(platform="slack", kind="group", id="C1")
    return Outgoing(address=address, words=said("hello"), message_id=number)


# --- pitfalls: what is heard


async def test_bolt_runs_only_the_first_listener() -> None:
    """bolt-python#239, #786, #789, #847."""
    app, heard = plain_bolt(), []

    @app.event("message")
    async def first() -> None:
        heard.append("first")

    @app.event("message")
    async def second() -> None:
        heard.append("second")

    await told(app, message_event(), JSON)
    await asyncio.sleep(0.05)
    assert heard == ["first"]


def test_a_mention_is_one_thing_although_slack_tells_it_twice(
    slack: StandInSlack, recorder: Recorder
) -> None:
    """bolt-js#1060: app_mention and message come for one line, each with an event_id of its own, in
    any order. Whichever is first is the event; the other has its key.
    """
    heard = slack.say("U1", "C1", "@banzhang where is @小李 & co?")
    assert [found.error for found in heard] == [None, None]
    one, two = recorder.events
    assert one.key == two.key
    assert (one.text, two.text) == ("where is \ue0000\ue001 & co?",) * 2
    assert one.addressed
    assert two.addressed
    message = slack.last_message("C1")
    assert one.chat.thread == message.ts
    assert one.message == f"C1:{message.ts}"


async def test_our_own_messages_are_not_heard() -> None:
    """As soon as Slack has told who we are; Bolt alone asks for that inside the first request."""
    heard: list[Json] = []
    known: list[Identity] = []

    async def hear(payload: Json, _at: datetime, _receive: Receive) -> None:
        heard.append(payload)

    client = AsyncWebClient("xoxb-1", base_url="http://127.0.0.1:1/api/")
    bolt = Bolt(client, lambda: known[0] if known else None, hear)
    for event in ({"user": "U0BOT"}, {"bot_id": "B0BOT"}, {"user": "U1"}):
        payload = {"type": "event_callback", "event": {"type": "message", **event}}
        await bolt.dispatch(payload, datetime.now(UTC), Recorder())
    assert len(heard) == 3
    known.append(Identity("T1", "B0BOT", "U0BOT"))
    for event in ({"user": "U0BOT"}, {"bot_id": "B0BOT"}, {"user": "U1"}):
        payload = {"type": "event_callback", "event": {"type": "message", **event}}
        await bolt.dispatch(payload, datetime.now(UTC), Recorder())
    assert [one["event"].get("user") for one in heard[3:]] == ["U1"]


def test_variables_of_bolt_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """SLACK_CLIENT_ID and SLACK_CLIENT_SECRET silently switch Bolt to OAuth, and
    SLACK_VERIFICATION_TOKEN judges its certificate checks.
    """
    for name in ("CLIENT_ID", "CLIENT_SECRET", "BOT_TOKEN", "SIGNING_SECRET", "VERIFICATION_TOKEN"):
        monkeypatch.setenv(f"SLACK_{name}", "xyzz0WbapA4vBCDEFasx0q6G")
    recorder = Recorder()
    with populated() as slack, at_work(make_adapter(slack), recorder) as url:
        slack.deliver_to(url)
        assert slack.command("U1", "/checkin").text == "heard checkin"
        assert slack.ssl_check().status_code == 200
        found = slack.command("U1", "/checkin", secret="xyzz0WbapA4vBCDEFasx0q6G")
        assert found.status_code == 401


# --- pitfalls: what a person waits for


async def test_bolt_asks_who_it_is_inside_the_first_request() -> None:
    """bolt-python#947, #537, #791: a slow authorize is a person's operation_timeout."""
    with populated() as slack:
        slack.faults.script("auth.test", [Slow(0.3)])
        client = AsyncWebClient(slack.token, base_url=slack.api_url)
        app = AsyncApp(signing_secret=SECRET, client=client)

        @app.command("/x")
        async def listener(ack: Any) -> None:
            await ack("done")

        began = time.monotonic()
        assert (await told(app, COMMAND)).body == "done"
        assert time.monotonic() - began >= 0.3


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_nobody_waits_until_we_know_who_we_are(transport: str) -> None:
    recorder = Recorder()
    with populated() as slack:
        slack.faults.every(1, Slow(30), "auth.test")
        adapter = make_adapter(slack, by_socket=transport == "socket")
        with at_work(adapter, recorder) as url:
            reach(slack, transport, url)
            began = time.monotonic()
            assert slack.command("U1", "/checkin").text == "heard checkin"
            assert time.monotonic() - began < 1


async def test_nothing_is_written_down_as_unhandled(caplog: pytest.LogCaptureFixture) -> None:
    """bolt-python#484: a global middleware that answers without next() is written down with the
    body as something nobody handled; ours does just that, and is not.
    """
    app = plain_bolt(logging.WARNING)

    @app.middleware
    async def claim(ack: Any) -> None:
        await ack()

    with caplog.at_level(logging.DEBUG):
        assert (await told(app, COMMAND)).status == 404
        assert "skipped calling either `next()`" in caplog.text

        caplog.clear()
        bolt = Bolt(AsyncWebClient("xoxb-1"), lambda: None, _nothing)
        payload = dict(pair.split("=") for pair in COMMAND.split("&"))
        assert await bolt.dispatch(payload, NOW, Recorder()) == ""
        assert [one.getMessage() for one in caplog.records] == []


async def test_what_fails_is_not_swallowed() -> None:
    """Netflix/dispatch PR #2848: what fails in a lazy listener is only a line in a log, and Slack
    was told that all is well. Here it comes out of dispatch() and decides the answer.
    """
    app, errors = plain_bolt(), []

    @app.error
    async def noticed(error: Exception) -> None:
        errors.append(error)

    async def acknowledge(ack: Any) -> None:
        await ack("all is well")

    async def work() -> None:
        raise OSError("lost")

    app.command("/x")(ack=acknowledge, lazy=[work])
    assert (await told(app, COMMAND)).status == 200
    await asyncio.sleep(0.05)
    assert errors == []

    async def failing(_payload: Json, _at: datetime, _receive: Receive) -> None:
        await work()

    bolt = Bolt(AsyncWebClient("xoxb-1"), lambda: None, failing)
    with pytest.raises(OSError, match="lost"):
        await bolt.dispatch({"command": "/x"}, NOW, Recorder())


# --- pitfalls: what is sent


async def test_a_broken_line_says_nothing_twice() -> None:
    """slack_sdk's own retry of a broken connection posts again what Slack took already."""
    with populated() as slack:
        slack.faults.script("chat.postMessage", [DropAfter()])
        await AsyncWebClient(slack.token, base_url=slack.api_url).chat_postMessage(
            channel="C1", text="hello"
        )
        assert len(slack.messages("C1")) == 2

        slack.faults.script("chat.postMessage", [DropAfter()])
        adapter = make_adapter(slack)
        await adapter.start(Recorder())
        await asyncio.to_thread(slack.wait_for, lambda: adapter._api.identity)
        place = outgoing().address.model_copy(update={"id": "G1"})
        with pytest.raises(DeliveryFailed) as failed:
            await adapter.send(outgoing().model_copy(update={"address": place}), READER)
        assert failed.value.outcome == "unknown"
        assert len(slack.messages("G1")) == 1
        await adapter.stop()


# --- pitfalls: Socket Mode


def renewed(slack: StandInSlack) -> None:
    """None of the present connections is left."""
    before = {line.id for line in slack.socket.connections}
    slack.wait_for(lambda: not before & {line.id for line in slack.socket.connections})


def test_handlers_go_on_after_a_quiet_time_and_a_new_connection() -> None:
    """bolt-python#1529: after an idle reconnect the handlers hear nothing any more. Lines on which
    nothing came for long are renewed, and each new one brings what is sent.
    """
    recorder = Recorder()
    timings = replace(QUICK, ping=0.05, idle=0.25, grace=0.1)
    with (
        populated() as slack,
        at_work(make_adapter(slack, by_socket=True, timings=timings), recorder) as url,
    ):
        reach(slack, "socket", url)
        for _ in range(3):
            renewed(slack)
            assert slack.command("U1", "/checkin").text == "heard checkin"
    assert len(recorder.events) == 3


def test_there_is_always_a_line_while_another_is_renewed() -> None:
    """slack_sdk closes the old connection before it opens the new one:
    tests/test_standin_slack_socket.py shows the gap.
    """
    recorder = Recorder()
    with populated() as slack, at_work(make_adapter(slack, by_socket=True), recorder) as url:
        reach(slack, "socket", url)
        slack.socket.disconnect("warning")
        slack.wait_for(lambda: slack.socket.opened == 4)
        slack.wait_for(lambda: len(slack.socket.connections) == 2)
        assert slack.socket.overlap_seen
        assert slack.command("U1", "/checkin").text == "heard checkin"


async def test_closing_does_not_hang() -> None:
    """hermes-agent PR #91630: close_async waits for ever for a server that is gone. Here a server
    that answers no goodbye and a handler that never ends together hold up nothing.
    """
    never, heard = asyncio.Event(), asyncio.Event()

    async def hang(_event: Event) -> None:
        heard.set()
        await never.wait()

    with populated() as slack:
        slack.deliver_by_socket()
        slack.patience = 0.1
        adapter = make_adapter(slack, by_socket=True, timings=replace(QUICK, finish=0.3, close=0.2))
        await adapter.start(hang)
        await asyncio.to_thread(slack.socket.wait_connected, 2)
        found = await asyncio.to_thread(slack.command, "U1", "/checkin")
        assert found.error == "operation_timeout"
        assert heard.is_set()
        slack.socket.starve_pongs = True
        began = time.monotonic()
        await adapter.stop()
        assert time.monotonic() - began < 2
        await adapter.stop()
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_no_session_is_left_open(caplog: pytest.LogCaptureFixture) -> None:
    """bolt-python#645, #926, and `Session is closed` for ever (hermes-agent#46990): each start has
    sessions of its own, and each stop closes them.
    """
    with populated() as slack:
        slack.deliver_by_socket()
        adapter = make_adapter(slack, by_socket=True)
        for _ in range(2):
            await adapter.start(Recorder())
            await asyncio.to_thread(slack.socket.wait_connected, 2)
            assert (await asyncio.to_thread(slack.command, "U1", "/checkin")).error is None
            await adapter.stop()
            await asyncio.to_thread(slack.wait_for, lambda: not slack.socket.connections)
    gc.collect()
    assert [one.message for one in caplog.records if one.name == "asyncio"] == []
