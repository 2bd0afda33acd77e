"""Queries where people talk in Slack: opened by a message, answered and continued below it."""

from __future__ import annotations

import asyncio

import pytest

from bot.messages import Chat, Event, User
from tests.engines import fresh_engine
from tests.platforms.slack_model import Message
from tests.stages import SLACK
from tests.town import Town
from tests.workspace import Workspace

QUESTION = "图书馆几点开门？"


@pytest.fixture
def town(slack_town: Town) -> Town:
    """A town on Slack."""
    return slack_town


@pytest.fixture
def slack(town: Town) -> Workspace:
    """The town's workspace."""
    return Workspace(town)


# --- opening -------------------------------------------------------------------------------------


def test_a_mention_is_answered_in_its_thread(town: Town, slack: Workspace) -> None:
    asked = slack.talk("访客", f"@班长 咨询 {QUESTION}")
    assert len(slack.thread(asked)) == 1
    assert "Q1 收到" in slack.thread(asked)[0]
    assert "@访客" in slack.thread(asked)[0]
    assert QUESTION in slack.text(slack.card("Q1"))


def test_a_reaction_makes_a_question_of_a_message(town: Town, slack: Workspace) -> None:
    asked = slack.talk("访客", QUESTION)
    assert town.group() == []
    slack.react("小王", asked)
    (confirmed,) = slack.thread(asked)
    assert "@访客" in confirmed
    assert "Q1 收到" in confirmed
    assert QUESTION in slack.text(slack.card("Q1"))
    # The author is the asker, not who reacted.
    assert "访客" in town.say("小林", "查看 Q1")


def test_one_message_is_one_question(town: Town, slack: Workspace) -> None:
    asked = slack.talk("访客", QUESTION)
    slack.react("小王", asked)
    slack.react("小林", asked)
    assert "已经是 Q1" in slack.shortcut("李组长", "escalate_message", asked)
    assert len(slack.thread(asked)) == 1
    assert "没有" in town.say("小王", "查看 Q2")


def test_guests_mark_their_own_messages_only(town: Town, slack: Workspace) -> None:
    mine, theirs = slack.talk("访客", QUESTION), slack.talk("小陈", "谁有剪刀？")
    slack.react("访客", theirs)
    assert slack.thread(theirs) == []
    slack.react("访客", mine)
    assert "Q1" in slack.thread(mine)[0]


def test_another_sign_for_the_team_or_none(town: Town, slack: Workspace) -> None:
    town.say("周经理", "团队 设置 表情 🙋")
    first, second = slack.talk("访客", QUESTION), slack.talk("访客", "灯坏了")
    slack.react("小王", first, "question")
    assert slack.thread(first) == []
    slack.react("小王", first, "raising_hand::skin-tone-3")
    assert "Q1" in slack.thread(first)[0]
    town.say("周经理", "团队 设置 表情 无")
    slack.react("小王", second, "raising_hand")
    assert slack.thread(second) == []


def test_a_reaction_on_what_the_bot_said_means_nothing(town: Town, slack: Workspace) -> None:
    slack.react("小王", slack.talk("访客", QUESTION))
    card = slack.card("Q1")
    slack.react("小王", card)
    assert slack.thread(card) == []


def test_escalating_a_message_from_its_menu(town: Town, slack: Workspace) -> None:
    asked = slack.talk("访客", QUESTION)
    told = slack.shortcut("小王", "escalate_message", asked)
    assert "Q1" in told
    assert "访客" in told
    assert "Q1 收到" in slack.thread(asked)[0]


def test_a_message_inside_a_thread_is_answered_there(town: Town, slack: Workspace) -> None:
    first = slack.talk("小陈", "今天谁值班？")
    asked = slack.talk("访客", QUESTION, under=first)
    slack.react("小王", asked)
    assert "Q1" in slack.thread(first)[0]


def test_guests_escalate_only_what_they_wrote(town: Town, slack: Workspace) -> None:
    theirs = slack.talk("小陈", "谁有剪刀？")
    assert "只有团队成员" in slack.shortcut("访客", "escalate_message", theirs)
    mine = slack.talk("访客", QUESTION)
    assert "Q1" in slack.shortcut("访客", "escalate_message", mine)


def test_a_bots_message_is_asked_by_who_escalates_it(town: Town, slack: Workspace) -> None:
    (reply, *_) = slack.cloud.bot_says(town.group_id, "工单 17：投影仪坏了")
    message = slack.cloud.workspace.timeline[-1]
    assert reply.error is None
    slack.shortcut("小王", "escalate_message", message)
    assert "Q1" in town.fill("小王")
    assert "小王" in town.say("小林", "查看 Q1").splitlines()[1]


