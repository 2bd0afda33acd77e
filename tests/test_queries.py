"""A query's life, as people type and read it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from bot.words import catalogue
from storage.tables.queries import Query
from tests.town import Town, make_settings

ASKED = "咨询 退款什么时候到账？"


def ask(town: Town, name: str = "访客", *, in_group: bool = True) -> None:
    assert "Q" in town.say(name, ASKED, in_group=in_group)
    town.group()


def query(town: Town, number: int = 1) -> Query:
    with town.uow() as uow:
        found = uow.queries.peek(number)
        assert found is not None
        uow.session.expunge(found)
        return found


def kinds(town: Town, number: int = 1) -> list[str]:
    with town.uow() as uow:
        return [entry.kind for entry in uow.queries.entries(number)]


# --- asking ---------------------------------------------------------------------------------------


def test_asking_is_confirmed_with_the_latest_time(town: Town) -> None:
    assert "Q1 收到，11:00 前会有人回复。" in town.say("访客", ASKED, in_group=True)


def test_in_english(town: Town) -> None:
    town.say("小王", "language en")
    said = town.say("小王", "ask When is the refund due?")
    assert said.splitlines()[0] == "Q1 received. Somebody will answer by 11:00."


def test_a_card_comes_to_the_home_group(town: Town) -> None:
    town.say("小王", ASKED)
    [card] = town.group()
    assert card.startswith("Q1 · 新问题\n退款什么时候到账？")
    assert "小王" in card
    assert "11:00" in card


@pytest.mark.parametrize("typed", ["？？", "……", "!?"])
def test_a_question_without_words_is_refused_with_an_example(town: Town, typed: str) -> None:
    town.say("小王", "咨询")
    assert "例如：咨询" in town.fill("小王", question=typed)
    with town.uow() as uow:
        assert uow.queries.peek(1) is None


def test_asking_for_somebody_else(town: Town) -> None:
    assert "替小陈提交" in town.say("小王", "代问 @小陈：班几点开始？")
    assert query(town).question == "班几点开始？"
    town.reads("小陈")
    town.say("李组长", "回复 Q1 九点")
    assert "九点" in town.reads("小陈")[-1]


def test_only_one_person_can_ask_at_a_time(town: Town) -> None:
    assert "一次只能替一个人问" in town.say("小王", "代问 @小陈 @小林：班几点开始？")


def test_guests_may_not_ask_for_others(town: Town) -> None:
    town.say("访客", "代问 @小陈：班几点开始？", in_group=True)
    with town.uow() as uow:
        assert uow.queries.peek(1) is None


# --- where cards go without a home ----------------------------------------------------------------


def test_without_a_home_the_group_that_asked_gets_the_card(
    make_town: Callable[..., Town],
) -> None:
    town = make_town(home=False)
    town.say("小王", ASKED, in_group=True)
    assert any("Q1 · 新问题" in one for one in town.group())


def test_without_any_group_the_leads_get_the_card(make_town: Callable[..., Town]) -> None:
    town = make_town(home=False)
    town.say("小王", ASKED)
    assert "Q1 · 新问题" in town.reads("李组长")[-1]
    assert town.reads("周经理") == []
    town.say("小林", "认领 Q1")
    assert "小林" in town.reads("李组长")[-1]


# --- claiming -------------------------------------------------------------------------------------


def test_claiming_by_the_card(town: Town) -> None:
    ask(town)
    assert "Q1 归你了" in town.press("小王", "claim", on="Q1")
    assert query(town).owner_id == town.person_id("小王")


def test_the_second_reads_who_has_it(town: Town) -> None:
    ask(town)
    town.say("小王", "认领 Q1")
    town.wait(minutes=5)
    assert town.say("小林", "认领 Q1") == ("Q1 从 09:00 起由小王负责。直接找对方，或者请组长接手。")
    assert "已经是你的" in town.say("小王", "认领 Q1")


def test_a_lead_may_take_over_and_the_owner_is_told(town: Town) -> None:
    ask(town)
    town.say("小王", "认领 Q1")
    town.reads("小王")
    assert "归你了" in town.say("李组长", "认领 Q1")
    assert town.reads("小王") == ["Q1 已由李组长接手，你不用再跟了。"]


def test_the_card_shows_the_owner(town: Town) -> None:
    ask(town)
    town.say("小王", "认领 Q1")
    assert "小王" in "\n".join(town.group())


def test_a_late_claim_asks_for_an_answer_now(town: Town) -> None:
    ask(town)
    town.wait(hours=3)
    assert "已超时 1 小时，请尽快回复" in town.say("小王", "认领 Q1")


# --- replying -------------------------------------------------------------------------------------


def test_a_reply_reaches_the_asker_where_they_asked(town: Town) -> None:
    ask(town)
    said = town.say("小王", "回复 Q1 明天到账")
    assert said.splitlines()[0] == "Q1 已回复群里的访客：明天到账"
    said = "\n".join(town.group())
    assert "@访客 小王回复 Q1：明天到账" in said
    found = query(town)
    assert (found.state, found.waiting_since) == ("answered", None)
    assert found.owner_id == town.person_id("小王")
    assert found.first_reply_at == town.now


def test_a_reply_to_a_direct_question_stays_direct(town: Town) -> None:
    town.say("小陈", ASKED)
    town.group()
    assert "小陈（私聊）" in town.say("小王", "回复 Q1 明天到账")
    assert "明天到账" in town.reads("小陈")[-1]
    assert "明天到账" not in "\n".join(town.group())


def test_the_askers_own_words_are_no_reply(town: Town) -> None:
    ask(town)
    town.wait(minutes=30)
    said = town.say("访客", "回复 Q1 是上周五的单", in_group=True)
    assert "已补充到 Q1，11:00 前会有人回复。" in said
    assert query(town).first_reply_at is None
    assert query(town).state == "open"
    assert any("是上周五的单" in one for one in town.group())


def test_a_lead_who_asked_cannot_stop_the_clock(town: Town) -> None:
    town.say("李组长", ASKED)
    town.say("李组长", "认领 Q1")
    town.say("李组长", "回复 Q1 知道了")
    assert "要由别人来回复" in town.say("李组长", "已回复 Q1 知道了")
    assert query(town).first_reply_at is None


def test_more_after_a_reply_starts_the_next_target(town: Town) -> None:
    ask(town)
    town.say("小王", "回复 Q1 明天到账")
    town.reads("小王")
    town.wait(hours=1)
    assert "12:00" in town.say("访客", "回复 Q1 几点？", in_group=True)
    assert query(town).target == 2
    assert "几点？" in town.reads("小王")[-1]


def test_a_declared_reply_stops_the_clock_and_is_kept_apart(town: Town) -> None:
    ask(town)
    assert "不再提醒" in town.say("小王", "已回复 Q1 电话里说了")
    assert query(town).state == "answered"
    assert kinds(town) == ["question", "declared"]


def test_a_note_is_for_colleagues_only(town: Town) -> None:
    ask(town)
    town.say("小王", "备注 Q1 在等仓库")
    assert query(town).waiting_since is not None
    assert "在等仓库" in town.say("小林", "查看 Q1")
    assert "在等仓库" not in town.say("访客", "查看 Q1", in_group=True)
    in_group = town.say("小林", "查看 Q1", in_group=True)
    assert "在等仓库" not in in_group
    assert "1 条内部备注" in in_group


# --- who may not ----------------------------------------------------------------------------------


def test_nobody_touches_what_is_not_there(town: Town) -> None:
    assert town.say("小王", "认领 Q9") == "没有 Q9 这个问题。发“问题”看看有哪些。"


def test_a_guest_may_not_touch_others_questions(town: Town) -> None:
    ask(town, "小陈")
    for typed in ("回复 Q1 我来", "解决 Q1", "重开 Q1 为什么", "查看 Q1"):
        assert "李组长" in town.say("访客", typed, in_group=True), typed
    assert kinds(town) == ["question"]


def test_staff_of_another_team_may_not(town: Town) -> None:
    ask(town)
    worker = town.person_id("小王")
    with town.uow() as uow:
        team = uow.teams.first()
        other = uow.teams.add("二组", "zh_CN", "Asia/Shanghai", town.now)
        person = uow.people.get(worker)
        uow.people.revoke(person.id, team.id)
        uow.people.grant(person, "lead", other.id, None, town.now)
    assert "请找@李组长" in town.say("小王", "认领 Q1")
    assert "归你了" in town.say("周经理", "认领 Q1")


# --- muting ---------------------------------------------------------------------------------------


def test_muting_says_until_when_and_what_stays(town: Town) -> None:
    ask(town)
    town.reads("李组长")
    said = town.say("小王", "静音 Q1 1小时 在等仓库")
    assert said == "10:00 前不再提醒 Q1，但回复的截止时间还是 11:00。"
    assert "在等仓库" in town.reads("李组长")[-1]


def test_muting_has_a_limit_and_needs_somebody_who_waits(town: Town) -> None:
    ask(town)
    assert "最多静音 24 小时" in town.say("小王", "静音 Q1 2天后 在等仓库")
    town.say("小王", "回复 Q1 明天到账")
    assert "没人在等" in town.say("小王", "静音 Q1 1小时 在等仓库")


# --- the end, and again ---------------------------------------------------------------------------


def test_resolving_with_words_is_a_reply(town: Town) -> None:
    ask(town)
    town.say("小王", "解决 Q1 今天已退款")
    assert "今天已退款" in "\n".join(town.group())
    assert query(town).state == "resolved"
    assert query(town).first_reply_at is not None


def test_staff_cannot_resolve_what_nobody_answered(town: Town) -> None:
    ask(town)
    assert town.say("小王", "解决 Q1") == (
        "访客还在等 Q1 的回复，请把答复一起写上：解决 Q1 今天已退款。"
    )
    assert query(town).state == "open"


def test_the_asker_may_resolve_and_reopen(town: Town) -> None:
    ask(town)
    assert "Q1 已解决" in town.say("访客", "解决 Q1", in_group=True)
    assert "已经解决" in town.say("小王", "认领 Q1")
    town.wait(hours=1)
    assert "12:00" in town.say("访客", "重开 Q1 还没到账", in_group=True)
    assert query(town).target == 2
    assert any("还没到账" in one for one in town.group())


def test_the_asker_reads_how_to_reopen(town: Town) -> None:
    ask(town)
    town.say("小王", "回复 Q1 明天到账")
    town.group()
    town.say("小王", "解决 Q1")
    # In a thread one simply goes on writing.
    how = "重新打开 Q1" if town.platform == "slack" else "重开 Q1"
    assert how in "\n".join(town.group())


def test_only_what_is_resolved_can_be_reopened(town: Town) -> None:
    ask(town)
    assert "还没结束" in town.say("访客", "重开 Q1 还没到账", in_group=True)


def test_a_reply_of_the_asker_to_something_resolved(town: Town) -> None:
    ask(town)
    town.say("小王", "解决 Q1 已退款")
    assert "重开 Q1" in town.say("访客", "回复 Q1 还没到账", in_group=True)
    assert query(town).state == "resolved"


def test_after_a_week_a_new_query_follows(town: Town) -> None:
    ask(town)
    town.say("小王", "解决 Q1 已退款")
    town.clock.push_to(town.now.replace(day=30, hour=2))
    said = town.say("访客", "重开 Q1 还没到账", in_group=True)
    assert "另开 Q2" in said
    assert query(town, 2).follows_id == 1
    assert query(town, 1).state == "resolved"
    assert "接着 Q1" in town.say("小王", "查看 Q2")


# --- looking --------------------------------------------------------------------------------------


def test_the_list_is_by_urgency_with_the_time_left(town: Town) -> None:
    ask(town)
    town.wait(minutes=90)
    town.say("小陈", "咨询 班几点开始？")
    town.say("小王", "认领 Q2")
    assert town.say("小林", "问题").splitlines() == [
        "未解决的问题 2 个：",
        "Q1 · 还剩 30 分钟 · 无人认领 · 退款什么时候到账？",
        "Q2 · 还剩 2 小时 · 小王 · 班几点开始？",
    ]
    assert town.say("小林", "问题 我的") == "你手上没有未解决的问题。"
    assert "Q2" in town.say("小王", "问题 我的")
    assert town.say("小林", "问题 超时") == "没有超时的问题。"
    town.wait(minutes=45)
    assert "Q1 · 已超时 15 分钟" in town.say("小林", "问题 超时")


def test_a_long_list_has_pages(town: Town) -> None:
    for number in range(23):
        town.say("小陈", f"咨询 第{number}个问题")
    first = town.say("小林", "问题")
    assert "第 1/2 页" in first
    assert "Q20" in first
    assert "Q21" not in first
    assert "Q23" in town.say("小林", "问题 2")
    assert "一共 2 页" in town.say("小林", "问题 3")
    town.say("小林", "问题")
    turned = town.press("小林", "queries", on="第 1/2 页")
    assert "Q21" in turned
    assert "Q20" not in turned


def test_everything_about_one_query(town: Town) -> None:
    ask(town)
    town.say("小王", "认领 Q1")
    town.say("小王", "回复 Q1 明天到账")
    assert town.say("小林", "查看 Q1").splitlines() == [
        "Q1 · 已回复 · 小王",
        "访客 09:00 提问",
        "首次回复：09:00",
        "09:00 访客提问：退款什么时候到账？",
        "09:00 小王认领",
        "09:00 小王回复：明天到账",
    ]


# --- phrases --------------------------------------------------------------------------------------


def test_phrases(town: Town) -> None:
    ask(town)
    assert "· 已收到" in town.say("小王", "话术")
    assert town.say("小王", "话术 已收到 Q1") == (
        "访客你好，你的问题（Q1）我收到了，正在核实，稍后回复你。"
    )
    assert "____你好" in town.say("小王", "phrase received")
    assert "没有叫“没有的”的话术" in town.say("小王", "话术 没有的")


def test_a_deployments_own_procedure(make_town: Callable[..., Town], tmp_path: Path) -> None:
    shipped = Path("sop_scripts/user-inquiry.yaml").read_text(encoding="utf-8")
    own = shipped.replace("response_time: 2h", "response_time: 4h")
    (tmp_path / "user-inquiry.yaml").write_text(own, encoding="utf-8")
    town = make_town(settings=make_settings(BANZHANG_SOP_DIR=tmp_path))
    assert "13:00" in town.say("小王", ASKED)


# --- words ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("locale", ["en", "zh_CN"])
@pytest.mark.parametrize(
    "name",
    ["ask", "ask_for", "queries", "show_query", "claim", "reply", "replied", "note", "mute",
     "resolve", "reopen", "phrase"],
)  # fmt: skip
def test_every_command_has_its_words(locale: str, name: str) -> None:
    sentences = catalogue("en" if locale == "en" else "zh_CN")
    for kind in ("verbs", "help", "examples"):
        assert f"{kind}.{name}" in sentences


def test_a_long_history_is_read_page_by_page(town: Town) -> None:
    ask(town)
    for number in range(25):
        town.say("小王", f"备注 Q1 第{number:02}条")
    first, second = town.say("小王", "查看 Q1"), town.say("小王", "查看 Q1 2")
    assert "退款什么时候到账？" in first
    assert "第 1/2 页" in first
    assert "第24条" not in first
    assert "第24条" in second
    assert "一共 2 页" in town.say("小王", "查看 Q1 7")


@pytest.mark.parametrize("typed", ["发送：认领 Q1", "Type: claim Q1", "Mention and type: claim Q1"])
def test_what_stands_below_a_message_may_be_copied_whole(town: Town, typed: str) -> None:
    ask(town)
    assert "Q1" in town.say("小王", typed, in_group=True)
    assert query(town).owner_id == town.person_id("小王")
