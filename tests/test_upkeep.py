"""What the bot does for itself: seals, a daily head for the admins, and forgetting."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy import func, select

from bot.messages import Send, ToPerson, text
from storage.dialogues import Dialogue
from storage.tables.people import Code, CodeAttempt
from storage.tables.queues import dialogues, inbox, outbox, timers
from tests.stages import SLACK
from tests.town import Town


@pytest.fixture
def town(make_town: Callable[..., Town]) -> Town:
    """One profile is enough: none of it depends on the platform."""
    return make_town(profile=SLACK)


@pytest.fixture
def profile() -> object:
    """Not once for every profile."""
    return SLACK


def how_many(town: Town, table: object) -> int:
    """The rows of a table."""
    with town.uow() as uow:
        return uow.session.scalar(select(func.count()).select_from(table)) or 0  # type: ignore[arg-type]


def record(town: Town, number: int) -> None:
    """Something worth an entry."""
    with town.uow() as uow:
        uow.audit.record(town.now, None, "test", f"thing/{number}")


def test_what_was_written_is_sealed_within_minutes(town: Town) -> None:
    record(town, 1)
    town.wait(minutes=20)
    record(town, 2)
    town.wait(minutes=20)
    with town.uow() as uow:
        verdict = uow.audit.verify()
    assert (verdict.sealed, verdict.unsealed, verdict.broken_at) == (2, 0, None)


def test_a_long_backlog_is_sealed_bit_by_bit(town: Town) -> None:
    with town.uow() as uow:
        for number in range(2500):
            uow.audit.record(town.now, None, "test", f"thing/{number}")
    town.wait(minutes=10)
    with town.uow() as uow:
        assert uow.audit.verify().sealed == 2500


def test_admins_get_the_head_each_morning_it_moved(town: Town) -> None:
    record(town, 1)
    town.wait(days=1)
    with town.uow() as uow:
        _length, head = uow.audit.head()
    assert [words for words in town.reads("周经理") if head in words]
    assert not [words for words in town.reads("小王") if head in words]
    town.wait(days=1)
    assert not [words for words in town.reads("周经理") if head in words]


def test_each_timer_of_the_house_waits_exactly_once(town: Town) -> None:
    for _ in range(3):
        town.run(town.bot.prepare())
    town.wait(days=3)
    with town.uow() as uow:
        waiting = uow.session.scalars(
            select(timers.c.kind).where(timers.c.fired_at.is_(None)).order_by(timers.c.kind)
        ).all()
    assert waiting == ["audit.head", "audit.seal", "storage.prune"]


def test_a_month_is_lived_through_in_bounded_work(town: Town) -> None:
    fired = 0
    tick = town.bot.dispatch.tick

    async def counted(now: object) -> int:
        nonlocal fired
        fired += 1
        return await tick(now)  # type: ignore[arg-type]

    town.bot.dispatch.tick = counted  # type: ignore[method-assign]
    town.wait(days=7)
    assert fired < 7 * 24 * 5


def test_old_rows_are_forgotten(town: Town) -> None:
    town.say("小王", "签到")
    with town.uow() as uow:
        person = town_person(town)
        uow.codes.new("link", person, town.now)
        uow.codes.wrong(town.platform, town.account("小王"), town.now)
        asked, account = Dialogue("fix", {"reason": "看病"}, "time"), town.account("小王")
        uow.dialogues.open(town.platform, account, account, asked, town.now)
    assert how_many(town, dialogues) == how_many(town, Code) == how_many(town, CodeAttempt) == 1
    town.wait(days=2)
    assert how_many(town, dialogues) == how_many(town, Code) == how_many(town, CodeAttempt) == 0
    assert how_many(town, inbox) == 1
    town.wait(days=8)
    assert how_many(town, inbox) == 0


def town_person(town: Town) -> int:
    """Somebody."""
    return town.person_id("小王")


def test_what_was_said_is_kept_for_ninety_days_and_what_waits_for_ever(town: Town) -> None:
    with town.uow() as uow:
        to = ToPerson(person_id=town_person(town))
        uow.outbox.put(Send(to=to, key="said", words=text("said", words="hi")), town.now)
    town.run(town.bot.delivery.drain())
    with town.uow() as uow:
        uow.outbox.put(Send(to=to, key="waits", words=text("said", words="hi")), town.now)
        uow.outbox.prune(town.now + timedelta(days=89))
        assert uow.session.scalars(select(outbox.c.key)).all() == ["said", "waits"]
        uow.outbox.prune(town.now + timedelta(days=91))
        assert uow.session.scalars(select(outbox.c.key)).all() == ["waits"]
