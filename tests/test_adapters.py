"""What every adapter promises, whichever platform it is for: one line of SEATS each."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest

from adapters import PLATFORMS
from adapters.contract import (
    Adapter,
    Capabilities,
    Checkup,
    DeliveryFailed,
    Receive,
    Rejected,
    Request,
    Response,
)
from adapters.dingtalk.adapter import DingtalkAdapter
from adapters.dingtalk.setup import Setup
from adapters.sandbox.adapter import SandboxAdapter
from adapters.sandbox.world import PERSONAS
from adapters.wecom.adapter import WecomAdapter
from bot.messages import Address, Answer, Button, Card, Event, Outgoing, Reply
from bot.words import reader_for
from tests.checks.parity import NAMES, ROWS
from tests.platforms.dingtalk_api import Api as OfDingtalk
from tests.platforms.dingtalk_messages import text_payload
from tests.platforms.dingtalk_model import Org
from tests.platforms.dingtalk_requests import signed_request
from tests.platforms.wecom_api import Api
from tests.platforms.wecom_callbacks import Callbacks
from tests.platforms.wecom_model import plain
from tests.platforms.wecom_requests import SignedRequest
from tests.recorder import Recorder, answer, reply, said
from tests.services import Alone
from tests.slack_stage import make_adapter, populated
from tests.wecom_stage import populated as populated_wecom
from tests.wecom_stage import setup_of

ADAPTERS = Path(__file__).parent.parent / "adapters"
ON_TIME = 10.0  # seconds
READER = reader_for("en", "Asia/Shanghai", datetime(2026, 11, 23, 1, 0, tzinfo=UTC))

Says = Callable[[str, Receive, str], Awaitable[str]]


@dataclass(frozen=True)
class Seat:
    """An adapter that has not started, and somebody who uses its platform."""

    adapter: Adapter
    says: Says
    """Somebody says a line directly; gives what the response shows them. With the third argument
    of an earlier line it is that line once more."""
    person: str
    nobody: str
    calls: Callable[[], int] = lambda: 0
    """How often the platform was asked for something."""
    secrets: tuple[str, ...] = ()

    def message(self, to: str, words: str = "hello") -> Outgoing:
        """Words to somebody."""
        place = Address(platform=self.adapter.name, kind="person", id=to)
        return Outgoing(address=place, words=said(words), message_id=1)


def now() -> datetime:
    return datetime.now(UTC)


def by_requests(
    adapter: Adapter, made: Callable[[str], Request], shown: Callable[[Response, Request], str]
) -> Says:
    """Somebody of a platform that calls us: the same request is the same line."""
    requests: dict[str, Request] = {}

    async def says(words: str, receive: Receive, key: str) -> str:
        if key not in requests:
            requests[key] = made(words)
        return shown(await adapter.receive(requests[key], receive), requests[key])

    return says


@contextmanager
def slack() -> Iterator[Seat]:
    with populated() as standin:
        adapter = make_adapter(standin)

        def made(words: str) -> Request:
            verb, _, rest = words.partition(" ")
            signed = standin.request_for_command("U1", f"/{verb}", rest)
            headers = {name.lower(): value for name, value in signed.headers.items()}
            return Request("POST", adapter.paths[0], headers, {}, signed.body, now())

        def shown(response: Response, _request: Request) -> str:
            return str(json.loads(response.body).get("text", "")) if response.body else ""

        says = by_requests(adapter, made, shown)
        secrets = (standin.token, standin.signing_secret)
        yield Seat(adapter, says, "U1", "UNOBODY", lambda: len(standin.calls), secrets)


def wecom() -> AbstractContextManager[Seat]:
    """By its app."""
    return wecom_by(lambda callbacks, words: callbacks.text("zhangsan", words))


def wecom_bot() -> AbstractContextManager[Seat]:
    """By an aibot that calls us."""
    return wecom_by(lambda callbacks, words: callbacks.bot_text("zhangsan", words))


@contextmanager
def wecom_by(typed: Callable[[Callbacks, str], SignedRequest]) -> Iterator[Seat]:
    corp = populated_wecom()
    api, callbacks = Api(corp), Callbacks(corp)
    transport = httpx.ASGITransport(app=api.application())
    setup = setup_of(corp, "https://wecom.test", app=True, bot="callback", robots=True)
    adapter = WecomAdapter(setup, now, reader_for, transport=transport)
    signed = {}

    def made(words: str) -> Request:
        one = typed(callbacks, words)
        request = Request(one.method, one.path, {}, one.query, one.body, now())
        signed[id(request)] = one
        return request

    def shown(response: Response, request: Request) -> str:
        message = callbacks.read_passive(response.body, signed[id(request)])
        return plain(message) if message is not None else ""

    says = by_requests(adapter, made, shown)
    secrets = (corp.secret, corp.token, corp.aes_key, corp.bot_token, corp.bot_aes_key)
    yield Seat(adapter, says, "zhangsan", "nobody", lambda: len(api.calls), secrets)


@contextmanager
def dingtalk() -> Iterator[Seat]:
    """Over HTTP; what comes by Stream is handed to whoever was there at the start."""
    org = Org()
    org.add_member("zhangsan", "张三")
    api = OfDingtalk(org)
    setup = Setup(
        api_url="https://dingtalk.test",
        client_id=org.client_id,
        client_secret=org.client_secret,
        robot_code=org.robot_code,
        mode="http",
        http_secret="0123456789abcdef",
    )
    org.webhook_origin = setup.api_url
    transport = httpx.ASGITransport(app=api.application())
    adapter = DingtalkAdapter(setup, now, reader_for, transport=transport)

    def made(words: str) -> Request:
        one = signed_request(org, text_payload(org, "zhangsan", words))
        path = f"/dingtalk/robot/{setup.http_secret}"
        headers = {name.lower(): value for name, value in one.headers.items()}
        return Request("POST", path, headers, {}, one.body, now())

    def shown(response: Response, _request: Request) -> str:
        return response.body.decode()

    secrets = (org.client_secret, setup.http_secret)
    says = by_requests(adapter, made, shown)
    yield Seat(adapter, says, "zhangsan", "nobody", lambda: len(api.calls), secrets)


@contextmanager
def sandbox() -> Iterator[Seat]:
    adapter = SandboxAdapter(now, reader_for)
    person = PERSONAS[0].id

    async def says(words: str, receive: Receive, key: str) -> str:
        entry = await adapter.say(person, person, words, receive, key=key)
        return entry.content.plain if entry is not None else ""

    yield Seat(adapter, says, person, "nobody")


SEATS: dict[str, Callable[[], AbstractContextManager[Seat]]] = {
    "slack": slack,
    "wecom": wecom,
    "wecom-bot": wecom_bot,
    "dingtalk": dingtalk,
    "sandbox": sandbox,
}


@pytest.fixture(params=SEATS)
def seat(request: pytest.FixtureRequest) -> Iterator[Seat]:
    with SEATS[request.param]() as made:
        yield made


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


@pytest.fixture
async def started(seat: Seat, recorder: Recorder) -> AsyncIterator[Seat]:
    await seat.adapter.start(recorder, Alone().services)
    yield seat
    await seat.adapter.stop()


# --- how they are laid out

EVERYWHERE = {"__init__", "adapter", "decode", "encode"}
# Of a platform that is called, and may say no.
OVER_HTTP = {"api", "directory", "doctor", "http", "limits", "posting", "reading", "socket"}


@pytest.mark.parametrize("name", [*PLATFORMS, "sandbox"])
def test_the_same_thing_is_in_a_file_of_the_same_name(name: str) -> None:
    files = {file.stem for file in (ADAPTERS / name).glob("*.py")}
    assert files >= EVERYWHERE | (OVER_HTTP if name in PLATFORMS else set())


def test_every_platform_has_a_seat() -> None:
    assert set(PLATFORMS) <= set(SEATS)


def test_the_parity_table_reads_every_capability() -> None:
    assert set(ROWS) == {field.name for field in fields(Capabilities)}
    for names in NAMES.values():
        assert set(names) == set(PLATFORMS)


def test_an_adapter_says_what_it_is(seat: Seat) -> None:
    adapter = seat.adapter
    assert re.fullmatch(r"[a-z]+", adapter.name)
    form = rf"/{adapter.name}/[a-z]+(/\{{secret\}})?"
    assert all(re.fullmatch(form, path) for path in adapter.paths)
    assert isinstance(adapter.capabilities, Capabilities)
    limit = adapter.capabilities.max_bytes
    assert limit is None or limit >= 1000


# --- what comes in


async def test_a_line_that_comes_again_is_the_same_event(started: Seat, recorder: Recorder) -> None:
    for key in ("one", "one", "two"):
        await started.says("checkin", recorder, key)
    first, again, other = recorder.events
    assert first.key == again.key != other.key
    assert 0 < len(first.key) <= 255
    assert {event.platform for event in recorder.events} == {started.adapter.name}
    assert first.user == again.user
    assert (first.chat.kind, first.chat.id, first.user.id) == (
        "direct",
        started.person,
        started.person,
    )
    assert first.at <= first.received_at
    assert first.at.tzinfo is not None


CLAIM = Button(label=said("Claim"), command="claim", arguments={"query": "Q7"})
TOLD: dict[str, Reply] = {
    "words": answer("it is done"),
    "a card": reply(answer=Answer(card=Card(title=said("it is done")))),
    "a card with a button": reply(answer=Answer(card=Card(title=said("done"), buttons=(CLAIM,)))),
    "many words": answer("it is done " * 500),
}


@pytest.mark.parametrize("told", TOLD.values(), ids=TOLD)
async def test_a_response_carries_what_it_is_said_to(
    started: Seat, recorder: Recorder, told: Reply
) -> None:
    """What dispatch leaves to the response must be read there, for nobody else says it."""
    recorder.answering = lambda _event: told
    shown = await started.says("checkin", recorder, "one")
    inline = started.adapter.answers_inline(recorder.events[0], told)
    assert ("done" in shown) is inline


async def test_what_is_not_for_the_bot_is_not_answered(started: Seat, recorder: Recorder) -> None:
    recorder.answering = lambda _event: None
    assert await started.says("checkin", recorder, "one") == ""


async def test_nothing_leaks_before_the_start(seat: Seat, recorder: Recorder) -> None:
    """Whatever happens to a line that comes too early, no secret is in it."""
    try:
        shown = await seat.says("checkin", recorder, "one")
    except Exception as error:
        shown = f"{type(error).__name__}: {error}"
    assert not any(secret in shown for secret in seat.secrets)


@pytest.mark.parametrize("body", [b"", b"{}", b"<xml/>", b"\xff", b"payload=%7B%7D"])
async def test_what_nobody_signed_stays_outside(
    started: Seat, recorder: Recorder, body: bytes
) -> None:
    for path in started.adapter.paths:  # where a secret belongs stands something else
        with pytest.raises(Rejected) as rejected:
            await started.adapter.receive(Request("POST", path, {}, {}, body, now()), recorder)
        assert rejected.value.status in ((404,) if "{" in path else (400, 401))
        assert not any(secret in str(rejected.value) for secret in started.secrets)
    assert recorder.events == []


# --- what goes out


async def test_sending_gives_a_handle(started: Seat) -> None:
    handle = await started.adapter.send(started.message(started.person), READER)
    assert isinstance(handle, str)
    assert len(handle) <= 255


async def test_nobody_is_written_to(started: Seat) -> None:
    with pytest.raises(DeliveryFailed) as failed:
        await started.adapter.send(started.message(started.nobody), READER)
    assert failed.value.outcome == "dead"
    assert not any(secret in failed.value.why for secret in started.secrets)


async def test_sending_before_the_start_is_tried_again(seat: Seat) -> None:
    """Or done, where nothing has to be opened for it."""
    outcome = "retry"
    try:
        await seat.adapter.send(seat.message(seat.person), READER)
    except DeliveryFailed as failed:
        outcome = failed.outcome
    assert outcome in ("retry", "paced")


def test_the_wait_between_two_messages(seat: Seat) -> None:
    for kind in ("person", "group"):
        place = Address(platform=seat.adapter.name, kind=kind, id=seat.person)
        assert 0.0 <= seat.adapter.pace(place) <= 5.0


def test_nobody_is_rung_for_a_team_that_is_none(seat: Seat) -> None:
    assert not seat.adapter.can_ring("")


# --- life


async def test_stopping_is_quick_and_may_be_repeated(started: Seat) -> None:
    async with asyncio.timeout(ON_TIME):
        await started.adapter.stop()
        await started.adapter.stop()


async def test_stopping_what_never_started(seat: Seat) -> None:
    async with asyncio.timeout(ON_TIME):
        await seat.adapter.stop()


async def test_what_was_stopped_can_start_again(started: Seat, recorder: Recorder) -> None:
    await started.adapter.stop()
    await started.adapter.start(recorder, Alone().services)
    await started.says("checkin", recorder, "one")
    assert len(recorder.events) == 1


async def test_trouble_is_known_without_asking(started: Seat) -> None:
    before = started.calls()
    for _ in range(3):
        assert started.adapter.trouble() is None
        assert started.adapter.notice() is None
    assert started.calls() == before


def test_there_is_no_trouble_before_the_start(seat: Seat) -> None:
    assert seat.adapter.trouble() is seat.adapter.notice() is None
    assert seat.calls() == 0


async def test_the_doctor_needs_no_start(seat: Seat) -> None:
    async with asyncio.timeout(3 * ON_TIME):
        findings = await seat.adapter.examine(Checkup(now(), base_url="https://bot.example"))
    assert bool(findings) is (seat.adapter.name in PLATFORMS)
    for finding in findings:
        assert finding.sentence.strip()
        assert not any(secret in finding.sentence for secret in seat.secrets)


async def test_a_recorder_is_all_that_hears(started: Seat) -> None:
    """Whoever receives is given with the line, and may be anybody."""
    heard: list[Event] = []

    async def listens(event: Event) -> Reply | None:
        heard.append(event)
        return None

    await started.says("checkin", listens, "one")
    assert [event.text for event in heard] == ["checkin"]
