"""Calls to a platform over HTTP: one session, nothing sent again by itself, every failure named.

Tokens and secrets travel in addresses, so no address is ever logged with its query or put into an
error.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import httpx

from adapters.contract import DeliveryFailed

CONNECT_SECONDS = 5.0
CLOSE_SECONDS = 2.0
# Shorter than anybody keeps an idle connection, so that none dies under a message.
KEEP_ALIVE_SECONDS = 5.0
MOST_CONNECTIONS = 50

# The platform was surely not asked.
NOT_ASKED = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.ProxyError,
    httpx.UnsupportedProtocol,
)


class _NoQueries(logging.Filter):
    """httpx writes down every address it calls; here it loses what stands behind its path."""

    def filter(self, record: logging.LogRecord) -> bool:
        if isinstance(record.args, tuple):
            record.args = tuple(
                one.copy_with(query=None) if isinstance(one, httpx.URL) else one
                for one in record.args
            )
        return True


_no_queries = _NoQueries()


class Calls:
    """One session with a platform (`name`: "DingTalk"), open between `open` and `close`."""

    def __init__(self, name: str, transport: httpx.AsyncBaseTransport | None = None) -> None:
        """A `transport` is used instead of the network."""
        self._name = name
        self._transport = transport
        self._client: httpx.AsyncClient | None = None

    async def open(self) -> None:
        """Open the session; nothing is asked yet. Proxies are the environment's."""
        logging.getLogger("httpx").addFilter(_no_queries)
        self._client = httpx.AsyncClient(
            transport=self._transport,
            # How long a call may take is its deadline's business.
            timeout=httpx.Timeout(None, connect=CONNECT_SECONDS, pool=CONNECT_SECONDS),
            limits=httpx.Limits(
                max_connections=MOST_CONNECTIONS, keepalive_expiry=KEEP_ALIVE_SECONDS
            ),
        )

    async def close(self) -> None:
        """Close everything within a few seconds. Calls that are under way fail."""
        client, self._client = self._client, None
        if client is not None:
            with suppress(TimeoutError):
                async with asyncio.timeout(CLOSE_SECONDS):
                    await client.aclose()

    async def ask(
        self,
        method: str,
        url: httpx.URL | str,
        deadline: float,
        *,
        body: Mapping[str, Any] | None = None,
        query: Mapping[str, str | int] | None = None,
        headers: Mapping[str, str] | None = None,
        files: Mapping[str, tuple[str, bytes, str]] | None = None,
    ) -> httpx.Response:
        """The answer, whatever its status; redirects are not followed. `deadline` is the loop's.

        Raises DeliveryFailed: "retry" when the platform was surely not asked, "unknown" when the
        line died, or the time ran out, after it may have been.
        """
        if self._client is None:
            raise DeliveryFailed("retry", f"the {self._name} session is not open")
        if asyncio.get_running_loop().time() >= deadline:
            raise DeliveryFailed("retry", "there was no time left to ask")
        try:
            async with asyncio.timeout_at(deadline):
                # httpx writes JSON as UTF-8; of \\uXXXX WeCom says 40033.
                return await self._client.request(
                    method, url, params=query, json=body, headers=headers, files=files
                )
        except NOT_ASKED as error:
            raise DeliveryFailed(
                "retry", f"{self._name} is not reachable: {type(error).__name__}"
            ) from None
        except (httpx.HTTPError, OSError, TimeoutError) as error:
            raise DeliveryFailed("unknown", f"the line broke: {type(error).__name__}") from None


def deadline_in(seconds: float) -> float:
    """So many seconds from now, by the loop's clock."""
    return asyncio.get_running_loop().time() + seconds
