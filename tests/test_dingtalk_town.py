"""What only DingTalk lets people do, or keeps them from: told as they live it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from adapters.dingtalk import directory
from tests.dingtalk_towns import Make, by, dingtalk_towns, metered, stage_of
from tests.platforms.dingtalk_api import USER
from tests.platforms.dingtalk_model import shown
from tests.town import Town

ASKED = "咨询 图书馆几点开门？"
TO_PEOPLE = "/v1.0/robot/oToMessages/batchSend"


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    """Towns with a card template, with custom robots, or with neither."""
    with dingtalk_towns(tmp_path) as made:
        yield made


@pytest.fixture
def town(make: Make) -> Town:
    """What two values give: no template, no robot."""
    return make()


# --- who is who -----------------------------------------------------------------------------------


def test_somebody_from_outside_is_told_what_to_do(town: Town) -> None:
    stage = stage_of(town)
    guest = stage.org.add_outsider("老王")
    stage.say_as(guest, "签到")
    (told,) = stage.org.messages(guest)
    assert told.via == "session"
    assert "老王" in shown(told)
    assert "添加成员" in shown(told)
    assert metered(town) == 0


def test_somebody_from_outside_gives_no_command_in_a_group(town: Town) -> None:
    stage = stage_of(town)
    stage.say_as(stage.org.add_outsider("老王"), ASKED, in_group=True)
    assert "老王" in stage.org.last(town.group_id)
    assert "Q1" not in str([shown(one) for one in stage.org.timeline])


def test_who_is_mentioned_is_known_by_account_and_called_by_name(town: Town) -> None:
    stage = stage_of(town)
    stage.org.add_member("new01", "新同学")
    body = stage.body("周经理", "人员 添加 兼职", mentions=["new01"])
    read = stage.answered("周经理", lambda: stage.say_body(body))
    assert "新同学" in read
    with town.uow() as uow:
        person = uow.people.find("dingtalk", "new01")
        assert person is not None
        assert person.name == "新同学"


def test_of_many_who_are_mentioned_each_is_called_by_name(town: Town) -> None:
    stage = stage_of(town)
    people = {f"new{number:02}": f"新人{number}" for number in range(15)}
    for account, name in people.items():
        stage.org.add_member(account, name)
    body = stage.body("周经理", "人员 添加 兼职", mentions=list(people))
    stage.answered("周经理", lambda: stage.say_body(body))
    with town.uow() as uow:
        found = [uow.people.find("dingtalk", account) for account in people]
        assert [one and one.name for one in found] == list(people.values())


def test_an_id_stands_for_a_name_only_until_that_is_known(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    """DingTalk was asked too often, and so said nothing this time."""
    monkeypatch.setattr(directory, "BUSY_REST_SECONDS", 0.0)
    stage = stage_of(town)
    stage.org.add_member("new01", "新同学")
    stage.api.fail(USER, errcode=90018)
    for called in ("new01", "新同学"):
        body = stage.body("周经理", "人员 添加 兼职", mentions=["new01"])
        assert called in stage.answered("周经理", lambda body=body: stage.say_body(body))  # type: ignore[misc]
        with town.uow() as uow:
            person = uow.people.find("dingtalk", "new01")
            assert person is not None
            assert person.name == called


def test_nobody_is_put_on_the_roster_whom_dingtalk_does_not_name(town: Town) -> None:
    stage = stage_of(town)
    stranger = stage.org.add_outsider("老王")
    body = stage.body("周经理", "人员 添加 兼职", mentions=[stranger])
    assert "不在本企业通讯录" in stage.answered("周经理", lambda: stage.say_body(body))


def test_who_left_is_off_the_roster(town: Town) -> None:
    stage = stage_of(town)
    stage.leave("小林")
    town.wait(minutes=1)
    assert any("小林" in line for line in town.reads("周经理"))
    assert "小林" not in town.say("周经理", "人员")


# --- by which way ---------------------------------------------------------------------------------


def test_answers_cost_nothing(town: Town) -> None:
    assert "09:00" in town.say("小王", "签到")
    town.wait(minutes=30)
    assert "30 分钟" in town.say("小王", "签退", in_group=True)
    assert {one.via for one in stage_of(town).org.timeline} == {"session"}
    assert metered(town) == 0


def test_an_answer_in_a_group_rings_who_asked(town: Town) -> None:
    town.say("小王", "在岗", in_group=True)
    (told,) = by(town, "session")
    assert told.at_users == ("wang",)


def test_reminders_never_go_by_a_way_back(town: Town) -> None:
    town.say("访客", ASKED, in_group=True)
    before = stage_of(town).change
    town.wait(hours=4)
    reminders = [one for one in stage_of(town).org.timeline if one.number > before]
    assert {one.via for one in reminders} == {"api"}
    assert any(one.kind == "group" for one in reminders)
    assert any(one.to == "li" for one in reminders)


def test_a_way_back_that_is_over_is_not_taken(town: Town) -> None:
    stage = stage_of(town)
    stage.org.webhook_origin = "https://oapi.dingtalk.com.evil.example"
    assert "09:00" in town.say("小王", "签到")
    assert {one.via for one in stage.org.timeline} == {"api"}


def test_what_says_the_same_to_several_is_one_call(town: Town) -> None:
    with town.uow() as uow:
        for name in ("小王", "小林", "小陈"):
            person = uow.people.find("dingtalk", stage_of(town).account(name))
            assert person is not None
            uow.people.grant(person, "lead", uow.teams.first().id, None, town.now)
    town.say("访客", ASKED, in_group=True)
    town.wait(hours=1, minutes=59)
    calls = len(stage_of(town).api.calls_of(TO_PEOPLE))
    town.wait(minutes=1)
    (call,) = stage_of(town).api.calls_of(TO_PEOPLE)[calls:]
    assert sorted(call.body["userIds"]) == ["chen", "li", "lin", "wang"]


def test_the_deadline_rings_by_a_robot(make: Make) -> None:
    town = make(robots=["班组"])
    town.say("访客", ASKED, in_group=True)
    town.wait(hours=2)
    (rung,) = by(town, "robot")
    assert rung.at_users == ("li",)
    assert "Q1 现在到期" in shown(rung)


def test_the_deadline_rings_by_a_card(make: Make) -> None:
    town = make(cards=True)
    town.say("访客", ASKED, in_group=True)
    town.wait(hours=2)
    assert [one.at_users for one in by(town, "card") if one.at_users] == [("li",)]


# --- quotations -----------------------------------------------------------------------------------


def test_who_quotes_a_question_has_replied(town: Town) -> None:
    stage = stage_of(town)
    town.say("访客", ASKED, in_group=True)
    card = stage.newest("图书馆几点开门")
    assert "Q1" in stage.quote("小王", card, "八点开门")
    town.wait(hours=8)
    assert not [line for line in town.reads("李组长") if "到期" in line]


# --- cards ----------------------------------------------------------------------------------------


def test_a_press_changes_the_card_in_place(make: Make) -> None:
    town = make(cards=True)
    town.say("访客", ASKED, in_group=True)
    stage = stage_of(town)
    (card,) = by(town, "card")
    assert "小王" in town.press("小王", "认领", "Q1")
    assert "小王" in shown(card)
    assert card.changed
    assert stage.api.cards.too_early == []
    assert by(town, "card") == [card]


def test_a_press_that_comes_twice_is_one(make: Make) -> None:
    town = make(cards=True)
    town.say("访客", ASKED, in_group=True)
    stage = stage_of(town)
    stage.gateway.double_next()
    assert town.press("小王", "认领", "Q1").count("归你了") == 1
    assert stage.gateway.pushes[-1].delivered == 2


def test_a_template_that_is_not_taken_costs_nothing_but_buttons(make: Make) -> None:
    town = make(cards=True)
    stage = stage_of(town)
    stage.org.template_id = "another.schema"
    town.say("访客", ASKED, in_group=True)
    assert "认领 Q1" in stage.newest("图书馆几点开门").body["text"]
    town.wait(minutes=1)
    assert any("DINGTALK_CARD_TEMPLATE_ID" in line for line in town.reads("周经理"))


# --- over HTTP ------------------------------------------------------------------------------------

TAKES_PROOF = (
    "绑定 12345678",
    "人员 添加 @小林 组长",
    "人员 移除 @小林",
    "通过 J1",
    "驳回 J1",
    "通过 C1",
    "驳回 C1 不对",
    "确认 H1",
    "团队 设置 访客 关",
    "团队 新建 夜班",
    "团队 绑定",
    "补卡 上班 08:00 忘了打卡",
    "重发 M1",
)


@pytest.mark.parametrize("typed", TAKES_PROOF)
def test_what_nobody_proves_changes_neither_hours_nor_rules_nor_roles(
    make: Make, typed: str
) -> None:
    """DingTalk signs only the time: the words may be anybody's."""
    town = make(by_http=True)
    assert "DINGTALK_MODE=stream" in town.say("周经理", typed)
    assert "DINGTALK_MODE=stream" not in make().say("周经理", typed)


def test_a_day_over_http(make: Make) -> None:
    town = make(by_http=True)
    assert "09:00" in town.say("小王", "签到")
    assert "Q1" in town.say("访客", ASKED, in_group=True)
    assert "归你了" in town.say("小王", "认领 Q1", in_group=True)
    town.wait(hours=2)
    assert any("Q1" in line for line in town.reads("小王"))
    assert any("现在到期" in line for line in town.group())


def test_a_message_that_comes_again_over_http_is_one(make: Make) -> None:
    town = make(by_http=True)
    assert "Q1" in town.say("小王", ASKED, key="once")
    assert town.say("小王", ASKED, key="once") == ""


def test_frames_come_again_after_a_minute_and_are_one_effect(town: Town) -> None:
    stage = stage_of(town)
    body = stage.body("小王", ASKED)
    for _ in range(3):
        stage.say_body(body)
        town.clock.push_to(town.now + timedelta(seconds=60))
    town.run(town.bot.delivery.drain())
    assert "Q2" not in str([shown(one) for one in stage.org.timeline])
    assert len([one for one in by(town, "session") if "Q1" in shown(one)]) == 1
