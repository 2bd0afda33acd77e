"""Everything the bot shows fits into Slack: every form, every card of every conversation, and
whatever else could be made of them.
"""

from __future__ import annotations

import ast
import asyncio
import json
import re
import sys
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from types import FrameType
from typing import Any, TypeVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy.orm import Session

import handlers
from adapters.carried import Pressed
from adapters.contract import (
    Checkup,
    DeliveryFailed,
    Finding,
    Receive,
    Request,
    Response,
    Services,
)
from adapters.slack import decode, encode
from adapters.slack.adapter import SlackAdapter
from adapters.slack.carried import LONGEST_VALUE
from adapters.slack.reading import NAME
from bot.app import Bot
from bot.messages import (
    LOCALES,
    Address,
    Answer,
    Button,
    Card,
    CardField,
    Chat,
    Duration,
    Event,
    Form,
    FormField,
    FormOption,
    Lines,
    Locale,
    Mention,
    Menu,
    Moment,
    Outgoing,
    Page,
    Param,
    Reader,
    Reply,
    Role,
    Text,
    User,
    Words,
    lines,
    mention_mark,
    text,
)
from bot.router import Router, Sender
from bot.words import reader_for
from storage.cipher import Cipher
from storage.uow import UnitOfWork
from tests.clock import MORNING, StillClock
from tests.engines import fresh_engine
from tests.platforms import slack_blocks
from tests.town import SECRET, make_settings

T = TypeVar("T")
Json = dict[str, Any]

ROOT = Path(__file__).parent.parent
HOME = "C1"
NASTY = "<!channel> <@U9> <http://evil.example|bank> & *_~`王 班 长😀👩‍👩‍👧‍👦 >|"


