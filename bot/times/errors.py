"""Why a time was refused."""

from typing import Literal

Reason = Literal["unreadable", "ambiguous", "past", "future", "missing"]


class UnreadableTime(ValueError):
    """A text that was not taken as a time.

    ``reason`` is one of

    * ``unreadable``: not a time this grammar knows, or one that does not exist
      (30 February, 25:00, an hour the spring clock change skips);
    * ``ambiguous``: people read it in two ways (``3点``, ``next friday`` on a Tuesday);
    * ``past`` / ``future``: readable, but on the wrong side of now;
    * ``missing``: nothing there, or a day without the clock time it needs.

    ``text`` is what was typed.
    """

    def __init__(self, reason: Reason, text: str) -> None:
        super().__init__(f"{reason} time: {text[:60]!r}")
        self.reason: Reason = reason
        self.text = text
