"""The pace towards each member, chat and webhook: never more than allowed, in any window."""

from __future__ import annotations

from collections import deque

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.contract import DeliveryFailed
from adapters.wecom.limits import APP_TO_MEMBER, BOT_TO_CHAT, WEBHOOK
from adapters.windows import HOUR, LONGEST_PAUSE, MINUTE, ON_THE_WAY, Limit, Windows
from tests.hands import Hands

LIMITS = {"an app": APP_TO_MEMBER, "an aibot": BOT_TO_CHAT, "a webhook": WEBHOOK}


class Turns:
    """Windows and their clock."""

    def __init__(self) -> None:
        self.clock = Hands()
        self.windows = Windows(self.clock)

    def wait(self, key: str, limit: Limit, count: int = 1) -> float:
        """0 when the message may go, else the seconds it was told to wait."""
        try:
            self.windows.take(key, *limit, count=count)
        except DeliveryFailed as failed:
            held = failed
        else:
            return 0.0
        assert (held.outcome, held.scope, held.why) == ("paced", "address", "not its turn yet")
        assert held.after is not None
        assert 0 < held.after <= LONGEST_PAUSE
        return held.after

    def burst(self, key: str, limit: Limit) -> int:
        """How many messages may go at this moment."""
        taken = 0
        while not self.wait(key, limit):
            taken += 1
        return taken

    def until_it_passes(self, key: str, limit: Limit, count: int = 1) -> float:
        """Come back whenever it was told; seconds until it passed."""
        began = self.clock.at
        while wait := self.wait(key, limit, count):
            self.clock.at += wait
        return self.clock.at - began


@pytest.fixture
def turns() -> Turns:
    return Turns()


@pytest.mark.parametrize("limit", LIMITS.values(), ids=LIMITS)
def test_a_minute_and_the_next(turns: Turns, limit: Limit) -> None:
    assert turns.burst("u", limit) == limit.a_minute
    assert turns.wait("u", limit) == LONGEST_PAUSE, "what is more urgent must find a turn"
    turns.clock.at += MINUTE + ON_THE_WAY - 0.5
    assert turns.wait("u", limit) == pytest.approx(0.5)
    turns.clock.at += 0.5
    assert turns.burst("u", limit) == limit.a_minute


def test_the_numbers_are_wecoms() -> None:
    assert LIMITS == {"an app": (30, 1000), "an aibot": (30, 1000), "a webhook": (20, None)}


def test_an_hour(turns: Turns) -> None:
    """As fast as it goes: not a message more within the hour than the hour may hold."""
    began, sent = turns.clock.at, 0
    while turns.clock.at - began < HOUR:
        sent += turns.burst("u", APP_TO_MEMBER)
        turns.clock.at += 1.0
    assert sent == APP_TO_MEMBER.an_hour
    assert turns.until_it_passes("u", APP_TO_MEMBER) <= ON_THE_WAY + 1


def test_each_has_turns_of_their_own(turns: Turns) -> None:
    turns.burst("u", APP_TO_MEMBER)
    assert turns.wait("u", APP_TO_MEMBER) > 0
    assert turns.wait("v", APP_TO_MEMBER) == 0


def test_a_message_in_pieces_goes_whole_or_not_at_all(turns: Turns) -> None:
    for _ in range(28):
        assert turns.wait("u", APP_TO_MEMBER) == 0
    for _ in range(50):
        assert turns.wait("u", APP_TO_MEMBER, 3) > 0
    assert turns.wait("u", APP_TO_MEMBER, 2) == 0, "who did not go took nothing"
    assert turns.wait("u", APP_TO_MEMBER) > 0


def test_more_pieces_than_fit_into_a_minute_go_when_nothing_else_did(turns: Turns) -> None:
    assert turns.wait("k", WEBHOOK, 25) == 0
    assert turns.wait("k", WEBHOOK) > 0
    assert turns.until_it_passes("k", WEBHOOK, 25) == pytest.approx(MINUTE + ON_THE_WAY)


def most_within(taken: list[float], seconds: float) -> int:
    inside: deque[float] = deque()
    most = 0
    for at in taken:
        inside.append(at)
        while inside[0] <= at - seconds:
            inside.popleft()
        most = max(most, len(inside))
    return most


SMALL = st.builds(Limit, st.integers(1, 5), st.one_of(st.none(), st.integers(6, 20)))
STEPS = st.lists(st.tuples(st.floats(0, 900), st.integers(1, 30)), min_size=1, max_size=80)


@given(SMALL, STEPS)
def test_never_more_in_any_window(limit: Limit, steps: list[tuple[float, int]]) -> None:
    turns = Turns()
    taken: list[float] = []
    for pause, tries in steps:
        turns.clock.at += pause
        taken += [turns.clock.at for _ in range(tries) if not turns.wait("u", limit)]
    assert most_within(taken, MINUTE) <= limit.a_minute
    if limit.an_hour is not None:
        assert most_within(taken, HOUR) <= limit.an_hour


@given(SMALL, st.lists(st.integers(1, 6), min_size=1, max_size=40))
def test_who_comes_back_when_told_passes(limit: Limit, counts: list[int]) -> None:
    """And not a moment later than the windows ask: nobody starves, nobody waits for nothing."""
    turns = Turns()
    for count in counts:
        longest = (MINUTE if limit.an_hour is None else HOUR) + ON_THE_WAY
        assert turns.until_it_passes("u", limit, count) <= longest + 1e-3


@given(SMALL, st.lists(st.floats(0, 120), max_size=30))
def test_a_turn_comes_exactly_when_the_oldest_leaves(limit: Limit, pauses: list[float]) -> None:
    turns = Turns()
    taken: list[float] = []
    for pause in pauses:
        turns.clock.at += pause
        if turns.wait("u", limit):
            inside = [at for at in taken if at > turns.clock.at - MINUTE - ON_THE_WAY]
            hour = [at for at in taken if at > turns.clock.at - HOUR - ON_THE_WAY]
            assert len(inside) == limit.a_minute or len(hour) == limit.an_hour
        else:
            taken.append(turns.clock.at)


def test_who_was_silent_for_an_hour_is_forgotten(turns: Turns) -> None:
    for number in range(1000):
        turns.wait(f"u{number}", APP_TO_MEMBER)
    assert len(turns.windows) == 1000
    turns.clock.at += HOUR / 2
    turns.wait("u0", APP_TO_MEMBER)
    turns.clock.at += HOUR / 2 + 2
    turns.wait("late", APP_TO_MEMBER)
    assert len(turns.windows) == 2
    turns.clock.at += 2 * HOUR
    turns.wait("later", APP_TO_MEMBER)
    assert len(turns.windows) == 1


def test_a_clock_that_stands_still(turns: Turns) -> None:
    assert turns.burst("u", APP_TO_MEMBER) == 30
    assert [turns.wait("u", APP_TO_MEMBER) for _ in range(3)] == [LONGEST_PAUSE] * 3
