"""A platform that hangs does not keep the bot from stopping."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from adapters.sandbox.adapter import SandboxAdapter
from bot import app
from bot.app import Bot
from bot.messages import Address, Outgoing, Reader, Send, text
from bot.words import reader_for
from storage.engine import make_engine
from storage.migrate import upgrade
from tests.clock import StillClock
from tests.town import make_settings

BOUND = 30.0
"""Far above what stopping takes: only what hangs for ever reaches it."""


class Hanging(SandboxAdapter):
    """A platform that takes no message and lets nobody go."""

    def __init__(self, name: str) -> None:
        super().__init__(StillClock().now, reader_for)
        self.name = name
        self.sending = asyncio.Event()
        self.cut_off = False

    async def send(self, outgoing: Outgoing, reader: Reader) -> str:
        self.sending.set()
        return await asyncio.Future[str]()

    async def stop(self) -> None:
        try:
            await asyncio.Future[None]()
        except asyncio.CancelledError:
            self.cut_off = True
            raise


def test_whatever_platforms_hang_on_is_cut_off_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app, "STOPS_WITHIN", 0.4)
    monkeypatch.setattr(app, "FINISHES_SENDING", 0.2)

    async def live() -> list[Hanging]:
        platforms = [Hanging("sandbox"), Hanging("other")]
        engine = make_engine(f"sqlite:///{tmp_path}/bot.db")
        upgrade(engine)
        clock = StillClock()
        bot = Bot(make_settings(), platforms, clock, engine)
        await bot.start()
        to = Address(platform="sandbox", kind="person", id="xiaowang")
        send = Send(to=to, key="hello", words=text("said", words="hello"))
        await bot.transactions.run(lambda uow: uow.outbox.put(send, clock.now()))
        async with asyncio.timeout(BOUND):
            await platforms[0].sending.wait()
            await bot.stop()
        return platforms

    assert [one.cut_off for one in asyncio.run(live())] == [True, True]
