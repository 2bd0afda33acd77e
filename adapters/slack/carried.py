"""What Slack carries for us and gives back signed: a button's value, a form's private metadata."""

from __future__ import annotations

from adapters.carried import Carried
from bot.messages import Chat

# https://docs.slack.dev/reference/block-kit/block-elements/button-element
LONGEST_VALUE = 2000
# https://docs.slack.dev/reference/views/modal-views
LONGEST_METADATA = 3000


class Asked(Carried):
    """The private metadata of a form, with the chat it belongs to: a submission names none."""

    chat: Chat
    message: str = ""
    """The handle of the message it is about, if it is about one."""
    under: str = ""
    """The handle of the first message of the thread it was opened in."""
