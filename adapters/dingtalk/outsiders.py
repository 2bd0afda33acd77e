"""Whoever is outside of the organisation: DingTalk gives no account of theirs, and no other way to
write to them than the one their message brought. So they are told why nothing is done, and what
would help.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Callable
from datetime import datetime, timedelta

from adapters.contract import DeliveryFailed, ReaderFor
from adapters.dingtalk import encode
from adapters.dingtalk.api import DingtalkApi, DingtalkRefused
from adapters.dingtalk.decode import Outsider
from bot.messages import Locale, text

log = logging.getLogger(__name__)

REMEMBERED = 1000
# What they say meanwhile is not answered each time.
AGAIN_AFTER = timedelta(days=1)
# They are nobody to the bot: never more of it goes to them than this at the same time.
AT_ONCE = 10


class Outsiders:
    """Tells each of them once a day in each chat. What brought the message does not wait for it."""

    def __init__(
        self,
        api: DingtalkApi,
        locale: Locale,
        reader_for: ReaderFor,
        clock: Callable[[], datetime],
    ) -> None:
        """`locale` is what somebody reads of whom nothing is known."""
        self._api = api
        self._locale: Locale = locale
        self._reader_for = reader_for
        self._clock = clock
        self._told: OrderedDict[str, datetime] = OrderedDict()
        self._telling: set[asyncio.Task[None]] = set()

    def tell(self, outsider: Outsider) -> None:
        """They wrote; they are answered in a moment, where they can be."""
        way, now = outsider.way_back, self._clock()
        if way is None or way.expires_at <= now or len(self._telling) >= AT_ONCE:
            return
        told = self._told.get(outsider.whose)
        if told is not None and now - told < AGAIN_AFTER:
            return
        self._told[outsider.whose] = now
        self._told.move_to_end(outsider.whose)
        while len(self._told) > REMEMBERED:
            self._told.popitem(last=False)
        telling = asyncio.create_task(self._post(outsider, way.url))
        self._telling.add(telling)
        telling.add_done_callback(self._telling.discard)

    async def idle(self) -> None:
        """Until nobody is being told."""
        await asyncio.gather(*self._telling)

    async def stop(self) -> None:
        """Tell nobody any more; who was being told may have been."""
        for telling in self._telling:
            telling.cancel()
        await asyncio.gather(*self._telling, return_exceptions=True)

    async def _post(self, outsider: Outsider, url: str) -> None:
        reader = self._reader_for(self._locale, "Asia/Shanghai", self._clock())
        words = text("dingtalk.outsider", name=outsider.name)
        body = encode.by_webhook(words, None, reader, mentions=False)[0]
        try:
            await self._api.by_session(url, body)
        except (DingtalkRefused, DeliveryFailed) as error:
            log.warning("somebody from outside could not be told: %s", type(error).__name__)
            self._told.pop(outsider.whose, None)
