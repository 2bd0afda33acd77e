"""Messages out: posted, whispered, changed, with a file, or as a person's page.

A message whose fate is unknown is looked for before it is said again: each carries its number as
metadata, which Slack keeps and gives back. https://docs.slack.dev/messaging/message-metadata
"""

from __future__ import annotations

import asyncio
import json
import logging
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

from adapters.contract import DeliveryFailed
from adapters.slack import encode
from adapters.slack.api import BAD_TOKEN, UNEDITABLE, SlackApi, SlackRefused, delivery_failed
from adapters.slack.reading import NAME
from bot.messages import Address, Answer, Chat, Outgoing, Reader

log = logging.getLogger(__name__)

METADATA = "banzhang_message"
# The person's own request is waiting.
AT_ONCE_SECONDS = 1.0
# Slack's clock and ours may differ.
CLOCKS_APART = timedelta(minutes=5)
LOOKED_THROUGH = 200
PAGES_LOOKED_THROUGH = 5
# Who is not there cannot be whispered to; the words then go by direct message.
NO_WHISPER = frozenset(
    {
        "channel_not_found",
        "is_archived",
        "not_in_channel",
        "restricted_action",
        "user_not_in_channel",
    }
)

# What Slack says of a post to somebody who has left, depending on whether they had a chat.
PERHAPS_GONE = frozenset(
    {"account_deleted", "channel_not_found", "user_disabled", "user_not_found", "user_not_visible"}
)

_MESSAGES = uuid.UUID("6f0d5a2e-6a2c-4a8f-9a0b-3e1f5b7c9d21")

Json = dict[str, Any]


