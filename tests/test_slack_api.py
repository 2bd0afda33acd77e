"""Messages out: what arrives, what is tried again, what is never tried again."""

from __future__ import annotations

import asyncio
import json
import logging
import socket
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import NamedTuple
from urllib.parse import parse_qsl

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from adapters.contract import DeliveryFailed
from adapters.slack import api as slack_api
from adapters.slack.adapter import SlackAdapter
from adapters.slack.api import SlackApi
from adapters.slack.methods import METHODS
from adapters.slack.posting import NO_WHISPER, PERHAPS_GONE
from bot.messages import (
    Address,
    Button,
    Card,
    Event,
    File,
    Mention,
    Outgoing,
    Page,
    Reply,
    Words,
    text,
)
from bot.words import reader_for
from tests.platforms.slack import (
    DropAfter,
    DropBefore,
    Message,
    Normal,
    RateLimited,
    ServerError,
    SlackError,
    Slow,
    StandInSlack,
)
from tests.platforms.slack_faults import Fault

NOW = datetime(2026, 11, 23, 1, 0, tzinfo=UTC)
READER = reader_for("en", "Asia/Shanghai", NOW)
GROUP = Address(platform="slack", kind="group", id="C1")
WANG = Address(platform="slack", kind="person", id="U1")
GONE = Address(platform="slack", kind="person", id="U3")
HOURS = File(name="工时.csv", content="name,hours\n小李,8\n")
HTML = "<html>502</html>"


@pytest.fixture
def slack() -> Iterator[StandInSlack]:
    with StandInSlack() as standin:
        standin.add_user("U1", "wang")
        standin.add_user("U2", "li")
        standin.add_user("U3", "gone", deleted=True)
        standin.add_user("U4", "lin")
        standin.add_channel("C1", "rooms", ["U1", "U2"])
        standin.add_channel("G1", "office", ["U1", "U2"], private=True)
        standin.add_channel("C2", "closed", ["U1"], bot=False)
        yield standin


def make_adapter(url: str, token: str = "xoxb-test-000000000000-standin") -> SlackAdapter:
    api = SlackApi(token, url, lambda: NOW)
    return SlackAdapter(api, ("secret",), lambda: NOW, reader_for)


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
    assert (failed.outcome, failed.after, failed.scope) == ("retry", 20.0, "method")
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
    assert (failed.outcome, failed.why, failed.gone) == ("dead", "not_in_channel", False)


async def test_a_code_has_words_for_people() -> None:
    """`why` is Slack's bare code; what those mean that somebody can do something about stands in
    the catalogues.
    """
    for locale in ("en", "zh_CN"):
        reader = reader_for(locale, "Asia/Shanghai", NOW)
        for code in ("not_in_channel", "is_archived", "channel_not_found", "account_deleted"):
            (span,) = reader.spans(text(f"delivery.because.slack.{code}"))
            assert code not in span.text


async def test_a_line_that_breaks_after_slack_took_it_is_unknown_and_said_once(
    slack: StandInSlack, adapter: SlackAdapter
) -> None:
    slack.faults.script("chat.postMessage", [DropAfter(), Normal()])
    failed = await failure(adapter)
    assert failed.outcome == "unknown"
    assert failed.repeatable, "it is looked for before it is said again"
    assert len(slack.messages("C1")) == 1


@pytest.mark.parametrize("method", ["chat.postEphemeral", "files.completeUploadExternal"])
async def test_what_nobody_can_look_for_may_be_said_twice(
    slack: StandInSlack, adapter: SlackAdapter, method: str
) -> None:
    """Neither a whisper nor a file carries its number: the outbox gives up after a few tries."""
    slack.faults.script(method, [DropAfter()])
    message = with_file() if method.startswith("files") else outgoing("psst", ONLY_WANG)
    failed = await failure(adapter, message)
    assert (failed.outcome, failed.repeatable) == ("unknown", False)


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


# --- who is gone


@pytest.mark.parametrize("talked", [False, True], ids=["never", "before"])
async def test_somebody_who_is_gone(
    slack: StandInSlack, adapter: SlackAdapter, talked: bool
) -> None:
    """Slack's code depends on whether there was ever a chat with them; users.info decides."""
    if talked:
        slack.faults.script("chat.postMessage", [SlackError("account_deleted")])
    failed = await failure(adapter, outgoing(address=GONE))
    assert (failed.outcome, failed.gone) == ("dead", True)
    assert failed.why == ("account_deleted" if talked else "channel_not_found")
    assert slack.calls_of("users.info")[-1].args == {"user": "U3"}


