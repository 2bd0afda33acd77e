"""Socket Mode's server side: tickets, handshakes, `hello`, pings; all of it in the server's loop.

https://docs.slack.dev/apis/events-api/using-socket-mode
"""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import Any

from aiohttp import WSMessage, WSMsgType, web

from tests.platforms.slack_model import Json, RefusalError, Workspace

MOST_CONNECTIONS = 10
HOST = "applink-1"


@dataclass(eq=False)
class Connection:
    id: int
    ws: web.WebSocketResponse
    transport: asyncio.Transport
    opened: float = 0.0  # when `hello` was sent; 0 before
    pings: int = 0  # the app's, heard
    pongs: int = 0  # the app's answers to ours
    envelopes: list[str] = field(default_factory=list)
    told: list[str] = field(default_factory=list)  # the reasons of its `disconnect`s
    starved: bool = False  # this line alone is half dead


@dataclass
class Disconnect:
    """One `disconnect` that a connection was told; times are the workspace's."""

    connection: int
    reason: str
    told: float
    replaced: float | None = None  # when a newer connection was greeted
    closed: float | None = None
    overlapped: bool = False  # the replacement came before the end


@dataclass
class Delivery:
    envelope: Json
    connections: list[int] = field(default_factory=list)  # where it was sent
    acknowledged_by: int | None = None
    answer: Json = field(default_factory=dict)
    error: str | None = None


