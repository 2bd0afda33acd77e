"""One's own page in Slack's App Home: true when it is opened, and true afterwards."""

from __future__ import annotations

import threading
import time
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from bot.messages import Role
from handlers.people.page import REFRESH, outdated
from storage.outbox import PRIORITIES
from storage.tables.queues import outbox, timers
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
    assert "现在没有要处理的事。" in page
    assert "班组：兼职" in page
    assert "Asia/Shanghai" in page


def test_it_follows_what_happens(town: Town, slack: Workspace) -> None:
    slack.open_home("小王")
    town.say("小王", "签到")
    town.wait(seconds=3)
    assert "[签退]" in slack.home("小王")
    assert "[休息]" in slack.home("小王")
    town.say("小王", "休息")
    town.wait(seconds=3)
    assert "[回岗]" in slack.home("小王")
    town.wait(hours=2)
    town.say("小王", "签退")
    town.wait(seconds=3)
    assert "[签到]" in slack.home("小王")


def test_many_changes_at_once_are_one_new_page(town: Town, slack: Workspace) -> None:
    slack.open_home("小王")
    before = len(slack.cloud.workspace.timeline)
    first = slack.view("小王").hash
    for number in range(5):
        town.say("小王", f"咨询 第 {number} 个问题")
    assert slack.view("小王").hash == first
    town.wait(seconds=3)
    assert slack.home("小王").count("等待回复") == 5
    assert before < len(slack.cloud.workspace.timeline)


def test_what_waits_for_an_answer_stands_on_it_until_it_is_given(
    town: Town, slack: Workspace
) -> None:
    slack.open_home("小王")
    town.say("访客", "咨询 图书馆几点开门？", in_group=True)
    town.say("小王", "认领 Q1")
    town.wait(seconds=3)
    page = slack.home("小王")
    assert "Q1：访客在等你回复" in page
    assert "图书馆几点开门？" in page
    assert "最晚 11:00 回复" in page
    slack.press_at_home("小王", "回复")
    town.fill("小王", words="八点开门")
    town.wait(seconds=3)
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
    town.wait(seconds=3)
    assert "在等你回复" not in slack.home("小王")


def test_buttons_on_the_page(town: Town, slack: Workspace) -> None:
    slack.open_home("小王")
    assert "09:00" in slack.press_at_home("小王", "签到")
    town.wait(seconds=3)
    assert "[签退]" in slack.home("小王")
    slack.press_at_home("小王", "提问")
    assert "Q1" in town.fill("小王", question="灯坏了")


def test_the_language_is_chosen_on_the_page(town: Town, slack: Workspace) -> None:
    slack.open_home("小王")
    english = '{"command":"language","arguments":{"language":"en"}}'
    assert "English" in slack.press_at_home("小王", "language.1", english)
    town.wait(seconds=3)
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
    town.wait(seconds=3)
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


@pytest.fixture
def closed(town: Town) -> Town:
    """A team that takes no questions of guests."""
    town.say("周经理", "团队 设置 访客 关")
    return town


def test_a_strangers_page_says_whom_to_ask(closed: Town, slack: Workspace) -> None:
    page = slack.open_home("访客")
    assert "只对团队成员开放" in page
    assert "周经理" in page
    assert "[申请加入]" in page
    assert "[提问]" not in page
    assert "J1" in slack.press_at_home("访客", "申请加入")


def test_without_a_manager_the_admins_are_to_be_asked(tmp_path: Path) -> None:
    roster: dict[str, tuple[Role, ...]] = {"李组长": ("admin",), "小王": ("worker",)}
    town = Town(fresh_engine(f"sqlite:///{tmp_path}/town.db"), SLACK, roster=roster)
    town.say("李组长", "团队 设置 访客 关")
    assert "李组长" in Workspace(town).open_home("访客")
    town.close()


def test_of_several_teams_one_is_nobodys_guest(town: Town, slack: Workspace) -> None:
    town.say("周经理", "团队 新建 夜班组")
    page = slack.open_home("访客")
    assert "只对团队成员开放" in page
    assert "周经理" in page
    assert "[提问]" not in page
    assert "Q1" not in town.say("访客", "咨询 几点开门？"), "the page offers what is permitted"


def test_a_strangers_page_in_english(closed: Town, slack: Workspace) -> None:
    closed.say("访客", "language en")
    page = slack.open_home("访客")
    assert "only for the people of the team" in page
    assert "[Ask to join]" in page


def test_what_is_ones_own_is_counted_as_it_is_listed(town: Town, slack: Workspace) -> None:
    for number in (1, 2):
        town.say("访客", f"咨询 第 {number} 个问题", in_group=True)
        town.say("小王", f"认领 Q{number}")
    town.say("小王", "回复 Q1 好的")
    page = slack.open_home("小王")
    assert "Q2：访客在等你回复" in page
    assert "你名下有 1 个问题" in page
    town.say("小王", "language en")
    page = slack.open_home("小王")
    assert "Q2: 访客 is waiting for your answer" in page
    assert "Due 11:00" in page
    assert "One question is yours" in page
    town.say("小王", "回复 Q2 好的")
    assert "Nothing to do right now." in slack.open_home("小王")


# --- how often it is drawn -----------------------------------------------------------------------