@pytest.mark.parametrize("code", sorted(PERHAPS_GONE))
async def test_a_code_alone_makes_nobody_gone(
    slack: StandInSlack, adapter: SlackAdapter, code: str
) -> None:
    """Much hangs on it: shifts are handed on, queries go to others."""
    slack.faults.script("chat.postMessage", [SlackError(code)])
    failed = await failure(adapter, outgoing(address=WANG))
    assert (failed.outcome, failed.why, failed.gone) == ("dead", code, False)


@pytest.mark.parametrize(
    ("fault", "gone"),
    [
        (SlackError("user_not_found"), True),
        (SlackError("user_not_visible"), False),
        (SlackError("missing_scope"), False),
        (RateLimited(30), False),
        (ServerError(), False),
        (DropBefore(), False),
    ],
    ids=lambda one: str(one),
)
async def test_while_slack_does_not_tell_nobody_is_gone(
    slack: StandInSlack, adapter: SlackAdapter, fault: Fault, gone: bool
) -> None:
    slack.faults.script("users.info", [fault])
    failed = await failure(adapter, outgoing(address=GONE))
    assert (failed.outcome, failed.gone) == ("dead", gone)
    assert adapter.trouble() is None, "the question is asked quietly"


async def test_a_group_is_nobody(slack: StandInSlack, adapter: SlackAdapter) -> None:
    failed = await failure(adapter, outgoing(address=GROUP.model_copy(update={"id": "C9"})))
    assert (failed.outcome, failed.why, failed.gone) == ("dead", "channel_not_found", False)
    assert slack.calls_of("users.info") == []


# --- looking before it is said again


PLACES = {
    "a channel": GROUP,
    "a private channel": GROUP.model_copy(update={"id": "G1"}),
    "a thread": GROUP.model_copy(update={"thread": "parent"}),
    "a direct message": WANG,
}


def placed(slack: StandInSlack, address: Address) -> Address:
    """The address, with a parent for its thread."""
    if address.thread is None:
        return address
    parent = Message("C1", slack.workspace.next_ts(), "U2", "who has the key?")
    return address.model_copy(update={"thread": slack.workspace.add_message(parent).ts})


def ours(slack: StandInSlack, address: Address) -> list[Message]:
    found = slack.messages(address.id)
    return [one for one in found if one.bot_id and one.thread_ts == address.thread]


@pytest.fixture
async def of_today(slack: StandInSlack) -> AsyncIterator[SlackAdapter]:
    """An adapter whose clock is the stand-in's: it compares with when messages were said."""
    api = SlackApi(slack.token, slack.api_url, lambda: datetime.now(UTC))
    made = SlackAdapter(api, ("secret",), lambda: datetime.now(UTC), reader_for)
    await made.start(nobody)
    yield made
    await made.stop()


def again(address: Address, file: File | None = None) -> Outgoing:
    since = datetime.now(UTC) - timedelta(seconds=30)
    return outgoing(address=address, attempt=2, uncertain_since=since, file=file)


@pytest.mark.parametrize("address", PLACES.values(), ids=PLACES)
async def test_what_was_taken_after_all_is_not_said_again(
    slack: StandInSlack, of_today: SlackAdapter, address: Address
) -> None:
    address = placed(slack, address)
    await of_today.send(outgoing("another", address, message_id=6), READER)
    slack.faults.script("chat.postMessage", [DropAfter()])
    assert (await failure(of_today, outgoing(address=address))).outcome == "unknown"
    handle = await of_today.send(again(address), READER)
    another, message = ours(slack, address)
    assert handle == f"{message.channel}:{message.ts}"
    assert another.text == "another"
    changed = outgoing("changed", address, edits_handle=handle, message_id=8)
    assert await of_today.send(changed, READER) == handle
    assert [slack.plain(one) for one in ours(slack, address)] == ["another", "changed"]