def as_long_as(size: int) -> str:
    """Something that a person could type, of so many characters."""
    return (NASTY * (size // len(NASTY) + 1))[:size]


# --- what Slack takes -----------------------------------------------------------------------------

# The only markup there may be: our mentions and moments.
OURS = re.compile(
    r"<@[UW][A-Z0-9]{1,30}>"
    r"|<!date\^[0-9]+\^\{(?:time|date_short_pretty)\}(?: \{time\})?\|[^<>|]+>"
)
OPEN = re.compile(r"[<>]|&(?!amp;|lt;|gt;)")
VIEW_BYTES = 250_000


def texts(part: Any) -> Iterator[Json]:
    """All text objects in a piece of Block Kit."""
    if isinstance(part, dict):
        if part.get("type") in ("mrkdwn", "plain_text") and "text" in part:
            yield part
        part = list(part.values())
    for one in part if isinstance(part, list) else ():
        yield from texts(one)


def check_texts(part: Any) -> None:
    """Nothing a person typed can ping or link, and no token is cut in two."""
    for one in texts(part):
        markup = one["type"] == "mrkdwn"
        assert one.get("verbatim", False) is markup, one
        assert not OPEN.search(OURS.sub("", one["text"]) if markup else one["text"]), one


def check_message(found: Json) -> None:
    blocks = found.get("blocks", [])
    assert slack_blocks.problems_in_message(blocks) == []
    assert slack_blocks.text_size(blocks) <= slack_blocks.TEXT_IN_ALL_BLOCKS
    assert 1 <= len(found["text"]) <= 40_000
    assert found["text"].strip()
    assert not OPEN.search(OURS.sub("", found["text"])), found["text"]
    check_texts(blocks)


def check_view(found: Json) -> None:
    assert slack_blocks.problems_in_view(found) == []
    assert len(json.dumps(found)) <= VIEW_BYTES
    check_texts(found)


def elements(found: Json) -> list[Json]:
    """The buttons and menus of a message or a page."""
    blocks = found.get("blocks", [])
    return [one for block in blocks if block["type"] == "actions" for one in block["elements"]]


def carried(found: Json) -> list[Pressed]:
    """What can be pressed, each choice of a menu for itself."""
    values = []
    for one in elements(found):
        values += [option["value"] for option in one.get("options", [])] or [one["value"]]
    pressed = [Pressed.loaded(value) for value in values]
    assert None not in pressed
    return [one for one in pressed if one is not None]


def check_outgoing(outgoing: Outgoing, reader: Reader) -> Json:
    """A message as the adapter would send it."""
    if outgoing.page is not None:
        found = encode.page(outgoing.page, reader)
        check_view(found)
        assert found["blocks"]
        return found
    if outgoing.edits_handle is not None:
        found = encode.edit(outgoing, reader)
        assert len(found["text"]) <= 4000
    elif outgoing.address.only_for is not None:
        found = encode.whisper(outgoing, reader)
    else:
        found = encode.message(outgoing, reader)
    check_message(found)
    return found


# --- a bot on Slack, without Slack ----------------------------------------------------------------


# What people read when a handler breaks.
APOLOGY = text("failed").model_dump_json().partition(',"params"')[0]


class Window:
    """What people on Slack would see; where Slack would refuse it, the test ends here."""

    name = NAME
    paths: tuple[str, ...] = ()
    capabilities = SlackAdapter.capabilities

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
            check_outgoing(outgoing, reader_for(locale, "Asia/Shanghai", MORNING))
        self.shown.append(check_outgoing(outgoing, reader))
        place = outgoing.address
        channel = place.id if place.kind == "group" else f"D{place.id}"
        self.handles.append(f"{channel}:17.{len(self.shown):06d}")
        return self.handles[-1]

    def shows(self, reply: Reply, chat: Chat) -> None:
        """What the response to somebody's doing carries."""
        assert APOLOGY not in reply.model_dump_json()
        for locale in (reply.locale, *LOCALES):
            reader = reader_for(locale, reply.zone, reply.at)
            if reply.answer is not None:
                found = encode.response(reply.answer, chat, reader)
                check_message(found)
                self.shown.append(found)
            if reply.form is not None:
                view = encode.modal(reply.form, chat, reader)
                assert view is not None, f"{reply.form.command} has no form that Slack takes"
                check_view(view)

    def answers_inline(self, event: Event, reply: Reply) -> bool:
        """As the adapter does."""
        return decode.from_command(event)

    def can_ring(self, team: str) -> bool:
        """There are no phones."""
        return False

    def pace(self, address: Address) -> float:
        """No wait: nobody is on the other side."""
        return 0.0

    async def start(self, receive: Receive, services: Services) -> None:
        """Nothing to open."""

    async def receive(self, request: Request, receive: Receive) -> Response:
        """It has no HTTP side."""
        raise AssertionError("nobody calls a window")

    async def stop(self) -> None:
        """Nothing to close."""

    async def examine(self, checkup: Checkup) -> Sequence[Finding]:
        """Nothing to look at."""
        return ()

    def trouble(self) -> str | None:
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
    """The whole bot, people with endless names, and what they do on Slack."""

    def __init__(self, database: Path, locale: Locale) -> None:
        self._loop = asyncio.new_event_loop()
        self._numbers = count(1)
        self.clock = StillClock()
        self.window = Window()
        engine = fresh_engine(f"sqlite:///{database}")
        self.bot = Bot(make_settings(BANZHANG_LOCALE=locale), [self.window], self.clock, engine)
        self._run(self.bot.prepare())
        with self.uow() as uow:
            team = uow.teams.first()
            for user_id, roles in ROSTER.items():
                person = uow.people.meet(NAME, self.user(user_id), self.clock.now())
                for role in roles:
                    uow.people.grant(person, role, team.id, None, self.clock.now())
            uow.teams.bind(team, NAME, HOME, as_long_as(80), self.clock.now())

    @contextmanager
    def uow(self) -> Iterator[UnitOfWork]:
        """A unit of work that commits at the end."""
        with Session(self.bot.engine) as session, session.begin():
            yield UnitOfWork(session, Cipher(SECRET))

    def user(self, user_id: str) -> User:
        """Somebody, with the longest name that Slack could tell."""
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
            platform=NAME,
            kind=kind,  # type: ignore[arg-type]
            user=self.user(user_id),
            chat=chat or Chat(kind="direct", id=user_id),
            at=self.clock.now(),
            received_at=self.clock.now(),
            **{"key": f"{kind}:{number}", **more},
        )
        reply = self._run(self.bot.dispatch.receive(event))
        if reply is not None:
            self.window.shows(reply, event.chat)
        self._run(self.bot.delivery.drain())
        return reply

    def types(self, user_id: str, words: str, **more: Any) -> Reply | None:
        """A slash command in the team's channel: its answer is seen there."""
        number = next(self._numbers)
        key = f"{decode.COMMAND_KEY}T1:{number}"
        chat = Chat(kind="group", id=HOME)
        return self.does(user_id, "text", chat, text=words, key=key, can_open_form=True, **more)

    def writes(self, user_id: str, words: str, under: str = "", **more: Any) -> str:
        """A message: directly, or in the thread of a message. Returns its handle."""
        number = next(self._numbers)
        channel = under.partition(":")[0] or f"D{user_id}"
        stamp, thread = f"17.9{number:05d}", under.partition(":")[2]
        place = Chat(kind="group", id=channel, thread=thread) if under else None
        handle = f"{channel}:{stamp}"
        said = {"text": words, "message": handle, "under": under, "can_offer_form": True}
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
        found = (one for shown in reversed(self.window.shown) for one in carried(shown))
        pressed = next(one for one in found if one.command == command)
        given = {"command": command, "arguments": pressed.arguments, "can_open_form": True}
        return self.does(user_id, "button", chat or Chat(kind="group", id=HOME), **given)

    def fills(self, user_id: str, command: str, **arguments: str) -> Reply | None:
        """Send a form in."""
        return self.does(user_id, "form", command=command, arguments=arguments)

    def opens_page(self, user_id: str) -> None:
        """Look at one's own page."""
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
                name = uow.outbox.named(NAME, handle)
            if name is not None and name.startswith(key):
                return handle
        raise AssertionError(f"nothing went out as {key}")


@pytest.fixture(params=LOCALES)
def workplace(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Workplace]:
    """In either language."""
    made = Workplace(tmp_path / "workplace.db", request.param)
    yield made
    made.close()


# --- every form -----------------------------------------------------------------------------------

EVERYBODYS: frozenset[Role] = frozenset(("guest", "worker", "lead", "manager", "finance", "admin"))


def routed_form(workplace: Workplace, locale: Locale, **given: Any) -> Form | None:
    """The form by which a command asks for what it lacks, if it lacks anything."""
    event = Event(
        platform=NAME,
        key="k",
        user=workplace.user("UBOSS"),
        chat=Chat(kind="direct", id="UBOSS"),
        can_open_form=True,
        at=MORNING,
        received_at=MORNING,
        **given,
    )
    router = Router(handlers.COMMANDS, handlers.SIGNALS, lambda _team: True, lambda *_about: None)
    with workplace.uow() as uow:
        person = uow.people.find(NAME, "UBOSS")
        assert person is not None
        sender = Sender(person, uow.teams.first(), EVERYBODYS, locale, "Asia/Shanghai")
        return router.route(event, sender, uow).form


@pytest.mark.parametrize("locale", LOCALES)
def test_every_command_has_a_form_that_slack_takes(tmp_path: Path, locale: Locale) -> None:
    """For a bare verb, for a button that carries nothing, and for a message's menu."""
    workplace = Workplace(tmp_path / "forms.db", locale)
    reader = reader_for(locale, "Asia/Shanghai", MORNING)
    chat = Chat(kind="group", id=HOME, name=as_long_as(80), thread="1795395590.000200")
    about = f"{HOME}:1795395590.000200"
    for command in handlers.COMMANDS:
        verb = reader.plain(text(f"verbs.{command.name}"))
        pressed = routed_form(workplace, locale, kind="button", command=command.name)
        typed = routed_form(workplace, locale, kind="text", text=verb)
        needs = [one.name for one in command.arguments if one.required]
        assert (pressed is not None) is bool(needs), command.name
        assert typed is not None or not needs, f"{verb} alone asks for nothing"
        if pressed is not None:
            assert [one.name for one in pressed.fields] == [one.name for one in command.arguments]
        for form in filter(None, (pressed, typed)):
            view = encode.modal(form, chat, reader, about)
            assert view is not None
            check_view(view)
            assert view["blocks"]
            shown = " ".join(one["text"] for one in texts(view))
            assert not re.search(r"\b(arguments|choices|hints|roles|slack|verbs)\.", shown), shown
    workplace.close()


# --- every card -----------------------------------------------------------------------------------

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


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> set[Site]:
    """Where cards, menus and pages have been made so far."""
    seen: set[Site] = set()

    def watched(original: Callable[..., None]) -> Callable[..., None]:
        def init(self: Any, /, **given: Any) -> None:
            caller: FrameType = sys._getframe(1)
            file = Path(caller.f_code.co_filename)
            if file.is_relative_to(ROOT):
                seen.add((str(file.relative_to(ROOT)), caller.f_lineno))
            original(self, **given)

        return init

    for model in (Card, Menu, Page):
        monkeypatch.setattr(model, "__init__", watched(model.__init__))
    return seen


def test_every_card_fits_into_slack_whatever_is_in_it(
    workplace: Workplace, made: set[Site]
) -> None:
    """Each card that the bot can make appears below; a new one needs a few lines more here."""
    for scene in (talk, queries, threads, attendance, forgotten, dead_messages, pages):
        scene(workplace)
    missing = sites() - made
    assert not missing, f"these cards appear in no conversation: {sorted(missing)}"
    commands = {one.command for shown in workplace.window.shown for one in carried(shown)}
    assert {"claim", "reply", "mute", "approve_join", "confirm_session", "language"} <= commands


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
        query = uow.queries.opened_by(NAME, asked)
    assert query is not None
    at.writes("UWANG", as_long_as(3000), under=asked)
    home = Chat(kind="group", id=HOME, thread=asked.partition(":")[2])
    at.does("UWANG", "edited", home, text=f"ask {as_long_as(2999)}", message=asked)
    at.does("UWANG", "deleted", home, message=asked)
    at.presses("UWANG", "resolve")
    at.writes("UWANG", as_long_as(3000), under=asked)
    direct = at.writes("UWANG", f"ask {as_long_as(3000)}")
    with at.uow() as uow:
        query = uow.queries.opened_by(NAME, direct)
    # As much as a button carries, and more than that.
    for length in (900, 3000):
        at.writes("ULEAD", as_long_as(length), under=at.handle_of(f"Q{query}/card"))
    at.presses("ULEAD", "reply")
    said = f"{HOME}:17.700001"
    escalated = {"asker": mention_mark(0), "question": as_long_as(3000)}
    on_message = {"message": said, "under": said, "can_open_form": True}
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
        person = uow.people.find(NAME, "ULIN")
        assert person is not None
        owned, _held = uow.queries.owned_by(person.id, 100)
        numbers = [query.id for query in owned]
    for number in numbers[2:]:
        at.types("ULIN", f"reply Q{number} {as_long_as(100)}")
    at.opens_page("ULIN")
    at.types("ULIN", "queries")
    at.presses("ULIN", "queries")
    at.presses("ULIN", "language")


# --- whatever else could be made ------------------------------------------------------------------

SAID = st.one_of(
    st.text(max_size=30),
    st.sampled_from(["", " ", "\n", "*", "<@U1>", "<!channel>", "&amp;", "<!date^1^{time}|x>"]),
    st.builds(as_long_as, st.sampled_from([74, 76, 149, 151, 1999, 2001, 3001, 13_000])),
)
MOMENTS = st.builds(
    Moment,
    at=st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
    style=st.sampled_from(["when", "clock", "date"]),
)
MENTIONS = st.builds(
    Mention,
    person_id=st.integers(1, 9),
    name=SAID,
    user_id=st.sampled_from([None, "", "U1", "W0ABC123", "!channel", "U1>", "zhangsan"]),
)
DURATIONS = st.builds(Duration, seconds=st.integers(-(10**9), 10**9))
PARAMS: st.SearchStrategy[Param] = st.one_of(SAID, st.integers(), MENTIONS, MOMENTS, DURATIONS)
SENTENCES: st.SearchStrategy[Text] = st.one_of(
    st.builds(lambda one: text("said", words=one), PARAMS),
    st.builds(lambda one, other: text("answer.to", person=one, words=other), MENTIONS, PARAMS),
    st.builds(Text, key=SAID),
)
WORDS: st.SearchStrategy[Words] = st.one_of(
    SENTENCES,
    st.builds(
        lambda parts, separator: Lines(parts=tuple(parts), separator=separator),
        st.lists(SENTENCES, max_size=8),
        st.sampled_from(["\n", " / ", "", "<>&"]),
    ),
)
COMMANDS = st.sampled_from(sorted(one.name for one in handlers.COMMANDS))
ARGUMENTS = st.dictionaries(st.sampled_from(["query", "words", "reason"]), SAID, max_size=2)


def several(of: st.SearchStrategy[T], most: int) -> st.SearchStrategy[tuple[T, ...]]:
    """Few, or the same ones over and over: so many that they cannot all be shown."""
    few = st.lists(of, max_size=3)
    many = st.integers(1, most)
    return st.builds(lambda some, times: (tuple(some) * times)[:most], few, st.just(1) | many)


BUTTONS = st.builds(
    Button,
    label=WORDS,
    command=COMMANDS,
    arguments=ARGUMENTS,
    style=st.sampled_from(["plain", "primary", "danger"]),
    hint=st.none(),
)
MENUS = st.builds(Menu, label=WORDS, choices=several(BUTTONS, 120))
CARDS = st.builds(
    Card,
    title=WORDS,
    body=several(WORDS, 70),
    fields=several(st.builds(CardField, label=WORDS, value=WORDS), 70),
    buttons=several(BUTTONS, 90),
    menus=several(MENUS, 4),
)
OPTIONS = st.builds(FormOption, value=SAID, label=WORDS)
FIELDS = st.builds(
    FormField,
    name=st.just("f"),
    label=WORDS,
    kind=st.sampled_from(["line", "paragraph", "menu", "choices", "people"]),
    options=several(OPTIONS, 120),
    hint=st.none() | WORDS,
    required=st.booleans(),
)
FORMS = st.builds(
    lambda form, fields: form.model_copy(
        update={
            "fields": tuple(
                one.model_copy(update={"name": f"f{number}"}) for number, one in enumerate(fields)
            )
        }
    ),
    st.builds(Form, command=COMMANDS, title=WORDS, arguments=ARGUMENTS, fields=st.just(())),
    several(FIELDS, 120),
)
READERS = st.builds(
    reader_for,
    st.sampled_from(LOCALES),
    st.sampled_from(["Asia/Shanghai", "America/New_York"]),
    st.just(MORNING),
)
GROUP = Chat(kind="group", id=HOME, name="rooms", thread="1.2")


def fits(button: Button, most: int = LONGEST_VALUE) -> bool:
    """Whether a button, or a choice, can carry its command."""
    return len(Pressed(command=button.command, arguments=button.arguments).dumped()) <= most


def shown_on(card: Card) -> int:
    """How many buttons and menus of a card are there to be used."""
    menus = [menu for menu in card.menus if any(fits(one, 150) for one in menu.choices[:100])]
    return min(100, sum(map(fits, card.buttons)) + len(menus))


@settings(deadline=None)
@given(st.none() | WORDS, CARDS, READERS)
def test_any_card_keeps_within_slacks_limits(
    words: Words | None, card: Card, reader: Reader
) -> None:
    place = Address(platform=NAME, kind="group", id=HOME, thread="1.2", only_for="U1")
    outgoing = Outgoing(address=place, words=words, card=card, message_id=1)
    made = (
        encode.message(outgoing, reader),
        encode.whisper(outgoing, reader),
        encode.edit(outgoing, reader),
        encode.response(Answer(words=words, card=card), GROUP, reader),
    )
    for one in made:
        check_message(one)
        assert len(elements(one)) == shown_on(card), "the buttons stay on the card"
        names = [element["action_id"] for element in elements(one)]
        assert len(set(names)) == len(names)
        assert len(carried(one)) >= len(names)


@settings(deadline=None)
@given(WORDS, READERS)
def test_any_words_keep_within_slacks_limits(words: Words, reader: Reader) -> None:
    place = Address(platform=NAME, kind="person", id="U1")
    check_outgoing(Outgoing(address=place, words=words, message_id=1), reader)
    edit = Outgoing(address=place, words=words, message_id=1, edits_handle="D1:1.2")
    check_outgoing(edit, reader)
    check_message(encode.response(Answer(words=lines(words, words)), GROUP, reader))


@settings(deadline=None)
@given(several(CARDS, 30), READERS)
def test_any_page_keeps_within_slacks_limits(cards: tuple[Card, ...], reader: Reader) -> None:
    found = encode.page(Page(cards=cards), reader)
    check_view(found)
    for row in (block for block in found["blocks"] if block["type"] == "actions"):
        names = [element["action_id"] for element in row["elements"]]
        assert len(set(names)) == len(names)
    shown = sum(block["type"] == "header" for block in found["blocks"])
    assert len(elements(found)) == sum(map(shown_on, cards[:shown])), "whole cards, or none of it"


@settings(deadline=None)
@given(FORMS, st.sampled_from(["", f"{HOME}:1.2"]), READERS)
def test_any_form_keeps_within_slacks_limits(form: Form, about: str, reader: Reader) -> None:
    view = encode.modal(form, GROUP, reader, about)
    if view is None:
        assert len(form.model_dump_json()) > 2500, "a form that would have had room"
        return
    check_view(view)
    assert [one["block_id"] for one in view["blocks"]] == [one.name for one in form.fields[:100]]
    wrong = Reply(
        errors={form.fields[0].name if form.fields else "f": form.title},
        locale="en",
        zone="UTC",
        at=MORNING,
    )
    refused = encode.submission(wrong, view, GROUP, reader)
    known = {block["block_id"] for block in view["blocks"]} or {"f"}
    assert set(refused["errors"]) <= known
    assert not any(OPEN.search(one) for one in refused["errors"].values())
    following = encode.submission(
        Reply(form=form, locale="en", zone="UTC", at=MORNING), view, GROUP, reader
    )
    if "view" in following:
        check_view(following["view"])
