"""Getting in: requests to join, linked accounts, admins; and that nobody raises themselves."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from adapters.sandbox.world import PERSONAS
from bot.messages import Role
from handlers.people.granting import make_admin
from handlers.people.rules import grantable
from storage.tables.audit import AuditEntry
from storage.tables.people import CodeAttempt, JoinRequest
from tests.accounts import (
    ELSEWHERE,
    account_of,
    code_in,
    elsewhere,
    introduce,
    make_manager,
    roles_of,
)
from tests.engines import fresh_engine
from tests.stages import SLACK
from tests.town import Town

# --- joining -------------------------------------------------------------------------------------


def test_somebody_asks_and_is_let_in(town: Town) -> None:
    assert town.say("访客", "加入").startswith("J1：已请周经理")
    (card,) = town.reads("周经理")
    assert "J1" in card
    assert "访客" in card
    assert "访客现在是" in town.press("周经理", "通过", on="J1")
    assert "你现在是“班组”的兼职" in town.reads("访客")[-1]
    assert roles_of(town, "访客") == {"worker"}


def test_the_same_in_english(town: Town) -> None:
    town.say("访客", "language en")
    town.say("周经理", "language en")
    assert town.say("访客", "join 班组").startswith("J1: I have asked 周经理")
    assert "does not join 班组" in town.press("周经理", "reject_join", on="J1")
    assert "has not let you into" in town.reads("访客")[-1]
    assert roles_of(town, "访客") == set()


def test_asked_twice_is_one_request(town: Town) -> None:
    town.say("访客", "加入")
    assert town.say("访客", "加入 班组").startswith("J1：你已经申请过")
    with town.uow() as uow:
        assert len(uow.session.scalars(select(JoinRequest)).all()) == 1


def test_after_a_no_one_may_ask_again(town: Town) -> None:
    town.say("访客", "加入")
    town.say("周经理", "驳回 J1")
    assert town.say("访客", "加入").startswith("J2")


def test_the_second_manager_reads_who_decided(town: Town) -> None:
    make_manager(town, "李组长")
    town.say("访客", "加入")
    assert "J1" in town.reads("李组长")[-1]
    town.say("李组长", "通过 J1")
    assert "李组长已同意访客" in town.say("周经理", "驳回 J1")
    assert roles_of(town, "访客") == {"worker"}


def test_a_request_that_became_needless(town: Town) -> None:
    town.say("访客", "加入")
    town.say("周经理", "人员 添加 @访客 组长")
    assert "周经理已同意" in town.say("周经理", "通过 J1")
    assert roles_of(town, "访客") == {"lead"}


def test_who_is_on_the_roster_need_not_ask(town: Town) -> None:
    assert "已经在“班组”的名单里" in town.say("小王", "加入")


def test_wrong_requests(town: Town) -> None:
    assert "没有叫“夜班组”的团队" in town.say("访客", "加入 夜班组")
    assert "没有 J9" in town.say("周经理", "通过 J9")
    town.say("访客", "加入")
    assert "经理" in town.say("李组长", "通过 J1")
    assert roles_of(town, "访客") == set()


def test_a_manager_of_another_team_decides_nothing(town: Town) -> None:
    town.say("周经理", "团队 新建 夜班组")
    town.say("周经理", "人员 添加 @小陈 经理 团队 夜班组")
    town.say("小陈", "团队 使用 夜班组")
    introduce(town, "访客")
    assert "J1" in town.say("访客", "加入 班组")
    assert "只有“班组”的经理" in town.say("小陈", "通过 J1")
    assert "只有“班组”的经理" in town.say("小陈", "驳回 J1")
    assert roles_of(town, "访客") == set()


def test_nobody_decides_their_own_request(make_town: Callable[..., Town]) -> None:
    town = make_town(roster={"周经理": ("admin",), "李组长": ("manager",)})
    town.say("周经理", "加入")
    assert "得由别人来审批" in town.say("周经理", "通过 J1")
    assert roles_of(town, "周经理") == {"admin"}


def test_a_request_that_nobody_can_decide(make_town: Callable[..., Town]) -> None:
    town = make_town(roster={"周经理": ("admin",)})
    assert "还没有人能审批" in town.say("周经理", "加入")


# --- linking -------------------------------------------------------------------------------------


def test_two_accounts_become_one_person(town: Town) -> None:
    code = code_in(town.say("小王", "绑定"))
    town.reads("小王")
    said = elsewhere(town, "小王", f"绑定 {code[:4].lower()} {code[4:]}")
    assert "现在是同一个人" in said
    assert "兼职" in said
    assert roles_of(town, "小王", ELSEWHERE) == {"worker"}
    assert any("已和 elsewhere" in one for one in town.reads("小王"))
    kept = town.person_id("小王")
    with town.uow() as uow:
        person = uow.people.find(ELSEWHERE, "wang")
        assert person is not None
        assert person.id == kept
        assert len(uow.people.identities(person.id)) == 2


def test_a_code_works_once(town: Town) -> None:
    code = code_in(town.say("小王", "link"))
    assert "同一个人" in elsewhere(town, "小王", f"link {code}")
    assert "不对、用过了" in elsewhere(town, "小林", f"link {code}")


def test_a_newer_code_replaces_the_older(town: Town) -> None:
    older, newer = code_in(town.say("小王", "link")), code_in(town.say("小王", "绑定"))
    assert "不对" in elsewhere(town, "小王", f"link {older}")
    assert "同一个人" in elsewhere(town, "小王", f"link {newer}")


def test_a_code_is_good_for_a_quarter_of_an_hour(town: Town) -> None:
    code = code_in(town.say("小王", "link"))
    town.wait(minutes=16)
    assert "过期" in elsewhere(town, "小王", f"link {code}")


def test_wrong_codes_are_counted_and_end(town: Town) -> None:
    code = code_in(town.say("小王", "link"))
    for number in range(5):
        assert "不对" in elsewhere(town, "小王", f"link WRONG{number}")
    with town.uow() as uow:
        assert len(uow.session.scalars(select(CodeAttempt)).all()) == 5
    assert "15 分钟后再试" in elsewhere(town, "小王", f"link {code}")
    town.wait(minutes=16)
    assert "不对" in elsewhere(town, "小王", f"link {code}")


def test_ones_own_code_and_a_colleagues_code(town: Town) -> None:
    code = code_in(town.say("小王", "link"))
    assert "本账号自己的" in town.say("小王", f"link {code}")
    assert "已经有账号" in town.say("小林", f"link {code}")
    # Neither has used it up.
    assert "同一个人" in elsewhere(town, "小王", f"link {code}")


def test_linking_is_refused_in_a_group(town: Town) -> None:
    assert "私聊" in town.say("小王", "绑定", in_group=True)


def test_roles_and_queries_of_both_belong_to_the_one(town: Town) -> None:
    elsewhere(town, "小王", "帮助")
    with town.uow() as uow:
        other = uow.people.find(ELSEWHERE, "wang")
        assert other is not None
        uow.people.grant(other, "lead", uow.teams.first().id, None, town.now)
    elsewhere(town, "小王", "咨询 钥匙在哪？")
    town.say("小林", "咨询 灯坏了找谁？")
    elsewhere(town, "小王", "认领 Q2")
    code = code_in(town.say("小王", "link"))
    said = elsewhere(town, "小王", f"link {code}")
    assert "组长 / 兼职" in said
    assert roles_of(town, "小王") == {"worker", "lead"}
    assert "Q2" in town.say("小王", "我")
    kept = town.person_id("小王")
    with town.uow() as uow:
        asked, owned = uow.queries.peek(1), uow.queries.peek(2)
        assert asked is not None
        assert owned is not None
        assert asked.asker_id == owned.owner_id == kept


def both_check_in(town: Town, minutes: float) -> None:
    """Checked in on one account, and some time later on the other, before they are linked."""
    elsewhere(town, "小王", "帮助")
    with town.uow() as uow:
        other = uow.people.find(ELSEWHERE, "wang")
        assert other is not None
        uow.people.grant(other, "worker", uow.teams.first().id, None, town.now)
    town.say("小王", "签到")
    town.wait(minutes=minutes)
    elsewhere(town, "小王", "签到")
    code = code_in(town.say("小王", "link"))
    assert "同一个人" in elsewhere(town, "小王", f"link {code}")


def test_two_open_sessions_are_one(town: Town) -> None:
    both_check_in(town, 30)
    town.wait(minutes=30)
    assert "1 小时" in elsewhere(town, "小王", "签退")
    kept = town.person_id("小王")
    with town.uow() as uow:
        first, second = uow.attendance.peek(1), uow.attendance.peek(2)
        assert first is not None
        assert second is not None
        assert (first.state, second.state) == ("closed", "closed")
        assert second.ended_at == second.started_at
        assert first.person_id == second.person_id == kept


def test_an_open_session_long_forgotten_gets_its_provisional_end(town: Town) -> None:
    both_check_in(town, 8 * 60)
    with town.uow() as uow:
        first, second = uow.attendance.peek(1), uow.attendance.peek(2)
        assert first is not None
        assert second is not None
        assert (first.state, second.state) == ("provisional", "open")


def test_hours_that_would_count_twice_are_told_to_the_manager(town: Town) -> None:
    elsewhere(town, "小王", "帮助")
    with town.uow() as uow:
        other = uow.people.find(ELSEWHERE, "wang")
        assert other is not None
        uow.people.grant(other, "worker", uow.teams.first().id, None, town.now)
    town.say("小王", "签到")
    elsewhere(town, "小王", "签到")
    town.wait(hours=2)
    town.say("小王", "签退")
    elsewhere(town, "小王", "签退")
    code = code_in(town.say("小王", "link"))
    elsewhere(town, "小王", f"link {code}")
    assert any("工时重叠：H2" in one for one in town.reads("周经理"))


# --- admins --------------------------------------------------------------------------------------


def admin_code(town: Town) -> str:
    """What `banzhang admin code` prints."""
    with town.uow() as uow:
        return uow.codes.new("admin", None, town.now)


def test_a_code_of_the_server_makes_an_admin_and_the_others_hear_of_it(town: Town) -> None:
    code = admin_code(town)
    assert "你现在是管理员了" in town.say("访客", f"绑定 {code}")
    assert any("团队 新建" in one for one in town.reads("访客"))
    assert roles_of(town, "访客") == {"admin"}
    assert any("用服务器发的码成为了管理员" in one for one in town.reads("周经理"))
    with town.uow() as uow:
        actions = uow.session.scalars(select(AuditEntry.detail)).all()
        assert any(one.get("role") == "admin" for one in actions)


def test_the_first_admin_of_an_empty_bot(make_town: Callable[..., Town]) -> None:
    town = make_town(roster={}, home=False)
    assert "管理员" in town.say("周经理", f"link {admin_code(town)}")
    assert "主群" in town.say("周经理", "团队 绑定", in_group=True)
    introduce(town, "小王")
    assert "小王现在是" in town.say("周经理", "人员 添加 @小王", in_group=True)


def test_an_admin_leaves_the_code_to_somebody_else(town: Town) -> None:
    code = admin_code(town)
    assert "还可以给别人用" in town.say("周经理", f"link {code}")
    assert "你现在是管理员了" in town.say("小王", f"link {code}")


def test_admins_named_by_the_environment(town: Town) -> None:
    with town.uow() as uow:
        assert make_admin(uow, town.platform, town.account("小陈"), town.now)
        assert not make_admin(uow, town.platform, town.account("小陈"), town.now)
        assert make_admin(uow, ELSEWHERE, "unknown", town.now)
    assert roles_of(town, "小陈") == {"worker", "admin"}


# --- what can never be ---------------------------------------------------------------------------

# Who can do something, and somebody who can do nothing; few people, so that they meet often.
ACTORS = ["周经理", "李组长", "访客"]
START: dict[str, tuple[Role, ...]] = {"周经理": ("admin",), "李组长": ("manager",)}
person = st.sampled_from(ACTORS)
role = st.sampled_from(["兼职", "组长", "经理", "财务", "管理员"])
line = st.one_of(
    st.builds("人员 添加 @{} {}".format, person, role),
    st.builds("人员 移除 @{}".format, person),
    st.just("加入"),
    st.builds("{} J{}".format, st.sampled_from(["通过", "通过", "驳回"]), st.integers(1, 2)),
    st.just("绑定"),
    st.just("绑定 CODE"),
)
step = st.tuples(person, st.sampled_from([True, True, False]), line)


class Rights:
    """The roles of every account, read before and after a step."""

    def __init__(self, town: Town) -> None:
        with town.uow() as uow:
            team = uow.teams.first().id
            self.persons: dict[tuple[str, str], int] = {}
            for platform in (town.platform, ELSEWHERE):
                for one in PERSONAS:
                    found = uow.people.find(platform, account_of(town, one.name, platform))
                    if found is not None:
                        self.persons[platform, one.name] = found.id
            self.roles: dict[int, set[str]] = {
                number: {*uow.people.roles(number, team)} for number in self.persons.values()
            }

    def of(self, account: tuple[str, str]) -> set[str]:
        """The roles behind an account; nobody has none."""
        return self.roles.get(self.persons.get(account, 0), set())


def speak(town: Town, account: tuple[str, str], words: str) -> str:
    """One line on one of the two platforms."""
    platform, name = account
    return town.say(name, words) if platform == town.platform else elsewhere(town, name, words)


@example([("周经理", True, "加入"), ("周经理", True, "通过 J1")])
@given(st.lists(step, min_size=8, max_size=20))
@settings(max_examples=30, deadline=None)
def test_nobody_raises_themselves(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, bool, str]]
) -> None:
    url = f"sqlite:///{tmp_path_factory.mktemp('town')}/town.db"
    town = Town(fresh_engine(url), SLACK, roster=START)
    try:
        run_and_watch(town, steps)
    finally:
        town.close()


def run_and_watch(town: Town, steps: list[tuple[str, bool, str]]) -> None:
    """After each step: nobody has gained a role but by the hand of somebody who may give it."""
    code = "NOTHING"
    for name, at_home, words in steps:
        actor = (town.platform if at_home else ELSEWHERE, name)
        before = Rights(town)
        said = speak(town, actor, words.replace("CODE", code))
        after = Rights(town)
        if words == "绑定":
            code = code_in(said)
        if "同一个人" in said:
            # Whoever holds both accounts holds what both had, and not one role more.
            held = set().union(*before.roles.values())
            assert after.of(actor) <= held
            assert sum(map(len, after.roles.values())) <= sum(map(len, before.roles.values()))
            continue
        assert after.of(actor) <= before.of(actor), words
        may = grantable(frozenset(before.of(actor)))  # type: ignore[arg-type]
        for account in after.persons:
            assert after.of(account) - before.of(account) <= may, words
    assert any("admin" in roles for roles in Rights(town).roles.values())
