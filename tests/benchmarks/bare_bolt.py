"""The yardstick: slack-bolt alone, at its fastest. One listener that acknowledges."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from typing import Any

import uvicorn
from slack_bolt.adapter.asgi.async_handler import AsyncSlackRequestHandler
from slack_bolt.async_app import AsyncApp
from slack_sdk.web.async_client import AsyncWebClient


def application(token: str, secret: str, api_url: str) -> AsyncSlackRequestHandler:
    """Bolt with process_before_response, which is its fast way."""
    app = AsyncApp(
        client=AsyncWebClient(token=token, base_url=api_url),
        signing_secret=secret,
        process_before_response=True,
    )

    async def answer(ack: Callable[[str], Awaitable[Any]]) -> None:
        await ack("checked in")

    app.command("/checkin")(answer)
    return AsyncSlackRequestHandler(app, path="/slack/events")


def main() -> None:
    """Arguments: port, token, signing secret, API address."""
    port, token, secret, api_url = sys.argv[1:5]
    config = uvicorn.Config(
        application(token, secret, api_url), port=int(port), log_level="error", access_log=False
    )
    asyncio.run(uvicorn.Server(config).serve())


if __name__ == "__main__":
    main()
