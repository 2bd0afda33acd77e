"""A real browser in front of the real demo.

Chromium is the machine's own (BANZHANG_CHROMIUM, else /usr/bin/chromium): none is downloaded.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import uvicorn
from playwright.sync_api import Browser, sync_playwright

from adapters.sandbox.adapter import SandboxAdapter
from bot.app import Bot
from bot.clock import WallClock
from bot.demo import build_demo, demo_settings
from bot.messages import Locale
from bot.serving import listen
from tests.town import make_settings

CHROMIUM = Path(os.environ.get("BANZHANG_CHROMIUM", "/usr/bin/chromium"))
MISSING = (
    f"NO BROWSER: {CHROMIUM} is missing. Get it with 'apt-get install chromium', or set"
    " BANZHANG_CHROMIUM to a Chromium or Chrome."
)
# Root needs --no-sandbox; the others keep it from calling its maker.
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
STARTING = 30.0


@dataclass(frozen=True)
class Demo:
    """A demo that is being served."""

    url: str
    bot: Bot

    @property
    def adapter(self) -> SandboxAdapter:
        """The simulated platform behind the page."""
        adapter = self.bot.adapters["sandbox"]
        assert isinstance(adapter, SandboxAdapter)
        return adapter


@contextmanager
def served_demo(folder: Path, locale: Locale = "zh_CN", port: int = 0) -> Iterator[Demo]:
    """The demo in a thread of its own, at nine on a Monday morning, until the block ends."""
    listener = listen("127.0.0.1", port)
    host = f"127.0.0.1:{listener.getsockname()[1]}"
    settings = demo_settings(folder, make_settings(BANZHANG_LOCALE=locale))
    bot, application = build_demo(settings, folder, [host])
    assert isinstance(bot.clock, WallClock)
    bot.clock.push_to(_next_monday(bot.clock.now(), ZoneInfo(settings.timezone)))
    config = uvicorn.Config(application, log_level="warning", timeout_graceful_shutdown=5)
    server = uvicorn.Server(config)
    demo = Demo(f"http://{host}/", bot)
    loops: list[asyncio.AbstractEventLoop] = []

    async def serve() -> None:
        loops.append(asyncio.get_running_loop())
        await server.serve(sockets=[listener])

    thread = threading.Thread(target=lambda: asyncio.run(serve()), name="demo", daemon=True)
    thread.start()
    try:
        _wait_until_started(server, thread)
        yield demo
    finally:
        loops[0].call_soon_threadsafe(demo.adapter.hang_up)
        server.should_exit = True
        thread.join(STARTING)


def _next_monday(now: datetime, zone: ZoneInfo) -> datetime:
    local = now.astimezone(zone)
    monday = local + timedelta(days=7 - local.weekday())
    return monday.replace(hour=9, minute=0, second=0, microsecond=0)


def _wait_until_started(server: uvicorn.Server, thread: threading.Thread) -> None:
    waited = threading.Event()
    for _ in range(int(STARTING / 0.05)):
        if server.started:
            return
        if not thread.is_alive():
            break
        waited.wait(0.05)
    raise RuntimeError("the demo did not start")


@contextmanager
def chromium() -> Iterator[Browser]:
    """The machine's Chromium, headless, until the block ends."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        try:
            yield browser
        finally:
            browser.close()
