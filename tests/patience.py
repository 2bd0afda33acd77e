"""For tests of what happens on its own, on a loop: wait for it, watch it, clean up after it."""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import Awaitable, Callable

import pytest


async def until(fact: Callable[[], object]) -> None:
    """Wait for something that happens on its own, five seconds at most."""
    deadline = time.monotonic() + 5
    while not fact():
        assert time.monotonic() < deadline, "it never happened"
        await asyncio.sleep(0.005)


async def throughout(seconds: float, fact: Callable[[], object]) -> None:
    """Something stays as it is."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        assert fact()
        await asyncio.sleep(0.005)


async def timed(work: Awaitable[None]) -> float:
    """The seconds it took."""
    began = time.monotonic()
    await work
    return time.monotonic() - began


async def nothing_is_left_behind(caplog: pytest.LogCaptureFixture) -> None:
    """No task that nobody awaits, no session or connection that nobody closed."""
    await asyncio.sleep(0)
    assert asyncio.all_tasks() == {asyncio.current_task()}
    gc.collect()
    assert [one.message for one in caplog.records if one.name == "asyncio"] == []
