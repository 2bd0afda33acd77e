"""DingTalk's HTTP API for one internal app: one session, one token, every failure named.

https://open.dingtalk.com/document/orgapp/api-overview
Nothing is sent again here when a line breaks, for DingTalk knows no message by a name of ours and
may have taken it; what is tried again, and when, is the outbox's business. Tokens, secrets, tickets
and session webhooks are never logged or put into an error.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Literal
from urllib.parse import quote_plus

import httpx

from adapters.calls import Calls, deadline_in
from adapters.contract import DeliveryFailed
from adapters.dingtalk.answers import DingtalkRefused, read
from adapters.dingtalk.errcodes import (
    BAN_WAIT,
    GET_TOKEN,
    IP_BAN,
    OPEN_STREAM,
    RATE_WAIT,
    ROBOT_SEND,
    Kind,
    is_alarm,
    kind_of,
)
from adapters.dingtalk.limits import Pace
from adapters.dingtalk.setup import Robot, Setup
from adapters.dingtalk.signing import sign
from adapters.reading import Json
from adapters.tokens import Tokens

__all__ = ["DingtalkApi", "DingtalkRefused"]

log = logging.getLogger(__name__)

# The address's queue waits meanwhile, and a lease of the outbox lasts longer. A new token included.
# DingTalk's own servers give up after 3 s.
CALL_SECONDS = 10.0

TOKEN_HEADER = "x-acs-dingtalk-access-token"  # noqa: S105 - the name of a header
SESSION_SEND = "/robot/sendBySession"
FOREIGN_WEBHOOK = "foreign_webhook"

Counted = Literal["api", "session", "robot", "open"]


@dataclass(frozen=True, slots=True)
class _Ask:
    """One request, but for its token. `what` is the call's path, as refusals name it."""

    method: str
    url: httpx.URL | str = field(repr=False)
    what: str
    body: Json | None = field(default=None, repr=False)
    query: Mapping[str, str] | None = field(default=None, repr=False)
    headers: Mapping[str, str] | None = field(default=None, repr=False)
    counts: Counted | None = None


