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
from adapters.dingtalk.errcodes import (
    FILTERED_STAFF,
    FLOW_CONTROLLED,
    INVALID_STAFF,
    Kind,
    failure,
    kind_of,
    says_nobody,
)
from adapters.dingtalk.limits import Audience, Quota
from adapters.progress import Progress
from bot.messages import Outgoing, Reader

GROUP_SEND = "/v1.0/robot/groupMessages/send"
# A message is cut into the same pieces whichever way they go: by another one it goes on behind what
# was said already.
TRANSPORT = "dingtalk"
# A word of ours for why: the month's calls are used up.
QUOTA = "quota"
# What DingTalk says only of a call that it looked at, so that there are calls.
_OF_THE_CALL = (Kind.UNREACHABLE, Kind.GONE_GROUP, Kind.PERMISSION, Kind.DEAD)
_OF_THE_PERSON = (INVALID_STAFF, FILTERED_STAFF, FLOW_CONTROLLED)

Told = TypeVar("Told")


class Gate:
    """Lets calls through while the month has any left, people's before groups'."""

    def __init__(self, quota: Quota, is_low: Callable[[], bool] = lambda: False) -> None:
        """`is_low` tells whether what is left is kept for people who are to be told."""
        self._quota = quota
        self._is_low = is_low

    @property
    def spares(self) -> bool:
        """Whether what can go without a call had better do so."""
        return self._is_low() or self._quota.is_exhausted

    async def through(
        self, audience: Audience, call: Callable[[], Awaitable[Told]], *, can_wait: bool = False
    ) -> Told:
        """Make one metered call for "person" or "group". Raises DeliveryFailed.

        What `can_wait` waits already when few calls are left.
        """
        if can_wait and self._is_low():
            raise _held(self._quota.rest())
        wait = self._quota.may_call(audience)
        if wait > 0:
            raise _held(wait)
        try:
            told = await call()
        except DingtalkRefused as refused:
            if kind_of(refused.code) is Kind.QUOTA:
                self._quota.exhausted()
                raise _held(self._quota.may_call(audience)) from None
            if kind_of(refused.code) in _OF_THE_CALL:
                self._quota.has_calls()
            raise failure(refused) from None
        except DeliveryFailed as failed:
            if failed.why in _OF_THE_PERSON:
                self._quota.has_calls()
            raise
        self._quota.has_calls()
        return told


def can_wait(outgoing: Outgoing) -> bool:
    """What is worth none of the last calls: what tells a group what its people are told as well,
    digests, and what becomes of a card.
    """
    if outgoing.answers:
        return False
    return (
        outgoing.address.kind == "group"
        or outgoing.priority == "digest"
        or outgoing.edits_handle is not None
    )


def _held(seconds: float) -> DeliveryFailed:
    """It was surely not taken, and is not to count as a try: there may be weeks of them. Answers
    that need no call go past it.
    """
    return DeliveryFailed("paced", QUOTA, after=seconds, aside=True)


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

    @property
    def spares(self) -> bool:
        """Whether what can go without a call had better do so."""
        return self._gate.spares

    async def to_person(self, outgoing: Outgoing, reader: Reader) -> None:
        """In somebody's conversation with the robot; they need not have written first."""
        user_id = outgoing.address.id

        async def say(one: Message) -> None:
            await self._gate.through(
                "person",
                lambda: self._batches.send(user_id, one.msg_key, one.msg_param),
                can_wait=can_wait(outgoing),
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
            await self._gate.through(
                "group",
                lambda: self._api.call("POST", GROUP_SEND, body),
                can_wait=can_wait(outgoing),
            )

        messages = encode.messages(outgoing.words, outgoing.card, reader, self._name)
        await self._progress.through(TRANSPORT, outgoing.message_id, messages, say)
