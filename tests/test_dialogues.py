"""Where a platform has no forms: question by question, and never a trap."""

from __future__ import annotations

import pytest

from adapters.sandbox.world import PROFILES, Profile
from tests.town import Town


@pytest.fixture(params=["wecom", "dingtalk"])
def profile(request: pytest.FixtureRequest) -> Profile:
    """The profiles that have no forms."""
    return PROFILES[request.param]


def test_a_verb_alone_asks_for_what_it_needs(town: Town) -> None:
    assert "取消" in town.say("小王", "补卡")
    town.say("小王", "上班")
    town.say("小王", "8:30")
    assert "C1" in town.say("小王", "忘了带手机")


def test_a_wrong_answer_is_asked_again(town: Town) -> None:
    town.say("小王", "补卡")
    refused = town.say("小王", "火星")
    assert "火星" in refused
    town.say("小王", "上班")
    town.say("小王", "8:30")
    assert "C1" in town.say("小王", "忘了带手机")


def test_a_command_ends_a_dialogue_that_asked_for_something_else(town: Town) -> None:
    town.say("小王", "语言")
    assert "H1" in town.say("小王", "签到")
    assert "H1" in town.say("小王", "签退")


def test_cancel_ends_it(town: Town) -> None:
    town.say("小王", "语言")
    assert "取消" in town.say("小王", "取消")
    assert "没有" in town.say("小王", "取消")
    assert "中文" not in town.say("小王", "zh")


def test_a_restart_forgets_none(town: Town) -> None:
    town.say("小王", "补卡")
    with town.uow() as uow:
        assert uow.dialogues.find("sandbox", "wang", "wang", town.now) is not None
    town.wait(minutes=16)
    with town.uow() as uow:
        assert uow.dialogues.find("sandbox", "wang", "wang", town.now) is None


def test_a_verb_alone_is_a_command_even_where_words_were_asked_for(town: Town) -> None:
    town.say("小王", "签到")
    town.say("访客", "咨询")
    town.say("小王", "咨询")
    assert "H1" in town.say("小王", "签退")
    assert "Q1" in town.say("访客", "图书馆几点开门？")
    town.say("小王", "回复")
    town.say("小王", "Q1")
    assert "Q1" in town.say("小王", "认领 Q1")
    with town.uow() as uow:
        kinds = {entry.kind for entry in uow.queries.entries(1)}
    assert not kinds & {"reply", "declared"}
