"""The pure rules of a query's clock."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from bot.words import reader_for
from handlers.queries import rules
from handlers.queries.procedure import INQUIRY, policy_of
from sop_scripts import read, shipped
from tests.clock import MORNING

POLICY = policy_of(INQUIRY, shipped()[INQUIRY])
DUE = MORNING + timedelta(hours=2)
LADDER = rules.ladder(POLICY, MORNING, DUE)


def after(minutes: float) -> datetime:
    return MORNING + timedelta(minutes=minutes)


def test_the_ladder_and_its_repeats() -> None:
    steps = {climb.step: (climb.at - MORNING) // timedelta(minutes=1) for climb in LADDER}
    assert steps == {
        "50%": 60,
        "-15m": 105,
        "deadline": 120,
        "+30m": 150,
        "+60m": 180,
        "+120m": 240,
        "+180m": 300,
        "+240m": 360,
    }
    assert [climb.tell for climb in LADDER[4:]] == [("last_resort",)] * 4


def test_a_ladder_that_ends_before_the_deadline_repeats_across_it() -> None:
    source = """\
title: {en: A, zh_CN: 甲}
response_time: 1h
silence_after_claim: 10m
ladder: [{at: 50%, tell: [owner], repeat: {every: 20m, times: 2}}]
quality: []
deliverable: {en: D, zh_CN: 丁}
steps: []
"""
    policy = policy_of("x", read(source.encode(), "x.yaml"))
    climbs = rules.ladder(policy, MORNING, after(60))
    assert [climb.at for climb in climbs] == [after(30), after(50), after(70)]


@pytest.mark.parametrize(
    ("step", "minutes", "expected"),
    [
        ("50%", 60, False),
        ("50%", 104.9, False),
        ("50%", 105, True),
        ("-15m", 105, False),
        ("-15m", 120, True),
        ("deadline", 149, False),
        ("deadline", 600, True),
        ("+240m", 6000, False),
    ],
)
def test_of_several_overdue_rungs_the_highest_speaks(
    step: str, minutes: float, expected: bool
) -> None:
    place = rules.place_of(LADDER, step)
    assert place is not None
    assert rules.overtaken(LADDER, place, after(minutes)) is expected


def test_a_step_of_another_ladder_has_no_place() -> None:
    assert rules.place_of(LADDER, "75%") is None


@pytest.mark.parametrize(
    ("claimed", "now", "until"),
    [(None, 10, None), (0, 0, 30), (0, 29.9, 30), (0, 30, None), (100, 120, 130)],
)
def test_a_claim_silences_for_half_an_hour(
    claimed: int | None, now: float, until: int | None
) -> None:
    claimed_at = None if claimed is None else after(claimed)
    expected = None if until is None else after(until)
    assert rules.silent_until(POLICY, claimed_at, after(now)) == expected


@pytest.mark.parametrize(
    ("seconds", "english", "chinese"),
    [
        (7200, "2 h left", "还剩 2 小时"),
        (900, "15 min left", "还剩 15 分钟"),
        (59, "due now", "现在到期"),
        (0, "due now", "现在到期"),
        (-59, "due now", "现在到期"),
        (-60, "1 min late", "已超时 1 分钟"),
        (-5400, "1 h 30 min late", "已超时 1 小时 30 分钟"),
    ],
)
def test_the_time_left_or_late(seconds: int, english: str, chinese: str) -> None:
    words = rules.time_left(MORNING + timedelta(seconds=seconds), MORNING)
    assert reader_for("en", "UTC", MORNING).plain(words) == english
    assert reader_for("zh_CN", "UTC", MORNING).plain(words) == chinese


@pytest.mark.parametrize(("days", "expected"), [(0, True), (7, True), (7.01, False), (30, False)])
def test_a_query_can_be_reopened_for_a_week(days: float, expected: bool) -> None:
    assert rules.is_reopenable(MORNING, MORNING + timedelta(days=days)) is expected


@pytest.mark.parametrize(
    ("typed", "says"),
    [("退款？", True), ("why", True), ("7", True), ("？！…", False), ("  ", False), ("", False)],
)
def test_a_question_has_a_letter_or_a_digit(typed: str, says: bool) -> None:
    assert rules.says_something(typed) is says


@pytest.mark.parametrize(
    ("typed", "short"),
    [("a b", "a b"), ("a\n\n b", "a b"), ("x" * 80, "x" * 80), ("x" * 81, "x" * 79 + "…")],
)
def test_a_long_question_is_cut(typed: str, short: str) -> None:
    assert rules.shorten(typed) == short


def test_what_people_typed_is_never_a_variable() -> None:
    values = {"asker": "{question}", "question": "{0} {x!r}", "id": "Q1"}
    assert rules.filled("{asker}: {question} ({id})", values) == "{question}: {0} {x!r} (Q1)"
