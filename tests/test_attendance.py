"""Check-in as people talk about it: a day, breaks, who is on."""

from __future__ import annotations

import pytest
from sqlalchemy import func, select

from bot.messages import User
from storage.tables import Punch, WorkSession
from tests.attendance import clock, counted, later, session, state
from tests.clock import MORNING
from tests.town import Town


def test_a_day(town: Town) -> None:
    said = town.say("小王", "签到")
    assert "09:00 已签到（H1）" in said
    assert "我会记下" in said
    clock(town, 18)
    said = town.say("小王", "签退")
    assert "18:00 已签退，这次上了 9 小时（H1）。" in said
    assert "今天共 9 小时，本周共 9 小时。" in said
    assert counted(town, "小王").counted == 9 * 3600
    assert "我会记下" not in town.say("小王", "签到"), "the notice rides along once"


def test_a_day_in_english(town: Town) -> None:
    town.say("小王", "language en")
    said = town.say("小王", "checkin")
    assert "Checked in at 09:00 (H1)." in said
    assert "What I keep" in said
    clock(town, 12)
    assert "On a break since 12:00." in town.say("小王", "break")
    clock(town, 12, 45)
    assert "Back at 12:45, after a break of 45 min." in town.say("小王", "back")
    clock(town, 18)
    said = town.say("小王", "check out")
    assert "Checked out at 18:00: 8 h 15 min worked (H1)." in said
    assert "Breaks, not counted: 45 min." in said
    assert "Today: 8 h 15 min. This week: 8 h 15 min." in said


def test_the_same_tap_twice_is_one(town: Town) -> None:
    town.say("小王", "签到")
    later(town, seconds=40)
    assert "09:00 已签到（H1）" in town.say("小王", "上班")
    clock(town, 18)
    first = town.say("小王", "下班")
    later(town, seconds=60)
    assert town.say("小王", "签退") == first
    with town.uow() as uow:
        assert uow.session.scalar(select(func.count()).select_from(WorkSession)) == 1
        outcomes = uow.session.scalars(select(Punch.outcome).order_by(Punch.id)).all()
    assert outcomes == ["started", "repeated", "ended", "repeated"]


def test_in_while_in_says_since_when(town: Town) -> None:
    town.say("小王", "签到")
    later(town, hours=1)
    said = town.say("小王", "签到")
    assert "09:00 就签到了，正在上班（H1）" in said
    assert "已经上了 1 小时" in said
    assert session(town).started_at == MORNING
    assert "10:00 开始休息" in town.press("小王", "break", on="H1")


def test_a_break_ends_with_the_check_out(town: Town) -> None:
    town.say("小王", "签到")
    clock(town, 17)
    town.say("小王", "休息")
    later(town, minutes=10)
    assert "已经在休息了，17:00 开始的" in town.say("小王", "休息")
    clock(town, 18)
    said = town.say("小王", "签退")
    assert "这次上了 8 小时" in said
    assert "休息 1 小时" in said


def test_checking_in_during_a_break_ends_it(town: Town) -> None:
    town.say("小王", "签到")
    clock(town, 12)
    town.say("小王", "休息")
    clock(town, 13)
    assert "13:00 回岗，休息了 1 小时" in town.say("小王", "上班")
    clock(town, 18)
    assert "这次上了 8 小时" in town.say("小王", "下班")


def test_a_night_counts_for_the_day_it_began(town: Town) -> None:
    clock(town, 22)
    town.say("小王", "签到")
    clock(town, 6)
    said = town.say("小王", "签退")
    assert "算在 11-23：当天共 8 小时" in said
    assert session(town).work_date.isoformat() == "2026-11-23"


@pytest.mark.parametrize("words", ["休息", "回岗"])
def test_a_break_without_a_check_in(town: Town, words: str) -> None:
    assert "现在没有在上班" in town.say("小王", words)
    town.press("小王", "checkin", on="现在没有在上班")
    assert state(town) == "open"


def test_back_without_a_break_is_a_sign_of_work(town: Town) -> None:
    town.say("小王", "签到")
    later(town, hours=2)
    assert "09:00 起一直在岗（H1）" in town.say("小王", "回岗")
    assert session(town).evidence_at == town.now


def test_who_is_on(town: Town) -> None:
    assert "现在没有人在岗" in town.say("小林", "在岗")
    town.say("小王", "签到")
    later(town, minutes=30)
    town.say("小林", "签到")
    town.say("小王", "休息")
    said = town.say("李组长", "在岗", in_group=True)
    assert "在岗 1 人：\n小林，09:30 起" in said
    assert "休息中 1 人：\n小王，09:30 起" in said


def test_guests_do_not_check_in(town: Town) -> None:
    assert "H1" not in town.say("访客", "签到")


def test_many_at_work_are_read_page_by_page(town: Town) -> None:
    town.say("小王", "签到")
    with town.uow() as uow:
        team = uow.teams.first()
        for number in range(52):
            user = User(id=f"n{number}", name=f"新人{number:02}")
            person = uow.people.meet(town.platform, user, town.now)
            uow.attendance.add(
                WorkSession(
                    person_id=person.id,
                    team_id=team.id,
                    started_at=town.now,
                    work_date=town.now.date(),
                    zone=team.zone,
                )
            )
    first, second = town.say("李组长", "在岗"), town.say("李组长", "在岗 2")
    assert "第 1/2 页" in first
    assert "小王" in first
    assert "新人51" not in first
    assert "新人51" in second
    assert "小王" not in second
    assert "一共 2 页" in town.say("李组长", "在岗 3")
