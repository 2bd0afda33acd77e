"""Messages by addresses that need no token: session webhooks, which answer what came in, and custom
robots of single groups. Both can mention people so that their phones ring.

https://open.dingtalk.com/document/orgapp/robot-reply-and-send-messages
https://open.dingtalk.com/document/robots/custom-robot-access
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from adapters.dingtalk import encode
from adapters.dingtalk.api import DingtalkApi, DingtalkRefused
from adapters.dingtalk.by_api import TRANSPORT
from adapters.dingtalk.errcodes import failure
from adapters.dingtalk.limits import RobotTurns
from adapters.dingtalk.setup import Robot
from adapters.progress import Progress
from adapters.reading import Json
from bot.messages import Outgoing, Reader


class ByWebhook:
    """Every method raises DeliveryFailed."""

    def __init__(
        self,
        api: DingtalkApi,
        bot_name: str,
        turns: RobotTurns,
        progress: Progress,
        clock: Callable[[], datetime],
    ) -> None:
        """`bot_name` is what the bot is called in groups, `turns` keep a robot's pace."""
        self._api = api
        self._name = bot_name
        self._turns = turns
        self._progress = progress
        self._clock = clock

    def has_begun(self, outgoing: Outgoing) -> bool:
        """Whether a part of it has left already, by whichever way."""
        return self._progress.has_begun(TRANSPORT, outgoing.message_id)

    async def answer(self, outgoing: Outgoing, url: str, reader: Reader) -> None:
        """Where it was asked."""
        in_group = outgoing.address.kind == "group"
        call = self._name if in_group else ""
        bodies = encode.by_webhook(outgoing.words, outgoing.card, reader, call, mentions=in_group)

        async def say(body: Json) -> None:
            try:
                await self._api.by_session(url, body)
            except DingtalkRefused as refused:
                raise failure(refused) from None

        await self._progress.through(TRANSPORT, outgoing.message_id, bodies, say)

    async def by_robot(self, outgoing: Outgoing, robot: Robot, reader: Reader) -> None:
        """In the robot's own group."""
        bodies = encode.by_webhook(outgoing.words, outgoing.card, reader, self._name, mentions=True)

        async def say(body: Json) -> None:
            self._turns.take(robot.token)
            try:
                await self._api.by_robot(robot, body, self._clock())
            except DingtalkRefused as refused:
                failed = failure(refused)
                if failed.outcome == "retry" and failed.after is not None:
                    self._turns.rest(robot.token, failed.after, failed.why)
                raise failed from None

        await self._progress.through(TRANSPORT, outgoing.message_id, bodies, say)
