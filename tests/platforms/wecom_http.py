"""The stand-in's API as an ASGI application, in process and behind uvicorn alike.

It answers by itself instead of through routes: a line that breaks must neither be turned into a
page with status 500 nor into an orderly end.
"""

from __future__ import annotations

import asyncio
import json
import re
from email.utils import formatdate
from typing import TYPE_CHECKING, Any

import httpx
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from tests.platforms.wecom_faults import LineBroken

if TYPE_CHECKING:
    from tests.platforms.wecom_api import Api

DISPOSITION = re.compile(rb"^content-disposition: *form-data;(.*)$", re.IGNORECASE | re.MULTILINE)
# WeCom reads file names of this form only; the RFC's filename* makes the file an empty one to it.
NAME = re.compile(rb'\bname="([^"]*)"')
FILENAME = re.compile(rb'\bfilename="([^"]*)"')


class HttpApi(Starlette):
    def __init__(self, api: Api) -> None:
        super().__init__()
        self.api = api

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await super().__call__(scope, receive, send)
            return
        request = Request(scope, receive)
        body = await self._body_of(request)
        connection = _uvicorn_of(receive)
        try:
            query = dict(request.query_params)
            answer = self.api.handle(request.method, request.url.path, query, body)
            if answer.late:
                await asyncio.sleep(answer.late)
            if answer.lost:
                raise LineBroken
        except LineBroken:
            if connection is None:
                raise httpx.ReadError("the line broke", request=None) from None
            await _hang_up(connection, receive)
            return
        dated = {"Date": formatdate(self.api.corp.now(), usegmt=True)}
        if connection is not None:
            connection.default_headers = []  # uvicorn's own Date, by the clock on the wall
        kind = "application/json; charset=UTF-8"
        await Response(answer.body, answer.status, dated, kind)(scope, receive, send)

    async def _body_of(self, request: Request) -> Any:
        """An object, the parts of a form, or bytes that are neither."""
        sent = await request.body()
        kind = request.headers.get("content-type", "")
        if kind.startswith("multipart/form-data"):
            return uploaded(sent, kind)
        if not sent:
            return {}
        try:
            return json.loads(sent)
        except ValueError:
            return sent


def uploaded(sent: bytes, content_type: str) -> dict[str, Any]:
    """{"name", "content"} of the part "media", {} when there is none.

    https://developer.work.weixin.qq.com/document/path/90253
    """
    found = re.search(r'boundary="?([^";]+)"?', content_type)
    if found is None:
        return {}
    for part in sent.split(b"--" + found[1].encode())[1:-1]:
        head, _, content = part.partition(b"\r\n\r\n")
        said = DISPOSITION.search(head.replace(b"\r\n", b"\n"))
        name = NAME.search(said[1]) if said else None
        filename = FILENAME.search(said[1]) if said else None
        if name is not None and name[1] == b"media" and filename is not None:
            return {"name": filename[1].decode(), "content": content.removesuffix(b"\r\n")}
    return {}


def _uvicorn_of(receive: Receive) -> Any:
    """The connection as uvicorn keeps it, None in process."""
    owner = getattr(receive, "__self__", None)
    return owner if hasattr(owner, "transport") else None


async def _hang_up(connection: Any, receive: Receive) -> None:
    """A broken line, not an answer: the caller's socket sees the end of it."""
    connection.transport.abort()
    while (await receive())["type"] != "http.disconnect":
        pass
