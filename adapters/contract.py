"""What every platform answers to. The bot knows platforms only by this page."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, NamedTuple, Protocol, get_args

from bot.messages import Address, Event, Locale, Outgoing, Reader, Reply

Receive = Callable[[Event], Awaitable[Reply | None]]
"""dispatch.receive: gives back the answer after the commit, or None for talk that is not for the
bot.
"""

ReaderFor = Callable[[Locale, str, datetime], Reader]
"""Makes a reader from a language, a zone name and the present moment."""


class Alarm(Protocol):
    """Tells the admins of a trouble that only a person can end."""

    async def __call__(self, word: str, once: str = "") -> None:
        """`word` is the platform's, explained in the catalogues under `alarms.PLATFORM.WORD`.

        With the same `once` (20 characters at most) nobody is told again, by whichever process.
        """


@dataclass(frozen=True, slots=True)
class Services:
    """What the bot does for adapters, beside receiving events."""

    lead: Callable[[str], Awaitable[bool]]
    """Take or keep the lead in something that only one process may do ("wecom.bot"). True: it is
    ours for LEAD_SECONDS."""
    resign: Callable[[str], Awaitable[None]]
    """Give the lead up, so that another need not wait for its end."""
    wake: Callable[[], None]
    """What could not be carried can be now."""
    alarm: Alarm
    called: Callable[[str, Mapping[str, int]], Awaitable[Mapping[str, int]]]
    """Add calls by kind to a month ("2026-11") in which the platform counts them; gives the month's
    totals."""


LEAD_SECONDS = 15.0

Place = Literal["person", "group", "page", "ring"]
"""Kinds of places a message may go to; "ring" is a group in which it is to ring phones."""
EVERYWHERE: frozenset[Place] = frozenset(get_args(Place))


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a platform can show and hear; encoders and the parity table read it."""

    forms: bool
    buttons_in_groups: bool
    buttons_in_direct: bool
    private_in_groups: bool
    """Can one person in a group be answered so that nobody else reads it?"""
    edits_in_groups: bool
    edits_in_direct: bool
    structured_mentions: bool
    slash_commands: bool = False
    threads: bool = False
    """Are answers and replies kept together under the message they belong to?"""
    reactions: bool = False
    message_shortcuts: bool = False
    menus: bool = False
    files: bool = False
    own_page: bool = False
    """Does each person have a page of their own with the bot?"""
    local_times: bool = False
    """Does the platform itself show times in each reader's zone?"""
    folds: bool = False
    """Do short answers that wait for one group leave as one message? For platforms that count."""
    max_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class Request:
    """An HTTP request as the web room hands it over, nothing in it trusted yet."""

    method: str
    path: str
    headers: Mapping[str, str]
    """Header names in lower case."""
    query: Mapping[str, str]
    body: bytes
    now: datetime


@dataclass(frozen=True, slots=True)
class Response:
    """Status and body for the platform."""

    status: int = 200
    body: bytes = b""
    content_type: str = "text/plain; charset=utf-8"
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Home:
    """A team's home group, as the doctor knows it."""

    chat_id: str
    name: str
    team: str


@dataclass(frozen=True, slots=True)
class Checkup:
    """What the doctor knows before a platform is asked."""

    now: datetime
    base_url: str = ""
    homes: Sequence[Home] = ()
    teams: Sequence[str] = ()
    """All teams by name, with a home or without."""
    led: Callable[[str], bool] = lambda _what: False
    """Whether a running server has the lead in something just now."""
    calls: Callable[[str], Mapping[str, int]] = lambda _month: {}
    """How often the platform was called in a month, by kind."""
    called: Callable[[str, Mapping[str, int]], object] = lambda _month, _made: None
    """Add the calls that the doctor itself made, as Services.called does."""
    heard: Callable[[str], bool] = lambda _beginning: False
    """Whether events whose keys begin like this have come in lately."""
    verbs: frozenset[str] = frozenset()
    """The commands that the bot knows; none where nobody told."""


class Finding(NamedTuple):
    """Something the doctor looked at: is it fine, and one sentence that says where to click.

    `advice` is what is fine as it is, and would be better otherwise.
    """

    fine: bool
    sentence: str
    advice: bool = False


class Rejected(Exception):
    """The request is not let in. `status` is 400, 401 or 413; nothing more is said."""

    def __init__(self, status: Literal[400, 401, 404, 405, 413], why: str) -> None:
        super().__init__(why)
        self.status = status


class DeliveryFailed(Exception):
    """A message did not arrive, or nobody knows.

    outcome: "retry" (surely not taken: try again after `after` seconds), "unknown" (the line died
    after it may have been taken), "dead" (will never work as it is), "paced" (not even tried: it is
    not its turn for `after` seconds). `scope` says what the wait holds for; of a method the adapter
    keeps count itself. `aside`: it may have to wait for weeks, so what stands behind it in the same
    chat is let past, for that may go another way. `why` is a word of the platform's: what it means
    to people stands in the catalogues under `delivery.because.PLATFORM.WHY`. `gone`: the account it
    was for is there no more. `repeatable`: though nobody knows, trying again says nothing twice.
    """

    def __init__(
        self,
        outcome: Literal["retry", "unknown", "dead", "paced"],
        why: str,
        *,
        after: float | None = None,
        scope: Literal["address", "method", "platform"] = "address",
        gone: bool = False,
        repeatable: bool = False,
        aside: bool = False,
    ) -> None:
        super().__init__(why)
        self.outcome = outcome
        self.why = why
        self.after = after
        self.scope = scope
        self.gone = gone
        self.repeatable = repeatable
        self.aside = aside


class Adapter(Protocol):
    """One platform: decodes what comes in, encodes and sends what goes out."""

    name: str
    capabilities: Capabilities
    paths: tuple[str, ...]
    """The HTTP paths whose requests `receive` understands."""

    async def start(self, receive: Receive, services: Services) -> None:
        """Open sessions and sockets. `receive` may be called from now on."""

    async def receive(self, request: Request, receive: Receive) -> Response:
        """Verify, decode, hand over, and answer in the platform's own way. Raises Rejected."""

    def answers_inline(self, event: Event, reply: Reply) -> bool:
        """Whether the response to this event can carry its answer; else it goes by the outbox, at
        once.
        """

    def can_ring(self, team: str) -> bool:
        """Whether what is said in a team's home can ring the phones of those it names."""

    async def send(self, outgoing: Outgoing, reader: Reader) -> str:
        """Deliver one message and return the platform's handle to it. Raises DeliveryFailed."""

    def reaches(self) -> frozenset[Place]:
        """The places that this process can write to just now; what is for others waits."""

    def pace(self, address: Address) -> float:
        """Seconds that must lie between two messages to this address."""

    async def stop(self) -> None:
        """Close everything, in bounded time."""

    async def examine(self, checkup: Checkup) -> Sequence[Finding]:
        """For the doctor: real calls to the platform, before start() or without it."""

    def trouble(self) -> str | None:
        """Why readiness should be red, in a word, or None. Never calls the platform."""

    def notice(self) -> str | None:
        """What readiness tells beside and stays green: neither a restart nor another process would
        mend it. Never calls the platform.
        """
