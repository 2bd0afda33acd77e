"""Messages that could not be delivered: somebody is told, and may send them again."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from sqlalchemy import select

from adapters.contract import DeliveryFailed
from bot.messages import Address, Send, ToPerson, text
from storage.cipher import Cipher
from storage.tables.queues import outbox
from tests.town import ROSTER, Town

GONE = DeliveryFailed("dead", "channel_not_found")
BECAUSE = {"slack": "频道不存在"}
"""How a platform's word is told; where the catalogues do not know it, as it stands."""


def doubt() -> DeliveryFailed:
    """Nobody knows whether it was taken."""
    return DeliveryFailed("unknown", "the line died", after=1)


def lose(town: Town, name: str = "小王", *failures: DeliveryFailed) -> None:
    """A message to somebody that the platform does not take."""
    town.fail_next(*(failures or (GONE,)))
    send(town, name)
    for _ in failures or (GONE,):
        town.wait(minutes=1)


def send(town: Town, name: str) -> None:
    """A message to somebody, on its way."""
    with town.uow() as uow:
        to = ToPerson(person_id=town.person_id(name))
        sent = Send(to=to, key=f"lost/{name}", words=text("said", words="请看排班"))
        assert uow.outbox.put(sent, town.now)
    town.run(town.bot.delivery.drain())


def test_the_manager_is_told_and_sends_it_again(town: Town) -> None:
    lose(town)
    told = "\n".join(town.reads("周经理"))
    assert "M1" in told
    assert BECAUSE.get(town.platform, GONE.why) in told
    assert town.reads("小王") == []
    assert "M1" in town.press("周经理", "retry", on="M1")
    assert town.reads("小王") == ["请看排班"]
    assert not town.reads("周经理")[1:], "nothing more is said about it"


def test_sending_again_by_typing(town: Town) -> None:
    lose(town)
    assert "M1" in town.say("周经理", "重发 M1")
    assert town.reads("小王") == ["请看排班"]
    again = town.say("周经理", "重发 M1")
    assert "M1" in again
    assert town.reads("小王") == []
    assert "M99" in town.say("周经理", "重发 M99")


def test_only_managers_and_admins_send_again(town: Town) -> None:
    lose(town)
    assert "M1" not in town.say("小王", "重发 M1")
    assert "M1" not in town.say("李组长", "重发 M1")
    assert "M1" not in town.say("访客", "重发 M1")
    assert town.reads("小王")[-1:] != ["请看排班"]


def test_a_second_death_is_told_again(town: Town) -> None:
    lose(town)
    town.reads("周经理")
    town.fail_next(GONE)
    town.say("周经理", "重发 M1")
    town.wait(minutes=1)
    assert "M1" in "\n".join(town.reads("周经理"))


def test_a_doubtful_message_is_told_as_such_unless_one_can_look(town: Town) -> None:
    lose(town, "小王", doubt(), doubt(), doubt())
    told = "\n".join(town.reads("周经理"))
    if town.platform == "slack":  # there it is looked for, and said as it was not there
        town.wait(minutes=1)
        assert town.reads("小王") == ["请看排班"]
        assert told == ""
    else:
        assert "M1" in told
        assert "the line died" in told


def test_whoever_is_out_of_reach_is_not_told_of_it_others_are(
    make_town: Callable[..., Town],
) -> None:
    town = make_town(roster={**ROSTER, "周经理": ("manager",), "小陈": ("worker", "admin")})
    lose(town, "周经理")
    assert town.reads("周经理") == []
    assert "M1" in "\n".join(town.reads("小陈"))


def test_a_message_about_a_lost_message_is_not_followed_by_another(town: Town) -> None:
    lose(town, "小王", GONE, GONE)
    town.wait(days=2)
    with town.uow() as uow:
        assert uow.outbox.count("dead") == 2
    assert not [words for words in town.reads("周经理") if "M2" in words]


