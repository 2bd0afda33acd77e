"""When the month's calls run out: what goes on, what waits, who is told, and when it ends."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from prometheus_client import REGISTRY
from sqlalchemy.orm import Session

from adapters.dingtalk.adapter import DingtalkAdapter
from adapters.dingtalk.by_api import GROUP_SEND
from adapters.dingtalk.cards import CHANGE, CREATE
from adapters.dingtalk.doctor import SEND as TO_PEOPLE
from bot.operations import check_up
from bot.words import reader_for
from storage import migrate
from storage.calls import Calls
from storage.engine import make_engine
from tests.dingtalk_towns import Make, by, dingtalk_towns, metered, stage_of
from tests.platforms.dingtalk_model import shown
from tests.platforms.dingtalk_refusals import QUOTA
from tests.town import Town, make_settings

ASKED = "咨询 图书馆几点开门？"
NOVEMBER = "2026-11"
DECEMBER = datetime(2026, 11, 30, 16, 1, tzinfo=UTC)
"""In Shanghai."""


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    """Towns with a card template, with custom robots, or with neither."""
    with dingtalk_towns(tmp_path) as made:
        yield made


@pytest.fixture
def town(make: Make) -> Town:
    """What two values give: no template, no robot."""
    return make()


def use_up(town: Town) -> None:
    """From now on DingTalk takes no call that counts."""
    for path in (TO_PEOPLE, GROUP_SEND, CREATE, CHANGE):
        stage_of(town).api.fail(path, code=QUOTA, status=403, times=None)


def called(town: Town, times: int) -> None:
    """So often the organisation was called this month, and the bot has learned it."""
    with town.uow() as uow:
        uow.calls.add("dingtalk", NOVEMBER, {"api": times})
    town.run(stage_of(town).dingtalk.meter.look())


def said_since(town: Town, change: int) -> list[tuple[str, str]]:
    """To whom, by which way."""
    timeline = stage_of(town).org.timeline
    return [(one.to, one.via) for one in timeline if one.number > change]


# --- what goes on


def test_without_calls_answers_go_on_and_people_come_first(town: Town) -> None:
    stage = stage_of(town)
    town.say("访客", ASKED, in_group=True)
    use_up(town)
    town.wait(hours=2)
    assert stage.dingtalk.notice() is not None
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
    assert stage.dingtalk.notice() is None


def test_whoever_has_something_waiting_is_answered_too(town: Town) -> None:
    town.say("访客", ASKED, in_group=True)
    use_up(town)
    town.wait(hours=2)
    with town.uow() as uow:
        assert uow.outbox.waiting() > 2, "a lead's reminders, the group's, and the alarm"
    assert "11:00" in town.say("李组长", "签到")
    assert "李组长，11:00" in town.say("小王", "在岗", in_group=True)
    assert "超时" in town.say("周经理", "问题 超时")
    assert "归你了" in town.say("李组长", "认领 Q1", in_group=True)
    assert set(said_since(town, 0)) <= {
        (to, via) for to in ("li", "zhou", town.group_id) for via in ("session", "api")
    }


def test_what_waited_keeps_its_order_and_comes_once(town: Town) -> None:
    town.say("访客", ASKED, in_group=True)
    town.wait(minutes=5)
    town.say("访客", "咨询 几点关门？", in_group=True)
    use_up(town)
    town.wait(hours=2, minutes=10)
    town.say("李组长", "签到")
    before = stage_of(town).change
    stage_of(town).api.heal()
    town.wait(hours=2)
    told = [
        shown(one)
        for one in stage_of(town).org.timeline
        if one.number > before and (one.to, one.via) == ("li", "api")
    ]
    due = [line.partition("\n")[0] for line in told if "现在到期" in line]
    assert due == ["Q1 现在到期", "Q2 现在到期"]


def test_an_answer_with_buttons_goes_in_words(make: Make) -> None:
    town = make(cards=True)
    use_up(town)
    assert "Q1" in town.say("访客", ASKED, in_group=True)
    asked = town.say("小王", "明天谁上班")
    assert "发送：" in asked, "what would be a button is a line to type"
    assert "09:00" in town.say("小王", "签到")
    assert by(town, "card") == []


def test_a_custom_robot_speaks_for_nothing(make: Make) -> None:
    town = make(robots=["班组"])
    use_up(town)
    town.say("访客", ASKED, in_group=True)
    town.wait(hours=2)
    assert any("Q1" in shown(one) for one in by(town, "robot"))
    assert not [one for one in by(town, "api") if one.kind == "group"]


def test_readiness_tells_and_stays_green(town: Town) -> None:
    """Another server would hear no better, and this one hears everything."""
    use_up(town)
    town.say("访客", ASKED, in_group=True)
    town.wait(hours=2)
    assert stage_of(town).dingtalk.trouble() is None
    facts = town.run(town.bot.ready())
    assert facts["platforms"]["dingtalk"] == "the organisation's calls of this month are used up"


# --- when it ends


def test_a_no_to_one_person_shows_that_there_are_calls(town: Town) -> None:
    stage = stage_of(town)
    use_up(town)
    town.say("访客", ASKED, in_group=True)
    stage.api.heal()
    stage.api.fail(TO_PEOPLE, code="staffId.notExisted", status=400, times=None)
    town.wait(hours=1, minutes=2)
    assert stage.dingtalk.notice() is None
    assert [one for one in by(town, "api") if one.kind == "group"]


# --- the last calls


def test_the_last_calls_are_peoples(town: Town) -> None:
    stage = stage_of(town)
    called(town, 9_500)
    town.say("访客", ASKED, in_group=True)
    town.wait(hours=2)
    told = by(town, "api")
    assert {one.kind for one in told} == {"person"}
    assert "li" in {one.to for one in told}
    assert "groups and digests wait" in str(stage.dingtalk.notice())
    town.wait(days=1)
    assert not [one for one in by(town, "api") if "链头" in shown(one) or one.kind == "group"]
    town.wait_until(DECEMBER)
    assert [one for one in by(town, "api") if one.kind == "group"], "a new month has calls"


def test_few_calls_are_used_for_no_change_of_a_card(make: Make) -> None:
    town = make(cards=True)
    town.say("访客", ASKED, in_group=True)
    [card] = by(town, "card")
    called(town, 9_500)
    before = metered(town)
    assert "归你了" in town.say("小王", "认领 Q1", in_group=True)
    assert not card.changed
    assert metered(town) == before


def test_a_group_with_a_robot_does_without_the_last_calls(make: Make) -> None:
    town = make(robots=["班组"])
    called(town, 9_500)
    town.say("访客", ASKED, in_group=True)
    town.wait(minutes=1)
    [news] = by(town, "robot")
    assert "Q1" in shown(news)


# --- who is told


def alarms(town: Town) -> list[str]:
    return [line for line in town.reads("周经理") if "次数" in line]


def test_the_admins_are_told_before_the_end_and_once_a_month(town: Town) -> None:
    called(town, 8_000)
    town.wait(minutes=1)
    [told] = alarms(town)
    assert "80%" in told
    called(town, 1_500)
    town.wait(minutes=1)
    [told] = alarms(town)
    assert "95%" in told
    for _ in range(2):  # a restart, and another server
        town.run(stage_of(town).dingtalk.meter.stop())
        services = town.bot.services("dingtalk")
        town.run(stage_of(town).dingtalk.meter.start(services.called, services.alarm))
        town.wait(minutes=10)
    assert alarms(town) == []


def test_that_the_calls_are_gone_is_told_once(town: Town) -> None:
    town.say("访客", ASKED, in_group=True)
    use_up(town)
    services = town.bot.services("dingtalk")
    town.wait(hours=2)
    once = f"{stage_of(town).dingtalk.quota.spell}.10000"
    town.run(services.alarm("quota_gone", once))  # another server
    stage_of(town).api.heal()
    town.wait(hours=2)
    assert len([line for line in alarms(town) if "用完" in line]) == 1


# --- the account


def test_calls_are_counted_for_the_month(town: Town) -> None:
    town.say("访客", ASKED, in_group=True)
    town.wait(hours=2)
    stage = stage_of(town)
    town.run(stage.dingtalk.meter.hand_on())
    with town.uow() as uow:
        counted = uow.calls.of("dingtalk", NOVEMBER)
    assert counted["api"] == metered(town) > 0
    assert counted["session"] == len(by(town, "session")) > 0


def test_the_doctors_calls_are_counted(town: Town, tmp_path: Path) -> None:
    stage, url = stage_of(town), f"sqlite:///{tmp_path}/migrated.db"
    engine = make_engine(url)
    migrate.upgrade(engine)
    transport = httpx.ASGITransport(app=stage.api.application())
    adapter = DingtalkAdapter(stage.dingtalk.setup, town.clock.now, reader_for, transport=transport)
    town.run(check_up(make_settings(BANZHANG_DATABASE_URL=url), [adapter], town.now))
    with Session(engine) as session:
        assert Calls(session).of("dingtalk", NOVEMBER)["api"] == metered(town) == 1
    engine.dispose()


def gauge(kind: str) -> float | None:
    return REGISTRY.get_sample_value(
        "banzhang_platform_calls_this_month", {"platform": "dingtalk", "kind": kind}
    )


def test_what_is_shown_is_this_months(town: Town) -> None:
    called(town, 7)
    assert gauge("api") == 7, "though this process called nobody"
    services = town.bot.services("dingtalk")

    async def turn() -> None:
        await services.called(NOVEMBER, {"session": 1})
        await services.called("2026-12", {"api": 0})
        assert (gauge("api"), gauge("session")) == (0, 0), "the month has begun"
        await services.called(NOVEMBER, {"api": 3})
        assert gauge("api") == 0, "somebody handed the last of the old one on"

    town.run(turn())
