"""What DingTalk says no to: every refusal has its name, and nothing secret gets into a log."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from itertools import product
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from adapters.contract import DeliveryFailed
from adapters.dingtalk.api import DingtalkApi, DingtalkRefused
from adapters.dingtalk.errcodes import GET_TOKEN, IP_BAN, OPEN_STREAM
from adapters.dingtalk.setup import Robot
from tests.apis.door import SUBSCRIPTIONS, TEXT, DingtalkDoor
from tests.platforms.dingtalk_api import ROBOT, SESSION, TO_PEOPLE, USER, Api
from tests.platforms.dingtalk_model import Group, Org
from tests.platforms.dingtalk_refusals import IP_BAN as BAN_BODY
from tests.platforms.dingtalk_refusals import PERMISSION


@pytest.fixture
def door() -> DingtalkDoor:
    return DingtalkDoor()


async def test_a_refusal_names_what_is_missing(
    door: DingtalkDoor, standin: Api, api: DingtalkApi, caplog: pytest.LogCaptureFixture
) -> None:
    standin.fail(TO_PEOPLE, code=PERMISSION)
    found = await door.refused(api)
    assert (found.code, found.what, found.scopes) == (PERMISSION, TO_PEOPLE, ("Contact.User.Read",))
    assert "Contact.User.Read" in caplog.text
    assert api.trouble is None


async def test_a_call_with_a_name_of_its_own(
    door: DingtalkDoor, standin: Api, api: DingtalkApi
) -> None:
    standin.fail(TO_PEOPLE, code="param.invalid")
    with pytest.raises(DingtalkRefused) as found:
        await api.call("POST", TO_PEOPLE, door.text(), what="a batch")
    assert found.value.what == "a batch"


@pytest.mark.parametrize(
    "fault",
    [
        {"status": 504, "body": {"code": "staffId.notExisted"}},
        {"status": 500, "body": {"code": "NobodyKnowsThis"}},
    ],
    ids=str,
)
async def test_what_a_gateway_in_trouble_says_is_no_refusal(
    door: DingtalkDoor, standin: Api, api: DingtalkApi, fault: dict[str, Any]
) -> None:
    standin.fail(TO_PEOPLE, **fault)
    assert (await door.failed(api)).outcome == "unknown"
    assert len(standin.calls_of(TO_PEOPLE)) == 1
    assert api.trouble is None


@pytest.mark.parametrize("status", [200, 400, 403, 404, 500, 503])
async def test_a_code_counts_whatever_the_status(
    door: DingtalkDoor, standin: Api, api: DingtalkApi, status: int
) -> None:
    standin.fail(TO_PEOPLE, code="system.busy", status=status)
    assert (await door.refused(api)).code == "system.busy"


async def test_a_code_that_is_nothing_is_none(
    door: DingtalkDoor, standin: Api, api: DingtalkApi
) -> None:
    standin.fail(TO_PEOPLE, body={"code": "", "processQueryKey": "k"})
    assert (await door.say(api))["processQueryKey"] == "k"


@pytest.mark.parametrize(
    "fault",
    [
        {"body": BAN_BODY},
        {"status": 403, "body": BAN_BODY},
        {"status": 403, "body": b"  <!doctype html><html></html>"},
    ],
    ids=lambda fault: str(fault)[:60],
)
async def test_a_ban(
    door: DingtalkDoor, org: Org, standin: Api, group: Group, fault: dict[str, Any]
) -> None:
    """Nobody asks any more for five minutes, by whichever way."""
    async with door.opened_in_process() as api:
        await door.say(api, "before")
        standin.fail(TO_PEOPLE, **fault)
        found = await door.failed(api)
        assert (found.outcome, found.why, found.after, found.scope) == (
            "retry",
            IP_BAN,
            300.0,
            "platform",
        )
        asked = len(standin.calls)
        org.advance(200)
        ways = (
            door.say(api),
            api.ask_old(USER, {"userid": "lisi"}),
            api.open_stream(SUBSCRIPTIONS),
            api.by_session(org.session_url(group.id), TEXT),
            api.by_robot(Robot("t"), TEXT, door.now()),
        )
        for rested in await asyncio.gather(*ways, return_exceptions=True):
            assert isinstance(rested, DeliveryFailed)
            assert (rested.outcome, rested.why, rested.scope) == ("retry", IP_BAN, "platform")
            assert rested.after == pytest.approx(100, abs=2)
        assert len(standin.calls) == asked
        org.advance(101)
        await door.say(api, "again")
        assert org.last("lisi") == "again"
        assert api.trouble is None


async def test_what_ends_trouble(door: DingtalkDoor, standin: Api, api: DingtalkApi) -> None:
    """A wrong robot code is not wrong no more because people can be looked up."""
    standin.fail(TO_PEOPLE, code="invalidParameter.robotCode.auth")
    await door.refused(api)
    assert api.trouble is not None
    first = api.trouble
    standin.fail(GET_TOKEN, code="authFailed")
    await api.ask_old(USER, {"userid": "lisi"})
    await api.open_stream(SUBSCRIPTIONS)
    assert api.trouble == first
    assert api.refused is not None
    assert api.refused.what == TO_PEOPLE
    await door.say(api)
    cleared: tuple[str | None, DingtalkRefused | None] = (api.trouble, api.refused)
    assert cleared == (None, None)


# --- logs


async def test_nothing_secret_is_logged(
    door: DingtalkDoor,
    org: Org,
    standin: Api,
    origin: str,
    group: Group,
    caplog: pytest.LogCaptureFixture,
) -> None:
    token, secret = org.add_robot(group.id)
    said: list[str] = []
    with caplog.at_level(logging.DEBUG):
        async with door.opened(origin) as api:
            url = org.session_url(group.id)
            await door.say(api, "my salary")
            standin.expire_tokens()
            await api.ask_old(USER, {"userid": "lisi"})
            await api.by_session(url, {"msgtype": "text", "text": {"content": "my salary"}})
            await api.by_robot(Robot(token, secret), TEXT, door.now())
            line = await api.open_stream(SUBSCRIPTIONS)
            ways: list[tuple[str, Callable[[], Awaitable[object]]]] = [
                (TO_PEOPLE, lambda: door.say(api, "my salary")),
                (SESSION, lambda: api.by_session(url, TEXT)),
                (ROBOT, lambda: api.by_robot(Robot(token, secret), TEXT, door.now())),
                (OPEN_STREAM, lambda: api.open_stream(SUBSCRIPTIONS)),
            ]
            faults: list[dict[str, Any]] = [
                {"how": "drop"},
                {"status": 502},
                {"code": "authFailed"},
            ]
            for (path, way), fault in product(ways, faults):
                standin.fail(path, **fault)
                with pytest.raises((DeliveryFailed, DingtalkRefused)) as found:
                    await way()
                said += [str(found.value), repr(found.value), str(found.value.__cause__)]
            with pytest.raises(DeliveryFailed) as found:
                await api.by_session("https://evil.test/?session=stolen", TEXT)
            said += [str(found.value), str(found.value.__cause__), str(api.trouble), repr(api)]
    ours = [one for one in caplog.records if one.name != "uvicorn.access"]  # the stand-in's
    logged = "\n".join([logging.Formatter().format(one) for one in ours] + said)
    assert "HTTP Request: POST" in logged, "httpx does log, and what it logs was looked at"
    ticket = parse_qs(urlsplit(line).query)["ticket"][0]
    session = url.rpartition("=")[2]
    secrets = (org.client_secret, token, secret, session, ticket, "stolen", *standin._tokens)
    for one in (*secrets, "salary", "access_token", "session=", "sign="):
        assert one not in logged
