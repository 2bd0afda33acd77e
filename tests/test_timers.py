"""Timers: rows that fire once, in batches, and again after a failure."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import timedelta

import pytest
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from bot.messages import Tick
from storage.uow import UnitOfWork
from tests.clock import MORNING
from tests.engines import fresh_engine
from tests.small import Small


class Bell:
    """Rings, and remembers what for; may be told to break."""

    def __init__(self) -> None:
        self.rung: list[str] = []
        self.breaks = 0

    def ring(self, tick: Tick, uow: UnitOfWork) -> None:
        """A timer's function; what it writes must vanish when it breaks."""
        uow.facts.put(f"rung {tick.subject}", "yes")
        if self.breaks:
            self.breaks -= 1
            raise ValueError("broken bell")
        self.rung.append(tick.subject)


@pytest.fixture
def bell() -> Bell:
    """A bell to ring."""
    return Bell()


@pytest.fixture
def small(database_url: str, bell: Bell) -> Iterator[Small]:
    """The spine with a timer that rings the bell."""
    one = Small(fresh_engine(database_url), timers={"bell": bell.ring})
    yield one
    one.close()


def arm(small: Small, *subjects: str, minutes: int = 1) -> None:
    with small.uow() as uow:
        for subject in subjects:
            uow.timers.arm("bell", subject, "once", MORNING + timedelta(minutes=minutes))


async def test_a_timer_fires_once_at_its_time(small: Small, bell: Bell) -> None:
    arm(small, "a")
    assert await small.dispatch.tick(MORNING) == 0
    assert await small.dispatch.tick(MORNING + timedelta(minutes=1)) == 1
    assert await small.dispatch.tick(MORNING + timedelta(minutes=2)) == 0
    assert bell.rung == ["a"]


async def test_the_same_timer_again_only_moves(small: Small, bell: Bell) -> None:
    arm(small, "a")
    arm(small, "a", minutes=5)
    assert await small.dispatch.tick(MORNING + timedelta(minutes=2)) == 0
    assert await small.dispatch.tick(MORNING + timedelta(minutes=5)) == 1


async def test_a_timer_that_fails_rolls_back_alone_and_comes_again(
    small: Small, bell: Bell
) -> None:
    arm(small, "a", "b", "c")
    bell.breaks = 1
    due = MORNING + timedelta(minutes=1)
    await small.dispatch.tick(due)
    assert bell.rung == ["b", "c"]
    with small.uow() as uow:
        assert uow.facts.get("rung a") is None
        assert uow.facts.get("rung b") == "yes"
    assert await small.dispatch.tick(due + timedelta(seconds=5)) == 0
    assert await small.dispatch.tick(due + timedelta(seconds=10)) == 1
    assert bell.rung == ["b", "c", "a"]


async def test_a_thousand_at_once_all_fire(small: Small, bell: Bell) -> None:
    arm(small, *(f"t{number}" for number in range(1000)))
    assert await small.dispatch.tick(MORNING + timedelta(minutes=1)) == 1000
    assert sorted(bell.rung) == sorted(f"t{number}" for number in range(1000))


async def test_two_replicas_fire_each_timer_once(small: Small, bell: Bell) -> None:
    arm(small, *(f"t{number}" for number in range(300)))
    other = Small(small.engine, timers={"bell": bell.ring})
    due = MORNING + timedelta(minutes=1)
    await asyncio.gather(small.dispatch.tick(due), other.dispatch.tick(due))
    assert len(bell.rung) == len(set(bell.rung)) == 300
    other.transactions.close()


async def test_the_wall_clock_set_back_an_hour_loses_and_repeats_nothing(
    small: Small, bell: Bell
) -> None:
    arm(small, "a", minutes=1)
    arm(small, "b", minutes=30)
    await small.dispatch.tick(MORNING + timedelta(minutes=1))
    back = MORNING - timedelta(minutes=59)
    await small.dispatch.tick(back)
    await small.dispatch.tick(MORNING + timedelta(minutes=30))
    assert bell.rung == ["a", "b"]


async def test_timers_that_arm_themselves_for_now_do_not_ring_for_ever(small: Small) -> None:
    def again(tick: Tick, uow: UnitOfWork) -> None:
        uow.timers.arm(tick.kind, tick.subject, tick.step, tick.now - timedelta(minutes=1))

    other = Small(small.engine, timers={"bell": again})
    arm(small, *(f"t{number}" for number in range(400)))
    due = MORNING + timedelta(minutes=1)
    assert await asyncio.wait_for(other.dispatch.tick(due), 10) == 400
    assert await other.dispatch.tick(due) == 0
    assert await other.dispatch.tick(due + timedelta(seconds=1)) == 400
    other.transactions.close()


async def test_a_timer_of_an_unknown_kind_waits_and_harms_nobody(small: Small, bell: Bell) -> None:
    due = MORNING + timedelta(minutes=1)
    with small.uow() as uow:
        uow.timers.arm("of another version", "x", "once", due)
    arm(small, "a")
    assert await small.dispatch.tick(due) == 2
    assert bell.rung == ["a"]
    with small.uow() as uow:
        assert uow.timers.waits("of another version")
        assert uow.timers.next_wake() == due + timedelta(seconds=10)


async def test_what_fires_apart_shares_no_transaction_with_the_rest(small: Small) -> None:
    fired: list[tuple[str, Session]] = []

    def note(tick: Tick, uow: UnitOfWork) -> None:
        fired.append((tick.kind, uow.session))

    other = Small(small.engine, timers={"bell": note, "drawing": note}, apart={"drawing"})
    with small.uow() as uow:
        for subject in ("a", "b"):
            for kind in ("drawing", "bell"):
                uow.timers.arm(kind, subject, "once", MORNING)
    assert await other.dispatch.tick(MORNING) == 4
    assert [kind for kind, _session in fired] == ["bell", "bell", "drawing", "drawing"]
    sessions = [session for _kind, session in fired]
    assert sessions[0] is sessions[1]
    assert sessions[1] is not sessions[2]
    assert sessions[2] is sessions[3]
    other.transactions.close()


async def test_what_is_armed_unless_it_waits_keeps_its_time(small: Small, bell: Bell) -> None:
    def again(minutes: int) -> None:
        with small.uow() as uow:
            due = MORNING + timedelta(minutes=minutes)
            uow.timers.arm_unless_waiting("bell", "a", "once", due)

    again(1)
    again(5)
    assert await small.dispatch.tick(MORNING + timedelta(minutes=1)) == 1
    again(6)
    assert await small.dispatch.tick(MORNING + timedelta(minutes=5)) == 0
    assert await small.dispatch.tick(MORNING + timedelta(minutes=6)) == 1


class Deadlock(Exception):
    """As psycopg tells of one."""

    sqlstate = "40P01"


async def test_another_transaction_in_the_way_is_no_failure_of_the_timer(
    postgres_url: str, bell: Bell
) -> None:
    """The whole batch is fired again, as an event would be."""
    ways = [1]

    def ring(tick: Tick, uow: UnitOfWork) -> None:
        bell.ring(tick, uow)
        if tick.subject == "b" and ways:
            ways.pop()
            raise OperationalError("UPDATE", {}, Deadlock())

    small = Small(fresh_engine(postgres_url), timers={"bell": ring})
    try:
        arm(small, "a", "b")
        due = MORNING + timedelta(minutes=1)
        assert await small.dispatch.tick(due) == 2
        assert bell.rung == ["a", "b", "a", "b"]
        with small.uow() as uow:
            assert not uow.timers.waits("bell")
            assert uow.facts.get("rung a") == "yes"
    finally:
        small.close()
