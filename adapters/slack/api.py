"""Slack's Web API: one session, no retries of its own, every failure named.

slack_sdk would send a message again when the line breaks after Slack took it, so it is given no
retry handlers; what is tried again, and when, is the outbox's business.
https://docs.slack.dev/apis/web-api
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

import aiohttp
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from adapters.contract import DeliveryFailed
from adapters.slack.limits import Limits
from adapters.slack.methods import METHODS

log = logging.getLogger(__name__)

RATE_LIMIT = "ratelimited"

# The address's queue waits meanwhile, and a lease of the outbox lasts longer.
CALL_SECONDS = 15.0
CONNECT_SECONDS = 5.0
CLOSE_SECONDS = 2.0
# Shorter than Slack keeps an idle connection, so that none dies under a message.
KEEP_ALIVE_SECONDS = 10.0
# A person has to act first: https://api.slack.com/apps → Install App.
TOKEN_WAIT = 600.0
LONGEST_IDENTITY_WAIT = 300.0

# The token is wrong or may not do this; nothing goes out until somebody sees to it.
BAD_TOKEN = frozenset(
    {
        "account_inactive",
        "invalid_auth",
        "missing_scope",
        "no_permission",
        "not_allowed_token_type",
        "not_authed",
        "org_login_required",
        "team_access_not_granted",
        "token_expired",
        "token_revoked",
    }
)
# Slack's own trouble. chat.postMessage gets the same client_msg_id again.
PASSING = frozenset(
    {
        "accesslimited",
        "fatal_error",
        "internal_error",
        "request_timeout",
        "service_unavailable",
        "team_added_to_org",
    }
)
RATE_LIMITED = frozenset({"message_limit_exceeded", "rate_limited", "ratelimited"})
# An edit that will never work; the words are then said anew.
UNEDITABLE = frozenset(
    {
        "cant_update_message",
        "channel_not_found",
        "edit_window_closed",
        "is_inactive",
        "message_not_found",
        "msg_not_found",
    }
)


class SlackRefused(Exception):
    """Slack answered that it did not do it: `code` is its error code.

    `needed` names the scope that is missing, where one is.
    """

    def __init__(self, code: str, status: int, after: float | None, needed: str = "") -> None:
        super().__init__(code or f"HTTP {status}")
        self.code = code
        self.status = status
        self.after = after
        self.needed = needed


@dataclass(frozen=True, slots=True)
class Told:
    """An answer of Slack's, and the headers it came with (in lower case)."""

    body: dict[str, Any]
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Identity:
    """Who the bot is in its workspace."""

    team_id: str
    bot_id: str
    user_id: str


