"""Messages of the app's robot by the OpenAPI: to people and to groups, whenever it likes, and
metered by the month.

https://open.dingtalk.com/document/orgapp/chatbots-send-one-on-one-chat-messages-in-batches
https://open.dingtalk.com/document/orgapp/the-robot-sends-a-group-message
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import TypeVar

from adapters.contract import DeliveryFailed
from adapters.dingtalk import encode
from adapters.dingtalk.api import DingtalkApi, DingtalkRefused
from adapters.dingtalk.batches import Batches
from adapters.dingtalk.directory import Directory
from adapters.dingtalk.encode import Message
from adapters.dingtalk.errcodes import Kind, failure, kind_of, says_nobody
from adapters.dingtalk.limits import Audience, Quota
from adapters.progress import Progress
from bot.messages import Outgoing, Reader

GROUP_SEND = "/v1.0/robot/groupMessages/send"
TRANSPORT = "api"
# A word of ours for why: the month's calls are used up.
QUOTA = "quota"

Told = TypeVar("Told")


class Gate:
    """Lets calls through while the month has any left, people's before groups'."""

    def __init__(self, quota: Quota) -> None:
        self._quota = quota

    async def through(self, audience: Audience, call: Callable[[], Awaitable[Told]]) -> Told:
        """Make one metered call for "person" or "group". Raises DeliveryFailed."""
        wait = self._quota.may_call(audience)
        if wait > 0:
            raise DeliveryFailed("paced", QUOTA, after=wait)
        try:
            told = await call()
        except DingtalkRefused as refused:
            if kind_of(refused.code) is not Kind.QUOTA:
                raise failure(refused) from None
            self._quota.exhausted()
            # It was surely not taken, and is not to count as a try: there may be weeks of them.
            wait = self._quota.may_call(audience)
            raise DeliveryFailed("paced", QUOTA, after=wait) from None
        self._quota.succeeded()
        return told


class ByApi:
    """Every method raises DeliveryFailed."""

    def __init__(
        self,
        api: DingtalkApi,
        batches: Batches,
        gate: Gate,
        directory: Directory,
        robot_code: str,
        bot_name: str,
        progress: Progress,
    ) -> None:
        self._api = api
        self._batches = batches
        self._gate = gate
        self._directory = directory
        self._robot_code = robot_code
        self._name = bot_name
        self._progress = progress

    async def to_person(self, outgoing: Outgoing, reader: Reader) -> None:
        """In somebody's conversation with the robot; they need not have written first."""
        user_id = outgoing.address.id

        async def say(one: Message) -> None:
            await self._gate.through(
                "person", lambda: self._batches.send(user_id, one.msg_key, one.msg_param)
            )

        messages = encode.messages(outgoing.words, outgoing.card, reader)
        try:
            await self._progress.through(TRANSPORT, outgoing.message_id, messages, say)
        except DeliveryFailed as failed:
            if failed.outcome == "dead" and says_nobody(failed.why):
                failed.gone = await self._directory.standing(user_id) == "gone"
            raise

    async def to_group(self, outgoing: Outgoing, reader: Reader) -> None:
        """In a group that the robot is in."""

        async def say(one: Message) -> None:
            body = {
                "robotCode": self._robot_code,
                "openConversationId": outgoing.address.id,
                "msgKey": one.msg_key,
                "msgParam": json.dumps(one.msg_param, ensure_ascii=False),
            }
            await self._gate.through("group", lambda: self._api.call("POST", GROUP_SEND, body))

        messages = encode.messages(outgoing.words, outgoing.card, reader, self._name)
        await self._progress.through(TRANSPORT, outgoing.message_id, messages, say)
