"""Platforms that tell a bot of a group only what mentions it; everything on the town's clock."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import Generic, Protocol, TypeVar

from adapters.carried import Pressed
from adapters.contract import DeliveryFailed
from adapters.sandbox.world import PERSONAS
from bot.messages import Address, Outgoing, Reader
from tests.clock import StillClock
from tests.platforms.watched import Numbered
from tests.stages.stage import GROUP, Said
from tests.stages.typing import TypingStage, line_for

ACCOUNTS = {persona.name: persona.id for persona in PERSONAS}
NAMES = {account: name for name, account in ACCOUNTS.items()}

Act = Callable[[], None]
"""Something that somebody does, and can do again as it was."""


class OnTownClock:
    """An organisation on the town's clock."""

    def __init__(self, clock: StillClock) -> None:
        self._clock = clock
        super().__init__()

    def now(self) -> float:
        return self._clock.now().timestamp()


class Unpaced:
    """The clock of a town stands still, so nobody could wait for their turn in a chat."""

    failures: list[DeliveryFailed]

    def pace(self, address: Address) -> float:
        return 0.0

    async def send(self, outgoing: Outgoing, reader: Reader) -> str:
        if self.failures:
            raise self.failures.pop(0)
        handle: str = await super().send(outgoing, reader)  # type: ignore[misc]
        return handle


class OfBot(Protocol):
    """A message of the bot's, in whatever way a platform keeps it."""

    @property
    def kind(self) -> str: ...
    @property
    def to(self) -> str: ...
    @property
    def at(self) -> float: ...
    @property
    def number(self) -> int: ...
    @property
    def changed(self) -> int: ...


M = TypeVar("M", bound=OfBot)


class MentioningStage(TypingStage, Generic[M]):
    """Everybody goes by the account of their persona, and is in one group."""

    failures: list[DeliveryFailed]
    """What the next messages meet on their way out."""

    def __init__(self, clock: StillClock) -> None:
        super().__init__(clock)
        self._done: dict[str, Act] = {}

    # --- what a platform has to say ------------------------------------------------------------

    @property
    @abstractmethod
    def office(self) -> Numbered:
        """The organisation on the platform."""

    @property
    @abstractmethod
    def timeline(self) -> Sequence[M]:
        """What the bot has said."""

    @abstractmethod
    def shown(self, message: M) -> str:
        """What stands on the screen."""

    @abstractmethod
    def buttons(self, message: M) -> Iterable[tuple[str, str]]:
        """What each says, and what it carries."""

    @abstractmethod
    def saying(self, name: str, words: str, in_group: bool) -> Act:
        """Somebody writes this, with a mention where that is needed."""

    @abstractmethod
    def pressing(self, name: str, message: M, carried: str) -> Act:
        """Somebody presses what carries this."""

    # --- what people do ------------------------------------------------------------------------

    def account(self, name: str) -> str:
        return ACCOUNTS[name]

    def say(
        self, name: str, words: str, *, in_group: bool, mention: bool = True, key: str | None = None
    ) -> str:
        if in_group and not mention:
            return ""  # the bot is told nothing of it
        return self._once(name, key, lambda: self.saying(name, words, in_group))

    def press(self, name: str, label: str, on: str, key: str | None = None) -> str:
        for message in reversed(self._visible(name)):
            shown = self.shown(message)
            if on not in shown:
                continue
            carried = self._carried(message, label)
            if carried is not None:
                return self._press(name, message, carried, key)
            line = line_for(label, shown)
            if line is not None:
                return self.type_in_place_of(name, line, in_group=message.kind == "group")
        raise AssertionError(f"{name} sees no button {label!r} on {on!r}")

    def _carried(self, message: M, label: str) -> str | None:
        """By the first button that says it, or gives it as its command."""
        found = (
            carried for said, carried in self.buttons(message) if label in (said, _command(carried))
        )
        return next(found, None)

    def _press(self, name: str, message: M, carried: str, key: str | None) -> str:
        return self._once(name, key, lambda: self.pressing(name, message, carried))

    def _once(self, name: str, key: str | None, doing: Callable[[], Act]) -> str:
        """Do it, or what was done the first time once more, and read what comes of it."""

        def act() -> None:
            done = self._done.get(key) if key is not None else None
            if done is None:
                done = doing()
                if key is not None:
                    self._done[key] = done
            done()

        return self.answered(name, act)

    def has_form(self, name: str) -> bool:
        return False

    def fail_next(self, *failures: DeliveryFailed) -> None:
        self.failures.extend(failures)

    # --- what people read ----------------------------------------------------------------------

    @property
    def change(self) -> int:
        return self.office.next_number()

    def since(self, change: int) -> list[Said]:
        found = [(_changed(one, change), one) for one in self.timeline]
        found = sorted((pair for pair in found if pair[0] > change), key=lambda pair: pair[0])
        return [self._as_said(message) for _, message in found]

    def _as_said(self, message: M) -> Said:
        at = datetime.fromtimestamp(message.at, UTC)
        chat = GROUP if message.kind == "group" else NAMES.get(message.to, message.to)
        return Said(at, chat, self.shown(message))

    def _visible(self, name: str) -> list[M]:
        return [one for one in self.timeline if one.to in (self.group_id, ACCOUNTS[name])]

    def newest(self, words: str) -> M:
        """The newest message of the bot's that says this."""
        for one in reversed(self.timeline):
            if words in self.shown(one):
                return one
        raise AssertionError(f"the bot said nothing with {words!r}:\n{self.office.story()}")


def _command(carried: str) -> str | None:
    """The command that a button gives."""
    pressed = Pressed.loaded(carried)
    return pressed.command if pressed else None


def _changed(message: OfBot, change: int) -> int:
    """When it first became news after a change: as it was said, else as it was edited."""
    return message.number if message.number > change else message.changed