class DingtalkApi:
    """Calls by path; `trouble` says whether DingTalk still lets the app in."""

    def __init__(
        self,
        setup: Setup,
        clock: Callable[[], datetime],
        transport: httpx.AsyncBaseTransport | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """A `transport` is used instead of the network; by `monotonic` (seconds) goes the pace."""
        self.trouble: str | None = None
        self.refused: DingtalkRefused | None = None
        """Why there is trouble, while there is."""
        self.counted: Callable[[Counted], object] = lambda _kind: None
        """Told of each request that DingTalk may count; set by who keeps the account."""
        self.headers: Mapping[str, str] = {}
        """What the latest answer came with (names in lower case): it tells DingTalk's clock."""
        self._pace = Pace(monotonic)
        self._setup = setup
        self._url, self._old_url = setup.api_url.rstrip("/"), setup.old_api_url.rstrip("/")
        self._clock = clock
        self._calls = Calls("DingTalk", transport)
        self._tokens = Tokens(self._new_token, clock)
        self._banned_until: datetime | None = None

    async def open(self) -> None:
        """Open the session; nothing is asked yet. Proxies are the environment's."""
        await self._calls.open()

    async def close(self) -> None:
        """Close everything within a few seconds. Calls that are under way fail."""
        await self._tokens.close()
        await self._calls.close()

    # --- calls

    async def call(
        self,
        method: str,
        path: str,
        body: Json | None = None,
        *,
        what: str = "",
        waits: bool = False,
    ) -> Json:
        """Call the newer half ("POST", "/v1.0/…"); `what` names the call where its path does not.

        It counts among the month's. Where it is not the call's turn, `waits` waits for it, up to
        some seconds. An answer is returned though it may name people whom it did not reach.
        Raises DingtalkRefused when DingTalk says no; DeliveryFailed: "paced" when it was not its
        turn, "retry" when DingTalk was surely not asked, "unknown" when nobody knows whether it was
        done.
        """
        api = f"{method} {path}"
        if waits:
            await asyncio.sleep(self._pace.reserve(api))
        else:
            self._pace.take(api)
        ask = _Ask(method, self._url + path, what or path, body, counts="api")
        try:
            return await self._noting(self._with_token(ask, _in_header), ask.what)
        except DingtalkRefused as refused:
            if kind_of(refused.code) is Kind.RATE:
                self._pace.pause(api, RATE_WAIT)
            raise

    async def ask_old(self, path: str, body: Json) -> Json:
        """POST to the older half ("/topapi/v2/user/get"), whose calls are not counted.

        https://open.dingtalk.com/document/orgapp/query-user-details
        Waits for its turn, up to some seconds. Raises as `call` does.
        """
        await asyncio.sleep(self._pace.reserve(f"POST {path}"))
        ask = _Ask("POST", self._old_url + path, path, body)
        return await self._noting(self._with_token(ask, _in_query), path)

    async def open_stream(self, subscriptions: Sequence[Mapping[str, str]]) -> str:
        """Ask for a line of the Stream: its full address, with a ticket that is good once and for
        90 s, and is a secret. `subscriptions`: {"type": "CALLBACK", "topic": "…"} each.

        https://open.dingtalk.com/document/direction/stream-mode-protocol-access-description
        It takes no token. Raises DingtalkRefused, or DeliveryFailed ("retry": whoever has no line
        asks again).
        """
        body: Json = {
            "clientId": self._setup.client_id,
            "clientSecret": self._setup.client_secret,
            "subscriptions": [dict(one) for one in subscriptions],
            "ua": "banzhang",
            # Only told, and never used; finding out the real one would take asking somebody.
            "localIp": "127.0.0.1",
        }
        ask = _Ask("POST", self._url + OPEN_STREAM, OPEN_STREAM, body, counts="open")
        deadline = deadline_in(CALL_SECONDS)
        found = await self._noting(_unseen(self._exchange(ask, deadline)), OPEN_STREAM)
        endpoint, ticket = found.get("endpoint"), found.get("ticket")
        if not (isinstance(endpoint, str) and isinstance(ticket, str) and endpoint and ticket):
            raise DeliveryFailed("retry", "an odd answer: no endpoint and ticket in it")
        return f"{endpoint}?ticket={quote_plus(ticket)}"

    async def by_session(self, url: str, body: Json) -> Json:
        """POST a message to a session webhook, whose address came in with a message.

        https://open.dingtalk.com/document/orgapp/robot-reply-and-send-messages
        It takes no token. Raises as `call` does; DeliveryFailed ("dead", FOREIGN_WEBHOOK) for an
        address that is not DingTalk's.
        """
        ask = _Ask("POST", self._own(url), SESSION_SEND, body, counts="session")
        return await self._exchange(ask, deadline_in(CALL_SECONDS))

    async def by_robot(self, robot: Robot, body: Json, now: datetime) -> Json:
        """Send a message to the group of a custom robot, signed with its secret where it has one.

        https://open.dingtalk.com/document/robots/custom-robot-access
        `now` is aware, and what is signed. It takes no token of the app's, and its pace is the
        caller's business. Raises as `call` does.
        """
        query = {"access_token": robot.token}
        if robot.secret:
            timestamp = str(int(now.timestamp() * 1000))
            query |= {"timestamp": timestamp, "sign": sign(robot.secret, timestamp)}
        url = self._old_url + ROBOT_SEND
        ask = _Ask("POST", url, ROBOT_SEND, body, query, counts="robot")
        return await self._exchange(ask, deadline_in(CALL_SECONDS))

    # --- trouble

    def note_trouble(self, refused: DingtalkRefused) -> None:
        """DingTalk does not let us in any more: readiness is red until it does again."""
        if self.refused is not None:
            return
        self.refused = refused
        since = f"{self._clock().astimezone(UTC):%Y-%m-%d %H:%M} UTC"
        self.trouble = f"DingTalk refuses the app since {since}: {refused.code}"
        log.critical(
            "DingTalk refuses the app: %s. Nothing goes out until it is seen to", refused.code
        )

    async def _noting(self, exchange: Awaitable[Json], what: str) -> Json:
        try:
            found = await exchange
        except DingtalkRefused as refused:
            if is_alarm(refused.code, refused.what):
                self.note_trouble(refused)
            elif refused.scopes:
                log.warning("the app has no permission: %s", ", ".join(refused.scopes))
            raise
        if self.refused is not None and self._ends_trouble(self.refused, what):
            self.trouble = self.refused = None
        return found

    @staticmethod
    def _ends_trouble(refused: DingtalkRefused, what: str) -> bool:
        """A robot code stands in the call: that another call works says nothing about it. Where
        only the id and the secret were wrong, anything that works shows that they are right.
        """
        return refused.what in (what, GET_TOKEN, OPEN_STREAM)

    def _check_ban(self) -> None:
        if self._banned_until is None:
            return
        left = (self._banned_until - self._clock()).total_seconds()
        if left > 0:
            raise DeliveryFailed("retry", IP_BAN, after=min(left, BAN_WAIT), scope="platform")
        self._banned_until = None

    def _note_ban(self) -> None:
        log.error("DingTalk does not listen to our address any more: all calls rest")
        self._banned_until = self._clock() + timedelta(seconds=BAN_WAIT)

    # --- one exchange

    async def _with_token(self, ask: _Ask, carry: Callable[[_Ask, str], _Ask]) -> Json:
        """A token may end before its time, and is then replaced once; never in a circle."""
        deadline = deadline_in(CALL_SECONDS)
        token = await self._tokens.valid(deadline)
        try:
            return await self._exchange(carry(ask, token), deadline)
        except DingtalkRefused as refused:
            if kind_of(refused.code) is not Kind.TOKEN:
                raise
        token = await self._tokens.valid(deadline, refused=token)
        return await self._exchange(carry(ask, token), deadline)

    async def _exchange(self, ask: _Ask, deadline: float) -> Json:
        self._check_ban()
        try:
            response = await self._calls.ask(
                ask.method,
                ask.url,
                deadline,
                body=ask.body,
                query=ask.query,
                headers=ask.headers,
            )
        except DeliveryFailed as failed:
            if failed.outcome == "unknown":
                self._count(ask)
            raise
        self._count(ask)
        self.headers = {name.lower(): value for name, value in response.headers.items()}
        try:
            return read(response.status_code, response.content, ask.what)
        except DeliveryFailed as failed:
            if failed.why == IP_BAN:
                self._note_ban()
            raise

    def _count(self, ask: _Ask) -> None:
        if ask.counts is not None:
            self.counted(ask.counts)

    def _own(self, url: str) -> httpx.URL:
        """The address of a session webhook, taken apart by what will call it; no other address of
        DingTalk's will do, for some of them do something when they are posted to.
        """
        try:
            found = httpx.URL(url)
        except httpx.InvalidURL:
            raise DeliveryFailed("dead", FOREIGN_WEBHOOK) from None
        schemes = ("https", "http") if self._setup.api_url.startswith("http:") else ("https",)
        host = found.netloc.decode("ascii")
        if found.scheme not in schemes or host not in self._setup.webhook_hosts or found.userinfo:
            raise DeliveryFailed("dead", FOREIGN_WEBHOOK)
        if found.raw_path.partition(b"?")[0] != SESSION_SEND.encode():
            raise DeliveryFailed("dead", FOREIGN_WEBHOOK)
        return found

    # https://open.dingtalk.com/document/orgapp/obtain-the-access_token-of-an-internal-app
    async def _new_token(self, deadline: float) -> tuple[str, float]:
        body = {"appKey": self._setup.client_id, "appSecret": self._setup.client_secret}
        ask = _Ask("POST", self._url + GET_TOKEN, GET_TOKEN, body)
        found = await _unseen(self._exchange(ask, deadline))
        text, lasts = found.get("accessToken"), found.get("expireIn")
        if not isinstance(text, str) or not text or not isinstance(lasts, int):
            raise DeliveryFailed("retry", "an odd answer: no access token in it")
        return text, lasts


def _in_header(ask: _Ask, token: str) -> _Ask:
    return replace(ask, headers={TOKEN_HEADER: token})


def _in_query(ask: _Ask, token: str) -> _Ask:
    return replace(ask, query={"access_token": token})


async def _unseen(exchange: Awaitable[Json]) -> Json:
    """For what shows nobody anything: when nobody knows whether it was done, it is done again."""
    try:
        return await exchange
    except DeliveryFailed as failed:
        if failed.outcome != "unknown":
            raise
        raise DeliveryFailed("retry", failed.why) from None
