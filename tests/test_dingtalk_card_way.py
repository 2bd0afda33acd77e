"""When DingTalk takes no card: who hears of it, what is said instead, and when one is tried."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.dingtalk_towns import Make, by, dingtalk_towns, stage_of
from tests.platforms.dingtalk_api import CARDS, CREATE_AND_DELIVER, DELIVER
from tests.platforms.dingtalk_model import shown
from tests.platforms.dingtalk_refusals import PERMISSION
from tests.town import Town

ASKED = "咨询 图书馆几点开门？"
TEMPLATE, SCOPE = "卡片模板", "Card.Instance.Write"


@pytest.fixture
def town(tmp_path: Path) -> Iterator[Town]:
    """With a card template."""
    with dingtalk_towns(tmp_path) as made:
        yield made(cards=True)


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    with dingtalk_towns(tmp_path) as made:
        yield made


def alarms(town: Town) -> list[str]:
    """What the admin has read of cards, ever."""
    stage = stage_of(town)
    said = [shown(one) for one in stage.org.messages(stage.account("周经理"))]
    return [line for line in said if TEMPLATE in line or SCOPE in line]


def tries(town: Town) -> int:
    return len(stage_of(town).api.calls_of(CREATE_AND_DELIVER))


def refuse(town: Town, code: str) -> None:
    stage_of(town).api.fail(CREATE_AND_DELIVER, code=code, times=None)


# --- of which the answer was lost -----------------------------------------------------------------


def test_a_card_that_was_made_and_brought_to_nobody_is_brought(town: Town) -> None:
    """DingTalk knows its name, and that says nothing of whether anybody has seen it."""
    api = stage_of(town).api
    api.fail(CREATE_AND_DELIVER, "drop_after", undelivered="robot not in conversation")
    town.say("访客", ASKED, in_group=True)
    town.wait(minutes=3)
    (card,) = by(town, "card")
    assert "Q1" in shown(card)
    assert [call.status for call in api.calls_of(DELIVER)] == [200]


def test_one_that_may_stand_twice_changes_as_one(town: Town) -> None:
    stage_of(town).api.fail(CREATE_AND_DELIVER, "drop_after")
    town.say("访客", ASKED, in_group=True)
    town.wait(minutes=3)
    cards = [one for one in by(town, "card") if one.kind == "group"]
    assert len({one.out_track_id for one in cards}) == 1
    town.press("小王", "认领", on="Q1")
    town.wait(minutes=1)
    assert len({shown(one) for one in cards}) == 1
    assert "小王" in shown(cards[0])


def test_one_that_still_cannot_be_brought_is_said_in_words(town: Town) -> None:
    api = stage_of(town).api
    api.fail(CREATE_AND_DELIVER, "drop_after", undelivered="robot not in conversation")
    api.fail(DELIVER, undelivered="robot not in conversation")
    town.say("访客", ASKED, in_group=True)
    town.wait(minutes=3)
    assert by(town, "card") == []
    assert any("Q1" in shown(one) for one in by(town, "api"))
    assert alarms(town) == []


# --- that are refused -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "code", ["param.userIdNotExist", "staffId.notExisted", "param.contentUnsafe"]
)
def test_what_is_about_one_card_is_no_alarm(town: Town, code: str) -> None:
    """Who has left, or words that DingTalk does not like, say nothing about the template."""
    town.say("访客", ASKED, in_group=True)
    stage_of(town).api.fail(CREATE_AND_DELIVER, code=code)
    before = tries(town)
    town.wait(hours=2)
    town.wait(minutes=2)
    assert alarms(town) == []
    assert tries(town) > before + 1, "other cards go on"


@pytest.mark.parametrize(
    ("code", "said", "unsaid"),
    [("param.templateUnpublished", TEMPLATE, SCOPE), (PERMISSION, SCOPE, TEMPLATE)],
)
def test_the_admins_are_told_once_what_is_wrong(
    town: Town, code: str, said: str, unsaid: str
) -> None:
    refuse(town, code)
    town.say("访客", ASKED, in_group=True)
    town.wait(minutes=1)
    town.say("访客", "咨询 食堂几点开门？", in_group=True)
    town.wait(hours=3)
    (alarm,) = alarms(town)
    assert said in alarm
    assert unsaid not in alarm


def test_while_no_card_is_taken_none_is_tried(town: Town) -> None:
    """Each would cost a call, and what stands on it another one."""
    refuse(town, PERMISSION)
    town.say("访客", ASKED, in_group=True)
    assert tries(town) == 1
    for question in ("食堂几点开门？", "操场几点关门？"):
        town.say("访客", f"咨询 {question}", in_group=True)
    assert tries(town) == 1
    assert by(town, "card") == []
    town.wait(hours=1, minutes=1)
    before = tries(town)
    town.say("访客", "咨询 医务室在哪儿？", in_group=True)
    assert tries(town) <= before + 1
    assert tries(town) > 1, "after an hour it is tried again"


def test_when_cards_are_taken_again_the_next_trouble_is_told_again(town: Town) -> None:
    refuse(town, "param.templateUnpublished")
    town.say("访客", ASKED, in_group=True)
    town.wait(minutes=1)
    assert len(alarms(town)) == 1
    stage_of(town).api.heal()
    town.wait(hours=1)
    town.say("访客", "咨询 食堂几点开门？", in_group=True)
    assert by(town, "card")
    refuse(town, "param.templateUnpublished")
    town.say("访客", "咨询 医务室在哪儿？", in_group=True)
    town.wait(minutes=1)
    assert len(alarms(town)) == 2


def test_a_card_that_was_sent_before_is_changed_meanwhile(town: Town) -> None:
    town.say("访客", ASKED, in_group=True)
    refuse(town, "param.templateUnpublished")
    town.say("访客", "咨询 食堂几点开门？", in_group=True)
    changes = len(stage_of(town).api.calls_of(CARDS))
    town.press("小王", "认领", on="Q1")
    assert len(stage_of(town).api.calls_of(CARDS)) > changes
