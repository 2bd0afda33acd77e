"""Who people are, as WeCom tells it, and what happens while it does not."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from adapters import memory
from adapters.wecom import directory as wecom_directory
from adapters.wecom.api import WecomApi
from adapters.wecom.directory import Directory
from bot.messages import Chat, Event, User
from tests.odd import odd_names
from tests.platforms.wecom_api import Api
from tests.platforms.wecom_model import DISABLED, LEFT, NOT_ACTIVATED, Corp

NOW = datetime(2026, 11, 23, 1, 0, tzinfo=UTC)
ASK, NAME = "batch/openuserid_to_userid", "user/get"
# As an encrypted id looks; in the test that asks about it, it is a plain one.
OPEN_LIKE = "woLooksLikeAnEncryptedId01234567"


@pytest.fixture
def corp() -> Corp:
    corp = Corp()
    corp.add_member("ZhangSan", "张三", alias="三哥")
    corp.add_member("LiSi", "李四")
    return corp


@pytest.fixture
def standin(corp: Corp) -> Api:
    return Api(corp)


@pytest.fixture
async def api(standin: Api, corp: Corp) -> AsyncIterator[WecomApi]:
    transport = httpx.ASGITransport(app=standin.application())
    made = WecomApi("https://wecom.test", corp.corp_id, corp.secret, lambda: NOW, transport)
    await made.open()
    yield made
    await made.close()


@pytest.fixture
def directory(api: WecomApi) -> Directory:
    return Directory(api)


def event(user_id: str, chat: Chat | None = None) -> Event:
    return Event(
        platform="wecom",
        key="k",
        kind="text",
        user=User(id=user_id, name=user_id),
        chat=chat or Chat(kind="direct", id=user_id),
        at=NOW,
        received_at=NOW,
    )


async def who(directory: Directory, user_id: str) -> User:
    known = await directory.introduce(event(user_id))
    assert known is not None
    return known.user


def asked(standin: Api, path: str) -> int:
    return len(standin.calls_of(path))


# --- names


async def test_a_name_and_an_alias(directory: Directory) -> None:
    assert await who(directory, "zhangsan") == User(id="zhangsan", name="张三", alias="三哥")
    assert await who(directory, "lisi") == User(id="lisi", name="李四")


async def test_everybody_is_asked_about_once(directory: Directory, standin: Api) -> None:
    for _ in range(3):
        await who(directory, "zhangsan")
        await who(directory, "lisi")
    assert asked(standin, NAME) == 2


async def test_a_name_is_believed_for_an_hour(
    directory: Directory, standin: Api, corp: Corp, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "FRESH_SECONDS", 0.0)
    await who(directory, "zhangsan")
    corp.members["zhangsan"].name = "张三丰"
    assert (await who(directory, "zhangsan")).name == "张三丰"
    # An old name is better than none.
    standin.fail(NAME, "drop", times=None)
    assert (await who(directory, "zhangsan")).name == "张三丰"


async def test_whom_the_app_does_not_see_has_no_name(
    directory: Directory, standin: Api, corp: Corp
) -> None:
    corp.add_member("hidden", "看不见", visible=False)
    for _ in range(2):
        assert await who(directory, "hidden") == User(id="hidden", name="hidden")
        assert await who(directory, "nobody") == User(id="nobody", name="nobody")
    assert asked(standin, NAME) == 2


@pytest.mark.parametrize(("told", "shown"), odd_names("lisi"))
async def test_odd_names(directory: Directory, standin: Api, told: Any, shown: str) -> None:
    body = json.dumps({"errcode": 0, "errmsg": "ok", "name": told, "alias": told}).encode()
    standin.fail(NAME, body=body)
    user = await who(directory, "lisi")
    assert user.name == shown
    assert user.alias == (shown if shown != "lisi" else "")


async def test_a_slow_answer_is_not_waited_for(
    directory: Directory, standin: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wecom_directory, "LOOKUP_SECONDS", 0.05)
    standin.fail(NAME, slow=30.0, times=None)
    began = time.monotonic()
    assert (await who(directory, "zhangsan")).name == "zhangsan"
    assert time.monotonic() - began < 2
    # Nor is anybody else asked about for a while.
    before = asked(standin, NAME)
    assert (await who(directory, "lisi")).name == "lisi"
    assert asked(standin, NAME) == before


@pytest.mark.parametrize("how", [{"how": "drop"}, {"status": 502}, {"body": b"<html>"}])
async def test_after_a_rest_names_are_asked_for_again(
    directory: Directory, standin: Api, monkeypatch: pytest.MonkeyPatch, how: dict[str, Any]
) -> None:
    monkeypatch.setattr(wecom_directory, "REST_SECONDS", 0.0)
    standin.fail(NAME, **how)
    assert (await who(directory, "zhangsan")).name == "zhangsan"
    assert (await who(directory, "zhangsan")).name == "张三"


async def test_names_are_not_asked_for_while_wecom_refuses_the_app(
    directory: Directory, api: WecomApi, standin: Api
) -> None:
    """After several wrong secrets it listens no more for an hour."""
    api.trouble = "WeCom refuses the app"
    assert (await who(directory, "zhangsan")).name == "zhangsan"
    assert standin.calls == []


async def test_a_name_that_is_not_told_is_no_trouble(
    directory: Directory, api: WecomApi, standin: Api
) -> None:
    standin.fail("*", errcode=60020, times=None)
    await who(directory, "zhangsan")
    await directory.identify(OPEN_LIKE)
    await directory.standing("zhangsan")
    assert api.trouble is None


async def test_without_an_app_nobody_is_asked() -> None:
    directory = Directory(None)
    assert await who(directory, "zhangsan") == User(id="zhangsan", name="zhangsan")
    assert await who(directory, OPEN_LIKE) == User(id=OPEN_LIKE, name=OPEN_LIKE)
    assert await directory.standing("zhangsan") == "unknown"


# --- encrypted ids


async def test_an_encrypted_id_is_a_member(directory: Directory, standin: Api, corp: Corp) -> None:
    open_userid = corp.members["zhangsan"].open_userid
    for _ in range(2):
        assert await who(directory, open_userid) == User(id="zhangsan", name="张三", alias="三哥")
    assert asked(standin, ASK) == 1


async def test_the_place_is_theirs_too(directory: Directory, corp: Corp) -> None:
    open_userid = corp.members["zhangsan"].open_userid
    direct = await directory.introduce(event(open_userid))
    assert direct is not None
    assert direct.chat.id == "zhangsan"
    group = await directory.introduce(event(open_userid, Chat(kind="group", id="wrGroup")))
    assert group is not None
    assert (group.user.id, group.chat.id) == ("zhangsan", "wrGroup")


async def test_two_encrypted_ids_are_two_members(directory: Directory, corp: Corp) -> None:
    """Their letters count as they are: a small one is another id than a capital."""
    corp.add_member("one", open_userid="wo" + "A" * 30)
    corp.add_member("two", open_userid="wo" + "a" * 30)
    assert await directory.identify("wo" + "A" * 30) == "one"
    assert await directory.identify("wo" + "a" * 30) == "two"


async def test_what_only_looks_encrypted_is_a_userid(
    directory: Directory, standin: Api, corp: Corp
) -> None:
    corp.add_member(OPEN_LIKE, "长名")
    for _ in range(2):
        assert (await who(directory, OPEN_LIKE)).id == OPEN_LIKE.lower()
    assert asked(standin, ASK) == 1


async def test_a_plain_userid_is_never_asked_about(directory: Directory, standin: Api) -> None:
    await who(directory, "zhangsan")
    assert asked(standin, ASK) == 0


TOLD: dict[str, Any] = {
    "nothing": {},
    "no list": {"userid_list": "zhangsan", "invalid_open_userid_list": None},
    "of another": {"userid_list": [{"open_userid": "woOther", "userid": "lisi"}]},
    "another is invalid": {"userid_list": [], "invalid_open_userid_list": ["woOther"]},
    "no userid": {"userid_list": [{"open_userid": OPEN_LIKE}]},
    "an odd userid": {"userid_list": [{"open_userid": OPEN_LIKE, "userid": 7}]},
    "odd things": {"userid_list": [7, None, []]},
}


@pytest.mark.parametrize("told", TOLD.values(), ids=TOLD)
async def test_an_odd_answer_names_nobody(
    directory: Directory, standin: Api, corp: Corp, told: dict[str, Any]
) -> None:
    """Nothing is done in anybody's name before WeCom has clearly said whose the id is."""
    standin.fail(ASK, body=json.dumps({"errcode": 0, "errmsg": "ok", **told}).encode())
    assert await directory.introduce(event(OPEN_LIKE)) is None
    corp.add_member("real", "真人", open_userid=OPEN_LIKE)
    assert (await who(directory, OPEN_LIKE)).id == "real"


