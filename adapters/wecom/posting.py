"""Messages out, by whichever of WeCom's transports reaches the place.

A person reads the app's messages, or the aibot's where they speak with that; a group reads the
aibot's, and its group robot's where phones have to ring or the aibot cannot speak. None of the
three can do what the others can: https://developer.work.weixin.qq.com/document/path/90235
"""

from __future__ import annotations

import asyncio
import logging
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from adapters.contract import DeliveryFailed
from adapters.wecom import encode
from adapters.wecom.api import WecomApi, WecomRefused, unreached
from adapters.wecom.directory import Directory
from adapters.wecom.errcodes import Kind, failure, kind_of
from adapters.wecom.limits import APP_TO_MEMBER, BOT_TO_CHAT, WEBHOOK, Windows
from adapters.wecom.line import NOT_CONNECTED, BotRefused
from adapters.wecom.reading import BOT_THREAD, handle_of
from adapters.wecom.socket import BotSocket
from bot.messages import Address, Event, Outgoing, Reader, Words

log = logging.getLogger(__name__)

# WeCom compares a message with the earlier ones of so many seconds:
# https://developer.work.weixin.qq.com/document/path/90236
LONGEST_CHECK = 4 * 3600
# Two messages to one person are never so near, so the first of two equal ones is no repetition.
CHECK_FIRST = 1
CLOCKS_APART = timedelta(minutes=1)

# The handle of a card whose key for changing it is used up.
SPENT = "card:"
NO_GROUP_TRANSPORT = "no_group_transport"
NO_PERSON_TRANSPORT = "no_person_transport"
# There is a card of this name: https://developer.work.weixin.qq.com/document/path/90313
KNOWN_CARD = 42014
# A key that was used up: one of them is in the list, the other was seen.
USED_CODE = frozenset((42022, 60140))
UPLOADS = 100
# Bytes; WeCom takes none that is smaller: https://developer.work.weixin.qq.com/document/path/90253
SMALLEST_FILE = 6
SINGLE, GROUP = 1, 2
LONGEST_REST = 60.0
# To be with whoever has the line soon, and no burden while nobody has it.
NOT_CONNECTED_WAIT = 2.0

Json = dict[str, Any]


