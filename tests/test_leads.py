"""What only one process may do has one holder at a time, on both databases."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import timedelta

import pytest
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from storage.cipher import Cipher
from storage.uow import UnitOfWork
from tests.clock import MORNING
from tests.engines import fresh_engine

WHAT = "wecom.bot"
SOON = MORNING + timedelta(seconds=15)


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    """An empty database."""
    made = fresh_engine(database_url)
    yield made
    made.dispose()


@pytest.fixture
def uow(engine: Engine) -> Iterator[UnitOfWork]:
    """One unit of work."""
    with Session(engine) as session, session.begin():
        yield UnitOfWork(session, Cipher(None))


def test_the_first_has_it_until_its_time_is_over(uow: UnitOfWork) -> None:
    assert uow.leads.take(WHAT, "a", MORNING, SOON)
    assert not uow.leads.take(WHAT, "b", MORNING, SOON)
    assert uow.leads.take(WHAT, "a", MORNING, SOON + timedelta(seconds=5))
    assert not uow.leads.take(WHAT, "b", SOON, SOON + timedelta(seconds=15))
    late = SOON + timedelta(seconds=5)
    assert uow.leads.take(WHAT, "b", late, late + timedelta(seconds=15))
    assert not uow.leads.take(WHAT, "a", late, late + timedelta(seconds=15))


def test_one_thing_has_nothing_to_do_with_another(uow: UnitOfWork) -> None:
    assert uow.leads.take(WHAT, "a", MORNING, SOON)
    assert uow.leads.take("something else", "b", MORNING, SOON)


def test_who_resigns_makes_room_at_once(uow: UnitOfWork) -> None:
    assert uow.leads.take(WHAT, "a", MORNING, SOON)
    uow.leads.resign(WHAT, "b")
    assert not uow.leads.take(WHAT, "b", MORNING, SOON)
    uow.leads.resign(WHAT, "a")
    assert uow.leads.take(WHAT, "b", MORNING, SOON)


def test_who_looks_sees_whether_it_is_led(uow: UnitOfWork) -> None:
    assert not uow.leads.is_led(WHAT, MORNING)
    uow.leads.take(WHAT, "a", MORNING, SOON)
    assert uow.leads.is_led(WHAT, MORNING)
    assert not uow.leads.is_led(WHAT, SOON)
    uow.leads.resign_all()
    assert not uow.leads.is_led(WHAT, MORNING)


def test_eight_ask_at_once_and_one_gets_it(engine: Engine) -> None:
    taken: list[str] = []
    start = threading.Barrier(8)

    def ask(name: str) -> None:
        start.wait(10)
        with Session(engine) as session, session.begin():
            if UnitOfWork(session, Cipher(None)).leads.take(WHAT, name, MORNING, SOON):
                taken.append(name)

    threads = [threading.Thread(target=ask, args=(f"p{number}",)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(taken) == 1