@pytest.mark.parametrize(
    "how",
    [{"errcode": -1}, {"errcode": 48002}, {"errcode": 60020}, {"how": "drop"}, {"status": 502}],
)
async def test_nobody_is_somebody_while_wecom_does_not_say(
    directory: Directory, standin: Api, corp: Corp, how: dict[str, Any]
) -> None:
    open_userid = corp.members["zhangsan"].open_userid
    standin.fail(ASK, **how)
    assert await directory.introduce(event(open_userid)) is None
    assert (await who(directory, open_userid)).id == "zhangsan"


async def test_a_slow_answer_names_nobody(
    directory: Directory, standin: Api, corp: Corp, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wecom_directory, "LOOKUP_SECONDS", 0.05)
    standin.fail(ASK, slow=30.0)
    assert await directory.introduce(event(corp.members["zhangsan"].open_userid)) is None


async def test_what_was_known_an_hour_ago_is_still_true(
    directory: Directory, standin: Api, corp: Corp, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An id never becomes another's."""
    monkeypatch.setattr(memory, "FRESH_SECONDS", 0.0)
    open_userid = corp.members["zhangsan"].open_userid
    await who(directory, open_userid)
    for how in ({"errcode": -1}, {"body": b'{"errcode":0}'}):
        standin.fail(ASK, **how)
        assert (await who(directory, open_userid)).id == "zhangsan"


async def test_many_at_once(directory: Directory, corp: Corp) -> None:
    made = [corp.add_member(f"user{number}", f"人{number}") for number in range(30)]
    found = await asyncio.gather(*(who(directory, one.open_userid) for one in made))
    assert [(one.id, one.name) for one in found] == [
        (f"user{number}", f"人{number}") for number in range(30)
    ]


# --- whether they are still there


@pytest.mark.parametrize(
    ("changed", "standing"),
    [
        ({}, "here"),
        ({"status": NOT_ACTIVATED}, "here"),
        ({"status": DISABLED}, "gone"),
        ({"status": LEFT}, "gone"),
        ({"visible": False}, "here"),
    ],
)
async def test_the_standing_of_a_member(
    directory: Directory, corp: Corp, changed: dict[str, Any], standing: str
) -> None:
    corp.add_member("WangWu", "王五", **changed)
    assert await directory.standing("wangwu") == standing


async def test_who_was_removed_is_gone(directory: Directory) -> None:
    assert await directory.standing("nobody") == "gone"


@pytest.mark.parametrize(
    "how",
    [{"errcode": -1}, {"errcode": 45009}, {"errcode": 60020}, {"how": "drop"}, {"body": b"[]"}],
)
async def test_nobody_is_gone_while_wecom_does_not_say(
    directory: Directory, standin: Api, how: dict[str, Any]
) -> None:
    standin.fail(NAME, **how)
    assert await directory.standing("nobody") == "unknown"


async def test_who_comes_back_is_asked_about_anew(directory: Directory, corp: Corp) -> None:
    await who(directory, "zhangsan")
    corp.members["zhangsan"].name = "张三丰"
    assert await directory.standing("zhangsan") == "here"
    assert (await who(directory, "zhangsan")).name == "张三丰"
