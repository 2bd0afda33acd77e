"""Slack's people against the adapter, over both transports: what they see of commands, buttons and
forms. What only requests have (signatures, statuses, challenges) is tried over HTTP alone.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import pytest

from adapters import PLATFORMS
from adapters.slack import adapter as slack_adapter
from adapters.slack import make_slack
from bot.clock import WallClock
from bot.messages import Answer, Button, Card, Event, Form, FormField, Reply
from bot.settings import Settings
from bot.words import reader_for
from tests.platforms.slack import (
    Message,
    ServerError,
    SignedRequest,
    SlackError,
    Slow,
    StandInSlack,
)
from tests.recorder import Recorder, answer, reply, said
from tests.slack_stage import (
    FORM,
    TRANSPORTS,
    at_work,
    make_adapter,
    populated,
    reach,
    staged,
)


@pytest.fixture(scope="module", params=TRANSPORTS)
def stage(request: pytest.FixtureRequest) -> Iterator[tuple[StandInSlack, Recorder]]:
    with staged(request.param) as made:
        yield made


over_http = pytest.mark.parametrize("stage", ["http"], indirect=True)
over_a_socket = pytest.mark.parametrize("stage", ["socket"], indirect=True)


@pytest.fixture
def slack(stage: tuple[StandInSlack, Recorder]) -> StandInSlack:
    stage[0].faults.clear()
    stage[0].patience = 3.0
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


@over_http
def test_the_type_of_an_answer(slack: StandInSlack, recorder: Recorder) -> None:
    found = slack.command("U1", "/ask", "x", channel="C1")
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
    before = len(slack.all_messages() + slack.ephemerals)
    found = slack.press("U1", card, "Claim")
    assert found.error is None
    assert found.response is not None
    assert found.response.content == b""
    event = recorder.events[-1]
    assert (event.kind, event.command, event.arguments) == ("button", "claim", {"query": "Q7"})
    assert (event.chat.id, event.user.id) == ("C1", "U1")
    assert event.at <= event.received_at
    # The answer is the outbox's: it must outlive a crash, and nothing is said twice.
    assert len(slack.all_messages() + slack.ephemerals) == before
    assert slack.calls_of("response_url") == []


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
    # A press has no response that a person could read, so it is whispered at once.
    told = slack.ephemerals[-1]
    assert (told.channel, told.ephemeral_to) == ("C1", "U1")
    assert slack.plain(told).startswith("The form did not open.")


# --- what else Slack sends


@over_http
def test_challenges_and_checks(slack: StandInSlack, recorder: Recorder) -> None:
    assert slack.url_verification("3eZbrw1aB").body == {"challenge": "3eZbrw1aB"}
    assert slack.ssl_check().status_code == 200
    assert slack.url_verification(secret="wrong").status_code == 401
    assert recorder.events == []


def test_what_means_nothing_to_the_bot_is_taken(slack: StandInSlack, recorder: Recorder) -> None:
    """Taken all the same: what is not acknowledged comes again, and at last nothing comes."""
    (chat,) = slack.say("U1", "C1", "lunch?")
    (bot,) = slack.bot_says("C1", "3 meetings today")
    message = slack.messages("C1")[-2]
    taken = [
        chat,
        bot,
        slack.edit("U2", person_says(slack, "U2", "tihs"), "this"),
        slack.unreact("U1", reacted(slack, message)),
        slack.event({"type": "emoji_changed", "subtype": "add"}),
        slack.event({"type": "message", "subtype": "channel_topic", "user": "U1", "text": "x"}),
        slack.event({"type": "message", "user": "U0BANZHANG", "bot_id": "B1"}),
        slack.shortcut("U1", "of_another_day"),
        slack.shortcut("U1", "of_another_day", message),
    ]
    assert [found.error for found in taken] == [None] * len(taken)
    assert [event.kind for event in recorder.events] == ["edited", "reaction"]


def person_says(slack: StandInSlack, user: str, words: str) -> Message:
    slack.say(user, "C1", words)
    return slack.last_message("C1")


def reacted(slack: StandInSlack, message: Message) -> Message:
    assert slack.react("U1", message).error is None
    return message


def test_a_direct_message_needs_no_mention(slack: StandInSlack, recorder: Recorder) -> None:
    assert [found.error for found in slack.say("U1", None, "checkin")] == [None]
    (event,) = recorder.events
    assert (event.chat.kind, event.chat.id, event.chat.thread) == ("direct", "U1", None)
    assert event.addressed


def test_what_is_said_in_a_thread_may_be_an_answer(slack: StandInSlack, recorder: Recorder) -> None:
    card = posted(slack, recorder, CLAIM)
    assert [found.error for found in slack.say("U2", "C1", "room 3", thread_ts=card.ts)] == [None]
    (event,) = recorder.events
    assert not event.addressed
    assert event.under == f"C1:{card.ts}"
    assert event.chat.thread == card.ts


def test_what_a_message_is_answered_goes_by_the_outbox(
    slack: StandInSlack, recorder: Recorder
) -> None:
    """There is no response a person could read: nothing is said by the adapter itself."""
    before = len(slack.calls_of("chat.postMessage"))
    (found,) = slack.say("U1", None, "me")
    assert found.text == ""
    assert len(slack.calls_of("chat.postMessage")) == before


def test_a_reaction_that_matters_is_told_again_with_its_message(
    slack: StandInSlack, recorder: Recorder
) -> None:
    message = person_says(slack, "U2", "who has the & key, @wang?")
    recorder.answering = lambda event: reply(wants_more=not event.text)
    assert slack.react("U1", message, "question").error is None
    first, second = recorder.events
    assert (first.kind, first.emoji, first.text) == ("reaction", "question", "")
    assert first.key == second.key
    assert second.text == "who has the & key, \ue0000\ue001?"
    assert second.author is not None
    assert (second.user.id, second.author.id, second.author.name) == ("U1", "U2", "小李")
    assert second.chat.thread == message.ts


def test_a_message_shortcut_opens_its_form(slack: StandInSlack, recorder: Recorder) -> None:
    message = person_says(slack, "U2", "who has the key?")
    recorder.answering = lambda _event: reply(form=ASKED)
    assert slack.shortcut("U1", "escalate_message", message).error is None
    (event,) = recorder.events
    assert (event.kind, event.command) == ("button", "escalate")
    assert event.arguments["question"] == "who has the key?"
    assert slack.open_view("U1").content["callback_id"] == "reply"


def test_ones_own_page_is_asked_for(slack: StandInSlack, recorder: Recorder) -> None:
    assert slack.open_home("U2").error is None
    assert slack.open_home("U2", tab="messages").error is None
    assert [(one.kind, one.user.id) for one in recorder.events] == [("page", "U2")]


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


@over_http
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


@over_a_socket
@pytest.mark.parametrize("payload", ODD.values(), ids=ODD)
def test_an_odd_payload_in_an_envelope_does_not_come_again(
    slack: StandInSlack, recorder: Recorder, payload: dict[str, Any]
) -> None:
    envelope = {"envelope_id": f"odd {payload}", "type": "interactive", "payload": payload}
    delivery = slack.socket.deliver(envelope, slack.patience)
    assert (delivery.error, delivery.answer) == (None, {})
    assert recorder.events == []


@over_http
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


# --- when something is wrong


def test_a_failure_inside_is_not_answered_as_done(
    slack: StandInSlack, recorder: Recorder, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(_event: Event) -> Reply:
        raise OSError("the disk is full of secrets")

    recorder.answering = fail
    by_socket = bool(slack.socket.connections)
    slack.patience = 0.3 if by_socket else 3.0
    with caplog.at_level(logging.DEBUG, logger="adapters"):
        found = slack.command("U1", "/checkin")
    assert found.status_code == (0 if by_socket else 503)
    assert found.error is not None
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


@pytest.mark.parametrize("outage", [Slow(30), ServerError()], ids=lambda one: str(one))
def test_what_comes_by_a_socket_needs_only_its_address(outage: Any) -> None:
    """Who we are and who they are may stay unknown for a while."""
    recorder = Recorder()
    with populated() as slack:
        for method in ("auth.test", "users.info"):
            slack.faults.every(1, outage, method)
        with at_work(make_adapter(slack, by_socket=True), recorder) as url:
            reach(slack, "socket", url)
            began = time.monotonic()
            assert slack.command("U1", "/checkin").text == "heard checkin"
            assert time.monotonic() - began < 1


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
