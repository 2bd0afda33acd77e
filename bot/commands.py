"""The words of the command table: what a command is, and what a handler is given.

Both the table (handlers/__init__.py) and the router speak them, so they live between the two.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from bot.messages import Address, Answer, Chat, Event, Role, Tick
from storage.tables.people import Person
from storage.tables.teams import Team
from storage.uow import UnitOfWork

Kind = Literal["id", "words", "word", "number", "time", "people", "role", "choice", "verb"]

Value = str | int | datetime | tuple[Person, ...] | tuple[str, ...] | None


@dataclass(frozen=True, slots=True)
class Argument:
    """One thing a command needs. Its label and hint are in the catalogues under `arguments.NAME`.

    kind: "id" a short id with one of `prefixes` (value: the number), "words" all the rest, "word"
    one word, "number" digits, "time" a moment (looking `ahead` or `back`), "people" mentioned
    persons, "choice" one of `choices`.
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
    message: str = ""
    """The handle of the message that gave it, or that it is about; "" where there is none."""
    thread: str = ""
    """The handle of the thread in which it is answered, where there is one."""

    @property
    def place(self) -> Address:
        """Where it was said, as an address one can answer to later."""
        return place_of(self.platform, self.chat)

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


@dataclass(frozen=True, slots=True)
class Signal:
    """Something somebody did that is no command: a reaction, an edit, talk in a thread …"""

    event: Event
    person: Person
    team: Team | None
    roles: frozenset[Role]
    words: str
    """What the message says, with names for mentions and without a verb."""
    is_courtesy: bool = False
    """Only a thank-you, a nod."""

    @property
    def place(self) -> Address:
        """Where it happened, as an address one can answer to later."""
        return place_of(self.event.platform, self.event.chat)

    @property
    def now(self) -> datetime:
        """When we received it."""
        return self.event.received_at


def place_of(platform: str, chat: Chat) -> Address:
    """A chat as an address."""
    if chat.kind == "direct":
        return Address(platform=platform, kind="person", id=chat.id)
    return Address(platform=platform, kind="group", id=chat.id, thread=chat.thread)


Handler = Callable[[Request, UnitOfWork], Answer]
TimerHandler = Callable[[Tick, UnitOfWork], None]


@dataclass(frozen=True, slots=True)
class Listener:
    """One line of the table of signals.

    `concerns` is a cheap look, for most of what a group says is no business of the bot's: what does
    not concern it is neither written down nor answered. `run` may have nothing to say.
    """

    concerns: Callable[[Event, UnitOfWork], bool]
    who: frozenset[Role]
    """Whose doing counts; everybody else's goes by without a word."""
    run: Callable[[Signal, UnitOfWork], Answer | None]


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
    needs_proof: bool = False
    """It changes hours that were, rules, roles, or where messages go: refused where the platform
    does not prove who said it.
    """
    needs_team: bool = True
    evidence: bool = False
    """Doing it shows that the person is at work."""
