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
from functools import cache
from typing import Any, TypeVar

from pydantic import SecretStr
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from adapters.contract import Adapter, DeliveryFailed
from adapters.sandbox.world import Profile
from bot.app import Bot
from bot.messages import Role, User
from bot.settings import Settings
from storage.cipher import Cipher
from storage.uow import UnitOfWork
from tests.clock import StillClock
from tests.stages import GROUP, GROUP_NAME, Said, Stage, make_stage

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
        staged: Callable[[StillClock], Stage] | None = None,
    ) -> None:
        self._loop = asyncio.new_event_loop()
        self.clock = StillClock()
        self.stage = staged(self.clock) if staged else make_stage(profile, self.clock)
        self.settings = settings or _usual_settings()
        self.bot = Bot(self.settings, [self.stage.adapter], self.clock, engine)
        self._seen: dict[str, int] = {}
        self.run(self.bot.prepare())
        self.stage.open(self.bot, self.run)
        with self.uow() as uow:
            team = uow.teams.first()
            for name, roles in roster.items():
                user = User(id=self.account(name), name=name)
                person = uow.people.meet(self.platform, user, self.now)
                for role in roles:
                    uow.people.grant(person, role, team.id, None, self.now)
            if home:
                uow.teams.bind(team, self.platform, self.group_id, GROUP_NAME, self.now)

    # --- where -------------------------------------------------------------------------------

    @property
    def profile(self) -> Profile:
        """What the platform can show and hear."""
        return self.stage.profile

    @property
    def adapter(self) -> Adapter:
        """The platform's adapter."""
        return self.stage.adapter

    @property
    def platform(self) -> str:
        """The name by which the bot knows the platform."""
        return self.stage.platform

    @property
    def group_id(self) -> str:
        """The platform's id of the group."""
        return self.stage.group_id

    def account(self, name: str) -> str:
        """The platform's id of somebody."""
        return self.stage.account(name)

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
        """Type a line; returns what the speaker reads in answer ("" when nothing).

        A `key` that was used before sends that message a second time, as platforms do.
        """
        return self.stage.say(name, words, in_group=in_group, mention=mention, key=key)

    def press(self, name: str, label: str, on: str = "", *, key: str | None = None) -> str:
        """Press the newest button that says `label` (or gives that command) on a message with `on`.

        Where the platform shows no buttons, the command that stands there instead is typed.
        """
        return self.stage.press(name, label, on, key)

    def fill(self, name: str, **answers: str) -> str:
        """Fill the form that is open or offered, or answer the dialogue question by question."""
        return self.stage.fill(name, answers)

    def has_form(self, name: str) -> bool:
        """Has somebody a form on the screen?"""
        return self.stage.has_form(name)

    # --- reading -----------------------------------------------------------------------------

    def reads(self, name: str) -> list[str]:
        """What reached a person's direct messages since the last look, edits included."""
        return self._new(name, lambda one: one.chat == name)

    def group(self) -> list[str]:
        """What the bot said in the group for all since the last look, edits included."""
        return self._new(GROUP, lambda one: one.is_for_all)

    def said(self) -> list[Said]:
        """Everything the bot ever said to anybody."""
        return self.stage.since(0)

    def _new(self, reader: str, wanted: Callable[[Said], bool]) -> list[str]:
        last = self._seen.get(reader, 0)
        self._seen[reader] = self.stage.change
        return [one.words for one in self.stage.since(last) if wanted(one)]

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
        self.stage.fail_next(*failures)

    def person_id(self, name: str) -> int:
        """The number of somebody."""
        with self.uow() as uow:
            person = uow.people.find(self.platform, self.account(name))
            assert person is not None
            return person.id

    def close(self) -> None:
        """Everybody goes home."""
        self.stage.close()
        self.bot.close()
        self._loop.close()


@cache
def _usual_settings() -> Settings:
    return make_settings()


def make_settings(**changed: Any) -> Settings:
    """Settings that ignore the machine's environment files."""
    return Settings(_env_file=None, BANZHANG_SECRET_KEY=SecretStr(SECRET), **changed)