class Links:
    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self.enabled = True
        self.opened = 0  # greeted connections, those that are gone too
        self.disconnects: list[Disconnect] = []
        self.deliveries: list[Delivery] = []
        self.ping_every: float | None = None  # our own pings; connections opened later follow it
        self.slow_hello = 0.0
        # Every line is half dead: open, and nothing comes through it, neither pong nor envelope.
        self.starve_pongs = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._later: set[asyncio.Task[None]] = set()
        self._tickets: set[str] = set()
        self._lines: list[Connection] = []
        self._serial = 0
        self._refusals = 0

    @property
    def connections(self) -> list[Connection]:
        """The live ones that were greeted, the oldest first."""
        with self.workspace.changed:
            return [line for line in self._lines if line.opened]

    # https://docs.slack.dev/reference/methods/apps.connections.open
    def open_url(self, origin: str) -> str:
        """An address with a ticket for one connection."""
        if not self.enabled:
            raise RefusalError("socket_mode_not_enabled")
        ticket = secrets.token_hex(16)
        self._tickets.add(ticket)
        address = "ws" + origin.removeprefix("http")
        return f"{address}/link/?ticket={ticket}&app_id={self.workspace.app_id}"

    async def link(self, request: web.Request) -> web.StreamResponse:
        if self._refusals:
            self._refusals -= 1
            return web.Response(status=500, text="upstream connect error")
        ticket = request.query.get("ticket", "")
        if ticket not in self._tickets:
            return web.Response(status=404, text="no such ticket")
        ws = web.WebSocketResponse(timeout=0.5, autoping=False, autoclose=False)
        await ws.prepare(request)
        self._tickets.discard(ticket)
        transport = request.transport
        if transport is None:
            return ws
        if len(self._lines) >= MOST_CONNECTIONS:
            # https://github.com/slackapi/bolt-js/issues/2021 — the goodbye comes instead of hello.
            await ws.send_json(goodbye("too_many_websockets"))
            return ws
        with self.workspace.changed:
            self._serial += 1
            line = Connection(self._serial, ws, transport)
            self._lines.append(line)
        await self._attend(line)
        return ws

    async def start(self) -> None:
        self._loop = asyncio.get_running_loop()

    async def stop(self) -> None:
        """The lines just end: a goodbye would wait for an app whose loop may stand still."""
        for task in self._later:
            task.cancel()
        for line in list(self._lines):
            line.transport.abort()
        self._loop = None

    async def _attend(self, line: Connection) -> None:
        tasks = [asyncio.create_task(self._greet(line)), asyncio.create_task(self._ping(line))]
        try:
            while await self._heard(line, await line.ws.receive()):
                pass
            # aiohttp has no event for a transport that closes under a handler.
            while self._is_dumb(line) and not line.transport.is_closing():  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        finally:
            for task in tasks:
                task.cancel()
            self._gone(line)

    async def _greet(self, line: Connection) -> None:
        await asyncio.sleep(self.slow_hello)
        if self._is_dumb(line):
            return
        with self.workspace.changed:
            now = line.opened = self.workspace.now()
            self.opened += 1
            hello = _hello(self.workspace.app_id, len(self.connections))
            waiting = [d for d in self.disconnects if d.replaced is None]
            for disconnect in waiting:
                if disconnect.connection == waiting[0].connection:
                    disconnect.replaced = now
                    disconnect.overlapped = disconnect.closed is None
            self.workspace.changed.notify_all()
        await self._send(line, json.dumps(hello))

    async def _ping(self, line: Connection) -> None:
        while self.ping_every is not None:
            await asyncio.sleep(self.ping_every)
            if not self._is_dumb(line):
                await _unless_gone(line.ws.ping(f"Ping from {HOST}".encode()))

    async def _heard(self, line: Connection, message: WSMessage) -> bool:
        """False when this was the last of it."""
        if message.type is WSMsgType.TEXT:
            self._acknowledged(line, message.data)
        elif message.type is WSMsgType.PING:
            line.pings += 1
            if not self._is_dumb(line):
                await _unless_gone(line.ws.pong(message.data))
        elif message.type is WSMsgType.PONG:
            line.pongs += 1
        return message.type in (WSMsgType.TEXT, WSMsgType.BINARY, WSMsgType.PING, WSMsgType.PONG)

    async def _send(self, line: Connection, text: str, delivery: Delivery | None = None) -> bool:
        if self._is_dumb(line):
            return True  # it left, as far as Slack can tell
        if not await _unless_gone(line.ws.send_str(text)):
            return False
        if delivery is not None:
            with self.workspace.changed:
                line.envelopes.append(delivery.envelope["envelope_id"])
                delivery.connections.append(line.id)
        return True

    async def _tell(self, lines: list[Connection], text: str, close_after: float | None) -> None:
        for line in lines:
            await self._send(line, text)
        if close_after is not None:
            task = asyncio.create_task(self._close(lines, close_after))
            self._later.add(task)
            task.add_done_callback(self._later.discard)

    async def _close(self, lines: list[Connection], after: float) -> None:
        await asyncio.sleep(after)
        for line in lines:
            if self._is_dumb(line):
                line.transport.abort()
            else:
                await line.ws.close()

    def _gone(self, line: Connection) -> None:
        with self.workspace.changed:
            self._lines.remove(line)
            for disconnect in self.disconnects:
                if disconnect.connection == line.id:
                    disconnect.closed = self.workspace.now()
            self.workspace.changed.notify_all()

    def _acknowledged(self, line: Connection, text: str) -> None:
        try:
            said = json.loads(text)
        except ValueError:
            return
        if not isinstance(said, dict):
            return
        with self.workspace.changed:
            for delivery in self.deliveries:
                waiting = delivery.acknowledged_by is None
                if waiting and delivery.envelope["envelope_id"] == said.get("envelope_id"):
                    delivery.acknowledged_by = line.id
                    delivery.answer = said.get("payload") or {}
            self.workspace.changed.notify_all()

    def _is_dumb(self, line: Connection) -> bool:
        return self.starve_pongs or line.starved


async def _unless_gone(sending: Coroutine[Any, Any, None]) -> bool:
    try:
        await sending
    except ConnectionError:
        return False
    return True


def _hello(app_id: str, connections: int) -> Json:
    return {
        "type": "hello",
        "num_connections": connections,
        "debug_info": {
            "host": HOST,
            "started": "2026-11-23 01:00:00.000",
            "build_number": 54,
            "approximate_connection_time": 18060,
        },
        "connection_info": {"app_id": app_id},
    }


def goodbye(reason: str) -> Json:
    return {"type": "disconnect", "reason": reason, "debug_info": {"host": HOST}}
