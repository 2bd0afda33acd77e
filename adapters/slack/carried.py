"""What Slack carries for us and gives back signed: a button's value, a form's private metadata.

Both are ours, yet what comes back is checked like anything else: a message may be older than this
code.
"""

from __future__ import annotations

from typing import Self

from pydantic import Field, ValidationError

from bot.messages import Chat, Model

# https://docs.slack.dev/reference/block-kit/block-elements/button-element
LONGEST_VALUE = 2000
# https://docs.slack.dev/reference/views/modal-views
LONGEST_METADATA = 3000


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
    """The value of a button."""


class Asked(Carried):
    """The private metadata of a form, with the chat it belongs to: a submission names none."""

    chat: Chat
    message: str = ""
    """The handle of the message it is about, if it is about one."""
    under: str = ""
    """The handle of the first message of the thread it was opened in."""