@pytest.mark.parametrize("address", PLACES.values(), ids=PLACES)
async def test_what_was_not_taken_is_said(
    slack: StandInSlack, of_today: SlackAdapter, address: Address
) -> None:
    address = placed(slack, address)
    slack.faults.script("chat.postMessage", [DropBefore()])
    assert (await failure(of_today, outgoing(address=address))).outcome == "unknown"
    handle = await of_today.send(again(address), READER)
    (message,) = ours(slack, address)
    assert handle == f"{message.channel}:{message.ts}"


async def test_the_same_words_with_another_number_are_another_message(
    slack: StandInSlack, of_today: SlackAdapter
) -> None:
    await of_today.send(outgoing(message_id=70), READER)
    await of_today.send(outgoing(message_id=77), READER)
    await of_today.send(again(GROUP), READER)
    assert len(slack.messages("C1")) == 3


@pytest.mark.parametrize(
    ("fault", "outcome", "scope"),
    [
        (RateLimited(20), "retry", "method"),
        (ServerError(), "retry", "address"),
        (DropBefore(), "retry", "address"),
        (SlackError("missing_scope"), "retry", "platform"),
    ],
    ids=lambda one: str(one),
)
async def test_what_cannot_be_looked_for_is_not_said_blindly(
    slack: StandInSlack, of_today: SlackAdapter, fault: Fault, outcome: str, scope: str
) -> None:
    """A look says nothing, so it leaves no doubt of its own."""
    slack.faults.script("conversations.history", [fault])
    failed = await failure(of_today, again(GROUP))
    assert (failed.outcome, failed.scope) == (outcome, scope)
    assert slack.messages("C1") == []


async def test_a_clock_that_is_behind_slacks_still_finds_it(
    slack: StandInSlack, of_today: SlackAdapter
) -> None:
    slack.faults.script("chat.postMessage", [DropAfter()])
    await failure(of_today, outgoing())
    late = again(GROUP).model_copy(
        update={"uncertain_since": datetime.now(UTC) + timedelta(minutes=4)}
    )
    await of_today.send(late, READER)
    assert len(slack.messages("C1")) == 1


async def test_messages_beyond_the_first_page_are_not_looked_for_for_ever(
    slack: StandInSlack, of_today: SlackAdapter
) -> None:
    await of_today.send(again(GROUP), READER)
    (call,) = slack.calls_of("conversations.history")
    assert call.args["limit"] == "200"


# --- for one person in a group


ONLY_WANG = GROUP.model_copy(update={"only_for": "U1"})


async def test_a_whisper(slack: StandInSlack, adapter: SlackAdapter) -> None:
    assert await adapter.send(outgoing("psst", ONLY_WANG), READER) == "", "nothing to change later"
    (whispered,) = slack.ephemerals
    assert (whispered.channel, whispered.ephemeral_to) == ("C1", "U1")
    assert slack.reads("U1") == ["psst"]
    assert slack.reads("U2") == []


async def test_a_whisper_in_a_thread(slack: StandInSlack, adapter: SlackAdapter) -> None:
    address = placed(slack, PLACES["a thread"]).model_copy(update={"only_for": "U1"})
    await adapter.send(outgoing("psst", address), READER)
    (whispered,) = slack.ephemerals
    assert whispered.thread_ts == address.thread


@pytest.mark.parametrize("code", sorted(NO_WHISPER))
async def test_who_cannot_be_whispered_to_gets_a_direct_message(
    slack: StandInSlack, adapter: SlackAdapter, code: str
) -> None:
    slack.faults.script("chat.postEphemeral", [SlackError(code)])
    address = ONLY_WANG.model_copy(update={"thread": "1.1"})
    handle = await adapter.send(outgoing("psst", address), READER)
    assert slack.messages("C1") == slack.ephemerals == []
    (direct,) = slack.messages("U1")
    assert (slack.plain(direct), direct.thread_ts) == ("psst", None)
    assert handle == f"{slack.direct('U1')}:{direct.ts}"


async def test_who_is_not_in_the_channel(slack: StandInSlack, adapter: SlackAdapter) -> None:
    await adapter.send(outgoing("psst", GROUP.model_copy(update={"only_for": "U4"})), READER)
    assert slack.last("U4") == "psst"
    assert slack.last("C1") == ""


