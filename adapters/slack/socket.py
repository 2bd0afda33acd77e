"""Socket Mode: the same payloads over WebSockets that we open, so no public address is needed.

https://docs.slack.dev/apis/events-api/using-socket-mode

slack_sdk's client closes the old connection before it opens the next, keeps what it received in
memory only, and has been seen to go on living without hearing anything. This one is small and knows
what matters to us:

- two connections at all times, each with a loop of its own that never ends but by `stop`;
- a connection that is told to go is replaced first and closed after, so there is no gap;
- a connection on which nothing was heard, not even a pong, is dead and is replaced;
- an envelope is acknowledged when what it asked for is committed, never before; whatever was not
  acknowledged comes again, and the inbox knows it.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import aiohttp

from adapters.contract import DeliveryFailed, Rejected
from adapters.reading import read_object
from adapters.slack.api import SlackRefused
from adapters.waits import doubled, spread

log = logging.getLogger(__name__)

Json = dict[str, Any]
Handle = Callable[[Json], Awaitable[str]]
"""A payload → the body of its response, as over HTTP. Raises Rejected for an odd one."""

LARGEST_FRAME = 4 * 2**20


@dataclass(frozen=True, slots=True)
class Timings:
    """In seconds; tests take shorter ones."""

    ping: float = 10.0
    dead: float = 30.0
    """Without any frame for so long, the line is broken, whatever TCP says."""
    hello: float = 10.0
    """From the handshake to Slack's first word."""
    settled: float = 60.0
    """A connection that ended sooner was none: the next ones come at a slower and slower pace."""
    idle: float = 3600.0
    """Without any envelope for so long, a connection is renewed: pongs alone prove little."""
    grace: float = 15.0
    """A replaced connection may go on for so long: Slack closes it, and acknowledges pass."""
    first_wait: float = 1.0
    longest_wait: float = 60.0
    refused_wait: float = 300.0
    """After a no that only a person can change."""
    unconnected: float = 30.0
    """Without any connection for so long, readiness is red."""
    finish: float = 3.0
    close: float = 1.0
    """`stop` takes these two together at most: less than an orchestrator gives anybody."""


# https://docs.slack.dev/reference/methods/apps.connections.open#errors
NEEDS_A_PERSON = frozenset(
    {
        "account_inactive",
        "app_uninstalled",
        "forbidden_team",
        "invalid_auth",
        "missing_scope",
        "not_allowed_token_type",
        "not_authed",
        "socket_mode_not_enabled",
        "token_expired",
        "token_revoked",
    }
)
AT_ONCE = 100
# Those that leave a line open.
FRAMES = frozenset(
    {
        aiohttp.WSMsgType.BINARY,
        aiohttp.WSMsgType.PING,
        aiohttp.WSMsgType.PONG,
        aiohttp.WSMsgType.TEXT,
    }
)


