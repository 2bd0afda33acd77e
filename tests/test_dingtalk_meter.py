"""The month's calls: none is forgotten, and who has to know is told once."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime

from adapters.dingtalk import meter as module
from adapters.dingtalk.meter import CALLS_80, CALLS_100, METERED, Meter
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
        services = self.alone.services
        self.meter.start(services.called, services.alarm)

    def call(self, times: int, kind: str = METERED) -> None:
        for _ in range(times):
            self.meter.count(kind)


async def test_each_month_has_its_own_account() -> None:
    account = Account()
    account.call(2)
    account.call(1, "session")
    account.now = DECEMBER
    account.call(3)
    await account.meter.stop()
    assert account.alone.calls == {
        "2026-11": Counter(api=2, session=1),
        "2026-12": Counter(api=3),
    }


async def test_the_admins_are_told_at_80_and_at_100() -> None:
    account = Account()
    for calls, told in [
        (79, []),
        (1, [CALLS_80]),
        (19, [CALLS_80]),
        (1, [CALLS_80, CALLS_100]),
        (50, [CALLS_80, CALLS_100]),
    ]:
        account.call(calls)
        await account.meter.hand_on()
        assert account.alone.alarms == told
    await account.meter.stop()


async def test_nobody_is_told_where_there_is_no_limit() -> None:
    account = Account(allowed=0)
    account.call(1000)
    await account.meter.stop()
    assert account.alone.alarms == []


async def test_other_kinds_use_nothing_up() -> None:
    account = Account()
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

    meter.start(called, account.alone.services.alarm)
    meter.count(METERED)
    try:
        await meter.hand_on()
    except ConnectionError:
        meter.count(METERED)
    away.append(False)
    await meter.hand_on()
    assert kept == [{METERED: 2}]
    await meter.stop()
    await account.meter.stop()


async def test_counts_are_handed_on_by_themselves() -> None:
    account = Account()
    before, module.HAND_ON_SECONDS = module.HAND_ON_SECONDS, 0.0
    try:
        account.call(1)
        async with asyncio.timeout(5):
            while not account.alone.calls:  # noqa: ASYNC110 - of a task of the meter's
                await asyncio.sleep(0)
    finally:
        module.HAND_ON_SECONDS = before
    await account.meter.stop()
