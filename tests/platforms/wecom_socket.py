"""WeCom's gateway behind real WebSockets.

https://developer.work.weixin.qq.com/document/path/101463
"""

from __future__ import annotations

from aiohttp import web

from tests.platforms.socket_thread import SocketThread
from tests.platforms.wecom_gateway import Gateway, Session
from tests.platforms.wecom_model import Corp
from tests.platforms.wires import FarEnd, Put


class BotServer(SocketThread):
    """`with BotServer(corp) as server: …`. The gateway may be called from any thread."""

    def __init__(self, corp: Corp | Gateway) -> None:
        super().__init__()
        self.gateway = corp if isinstance(corp, Gateway) else Gateway(corp)
        self.corp = self.gateway.corp

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.port}/"

    def dial(self, request: web.Request, put: Put) -> FarEnd:
        """Whoever comes; a subscription says who it is."""
        return self.gateway.connect(put, put)

    def wait_subscribed(self, n: int = 1, timeout: float = 5.0) -> Session:
        """The subscribed line, when there have been n subscriptions at least."""
        gateway = self.gateway

        def found() -> Session | None:
            return gateway.subscribed if gateway.subscriptions >= n else None

        session = self.corp.wait_for(found, timeout)
        assert session is not None
        return session
