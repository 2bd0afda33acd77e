"""The month's calls: none is forgotten, and who has to know is told once."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime

import pytest

from adapters.dingtalk import meter as module
from adapters.dingtalk.meter import CALLS_80, CALLS_95, CALLS_100, METERED, Meter
from tests.services import Alone

NOVEMBER = datetime(2026, 11, 30, 15, 59, tzinfo=UTC)
DECEMBER = datetime(2026, 11, 30, 16, 0, tzinfo=UTC)
"""In Shanghai."""


class Account:
    """A meter, the clock it looks at, and whoever keeps its counts."""

    def __init__(self, allowed: int = 100) -> None:
        self.now = NOVEMBER
        self.alone = Alone()
        self.meter = Meter(lambda: self.now, allowed)

    async def started(self) -> Account:
        services = self.alone.services
        await self.meter.start(services.called, services.alarm)
        return self

    def is_low(self) -> bool:
        return self.meter.is_low

    def before(self, times: int) -> None:
        """So often somebody else called in November."""
        self.alone.calls.setdefault("2026-11", Counter())[METERED] += times

    def call(self, times: int, kind: str = METERED) -> None:
        for _ in range(times):
            self.meter.count(kind)


async def test_each_month_has_its_own_account() -> None:
    account = await Account().started()
    account.call(2)
    account.call(1, "session")
    account.now = DECEMBER
    account.call(3)
    await account.meter.stop()
    assert account.alone.calls == {
        "2026-11": Counter(api=2, session=1),
        "2026-12": Counter(api=3),
    }


async def test_the_oldest_month_is_handed_on_first() -> None:
    """Whoever shows the latest totals shows those of the month that goes on."""
    account = Account()
    asked: list[str] = []

    async def called(month: str, made: Mapping[str, int]) -> Mapping[str, int]:
        asked.append(month)
        return made

    account.call(1)
    account.now = DECEMBER
    account.call(1)
    await account.meter.start(called, account.alone.services.alarm)
    assert asked == ["2026-11", "2026-12"]
    await account.meter.stop()


async def test_a_month_is_asked_for_before_anybody_calls() -> None:
    account = await Account().started()
    assert account.alone.calls == {"2026-11": Counter()}
    account.now = DECEMBER
    await account.meter.look()
    assert list(account.alone.calls) == ["2026-11", "2026-12"]
    await account.meter.stop()


async def test_it_looks_again_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LOOK_SECONDS", 0.0)
    account = await Account().started()
    account.before(100)
    async with asyncio.timeout(5):
        while not account.meter.is_low:  # noqa: ASYNC110 - of a task of the meter's
            await asyncio.sleep(0)
    await account.meter.stop()


async def test_the_admins_are_told_at_80_95_and_100() -> None:
    account = await Account().started()
    for calls, told in [
        (79, []),
        (1, [CALLS_80]),
        (14, [CALLS_80]),
        (1, [CALLS_80, CALLS_95]),
        (4, [CALLS_80, CALLS_95]),
        (1, [CALLS_80, CALLS_95, CALLS_100]),
        (50, [CALLS_80, CALLS_95, CALLS_100]),
    ]:
        account.call(calls)
        await account.meter.hand_on()
        assert account.alone.alarms == told
    assert set(account.alone.once) == {"2026-11.100"}, "whichever process tells it"
    await account.meter.stop()


@pytest.mark.parametrize(("made", "told"), [(85, CALLS_80), (97, CALLS_95), (200, CALLS_100)])
async def test_who_starts_above_a_line_tells_of_the_highest(made: int, told: str) -> None:
    account = Account()
    account.before(made)
    await account.started()
    assert account.alone.alarms == [told]
    await account.meter.stop()


async def test_what_nobody_could_be_told_is_told_the_next_time() -> None:
    account = await Account().started()
    account.alone.deaf = True
    account.call(80)
    with pytest.raises(ConnectionError):
        await account.meter.hand_on()
    account.alone.deaf = False
    account.call(1)
    await account.meter.hand_on()
    assert account.alone.alarms == [CALLS_80]
    assert account.alone.calls["2026-11"][METERED] == 81, "and nothing is counted twice"
    await account.meter.stop()


async def test_the_last_calls_are_few() -> None:
    account = Account()
    account.before(94)
    await account.started()
    assert not account.is_low()
    account.call(1)
    assert account.is_low(), "also before it is handed on"
    await account.meter.hand_on()
    assert account.is_low()
    account.now = DECEMBER
    assert not account.is_low()
    await account.meter.stop()
    unlimited = await Account(allowed=0).started()
    unlimited.call(1000)
    assert not unlimited.is_low()
    await unlimited.meter.stop()


async def test_nobody_is_told_where_there_is_no_limit() -> None:
    account = await Account(allowed=0).started()
    account.call(1000)
    await account.meter.stop()
    assert account.alone.alarms == []


async def test_other_kinds_use_nothing_up() -> None:
    account = await Account().started()
    account.call(1000, "session")
    await account.meter.stop()
    assert account.alone.alarms == []


async def test_what_could_not_be_kept_is_kept_the_next_time() -> None:
    account = Account()
    meter = Meter(lambda: account.now, 100)
    kept: list[Mapping[str, int]] = []
    away = [True]

    async def called(_month: str, made: Mapping[str, int]) -> Mapping[str, int]:
        if away.pop():
            raise ConnectionError
        kept.append(dict(made))
        return made

    meter.count(METERED)
    await meter.start(called, account.alone.services.alarm)
    meter.count(METERED)
    away.append(False)
    await meter.hand_on()
    assert kept == [{METERED: 2}]
    away.append(False)
    await meter.stop()


async def test_counts_are_handed_on_by_themselves() -> None:
    account = await Account().started()
    before, module.HAND_ON_SECONDS = module.HAND_ON_SECONDS, 0.0
    try:
        account.call(1)
        async with asyncio.timeout(5):
            while not account.alone.calls["2026-11"][METERED]:  # noqa: ASYNC110 - of a task of the meter's
                await asyncio.sleep(0)
    finally:
        module.HAND_ON_SECONDS = before
    await account.meter.stop()
