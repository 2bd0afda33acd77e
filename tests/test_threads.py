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
    assert "删掉了 Q1" in ask
    assert any("删掉了 Q1" in line for line in town.group())
    # Until the asker says so it is open, and its clock runs.
    assert "还剩 2 小时" in town.say("小林", "问题")
    assert "Q1" in town.press("访客", "已经解决了", on="删掉了 Q1")
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
    town.wait(minutes=1)
    assert any("/invite @banzhang" in line for line in town.reads("周经理"))


def test_talk_about_what_is_over_is_left_alone(town: Town, slack: Workspace) -> None:
    channel = slack.channel("C0USERS", "用户群", ["访客", "小王"])
    slack.react("小王", slack.talk("访客", QUESTION, in_=channel))
    town.say("小王", "解决 Q1 八点开门")
    slack.talk("小林", "这个人天天问", under=slack.card("Q1"))
    assert slack.whispers("小林") == []
