"""Teams: making and binding them, and what can be set."""

from __future__ import annotations

from collections.abc import Callable
from datetime import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from bot.commands import Request
from bot.messages import Chat, Refused
from handlers.people import teams
from handlers.people.policies import policies_of
from handlers.people.rules import SETTINGS, Setting, read_setting
from storage.tables.audit import AuditEntry
from storage.tables.teams import BoundGroup
from tests.accounts import make_manager
from tests.town import Town

# --- values --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("setting", "typed", "value"),
    [
        ("zone", "Asia/Shanghai", "Asia/Shanghai"),
        ("zone", "asia/shanghai", "Asia/Shanghai"),
        ("zone", "上海", "Asia/Shanghai"),
        ("zone", "北京", "Asia/Shanghai"),
        ("zone", "Berlin", "Europe/Berlin"),
        ("zone", "new york", "America/New_York"),
        ("zone", "UTC", "UTC"),
        ("language", "zh", "zh_CN"),
        ("language", "中文", "zh_CN"),
        ("language", "English", "en"),
        ("quiet", "22:00-8:00", (time(22), time(8))),
        ("quiet", "22-8", (time(22), time(8))),
        ("quiet", "22：00 — 07：30", (time(22), time(7, 30))),
        ("quiet", "23点到7点半", (time(23), time(7, 30))),
        ("quiet", "21点半至6点", (time(21, 30), time(6))),
        ("quiet", "22:00 to 24:00", (time(22), time(0))),
        ("quiet", "off", (time(0), time(0))),
        ("quiet", "关", (time(0), time(0))),
        ("guests", "on", True),
        ("guests", "开", True),
        ("guests", "关闭", False),
        ("approve_hours", "off", False),
        ("longest_day", "12", 12),
        ("longest_day", "10 h", 10),
        ("longest_day", "8小时", 8),
        ("budget", "6", 6),
        ("budget", "３次", 3),
    ],
)
def test_what_is_read(setting: Setting, typed: str, value: object) -> None:
    assert read_setting(setting, typed) == value


@pytest.mark.parametrize(
    ("setting", "typed"),
    [
        ("zone", "Mars"),
        ("zone", "UTC+8"),
        ("zone", "Etc/GMT+8"),
        ("zone", "+08:00"),
        ("zone", "../etc/passwd"),
        ("language", "fr"),
        ("quiet", "22:00"),
        ("quiet", "25-8"),
        ("quiet", "22:70-8:00"),
        ("quiet", "8:00-8:00"),
        ("quiet", "always"),
        ("guests", "perhaps"),
        ("approve_hours", "2"),
        ("longest_day", "0"),
        ("longest_day", "25"),
        ("longest_day", "12.5"),
        ("budget", "51"),
        ("budget", "-1"),
    ],
)
def test_what_is_refused(setting: Setting, typed: str) -> None:
    with pytest.raises(Refused) as refused:
        read_setting(setting, typed)
    assert refused.value.words.key == f"teams.bad_{setting}"
    assert refused.value.field == "value"


@given(st.sampled_from(SETTINGS), st.text(max_size=40))
def test_whatever_is_typed_is_read_or_refused(setting: Setting, typed: str) -> None:
    try:
        value = read_setting(setting, typed)
    except Refused:
        return
    assert value is not None


@given(st.times(), st.times())
def test_quiet_hours_are_read_as_they_are_shown(start: time, end: time) -> None:
    start, end = start.replace(second=0, microsecond=0), end.replace(second=0, microsecond=0)
    if start != end:
        assert read_setting("quiet", f"{start:%H:%M}-{end:%H:%M}") == (start, end)


# --- team set ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("typed", "answer"),
    [
        ("团队 设置 时区 东京", "“班组”的时区现在是：Asia/Tokyo（原来是：Asia/Shanghai）"),
        ("团队设置 静音 23:00-7:00", "“班组”的免打扰现在是：23:00-07:00（原来是：22:00-08:00）"),
        ("team set quiet off", "“班组”的免打扰现在是：无（原来是：22:00-08:00）"),
        ("team set guests off", "“班组”的访客现在是：关（原来是：开）"),
        ("team set longest-day 10", "“班组”的最长工时现在是：10 小时（原来是：12 小时）"),
        ("team set approve-hours off", "“班组”的工时审批现在是：关（原来是：开）"),
        ("团队 设置 提醒上限 3", "每人每天 3 条提醒"),
        ("团队 设置 语言 英文", "“班组”的语言现在是：英文（原来是：中文）"),
        ("团队 设置 访客 开", "访客本来就是：开"),
        ("team set hours always", "没看懂“hours”，这里可以写：时区"),
        ("team set zone Mars", "不认识时区“Mars”"),
        ("team set quiet 22:00", "例如：团队 设置 免打扰 22:00-8:00"),
    ],
)
def test_team_set(town: Town, typed: str, answer: str) -> None:
    town.say("周经理", "language zh")
    assert answer in town.say("周经理", typed)


