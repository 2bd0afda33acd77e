"""What every day of faults shares: messages with numbers, and what became of each of them."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Collection, Coroutine, Sequence
from datetime import datetime, timedelta
from itertools import count
from typing import Any, ClassVar, Literal, TypeVar

import httpx
from sqlalchemy import select
from sqlalchemy.orm import Session

from adapters.contract import Adapter, DeliveryFailed
from bot.app import Bot
from bot.messages import Address, Button, Card, Outgoing, Reader, Send, ToHome, Words, text
from storage.tables.queries import Query
from storage.tables.queues import outbox
from storage.uow import UnitOfWork
from tests.clock import StillClock

T = TypeVar("T")

MANAGER, WORKER = "zhou", "wang"
MEMBERS = {"zhou": "周经理", "wang": "小王", "lin": "小林", "chen": "小陈", "sun": "小孙"}
ASKERS = ("lin", "chen", "sun")
TEAM = "班组"
RINGS = "what rings"


class Road(httpx.AsyncBaseTransport):
    """The way to a platform's API, which may lead nowhere."""

    def __init__(self, to: httpx.AsyncBaseTransport) -> None:
        self.is_closed = False
        self.turned_back: list[str] = []
        """The paths that were asked for meanwhile."""
        self._to = to

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if self.is_closed:
            self.turned_back.append(request.url.path)
            raise httpx.ConnectError("nobody listens there", request=request)
        return await self._to.handle_async_request(request)

    async def aclose(self) -> None:
        await self._to.aclose()


def note_failures(adapter: Adapter, met: Counter[str]) -> None:
    """Count in `met` why messages could not be sent."""
    send = adapter.send

    async def noting(outgoing: Outgoing, reader: Reader) -> str:
        try:
            return await send(outgoing, reader)
        except DeliveryFailed as failed:
            met[failed.why] += 1
            raise

    adapter.send = noting  # type: ignore[method-assign]


class World(ABC):
    """The bot at work, people who use it, and a clock that stands still unless it is pushed."""

    platform: ClassVar[str]
    much: ClassVar[int]
    """A text of so many words is too long for one message to a person."""

    def __init__(self, clock: StillClock, groups: Sequence[str], bot: Bot) -> None:
        """The first of the groups is the team's home."""
        self.clock = clock
        self.home, *_ = self.groups = list(groups)
        self.places = [*MEMBERS, *self.groups]
        self.bot = bot
        self._numbers = count(1)
        self.queued: dict[str, list[int]] = {place: [] for place in (*self.places, RINGS)}
        """By place, and what is to ring apart: it waits for nothing else that is said there."""

    # --- a platform's own ----------------------------------------------------------------------

    @abstractmethod
    def reads(self, place: str) -> str:
        """All that stands on somebody's screen, or in a group, the oldest first."""

    @abstractmethod
    def _on_loop(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run it where the bot runs."""

    @abstractmethod
    async def _pass_until(self, until: datetime, *, until_settled: bool = False) -> None:
        """Let time pass up to a moment, or until everything has been done that can be."""

    # --- time ----------------------------------------------------------------------------------

    def pass_time(self, **spans: float) -> None:
        """Let so much time pass, from one thing that is due to the next."""
        self._on_loop(self._pass_until(self.clock.now() + timedelta(**spans)))

    def settle(self, **spans: float) -> None:
        """Let time pass until everything has left, so much at most (an hour)."""
        until = self.clock.now() + timedelta(**(spans or {"hours": 1}))
        self._on_loop(self._pass_until(until, until_settled=True))
        assert not self.waiting(), self.waiting()

    # --- what is said --------------------------------------------------------------------------

    def queue(self, *places: str, times: int = 1) -> None:
        """Messages with numbers, to be sent to each of the places."""
        for _ in range(times):
            for place in places:
                number = next(self._numbers)
                self.queued[place].append(number)
                kind: Literal["group", "person"] = "group" if place in self.groups else "person"
                address = Address(platform=self.platform, kind=kind, id=place)
                self._put(Send(to=address, key=f"number/{number}", **self._numbered(number)))

    def ring(self) -> None:
        """Something that rings in the team's home, by its group robot."""
        number = next(self._numbers)
        self.queued[RINGS].append(number)
        team = self._on_loop(self.bot.transactions.read(lambda uow: uow.teams.first().id))
        words = self._words(number)
        self._put(Send(to=ToHome(team_id=team), key=f"ring/{number}", words=words, rings=True))

    def _put(self, send: Send) -> None:
        def put(uow: UnitOfWork) -> bool:
            return uow.outbox.put(send, self.clock.now())

        assert self._on_loop(self.bot.transactions.run(put))

    def _numbered(self, number: int) -> dict[str, Any]:
        """A message of one of three kinds: a card to press, a long text, a short one."""
        if number % 3 == 0:
            press = Button(label=text("said", words="看看"), command="queries")
            return {"card": Card(title=text("said", words=f"№{number}"), buttons=(press,))}
        return {"words": self._words(number)}

    def _words(self, number: int) -> Words:
        # Too long for one message to a person: its two ends are in two of them.
        middle = "很长的话，" * self.much if number % 3 == 1 else ""
        end = f"№{number}" if ends(number) == 2 else "完"
        return text("said", words=f"№{number} {middle} {end}")

    # --- what became of it ---------------------------------------------------------------------

    def waiting(self) -> list[tuple[int, str, str | None]]:
        """Messages that have not left: number, address, why."""
        return self.rows("pending", "sending")

    def states(self) -> set[str]:
        """How messages have ended, or not."""
        return {row[3] for row in self.rows()}

    def rows(self, *states: str) -> list[Any]:
        """Every message, or those in these states: number, address, why it did not leave, state."""
        wanted = select(outbox.c.id, outbox.c.address, outbox.c.error, outbox.c.state)
        if states:
            wanted = wanted.where(outbox.c.state.in_(states))
        with Session(self.bot.engine) as session:
            return [tuple(row) for row in session.execute(wanted.order_by(outbox.c.id))]

    def asked(self) -> dict[str, int]:
        """Every question that was written down, with its number."""
        with Session(self.bot.engine) as session:
            rows = session.execute(select(Query.question, Query.id)).all()
        found: dict[str, int] = {row.question: row.id for row in rows}
        assert len(found) == len(rows), "a question was written down twice"
        return found

    def told(self, place: str) -> list[int]:
        """The numbers that are read there, as often and in the order in which they are."""
        rings = place == RINGS
        read = self.reads(self.home if rings else place)
        found = [int(one) for one in re.findall(r"№(\d+)", read)]
        return [one for one in found if (one in self.queued[RINGS]) is rings]

    def numbers_of(self, places: Collection[str]) -> set[int]:
        """What was queued for them."""
        return {number for place in places for number in self.queued[place]}

    def nothing_is_lost(self, *, doubled: Collection[int] = ()) -> None:
        """Each place has read its messages in order and once. `doubled`: those of which it may be
        that lines broke after the platform took them, and nobody can ask it.
        """
        assert self.states() <= {"sent", "superseded"}, self.rows()
        for place, numbers in self.queued.items():
            told = self.told(place)
            assert list(dict.fromkeys(told)) == numbers, f"{place} reads {told}, not {numbers}"
            sure = [one for one in numbers if one not in doubled]
            once = [one for number in sure for one in [number] * ends(number)]
            assert [one for one in told if one not in doubled] == once, f"{place} reads {told}"


def ends(number: int) -> int:
    """How often a message's number stands in it."""
    return 2 if number % 3 == 1 else 1
