"""Messages out, by whichever way fits: an answer where it was asked, a card where something can be
pressed, a robot where phones are to ring, and the OpenAPI for all the rest.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable

from adapters import plain
from adapters.contract import DeliveryFailed
from adapters.dingtalk import encode
from adapters.dingtalk.by_api import ByApi
from adapters.dingtalk.by_webhook import ByWebhook
from adapters.dingtalk.cards import NOT_DELIVERED, Cards
from adapters.dingtalk.errcodes import says_no_group
from adapters.dingtalk.setup import Robot, Setup
from adapters.dingtalk.ways import WaysBack
from adapters.naming import handle_of
from bot.messages import Outgoing, Reader, plain_name

log = logging.getLogger(__name__)

# Word of the alarm.
CARD_REFUSED = "card_refused"

Alarm = Callable[[str], Awaitable[None]]


class Posting:
    """Chooses among what is set up. Every method raises DeliveryFailed."""

    def __init__(
        self,
        setup: Setup,
        by_api: ByApi,
        by_webhook: ByWebhook,
        cards: Cards,
        ways: WaysBack,
        alarm: Alarm,
    ) -> None:
        """`alarm` is told when DingTalk does not take the card template."""
        self._by_api = by_api
        self._by_webhook = by_webhook
        self._cards = cards if setup.card_template_id else None
        self._ways = ways
        self._alarm = alarm
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
        if self._cards is not None and _is_to_press(outgoing):
            handle = await self._as_card(self._cards, outgoing, reader)
            if handle is not None:
                return handle
        if await self._answered(outgoing, reader):
            return self._handle(outgoing, reader)
        if outgoing.address.kind == "person":
            await self._by_api.to_person(outgoing, reader)
            return self._handle(outgoing, reader)
        return await self._to_group(outgoing, reader)

    async def _as_card(self, cards: Cards, outgoing: Outgoing, reader: Reader) -> str | None:
        """None: DingTalk does not take the card, and it has to be said in words."""
        try:
            return await cards.create(outgoing, reader)
        except DeliveryFailed as failed:
            if failed.outcome != "dead":
                raise
            # Who cannot be reached is not reached in words either, and then that says why.
            log.warning("an interactive card was not taken: %s", failed.why)
            if failed.why != NOT_DELIVERED and not says_no_group(failed.why):
                await self._alarm(CARD_REFUSED)
            return None

    async def _answered(self, outgoing: Outgoing, reader: Reader) -> bool:
        """Whether it could be said as an answer to what came in; the first try alone may be one,
        unless a part of it has left so.
        """
        url = self._ways.of(outgoing)
        began = self._by_webhook.has_begun(outgoing)
        if url is None or outgoing.rings or (outgoing.attempt > 1 and not began):
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
        robot = self.robot_of(outgoing.team)
        if outgoing.rings and robot is not None:
            await self._by_webhook.by_robot(outgoing, robot, reader)
            return self._handle(outgoing, reader)
        if outgoing.rings and self._cards is not None:
            handle = await self._as_card(self._cards, outgoing, reader)
            if handle is not None:
                return handle
        try:
            await self._by_api.to_group(outgoing, reader)
        except DeliveryFailed as failed:
            if robot is None or not says_no_group(failed.why):
                raise
            log.warning("the robot is not in a group: its custom robot speaks")
            await self._by_webhook.by_robot(outgoing, robot, reader)
        return self._handle(outgoing, reader)

    def _handle(self, outgoing: Outgoing, reader: Reader) -> str:
        """What a quotation of it will begin with, by whichever way it went."""
        call = self._name if outgoing.address.kind == "group" else ""
        first = encode.messages(outgoing.words, outgoing.card, reader, call)[0]
        return handle_of(outgoing.address.id, first.said)


def _is_to_press(outgoing: Outgoing) -> bool:
    return bool(plain.buttons_of(outgoing.card))
