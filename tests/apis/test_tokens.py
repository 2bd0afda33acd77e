"""The access token: one for all who call, renewed in time, and nothing is sent without one."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.apis.door import READER, DingtalkDoor, Door, WecomDoor
from tests.patience import until


@pytest.fixture(params=[DingtalkDoor, WecomDoor], ids=lambda door: door.title)
def door(request: pytest.FixtureRequest) -> Any:
    return request.param()


async def test_many_with_a_cold_token_get_one(door: Door[Any, Any], api: Any) -> None:
    assert all(isinstance(told, dict) for told in await door.all_of(api))
    assert door.tokens_and_sends() == (1, 10)


async def test_many_with_a_token_that_ended_get_one_more(door: Door[Any, Any], api: Any) -> None:
    await door.all_of(api)
    door.standin.expire_tokens()
    assert all(isinstance(told, dict) for told in await door.all_of(api))
    tokens, sends = door.tokens_and_sends()
    assert tokens == 2
    assert sends <= 30, "none was sent a third time"


async def test_a_token_is_renewed_before_its_end(door: Door[Any, Any], api: Any) -> None:
    await door.say(api)
    door.office.advance(7200 - 301)
    await door.say(api)
    assert door.standin.token_calls == 1
    door.office.advance(2)
    await door.say(api)
    await door.say(api)
    assert door.standin.token_calls == 2
    door.office.advance(300)
    await door.say(api)
    assert door.tokens_and_sends() == (3, 5), "none was sent in vain"


async def test_a_token_that_is_never_good_is_tried_twice(door: Door[Any, Any], api: Any) -> None:
    door.refuse(door.send_path, door.bad_token, times=None)
    assert (await door.refused(api)).code == door.bad_token
    assert door.tokens_and_sends() == (2, 2)
    assert api.trouble is None
    door.standin.heal()
    await door.say(api)


async def test_a_renewal_that_fails_fails_all_who_wait_once(door: Door[Any, Any], api: Any) -> None:
    door.refuse(door.token_path, door.busy)
    answers = await door.all_of(api)
    assert [(one.code, one.what) for one in answers] == [(door.busy, door.token_path)] * 10
    assert door.tokens_and_sends() == (1, 0)
    assert api.trouble is None
    await door.say(api)
    assert door.tokens_and_sends() == (2, 1)


@pytest.mark.parametrize(
    "fault",
    [
        {"how": "drop"},
        {"how": "drop_after"},
        {"status": 502},
        {"status": 500, "body": b"{}"},
        {"body": b"<html>502 Bad Gateway</html>"},
    ],
    ids=str,
)
async def test_while_there_is_no_token_nothing_was_sent(
    door: Door[Any, Any], api: Any, fault: dict[str, Any]
) -> None:
    door.standin.fail(door.token_path, **fault)
    assert (await door.failed(api)).outcome == "retry"
    assert door.standin.calls_of(door.send_path) == []
    await door.say(api)


async def test_an_answer_without_a_token(door: Door[Any, Any], api: Any) -> None:
    for odd in door.odd_tokens:
        door.standin.fail(door.token_path, body=odd)
        assert (await door.failed(api)).outcome == "retry"
    assert door.standin.calls_of(door.send_path) == []
    await door.say(api)


async def test_a_token_that_does_not_come(
    door: Door[Any, Any], api: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(door.client, "CALL_SECONDS", 0.05)
    door.standin.fail(door.token_path, slow=0.2)
    assert (await door.failed(api)).outcome == "retry"
    monkeypatch.undo()
    await door.say(api)


async def until_a_token_is_asked_for(door: Door[Any, Any]) -> None:
    await asyncio.to_thread(door.office.wait_for, lambda: door.standin.token_calls)


async def test_who_waits_for_a_token_may_leave(door: Door[Any, Any], api: Any) -> None:
    """And takes it from nobody else."""
    door.standin.fail(door.token_path, slow=0.05)
    first = asyncio.create_task(door.say(api))
    await until_a_token_is_asked_for(door)
    second = asyncio.create_task(door.say(api))
    await asyncio.sleep(0)
    first.cancel()
    assert await second
    assert first.cancelled()
    assert door.standin.token_calls == 1


async def test_a_token_nobody_waits_for_any_more_may_fail(door: Door[Any, Any], api: Any) -> None:
    door.standin.fail(door.token_path, "drop")
    leaving = asyncio.create_task(door.say(api))
    await asyncio.sleep(0)
    leaving.cancel()
    await asyncio.wait([leaving])
    assert leaving.cancelled()
    await until_a_token_is_asked_for(door)
    await until(lambda: api._tokens._renewing is None)
    await door.say(api, "again")
    assert door.office.last(READER) == "again"
