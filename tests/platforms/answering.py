"""A stand-in's API as an ASGI application, in process and behind uvicorn alike.

It answers by itself instead of through routes: a line that breaks must neither be turned into a
page with status 500 nor into an orderly end.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from email.utils import formatdate
from typing import Any

import httpx
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from tests.platforms.faults import LineBroken


@dataclass(frozen=True)
class Answer:
    status: int
    body: bytes
    late: float = 0.0  # seconds to wait before it goes out
    lost: bool = False  # the line breaks before it arrives


class AnsweringApp(Starlette):
    async def answer(self, request: Request) -> Answer:
        """Raises LineBroken where nothing was done and no answer comes."""
        raise NotImplementedError

    def now(self) -> float:
        """By the platform's clock, for the Date of the answers."""
        raise NotImplementedError

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await super().__call__(scope, receive, send)
            return
        connection = _uvicorn_of(receive)
        try:
            answer = await self.answer(Request(scope, receive))
            if answer.late:
                await asyncio.sleep(answer.late)
            if answer.lost:
                raise LineBroken
        except LineBroken:
            if connection is None:
                raise httpx.ReadError("the line broke", request=None) from None
            await _hang_up(connection, receive)
            return
        dated = {"Date": formatdate(self.now(), usegmt=True)}
        if connection is not None:
            connection.default_headers = []  # uvicorn's own Date, by the clock on the wall
        kind = "application/json; charset=UTF-8"
        await Response(answer.body, answer.status, dated, kind)(scope, receive, send)


def _uvicorn_of(receive: Receive) -> Any:
    """The connection as uvicorn keeps it, None in process."""
    owner = getattr(receive, "__self__", None)
    return owner if hasattr(owner, "transport") else None


async def _hang_up(connection: Any, receive: Receive) -> None:
    """A broken line, not an answer: the caller's socket sees the end of it."""
    connection.transport.abort()
    while (await receive())["type"] != "http.disconnect":
        pass
