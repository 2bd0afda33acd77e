"""Who people are, as DingTalk tells it, and what happens while it does not."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from adapters import memory
from adapters.dingtalk import directory as dingtalk_directory
from adapters.dingtalk.api import DingtalkApi
from adapters.dingtalk.directory import ROUNDS, Directory
from adapters.dingtalk.setup import Setup
from bot.messages import Chat, Event, User, mention_mark
from tests.odd import odd_names
from tests.platforms.dingtalk_api import USER, Api
from tests.platforms.dingtalk_model import Org
from tests.platforms.dingtalk_refusals import IP_BAN, PERMISSION

NOW = datetime(2026, 11, 23, 1, 0, tzinfo=UTC)
SENDER = User(id="lisi", name="李四")


@pytest.fixture
def org() -> Org:
    org = Org()
    org.add_member("zhangsan", "张三")
    org.add_member("lisi", "李四")
    return org


@pytest.fixture
def standin(org: Org) -> Api:
    return Api(org)


@pytest.fixture
async def api(standin: Api, org: Org) -> AsyncIterator[DingtalkApi]:
    setup = Setup("https://dingtalk.test", org.client_id, org.client_secret, org.robot_code)
    transport = httpx.ASGITransport(app=standin.application())
    made = DingtalkApi(setup, lambda: NOW, transport)
    await made.open()
    yield made
    await made.close()


@pytest.fixture
def directory(api: DingtalkApi) -> Directory:
    return Directory(api)


def event(
    *mentioned: str, text: str = "", user: User = SENDER, trusted: bool = True, kind: Any = "text"
) -> Event:
    return Event(
        platform="dingtalk",
        key="msg:1",
        kind=kind,
        user=user,
        chat=Chat(kind="group", id="cidGroup=="),
        text=text,
        mentions=tuple(User(id=one, name=one) for one in mentioned),
        complete=False,
        trusted=trusted,
        at=NOW,
        received_at=NOW,
    )


async def names(directory: Directory, *mentioned: str) -> list[str]:
    known = await directory.introduce(event(*mentioned))
    assert [one.id for one in known.mentions] == list(mentioned)
    return [one.name for one in known.mentions]


def asked(standin: Api) -> int:
    return len(standin.calls_of(USER))


# --- names


async def test_those_who_are_mentioned_have_names(directory: Directory, standin: Api) -> None:
    known = await directory.introduce(event("zhangsan", text="指派 擦黑板"))
    assert known.mentions == (User(id="zhangsan", name="张三"),)
    assert known.user == SENDER
    assert known.text == "指派 擦黑板"
    assert known.complete
    assert standin.calls_of(USER)[0].body == {"userid": "zhangsan"}
    assert standin.metered == 0


async def test_everybody_is_asked_about_once(directory: Directory, standin: Api) -> None:
    for _ in range(3):
        assert await names(directory, "zhangsan", "lisi", "zhangsan") == ["张三", "李四", "张三"]
    assert asked(standin) == 1, "李四 has written, and so said who it is"


async def test_nobody_is_asked_about_where_nobody_is_mentioned(
    directory: Directory, standin: Api
) -> None:
    assert (await directory.introduce(event())).complete
    assert standin.calls == []


async def test_who_presses_a_button_gets_a_name(directory: Directory, standin: Api) -> None:
    presser = User(id="zhangsan", name="zhangsan")
    known = await directory.introduce(event(user=presser, kind="button"))
    assert known.user == User(id="zhangsan", name="张三")
    assert asked(standin) == 1


async def test_who_has_written_is_known(directory: Directory, standin: Api) -> None:
    directory.remember(User(id="zhangsan", name="三哥", locale="en"))
    assert await names(directory, "zhangsan") == ["三哥"]
    assert standin.calls == []


async def test_an_id_is_no_name_to_remember(directory: Directory) -> None:
    directory.remember(User(id="zhangsan", name="zhangsan"))
    directory.remember(User(id="lisi", name=""))
    assert await names(directory, "zhangsan") == ["张三"]


async def test_what_is_not_proven_is_not_remembered(directory: Directory) -> None:
    """Over HTTP nothing proves that somebody is called what the message says."""
    forged = User(id="zhangsan", name="老板")
    assert (await directory.introduce(event(user=forged, trusted=False))).user == forged
    assert await names(directory, "zhangsan") == ["张三"]


async def test_a_name_is_believed_for_an_hour(
    directory: Directory, standin: Api, org: Org, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "FRESH_SECONDS", 0.0)
    await names(directory, "zhangsan")
    org.members["zhangsan"].name = "张三丰"
    assert await names(directory, "zhangsan") == ["张三丰"]
    # An old name is better than none.
    standin.fail(USER, "drop", times=None)
    assert await names(directory, "zhangsan") == ["张三丰"]


@pytest.mark.parametrize("errcode", [60121, 33012, 50002])
async def test_of_whom_nothing_is_told(directory: Directory, standin: Api, errcode: int) -> None:
    standin.fail(USER, errcode=errcode)
    for _ in range(2):
        assert await names(directory, "hidden") == ["hidden"]
    assert asked(standin) == 1
    assert await names(directory, "zhangsan") == ["张三"], "others are asked about at once"


@pytest.mark.parametrize(("told", "shown"), odd_names("zhangsan"))
async def test_odd_names(directory: Directory, standin: Api, told: Any, shown: str) -> None:
    standin.fail(USER, body={"errcode": 0, "result": {"userid": "zhangsan", "name": told}})
    assert await names(directory, "zhangsan") == [shown]


@pytest.mark.parametrize("body", [{"errcode": 0}, {"errcode": 0, "result": "张三"}])
async def test_odd_answers(directory: Directory, standin: Api, body: dict[str, Any]) -> None:
    standin.fail(USER, body=body)
    assert await names(directory, "zhangsan") == ["zhangsan"]


# --- while DingTalk does not tell


async def test_a_slow_answer_is_not_waited_for(
    directory: Directory, standin: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dingtalk_directory, "LOOKUP_SECONDS", 0.05)
    await names(directory)
    standin.fail(USER, slow=30.0, times=None)
    began = time.monotonic()
    assert await names(directory, "zhangsan") == ["zhangsan"]
    assert time.monotonic() - began < 2
    # Nor is anybody else asked about for a while.
    before = asked(standin)
    assert await names(directory, "wangwu") == ["wangwu"]
    assert asked(standin) == before


async def test_what_came_in_time_is_kept(
    directory: Directory, standin: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dingtalk_directory, "LOOKUP_SECONDS", 0.2)
    standin.fail(USER, slow=30.0)
    assert sorted(await names(directory, "wangwu", "zhangsan")) == ["wangwu", "张三"]


@pytest.mark.parametrize(
    "how",
    [{"how": "drop"}, {"status": 502}, {"body": b"[]"}, {"errcode": 60011}],
    ids=str,
)
async def test_it_rests_and_asks_again(
    api: DingtalkApi, standin: Api, monkeypatch: pytest.MonkeyPatch, how: dict[str, Any]
) -> None:
    directory = Directory(api)
    standin.fail(USER, **how)
    assert await names(directory, "zhangsan") == ["zhangsan"]
    before = asked(standin)
    assert await names(directory, "zhangsan") == ["zhangsan"]
    assert asked(standin) == before

    for name in ("REST_SECONDS", "REFUSED_REST_SECONDS"):
        monkeypatch.setattr(dingtalk_directory, name, 0.0)
    rested = Directory(api)
    standin.fail(USER, **how)
    assert await names(rested, "zhangsan") == ["zhangsan"]
    assert await names(rested, "zhangsan") == ["张三"]


async def test_a_missing_permission_rests_longer_than_a_broken_line(
    directory: Directory, standin: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dingtalk_directory, "REST_SECONDS", 0.0)
    standin.fail(USER, "drop")
    standin.fail(USER, errcode=60011)
    for _ in range(3):
        assert await names(directory, "zhangsan") == ["zhangsan"]
    assert asked(standin) == 2


async def test_nobody_is_asked_about_while_dingtalk_refuses_the_app(
    directory: Directory, api: DingtalkApi, standin: Api
) -> None:
    api.trouble = "DingTalk refuses the app"
    assert await names(directory, "zhangsan") == ["zhangsan"]
    assert standin.calls == []


async def test_a_name_that_is_not_told_is_no_trouble(
    directory: Directory, api: DingtalkApi, standin: Api
) -> None:
    standin.fail(USER, errcode=60011, times=None)
    await names(directory, "zhangsan")
    await directory.standing("zhangsan")
    assert api.trouble is None


async def test_many_are_asked_about_in_rounds(directory: Directory, standin: Api, org: Org) -> None:
    for number in range(15):
        org.add_member(f"user{number}", f"人{number}")
    found = await names(directory, *(f"user{number}" for number in range(15)))
    assert found == [f"人{number}" for number in range(15)]


async def test_of_a_crowd_not_everybody_is_asked_about(
    directory: Directory, standin: Api, org: Org, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dingtalk_directory, "AT_ONCE", 2)
    everybody = [f"user{number}" for number in range(2 * ROUNDS + 5)]
    for one in everybody:
        org.add_member(one, f"人{one}")
    found = await names(directory, *everybody)
    assert found == [f"人{one}" for one in everybody[: 2 * ROUNDS]] + everybody[2 * ROUNDS :]
    assert asked(standin) == 2 * ROUNDS


@pytest.mark.parametrize("errcode", [90018, 90002, -1])
async def test_where_dingtalk_was_only_busy_a_name_is_told_soon(
    directory: Directory, standin: Api, monkeypatch: pytest.MonkeyPatch, errcode: int
) -> None:
    """A moment's rest, and not the five minutes that a missing permission takes."""
    monkeypatch.setattr(dingtalk_directory, "BUSY_REST_SECONDS", 0.0)
    standin.fail(USER, errcode=errcode)
    assert await names(directory, "zhangsan") == ["zhangsan"]
    assert await names(directory, "zhangsan") == ["张三"]


