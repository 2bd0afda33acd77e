"""Whether cards can be sent just now. What one of them is refused for holds for all the others more
often than not, and what is not taken as a card has to be said in words: each would cost two calls.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

from adapters.dingtalk.cards import NOT_DELIVERED
from adapters.dingtalk.errcodes import says_no_group, says_no_permission, says_nobody

# Words of the alarms.
CARD_REFUSED, CARD_PERMISSION = "card_refused", "card_permission"
# Somebody has to see to it first, and then nobody is to wait for long.
REST = timedelta(hours=1)
# One card's own fault: its words do not please DingTalk, or nobody was there to bring it to.
# https://open.dingtalk.com/document/orgapp/create-and-deliver-cards
_OF_ONE_CARD = frozenset({NOT_DELIVERED, "param.contentUnsafe"})

SoundWhile = Callable[[str, bool], Awaitable[None]]
"""Tells the admins of a word once, until it does not last any more."""


class CardWay:
    """Rests for an hour when DingTalk takes no cards, and has the admins told why."""

    def __init__(self, clock: Callable[[], datetime], sound_while: SoundWhile) -> None:
        self._clock = clock
        self._sound_while = sound_while
        self._rests_until: datetime | None = None

    @property
    def is_open(self) -> bool:
        """Whether it is worth a call."""
        return self._rests_until is None or self._clock() >= self._rests_until

    async def took(self) -> None:
        """DingTalk took a card: whatever there was is over."""
        self._rests_until = None
        for word in (CARD_REFUSED, CARD_PERMISSION):
            await self._sound_while(word, False)

    async def refused(self, why: str) -> None:
        """DingTalk will never take this card. Who cannot be reached is not reached in words either,
        and then that says why.
        """
        if why in _OF_ONE_CARD or says_nobody(why) or says_no_group(why):
            return
        self._rests_until = self._clock() + REST
        await self._sound_while(CARD_PERMISSION if says_no_permission(why) else CARD_REFUSED, True)
