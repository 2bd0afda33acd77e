"""The pace towards DingTalk: never more calls in a second than it takes, and a month's that end."""

from __future__ import annotations

from collections import deque
from contextlib import suppress
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.contract import DeliveryFailed
from adapters.dingtalk.limits import (
    A_SECOND,
    AT_ONCE,
    PROBE_SECONDS,
    REST_SECONDS,
    ROBOT,
    Audience,
    Pace,
    Quota,
    RobotTurns,
    month_of,
    next_month,
)
from adapters.windows import LONGEST_PAUSE, MINUTE, ON_THE_WAY
from tests.hands import Hands

# https://open.dingtalk.com/document/orgapp/how-to-process-api-throttling-on-the-dingtalk-server
DINGTALK_TAKES = 20
SEND = "POST /v1.0/robot/oToMessages/batchSend"


class Turns:
    """A pace and its clock."""

    def __init__(self) -> None:
        self.clock = Hands()
        self.pace = Pace(self.clock)

    def wait(self, api: str = SEND) -> float:
        """0 when the call may be made, else the seconds it was told to wait."""
        try:
            self.pace.take(api)
        except DeliveryFailed as failed:
            return checked(failed)
        return 0.0

    def burst(self, api: str = SEND) -> int:
        """How many calls may be made at this moment."""
        made = 0
        while not self.wait(api):
            made += 1
        return made


def checked(held: DeliveryFailed) -> float:
    assert (held.outcome, held.scope, held.why) == ("paced", "address", "not its turn yet")
    assert held.after is not None
    assert 0 < held.after <= LONGEST_PAUSE
    return held.after


@pytest.fixture
def turns() -> Turns:
    return Turns()


# --- calls of one API


def test_some_at_once_and_then_in_turn(turns: Turns) -> None:
    assert turns.burst() == AT_ONCE
    assert turns.wait() == pytest.approx(1 / A_SECOND)
    turns.clock.at += 1 / A_SECOND
    assert turns.burst() == 1
    turns.clock.at += 3600
    assert turns.burst() == AT_ONCE, "turns that nobody took are not kept"


def test_each_api_has_turns_of_its_own(turns: Turns) -> None:
    turns.burst()
    assert turns.wait("PUT /v1.0/card/instances") == 0
    assert turns.wait("POST /v1.0/card/instances") == 0
    assert turns.wait() > 0


def test_as_fast_as_it_goes(turns: Turns) -> None:
    made = 0
    for _ in range(600):
        made += turns.burst()
        turns.clock.at += 0.1
    assert made == pytest.approx(60 * A_SECOND, abs=AT_ONCE + 2)


def test_a_turn_that_is_given_away_ahead(turns: Turns) -> None:
    turns.burst()
    assert [turns.pace.reserve(SEND) for _ in range(3)] == pytest.approx(
        [1 / A_SECOND, 2 / A_SECOND, 3 / A_SECOND]
    )
    assert turns.wait() == pytest.approx(4 / A_SECOND), "who asks later comes later"
    turns.clock.at += 3600
    assert turns.pace.reserve(SEND) == 0


def test_nobody_waits_in_line_for_long(turns: Turns) -> None:
    for _ in range(int(AT_ONCE + LONGEST_PAUSE * A_SECOND)):
        assert turns.pace.reserve(SEND) <= LONGEST_PAUSE
    with pytest.raises(DeliveryFailed) as found:
        turns.pace.reserve(SEND)
    assert checked(found.value) == LONGEST_PAUSE
    turns.clock.at += LONGEST_PAUSE
    assert turns.wait() == pytest.approx(1 / A_SECOND), "who was sent away took nothing"


def test_after_one_too_many(turns: Turns) -> None:
    turns.pace.pause(SEND, 1.0)
    assert turns.wait() == pytest.approx(1.0)
    assert turns.wait("another") == 0
    turns.clock.at += 1.0
    assert turns.burst() == 1, "and then in turn, not all at once"
    turns.pace.pause(SEND, 0.0)
    assert turns.wait() == pytest.approx(1 / A_SECOND), "a pause is never shorter than a turn"


