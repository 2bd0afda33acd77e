"""What a team uses of DingTalk's calls: a month of its work, played through the whole bot.

What its people do a day and what goes wrong is assumed, and stands below; how often the bot then
calls is counted by the stand-in. These are counts, so they are the same on every machine.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from datetime import datetime, timedelta
from multiprocessing import get_context
from pathlib import Path

from tests.benchmarks.dingtalk_crew import ANSWERS, FIRST, Crew

TEAMS = (50, 200)
DAYS = 30
SATURDAY = 5
ALLOWED = 10_000
"""Calls a month of the standard edition."""

# On each working day one for so many people, or for so many questions.
PEOPLE_A_QUESTION, QUESTIONS_A_LATE_ONE = 10, 5
PEOPLE_A_FORGOTTEN, PEOPLE_A_CORRECTION = 25, 50

COLUMNS = {
    "people": "to people",
    "groups": "to groups",
    "cards": "cards",
    "changes": "changes of cards",
    ANSWERS: "answers that cost none",
}


def measure() -> list[str]:
    """The table of docs/performance.md: teams of both sizes, without a template and with one."""
    wanted = [(people, cards) for people in TEAMS for cards in (False, True)]
    heads = ("team", "calls a month", *COLUMNS.values())
    table = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    with ProcessPoolExecutor(mp_context=get_context("spawn")) as pool:
        for (people, cards), made in zip(wanted, pool.map(_played, wanted), strict=True):
            team = f"{people} people, with{'' if cards else 'out'} a card template"
            total = made.total() - made[ANSWERS]
            counts = " | ".join(f"{made[kind]:,}" for kind in COLUMNS)
            table.append(f"| {team} | {total:,} ({total / ALLOWED:.0%}) | {counts} |")
    return table


def _played(wanted: tuple[int, bool]) -> Counter[str]:
    people, cards = wanted
    with tempfile.TemporaryDirectory() as folder:
        return play(Path(folder), people, cards=cards)


def play(folder: Path, people: int, *, cards: bool, days: int = DAYS) -> Counter[str]:
    """So many days from the first of a month; the calls by kind, and the answers that cost none."""
    crew = Crew(folder, people, cards=cards)
    try:
        forgotten: Sequence[str] = ()
        for number in range(days):
            day = FIRST + timedelta(days=number)
            forgotten = _day(crew, day, forgotten)
        crew.until(FIRST + timedelta(days=days), 0)
        counted = crew.counted()
        crew.must_be_metered()
        return counted
    finally:
        crew.close()


def _day(crew: Crew, day: datetime, unconfirmed: Sequence[str]) -> Sequence[str]:
    """One day; gives who forgot to check out."""
    works = day.weekday() < SATURDAY
    if works:
        crew.until(day, 9)
        crew.all_say(crew.everybody, "签到", "已签到")
    crew.until(day, 10)
    for worker in unconfirmed:
        crew.confirm(worker)
    return _busy(crew, day) if works else ()


def _busy(crew: Crew, day: datetime) -> Sequence[str]:
    """What happens between check-in and check-out, each to others every day."""
    people = len(crew.everybody)
    turn = day.day * people // PEOPLE_A_QUESTION
    queue = [*crew.workers[turn % len(crew.workers) :], *crew.workers] * 2
    owners = queue[: people // PEOPLE_A_QUESTION]
    for worker in queue[len(owners) :][: people // PEOPLE_A_CORRECTION]:
        crew.correct(worker)
    late = len(owners) // QUESTIONS_A_LATE_ONE
    asked = [(owner, crew.ask(owner)) for owner in owners]
    crew.until(day, 10, 20)
    for owner, query in asked[late:]:
        crew.answer(owner, query)
    crew.until(day, 12, 15)
    for owner, query in asked[:late]:
        crew.answer(owner, query)
    crew.until(day, 18)
    forgotten = owners[: people // PEOPLE_A_FORGOTTEN]
    leaving = [one for one in crew.everybody if one not in forgotten]
    crew.all_say(leaving, "签退", "已签退")
    return forgotten
