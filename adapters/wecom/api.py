"""WeCom's HTTP API for one self-built app: one session, one token, every failure named.

https://developer.work.weixin.qq.com/document/path/90664
Nothing is sent again here when a line breaks, for WeCom may have taken it; what is tried again, and
when, is the outbox's business. Tokens, secrets and webhooks' keys travel in addresses here, so no
address is ever logged or put into an error.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

import httpx

from adapters.calls import Calls, deadline_in
from adapters.contract import DeliveryFailed
from adapters.reading import Json, read_object
from adapters.tokens import Tokens
from adapters.wecom.errcodes import (
    GET_TOKEN,
    INVALID_USER,
    REFUSED,
    UNLICENSED,
    Kind,
    kind_of,
    told_ip,
)

log = logging.getLogger(__name__)

# The address's queue waits meanwhile, and a lease of the outbox lasts longer. A new token included.
CALL_SECONDS = 15.0
# The agentid stands in the call: that another call works says nothing about these.
OF_THE_CALL = frozenset({40056, 301002})

Query = Mapping[str, str | int]


class WecomRefused(Exception):
    """WeCom answered that it did not do `what` (a call: "message/send"): `code` is its errcode.

    `ip` is the address that it saw us call from, told with 60020.
    """

    def __init__(self, code: int, what: str, ip: str | None = None) -> None:
        super().__init__(str(code))
        self.code = code
        self.what = what
        self.ip = ip


@dataclass(frozen=True, slots=True)
class Told:
    """An answer of WeCom's, and the headers it came with (in lower case)."""

    body: Json
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class _Ask:
    """One request, but for its token: a GET where there is neither body nor file."""

    path: str
    body: Json | None = None
    query: Query | None = None
    file: tuple[str, bytes] | None = None


