"""Handlers called directly, on a database of their own: for properties, races and whole nights."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

import handlers
from bot.commands import Handler, Request, Value
from bot.messages import Answer, Chat, Role, User, lines
from bot.words import reader_for
from storage.cipher import Cipher
from storage.outbox import Body
from storage.tables import Base
from storage.tables.people import Person
from storage.tables.queues import outbox
from storage.uow import UnitOfWork
from tests.clock import MORNING

ROSTER: dict[str, tuple[Role, ...]] = {
    "manager": ("manager",),
    "admin": ("admin",),
    "lead": ("lead",),
    "worker": ("worker",),
    "other": ("worker",),
    "guest": (),
}
GROUP = "group"
HANDLERS: dict[str, Handler] = {command.name: command.run for command in handlers.COMMANDS}


class Message(NamedTuple):
    """One row of the outbox: when it was written, to whom, under which key, what it says."""

    at: datetime
    to: str
    key: str
    words: str


class Desk:
    """A team and its clock. `at` is a moment of the present; `give` gives a command."""

    def __init__(
        self,
        engine: Engine,
        *,
        roster: dict[str, tuple[Role, ...]] = ROSTER,
        home: bool = True,
        now: datetime = MORNING,
    ) -> None:
        self.engine = engine
        self.now = now
        self._events = itertools.count()
        Base.metadata.create_all(engine)
        with self.uow() as uow:
            team = uow.teams.add("Team", "en", "Asia/Shanghai", now)
            for name, roles in roster.items():
                person = uow.people.meet("desk", User(id=name, name=name), now)
                for role in roles:
                    uow.people.grant(person, role, team.id, None, now)
            if home:
                uow.teams.bind(team, "desk", GROUP, "Home", now)

    @contextmanager
    def uow(self) -> Iterator[UnitOfWork]:
        """A unit of work that commits at the end."""
        with Session(self.engine) as session, session.begin():
            yield UnitOfWork(session, Cipher(None))

    def give(
        self, name: str, command: str, /, *, in_group: bool = False, **arguments: Value
    ) -> str:
        """Give a command; returns the answer as the person reads it. Raises Refused."""
        with self.uow() as uow:
            answer = HANDLERS[command](self._request(uow, name, in_group, arguments), uow)
            return self._read(answer)

    def _request(
        self, uow: UnitOfWork, name: str, in_group: bool, arguments: dict[str, Value]
    ) -> Request:
        person, team = self.person(uow, name), uow.teams.first()
        chat = Chat(kind="group", id=GROUP) if in_group else Chat(kind="direct", id=name)
        return Request(
            person=person,
            team=team,
            roles=uow.people.roles(person.id, team.id),
            chat=chat,
            platform="desk",
            event_key=f"event {next(self._events)}",
            at=self.now,
            now=self.now,
            arguments=arguments,
        )

    def person(self, uow: UnitOfWork, name: str) -> Person:
        """Somebody of the roster."""
        person = uow.people.find("desk", name)
        assert person is not None
        return person

    def _read(self, answer: Answer) -> str:
        return reader_for("en", "Asia/Shanghai", self.now).plain(answer.words or lines())

    def wait(self, **span: float) -> None:
        """Let time pass; every timer that is due on the way fires at its moment."""
        self.wait_until(self.now + timedelta(**span))

    def wait_until(self, moment: datetime) -> None:
        """The same, up to a moment."""
        while True:
            with self.uow() as uow:
                wake_at = uow.timers.next_wake()
                if wake_at is None or wake_at > moment:
                    break
                self.now = max(self.now, wake_at)
                self.tick(uow)
        self.now = moment

    def sleep(self, **span: float) -> None:
        """The bot is down meanwhile; what was due fires together afterwards."""
        self.now += timedelta(**span)
        with self.uow() as uow:
            self.tick(uow)

    def tick(self, uow: UnitOfWork) -> None:
        """Fire what is due now."""
        for _number, tick in uow.timers.claim_due(self.now, 200):
            handlers.TIMERS[tick.kind](tick, uow)

    def sent(self, wanted: Callable[[Message], bool] = lambda _one: True) -> list[Message]:
        """Everything that was ever queued, edits included, in order."""
        with self.uow() as uow:
            rows = uow.session.execute(select(outbox).order_by(outbox.c.id)).all()
        found = []
        for row in rows:
            body = Body.model_validate_json(Cipher(None).open(row.body))
            shown = body.card
            words = lines(body.words, *((shown.title, *shown.body) if shown else ()))
            plain = reader_for("en", row.zone, row.created_at).plain(words)
            found.append(Message(row.created_at, body.address.id, row.name, plain))
        return [one for one in found if wanted(one)]

    def reminders(self) -> list[Message]:
        """The messages of the ladder, of every query."""
        return self.sent(lambda one: one.key.startswith("Q") and one.key.split("/")[1].isdigit())


def clock(hour: int, minute: int = 0, day: int = 23) -> datetime:
    """A time in Shanghai."""
    return datetime(2026, 11, day, hour, minute, tzinfo=UTC) - timedelta(hours=8)


def told(desk: Desk) -> list[tuple[str, str]]:
    """The ladder's messages as (local time, reader)."""
    return [(f"{one.at + timedelta(hours=8):%d %H:%M}", one.to) for one in desk.reminders()]


def outcomes(desk: Desk, subject: str = "Q1/1") -> dict[str, str]:
    """What became of each step."""
    with desk.uow() as uow:
        return {row.step: row.outcome for row in uow.reminders.of(subject)}


def check_in(desk: Desk, name: str) -> None:
    """Somebody begins to work."""
    desk.give(name, "checkin")