def test_team_set_in_english(town: Town) -> None:
    town.say("周经理", "language en")
    said = town.say("周经理", "team set longest-day 10")
    assert said == "班组: longest-day is now 10 h (before: 12 h)"
    assert "time zone I know" in town.say("周经理", "团队 设置 时区 火星")


def test_a_setting_takes_effect_and_is_audited(town: Town) -> None:
    town.say("周经理", "团队 设置 免打扰 23:00-7:00")
    town.say("周经理", "团队 设置 免打扰 23:00-7:00")
    town.say("周经理", "团队 设置 提醒上限 3")
    with town.uow() as uow:
        policies = policies_of(uow.teams.first())
        assert (policies.quiet.start, policies.quiet.end) == (time(23), time(7))
        assert policies.reminder_budget == 3
        rows = uow.session.scalars(select(AuditEntry).where(AuditEntry.action == "team.set")).all()
        assert [row.detail for row in rows] == [
            {"setting": "quiet", "old": "22:00-08:00", "new": "23:00-07:00"},
            {"setting": "budget", "old": "6", "new": "3"},
        ]


def test_what_is_missing_is_asked_for(town: Town) -> None:
    town.say("周经理", "团队 设置")
    assert "访客现在是：关" in town.fill("周经理", setting="guests", value="off")
    assert "访客：关" in town.say("周经理", "团队")


def test_a_wrong_value_in_a_form_is_said_and_nothing_is_stored(town: Town) -> None:
    town.say("周经理", "团队 设置")
    assert "不认识时区“火星”" in town.fill("周经理", setting="zone", value="火星")
    with town.uow() as uow:
        assert uow.teams.first().zone == "Asia/Shanghai"


@pytest.mark.parametrize("name", ["李组长", "小王"])
def test_others_set_nothing(town: Town, name: str) -> None:
    assert "经理 / 管理员" in town.say(name, "团队 设置 访客 关")


# --- several teams -------------------------------------------------------------------------------


def test_the_team_at_a_glance(town: Town) -> None:
    said = town.say("小王", "团队")
    assert "班组：名单上有 5 人" in said
    assert "主群：班组群" in said
    assert "免打扰：22:00-08:00" in said
    assert "你：兼职" in said
    town.say("小王", "language en")
    assert "approve-hours: on" in town.say("小王", "team")


def test_a_new_team(town: Town) -> None:
    said = town.say("周经理", "团队 新建 夜班组")
    assert "团队 绑定 夜班组" in said
    assert "人员 添加 @小李 经理 团队 夜班组" in said
    assert "团队 绑定 班组" in said
    assert "已经有叫“夜班组”" in town.say("周经理", "团队 新建 夜班 组")
    assert "已经有叫" in town.say("周经理", "team new 班组")
    assert "1 到 40" in town.say("周经理", "团队 新建 " + "长" * 41)
    assert "没有叫“早班组”" in town.say("周经理", "团队 使用 早班组")


def test_a_manager_who_makes_a_team_manages_it_and_no_other(town: Town) -> None:
    make_manager(town, "李组长")
    town.say("周经理", "团队 新建 早班组")
    assert "你是它的经理" in town.say("李组长", "团队 新建 夜班组")
    assert "小陈现在是“夜班组”的组长" in town.say("李组长", "人员 添加 @小陈 组长 团队 夜班组")
    assert "只有“早班组”的经理或管理员" in town.say("李组长", "人员 添加 @小陈 组长 团队 早班组")
    assert "没有叫“早班组”" in town.say("李组长", "团队 使用 早班组")


