"""Quiet hours, the day's budget and its digest."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.messages import text
from handlers.people.policies import Policies, Quiet, store_policies
from handlers.reminding import Outcome, is_settled, remind, rules
from storage.engine import make_engine
from tests.desk import Desk, Message

SHANGHAI, BERLIN = ZoneInfo("Asia/Shanghai"), ZoneInfo("Europe/Berlin")
NIGHT = (time(22), time(8))
NOON = (time(12), time(13, 30))
NEVER = (time(0), time(0))


def at(zone: ZoneInfo, month: int, day: int, hour: int, minute: int = 0, fold: int = 0) -> datetime:
    return datetime(2026, month, day, hour, minute, tzinfo=zone, fold=fold).astimezone(UTC)


# --- quiet hours, pure ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("hour", "minute", "hours", "quiet"),
    [
        (21, 59, NIGHT, False),
        (22, 0, NIGHT, True),
        (23, 59, NIGHT, True),
        (0, 0, NIGHT, True),
        (7, 59, NIGHT, True),
        (8, 0, NIGHT, False),
        (12, 0, NOON, True),
        (13, 29, NOON, True),
        (13, 30, NOON, False),
        (11, 59, NOON, False),
        (0, 0, NEVER, False),
        (3, 0, NEVER, False),
    ],
)
def test_when_it_is_quiet(hour: int, minute: int, hours: tuple[time, time], quiet: bool) -> None:
    assert rules.is_quiet(at(SHANGHAI, 11, 23, hour, minute), SHANGHAI, *hours) is quiet


@pytest.mark.parametrize(
    ("now", "zone", "hours", "ends"),
    [
        (at(SHANGHAI, 11, 23, 23), SHANGHAI, NIGHT, at(SHANGHAI, 11, 24, 8)),
        (at(SHANGHAI, 11, 24, 3), SHANGHAI, NIGHT, at(SHANGHAI, 11, 24, 8)),
        (at(SHANGHAI, 11, 24, 9), SHANGHAI, NIGHT, at(SHANGHAI, 11, 24, 9)),
        (at(SHANGHAI, 11, 24, 12, 5), SHANGHAI, NOON, at(SHANGHAI, 11, 24, 13, 30)),
        (at(SHANGHAI, 12, 31, 23), SHANGHAI, NIGHT, datetime(2027, 1, 1, 0, 0, tzinfo=UTC)),
        # The night in which the clocks go forward is nine hours long, back: eleven.
        (at(BERLIN, 3, 28, 22), BERLIN, NIGHT, at(BERLIN, 3, 28, 22) + timedelta(hours=9)),
        (at(BERLIN, 10, 24, 22), BERLIN, NIGHT, at(BERLIN, 10, 24, 22) + timedelta(hours=11)),
        # An end that the clocks skip, and one that they show twice.
        (at(BERLIN, 3, 29, 1), BERLIN, (time(22), time(2, 30)), at(BERLIN, 3, 29, 3, 30)),
        (at(BERLIN, 10, 25, 2, 10, 1), BERLIN, (time(22), time(2, 30)),
         at(BERLIN, 10, 25, 2, 30, 1)),
    ],
)  # fmt: skip
def test_when_quiet_ends(
    now: datetime, zone: ZoneInfo, hours: tuple[time, time], ends: datetime
) -> None:
    assert rules.quiet_ends(now, zone, *hours) == ends


CLOCKS = st.builds(time, st.integers(0, 23), st.sampled_from([0, 15, 30, 59]))
MOMENTS = st.datetimes(datetime(2026, 1, 1), datetime(2027, 12, 31), timezones=st.just(UTC))  # noqa: DTZ001
ZONES = st.sampled_from(
    [
        SHANGHAI,
        BERLIN,
        ZoneInfo("America/New_York"),
        ZoneInfo("Australia/Lord_Howe"),
        ZoneInfo("UTC"),
    ]
)


@given(now=MOMENTS, zone=ZONES, start=CLOCKS, end=CLOCKS)
def test_the_end_of_quiet_is_not_quiet_and_within_a_day(
    now: datetime, zone: ZoneInfo, start: time, end: time
) -> None:
    ends = rules.quiet_ends(now, zone, start, end)
    assert now <= ends <= now + timedelta(hours=25)
    assert not rules.is_quiet(ends, zone, start, end)


@given(now=MOMENTS, zone=ZONES, start=CLOCKS, end=CLOCKS)
def test_a_digest_comes_later_at_a_decent_hour(
    now: datetime, zone: ZoneInfo, start: time, end: time
) -> None:
    later = rules.digest_at(now, zone, start, end)
    assert now < later <= now + timedelta(hours=49)
    assert not rules.is_quiet(later, zone, start, end)


@pytest.mark.parametrize(
    ("now", "hours", "later"),
    [
        (at(SHANGHAI, 11, 23, 10), NIGHT, at(SHANGHAI, 11, 23, 18)),
        (at(SHANGHAI, 11, 23, 18), NIGHT, at(SHANGHAI, 11, 24, 9)),
        (at(SHANGHAI, 11, 23, 20), (time(22), time(10)), at(SHANGHAI, 11, 24, 10)),
        (at(SHANGHAI, 11, 23, 10), (time(17), time(19)), at(SHANGHAI, 11, 23, 19)),
    ],
)
def test_when_the_digest_comes(now: datetime, hours: tuple[time, time], later: datetime) -> None:
    assert rules.digest_at(now, SHANGHAI, *hours) == later


# --- reminding ------------------------------------------------------------------------------------


@pytest.fixture
def desk() -> Iterator[Desk]:
    engine = make_engine("sqlite://")
    yield Desk(engine)
    engine.dispose()


def nag(
    desk: Desk,
    key: str,
    subject: str = "X1",
    *,
    counts: bool = True,
    may_ring_at_night: bool = False,
) -> Outcome:
    with desk.uow() as uow:
        return remind(
            uow,
            desk.person(uow, "worker"),
            uow.teams.first(),
            key=key,
            subject=subject,
            words=text("said", words=f"about {subject}, {key}"),
            now=desk.now,
            counts=counts,
            may_ring_at_night=may_ring_at_night,
        )


def read(desk: Desk) -> list[Message]:
    return desk.sent(lambda one: one.to == "worker")


def test_six_a_day_then_one_digest(desk: Desk) -> None:
    outcomes = [nag(desk, f"n{number}", f"X{number}") for number in range(1, 10)]
    assert outcomes == ["told"] * 6 + ["folded"] * 3
    desk.wait(hours=24)
    digest = read(desk)[6:]
    assert len(digest) == 1
    assert digest[0].at == at(SHANGHAI, 11, 23, 18)
    assert digest[0].words.splitlines() == [
        "3 more things for today:",
        "about X7, n7",
        "about X8, n8",
        "about X9, n9",
    ]
    assert nag(desk, "tomorrow") == "told"


def test_of_one_thing_the_digest_has_only_the_newest(desk: Desk) -> None:
    for number in range(1, 9):
        nag(desk, f"n{number}")
    desk.wait(hours=24)
    assert read(desk)[-1].words == "One more thing for today:\nabout X1, n8"


def test_a_second_digest_comes_next_morning(desk: Desk) -> None:
    for number in range(1, 8):
        nag(desk, f"n{number}")
    desk.wait(hours=10)
    assert nag(desk, "evening", "X2") == "folded"
    desk.wait(hours=24)
    assert [one.at for one in read(desk)[6:]] == [
        at(SHANGHAI, 11, 23, 18),
        at(SHANGHAI, 11, 24, 9),
    ]


def test_what_is_settled_by_then_is_left_out(desk: Desk) -> None:
    desk.give("guest", "ask", question="Why?")
    for number in range(1, 8):
        nag(desk, f"n{number}", "Q1/1")
    desk.give("lead", "reply", query=1, words="Because.")
    desk.wait(hours=24)
    assert len(read(desk)) == 6


def test_what_is_settled(desk: Desk) -> None:
    desk.give("guest", "ask", question="Why?")
    desk.give("worker", "checkin")
    with desk.uow() as uow:
        assert not is_settled(uow, "Q1/1")
        assert not is_settled(uow, "Q1")
        assert is_settled(uow, "Q1/2")
        assert is_settled(uow, "Q99")
        assert not is_settled(uow, "H1")
        assert is_settled(uow, "H99")
        assert is_settled(uow, "C99")
        assert not is_settled(uow, "X1")
        assert not is_settled(uow, "anything")


def test_the_budget_is_the_teams(desk: Desk) -> None:
    with desk.uow() as uow:
        store_policies(uow.teams.first(), Policies(reminder_budget=1))
    assert [nag(desk, "a"), nag(desk, "b")] == ["told", "folded"]


def test_what_does_not_count_is_told_and_uses_nothing(desk: Desk) -> None:
    assert {nag(desk, f"n{number}", counts=False) for number in range(20)} == {"told"}
    assert nag(desk, "counted") == "told"


def test_a_days_budget_ends_at_the_persons_own_midnight(desk: Desk) -> None:
    with desk.uow() as uow:
        desk.person(uow, "worker").zone = "America/New_York"
        store_policies(uow.teams.first(), Policies(quiet=Quiet(start=time(0), end=time(0))))
    for number in range(7):
        nag(desk, f"n{number}")
    assert nag(desk, "last") == "folded"
    desk.wait_until(at(ZoneInfo("America/New_York"), 11, 23, 0, 1))
    assert nag(desk, "next day") == "told"


def test_at_night_nobody_off_duty_is_rung(desk: Desk) -> None:
    desk.wait(hours=14)
    assert nag(desk, "a") == "quiet"
    assert nag(desk, "b", may_ring_at_night=True) == "told"
    desk.give("worker", "checkin")
    assert nag(desk, "c") == "told"
    assert [one.key for one in read(desk)] == ["b", "c"]
