"""The stand-in's API as an ASGI application: what its requests hold."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from starlette.requests import Request

from tests.platforms.answering import Answer, AnsweringApp

if TYPE_CHECKING:
    from tests.platforms.wecom_api import Api

DISPOSITION = re.compile(rb"^content-disposition: *form-data;(.*)$", re.IGNORECASE | re.MULTILINE)
# WeCom reads file names of this form only; the RFC's filename* makes the file an empty one to it.
NAME = re.compile(rb'\bname="([^"]*)"')
FILENAME = re.compile(rb'\bfilename="([^"]*)"')


class HttpApi(AnsweringApp):
    def __init__(self, api: Api) -> None:
        super().__init__()
        self.api = api

    def now(self) -> float:
        return self.api.corp.now()

    async def answer(self, request: Request) -> Answer:
        body = await self._body_of(request)
        return self.api.handle(request.method, request.url.path, dict(request.query_params), body)

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
