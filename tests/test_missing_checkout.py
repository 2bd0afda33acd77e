"""Nobody checked out: reminders, a provisional end, and whose word makes it count."""

from __future__ import annotations

from datetime import time, timedelta

from sqlalchemy import select

from handlers.attendance import hours, sessions
from handlers.people.policies import Policies, Quiet, store_policies
from storage.tables import Reminder
from tests.attendance import clock, counted, forgotten, later, seen_at_work, state, worked
from tests.town import Town

# --- a check-out is missing -----------------------------------------------------------------------


def test_reminders_then_a_provisional_end_then_the_workers_word(town: Town) -> None:
    town.say("小王", "签到")
    clock(town, 17, 30)
    seen_at_work(town, "小王")
    clock(town, 21, 14)
    assert len(town.reads("小王")) == 1, "nothing yet but the answer"
    clock(town, 21, 15)
    [asked] = town.reads("小王")
    assert "09:00 签到后还没有签退（H1）" in asked
    assert "12 小时 15 分钟" in asked
    clock(town, 22, 59)
    # The second one would come at night, and the worker may well be asleep.
    assert town.reads("小王") == []
    assert state(town) == "open"
    clock(town, 23)
    assert state(town) == "provisional"
    assert worked(town) == 8 * 60 + 30
    assert counted(town, "小王") == hours.Hours(counted=0, provisional=30_600)
    clock(town, 8, 59)
    assert town.reads("小王") == []
    clock(town, 9)
    [asked] = town.reads("小王")
    assert "H1 是这个时间下的班吗" in asked
    assert "17:30" in asked
    assert "H1 已确认：11-23 09:00–17:30，共 8 小时 30 分钟。" in town.press(
        "小王", "confirm_session", on="H1"
    )
    assert counted(town, "小王") == hours.Hours(counted=30_600)
    assert "已经确认过了" in town.say("小王", "确认 H1")
    town.reads("小王")
    later(town, days=4)
    assert town.reads("小王") == []


def test_both_reminders_by_day(town: Town) -> None:
    with town.uow() as uow:
        team = uow.teams.first()
        store_policies(team, Policies(longest_day_hours=8))
    town.say("小王", "签到")
    town.reads("小王")
    clock(town, 17, 15)
    assert len(town.reads("小王")) == 1
    clock(town, 18)
    assert len(town.reads("小王")) == 1
    clock(town, 18, 30)
    assert "18:30 已签退" in town.press("小王", "checkout", on="还没有签退")
    later(town, days=1)
    assert state(town) == "closed"
    with town.uow() as uow:
        done = {one.step: one.outcome for one in uow.session.scalars(select(Reminder))}
    assert done == {"overlong/15m": "told", "overlong/60m": "told"}


def test_still_at_work(town: Town) -> None:
    town.say("小王", "签到")
    clock(town, 21, 15)
    assert "一直在岗" in town.press("小王", "back", on="还没有签退")
    clock(town, 23, 10)
    assert state(town) == "open", "two hours from when they were seen"
    assert "14 小时 10 分钟" in town.say("小王", "签退")


def test_a_night_worker_who_was_just_seen_is_rung(town: Town) -> None:
    clock(town, 14)
    town.say("小王", "签到")
    town.say("小林", "签到")
    clock(town, 1)
    seen_at_work(town, "小王")
    town.reads("小王")
    town.reads("小林")
    clock(town, 2, 15)
    assert len(town.reads("小王")) == 1
    assert town.reads("小林") == []


def test_without_a_sign_of_work_the_worker_says_when(town: Town) -> None:
    town.say("小王", "签到")
    clock(town, 23)
    assert (state(town), worked(town)) == ("provisional", None)
    town.reads("小王")
    clock(town, 9)
    [asked] = town.reads("小王")
    assert "H1 是几点下的班" in asked
    assert "补卡 下班 11-23 18:00 原因" in asked
    assert "补卡 下班 11-23 18:00 忘了签退" in town.say("小王", "确认 H1")
    said = town.say("小王", "补卡 下班 11-23 18:00 手机没电了")
    assert "C1：H1（11-23 09:00 上班）11-23 18:00 下班" in said
    assert "已发给 @李组长" in said
    assert "C1" in town.say("小王", "确认 H1"), "the correction decides"
    assert "C1 已通过：H1 现在是 11-23 09:00–18:00。" in town.press(
        "李组长", "approve_correction", on="C1"
    )
    assert (state(town), worked(town)) == ("confirmed", 540)


def test_the_leads_after_two_days(town: Town) -> None:
    forgotten(town)
    clock(town, 9)
    assert len(town.reads("小王")) == 1
    later(town, days=1)
    assert len(town.reads("小王")) == 1
    assert "先等小王本人确认" in town.say("李组长", "确认 H1")
    assert "要由本人或所在团队的负责人确认" in town.say("小林", "确认 H1")
    town.reads("李组长")
    later(town, days=1)
    [asked] = town.reads("李组长")
    assert "H1：小王还没确认下班时间" in asked
    assert "8 小时 30 分钟" in asked
    assert town.reads("小王") == []
    assert "H1 已确认" in town.press("李组长", "confirm_session", on="H1")
    [told] = town.reads("小王")
    assert "李组长替你确认了 H1：11-23 09:00–17:30" in told
    assert counted(town, "小王").counted == 30_600


