"""What may have to wait for weeks stands aside: what was written after it passes, and nothing is
lost, said twice or out of order.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from sqlalchemy import select

from adapters.contract import DeliveryFailed
from bot.messages import Address, Send, text
from storage.outbox import BESIDE
from storage.tables.queues import outbox
from tests.clock import MORNING
from tests.engines import fresh_engine
from tests.small import Small

GROUP = Address(platform="postbox", kind="group", id="G1")
WEEKS = 3600.0


@pytest.fixture
def small(database_url: str) -> Iterator[Small]:
    """The spine on an empty database, on SQLite and on PostgreSQL."""
    one = Small(fresh_engine(database_url), timers={"message.dead": lambda _tick, _uow: None})
    yield one
    one.close()


@pytest.fixture
def folding(database_url: str) -> Iterator[Small]:
    """The same on a platform that counts messages."""
    one = Small(fresh_engine(database_url), folds=True)
    yield one
    one.close()


def held(times: int = 1) -> list[DeliveryFailed]:
    return [DeliveryFailed("paced", "quota", after=WEEKS, aside=True) for _ in range(times)]


def put(small: Small, words: str, **more: str) -> None:
    with small.uow() as uow:
        send = Send(
            to=GROUP,
            key=more.pop("key", words),
            words=text("said", words=words),
            **more,  # type: ignore[arg-type]
        )
        assert uow.outbox.put(send, small.clock.now())


async def read(small: Small) -> list[str]:
    """All that was said so far."""
    await small.delivery.drain()
    return [words for _address, words in small.postbox.taken]


async def later(small: Small) -> list[str]:
    small.clock.push_to(small.clock.now() + timedelta(seconds=WEEKS))
    return await read(small)


def rows(small: Small) -> list[tuple[str, bool, int]]:
    """State, whether it stands aside, and how often it was tried."""
    with small.uow() as uow:
        found = uow.session.execute(select(outbox).order_by(outbox.c.id))
        return [(row.state, row.address.endswith(BESIDE), row.attempts) for row in found]


async def test_what_stands_behind_it_passes(small: Small) -> None:
    small.postbox.failures["G1"] = held()
    put(small, "reminder")
    assert await read(small) == []
    put(small, "answer")
    assert await read(small) == ["answer"], "at once, and not when the first may be tried again"
    assert rows(small) == [("pending", True, 0), ("sent", False, 1)]
    assert await later(small) == ["answer", "reminder"]
    assert rows(small)[0] == ("sent", True, 1)


async def test_those_that_stand_aside_keep_their_order(small: Small) -> None:
    small.postbox.failures["G1"] = held(3)
    for words in ("first", "second", "third"):
        put(small, words)
    assert await read(small) == []
    small.postbox.failures["G1"] = held()
    assert await later(small) == [], "it is the first that holds the others back there"
    assert [state for state, _aside, _attempts in rows(small)] == ["pending"] * 3
    assert await later(small) == ["first", "second", "third"]


async def test_a_short_pause_lets_nobody_past(small: Small) -> None:
    small.postbox.failures["G1"] = [DeliveryFailed("paced", "not its turn yet", after=1.0)]
    put(small, "first")
    put(small, "second")
    assert await read(small) == []
    assert [aside for _state, aside, _attempts in rows(small)] == [False, False]
    assert await later(small) == ["first", "second"]


async def test_a_change_waits_with_what_it_changes(small: Small) -> None:
    small.postbox.failures["G1"] = held()
    put(small, "open", key="Q1/card")
    put(small, "claimed", key="Q1/claimed", edits="Q1/card")
    assert await read(small) == []
    assert await later(small) == ["open", "claimed (edits G1:1)"]


async def test_a_change_of_what_stands_aside_stands_behind_it(small: Small) -> None:
    small.postbox.failures["G1"] = held()
    put(small, "open", key="Q1/card")
    await read(small)
    put(small, "claimed", key="Q1/claimed", edits="Q1/card")
    put(small, "answered", key="Q1/answered", edits="Q1/card")
    assert await read(small) == []
    assert await later(small) == ["open", "answered (edits G1:1)"]


async def test_what_was_to_leave_with_it_is_tried_on_its_own(folding: Small) -> None:
    folding.postbox.failures["G1"] = held()
    for words in ("news", "answer", "another"):
        put(folding, words)
    assert await read(folding) == ["answer\nanother"]
    assert rows(folding)[0] == ("pending", True, 0)
    assert await later(folding) == ["answer\nanother", "news"]


async def test_what_has_become_pointless_is_withdrawn_there_too(small: Small) -> None:
    small.postbox.failures["G1"] = held()
    put(small, "due", key="Q1/due")
    await read(small)
    with small.uow() as uow:
        uow.outbox.withdraw("Q1/", "person")
    assert await later(small) == []


async def test_a_restart_forgets_none_of_them(small: Small) -> None:
    small.postbox.failures["G1"] = held()
    put(small, "reminder")
    await read(small)
    with small.uow() as uow:
        uow.outbox.release_all()
        assert uow.outbox.next_ready(["postbox:group:"]) == MORNING + timedelta(seconds=WEEKS)
    assert await later(small) == ["reminder"]