def test_which_team_a_direct_message_is_about(town: Town) -> None:
    town.say("周经理", "团队 新建 夜班组")
    assert town.say("小王", "团队").startswith("班组：")
    town.say("周经理", "人员 添加 @小王 团队 夜班组")
    assert "团队 使用" in town.say("小王", "团队")
    assert "夜班组" in town.say("小王", "团队 使用 夜班组")
    assert town.say("小王", "团队").startswith("夜班组：名单上有 1 人")
    assert "没有叫“夜班组”" in town.say("小林", "团队 使用 夜班组")


def test_an_admin_may_look_at_any_team(town: Town) -> None:
    town.say("周经理", "团队 新建 夜班组")
    assert "夜班组" in town.say("周经理", "团队 使用 夜班组")
    assert "夜班组" in town.say("周经理", "团队 设置 时区 东京")
    assert town.say("周经理", "人员").startswith("夜班组")


# --- groups --------------------------------------------------------------------------------------


def homes(town: Town) -> dict[str, str]:
    """Which team is at home in which group."""
    with town.uow() as uow:
        rows = uow.session.scalars(select(BoundGroup).where(BoundGroup.home)).all()
        return {row.chat_id: uow.teams.get(row.team_id).name for row in rows}


def test_a_group_is_bound(make_town: Callable[..., Town]) -> None:
    town = make_town(home=False)
    assert "到群里发" in town.say("周经理", "团队")
    assert "主群" in town.say("周经理", "团队 绑定", in_group=True)
    assert homes(town) == {town.group_id: "班组"}
    assert "已经是“班组”的主群" in town.say("周经理", "team here", in_group=True)
    assert "没有叫“夜班组”" in town.say("周经理", "团队 绑定 夜班组", in_group=True)


def test_binding_is_said_in_the_group_itself(town: Town) -> None:
    assert "请到要绑定的群里发：团队 绑定 班组" in town.say("周经理", "团队 绑定 班组")
    town.say("周经理", "language en")
    assert "in the group" in town.say("周经理", "team here")


def test_a_group_changes_hands(town: Town) -> None:
    town.say("周经理", "团队 新建 夜班组")
    said = town.say("周经理", "团队 绑定 夜班组", in_group=True)
    assert "它原来属于“班组”" in said
    assert homes(town) == {town.group_id: "夜班组"}
    assert "夜班组：名单上有 0 人" in town.say("周经理", "团队", in_group=True)


def test_nobody_takes_another_teams_group(town: Town) -> None:
    town.say("周经理", "团队 新建 夜班组")
    town.say("周经理", "人员 添加 @小陈 经理 团队 夜班组")
    said = town.say("小陈", "团队 绑定 夜班组", in_group=True)
    assert "只有“班组”的经理或管理员" in said
    make_manager(town, "李组长")
    said = town.say("李组长", "团队 绑定 夜班组", in_group=True)
    assert "只有“夜班组”的经理或管理员" in said
    assert homes(town) == {town.group_id: "班组"}


def test_the_group_asks_for_both_teams_whoever_let_the_command_in(town: Town) -> None:
    with town.uow() as uow:
        night = uow.teams.add("夜班组", "zh_CN", "Asia/Shanghai", town.now)
        person = uow.people.find(town.platform, town.account("小陈"))
        assert person is not None
        uow.people.grant(person, "manager", night.id, None, town.now)
        request = Request(
            person=person,
            team=None,
            roles=frozenset(("manager",)),
            chat=Chat(kind="group", id=town.group_id),
            platform=town.platform,
            event_key="1",
            at=town.now,
            now=town.now,
            arguments={"name": "夜班组"},
        )
        with pytest.raises(Refused) as refused:
            teams.here(request, uow)
    assert refused.value.words.params["team"] == "班组"


def test_the_newest_group_is_the_home(town: Town) -> None:
    with town.uow() as uow:
        uow.teams.bind(uow.teams.first(), town.platform, "another-group", "二群", town.now)
    assert homes(town) == {"another-group": "班组"}
    said = town.say("周经理", "团队 绑定", in_group=True)
    assert "原来的主群不再收到" in said
    assert homes(town) == {town.group_id: "班组"}


def test_a_group_that_belongs_to_nobody(make_town: Callable[..., Any]) -> None:
    town = make_town(home=False)
    town.say("周经理", "团队 新建 夜班组")
    assert "哪个团队" in town.say("周经理", "团队 绑定", in_group=True)
    assert "主群" in town.say("周经理", "团队 绑定 夜班组", in_group=True)
