"""A whole bot at work without a platform: every card that it can make, whatever is in it.

A window stands where an adapter would, and looks at everything as the platform would.
"""

from __future__ import annotations

import ast
import asyncio
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from itertools import count
from pathlib import Path
from types import FrameType
from typing import Any, TypeVar

import pytest
from sqlalchemy.orm import Session

from adapters.carried import Pressed
from adapters.contract import (
    EVERYWHERE,
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
from bot.app import Bot
from bot.messages import (
    LOCALES,
    Address,
    Card,
    Chat,
    Event,
    Locale,
    Menu,
    Outgoing,
    Page,
    Reader,
    Reply,
    Role,
    User,
    mention_mark,
    text,
)
from bot.words import reader_for
from storage.cipher import Cipher
from storage.uow import UnitOfWork
from tests.clock import MORNING, StillClock
from tests.engines import fresh_engine
from tests.made_up import as_long_as
from tests.town import SECRET, make_settings

T = TypeVar("T")
Json = dict[str, Any]

ROOT = Path(__file__).parent.parent
HOME = "C1"

# What people read when a handler breaks.
APOLOGY = text("failed").model_dump_json().partition(',"params"')[0]


class Window(ABC):
    """What people on a platform would see; where it would refuse that, the test ends here."""

    name: str
    paths: tuple[str, ...] = ()
    capabilities: Capabilities

    def __init__(self) -> None:
        self.shown: list[Json] = []
        self.handles: list[str] = []
        self.failures: list[DeliveryFailed] = []

    async def send(self, outgoing: Outgoing, reader: Reader) -> str:
        """Look at it as its reader would, and as a reader of the other language would."""
        if self.failures:
            raise self.failures.pop(0)
        assert APOLOGY not in outgoing.model_dump_json()
        for locale in LOCALES:
            self.look(outgoing, reader_for(locale, "Asia/Shanghai", MORNING))
        self.shown.append(self.look(outgoing, reader))
        place = outgoing.address
        channel = place.id if place.kind == "group" else f"D{place.id}"
        self.handles.append(f"{channel}:17.{len(self.shown):06d}")
        return self.handles[-1]

    @abstractmethod
    def look(self, outgoing: Outgoing, reader: Reader) -> Json:
        """A message as the adapter would send it, looked at."""

    @abstractmethod
    def show(self, reply: Reply, event: Event, reader: Reader) -> Json | None:
        """What the response to somebody's doing carries, looked at."""

    @abstractmethod
    def carried(self, shown: Json) -> list[Pressed]:
        """What can be pressed on something that was shown."""

    @abstractmethod
    def answers_inline(self, event: Event, reply: Reply) -> bool:
        """As the adapter does."""

    def key(self, kind: str, number: int, *, in_group: bool) -> str:
        """Of an event."""
        return f"{kind}:{number}"

    def command_key(self, number: int) -> str:
        """Of a command that is given in a group."""
        return self.key("text", number, in_group=True)

    def shows(self, reply: Reply, event: Event) -> None:
        """Look at a response as its reader would, and as a reader of the other language would."""
        assert APOLOGY not in reply.model_dump_json()
        for locale in (reply.locale, *LOCALES):
            found = self.show(reply, event, reader_for(locale, reply.zone, reply.at))
            if found is not None:
                self.shown.append(found)

    def can_ring(self, team: str) -> bool:
        """There are no phones."""
        return False

    def reaches(self) -> frozenset[Place]:
        """Everything."""
        return EVERYWHERE

    def pace(self, address: Address) -> float:
        """No wait: nobody is on the other side."""
        return 0.0

    async def start(self, receive: Receive, services: Services) -> None:  # noqa: B027
        """Nothing to open."""

    async def receive(self, request: Request, receive: Receive) -> Response:
        """It has no HTTP side."""
        raise AssertionError("nobody calls a window")

    async def stop(self) -> None:  # noqa: B027
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


ROSTER: dict[str, tuple[Role, ...]] = {
    "UBOSS": ("admin", "manager"),
    "ULEAD": ("lead",),
    "UWANG": ("worker",),
    "ULIN": ("worker",),
    "UCHEN": ("worker",),
}


class Workplace:
    """The whole bot, people with endless names, and what they do."""

    def __init__(self, database: Path, locale: Locale, window: Window) -> None:
        self._loop = asyncio.new_event_loop()
        self._numbers = count(1)
        self.clock = StillClock()
        self.window, self.platform = window, window.name
        engine = fresh_engine(f"sqlite:///{database}")
        self.bot = Bot(make_settings(BANZHANG_LOCALE=locale), [self.window], self.clock, engine)
        self._run(self.bot.prepare())
        with self.uow() as uow:
            team = uow.teams.first()
            for user_id, roles in ROSTER.items():
                person = uow.people.meet(self.platform, self.user(user_id), self.clock.now())
                for role in roles:
                    uow.people.grant(person, role, team.id, None, self.clock.now())
            uow.teams.bind(team, self.platform, HOME, as_long_as(80), self.clock.now())

    @contextmanager
    def uow(self) -> Iterator[UnitOfWork]:
        """A unit of work that commits at the end."""
        with Session(self.bot.engine) as session, session.begin():
            yield UnitOfWork(session, Cipher(SECRET))

    def user(self, user_id: str) -> User:
        """Somebody, with the longest name that a platform could tell."""
        return User(id=user_id, name=f"{user_id} {as_long_as(190)}")

    def close(self) -> None:
        """Everybody goes home."""
        self.bot.close()
        self._loop.close()

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        return self._loop.run_until_complete(work)

    # --- what people do

    def does(self, user_id: str, kind: str, chat: Chat | None = None, **more: Any) -> Reply | None:
        """Something happens; what comes of it is looked at."""
        number = next(self._numbers)
        # Each does it a second later: their words are never one and the same.
        self.clock.push_to(self.clock.now() + timedelta(seconds=61))
        event = Event(
            platform=self.platform,
            kind=kind,  # type: ignore[arg-type]
            user=self.user(user_id),
            chat=chat or Chat(kind="direct", id=user_id),
            at=self.clock.now(),
            received_at=self.clock.now(),
            **{"key": self.window.key(kind, number, in_group=chat is not None), **more},
        )
        reply = self._run(self.bot.dispatch.receive(event))
        if reply is not None:
            self.window.shows(reply, event)
        self._run(self.bot.delivery.drain())
        return reply

    def types(self, user_id: str, words: str, **more: Any) -> Reply | None:
        """A command in the team's group: its answer is seen there."""
        key = self.window.command_key(next(self._numbers))
        given = {"text": words, "key": key, "can_open_form": self.window.capabilities.forms}
        return self.does(user_id, "text", Chat(kind="group", id=HOME), **given, **more)

    def writes(self, user_id: str, words: str, under: str = "", **more: Any) -> str:
        """A message: directly, or in the thread of a message. Returns its handle."""
        number = next(self._numbers)
        channel = under.partition(":")[0] or f"D{user_id}"
        stamp, thread = f"17.9{number:05d}", under.partition(":")[2]
        place = Chat(kind="group", id=channel, thread=thread) if under else None
        handle = f"{channel}:{stamp}"
        offers = self.window.capabilities.forms
        said = {"text": words, "message": handle, "under": under, "can_offer_form": offers}
        self.does(user_id, "text", place, **{**said, "addressed": not under, **more})
        return handle

    def asks_in_channel(self, user_id: str, question: str) -> str:
        """A question by mentioning the bot. Returns the handle of the message."""
        number = next(self._numbers)
        stamp = f"17.8{number:05d}"
        place = Chat(kind="group", id=HOME, thread=stamp)
        handle = f"{HOME}:{stamp}"
        self.does(user_id, "text", place, text=f"ask {question}", message=handle)
        return handle

    def presses(self, user_id: str, command: str, chat: Chat | None = None) -> Reply | None:
        """Press the newest button or choice that gives this command."""
        window = self.window
        found = (one for shown in reversed(window.shown) for one in window.carried(shown))
        pressed = next(one for one in found if one.command == command)
        forms = window.capabilities.forms
        given = {"command": command, "arguments": pressed.arguments, "can_open_form": forms}
        return self.does(user_id, "button", chat or Chat(kind="group", id=HOME), **given)

    def fills(self, user_id: str, command: str, **arguments: str) -> Reply | None:
        """Send a form in."""
        return self.does(user_id, "form", command=command, arguments=arguments)

    def opens_page(self, user_id: str) -> None:
        """Look at one's own page, where there is one."""
        if self.window.capabilities.own_page:
            self.does(user_id, "page")

    def waits(self, **spans: float) -> None:
        """Time passes; everything that is due on the way happens."""
        to = self.clock.now() + timedelta(**spans)
        self._run(self.bot.advance(to, self.clock.push_to))
        self._run(self.bot.delivery.drain())

    def waits_until(self, hour: int, minute: int = 0) -> None:
        """Until the clock in Shanghai shows this."""
        local = self.clock.now() + timedelta(hours=8)
        to = local.replace(hour=hour, minute=minute, second=0)
        if to <= local:
            to += timedelta(days=1)
        self.waits(seconds=(to - local).total_seconds())

    def handle_of(self, key: str) -> str:
        """The message that went out under a key."""
        for handle in reversed(self.window.handles):
            with self.uow() as uow:
                name = uow.outbox.named(self.platform, handle)
            if name is not None and name.startswith(key):
                return handle
        raise AssertionError(f"nothing went out as {key}")


EVERYBODYS: frozenset[Role] = frozenset(("guest", "worker", "lead", "manager", "finance", "admin"))

# --- where cards are made

Site = tuple[str, int]
MADE_OF = ("Card", "Menu", "Page")


def sites() -> set[Site]:
    """Where cards, menus and pages are made: file and line."""
    found = set()
    for file in (*(ROOT / "handlers").rglob("*.py"), ROOT / "bot" / "router.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            called = node.func if isinstance(node, ast.Call) else None
            if isinstance(called, ast.Name) and called.id in MADE_OF:
                found.add((str(file.relative_to(ROOT)), called.lineno))
    return found


def watched(monkeypatch: pytest.MonkeyPatch) -> set[Site]:
    """Where cards, menus and pages will have been made."""
    seen: set[Site] = set()

    def watching(original: Callable[..., None]) -> Callable[..., None]:
        def init(self: Any, /, **given: Any) -> None:
            caller: FrameType = sys._getframe(1)
            file = Path(caller.f_code.co_filename)
            if file.is_relative_to(ROOT):
                seen.add((str(file.relative_to(ROOT)), caller.f_lineno))
            original(self, **given)

        return init

    for model in (Card, Menu, Page):
        monkeypatch.setattr(model, "__init__", watching(model.__init__))
    return seen


# --- scenes


def talk(at: Workplace) -> None:
    """Words that are no command, verbs without the rest, and somebody who wants to join."""
    at.writes("UWANG", as_long_as(500))
    at.writes("UWANG", as_long_as(8000))
    at.writes("UWANG", "ask")
    at.types("UNEW", "join")
    at.presses("UBOSS", "approve_join")
    at.types("UNEXT", "join")
    at.presses("UBOSS", "reject_join")
    for verb in ("help", "help ask", "team", "staff list", "me", "who", "phrase", "queries"):
        at.types("UBOSS", verb)
    at.fills("UBOSS", "staff_add", people="nobody", roles="worker")
    at.opens_page("ULIN")


def queries(at: Workplace) -> None:
    """Asked, left alone until the managers know, claimed, muted, answered, closed and reopened."""
    at.types("UWANG", f"ask {as_long_as(8000)}")
    at.waits(hours=1)
    at.presses("ULIN", "claim")
    at.waits(hours=5)
    at.presses("ULIN", "mute")
    at.types("ULEAD", f"mute Q1 30m {as_long_as(500)}")
    at.presses("ULIN", "reply")
    at.fills("ULIN", "reply", query="Q1", words=as_long_as(8000))
    at.writes("UWANG", f"reply Q1 {as_long_as(8000)}")
    at.fills("ULEAD", "note", query="Q1", note=as_long_as(8000))
    at.presses("ULEAD", "resolve")
    at.fills("UWANG", "reopen", query="Q1", reason=as_long_as(3000))
    at.types("UWANG", "show Q1")
    at.types("UWANG", "queries open")
    mentioned = f"ask for {mention_mark(0)} {as_long_as(8000)}"
    at.types("ULEAD", mentioned, mentions=(at.user("USOMEBODY"),))


def threads(at: Workplace) -> None:
    """What is said below, changed and deleted; signs and menus on messages."""
    asked = at.asks_in_channel("UWANG", as_long_as(3000))
    with at.uow() as uow:
        query = uow.queries.opened_by(at.platform, asked)
    assert query is not None
    at.writes("UWANG", as_long_as(3000), under=asked)
    home = Chat(kind="group", id=HOME, thread=asked.partition(":")[2])
    at.does("UWANG", "edited", home, text=f"ask {as_long_as(2999)}", message=asked)
    at.does("UWANG", "deleted", home, message=asked)
    at.presses("UWANG", "resolve")
    at.writes("UWANG", as_long_as(3000), under=asked)
    direct = at.writes("UWANG", f"ask {as_long_as(3000)}")
    with at.uow() as uow:
        query = uow.queries.opened_by(at.platform, direct)
    # As much as a button carries, and more than that.
    for length in (900, 3000):
        at.writes("ULEAD", as_long_as(length), under=at.handle_of(f"Q{query}/card"))
    at.presses("ULEAD", "reply")
    said = f"{HOME}:17.700001"
    escalated = {"asker": mention_mark(0), "question": as_long_as(3000)}
    forms = at.window.capabilities.forms
    on_message = {"message": said, "under": said, "can_open_form": forms}
    given = {"command": "escalate", "arguments": escalated, "mentions": (at.user("ULIN"),)}
    at.does("UBOSS", "button", Chat(kind="group", id=HOME), **given, **on_message)
    nobodys = {"command": "escalate", "arguments": {"question": as_long_as(400)}}
    at.does("UBOSS", "button", Chat(kind="group", id=HOME), **nobodys, **on_message)
    at.does(
        "UBOSS",
        "reaction",
        Chat(kind="group", id=HOME, thread="17.700002"),
        message=f"{HOME}:17.700002",
        author=at.user("ULIN"),
        emoji="question",
        text=as_long_as(3000),
    )


def attendance(at: Workplace) -> None:
    """Taps in every order, and corrections."""
    at.waits_until(9)
    for verb in ("break", f"checkin {as_long_as(3000)}", "checkin", "break", "break", "back"):
        at.types("UWANG", verb)
    at.types("UWANG", "checkout")
    at.types("ULIN", "checkout")
    at.presses("ULIN", "fix")
    at.types("ULIN", f"fix in 8:00 {as_long_as(3000)}")
    at.types("ULIN", "checkout")
    at.presses("ULEAD", "approve_correction")
    at.types("UWANG", f"fix out 9:05 {as_long_as(3000)}")
    at.presses("ULEAD", "reject_correction")
    at.types("UBOSS", f"fix in 8:00 {as_long_as(300)}")
    at.types("UBOSS", "checkout")
    at.types("UWANG", "me")


def forgotten(at: Workplace) -> None:
    """Nobody checks out: questions, a provisional end, the leads."""
    at.waits_until(9)
    at.types("UWANG", "checkin")
    at.types("UWANG", f"note Q1 {as_long_as(100)}")
    at.types("UCHEN", "checkin")
    at.waits_until(14)
    at.types("ULIN", "checkin")
    at.types("ULIN", "break")
    at.types("ULIN", "back")
    at.types("ULEAD", "checkin")
    at.waits_until(13)
    at.types("ULEAD", "checkout")
    at.types("ULIN", "checkout")
    at.types("ULEAD", f"fix out 23:00 {as_long_as(300)}")
    at.types("ULEAD", "checkout")
    at.presses("ULIN", "confirm_session")
    for user_id in ("UWANG", "UCHEN", "ULEAD", "UBOSS"):
        at.opens_page(user_id)
    at.waits(days=4)
    at.presses("ULEAD", "confirm_session")


def dead_messages(at: Workplace) -> None:
    """A message that cannot be delivered."""
    at.window.failures.append(DeliveryFailed("dead", "channel_not_found"))
    at.types("UWANG", f"ask {as_long_as(100)}")
    at.waits(minutes=5)
    at.presses("UBOSS", "retry")


def pages(at: Workplace) -> None:
    """One's own page: of a guest, with nothing, and with more than it can list."""
    at.opens_page("UGUEST")
    at.opens_page("ULIN")
    at.types("UBOSS", "team set guests off")
    at.opens_page("USTRANGER")
    at.types("UBOSS", "team set guests on")
    for _ in range(30):
        at.writes("UGUEST", f"ask {as_long_as(8000)}")
        at.presses("ULIN", "claim")
        at.types("ULIN", f"ask {as_long_as(8000)}")
    at.opens_page("ULIN")
    with at.uow() as uow:
        person = uow.people.find(at.platform, "ULIN")
        assert person is not None
        owned, _held = uow.queries.owned_by(person.id, 100)
        numbers = [query.id for query in owned]
    for number in numbers[2:]:
        at.types("ULIN", f"reply Q{number} {as_long_as(100)}")
    at.opens_page("ULIN")
    at.types("ULIN", "queries")
    at.presses("ULIN", "queries")
    if at.window.capabilities.own_page:
        at.presses("ULIN", "language")


SCENES = (talk, queries, threads, attendance, forgotten, dead_messages, pages)
"""Each card that the bot can make appears in one of them."""


def live_through(at: Workplace) -> None:
    """All scenes. What they show is read in both languages, whichever the team's is."""
    for scene in SCENES:
        scene(at)
    commands = {one.command for shown in at.window.shown for one in at.window.carried(shown)}
    assert {"claim", "reply", "mute", "approve_join", "confirm_session"} <= commands