class SlackApi:
    """Calls by method name; `trouble` says whether Slack still takes the token."""

    def __init__(
        self, token: str, url: str, clock: Callable[[], datetime], app_token: str | None = None
    ) -> None:
        self._token = token
        self._app_token = app_token
        self.limits = Limits(time.monotonic)
        self.identity: Identity | None = None
        self.trouble: str | None = None
        self._url = url.rstrip("/") + "/"
        self._clock = clock
        self._client: AsyncWebClient | None = None
        self._session: aiohttp.ClientSession | None = None
        self._asking: asyncio.Task[None] | None = None

    async def open(self, *, learn: bool = True) -> AsyncWebClient:
        """Open the session, and `learn` in the background who we are: nothing waits for that."""
        connector = aiohttp.TCPConnector(limit=50, keepalive_timeout=KEEP_ALIVE_SECONDS)
        timeout = aiohttp.ClientTimeout(total=CALL_SECONDS, sock_connect=CONNECT_SECONDS)
        # trust_env: the proxy variables, and unlike slack_sdk's own reading of them also NO_PROXY.
        session = aiohttp.ClientSession(connector=connector, timeout=timeout, trust_env=True)
        logger = logging.getLogger(f"{__name__}.sdk")
        logger.setLevel(logging.WARNING)  # below that it writes down what is said
        client = AsyncWebClient(
            self._token, base_url=self._url, session=session, retry_handlers=[], logger=logger
        )
        client.proxy = None
        self._session, self._client = session, client
        if learn:
            self._asking = asyncio.create_task(self._learn_identity())
        return client

    async def close(self) -> None:
        """Close everything within a few seconds."""
        if self._asking is not None:
            self._asking.cancel()
            with suppress(asyncio.CancelledError):
                await self._asking
        self._client = None
        if self._session is not None:
            with suppress(TimeoutError):
                async with asyncio.timeout(CLOSE_SECONDS):
                    await self._session.close()

    async def send(self, method: str, arguments: dict[str, Any]) -> dict[str, Any]:
        """`call` for what can wait: in its turn, and with Slack's no as DeliveryFailed."""
        self.limits.take(method)
        try:
            return await self.call(method, arguments)
        except SlackRefused as refused:
            raise self.failed(refused, method) from None

    def failed(self, refused: SlackRefused, method: str) -> DeliveryFailed:
        """What Slack's no means for a message; of a limit it is kept in mind."""
        failed = delivery_failed(refused, method)
        if failed.why == RATE_LIMIT and failed.scope == "method":
            self.limits.pause(method, failed.after or 1.0)
        return failed

    async def call(
        self, method: str, arguments: dict[str, Any], *, quietly: bool = False
    ) -> dict[str, Any]:
        """Call a method and return Slack's answer; `quietly` leaves `trouble` as it is.

        Raises SlackRefused when Slack says no, DeliveryFailed when nobody answers: "retry" when it
        was surely not asked, "unknown" when the line died after it may have been.
        """
        return (await self.ask(method, arguments, quietly=quietly)).body

    async def ask(self, method: str, arguments: dict[str, Any], *, quietly: bool = False) -> Told:
        """The same with the headers, which tell the scopes and Slack's clock."""
        by_app, as_form = METHODS[method].by_app, METHODS[method].as_form
        if self._client is None:
            raise DeliveryFailed("retry", "the Slack session is not open")
        headers = {"Authorization": f"Bearer {self._app_token}"} if by_app else {}
        try:
            if as_form:
                answer = await self._client.api_call(method, params=arguments, headers=headers)
            else:
                answer = await self._client.api_call(method, json=arguments, headers=headers)
        except SlackApiError as error:
            refused = _refusal(error)
            if refused.code in BAD_TOKEN and not quietly and not by_app:
                self.note_trouble(refused.code)
            raise refused from None
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            raise DeliveryFailed("retry", _named("Slack is not reachable", error)) from None
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise DeliveryFailed("unknown", _named("the line broke", error)) from None
        except (AttributeError, ValueError) as error:
            # slack_sdk's own stumble over a 200 that is no JSON.
            raise DeliveryFailed("unknown", _named("an odd answer", error)) from None
        if not quietly and not by_app:
            self.trouble = None
        found = answer.data
        told = {str(name).lower(): str(value) for name, value in answer.headers.items()}
        return Told(found if isinstance(found, dict) else {}, told)

    async def upload(self, url: str, content: bytes) -> None:
        """The middle step of sending a file: https://docs.slack.dev/messaging/working-with-files

        Raises DeliveryFailed ("retry": nothing is shown before the last step).
        """
        if self._session is None:
            raise DeliveryFailed("retry", "the Slack session is not open")
        try:
            async with self._session.post(url, data=content) as response:
                status = response.status
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise DeliveryFailed("retry", _named("the file did not go up", error)) from None
        if status != 200:
            raise DeliveryFailed("retry", f"the file did not go up: HTTP {status}")

    @property
    def session(self) -> aiohttp.ClientSession:
        """The one session, while it is open."""
        if self._session is None:
            raise DeliveryFailed("retry", "the Slack session is not open")
        return self._session

    def note_trouble(self, code: str) -> None:
        """Slack does not let us in any more: readiness is red until a call succeeds."""
        since = f"{self._clock().astimezone(UTC):%Y-%m-%d %H:%M} UTC"
        if self.trouble is None:
            log.critical(
                "Slack refuses the bot token: %s. Nothing goes out until it is seen to", code
            )
        self.trouble = self.trouble or f"Slack refuses the bot token since {since}: {code}"

    async def _learn_identity(self) -> None:
        """https://docs.slack.dev/reference/methods/auth.test, until it answers."""
        wait = 1.0
        while True:
            try:
                found = await self.call("auth.test", {})
            except (SlackRefused, DeliveryFailed):
                await asyncio.sleep(wait)
                wait = min(LONGEST_IDENTITY_WAIT, wait * 2)
            else:
                self.identity = Identity(
                    team_id=str(found.get("team_id", "")),
                    bot_id=str(found.get("bot_id", "")),
                    user_id=str(found.get("user_id", "")),
                )
                return


def _refusal(error: SlackApiError) -> SlackRefused:
    # Mostly an AsyncSlackResponse; where the body was no JSON, aiohttp's own response.
    response: Any = error.response
    status = int(getattr(response, "status_code", 0) or getattr(response, "status", 0))
    data = getattr(response, "data", None)
    told = data if isinstance(data, dict) else {}
    code, needed = told.get("error"), told.get("needed")
    return SlackRefused(
        code if isinstance(code, str) else "",
        status,
        _after(response),
        needed if isinstance(needed, str) else "",
    )


def delivery_failed(refused: SlackRefused, method: str) -> DeliveryFailed:
    """What Slack's no means for a message that was to be sent."""
    code = refused.code
    if code in RATE_LIMITED or refused.status == 429:
        # Posting is limited per channel, everything else per method and workspace.
        scope: Literal["address", "method"] = (
            "address" if method in ("chat.postMessage", "chat.postEphemeral") else "method"
        )
        return DeliveryFailed("retry", RATE_LIMIT, after=refused.after or 1.0, scope=scope)
    if code in BAD_TOKEN:
        return DeliveryFailed("retry", code, after=TOKEN_WAIT, scope="platform")
    if code in PASSING or refused.status >= 500:
        return DeliveryFailed("retry", code or f"HTTP {refused.status}", after=refused.after)
    if not code:
        # Slack answers 200 with a code; this came from something in between.
        return DeliveryFailed("unknown", f"an odd answer: HTTP {refused.status}")
    return DeliveryFailed("dead", code)


def _after(response: Any) -> float | None:
    """Retry-After in seconds, where Slack gives it."""
    headers = getattr(response, "headers", None) or {}
    given = str(headers.get("Retry-After", ""))
    return float(min(int(given), 3600)) if given.isascii() and given.isdigit() else None


def _named(what: str, error: Exception) -> str:
    return f"{what}: {type(error).__name__}"
