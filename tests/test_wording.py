"""What people read leads somewhere: hints can be typed as they stand, and nothing is said twice."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest

from tests.town import Town

HINT = re.compile(r"补卡 下班 [\d:\- ]+")


def forgotten(town: Town, hours: float = 24) -> None:
    """A session that nobody ended and in which nobody was seen."""
    town.say("小王", "签到")
    town.wait(hours=hours)


@pytest.mark.parametrize("start", [0, 12.5])
def test_the_hint_for_a_forgotten_check_out_works(town: Town, start: float) -> None:
    """By day and by night: the example lies behind the start, on the right day."""
    town.wait(hours=start)
    forgotten(town, hours=40)
    (asked,) = (one for one in town.reads("小王") if "几点下的班" in one)
    hint = HINT.search(asked)
    assert hint is not None
    assert "H1" in town.say("小王", f"{hint[0].strip()} 忘了签退")
    assert "C1 已通过" in town.say("李组长", "通过 C1")


def test_i_left_earlier_names_a_time_that_has_been(town: Town) -> None:
    town.say("周经理", "团队 设置 最长工时 2")
    forgotten(town, hours=2.5)
    typed = [one for one in town.reads("小王") if "下班了吗" in one]
    hints = [hint for one in typed for hint in HINT.findall(one)]
    for hint in hints:  # only where there are no buttons
        assert "C1" in town.say("小王", f"{hint.strip()} 早走了")


def test_a_session_without_an_end_is_not_to_be_confirmed(town: Town) -> None:
    forgotten(town)
    town.say("小王", "签到")
    town.wait(hours=1)
    said = town.say("小王", "签退")
    assert "确认 H1" not in said
    hint = HINT.search(said)
    assert hint is not None
    assert "确认 H1" not in town.say("小王", "我")
    assert "C1" in town.say("小王", f"{hint[0].strip()} 忘了签退")


def test_the_hint_for_an_unknown_start_is_of_that_day(town: Town) -> None:
    said = town.say("小王", "补卡 下班 昨天18:00 忘了打卡")
    hint = re.search(r"补卡 上班 [\d:\- ]+", said)
    assert hint is not None
    town.say("小王", f"{hint[0].strip()} 忘了打卡")
    assert "11-22 09:00–18:00" in town.say("小王", "补卡 下班 昨天18:00 忘了打卡")


def test_worked_time_that_ends_on_another_day_says_so(town: Town) -> None:
    town.say("小王", "补卡 上班 昨天22点 忘了打卡")
    said = town.say("小王", "补卡 下班 06:00 忘了打卡")
    assert "11-22 22:00–11-23 06:00" in said
    news = town.reads("李组长")[-1]
    assert "11-22 22:00–11-23 06:00" in news
    assert "C1" in town.say("李组长", "通过 C1")


def test_every_lead_reads_on_the_card_who_decided(town: Town) -> None:
    town.say("小王", "补卡 上班 8:30 忘了打卡")
    town.reads("李组长")
    town.say("周经理", "通过 C1")
    (said,) = town.reads("李组长")
    assert "C1 已通过" in said
    assert "周经理" in said


def test_nobody_claims_their_own_question(town: Town) -> None:
    """Nobody may answer themselves, so the reminders would ring whoever can do nothing."""
    town.say("小王", "咨询 我周六能换班吗？")
    assert "要由别人来回复" in town.say("小王", "认领 Q1")
    assert "Q1 归你了" in town.say("小林", "认领 Q1")


def test_a_reply_is_said_once_where_it_was_given(town: Town) -> None:
    town.say("访客", "咨询 几点开门？", in_group=True)
    town.group()
    assert "Q1 已回复。" in town.say("小王", "回复 Q1 八点", in_group=True)
    heard = town.group()
    assert len([one for one in heard if "八点" in one]) == 1
    assert not any("小王已回复" in one for one in heard)


def test_the_asker_in_a_group_reads_how_the_bot_is_sure_to_hear_them(town: Town) -> None:
    town.say("访客", "咨询 几点开门？", in_group=True)
    town.say("小陈", "咨询 钥匙在哪？")
    town.group()
    town.say("小王", "回复 Q1 八点")
    town.say("小王", "回复 Q2 抽屉里")
    # In a thread everything is heard.
    how = "直接在下面说" if town.platform == "slack" else "@班长 回复 Q1"
    assert any(how in one for one in town.group())
    assert any("还想问：回复 Q2" in one for one in town.reads("小陈"))


def test_whoever_decides_about_a_request_reads_it_once(town: Town) -> None:
    town.say("访客", "加入")
    town.reads("周经理")
    town.say("周经理", "驳回 J1")
    without_edits = not town.profile.capabilities.edits_in_direct
    assert len(town.reads("周经理")) == (1 if without_edits else 2)


def test_what_is_neither_role_nor_team(town: Town) -> None:
    said = town.say("周经理", "人员 添加 @小王 店长")
    assert "“店长”不是角色" in said
    assert "组长" in said


def test_an_unknown_team_is_met_with_an_example_of_the_same_command(town: Town) -> None:
    assert "例如：加入 夜班组" in town.say("访客", "加入 早班")
    assert "例如：团队 使用 夜班组" in town.say("周经理", "团队 使用 早班")


def test_binding_in_a_direct_message_names_the_team(town: Town) -> None:
    assert "团队 绑定 班组" in town.say("周经理", "团队 绑定")


@pytest.mark.parametrize("typed", ["打卡 下班", "打卡下班", "下班打卡", "下班了", "clock out"])
def test_clocking_out_is_no_check_in(town: Town, typed: str) -> None:
    town.say("小王", "上班打卡")
    town.clock.push_to(town.now + timedelta(hours=3))
    assert "3 小时" in town.say("小王", typed)
