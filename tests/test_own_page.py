"""One's own page in Slack's App Home: true when it is opened, and true afterwards."""

from __future__ import annotations

import pytest

from tests.engines import fresh_engine
from tests.stages import SLACK
from tests.town import Town
from tests.workspace import Workspace


@pytest.fixture
def town(slack_town: Town) -> Town:
    """A town on Slack."""
    return slack_town


@pytest.fixture
def slack(town: Town) -> Workspace:
    """The town's workspace."""
    return Workspace(town)


def test_a_workers_page(town: Town, slack: Workspace) -> None:
    page = slack.open_home("小王")
    assert page.startswith("小王")
    assert "[签到]" in page
    assert "[签退]" not in page
    assert "没有等你处理的事" in page
    assert "班组：兼职" in page
    assert "Asia/Shanghai" in page


def test_it_follows_what_happens(town: Town, slack: Workspace) -> None:
    slack.open_home("小王")
    town.say("小王", "签到")
    town.wait(seconds=1)
    assert "[签退]" in slack.home("小王")
    assert "[休息]" in slack.home("小王")
    town.say("小王", "休息")
    town.wait(seconds=1)
    assert "[回岗]" in slack.home("小王")
    town.wait(hours=2)
    town.say("小王", "签退")
    town.wait(seconds=1)
    assert "[签到]" in slack.home("小王")


def test_many_changes_at_once_are_one_new_page(town: Town, slack: Workspace) -> None:
    slack.open_home("小王")
    before = len(slack.cloud.workspace.timeline)
    first = slack.view("小王").hash
    for number in range(5):
        town.say("小王", f"咨询 第 {number} 个问题")
    assert slack.view("小王").hash == first
    town.wait(seconds=1)
    assert slack.home("小王").count("等待回复") == 5
    assert before < len(slack.cloud.workspace.timeline)


def test_what_waits_for_an_answer_stands_on_it_until_it_is_given(
    town: Town, slack: Workspace
) -> None:
    slack.open_home("小王")
    town.say("访客", "咨询 图书馆几点开门？", in_group=True)
    town.say("小王", "认领 Q1")
    town.wait(seconds=1)
    page = slack.home("小王")
    assert "Q1：访客在等你回复" in page
    assert "图书馆几点开门？" in page
    slack.press_at_home("小王", "回复")
    town.fill("小王", words="八点开门")
    town.wait(seconds=1)
    assert "在等你回复" not in slack.home("小王")
    assert "你名下有 1 个问题" in slack.home("小王")
    assert any("八点开门" in line for line in town.group())


def test_a_taken_over_query_leaves_the_page_of_the_former_owner(
    town: Town, slack: Workspace
) -> None:
    town.say("访客", "咨询 图书馆几点开门？", in_group=True)
    town.say("小王", "认领 Q1")
    assert "在等你回复" in slack.open_home("小王")
    town.say("李组长", "认领 Q1")
    town.wait(seconds=1)
    assert "在等你回复" not in slack.home("小王")


def test_buttons_on_the_page(town: Town, slack: Workspace) -> None:
    slack.open_home("小王")
    assert "09:00" in slack.press_at_home("小王", "签到")
    town.wait(seconds=1)
    assert "[签退]" in slack.home("小王")
    slack.press_at_home("小王", "提问")
    assert "Q1" in town.fill("小王", question="灯坏了")


def test_the_language_is_chosen_on_the_page(town: Town, slack: Workspace) -> None:
    slack.open_home("小王")
    english = '{"command":"language","arguments":{"language":"en"}}'
    assert "English" in slack.press_at_home("小王", "language.1", english)
    town.wait(seconds=1)
    assert "[Check in]" in slack.home("小王")


def test_a_provisional_end_waits_on_the_page(town: Town, slack: Workspace) -> None:
    town.say("小王", "签到")
    slack.open_home("小王")
    town.say("访客", "咨询 图书馆几点开门？", in_group=True)
    town.wait(minutes=90)
    town.say("小王", "回复 Q1 八点")  # the last that was seen of them
    town.wait(hours=24)
    page = slack.home("小王")
    assert "H1 的下班时间还没确认" in page
    assert "09:00 到 10:30" in page
    assert "H1" in slack.press_at_home("小王", "确认 H1")
    town.wait(seconds=1)
    assert "还没确认" not in slack.home("小王")


def test_an_end_that_nobody_knows_is_asked_for(town: Town, slack: Workspace) -> None:
    town.say("小王", "签到")
    slack.open_home("小王")
    town.wait(hours=24)
    assert "H1 几点下的班" in slack.home("小王")
    slack.press_at_home("小王", "填时间")
    assert "C1" in town.fill("小王", time="11-23 18:00", reason="忘了签退")


def test_a_guests_page(town: Town, slack: Workspace) -> None:
    page = slack.open_home("访客")
    assert "你好，访客" in page
    assert "[提问]" in page
    assert "[签到]" not in page
    assert "申请加入" in page


def test_whoever_never_looked_has_none(town: Town, slack: Workspace) -> None:
    town.say("小王", "签到")
    town.wait(seconds=5)
    assert slack.cloud.workspace.homes == {}


def test_the_messages_tab_is_not_the_page(town: Town, slack: Workspace) -> None:
    slack.cloud.open_home(town.account("小王"), "messages")
    town.wait(seconds=1)
    assert slack.cloud.workspace.homes == {}


def test_what_others_wait_for_stands_on_a_leads_page(town: Town, slack: Workspace) -> None:
    slack.open_home("李组长")
    town.say("小王", "补卡 上班 8:30 忘带手机")
    town.wait(seconds=1)
    assert "C1" in slack.home("李组长")
    assert "忘带手机" in slack.home("李组长")
    slack.press_at_home("李组长", "通过")
    town.wait(seconds=1)
    assert "忘带手机" not in slack.home("李组长")


def test_wishes_to_join_stand_on_a_managers_page(town: Town, slack: Workspace) -> None:
    slack.open_home("周经理")
    slack.open_home("李组长")
    town.say("访客", "加入")
    town.wait(seconds=1)
    assert "J1" in slack.home("周经理")
    assert "J1" not in slack.home("李组长")


def test_what_nobody_has_claimed_stands_on_everybodys_page(town: Town, slack: Workspace) -> None:
    for name in ("小王", "小林"):
        slack.open_home(name)
    town.say("访客", "咨询 图书馆几点开门？", in_group=True)
    town.wait(seconds=1)
    assert "[认领]" in slack.home("小王")
    slack.press_at_home("小王", "认领")
    town.wait(seconds=1)
    assert "[认领]" not in slack.home("小林")
    assert "在等你回复" in slack.home("小王")


def test_the_same_on_postgresql(postgres_url: str) -> None:
    town = Town(fresh_engine(postgres_url), SLACK)
    try:
        slack = Workspace(town)
        test_it_follows_what_happens(town, slack)
        test_what_nobody_has_claimed_stands_on_everybodys_page(town, slack)
        test_what_others_wait_for_stands_on_a_leads_page(town, slack)
    finally:
        town.close()
