"""When one way out fails another one takes over: what a custom robot does not say goes by a card or
by the app's robot, and what was said in part already goes on behind that.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from adapters.contract import DeliveryFailed
from adapters.dingtalk.api import DingtalkApi, DingtalkRefused
from adapters.dingtalk.by_webhook import ByWebhook
from adapters.dingtalk.decode import WayBack
from adapters.dingtalk.errcodes import ROBOT_SEND, ROBOT_WAIT, failure, says_no_group, says_no_robot
from adapters.dingtalk.limits import RobotTurns
from adapters.dingtalk.setup import Robot, Setup
from adapters.progress import Progress
from bot.messages import Address, Outgoing, text
from bot.words import reader_for
from tests.dingtalk_towns import Make, dingtalk_towns, stage_of
from tests.platforms.dingtalk_api import ROBOT, SESSION, TO_GROUP, TO_PEOPLE, Api
from tests.platforms.dingtalk_model import Message, Org, shown
from tests.stages import DingtalkStage
from tests.town import Town

ASKED = "咨询 图书馆几点开门？"
TEAM = "班组"
READER = reader_for("zh_CN", "Asia/Shanghai", datetime(2026, 11, 23, tzinfo=UTC))


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    """Towns whose group has a custom robot."""
    with dingtalk_towns(tmp_path) as made:
        yield made


def remove(stage: DingtalkStage) -> None:
    """Somebody deletes the robots in the group's settings."""
    stage.org.robots.clear()


def change_secret(stage: DingtalkStage) -> None:
    for robot in stage.org.robots.values():
        robot.secret = "SEC another"


def use_up(stage: DingtalkStage) -> None:
    """Others have made it say too much."""
    stage.api.fail(ROBOT, errcode=130101, times=None)


SILENT = [remove, change_secret, use_up]


def due(town: Town) -> list[Message]:
    """What was due, in the group."""
    timeline = stage_of(town).org.timeline
    return [one for one in timeline if one.kind == "group" and "现在到期" in shown(one)]


def waits(town: Town, silent: object = None) -> None:
    """A question is asked and waits for two hours."""
    town.say("访客", ASKED, in_group=True)
    if callable(silent):
        silent(stage_of(town))
    town.wait(hours=2)


@pytest.mark.parametrize("silent", SILENT)
def test_what_a_robot_does_not_say_the_app_says(make: Make, silent: object) -> None:
    town = make(robots=[TEAM])
    waits(town, silent)
    assert [one.via for one in due(town)] == ["api"]


@pytest.mark.parametrize("silent", SILENT)
def test_with_a_template_phones_ring_by_a_card(make: Make, silent: object) -> None:
    town = make(robots=[TEAM], cards=True)
    waits(town, silent)
    (card,) = due(town)
    assert card.via == "card"
    assert card.at_users


def test_of_what_nobody_knows_it_is_not_said_by_another_way(make: Make) -> None:
    """The robot may have said it."""
    town = make(robots=[TEAM])
    town.say("访客", ASKED, in_group=True)
    stage_of(town).api.fail(ROBOT, "drop_after")
    town.wait(hours=2)
    assert {one.via for one in due(town)} == {"robot"}


@pytest.mark.parametrize("silent", [remove, change_secret])
def test_the_admins_hear_that_a_robot_is_not_taken(make: Make, silent: object) -> None:
    town = make(robots=[TEAM])
    waits(town, silent)
    town.wait(minutes=2)
    town.wait(hours=1)
    (alarm,) = [line for line in town.reads("周经理") if "自定义机器人" in line]
    assert "banzhang doctor" in alarm


def test_nobody_is_troubled_for_a_robot_that_only_rests(make: Make) -> None:
    town = make(robots=[TEAM])
    waits(town, use_up)
    town.wait(minutes=2)
    assert "自定义机器人" not in str(town.reads("周经理"))


@pytest.mark.parametrize(
    ("silent", "fix"), [(remove, "重新加一个"), (change_secret, "SEC…")], ids=["removed", "unsafe"]
)
def test_where_there_is_no_other_way_it_says_what_to_do(
    make: Make, silent: object, fix: str
) -> None:
    """The app's robot is not in the group, so the custom one is what has to be mended."""
    town = make(robots=[TEAM])
    town.say("访客", ASKED, in_group=True)
    stage_of(town).org.groups[town.group_id].bot = False
    assert callable(silent)
    silent(stage_of(town))
    town.wait(hours=2)
    town.wait(minutes=2)
    told = [line for line in town.reads("周经理") if "没有送到" in line]
    assert told
    for line in told:
        assert fix in line
        assert "DINGTALK_WEBHOOKS" in line
        assert "权限管理" not in line
    assert due(town) == []


