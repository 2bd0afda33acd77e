"""Words that are no command: met kindly, never stored, never taken for one."""

from __future__ import annotations

import pytest

from tests.town import Town


@pytest.mark.parametrize("words", ["谢谢", "好的。", "OK!", "thanks"])
def test_thanks_are_not_a_question(town: Town, words: str) -> None:
    said = town.say("小王", words)
    assert "提出来" not in said
    assert "随时" in said


@pytest.mark.parametrize("words", ["。", "🙂", "！！"])
def test_signs_alone_are_not_a_question(town: Town, words: str) -> None:
    assert "帮助" in town.say("小王", words)


def test_a_sentence_that_begins_with_a_verb_is_offered_as_a_question(town: Town) -> None:
    town.say("小王", "Who is working tomorrow?")
    assert "Q1" in town.press("小王", "ask", on="Who is working tomorrow?")


def test_a_long_line_is_not_echoed_in_full(town: Town) -> None:
    said = town.say("小王", "今天" * 1200)
    assert len(said) < 900


def test_a_bare_number_that_may_be_two_things_is_asked_about(town: Town) -> None:
    said = town.say("周经理", "通过 1")
    assert "C" in said
    assert "J" in said


def test_a_near_verb_is_one_that_the_person_may_give(town: Town) -> None:
    assert "team here" not in town.say("小王", "im here")


def test_a_code_that_a_group_has_read_is_void(town: Town) -> None:
    with town.uow() as uow:
        code = uow.codes.new("admin", None, town.now)
    town.say("小王", f"link {code}", in_group=True)
    town.say("小王", f"link {code}")
    with town.uow() as uow:
        assert "admin" not in uow.people.roles(town.person_id("小王"), None)
