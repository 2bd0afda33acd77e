"""The aibot's long connection: it hears without a public address, and writes to whom it has heard.

https://developer.work.weixin.qq.com/document/path/101463

The vendor's client is dead for ever after a clean close, takes an open socket for a subscription,
and fights whoever took its place. WeCom allows one connection per bot and sends nothing twice, so:

- one replica alone connects, the one that has the lead;
- there is no way out of a line but into the next one, or into waiting for the lead;
- a line is one only when its subscription was acknowledged, and dead when pings go unanswered;
- where another client takes our place we step back for long and tell the admins: no fight;
- handlers run outside the reader, for the acknowledgements of what they send arrive there.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from adapters.contract import DeliveryFailed
from adapters.hands import Hands, end
from adapters.reading import Json, read_object
from adapters.waits import doubled, spread
from adapters.wecom.line import NOT_CONNECTED, NOT_SUBSCRIBED, BotRefused, Line, new_id
from adapters.wires import Connect, WebSockets, reason

log = logging.getLogger(__name__)

Handle = Callable[[str, Json], Awaitable[None]]
"""A cmd ("aibot_msg_callback" or "aibot_event_callback") and its frame {headers, body}."""

SUBSCRIBE = "aibot_subscribe"
MESSAGE, EVENT = "aibot_msg_callback", "aibot_event_callback"
KICKED = "disconnected_event"
WRONG_SECRET = 853000  # https://developer.work.weixin.qq.com/document/path/90313

# Words of the alarm.
BOT_REFUSED, BOT_KICKED = "bot_refused", "bot_kicked"


@dataclass(frozen=True, slots=True)
class Timings:
    """In seconds, but for `missed`; tests take shorter ones."""

    ping: float = 30.0
    missed: int = 2
    """After so many pings without an acknowledgement the line is broken, whatever TCP says."""
    subscribe: float = 10.0
    """For the handshake and the acknowledgement of the subscription, together."""
    answer: float = 10.0
    """From a command to its acknowledgement."""
    first_wait: float = 1.0
    longest_wait: float = 30.0
    settled: float = 60.0
    """A line that ended sooner was none: the next ones come at a slower and slower pace."""
    refused_wait: float = 300.0
    """After a no that only a person can change."""
    kicked_wait: float = 60.0
    """After another client took our place; doubled while that goes on."""
    longest_kicked_wait: float = 1800.0
    lead: float = 5.0
    """Between two looks whether the connection is ours to have: a third of what the lead lasts."""
    unconnected: float = 30.0
    """Without the connection that we should have for so long, readiness is red."""
    finish: float = 3.0
    close: float = 1.0
    """`stop` takes these two together at most: less than an orchestrator gives anybody."""


class BotSocket:
    """Keeps the one connection while we have the lead, hands over what comes and sends commands.

    `lead` takes or keeps the lead for fifteen seconds and says whether it is ours. `alarm` is told
    "bot_refused" when the id or the secret is wrong, and "bot_kicked" when another client took our
    place, each once until it is over. WeCom may send a callback twice, and never one that was lost.
    """

    def __init__(
        self,
        url: str,
        bot_id: str,
        secret: str,
        handle: Handle,
        *,
        lead: Callable[[], Awaitable[bool]],
        alarm: Callable[[str], Awaitable[None]],
        connected: Callable[[], None] = lambda: None,
        timings: Timings | None = None,
        connect: Connect | None = None,
    ) -> None:
        self._url = url
        self._credentials: Json = {"bot_id": bot_id, "secret": secret}
        self._lead = lead
        self._alarm = alarm
        self._connected = connected
        self._timings = timings or Timings()
        self._web = WebSockets()
        self._connect: Connect = connect or self._web
        self._handle = handle
        self._hands = Hands("a callback of the aibot")
        self._keeper: asyncio.Task[None] | None = None
        self._line: Line | None = None
        self._looked_at = 0.0
        self._not_before = 0.0
        self._failures = 0
        self._kicks = 0
        self._told: set[str] = set()
        self._alone_since: float | None = None
        self._why = "not connected yet"
        self.heard_at: float | None = None
        """When the last frame came, pings' acknowledgements too, by the loop's clock."""
        self.callback_at: float | None = None
        """When the last callback came, by the loop's clock."""

    # --- life ----------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin to connect; call on the loop. Nothing waits for WeCom."""
        self._keeper = asyncio.create_task(self._keep())

    async def stop(self) -> None:
        """Let what is in hand finish and close, all within a few seconds. The lead stays ours."""
        keeper, self._keeper = self._keeper, None
        # The line is read meanwhile: acknowledgements come by it, and callbacks come only once.
        await self._hands.finish(self._timings.finish)
        await self._end({*self._hands.tasks, *([keeper] if keeper else [])})
        self._alone_since = None
        await self._web.close(self._timings.close)

    async def _end(self, tasks: set[asyncio.Task[None]]) -> None:
        await end(tasks, self._timings.close, "the aibot's WebSocket")

    # --- for the adapter -----------------------------------------------------------------------

    async def ask(self, cmd: str, body: Json, req_id: str | None = None) -> Json:
        """Send a command, those of one req_id in turn, and give the frame that acknowledges it.

        Raises BotRefused for an errcode, and DeliveryFailed: "retry" when surely nothing was sent,
        "unknown" when it was and no acknowledgement came.
        """
        line = self._line
        if line is None:
            raise DeliveryFailed("retry", NOT_CONNECTED, after=1.0)
        try:
            return await line.ask(cmd, body, req_id or new_id(cmd), self._timings.answer)
        except BotRefused as refused:
            # Right after the subscription this passes by itself; later it does not.
            if refused.code == NOT_SUBSCRIBED and _now() - line.subscribed_at > self._timings.ping:
                line.end("its subscription is gone")
            raise

    def trouble(self) -> str | None:
        """Why nothing can be heard, once that has lasted a while. None where it is not our turn."""
        if self._alone_since is None or _now() - self._alone_since < self._timings.unconnected:
            return None
        return f"the aibot's WebSocket has no connection: {self._why}"

    @property
    def connected(self) -> bool:
        """Whether there is a line, and its subscription was acknowledged."""
        return self._line is not None

    @property
    def in_hand(self) -> frozenset[asyncio.Task[None]]:
        """One task for each callback that is being handled or waits for it."""
        return frozenset(self._hands.tasks)

    async def idle(self) -> None:
        """Returns when nothing is in hand."""
        await self._hands.finish()

    # --- keeping a line --------------------------------------------------------------------------

    async def _keep(self) -> None:
        """One line after another, for ever."""
        while True:
            try:
                wait = await self._turn()
            except Exception:
                log.exception("keeping the aibot's WebSocket failed")
                wait = spread(self._timings.longest_wait)
            await asyncio.sleep(wait)

    async def _turn(self) -> float:
        """One try, and the whole life of what it gives; the seconds until the next."""
        if not await self._leads():
            return self._timings.lead
        if (left := self._not_before - _now()) > 0:
            # The lead is kept meanwhile: another of us would not wait.
            return min(left, self._timings.lead)
        try:
            line = await self._live()
        except Exception as error:
            return await self._after_failure(error)
        return await self._after(line)

    async def _leads(self) -> bool | None:
        """Whether the connection is ours to have; None when nobody knows."""
        self._looked_at = _now()
        leads: bool | None = None
        try:
            async with asyncio.timeout(self._timings.lead):
                leads = await self._lead()
        except Exception as error:
            self._why = f"who has the lead cannot be found out: {type(error).__name__}"
            log.warning("aibot: %s", self._why)
        if leads is False:
            self._alone_since = None
        elif self._line is None and self._alone_since is None:
            self._alone_since = _now()
        return leads

    async def _live(self) -> Line:
        """Connect, subscribe, and stay until the line is over; then it is closed.

        Raises what kept it from being subscribed.
        """
        until = _now() + self._timings.subscribe
        async with asyncio.timeout_at(until):
            line = Line(await self._connect(self._url))
        tasks = {asyncio.create_task(self._read(line))}
        try:
            await self._subscribe(line, until - _now())
            tasks |= {
                asyncio.create_task(self._ping(line)),
                asyncio.create_task(self._watch(line)),
            }
            await line.over.wait()
        finally:
            if self._line is line:
                self._line, self._alone_since = None, _now()
            line.end("it was given up")
            try:
                await self._end(tasks)
            finally:
                await line.close(self._timings.close)
        return line

    async def _subscribe(self, line: Line, patience: float) -> None:
        line.subscribed_at = _now()
        try:
            await line.ask(SUBSCRIBE, self._credentials, new_id(SUBSCRIBE), patience)
        except DeliveryFailed:
            if line.is_kicked:
                return
            raise ConnectionError("the subscription was not acknowledged") from None
        self._line, self._alone_since = line, None
        self._told.discard(BOT_REFUSED)
        log.info("the aibot's WebSocket is subscribed")
        self._connected()

    async def _after_failure(self, error: Exception) -> float:
        """No line came about."""
        self._failures += 1
        self._why = reason(error, BotRefused)
        wait = spread(self._pause())
        if isinstance(error, BotRefused) and error.code == WRONG_SECRET:
            wait = spread(self._timings.refused_wait)
            await self._tell(BOT_REFUSED)
        log.warning("the aibot's WebSocket does not connect: %s; again in %.0f s", self._why, wait)
        return wait

    async def _after(self, line: Line) -> float:
        """A line is over."""
        stayed = _now() - line.subscribed_at
        self._why = line.why
        self._failures = 0 if stayed >= self._timings.settled else self._failures + 1
        log.info("the aibot's WebSocket was there for %.0f s: %s", stayed, line.why)
        if line.is_kicked:
            return await self._after_kick(stayed)
        return spread(self._pause())

    async def _after_kick(self, stayed: float) -> float:
        """Another client subscribed. If it has the lead it is one of us, and all is well."""
        if await self._leads() is False:
            return self._timings.lead
        # Two that wait alike kick each other at the pace at which they wait: that is no peace yet.
        if self._kicks and stayed >= 3 * self._kicked_wait():
            self._kicks = 0
            self._told.discard(BOT_KICKED)
        self._kicks += 1
        wait = spread(self._kicked_wait())
        self._not_before = _now() + wait
        log.warning("another client took the aibot's place; again in %.0f s", wait)
        await self._tell(BOT_KICKED)
        return min(wait, self._timings.lead)

    def _pause(self) -> float:
        """Seconds, doubling, until what has failed so many times is tried again."""
        return doubled(self._timings.first_wait, self._timings.longest_wait, self._failures)

    def _kicked_wait(self) -> float:
        return doubled(self._timings.kicked_wait, self._timings.longest_kicked_wait, self._kicks)

    async def _tell(self, word: str) -> None:
        """Once, until it is over; what could not be told is told the next time."""
        if word in self._told:
            return
        try:
            async with asyncio.timeout(self._timings.answer):
                await self._alarm(word)
            self._told.add(word)
        except Exception:
            log.exception("the alarm %s could not be told", word)

    # --- one line --------------------------------------------------------------------------------

    async def _read(self, line: Line) -> None:
        """Every way out of here ends the line."""
        why = "it was closed"
        try:
            while (text := await line.read()) is not None:
                self.heard_at = _now()
                await self._take(line, text)
        except Exception as error:
            why = f"it broke: {type(error).__name__}"
        finally:
            line.end(why)

    async def _take(self, line: Line, text: str) -> None:
        try:
            said = read_object(text)
        except (ValueError, RecursionError):
            log.warning("the aibot's WebSocket brought something that is no JSON object")
            return
        cmd, headers, body = said.get("cmd"), said.get("headers"), said.get("body")
        req_id = headers.get("req_id") if isinstance(headers, dict) else None
        if cmd == EVENT and _is_kick(body):
            line.is_kicked = True
            line.end("another client subscribed")
        elif not isinstance(req_id, str):
            log.warning("the aibot's WebSocket brought a frame without req_id")
        elif not cmd:
            line.acknowledge(req_id, said)
        elif cmd in (MESSAGE, EVENT) and isinstance(body, dict):
            self.callback_at = self.heard_at
            # With very much in hand the line is not read on: TCP tells WeCom to wait.
            line.is_held = True
            await self._hands.take(partial(self._handle, cmd, said))
            line.is_held = False
        else:
            log.info("the aibot's WebSocket brought a frame that is none of ours")

    async def _ping(self, line: Line) -> None:
        """Ping, and notice when nothing comes back."""
        while True:
            await asyncio.sleep(self._timings.ping)
            if len(line.unanswered) >= self._timings.missed and not line.is_held:
                line.is_dead = True
                line.end(f"{len(line.unanswered)} pings were not acknowledged")
                return
            await line.ping(self._timings.ping)

    async def _watch(self, line: Line) -> None:
        """Give the line up when the lead is lost, or may be."""
        doubts = 0
        while True:
            # From the beginning of one look to the next: what hangs must not outlast the lead.
            await asyncio.sleep(max(0.0, self._looked_at + self._timings.lead - _now()))
            leads = await self._leads()
            doubts = doubts + 1 if leads is None else 0
            if leads is False or doubts >= 2:
                line.end("the lead is lost")
                return


def _is_kick(body: Any) -> bool:
    event = body.get("event") if isinstance(body, dict) else None
    return isinstance(event, dict) and event.get("eventtype") == KICKED


def _now() -> float:
    return asyncio.get_running_loop().time()
