"""The smallest bot: the real spine with a table of two or three commands, for tests of the spine
itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from adapters.contract import (
    EVERYWHERE,
    Adapter,
    Capabilities,
    Checkup,
    DeliveryFailed,
    Finding,
    Place,
    Receive,
    Request,
    Response,
    Services,
)
from bot.commands import Command, TimerHandler
from bot.dispatch import Dispatch
from bot.messages import Address, Chat, Event, Outgoing, Reader, Reply, User
from bot.outbox import Delivery
from bot.router import Router
from bot.transactions import make_transactions
from storage.cipher import Cipher
from storage.outbox import Rings, never_rings
from storage.uow import UnitOfWork
from tests.clock import MORNING, StillClock

SECRET = "a secret for tests alone"


class Postbox:
    """A platform that keeps what it is given, and fails as it is told to."""

    name = "postbox"
    paths: tuple[str, ...] = ()
    capabilities = Capabilities(
        forms=False,
        buttons_in_groups=True,
        buttons_in_direct=True,
        private_in_groups=False,
        edits_in_groups=True,
        edits_in_direct=True,
        structured_mentions=True,
    )

    def __init__(self) -> None:
        self.taken: list[tuple[str, str]] = []
        self.failures: dict[str, list[DeliveryFailed]] = {}
        self.inline = True
        self.seconds_between = 0.0
        self.before_answering: Callable[[], None] = lambda: None

    async def start(self, receive: Receive, services: Services) -> None:
        """Nothing to open."""

    async def receive(self, request: Request, receive: Receive) -> Response:
        """It has no HTTP side."""
        raise AssertionError("nobody calls a postbox")

    def answers_inline(self, event: Event, reply: Reply) -> bool:
        """As the test wishes."""
        return self.inline

    async def send(self, outgoing: Outgoing, reader: Reader) -> str:
        """Keep it, unless a failure is due for this address."""
        await asyncio.sleep(0)
        due = self.failures.get(outgoing.address.id)
        if due:
            failure = due.pop(0)
            if failure.outcome == "unknown":
                self.taken.append((outgoing.address.id, said(outgoing, reader)))
            raise failure
        self.taken.append((outgoing.address.id, said(outgoing, reader)))
        self.before_answering()
        return f"{outgoing.address.id}:{len(self.taken)}"

    def can_ring(self, team: str) -> bool:
        """There are no phones."""
        return False

    def reaches(self) -> frozenset[Place]:
        """Everything."""
        return EVERYWHERE

    def pace(self, address: Address) -> float:
        """As the test wishes."""
        return self.seconds_between

    async def stop(self) -> None:
        """Nothing to close."""

    async def examine(self, checkup: Checkup) -> Sequence[Finding]:
        """Nothing to look at."""
        return ()

    def trouble(self) -> str | None:
        """Never any."""
        return None

    def notice(self) -> str | None:
        """Never any."""
        return None


def said(outgoing: Outgoing, reader: Reader) -> str:
    """A message as text, with the handle of what it edits."""
    words = "".join(span.text for span in reader.spans(outgoing.words)) if outgoing.words else ""
    return f"{words} (edits {outgoing.edits_handle})" if outgoing.edits_handle else words


class Small:
    """Dispatch and delivery over a database, with one team."""

    def __init__(
        self,
        engine: Engine,
        commands: Sequence[Command] = (),
        timers: Mapping[str, TimerHandler] | None = None,
        apart: Collection[str] = (),
        *,
        folds: bool = False,
        rings: Rings = never_rings,
    ) -> None:
        self.engine = engine
        self.clock = StillClock()
        self.postbox = Postbox()
        self.postbox.capabilities = replace(Postbox.capabilities, folds=folds)
        self.told: Callable[[bool, bool], None] = lambda _queued, _armed: None
        self.transactions = make_transactions(
            engine, Cipher(SECRET), lambda queued, armed: self.told(queued, armed), rings
        )
        router = Router(commands, {}, lambda _team: True, lambda _event, _uow: None)
        adapters: dict[str, Adapter] = {"postbox": self.postbox}
        self.dispatch = Dispatch(
            self.transactions,
            router,
            timers or {},
            adapters,
            lambda _uow, _person, _at: None,
            lambda _uow, _now: None,
            apart=frozenset(apart),
        )
        self.delivery = Delivery(self.transactions, adapters, self.clock)
        with self.uow() as uow:
            if not uow.teams.all():
                uow.teams.add("Team", "en", "Asia/Shanghai", MORNING)

    @contextmanager
    def uow(self) -> Iterator[UnitOfWork]:
        """A unit of work that commits at the end."""
        with Session(self.engine) as session, session.begin():
            yield UnitOfWork(session, Cipher(SECRET))

    def close(self) -> None:
        """End the threads."""
        self.transactions.close()
        self.engine.dispose()


def event(
    words: str, *, key: str, user: str = "U1", chat: str | None = None, at: datetime = MORNING
) -> Event:
    """Somebody says something, directly or in a group."""
    place = Chat(kind="group", id=chat) if chat else Chat(kind="direct", id=user)
    return Event(
        platform="postbox",
        key=key,
        kind="text",
        user=User(id=user, name=user),
        chat=place,
        text=words,
        at=at,
        received_at=at,
    )