class Line:
    """One WebSocket. `done` is set when it needs to be replaced, `closed` when it is no more."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse, number: int, now: float) -> None:
        self.socket = socket
        self.number = number
        self.heard_at = now
        self.envelope_at = now
        self.done = asyncio.Event()
        self.closed = asyncio.Event()
        self.why = ""
        self.is_held = False
        """There is so much in hand that this line is not read: its silence is ours."""

    def finish(self, why: str) -> None:
        """It needs to be replaced."""
        self.why = self.why or why
        self.done.set()


class SocketMode:
    """Keeps `connections` lines open and hands each payload to `handle`.

    `open_url` calls apps.connections.open: https://docs.slack.dev/reference/methods/apps.connections.open
    """

    def __init__(
        self,
        open_url: Callable[[], Awaitable[str]],
        handle: Handle,
        *,
        connections: int = 2,
        timings: Timings | None = None,
    ) -> None:
        self._open_url = open_url
        self._handle = handle
        self._connections = connections
        self._timings = timings or Timings()
        self._opening = asyncio.Lock()
        self._room = asyncio.Semaphore(AT_ONCE)
        self._session: aiohttp.ClientSession | None = None
        self._keepers: list[asyncio.Task[None]] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._in_hand: set[asyncio.Task[None]] = set()
        self._lines: set[Line] = set()
        self._count = 0
        self._alone_since: float | None = None
        self._why = "not connected yet"

    # --- life ----------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin to connect; call on the loop. Nothing waits for Slack."""
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=self._timings.hello)
        self._session = aiohttp.ClientSession(timeout=timeout, trust_env=True)
        self._alone_since = self._now()
        self._keepers = [asyncio.create_task(self._keep()) for _ in range(self._connections)]

    async def stop(self) -> None:
        """Let what is being handled finish and close, all within a few seconds."""
        keepers, self._keepers = set(self._keepers), []
        await asyncio.gather(self._end(keepers), self._finish())
        closing = (self._close(line) for line in tuple(self._lines))
        await asyncio.gather(self._end({*self._tasks, *self._in_hand}), *closing)
        if self._session is not None:
            with suppress(TimeoutError):
                async with asyncio.timeout(self._timings.close):
                    await self._session.close()
            self._session = None

    async def _finish(self) -> None:
        """The lines are read until nothing is in hand: a command would not come again."""
        ends = self._now() + self._timings.finish
        while self._in_hand and (left := ends - self._now()) > 0:
            await asyncio.wait(self._in_hand, timeout=left)

    async def _end(self, tasks: set[asyncio.Task[None]]) -> None:
        """Cancel, and again where a library swallowed it; what never ends keeps nobody."""
        for _ in range(2):
            for task in tasks:
                task.cancel()
            if tasks:
                _, tasks = await asyncio.wait(tasks, timeout=self._timings.close / 2)
        if tasks:
            log.error("Socket Mode leaves %d tasks behind that do not end", len(tasks))

    def trouble(self) -> str | None:
        """Why nothing can be heard, once that has lasted a while."""
        if self._alone_since is None:
            return None
        if self._now() - self._alone_since < self._timings.unconnected:
            return None
        return f"Socket Mode has no connection: {self._why}"

    @property
    def connected(self) -> int:
        """How many lines have said hello and are not closed."""
        return len(self._lines)

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()

    # --- keeping one line ------------------------------------------------------------------------

    async def _keep(self) -> None:
        """One line after another, the next before the last is closed."""
        last: Line | None = None
        failures = brief = 0
        while True:
            try:
                line = await self._connect()
            except Exception as error:
                failures += 1
                await asyncio.sleep(self._after_failure(error, failures))
                continue
            failures = 0
            if last is not None:
                self._spawn(self._outlive(last))
            last = line
            began = self._now()
            await line.done.wait()
            log.info("Socket Mode connection %d is to be replaced: %s", line.number, line.why)
            brief = brief + 1 if self._now() - began < self._timings.settled else 0
            if brief:
                await asyncio.sleep(spread(self._pause(brief)))

    def _pause(self, times: int) -> float:
        """Seconds, doubling, until what has failed so many times is tried again."""
        return doubled(self._timings.first_wait, self._timings.longest_wait, times)

    def _after_failure(self, error: Exception, failures: int) -> float:
        """Seconds to wait before the next try."""
        self._why = _why(error)
        wait = self._pause(failures)
        if isinstance(error, SlackRefused):
            if error.code in NEEDS_A_PERSON:
                wait = self._timings.refused_wait
            wait = error.after or wait
        log.warning("Socket Mode does not connect: %s; again in %.0f s", self._why, wait)
        return spread(wait)

    async def _connect(self) -> Line:
        """A line that has said hello. Raises what went wrong."""
        if self._session is None:
            raise RuntimeError("connecting before start()")
        async with self._opening:  # apps.connections.open is for once a minute, with bursts
            url = await self._open_url()
        async with asyncio.timeout(self._timings.hello):
            socket = await self._greeted(self._session, url)
        self._count += 1
        line = Line(socket, self._count, self._now())
        self._lines.add(line)
        self._alone_since = None
        log.info("Socket Mode connection %d is open, %d in all", line.number, len(self._lines))
        self._spawn(self._read(line))
        self._spawn(self._watch(line))
        return line

    async def _greeted(
        self, session: aiohttp.ClientSession, url: str
    ) -> aiohttp.ClientWebSocketResponse:
        # Pings are answered by ourselves, so that pongs are seen.
        socket = await session.ws_connect(url, autoping=False, max_msg_size=LARGEST_FRAME)
        try:
            await self._await_hello(socket)
        except BaseException:
            with suppress(Exception):
                async with asyncio.timeout(self._timings.close):
                    await socket.close()
            raise
        return socket

    @staticmethod
    async def _await_hello(socket: aiohttp.ClientWebSocketResponse) -> None:
        while True:
            frame = await socket.receive()
            if frame.type == aiohttp.WSMsgType.PING:
                await socket.pong(frame.data)
            elif frame.type not in FRAMES:
                raise ConnectionError("closed before it said hello")
            said = _parsed(frame.data) if frame.type == aiohttp.WSMsgType.TEXT else None
            if said and said.get("type") == "hello":
                return
            if said and said.get("type") == "disconnect":
                raise ConnectionError(f"turned away: {said.get('reason')}")

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _outlive(self, line: Line) -> None:
        """Slack closes a line it told to go; until then it may still bring something."""
        with suppress(TimeoutError):
            async with asyncio.timeout(self._timings.grace):
                await line.closed.wait()
        await self._close(line)

    async def _close(self, line: Line) -> None:
        with suppress(Exception):
            async with asyncio.timeout(self._timings.close):
                await line.socket.close()
        self._is_closed(line)

    def _is_closed(self, line: Line) -> None:
        line.closed.set()
        line.finish("it was closed")
        self._lines.discard(line)
        if not self._lines and self._alone_since is None:
            self._alone_since = self._now()
            self._why = line.why

    # --- one line --------------------------------------------------------------------------------

    async def _read(self, line: Line) -> None:
        """Every way out of here leaves the line closed and asks for the next."""
        try:
            while True:
                frame = await line.socket.receive()
                if frame.type not in FRAMES:
                    break
                line.heard_at = self._now()
                if frame.type == aiohttp.WSMsgType.TEXT:
                    await self._take(line, _parsed(frame.data))
                elif frame.type == aiohttp.WSMsgType.PING:
                    await line.socket.pong(frame.data)
        except Exception as error:
            line.finish(f"the line broke: {type(error).__name__}")
        finally:
            await self._close(line)

    async def _take(self, line: Line, said: Json | None) -> None:
        if said is None:
            log.warning("Socket Mode brought something that is no JSON object")
        elif said.get("type") == "disconnect":
            # https://docs.slack.dev/apis/events-api/using-socket-mode#disconnect
            line.finish(f"Slack asks for it ({said.get('reason')})")
        elif isinstance(said.get("envelope_id"), str) and isinstance(said.get("payload"), dict):
            line.envelope_at = line.heard_at
            # With very much in hand the line is not read on: TCP tells Slack to wait.
            line.is_held = True
            await self._room.acquire()
            line.is_held = False
            line.heard_at = self._now()
            task = asyncio.create_task(self._answer(line, said))
            self._in_hand.add(task)
            task.add_done_callback(self._in_hand.discard)

    async def _answer(self, line: Line, envelope: Json) -> None:
        """Handle one envelope and acknowledge it; what failed is left to come again."""
        try:
            body = await self._handle(envelope["payload"])
        except Rejected as rejected:
            log.info("an odd payload by Socket Mode: %s", rejected)
            body = ""
        except Exception:
            log.exception("a payload by Socket Mode failed and is not acknowledged")
            return
        finally:
            self._room.release()
        said: Json = {"envelope_id": envelope["envelope_id"]}
        payload = _parsed(body)
        if payload and envelope.get("accepts_response_payload"):
            said["payload"] = payload
        with suppress(aiohttp.ClientError, ConnectionError):
            await line.socket.send_str(json.dumps(said, ensure_ascii=False))

    async def _watch(self, line: Line) -> None:
        """Ping, and notice when nothing comes back."""
        while not line.closed.is_set():
            with suppress(TimeoutError):
                async with asyncio.timeout(self._timings.ping):
                    await line.closed.wait()
                return
            now = self._now()
            if now - line.heard_at > self._timings.dead and not line.is_held:
                line.finish(f"nothing was heard for {now - line.heard_at:.0f} s")
                await self._close(line)
                return
            if now - line.envelope_at > self._timings.idle:
                line.finish("no envelope for long")
            # A line that takes nothing any more must not keep us from noticing it.
            with suppress(aiohttp.ClientError, ConnectionError, TimeoutError):
                async with asyncio.timeout(self._timings.ping):
                    await line.socket.ping()


def _why(error: Exception) -> str:
    """What went wrong, without the address: the ticket in it would open a connection."""
    if isinstance(error, SlackRefused | DeliveryFailed) or type(error) is ConnectionError:
        return str(error)
    status = getattr(error, "status", None)
    return f"{type(error).__name__} {status}" if status else type(error).__name__


def _parsed(text: str) -> Json | None:
    """A JSON object, or None."""
    try:
        return read_object(text)
    except (ValueError, RecursionError):
        return None


async def opened_url(ask: Callable[[str, Json], Awaitable[Json]]) -> str:
    """The address that apps.connections.open gives. Raises SlackRefused or DeliveryFailed."""
    url = (await ask("apps.connections.open", {})).get("url")
    if not isinstance(url, str) or not url.startswith(("wss://", "ws://")):
        raise DeliveryFailed("retry", "Slack gave no address for Socket Mode")
    return url
