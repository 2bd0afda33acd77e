"""The stages themselves: what a conversation test takes for granted on every platform."""

from __future__ import annotations

import pytest
from sqlalchemy import func, select

from adapters.contract import DeliveryFailed
from bot.messages import Send, ToPerson, text
from storage.tables import Punch, Query
from storage.tables.queues import inbox
from tests.town import Town


def rows(town: Town, table: object) -> int:
    with town.uow() as uow:
        return uow.session.scalar(select(func.count()).select_from(table)) or 0  # type: ignore[arg-type]


def test_the_same_message_twice_is_one(town: Town) -> None:
    first = town.say("小王", "签到", key="a")
    assert "H1" in first
    town.wait(minutes=10)
    town.say("小王", "签到", key="a")
    assert rows(town, Punch) == 1
    assert rows(town, inbox) == 1


def test_the_same_mention_twice_is_one(town: Town) -> None:
    assert "Q1" in town.say("访客", "咨询 几点？", in_group=True, key="a")
    town.say("访客", "咨询 几点？", in_group=True, key="a")
    assert rows(town, Query) == 1


def test_group_talk_is_no_command(town: Town) -> None:
    assert town.say("小王", "签到", in_group=True, mention=False) == ""
    assert rows(town, Punch) == 0


def test_what_fails_is_read_by_nobody_and_what_follows_is(town: Town) -> None:
    town.fail_next(DeliveryFailed("retry", "not now", after=30))
    with town.uow() as uow:
        to = ToPerson(person_id=town.person_id("小王"))
        uow.outbox.put(Send(to=to, key="k", words=text("said", words="早")), town.now)
    town.run(town.bot.delivery.drain())
    assert town.reads("小王") == []
    town.wait(minutes=1)
    assert town.reads("小王") == ["早"]


def test_reading_is_done_once_and_edits_are_news(town: Town) -> None:
    town.say("访客", "咨询 几点？", in_group=True)
    assert any("Q1" in one for one in town.group())
    assert town.group() == []
    town.say("小王", "认领 Q1")
    assert any("小王" in one for one in town.group())


def test_a_private_answer_in_a_group_is_for_one(town: Town) -> None:
    said = town.say("小王", "我", in_group=True)
    assert "小王" in said
    assert not any("今天：" in one for one in town.group())
    assert not any(one.audience for one in town.said() if one.chat == "小王")


def test_there_must_be_something_to_press_and_to_fill_in(town: Town) -> None:
    town.say("小王", "帮助")
    with pytest.raises(AssertionError, match="sees no button"):
        town.press("小王", "approve_correction")
