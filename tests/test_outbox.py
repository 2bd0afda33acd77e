"""What was committed is delivered: once, in order, paced, and given up loudly."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import select

from adapters.contract import DeliveryFailed
from bot.messages import Address, Card, Page, Send, ToHome, ToPerson, User, text
from storage.outbox import MOST_FOLDED
from storage.tables.queues import outbox
from storage.uow import UnitOfWork
from tests.clock import MORNING
from tests.engines import fresh_engine
from tests.small import Postbox, Small

GROUP = Address(platform="postbox", kind="group", id="G1")


@pytest.fixture
def small(database_url: str) -> Iterator[Small]:
    """The spine on an empty database, on SQLite and on PostgreSQL."""
    one = Small(fresh_engine(database_url), timers={"message.dead": lambda _tick, _uow: None})
    yield one
    one.close()


@pytest.fixture
def folding(database_url: str) -> Iterator[Small]:
    """The same on a platform that counts messages."""
    timers = {"message.dead": lambda _tick, _uow: None}
    one = Small(fresh_engine(database_url), timers=timers, folds=True)
    yield one
    one.close()


def put(
    small: Small, words: str, *, to: Address = GROUP, key: str | None = None, **more: str
) -> bool:
    with small.uow() as uow:
        send = Send(to=to, key=key or words, words=text("said", words=words), **more)  # type: ignore[arg-type]
        return uow.outbox.put(send, small.clock.now())


def states(small: Small) -> list[str]:
    with small.uow() as uow:
        return list(
            uow.session.scalars(
                outbox.select().with_only_columns(outbox.c.state).order_by(outbox.c.id)
            )
        )


async def test_messages_of_one_chat_leave_in_order(small: Small) -> None:
    for number in range(20):
        put(small, f"line {number}")
    await small.delivery.drain()
    assert [words for _address, words in small.postbox.taken] == [f"line {n}" for n in range(20)]


async def test_a_key_is_said_once(small: Small) -> None:
    assert put(small, "hello", key="Q1/card")
    assert not put(small, "hello again", key="Q1/card")
    await small.delivery.drain()
    assert small.postbox.taken == [("G1", "hello")]


async def test_a_failing_head_holds_its_chat_back_and_no_other(small: Small) -> None:
    other = GROUP.model_copy(update={"id": "G2"})
    small.postbox.failures["G1"] = [DeliveryFailed("retry", "busy", after=30)]
    put(small, "first")
    put(small, "second")
    put(small, "elsewhere", to=other)
    await small.delivery.drain()
    assert small.postbox.taken == [("G2", "elsewhere")]
    small.clock.push_to(MORNING + timedelta(seconds=31))
    await small.delivery.drain()
    assert [words for _address, words in small.postbox.taken[1:]] == ["first", "second"]


async def test_a_dead_head_lets_the_rest_pass_and_somebody_is_told(small: Small) -> None:
    small.postbox.failures["G1"] = [DeliveryFailed("dead", "the group is archived")]
    put(small, "lost")
    put(small, "kept")
    await small.delivery.drain()
    assert small.postbox.taken == [("G1", "kept")]
    assert states(small) == ["dead", "sent"]
    with small.uow() as uow:
        assert uow.timers.waits("message.dead")


async def test_a_dead_message_gets_another_life(small: Small) -> None:
    small.postbox.failures["G1"] = [DeliveryFailed("dead", "the group is archived")]
    put(small, "lost")
    await small.delivery.drain()
    with small.uow() as uow:
        assert uow.outbox.retry(1, small.clock.now())
        assert not uow.outbox.retry(1, small.clock.now())
    await small.delivery.drain()
    assert small.postbox.taken == [("G1", "lost")]


async def test_an_outdated_edit_gets_no_other_life(small: Small) -> None:
    put(small, "open", key="Q1/card")
    await small.delivery.drain()
    small.postbox.failures["G1"] = [DeliveryFailed("dead", "too long")]
    put(small, "claimed", key="Q1/claimed", edits="Q1/card")
    await small.delivery.drain()
    put(small, "answered", key="Q1/answered", edits="Q1/card")
    await small.delivery.drain()
    with small.uow() as uow:
        assert not uow.outbox.retry(2, small.clock.now())
    await small.delivery.drain()
    assert [words for _address, words in small.postbox.taken] == [
        "open",
        "answered (edits G1:1)",
    ]
    assert states(small) == ["sent", "superseded", "sent"]


async def test_an_edit_is_not_outdated_by_one_that_nobody_read(small: Small) -> None:
    put(small, "open", key="Q1/card")
    await small.delivery.drain()
    small.postbox.failures["G1"] = [DeliveryFailed("dead", "archived")] * 2
    for words in ("claimed", "answered"):
        put(small, words, key=f"Q1/{words}", edits="Q1/card")
        await small.delivery.drain()
    with small.uow() as uow:
        assert uow.outbox.retry(2, small.clock.now())
    await small.delivery.drain()
    assert states(small) == ["sent", "sent", "dead"]


async def test_a_card_whose_edit_was_read_in_its_place_gets_no_other_life(small: Small) -> None:
    small.postbox.failures["G1"] = [DeliveryFailed("dead", "not in the channel")]
    put(small, "open", key="Q1/card")
    await small.delivery.drain()
    put(small, "claimed", key="Q1/claimed", edits="Q1/card")
    await small.delivery.drain()
    with small.uow() as uow:
        assert not uow.outbox.retry(1, small.clock.now())
    await small.delivery.drain()
    assert small.postbox.taken == [("G1", "claimed")]


def put_page(small: Small, key: str) -> None:
    with small.uow() as uow:
        place = Address(platform="postbox", kind="page", id="U1")
        uow.outbox.put(Send(to=place, key=key, page=Page(cards=())), small.clock.now())


async def test_a_dead_page_is_nobodys_trouble(small: Small) -> None:
    small.postbox.failures["U1"] = [DeliveryFailed("dead", "too large")]
    put_page(small, "page/1")
    await small.delivery.drain()
    assert states(small) == ["dead"]
    with small.uow() as uow:
        assert not uow.timers.waits("message.dead")
        assert not uow.outbox.retry(1, small.clock.now())
    await small.delivery.drain()
    assert small.postbox.taken == []
    assert states(small) == ["superseded"]


async def test_of_a_page_only_the_newest_row_is_kept(small: Small) -> None:
    small.postbox.failures["U1"] = [DeliveryFailed("dead", "too large")]
    put(small, "hello", to=GROUP.model_copy(update={"kind": "person", "id": "U1"}))
    put_page(small, "page/1")
    for number in range(2, 6):
        await small.delivery.drain()
        put_page(small, f"page/{number}")
        put_page(small, f"page/{number}/at once")
    await small.delivery.drain()
    with small.uow() as uow:
        kept = uow.session.scalars(outbox.select().with_only_columns(outbox.c.key)).all()
    assert kept == ["hello", "page/5/at once"]


async def test_an_edit_waits_for_its_original_and_only_the_newest_goes(small: Small) -> None:
    put(small, "open", key="Q1/card")
    put(small, "claimed", key="Q1/claimed", edits="Q1/card")
    put(small, "answered", key="Q1/answered", edits="Q1/card")
    await small.delivery.drain()
    assert small.postbox.taken == [("G1", "open"), ("G1", "answered (edits G1:1)")]
    assert states(small) == ["sent", "superseded", "sent"]


async def test_pace_lies_between_two_messages_of_a_chat(small: Small) -> None:
    small.postbox.seconds_between = 1.0
    for number in range(3):
        put(small, f"line {number}")
    await small.delivery.drain()
    assert len(small.postbox.taken) == 1
    small.clock.push_to(MORNING + timedelta(seconds=1))
    await small.delivery.drain()
    assert len(small.postbox.taken) == 2


@pytest.mark.parametrize("edits", [True, False])
async def test_what_nobody_reads_takes_no_turn(small: Small, edits: bool) -> None:
    """Where nothing can be edited, what follows a card's edit need not wait for it."""
    small.postbox.seconds_between = 1.0
    small.postbox.capabilities = replace(Postbox.capabilities, edits_in_groups=edits)
    put(small, "open", key="Q1/card")
    await small.delivery.drain()
    with small.uow() as uow:
        edit = Send(
            to=GROUP,
            key="Q1/claimed",
            edits="Q1/card",
            card=Card(title=text("said", words="claimed")),
        )
        assert uow.outbox.put(edit, small.clock.now())
    put(small, "next")
    small.clock.push_to(MORNING + timedelta(seconds=1))
    await small.delivery.drain()
    read = [words for _address, words in small.postbox.taken]
    assert read == ["open", " (edits G1:1)", *([] if edits else ["next"])]


