"""What a platform carries for us and gives back: the command behind a button, as JSON.

It is ours, yet what comes back is checked like anything else: a message may be older than this
code.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Self

from pydantic import Field, ValidationError

from bot.messages import Button, Model


class Carried(Model):
    """A command with the arguments that are known already."""

    command: str
    arguments: dict[str, str] = Field(default_factory=dict)

    def dumped(self) -> str:
        """As compact JSON, Chinese as it is."""
        return self.model_dump_json(exclude_defaults=True)

    @classmethod
    def loaded(cls, carried: object) -> Self | None:
        """Read it back; None when it is not one of ours."""
        if not isinstance(carried, str):
            return None
        try:
            return cls.model_validate_json(carried)
        except ValidationError:
            return None


class Pressed(Carried):
    """What a button carries."""


def pressed_by(button: Button) -> str:
    """What a button is to carry."""
    return Pressed(command=button.command, arguments=button.arguments).dumped()


def pressable(buttons: Iterable[Button], most: int, longest: int) -> dict[str, Button]:
    """The first `most` buttons by what they carry, which takes at most `longest` bytes; the same
    command is no second button.
    """
    found: dict[str, Button] = {}
    for button in buttons:
        carried = pressed_by(button)
        if len(carried.encode()) <= longest and len(found) < most:
            found.setdefault(carried, button)
    return found


def left_of(buttons: Iterable[Button], there: Iterable[str]) -> list[Button]:
    """The buttons there is no room for, each command once; `there`: what those carry that are."""
    every = {pressed_by(one): one for one in buttons}
    shown = frozenset(there)
    return [button for carried, button in every.items() if carried not in shown]
