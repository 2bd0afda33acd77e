"""Who people are: their names, languages and zones, which commands and mentions do not tell; and
what channels are called.

Slack is asked once a person and a channel, and remembered for an hour. Nothing depends on it: an
event waits for the answer a moment at most, and after a failure nobody is asked about for a while.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from typing import Any, NamedTuple

from adapters.contract import DeliveryFailed
from adapters.memory import Memory
from adapters.slack.api import PASSING, RATE_LIMITED, SlackApi, SlackRefused
from adapters.slack.reading import display_name, told_user
from bot.messages import Chat, Event, User

log = logging.getLogger(__name__)

# Out of the 3 s that a person waits for a command.
LOOKUP_SECONDS = 0.7
REST_SECONDS = 30.0
# users.info may be called about 100 times a minute.
AT_ONCE = 10
# Slack's own trouble and its limits; any other no is about this one person or channel.
TROUBLES = PASSING | RATE_LIMITED


class Place(NamedTuple):
    """A channel: what it is called, and whether the bot is in it."""

    name: str
    is_ours: bool


class Directory:
    """A small memory of users.info and conversations.info."""

    def __init__(self, api: SlackApi) -> None:
        self._api = api
        self._people = Memory[User]()
        self._channels = Memory[Place]()
        self._rest_until = 0.0

    def forget(self, user_id: str) -> None:
        """Slack tells of a change: ask anew when the person is next heard of."""
        self._people.forget(user_id)

    def forget_channel(self, channel_id: str) -> None:
        """The bot was taken in."""
        self._channels.forget(channel_id)

    async def introduce(self, event: Event) -> Event:
        """The event with what Slack tells of its people and its channel."""
        people = [user for user in (event.user, *event.mentions, event.author) if user is not None]
        chat, now = event.chat, asyncio.get_running_loop().time()
        missing = [
            one
            for one in dict.fromkeys(user.id for user in people)
            if not self._people.is_fresh(one, now)
        ]
        unseen = chat.kind == "group" and not self._channels.is_fresh(chat.id, now)
        channels = [chat.id] if unseen else []
        if (missing or channels) and now >= self._rest_until:
            await self._ask(missing[:AT_ONCE], channels)
        user, *mentions = (self._named(one) for one in (event.user, *event.mentions))
        told = {
            "user": user,
            "mentions": tuple(mentions),
            "author": event.author and self._named(event.author),
            "chat": self._placed(chat),
        }
        return event.model_copy(update=told)

    def _placed(self, chat: Chat) -> Chat:
        """With its name, and whether the bot may speak there; until that is known, it may."""
        if chat.kind != "group":
            return chat
        place = self._channels.get(chat.id, Place(chat.name, is_ours=True))
        told = {"name": chat.name or place.name, "is_ours": place.is_ours}
        return chat.model_copy(update=told)

    def _named(self, user: User) -> User:
        return self._people.get(user.id, user)

    async def _ask(self, user_ids: Iterable[str], channel_ids: Iterable[str]) -> None:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(LOOKUP_SECONDS):
                await asyncio.gather(
                    *map(self._look_up, user_ids), *map(self._look_at, channel_ids)
                )
        except (TimeoutError, SlackRefused, DeliveryFailed) as error:
            log.info("Slack does not tell who people are: %s", type(error).__name__)
            self._rest_until = loop.time() + REST_SECONDS

    # https://docs.slack.dev/reference/methods/users.info
    async def _look_up(self, user_id: str) -> None:
        arguments = {"user": user_id, "include_locale": True}
        told = await self._told("users.info", arguments, "user")
        self._people.keep(user_id, told_user(user_id, told))

    # https://docs.slack.dev/reference/methods/conversations.info
    async def _look_at(self, channel_id: str) -> None:
        told = await self._told("conversations.info", {"channel": channel_id}, "channel")
        # A private channel that it is not in does not exist for the bot.
        place = Place(display_name(told.get("name")), is_ours=told.get("is_member") is True)
        self._channels.keep(channel_id, place)

    async def _told(self, method: str, arguments: dict[str, Any], what: str) -> dict[str, Any]:
        """What is told of one of them; nothing where the bot may not see it."""
        try:
            answer = await self._api.call(method, arguments, quietly=True)
        except SlackRefused as refused:
            if refused.code in TROUBLES or not refused.code:
                raise
            return {}
        told = answer.get(what)
        return told if isinstance(told, dict) else {}