# --- answering -----------------------------------------------------------------------------------


def test_what_the_team_says_below_is_the_reply(town: Town, slack: Workspace) -> None:
    asked = slack.talk("访客", f"@班长 咨询 {QUESTION}")
    town.wait(minutes=20)
    slack.talk("小王", "八点开门", under=asked)
    # It is not said again, and nobody is told anything about it any more.
    assert len(slack.thread(asked)) == 1
    for name in ("小王", "李组长", "周经理"):
        town.reads(name)
    town.wait(hours=6)
    assert not any(
        "Q1" in line for name in ("小王", "李组长", "周经理") for line in town.reads(name)
    )
    shown = town.say("小林", "查看 Q1")
    assert "已回复 · 小王" in shown
    assert "首次回复：09:20" in shown
    assert "09:20 小王回复：八点开门" in shown
    assert "已回复" in slack.text(slack.card("Q1"))


def test_below_the_card_where_the_asker_reads_along(town: Town, slack: Workspace) -> None:
    slack.talk("访客", f"@班长 咨询 {QUESTION}")
    slack.talk("小王", "八点开门", under=slack.card("Q1"))
    assert "已回复 · 小王" in town.say("小林", "查看 Q1")


def test_the_asker_goes_on_asking_below(town: Town, slack: Workspace) -> None:
    asked = slack.talk("访客", f"@班长 咨询 {QUESTION}")
    slack.talk("小王", "八点开门", under=asked)
    town.wait(minutes=30)
    slack.talk("访客", "周日呢？", under=asked)
    assert any("周日呢？" in line for line in town.reads("小王"))
    assert "还剩 2 小时" in town.say("小林", "问题")


def test_others_just_talk(town: Town, slack: Workspace) -> None:
    channel = slack.channel("C0USERS", "用户群", ["访客", "小王"])
    asked = slack.talk("访客", QUESTION, in_=channel)
    slack.react("小王", asked)
    with town.uow() as uow:
        uow.people.revoke(town.person_id("小陈"), uow.teams.first().id)
    slack.talk("小陈", "我也想知道", under=asked)
    assert "还剩 2 小时" in town.say("小林", "问题")


def test_talk_that_the_asker_cannot_see_is_not_sent_by_itself(town: Town, slack: Workspace) -> None:
    channel = slack.channel("C0USERS", "用户群", ["访客", "小王"])
    asked = slack.talk("访客", QUESTION, in_=channel)
    slack.react("小王", asked)
    card = slack.card("Q1")
    slack.talk("小王", "我记得是八点", under=card)
    assert "还剩 2 小时" in town.say("小林", "问题")
    (offer,) = slack.whispers("小王")
    assert "看不到这里" in offer
    town.press("小王", "作为回复发出", on="看不到这里")
    assert any("我记得是八点" in line for line in slack.thread(asked))
    assert "已回复 · 小王" in town.say("小林", "查看 Q1")


def test_such_talk_can_be_kept_as_a_note(town: Town, slack: Workspace) -> None:
    channel = slack.channel("C0USERS", "用户群", ["访客", "小王"])
    asked = slack.talk("访客", QUESTION, in_=channel)
    slack.react("小王", asked)
    slack.talk("小王", "先问问保安", under=slack.card("Q1"))
    town.press("小王", "记为内部备注", on="看不到这里")
    assert len(slack.thread(asked)) == 1
    assert "小王备注：先问问保安" in town.say("小林", "查看 Q1")


def test_a_direct_question_goes_on_in_its_thread(town: Town, slack: Workspace) -> None:
    town.say("访客", f"咨询 {QUESTION}")
    town.say("小王", "回复 Q1 八点")
    direct = slack.cloud.workspace.direct(town.account("访客")).id
    reply = [one for one in slack.cloud.workspace.timeline if one.channel == direct][-1]
    assert "八点" in slack.text(reply)
    slack.talk("访客", "周日呢？", under=reply)
    assert any("周日呢？" in line for line in town.reads("小王"))


def test_thanks_below_a_resolved_question(town: Town, slack: Workspace) -> None:
    asked = slack.talk("访客", f"@班长 咨询 {QUESTION}")
    town.say("小王", "解决 Q1 八点开门")
    slack.talk("访客", "周日也是八点吗？", under=asked)
    (offer,) = slack.whispers("访客")
    assert "已解决" in offer
    town.press("访客", "reopen", on="已解决")
    shown = town.say("小林", "查看 Q1")
    assert "访客重开：周日也是八点吗？" in shown


