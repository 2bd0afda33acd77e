"""The outbox when things go wrong: slow platforms, a database that is away, words nobody can read,
clocks that are set back. Nothing is lost, nothing is said twice, nothing waits for ever.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import update
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

import bot.outbox
from adapters.contract import DeliveryFailed
from bot.messages import Outgoing, Reader, Send, text
from storage.cipher import Cipher
from storage.outbox import Leased, Outcome
from storage.tables.queues import outbox
from storage.uow import UnitOfWork
from tests.clock import MORNING
from tests.engines import fresh_engine
from tests.small import SECRET, Small
from tests.test_outbox import GROUP, put, states

OTHER = GROUP.model_copy(update={"id": "G2"})
LEASE = timedelta(seconds=90)


@pytest.fixture
def small(database_url: str) -> Iterator[Small]:
    """The spine without any command, on both databases."""
    one = Small(fresh_engine(database_url))
    yield one
    one.close()


@asynccontextmanager
async def delivering(small: Small) -> AsyncIterator[asyncio.Task[None]]:
    """The drain runs, as it does in a server."""
    task = asyncio.create_task(small.delivery.run())
    small.told = lambda _queued, _armed: None
    yield task
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def until(fact: Callable[[], bool]) -> None:
    """Wait for something that happens on its own, five seconds at most."""
    for _ in range(500):
        if fact():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it never happened")


def failing(work: Callable[..., Awaitable[Any]], *calls: int) -> Callable[..., Awaitable[Any]]:
    """The same, but these calls of it (1, 2 …) find the database away."""
    made = 0

    async def sometimes(*arguments: Any) -> Any:
        nonlocal made
        made += 1
        if made in calls:
            raise OperationalError("SELECT", {}, Exception("the database is away"))
        return await work(*arguments)

    return sometimes


@pytest.mark.parametrize("method", ["read", "run"])
async def test_the_drain_outlives_a_database_that_is_away(
    small: Small, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    monkeypatch.setattr(small.transactions, method, failing(getattr(small.transactions, method), 1))
    async with delivering(small) as task:
        await asyncio.sleep(0.05)
        put(small, "still here")
        small.delivery.wake()
        await until(lambda: bool(small.postbox.taken))
        assert not task.done()
    assert small.postbox.taken == [("G1", "still here")]


async def test_a_stop_in_the_moment_of_news_is_a_stop(small: Small) -> None:
    task = asyncio.create_task(small.delivery.run())
    await asyncio.sleep(0.05)
    small.delivery.wake()
    task.cancel()
    await asyncio.wait({task}, timeout=2)
    assert task.cancelled()


async def test_what_was_sent_is_recorded_even_if_that_takes_several_tries(
    small: Small, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bot.outbox, "RECORD_AGAIN", 0.01)
    put(small, "once")
    # The first call leases the message, the next ones write down that it was sent.
    monkeypatch.setattr(small.transactions, "run", failing(small.transactions.run, 2, 3))
    await small.delivery.drain()
    small.clock.push_to(MORNING + LEASE)
    await small.delivery.drain()
    assert small.postbox.taken == [("G1", "once")]
    assert states(small) == ["sent"]


async def test_a_platform_that_never_answers_holds_up_nobody(
    small: Small, monkeypatch: pytest.MonkeyPatch
) -> None:
    send = small.postbox.send

    async def hang(outgoing: Outgoing, reader: Reader) -> str:
        if outgoing.address.id == "G1":
            await asyncio.sleep(3600)
        return await send(outgoing, reader)

    monkeypatch.setattr(bot.outbox, "LONGEST_SEND", 0.05)
    monkeypatch.setattr(small.postbox, "send", hang)
    put(small, "into the void")
    put(small, "elsewhere", to=OTHER)
    await asyncio.wait_for(small.delivery.drain(), 5)
    assert small.postbox.taken == [("G2", "elsewhere")]
    assert states(small) == ["pending", "sent"]


def lease(small: Small, seconds: int) -> Leased:
    """Lease the one message that waits, so many seconds after nine."""
    now = MORNING + timedelta(seconds=seconds)
    with small.uow() as uow:
        (leased,) = uow.outbox.lease(now, now + LEASE, 10, ["postbox:"])
    return leased


def ended(leased: Leased, state: str) -> Outcome:
    """How an attempt ended."""
    return Outcome(leased.id, leased.queue, state, leased.attempt)


@pytest.mark.parametrize("late", ["pending", "dead", "sent"])
async def test_an_attempt_that_was_overtaken_has_nothing_more_to_say(
    small: Small, late: str
) -> None:
    put(small, "once")
    slow, quick = lease(small, 0), lease(small, 91)
    with small.uow() as uow:
        assert uow.outbox.record(ended(quick, "sent"), MORNING)
        assert not uow.outbox.record(ended(slow, late), MORNING)
    assert states(small) == ["sent"]


async def test_an_overtaken_attempt_does_not_free_the_address(small: Small) -> None:
    put(small, "first")
    put(small, "second")
    slow = lease(small, 0)
    lease(small, 91)
    with small.uow() as uow:
        assert not uow.outbox.record(ended(slow, "sent"), MORNING)
        assert not uow.outbox.lease(
            MORNING + timedelta(seconds=92), MORNING + LEASE * 2, 10, ["postbox:"]
        )


async def test_words_that_nobody_can_read_hold_up_nobody_and_are_told(small: Small) -> None:
    put(small, "sealed with a key that is lost")
    with small.uow() as uow:
        uow.session.execute(update(outbox).values(body=Cipher("another secret").seal("{}")))
    put(small, "behind it")
    put(small, "elsewhere", to=OTHER)
    await small.delivery.drain()
    await small.delivery.drain()
    assert sorted(small.postbox.taken) == [("G1", "behind it"), ("G2", "elsewhere")]
    assert states(small) == ["dead", "sent", "sent"]
    with small.uow() as uow:
        assert uow.timers.waits("message.dead")
        assert uow.outbox.address_of(1) is None


async def test_a_message_queued_while_the_last_one_is_recorded_is_not_forgotten(
    small: Small,
) -> None:
    """On PostgreSQL the recorder cannot see what another transaction has not committed yet."""
    put(small, "one")
    leased = lease(small, 0)
    if small.engine.dialect.name == "sqlite":
        with small.uow() as uow:
            uow.outbox.put(_second(), MORNING)
            uow.outbox.record(ended(leased, "sent"), MORNING)
    else:
        _record_in_the_middle_of_a_put(small, leased)
    await small.delivery.drain()
    assert small.postbox.taken == [("G1", "two")]


def _second() -> Send:
    return Send(to=GROUP, key="two", words=text("said", words="two"))


def _record_in_the_middle_of_a_put(small: Small, leased: Leased) -> None:
    def record() -> None:
        with small.uow() as uow:
            uow.outbox.record(ended(leased, "sent"), MORNING)

    recorder = threading.Thread(target=record)
    with Session(small.engine) as session, session.begin():
        UnitOfWork(session, Cipher(SECRET)).outbox.put(_second(), MORNING)
        recorder.start()
        recorder.join(0.3)  # it waits for us, or it has counted without us
    recorder.join()


async def test_a_clock_set_back_an_hour_does_not_hold_messages_for_an_hour(small: Small) -> None:
    small.postbox.failures["G2"] = [DeliveryFailed("retry", "busy", after=60, scope="platform")]
    put(small, "wait a minute", to=OTHER)
    await small.delivery.drain()
    put(small, "now")
    small.clock.moment = MORNING - timedelta(hours=1)
    await small.delivery.drain()
    assert sorted(small.postbox.taken) == [("G1", "now"), ("G2", "wait a minute")]


async def test_the_longest_of_several_waits_counts(small: Small) -> None:
    small.postbox.failures["G1"] = [DeliveryFailed("retry", "429", after=30, scope="platform")]
    small.postbox.failures["G2"] = [DeliveryFailed("retry", "429", after=1, scope="platform")]
    put(small, "one")
    put(small, "two", to=OTHER)
    await small.delivery.drain()
    small.clock.push_to(MORNING + timedelta(seconds=2))
    await small.delivery.drain()
    assert small.postbox.taken == []
    small.clock.push_to(MORNING + timedelta(seconds=31))
    await small.delivery.drain()
    assert len(small.postbox.taken) == 2


async def test_people_do_not_wait_behind_a_hundred_reminders(small: Small) -> None:
    with small.uow() as uow:
        for number in range(150):
            place = GROUP.model_copy(update={"id": f"R{number}"})
            words = text("said", words="reminder")
            uow.outbox.put(
                Send(to=place, key=f"r{number}", words=words, priority="reminder"), MORNING
            )
    put(small, "an answer")
    await small.delivery.drain()
    assert len(small.postbox.taken) == 151
    assert ("G1", "an answer") in small.postbox.taken[:100]


def attempts(small: Small) -> list[int]:
    with small.uow() as uow:
        return list(
            uow.session.scalars(
                outbox.select().with_only_columns(outbox.c.attempts).order_by(outbox.c.id)
            )
        )


async def test_what_is_not_its_turn_yet_was_no_attempt(
    small: Small, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A method's own pace sends messages away as often as it likes: none is given up for that, and
    each comes back after the time it was told, in its order.
    """
    monkeypatch.setattr(bot.outbox, "TRIES", 2)
    paced = DeliveryFailed("paced", "chat.update: not its turn yet", after=5)
    small.postbox.failures["G1"] = [paced] * 4
    put(small, "first")
    put(small, "second")
    put(small, "elsewhere", to=OTHER)
    for turn in range(4):
        small.clock.push_to(MORNING + timedelta(seconds=5 * turn))
        await small.delivery.drain()
        assert small.postbox.taken == [("G2", "elsewhere")]
        assert len(small.postbox.failures["G1"]) == 3 - turn
        await small.delivery.drain()
        assert len(small.postbox.failures["G1"]) == 3 - turn, "not before its time"
        assert attempts(small) == [0, 0, 1]
    small.clock.push_to(MORNING + timedelta(seconds=20))
    await small.delivery.drain()
    assert small.postbox.taken == [("G2", "elsewhere"), ("G1", "first"), ("G1", "second")]
    assert attempts(small) == [1, 1, 1]


async def test_a_doubt_outlives_a_turn_that_was_not_its(
    small: Small, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who only waited has not found out what became of the first attempt."""
    tried: list[tuple[int, bool]] = []
    send = small.postbox.send

    async def note(outgoing: Outgoing, reader: Reader) -> str:
        tried.append((outgoing.attempt, outgoing.uncertain_since is not None))
        return await send(outgoing, reader)

    monkeypatch.setattr(small.postbox, "send", note)
    small.postbox.failures["G1"] = [
        DeliveryFailed("unknown", "the line broke", after=1),
        *[DeliveryFailed("paced", "not its turn yet", after=1) for _ in range(3)],
    ]
    put(small, "perhaps")
    for second in range(6):
        small.clock.push_to(MORNING + timedelta(seconds=second))
        await small.delivery.drain()
    assert tried == [(1, False), *[(2, True)] * 4]
    assert states(small) == ["sent"]
