"""The ladder at night, and the watchdog that sees when it stands still."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from sqlalchemy import delete

from handlers.queries.timers import missed
from storage.engine import make_engine
from storage.tables.queues import timers
from tests.desk import Desk, check_in, clock, told

QUESTION = "退款什么时候到账？"


@pytest.fixture
def desk() -> Iterator[Desk]:
    """A desk in memory, at nine in the morning."""
    engine = make_engine("sqlite://")
    yield Desk(engine)
    engine.dispose()


# --- night ----------------------------------------------------------------------------------------


def at_night(hour: int, minute: int = 0, day: int = 23) -> Desk:
    return Desk(make_engine("sqlite://"), now=clock(hour, minute, day))


def test_at_night_nobody_off_duty_is_rung_but_the_manager_at_the_deadline() -> None:
    desk = at_night(21, 30)
    desk.give("guest", "ask", question=QUESTION)
    desk.give("worker", "claim", query=1)
    desk.wait_until(clock(7, 59, day=24))
    assert told(desk) == [("23 23:30", "manager"), ("24 00:00", "manager")]
    desk.wait_until(clock(20, day=24))
    assert told(desk)[2:] == [
        ("24 08:00", "worker"),
        ("24 08:00", "lead"),
        ("24 08:00", "admin"),
    ]
    assert all("quiet hours" in one.words for one in desk.reminders()[2:])


def test_at_night_a_lead_on_duty_is_rung_and_no_stand_in() -> None:
    desk = at_night(21, 30)
    check_in(desk, "lead")
    desk.give("guest", "ask", question=QUESTION)
    desk.wait_until(clock(23, 45))
    assert told(desk) == [
        ("23 22:30", "group"),
        ("23 23:15", "group"),
        ("23 23:30", "lead"),
    ]


def test_an_answer_at_night_leaves_nothing_for_the_morning() -> None:
    desk = at_night(21, 30)
    desk.give("guest", "ask", question=QUESTION)
    desk.give("worker", "claim", query=1)
    desk.wait_until(clock(3, day=24))
    before = len(desk.reminders())
    desk.give("worker", "reply", query=1, words="明天。")
    desk.wait_until(clock(20, day=25))
    assert len(desk.reminders()) == before


def test_night_is_where_the_person_lives() -> None:
    desk = at_night(21, 30)
    with desk.uow() as uow:
        desk.person(uow, "worker").zone = "Europe/London"
    desk.give("guest", "ask", question=QUESTION)
    desk.give("worker", "claim", query=1)
    desk.wait_until(clock(22, 45))
    assert told(desk) == [("23 22:30", "worker")]


def test_a_rung_and_the_end_of_the_night_at_one_moment_are_one_message() -> None:
    desk = at_night(4, day=24)
    desk.give("guest", "ask", question=QUESTION)
    desk.wait_until(clock(8, 30, day=24))
    assert sorted(told(desk))[-2:] == [("24 08:00", "admin"), ("24 08:00", "lead")]
    assert len(set(told(desk))) == len(told(desk))


def test_who_has_handed_it_on_by_morning_is_left_alone() -> None:
    desk = at_night(21, 30)
    desk.give("guest", "ask", question=QUESTION)
    desk.give("worker", "claim", query=1)
    desk.wait_until(clock(7, day=24))
    desk.give("lead", "claim", query=1)
    desk.wait_until(clock(9, day=24))
    assert [reader for at, reader in told(desk) if at == "24 08:00"] == ["lead", "admin"]


# --- the watchdog ---------------------------------------------------------------------------------


def test_the_watchdog_finds_a_rung_that_never_ran(desk: Desk) -> None:
    desk.give("guest", "ask", question=QUESTION)
    with desk.uow() as uow:
        gone = timers.c.kind == "query.ladder", timers.c.subject == "Q1/1"
        uow.session.execute(delete(timers).where(*gone, timers.c.fired_at.is_(None)))
    desk.wait(minutes=124)
    with desk.uow() as uow:
        assert missed(uow, desk.now) == []
    desk.wait(minutes=2)
    with desk.uow() as uow:
        assert missed(uow, desk.now) == ["Q1/1 deadline"]
    desk.give("worker", "reply", query=1, words="明天。")
    with desk.uow() as uow:
        assert missed(uow, desk.now + timedelta(days=1)) == []


def test_the_watchdog_is_content_when_the_ladder_runs(desk: Desk) -> None:
    for _ in range(3):
        desk.give("guest", "ask", question=QUESTION)
    for _ in range(30):
        desk.wait(minutes=20)
        with desk.uow() as uow:
            assert missed(uow, desk.now) == []