class Posting:
    """Sends by one api. Every method raises DeliveryFailed."""

    def __init__(self, api: SlackApi) -> None:
        self._api = api

    async def send(self, outgoing: Outgoing, reader: Reader) -> str:
        """Deliver, and return the handle: the channel and ts that Slack answered."""
        try:
            return await self._send(outgoing, reader)
        except DeliveryFailed as failed:
            # A post is looked for before it is said again; a page or an edit is the same again.
            failed.repeatable = outgoing.file is None and outgoing.address.only_for is None
            if failed.outcome == "dead" and failed.why in PERHAPS_GONE:
                failed.gone = await self._is_gone(outgoing.address)
            raise

    # https://docs.slack.dev/reference/methods/users.info
    async def _is_gone(self, address: Address) -> bool:
        """Whether the account really is deleted: much hangs on it, and the codes are vague."""
        user_id = address.only_for if address.kind == "group" else address.id
        if user_id is None:
            return False
        try:
            found = await self._api.call("users.info", {"user": user_id}, quietly=True)
        except SlackRefused as refused:
            return refused.code == "user_not_found"
        except DeliveryFailed:
            return False
        user = found.get("user")
        return isinstance(user, dict) and user.get("deleted") is True

    async def _send(self, outgoing: Outgoing, reader: Reader) -> str:
        if outgoing.page is not None:
            return await self._publish(outgoing, reader)
        if outgoing.edits_handle is not None:
            handle = await self._edit(outgoing, outgoing.edits_handle, reader)
            if handle is not None:
                return handle
            if outgoing.words is not None:
                outgoing = outgoing.model_copy(update={"card": None})
        if outgoing.address.only_for is not None:
            handle = await self._whisper(outgoing, reader)
            if handle is not None:
                return handle
            outgoing = _directly(outgoing)
        if outgoing.uncertain_since is not None:
            handle = await self._found(outgoing, outgoing.uncertain_since)
            if handle is not None:
                return handle
        if outgoing.file is not None:
            return await self._upload(outgoing, reader)
        return await self._post(outgoing, reader)

    async def say_at_once(self, user_id: str, chat: Chat, answer: Answer, reader: Reader) -> None:
        """Something that is only worth saying now, to one person, and is not tried again."""
        group = chat.kind == "group"
        address = Address(
            platform=NAME,
            kind="group" if group else "person",
            id=chat.id if group else user_id,
            thread=chat.thread,
            only_for=user_id if group else None,
        )
        outgoing = Outgoing(address=address, words=answer.words, card=answer.card, message_id=0)
        try:
            async with asyncio.timeout(AT_ONCE_SECONDS):
                if not group or await self._whisper(outgoing, reader) is None:
                    said = encode.message(_directly(outgoing) if group else outgoing, reader)
                    await self._api.call("chat.postMessage", said)
        except (DeliveryFailed, SlackRefused, TimeoutError) as error:
            log.warning("what was to be said at once was not: %s", type(error).__name__)

    async def message_at(self, handle: str) -> Mapping[str, Any] | None:
        """A message that somebody pointed at, wherever in a thread it stands; None: it is gone.

        https://docs.slack.dev/reference/methods/conversations.replies
        """
        channel, _, ts = handle.partition(":")
        around = {"ts": ts, "latest": ts, "oldest": ts, "inclusive": True}
        try:
            found = await self._api.call("conversations.replies", {"channel": channel, **around})
        except SlackRefused as refused:
            failed = delivery_failed(refused, "conversations.replies")
            if failed.outcome == "retry" and refused.code not in BAD_TOKEN:
                raise failed from None
            log.warning("a message that was pointed at cannot be read: %s", refused)
            return None
        return next((one for one in _messages(found) if one.get("ts") == ts), None)

    # https://docs.slack.dev/reference/methods/chat.postMessage
    async def _post(self, outgoing: Outgoing, reader: Reader) -> str:
        arguments = encode.message(outgoing, reader)
        # Half documented as the key by which Slack knows a message that it has already.
        arguments["client_msg_id"] = str(uuid.uuid5(_MESSAGES, str(outgoing.message_id)))
        payload = {"id": str(outgoing.message_id)}
        arguments["metadata"] = {"event_type": METADATA, "event_payload": payload}
        found = await self._api.send("chat.postMessage", arguments)
        # A post to a person answers with the direct message's channel, which an edit needs.
        return f"{found.get('channel', outgoing.address.id)}:{found.get('ts', '')}"

    # https://docs.slack.dev/reference/methods/chat.update
    async def _edit(self, outgoing: Outgoing, handle: str, reader: Reader) -> str | None:
        """Change a message; None where that will never work and it must be said anew."""
        channel, _, ts = handle.partition(":")
        self._api.limits.take("chat.update")
        arguments = {"channel": channel, "ts": ts, **encode.edit(outgoing, reader)}
        try:
            await self._api.call("chat.update", arguments)
        except SlackRefused as refused:
            if refused.code in UNEDITABLE:
                return None
            raise self._api.failed(refused, "chat.update") from None
        return handle

    # https://docs.slack.dev/reference/methods/chat.postEphemeral
    async def _whisper(self, outgoing: Outgoing, reader: Reader) -> str | None:
        """Say it to one person in a channel, as well as Slack can; None where it cannot."""
        self._api.limits.take("chat.postEphemeral")
        try:
            await self._api.call("chat.postEphemeral", encode.whisper(outgoing, reader))
        except SlackRefused as refused:
            if refused.code in NO_WHISPER:
                return None
            raise self._api.failed(refused, "chat.postEphemeral") from None
        return ""

    # https://docs.slack.dev/reference/methods/views.publish
    async def _publish(self, outgoing: Outgoing, reader: Reader) -> str:
        assert outgoing.page is not None
        view = encode.page(outgoing.page, reader)
        await self._api.send("views.publish", {"user_id": outgoing.address.id, "view": view})
        return ""

    # --- files -----------------------------------------------------------------------------------

    async def _upload(self, outgoing: Outgoing, reader: Reader) -> str:
        """https://docs.slack.dev/messaging/working-with-files: a place, the bytes, and the end."""
        assert outgoing.file is not None
        content = outgoing.file.content.encode()
        wanted = {"filename": outgoing.file.name, "length": len(content)}
        with _nothing_said_yet():
            channel = await self._channel(outgoing)
            place = await self._api.send("files.getUploadURLExternal", wanted)
            await self._api.upload(str(place.get("upload_url", "")), content)
        said = encode.message(outgoing, reader)
        done = {
            "files": json.dumps([{"id": place.get("file_id"), "title": outgoing.file.name}]),
            "channel_id": channel,
            "initial_comment": said["text"],
        }
        if outgoing.address.thread:
            done["thread_ts"] = outgoing.address.thread
        await self._api.send("files.completeUploadExternal", done)
        return ""

    # --- looking before saying it again ----------------------------------------------------------

    async def _found(self, outgoing: Outgoing, since: datetime) -> str | None:
        """The handle of the message, if an earlier attempt was taken after all."""
        with _nothing_said_yet():
            return await self._find(outgoing, since)

    async def _find(self, outgoing: Outgoing, since: datetime) -> str | None:
        channel, thread = await self._channel(outgoing), outgoing.address.thread
        arguments: Json = {
            "channel": channel,
            "oldest": f"{(since - CLOCKS_APART).timestamp():.6f}",
            "limit": LOOKED_THROUGH,
            "include_all_metadata": True,
        }
        number = str(outgoing.message_id)
        for _ in range(PAGES_LOOKED_THROUGH):
            if thread:
                within = {**arguments, "ts": thread}
                found = await self._api.send("conversations.replies", within)
            else:
                found = await self._api.send("conversations.history", arguments)
            ours = (one for one in _messages(found) if _number(one) == number)
            handle = next((f"{channel}:{one.get('ts', '')}" for one in ours), None)
            cursor = _next_cursor(found)
            if handle is not None or not cursor:
                return handle
            arguments["cursor"] = cursor
        return None

    # https://docs.slack.dev/reference/methods/conversations.open
    async def _channel(self, outgoing: Outgoing) -> str:
        """The channel of an address; a person's is their direct message."""
        if outgoing.address.kind == "group":
            return outgoing.address.id
        opened = await self._api.send("conversations.open", {"users": outgoing.address.id})
        channel = opened.get("channel")
        if not isinstance(channel, dict) or not isinstance(channel.get("id"), str):
            raise DeliveryFailed("unknown", "an odd answer: no channel")
        return str(channel["id"])


@contextmanager
def _nothing_said_yet() -> Iterator[None]:
    """What fails in here leaves no doubt: people have seen nothing of it."""
    try:
        yield
    except DeliveryFailed as failed:
        if failed.outcome == "unknown":
            failed.outcome = "retry"
        raise


def _directly(outgoing: Outgoing) -> Outgoing:
    """What was for one person in a group, to that person."""
    address = outgoing.address
    assert address.only_for is not None
    changed = {"kind": "person", "id": address.only_for, "thread": None, "only_for": None}
    return outgoing.model_copy(update={"address": address.model_copy(update=changed)})


def _messages(found: Json) -> list[Json]:
    messages = found.get("messages")
    return [one for one in messages if isinstance(one, dict)] if isinstance(messages, list) else []


# https://docs.slack.dev/apis/web-api/pagination
def _next_cursor(found: Json) -> str:
    told = found.get("response_metadata")
    cursor = told.get("next_cursor") if isinstance(told, dict) else None
    return cursor if isinstance(cursor, str) else ""


def _number(message: Json) -> str | None:
    """The number of ours that a message carries."""
    metadata = message.get("metadata")
    if not isinstance(metadata, dict) or metadata.get("event_type") != METADATA:
        return None
    payload = metadata.get("event_payload")
    return str(payload.get("id")) if isinstance(payload, dict) else None