@pytest.mark.parametrize(
    ("fault", "outcome", "scope"),
    [
        (RateLimited(9), "retry", "address"),
        (ServerError(), "retry", "address"),
        (DropBefore(), "unknown", "address"),
        (SlackError("token_revoked"), "retry", "platform"),
    ],
    ids=lambda one: str(one),
)
async def test_a_whisper_that_may_work_later_stays_one(
    slack: StandInSlack, adapter: SlackAdapter, fault: Fault, outcome: str, scope: str
) -> None:
    slack.faults.script("chat.postEphemeral", [fault])
    failed = await failure(adapter, outgoing("psst", ONLY_WANG))
    assert (failed.outcome, failed.scope) == (outcome, scope)
    assert slack.all_messages() == []


# --- files


def with_file(address: Address = GROUP) -> Outgoing:
    return outgoing("your <hours>", address, file=HOURS)


@pytest.mark.parametrize("address", PLACES.values(), ids=PLACES)
async def test_a_file(slack: StandInSlack, adapter: SlackAdapter, address: Address) -> None:
    address = placed(slack, address)
    assert await adapter.send(with_file(address), READER) == ""
    (message,) = ours(slack, address)
    (file,) = message.files
    assert (file["name"], file["title"]) == ("工时.csv", "工时.csv")
    assert slack.file_content(file["id"]) == "name,hours\n小李,8\n".encode()
    assert slack.plain(message).startswith("your <hours>")


@pytest.mark.parametrize("step", ["files.getUploadURLExternal", "files.completeUploadExternal"])
@pytest.mark.parametrize(
    ("fault", "outcome", "scope"),
    [
        (RateLimited(9), "retry", "method"),
        (ServerError(), "retry", "address"),
        (DropBefore(), "unknown", "address"),
        (SlackError("missing_scope"), "retry", "platform"),
        (SlackError("file_upload_size_restricted"), "dead", "address"),
    ],
    ids=lambda one: str(one),
)
async def test_a_file_that_fails_on_its_way(
    slack: StandInSlack,
    adapter: SlackAdapter,
    step: str,
    fault: Fault,
    outcome: str,
    scope: str,
) -> None:
    """Nothing is shown before the last step, and the next try begins with the first."""
    slack.faults.script(step, [fault])
    failed = await failure(adapter, with_file())
    if outcome == "unknown" and step == "files.getUploadURLExternal":
        outcome = "retry"  # nobody can have seen anything of it yet
    assert (failed.outcome, failed.scope) == (outcome, scope)
    assert slack.messages("C1") == []
    if scope != "method":
        await adapter.send(with_file(), READER)
        assert len(slack.messages("C1")) == 1