# --- commands below a question -------------------------------------------------------------------


def test_below_a_question_its_number_need_not_be_typed(town: Town, slack: Workspace) -> None:
    asked = slack.talk("访客", f"@班长 咨询 {QUESTION}")
    slack.talk("小王", "@班长 认领", under=asked)
    assert "小王" in town.say("小林", "问题")
    slack.talk("小王", "@班长 回复 8:00 开门", under=asked)
    assert "小王回复：8:00 开门" in town.say("小林", "查看 Q1")
    slack.talk("小王", "@班长 解决", under=asked)
    assert "已解决" in town.say("小林", "查看 Q1")


def test_another_number_counts_where_one_is_typed(town: Town, slack: Workspace) -> None:
    slack.talk("访客", "@班长 咨询 灯坏了")
    asked = slack.talk("访客", f"@班长 咨询 {QUESTION}")
    slack.talk("小王", "@班长 认领 Q1", under=asked)
    assert "Q1 · 还剩 2 小时 · 小王" in town.say("小林", "问题")
    assert "Q2 · 还剩 2 小时 · 无人认领" in town.say("小林", "问题")


def test_words_to_the_bot_below_a_question_are_words_below_it(town: Town, slack: Workspace) -> None:
    asked = slack.talk("访客", f"@班长 咨询 {QUESTION}")
    slack.talk("小王", "@班长 八点开门，周末休息", under=asked)
    assert "已回复 · 小王" in town.say("小林", "查看 Q1")


def test_resolving_from_the_menu_asks_for_words(town: Town, slack: Workspace) -> None:
    asked = slack.talk("访客", f"@班长 咨询 {QUESTION}")
    slack.shortcut("小王", "resolve_question", asked)
    assert town.has_form("小王")
    assert "还在等" in town.fill("小王")  # staff may not resolve without an answer
    town.fill("小王", words="八点开门")
    assert any("八点开门" in line for line in slack.thread(asked))
    assert "已解决" in town.say("小林", "查看 Q1")


def test_a_message_without_a_question_has_nothing_to_resolve(town: Town, slack: Workspace) -> None:
    said = slack.talk("访客", "大家早")
    assert "不属于任何问题" in slack.shortcut("小王", "resolve_question", said)


# --- edited, deleted -----------------------------------------------------------------------------


def test_an_edited_question_changes(town: Town, slack: Workspace) -> None:
    asked = slack.talk("访客", f"@班长 咨询 {QUESTION}")
    slack.edit("访客", asked, "@班长 咨询 图书馆周日几点开门？")
    assert "图书馆周日几点开门？" in slack.text(slack.card("Q1"))
    shown = town.say("小林", "查看 Q1")
    assert "访客 改了问题：图书馆周日几点开门？" in shown
    assert "没有" in town.say("小林", "查看 Q2")


def test_an_edit_without_a_verb_and_one_of_a_marked_message(town: Town, slack: Workspace) -> None:
    asked = slack.talk("访客", QUESTION)
    slack.react("小王", asked)
    slack.edit("访客", asked, "图书馆周日几点开门？")
    assert "图书馆周日几点开门？" in slack.text(slack.card("Q1"))
    other = slack.talk("访客", "大家早")
    slack.edit("访客", other, "大家晚上好")
    assert "没有" in town.say("小林", "查看 Q2")


def test_a_deleted_question_asks_whether_it_is_settled(town: Town, slack: Workspace) -> None:
    asked = slack.talk("访客", f"@班长 咨询 {QUESTION}")
    town.reads("访客")
    slack.erase("访客", asked)
    (ask,) = town.reads("访客")
    assert "Q1 的原消息被删掉了" in ask
    (told,) = [line for line in town.group() if "被删掉了" in line]
    # Whoever deletes something does not want to read it again.
    assert QUESTION not in ask + told
    # Until the asker says so it is open, and its clock runs.
    assert "还剩 2 小时" in town.say("小林", "问题")
    assert "Q1" in town.press("访客", "已经解决了", on="原消息被删掉了")
    assert "已解决" in town.say("小林", "查看 Q1")


def test_a_deleted_message_that_was_no_question(town: Town, slack: Workspace) -> None:
    slack.erase("访客", slack.talk("访客", "大家早"))
    assert town.reads("访客") == []
    assert town.group() == []


