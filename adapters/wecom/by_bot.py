"""Messages of the aibot, in groups and in its own conversation with a person.

https://developer.work.weixin.qq.com/document/path/101463#主动推送消息
It writes only where somebody has written to it.
"""

from __future__ import annotations

import logging
from typing import Any

from adapters.contract import DeliveryFailed
from adapters.naming import handle_of
from adapters.progress import Progress
from adapters.wecom import encode
from adapters.wecom.errcodes import failure, says_no_group
from adapters.wecom.limits import BOT_TO_CHAT
from adapters.wecom.line import NOT_CONNECTED, BotRefused
from adapters.wecom.socket import BotSocket
from adapters.windows import Windows
from bot.messages import Event, Outgoing, Reader, Words

log = logging.getLogger(__name__)

SINGLE, GROUP = 1, 2
# To be with whoever has the line soon, and no burden while nobody has it.
NOT_CONNECTED_WAIT = 2.0
# Of a person: they have not written to the aibot yet.
NOT_SPOKEN = "not_spoken"
TRANSPORT = "bot"

Json = dict[str, Any]
Part = tuple[str, Json]


class ByBot:
    """Sends over the long connection. Every method raises DeliveryFailed."""

    def __init__(self, socket: BotSocket, name: str, windows: Windows, progress: Progress) -> None:
        """`name` is what the aibot is called in groups."""
        self._socket = socket
        self._name = name
        self._windows = windows
        self._progress = progress

    @property
    def is_away(self) -> bool:
        """Whether the connection that should be ours has been gone for long."""
        return not self._socket.connected and self._socket.trouble() is not None

    async def to_person(self, outgoing: Outgoing, reader: Reader) -> str:
        """In the conversation that somebody has begun with the aibot."""
        shown = encode.direct(outgoing, reader, encode.MARKDOWN_BYTES)
        parts: list[Part] = [
            ("markdown", {"content": one}) for one in encode.as_markdown(shown.texts)
        ]
        if shown.card is not None:
            parts.append(("template_card", shown.card))
        try:
            await self._parts(outgoing, SINGLE, parts)
        except DeliveryFailed as failed:
            if says_no_group(failed.why):
                raise DeliveryFailed("dead", NOT_SPOKEN) from None
            raise
        return handle_of(outgoing.address.id, "\n".join(shown.texts))

    async def to_group(self, outgoing: Outgoing, reader: Reader) -> str:
        """In a group in which it has been mentioned."""
        pieces = encode.group(outgoing.words, outgoing.card, reader, self._name)
        parts = [("markdown", {"content": piece}) for piece in pieces]
        await self._parts(outgoing, GROUP, parts)
        return handle_of(outgoing.address.id, pieces[0])

    async def say_at_once(self, event: Event, words: Words, reader: Reader) -> None:
        """Something only worth saying now, where the aibot heard it; it is not tried again."""
        chat = event.chat
        content = encode.group(words, None, reader, "")[0]
        kind = GROUP if chat.kind == "group" else SINGLE
        try:
            await self._ask(chat.id, kind, "markdown", {"content": content})
        except DeliveryFailed as failed:
            log.warning("what was to be said at once was not: %s", failed.why)

    async def _parts(self, outgoing: Outgoing, chat_type: int, parts: list[Part]) -> None:
        async def say(part: Part) -> None:
            if not self._socket.connected:
                # Nothing is tried: another process has the line, or nobody has for now.
                raise DeliveryFailed("paced", NOT_CONNECTED, after=NOT_CONNECTED_WAIT)
            self._windows.take(f"bot:{outgoing.address.id}", *BOT_TO_CHAT)
            await self._ask(outgoing.address.id, chat_type, *part)

        await self._progress.through(TRANSPORT, outgoing.message_id, parts, say)

    async def _ask(self, chat_id: str, chat_type: int, kind: str, body: Json) -> None:
        arguments = {"chatid": chat_id, "chat_type": chat_type, "msgtype": kind, kind: body}
        try:
            await self._socket.ask("aibot_send_msg", arguments)
        except BotRefused as refused:
            raise failure(refused.code, "aibot_send_msg") from None
        except DeliveryFailed as failed:
            if failed.why == NOT_CONNECTED:
                raise DeliveryFailed("paced", NOT_CONNECTED, after=NOT_CONNECTED_WAIT) from None
            raise
