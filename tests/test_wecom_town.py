"""What only WeCom lets people do, or keeps them from: told as they live it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from adapters.contract import DeliveryFailed
from bot.messages import Send, ToHome, text
from tests.engines import fresh_engine
from tests.platforms.wecom_model import Message, buttons
from tests.stages import WECOM, WecomStage
from tests.town import Town

ASKED = "咨询 图书馆几点开门？"


@pytest.fixture
def town(tmp_path: Path) -> Iterator[Town]:
    """The team's group has a group robot as well."""
    made = Town(
        fresh_engine(f"sqlite:///{tmp_path}/wecom.db"),
        WECOM,
        staged=lambda clock: WecomStage(clock, robots=["班组"]),
    )
    yield made
    made.close()


def stage_of(town: Town) -> WecomStage:
    assert isinstance(town.stage, WecomStage)
    return town.stage


def by(town: Town, via: str) -> list[Message]:
    return [one for one in stage_of(town).corp.timeline if one.via == via]


# --- the menu -------------------------------------------------------------------------------------


def test_a_tap_on_the_menu_checks_in(town: Town) -> None:
    assert "09:00" in stage_of(town).click("小王", "checkin")
    town.wait(minutes=30)
    assert "30 分钟" in stage_of(town).click("小王", "checkout")


def test_the_first_look_at_the_app_says_what_it_is_for(town: Town) -> None:
    stage = stage_of(town)
    said = stage.answered("小林", lambda: stage.call(stage.callbacks.subscribe("Lin")))
    assert "签到" in said


# --- who can be reached ---------------------------------------------------------------------------


def test_the_deadline_rings_the_phone_of_who_must_answer(town: Town) -> None:
    town.say("访客", ASKED, in_group=True)
    town.wait(hours=1, minutes=59)
    assert by(town, "webhook") == []
    town.wait(minutes=1)
    (rung,) = by(town, "webhook")
    assert rung.mentioned == ("li",)
    assert "@李组长 Q1" in str(rung.body)
    town.wait(minutes=30)
    assert by(town, "webhook")[-1].mentioned == ("zhou",)
    town.say("小王", "回复 Q1 八点")
    rung_so_far = len(by(town, "webhook"))
    town.wait(hours=8)
    assert len(by(town, "webhook")) == rung_so_far


def test_nothing_rings_where_there_is_no_group_robot(tmp_path: Path) -> None:
    town = Town(fresh_engine(f"sqlite:///{tmp_path}/plain.db"), WECOM)
    town.say("访客", ASKED, in_group=True)
    town.wait(hours=4)
    assert not [one for one in stage_of(town).corp.timeline if one.mentioned]
    assert any("Q1" in line for line in town.reads("李组长"))
    town.close()


def test_a_group_nobody_has_spoken_in_is_reached_by_its_robot(town: Town) -> None:
    group = stage_of(town).corp.groups[town.group_id]
    group.heard = False
    town.say("小王", ASKED)
    assert "Q1" in str(by(town, "webhook")[-1].body)


def test_without_a_robot_the_managers_hear_why_nothing_came(tmp_path: Path) -> None:
    town = Town(fresh_engine(f"sqlite:///{tmp_path}/plain.db"), WECOM)
    stage_of(town).corp.groups[town.group_id].heard = False
    town.say("小王", ASKED)
    town.wait(minutes=1)
    (told,) = [line for line in town.reads("周经理") if "M" in line]
    assert "@它 说一句" in told
    # Somebody does: from then on the group can be written to, the lost message included.
    town.say("李组长", "帮助", in_group=True)
    lost = next(word for word in told.replace("：", " ").split() if word.startswith("M"))
    town.say("周经理", f"重发 {lost.rstrip('。，')}")
    assert any("Q1" in line for line in town.group())
    town.close()


# --- cards ----------------------------------------------------------------------------------------


def test_a_press_changes_the_card_in_place(town: Town) -> None:
    town.say("访客", "加入")
    stage = stage_of(town)
    asked = stage.newest("访客")
    assert [label for label, _key in buttons(asked)]
    town.press("周经理", "approve_join", on="访客")
    assert asked.changed
    assert not buttons(asked)


# --- quoting --------------------------------------------------------------------------------------


def test_whoever_quotes_the_card_and_mentions_the_bot_has_replied(town: Town) -> None:
    town.say("小陈", ASKED)
    stage = stage_of(town)
    card = next(one for one in by(town, "bot") if "Q1" in str(one.body))
    stage.quote("李组长", card, "周末十点开门")
    assert any("周末十点开门" in line for line in town.reads("小陈"))
    told = len(town.reads("李组长"))
    town.wait(hours=5)
    assert not [line for line in town.reads("李组长") if "Q1" in line], told