def test_what_goes_on_and_on_is_drawn_meanwhile(town: Town, slack: Workspace) -> None:
    """Each change would put off the drawing for ever if it moved what is armed."""
    slack.open_home("小王")
    drawn = {slack.view("小王").hash}
    for number in range(6):
        town.say("小王", f"咨询 第 {number} 个问题")
        town.wait(seconds=1)
        drawn.add(slack.view("小王").hash)
    assert 3 <= len(drawn) <= 4
    town.wait(seconds=3)
    assert slack.home("小王").count("等待回复") == 6


def test_a_page_that_would_be_the_same_is_not_drawn(town: Town, slack: Workspace) -> None:
    slack.open_home("小王")
    slack.open_home("周经理")
    before = {name: slack.view(name).hash for name in ("小王", "周经理")}
    town.say("访客", "加入")
    town.wait(seconds=3)
    assert slack.view("周经理").hash != before["周经理"]
    assert slack.view("小王").hash == before["小王"]
    slack.open_home("小王")
    assert slack.view("小王").hash != before["小王"], "opening it always draws"


def test_the_same_page_in_another_language_is_another(closed: Town, slack: Workspace) -> None:
    slack.open_home("访客")
    closed.say("访客", "language en")
    closed.wait(seconds=3)
    assert "[Ask to join]" in slack.home("访客")


def test_only_what_stands_there_is_kept(town: Town, slack: Workspace) -> None:
    slack.open_home("小王")
    for words in ("签到", "休息", "回岗", "签退"):
        town.say("小王", words)
        town.wait(seconds=3)
    slack.open_home("小王")
    with town.uow() as uow:
        address = f"slack:page:{town.account('小王')}"
        rows = uow.session.execute(select(outbox).where(outbox.c.address == address)).all()
    assert [row.state for row in rows] == ["sent"]


def test_whoever_waits_for_a_page_comes_first(town: Town, slack: Workspace) -> None:
    def priority() -> int:
        with town.uow() as uow:
            address = f"slack:page:{town.account('小王')}"
            found = select(outbox.c.priority).where(outbox.c.address == address)
            return int(uow.session.scalars(found).one())

    slack.open_home("小王")
    assert priority() == PRIORITIES["person"]
    town.say("小王", "签到")
    town.wait(seconds=3)
    assert priority() == PRIORITIES["digest"]


def test_whoever_never_looked_has_none(town: Town, slack: Workspace) -> None:
    town.say("小王", "签到")
    town.wait(seconds=5)
    assert slack.cloud.workspace.homes == {}


def test_the_messages_tab_is_not_the_page(town: Town, slack: Workspace) -> None:
    slack.cloud.open_home(town.account("小王"), "messages")
    town.wait(seconds=3)
    assert slack.cloud.workspace.homes == {}


def test_what_others_wait_for_stands_on_a_leads_page(town: Town, slack: Workspace) -> None:
    slack.open_home("李组长")
    town.say("小王", "补卡 上班 8:30 忘带手机")
    town.wait(seconds=3)
    assert "C1" in slack.home("李组长")
    assert "忘带手机" in slack.home("李组长")
    slack.press_at_home("李组长", "通过")
    town.wait(seconds=3)
    assert "忘带手机" not in slack.home("李组长")


def test_wishes_to_join_stand_on_a_managers_page(town: Town, slack: Workspace) -> None:
    slack.open_home("周经理")
    slack.open_home("李组长")
    town.say("访客", "加入")
    town.wait(seconds=3)
    assert "J1" in slack.home("周经理")
    assert "J1" not in slack.home("李组长")


def test_what_nobody_has_claimed_stands_on_everybodys_page(town: Town, slack: Workspace) -> None:
    for name in ("小王", "小林"):
        slack.open_home(name)
    town.say("访客", "咨询 图书馆几点开门？", in_group=True)
    town.wait(seconds=3)
    assert "[认领]" in slack.home("小王")
    slack.press_at_home("小王", "认领")
    town.wait(seconds=3)
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


def test_a_tick_and_an_event_do_not_wait_for_each_other(postgres_url: str) -> None:
    """Whoever claims a query holds it and then arms the drawing of a page; a tick that fired both
    would hold the drawing and wait for the query.
    """
    town = Town(fresh_engine(postgres_url), SLACK)
    try:
        Workspace(town).open_home("小林")
        town.say("访客", "咨询 门打不开", in_group=True)
        town.wait(seconds=3)
        claimant = town.person_id("小林")
        town.clock.push_to(town.now + timedelta(hours=1))  # the first rung is due
        with town.uow() as uow:
            uow.timers.arm(REFRESH, f"person/{claimant}", "draw", town.now)
        ticking = threading.Thread(target=lambda: town.run(town.bot.dispatch.tick(town.now)))
        with town.uow() as uow:
            query = uow.queries.get(1)
            assert query is not None
            query.owner_id = claimant
            ticking.start()
            wait_until_held_up(town)
            outdated(uow, town.now)
        ticking.join(30)
        with town.uow() as uow:
            failed = uow.session.scalars(select(timers.c.kind).where(timers.c.attempts > 0)).all()
            assert failed == []
            assert uow.timers.overdue(town.now) == 0
        town.wait(seconds=3)
        assert "在等你回复" in Workspace(town).home("小林")
    finally:
        town.close()


def wait_until_held_up(town: Town) -> None:
    """Until some transaction waits for another's lock, ten seconds at most."""
    waiting = text("SELECT count(*) FROM pg_locks WHERE NOT granted")
    for _ in range(200):
        with Session(town.bot.engine) as session:
            if session.scalar(waiting):
                return
        time.sleep(0.05)
    raise AssertionError("nobody waits")
