"""The page's door: who may call at all, and what a browser may do with the answer.

The sandbox knows no passwords. What keeps strangers out is that it listens on this machine only,
and that no other site can make a browser speak to it: the Host is checked (against DNS rebinding),
and so are Origin and Sec-Fetch-Site (against forged requests).
"""

from __future__ import annotations

import json
from urllib.parse import parse_qsl, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from adapters.contract import Rejected

LARGEST_BODY = 64 * 1024

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "content-security-policy": POLICY,
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "same-origin",
    "x-content-type-options": "nosniff",
}


class Guard:
    """ASGI middleware: strangers get 403, everybody else an answer with strict headers.

    `allowed_hosts` are host names as a browser sends them; one without a port admits every port.
    """

    def __init__(self, app: ASGIApp, allowed_hosts: frozenset[str]) -> None:
        self._app = app
        self._allowed_hosts = allowed_hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = Headers(scope=scope)
        why = self._stranger(scope["method"], headers)

        async def send_strictly(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        app = PlainTextResponse(f"{why}\n", status_code=403) if why else self._app
        try:
            await app(scope, receive, send_strictly)
        except HTTPException as missing:
            answer = PlainTextResponse(f"{missing.detail}\n", missing.status_code)
            await answer(scope, receive, send_strictly)

    def _stranger(self, method: str, headers: Headers) -> str | None:
        """Why the request is not let in, or None."""
        host = headers.get("host", "").lower()
        if not {host, _without_port(host)} & self._allowed_hosts:
            return "This host name is not served here."
        origin, site = headers.get("origin"), headers.get("sec-fetch-site")
        if origin is not None and _host_of(origin) != host:
            return "Another site may not call this one."
        reads = method in ("GET", "HEAD")
        # A link on another site may lead here; it shows a page and does nothing.
        followed_link = reads and headers.get("sec-fetch-mode") == "navigate"
        if site not in (None, "same-origin", "none") and not followed_link:
            return "Another site may not call this one."
        if not reads and origin is None and site is None:
            return "A request that changes something must say where it comes from (Origin)."
        return None


def _without_port(host: str) -> str:
    name, colon, port = host.rpartition(":")
    return name if colon and port.isdigit() else host


def _host_of(origin: str) -> str:
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:
        return ""


async def read_fields(request: Request) -> dict[str, str]:
    """The fields of a JSON object or a form, all as text; of a name that comes twice, the last.

    Raises Rejected: 413 for more than LARGEST_BODY bytes, 400 for what is neither.
    """
    received = bytearray()
    async for chunk in request.stream():
        received += chunk
        if len(received) > LARGEST_BODY:
            raise Rejected(413, "the body is too large")
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    try:
        whole = received.decode()
        if kind == "application/x-www-form-urlencoded":
            return dict(parse_qsl(whole, keep_blank_values=True, max_num_fields=100))
        if kind == "application/json":
            fields = json.loads(whole)
            if isinstance(fields, dict):
                return {name: value for name, value in fields.items() if isinstance(value, str)}
    except (ValueError, RecursionError) as error:
        raise Rejected(400, "the body cannot be read") from error
    raise Rejected(400, "the body is neither a form nor a JSON object")
