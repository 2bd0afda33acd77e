"""An access token that all calls share and that is renewed before it ends."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from adapters.contract import DeliveryFailed

# A token is renewed before its end, so that none ends on its way.
RENEW_BEFORE = 300.0
CLOSE_SECONDS = 2.0

Fetch = Callable[[float], Awaitable[tuple[str, float]]]
"""Asks for a new one until a deadline (of the loop's clock): the token, and how many seconds it
lasts.
"""


@dataclass(frozen=True, slots=True)
class _Token:
    text: str = field(repr=False)
    renew_at: datetime


class Tokens:
    """The newest token; many who need a new one at once wait for the same."""

    def __init__(self, fetch: Fetch, clock: Callable[[], datetime]) -> None:
        """`clock` tells the time of day, aware."""
        self._fetch = fetch
        self._clock = clock
        self._token: _Token | None = None
        self._renewing: asyncio.Task[_Token] | None = None

    async def valid(self, deadline: float, refused: str | None = None) -> str:
        """The token, or a new one in its place. `refused` is one that the platform did not take.

        Raises what `fetch` raises, and DeliveryFailed ("retry") when all is closed meanwhile.
        """
        if self._token is not None and self._token.text == refused:
            self._token = None
        if self._token is not None and self._clock() < self._token.renew_at:
            return self._token.text
        if self._renewing is None:
            self._renewing = asyncio.create_task(self._renew(deadline))
            self._renewing.add_done_callback(self._renewed)
        renewing = self._renewing
        # It ends in time, for who asked for it asked no later; who leaves takes it from nobody.
        await asyncio.wait([renewing])
        if renewing.cancelled():
            raise DeliveryFailed("retry", "the session was closed")
        return renewing.result().text

    async def close(self) -> None:
        """Nobody gets a token any more who is waiting for one."""
        if self._renewing is not None:
            self._renewing.cancel()
            await asyncio.wait([self._renewing], timeout=CLOSE_SECONDS)

    async def _renew(self, deadline: float) -> _Token:
        asked = self._clock()
        text, lasts = await self._fetch(deadline)
        early = min(RENEW_BEFORE, lasts / 2)
        self._token = _Token(text, asked + timedelta(seconds=lasts - early))
        return self._token

    def _renewed(self, renewing: asyncio.Task[_Token]) -> None:
        self._renewing = None
        if not renewing.cancelled():
            renewing.exception()  # looked at, though everybody who waited may have gone
