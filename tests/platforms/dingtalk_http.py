"""The stand-in's API as an ASGI application: what its requests hold."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.requests import Request

from tests.platforms.answering import Answer, AnsweringApp

if TYPE_CHECKING:
    from tests.platforms.dingtalk_api import Api

TOKEN_HEADER = "x-acs-dingtalk-access-token"


class HttpApi(AnsweringApp):
    def __init__(self, api: Api) -> None:
        super().__init__()
        self.api = api

    def now(self) -> float:
        return self.api.org.now()

    async def answer(self, request: Request) -> Answer:
        return self.api.handle(
            request.method,
            request.url.path,
            await request.body(),
            query=dict(request.query_params),
            token=request.headers.get(TOKEN_HEADER),
            content_type=request.headers.get("content-type", ""),
        )
