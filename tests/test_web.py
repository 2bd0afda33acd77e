"""The web application: what the world may send, and the few words it gets back."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from urllib.parse import urlencode

import httpx
import pytest
from sqlalchemy.exc import OperationalError

from adapters.contract import Receive, Rejected, Request, Response
from adapters.slack.adapter import SlackAdapter
from adapters.slack.api import SlackApi
from bot.app import Bot, web_application
from bot.web import LARGEST_BODY
from bot.words import reader_for
from storage.engine import make_engine
from storage.migrate import upgrade
from tests.clock import StillClock
from tests.platforms.slack import signed_headers
from tests.small import Postbox
from tests.town import make_settings

SECRET = "8f742231b10e8888abcd99yyyzzz85a5"
EVENTS = "/slack/events"
FORM, JSON = "application/x-www-form-urlencoded", "application/json"
COMMAND = {
    "command": "/banzhang",
    "text": "help",
    "user_id": "U1",
    "user_name": "wang",
    "team_id": "T1",
    "channel_id": "D1",
    "channel_name": "directmessage",
    "trigger_id": "1.2.3",
    "response_url": "http://127.0.0.1:1/",
}


class Door(Postbox):
    """A platform with an HTTP side that does as a test says."""

    name = "door"
    paths: tuple[str, ...] = ("/door",)

    def __init__(self) -> None:
        super().__init__()
        self.answer: Callable[[Request], Response] = lambda _request: Response(body=b"fine")

    async def receive(self, request: Request, receive: Receive) -> Response:
        """As the test wishes."""
        return self.answer(request)


@pytest.fixture
def door() -> Door:
    """A platform to knock at."""
    return Door()


@pytest.fixture
async def client(sqlite_url: str, door: Door) -> AsyncIterator[httpx.AsyncClient]:
    """Somebody out there, and the whole application with Slack and a door."""
    clock = StillClock()
    engine = make_engine(sqlite_url)
    upgrade(engine)
    api = SlackApi("xoxb-1-a", "http://127.0.0.1:1/api/", clock.now)
    slack = SlackAdapter(api, (SECRET,), clock.now, reader_for)
    bot = Bot(make_settings(), [slack, door], clock, engine)
    application = web_application(bot)
    async with _living(application), _visiting(application) as visitor:
        yield visitor


@asynccontextmanager
async def _living(application: object) -> AsyncIterator[None]:
    async with application.router.lifespan_context(application):  # type: ignore[attr-defined]
        yield


def _visiting(application: object) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(application, raise_app_exceptions=False)  # type: ignore[arg-type]
    return httpx.AsyncClient(transport=transport, base_url="http://banzhang.test")


def signed(body: bytes, content_type: str = FORM) -> dict[str, str]:
    """Headers as Slack sends them."""
    stamp = int(StillClock().now().timestamp())
    return {**signed_headers(body, SECRET, stamp), "content-type": content_type}


BODY = urlencode(COMMAND).encode()
ODD_BODIES: list[tuple[bytes, str]] = [
    (b"", FORM),
    (b"", JSON),
    (b"{", JSON),
    (b"[]", JSON),
    (b"null", JSON),
    (b'{"a": "\\ud800"}', JSON),
    (b"[" * 100_000, JSON),
    (b"\xff\xfe", FORM),
    (b"a=%ff", FORM),
    (b"a&b", FORM),
    (b"payload=%7B", FORM),
    (BODY, "text/plain"),
    (BODY, ""),
    (b"x" * LARGEST_BODY, FORM),
]


@pytest.mark.parametrize(("body", "content_type"), ODD_BODIES)
async def test_what_cannot_be_read_is_400_although_signed(
    client: httpx.AsyncClient, body: bytes, content_type: str
) -> None:
    answer = await client.post(EVENTS, content=body, headers=signed(body, content_type))
    assert (answer.status_code, answer.content) == (400, b"")


@pytest.mark.parametrize(
    "changed",
    [
        {"x-slack-signature": "v0=00"},
        {"x-slack-signature": ""},
        {"x-slack-signature": "é"},
        {"x-slack-request-timestamp": "now"},
        {"x-slack-request-timestamp": "1.5"},
        {"x-slack-request-timestamp": "٣"},
        {"x-slack-request-timestamp": "9" * 400},
        {"x-slack-request-timestamp": "1"},
        {"x-slack-request-timestamp": ""},
    ],
    ids=str,
)
async def test_what_slack_did_not_sign_is_401(
    client: httpx.AsyncClient, changed: dict[str, str]
) -> None:
    headers = {**signed(BODY), **changed}
    raw = [(name.encode(), value.encode()) for name, value in headers.items()]
    answer = await client.post(EVENTS, content=BODY, headers=raw)
    assert (answer.status_code, answer.content) == (401, b"")


async def test_a_signature_is_checked_before_the_body_is_looked_at(
    client: httpx.AsyncClient,
) -> None:
    answer = await client.post(EVENTS, content=b"{", headers={"content-type": JSON})
    assert answer.status_code == 401


async def test_two_megabytes_are_413_announced_or_not(client: httpx.AsyncClient) -> None:
    body = b"a=" + b"x" * (2 * LARGEST_BODY)
    answer = await client.post(EVENTS, content=body, headers=signed(body))
    assert (answer.status_code, answer.content) == (413, b"")

    async def drip() -> AsyncIterator[bytes]:
        for start in range(0, len(body), 65_536):
            yield body[start : start + 65_536]

    answer = await client.post(EVENTS, content=drip(), headers=signed(body))
    assert (answer.status_code, answer.content) == (413, b"")


@pytest.mark.parametrize("length", ["-1", "ten", "9" * 30, "9" * 5000])
async def test_an_announced_length_that_is_nonsense_is_no_5xx(
    client: httpx.AsyncClient, length: str
) -> None:
    headers = {**signed(BODY), "content-length": length}
    answer = await client.post(EVENTS, content=BODY, headers=headers)
    assert answer.status_code < 500


async def test_a_command_is_answered_and_a_repeat_reads_the_same(
    client: httpx.AsyncClient,
) -> None:
    answers = [await client.post(EVENTS, content=BODY, headers=signed(BODY)) for _ in range(3)]
    assert {one.status_code for one in answers} == {200}
    assert len({one.content for one in answers}) == 1
    assert json.loads(answers[0].content)["text"]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 404),
        ("GET", "/chat", 404),
        ("POST", "/slack", 404),
        ("GET", "/../etc/passwd", 404),
        ("GET", EVENTS, 405),
        ("PUT", EVENTS, 405),
        ("DELETE", EVENTS, 405),
        ("POST", "/healthz", 405),
        ("GET", "/healthz", 200),
        ("GET", "/metrics", 200),
    ],
)
async def test_what_is_where(
    client: httpx.AsyncClient, method: str, path: str, status: int
) -> None:
    assert (await client.request(method, path)).status_code == status


async def test_a_refusal_is_a_status_and_nothing_else(
    client: httpx.AsyncClient, door: Door
) -> None:
    def refuse(_request: Request) -> Response:
        raise Rejected(401, "the signature is wrong")

    door.answer = refuse
    answer = await client.post("/door", content=b"secret words")
    assert (answer.status_code, answer.content) == (401, b"")


async def test_our_own_trouble_is_503_and_says_nothing_of_itself(
    client: httpx.AsyncClient, door: Door
) -> None:
    def break_(_request: Request) -> Response:
        raise OperationalError("SELECT", {}, Exception("the database is away"))

    door.answer = break_
    answer = await client.post("/door", content=b"hello")
    assert (answer.status_code, answer.content) == (503, b"")


async def test_an_adapter_sees_names_in_lower_case_and_the_query(
    client: httpx.AsyncClient, door: Door
) -> None:
    seen: list[Request] = []

    def look(request: Request) -> Response:
        seen.append(request)
        return Response(status=202, body=b"<xml/>", content_type="application/xml")

    door.answer = look
    answer = await client.get("/door?echostr=%E4%BD%A0", headers={"X-Odd": "yes"})
    assert (answer.status_code, answer.content) == (202, b"<xml/>")
    assert answer.headers["content-type"] == "application/xml"
    assert (seen[0].headers["x-odd"], seen[0].query["echostr"]) == ("yes", "你")


async def test_readiness_shows_facts_and_metrics_only_numbers(client: httpx.AsyncClient) -> None:
    await client.post(EVENTS, content=BODY, headers=signed(BODY))
    facts = (await client.get("/readyz")).json()
    assert facts["database"] == "ok"
    assert facts["migrations"] == "newest"
    assert set(facts["platforms"]) == {"slack", "door"}
    numbers = (await client.get("/metrics")).text
    assert "banzhang_events_total" in numbers
    for secret in (SECRET, "xoxb", "U1", "wang"):
        assert secret not in numbers
        assert secret not in json.dumps(facts)
