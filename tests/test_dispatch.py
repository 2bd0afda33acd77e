"""Dispatch: an event is done once, whoever delivers it and however often; what fails leaves no
trace.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from sqlalchemy import select

from bot.commands import Argument, Command, Request
from bot.messages import Answer, Refused, Reply, Role, text
from bot.words import reader_for
from storage.tables.queues import facts
from storage.uow import UnitOfWork
from tests.clock import MORNING
from tests.engines import fresh_engine
from tests.small import Small, event

ANYBODY: frozenset[Role] = frozenset(("guest", "worker", "admin"))


def count(request: Request, uow: UnitOfWork) -> Answer:
    """Adds one, and says how many there are."""
    uow.facts.put(f"done {request.event_key}", "yes")
    return Answer(words=text("said", words=f"{_done(uow)}"))


def _done(uow: UnitOfWork) -> int:
    return len(uow.session.execute(select(facts).where(facts.c.name.startswith("done"))).all())


def private(request: Request, uow: UnitOfWork) -> Answer:
    """Something for the asker alone."""
    return Answer(words=text("said", words="secret"), private=True)


def refuse(request: Request, uow: UnitOfWork) -> Answer:
    """Writes, then says no."""
    count(request, uow)
    raise Refused("usage.empty")


def break_(request: Request, uow: UnitOfWork) -> Answer:
    """Writes, then breaks."""
    count(request, uow)
    raise RuntimeError("a secret that nobody may read")


TABLE = (
    Command("checkin", ANYBODY, count, (Argument("note", "words", required=False),)),
    Command("ask", ANYBODY, count, (Argument("question", "words"),), creates=True),
    Command("me", ANYBODY, private),
    Command("break", ANYBODY, refuse),
    Command("back", ANYBODY, break_),
    Command("who", frozenset(("admin",)), count),
)


@pytest.fixture
def small(database_url: str) -> Iterator[Small]:
    """The spine with a table of six commands, on both databases."""
    one = Small(fresh_engine(database_url), TABLE)
    yield one
    one.close()


def read(reply: Reply | None) -> str:
    assert reply is not None
    assert reply.answer is not None
    assert reply.answer.words is not None
    return reader_for(reply.locale, reply.zone, reply.at).plain(reply.answer.words)


def counted(small: Small) -> int:
    with small.uow() as uow:
        return _done(uow)


async def test_a_repeated_event_is_done_once_and_gets_the_same_answer(small: Small) -> None:
    first = await small.dispatch.receive(event("checkin", key="a"))
    again = await small.dispatch.receive(event("checkin", key="a"))
    assert read(first) == read(again) == "1"
    assert counted(small) == 1


async def test_the_same_words_in_another_event_are_another_command(small: Small) -> None:
    await small.dispatch.receive(event("checkin", key="a"))
    assert read(await small.dispatch.receive(event("checkin", key="b"))) == "2"


async def test_a_creating_command_typed_again_within_a_minute_returns_the_first(
    small: Small,
) -> None:
    async def ask(key: str, seconds: int, user: str = "U1", words: str = "ask why?") -> str:
        at = MORNING + timedelta(seconds=seconds)
        return read(await small.dispatch.receive(event(words, key=key, user=user, at=at)))

    assert await ask("a", 0) == "1"
    assert await ask("b", 59) == "1"
    assert await ask("c", 30, user="U2") == "2"
    assert await ask("d", 40, words="ask  why?") == "1"
    assert await ask("e", 50, words="ask how?") == "3"
    assert await ask("f", 120) == "4"


async def test_a_refusal_changes_nothing_and_is_remembered(small: Small) -> None:
    said = read(await small.dispatch.receive(event("break", key="a")))
    assert "help" in said
    assert counted(small) == 0
    assert read(await small.dispatch.receive(event("break", key="a"))) == said


async def test_what_breaks_says_a_number_and_nothing_of_its_inside(small: Small) -> None:
    said = read(await small.dispatch.receive(event("back", key="a")))
    assert "secret" not in said
    assert "Traceback" not in said
    assert counted(small) == 0


async def test_one_that_breaks_does_not_disturb_those_that_share_its_commit(small: Small) -> None:
    words = ["checkin", "back", "break"] * 10
    events = [event(one, key=str(number), user=f"U{number}") for number, one in enumerate(words)]
    await asyncio.gather(*(small.dispatch.receive(one) for one in events))
    assert counted(small) == 10


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("ask", "I still need"),
        ("who", "only"),
        ("chekin", "checkin"),
        ("checkinn now", "checkin"),
        ("me please", "did not understand"),
    ],
)
async def test_a_wrong_command_gets_one_sentence_and_stores_nothing(
    small: Small, words: str, said: str
) -> None:
    before = counted(small)
    reply = await small.dispatch.receive(event(words, key="a", chat="G1"))
    assert reply is not None
    assert counted(small) == before


async def test_talk_that_is_not_for_the_bot_leaves_no_trace(small: Small) -> None:
    talk = event("checkin", key="a", chat="G1").model_copy(update={"addressed": False})
    assert await small.dispatch.receive(talk) is None
    with small.uow() as uow:
        assert uow.people.find("postbox", "U1") is None


async def test_a_private_answer_in_a_group_goes_to_the_person(small: Small) -> None:
    shown = read(await small.dispatch.receive(event("me", key="a", chat="G1")))
    assert "secret" not in shown
    await small.delivery.drain()
    assert small.postbox.taken == [("U1", "secret")]


async def test_an_answer_that_no_response_can_carry_goes_through_the_outbox(small: Small) -> None:
    small.postbox.inline = False
    reply = await small.dispatch.receive(event("checkin", key="a", chat="G1"))
    assert reply is not None
    assert reply.answer is None
    await small.delivery.drain()
    assert small.postbox.taken == [("G1", "U1 1")]


async def test_eight_deliver_one_event_twenty_times(small: Small) -> None:
    """The same event from many doors at once: one effect, one answer."""
    replicas = [Small(small.engine, TABLE) for _ in range(7)]
    doors = [small, *replicas]
    for round_ in range(20):
        one = event("checkin", key=f"round {round_}")
        replies = await asyncio.gather(*(door.dispatch.receive(one) for door in doors))
        assert {read(reply) for reply in replies} == {str(round_ + 1)}
    assert counted(small) == 20
    for replica in replicas:
        replica.transactions.close()


async def test_when_the_commit_fails_nobody_is_answered(
    small: Small, monkeypatch: pytest.MonkeyPatch
) -> None:
    if small.engine.dialect.name != "sqlite":
        return
    commit: Callable[..., None] = small.engine.dialect.do_commit

    def fail(connection: object) -> None:
        raise OSError("the disk is full")

    monkeypatch.setattr(small.engine.dialect, "do_commit", fail)
    with pytest.raises(OSError, match="disk"):
        await small.dispatch.receive(event("checkin", key="a"))
    monkeypatch.setattr(small.engine.dialect, "do_commit", commit)
    assert counted(small) == 0
    assert read(await small.dispatch.receive(event("checkin", key="a"))) == "1"
