"""The schedule: ticks come in time, whatever the wall clock does, and never in a frenzy."""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Self

import apscheduler.schedulers.base
import pytest
import uvloop
from sqlalchemy import select
from sqlalchemy.orm import Session

import bot.schedule
from bot.clock import WallClock
from bot.messages import Tick
from bot.schedule import Schedule
from storage.tables.queues import timers
from storage.uow import UnitOfWork
from tests.engines import fresh_engine
from tests.small import Small


class Bell:
    """Writes down when it rang."""

    def __init__(self) -> None:
        self.rung: list[tuple[str, float]] = []

    def ring(self, tick: Tick, _uow: UnitOfWork) -> None:
        """A timer's function."""
        self.rung.append((tick.subject, time.monotonic()))

    @property
    def subjects(self) -> list[str]:
        """What it rang for."""
        return [subject for subject, _moment in self.rung]


class Town:
    """The spine with a bell, on the machine's clock."""

    def __init__(self, url: str) -> None:
        self.bell = Bell()
        self.small = Small(fresh_engine(url), timers={"bell": self.bell.ring})
        self.clock = WallClock()
        self.schedule = Schedule(self.small.dispatch, self.small.transactions, self.clock)
        self.ticks = 0

    async def arm(self, subject: str, seconds: float) -> None:
        """Arm the bell as a handler does, so that the schedule hears of it."""
        due = self.clock.now() + timedelta(seconds=seconds)
        await self.small.transactions.run(lambda uow: uow.timers.arm("bell", subject, "once", due))

    async def until_rung(self, subject: str, seconds: float = 5) -> None:
        """Wait for the bell."""
        end = time.monotonic() + seconds
        while subject not in self.bell.subjects:
            assert time.monotonic() < end, f"{subject} never rang"
            await asyncio.sleep(0.005)


@pytest.fixture
def town(database_url: str) -> Iterator[Town]:
    """On both databases."""
    one = Town(database_url)
    yield one
    one.small.close()


@asynccontextmanager
async def running(town: Town) -> AsyncIterator[None]:
    """The schedule runs, and hears of what commits arm."""
    loop = asyncio.get_running_loop()

    def told(_queued: bool, armed: bool) -> None:
        if armed:
            loop.call_soon_threadsafe(town.schedule.armed)

    town.small.told = told
    town.schedule.start()
    yield
    await town.schedule.stop()


def count_ticks(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    """Count how often the timers are looked at."""
    tick = town.small.dispatch.tick

    async def counted(now: datetime) -> int:
        town.ticks += 1
        return await tick(now)

    monkeypatch.setattr(town.small.dispatch, "tick", counted)


async def test_a_lone_timer_fires_at_its_time_and_not_at_the_next_second(town: Town) -> None:
    async with running(town):
        await asyncio.sleep(0.3)
        began = time.monotonic()
        await town.arm("soon", 0.35)
        await town.until_rung("soon")
    late = town.bell.rung[0][1] - began - 0.35
    assert -0.02 < late < 0.4


async def test_a_sooner_timer_is_not_kept_waiting_by_a_later_one(town: Town) -> None:
    async with running(town):
        await asyncio.sleep(0.1)
        began = time.monotonic()
        await town.arm("later", 0.8)
        await town.arm("sooner", 0.2)
        await town.until_rung("later")
    assert town.bell.subjects == ["sooner", "later"]
    assert town.bell.rung[0][1] - began < 0.7


async def test_what_is_overdue_at_the_start_fires_at_once(town: Town) -> None:
    await town.arm("overdue", -3600)
    async with running(town):
        await town.until_rung("overdue", 1)


def test_timers_that_are_due_at_once_are_aimed_at_on_uvloop_too(sqlite_url: str) -> None:
    """`banzhang serve` runs on uvloop, whose handle of a call without delay has no when()."""

    async def several() -> None:
        town = Town(sqlite_url)
        wrong: list[dict[str, object]] = []
        asyncio.get_running_loop().set_exception_handler(lambda _loop, why: wrong.append(why))
        async with running(town):
            for number in range(20):
                await town.arm(f"now {number}", 0)
            await town.until_rung("now 19")
        town.small.close()
        gc.collect()  # a task whose exception nobody took tells so when it goes
        assert wrong == []

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(several())


class AnHourAgo(datetime):
    """What APScheduler sees of a wall clock that was set back."""

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> Self:
        """An hour less than it is."""
        return super().now(tz) - timedelta(hours=1)


async def test_a_wall_clock_set_back_an_hour_does_not_stop_the_ticks(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bot.schedule, "SILENCE", 1.5)
    async with running(town):
        await asyncio.sleep(0.1)
        # The truth is a row of our own clock; only the scheduler's library sees the wall.
        monkeypatch.setattr(apscheduler.schedulers.base, "datetime", AnHourAgo)
        await asyncio.sleep(1.2)  # now it stands still
        await town.arm("far", 2.5)  # too far ahead for an exact wake-up
        await town.until_rung("far", 8)
        assert town.schedule.age < 5


async def test_what_another_replica_is_firing_is_not_looked_at_in_a_frenzy(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    town = Town(postgres_url)
    count_ticks(town, monkeypatch)
    await town.arm("theirs", -1)
    async with running(town):
        with Session(town.small.engine) as theirs, theirs.begin():
            assert theirs.execute(select(timers).with_for_update(skip_locked=True)).all()
            before = town.ticks
            await asyncio.sleep(0.5)
            assert town.ticks - before <= 15
        await town.until_rung("theirs", 3)
    town.small.close()


async def test_a_tick_that_fails_is_followed_by_another(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    tick = town.small.dispatch.tick
    failed: list[datetime] = []

    async def fails_once(now: datetime) -> int:
        if not failed:
            failed.append(now)
            raise OSError("the database is away")
        return await tick(now)

    monkeypatch.setattr(town.small.dispatch, "tick", fails_once)
    await town.arm("after all", -1)
    async with running(town):
        await town.until_rung("after all", 3)
    assert failed


async def test_stopping_waits_for_the_tick_that_runs(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[datetime] = []

    async def slow(_now: datetime) -> int:
        await asyncio.sleep(0.2)
        done.append(datetime.now(UTC))
        return 0

    town.schedule.start()
    await asyncio.sleep(0.1)  # the first tick of all has passed
    monkeypatch.setattr(town.small.dispatch, "tick", slow)
    ticking = asyncio.create_task(town.schedule.tick())
    await asyncio.sleep(0.05)
    await town.schedule.stop()
    await ticking
    assert done
