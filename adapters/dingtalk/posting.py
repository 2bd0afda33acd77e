"""Messages out, by whichever way fits: an answer where it was asked, a card where something can be
pressed, a robot where phones are to ring, and the OpenAPI for all the rest.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime

from adapters import plain
from adapters.contract import DeliveryFailed
from adapters.dingtalk import encode
from adapters.dingtalk.by_api import QUOTA, ByApi
from adapters.dingtalk.by_webhook import ByWebhook
from adapters.dingtalk.card_way import CardWay, SoundWhile
from adapters.dingtalk.cards import Cards
from adapters.dingtalk.errcodes import says_no_group, says_no_robot
from adapters.dingtalk.setup import Robot, Setup
from adapters.dingtalk.ways import WaysBack
from adapters.naming import handle_of
from bot.messages import Outgoing, Reader, plain_name

log = logging.getLogger(__name__)

# Word of the alarm.
ROBOT_REFUSED = "robot_refused"


class Posting:
    """Chooses among what is set up. Every method raises DeliveryFailed."""

    def __init__(
        self,
        setup: Setup,
        by_api: ByApi,
        by_webhook: ByWebhook,
        cards: Cards,
        ways: WaysBack,
        sound_while: SoundWhile,
        clock: Callable[[], datetime],
    ) -> None:
        """`sound_while` is told while DingTalk takes no cards, or a custom robot is silent."""
        self._by_api = by_api
        self._by_webhook = by_webhook
        self._cards = cards if setup.card_template_id else None
        self._ways = ways
        self._card_way = CardWay(clock, sound_while)
        self._sound_while = sound_while
        self._silent: set[str] = set()
        """The tokens of custom robots that DingTalk does not take any more."""
        self._robots = {plain_name(team): robot for team, robot in setup.robots.items()}
        self._name = setup.bot_name

    def robot_of(self, team: str) -> Robot | None:
        """A team's custom robot; capitals and spaces are as one likes."""
        return self._robots.get(plain_name(team)) if team else None

    async def send(self, outgoing: Outgoing, reader: Reader) -> str:
        """Deliver, and return a handle: what a quotation is known by, or a card is changed by."""
        if outgoing.edits_handle is not None:
            handle = await self._cards.change(outgoing, reader) if self._cards else None
            if handle is not None:
                return handle
            if outgoing.words is None:
                return outgoing.edits_handle
            outgoing = outgoing.model_copy(update={"card": None})
        outgoing = plain.without_file(plain.directly(outgoing))
        if _is_to_press(outgoing):
            handle = await self._as_card(outgoing, reader)
            if handle is not None:
                return handle
        if await self._answered(outgoing, reader):
            return self._handle(outgoing, reader)
        if outgoing.address.kind == "person":
            await self._by_api.to_person(outgoing, reader)
            return self._handle(outgoing, reader)
        return await self._to_group(outgoing, reader)

    async def _as_card(self, outgoing: Outgoing, reader: Reader) -> str | None:
        """None: it has to be said in words, since there are no cards, DingTalk does not take this
        one, a part was said in words already, or words go without a call where calls have run out.
        """
        if self._cards is None or self._by_webhook.has_begun(outgoing):
            return None
        if not self._card_way.is_open or (self._by_api.spares and self._goes_free(outgoing)):
            return None
        try:
            handle = await self._cards.create(outgoing, reader)
        except DeliveryFailed as failed:
            if failed.why == QUOTA and self._goes_free(outgoing):
                return None
            if failed.outcome != "dead":
                raise
            log.warning("an interactive card was not taken: %s", failed.why)
            await self._card_way.refused(failed.why)
            return None
        if handle is not None:
            await self._card_way.took()
        return handle

    def _way_of(self, outgoing: Outgoing) -> str | None:
        """Where it can be said as an answer to what came in; the first try alone may be one, unless
        a part of it has left so.
        """
        began = self._by_webhook.has_begun(outgoing)
        if outgoing.rings or (outgoing.attempt > 1 and not began):
            return None
        return self._ways.of(outgoing)

    def _goes_free(self, outgoing: Outgoing) -> bool:
        """Whether there is a way for words that costs none of the month's calls."""
        return self._way_of(outgoing) is not None or self.robot_of(outgoing.team) is not None

    async def _answered(self, outgoing: Outgoing, reader: Reader) -> bool:
        """Whether it could be said as an answer to what came in."""
        url = self._way_of(outgoing)
        if url is None:
            return False
        try:
            await self._by_webhook.answer(outgoing, url, reader)
        except DeliveryFailed as failed:
            if failed.outcome == "unknown":
                raise
            log.info("a session webhook takes no answer: %s", failed.why)
            return False
        return True

    async def _to_group(self, outgoing: Outgoing, reader: Reader) -> str:
        robot, silence = self.robot_of(outgoing.team), None
        if robot is not None and (outgoing.rings or self._by_api.spares):
            silence = await self._by_robot(outgoing, robot, reader)
            if silence is None:
                return self._handle(outgoing, reader)
        if outgoing.rings:
            handle = await self._as_card(outgoing, reader)
            if handle is not None:
                return handle
        try:
            await self._by_api.to_group(outgoing, reader)
        except DeliveryFailed as failed:
            if robot is None or not (failed.why == QUOTA or says_no_group(failed.why)):
                raise
            log.warning("a group is not reached by the app's robot: its custom robot speaks")
            silence = silence or await self._by_robot(outgoing, robot, reader)
            if silence is not None and failed.why == QUOTA and silence.outcome == "dead":
                raise  # there will be calls again
            if silence is not None:
                raise silence from None
        return self._handle(outgoing, reader)

    async def _by_robot(
        self, outgoing: Outgoing, robot: Robot, reader: Reader
    ) -> DeliveryFailed | None:
        """Why the custom robot surely said nothing, so that another way has to do; else None."""
        try:
            await self._by_webhook.by_robot(outgoing, robot, reader)
        except DeliveryFailed as failed:
            if failed.outcome not in ("dead", "retry"):
                raise
            log.warning("a custom robot is silent: %s", failed.why)
            if says_no_robot(failed.why):
                self._silent.add(robot.token)
                await self._sound_while(ROBOT_REFUSED, True)
            return failed
        self._silent.discard(robot.token)
        await self._sound_while(ROBOT_REFUSED, bool(self._silent))
        return None

    def _handle(self, outgoing: Outgoing, reader: Reader) -> str:
        """What a quotation of it will begin with, by whichever way it went."""
        call = self._name if outgoing.address.kind == "group" else ""
        first = encode.messages(outgoing.words, outgoing.card, reader, call)[0]
        return handle_of(outgoing.address.id, first.said)


def _is_to_press(outgoing: Outgoing) -> bool:
    return bool(plain.buttons_of(outgoing.card))