def most_within(made: list[float], seconds: float) -> int:
    inside: deque[float] = deque()
    most = 0
    for at in sorted(made):
        inside.append(at)
        while inside[0] < at - seconds + 1e-6:
            inside.popleft()
        most = max(most, len(inside))
    return most


STEPS = st.lists(
    st.tuples(st.floats(0, 3), st.integers(1, 30), st.sampled_from(["take", "reserve", "pause"])),
    min_size=1,
    max_size=40,
)


@given(STEPS)
def test_never_more_in_any_second(steps: list[tuple[float, int, str]]) -> None:
    turns = Turns()
    made: list[float] = []
    for pause, tries, way in steps:
        turns.clock.at += pause
        if way == "pause":
            turns.pace.pause(SEND, 1.0)
        for _ in range(tries):
            if way == "reserve":
                with suppress(DeliveryFailed):
                    made.append(turns.clock.at + turns.pace.reserve(SEND))
            elif not turns.wait():
                made.append(turns.clock.at)
    assert most_within(made, 1.0) <= DINGTALK_TAKES


@given(st.lists(st.floats(0, 0.5), min_size=1, max_size=60))
def test_who_comes_back_when_told_passes(pauses: list[float]) -> None:
    turns = Turns()
    for pause in pauses:
        turns.clock.at += pause
        if wait := turns.wait():
            assert wait <= 1 / A_SECOND + 1e-6
            turns.clock.at += wait
            assert turns.wait() == 0


# --- custom robots


def test_a_robot_writes_so_often_a_minute() -> None:
    clock = Hands()
    turns = RobotTurns(clock)
    for _ in range(ROBOT.a_minute):
        turns.take("token")
    with pytest.raises(DeliveryFailed) as found:
        turns.take("token")
    checked(found.value)
    turns.take("another")
    clock.at += MINUTE + ON_THE_WAY
    turns.take("token")
    assert ROBOT == (20, None)


# --- the month's calls

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


class Month:
    """A quota and its clock."""

    def __init__(self, at: datetime = NOON) -> None:
        self.at = at
        self.quota = Quota(lambda: self.at)

    def later(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)

    def is_over(self) -> bool:
        return self.quota.is_exhausted

    def ask(self, audience: Audience = "person") -> float:
        return self.quota.may_call(audience)


@pytest.fixture
def month() -> Month:
    return Month()


def test_as_long_as_there_are_calls(month: Month) -> None:
    assert month.ask("person") == month.ask("group") == 0.0
    assert not month.is_over()
    month.quota.has_calls()
    assert month.ask("group") == 0.0


def test_an_hour_of_rest(month: Month) -> None:
    month.quota.exhausted()
    assert month.is_over()
    assert month.ask("person") == month.ask("group") == REST_SECONDS
    month.later(REST_SECONDS - 10)
    assert month.ask("person") == month.ask("group") == 10


def test_one_call_looks_and_the_groups_follow(month: Month) -> None:
    month.quota.exhausted()
    month.later(REST_SECONDS)
    assert month.ask("group") == PROBE_SECONDS, "a group looks later"
    assert month.ask("person") == 0.0
    month.later(1)
    assert month.ask("person") == month.ask("group") == PROBE_SECONDS - 1, "one is enough"
    month.quota.has_calls()
    assert month.ask("person") == month.ask("group") == 0.0
    assert not month.is_over()


def test_a_group_looks_where_nobody_else_does(month: Month) -> None:
    month.quota.exhausted()
    month.later(2 * REST_SECONDS - 1)
    assert month.ask("group") == PROBE_SECONDS
    month.later(1)
    assert month.ask("group") == 0.0
    assert month.ask("group") == month.ask("person") == PROBE_SECONDS, "one is enough"
    month.quota.has_calls()
    assert month.ask("group") == 0.0
    assert not month.is_over()


def test_each_time_without_calls_has_a_name(month: Month) -> None:
    month.quota.exhausted()
    first = month.quota.spell
    month.later(REST_SECONDS)
    assert month.ask() == 0.0
    month.quota.exhausted()
    assert month.quota.spell == first, "it is the same one"
    month.later(REST_SECONDS)
    assert month.ask() == 0.0
    month.quota.has_calls()
    month.quota.exhausted()
    second = month.quota.spell
    month.at = datetime(2026, 12, 2, tzinfo=UTC)
    month.quota.exhausted()
    assert [first, second, month.quota.spell] == ["2026-11.1", "2026-11.2", "2026-12.1"]


