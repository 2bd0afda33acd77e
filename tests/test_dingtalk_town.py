"""What only DingTalk lets people do, or keeps them from: told as they live it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from pathlib import Path

import pytest

from tests.engines import fresh_engine
from tests.platforms.dingtalk_model import Message, shown
from tests.platforms.dingtalk_refusals import QUOTA
from tests.stages import DINGTALK, DINGTALK_CARDS, DingtalkStage
from tests.town import Town

ASKED = "咨询 图书馆几点开门？"
TO_PEOPLE = "/v1.0/robot/oToMessages/batchSend"
TO_GROUPS = "/v1.0/robot/groupMessages/send"

Make = Callable[..., Town]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    """Towns with a card template, with custom robots, or with neither."""
    towns: list[Town] = []

    def made(*, cards: bool = False, robots: Sequence[str] = (), by_http: bool = False) -> Town:
        engine = fresh_engine(f"sqlite:///{tmp_path}/dingtalk{len(towns)}.db")
        profile = DINGTALK_CARDS if cards else DINGTALK
        one = Town(
            engine,
            profile,
            staged=lambda clock: DingtalkStage(clock, cards=cards, robots=robots, by_http=by_http),
        )
        towns.append(one)
        return one

    yield made
    for town in towns:
        town.close()


@pytest.fixture
def town(make: Make) -> Town:
    """What two values give: no template, no robot."""
    return make()


def stage_of(town: Town) -> DingtalkStage:
    assert isinstance(town.stage, DingtalkStage)
    return town.stage


def by(town: Town, via: str) -> list[Message]:
    return [one for one in stage_of(town).org.timeline if one.via == via]


def metered(town: Town) -> int:
    """Calls that count among the month's."""
    return stage_of(town).api.metered


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

MOVES_MONEY_OR_ROLES = (
    "绑定 12345678",
    "人员 添加 @小林 组长",
    "人员 移除 @小林",
    "通过 J1",
    "通过 C1",
    "驳回 C1 不对",
    "确认 H1",
    "团队 设置 访客 关",
)


@pytest.mark.parametrize("typed", MOVES_MONEY_OR_ROLES)
def test_what_nobody_proves_moves_no_money_and_no_roles(make: Make, typed: str) -> None:
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


# --- when the month's calls are used up -----------------------------------------------------------


def test_without_calls_answers_go_on_and_people_come_first(town: Town) -> None:
    stage = stage_of(town)
    town.say("访客", ASKED, in_group=True)
    for path in (TO_PEOPLE, TO_GROUPS):
        stage.api.fail(path, code=QUOTA, status=403, times=None)
    town.wait(hours=2)
    assert stage.dingtalk.trouble() is not None
    tried = len(stage.api.calls)
    town.wait(minutes=30)
    assert len(stage.api.calls) == tried, "nobody asks meanwhile"
    assert "11:30" in town.say("小王", "签到")
    stage.api.heal()
    before = stage.change
    town.wait(hours=2)
    town.run(town.bot.delivery.drain())
    later = [one for one in stage.org.timeline if one.number > before]
    assert later[0].kind == "person"
    assert any(one.kind == "group" for one in later)
    assert stage.dingtalk.trouble() is None


def test_calls_are_counted_for_the_month(town: Town) -> None:
    town.say("访客", ASKED, in_group=True)
    town.wait(hours=2)
    stage = stage_of(town)
    town.run(stage.dingtalk.meter.hand_on())
    with town.uow() as uow:
        counted = uow.calls.of("dingtalk", "2026-11")
    assert counted["api"] == metered(town) > 0
    assert counted["session"] == len(by(town, "session")) > 0


def test_frames_come_again_after_a_minute_and_are_one_effect(town: Town) -> None:
    stage = stage_of(town)
    body = stage.body("小王", ASKED)
    for _ in range(3):
        stage.say_body(body)
        town.clock.push_to(town.now + timedelta(seconds=60))
    town.run(town.bot.delivery.drain())
    assert "Q2" not in str([shown(one) for one in stage.org.timeline])
    assert len([one for one in by(town, "session") if "Q1" in shown(one)]) == 1
