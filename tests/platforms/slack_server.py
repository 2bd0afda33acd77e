"""The stand-in's HTTP side: a thread of its own, a loop of its own, 127.0.0.1, any free port."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
import time
from email.utils import formatdate
from math import ceil
from typing import Any

from aiohttp import web

from tests.platforms.slack_api import WebApi
from tests.platforms.slack_faults import (
    DropAfter,
    DropBefore,
    Fault,
    Faults,
    Pace,
    RateLimited,
    ServerError,
    SlackError,
    Slow,
)
from tests.platforms.slack_model import Call, Json, Workspace
from tests.platforms.slack_scopes import APP_LEVEL, Scopes

# https://docs.slack.dev/apis/web-api#methods — what is written takes JSON, these do not look at it.
READS_NO_JSON = frozenset(
    {
        "conversations.history",
        "conversations.info",
        "conversations.members",
        "conversations.replies",
        "files.completeUploadExternal",
        "files.getUploadURLExternal",
        "users.info",
        "users.list",
    }
)
LARGEST_BODY = 4 * 2**20
OPEN = "apps.connections.open"  # the one method that wants the app-level token


class SlackServer:
    def __init__(
        self,
        workspace: Workspace,
        api: WebApi,
        faults: Faults,
        scopes: Scopes,
        *,
        token: str,
        app_token: str,
    ) -> None:
        self.workspace = workspace
        self.api = api
        self.faults = faults
        self.scopes = scopes
        self.tokens = {token}
        self.app_tokens = {app_token}
        self.skew = 0.0
        self.pace: Pace | None = None
        self.origin = "http://127.0.0.1:1"  # nobody listens there before start()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self._ready = threading.Event()
        self._thread: threading.Thread | None = None

    # ---- life

    def start(self) -> None:
        listening = socket.create_server(("127.0.0.1", 0))
        self.origin = f"http://127.0.0.1:{listening.getsockname()[1]}"
        self._thread = threading.Thread(
            target=lambda: asyncio.run(self._serve(listening)), name="stand-in slack", daemon=True
        )
        self._thread.start()
        if not self._ready.wait(10):
            raise RuntimeError("the stand-in Slack did not start within 10 s")

    def stop(self) -> None:
        if self._thread is None or self._loop is None or self._stop is None:
            return
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)
        if self._thread.is_alive():
            raise RuntimeError("the stand-in Slack did not stop within 10 s")
        self._thread = None

    async def _serve(self, listening: socket.socket) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        app = web.Application(client_max_size=LARGEST_BODY)
        app.router.add_route("*", "/api/{method}", self._method)
        app.router.add_post("/upload/{file}", self._upload)
        app.router.add_get("/link/", self.api.socket.link)
        app.on_response_prepare.append(self._dated)
        app.router.add_post("/{kind:commands|actions}/{team}/{number}/{secret}", self._respond)
        # Slow answers that are still asleep must not hold up the end of a test.
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.05)
        await runner.setup()
        await web.SockSite(runner, listening).start()
        await self.api.socket.start()
        self._ready.set()
        try:
            await self._stop.wait()
        finally:
            await self.api.socket.stop()
            # What the kernel took already is accepted first: a connection that is half accepted
            # when its server closes is forgotten by Python 3.11 and complained of much later.
            await asyncio.sleep(0.005)
            await runner.cleanup()

    # ---- routes

    async def _method(self, request: web.Request) -> web.StreamResponse:
        method = request.match_info["method"]
        args, malformed = await _arguments(request)
        if method in READS_NO_JSON and request.content_type == "application/json":
            args = {}
        refusal = self._refusal(request, method, args, malformed)
        if refusal is not None:
            self._note(method, args, refusal["error"])
            return self._json(refusal, method)
        channel = args.get("channel")
        if self.pace is not None:
            wait = self.pace.seconds_to_wait(method, channel, self.workspace.now())
            if wait > 0:
                return await self._fail(RateLimited(ceil(wait)), request, method, args)
        fault = self.faults.next(method, channel)
        if isinstance(fault, DropBefore | RateLimited | ServerError | SlackError):
            return await self._fail(fault, request, method, args)
        found = self.api.answer(method, args)
        outcome = "ok" if found["ok"] else str(found["error"])
        if isinstance(fault, DropAfter):
            self._note(method, args, f"{outcome}, DropAfter")
            return _hang_up(request)
        self._note(method, args, outcome)
        if isinstance(fault, Slow):
            await asyncio.sleep(fault.seconds)
        return self._json(found, method)

    async def _upload(self, request: web.Request) -> web.StreamResponse:
        """https://docs.slack.dev/messaging/working-with-files — the second of three steps."""
        content = await request.read()
        if not self.api.files.take(request.match_info["file"], content):
            return web.Response(status=400, text="length mismatch or unknown file")
        return web.Response(text=f"OK - {len(content)}")

    async def _respond(self, request: web.Request) -> web.StreamResponse:
        """https://docs.slack.dev/interactivity/handling-user-interaction — response_url"""
        args, malformed = await _arguments(request)
        fault = self.faults.next("response_url", None)
        if isinstance(fault, DropBefore | RateLimited | ServerError | SlackError):
            return await self._fail(fault, request, "response_url", args)
        problem = "invalid_payload" if malformed else self.api.respond(request.path, args)
        self._note("response_url", args, problem or "ok")
        if isinstance(fault, DropAfter):
            return _hang_up(request)
        if isinstance(fault, Slow):
            await asyncio.sleep(fault.seconds)
        if problem is None:
            return web.Response(text="ok")
        gone = problem in ("used_url", "expired_url", "no_service")
        said = {"ok": False, "error": problem}
        return self._json(said, "response_url", 404 if gone else 400)

    # ---- parts

    def _refusal(
        self, request: web.Request, method: str, args: Json, malformed: bool
    ) -> Json | None:
        code = "invalid_json" if malformed else self._unauthorised(request, method, args)
        if code is not None:
            return {"ok": False, "error": code}
        return self.scopes.refusal(method, args, self.workspace)

    def _unauthorised(self, request: web.Request, method: str, args: Json) -> str | None:
        """https://docs.slack.dev/authentication/tokens"""
        header = request.headers.get("Authorization", "").removeprefix("Bearer ").strip()
        parameter = args.pop("token", "")
        token = header or parameter
        if not token:
            return "not_authed"
        if method == OPEN and not header:
            return "invalid_auth"  # its page: "passing it as a POST parameter" is an error
        app_level = token in self.app_tokens
        if not app_level and token not in self.tokens:
            return "invalid_auth"
        return None if app_level == (method == OPEN) else "not_allowed_token_type"

    async def _fail(
        self, fault: Fault, request: web.Request, method: str, args: Json
    ) -> web.StreamResponse:
        if isinstance(fault, RateLimited):
            self._note(method, args, "ratelimited")
            said = {"ok": False, "error": "ratelimited"}
            return self._json(said, method, 429, {"Retry-After": str(fault.retry_after)})
        if isinstance(fault, ServerError):
            self._note(method, args, f"HTTP {fault.status}")
            kind, body = fault.content_type, fault.body
            return web.Response(status=fault.status, text=body, content_type=kind)
        if isinstance(fault, SlackError):
            self._note(method, args, fault.code)
            return self._json({"ok": False, "error": fault.code}, method)
        self._note(method, args, type(fault).__name__)
        return _hang_up(request)

    def _json(
        self, body: Json, method: str, status: int = 200, headers: dict[str, str] | None = None
    ) -> web.Response:
        granted = {"x-oauth-scopes": APP_LEVEL if method == OPEN else self.scopes.header}
        return web.json_response(body, status=status, headers={**granted, **(headers or {})})

    async def _dated(self, request: web.Request, response: web.StreamResponse) -> None:
        # Real time, not the workspace's: it is what an app compares its own clock with.
        response.headers["Date"] = formatdate(time.time() + self.skew, usegmt=True)

    def _note(self, method: str, args: Json, outcome: str) -> None:
        self.workspace.note_call(Call(method, args, self.workspace.now(), outcome))


async def _arguments(request: web.Request) -> tuple[Json, bool]:
    """Query, form and JSON are all the same to Slack. The flag says "this is not JSON"."""
    args: dict[str, Any] = dict(request.query)
    if request.content_type == "application/json":
        try:
            body = json.loads(await request.read() or b"{}")
        except ValueError:
            return args, True
        if not isinstance(body, dict):
            return args, True
        args.update(body)
    elif request.method == "POST":
        args.update({k: v for k, v in (await request.post()).items() if isinstance(v, str)})
    return args, False


def _hang_up(request: web.Request) -> web.Response:
    if request.transport is not None:
        request.transport.close()
    return web.Response()  # goes nowhere: the connection is closed
