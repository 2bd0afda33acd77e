"""Who people are: their names, languages and zones, which commands and mentions do not tell.

Slack is asked once a person and remembered for an hour. Nothing depends on it: an event waits for
the answer a moment at most, and after a failure nobody is asked about for a while.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Iterable
from typing import Any

from adapters.contract import DeliveryFailed
from adapters.slack.api import SlackApi, SlackRefused
from adapters.slack.reading import told_user
from bot.messages import Event, User

log = logging.getLogger(__name__)

# Out of the 3 s that a person waits for a command.
LOOKUP_SECONDS = 0.7
FRESH_SECONDS = 3600.0
REST_SECONDS = 30.0
REMEMBERED = 10_000
# users.info may be called about 100 times a minute.
AT_ONCE = 10


class Directory:
    """A small memory of users.info."""

    def __init__(self, api: SlackApi) -> None:
        self._api = api
        self._known: OrderedDict[str, tuple[float, User]] = OrderedDict()
        self._rest_until = 0.0

    def forget(self, user_id: str) -> None:
        """Slack tells of a change: ask anew when the person is next heard of."""
        self._known.pop(user_id, None)

    async def introduce(self, event: Event) -> Event:
        """The event with what Slack tells of its people."""
        now = asyncio.get_running_loop().time()
        people = [user for user in (event.user, *event.mentions, event.author) if user is not None]
        wanted = dict.fromkeys(user.id for user in people)
        missing = [user_id for user_id in wanted if not self._is_fresh(user_id, now)]
        if missing and now >= self._rest_until:
            await self._ask(missing[:AT_ONCE])
        user, *mentions = (self._completed(one) for one in (event.user, *event.mentions))
        author = event.author and self._completed(event.author)
        named = {"user": user, "mentions": tuple(mentions), "author": author}
        return event.model_copy(update=named)

    def _is_fresh(self, user_id: str, now: float) -> bool:
        known = self._known.get(user_id)
        return known is not None and known[0] > now

    def _completed(self, user: User) -> User:
        known = self._known.get(user.id)
        return known[1] if known is not None else user

    async def _ask(self, user_ids: Iterable[str]) -> None:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(LOOKUP_SECONDS):
                found = await asyncio.gather(*(self._look_up(one) for one in user_ids))
        except (TimeoutError, SlackRefused, DeliveryFailed) as error:
            log.info("Slack does not tell who people are: %s", type(error).__name__)
            self._rest_until = loop.time() + REST_SECONDS
            return
        for user in found:
            self._known[user.id] = (loop.time() + FRESH_SECONDS, user)
            self._known.move_to_end(user.id)
        while len(self._known) > REMEMBERED:
            self._known.popitem(last=False)

    async def _look_up(self, user_id: str) -> User:
        """https://docs.slack.dev/reference/methods/users.info"""
        arguments = {"user": user_id, "include_locale": True}
        try:
            answer = await self._api.call("users.info", arguments, quietly=True)
        except SlackRefused as refused:
            if refused.code != "user_not_found":
                raise
            return User(id=user_id, name=user_id)
        told: Any = answer.get("user")
        return told_user(user_id, told if isinstance(told, dict) else {})
