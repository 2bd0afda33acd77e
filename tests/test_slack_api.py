"""Messages out: what arrives, what is tried again, what is never tried again."""

from __future__ import annotations

import asyncio
import logging
import socket
import time
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime

import pytest

from adapters.contract import DeliveryFailed
from adapters.slack import api as slack_api
from adapters.slack.adapter import SlackAdapter
from bot.messages import Address, Button, Card, Event, Mention, Outgoing, Reply, Words, text
from bot.words import reader_for
from tests.platforms.slack import (
    DropAfter,
    DropBefore,
    Normal,
    RateLimited,
    ServerError,
    SlackError,
    Slow,
    StandInSlack,
)

NOW = datetime(2026, 11, 23, 1, 0, tzinfo=UTC)
READER = reader_for("en", "Asia/Shanghai", NOW)
GROUP = Address(platform="slack", kind="group", id="C1")
WANG = Address(platform="slack", kind="person", id="U1")
HTML = "<html>502</html>"


@pytest.fixture
def slack() -> Iterator[StandInSlack]:
    with StandInSlack() as standin:
        standin.add_user("U1", "wang")
        standin.add_user("U2", "li")
        standin.add_user("U3", "gone", deleted=True)
        standin.add_channel("C1", "rooms", ["U1", "U2"])
        standin.add_channel("C2", "closed", ["U1"], bot=False)
        yield standin


def make_adapter(url: str, token: str = "xoxb-test-000000000000-standin") -> SlackAdapter:
    return SlackAdapter(token, ("secret",), url, lambda: NOW, reader_for)


async def nobody(_event: Event) -> Reply | None:
    raise AssertionError("nothing comes in here")


@pytest.fixture
async def adapter(slack: StandInSlack) -> AsyncIterator[SlackAdapter]:
    made = make_adapter(slack.api_url)
    await made.start(nobody)
    yield made
    await made.stop()


def said(words: str) -> Words:
    return text("said", words=words)


def outgoing(words: str = "hello", address: Address = GROUP, **more: object) -> Outgoing:
    return Outgoing.model_validate(
        {"address": address, "words": said(words), "message_id": 7, **more}
    )


async def failure(adapter: SlackAdapter, message: Outgoing | None = None) -> DeliveryFailed:
    with pytest.raises(DeliveryFailed) as failed:
        await adapter.send(message or outgoing(), READER)
    return failed.value


# --- what arrives


async def test_to_a_group(slack: StandInSlack, adapter: SlackAdapter) -> None:
    words = text("person", person=Mention(person_id=1, name="li", user_id="U2"))
    handle = await adapter.send(outgoing().model_copy(update={"words": words}), READER)
    assert slack.last("C1") == "@li"
    message = slack.last_message("C1")
    assert handle == f"C1:{message.ts}"
    assert message.args["unfurl_links"] is False
    assert message.client_msg_id
    await adapter.send(outgoing(), READER)
    assert slack.last_message("C1").client_msg_id == message.client_msg_id
    await adapter.send(outgoing(message_id=8), READER)
    assert slack.last_message("C1").client_msg_id != message.client_msg_id


@pytest.mark.parametrize("slash", ["", "/"])
async def test_the_address_of_the_api_with_and_without_a_last_slash(
    slack: StandInSlack, slash: str
) -> None:
    adapter = make_adapter(slack.api_url.rstrip("/") + slash)
    await adapter.start(nobody)
    assert await adapter.send(outgoing(), READER)
    await adapter.stop()


async def test_a_direct_message_is_edited_where_it_went(
    slack: StandInSlack, adapter: SlackAdapter
) -> None:
    handle = await adapter.send(outgoing("first", WANG), READER)
    assert handle.startswith("D")
    again = await adapter.send(outgoing("second", WANG, edits_handle=handle), READER)
    assert again == handle
    assert [slack.plain(one) for one in slack.messages("U1")] == ["second"]


