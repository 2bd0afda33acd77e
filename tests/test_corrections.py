"""Corrections: asked with a reason, decided by somebody else, the old value kept."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy import select

from storage.tables import AuditEntry, Correction, Punch
from tests.attendance import clock, later, seen_at_work, state, worked
from tests.town import Town

# --- out without in -------------------------------------------------------------------------------


def test_out_without_in(town: Town) -> None:
    clock(town, 18)
    said = town.say("小王", "下班")
    assert "18:00 的签退记下了（C1），但找不到对应的签到" in said
    later(town, seconds=30)
    assert town.say("小王", "下班") == said
    assert "等小王补上班时间" in town.say("李组长", "通过 C1")
    if town.profile.capabilities.forms:
        town.press("小王", "fix", on="C1")
        said = town.fill("小王", time="9:30", reason="忘了签到")
    else:
        said = town.say("小王", "补卡 上班 9:30 忘了签到")
    assert "C1：补一次上班 09:30–18:00" in said
    assert re.search(r"原因[： \n]忘了签到", town.reads("李组长")[-1])
    town.press("李组长", "approve_correction", on="C1")
    assert (state(town), worked(town)) == ("confirmed", 510)
    assert "C1 已通过：H1 现在是 09:30–18:00。" in town.reads("小王")[-1]
    with town.uow() as uow:
        sources = uow.session.scalars(select(Punch.source).order_by(Punch.id)).all()
    assert sources == [town.platform, town.platform, "correction", "correction"]


def test_a_start_that_waits_meets_its_end(town: Town) -> None:
    later(town, hours=2)
    assert "C1：补一次上班，09:00 开始" in town.say("小王", "补卡 上班 9:00 忘了")
    clock(town, 18)
    said = town.say("小王", "下班")
    assert "18:00 下班，记下了" in said
    assert "C1（09:00 上班）" in said
    town.press("李组长", "approve_correction", on="C1")
    assert worked(town) == 540


def test_a_start_that_was_approved_is_an_open_session(town: Town) -> None:
    later(town, hours=2)
    town.say("小王", "补卡 上班 9:00 忘了")
    assert "H1 现在是 09:00 起" in town.say("李组长", "通过 C1")
    assert state(town) == "open"
    clock(town, 18)
    assert "这次上了 9 小时（H1）" in town.say("小王", "下班")


def test_a_start_that_was_approved_too_late_has_no_end(town: Town) -> None:
    later(town, hours=1)
    town.say("小王", "补卡 上班 9:00 忘了")
    later(town, days=1)
    assert "下班时间不明" in town.say("李组长", "通过 C1")
    assert state(town) == "provisional"


def test_a_whole_day_is_given_by_hand(town: Town) -> None:
    later(town, days=1)
    town.say("小王", "补卡 上班 11-23 9:00 手机坏了")
    assert "C1：补一次上班 11-23 09:00–18:00" in town.say("小王", "补卡 下班 11-23 18:00 手机坏了")
    assert "手机坏了" in "".join(town.reads("李组长"))
    town.say("李组长", "通过 C1")
    assert (state(town), worked(town)) == ("confirmed", 540)


# --- corrections ----------------------------------------------------------------------------------


def test_who_forgot_to_leave_may_start_again(town: Town) -> None:
    town.say("小王", "签到")
    clock(town, 14)
    said = town.say("小王", "补卡 下班 12:00 忘了签退")
    assert "C1：H1（09:00 上班）12:00 下班" in said
    assert state(town) == "provisional"
    assert "14:00 已签到（H2）" in town.say("小王", "签到")
    assert "C1 已通过：H1 现在是 09:00–12:00。" in town.say("李组长", "通过 C1")
    assert (state(town), worked(town)) == ("confirmed", 180)
    assert state(town, 2) == "open"


def test_a_rejected_end_goes_back_to_the_last_sign_of_work(town: Town) -> None:
    town.say("小王", "签到")
    clock(town, 11)
    seen_at_work(town, "小王")
    clock(town, 14)
    town.say("小王", "补卡 下班 13:00 忘了签退")
    assert worked(town) == 240
    town.reads("小王")
    if town.profile.capabilities.forms:
        town.press("李组长", "reject_correction", on="C1")
        town.fill("李组长", reason="11 点就走了")
    else:
        town.say("李组长", "驳回 C1 11 点就走了")
    [told] = town.reads("小王")
    assert "C1 没有通过：11 点就走了" in told
    assert "H1 现在是 09:00–11:00" in told
    assert (state(town), worked(town)) == ("provisional", 120)
    clock(town, 9)
    assert "H1 是这个时间下的班吗" in town.reads("小王")[-1]


def test_a_start_of_today(town: Town) -> None:
    later(town, hours=2)
    town.say("小王", "签到")
    assert "C1：H1 上班时间 11:00 改为 09:00" in town.say("小王", "补卡 上班 9:00 忘了签到")
    later(town, minutes=5)
    said = town.say("小王", "补卡 上班 9:30 刚才写错了")
    assert "C2：H1 上班时间 11:00 改为 09:30" in said
    assert "C1 已改成 C2" in town.say("李组长", "通过 C1")
    town.say("李组长", "通过 C2")
    clock(town, 18)
    assert "这次上了 8 小时 30 分钟" in town.say("小王", "下班")


def test_the_reason_is_private(town: Town) -> None:
    town.say("小王", "签到")
    clock(town, 14)
    town.group()
    town.say("小王", "补卡 下班 12:00 家里有急事", in_group=True)
    clock(town, 16)
    assert all("家里有急事" not in line for line in town.group())
    assert any("家里有急事" in line for line in town.reads("李组长"))
    assert all("C1" not in line for name in ("小林", "周经理") for line in town.reads(name))


def test_a_leads_own_correction_goes_to_the_manager(town: Town) -> None:
    town.say("李组长", "签到")
    clock(town, 14)
    assert "已发给 @周经理" in town.say("李组长", "补卡 下班 12:00 忘了签退")
    assert "要由别人处理" in town.say("李组长", "通过 C1")
    assert "要由别人处理" in town.say("李组长", "驳回 C1 算了")
    assert "C1 已通过" in town.press("周经理", "approve_correction", on="C1")


def test_nobody_else_may_decide(make_town: Callable[..., Town]) -> None:
    town = make_town(roster={"李组长": ("lead",), "小王": ("worker",)})
    town.say("李组长", "签到")
    clock(town, 14)
    assert "没有别人可以审批" in town.say("李组长", "补卡 下班 12:00 忘了签退")
    assert "通过" not in town.say("小王", "通过 C1")
    with town.uow() as uow:
        [waiting] = uow.session.scalars(select(Correction)).all()
        assert waiting.state == "waiting"


def test_deciding_twice(make_town: Callable[..., Town]) -> None:
    roster = {"李组长": ("lead",), "小林": ("lead",), "小王": ("worker",)}
    town = make_town(roster=roster)
    town.say("小王", "签到")
    clock(town, 14)
    town.say("小王", "补卡 下班 12:00 忘了签退")
    town.press("李组长", "approve_correction", on="C1")
    assert "李组长" in "".join(town.reads("小林"))
    for words in ("通过 C1", "驳回 C1 不对"):
        assert "李组长已在 14:00 通过 C1" in town.say("小林", words)
    town.say("小王", "补卡 下班 13:00 记错了")
    town.say("小林", "驳回 C2 没有人")
    assert "小林已在 14:00 驳回 C2" in town.say("李组长", "通过 C2")
    assert worked(town) == 180


def test_what_changed_meanwhile_is_refused(town: Town) -> None:
    town.say("小王", "签到")
    clock(town, 18)
    town.say("小王", "签退")
    town.say("小王", "补卡 下班 17:00 记错了")
    with town.uow() as uow:
        row = uow.attendance.session(1)
        assert row is not None
        row.ended_at = town.now - timedelta(minutes=30)
    said = town.say("李组长", "通过 C1")
    assert "C1 提交之后，H1 又有变动，现在是 09:00–17:30" in said
    assert worked(town) == 510


@pytest.mark.parametrize("unreadable", ["locked", "archived"])
def test_locked_is_locked(town: Town, unreadable: str) -> None:
    town.say("小王", "签到")
    clock(town, 18)
    town.say("小王", "签退")
    town.say("小王", "补卡 下班 17:00 记错了")
    with town.uow() as uow:
        row = uow.attendance.session(1)
        assert row is not None
        row.state = unreadable
    assert "H1 已锁定" in town.say("李组长", "通过 C1")
    assert "H1 已锁定" in town.say("小王", "补卡 上班 8:00 早到了")
    assert worked(town) == 540


def test_what_was_approved_has_to_be_approved_again(town: Town) -> None:
    town.say("小王", "签到")
    clock(town, 18)
    town.say("小王", "签退")
    with town.uow() as uow:
        row = uow.attendance.session(1)
        assert row is not None
        row.state = "approved"
    town.say("小王", "补卡 下班 17:00 记错了")
    town.say("李组长", "通过 C1")
    assert (state(town), worked(town)) == ("closed", 480)


REFUSALS = {
    "future": ("补卡 下班 11-23 19:00 提前走", "还没到"),
    "before the start": ("补卡 下班 8:30 记错了", "24 小时里没有签到"),
    "overlap": ("补卡 上班 11:45 记错了", "和 H1（09:00–12:00）的时间重叠"),
    "the same": ("补卡 下班 12:00 记错了", "本来就是这个时间下班"),
    "no reason": ("补卡 下班 11:00", "原因"),
    "no time": ("补卡 下班 忘了", "补卡 下班 18:00 忘了签退"),
    "no such session": ("确认 H9", "没有工时 H9"),
    "checked out": ("确认 H1", "有签退，不用确认"),
    "running": ("确认 H2", "还在上班"),
    "another number": ("确认 Q1", "确认 H3"),
}


@pytest.mark.parametrize(("words", "refusal"), REFUSALS.values(), ids=REFUSALS)
def test_refusals(town: Town, words: str, refusal: str) -> None:
    town.say("小王", "签到")
    clock(town, 12)
    town.say("小王", "签退")
    clock(town, 14)
    town.say("小王", "签到")
    clock(town, 18)
    assert refusal in town.say("小王", words)
    person_id = town.person_id("小王")
    with town.uow() as uow:
        assert uow.attendance.undecided(person_id) == []


def test_longer_than_a_day(town: Town) -> None:
    town.say("小王", "签到")
    later(town, days=2)
    assert "24 小时里没有签到" in town.say("小王", "补卡 下班 11-24 9:01 一直在上")
    assert "C1" in town.say("小王", "补卡 下班 11-24 9:00 一直在上")


def test_leads_are_not_rung_at_night(town: Town) -> None:
    town.say("小王", "签到")
    clock(town, 20)
    town.say("小王", "签退")
    clock(town, 23)
    town.reads("李组长")
    assert "C1" in town.say("小王", "补卡 下班 19:00 记错了")
    assert town.reads("李组长") == []
    clock(town, 7, 59)
    assert town.reads("李组长") == []
    clock(town, 8)
    [asked] = town.reads("李组长")
    assert "C1：小王申请补卡" in asked


def test_the_audit_log_holds_ids_only(town: Town) -> None:
    town.say("小王", "签到")
    clock(town, 14)
    town.say("小王", "补卡 下班 12:00 家里有急事")
    town.say("李组长", "通过 C1")
    with town.uow() as uow:
        rows = uow.session.scalars(select(AuditEntry).order_by(AuditEntry.seq)).all()
        found = [(one.action, one.subject) for one in rows if one.subject[0] in "HC"]
        assert found == [
            ("session.open", "H1"),
            ("session.provisional", "H1"),
            ("correction.asked", "C1"),
            ("session.confirmed", "H1"),
            ("correction.approved", "C1"),
        ]
        assert "急事" not in "".join(str(one.detail) for one in rows)


def test_in_english_too(town: Town) -> None:
    for name in ("小王", "李组长"):
        town.say(name, "language en")
    town.say("小王", "checkin")
    clock(town, 21, 15)
    assert "You checked in at 09:00 and have not checked out (H1)." in town.reads("小王")[-1]
    clock(town, 9)
    assert "When did H1 end?" in town.reads("小王")[-1]
    assert "fix out 11-23 18:00 forgot to check out" in town.say("小王", "confirm H1")
    said = town.say("小王", "fix out 11-23 18:00 phone was dead")
    assert "C1: H1, which began at 11-23 09:00, ends at 11-23 18:00" in said
    assert "C1: 小王 asks for a correction" in town.reads("李组长")[-1]
    assert "C1 is approved: H1 is now 11-23 09:00–18:00." in town.say("李组长", "approve C1")
    assert "Nobody is at work" in town.say("小王", "who")
    assert "H1 (11-23 09:00–18:00) is already confirmed." in town.say("小王", "confirm H1")


def test_a_start_given_twice_is_one_correction(town: Town) -> None:
    later(town, hours=10)
    town.say("小王", "补卡 上班 9:00 忘了")
    town.say("小王", "补卡 下班 18:00 忘了")
    said = town.say("小王", "补卡 上班 9:30 写错了")
    assert "C2：补一次上班 09:30–18:00" in said
    assert "C1 已改成 C2" in town.say("李组长", "通过 C1")
    town.say("李组长", "通过 C2")
    assert worked(town) == 510


def test_leads_of_another_team_do_not_decide(town: Town) -> None:
    town.say("小王", "签到")
    clock(town, 14)
    town.say("小王", "补卡 下班 12:00 忘了签退")
    person_id = town.person_id("小林")
    with town.uow() as uow:
        team = uow.teams.add("夜班", "zh_CN", "Asia/Shanghai", town.now)
        uow.people.grant(uow.people.get(person_id), "lead", team.id, None, town.now)
    town.say("小林", "切换团队 夜班")
    assert "要由所在团队的负责人处理" in town.say("小林", "通过 C1")
    assert state(town) == "provisional"