# --- forms ---------------------------------------------------------------------------------------


def test_a_verb_alone_in_a_channel_offers_its_form(town: Town, slack: Workspace) -> None:
    said = slack.talk("小王", "@班长 补卡")
    assert slack.thread(said) == []
    (offer,) = slack.whispers("小王")
    assert "还要补几项" in offer
    assert town.fill("小王", direction="in", time="昨天 9 点", reason="忘了") != ""


def test_two_who_mark_a_message_at_once_open_one_question(postgres_url: str) -> None:
    town = Town(fresh_engine(postgres_url), SLACK)
    try:
        asked = Workspace(town).talk("访客", QUESTION)
        marked = [_marked(town, name, asked) for name in ("小王", "小林", "小陈")]

        async def at_once() -> None:
            await asyncio.gather(*(town.bot.dispatch.receive(one) for one in marked))

        town.run(at_once())
        with town.uow() as uow:
            _found, count = uow.queries.open_in(uow.teams.first().id, 10)
        assert count == 1
    finally:
        town.close()


def _marked(town: Town, name: str, message: Message) -> Event:
    """Somebody's reaction, with the message it is on."""
    user, author = (User(id=town.account(one), name=one) for one in (name, "访客"))
    return Event(
        platform="slack",
        key=f"reaction:{user.id}",
        kind="reaction",
        user=user,
        chat=Chat(kind="group", id=message.channel, thread=message.ts),
        author=author,
        text=message.text,
        emoji="question",
        message=f"{message.channel}:{message.ts}",
        at=town.now,
        received_at=town.now,
    )


def test_mentions_outlive_the_form_they_are_asked_in(town: Town, slack: Workspace) -> None:
    """What a shortcut knows already rides in the form; a mention in it must stay who it is."""
    lin = town.account("小林")
    slack.cloud.bot_says(town.group_id, f"请 <@{lin}> 看一下投影仪")
    slack.shortcut("小王", "escalate_message", slack.cloud.workspace.timeline[-1])
    assert "Q1" in town.fill("小王", asker="小陈")
    assert "请 @小林 看一下投影仪" in town.say("小王", "查看 Q1")


def test_an_asker_in_a_channel_without_the_bot_reads_the_reply_directly(
    town: Town, slack: Workspace
) -> None:
    """Commands work everywhere in Slack, messages only where the bot is."""
    slack.cloud.workspace.add_channel("C0FAR", "远处", [town.account("访客")], bot=False)
    slack.cloud.command(town.account("访客"), "/ask", QUESTION, channel="C0FAR")
    town.say("小王", "回复 Q1 八点开门")
    assert any("八点开门" in line for line in town.reads("访客"))
    with town.uow() as uow:
        assert uow.outbox.count("dead") == 0


def test_an_asker_in_a_channel_that_the_bot_has_left_reads_the_reply_directly(
    town: Town, slack: Workspace
) -> None:
    channel = slack.channel("C0USERS", "用户群", ["访客", "小王"])
    slack.react("小王", slack.talk("访客", QUESTION, in_=channel))
    slack.cloud.remove_bot(channel)
    town.say("小王", "回复 Q1 八点开门")
    assert any("八点开门" in line for line in town.reads("访客"))
    town.wait(minutes=1)
    (told,) = [line for line in town.reads("周经理") if "/invite @banzhang" in line]
    assert "访客提问的群里我发不了消息，已经私聊发给本人" in told


def test_making_a_channel_the_home_that_the_bot_is_not_in(town: Town, slack: Workspace) -> None:
    slack.cloud.workspace.add_channel("C0FAR", "远处", [town.account("周经理")], bot=False)
    said = slack.command("周经理", "/banzhang", "team here", "C0FAR")
    assert "/invite @banzhang" in said
    slack.invite_bot("周经理", "C0FAR")
    assert "/invite" not in slack.command("周经理", "/banzhang", "team here", "C0FAR")


def test_talk_about_what_is_over_is_left_alone(town: Town, slack: Workspace) -> None:
    channel = slack.channel("C0USERS", "用户群", ["访客", "小王"])
    slack.react("小王", slack.talk("访客", QUESTION, in_=channel))
    town.say("小王", "解决 Q1 八点开门")
    slack.talk("小林", "这个人天天问", under=slack.card("Q1"))
    assert slack.whispers("小林") == []


# --- which question a thread is about ------------------------------------------------------------


