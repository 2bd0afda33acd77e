"""Socket Mode as a test sees it: who is connected, what is sent, and what goes wrong on the way.

https://docs.slack.dev/apis/events-api/using-socket-mode
"""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import Coroutine
from typing import Any, TypeVar

from tests.platforms.slack_links import Connection, Delivery, Disconnect, Links, goodbye
from tests.platforms.slack_model import Json, Workspace

T = TypeVar("T")


class SocketMode(Links):
    def __init__(self, workspace: Workspace) -> None:
        super().__init__(workspace)
        self._turn = 0
        self._duplicates = 0
        self._losses: deque[float] = deque()

    # ---- what a test looks at

    @property
    def overlap_seen(self) -> bool:
        """Every refreshed connection had its replacement before it was closed."""
        with self.workspace.changed:
            refreshed = [d for d in self.disconnects if d.reason != "link_disabled"]
            return bool(refreshed) and all(d.overlapped for d in refreshed)

    def wait_connected(self, n: int = 1, timeout: float = 5.0) -> list[Connection]:
        """At least n greeted connections at the same time."""
        return self.workspace.wait_for(
            lambda: found if len(found := self.connections) >= n else [], timeout
        )

    # ---- faults by hand; without a connection they meet every live one

    def disconnect(
        self,
        reason: str = "warning",
        connection: Connection | None = None,
        *,
        close_after: float | None = None,
    ) -> None:
        """`close_after` None leaves the closing to the app; link_disabled always closes."""
        if reason == "link_disabled":
            close_after = close_after or 0.0
        with self.workspace.changed:
            lines = self._meant(connection)
            if reason == "link_disabled":
                self.enabled = False
                self._tickets.clear()
            for line in lines:
                line.told.append(reason)
                self.disconnects.append(self._noted(line, reason))
        self._run(self._tell(lines, json.dumps(goodbye(reason)), close_after))

    def enable(self) -> None:
        """Somebody switched Socket Mode on again."""
        self.enabled = True

    def cut(self, connection: Connection | None = None) -> None:
        """The TCP connection ends without a word, and this returns when it has."""
        lines = self._meant(connection)
        loop = self._running()
        for line in lines:
            loop.call_soon_threadsafe(line.transport.abort)
        self.workspace.wait_for(lambda: not set(lines) & set(self._lines))

    def garbage(self, text: str = "no json", connection: Connection | None = None) -> None:
        self._run(self._tell(self._meant(connection), text, None))

    def duplicate_next(self, n: int = 1) -> None:
        """The next n envelopes go out twice, on two connections when there are two."""
        self._duplicates = n

    def lose_next(self, n: int = 1, *, after: float = 0.0) -> None:
        """The next n envelopes never leave; `after` seconds later the person hears of it."""
        self._losses.extend([after] * n)

    def refuse_next(self, n: int = 1) -> None:
        """The next n handshakes are answered with HTTP 500, and their tickets stay good."""
        self._refusals = n

    # ---- envelopes

    def deliver(self, envelope: Json, patience: float) -> Delivery:
        """Send it and wait for the acknowledgement, whichever connection that comes by."""
        delivery, changed = Delivery(envelope), self.workspace.changed
        with changed:
            self.deliveries.append(delivery)
            lost = self._losses.popleft() if self._losses else None
            lines = [] if lost is not None else self._chosen()
        sent = [self._run(self._send(line, json.dumps(envelope), delivery)) for line in lines]
        if lost is None and not any(sent):
            delivery.error = "dispatch_failed"
            return delivery
        with changed:
            wait = patience if lost is None else lost
            if not changed.wait_for(lambda: delivery.acknowledged_by is not None, wait):
                delivery.error = "operation_timeout"
        return delivery

    def _chosen(self) -> list[Connection]:
        ready = self.connections
        wanted = 1
        if ready and self._duplicates:
            self._duplicates -= 1
            wanted = 2
        chosen = [ready[(self._turn + n) % len(ready)] for n in range(wanted) if ready]
        self._turn += wanted
        return chosen

    # ---- parts

    def _noted(self, line: Connection, reason: str) -> Disconnect:
        """A warned connection may have its replacement already when it is told to go."""
        noted = Disconnect(line.id, reason, self.workspace.now())
        for earlier in self.disconnects:
            if earlier.connection == line.id:
                noted.replaced, noted.overlapped = earlier.replaced, earlier.overlapped
        return noted

    def _meant(self, connection: Connection | None) -> list[Connection]:
        with self.workspace.changed:
            return list(self._lines) if connection is None else [connection]

    def _running(self) -> asyncio.AbstractEventLoop:
        if self._loop is None:
            raise AssertionError("the stand-in does not run")
        return self._loop

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        """In the server's loop. Never call it with the workspace locked: the loop locks it too."""
        return asyncio.run_coroutine_threadsafe(work, self._running()).result(5)
