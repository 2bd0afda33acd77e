"""Direct messages of the self-built app: texts, cards that are changed in place, files.

https://developer.work.weixin.qq.com/document/path/90236
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from adapters import plain
from adapters.contract import DeliveryFailed
from adapters.progress import Progress
from adapters.wecom import encode
from adapters.wecom.api import WecomApi, WecomRefused, unreached
from adapters.wecom.directory import Directory
from adapters.wecom.errcodes import failure, says_nobody
from adapters.wecom.limits import APP_TO_MEMBER
from adapters.windows import Windows
from bot.messages import Outgoing, Reader

# WeCom compares a message with the earlier ones of so many seconds:
# https://developer.work.weixin.qq.com/document/path/90236
LONGEST_CHECK = 4 * 3600
# Two messages to one person are never so near, so the first of two equal ones is no repetition.
CHECK_FIRST = 1
CLOCKS_APART = timedelta(minutes=1)

# The handle of a card whose key for changing it is used up.
SPENT = "card:"
# There is a card of this name: https://developer.work.weixin.qq.com/document/path/90313
KNOWN_CARD = 42014
# A key that was used up: one of them is in the list, the other was seen.
USED_CODE = frozenset((42022, 60140))
UPLOADS = 100
# Bytes; WeCom takes none that is smaller: https://developer.work.weixin.qq.com/document/path/90253
SMALLEST_FILE = 6
LONGEST_REST = 60.0
TRANSPORT = "app"

Json = dict[str, Any]
Part = tuple[str, Json]


class ByApp:
    """Sends as the app `agent_id`. Every method raises DeliveryFailed."""

    def __init__(
        self,
        api: WecomApi,
        agent_id: int,
        directory: Directory,
        clock: Callable[[], datetime],
        windows: Windows,
        progress: Progress,
    ) -> None:
        self._api = api
        self._agent_id = agent_id
        self._directory = directory
        self._clock = clock
        self._windows = windows
        self._progress = progress
        self._rests = (0.0, "")
        self._uploaded: OrderedDict[int, str] = OrderedDict()
        """Media ids of files whose messages have not left yet, by message."""

    async def send(self, outgoing: Outgoing, reader: Reader) -> str:
        """Deliver to a person; the handle of a card is the key by which it can be changed once."""
        self._wait_for_rest()
        try:
            if outgoing.file is not None:
                return await self._file(outgoing, reader)
            shown = encode.direct(outgoing, reader)
            parts: list[Part] = [("text", {"content": body}) for body in shown.texts]
            if shown.card is not None:
                parts.append(("template_card", shown.card))
            told = await self._parts(outgoing, parts)
        except DeliveryFailed as failed:
            # WeCom itself knows what it has shown already.
            failed.repeatable = True
            if failed.outcome == "dead" and says_nobody(failed.why):
                failed.gone = await self._directory.standing(outgoing.address.id) == "gone"
            raise
        return f"{SPENT}{told.get('response_code', '')}" if shown.card is not None else ""

    # https://developer.work.weixin.qq.com/document/path/94888
    async def change(self, outgoing: Outgoing, handle: str, reader: Reader) -> str | None:
        """Change a card; None where that cannot be and it has to be said instead."""
        code = handle.removeprefix(SPENT) if handle.startswith(SPENT) else ""
        card = encode.changed(outgoing, reader) if code else None
        if card is None:
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

    # --- while WeCom refuses the app -----------------------------------------------------------

    @property
    def is_resting(self) -> bool:
        """Whether WeCom refuses the app, so that nobody asks it for a while."""
        return self._rests[0] > self._now()

    def rest_is_over(self) -> None:
        """It may be tried again at once, whatever WeCom said."""
        self._rests = (0.0, "")

    def _wait_for_rest(self) -> None:
        """Everybody's messages wait for the same person to act; nobody asks in between, for after
        several wrong secrets WeCom listens no more for an hour.
        """
        until, why = self._rests
        if (left := until - self._now()) > 0:
            raise DeliveryFailed("paced", why, after=min(left, LONGEST_REST))

    def _refusal(self, refused: WecomRefused) -> DeliveryFailed:
        """WeCom's no to the app, of which the other transports know nothing."""
        failed = failure(refused.code, refused.what)
        if failed.scope == "platform":
            failed.scope = "address"
            self._rests = (self._now() + (failed.after or 0.0), failed.why)
        return failed

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()

    # --- messages ------------------------------------------------------------------------------

    async def _parts(self, outgoing: Outgoing, parts: list[Part]) -> Json:
        """All parts of a message, in order; what WeCom says to the last one."""

        async def say(part: Part) -> Json:
            self._windows.take(f"app:{outgoing.address.id}", *APP_TO_MEMBER)
            return await self._message(outgoing, *part)

        try:
            told = await self._progress.through(TRANSPORT, outgoing.message_id, parts, say)
        except DeliveryFailed as failed:
            if failed.outcome == "retry" and self._progress.has_begun(
                TRANSPORT, outgoing.message_id
            ):
                # After a restart of ours, WeCom has to look back as far as to the parts before.
                raise DeliveryFailed("unknown", failed.why, after=failed.after) from None
            raise
        return told or {}

    async def _message(self, outgoing: Outgoing, kind: str, body: Json) -> Json:
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
            told = await self._api.call("message/send", arguments)
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

    # https://developer.work.weixin.qq.com/document/path/90253
    async def _file(self, outgoing: Outgoing, reader: Reader) -> str:
        assert outgoing.file is not None
        content = outgoing.file.content.encode()
        if len(content) < SMALLEST_FILE:
            return await self.send(plain.without_file(outgoing), reader)
        # Under the same id WeCom knows it again when it is sent once more.
        media_id = self._uploaded.get(outgoing.message_id)
        if media_id is None:
            try:
                media_id = await self._api.upload(outgoing.file.name, content)
            except WecomRefused as refused:
                raise self._refusal(refused) from None
            self._uploaded[outgoing.message_id] = media_id
            while len(self._uploaded) > UPLOADS:
                self._uploaded.popitem(last=False)
        said = outgoing.words is not None or outgoing.card is not None
        texts = encode.texts_of(outgoing.words, outgoing.card, reader) if said else ()
        parts: list[Part] = [("text", {"content": one}) for one in texts]
        await self._parts(outgoing, [*parts, ("file", {"media_id": media_id})])
        self._uploaded.pop(outgoing.message_id, None)
        return ""


def _is_again(outgoing: Outgoing) -> bool:
    """Whether WeCom may have taken it before."""
    return outgoing.attempt > 1 or outgoing.uncertain_since is not None