async def test_a_card_is_edited_into_another_and_into_words(
    slack: StandInSlack, adapter: SlackAdapter
) -> None:
    def card(title: str) -> Card:
        return Card(title=said(title), buttons=(Button(label=said("Claim"), command="claim"),))

    handle = await adapter.send(outgoing("new", card=card("Q7")), READER)
    assert slack.last("C1") == "new\nQ7\n[Claim]"
    await adapter.send(outgoing("Li has it", card=card("Q8"), edits_handle=handle), READER)
    assert slack.on_screen(slack.last_message("C1")) == "Q8\n[Claim]"
    await adapter.send(outgoing("done", edits_handle=handle), READER)
    assert slack.last("C1") == "done"
    assert len(slack.messages("C1")) == 1


@pytest.mark.parametrize(
    "code", ["message_not_found", "edit_window_closed", "cant_update_message", "channel_not_found"]
)
async def test_what_cannot_be_edited_is_said_anew(
    slack: StandInSlack, adapter: SlackAdapter, code: str
) -> None:
    first = await adapter.send(outgoing("first"), READER)
    slack.faults.script("chat.update", [SlackError(code)])
    card = Card(title=said("Q7"))
    handle = await adapter.send(outgoing("Li has it", card=card, edits_handle=first), READER)
    assert handle != first
    assert [slack.plain(one) for one in slack.messages("C1")] == ["first", "Li has it"]
    slack.faults.script("chat.update", [SlackError(code)])
    only = Outgoing(address=GROUP, card=card, edits_handle=first, message_id=9)
    await adapter.send(only, READER)
    assert slack.last("C1") == "Q7"


async def test_an_edit_that_may_work_later_is_not_said_anew(
    slack: StandInSlack, adapter: SlackAdapter
) -> None:
    first = await adapter.send(outgoing("first"), READER)
    slack.faults.script("chat.update", [RateLimited(retry_after=20)])
    failed = await failure(adapter, outgoing(edits_handle=first))
    assert (failed.outcome, failed.after, failed.scope) == ("retry", 20.0, "platform")
    assert len(slack.messages("C1")) == 1


def test_the_pace() -> None:
    assert make_adapter("http://127.0.0.1:1").pace(GROUP) == 1.0


# --- what does not


@pytest.mark.parametrize(
    ("fault", "outcome", "after", "scope"),
    [
        (RateLimited(retry_after=30), "retry", 30.0, "address"),
        (SlackError("ratelimited"), "retry", 1.0, "address"),
        (ServerError(500), "retry", None, "address"),
        (ServerError(503), "retry", None, "address"),
        (ServerError(502, HTML, "text/html"), "retry", None, "address"),
        (ServerError(503, "{oops", "application/json"), "retry", None, "address"),
        (ServerError(503, "[]", "application/json"), "retry", None, "address"),
        (SlackError("internal_error"), "retry", None, "address"),
        (SlackError("fatal_error"), "retry", None, "address"),
        (SlackError("service_unavailable"), "retry", None, "address"),
        (SlackError("invalid_auth"), "retry", 600.0, "platform"),
        (SlackError("token_revoked"), "retry", 600.0, "platform"),
        (SlackError("account_inactive"), "retry", 600.0, "platform"),
        (SlackError("missing_scope"), "retry", 600.0, "platform"),
        (SlackError("is_archived"), "dead", None, "address"),
        (SlackError("msg_too_long"), "dead", None, "address"),
        (SlackError("user_not_found"), "dead", None, "address"),
        (SlackError("something_new"), "dead", None, "address"),
        (DropBefore(), "unknown", None, "address"),
        (ServerError(200, "ok"), "unknown", None, "address"),
        (ServerError(200, "{oops", "application/json"), "unknown", None, "address"),
        (ServerError(403, HTML, "text/html"), "unknown", None, "address"),
    ],
)
async def test_what_a_failure_means(
    slack: StandInSlack,
    adapter: SlackAdapter,
    fault: ServerError | SlackError | RateLimited | DropBefore,
    outcome: str,
    after: float | None,
    scope: str,
) -> None:
    slack.faults.script("chat.postMessage", [fault])
    failed = await failure(adapter)
    assert (failed.outcome, failed.after, failed.scope) == (outcome, after, scope)
    assert failed.why
    assert len(slack.calls_of("chat.postMessage")) == 1
    assert slack.messages("C1") == []
    await adapter.send(outgoing(), READER)
    assert slack.last("C1") == "hello"