async def test_a_platform_that_asks_for_silence_gets_it(small: Small) -> None:
    other = GROUP.model_copy(update={"id": "G2"})
    small.postbox.failures["G1"] = [DeliveryFailed("retry", "429", after=20, scope="platform")]
    put(small, "first")
    await small.delivery.drain()
    put(small, "elsewhere", to=other)
    await small.delivery.drain()
    assert small.postbox.taken == []
    small.clock.push_to(MORNING + timedelta(seconds=21))
    await small.delivery.drain()
    assert {words for _address, words in small.postbox.taken} == {"first", "elsewhere"}


async def test_what_nobody_knows_is_said_again_a_few_times_then_left_in_doubt(small: Small) -> None:
    small.postbox.failures["G1"] = [DeliveryFailed("unknown", "line died", after=1)] * 5
    put(small, "perhaps")
    for second in range(1, 10):
        await small.delivery.drain()
        small.clock.push_to(MORNING + timedelta(seconds=2 * second))
    assert [words for _address, words in small.postbox.taken] == ["perhaps"] * 3
    assert states(small) == ["unknown"]


async def test_a_sender_that_died_is_followed_by_another_after_its_lease(small: Small) -> None:
    put(small, "half sent")
    later = MORNING + timedelta(seconds=90)
    with small.uow() as uow:
        assert len(uow.outbox.lease(MORNING, later, 10, ["postbox:"])) == 1
    await small.delivery.drain()
    assert small.postbox.taken == []
    small.clock.push_to(later)
    await small.delivery.drain()
    assert small.postbox.taken == [("G1", "half sent")]
    with small.uow() as uow:
        assert uow.session.scalar(outbox.select().with_only_columns(outbox.c.doubts))