def test_a_command_in_a_quotation_is_a_command(town: Town) -> None:
    town.say("小陈", ASKED)
    card = next(one for one in by(town, "bot") if "Q1" in str(one.body))
    said = stage_of(town).quote("李组长", card, "认领 Q1")
    assert "Q1" in said


def test_somebodys_words_become_a_question_by_quoting_them(town: Town) -> None:
    stage = stage_of(town)
    stage.quote_words("李组长", "门禁卡刷不开怎么办", "咨询")
    with town.uow() as uow:
        query = uow.queries.peek(1)
        assert query is not None
        assert query.question == "门禁卡刷不开怎么办"


# --- many at once ---------------------------------------------------------------------------------


def test_many_check_ins_in_a_group_are_answered_in_few_messages(town: Town) -> None:
    town.fail_next(DeliveryFailed("paced", "not its turn", after=2.0))
    for name in ("小王", "小林", "小陈", "李组长"):
        town.say(name, "签到", in_group=True)
    town.wait(seconds=3)
    answers = [one for one in by(town, "bot") if "09:00" in str(one.body)]
    assert len(answers) == 1
    for name in ("小王", "小林", "小陈", "李组长"):
        assert name in str(answers[0].body)


# --- identities -----------------------------------------------------------------------------------


def test_capitals_make_nobody_somebody_else(town: Town) -> None:
    stage = stage_of(town)
    stage.corp.members["wang"].userid = "WANG"
    town.say("小王", "签到")
    stage.corp.members["wang"].userid = "wAnG"
    assert "签到" in town.say("小王", "签到")
    with town.uow() as uow:
        assert uow.people.find("wecom", "wang") is not None
        assert uow.people.find("wecom", "WANG") is None


def test_an_alias_names_a_colleague(town: Town) -> None:
    stage_of(town).corp.members["lin"].alias = "林林"
    town.say("小林", "帮助")
    assert "小林" in town.say("周经理", "人员 添加 @林林 组长", in_group=True)


def test_who_left_the_corp_is_off_the_roster(town: Town) -> None:
    stage = stage_of(town)
    stage.corp.members["wang"].status = 5
    stage.answered("周经理", lambda: stage.call(stage.callbacks.unsubscribe("Wang")))
    assert any("小王" in line and "停用" in line for line in town.reads("周经理"))
    assert "小王" not in town.say("周经理", "人员")


def test_who_only_fell_out_of_the_apps_range_keeps_the_roles(town: Town) -> None:
    stage = stage_of(town)
    stage.corp.members["wang"].visible = False
    stage.call(stage.callbacks.unsubscribe("Wang"))
    assert "小王" in town.say("周经理", "人员")


def test_a_message_to_who_left_ends_their_work_here(town: Town) -> None:
    stage = stage_of(town)
    town.say("小王", "帮助")
    del stage.corp.members["wang"]
    town.say("李组长", "代问 @小王：在吗？")
    town.say("李组长", "回复 Q1 在不在")
    town.wait(minutes=1)
    assert any("小王" in line and "停用" in line for line in town.reads("周经理"))
    assert "小王" not in town.say("周经理", "人员")


# --- the long connection --------------------------------------------------------------------------


def test_admins_are_told_when_another_takes_the_connection(town: Town) -> None:
    stage = stage_of(town)
    stage.gateway.kick()
    town.run(stage.disconnected())
    town.wait(seconds=1)
    (told,) = [line for line in town.reads("周经理") if "连接" in line]
    assert "Bot ID" in told
    # What is said in the group meanwhile waits.
    with town.uow() as uow:
        home = ToHome(team_id=uow.teams.first().id)
        uow.outbox.put(Send(to=home, key="later", words=text("said", words="稍后")), town.now)
    town.wait(minutes=1)
    assert not any("稍后" in line for line in town.group())


# --- when WeCom lets the app out ------------------------------------------------------------------


def test_while_the_app_is_refused_people_read_it_from_the_aibot(town: Town) -> None:
    stage = stage_of(town)
    stage.corp.spoken.update(("zhou", "li"))  # they have written to the aibot before
    stage.api.fail("message/send", times=None, errcode=60020)
    town.say("小王", "咨询 图书馆几点开门？", in_group=True)
    town.wait(hours=2)
    assert [one for one in by(town, "bot") if one.to == "li" and "Q1" in str(one.body)]
    told = [one for one in by(town, "bot") if one.to == "zhou" and "doctor" in str(one.body)]
    assert len(told) == 1, stage.corp.story()