def test_a_question_inside_somebody_elses_thread(town: Town, slack: Workspace) -> None:
    first = slack.talk("小陈", "今天谁值班？")
    slack.talk("访客", f"@班长 咨询 {QUESTION}", under=first)
    slack.talk("小王", "@班长 认领", under=first)
    assert "Q1 · 还剩 2 小时 · 小王" in town.say("小林", "问题")
    slack.talk("小王", "八点开门", under=first)
    assert "已回复 · 小王" in town.say("小林", "查看 Q1")
    town.reads("小王")
    town.wait(hours=4)
    assert not any("Q1" in line for line in town.reads("小王"))


def test_a_marked_message_inside_a_thread(town: Town, slack: Workspace) -> None:
    first = slack.talk("小陈", "今天谁值班？")
    asked = slack.talk("访客", QUESTION, under=first)
    slack.react("小王", asked)
    slack.talk("小王", "八点开门", under=first)
    assert "已回复 · 小王" in town.say("小林", "查看 Q1")
    slack.shortcut("小王", "resolve_question", asked)
    town.fill("小王")
    assert "已解决" in town.say("小林", "查看 Q1")


def test_below_the_answer_to_a_command(town: Town, slack: Workspace) -> None:
    assert "Q1 收到" in slack.command("访客", "/ask", QUESTION)
    slack.talk("小王", "八点开门", under=slack.newest("Q1 收到"))
    assert "已回复 · 小王" in town.say("小林", "查看 Q1")


def test_below_the_answer_in_a_direct_message(town: Town, slack: Workspace) -> None:
    town.say("访客", f"咨询 {QUESTION}")
    slack.talk("访客", "我是说周日", under=slack.newest("Q1 收到"))
    assert "访客补充：我是说周日" in town.say("小林", "查看 Q1")


def test_two_questions_in_one_thread(town: Town, slack: Workspace) -> None:
    first = slack.talk("访客", f"@班长 咨询 {QUESTION}")
    slack.talk("小陈", "@班长 咨询 走廊灯坏了", under=first)
    # Each asker speaks of their own; a colleague answers the newest that waits.
    slack.talk("小陈", "是二楼那盏", under=first)
    assert "小陈补充：是二楼那盏" in town.say("小林", "查看 Q2")
    assert "Q1 · 还剩 2 小时 · 无人认领" in town.say("小林", "问题")
    slack.talk("小王", "电工下午来", under=first)
    assert "已回复 · 小王" in town.say("小林", "查看 Q2")
    slack.talk("小王", "八点开门", under=first)
    assert "小王回复：八点开门" in town.say("小林", "查看 Q1")


def test_what_follows_a_question_of_last_week_is_the_new_one(town: Town, slack: Workspace) -> None:
    asked = slack.talk("访客", f"@班长 咨询 {QUESTION}")
    town.say("小王", "解决 Q1 八点开门")
    town.wait(days=9)
    assert "Q2" in town.say("访客", "重开 Q1 又不开门了")
    slack.talk("小王", "今天停电", under=asked)
    assert "小王回复：今天停电" in town.say("小林", "查看 Q2")


def test_asked_by_the_form_that_a_mention_offers(town: Town, slack: Workspace) -> None:
    said = slack.talk("访客", "@班长 咨询")
    town.fill("访客", question=QUESTION)
    slack.talk("小王", "八点开门", under=said)
    assert "已回复 · 小王" in town.say("小林", "查看 Q1")


# --- what is no answer, and no question ----------------------------------------------------------


@pytest.mark.parametrize("words", ["谢谢", "好的 👍", "ok thanks", "收到，谢谢！", "明白了~"])
def test_a_thank_you_starts_no_clock(town: Town, slack: Workspace, words: str) -> None:
    asked = slack.talk("访客", f"@班长 咨询 {QUESTION}")
    slack.talk("小王", "八点开门", under=asked)
    town.reads("小王")
    slack.talk("访客", words, under=asked)
    assert town.reads("小王") == []
    assert "已回复" in town.say("小林", "查看 Q1").splitlines()[0]


@pytest.mark.parametrize("words", ["收到", "@班长 谢谢", "嗯嗯"])
def test_a_nod_is_no_answer(town: Town, slack: Workspace, words: str) -> None:
    asked = slack.talk("访客", f"@班长 咨询 {QUESTION}")
    slack.talk("小王", words, under=asked)
    assert "Q1 · 还剩 2 小时 · 无人认领" in town.say("小林", "问题")


