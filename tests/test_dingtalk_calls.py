"""What things cost of the month's calls, as docs/dingtalk.md tells: counted by the stand-in while
the whole bot works.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from tests.benchmarks.dingtalk_crew import ANSWERS, FIRST, Crew
from tests.platforms.dingtalk_api import TO_PEOPLE

LEADS = 2

Make = Callable[..., Crew]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    crews: list[Crew] = []

    def made(people: int, *, cards: bool, leads: int = LEADS) -> Crew:
        crew = Crew(tmp_path, people, cards=cards, leads=leads)
        crews.append(crew)
        crew.until(FIRST, 9)
        return crew

    yield made
    for crew in crews:
        crew.must_be_metered()
        crew.close()


def metered(crew: Crew) -> Counter[str]:
    """The calls since the last look."""
    counted = crew.counted()
    del counted[ANSWERS]
    return counted


WITHOUT = {
    "everybody checks in": {},
    "a question is claimed": {"groups": 1},
    "and answered": {"groups": 1},
    "a correction": {"people": 2},
    "nobody answers for two hours": {"people": 4, "groups": 1},
    "everybody but one checks out": {},
    "the bot asks at night and in the morning": {"people": 2},
    "the end is confirmed": {},
}
WITH = {
    "everybody checks in": {},
    "a question is claimed": {"groups": 1, "cards": 1, "changes": 1},
    "and answered": {"groups": 1, "changes": 2},
    "a correction": {"people": 2, "cards": LEADS, "changes": LEADS},
    "nobody answers for two hours": {"cards": 4 + LEADS},
    "everybody but one checks out": {},
    "the bot asks at night and in the morning": {"cards": 2},
    "the end is confirmed": {"people": 1},
}


@pytest.mark.parametrize(("cards", "expected"), [(False, WITHOUT), (True, WITH)])
def test_what_a_day_costs(make: Make, cards: bool, expected: dict[str, dict[str, int]]) -> None:
    crew = make(6, cards=cards)
    owner, late = crew.workers[:2]
    crew.all_say(crew.everybody, "签到", "已签到")
    costs = {"everybody checks in": metered(crew)}
    query = crew.ask(owner)
    costs["a question is claimed"] = metered(crew)
    crew.answer(owner, query)
    costs["and answered"] = metered(crew)
    crew.correct(late)
    costs["a correction"] = metered(crew)
    query = crew.ask(owner)
    metered(crew)
    crew.until(FIRST, 11, 5)
    costs["nobody answers for two hours"] = metered(crew)
    crew.answer(owner, query)
    metered(crew)
    crew.until(FIRST, 18)
    crew.all_say([one for one in crew.everybody if one != owner], "签退", "已签退")
    costs["everybody but one checks out"] = metered(crew)
    crew.until(FIRST + timedelta(days=1), 10)
    # The log's checksum goes to the admins at night.
    costs["the bot asks at night and in the morning"] = metered(crew) - Counter(people=1)
    crew.confirm(owner)
    costs["the end is confirmed"] = metered(crew)
    assert costs == expected


def test_fifty_people_are_told_in_three_calls(make: Make) -> None:
    crew = make(53, cards=False, leads=50)
    crew.ask(crew.workers[0])
    crew.until(FIRST, 10, 50)
    metered(crew)
    crew.until(FIRST, 11)
    told = [one.body["userIds"] for one in crew.stage.api.calls if one.path == TO_PEOPLE]
    assert sorted(len(people) for people in told if people != [crew.workers[0]]) == [10, 20, 20]
    assert metered(crew) == Counter(people=4, groups=1)
