"""Which verb a line begins with: the longest that matches and ends where a word ends."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

import handlers
from bot.messages import mention_mark
from bot.verbs import Verbs, words_of

VERBS = Verbs(handlers.COMMANDS)


@pytest.mark.parametrize(
    ("line", "name", "rest"),
    [
        ("签到", "checkin", ""),
        ("签到！", "checkin", ""),
        ("签到 路上堵车", "checkin", "路上堵车"),
        ("签到路上堵车", "checkin", "路上堵车"),
        ("  CheckIn   late bus ", "checkin", "late bus"),
        ("ＣＨＥＣＫＩＮ", "checkin", ""),
        ("上班", "checkin", ""),
        ("下班", "checkout", ""),
        ("team", "team", ""),
        ("team here Library", "team_here", "Library"),
        ("团队 绑定", "team_here", ""),
        ("团队绑定", "team_here", ""),
        ("咨询图书馆几点开门？", "ask", "图书馆几点开门？"),
        ("咨询：图书馆几点开门？", "ask", "图书馆几点开门？"),
        ("ask: when does it open?", "ask", "when does it open?"),
        ("claim Q1", "claim", "Q1"),
        ("认领Q1", "claim", "Q1"),
        ("认领Ｑ１", "claim", "Ｑ１"),
        ("认领Qq", None, ""),
        ("认领 Q1", "claim", "Q1"),
        (f"staff add{mention_mark(0)} lead", "staff_add", f"{mention_mark(0)} lead"),
        ("staff add@小王", "staff_add", "@小王"),
    ],
)
def test_a_line_means_a_command(line: str, name: str | None, rest: str) -> None:
    match = VERBS.match(line)
    if name is None:
        assert match is None
        return
    assert match is not None
    assert name in {command.name for command in match.commands}
    assert match.rest == rest


@pytest.mark.parametrize("line", ["checkinx", "下班前交", "meet me", "签", "", "helping"])
def test_a_line_that_only_looks_like_a_command(line: str) -> None:
    match = VERBS.match(line)
    assert match is None


@pytest.mark.parametrize(
    ("typed", "meant"),
    [("chekin", "checkin"), ("quereis", "queries"), ("chekcout please", "checkout")],
)
def test_an_unknown_word_is_met_with_the_nearest_verb(typed: str, meant: str) -> None:
    assert VERBS.nearest(typed) == meant


def test_nothing_near_is_said_of_nonsense() -> None:
    assert VERBS.nearest("今天天气不错") is None
    assert VERBS.nearest("zzzzzz") is None


@given(st.text(max_size=200))
def test_no_line_breaks_the_matching(line: str) -> None:
    match = VERBS.match(line)
    if match is not None:
        assert match.rest in line


def test_every_command_has_words_in_both_languages_that_lead_to_it() -> None:
    for command in handlers.COMMANDS:
        words = words_of(command.name)
        assert any(word.isascii() for word in words)
        assert any(not word.isascii() for word in words)
        for word in words:
            match = VERBS.match(word)
            assert match is not None
            assert command in match.commands