def test_who_never_wrote_to_the_aibot_reads_it_when_the_app_is_let_in_again(town: Town) -> None:
    stage = stage_of(town)
    stage.api.fail("message/send", times=None, errcode=60020)
    town.say("小王", "咨询 图书馆几点开门？", in_group=True)
    town.wait(hours=2)
    assert not [one for one in stage.corp.timeline if one.to == "li"]
    stage.api.heal()
    stage.rest_is_over()
    town.wait(minutes=11)
    assert any("Q1" in line for line in town.reads("李组长"))


# --- who and what is meant ------------------------------------------------------------------------


def test_a_longer_name_is_not_a_shorter_one(town: Town) -> None:
    said = town.say("李组长", "代问 @小王子 几点开始？", in_group=True)
    assert "没有叫“小王子”的人" in said
    assert "替小王提交" in town.say("李组长", "代问@小王几点开始？", in_group=True)


def test_a_name_with_a_blank_is_one_name(town: Town) -> None:
    stage = stage_of(town)
    stage.corp.members["lin"].name = "Tom Lee"
    stage.corp.members["chen"].name = "Tom"
    for name in ("小林", "小陈"):
        town.say(name, "帮助")
    long, short = town.person_id("小林"), town.person_id("小陈")
    with town.uow() as uow:
        uow.people.get(long).name, uow.people.get(short).name = "Tom Lee", "Tom"
    assert "替Tom Lee提交" in town.say("李组长", "代问 @Tom Lee 几点开始？")
    assert "替Tom提交" in town.say("李组长", "代问 @Tom 几点结束？")


def test_a_colleagues_q1_is_no_question_of_ours(town: Town) -> None:
    town.say("小陈", ASKED)
    said = stage_of(town).quote_words("李组长", "Q1 的绩效考核表大家交一下", "明天下午五点前交给我")
    assert "如果是回复 Q1，请发：回复 Q1 明天下午五点前交给我" in said
    assert not any("明天下午" in line for line in town.reads("小陈"))


def test_of_two_questions_in_one_message_nobody_guesses_which(town: Town) -> None:
    town.say("小陈", ASKED, in_group=True)
    town.say("访客", "咨询 饭卡在哪充？", in_group=True)
    first = next(str(one.body["content"]) for one in by(town, "bot") if "Q1 收到" in str(one.body))
    folded = f"{first}\n@访客 Q2 收到，11:00 前会有人回复。"
    stage_of(town).quote_words("李组长", folded, "二楼充值")
    with town.uow() as uow:
        states = [query.state for n in (1, 2) if (query := uow.queries.peek(n))]
    assert states == ["open", "open"]


def test_who_quotes_the_card_and_begins_with_a_verb_still_replies(town: Town) -> None:
    town.say("小陈", "咨询 在哪签到？")
    card = next(one for one in by(town, "bot") if "Q1" in str(one.body))
    stage_of(town).quote("李组长", card, "签到在一楼大厅")
    assert any("签到在一楼大厅" in line for line in town.reads("小陈"))
    assert "李组长" not in town.say("周经理", "在岗")


def test_who_is_not_on_the_roster_is_told_that_the_team_replies(town: Town) -> None:
    town.say("小陈", ASKED)
    card = next(one for one in by(town, "bot") if "Q1" in str(one.body))
    assert "由团队的人回复" in stage_of(town).quote("访客", card, "我也想知道")


def test_the_asker_who_quotes_adds_to_the_question(town: Town) -> None:
    town.say("小陈", ASKED, in_group=True)
    card = next(one for one in by(town, "bot") if "新问题" in str(one.body))
    assert "已补充到 Q1" in stage_of(town).quote("小陈", card, "周末也开吗")


def test_the_group_reads_that_somebody_was_answered_privately(town: Town) -> None:
    town.say("小王", "我", in_group=True)
    assert any("小王" in line and "私聊" in line for line in town.group())


def test_no_reminder_arrives_after_the_answer(town: Town) -> None:
    stage = stage_of(town)
    town.say("小陈", ASKED, in_group=True)
    town.say("小王", "认领 Q1", in_group=True)
    stage.api.fail("message/send", times=None, errcode=60020)
    town.wait(hours=1, minutes=50)
    town.say("小王", "回复 Q1 八点")
    stage.api.heal()
    stage.rest_is_over()
    town.reads("小王")
    town.wait(hours=3)
    assert not [line for line in town.reads("小王") if "还剩" in line or "到期" in line]


def test_where_only_the_aibot_is_people_read_that_they_have_to_write_first(town: Town) -> None:
    stage = stage_of(town)
    stage.corp.members["lin"].visible = False  # the app may not write to them
    town.say("小林", "我", in_group=True)
    town.wait(minutes=1)
    stage.corp.hear("lin")
    assert any("M" in line for line in town.reads("周经理"))
