"""Troubles that only a person can end: the admins are told of each once, until it is over."""

from __future__ import annotations

import logging

from adapters.contract import Alarm

log = logging.getLogger(__name__)


class Alarms:
    """Of one platform; before `start` nobody can be told."""

    def __init__(self) -> None:
        self._alarm: Alarm | None = None
        self._sounded: set[str] = set()

    def start(self, alarm: Alarm) -> None:
        """From now on somebody can be told."""
        self._alarm = alarm

    async def sound_while(self, word: str, lasts: bool, once: str = "") -> None:
        """Tell the admins once, until it is over. Never raises: what became of a message matters
        more, and what could not be told is told the next time.
        """
        if not lasts:
            self._sounded.discard(word)
        elif word not in self._sounded and self._alarm is not None:
            self._sounded.add(word)
            try:
                await self._alarm(word, once)
            except Exception as error:
                log.warning("an alarm could not be sounded yet: %s", type(error).__name__)
                self._sounded.discard(word)
