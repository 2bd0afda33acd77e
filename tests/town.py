"""A small town to test in: the whole bot on a real database, with people who talk to it.

town.say("小王", "签到")
town.wait(hours=2)
assert "Q1" in town.group()[-1]
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any, TypeVar

from pydantic import SecretStr
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from adapters.contract import DeliveryFailed
from adapters.sandbox.adapter import SandboxAdapter
from adapters.sandbox.world import BOT_ID, GROUP_ID, PERSONAS, Entry, Profile
from bot.app import Bot
from bot.messages import Role, User
from bot.settings import Settings
from bot.verbs import words_of
from bot.words import catalogue, reader_for
from storage.cipher import Cipher
from storage.uow import UnitOfWork
from tests.clock import StillClock

T = TypeVar("T")

SECRET = "a secret for tests alone"
ROSTER: dict[str, tuple[Role, ...]] = {
    "周经理": ("admin", "manager"),
    "李组长": ("lead",),
    "小王": ("worker",),
    "小林": ("worker",),
    "小陈": ("worker",),
}


class Town:
    """People, a group, a bot. Everything a test does is one of the methods below."""

    def __init__(
        self,
        engine: Engine,
        profile: Profile,
        *,
        roster: dict[str, tuple[Role, ...]] = ROSTER,
        home: bool = True,
        settings: Settings | None = None,
    ) -> None:
        self._loop = asyncio.new_event_loop()
        self.clock = StillClock()
        self.profile = profile
        self.settings = settings or make_settings()
        self.adapter = SandboxAdapter(self.clock.now, reader_for, profile)
        self.bot = Bot(self.settings, [self.adapter], self.clock, engine)
        self._ids = {persona.name: persona.id for persona in PERSONAS}
        self._seen: dict[str, int] = {}
        self._typed: dict[str, tuple[str, bool]] = {}
        self.run(self.bot.prepare())
        with self.uow() as uow:
            team = uow.teams.first()
            for name, roles in roster.items():
                user = User(id=self._ids[name], name=name)
                person = uow.people.meet("sandbox", user, self.now)
                for role in roles:
                    uow.people.grant(person, role, team.id, None, self.now)
            if home:
                uow.teams.bind(team, "sandbox", GROUP_ID, "班组群", self.now)

    # --- talking -----------------------------------------------------------------------------

    def say(
        self,
        name: str,
        words: str,
        *,
        in_group: bool = False,
        mention: bool = True,
        key: str | None = None,
    ) -> str:
        """Type a line; returns what the speaker reads in answer ("" when nothing)."""
        person = self._ids[name]
        chat = GROUP_ID if in_group else person
        line = f"@班长 {words}" if in_group and mention else words
        before = self._changes()
        self.run(self.adapter.say(person, chat, line, self.bot.dispatch.receive, key=key))
        self.run(self.bot.delivery.drain())
        return self._answer(person, before)

    def press(self, name: str, label: str, on: str = "", *, key: str | None = None) -> str:
        """Press the newest button that says `label` (or gives that command) on a message with `on`.

        Where the profile shows no buttons, the command that stands there instead is typed.
        """
        person = self._ids[name]
        words = words_of(label) if f"verbs.{label}" in catalogue("en") else [label]
        for entry in reversed(self._visible(person)):
            if on not in entry.plain or entry.author != BOT_ID:
                continue
            for index, button in enumerate(entry.buttons):
                if label in (button.label, button.command):
                    return self._press(person, entry.id, index, key)
            for line in entry.content.typed:
                if any(line.startswith(word) for word in words):
                    self._typed[name] = (line, entry.chat == GROUP_ID)
                    return self.say(name, line, in_group=entry.chat == GROUP_ID)
        raise AssertionError(f"{name} sees no button {label!r} on {on!r}")

    def _press(self, person: str, entry_id: int, index: int, key: str | None) -> str:
        before = self._changes()
        receive = self.bot.dispatch.receive
        self.run(self.adapter.press(person, entry_id, index, receive, key=key))
        self.run(self.bot.delivery.drain())
        return self._answer(person, before)

    def fill(self, name: str, **answers: str) -> str:
        """Fill the form that is open, or answer the dialogue question by question."""
        person = self._ids[name]
        form = self.adapter.open_form(person)
        before = self._changes()
        if form is not None:
            errors = self.run(
                self.adapter.submit(
                    person, form.command, form.arguments, answers, self.bot.dispatch.receive
                )
            )
            self.run(self.bot.delivery.drain())
            if errors:
                return "\n".join(errors.values())
            return self._answer(person, before)
        if self._in_dialogue(person):
            return [self.say(name, answer) for answer in answers.values()][-1]
        # Nothing asks for the rest here: the whole line is typed anew.
        line, in_group = self._typed[name]
        return self.say(name, " ".join((line, *answers.values())), in_group=in_group)

    def _in_dialogue(self, person: str) -> bool:
        with self.uow() as uow:
            return uow.dialogues.find("sandbox", person, person, self.now) is not None

    # --- reading -----------------------------------------------------------------------------

    def reads(self, name: str) -> list[str]:
        """What reached a person's direct messages since the last look, edits included."""
        person = self._ids[name]
        return self._new(person, lambda entry: entry.chat == person)

    def group(self) -> list[str]:
        """What the bot said in the group for all since the last look, edits included."""
        return self._new(GROUP_ID, lambda entry: entry.chat == GROUP_ID and not entry.audience)

    def _new(self, reader: str, wanted: Callable[[Entry], bool]) -> list[str]:
        last = self._seen.get(reader, 0)
        self._seen[reader] = self._changes()
        return [
            one.plain
            for one in self.adapter.transcript.since(last)
            if one.author == BOT_ID and wanted(one)
        ]

    def _visible(self, person: str) -> list[Entry]:
        seen = [
            entry for chat in (GROUP_ID, person) for entry in self.adapter.visible(person, chat)
        ]
        return sorted(seen, key=lambda entry: entry.id)

    def _changes(self) -> int:
        return self.adapter.transcript.last_change

    def _answer(self, person: str, before: int) -> str:
        """Everything the bot said to this person since, directly or beside their line."""
        return "\n".join(
            one.plain
            for one in self.adapter.transcript.since(before)
            if one.author == BOT_ID and one.is_for(person)
        )

    # --- time --------------------------------------------------------------------------------

    @property
    def now(self) -> datetime:
        """The town's clock."""
        return self.clock.now()

    def wait(self, **spans: float) -> None:
        """Let time pass (hours=2, minutes=5 …); everything that is due on the way happens."""
        to = self.now + timedelta(**spans)
        self.run(self.bot.advance(to, self.clock.push_to))

    def wait_until(self, moment: datetime) -> None:
        """Let time pass up to a moment."""
        self.run(self.bot.advance(moment, self.clock.push_to))

    # --- the inside --------------------------------------------------------------------------

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine of the bot to its end."""
        return self._loop.run_until_complete(work)

    @contextmanager
    def uow(self) -> Iterator[UnitOfWork]:
        """A unit of work that commits at the end."""
        with Session(self.bot.engine) as session, session.begin():
            yield UnitOfWork(session, Cipher(SECRET))

    def fail_next(self, *failures: DeliveryFailed) -> None:
        """The platform will refuse the next messages like this."""
        self.adapter.failures.extend(failures)

    def person_id(self, name: str) -> int:
        """The number of somebody."""
        with self.uow() as uow:
            person = uow.people.find("sandbox", self._ids[name])
            assert person is not None
            return person.id

    def close(self) -> None:
        """Everybody goes home."""
        self.bot.close()
        self._loop.close()


def make_settings(**changed: Any) -> Settings:
    """Settings that ignore the machine's environment files."""
    return Settings(_env_file=None, BANZHANG_SECRET_KEY=SecretStr(SECRET), **changed)
