"""Who people are, as Slack tells it, and what happens while it does not."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from adapters import memory
from adapters.slack import directory as slack_directory
from adapters.slack.api import SlackApi
from adapters.slack.directory import Directory
from bot.messages import Chat, Event, User
from tests.platforms.slack import (
    DropBefore,
    RateLimited,
    ServerError,
    SlackError,
    Slow,
    StandInSlack,
)

NOW = datetime(2026, 11, 23, 1, 0, tzinfo=UTC)


@pytest.fixture
def slack() -> Iterator[StandInSlack]:
    with StandInSlack() as standin:
        standin.add_user("U1", "王老师", tz="Asia/Tokyo", locale="zh-CN")
        standin.add_user("U2", "li", tz="Mars/Crater", locale="en-GB")
        standin.add_user("U3", "jean", tz="../../etc/passwd", locale="fr-FR")
        yield standin


@pytest.fixture
async def api(slack: StandInSlack) -> AsyncIterator[SlackApi]:
    made = SlackApi(slack.token, slack.api_url, lambda: NOW)
    await made.open()
    yield made
    await made.close()


def event(*user_ids: str) -> Event:
    first, *others = (User(id=one, name=one) for one in user_ids)
    return Event(
        platform="slack",
        key="k",
        kind="text",
        user=first,
        chat=Chat(kind="direct", id=first.id),
        mentions=tuple(others),
        at=NOW,
        received_at=NOW,
    )


async def test_names_languages_and_zones(slack: StandInSlack, api: SlackApi) -> None:
    found = await Directory(api).introduce(event("U1", "U2", "U3", "U1", "U9"))
    assert found.user == User(id="U1", name="王老师", locale="zh_CN", zone="Asia/Tokyo")
    assert found.mentions == (
        User(id="U2", name="li", locale="en"),
        User(id="U3", name="jean"),
        found.user,
        User(id="U9", name="U9"),
    )


async def test_slack_is_asked_once(slack: StandInSlack, api: SlackApi) -> None:
    directory = Directory(api)
    for _ in range(3):
        await directory.introduce(event("U1", "U2"))
    assert len(slack.calls_of("users.info")) == 2


async def test_and_again_after_a_while(
    slack: StandInSlack, api: SlackApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "FRESH_SECONDS", 0.0)
    directory = Directory(api)
    for _ in range(2):
        await directory.introduce(event("U1"))
    assert len(slack.calls_of("users.info")) == 2
    slack.faults.every(1, ServerError(), "users.info")
    # What was known an hour ago is better than nothing.
    assert (await directory.introduce(event("U1"))).user.name == "王老师"


@pytest.mark.parametrize(
    "fault",
    [ServerError(), RateLimited(), SlackError("missing_scope"), DropBefore(), Slow(5)],
    ids=lambda one: type(one).__name__,
)
async def test_without_an_answer_the_event_stays_as_it_is(
    slack: StandInSlack, api: SlackApi, fault: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(slack_directory, "LOOKUP_SECONDS", 0.2)
    slack.faults.every(1, fault, "users.info")
    directory = Directory(api)
    began = time.monotonic()
    for _ in range(5):
        assert await directory.introduce(event("U1", "U2")) == event("U1", "U2")
    assert time.monotonic() - began < 1
    assert len(slack.calls_of("users.info")) <= 2
    assert api.trouble is None


@pytest.mark.parametrize("code", ["user_not_found", "user_not_visible"])
async def test_one_whom_slack_does_not_show_keeps_nobody_else_unknown(
    slack: StandInSlack, api: SlackApi, code: str
) -> None:
    """Somebody of another organisation, mentioned in a shared channel."""
    slack.faults.script("users.info", [SlackError(code)])
    directory = Directory(api)
    assert (await directory.introduce(event("U7"))).user == User(id="U7", name="U7")
    found = await directory.introduce(event("U1", "U7"))
    assert (found.user.name, found.mentions[0].name) == ("王老师", "U7")
    assert len(slack.calls_of("users.info")) == 2


async def test_the_author_of_a_message_is_introduced_too(
    slack: StandInSlack, api: SlackApi
) -> None:
    reaction = event("U1").model_copy(update={"author": User(id="U2", name="U2")})
    found = await Directory(api).introduce(reaction)
    assert found.author == User(id="U2", name="li", locale="en")
    assert (await Directory(api).introduce(event("U1"))).author is None


async def test_a_change_is_asked_for_when_the_person_is_next_heard_of(
    slack: StandInSlack, api: SlackApi
) -> None:
    directory = Directory(api)
    await directory.introduce(event("U1", "U2"))
    slack.workspace.users["U1"].name = "王主任"
    directory.forget("U1")
    directory.forget("U9")
    found = await directory.introduce(event("U2", "U1"))
    assert found.mentions[0].name == "王主任"
    assert len(slack.calls_of("users.info")) == 3


async def test_only_so_many_are_asked_for_at_once(slack: StandInSlack, api: SlackApi) -> None:
    """A message with a hundred mentions is no hundred calls."""
    await Directory(api).introduce(event(*(f"U{number}" for number in range(1, 60))))
    assert len(slack.calls_of("users.info")) == slack_directory.AT_ONCE


async def test_after_a_rest_slack_is_asked_again(
    slack: StandInSlack, api: SlackApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(slack_directory, "REST_SECONDS", 0.05)
    slack.faults.script("users.info", [ServerError()])
    directory = Directory(api)
    assert (await directory.introduce(event("U1"))).user.name == "U1"
    await asyncio.sleep(0.1)
    assert (await directory.introduce(event("U1"))).user.name == "王老师"


async def test_only_so_many_are_remembered(
    slack: StandInSlack, api: SlackApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "REMEMBERED", 2)
    directory = Directory(api)
    for one in ("U1", "U2", "U3", "U1"):
        await directory.introduce(event(one))
    assert len(slack.calls_of("users.info")) == 4
    assert len(directory._people) == 2


async def test_what_a_channel_is_called(slack: StandInSlack, api: SlackApi) -> None:
    """Messages do not tell it, and a command in a private channel does not either."""
    slack.add_channel("C1", "rooms", ["U1"], private=True)
    directory = Directory(api)
    said = event("U1").model_copy(update={"chat": Chat(kind="group", id="C1", thread="1.2")})
    for _ in range(2):
        found = await directory.introduce(said)
        assert found.chat == Chat(kind="group", id="C1", name="rooms", thread="1.2")
    assert len(slack.calls_of("conversations.info")) == 1
    told = said.model_copy(update={"chat": Chat(kind="group", id="C2", name="told")})
    assert (await directory.introduce(told)).chat.name == "told"


async def test_a_channel_that_the_bot_may_not_see(slack: StandInSlack, api: SlackApi) -> None:
    said = event("U1").model_copy(update={"chat": Chat(kind="group", id="C9")})
    found = await Directory(api).introduce(said)
    assert (found.chat.name, found.user.name) == ("", "王老师")
