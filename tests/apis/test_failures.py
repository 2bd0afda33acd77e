"""What does not arrive, and an app that is let in no more: every failure has its name."""

from __future__ import annotations

import asyncio
import logging
import socket
import time
from typing import Any

import pytest

from adapters.calls import Calls, deadline_in
from adapters.contract import DeliveryFailed
from tests.apis.door import READER, DingtalkDoor, Door, WecomDoor


@pytest.fixture(params=[DingtalkDoor, WecomDoor], ids=lambda door: door.title)
def door(request: pytest.FixtureRequest) -> Any:
    return request.param()


@pytest.mark.parametrize(
    "fault",
    [
        {"how": "drop"},
        {"how": "drop_after"},
        {"status": 500, "body": b""},
        {"status": 502},
        {"status": 503, "body": b""},
        {"status": 503, "body": b"{}"},
        {"status": 504},
        {"status": 302, "body": b""},
        {"status": 403, "body": b'{"message": "no"}'},
        {"status": 404, "body": b"{}"},
        {"body": b""},
        {"body": b"[]"},
        {"body": b"{oops"},
        {"body": b"\xff"},
        {"body": b'{"a":' + b"[" * 100_000},
    ],
    ids=lambda fault: str(fault)[:60],
)
async def test_what_nobody_knows(door: Door[Any, Any], api: Any, fault: dict[str, Any]) -> None:
    """It is asked once: the platform may have taken it."""
    await door.say(api, "before")
    door.standin.fail(door.send_path, **fault)
    assert (await door.failed(api)).outcome == "unknown"
    assert len(door.standin.calls_of(door.send_path)) == 2
    assert len(door.office.messages(READER)) == (2 if fault.get("how") == "drop_after" else 1)
    assert api.trouble is None
    await door.say(api, "again")
    assert door.office.last(READER) == "again"


async def test_an_answer_that_does_not_come_in_time(
    door: Door[Any, Any], api: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    await door.say(api, "before")
    monkeypatch.setattr(door.client, "CALL_SECONDS", 0.05)
    door.standin.fail(door.send_path, slow=0.2)
    assert (await door.failed(api)).outcome == "unknown"
    assert door.office.last(READER) == "你好"


async def test_out_of_reach(door: Door[Any, Any]) -> None:
    async with door.opened("http://127.0.0.1:1") as api:
        why = f"{door.title} is not reachable: ConnectError"
        found = await door.failed(api)
        assert (found.outcome, found.why) == ("retry", why)
        with pytest.raises(DeliveryFailed, match=why):
            await door.say_by_robot(api)


@pytest.mark.parametrize("url", ["ftp://127.0.0.1", "127.0.0.1"])
async def test_an_address_that_is_none(door: Door[Any, Any], url: str) -> None:
    async with door.opened(url) as api:
        assert (await door.failed(api)).outcome == "retry"


@pytest.mark.parametrize("slash", ["", "/"])
async def test_the_address_with_and_without_a_last_slash(
    door: Door[Any, Any], origin: str, slash: str
) -> None:
    async with door.opened(origin + slash) as api:
        await door.say(api)
        await door.look_up(api)


async def test_before_the_beginning_and_after_the_end(door: Door[Any, Any]) -> None:
    api = door.made()
    assert (await door.failed(api)).outcome == "retry"
    await api.close()
    async with door.opened_in_process() as api:
        await door.say(api)
    found = await door.failed(api)
    assert (found.outcome, found.why) == ("retry", f"the {door.title} session is not open")
    await api.close()


async def test_no_time_left() -> None:
    calls = Calls("DingTalk")
    await calls.open()
    with pytest.raises(DeliveryFailed) as found:
        await calls.ask("POST", "http://127.0.0.1:1/", deadline_in(0))
    assert found.value.outcome == "retry", "it was surely not asked"
    await calls.close()


async def test_the_end_is_quick_even_while_the_platform_is_silent(door: Door[Any, Any]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        api = door.made(f"http://127.0.0.1:{silent.getsockname()[1]}")
        await api.open()
        waiting = asyncio.create_task(door.failed(api))
        sending = asyncio.create_task(door.say_by_robot(api))
        await asyncio.sleep(0.05)
        began = time.monotonic()
        await api.close()
        assert time.monotonic() - began < 1
        assert (await waiting).outcome == "retry", "it never got its token"
        with pytest.raises(DeliveryFailed) as found:
            await sending
        assert found.value.outcome == "unknown"


# --- trouble


async def test_a_wrong_secret(door: Door[Any, Any], caplog: pytest.LogCaptureFixture) -> None:
    async with door.opened_in_process(secret="wrong-secret") as api:
        answers = await door.all_of(api)
        assert [(one.code, one.what) for one in answers] == [
            (door.bad_secret, door.token_path)
        ] * 10
        assert door.tokens_and_sends() == (1, 0)
        assert api.trouble is not None
        assert api.trouble.startswith(f"{door.title} refuses the app since 20")
        assert f" UTC: {door.bad_secret}" in api.trouble
        assert (await door.refused(api)).code == door.bad_secret
    critical = [one for one in caplog.records if one.levelno == logging.CRITICAL]
    assert len(critical) == 1, "said once"
    assert "wrong-secret" not in caplog.text


async def test_anything_that_works_shows_that_the_secret_is_right(
    door: Door[Any, Any], api: Any
) -> None:
    door.refuse(door.token_path, door.bad_secret)
    await door.refused(api)
    assert api.trouble is not None
    await door.look_up(api)
    assert api.trouble is None


async def test_other_codes_are_no_trouble(door: Door[Any, Any], api: Any) -> None:
    for code in door.harmless:
        door.refuse(door.send_path, code)
        assert (await door.refused(api)).code == code
        assert api.trouble is None
