"""Whom an answer may reach: nobody who only pretends to be somebody, no address but the one that
DingTalk answers by, and whoever is outside of the organisation no more than once a day.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from adapters.contract import DeliveryFailed
from adapters.dingtalk import outsiders
from adapters.dingtalk.api import FOREIGN_WEBHOOK, SESSION_SEND, DingtalkApi
from adapters.dingtalk.decode import Outsider, WayBack, message
from adapters.dingtalk.outsiders import AGAIN_AFTER, AT_ONCE, Outsiders
from adapters.dingtalk.setup import Setup
from bot.words import reader_for
from tests.dingtalk_towns import Make, by, dingtalk_towns, metered, stage_of
from tests.platforms.dingtalk_messages import text_payload
from tests.platforms.dingtalk_model import Org, shown
from tests.town import Town

NOW = datetime(2026, 11, 23, 1, 0, tzinfo=UTC)
SETUP = Setup("https://api.dingtalk.com", "a client", "a secret")
WEBHOOK = f"https://oapi.dingtalk.com{SESSION_SEND}?session=1"


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    """Towns by Stream, or over HTTP."""
    with dingtalk_towns(tmp_path) as made:
        yield made


# --- over HTTP, where a body may be anybody's -----------------------------------------------------


@pytest.mark.parametrize("asked", ["我", "我 数据", "签到"])
def test_a_forged_message_has_nothing_said_to_whoever_forged_it(make: Make, asked: str) -> None:
    """The address in it is one that came with a message of theirs."""
    town = make(by_http=True)
    stage = stage_of(town)
    town.say("小王", "签到")
    town.say("小王", "签退")
    forger = stage.account("小林")
    address = stage.org.session_url(forger)
    before = stage.change
    stage.say_body(stage.body("小王", asked) | {"sessionWebhook": address})
    town.run(town.bot.delivery.drain())
    said = [one for one in stage.org.timeline if one.number > before]
    assert {(one.to, one.via) for one in said} == {(stage.account("小王"), "api")}


def test_over_http_answers_cost_calls(make: Make) -> None:
    town = make(by_http=True)
    town.say("小王", "签到")
    town.say("小王", "在岗", in_group=True)
    assert by(town, "session") == []
    assert metered(town) == 2


def test_over_http_nobody_from_outside_is_told_anything(make: Make) -> None:
    town = make(by_http=True)
    stage = stage_of(town)
    guest = stage.org.add_outsider("老王")
    stage.say_as(guest, "签到")
    stage.say_as(guest, "签到", in_group=True)
    assert stage.org.timeline == []


def test_a_body_that_nobody_signed_brings_no_way_back() -> None:
    org = Org()
    org.add_member("wang", "小王")
    told = text_payload(org, "wang", "签到")
    for signed in (True, False):
        found = message(told, NOW, bot_name=org.bot_name, signed=signed)
        assert found is not None
        assert (found.way_back is not None) is signed


# --- addresses that come in with messages ---------------------------------------------------------


@pytest.mark.parametrize(
    "url",
    [
        "https://oapi.dingtalk.com/robot/send?access_token=abc",
        "https://api.dingtalk.com/v1.0/oauth2/accessToken",
        "https://oapi.dingtalk.com/robot/sendBySession/../send?access_token=abc",
        "https://oapi.dingtalk.com/robot/sendBySession/?session=1",
        "https://oapi.dingtalk.com//robot/sendBySession?session=1",
        "https://oapi.dingtalk.com/robot/sendbysession?session=1",
        "https://oapi.dingtalk.com/robot%2FsendBySession?session=1",
        "https://oapi.dingtalk.com?session=1",
    ],
)
async def test_another_address_of_dingtalks_is_not_answered_by(url: str) -> None:
    asked: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(200, json={"errcode": 0})

    api = DingtalkApi(SETUP, lambda: NOW, httpx.MockTransport(answer))
    await api.open()
    body = {"msgtype": "text", "text": {"content": "my salary"}}
    with pytest.raises(DeliveryFailed, match=FOREIGN_WEBHOOK):
        await api.by_session(url, body)
    assert asked == []
    await api.by_session(WEBHOOK, body)
    assert len(asked) == 1
    await api.close()


# --- whoever is outside of the organisation -------------------------------------------------------


def told(town: Town) -> list[str]:
    """Where somebody read that they are not a member."""
    return [one.to for one in stage_of(town).org.timeline if "添加成员" in shown(one)]


def test_somebody_from_outside_is_told_once_a_day(make: Make) -> None:
    town = make()
    stage = stage_of(town)
    guest = stage.org.add_outsider("老王")
    for words in ("签到", "在吗", "你好"):
        stage.say_as(guest, words, in_group=True)
    assert told(town) == [town.group_id]
    town.wait(hours=23)
    stage.say_as(guest, "在吗", in_group=True)
    assert told(town) == [town.group_id]
    town.wait(hours=1, minutes=1)
    stage.say_as(guest, "在吗", in_group=True)
    assert told(town) == [town.group_id] * 2


def test_in_each_chat_and_each_of_them(make: Make) -> None:
    town = make()
    stage = stage_of(town)
    guest, another = stage.org.add_outsider("老王"), stage.org.add_outsider("老李")
    for who in (guest, another, guest):
        stage.say_as(who, "签到", in_group=True)
    stage.say_as(guest, "签到")
    assert told(town) == [town.group_id, town.group_id, guest]


class Post:
    """Session webhooks that answer when they are let."""

    def __init__(self) -> None:
        self.asked = 0
        self.errcode = 0
        self.lets = asyncio.Event()
        self.lets.set()

    async def answer(self, _request: httpx.Request) -> httpx.Response:
        self.asked += 1
        await self.lets.wait()
        return httpx.Response(200, json={"errcode": self.errcode})


OUTSIDER = Outsider(
    "msg:1", "somebody", "老王", False, WayBack(WEBHOOK, NOW + timedelta(days=3), "")
)

MakeOutsiders = Callable[[Post], Outsiders]


@pytest.fixture
async def post() -> Post:
    return Post()


@pytest.fixture
async def outside(post: Post) -> Any:
    api = DingtalkApi(SETUP, lambda: NOW, httpx.MockTransport(post.answer))
    await api.open()
    made = Outsiders(api, "zh_CN", reader_for, lambda: NOW)
    yield made
    await made.stop()
    await api.close()


async def test_nobody_waits_while_somebody_from_outside_is_told(
    outside: Outsiders, post: Post
) -> None:
    """The frame that brought their message is acknowledged, and the bot can be stopped."""
    post.lets.clear()
    outside.tell(OUTSIDER)
    while not post.asked:  # noqa: ASYNC110 - of another task
        await asyncio.sleep(0)
    await outside.stop()
    await outside.idle()
    assert post.asked == 1


async def test_only_so_many_are_told_at_the_same_time(outside: Outsiders, post: Post) -> None:
    """A crowd that writes while DingTalk is slow does not pile up."""
    post.lets.clear()
    crowd = [replace(OUTSIDER, whose=str(number)) for number in range(AT_ONCE + 5)]
    for one in crowd:
        outside.tell(one)
    post.lets.set()
    await outside.idle()
    assert post.asked == AT_ONCE
    for one in crowd:
        outside.tell(one)
    await outside.idle()
    assert post.asked == len(crowd), "who was left out is told the next time"


async def test_who_could_not_be_told_is_told_the_next_time(outside: Outsiders, post: Post) -> None:
    post.errcode = -1
    outside.tell(OUTSIDER)
    await outside.idle()
    post.errcode = 0
    for _ in range(3):
        outside.tell(OUTSIDER)
        await outside.idle()
    assert post.asked == 2


async def test_an_address_that_is_over_is_not_posted_to(outside: Outsiders, post: Post) -> None:
    outside.tell(replace(OUTSIDER, way_back=None))
    outside.tell(replace(OUTSIDER, way_back=WayBack(WEBHOOK, NOW, "")))
    await outside.idle()
    assert post.asked == 0


async def test_a_crowd_is_not_remembered_for_ever(
    outside: Outsiders, post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outsiders, "REMEMBERED", 3)
    for number in range(5):
        outside.tell(replace(OUTSIDER, whose=str(number)))
        await outside.idle()
    outside.tell(replace(OUTSIDER, whose="4"))
    await outside.idle()
    assert post.asked == 5
    outside.tell(replace(OUTSIDER, whose="0"))
    await outside.idle()
    assert post.asked == 6


def test_they_are_known_by_a_hash_alone() -> None:
    org = Org()
    guest, group = org.add_outsider("老王"), org.add_group("一班", [])
    found = []
    for place in (group.id, group.id, None):
        body = text_payload(org, guest, "@班长 你好", place)
        one = message(body, NOW, bot_name=org.bot_name, signed=True)
        assert isinstance(one, Outsider)
        assert body["senderId"] not in repr(one)
        assert body["senderId"] not in one.whose
        found.append(one.whose)
    assert found[0] == found[1] != found[2]
    assert timedelta(hours=1) < AGAIN_AFTER