async def test_a_place_the_bot_may_not_speak_in(adapter: SlackAdapter) -> None:
    failed = await failure(adapter, outgoing(address=GROUP.model_copy(update={"id": "C2"})))
    assert failed.outcome == "dead"
    assert failed.why == "not_in_channel: the bot is not in the channel: type /invite there"
    failed = await failure(adapter, outgoing(address=WANG.model_copy(update={"id": "U3"})))
    assert failed.outcome == "dead"


async def test_a_line_that_breaks_after_slack_took_it_is_unknown_and_said_once(
    slack: StandInSlack, adapter: SlackAdapter
) -> None:
    slack.faults.script("chat.postMessage", [DropAfter(), Normal()])
    failed = await failure(adapter)
    assert failed.outcome == "unknown"
    assert len(slack.messages("C1")) == 1


async def test_an_answer_that_does_not_come_is_unknown(
    slack: StandInSlack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(slack_api, "CALL_SECONDS", 0.2)
    adapter = make_adapter(slack.api_url)
    await adapter.start(nobody)
    slack.faults.script("chat.postMessage", [Slow(5)])
    failed = await failure(adapter)
    assert failed.outcome == "unknown"
    assert len(slack.messages("C1")) == 1
    await adapter.stop()


async def test_slack_out_of_reach_is_tried_again() -> None:
    adapter = make_adapter("http://127.0.0.1:1/api/")
    await adapter.start(nobody)
    failed = await failure(adapter)
    assert (failed.outcome, failed.why) == ("retry", "Slack is not reachable: ClientConnectorError")
    await adapter.stop()
    failed = await failure(adapter)
    assert (failed.outcome, failed.why) == ("retry", "the Slack session is not open")


# --- the token


async def test_a_refused_token_makes_readiness_red_until_it_is_taken_again(
    slack: StandInSlack, adapter: SlackAdapter
) -> None:
    assert adapter.trouble() is None
    slack.faults.script("chat.postMessage", [SlackError("token_revoked")])
    await failure(adapter)
    since = "Slack refuses the bot token since 2026-11-23 01:00 UTC: token_revoked"
    assert adapter.trouble() == since
    await adapter.send(outgoing(), READER)
    assert adapter.trouble() is None


async def test_a_token_that_was_never_good(slack: StandInSlack) -> None:
    adapter = make_adapter(slack.api_url, token="xoxb-wrong")
    await adapter.start(nobody)
    await asyncio.to_thread(slack.wait_for, adapter.trouble)  # told when asking who we are
    assert "invalid_auth" in str(adapter.trouble())
    assert (await failure(adapter)).scope == "platform"
    await adapter.stop()


async def test_who_we_are_is_asked_until_slack_answers(slack: StandInSlack) -> None:
    slack.faults.script("auth.test", [ServerError()])
    adapter = make_adapter(slack.api_url)
    await adapter.start(nobody)
    identity = await asyncio.to_thread(slack.wait_for, lambda: adapter._api.identity)
    assert identity is not None
    assert identity.user_id == "U0BANZHANG"
    assert [call.outcome for call in slack.calls_of("auth.test")] == ["HTTP 503", "ok"]
    await adapter.stop()


# --- the end


async def test_stopping_is_quick_even_while_slack_is_silent() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        adapter = make_adapter(f"http://127.0.0.1:{silent.getsockname()[1]}/api/")
        await adapter.start(nobody)
        sending = asyncio.create_task(failure(adapter))
        await asyncio.sleep(0.05)
        began = time.monotonic()
        await adapter.stop()
        assert time.monotonic() - began < 1
        assert (await sending).outcome == "unknown"
        await adapter.stop()


async def test_stopping_before_starting() -> None:
    await make_adapter("http://127.0.0.1:1").stop()


async def test_nothing_that_is_said_is_logged(
    slack: StandInSlack, adapter: SlackAdapter, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        slack.faults.script("chat.postMessage", [SlackError("is_archived"), ServerError()])
        for _ in range(2):
            assert "secret" not in (await failure(adapter, outgoing("a secret"))).why
        await adapter.send(outgoing("a secret"), READER)
    assert "secret" not in caplog.text
    assert "xoxb" not in caplog.text
