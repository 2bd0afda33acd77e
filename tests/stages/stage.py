"""What a town needs of a platform: people who type, press and fill in, and what they then read."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol, TypeVar

from adapters.contract import Adapter, DeliveryFailed
from adapters.sandbox.world import Profile
from bot.app import Bot
from tests.clock import StillClock

T = TypeVar("T")

GROUP = "group"
"""The chat of all, beside those that go by a person's name."""
GROUP_NAME = "班组群"


class Run(Protocol):
    """Runs a coroutine of the bot to its end."""

    def __call__(self, work: Coroutine[Any, Any, T]) -> T: ...


@dataclass(frozen=True, slots=True)
class Said:
    """Something the bot said, as it stands now: when, in whose chat, and who alone reads it."""

    at: datetime
    chat: str
    words: str
    audience: str | None = None

    @property
    def is_for_all(self) -> bool:
        """Does everybody in the group read it?"""
        return self.chat == GROUP and self.audience is None

    def is_for(self, name: str) -> bool:
        """May this person read it?"""
        return self.chat in (GROUP, name) and self.audience in (None, name)


class Stage(ABC):
    """One platform with the town's people on it. What it changes it numbers, so that a reader can
    ask for what is new.
    """

    platform: str
    group_id: str
    adapter: Adapter
    profile: Profile

    def __init__(self, clock: StillClock) -> None:
        self.clock = clock
        self._bot: Bot | None = None
        self._run: Run | None = None

    def open(self, bot: Bot, run: Run) -> None:
        """From now on the bot hears what people do here."""
        self._bot, self._run = bot, run
        run(self.adapter.start(bot.dispatch.receive, bot.services(self.platform)))

    def close(self) -> None:
        """Everybody goes home."""
        self.run(self.adapter.stop())

    @property
    def bot(self) -> Bot:
        """The bot that listens."""
        assert self._bot is not None, "open() comes first"
        return self._bot

    @property
    def run(self) -> Run:
        """Runs a coroutine of the bot to its end."""
        assert self._run is not None, "open() comes first"
        return self._run

    def answered(self, name: str, act: Callable[[], object]) -> str:
        """Do something; gives back what this person reads of the bot afterwards.

        What is for them comes before what all read: chats have no order among each other.
        """
        before = self.change
        act()
        self.run(self.bot.delivery.drain())
        read = [one for one in self.since(before) if one.is_for(name)]
        return "\n".join(one.words for one in sorted(read, key=lambda one: one.is_for_all))

    # --- who -----------------------------------------------------------------------------------

    @abstractmethod
    def account(self, name: str) -> str:
        """The platform's id of somebody."""

    # --- what people do ------------------------------------------------------------------------

    @abstractmethod
    def say(
        self, name: str, words: str, *, in_group: bool, mention: bool = True, key: str | None = None
    ) -> str:
        """Type a line; a `key` that was used before repeats that event as it was."""

    @abstractmethod
    def press(self, name: str, label: str, on: str, key: str | None = None) -> str:
        """Press the newest button that says `label` (or gives it) on a message with `on`."""

    @abstractmethod
    def fill(self, name: str, answers: Mapping[str, str]) -> str:
        """Give what was asked for, by the names of the fields."""

    @abstractmethod
    def has_form(self, name: str) -> bool:
        """Has somebody a form on the screen?"""

    @abstractmethod
    def fail_next(self, *failures: DeliveryFailed) -> None:
        """What the next messages meet on their way out, in order."""

    # --- what people read ----------------------------------------------------------------------

    @property
    @abstractmethod
    def change(self) -> int:
        """The number of the newest change."""

    @abstractmethod
    def since(self, change: int) -> list[Said]:
        """What the bot said or edited after a change, each message once, as it stands now."""
