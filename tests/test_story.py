"""The story that must pass before anything else counts, in every profile and both languages."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from tests.engines import fresh_engine
from tests.stages import SLACK
from tests.town import Town


@dataclass(frozen=True, slots=True)
class Tongue:
    """What the people of the story type, and what they look for."""

    language: str
    here: str
    add: str
    lead: str
    worker: str
    check_in: str
    check_out: str
    question: str
    reply: str
    hours: str


CHINESE = Tongue(
    language="语言 中文",
    here="团队 绑定",
    add="人员 添加 @{} {}",
    lead="组长",
    worker="兼职",
    check_in="签到",
    check_out="签退",
    question="咨询 图书馆几点开门？",
    reply="八点开门",
    hours="2 小时 40 分钟",
)
ENGLISH = Tongue(
    language="language en",
    here="team here",
    add="staff add @{} {}",
    lead="lead",
    worker="worker",
    check_in="checkin",
    check_out="checkout",
    question="ask When does the library open?",
    reply="It opens at eight",
    hours="2 h 40 min",
)
TONGUES = {"zh": CHINESE, "en": ENGLISH}


@pytest.fixture(params=sorted(TONGUES))
def tongue(request: pytest.FixtureRequest) -> Tongue:
    """The story is told in each language."""
    return TONGUES[request.param]


@pytest.fixture
def town(make_town: Callable[..., Town]) -> Town:
    """An empty database: nobody is known."""
    return make_town(roster={}, home=False)


def become_admin(town: Town, tongue: Tongue) -> None:
    """What `banzhang admin code` prints, typed by the manager."""
    with town.uow() as uow:
        code = uow.codes.new("admin", None, town.now)
    town.say("周经理", f"link {code}")
    for name in ("周经理", "李组长", "小王", "访客"):
        town.say(name, tongue.language)


def test_the_story(town: Town, tongue: Tongue) -> None:
    become_admin(town, tongue)
    town.say("周经理", tongue.here, in_group=True)
    for name, role in (("李组长", tongue.lead), ("小王", tongue.worker), ("周经理", "manager")):
        town.say(name, "help")  # a platform tells of an account when it first speaks
        if name != "周经理":
            assert name in town.say("周经理", tongue.add.format(name, role), in_group=True)

    assert "09:00" in town.say("小王", tongue.check_in)
    asked = town.say("访客", tongue.question, in_group=True)
    assert "Q1" in asked
    assert "11:00" in asked
    for name in ("小王", "李组长", "周经理"):
        town.reads(name)
    assert any("Q1" in line for line in town.group())

    town.wait(minutes=60)
    warnings = town.group()
    assert len([line for line in warnings if "Q1" in line]) == 1
    assert "Q1" in town.press("小王", "claim", on="Q1")
    town.group()

    town.wait(minutes=45)
    assert told(town, "小王") == 1
    assert told(town, "李组长") == told(town, "周经理") == 0
    town.wait(minutes=15)
    assert told(town, "小王") == 1
    assert told(town, "李组长") == 1
    assert told(town, "周经理") == 0
    town.wait(minutes=30)
    assert told(town, "周经理") == 1

    town.press("小王", "reply", on="Q1")
    town.fill("小王", words=tongue.reply)
    assert any(tongue.reply in line for line in town.group() + town.reads("访客"))
    for name in ("小王", "李组长", "周经理"):
        town.reads(name)

    town.wait(minutes=10)
    assert tongue.hours in town.say("小王", tongue.check_out)
    town.wait(hours=36)
    assert not [line for line in town.group() if "Q1" in line]
    for name in ("小王", "李组长", "周经理", "访客"):
        assert told(town, name) == 0


def told(town: Town, name: str) -> int:
    """How many messages about the question have reached somebody since the last look."""
    return len([line for line in town.reads(name) if "Q1" in line])


def test_the_story_on_postgresql(postgres_url: str) -> None:
    town = Town(fresh_engine(postgres_url), SLACK, roster={}, home=False)
    try:
        test_the_story(town, CHINESE)
    finally:
        town.close()
