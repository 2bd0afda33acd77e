"""The roster, leaving, one's own page; and the table of who may grant what."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Table, select

from bot.messages import ROLES, Role, User
from handlers.people.rules import GRANTS, RANKING, grantable, may_grant, may_remove
from storage.personal import ABOUT, kept_about
from storage.tables import Base
from storage.tables.audit import AuditEntry
from tests.accounts import introduce, make_manager, roles_of
from tests.town import Town

# --- who may grant what --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("giver", "may"),
    [
        ("outsider", set()),
        ("guest", set()),
        ("worker", set()),
        ("lead", set()),
        ("finance", set()),
        ("manager", {"worker", "lead"}),
        ("admin", {"worker", "lead", "manager", "finance", "admin"}),
    ],
)
def test_who_may_grant_what(giver: Role, may: set[Role]) -> None:
    for role in ROLES:
        assert may_grant(frozenset((giver,)), role, oneself=False) is (role in may)
        assert not may_grant(frozenset((giver,)), role, oneself=True)


def test_who_may_remove_whom() -> None:
    manager, admin = frozenset[Role](("manager",)), frozenset[Role](("admin",))
    worker, both = frozenset[Role](("worker",)), frozenset[Role](("worker", "finance"))
    assert may_remove(manager, worker, oneself=False)
    assert not may_remove(manager, both, oneself=False)
    assert not may_remove(manager, manager, oneself=False)
    assert may_remove(admin, both | admin, oneself=False)
    assert not may_remove(admin, admin, oneself=True)


@given(st.frozensets(st.sampled_from(ROLES)))
def test_several_roles_give_what_each_gives(roles: frozenset[Role]) -> None:
    assert grantable(roles) == {role for one in roles for role in GRANTS.get(one, ())}
    assert grantable(roles) <= set(RANKING)


# --- staff add -----------------------------------------------------------------------------------


def test_a_manager_adds_somebody_who_is_told_what_they_can_do(town: Town) -> None:
    introduce(town, "访客")
    assert town.say("周经理", "人员 添加 @访客") == "访客现在是“班组”的兼职，已经通知本人。"
    (told,) = town.reads("访客")
    assert "你现在是“班组”的兼职" in told
    assert "签到" in told
    assert roles_of(town, "访客") == {"worker"}


def test_the_new_one_is_told_in_their_language(town: Town) -> None:
    town.say("访客", "language en")
    town.reads("访客")
    town.say("周经理", "staff add @访客 worker lead")
    (told,) = town.reads("访客")
    assert told.startswith("Your role in 班组 is now: lead / worker.")
    assert "claim Q1" in told
    assert "checkin" in told


def test_in_a_group_too(town: Town) -> None:
    introduce(town, "访客")
    assert "访客" in town.say("周经理", "人员 添加 @访客 组长", in_group=True)
    assert roles_of(town, "访客") == {"lead"}


def test_who_has_the_role_already(town: Town) -> None:
    assert town.say("周经理", "人员 添加 @小王") == "小王本来就是“班组”的兼职。"
    said = town.say("周经理", "人员 添加 @小王 兼职 组长")
    assert said == "小王现在是“班组”的组长，已经通知本人。\n小王本来就是“班组”的兼职。"


def test_several_at_once(town: Town) -> None:
    said = town.say("周经理", "人员 添加 @小王 @小林 组长")
    assert said.count("组长") == 2
    assert roles_of(town, "小林") == {"worker", "lead"}


def test_nobody_the_bot_knows(town: Town) -> None:
    said = town.say("周经理", "人员 添加 没这个人")
    assert "还不认识“没这个人”" in said
    assert "私聊我发“加入”" in said
    assert "没这个人" in town.say("周经理", "人员 移除 没这个人")


@pytest.mark.parametrize("name", ["李组长", "小王", "访客"])
def test_others_add_nobody(town: Town, name: str) -> None:
    said = town.say(name, "人员 添加 @小陈 组长")
    assert "经理" in said
    assert roles_of(town, "小陈") == {"worker"}


@pytest.mark.parametrize("role", ["经理", "财务", "管理员"])
def test_a_manager_gives_worker_and_lead_only(town: Town, role: str) -> None:
    make_manager(town, "李组长")
    said = town.say("李组长", f"人员 添加 @小陈 {role}")
    assert f"不能给“{role}”" in said
    assert "组长 / 兼职" in said
    assert roles_of(town, "小陈") == {"worker"}


def test_nobody_changes_their_own_roles(town: Town) -> None:
    assert "自己的角色" in town.say("周经理", "人员 添加 @周经理 财务")
    town.say("周经理", "language en")
    assert town.say("周经理", "staff add @周经理 @小王 finance").startswith("You cannot change")
    assert roles_of(town, "周经理") == {"admin", "manager"}
    assert roles_of(town, "小王") == {"worker"}


def test_a_role_is_written_into_the_audit_log(town: Town) -> None:
    introduce(town, "访客")
    town.say("周经理", "人员 添加 @访客 组长")
    manager, guest = town.person_id("周经理"), town.person_id("访客")
    with town.uow() as uow:
        entry = uow.session.scalars(
            select(AuditEntry)
            .where(AuditEntry.action == "role.grant")
            .order_by(AuditEntry.seq.desc())
        ).first()
        assert entry is not None
        assert entry.actor_id == manager
        assert entry.subject == f"person/{guest}"
        assert entry.detail["role"] == "lead"


# --- staff list ----------------------------------------------------------------------------------


def test_the_list_is_by_role(town: Town) -> None:
    said = town.say("李组长", "人员")
    assert said.splitlines()[0] == "班组：5 人"
    assert "管理员：周经理（经理）" in said
    assert "组长：李组长" in said
    town.say("李组长", "language en")
    assert "lead: 李组长" in town.say("李组长", "staff list")


def test_a_long_list_has_pages(town: Town) -> None:
    with town.uow() as uow:
        team = uow.teams.first()
        for number in range(60):
            user = User(id=f"n{number}", name=f"新人{number:02}")
            uow.people.grant(
                uow.people.meet(town.platform, user, town.now), "worker", team.id, None, town.now
            )
    first, second = town.say("周经理", "人员"), town.say("周经理", "人员 名单 2")
    assert "班组：65 人" in first
    assert "第 1/2 页" in first
    assert "新人59" not in first
    assert "新人59" in second
    assert "周经理" not in second
    assert "一共 2 页" in town.say("周经理", "人员 名单 9")


# --- leaving -------------------------------------------------------------------------------------


def test_who_leaves_loses_the_roles_at_once(town: Town) -> None:
    said = town.say("周经理", "人员 移除 @小王")
    assert said == "小王已移出名单（原角色：兼职）。"
    assert roles_of(town, "小王") == set()
    assert "你已不在“班组”的名单里" in town.reads("小王")[-1]
    assert "只对团队成员开放" in town.say("小王", "签到")
    assert "小王" not in town.say("周经理", "人员")


def test_the_open_session_gets_a_provisional_end(town: Town) -> None:
    town.say("小王", "签到")
    assert "H1" in town.say("周经理", "人员 移除 @小王")
    with town.uow() as uow:
        row = uow.attendance.peek(1)
        assert row is not None
        assert row.state == "provisional"
    assert "H1" in town.reads("小王")[-1]


def test_their_queries_are_open_to_all_again(town: Town) -> None:
    town.say("访客", "咨询 几点上班？", in_group=True)
    town.say("小王", "认领 Q1")
    town.group()
    assert "Q1" in town.say("周经理", "人员 移除 @小王")
    (*_edited, card) = town.group()
    assert "Q1 · 新问题" in card
    with town.uow() as uow:
        query = uow.queries.peek(1)
        assert query is not None
        assert query.owner_id is None
        assert query.due_at is not None
    assert "离开团队" in town.say("李组长", "查看 Q1")
    assert "Q1" in town.say("李组长", "认领 Q1")


def test_the_other_managers_are_told(town: Town) -> None:
    make_manager(town, "李组长")
    town.say("李组长", "人员 移除 @小王")
    (told,) = [one for one in town.reads("周经理") if "有人离开" in one]
    assert "小王已移出名单" in told


def test_who_cannot_be_removed(town: Town) -> None:
    introduce(town, "访客")
    make_manager(town, "李组长")
    assert "不能把自己移除" in town.say("李组长", "人员 移除 @李组长")
    assert "只有管理员能移除" in town.say("李组长", "人员 移除 @周经理")
    # Where mentions are text, only names of the team are known.
    said = town.say("李组长", "人员 移除 @访客")
    assert "不在“班组”的名单里" in said or "没有叫“访客”的人" in said
    assert roles_of(town, "周经理") == {"admin", "manager"}


def test_all_or_nobody(town: Town) -> None:
    introduce(town, "访客")
    assert "访客" in town.say("周经理", "人员 移除 @小王 @访客")
    assert roles_of(town, "小王") == {"worker"}


def test_the_last_admin_stays(town: Town) -> None:
    town.say("周经理", "人员 添加 @小王 管理员")
    assert "移出名单" in town.say("小王", "人员 移除 @周经理")
    assert "最后一位管理员" in town.say("小王", "人员 移除 @小王")
    with town.uow() as uow:
        assert [one.name for one in uow.people.holders("admin", None)] == ["小王"]


def test_coming_back_restores_the_same_person(town: Town) -> None:
    before = town.person_id("小王")
    town.say("周经理", "人员 移除 @小王")
    town.say("周经理", "人员 添加 @小王")
    assert town.person_id("小王") == before
    assert "签到" in town.say("小王", "签到")


# --- oneself -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("typed", "answer"),
    [
        ("language en", "From now on I speak English with you."),
        ("语言 英文", "From now on I speak English with you."),
        ("language English", "From now on I speak English with you."),
        ("语言 中文", "好的，以后跟你说中文。"),
        ("language zh", "好的，以后跟你说中文。"),
    ],
)
def test_language(town: Town, typed: str, answer: str) -> None:
    assert town.say("小王", typed) == answer
    assert town.say("小王", "我").startswith("小王")


def test_a_language_nobody_speaks(town: Town) -> None:
    assert "中文" in town.say("小王", "语言 法语")


def test_the_language_is_asked_for(town: Town) -> None:
    town.say("小王", "语言")
    assert town.fill("小王", language="en") == "From now on I speak English with you."


def test_me(town: Town) -> None:
    town.say("小王", "签到")
    town.say("访客", "咨询 几点？", in_group=True)
    town.say("小王", "认领 Q1")
    town.wait(minutes=90)
    said = town.say("小王", "我")
    assert "班组：兼职" in said
    assert "1 小时 30 分钟" in said
    assert "H1" in said
    assert "Q1" in said
    assert "Asia/Shanghai" in said
    assert len(said.splitlines()) <= 8
    town.say("小王", "language en")
    assert "Today: 1 h 30 min" in town.say("小王", "me")


def test_me_is_for_nobody_else_to_read(town: Town) -> None:
    town.say("小王", "我", in_group=True)
    assert not any("今天：" in one for one in town.group())


def test_a_guest_has_no_page(town: Town) -> None:
    assert "只对团队成员开放" in town.say("访客", "我")


def test_a_stranger_reads_whom_to_ask_and_nothing_else(town: Town) -> None:
    town.say("周经理", "团队 设置 访客 关")
    for words in ("咨询 几点？", "人员", "签到", "团队"):
        said = town.say("访客", words)
        assert "周经理" in said
        assert "加入" in said
        assert "小王" not in said


# --- own data ------------------------------------------------------------------------------------


def test_a_file_with_everything_about_oneself(town: Town) -> None:
    town.say("小王", "签到")
    town.say("小王", "咨询 退款什么时候到账？")
    town.reads("小王")
    assert "私聊" in town.say("小王", "我 数据", in_group=True)
    told = [line for line in town.reads("小王") if "我存的" in line or ".json" in line]
    assert len([line for line in told if "我存的" in line]) == 1
    assert "banzhang-2026-11-23.json" in told[-1]
    assert not any("全部" in line for line in told)
    assert not any("我存的" in line for line in town.group())


def test_the_file_holds_ones_own_and_nobody_elses(town: Town) -> None:
    town.say("小王", "签到")
    town.say("小林", "签到")
    town.say("小王", "咨询 退款什么时候到账？")
    person_id = town.person_id("小王")
    with town.uow() as uow:
        kept = kept_about(uow.session, person_id)
    assert [row["name"] for row in kept["person"]] == ["小王"]
    assert {row["person_id"] for row in kept["punches"]} == {person_id}
    assert [row["question"] for row in kept["queries"]] == ["退款什么时候到账？"]
    assert [row["body"] for row in kept["query_entries"]] == ["退款什么时候到账？"]
    assert kept["punches"][0]["at"] == "2026-11-23T01:00:00+00:00"


def test_the_file_holds_no_words_of_those_whom_one_answers(town: Town) -> None:
    town.say("小林", "咨询 工资什么时候发？")
    town.say("小王", "认领 Q1")
    town.say("小王", "咨询 退款什么时候到账？")
    person_id = town.person_id("小王")
    with town.uow() as uow:
        kept = kept_about(uow.session, person_id)
    owned, asked = kept["queries"]
    assert owned["owner_id"] == person_id
    assert "question" not in owned
    assert asked["question"] == "退款什么时候到账？"


def test_the_file_holds_what_was_changed_about_one(town: Town) -> None:
    town.say("周经理", "人员 添加 @小王 组长", in_group=True)
    town.say("周经理", "人员 添加 @小林 组长", in_group=True)
    person_id = town.person_id("小王")
    with town.uow() as uow:
        kept = kept_about(uow.session, person_id)
    assert [row["action"] for row in kept["changes"]] == ["role.grant"]
    assert kept["changes"][0]["actor_id"] == town.person_id("周经理")
    assert kept["changes"][0]["detail"] == '{"role": "lead", "team": 1}'


def test_the_file_holds_what_one_was_before_accounts_were_linked(town: Town) -> None:
    town.say("小王", "签到")
    before, after = town.person_id("小王"), town.person_id("小林")
    with town.uow() as uow:
        uow.people.join_accounts(uow.people.get(after), uow.people.get(before))
    with town.uow() as uow:
        kept = kept_about(uow.session, after)
    assert [row["id"] for row in kept["person"]] == sorted((before, after))
    assert {row["person_id"] for row in kept["punches"]} == {before}


def test_every_table_that_names_a_person_is_in_the_file() -> None:
    """A new table with somebody's rows must be told to them too."""
    told = {table for table, _columns in ABOUT.values()}
    secret = {"codes", "reminder_days"}  # hashes, and a counter of the day
    for mapper in Base.registry.mappers:
        table = mapper.local_table
        assert isinstance(table, Table)
        names = {
            key.parent.name for key in table.foreign_keys if key.column.table.name == "persons"
        }
        if "person_id" in names and table.name not in secret:
            assert mapper.class_ in told, table.name