async def test_bytes_that_do_not_go_up(
    slack: StandInSlack, adapter: SlackAdapter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The middle step goes to another address, which may be away alone."""
    monkeypatch.setattr(slack.api.files, "take", lambda _file, _content: False)
    failed = await failure(adapter, with_file())
    assert (failed.outcome, failed.why) == ("retry", "the file did not go up: HTTP 400")
    monkeypatch.setattr(slack.api.files, "origin", lambda: "http://127.0.0.1:1")
    failed = await failure(adapter, with_file())
    assert failed.outcome == "retry"
    assert failed.why.startswith("the file did not go up: ")
    assert slack.calls_of("files.completeUploadExternal") == []
    monkeypatch.undo()
    await adapter.send(with_file(), READER)
    assert len(slack.messages("C1")) == 1


async def test_the_token_does_not_go_to_where_files_go(
    slack: StandInSlack, adapter: SlackAdapter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The address of the upload is a ticket by itself."""
    seen: list[str | None] = []

    async def take(request: web.Request) -> web.Response:
        seen.append(request.headers.get("Authorization"))
        return web.Response(text="OK")

    app = web.Application()
    app.router.add_post("/upload/{file}", take)
    async with TestServer(app, host="127.0.0.1") as elsewhere:
        monkeypatch.setattr(slack.api.files, "origin", lambda: f"http://127.0.0.1:{elsewhere.port}")
        await failure(adapter, with_file())
    assert seen == [None]


async def test_a_file_after_its_address_of_doubt_is_the_same_attempt_anew(
    slack: StandInSlack, of_today: SlackAdapter
) -> None:
    """A doubt before the last step is none: nothing was shown, and it is sent."""
    slack.faults.script("files.getUploadURLExternal", [DropAfter()])
    assert (await failure(of_today, with_file())).outcome == "retry"
    await of_today.send(with_file(), READER)
    assert len(slack.messages("C1")) == 1


# --- a person's own page


def page_of(*titles: str) -> Outgoing:
    address = Address(platform="slack", kind="page", id="U1")
    cards = tuple(Card(title=said(title)) for title in titles)
    return Outgoing(address=address, page=Page(cards=cards), message_id=7)


async def test_ones_own_page(slack: StandInSlack, adapter: SlackAdapter) -> None:
    assert await adapter.send(page_of("Today", "Open queries"), READER) == ""
    await adapter.send(page_of("Tomorrow"), READER)
    home = slack.home("U1")
    assert home is not None
    assert slack.plain(home) == "Tomorrow"
    assert slack.home("U2") is None
    assert slack.all_messages() == []


@pytest.mark.parametrize(
    ("fault", "outcome", "scope"),
    [
        (RateLimited(9), "retry", "method"),
        (ServerError(), "retry", "address"),
        (DropAfter(), "unknown", "address"),
        (SlackError("not_enabled"), "dead", "address"),
    ],
    ids=lambda one: str(one),
)
async def test_a_page_that_is_not_shown(
    slack: StandInSlack, adapter: SlackAdapter, fault: Fault, outcome: str, scope: str
) -> None:
    slack.faults.script("views.publish", [fault])
    failed = await failure(adapter, page_of("Today"))
    assert (failed.outcome, failed.scope, failed.gone) == (outcome, scope, False)


async def test_the_page_of_somebody_who_is_gone(slack: StandInSlack, adapter: SlackAdapter) -> None:
    address = Address(platform="slack", kind="page", id="U9")
    shown = page_of("Today").model_copy(update={"address": address})
    failed = await failure(adapter, shown)
    assert (failed.outcome, failed.why, failed.gone) == ("dead", "user_not_found", True)


# --- how arguments travel


class Request(NamedTuple):
    content_type: str
    query: dict[str, str]
    body: str
    authorization: str


@asynccontextmanager
async def noting() -> AsyncIterator[tuple[SlackApi, dict[str, Request]]]:
    """A Slack that says yes to everything and shows what it was sent, byte for byte."""
    seen: dict[str, Request] = {}

    async def method(request: web.Request) -> web.Response:
        seen[request.match_info["method"]] = Request(
            request.headers.get("Content-Type", ""),
            dict(request.query),
            await request.text(),
            request.headers["Authorization"],
        )
        return web.json_response({"ok": True})

    app = web.Application()
    app.router.add_route("*", "/api/{method}", method)
    async with TestServer(app, host="127.0.0.1") as server:
        api = SlackApi("xoxb-1", f"http://127.0.0.1:{server.port}/api/", lambda: NOW, "xapp-1")
        await api.open(learn=False)
        yield api, seen
        await api.close()


WRITTEN_TO = ("apps.", "auth.", "chat.", "views.", "conversations.open")
WRITES = sorted(name for name in METHODS if name.startswith(WRITTEN_TO))
READS = sorted(METHODS.keys() - set(WRITES))


@pytest.mark.parametrize("name", READS)
async def test_what_takes_no_json_gets_none(name: str) -> None:
    """Slack takes JSON only where something is written, and answers the others as if nothing had
    been said: https://docs.slack.dev/apis/web-api#methods
    """
    assert name.startswith(("users.", "conversations.", "files."))
    async with noting() as (api, seen):
        await api.call(
            name, {"channel": "C1", "include_all_metadata": True, "limit": 200, "n": "你"}
        )
    sent = seen[name]
    assert "json" not in sent.content_type
    fields = {**sent.query, **dict(parse_qsl(sent.body))}
    assert fields == {"channel": "C1", "include_all_metadata": "1", "limit": "200", "n": "你"}


@pytest.mark.parametrize("name", WRITES)
async def test_what_is_written_travels_as_json(name: str) -> None:
    async with noting() as (api, seen):
        await api.call(name, {"blocks": [{"type": "divider"}], "text": "你"})
    sent = seen[name]
    assert sent.content_type.startswith("application/json")
    assert json.loads(sent.body) == {"blocks": [{"type": "divider"}], "text": "你"}
    token = "xapp-1" if name == "apps.connections.open" else "xoxb-1"
    assert sent.authorization == f"Bearer {token}"
    assert token not in sent.body


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
