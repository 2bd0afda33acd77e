"""What Slack tells of accounts: gone, back, elsewhere in the world, under another name."""

from __future__ import annotations

import pytest
from structlog.testing import capture_logs

from adapters.contract import DeliveryFailed
from tests.town import Town, make_settings
from tests.workspace import Workspace


@pytest.fixture
def town(slack_town: Town) -> Town:
    """A town on Slack."""
    return slack_town


@pytest.fixture
def slack(town: Town) -> Workspace:
    """The town's workspace."""
    return Workspace(town)


def roles(town: Town, name: str) -> frozenset[str]:
    person_id = town.person_id(name)
    with town.uow() as uow:
        return frozenset(uow.people.roles(person_id, uow.teams.first().id))


def test_a_deactivated_account_leaves_the_team(town: Town, slack: Workspace) -> None:
    town.say("小王", "签到")
    town.say("访客", "咨询 图书馆几点开门？", in_group=True)
    town.say("小王", "认领 Q1")
    town.wait(minutes=30)
    town.group()
    slack.leave_slack("小王")
    assert roles(town, "小王") == frozenset()
    (told,) = [line for line in town.reads("周经理") if "小王" in line]
    assert "Slack 账号已停用" in told
    assert "H1" in told
    assert "Q1" in told
    # The question is anybody's again, its clock has not moved.
    assert any("Q1" in line for line in town.group())
    assert "Q1 · 还剩 1 小时 30 分钟 · 无人认领" in town.say("小林", "问题")
    # Nobody writes to an account that is not there.
    with town.uow() as uow:
        assert uow.outbox.count("dead") == 0


def test_gone_twice_is_told_once(town: Town, slack: Workspace) -> None:
    slack.leave_slack("小王")
    slack.change_account("小王", deleted=True)
    town.wait(minutes=5)
    assert len([line for line in town.reads("周经理") if "小王" in line]) == 1


def test_an_account_that_comes_back(town: Town, slack: Workspace) -> None:
    slack.leave_slack("小王")
    town.reads("周经理")
    before = town.person_id("小王")
    slack.change_account("小王", deleted=False)
    (told,) = town.reads("周经理")
    assert "小王 又回到 Slack" in told
    assert roles(town, "小王") == frozenset()
    town.say("周经理", "人员 添加 @小王 兼职", in_group=True)
    assert town.person_id("小王") == before
    assert "09:00" in town.say("小王", "签到")


def test_an_admin_of_the_environment_who_is_gone_stays_gone(
    town: Town, slack: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who named them may have forgotten to take them out of BANZHANG_ADMINS."""
    named = make_settings(BANZHANG_ADMINS=f"slack:{town.account('小林')}")
    monkeypatch.setattr(town.bot, "settings", named)
    town.run(town.bot.prepare())
    assert roles(town, "小林") == {"worker", "admin"}
    slack.leave_slack("小林")
    with capture_logs() as logs:
        town.run(town.bot.prepare())
    assert roles(town, "小林") == frozenset()
    (warned,) = [one for one in logs if one["log_level"] == "warning"]
    assert warned["account"] == town.account("小林")
    # They come back, and are named still.
    slack.change_account("小林", deleted=False)
    town.run(town.bot.prepare())
    assert roles(town, "小林") == {"admin"}


def test_somebody_unknown_is_nobodys_business(town: Town, slack: Workspace) -> None:
    slack.cloud.workspace.add_user("U0STRANGER", "路人")
    slack.cloud.deactivate("U0STRANGER")
    slack.cloud.join_workspace("U0NEW", "新来的")
    with town.uow() as uow:
        assert uow.people.find("slack", "U0STRANGER") is None
        assert uow.people.find("slack", "U0NEW") is None
    assert town.reads("周经理") == []


def test_a_message_that_finds_nobody_tells_the_same(town: Town, slack: Workspace) -> None:
    """Slack may have forgotten to tell, or we were away: then the first message finds out."""
    slack.cloud.workspace.users[town.account("小王")].deleted = True
    town.fail_next(DeliveryFailed("dead", "user_disabled"))
    town.say("周经理", "人员 添加 @小王 组长", in_group=True)  # of which the bot tells them
    assert roles(town, "小王") == {"worker", "lead"}
    town.wait(minutes=1)
    assert roles(town, "小王") == frozenset()
    assert any("小王 的 Slack 账号已停用" in line for line in town.reads("周经理"))


def test_a_vague_refusal_takes_nobody_off_the_roster(town: Town, slack: Workspace) -> None:
    town.fail_next(DeliveryFailed("dead", "channel_not_found"))
    town.say("小王", "我")
    town.wait(minutes=1)
    assert roles(town, "小王") == {"worker"}
    assert any("频道不存在" in line for line in town.reads("周经理"))


def test_a_zone_follows_slack_until_one_has_chosen(town: Town, slack: Workspace) -> None:
    town.say("小王", "签到")
    slack.change_account("小王", tz="Europe/London")
    assert "Europe/London" in town.say("小王", "我")
    slack.change_account("小王", tz="America/New_York")
    assert "America/New_York" in town.say("小王", "我")


def test_a_language_that_was_chosen_stays(town: Town, slack: Workspace) -> None:
    town.say("小王", "language en")
    slack.change_account("小王", tz="Europe/London", locale="zh-CN")
    assert "Check" in town.say("小王", "checkin")


def test_a_new_name_is_taken_over(town: Town, slack: Workspace) -> None:
    town.say("小王", "签到")
    slack.change_account("小王", name="王小明")
    assert "王小明" in town.say("小林", "在岗")


def test_the_bot_is_taken_into_a_channel(town: Town, slack: Workspace) -> None:
    other = slack.channel("C0OTHER", "夜班", ["周经理"])
    slack.invite_bot("周经理", other)
    said = [one for one in slack.cloud.workspace.timeline if one.channel == other]
    assert "我是班长" in slack.text(said[-1])
    assert "团队 绑定" in slack.text(said[-1])
    # In a team's home it has nothing to introduce.
    town.group()
    slack.invite_bot("周经理", town.group_id)
    assert town.group() == []