def test_one_call_looks_in_vain(month: Month) -> None:
    month.quota.exhausted()
    month.later(REST_SECONDS)
    assert month.ask() == 0.0
    month.quota.exhausted()
    assert month.ask() == REST_SECONDS
    month.later(REST_SECONDS)
    assert month.ask() == 0.0


def test_a_look_of_which_nothing_is_heard(month: Month) -> None:
    month.quota.exhausted()
    month.later(REST_SECONDS)
    assert month.ask() == 0.0
    month.later(PROBE_SECONDS)
    assert month.ask("group") == PROBE_SECONDS
    assert month.ask() == 0.0, "somebody else looks"


def test_what_was_on_its_way_before_shows_nothing(month: Month) -> None:
    month.quota.exhausted()
    month.quota.has_calls()
    assert month.ask() == REST_SECONDS
    month.later(REST_SECONDS)
    month.quota.has_calls()
    assert month.ask("group") == PROBE_SECONDS


def test_a_new_month_in_china() -> None:
    month = Month(datetime(2026, 11, 30, 15, 50, tzinfo=UTC))
    month.quota.exhausted()
    assert month.ask("person") == month.ask("group") == 600, "the month ends before the hour"
    month.later(599)
    assert month.is_over()
    month.later(1)
    assert not month.is_over()
    assert month.ask("group") == 0.0
    month.quota.exhausted()
    assert month.ask("group") == REST_SECONDS, "DingTalk's clock may be behind ours"


def test_a_clock_that_is_set_back(month: Month) -> None:
    month.quota.exhausted()
    month.later(-7 * 86_400)
    assert month.ask() == REST_SECONDS
    month = Month()
    month.quota.exhausted()
    month.later(REST_SECONDS)
    assert month.ask() == 0.0
    month.later(-1800)
    assert month.ask() == 1800


ACTS = st.lists(
    st.tuples(
        st.floats(0, 2 * REST_SECONDS),
        st.sampled_from(["person", "group", "exhausted", "has_calls"]),
    ),
    max_size=60,
)


@given(ACTS)
def test_who_looks_and_when(acts: list[tuple[float, str]]) -> None:
    """Nobody is called during a rest, and no group in the hour after it; whoever is called then
    looks, and only what comes of that ends it, or a month that begins.
    """
    month = Month()
    refused: datetime | None = None
    looking = False
    for pause, act in acts:
        month.later(pause)
        if refused is not None and month.at >= next_month(refused):
            refused = None
        if act == "exhausted":
            month.quota.exhausted()
            refused, looking = month.at, False
        elif act == "has_calls":
            month.quota.has_calls()
            refused = None if looking else refused
        else:
            rests = 2 if act == "group" else 1
            wait = month.ask("group" if act == "group" else "person")
            assert 0.0 <= wait <= REST_SECONDS
            if refused is None:
                assert wait == 0.0
            elif wait == 0.0:
                assert month.at - refused >= rests * timedelta(seconds=REST_SECONDS)
                looking = True
        assert month.is_over() == (refused is not None)


@given(st.datetimes(datetime(2020, 1, 1), datetime(2040, 1, 1)), st.integers(-12, 14))  # noqa: DTZ001
def test_months(naive: datetime, hours: int) -> None:
    moment = naive.replace(tzinfo=timezone(timedelta(hours=hours)))
    began = next_month(moment)
    assert moment < began <= moment + timedelta(days=31)
    assert (began.day, began.hour, began.minute, began.second, began.microsecond) == (1, 0, 0, 0, 0)
    assert month_of(began) != month_of(moment)
    assert month_of(began - timedelta(microseconds=1)) == month_of(moment)


def test_the_month_is_chinas() -> None:
    assert month_of(datetime(2026, 11, 30, 15, 59, tzinfo=UTC)) == "2026-11"
    assert month_of(datetime(2026, 11, 30, 16, 0, tzinfo=UTC)) == "2026-12"
