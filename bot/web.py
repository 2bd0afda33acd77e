"""ASGI routes: a platform's path goes to its adapter; health, readiness and metrics are answered
here.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any

import structlog
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.requests import ClientDisconnect
from starlette.requests import Request as HttpRequest
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from adapters.contract import Adapter, Receive, Rejected, Request
from bot.clock import Clock
from bot.metrics import HTTP

log = structlog.get_logger()

LARGEST_BODY = 1024 * 1024
MOST_DIGITS = 20

Ready = Callable[[], Awaitable[dict[str, Any]]]
"""Facts about readiness; `"ready": False` makes the answer 503."""


def platform_routes(
    adapters: Mapping[str, Adapter], receive: Receive, clock: Clock
) -> list[BaseRoute]:
    """One route for each path that an adapter understands."""
    routes: list[BaseRoute] = []
    for adapter in adapters.values():
        routes += [
            Route(path, _endpoint(adapter, receive, clock), methods=["GET", "POST"])
            for path in adapter.paths
        ]
    return routes


def _endpoint(
    adapter: Adapter, receive: Receive, clock: Clock
) -> Callable[[HttpRequest], Awaitable[Response]]:
    async def endpoint(http: HttpRequest) -> Response:
        try:
            body = await _body(http)
            request = Request(
                method=http.method,
                path=http.url.path,
                headers={name.lower(): value for name, value in http.headers.items()},
                query=dict(http.query_params),
                body=body,
                now=clock.now(),
            )
            answer = await adapter.receive(request, receive)
        except Rejected as rejected:
            log.info("request refused", platform=adapter.name, why=str(rejected))
            HTTP.labels(adapter.name, rejected.status).inc()
            return Response(status_code=rejected.status)
        except ClientDisconnect:
            return Response(status_code=400)
        except Exception:
            # Our own trouble, such as a database that is away: platforms try again later.
            log.exception("request failed", platform=adapter.name)
            HTTP.labels(adapter.name, 503).inc()
            return Response(status_code=503)
        HTTP.labels(adapter.name, answer.status).inc()
        return Response(
            answer.body,
            answer.status,
            headers={**answer.headers, "content-type": answer.content_type},
        )

    return endpoint


async def _body(http: HttpRequest) -> bytes:
    """The body, up to 1 MiB; what announces or brings more is refused before it is read to the
    end.
    """
    announced = http.headers.get("content-length", "0")
    digits = announced.isascii() and announced.isdigit()
    if digits and (len(announced) > MOST_DIGITS or int(announced) > LARGEST_BODY):
        raise Rejected(413, "the body is larger than 1 MiB")
    received = bytearray()
    async for chunk in http.stream():
        received += chunk
        if len(received) > LARGEST_BODY:
            raise Rejected(413, "the body is larger than 1 MiB")
    return bytes(received)


def health_routes(ready: Ready) -> Iterable[BaseRoute]:
    """Alive, ready, and numbers. None of them calls a platform."""

    async def healthz(_http: HttpRequest) -> Response:
        return JSONResponse({"alive": True})

    async def readyz(_http: HttpRequest) -> Response:
        facts = await ready()
        return JSONResponse(facts, status_code=200 if facts["ready"] else 503)

    async def metrics(_http: HttpRequest) -> Response:
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)

    return (
        Route("/healthz", healthz),
        Route("/readyz", readyz),
        Route("/metrics", metrics),
    )