async def test_two_drains_never_send_one_message_twice(small: Small) -> None:
    for number in range(50):
        put(small, f"line {number}", to=GROUP.model_copy(update={"id": f"G{number % 5}"}))
    second = Small(small.engine)
    second.postbox = small.postbox
    second.delivery._adapters = small.delivery._adapters
    await asyncio.gather(small.delivery.drain(), second.delivery.drain())
    await small.delivery.drain()
    assert len(small.postbox.taken) == 50
    for group in range(5):
        lines = [words for address, words in small.postbox.taken if address == f"G{group}"]
        assert lines == [f"line {n}" for n in range(group, 50, 5)]
    second.transactions.close()


async def test_a_person_without_an_account_makes_a_dead_message_not_an_error(small: Small) -> None:
    with small.uow() as uow:
        person = uow.people.meet("postbox", User(id="U1", name="Wang"), MORNING)
        uow.people.unreachable("postbox", "U1")
        uow.session.expire_all()
        sent = Send(to=ToPerson(person_id=person.id), key="k", words=text("said", words="hi"))
        assert uow.outbox.put(sent, MORNING)
    await small.delivery.drain()
    assert states(small) == ["dead"]


async def test_a_team_without_a_home_gets_nothing_and_breaks_nothing(small: Small) -> None:
    with small.uow() as uow:
        send = Send(to=ToHome(team_id=1), key="k", words=text("said", words="hi"))
        assert not uow.outbox.put(send, MORNING)


# --- folding --------------------------------------------------------------------------------------


async def test_short_answers_that_wait_for_a_group_leave_as_one(folding: Small) -> None:
    for number in range(5):
        put(folding, f"line {number}")
    await folding.delivery.drain()
    assert folding.postbox.taken == [("G1", "\n".join(f"line {n}" for n in range(5)))]
    assert states(folding) == ["sent"] * 5


async def test_only_so_many_leave_together(folding: Small) -> None:
    for number in range(MOST_FOLDED + 3):
        put(folding, f"line {number}")
    await folding.delivery.drain()
    assert [words.count("\n") + 1 for _to, words in folding.postbox.taken] == [MOST_FOLDED, 3]


async def test_people_do_not_read_their_answers_together(folding: Small) -> None:
    person = Address(platform="postbox", kind="person", id="U1")
    put(folding, "one", to=person)
    put(folding, "two", to=person)
    await folding.delivery.drain()
    assert folding.postbox.taken == [("U1", "one"), ("U1", "two")]


async def test_what_is_more_than_words_parts_them(folding: Small) -> None:
    put(folding, "one")
    with folding.uow() as uow:
        card = Card(title=text("said", words="a card"))
        uow.outbox.put(Send(to=GROUP, key="card", card=card), folding.clock.now())
    put(folding, "two")
    put(folding, "three")
    await folding.delivery.drain()
    assert folding.postbox.taken == [("G1", "one"), ("G1", ""), ("G1", "two\nthree")]


async def test_what_failed_together_is_tried_again_and_nothing_is_lost(folding: Small) -> None:
    folding.postbox.failures["G1"] = [DeliveryFailed("retry", "busy", after=1)]
    put(folding, "one")
    put(folding, "two")
    await folding.delivery.drain()
    assert states(folding) == ["pending", "pending"]
    folding.clock.push_to(MORNING + timedelta(seconds=2))
    await folding.delivery.drain()
    assert folding.postbox.taken == [("G1", "one\ntwo")]


