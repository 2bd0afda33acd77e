"""DingTalk's Stream mode behind real WebSockets, and where one asks for them.

https://opensource.dingtalk.com/developerpedia/docs/learn/stream/protocol
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

from aiohttp import web

from tests.platforms.dingtalk_gateway import Gateway, HandshakeRefused, OpenRefused
from tests.platforms.dingtalk_model import Org
from tests.platforms.socket_thread import SocketThread
from tests.platforms.wires import FarEnd, Put

TICK = 0.02
"""Seconds of the wall clock between two looks at the organisation's clock."""


class StreamServer(SocketThread):
    """`with StreamServer(gateway) as server: …`. The gateway tells its address from then on."""

    path = "/connect"

    def __init__(self, org: Org | Gateway) -> None:
        super().__init__()
        self.gateway = org if isinstance(org, Gateway) else Gateway(org)
        self.org = self.gateway.org

    @property
    def url(self) -> str:
        """Of the WebSockets, without a ticket."""
        return f"ws://127.0.0.1:{self.port}{self.path}"

    @property
    def api_url(self) -> str:
        """Where connections/open is served, and nothing else."""
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> StreamServer:
        super().__enter__()
        self.gateway.endpoint = self.url
        return self

    def dial(self, request: web.Request, put: Put) -> FarEnd:
        """With the ticket that stands in the address."""
        try:
            return self.gateway.connect(request.query.get("ticket", ""), put)
        except HandshakeRefused as refused:
            error = web.HTTPUnauthorized if refused.status == 401 else web.HTTPBadGateway
            raise error from refused

    def routes(self) -> list[web.RouteDef]:
        return [web.post("/v1.0/gateway/connections/open", self._open)]

    def beside(self) -> list[Coroutine[Any, Any, None]]:
        return [self._tick()]

    async def _tick(self) -> None:
        while True:
            self.gateway.tick()
            await asyncio.sleep(TICK)

    async def _open(self, request: web.Request) -> web.Response:
        await asyncio.sleep(self.gateway.stall)
        try:
            return web.json_response(self.gateway.open(await request.json()))
        except OpenRefused as refused:
            if isinstance(refused.body, str):
                return web.Response(status=refused.status, text=refused.body)
            return web.json_response(refused.body, status=refused.status)
