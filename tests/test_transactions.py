"""Transactions: shared commits on SQLite, a transaction each on PostgreSQL, and what goes wrong in
one piece of work must not reach another.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator

import psycopg
import pytest
from sqlalchemy import event as hooks
from sqlalchemy.exc import DBAPIError, IntegrityError

from bot.commands import Command, Request
from bot.messages import Answer, text
from bot.transactions import SharedCommits, in_the_way
from storage.tables.teams import Team
from storage.uow import UnitOfWork
from tests.clock import MORNING
from tests.engines import fresh_engine
from tests.small import Small, event
from tests.test_dispatch import ANYBODY, TABLE, counted, read


@pytest.fixture
def small(database_url: str) -> Iterator[Small]:
    """The spine with the table of the tests of dispatch, on both databases."""
    one = Small(fresh_engine(database_url), TABLE)
    yield one
    one.close()


@pytest.fixture
def on_sqlite(sqlite_url: str) -> Iterator[Small]:
    """The same on SQLite alone."""
    one = Small(fresh_engine(sqlite_url), TABLE)
    yield one
    one.close()


def fact(small: Small, name: str) -> str | None:
    """What is written down under a name."""
    with small.uow() as uow:
        return uow.facts.get(name)


def another_team_of_the_same_name(uow: UnitOfWork) -> None:
    """What the database refuses, and only when it is flushed."""
    twin = Team(name="Team", locale="en", zone="UTC", policies={}, created_at=MORNING)
    uow.session.add(twin)


async def test_what_one_refuses_or_breaks_leaves_the_others_alone(small: Small) -> None:
    def break_(uow: UnitOfWork) -> None:
        uow.facts.put("broken", "yes")
        raise ValueError("broken")

    run = small.transactions.run
    results = await asyncio.gather(
        run(lambda uow: uow.facts.put("first", "yes")),
        run(break_),
        run(another_team_of_the_same_name),
        run(lambda uow: uow.facts.put("last", "yes")),
        return_exceptions=True,
    )
    assert [type(one) for one in results] == [type(None), ValueError, IntegrityError, type(None)]
    assert (fact(small, "first"), fact(small, "broken"), fact(small, "last")) == (
        "yes",
        None,
        "yes",
    )


async def test_what_the_database_refuses_at_the_very_end_becomes_an_apology(small: Small) -> None:
    def make_twin(_request: Request, uow: UnitOfWork) -> Answer:
        another_team_of_the_same_name(uow)
        return Answer(words=text("said", words="done"))

    other = Small(small.engine, (Command("who", ANYBODY, make_twin), TABLE[0]))
    broken, fine = await asyncio.gather(
        other.dispatch.receive(event("who", key="a")),
        other.dispatch.receive(event("checkin", key="b", user="U2")),
    )
    assert "went wrong" in read(broken)
    assert read(fine) == "1"
    assert read(await other.dispatch.receive(event("who", key="a"))) == read(broken)
    other.transactions.close()


async def test_whoever_gives_up_waiting_does_not_stop_the_rest(small: Small) -> None:
    go_on = threading.Event()

    def slow(uow: UnitOfWork) -> None:
        go_on.wait(5)
        uow.facts.put("slow", "yes")

    impatient = asyncio.create_task(small.transactions.run(slow))
    await asyncio.sleep(0.05)
    impatient.cancel()
    await asyncio.gather(impatient, return_exceptions=True)
    go_on.set()
    await small.transactions.run(lambda uow: uow.facts.put("next", "yes"))
    assert fact(small, "next") == "yes"


async def test_a_full_disk_answers_nobody_and_the_writer_lives(on_sqlite: Small) -> None:
    small = on_sqlite
    connection = small.engine.raw_connection()
    pages = connection.cursor().execute("PRAGMA page_count").fetchone()[0]
    connection.close()

    def limit(connection: object) -> None:
        connection.connection.driver_connection.execute(  # type: ignore[attr-defined]
            f"PRAGMA max_page_count={pages + 2}"
        )

    hooks.listen(small.engine, "begin", limit)
    long = "why? " * 500
    questions = [event(f"ask {n} {long * n}", key=str(n), user=f"U{n}") for n in range(40)]
    replies = await asyncio.gather(
        *(small.dispatch.receive(one) for one in questions), return_exceptions=True
    )
    failed = [one for one in replies if isinstance(one, BaseException)]
    told = {read(one) for one in replies if not isinstance(one, BaseException)}
    assert failed
    assert len([words for words in told if words.isdigit()]) == counted(small)

    hooks.remove(small.engine, "begin", limit)
    small.engine.dispose()
    again = await small.dispatch.receive(event("checkin", key="later"))
    assert read(again) == str(counted(small))


async def test_closing_finishes_what_was_accepted(on_sqlite: Small) -> None:
    run = on_sqlite.transactions.run
    works = [
        asyncio.create_task(run(lambda uow, n=number: uow.facts.put(f"{n}", "yes")))  # type: ignore[misc]
        for number in range(100)
    ]
    await asyncio.sleep(0)
    await asyncio.to_thread(on_sqlite.transactions.close)
    await asyncio.gather(*works)
    assert fact(on_sqlite, "99") == "yes"
    with pytest.raises(RuntimeError, match="closed"):
        await run(lambda uow: uow.facts.put("late", "yes"))


async def test_whoever_waits_shares_a_commit(
    on_sqlite: Small, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert isinstance(on_sqlite.transactions, SharedCommits)
    commits = 0
    commit = on_sqlite.engine.dialect.do_commit

    def counted_commit(connection: object) -> None:
        nonlocal commits
        commits += 1
        commit(connection)  # type: ignore[arg-type]

    monkeypatch.setattr(on_sqlite.engine.dialect, "do_commit", counted_commit)
    run = on_sqlite.transactions.run
    works = (lambda uow, n=number: uow.facts.put(f"{n}", "yes") for number in range(64))
    await asyncio.gather(*(run(work) for work in works))
    assert commits < 32


# --- somebody else was first ----------------------------------------------------------------------


def deadlock() -> DBAPIError:
    """What PostgreSQL says to the one of two whom it chooses to stop."""
    return DBAPIError("UPDATE", {}, psycopg.errors.DeadlockDetected("deadlock detected"))


def test_what_is_worth_another_try() -> None:
    assert in_the_way(deadlock())
    assert not in_the_way(DBAPIError("UPDATE", {}, psycopg.errors.UniqueViolation("twice")))
    assert not in_the_way(ValueError("no"))


async def test_a_handler_stopped_by_a_deadlock_is_run_again(postgres_url: str) -> None:
    tries = 0

    def unlucky(_request: Request, uow: UnitOfWork) -> Answer:
        nonlocal tries
        tries += 1
        uow.facts.put(f"try {tries}", "yes")
        if tries < 3:
            raise deadlock()
        return Answer(words=text("said", words="done"))

    small = Small(fresh_engine(postgres_url), (Command("checkin", ANYBODY, unlucky),))
    assert read(await small.dispatch.receive(event("checkin", key="a"))) == "done"
    assert (fact(small, "try 1"), fact(small, "try 2"), fact(small, "try 3")) == (None, None, "yes")
    small.close()


async def test_two_who_lock_crosswise_both_get_through(postgres_url: str) -> None:
    small = Small(fresh_engine(postgres_url))
    with small.uow() as uow:
        other = uow.teams.add("Other", "en", "UTC", MORNING).id
    both = threading.Barrier(2, timeout=5)
    first_time = {1: True, other: True}

    def cross(one: int, two: int) -> None:
        def work(uow: UnitOfWork) -> None:
            uow.teams.lock(one)
            if first_time.pop(one, False):
                both.wait()
            uow.teams.lock(two)
            uow.facts.put(f"team {one}", "yes")

        asyncio.run(small.transactions.run(work))

    threads = [threading.Thread(target=cross, args=pair) for pair in ((1, other), (other, 1))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert fact(small, "team 1") == fact(small, f"team {other}") == "yes"
    small.close()


# --- the same words twice -------------------------------------------------------------------------


async def test_the_same_words_from_two_doors_at_once_create_one_thing(small: Small) -> None:
    for number in range(10):
        doubled = (event(f"ask why {number}?", key=f"{number}/{door}") for door in range(4))
        replies = await asyncio.gather(*(small.dispatch.receive(one) for one in doubled))
        assert len({read(reply) for reply in replies}) == 1
    assert counted(small) == 10


@pytest.mark.parametrize("inline", [True, False])
async def test_the_same_words_again_are_answered_again(small: Small, inline: bool) -> None:
    small.postbox.inline = inline
    first = await small.dispatch.receive(event("ask why?", key="a"))
    second = await small.dispatch.receive(event("ask why?", key="b"))
    third = await small.dispatch.receive(event("ask why?", key="b"))
    await small.delivery.drain()
    if inline:
        assert read(first) == read(second) == read(third) == "1"
    else:
        assert small.postbox.taken == [("U1", "1"), ("U1", "1")]
    assert counted(small) == 1


async def test_a_repeat_that_no_response_can_carry_is_not_said_twice(small: Small) -> None:
    small.postbox.inline = False
    for _ in range(3):
        await small.dispatch.receive(event("checkin", key="a", chat="G1"))
    await small.delivery.drain()
    assert small.postbox.taken == [("G1", "U1 1")]


async def test_a_stored_answer_that_nobody_can_read_is_no_answer(small: Small) -> None:
    await small.dispatch.receive(event("ask why?", key="a"))
    with small.uow() as uow:
        uow.session.connection().exec_driver_sql("UPDATE inbox SET reply = '1:AAAA'")
    assert await small.dispatch.receive(event("ask why?", key="a")) is None
    assert read(await small.dispatch.receive(event("ask why?", key="b"))) == "2"
