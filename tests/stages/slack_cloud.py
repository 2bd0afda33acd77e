"""Slack's cloud within the test's own process: no sockets, no threads, and the town's still clock.

Payloads, signatures, refusals and what is shown are the stand-in's (tests/platforms); only the wire
between it and the bot is left out, which tests/test_slack_*.py drive over real HTTP.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from itertools import count
from typing import Any, Unpack

import httpx
from slack_sdk.web.async_client import AsyncWebClient

from adapters.contract import DeliveryFailed, Request, Response
from adapters.slack.api import Identity, SlackApi, SlackRefused, Told
from adapters.slack.limits import Limits
from adapters.slack.methods import METHODS
from tests.platforms.slack_api import WebApi
from tests.platforms.slack_driver import Reply
from tests.platforms.slack_events import EventDriver
from tests.platforms.slack_model import Json, Workspace
from tests.platforms.slack_requests import Knobs, SignedRequest
from tests.platforms.slack_socket import SocketMode

TOKEN = "xoxb-test-000000000000-town"
SIGNING_SECRET = "0f1e2d3c4b5a69788796a5b4c3d2e1f0"
SAYING = frozenset(
    ("chat.postMessage", "chat.postEphemeral", "chat.update", "files.completeUploadExternal")
)
"""The methods by which people read something."""

Deliver = Callable[[Request], Response]


class StillWorkspace(Workspace):
    """A workspace on the town's clock: work time is read from the time in a message."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        super().__init__()

    def now(self) -> float:
        return self._clock().timestamp()


class Cloud(EventDriver):
    """People's deeds as signed requests, handed to the bot by `deliver`."""

    def __init__(self, clock: Callable[[], datetime], deliver: Deliver) -> None:
        workspace = StillWorkspace(clock)
        api = WebApi(workspace, lambda: "https://slack.test", SocketMode(workspace))
        super().__init__(workspace, api, SIGNING_SECRET)
        self._clock = clock
        self._deliver = deliver

    def sign(self, body: bytes, content_type: str, **knobs: Unpack[Knobs]) -> SignedRequest:
        knobs.setdefault("timestamp", int(self.workspace.now()))
        return super().sign(body, content_type, **knobs)

    def send(self, request: SignedRequest, what: str = "request") -> Reply:
        """What the bot refuses to read at all is raised, for here nobody sends such."""
        headers = {name.lower(): value for name, value in request.headers.items()}
        response = self._deliver(
            Request("POST", "/slack/events", headers, {}, request.body, self._clock())
        )
        shown = httpx.Response(response.status, content=response.body)
        return Reply(request, shown, self.workspace, what=what)

    def again(self, request: SignedRequest) -> Reply:
        """The same body once more, signed at the present time as Slack signs it."""
        return self.send(self.sign(request.body, request.headers["Content-Type"]))


class DirectApi(SlackApi):
    """Calls the stand-in's Web API as a function; arguments and answers are JSON all the same."""

    def __init__(self, web_api: WebApi, clock: Callable[[], datetime]) -> None:
        super().__init__(TOKEN, "https://slack.test/api/", clock)
        self._web_api = web_api
        self.failures: list[DeliveryFailed] = []
        """What the next messages meet, in order."""
        self.refusals: dict[str, str] = {}
        """What the next call of a method meets."""
        self.watch: Callable[[str], object] = lambda _method: None
        # On a clock that stands still nobody's turn would ever come: each look is an hour later.
        self.limits = Limits(count(step=3600.0).__next__)
        found = web_api.auth_test({})
        self.identity = Identity(found["team_id"], found["bot_id"], found["user_id"])

    async def open(self, *, learn: bool = True) -> AsyncWebClient:
        return AsyncWebClient(TOKEN)

    async def close(self) -> None:
        """Nothing was opened."""

    async def ask(self, method: str, arguments: dict[str, Any], *, quietly: bool = False) -> Told:
        self.watch(method)
        if method in self.refusals:
            raise SlackRefused(self.refusals.pop(method), 200, None)
        if self.failures and method in SAYING:
            raise self.failures.pop(0)
        sent = _as_form(arguments) if METHODS[method].as_form else arguments
        answer: Json = _over_the_wire(self._web_api.answer(method, _over_the_wire(sent)))
        if not answer["ok"]:
            raise SlackRefused(str(answer["error"]), 200, None, str(answer.get("needed", "")))
        return Told(answer, {})

    async def upload(self, url: str, content: bytes) -> None:
        if not self._web_api.files.take(url.rpartition("/")[2], content):
            raise DeliveryFailed("retry", "the file did not go up: HTTP 400")


def _over_the_wire(found: Json) -> Json:
    carried: Json = json.loads(json.dumps(found))
    return carried


def _as_form(arguments: Json) -> Json:
    """As slack_sdk writes arguments into a form."""
    return {
        name: str(int(value)) if isinstance(value, bool) else str(value)
        for name, value in arguments.items()
    }