async def test_one_that_nobody_takes_does_not_take_the_others_with_it(folding: Small) -> None:
    refused = DeliveryFailed("dead", "not this")
    folding.postbox.failures["G1"] = [refused, refused]
    for words in ("one", "two", "three"):
        put(folding, words)
    await folding.delivery.drain()
    # Together they are refused, then the first alone; the others were never meant.
    assert states(folding) == ["dead", "sent", "sent"]
    assert folding.postbox.taken == [("G1", "two"), ("G1", "three")]
    put(folding, "four")
    put(folding, "five")
    await folding.delivery.drain()
    assert folding.postbox.taken[-1] == ("G1", "four\nfive")


async def test_nobody_knows_of_any_of_those_that_left_together(folding: Small) -> None:
    # Once together; then each is tried alone, as often as one alone would have been.
    folding.postbox.failures["G1"] = [DeliveryFailed("unknown", "the line broke", after=0)] * 5
    put(folding, "one")
    put(folding, "two")
    for _ in range(5):
        await folding.delivery.drain()
    assert states(folding) == ["unknown", "unknown"]
    with folding.uow() as uow:
        assert uow.timers.waits("message.dead")


async def test_what_a_dead_sender_left_behind_is_said_before_what_came_later(
    folding: Small,
) -> None:
    for words in ("one", "two"):
        put(folding, words)
    later = MORNING + timedelta(seconds=90)
    with folding.uow() as uow:
        assert len(uow.outbox.lease(MORNING, later, 10, ["postbox:"], {"postbox"})) == 1
    folding.clock.push_to(later + timedelta(seconds=1))
    for words in ("three", "four"):
        put(folding, words)
    await folding.delivery.drain()
    assert [words for _to, words in folding.postbox.taken] == ["one", "two", "three\nfour"]


async def test_clean_refusals_are_no_doubts(small: Small) -> None:
    busy = DeliveryFailed("retry", "busy", after=0)
    cut = DeliveryFailed("unknown", "the line broke", after=0)
    small.postbox.failures["G1"] = [busy, busy, busy, cut, cut]
    put(small, "one")
    for _ in range(6):
        await small.delivery.drain()
    assert states(small) == ["sent"]


async def test_what_has_become_pointless_does_not_leave(small: Small) -> None:
    put(small, "please", key="Q1/1/50%", priority="reminder")
    put(small, "your answer", key="Q1/1/answer")
    put(small, "another one", key="Q1/11/50%", priority="reminder")
    with small.uow() as uow:
        uow.outbox.withdraw("Q1/1/", "reminder")
    await small.delivery.drain()
    assert sorted(words for _to, words in small.postbox.taken) == ["another one", "your answer"]


async def test_a_change_is_sent_alone(folding: Small) -> None:
    put(folding, "one", key="a")
    await folding.delivery.drain()
    put(folding, "one, changed", key="b", edits="a")
    put(folding, "two")
    await folding.delivery.drain()
    assert [words for _to, words in folding.postbox.taken] == [
        "one",
        "one, changed (edits G1:1)",
        "two",
    ]


# --- handles that are used up ---------------------------------------------------------------------


async def test_the_next_change_goes_by_the_handle_that_the_last_left(small: Small) -> None:
    put(small, "one", key="a")
    await small.delivery.drain()
    put(small, "two", key="b", edits="a")
    await small.delivery.drain()
    put(small, "three", key="c", edits="a")
    await small.delivery.drain()
    assert [words for _to, words in small.postbox.taken] == [
        "one",
        "two (edits G1:1)",
        "three (edits G1:2)",
    ]


async def test_a_press_brings_a_new_handle(small: Small) -> None:
    put(small, "one", key="a")
    await small.delivery.drain()
    with small.uow() as uow:
        number = uow.session.scalar(select(outbox.c.id))
        assert number is not None
        uow.outbox.renew("postbox", number, "renewed")
        uow.outbox.renew("elsewhere", number, "not ours")
    put(small, "two", key="b", edits="a")
    await small.delivery.drain()
    assert small.postbox.taken[-1] == ("G1", "two (edits renewed)")


# --- where phones can be rung ---------------------------------------------------------------------


@pytest.mark.parametrize("rings", [True, False])
async def test_what_is_to_ring_is_only_said_where_it_rings(database_url: str, rings: bool) -> None:
    small = Small(fresh_engine(database_url), rings=lambda _platform, _team: rings)

    def ring(uow: UnitOfWork) -> bool:
        team = uow.teams.first()
        uow.teams.bind(team, "postbox", "G1", "group", MORNING)
        send = Send(to=ToHome(team_id=team.id), key="r", words=text("said", words="x"), rings=True)
        return uow.outbox.put(send, MORNING)

    try:
        assert await small.transactions.run(ring) is rings
        await small.delivery.drain()
        assert small.postbox.taken == ([("G1", "x")] if rings else [])
    finally:
        small.close()