class Posting:
    """Sends by what is set up. `agent_id` is the app's; every method raises DeliveryFailed."""

    def __init__(
        self,
        api: WecomApi | None,
        agent_id: int,
        bot: BotSocket | None,
        webhooks: Mapping[str, str],
        directory: Directory,
        clock: Callable[[], datetime],
        *,
        robots: WecomApi,
        bot_name: str,
        windows: Windows,
    ) -> None:
        """`webhooks`: the keys of the group robots by the names of their teams, which are called
        by `robots`.
        """
        self._api = api
        self._robots = robots
        self._agent_id = agent_id
        self._bot = bot
        self._webhooks = {_plain(team): key for team, key in webhooks.items()}
        self._directory = directory
        self._clock = clock
        self._bot_name = bot_name
        self._windows = windows
        self._app_rests = (0.0, "")
        self._uploaded: dict[int, str] = {}
        """Media ids of files whose messages have not left yet, by message."""

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()

    def rest_is_over(self) -> None:
        """The app may be tried again at once, whatever WeCom said."""
        self._app_rests = (0.0, "")

    def webhook_of(self, team: str) -> str | None:
        """The key of a team's group robot; capitals and spaces are as one likes."""
        return self._webhooks.get(_plain(team)) if team else None

    async def send(self, outgoing: Outgoing, reader: Reader) -> str:
        """Deliver, and return a handle: what a quotation is known by, or a card is changed by."""
        if outgoing.edits_handle is not None:
            handle = await self._edit(outgoing, outgoing.edits_handle, reader)
            if handle is not None:
                return handle
            if outgoing.words is None:
                return outgoing.edits_handle
            outgoing = outgoing.model_copy(update={"card": None})
        if outgoing.address.only_for is not None:
            outgoing = _directly(outgoing)
        if outgoing.address.kind == "group":
            return await self._to_group(outgoing, reader)
        return await self._to_person(outgoing, reader)

    async def say_at_once(self, event: Event, words: Words, reader: Reader) -> None:
        """Something only worth saying now, where the aibot heard it; it is not tried again."""
        chat = event.chat
        arguments = {
            "chatid": chat.id,
            "chat_type": GROUP if chat.kind == "group" else SINGLE,
            "msgtype": "markdown",
            "markdown": {"content": encode.group(words, None, reader, "")[0]},
        }
        try:
            if self._bot is not None:
                await self._bot.ask("aibot_send_msg", arguments)
        except (BotRefused, DeliveryFailed) as error:
            log.warning("what was to be said at once was not: %s", type(error).__name__)

    # --- people ------------------------------------------------------------------------------

    async def _to_person(self, outgoing: Outgoing, reader: Reader) -> str:
        address = outgoing.address
        if self._api is None and self._bot is None:
            raise DeliveryFailed("dead", NO_PERSON_TRANSPORT)
        if self._bot is not None and (address.thread == BOT_THREAD or self._api is None):
            return await self._by_bot_to_person(self._bot, outgoing, reader)
        assert self._api is not None
        try:
            return await self._by_app(self._api, outgoing, reader)
        except DeliveryFailed:
            resting = self._app_rests[0] > self._now()
            handle = await self._instead_by_bot(outgoing, reader) if resting else None
            if handle is None:
                raise
            return handle

    async def _by_app(self, api: WecomApi, outgoing: Outgoing, reader: Reader) -> str:
        """https://developer.work.weixin.qq.com/document/path/90236"""
        self._wait_for_rest()
        try:
            if outgoing.file is not None:
                return await self._file_by_app(api, outgoing, reader)
            shown = encode.direct(outgoing, reader)
            self._windows.take(f"app:{outgoing.address.id}", *APP_TO_MEMBER, count=shown.count)
            parts = [("text", {"content": body}) for body in shown.texts]
            if shown.card is not None:
                parts.append(("template_card", shown.card))
            told = await self._app_messages(api, outgoing, parts)
        except DeliveryFailed as failed:
            # WeCom itself knows what it has shown already.
            failed.repeatable = True
            if failed.outcome == "dead":
                failed.gone = await self._is_gone(failed, outgoing.address)
            raise
        return f"{SPENT}{told.get('response_code', '')}" if shown.card is not None else ""

    def _wait_for_rest(self) -> None:
        """Everybody's messages wait for the same person to act; nobody asks in between, for after
        several wrong secrets WeCom listens no more for an hour.
        """
        until, why = self._app_rests
        if (left := until - self._now()) > 0:
            raise DeliveryFailed("paced", why, after=min(left, LONGEST_REST))

    def _refusal(self, refused: WecomRefused) -> DeliveryFailed:
        """WeCom's no to the app, of which the other transports know nothing."""
        failed = failure(refused.code, refused.what)
        if failed.scope == "platform":
            failed.scope = "address"
            self._app_rests = (self._now() + (failed.after or 0.0), failed.why)
        return failed

    async def _instead_by_bot(self, outgoing: Outgoing, reader: Reader) -> str | None:
        """Say it in the aibot's conversation with them; None where they have none, or it fails."""
        if self._bot is None or outgoing.uncertain_since is not None:
            return None
        try:
            return await self._by_bot_to_person(self._bot, outgoing, reader)
        except DeliveryFailed as failed:
            if failed.outcome == "unknown":
                raise
            return None

    async def _app_messages(
        self, api: WecomApi, outgoing: Outgoing, parts: Sequence[tuple[str, Json]]
    ) -> Json:
        """All parts of a message, in order; what WeCom says to the last one."""
        told: Json = {}
        for place, (kind, body) in enumerate(parts):
            try:
                told = await self._app_message(api, outgoing, kind, body)
            except DeliveryFailed as failed:
                if place and failed.outcome == "retry":
                    # It has the parts before: next time it has to look back as far as to them.
                    failed.outcome = "unknown"
                raise
        return told

    async def _app_message(self, api: WecomApi, outgoing: Outgoing, kind: str, body: Json) -> Json:
        user_id = outgoing.address.id
        arguments = {
            "touser": user_id,
            "agentid": self._agent_id,
            "msgtype": kind,
            kind: body,
            "enable_duplicate_check": 1,
            "duplicate_check_interval": self._check(outgoing),
        }
        try:
            told = await api.call("message/send", arguments)
        except WecomRefused as refused:
            if refused.code == KNOWN_CARD and _is_again(outgoing):
                return {}  # it was taken, and only the answer was lost
            raise self._refusal(refused) from None
        # What WeCom took and gave to nobody is an answer like any other.
        why = unreached(told).get(user_id.lower())
        if why is not None:
            raise failure(0, why)
        return told

    def _check(self, outgoing: Outgoing) -> int:
        """Seconds in which an equal message was this one, because it may have been taken before.
        An equal one of earlier was another.
        """
        if outgoing.uncertain_since is None:
            return CHECK_FIRST
        since = self._clock() - outgoing.uncertain_since + CLOCKS_APART
        return max(CHECK_FIRST, min(LONGEST_CHECK, int(since.total_seconds())))

    async def _is_gone(self, failed: DeliveryFailed, address: Address) -> bool:
        return _says_nobody(failed) and await self._directory.standing(address.id) == "gone"

    # https://developer.work.weixin.qq.com/document/path/90253
    async def _file_by_app(self, api: WecomApi, outgoing: Outgoing, reader: Reader) -> str:
        assert outgoing.file is not None
        content = outgoing.file.content.encode()
        if len(content) < SMALLEST_FILE:
            return await self._by_app(api, _without_file(outgoing), reader)
        media_id = self._uploaded.get(outgoing.message_id)
        if media_id is None:
            try:
                media_id = await api.upload(outgoing.file.name, content)
            except WecomRefused as refused:
                raise self._refusal(refused) from None
        # Under the same id WeCom knows it again when it is sent once more.
        self._uploaded[outgoing.message_id] = media_id
        while len(self._uploaded) > UPLOADS:
            del self._uploaded[next(iter(self._uploaded))]
        said = outgoing.words is not None or outgoing.card is not None
        texts = encode.texts_of(outgoing.words, outgoing.card, reader) if said else ()
        self._windows.take(f"app:{outgoing.address.id}", *APP_TO_MEMBER, count=len(texts) + 1)
        parts = [("text", {"content": one}) for one in texts]
        await self._app_messages(api, outgoing, [*parts, ("file", {"media_id": media_id})])
        self._uploaded.pop(outgoing.message_id, None)
        return ""

    async def _by_bot_to_person(self, bot: BotSocket, outgoing: Outgoing, reader: Reader) -> str:
        """In the aibot's own conversation with somebody, which they must have begun."""
        if outgoing.file is not None:
            outgoing = _without_file(outgoing)
        shown = encode.direct(outgoing, reader)
        self._windows.take(f"bot:{outgoing.address.id}", *BOT_TO_CHAT, count=shown.count)
        for content in encode.as_markdown(shown.texts):
            await self._bot_message(bot, outgoing.address, SINGLE, "markdown", {"content": content})
        if shown.card is not None:
            await self._bot_message(bot, outgoing.address, SINGLE, "template_card", shown.card)
        words = "\n".join(shown.texts)
        return handle_of(outgoing.address.id, words)

    # --- groups ------------------------------------------------------------------------------

    async def _to_group(self, outgoing: Outgoing, reader: Reader) -> str:
        if outgoing.file is not None:
            outgoing = _without_file(outgoing)
        key = self.webhook_of(outgoing.team)
        if key is not None and (outgoing.rings or self._bot is None):
            return await self._by_robot(key, outgoing, reader)
        if self._bot is None:
            raise DeliveryFailed("dead", NO_GROUP_TRANSPORT)
        try:
            return await self._by_bot(self._bot, outgoing, reader)
        except DeliveryFailed as failed:
            if key is None or not _says_no_group(failed):
                raise
            log.warning("the aibot cannot speak in a group: its group robot does")
            return await self._by_robot(key, outgoing, reader)

    async def _by_bot(self, bot: BotSocket, outgoing: Outgoing, reader: Reader) -> str:
        pieces = encode.group(outgoing.words, outgoing.card, reader, self._bot_name)
        self._windows.take(f"bot:{outgoing.address.id}", *BOT_TO_CHAT, count=len(pieces))
        for piece in pieces:
            await self._bot_message(bot, outgoing.address, GROUP, "markdown", {"content": piece})
        return handle_of(outgoing.address.id, pieces[0])

    # https://developer.work.weixin.qq.com/document/path/101463#主动推送消息
    async def _bot_message(
        self, bot: BotSocket, address: Address, chat_type: int, kind: str, body: Json
    ) -> None:
        arguments = {"chatid": address.id, "chat_type": chat_type, "msgtype": kind, kind: body}
        try:
            await bot.ask("aibot_send_msg", arguments)
        except BotRefused as refused:
            raise failure(refused.code, "aibot_send_msg") from None
        except DeliveryFailed as failed:
            if failed.why == NOT_CONNECTED:
                # Nothing was tried: another process has the line, or nobody has for now.
                raise DeliveryFailed("paced", NOT_CONNECTED, after=NOT_CONNECTED_WAIT) from None
            raise

    # https://developer.work.weixin.qq.com/document/path/99110
    async def _by_robot(self, key: str, outgoing: Outgoing, reader: Reader) -> str:
        bodies = encode.by_robot(outgoing.words, outgoing.card, reader, self._bot_name)
        self._windows.take(f"webhook:{key}", *WEBHOOK, count=len(bodies))
        for body in bodies:
            try:
                await self._robots.webhook(key, {"msgtype": "text", "text": body})
            except WecomRefused as refused:
                raise failure(refused.code, refused.what) from None
        return handle_of(outgoing.address.id, str(bodies[0]["content"]))

    # --- changing ----------------------------------------------------------------------------

    # https://developer.work.weixin.qq.com/document/path/94888
    async def _edit(self, outgoing: Outgoing, handle: str, reader: Reader) -> str | None:
        """Change a card of the app; None where that cannot be and it has to be said instead."""
        code = handle.removeprefix(SPENT) if handle.startswith(SPENT) else ""
        card = encode.changed(outgoing, reader) if code else None
        if self._api is None or card is None:
            return None
        arguments = {
            "userids": [outgoing.address.id],
            "agentid": self._agent_id,
            "response_code": code,
            "template_card": card,
        }
        self._wait_for_rest()
        try:
            await self._api.call("message/update_template_card", arguments)
        except WecomRefused as refused:
            if refused.code in USED_CODE and _is_again(outgoing):
                return SPENT  # it was changed, and only the answer was lost
            refusal = self._refusal(refused)
            if refusal.outcome == "dead":
                return None
            raise refusal from None
        except DeliveryFailed as failed:
            failed.repeatable = True
            raise
        return SPENT


def _is_again(outgoing: Outgoing) -> bool:
    """Whether WeCom may have taken it before."""
    return outgoing.attempt > 1 or outgoing.uncertain_since is not None


def _directly(outgoing: Outgoing) -> Outgoing:
    """What was for one person in a group, to that person."""
    address = outgoing.address
    assert address.only_for is not None
    changed = {"kind": "person", "id": address.only_for, "thread": None, "only_for": None}
    return outgoing.model_copy(update={"address": address.model_copy(update=changed)})


def _without_file(outgoing: Outgoing) -> Outgoing:
    """The file's text in its place."""
    assert outgoing.file is not None
    words = encode.with_file(outgoing.words, outgoing.file)
    return outgoing.model_copy(update={"words": words, "file": None})


def _says_nobody(failed: DeliveryFailed) -> bool:
    if failed.why == "invaliduser":
        return True
    return failed.why.isdigit() and kind_of(int(failed.why)) is Kind.UNREACHABLE


def _says_no_group(failed: DeliveryFailed) -> bool:
    return failed.why.isdigit() and kind_of(int(failed.why)) is Kind.GONE_GROUP


def _plain(name: str) -> str:
    return "".join(unicodedata.normalize("NFKC", name).casefold().split())
