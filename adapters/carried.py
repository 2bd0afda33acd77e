"""What a platform carries for us and gives back: the command behind a button, as JSON.

It is ours, yet what comes back is checked like anything else: a message may be older than this
code.
"""

from __future__ import annotations

from typing import Self

from pydantic import Field, ValidationError

from bot.messages import Model


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
