"""The WeCom adapter: three transports behind one face.

A self-built app speaks with people and hears them, and no group; an aibot hears groups where it is
mentioned, and writes to them; a group robot only writes, and rings phones. What came by the app is
answered in its response where that can say it; everything else goes by the outbox, which survives a
crash and knows the order of a chat.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections.abc import Callable, Sequence
from datetime import datetime

import httpx

from adapters import plain
from adapters.alarms import Alarms
from adapters.contract import (
    EVERYWHERE,
    Capabilities,
    Checkup,
    Finding,
    Place,
    ReaderFor,
    Receive,
    Rejected,
    Request,
    Response,
    Services,
)
from adapters.progress import Progress
from adapters.reading import Json
from adapters.waits import TAKE_AGAIN
from adapters.wecom import decode, doctor, encode, frames, http
from adapters.wecom.api import WecomApi
from adapters.wecom.by_app import ByApp
from adapters.wecom.by_bot import ByBot
from adapters.wecom.crypto import Envelope
from adapters.wecom.directory import Directory
from adapters.wecom.posting import Posting
from adapters.wecom.reading import BOT, NAME
from adapters.wecom.setup import LEAD, Callback, LongConnection, Setup
from adapters.wecom.socket import BotSocket, Timings
from adapters.windows import Windows
from adapters.wires import Connect
from bot.messages import Address, Answer, Event, Outgoing, Reader, Reply, text

log = logging.getLogger(__name__)

APP_PATH, BOT_PATH = "/wecom/app", "/wecom/bot"
# 30 a minute to one member or one chat, and 20 to a group robot:
# https://developer.work.weixin.qq.com/document/path/90454 and …/path/99110
SECONDS_BETWEEN_MESSAGES = 2.0
SECONDS_BETWEEN_ROBOT_MESSAGES = 3.0
# Word of the alarm.
APP_REFUSED = "app_refused"

# For somebody of whom nothing is known: not even which language they read.
SORRY = text("wecom.who_are_you")


class Unanswered(Exception):
    """WeCom told us of something and does not say what has become of it."""


class Unidentified(Exception):
    """WeCom gave an encrypted id and does not tell whose it is: nothing is done in its name."""


class WecomAdapter:
    """adapters.contract.Adapter for one WeCom corp."""

    name = NAME
    capabilities = Capabilities(
        forms=False,
        buttons_in_groups=False,
        buttons_in_direct=True,
        private_in_groups=False,
        edits_in_groups=False,
        edits_in_direct=True,
        structured_mentions=False,
        files=True,
        folds=True,
        max_bytes=encode.TEXT_BYTES,
    )

    def __init__(
        self,
        setup: Setup,
        clock: Callable[[], datetime],
        reader_for: ReaderFor,
        *,
        transport: httpx.AsyncBaseTransport | None = None,
        connect: Connect | None = None,
        timings: Timings | None = None,
        windows: Windows | None = None,
    ) -> None:
        """`transport` and `connect` take the place of the network, `windows` of the clock."""
        self.setup = setup
        self._clock = clock
        self._reader_for = reader_for
        self._connect = connect
        self._timings = timings
        # Not `or`: windows in which nobody has taken a turn yet are empty.
        self._windows = windows if windows is not None else Windows(time.monotonic)
        app, bot = setup.app, setup.bot
        corp_id, secret = (app.corp_id, app.secret) if app else ("", "")
        self._web = WecomApi(setup.api_url, corp_id, secret, clock, transport)
        self.api = self._web if app else None
        self._app_envelope = Envelope(app.token, app.aes_key, app.corp_id) if app else None
        self._bot_envelope = (
            Envelope(bot.token, bot.aes_key, "") if isinstance(bot, Callback) else None
        )
        self.paths: tuple[str, ...] = tuple(
            path
            for path, envelope in ((APP_PATH, self._app_envelope), (BOT_PATH, self._bot_envelope))
            if envelope is not None
        )
        self.directory = Directory(self.api)
        self.socket: BotSocket | None = None
        self._services: Services | None = None
        self._alarms = Alarms()
        self.posting = self._make_posting()

    def _make_posting(self) -> Posting:
        windows, progress = self._windows, Progress()
        app = bot = None
        if self.api is not None and self.setup.app is not None:
            agent_id = self.setup.app.agent_id
            app = ByApp(self.api, agent_id, self.directory, self._clock, windows, progress)
        if self.socket is not None:
            bot = ByBot(self.socket, self.setup.bot_name, windows, progress)
        return Posting(
            app, bot, self._web, self.setup.webhooks, self.setup.bot_name, windows, progress
        )

    # --- life --------------------------------------------------------------------------------

    async def start(self, receive: Receive, services: Services) -> None:
        """Open the session and, where we connect to the aibot, begin to. Nothing waits for it."""
        await self._web.open()
        self._services = services
        self._alarms.start(services.alarm)
        bot = self.setup.bot
        if isinstance(bot, LongConnection):
            self.socket = BotSocket(
                bot.url,
                bot.bot_id,
                bot.secret,
                lambda _cmd, frame: self._framed(frame, receive),
                lead=lambda: services.lead(LEAD),
                alarm=services.alarm,
                connected=services.wake,
                timings=self._timings,
                connect=self._connect,
            )
            self.socket.start()
        self.posting = self._make_posting()

    async def stop(self) -> None:
        """Close everything, in a few seconds at most, and let another have the line."""
        if self.socket is not None:
            await self.socket.stop()
            self.socket = None
            if self._services is not None:
                await self._resign(self._services)
        await self._web.close()

    async def _resign(self, services: Services) -> None:
        try:
            async with asyncio.timeout(1.0):
                await services.resign(LEAD)
        except Exception as error:
            log.warning("the lead runs out by itself: %s", type(error).__name__)

    # --- in, over HTTP -----------------------------------------------------------------------

    async def receive(self, request: Request, receive: Receive) -> Response:
        """Answer one request of WeCom's. Raises Rejected."""
        if request.path == APP_PATH and self._app_envelope is not None:
            return await self._app_called(request, self._app_envelope, receive)
        if request.path == BOT_PATH and self._bot_envelope is not None:
            return await self._bot_called(request, self._bot_envelope, receive)
        raise Rejected(404, "nothing of WeCom's is here")

    async def _app_called(self, request: Request, envelope: Envelope, receive: Receive) -> Response:
        found = http.admit_app(request, envelope)
        if isinstance(found, http.Echo):
            return Response(body=found.text.encode())
        event = decode.decode(found, request.now)
        told = await self._heard(event, receive) if event is not None else None
        if event is None or told is None or not decode.carries_answer(event):
            return Response()
        said = self._response(told)
        if said is None:
            return Response()
        body = http.app_reply(
            envelope,
            said,
            str(found.get("ToUserName", "")),
            str(found.get("FromUserName", "")),
            secrets.token_hex(8),
            self._clock(),
        )
        return Response(body=body, content_type="application/xml; charset=utf-8")

    async def _bot_called(self, request: Request, envelope: Envelope, receive: Receive) -> Response:
        """https://developer.work.weixin.qq.com/document/path/101031"""
        found = http.admit_bot(request, envelope)
        if isinstance(found, http.Echo):
            return Response(body=found.text.encode())
        event = frames.decode(found, request.now, self.setup.bot_name)
        said: str | None = None
        if event is not None:
            try:
                told = await self._heard(event, receive)
                said = self._markdown(event, told) if told is not None else None
            except Unidentified:
                said = plain.flat(SORRY, self._sorry_reader())
        if said is None or event is None or event.kind != "text":
            return Response()  # of a press nothing but a card could be the answer
        # A stream that begins with its end is an answer, and the only kind that is one.
        stream = {"id": secrets.token_hex(8), "finish": True, "content": said}
        nonce = request.query.get("nonce", "")
        body = http.bot_reply(
            envelope, {"msgtype": "stream", "stream": stream}, nonce, self._clock()
        )
        return Response(body=body, content_type="application/json; charset=utf-8")

    # --- in, by the long connection ----------------------------------------------------------

    async def _framed(self, frame: Json, receive: Receive) -> None:
        """Hand over what a frame says. It comes only once, so it is tried until it is taken."""
        body = frame.get("body")
        try:
            said = body if isinstance(body, dict) else {}
            event = frames.decode(said, self._clock(), self.setup.bot_name)
        except Rejected as rejected:
            log.info("an odd frame of the aibot's: %s", rejected)
            return
        if event is None:
            return
        for wait in (*TAKE_AGAIN, None):
            try:
                await self._heard(event, receive)
            except Unidentified:
                if wait is None:
                    assert self.posting.bot is not None
                    await self.posting.bot.say_at_once(event, SORRY, self._sorry_reader())
            except Exception as error:
                if wait is None:
                    raise
                log.warning("a frame could not be taken yet: %s", type(error).__name__)
            else:
                return
            await asyncio.sleep(wait or 0.0)

    # --- both --------------------------------------------------------------------------------

    async def _heard(self, event: Event, receive: Receive) -> Reply | None:
        """Hand the event over with what WeCom tells of who it is from."""
        if event.kind == "account":
            standing = await self.directory.standing(event.user.id)
            if standing == "unknown":
                raise Unanswered  # WeCom calls again in a moment
            if standing != "gone":
                return None
            return await receive(event.model_copy(update={"gone": True, "complete": True}))
        known = await self.directory.introduce(event)
        if known is not None:
            return await receive(known)
        log.warning("an event of somebody whom WeCom does not name was not taken: %s", event.key)
        raise Unidentified

    def _sorry_reader(self) -> Reader:
        return self._reader_for(self.setup.locale, "Asia/Shanghai", self._clock())

    def answers_inline(self, event: Event, reply: Reply) -> bool:
        """The response to an app's message, or to an aibot's callback, says what it can hold."""
        if event.key.startswith(f"{BOT}:"):
            return self._bot_envelope is not None and event.kind == "text"
        return decode.carries_answer(event) and self._response(reply) is not None

    def _response(self, reply: Reply) -> str | None:
        answer = _said(reply)
        if answer is None:
            return None
        return encode.response(answer.words, answer.card, self._reader_of(reply))

    def _markdown(self, event: Event, reply: Reply) -> str | None:
        answer = _said(reply)
        if answer is None:
            return None
        call = self.setup.bot_name if event.chat.kind == "group" else ""
        return encode.group(answer.words, answer.card, self._reader_of(reply), call)[0]

    def _reader_of(self, reply: Reply) -> Reader:
        return self._reader_for(reply.locale, reply.zone, reply.at)

    # --- out ---------------------------------------------------------------------------------

    async def send(self, outgoing: Outgoing, reader: Reader) -> str:
        """Deliver by the transport that reaches the place. Raises DeliveryFailed."""
        try:
            return await self.posting.send(outgoing, reader)
        finally:
            refused = self.api is not None and self.api.trouble is not None
            await self._alarms.sound_while(APP_REFUSED, refused)

    def can_ring(self, team: str) -> bool:
        """A group robot mentions people so that their phones ring."""
        return self.posting.webhook_of(team) is not None

    def reaches(self) -> frozenset[Place]:
        """Groups only while the aibot's connection is ours, unless robots have to do for it."""
        socket = self.socket
        if not isinstance(self.setup.bot, LongConnection):
            return EVERYWHERE
        robots = bool(self.setup.webhooks) and socket is not None and socket.trouble() is not None
        if robots or (socket is not None and socket.connected):
            return EVERYWHERE
        return EVERYWHERE - {"group"} if self.api is not None else EVERYWHERE - {"group", "person"}

    def pace(self, address: Address) -> float:
        """Seconds between two messages to one member or one chat."""
        if address.kind == "group" and not isinstance(self.setup.bot, LongConnection):
            return SECONDS_BETWEEN_ROBOT_MESSAGES
        return SECONDS_BETWEEN_MESSAGES

    # --- health ------------------------------------------------------------------------------

    def trouble(self) -> str | None:
        """Set while WeCom refuses the app, or while the aibot has no connection."""
        app = self.api.trouble if self.api is not None else None
        return app or (self.socket.trouble() if self.socket is not None else None)

    def notice(self) -> str | None:
        """Never any."""
        return None

    async def examine(self, checkup: Checkup) -> Sequence[Finding]:
        """Everything about WeCom that can be asked; each finding names the page to open."""
        await self._web.open()
        try:
            return await doctor.examine(
                self.setup,
                self._web,
                checkup,
                self._reader_for,
                self.posting.webhook_of,
                connect=self._connect,
            )
        finally:
            await self._web.close()


def _said(reply: Reply) -> Answer | None:
    """The answer, where it says anything."""
    answer = reply.answer
    return answer if answer is not None and (answer.words or answer.card) else None