async def test_after_a_rest_the_others_of_a_round_are_asked_about(
    directory: Directory, standin: Api, org: Org, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was told is kept, and nobody is asked about in the rounds behind it."""
    monkeypatch.setattr(dingtalk_directory, "AT_ONCE", 1)
    standin.fail(USER, errcode=90018)
    assert await names(directory, "zhangsan", "lisi") == ["zhangsan", "李四"]
    assert asked(standin) == 1


# --- names that stayed in the text


async def marked(directory: Directory, text: str, *mentioned: str) -> str:
    return (await directory.introduce(event(*mentioned, text=text))).text


async def test_a_name_in_the_text_becomes_a_mark(directory: Directory) -> None:
    found = await marked(directory, "指派 @张三明天擦黑板", "zhangsan")
    assert found == f"指派 {mention_mark(0)}明天擦黑板"


async def test_every_name_has_its_mark(directory: Directory) -> None:
    found = await marked(directory, "@李四 和 @张三, 还有@李四", "zhangsan", "lisi")
    assert found == f"{mention_mark(1)} 和 {mention_mark(0)}, 还有{mention_mark(1)}"


async def test_a_longer_name_goes_first(directory: Directory, org: Org) -> None:
    org.add_member("zhangsanfeng", "张三丰")
    found = await marked(directory, "@张三丰 @张三", "zhangsan", "zhangsanfeng")
    assert found == f"{mention_mark(1)} {mention_mark(0)}"


async def test_two_of_one_name(directory: Directory, org: Org) -> None:
    org.add_member("zhangsan2", "张三")
    found = await marked(directory, "@张三 @张三 @张三", "zhangsan", "zhangsan2")
    assert found == f"{mention_mark(0)} {mention_mark(1)} {mention_mark(1)}"


async def test_a_name_with_signs_in_it(directory: Directory, org: Org) -> None:
    org.add_member("odd", "A.(B)*|")
    assert await marked(directory, "@A.(B)*|: @AxB", "odd") == f"{mention_mark(0)}: @AxB"


async def test_other_names_stay_as_they_are(directory: Directory) -> None:
    """Who is not mentioned is only spoken of."""
    assert await marked(directory, "@王五 张三 a@b.c", "zhangsan") == "@王五 张三 a@b.c"
    assert await marked(directory, "@张三") == "@张三"


# --- whether they are still there


@pytest.mark.parametrize(
    ("how", "standing"),
    [
        ({}, "here"),
        ({"errcode": 60121}, "gone"),
        ({"errcode": 33012}, "gone"),
        ({"errcode": 40003}, "gone"),
        ({"errcode": 50002}, "here"),
        ({"errcode": 60011}, "unknown"),
        ({"errcode": -1}, "unknown"),
        ({"code": PERMISSION}, "unknown"),
        ({"how": "drop"}, "unknown"),
        ({"body": b"[]"}, "unknown"),
        ({"body": {"errcode": 0}}, "unknown"),
        ({"body": IP_BAN}, "unknown"),
    ],
    ids=str,
)
async def test_the_standing_of_a_member(
    directory: Directory, standin: Api, how: dict[str, Any], standing: str
) -> None:
    if how:
        standin.fail(USER, **how)
    assert await directory.standing("zhangsan") == standing


async def test_who_left_is_gone(directory: Directory, org: Org) -> None:
    org.remove_member("zhangsan")
    assert await directory.standing("zhangsan") == "gone"


async def test_a_slow_answer_says_nothing_of_anybodys_standing(
    directory: Directory, standin: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dingtalk_directory, "STANDING_SECONDS", 0.05)
    standin.fail(USER, slow=30.0)
    assert await directory.standing("nobody") == "unknown"


async def test_who_comes_back_is_asked_about_anew(directory: Directory, org: Org) -> None:
    await names(directory, "zhangsan")
    org.members["zhangsan"].name = "张三丰"
    assert await directory.standing("zhangsan") == "here"
    assert await names(directory, "zhangsan") == ["张三丰"]
