"""Socket Mode: the same payloads over WebSockets that we open, so no public address is needed.

https://docs.slack.dev/apis/events-api/using-socket-mode

Two connections at all times (see adapters/lines.py). An envelope is acknowledged when what it asked
for is committed, never before; whatever was not acknowledged comes again, and the inbox knows it.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from functools import partial

from adapters.contract import DeliveryFailed, Rejected
from adapters.lines import Line, Lines, Timings, parsed
from adapters.reading import Json
from adapters.slack.api import SlackRefused

log = logging.getLogger(__name__)

Handle = Callable[[Json], Awaitable[str]]
"""A payload → the body of its response, as over HTTP. Raises Rejected for an odd one."""

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


class SocketMode(Lines):
    """Keeps `connections` lines open and hands each payload to `handle`.

    `open_url` calls apps.connections.open: https://docs.slack.dev/reference/methods/apps.connections.open
    """

    name = "Socket Mode"
    spoken = (SlackRefused, DeliveryFailed)

    def __init__(
        self,
        open_url: Callable[[], Awaitable[str]],
        handle: Handle,
        *,
        connections: int = 2,
        timings: Timings | None = None,
    ) -> None:
        super().__init__(
            open_url, connections=connections, timings=timings or Timings(), connect=None
        )
        self._handle = handle

    def _asked_wait(self, error: Exception) -> float | None:
        """Retry-After, and long where only a person can change it."""
        if not isinstance(error, SlackRefused):
            return None
        return error.after or (self._timings.refused_wait if error.code in NEEDS_A_PERSON else None)

    async def _greet(self, line: Line) -> None:
        """https://docs.slack.dev/apis/events-api/using-socket-mode#hello"""
        while True:
            text = await line.wire.next_text()
            if text is None:
                raise ConnectionError("closed before it said hello")
            said = parsed(text)
            if said and said.get("type") == "hello":
                return
            if said and said.get("type") == "disconnect":
                raise ConnectionError(f"turned away: {said.get('reason')}")

    async def _take(self, line: Line, said: Json) -> None:
        if said.get("type") == "disconnect":
            # https://docs.slack.dev/apis/events-api/using-socket-mode#disconnect
            self._finish(line, f"Slack asks for it ({said.get('reason')})")
        elif isinstance(said.get("envelope_id"), str) and isinstance(said.get("payload"), dict):
            await self._hand_over(line, partial(self._answer, line, said))

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
        said: Json = {"envelope_id": envelope["envelope_id"]}
        payload = parsed(body)
        if payload and envelope.get("accepts_response_payload"):
            said["payload"] = payload
        await self._say(line, said)


async def opened_url(ask: Callable[[str, Json], Awaitable[Json]]) -> str:
    """The address that apps.connections.open gives. Raises SlackRefused or DeliveryFailed."""
    url = (await ask("apps.connections.open", {})).get("url")
    if not isinstance(url, str) or not url.startswith(("wss://", "ws://")):
        raise DeliveryFailed("retry", "Slack gave no address for Socket Mode")
    return url