def test_a_lead_names_the_end_that_nobody_knows(town: Town) -> None:
    town.say("小王", "签到")
    later(town, days=3, hours=1)
    assert "确认 H1 11-23 18:00" in town.reads("李组长")[-1]
    assert "确认 H1 11-23 18:00" in town.say("李组长", "确认 H1")
    assert "晚于" in town.say("李组长", "确认 H1 11-23 8:00")
    assert "超过 24 小时" in town.say("李组长", "确认 H1 11-24 9:01")
    assert "H1 已确认：11-23 09:00–18:00" in town.say("李组长", "确认 H1 11-23 18:00")
    assert worked(town) == 540


def test_the_next_mornings_tap_begins_a_new_day(town: Town) -> None:
    forgotten(town)
    clock(town, 8, 30)
    said = town.say("小王", "签到")
    assert "08:30 已签到（H2）" in said
    clock(town, 17)
    said = town.say("小王", "下班")
    assert "这次上了 8 小时 30 分钟（H2）" in said
    assert "H1" in said, "what waits for a word is named"
    assert (state(town, 1), state(town, 2)) == ("provisional", "closed")


def test_in_after_six_quiet_hours(town: Town) -> None:
    town.say("小王", "签到")
    clock(town, 12)
    seen_at_work(town, "小王")
    clock(town, 18, 1)
    said = town.say("小王", "签到")
    assert "18:01 已签到（H2）" in said
    assert "H1（09:00 上班）没有签退，先按最后有动静的 12:00 算下班" in said
    later(town, seconds=30)
    assert town.say("小王", "签到") == said
    assert worked(town) == 180


def test_out_after_the_provisional_end(town: Town) -> None:
    forgotten(town)
    later(town, minutes=30)
    said = town.say("小王", "下班")
    assert "H1 已经先按下班算了" in said
    assert "17:30" in said
    assert state(town) == "provisional"
    if town.profile.capabilities.forms:
        town.press("小王", "23:30 才下班")
        said = town.fill("小王", reason="盘点到很晚")
    else:
        said = town.say("小王", "补卡 下班 23:30 盘点到很晚")
    assert "C1：H1 下班时间 17:30 改为 23:30" in said
    clock(town, 8)
    assert "23:30" in town.reads("李组长")[-1]


def test_somebody_leaves(town: Town) -> None:
    town.say("小王", "签到")
    clock(town, 12)
    person_id = town.person_id("小王")
    with town.uow() as uow:
        row = sessions.end_for_leaver(uow, person_id, now=town.now, actor_id=None)
        assert row is not None
        assert sessions.end_for_leaver(uow, person_id, now=town.now, actor_id=None) is None
    assert state(town) == "provisional"


# --- what may come between ------------------------------------------------------------------------


def test_the_longest_day_is_changed_meanwhile(town: Town) -> None:
    town.say("小王", "签到")
    town.reads("小王")
    with town.uow() as uow:
        store_policies(uow.teams.first(), Policies(longest_day_hours=13))
    clock(town, 21, 59)
    assert town.reads("小王") == []
    with town.uow() as uow:
        store_policies(uow.teams.first(), Policies(longest_day_hours=8))
    clock(town, 22, 15)
    assert state(town) == "provisional", "ten hours and more are long over"


def test_an_earlier_start_moves_the_reminders(town: Town) -> None:
    later(town, hours=1)
    town.say("小王", "签到")
    town.say("小王", "补卡 上班 9:00 忘了签到")
    town.say("李组长", "通过 C1")
    town.reads("小王")
    clock(town, 21, 14)
    assert town.reads("小王") == []
    clock(town, 21, 15)
    assert len(town.reads("小王")) == 1
    clock(town, 21, 45)
    assert town.reads("小王") == [], "not once more for the old start"


def test_a_correction_goes_before_the_question(town: Town) -> None:
    town.say("小王", "签到")
    clock(town, 14)
    town.say("小王", "补卡 下班 12:00 忘了签退")
    town.reads("小王")
    clock(town, 10)
    assert town.reads("小王") == [], "a lead decides, the worker has said what they know"
    town.say("李组长", "驳回 C1 那天你 10 点走的")
    town.reads("小王")
    clock(town, 9)
    assert len(town.reads("小王")) == 1


def test_who_has_left_is_not_asked(town: Town) -> None:
    forgotten(town)
    person_id = town.person_id("小王")
    with town.uow() as uow:
        uow.people.get(person_id).state = "left"
    town.reads("李组长")
    later(town, days=3)
    assert town.reads("小王") == []
    assert len(town.reads("李组长")) == 1
    assert "H1 已确认" in town.say("李组长", "确认 H1")


def test_long_quiet_hours_put_the_question_off(town: Town) -> None:
    with town.uow() as uow:
        quiet = Quiet(start=time(22), end=time(10, 30))
        store_policies(uow.teams.first(), Policies(quiet=quiet))
    forgotten(town)
    clock(town, 10, 29)
    assert town.reads("小王") == []
    clock(town, 10, 30)
    assert len(town.reads("小王")) == 1


def test_a_sign_of_work_that_comes_too_late_opens_nothing(town: Town) -> None:
    town.say("小王", "签到")
    town.clock.push_to(town.now + timedelta(hours=15))  # nothing has ticked since
    seen_at_work(town, "小王")
    assert (state(town), worked(town)) == ("provisional", None)
    assert "H1" in town.say("小王", "下班")


def test_what_a_worker_cannot_confirm(town: Town) -> None:
    forgotten(town)
    assert "补卡 下班 18:00 原因" in town.say("小王", "确认 H1 18:00")
    later(town, days=2)
    assert "已有下班时间（11-23 09:00–17:30）" in town.say("李组长", "确认 H1 11-23 18:00")
    assert state(town) == "provisional"
    assert "没有补卡 C9" in town.say("李组长", "通过 C9")
