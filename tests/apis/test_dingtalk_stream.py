"""Where DingTalk's Stream begins: one asks for a line, and is told where."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from adapters.contract import DeliveryFailed
from adapters.dingtalk import api as dingtalk_api
from adapters.dingtalk.api import DingtalkApi, DingtalkRefused
from adapters.dingtalk.errcodes import OPEN_STREAM
from tests.apis.door import SUBSCRIPTIONS, TEST, DingtalkDoor
from tests.platforms.dingtalk_api import Api
from tests.platforms.dingtalk_model import Org


@pytest.fixture
def door() -> DingtalkDoor:
    return DingtalkDoor()


async def test_a_line_is_asked_for(org: Org, standin: Api, api: DingtalkApi) -> None:
    url = await api.open_stream(SUBSCRIPTIONS)
    parts = urlsplit(url)
    assert parts.scheme in ("ws", "wss")
    assert parse_qs(parts.query)["ticket"][0]
    (call,) = standin.calls
    assert call.path == OPEN_STREAM
    assert call.body == {
        "clientId": org.client_id,
        "subscriptions": SUBSCRIPTIONS,
        "ua": "banzhang",
        "localIp": "127.0.0.1",
    }


async def test_a_ticket_is_quoted(door: DingtalkDoor) -> None:
    def answer(_request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json={"endpoint": "wss://here/connect", "ticket": "a b+/=&c"})

    async with door.opened(TEST, httpx.MockTransport(answer)) as api:
        url = await api.open_stream(SUBSCRIPTIONS)
    assert url == "wss://here/connect?ticket=a+b%2B%2F%3D%26c"


@pytest.mark.parametrize(
    "fault",
    [
        {"how": "drop"},
        {"how": "drop_after"},
        {"status": 502},
        {"status": 504, "body": b"{}"},
        {"body": b"{}"},
        {"body": b"[]"},
        {"body": {"endpoint": "wss://here", "ticket": ""}},
        {"body": {"endpoint": "wss://here", "ticket": 7}},
        {"body": {"endpoint": None, "ticket": "t"}},
    ],
    ids=str,
)
async def test_a_line_that_does_not_come(
    standin: Api, api: DingtalkApi, fault: dict[str, Any]
) -> None:
    """Nobody sees what was only asked for."""
    standin.fail(OPEN_STREAM, **fault)
    with pytest.raises(DeliveryFailed) as found:
        await api.open_stream(SUBSCRIPTIONS)
    assert found.value.outcome == "retry"
    assert await api.open_stream(SUBSCRIPTIONS)


async def test_a_line_that_takes_too_long(
    door: DingtalkDoor, standin: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dingtalk_api, "CALL_SECONDS", 0.05)
    standin.fail(OPEN_STREAM, slow=0.5)
    async with door.opened_in_process() as api:
        with pytest.raises(DeliveryFailed) as found:
            await api.open_stream(SUBSCRIPTIONS)
    assert found.value.outcome == "retry"


async def test_a_line_that_is_refused(standin: Api, api: DingtalkApi) -> None:
    standin.fail(OPEN_STREAM, code="authFailed")
    with pytest.raises(DingtalkRefused) as found:
        await api.open_stream(SUBSCRIPTIONS)
    assert (found.value.code, found.value.what) == ("authFailed", OPEN_STREAM)
    assert api.trouble is not None
    await api.open_stream(SUBSCRIPTIONS)
    assert api.trouble is None


async def test_a_line_while_dingtalk_is_out_of_reach(door: DingtalkDoor) -> None:
    async with door.opened("http://127.0.0.1:1") as api:
        with pytest.raises(DeliveryFailed, match="DingTalk is not reachable: ConnectError"):
            await api.open_stream(SUBSCRIPTIONS)