@pytest.mark.parametrize(
    ("code", "what", "word"),
    [
        ("310000", ROBOT_SEND, "robot_unsafe 310000"),
        ("300005", ROBOT_SEND, "robot_gone 300005"),
        ("300001", ROBOT_SEND, "robot_gone 300001"),
        ("400102", ROBOT_SEND, "robot_gone 400102"),
        ("300001", SESSION, "no_group 300001"),
        ("chatbotNotInstall", TO_GROUP, "no_group chatbotNotInstall"),
        ("60011", TO_PEOPLE, "no_permission 60011"),
    ],
)
def test_a_custom_robot_has_words_of_its_own(code: str, what: str, word: str) -> None:
    found = failure(DingtalkRefused(code, what))
    assert (found.outcome, found.why) == ("dead", word)
    assert says_no_robot(found.why) is (what == ROBOT_SEND)
    assert says_no_group(found.why) is word.startswith("no_group")


# --- a robot that rests ---------------------------------------------------------------------------


class Now:
    """A clock that goes on when it is told."""

    seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


def test_a_robot_that_was_too_quick_rests_as_a_whole() -> None:
    now = Now()
    turns = RobotTurns(now)
    turns.take("one")
    turns.rest("one", ROBOT_WAIT, "130101")
    turns.take("another")
    now.seconds += ROBOT_WAIT - 1
    with pytest.raises(DeliveryFailed, match="130101") as found:
        turns.take("one")
    assert (found.value.outcome, found.value.after) == ("retry", 1.0)
    now.seconds += 1
    turns.take("one")


@pytest.fixture
async def api() -> AsyncIterator[tuple[DingtalkApi, Api]]:
    standin = Api(Org())
    setup = Setup("https://dingtalk.test", standin.org.client_id, standin.org.client_secret)
    made = DingtalkApi(setup, lambda: datetime.now(UTC), httpx.ASGITransport(standin.application()))
    await made.open()
    yield made, standin
    await made.close()


def outgoing(message_id: int, words: str = "开会") -> Outgoing:
    return Outgoing(
        address=Address(platform="dingtalk", kind="group", id="cid1"),
        words=text("said", words=words),
        message_id=message_id,
    )


async def test_what_comes_next_does_not_make_it_silent_for_longer(
    api: tuple[DingtalkApi, Api],
) -> None:
    """DingTalk counts what it refuses, too, so nothing more is posted to its token."""
    calls, standin = api
    robot = Robot(*standin.org.add_robot(standin.org.add_group("一班", []).id))
    by_webhook = ByWebhook(calls, "班长", RobotTurns(Now()), Progress(), lambda: datetime.now(UTC))
    standin.fail(ROBOT, errcode=130101)
    for number in range(3):
        with pytest.raises(DeliveryFailed, match="130101") as found:
            await by_webhook.by_robot(outgoing(number), robot, READER)
        assert (found.value.outcome, found.value.after) == ("retry", ROBOT_WAIT)
    assert len(standin.calls_of(ROBOT)) == 1


# --- long messages --------------------------------------------------------------------------------

LINES = [f"line {number:04d} {'字' * 60}" for number in range(100)]


def long_answer(town: Town, *, in_group: bool) -> Outgoing:
    """Something that takes several pieces, to what somebody said a moment ago."""
    stage = stage_of(town)
    place = town.group_id if in_group else stage.account("小王")
    way = WayBack(stage.org.session_url(place), town.now + timedelta(hours=1), place)
    stage.dingtalk._ways.keep("msg:x", way)
    kind = "group" if in_group else "person"
    return Outgoing.model_validate(
        {
            "address": {"platform": "dingtalk", "kind": kind, "id": place},
            "words": text("said", words="\n".join(LINES)),
            "message_id": 99,
            "answers": "msg:x",
        }
    )


def said(town: Town) -> str:
    """All that there is to read, one piece below the other."""
    return "\n".join(shown(one) for one in stage_of(town).org.timeline)


@pytest.mark.parametrize("in_group", [False, True])
def test_a_long_answer_goes_on_where_a_way_back_ended(make: Make, in_group: bool) -> None:
    town = make()
    stage = stage_of(town)
    answer = long_answer(town, in_group=in_group)
    seen: list[int] = []

    def refuse_the_third(call: object) -> None:
        if getattr(call, "path", "") == SESSION:
            seen.append(1)
            if len(seen) == 2:
                stage.api.fail(SESSION, errcode=90030, times=None)

    stage.api.watch = refuse_the_third
    town.run(stage.dingtalk.send(answer, READER))
    vias = [one.via for one in stage.org.timeline]
    assert vias[0] == "session"
    assert vias[-1] == "api"
    for line in LINES:
        assert said(town).count(line) == 1, "no piece is said twice, and none is left out"


def test_a_long_reminder_goes_on_where_a_robot_ended(make: Make) -> None:
    town = make(robots=[TEAM], cards=True)
    stage = stage_of(town)
    seen: list[int] = []

    def refuse_the_second(call: object) -> None:
        if getattr(call, "path", "") == ROBOT:
            seen.append(1)
            if len(seen) == 2:
                stage.api.fail(ROBOT, errcode=130101, times=None)

    stage.api.watch = refuse_the_second
    reminder = long_answer(town, in_group=True).model_copy(
        update={"rings": True, "team": TEAM, "answers": None}
    )
    town.run(stage.dingtalk.send(reminder, READER))
    assert [one.via for one in stage.org.timeline][:2] == ["robot", "api"]
    for line in LINES:
        assert said(town).count(line) == 1
