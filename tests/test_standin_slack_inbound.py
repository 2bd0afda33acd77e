"""What the stand-in's people send is what Slack sends: Bolt verifies, parses and answers it."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import uvicorn
from slack_bolt.adapter.asgi.async_handler import AsyncSlackRequestHandler
from slack_bolt.async_app import AsyncApp
from slack_bolt.request.async_request import AsyncBoltRequest
from slack_sdk.web.async_client import AsyncWebClient

from tests.platforms.slack import RateLimited, SignedRequest, StandInSlack, signed_headers
from tests.platforms.slack_model import Message
from tests.platforms.slack_text import encode_typed, render

Seen = list[dict[str, Any]]


def plain_text(text: str) -> dict[str, Any]:
    return {"type": "plain_text", "text": text}


ROOMS = [{"text": plain_text("Room 1"), "value": "r1"}, {"text": plain_text("二楼"), "value": "r2"}]
CARD = [
    {"type": "section", "text": {"type": "mrkdwn", "text": "*Q1* from <@U1>: why? &amp; when?"}},
    {
        "type": "actions",
        "elements": [
            {"type": "button", "action_id": "q.claim", "text": plain_text("Claim"), "value": "Q1"},
            {"type": "static_select", "action_id": "q.room", "options": ROOMS},
        ],
    },
]
FORM = {
    "type": "modal",
    "callback_id": "ask",
    "private_metadata": "C1",
    "title": plain_text("Ask"),
    "submit": plain_text("Send"),
    "blocks": [
        {
            "type": "input",
            "block_id": "question",
            "label": plain_text("Question"),
            "element": {"type": "plain_text_input", "action_id": "text", "max_length": 50},
        },
        {
            "type": "input",
            "block_id": "room",
            "optional": True,
            "label": plain_text("Room"),
            "element": {"type": "static_select", "action_id": "pick", "options": ROOMS},
        },
    ],
}


def bolt_app(slack: StandInSlack, seen: Seen) -> AsyncApp:
    app = AsyncApp(
        signing_secret=slack.signing_secret,
        client=AsyncWebClient(slack.token, base_url=slack.api_url),
        process_before_response=True,
    )

    @app.command("/ask")
    async def ask(ack: Any, body: dict[str, Any]) -> None:
        seen.append(body)
        await ack(f"Q1 opened: {body['text']}")

    @app.command("/open")
    async def for_all(ack: Any, body: dict[str, Any]) -> None:
        await ack({"response_type": "in_channel", "text": "Q1", "blocks": CARD})

    @app.command("/form")
    async def form(ack: Any, body: dict[str, Any], client: Any) -> None:
        await client.views_open(trigger_id=body["trigger_id"], view=FORM)
        await ack()

    _interactions(app, seen)
    _events(app, seen)
    return app


def _interactions(app: AsyncApp, seen: Seen) -> None:
    @app.view("ask")
    async def submitted(ack: Any, body: dict[str, Any], view: dict[str, Any]) -> None:
        seen.append(body)
        question = view["state"]["values"]["question"]["text"]["value"]
        if question == "wrong":
            await ack(response_action="errors", errors={"question": "too short"})
        elif question == "more":
            await ack(response_action="push", view={**FORM, "callback_id": "ask"})
        else:
            await ack()

    @app.action({"action_id": "q.claim"})
    async def claimed(ack: Any, body: dict[str, Any], respond: Any) -> None:
        seen.append(body)
        await ack()
        await respond(f"claimed by <@{body['user']['id']}>", replace_original=True)

    @app.action("q.room")
    async def room(ack: Any, body: dict[str, Any]) -> None:
        seen.append(body)
        await ack()

    @app.shortcut("escalate")
    async def escalate(ack: Any, body: dict[str, Any]) -> None:
        seen.append(body)
        await ack()


def _events(app: AsyncApp, seen: Seen) -> None:
    @app.event("app_mention")
    async def mentioned(body: dict[str, Any], say: Any) -> None:
        seen.append(body)
        await say(f"you called, <@{body['event']['user']}>?")

    @app.event("message")
    async def heard(body: dict[str, Any]) -> None:
        seen.append(body)


@contextmanager
def served(app: Any) -> Iterator[str]:
    """Any ASGI application, on a port of its own, until the block ends."""
    config = uvicorn.Config(app, log_config=None, ws="none", lifespan="off")
    server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        deadline = time.monotonic() + 10
        while not server.started and time.monotonic() < deadline:
            time.sleep(0.005)
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(10)
            assert not thread.is_alive()


@pytest.fixture(scope="module")
def stage() -> Iterator[tuple[StandInSlack, Seen]]:
    seen: Seen = []
    with StandInSlack() as standin:
        standin.add_user("U1", "wang")
        standin.add_user("U2", "小李")
        standin.add_channel("C1", "teachers", ["U1", "U2"])
        standin.add_channel("G1", "office", ["U1"], private=True)
        with served(AsyncSlackRequestHandler(bolt_app(standin, seen), "/slack/events")) as url:
            standin.deliver_to(f"{url}/slack/events")
            yield standin, seen


@pytest.fixture
def slack(stage: tuple[StandInSlack, Seen]) -> StandInSlack:
    return stage[0]


@pytest.fixture
def seen(stage: tuple[StandInSlack, Seen]) -> Seen:
    stage[1].clear()
    return stage[1]


# ---- commands


def test_a_command_is_answered_to_one_person(slack: StandInSlack, seen: Seen) -> None:
    reply = slack.command("U1", "/ask", "what is 1 < 2 & @小李?", channel="C1")
    assert reply.text == "Q1 opened: what is 1 < 2 & @小李?"
    assert slack.reads("U1")[-1] == reply.text
    assert reply.text not in slack.reads("U2")
    (body,) = seen
    assert body["text"] == "what is 1 &lt; 2 &amp; <@U2>?"
    assert (body["channel_name"], body["user_name"]) == ("teachers", "wang")
    assert body["response_url"].startswith(slack.origin)


def test_where_a_command_was_typed(slack: StandInSlack, seen: Seen) -> None:
    slack.command("U1", "/ask", "x", channel="G1")
    slack.command("U1", "/ask", "x")
    assert [body["channel_name"] for body in seen] == ["privategroup", "directmessage"]
    assert seen[1]["channel_id"] == slack.direct("U1")


def test_a_command_answered_to_all(slack: StandInSlack) -> None:
    reply = slack.command("U1", "/open", channel="C1")
    assert reply.response_type == "in_channel"
    assert slack.last("C1") == "Q1 from @wang: why? & when?\n[Claim] [Room 1 / 二楼 ▾]"
    assert slack.reads("U2")[-1] == slack.last("C1")


def test_a_command_nobody_handles(slack: StandInSlack) -> None:
    reply = slack.command("U1", "/nothing")
    assert reply.status_code == 404
    assert reply.text == '/nothing failed with the error "dispatch_failed"'


def test_the_word_payload_meets_a_known_defect_of_bolt(slack: StandInSlack, seen: Seen) -> None:
    """Faithful to the byte: a form that merely contains the word is lost inside Bolt 1.30."""
    reply = slack.command("U1", "/ask", "fix the payload parser", channel="C1")
    assert reply.error == "dispatch_failed"
    assert seen == []


def test_a_late_answer_and_no_answer(slack: StandInSlack) -> None:
    url, slack.patience = slack.app_url, 0.1
    try:
        with socket.create_server(("127.0.0.1", 0)) as silent:  # takes the call, says nothing
            slack.deliver_to(f"http://127.0.0.1:{silent.getsockname()[1]}/")
            assert slack.command("U1", "/ask").error == "operation_timeout"
        assert slack.command("U1", "/ask").error == "dispatch_failed"
    finally:
        slack.patience = 3.0
        slack.deliver_to(url)


# ---- signatures


def test_bolt_rejects_what_is_not_signed_by_slack(slack: StandInSlack, seen: Seen) -> None:
    now = int(time.time())
    refused = [
        slack.command("U1", "/ask", "x", secret="another"),
        slack.command("U1", "/ask", "x", signature=None),
        slack.command("U1", "/ask", "x", signature="v0=00"),
        slack.command("U1", "/ask", "x", timestamp=now - 301),
        slack.command("U1", "/ask", "x", timestamp=now + 310),
    ]
    assert [reply.status_code for reply in refused] == [401] * 5
    tampered = slack.request_for_command("U1", "/ask", "pay 50")
    body = tampered.body.replace(b"50", b"99")
    assert slack.send(SignedRequest(tampered.headers, body)).status_code == 401
    assert seen == []
    assert slack.command("U1", "/ask", "x", timestamp=now - 290).status_code == 200


def test_the_same_request_again(slack: StandInSlack, seen: Seen) -> None:
    first = slack.command("U1", "/ask", "once", channel="C1")
    again = slack.send(first.request)
    assert again.body == first.body
    assert seen[0] == seen[1]
    slack.command("U1", "/ask", "once", trigger_id=seen[0]["trigger_id"], headers={"X-Mine": "1"})
    assert seen[2]["trigger_id"] == seen[0]["trigger_id"]


async def test_in_one_process_without_http(slack: StandInSlack, seen: Seen) -> None:
    request = slack.request_for_command("U1", "/ask", "你好 & bye", channel="C1")
    app = bolt_app(slack, seen)
    headers: dict[str, Any] = dict(request.headers)
    found = await app.async_dispatch(AsyncBoltRequest(body=request.body.decode(), headers=headers))
    assert found.status == 200
    assert found.body == "Q1 opened: 你好 &amp; bye"
    stamp = request.headers["X-Slack-Request-Timestamp"]
    expected = signed_headers(request.body, slack.signing_secret, stamp)
    assert expected.items() <= request.headers.items()


# ---- buttons and menus


def test_a_button_and_its_response_url(slack: StandInSlack, seen: Seen) -> None:
    slack.command("U1", "/open", channel="C1")
    card = slack.last_message("C1")
    assert slack.press("U2", card, "Claim").status_code == 200
    assert slack.last("C1") == "claimed by @小李"
    (body,) = seen
    (action,) = body["actions"]
    assert (action["action_id"], action["value"]) == ("q.claim", "Q1")
    assert action["text"]["text"] == "Claim"
    assert body["container"]["message_ts"] == body["message"]["ts"] == card.ts
    assert body["user"]["id"] == "U2"
    with pytest.raises(AssertionError, match="no single 'Claim' to press"):
        slack.press("U2", card, "Claim")


def test_a_menu(slack: StandInSlack, seen: Seen) -> None:
    slack.command("U1", "/open", channel="C1")
    card = slack.last_message("C1")
    slack.press("U1", card, "q.room", chosen="二楼")
    (body,) = seen
    assert body["actions"][0]["selected_option"]["value"] == "r2"
    (held,) = body["state"]["values"].values()
    assert held["q.room"]["selected_option"]["value"] == "r2"
    with pytest.raises(AssertionError, match="no option 'r9'"):
        slack.press("U1", card, "q.room", chosen="r9")


def test_a_button_on_a_message_only_i_can_see(slack: StandInSlack, seen: Seen) -> None:
    place = slack.workspace.channels["C1"]
    slack.api.reply("U1", place.id, {"text": "card", "blocks": CARD})
    slack.press("U1", slack.ephemerals[-1], "q.claim")
    (body,) = seen
    assert body["container"]["is_ephemeral"]
    assert "message" not in body
    assert slack.reads("U1")[-1] == "claimed by @wang"


def test_shortcuts(slack: StandInSlack, seen: Seen) -> None:
    message = slack.workspace.add_message(
        Message("C1", slack.workspace.next_ts(), "U2", "who teaches today?")
    )
    assert slack.shortcut("U1", "escalate", message).status_code == 200
    assert slack.shortcut("U1", "escalate").status_code == 200
    assert seen[0]["type"] == "message_action"
    assert seen[0]["message"]["user"] == "U2"
    assert seen[1]["type"] == "shortcut"


# ---- forms


def test_a_form_is_filled_in(slack: StandInSlack, seen: Seen) -> None:
    slack.command("U1", "/form", channel="C1")
    view = slack.open_view("U1")
    reply = slack.submit("U1", view, {"Question": "why?", "room": "Room 1"})
    assert reply.status_code == 200
    (body,) = seen
    assert body["view"]["id"] == view.id
    assert (body["view"]["private_metadata"], body["view"]["hash"]) == ("C1", view.hash)
    values = body["view"]["state"]["values"]
    assert values["question"]["text"] == {"type": "plain_text_input", "value": "why?"}
    assert values["room"]["pick"]["selected_option"]["value"] == "r1"
    assert view.state == "submitted"
    with pytest.raises(AssertionError, match="no such form open"):
        slack.submit("U1", view, {"question": "again"})


def test_a_forms_errors_stand_by_their_fields(slack: StandInSlack, seen: Seen) -> None:
    slack.command("U1", "/form")
    view = slack.open_view("U1")
    reply = slack.submit("U1", view.id, {"question": "wrong"})
    assert reply.errors == {"question": "too short"} == view.errors
    assert reply.text == "too short"
    assert view.state == "open"
    assert slack.submit("U1", view, {"text": "right"}).errors == {}
    assert seen[1]["view"]["state"]["values"]["room"]["pick"]["selected_option"] is None


def test_a_form_on_a_form(slack: StandInSlack) -> None:
    slack.command("U2", "/form")
    first = slack.open_view("U2")
    for _ in range(2):
        slack.submit("U2", slack.open_view("U2"), {"question": "more"})
    top = slack.open_view("U2")
    assert (top.root_id, len({v.id for v in slack.views if v.state == "open"})) == (first.id, 3)
    assert slack.submit("U2", top, {"question": "more"}).error == "push_limit_reached"


def test_slack_holds_back_a_form_with_a_hole(slack: StandInSlack) -> None:
    slack.command("U1", "/form")
    view = slack.open_view("U1")
    for values, words in (
        ({}, "'Question' is empty"),
        ({"question": "x" * 51}, r"None\.\.50 characters"),
        ({"question": "x", "colour": "red"}, "no field"),
    ):
        with pytest.raises(AssertionError, match=words):
            slack.submit("U1", view, values)
    slack.close_view("U1", view)
    assert view.state == "closed"


def test_a_form_too_late(slack: StandInSlack) -> None:
    """Bolt turns the error of views.open into a 500; the person reads dispatch_failed."""
    request = slack.request_for_command("U1", "/form")
    slack.advance(4)
    assert slack.send(request).status_code == 500
    assert slack.calls_of("views.open")[-1].outcome == "expired_trigger_id"


# ---- events


def test_a_mention_is_heard_twice(slack: StandInSlack, seen: Seen) -> None:
    replies = slack.say("U1", "C1", "@banzhang help")
    assert [reply.status_code for reply in replies] == [200, 200]
    slack.wait_for(lambda: "you called, @wang?" in slack.last("C1"))
    message, mention = sorted(seen, key=lambda body: str(body["event"]["type"]), reverse=True)
    assert (message["event"]["type"], mention["event"]["type"]) == ("message", "app_mention")
    assert message["event"]["ts"] == mention["event"]["ts"]
    assert message["event_id"] != mention["event_id"]
    assert message["event"]["text"] == "<@U0BANZHANG> help"
    assert message["authorizations"][0]["is_bot"]


def test_a_direct_message_and_a_thread(slack: StandInSlack, seen: Seen) -> None:
    slack.say("U1", None, "hello")
    parent = slack.last_message("U1").ts
    slack.say("U1", None, "and again", thread_ts=parent)
    assert [body["event"]["channel_type"] for body in seen] == ["im", "im"]
    assert seen[1]["event"]["thread_ts"] == parent


def test_slack_tries_an_event_again(slack: StandInSlack, seen: Seen) -> None:
    event = {"type": "message", "user": "U1", "text": "x", "channel": "C1", "ts": "1.000100"}
    slack.event(event, event_id="Ev1", event_time=1531420618)
    again = slack.event(event, event_id="Ev1", retry=(1, "http_timeout"))
    assert [body["event_id"] for body in seen] == ["Ev1", "Ev1"]
    assert again.request.headers["X-Slack-Retry-Num"] == "1"
    assert again.request.headers["X-Slack-Retry-Reason"] == "http_timeout"


def test_bolt_does_not_hear_itself(slack: StandInSlack, seen: Seen) -> None:
    own = slack.workspace.bot_user
    event = {"type": "message", "user": own, "bot_id": "B0BANZHANG", "text": "x", "channel": "C1"}
    assert slack.event(event).status_code == 200
    assert seen == []


def test_the_handshakes(slack: StandInSlack) -> None:
    assert slack.url_verification("c-1").body == {"challenge": "c-1"}
    assert slack.ssl_check().status_code == 200
    assert slack.send_raw("{}", "application/json", signature="v0=0").status_code == 401


def test_faults_reach_an_app_too(slack: StandInSlack, seen: Seen) -> None:
    slack.faults.script("chat.postMessage", [RateLimited(1)])
    slack.event({"type": "app_mention", "user": "U1", "text": "x", "channel": "C1", "ts": "2.1"})
    assert slack.wait_for(lambda: slack.calls_of("chat.postMessage")[-1].outcome == "ratelimited")


# ---- words


@pytest.mark.parametrize(
    ("typed", "wire"),
    [
        ("ask @wang", "ask <@U1>"),
        ("@wangx is another", "@wangx is another"),
        ("派单@小李整理精华", "派单<@U2>整理精华"),
        ("me@wang.example", "me@wang.example"),
        ("see #teachers, #office", "see <#C1|teachers>, <#G1|>"),
        ("a<b & c", "a&lt;b &amp; c"),
        ("https://x.example/?a=1&b=2", "<https://x.example/?a=1&amp;b=2>"),
    ],
)
def test_what_is_typed_and_what_is_sent(slack: StandInSlack, typed: str, wire: str) -> None:
    assert encode_typed(typed, slack.workspace) == wire
    assert render(wire, slack.workspace) == typed


@pytest.mark.parametrize(
    ("wire", "shown"),
    [
        ("<!date^1531420618^{date_short}|12 July>", "12 July"),
        ("<!channel> and <!here|here>", "@channel and here"),
        ("<!subteam^S1|@night> <@U404> <@U404|anna>", "@night @U404 @anna"),
        ("<https://x.example|the page>", "the page"),
        ("&lt;!channel&gt; stays words", "<!channel> stays words"),
        ("*bold* 2*3*4", "bold 2*3*4"),
    ],
)
def test_what_is_sent_and_what_is_read(slack: StandInSlack, wire: str, shown: str) -> None:
    assert render(wire, slack.workspace) == shown


def test_waiting_may_ask_the_app(slack: StandInSlack) -> None:
    """The predicate makes Bolt call the Web API: nothing may be locked meanwhile."""
    assert slack.wait_for(lambda: slack.command("U1", "/form").status_code == 200, timeout=3)
    slack.close_view("U1", slack.open_view("U1"))


async def test_people_act_from_threads(slack: StandInSlack, seen: Seen) -> None:
    act = [asyncio.to_thread(slack.command, "U1", "/ask", str(n)) for n in range(6)]
    replies = await asyncio.gather(*act)
    assert sorted(reply.text for reply in replies) == [f"Q1 opened: {n}" for n in range(6)]
    assert len({body["trigger_id"] for body in seen}) == 6
