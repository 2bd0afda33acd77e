"""Slack's people against the adapter, over HTTP: what they see of commands, buttons and forms."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

import pytest
from slack_sdk.web.async_client import AsyncWebClient
from starlette.applications import Starlette

from adapters import PLATFORMS
from adapters.contract import Adapter, Receive
from adapters.slack import adapter as slack_adapter
from adapters.slack import make_slack
from adapters.slack.adapter import SlackAdapter
from adapters.slack.api import Identity
from adapters.slack.bolt import Bolt
from bot.clock import WallClock
from bot.messages import (
    Answer,
    Button,
    Card,
    Event,
    Form,
    FormField,
    Reply,
    Words,
    text,
)
from bot.settings import Settings
from bot.web import platform_routes
from bot.words import reader_for
from tests.platforms.served import served
from tests.platforms.slack import ServerError, SignedRequest, SlackError, Slow, StandInSlack

FORM = "application/x-www-form-urlencoded"


def said(words: str) -> Words:
    return text("said", words=words)


def reply(**more: Any) -> Reply:
    at = datetime.now(UTC)
    return Reply(locale="en", zone="Asia/Shanghai", at=at, **more)


def answer(words: str, **more: Any) -> Reply:
    return reply(answer=Answer(words=said(words), **more))


class Recorder:
    """Stands where dispatch stands: remembers what came, and answers what it is told to."""

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        self.events: list[Event] = []
        self.answering: Callable[[Event], Reply | None] = lambda event: answer(
            f"heard {event.text}"
        )

    async def __call__(self, event: Event) -> Reply | None:
        self.events.append(event)
        return self.answering(event)


@contextmanager
def at_work(adapter: Adapter, recorder: Recorder) -> Iterator[str]:
    """The adapter behind the real web room; gives the address that Slack calls."""

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        await adapter.start(recorder)
        yield
        await adapter.stop()

    routes = platform_routes({adapter.name: adapter}, recorder, WallClock())
    with served(Starlette(routes=routes, lifespan=lifespan)) as url:
        yield f"{url}/slack/events"


def make_adapter(slack: StandInSlack, api_url: str = "") -> SlackAdapter:
    secrets = ("the next secret", slack.signing_secret)
    return SlackAdapter(
        slack.token, secrets, api_url or slack.api_url, lambda: datetime.now(UTC), reader_for
    )


def populated() -> StandInSlack:
    standin = StandInSlack()
    standin.add_user("U1", "wang")
    standin.add_user("U2", "小李")
    standin.add_channel("C1", "rooms", ["U1", "U2"])
    standin.add_channel("G1", "office", ["U1", "U2"], private=True)
    return standin


@pytest.fixture(scope="module")
def stage() -> Iterator[tuple[StandInSlack, Recorder]]:
    recorder = Recorder()
    with populated() as standin, at_work(make_adapter(standin), recorder) as url:
        standin.deliver_to(url)
        yield standin, recorder


@pytest.fixture
def slack(stage: tuple[StandInSlack, Recorder]) -> StandInSlack:
    stage[0].faults.clear()
    return stage[0]


@pytest.fixture
def recorder(stage: tuple[StandInSlack, Recorder]) -> Recorder:
    stage[1].forget()
    return stage[1]


CLAIM = Button(label=said("Claim"), command="claim", arguments={"query": "Q7"})
ASKED = Form(
    command="reply",
    title=said("Reply"),
    arguments={"query": "Q7"},
    fields=(FormField(name="words", label=said("Answer"), kind="paragraph"),),
)


# --- commands


def test_a_command_in_a_group(slack: StandInSlack, recorder: Recorder) -> None:
    found = slack.command("U1", "/ask", "where is @小李 & co <now>?", channel="C1")
    event = recorder.events[-1]
    assert event.text == "ask where is \ue0000\ue001 & co <now>?"
    assert [one.id for one in event.mentions] == ["U2"]
    assert (event.user.id, event.user.name) == ("U1", "wang")
    assert (event.chat.kind, event.chat.id, event.chat.name) == ("group", "C1", "rooms")
    assert event.at == event.received_at
    assert found.response_type == "in_channel"
    assert "co <now>?" in slack.reads("U2")[-1]
    assert found.response is not None
    assert found.response.headers["content-type"] == "application/json; charset=utf-8"


def test_a_private_answer_in_a_group(slack: StandInSlack, recorder: Recorder) -> None:
    recorder.answering = lambda _event: answer("12 h this week", private=True)
    slack.command("U1", "/banzhang", "me", channel="G1")
    assert recorder.events[-1].text == "me"
    assert slack.reads("U1")[-1] == "12 h this week"
    assert "12 h this week" not in slack.reads("U2")


def test_a_command_in_a_direct_message(slack: StandInSlack, recorder: Recorder) -> None:
    found = slack.command("U1", "/checkin")
    event = recorder.events[-1]
    assert (event.chat.kind, event.chat.id, event.text) == ("direct", "U1", "checkin")
    assert (found.response_type, found.text) == ("ephemeral", "heard checkin")


def test_the_word_payload_in_a_command(slack: StandInSlack, recorder: Recorder) -> None:
    """slack-bolt 1.30 drops it; see tests/test_standin_slack_inbound.py."""
    found = slack.command("U1", "/ask", "why is the payload={} empty?", channel="C1")
    assert found.text == "heard ask why is the payload={} empty?"


def test_a_repeated_request_has_the_same_key(slack: StandInSlack, recorder: Recorder) -> None:
    first = slack.command("U1", "/checkin")
    slack.send(first.request)
    one, two = recorder.events
    assert one.key == two.key


def test_a_command_that_is_not_for_the_bot(slack: StandInSlack, recorder: Recorder) -> None:
    recorder.answering = lambda _event: None
    found = slack.command("U1", "/checkin", channel="C1")
    assert (found.error, found.text) == (None, "")


def test_a_card_as_an_answer(slack: StandInSlack, recorder: Recorder) -> None:
    card = Card(title=said("Q7"), buttons=(CLAIM,))
    recorder.answering = lambda _event: reply(answer=Answer(card=card))
    assert slack.command("U1", "/ask", "x", channel="C1").text == "Q7\n[Claim]"


# --- buttons


def posted(slack: StandInSlack, recorder: Recorder, *buttons: Button) -> Any:
    card = Card(title=said("Q7"), buttons=buttons)
    recorder.answering = lambda _event: reply(answer=Answer(card=card))
    slack.command("U2", "/ask", "x", channel="C1")
    recorder.answering = lambda _event: answer("for the outbox")
    recorder.events.clear()
    return slack.last_message("C1")


def test_a_press(slack: StandInSlack, recorder: Recorder) -> None:
    card = posted(slack, recorder, CLAIM)
    before = len(slack.calls)
    found = slack.press("U1", card, "Claim")
    assert found.error is None
    assert found.response is not None
    assert found.response.content == b""
    event = recorder.events[-1]
    assert (event.kind, event.command, event.arguments) == ("button", "claim", {"query": "Q7"})
    assert (event.chat.id, event.user.id) == ("C1", "U1")
    assert event.at <= event.received_at
    # The answer is the outbox's: it must outlive a crash, and nothing is said twice.
    assert len(slack.calls) == before


def test_the_same_press_twice_and_two_presses(slack: StandInSlack, recorder: Recorder) -> None:
    card = posted(slack, recorder, CLAIM)
    first = slack.press("U1", card, "Claim")
    slack.send(first.request)
    slack.press("U1", card, "Claim")
    keys = [event.key for event in recorder.events]
    assert keys[0] == keys[1] != keys[2]


# --- forms


def test_a_form_from_a_command_to_its_end(slack: StandInSlack, recorder: Recorder) -> None:
    recorder.answering = lambda _event: reply(form=ASKED)
    found = slack.command("U1", "/banzhang", "reply Q7", channel="C1")
    assert (found.error, found.text) == (None, "")
    view = slack.open_view("U1")
    assert slack.plain(view).startswith("Reply\nAnswer")

    recorder.answering = lambda _event: reply(errors={"words": said("Too short.")})
    wrong = slack.submit("U1", view, {"Answer": "hm"})
    assert (wrong.error, wrong.errors) == (None, {"words": "Too short."})
    assert view.state == "open"

    recorder.answering = lambda _event: reply()
    done = slack.submit("U1", view, {"Answer": "Room <3> & @小李"})
    assert (done.error, view.state) == (None, "submitted")
    event = recorder.events[-1]
    assert (event.kind, event.command) == ("form", "reply")
    assert event.arguments == {"query": "Q7", "words": "Room <3> & @小李"}
    assert (event.chat.kind, event.chat.id) == ("group", "C1")
    assert recorder.events[-2].key != event.key


def test_a_form_after_a_form(slack: StandInSlack, recorder: Recorder) -> None:
    recorder.answering = lambda _event: reply(form=ASKED)
    slack.command("U1", "/banzhang", "reply Q7", channel="C1")
    view = slack.open_view("U1")
    following = ASKED.model_copy(update={"title": said("And why?")})
    recorder.answering = lambda _event: reply(form=following)
    assert slack.submit("U1", view, {"Answer": "x"}).error is None
    assert slack.plain(slack.open_view("U1")).startswith("And why?")


def test_a_form_from_a_button(slack: StandInSlack, recorder: Recorder) -> None:
    card = posted(slack, recorder, CLAIM)
    recorder.answering = lambda _event: reply(form=ASKED)
    assert slack.press("U1", card, "Claim").error is None
    assert slack.open_view("U1").content["callback_id"] == "reply"


def test_a_form_opens_once(slack: StandInSlack, recorder: Recorder) -> None:
    recorder.answering = lambda _event: reply(form=ASKED)
    first = slack.command("U1", "/banzhang", "reply Q7")
    before = len(slack.views)
    again = slack.send(first.request)
    assert (again.error, again.text) == (None, "")
    assert len(slack.views) == before


@pytest.mark.parametrize(
    "fault", [ServerError(), SlackError("expired_trigger_id"), Slow(0.6)], ids=lambda one: str(one)
)
def test_a_form_that_does_not_open(
    slack: StandInSlack, recorder: Recorder, fault: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(slack_adapter, "FORM_SECONDS", 0.2)
    slack.faults.script("views.open", [fault, fault])
    recorder.answering = lambda _event: reply(form=ASKED)
    found = slack.command("U1", "/banzhang", "reply Q7", channel="C1")
    assert found.text.startswith("The form did not open.")
    assert found.response_type == "ephemeral"
    card = posted(slack, recorder, CLAIM)
    recorder.answering = lambda _event: reply(form=ASKED)
    assert slack.press("U1", card, "Claim").error is None


# --- what else Slack sends


def test_challenges_and_checks(slack: StandInSlack, recorder: Recorder) -> None:
    assert slack.url_verification("3eZbrw1aB").body == {"challenge": "3eZbrw1aB"}
    assert slack.ssl_check().status_code == 200
    assert slack.url_verification(secret="wrong").status_code == 401
    assert slack.ssl_check(signature=None).status_code == 401
    assert recorder.events == []


def test_what_means_nothing_to_the_bot_is_taken(slack: StandInSlack, recorder: Recorder) -> None:
    assert [found.status_code for found in slack.say("U1", "C1", "hello")] == [200]
    assert slack.event({"type": "reaction_added", "user": "U1"}).status_code == 200
    assert slack.shortcut("U1", "escalate").status_code == 200
    assert slack.event({"type": "message", "user": "U0BANZHANG", "bot_id": "B1"}).status_code == 200
    assert recorder.events == []


ODD: dict[str, Any] = {
    "a user that is a number": {"type": "block_actions", "user": 5},
    "an event that is a text": {"type": "event_callback", "event": "x"},
    "a list for authorizations": {"type": "event_callback", "authorizations": [5]},
    "a challenge that is none": {"type": "url_verification"},
    "a press without anything": {"type": "block_actions"},
    "a team of lists": {"type": "view_submission", "team": [[]], "view": 3},
    "response urls of nothing": {"response_urls": 5},
    "a view that is odd": {"type": "view_submission", "view": {"app_installed_team_id": []}},
}


@pytest.mark.parametrize("payload", ODD.values(), ids=ODD)
def test_an_odd_payload_is_never_our_failure(
    slack: StandInSlack, recorder: Recorder, payload: dict[str, Any]
) -> None:
    for body, kind in (
        (json.dumps(payload), "application/json"),
        (urlencode({"payload": json.dumps(payload)}), FORM),
    ):
        found = slack.send_raw(body, kind)
        assert found.status_code in (200, 400)
        assert found.status_code == 200 or found.response.content == b""  # type: ignore[union-attr]
    assert recorder.events == []


def test_who_is_not_slack(slack: StandInSlack, recorder: Recorder) -> None:
    now = int(time.time())
    refused = [
        slack.command("U1", "/ask", "x", secret="another"),
        slack.command("U1", "/ask", "x", signature=None),
        slack.command("U1", "/ask", "x", timestamp=now - 310),
        slack.command("U1", "/ask", "x", timestamp=now + 310),
        slack.command("U1", "/ask", "x", timestamp="now"),
    ]
    assert [found.status_code for found in refused] == [401] * 5
    assert all(found.response and found.response.content == b"" for found in refused)
    genuine = slack.request_for_command("U1", "/ask", "pay 50")
    body = genuine.body.replace(b"50", b"99")
    assert slack.send(SignedRequest(genuine.headers, body)).status_code == 401
    assert slack.send_raw("a=" + "b" * 2_000_000, FORM).status_code == 413
    assert slack.send_raw("{}", "text/plain").status_code == 400
    assert recorder.events == []
    assert slack.command("U1", "/ask", "x", secret="the next secret").status_code == 200


def test_bolts_own_headers_have_no_power(slack: StandInSlack, recorder: Recorder) -> None:
    headers = {"X-Slack-Bolt-Lazy-Only": "1", "X-Slack-Bolt-Lazy-Function-Name": "x"}
    began = time.monotonic()
    assert slack.command("U1", "/checkin", headers=headers).text == "heard checkin"
    assert time.monotonic() - began < 1


# --- when something is wrong


def test_a_failure_inside_is_not_answered_as_done(
    slack: StandInSlack, recorder: Recorder, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(_event: Event) -> Reply:
        raise OSError("the disk is full of secrets")

    recorder.answering = fail
    with caplog.at_level(logging.DEBUG, logger="adapters"):
        assert slack.command("U1", "/checkin").status_code == 503
    assert "secrets" not in "".join(one.message for one in caplog.records if "bolt" in one.name)


def test_what_comes_in_needs_nothing_of_slacks_api() -> None:
    recorder = Recorder()
    with populated() as slack:
        for api_url, outage in (
            ("http://127.0.0.1:1/api", None),
            ("", Slow(30)),
            ("", ServerError()),
        ):
            slack.faults.clear()
            if outage is not None:
                slack.faults.every(1, outage)
            with at_work(make_adapter(slack, api_url), recorder) as url:
                slack.deliver_to(url)
                began = time.monotonic()
                assert slack.command("U1", "/checkin").text == "heard checkin"
                assert time.monotonic() - began < 1
                assert slack.url_verification("x").body == {"challenge": "x"}


def test_variables_of_bolt_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CLIENT_ID", "CLIENT_SECRET", "BOT_TOKEN", "SIGNING_SECRET", "VERIFICATION_TOKEN"):
        monkeypatch.setenv(f"SLACK_{name}", "xyzz0WbapA4vBCDEFasx0q6G")
    recorder = Recorder()
    with populated() as slack, at_work(make_adapter(slack), recorder) as url:
        slack.deliver_to(url)
        assert slack.command("U1", "/checkin").text == "heard checkin"
        assert slack.ssl_check().status_code == 200
        found = slack.command("U1", "/checkin", secret="xyzz0WbapA4vBCDEFasx0q6G")
        assert found.status_code == 401


async def test_our_own_messages_are_not_heard() -> None:
    """As soon as Slack has told who we are."""
    heard: list[dict[str, Any]] = []
    known: list[Identity] = []

    async def hear(payload: dict[str, Any], _at: datetime, _receive: Receive) -> None:
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


# --- the settings


def test_slack_is_on_when_its_variables_are_set() -> None:
    assert PLATFORMS["slack"] is make_slack
    off = Settings.model_validate({})
    assert make_slack(off, WallClock().now, reader_for) is None
    on = Settings.model_validate(
        {
            "SLACK_BOT_TOKEN": "xoxb-1",
            "SLACK_SIGNING_SECRET": "one, two",
            "SLACK_API_URL": "https://slack-gov.com/api",
        }
    )
    made = make_slack(on, WallClock().now, reader_for)
    assert made is not None
    assert (made.name, made.paths, made.trouble()) == ("slack", ("/slack/events",), None)