class WecomApi:
    """Calls by path below cgi-bin; `trouble` says whether WeCom still lets the app in."""

    def __init__(
        self,
        url: str,
        corp_id: str,
        secret: str,
        clock: Callable[[], datetime],
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        """`url` is https://qyapi.weixin.qq.com. A `transport` is used instead of the network."""
        self.trouble: str | None = None
        self.refused: WecomRefused | None = None
        """Why there is trouble, while there is."""
        self._url = url.rstrip("/") + "/cgi-bin/"
        self._corp_id, self._secret = corp_id, secret
        self._clock = clock
        self._calls = Calls("WeCom", transport)
        self._tokens = Tokens(self._new_token, clock)

    async def open(self) -> None:
        """Open the session; nothing is asked yet. Proxies are the environment's."""
        await self._calls.open()

    async def close(self) -> None:
        """Close everything within a few seconds. Calls that are under way fail."""
        await self._tokens.close()
        await self._calls.close()

    async def call(
        self,
        path: str,
        body: Json | None = None,
        *,
        query: Query | None = None,
        quietly: bool = False,
    ) -> Json:
        """POST `body` to a path ("message/send"), or GET it when there is none.

        `quietly` leaves `trouble` as it is. An answer with errcode 0 is returned though it may name
        people whom it did not reach: see `unreached`.
        Raises WecomRefused when WeCom says no; DeliveryFailed when nobody answers: "retry" when it
        was surely not asked, "unknown" when the line died after it may have been.
        """
        return (await self.ask(path, body, query=query, quietly=quietly)).body

    async def ask(
        self,
        path: str,
        body: Json | None = None,
        *,
        query: Query | None = None,
        quietly: bool = False,
    ) -> Told:
        """The same with the headers, which tell WeCom's clock."""
        return await self._with_token(_Ask(path, body, query), quietly=quietly)

    async def upload(self, name: str, content: bytes) -> str:
        """The media id of a file for three days: 6 bytes to 20 MB.

        https://developer.work.weixin.qq.com/document/path/90253
        Raises as `call` does, but never "unknown": nobody sees a file that was only uploaded.
        """
        ask = _Ask("media/upload", query={"type": "file"}, file=(name, content))
        return _media_id((await _unseen(self._with_token(ask, quietly=False))).body)

    async def webhook(self, key: str, body: Json) -> Json:
        """Send a message to the group whose webhook has this key, which is a secret.

        https://developer.work.weixin.qq.com/document/path/99110
        It takes no token, and so says nothing about the app's. Raises as `call` does.
        """
        return (await self._exchange(_Ask("webhook/send", body, {"key": key}))).body

    async def webhook_upload(self, key: str, name: str, content: bytes) -> str:
        """`upload` for a webhook, which takes no media id but its own.

        https://developer.work.weixin.qq.com/document/path/99110
        """
        query = {"key": key, "type": "file"}
        ask = _Ask("webhook/upload_media", query=query, file=(name, content))
        return _media_id((await _unseen(self._exchange(ask))).body)

    def note_trouble(self, refused: WecomRefused) -> None:
        """WeCom does not let us in any more: readiness is red until a call succeeds."""
        if self.refused is not None:
            return
        self.refused = refused
        seen = f" (we call from {refused.ip})" if refused.ip else ""
        since = f"{self._clock().astimezone(UTC):%Y-%m-%d %H:%M} UTC"
        self.trouble = f"WeCom refuses the app since {since}: {refused.code}{seen}"
        log.critical(
            "WeCom refuses the app: %s%s. Nothing goes out until it is seen to", refused.code, seen
        )

    # --- one call

    async def _with_token(self, ask: _Ask, *, quietly: bool) -> Told:
        try:
            told = await self._twice_at_most(ask)
        except WecomRefused as refused:
            if not quietly and kind_of(refused.code) in REFUSED:
                self.note_trouble(refused)
            raise
        if not quietly and self._ends_trouble(ask.path):
            self.trouble = self.refused = None
        return told

    def _ends_trouble(self, path: str) -> bool:
        known = self.refused
        return known is None or known.code not in OF_THE_CALL or known.what == path

    async def _twice_at_most(self, ask: _Ask) -> Told:
        """A token may end before its time, and is then replaced once; never in a circle."""
        deadline = deadline_in(CALL_SECONDS)
        token = await self._tokens.valid(deadline)
        try:
            return await self._exchange(ask, token, deadline)
        except WecomRefused as refused:
            if kind_of(refused.code) is not Kind.TOKEN:
                raise
        token = await self._tokens.valid(deadline, refused=token)
        return await self._exchange(ask, token, deadline)

    async def _exchange(
        self, ask: _Ask, token: str | None = None, deadline: float | None = None
    ) -> Told:
        query = {**({"access_token": token} if token else {}), **(ask.query or {})}
        files = {"media": (*ask.file, "application/octet-stream")} if ask.file else None
        response = await self._calls.ask(
            "GET" if ask.body is None and files is None else "POST",
            self._url + ask.path,
            deadline or deadline_in(CALL_SECONDS),
            body=ask.body,
            query=query,
            files=files,
        )
        return _told(response, ask.path)

    # --- the token

    async def _new_token(self, deadline: float) -> tuple[str, float]:
        """https://developer.work.weixin.qq.com/document/path/91039"""
        query = {"corpid": self._corp_id, "corpsecret": self._secret}
        ask = _Ask(GET_TOKEN, query=query)
        found = (await _unseen(self._exchange(ask, deadline=deadline))).body
        text, lasts = found.get("access_token"), found.get("expires_in")
        if not isinstance(text, str) or not text or not isinstance(lasts, int):
            raise DeliveryFailed("retry", "an odd answer: no access token in it")
        return text, lasts


def unreached(answer: Json) -> dict[str, str]:
    """Whom message/send did not reach though it said yes: userids in lower case, as WeCom tells
    them, with INVALID_USER or UNLICENSED.

    https://developer.work.weixin.qq.com/document/path/90236
    """
    found: dict[str, str] = {}
    for field, why in (("unlicenseduser", UNLICENSED), ("invaliduser", INVALID_USER)):
        told = answer.get(field)
        if isinstance(told, str):
            found.update({one.lower(): why for one in told.split("|") if one})
    return found


async def _unseen(exchange: Awaitable[Told]) -> Told:
    """For what shows nobody anything: when nobody knows whether it was done, it is done again."""
    try:
        return await exchange
    except DeliveryFailed as failed:
        raise DeliveryFailed("retry", failed.why) from None


def _told(response: httpx.Response, what: str) -> Told:
    try:
        body = read_object(response.content.decode("utf-8"))
    except (ValueError, RecursionError):
        body = {}
    code = body.get("errcode")
    if not isinstance(code, int):
        # Something in between may have said this after WeCom took it.
        raise DeliveryFailed("unknown", f"an odd answer: HTTP {response.status_code}")
    if code:
        raise WecomRefused(code, what, told_ip(str(body.get("errmsg", ""))))
    return Told(body, {name.lower(): value for name, value in response.headers.items()})


def _media_id(answer: Json) -> str:
    found = answer.get("media_id")
    if not isinstance(found, str) or not found:
        raise DeliveryFailed("retry", "an odd answer: no media id in it")
    return found
