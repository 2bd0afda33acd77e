"""The DingTalk adapter: an internal app's robot hears people and the groups that mention it, by
Stream or over HTTP, and writes to them.

Nothing can be answered in the response to what comes in, so every answer goes by the outbox, which
survives a crash and knows the order of a chat.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import datetime

import httpx

from adapters.alarms import Alarms
from adapters.contract import (
    EVERYWHERE,
    Capabilities,
    Checkup,
    Finding,
    Place,
    ReaderFor,
    Receive,
    Request,
    Response,
    Services,
)
from adapters.dingtalk import decode, doctor, encode, http
from adapters.dingtalk.api import DingtalkApi
from adapters.dingtalk.batches import Batches
from adapters.dingtalk.by_api import ByApi, Gate
from adapters.dingtalk.by_webhook import ByWebhook
from adapters.dingtalk.cards import Cards
from adapters.dingtalk.decode import Heard, Outsider
from adapters.dingtalk.directory import Directory
from adapters.dingtalk.limits import Quota, RobotTurns
from adapters.dingtalk.meter import Meter
from adapters.dingtalk.outsiders import Outsiders
from adapters.dingtalk.posting import Posting
from adapters.dingtalk.reading import NAME
from adapters.dingtalk.setup import Setup
from adapters.dingtalk.socket import CARDS, EVENTS, MESSAGES, Stream, Timings
from adapters.dingtalk.ways import WaysBack
from adapters.progress import Progress
from adapters.reading import Json
from adapters.wires import Connect
from bot.messages import Address, Event, Outgoing, Reader, Reply

HTTP_PATH = "/dingtalk/robot/{secret}"
# A busy group's answers gather meanwhile and leave as one message.
SECONDS_BETWEEN_MESSAGES = 1.0
# Words of the alarms.
APP_REFUSED, QUOTA_GONE = "app_refused", "quota_gone"

SUBSCRIPTIONS = (
    {"type": "EVENT", "topic": EVENTS},
    {"type": "CALLBACK", "topic": MESSAGES},
    {"type": "CALLBACK", "topic": CARDS},
)


class Unanswered(Exception):
    """DingTalk told us of somebody and does not say what has become of them."""


class DingtalkAdapter:
    """adapters.contract.Adapter for one DingTalk organisation."""

    name = NAME

    def __init__(
        self,
        setup: Setup,
        clock: Callable[[], datetime],
        reader_for: ReaderFor,
        *,
        transport: httpx.AsyncBaseTransport | None = None,
        connect: Connect | None = None,
        timings: Timings | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """`transport` and `connect` take the place of the network, `monotonic` of the clock by
        which the pace is kept.
        """
        self.setup = setup
        self.capabilities = capabilities_of(setup)
        self.paths: tuple[str, ...] = (HTTP_PATH,) if setup.mode == "http" else ()
        self.api = DingtalkApi(setup, clock, transport, monotonic)
        self.quota = Quota(clock)
        self.stream: Stream | None = None
        self._clock = clock
        self._connect = connect
        self._timings = timings
        self.meter = Meter(clock, setup.monthly_calls)
        self.api.counted = self.meter.count
        self._alarms = Alarms()
        self.outsiders = Outsiders(self.api, setup.locale, reader_for, clock)
        self._ways = WaysBack(clock)
        self.directory = Directory(self.api)
        gate, progress = Gate(self.quota, lambda: self.meter.is_low), Progress()
        self._cards = Cards(setup, self.api, gate)
        self._batches = Batches(self.api, setup.robot_code)
        by_webhook = ByWebhook(self.api, setup.bot_name, RobotTurns(monotonic), progress, clock)
        by_api = ByApi(
            self.api,
            self._batches,
            gate,
            self.directory,
            setup.robot_code,
            setup.bot_name,
            progress,
        )
        self.posting = Posting(
            setup, by_api, by_webhook, self._cards, self._ways, self._alarms.sound_while, clock
        )

    # --- life --------------------------------------------------------------------------------

    async def start(self, receive: Receive, services: Services) -> None:
        """Open the session and, in stream mode, begin to connect. Nothing waits for DingTalk."""
        await self.api.open()
        self._alarms.start(services.alarm)
        await self.meter.start(services.called, services.alarm)
        if self.setup.mode == "stream":
            self.stream = Stream(
                lambda: self.api.open_stream(SUBSCRIPTIONS),
                lambda topic, headers, data: self._framed(topic, headers, data, receive),
                acknowledged=self._acknowledged,
                timings=self._timings,
                connect=self._connect,
            )
            self.stream.start()

    async def stop(self) -> None:
        """Close everything, in a few seconds at most."""
        if self.stream is not None:
            await self.stream.stop()
            self.stream = None
        await self._batches.stop()
        await self.outsiders.stop()
        await self.meter.stop()
        await self.api.close()

    # --- in, over HTTP -----------------------------------------------------------------------

    async def receive(self, request: Request, receive: Receive) -> Response:
        """Answer one request of DingTalk's. Raises Rejected."""
        data = http.admit(request, self.setup)
        found = decode.message(data, request.now, bot_name=self.setup.bot_name, signed=False)
        await self._take(found, receive)
        return Response()

    # --- in, by Stream -----------------------------------------------------------------------

    async def _framed(self, topic: str, headers: Json, data: Json, receive: Receive) -> Json:
        """Hand over what a frame says; what goes into its acknowledgement."""
        now = self._clock()
        if topic == MESSAGES:
            found = decode.message(data, now, bot_name=self.setup.bot_name, signed=True)
            await self._take(found, receive)
            return {"response": None}
        if topic == CARDS:
            await self._pressed(data, str(headers.get("messageId", "")), now, receive)
            return {"response": {}}
        event_type, event_id = (str(headers.get(name, "")) for name in ("eventType", "eventId"))
        for event in decode.accounts(event_type, event_id, data, now):
            await self._account(event, receive)
        return {"status": "SUCCESS"}

    async def _pressed(self, data: Json, message_id: str, now: datetime, receive: Receive) -> None:
        event = decode.press(data, message_id, now)
        if event is None:
            return
        self._cards.is_pressed(message_id, str(data.get("outTrackId", "")))
        await self._heard(event, receive)

    def _acknowledged(self, headers: Json) -> None:
        """The answer to a frame has left, or never will."""
        self._cards.is_answered(str(headers.get("messageId", "")))

    # --- both --------------------------------------------------------------------------------

    async def _take(self, found: Heard | Outsider | None, receive: Receive) -> None:
        if isinstance(found, Outsider):
            self.outsiders.tell(found)
        elif found is not None:
            if found.way_back is not None:
                self._ways.keep(found.event.key, found.way_back)
            await self._heard(found.event, receive)

    async def _heard(self, event: Event, receive: Receive) -> Reply | None:
        """Hand the event over, and again with what DingTalk tells of those it names, if the bot
        wants to know.
        """
        if event.trusted:
            self.directory.remember(event.user)
        told = await receive(event)
        if told is not None and told.wants_more:
            told = await receive(await self.directory.introduce(event))
        return told

    async def _account(self, event: Event, receive: Receive) -> None:
        """Somebody left, says an event; what hangs on it is too much to believe it alone."""
        standing = await self.directory.standing(event.user.id)
        if standing == "unknown":
            raise Unanswered  # it comes again
        if standing == "gone":
            await receive(event.model_copy(update={"gone": True, "complete": True}))

    def answers_inline(self, event: Event, reply: Reply) -> bool:
        """An acknowledgement shows nobody anything."""
        return False

    # --- out ---------------------------------------------------------------------------------

    async def send(self, outgoing: Outgoing, reader: Reader) -> str:
        """Deliver by whichever way fits. Raises DeliveryFailed."""
        try:
            return await self.posting.send(outgoing, reader)
        finally:
            await self._alarms.sound_while(APP_REFUSED, self.api.trouble is not None)
            once = f"{self.quota.spell}.{self.setup.monthly_calls}"
            await self._alarms.sound_while(QUOTA_GONE, self.quota.is_exhausted, once)

    def can_ring(self, team: str) -> bool:
        """What is due is said in the group, too: with a real @ by a custom robot or a card, and
        plainly where there is neither.
        """
        return bool(team)

    def reaches(self) -> frozenset[Place]:
        """Everywhere, as long as DingTalk's API answers."""
        return EVERYWHERE

    def pace(self, address: Address) -> float:
        """Seconds between two messages to one chat."""
        return SECONDS_BETWEEN_MESSAGES if address.kind == "group" else 0.0

    # --- health ------------------------------------------------------------------------------

    def trouble(self) -> str | None:
        """Set while DingTalk refuses the app, or nothing is heard."""
        if self.api.trouble is not None:
            return self.api.trouble
        return self.stream.trouble() if self.stream is not None else None

    def notice(self) -> str | None:
        """Set while few calls are left this month, or none."""
        if self.quota.is_exhausted:
            return "the organisation's calls of this month are used up"
        if self.meter.is_low:
            return "few of the organisation's calls of this month are left: groups and digests wait"
        return None

    async def examine(self, checkup: Checkup) -> Sequence[Finding]:
        """Everything about DingTalk that can be asked; each finding names the page to open."""
        await self.api.open()
        try:
            return await doctor.examine(
                self.setup, self.api, checkup, self.posting.robot_of, SUBSCRIPTIONS
            )
        finally:
            await self.api.close()
            for month, made in self.meter.taken().items():
                checkup.called(month, made)


def capabilities_of(setup: Setup) -> Capabilities:
    """With a card template there are buttons, and cards that change; else everything is typed."""
    cards = bool(setup.card_template_id)
    return Capabilities(
        forms=False,
        buttons_in_groups=cards,
        buttons_in_direct=cards,
        private_in_groups=False,
        edits_in_groups=cards,
        edits_in_direct=cards,
        structured_mentions=True,
        folds=True,
        max_bytes=encode.TEXT_BYTES,
    )
