"""How timers keep time: an idle look at many, one alone, a thousand at once."""

from __future__ import annotations

import asyncio
import random
import statistics
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import insert

from bot.clock import WallClock
from bot.messages import Address, Send, Tick, text
from bot.schedule import Schedule
from storage.tables.queues import timers
from storage.uow import UnitOfWork
from tests.engines import fresh_engine
from tests.small import Small

PENDING = 100_000
IDLE_LOOKS = 300
LONE = 60
BURST = 1000


class Late:
    """A timer's function that notes how late it is."""

    def __init__(self) -> None:
        self.seconds: list[float] = []
        self.fired = asyncio.Event()
        self._loop = asyncio.get_running_loop()

    def __call__(self, tick: Tick, uow: UnitOfWork) -> None:
        self.seconds.append((datetime.now(UTC) - tick.due_at).total_seconds())
        to = Address(platform="postbox", kind="person", id=tick.subject)
        send = Send(to=to, key=tick.subject, words=text("said", words="reminder"))
        uow.outbox.put(send, tick.now)
        self._loop.call_soon_threadsafe(self.fired.set)


def _filled(folder: Path, late: Late) -> Small:
    """A database with 100,000 timers that are far from due."""
    small = Small(fresh_engine(f"sqlite:///{folder}/clocks.db"), timers={"late": late})
    far = datetime.now(UTC) + timedelta(days=1)
    chooser = random.Random(1)
    rows = [
        {
            "kind": "late",
            "subject": f"far{number}",
            "step": "1",
            "due_at": (due := far + timedelta(seconds=chooser.randrange(10**6))),
            "wake_at": due,
            "attempts": 0,
        }
        for number in range(PENDING)
    ]
    with small.uow() as uow:
        for start in range(0, PENDING, 10_000):
            uow.session.execute(insert(timers), rows[start : start + 10_000])
    return small


async def measure(folder: Path) -> list[tuple[str, str, str]]:
    """Rows of (what, result, goal)."""
    late = Late()
    small = _filled(folder, late)
    idle = []
    for _ in range(IDLE_LOOKS):
        began = time.perf_counter()
        await small.dispatch.tick(datetime.now(UTC))
        idle.append((time.perf_counter() - began) * 1000)
    lone = await _lone(small, late)
    queued = await _burst(small, late)
    small.close()
    return [
        (
            "idle tick with 100,000 pending timers, median",
            f"{statistics.median(idle):.2f} ms",
            "1 ms",
        ),
        ("a lone timer's lateness, p99", f"{_p99(lone) * 1000:.0f} ms", "50 ms"),
        ("1,000 due in one second: all queued after", f"{queued:.2f} s", "1 s"),
    ]


async def _lone(small: Small, late: Late) -> list[float]:
    """Timers one by one, each written a little before it is due, as handlers do."""
    loop = asyncio.get_running_loop()
    schedule = Schedule(small.dispatch, small.transactions, WallClock())

    def told(_queued: bool, armed: bool) -> None:
        if armed:
            loop.call_soon_threadsafe(schedule.armed)

    small.told = told
    schedule.start()
    late.seconds.clear()
    chooser = random.Random(2)
    late.fired.clear()
    for number in range(LONE):
        due = datetime.now(UTC) + timedelta(seconds=chooser.uniform(0.05, 1.2))
        subject = f"lone{number}"
        await small.transactions.run(
            lambda uow, subject=subject, due=due: uow.timers.arm("late", subject, "1", due)  # type: ignore[misc]
        )
        await late.fired.wait()
        late.fired.clear()
    await schedule.stop()
    return list(late.seconds)


async def _burst(small: Small, late: Late) -> float:
    """Seconds from the moment 1,000 are due until all their messages are queued."""
    due = datetime.now(UTC)
    with small.uow() as uow:
        for number in range(BURST):
            uow.timers.arm("late", f"burst{number}", "1", due)
    began = time.perf_counter()
    fired = await small.dispatch.tick(datetime.now(UTC))
    assert fired == BURST
    return time.perf_counter() - began


def _p99(values: list[float]) -> float:
    return sorted(values)[int(len(values) * 0.99)]