def test_what_was_written_before_the_answer_and_arrives_after_it(
    town: Town, slack: Workspace
) -> None:
    """Slack sends again what it could not deliver, a minute or five later."""
    asked = slack.talk("访客", f"@班长 咨询 {QUESTION}")
    late = _line(town, "访客", "我是说周日", asked)
    town.wait(minutes=2)
    slack.talk("小王", "八点开门，周日也是", under=asked)
    town.wait(minutes=3)
    town.run(town.bot.dispatch.receive(late.model_copy(update={"received_at": town.now})))
    shown = town.say("小林", "查看 Q1")
    assert "已回复" in shown.splitlines()[0]
    assert "访客补充：我是说周日" in shown


def _line(town: Town, name: str, words: str, under: Message) -> Event:
    """A line in a thread, said now."""
    return Event(
        platform="slack",
        key=f"late:{words}",
        kind="text",
        user=User(id=town.account(name), name=name),
        chat=Chat(kind="group", id=under.channel, thread=under.ts),
        text=words,
        addressed=False,
        under=f"{under.channel}:{under.ts}",
        at=town.now,
        received_at=town.now,
    )


def test_answering_below_is_evidence_of_work(town: Town, slack: Workspace) -> None:
    town.say("小王", "签到")
    asked = slack.talk("访客", f"@班长 咨询 {QUESTION}")
    town.wait(hours=3)
    slack.talk("小王", "八点开门", under=asked)
    town.wait(hours=21)
    # The end is known, provisionally, and has only to be confirmed.
    assert "没错就发：确认 H1" in town.say("小王", "我")


def test_who_asked_for_somebody_may_change_what_they_wrote(town: Town, slack: Workspace) -> None:
    asked = slack.talk("小王", f"@班长 代问 @访客：{QUESTION}")
    slack.edit("小王", asked, "@班长 代问 @访客：图书馆周日几点开门？")
    assert "图书馆周日几点开门？" in slack.text(slack.card("Q1"))
    town.reads("访客")
    slack.erase("小王", asked)
    assert any("Q1 的原消息被删掉了" in line for line in town.reads("小王"))
    assert not any("删" in line for line in town.reads("访客"))


def test_a_long_line_is_not_cut_by_a_button(town: Town, slack: Workspace) -> None:
    channel = slack.channel("C0USERS", "用户群", ["访客", "小王"])
    slack.react("小王", slack.talk("访客", QUESTION, in_=channel))
    slack.talk("小王", "很长的话。" * 300, under=slack.card("Q1"))
    (offer,) = slack.whispers("小王")
    assert "回复 Q1 内容" in offer
    with pytest.raises(AssertionError):
        town.press("小王", "作为回复发出", on="太长")


def test_a_reaction_does_not_bring_back_who_has_left(town: Town, slack: Workspace) -> None:
    said = slack.talk("小陈", QUESTION)
    town.say("小陈", "签到")
    slack.leave_slack("小陈")
    slack.react("小王", said)
    with town.uow() as uow:
        person = uow.people.find("slack", town.account("小陈"))
        assert person is not None
        assert not any(one.reachable for one in uow.people.identities(person.id))


def test_nobody_is_asked_about_for_what_is_nobodys_business(town: Town, slack: Workspace) -> None:
    said = slack.talk("小陈", "大家早")
    asked: list[str] = []
    slack.watch(asked.append)
    slack.react("小王", said, "tada")
    slack.talk("小林", "早！", under=said)
    assert asked == []


def test_a_form_that_was_refused_may_be_right_the_next_time(town: Town, slack: Workspace) -> None:
    asked = slack.talk("访客", f"@班长 咨询 {QUESTION}")
    slack.shortcut("小王", "resolve_question", asked)
    assert "还在等" in town.fill("小王")
    slack.talk("小林", "八点开门", under=asked)
    assert "Q1 已解决" in town.fill("小王")


def test_a_form_that_does_not_open_is_told(town: Town, slack: Workspace) -> None:
    asked = slack.talk("访客", f"@班长 咨询 {QUESTION}")
    slack.refuse("views.open", "expired_trigger_id")
    assert "没能打开" in slack.shortcut("小王", "resolve_question", asked)


def test_a_message_that_the_bot_may_not_read(town: Town, slack: Workspace) -> None:
    said = slack.talk("访客", QUESTION)
    slack.refuse("conversations.replies", "missing_scope")
    slack.react("小王", said)
    assert slack.thread(said) == []