def test_somebody_without_an_account_is_told_of_too(town: Town) -> None:
    with town.uow() as uow:
        uow.people.unreachable(town.platform, town.account("小王"))
    send(town, "小王")
    town.wait(minutes=1)
    assert "M1" in "\n".join(town.reads("周经理"))
    assert "M1" in town.say("周经理", "重发 M1")


def test_words_that_cannot_be_read_any_more_are_told_of(town: Town) -> None:
    with town.uow() as uow:
        to = ToPerson(person_id=town.person_id("小王"))
        uow.outbox.put(Send(to=to, key="k", words=text("said", words="早")), town.now)
        uow.session.execute(outbox.update().values(body=Cipher("another").seal("{}")))
    town.wait(minutes=1)
    assert "M1" in "\n".join(town.reads("周经理"))


# --- what has been replaced ----------------------------------------------------------------------


def say(town: Town, key: str, words: str, edits: str | None = None) -> None:
    """A message to somebody, or a newer version of it."""
    with town.uow() as uow:
        to = ToPerson(person_id=town.person_id("小王"))
        send = Send(to=to, key=key, words=text("said", words=words), edits=edits)
        assert uow.outbox.put(send, town.now)
    town.run(town.bot.delivery.drain())


def test_what_has_been_replaced_is_not_said_again(town: Town) -> None:
    say(town, "plan", "八点上班")
    town.fail_next(GONE)
    say(town, "plan/2", "九点上班", edits="plan")
    say(town, "plan/3", "十点上班", edits="plan")
    town.reads("小王")
    town.wait(minutes=1)
    assert "M2 已经有更新的内容了，不用重发" in town.press("周经理", "retry", on="M2")
    assert town.reads("小王") == []
    assert "M2 已经有更新的内容了，不用重发" in town.say("周经理", "重发 M2")


# --- said directly instead -----------------------------------------------------------------------


def lose_in_group(town: Town) -> None:
    """A reply for somebody, in a group where the bot cannot speak."""
    town.fail_next(GONE)
    with town.uow() as uow:
        to = Address(platform=town.platform, kind="group", id=town.group_id)
        directly = ToPerson(person_id=town.person_id("小王"))
        words = text("said", words="请看排班")
        assert uow.outbox.put(Send(to=to, key="lost", words=words, or_else=directly), town.now)
    town.run(town.bot.delivery.drain())
    town.wait(minutes=1)


def test_what_was_said_directly_is_not_offered_again(town: Town) -> None:
    lose_in_group(town)
    assert town.reads("小王") == ["请看排班"]
    (told,) = town.reads("周经理")
    assert "小王" in told
    assert "已经私聊发给本人" in told
    assert BECAUSE.get(town.platform, GONE.why) in told
    assert "重发" not in told
    with pytest.raises(AssertionError, match="sees no button"):
        town.press("周经理", "retry", on="私聊")
    with town.uow() as uow:
        row = uow.session.execute(select(outbox).where(outbox.c.name == "lost")).one()
        assert (row.state, row.error) == ("superseded", GONE.why)
    assert "已经私聊发给本人" in town.say("周经理", f"重发 M{row.id}")
    assert town.reads("小王") == []
    assert town.group() == []


def test_what_was_said_directly_is_told_in_english_too(town: Town) -> None:
    town.say("周经理", "language en")
    town.reads("周经理")
    lose_in_group(town)
    (told,) = town.reads("周经理")
    assert "小王 asked where I cannot speak; I answered directly." in told


def test_whom_nobody_can_reach_directly_either_may_be_answered_again(town: Town) -> None:
    with town.uow() as uow:
        uow.people.unreachable(town.platform, town.account("小王"))
    lose_in_group(town)
    assert "M1" in town.press("周经理", "retry", on="M1")
    assert any("请看排班" in line for line in town.group())


def test_of_a_message_that_is_forgotten_nobody_is_told(town: Town) -> None:
    with town.uow() as uow:
        uow.timers.arm("message.dead", "M999", "tell", town.now)
    town.wait(minutes=1)
    with town.uow() as uow:
        assert not uow.timers.waits("message.dead")
    assert town.reads("周经理") == []
