"""Messages in several pieces: where one stopped, it goes on, and no piece is said twice."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

REMEMBERED = 1000

Piece = TypeVar("Piece")
Told = TypeVar("Told")


class Progress:
    """How many pieces of a message have left by a transport, while it is not whole yet."""

    def __init__(self) -> None:
        self._left: OrderedDict[tuple[str, int], int] = OrderedDict()

    async def through(
        self,
        whose: str,
        message_id: int,
        pieces: Sequence[Piece],
        say: Callable[[Piece], Awaitable[Told]],
    ) -> Told | None:
        """Say one piece after another, from where it stopped the last time; what came of the last.

        Raises what `say` raises. Between two pieces there may be minutes: each waits for its turn.
        """
        key, told = (whose, message_id), None
        for place in range(self._left.get(key, 0), len(pieces)):
            told = await say(pieces[place])
            self._left[key] = place + 1
            self._left.move_to_end(key)
        self._left.pop(key, None)
        while len(self._left) > REMEMBERED:
            self._left.popitem(last=False)
        return told

    def has_begun(self, whose: str, message_id: int) -> bool:
        """Whether a part of it has left."""
        return (whose, message_id) in self._left
