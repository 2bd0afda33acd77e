"""The stand-in's HTTP side: a thread of its own, a loop of its own, 127.0.0.1, any free port."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
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

LARGEST_BODY = 4 * 2**20


class SlackServer:
    def __init__(self, workspace: Workspace, api: WebApi, faults: Faults, token: str) -> None:
        self.workspace = workspace
        self.api = api
        self.faults = faults
        self.tokens = {token}
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
        app.router.add_post("/{kind:commands|actions}/{team}/{number}/{secret}", self._respond)
        # Slow answers that are still asleep must not hold up the end of a test.
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.05)
        await runner.setup()
        await web.SockSite(runner, listening).start()
        self._ready.set()
        try:
            await self._stop.wait()
        finally:
            await runner.cleanup()

    # ---- routes

    async def _method(self, request: web.Request) -> web.StreamResponse:
        method = request.match_info["method"]
        args, malformed = await _arguments(request)
        if malformed or (refusal := self._unauthorised(request, args)):
            code = "invalid_json" if malformed else str(refusal)
            self._note(method, args, code)
            return _json({"ok": False, "error": code})
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
        return _json(found)

    async def _upload(self, request: web.Request) -> web.StreamResponse:
        """https://docs.slack.dev/messaging/working-with-files — the second of three steps."""
        content = await request.read()
        with self.workspace.changed:
            file = self.workspace.files.get(request.match_info["file"])
            if file is None or file["length"] != len(content):
                return web.Response(status=400, text="length mismatch or unknown file")
            file["content"] = content
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
        return _json({"ok": False, "error": problem}, status=404 if gone else 400)

    # ---- parts

    def _unauthorised(self, request: web.Request, args: Json) -> str | None:
        """https://docs.slack.dev/authentication/tokens"""
        header = request.headers.get("Authorization", "")
        token = header.removeprefix("Bearer ").strip() or args.pop("token", "")
        args.pop("token", None)
        if not token:
            return "not_authed"
        return None if token in self.tokens else "invalid_auth"

    async def _fail(
        self, fault: Fault, request: web.Request, method: str, args: Json
    ) -> web.StreamResponse:
        if isinstance(fault, RateLimited):
            self._note(method, args, "ratelimited")
            said = {"ok": False, "error": "ratelimited"}
            return _json(said, 429, {"Retry-After": str(fault.retry_after)})
        if isinstance(fault, ServerError):
            self._note(method, args, f"HTTP {fault.status}")
            kind, body = fault.content_type, fault.body
            return web.Response(status=fault.status, text=body, content_type=kind)
        if isinstance(fault, SlackError):
            self._note(method, args, fault.code)
            return _json({"ok": False, "error": fault.code})
        self._note(method, args, type(fault).__name__)
        return _hang_up(request)

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


def _json(body: Json, status: int = 200, headers: dict[str, str] | None = None) -> web.Response:
    scopes = {"x-oauth-scopes": "commands,chat:write,im:write,users:read,reactions:write"}
    return web.json_response(body, status=status, headers={**scopes, **(headers or {})})


def _hang_up(request: web.Request) -> web.Response:
    if request.transport is not None:
        request.transport.close()
    return web.Response()  # goes nowhere: the connection is closed
