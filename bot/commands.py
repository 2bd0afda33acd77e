"""The words of the command table: what a command is, and what a handler is given.

Both the table (handlers/__init__.py) and the router speak them, so they live between the two.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from bot.messages import Address, Answer, Chat, Role, Tick
from storage.tables.people import Person
from storage.tables.teams import Team
from storage.uow import UnitOfWork

Kind = Literal["id", "words", "word", "time", "people", "role", "choice", "verb"]

Value = str | int | datetime | tuple[Person, ...] | tuple[str, ...] | None


@dataclass(frozen=True, slots=True)
class Argument:
    """One thing a command needs. Its label and hint are in the catalogues under `arguments.NAME`.

    kind: "id" a short id with one of `prefixes` (value: the number), "words" all the rest, "word"
    one word, "time" a moment (looking `ahead` or `back`), "people" mentioned persons, "choice" one
    of `choices`.
    """

    name: str
    kind: Kind
    required: bool = True
    prefixes: tuple[str, ...] = ()
    choices: tuple[str, ...] = ()
    """Values; the words people type for them are in the catalogues under `choices.VALUE`."""
    looking: Literal["ahead", "back"] = "ahead"
    before: tuple[str, ...] = ()
    """Words that may stand before the value and are skipped, such as "team" in `staff add @a team
    NAME`.
    """


@dataclass(frozen=True, slots=True)
class Request:
    """A command somebody gave, understood and permitted."""

    person: Person
    team: Team | None
    roles: frozenset[Role]
    chat: Chat
    platform: str
    event_key: str
    at: datetime
    """Work time: when the person did it."""
    now: datetime
    """When we received it."""
    arguments: Mapping[str, Value] = field(default_factory=dict)

    @property
    def place(self) -> Address:
        """Where it was said, as an address one can answer to later."""
        if self.chat.kind == "direct":
            return Address(platform=self.platform, kind="person", id=self.chat.id)
        return Address(
            platform=self.platform, kind="group", id=self.chat.id, thread=self.chat.thread
        )

    def number(self, name: str) -> int:
        """The number of a short id."""
        value = self.arguments[name]
        assert isinstance(value, int)
        return value

    def words(self, name: str) -> str:
        """Text the person typed; empty when it was optional and left out."""
        value = self.arguments.get(name)
        return value if isinstance(value, str) else ""

    def time(self, name: str) -> datetime:
        """A moment, aware."""
        value = self.arguments[name]
        assert isinstance(value, datetime)
        return value

    def people(self, name: str) -> tuple[Person, ...]:
        """Persons who were mentioned."""
        value = self.arguments.get(name)
        return (
            tuple(one for one in value if isinstance(one, Person))
            if isinstance(value, tuple)
            else ()
        )

    def choices(self, name: str) -> tuple[str, ...]:
        """Several chosen values, such as roles."""
        value = self.arguments.get(name)
        return (
            tuple(one for one in value if isinstance(one, str)) if isinstance(value, tuple) else ()
        )


Handler = Callable[[Request, UnitOfWork], Answer]
TimerHandler = Callable[[Tick, UnitOfWork], None]


@dataclass(frozen=True, slots=True)
class Command:
    """One line of the table. `verbs.NAME`, `help.NAME` and `examples.NAME` in the catalogues are
    its words.
    """

    name: str
    who: frozenset[Role]
    run: Handler
    arguments: tuple[Argument, ...] = ()
    creates: bool = False
    """Typed again unchanged within 60 s in the same chat, it returns the first answer."""
    private: bool = False
    """The answer is for the asker alone, wherever it was typed."""
    direct_only: bool = False
    """Refused in groups, before anything is read."""
    needs_team: bool = True
    evidence: bool = False
    """Doing it shows that the person is at work."""
