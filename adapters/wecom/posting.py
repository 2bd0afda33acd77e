"""Messages out, by whichever of WeCom's transports reaches the place.

A person reads the app's messages, or the aibot's where they speak with that; a group reads the
aibot's, and its group robot's where phones have to ring or the aibot cannot speak. None of the
three can do what the others can: https://developer.work.weixin.qq.com/document/path/90235
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from adapters import plain
from adapters.contract import DeliveryFailed
from adapters.naming import handle_of
from adapters.progress import Progress
from adapters.wecom import encode
from adapters.wecom.api import WecomApi, WecomRefused
from adapters.wecom.by_app import ByApp
from adapters.wecom.by_bot import ByBot
from adapters.wecom.errcodes import failure, says_no_group
from adapters.wecom.limits import WEBHOOK
from adapters.wecom.reading import BOT_THREAD
from adapters.windows import Windows
from bot.messages import Outgoing, Reader, plain_name

log = logging.getLogger(__name__)

NO_GROUP_TRANSPORT = "no_group_transport"
NO_PERSON_TRANSPORT = "no_person_transport"
TRANSPORT = "robot"

Json = dict[str, Any]


class Posting:
    """Chooses among what is set up. Every method raises DeliveryFailed."""

    def __init__(
        self,
        app: ByApp | None,
        bot: ByBot | None,
        robots: WecomApi,
        webhooks: Mapping[str, str],
        bot_name: str,
        windows: Windows,
        progress: Progress,
    ) -> None:
        """`webhooks`: the keys of the group robots by the names of their teams, which are called
        by `robots`.
        """
        self.app = app
        self.bot = bot
        self._robots = robots
        self._webhooks = {plain_name(team): key for team, key in webhooks.items()}
        self._bot_name = bot_name
        self._windows = windows
        self._progress = progress

    def webhook_of(self, team: str) -> str | None:
        """The key of a team's group robot; capitals and spaces are as one likes."""
        return self._webhooks.get(plain_name(team)) if team else None

    async def send(self, outgoing: Outgoing, reader: Reader) -> str:
        """Deliver, and return a handle: what a quotation is known by, or a card is changed by."""
        if outgoing.edits_handle is not None:
            if self.app is not None:
                handle = await self.app.change(outgoing, outgoing.edits_handle, reader)
                if handle is not None:
                    return handle
            if outgoing.words is None:
                return outgoing.edits_handle
            outgoing = outgoing.model_copy(update={"card": None})
        outgoing = plain.directly(outgoing)
        if outgoing.address.kind == "group":
            return await self._to_group(plain.without_file(outgoing), reader)
        return await self._to_person(outgoing, reader)

    # --- people ------------------------------------------------------------------------------

    async def _to_person(self, outgoing: Outgoing, reader: Reader) -> str:
        app, bot = self.app, self.bot
        if bot is not None and (outgoing.address.thread == BOT_THREAD or app is None):
            return await bot.to_person(plain.without_file(outgoing), reader)
        if app is None:
            raise DeliveryFailed("dead", NO_PERSON_TRANSPORT)
        try:
            return await app.send(outgoing, reader)
        except DeliveryFailed as failed:
            lost = failed.outcome == "dead" and not failed.gone
            if bot is None or not (lost or app.is_resting):
                raise
            handle = await self._instead(bot, outgoing, reader)
            if handle is None:
                raise
            return handle

    async def _instead(self, bot: ByBot, outgoing: Outgoing, reader: Reader) -> str | None:
        """What the app cannot say, in the aibot's conversation; None where there is none."""
        if outgoing.uncertain_since is not None:
            return None
        try:
            return await bot.to_person(plain.without_file(outgoing), reader)
        except DeliveryFailed as failed:
            if failed.outcome == "unknown":
                raise
            return None

    # --- groups ------------------------------------------------------------------------------

    async def _to_group(self, outgoing: Outgoing, reader: Reader) -> str:
        bot, key = self.bot, self.webhook_of(outgoing.team)
        if key is not None and (outgoing.rings or bot is None or bot.is_away):
            return await self._by_robot(key, outgoing, reader)
        if bot is None:
            raise DeliveryFailed("dead", NO_GROUP_TRANSPORT)
        try:
            return await bot.to_group(outgoing, reader)
        except DeliveryFailed as failed:
            if key is None or not says_no_group(failed.why):
                raise
            log.warning("the aibot cannot speak in a group: its group robot does")
            return await self._by_robot(key, outgoing, reader)

    # https://developer.work.weixin.qq.com/document/path/99110
    async def _by_robot(self, key: str, outgoing: Outgoing, reader: Reader) -> str:
        bodies = encode.by_robot(outgoing.words, outgoing.card, reader, self._bot_name)

        async def say(body: Json) -> None:
            self._windows.take(f"webhook:{key}", *WEBHOOK)
            try:
                await self._robots.webhook(key, {"msgtype": "text", "text": body})
            except WecomRefused as refused:
                raise failure(refused.code, refused.what) from None

        await self._progress.through(TRANSPORT, outgoing.message_id, bodies, say)
        return handle_of(outgoing.address.id, str(bodies[0]["content"]))
