"""The one place that builds: settings → engine, adapters, tables of handlers, scheduler, web
application.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import structlog
from sqlalchemy import Engine
from starlette.applications import Starlette
from starlette.routing import BaseRoute

import handlers
import sop_scripts
from adapters import PLATFORMS
from adapters.contract import LEAD_SECONDS, Adapter, DeliveryFailed, Services
from bot.clock import Clock
from bot.dispatch import Dispatch
from bot.messages import Locale
from bot.metrics import CALLS
from bot.operations import Trouble
from bot.outbox import IDLE_LOOK, SHARED_LOOK, Delivery
from bot.router import Router
from bot.schedule import Schedule
from bot.settings import Settings
from bot.transactions import make_transactions
from bot.web import health_routes, platform_routes
from bot.words import reader_for, warm_up
from handlers.attendance.evidence import note_evidence
from handlers.people.granting import make_admin
from handlers.people.page import outdated
from handlers.people.policies import policies_of
from handlers.queries.threads import query_above
from handlers.queries.timers import missed as missed_reminders
from handlers.upkeep import timers as upkeep
from storage import migrate
from storage.cipher import Cipher
from storage.engine import is_sqlite, make_engine
from storage.uow import UnitOfWork

log = structlog.get_logger()

FIRST_TEAM = {"zh_CN": "班组", "en": "Team"}
TICK_TOO_OLD = 15.0
STOPS_WITHIN = 4.0
"""Seconds for all platforms together."""
FINISHES_SENDING = 1.5
"""Of these, seconds for what is being sent; what is cut off is tried again after the next start."""


async def _stop(adapter: Adapter, ends: float) -> None:
    """Stop a platform's adapter; whatever it hangs on, not longer than until `ends`."""
    try:
        async with asyncio.timeout_at(ends):
            await adapter.stop()
    except TimeoutError:
        log.warning("a platform was cut off while it stopped", platform=adapter.name)


def make_cipher(settings: Settings) -> Cipher:
    """The sealing of stored texts, by the secret key."""
    return Cipher(settings.secret_key.get_secret_value() if settings.secret_key else None)


def make_adapters(settings: Settings, clock: Clock) -> list[Adapter]:
    """An adapter for each platform whose variables are set."""
    return [
        adapter
        for make in PLATFORMS.values()
        if (adapter := make(settings, clock.now, reader_for)) is not None
    ]


def slack_manifest(locale: Locale, url: str | None) -> tuple[str, str]:
    """Slack's one-click link and the manifest in it, as YAML; with `url` for HTTP."""
    from adapters.slack import manifest

    reader = reader_for(locale, "UTC", datetime.now(UTC))
    made = manifest.manifest(reader.plain, handlers.NAMES, url)
    return manifest.one_click(made), manifest.dumped(made)


def wecom_menu(locale: Locale) -> dict[str, Any]:
    """The menu of WeCom's app in a language."""
    from adapters.wecom import menu

    reader = reader_for(locale, "UTC", datetime.now(UTC))
    return menu.menu(reader.plain, handlers.NAMES)


async def push_wecom_menu(settings: Settings, clock: Clock) -> str:
    """Put it under the app's conversation; what stands there now, in a line. Raises Trouble."""
    from adapters.wecom import menu
    from adapters.wecom.api import WecomApi, WecomRefused
    from adapters.wecom.console import NO_APP, why_not

    if settings.wecom_agent_id is None or settings.wecom_secret is None:
        raise Trouble(NO_APP)
    api = WecomApi(
        settings.wecom_api_url,
        settings.wecom_corp_id,
        settings.wecom_secret.get_secret_value(),
        clock.now,
    )
    made = wecom_menu(settings.locale)
    await api.open()
    try:
        await menu.push(api, settings.wecom_agent_id, made)
    except (WecomRefused, DeliveryFailed) as error:
        raise Trouble(why_not(error, settings.wecom_api_url)) from None
    finally:
        await api.close()
    return menu.shown(made)


class Bot:
    """Everything that runs, built and wired. Tests build it with other parts."""

    def __init__(
        self,
        settings: Settings,
        adapters: Sequence[Adapter],
        clock: Clock,
        engine: Engine | None = None,
    ) -> None:
        warm_up()
        scripts = sop_scripts.load(settings.sop_dir)
        self.settings = settings
        self.clock = clock
        self.engine = engine or make_engine(settings.database_url)
        self.adapters = {adapter.name: adapter for adapter in adapters}
        self.transactions = make_transactions(
            self.engine, make_cipher(settings), self._told, self._rings
        )
        # Two processes on one machine, and one that was started anew, are different holders.
        self._holder = secrets.token_hex(8)
        self.dispatch = Dispatch(
            self.transactions,
            Router(
                handlers.following(scripts),
                handlers.listening(scripts),
                lambda team: policies_of(team).guests,
                query_above,
            ),
            handlers.TIMERS,
            self.adapters,
            note_evidence,
            outdated,
            apart=handlers.APART,
        )
        # Who shares a database is not woken by what another process queues in it.
        look = IDLE_LOOK if is_sqlite(self.engine) else SHARED_LOOK
        self.delivery = Delivery(self.transactions, self.adapters, clock, look)
        self.schedule = Schedule(self.dispatch, self.transactions, clock)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._draining: asyncio.Task[None] | None = None

    # --- life --------------------------------------------------------------------------------

    async def prepare(self) -> None:
        """What the database needs before the first event: a team, the named admins, upkeep."""
        now = self.clock.now()
        await self.transactions.run(lambda uow: self._first_rows(uow, now))

    def _first_rows(self, uow: UnitOfWork, now: datetime) -> None:
        if not uow.teams.all():
            locale = self.settings.locale
            uow.teams.add(FIRST_TEAM[locale], locale, self.settings.timezone, now)
        for platform, user_id in self.settings.admin_accounts():
            if platform not in self.adapters:
                log.warning("BANZHANG_ADMINS names a platform that is off", platform=platform)
            if uow.people.is_gone(platform, user_id):
                log.warning(
                    "BANZHANG_ADMINS names an account that is gone, which stays without the role",
                    platform=platform,
                    account=user_id,
                )
                continue
            make_admin(uow, platform, user_id, now)
        upkeep.arm(uow, now)
        if is_sqlite(self.engine):
            # A SQLite file has one server: what a killed one was sending need not wait so long.
            uow.outbox.release_all()
            uow.leads.resign_all()

    async def start(self) -> None:
        """Begin to deliver, to listen and to tick."""
        self._loop = asyncio.get_running_loop()
        await self.prepare()
        for adapter in self.adapters.values():
            await adapter.start(self.dispatch.receive, self.services(adapter.name))
        self._draining = asyncio.create_task(self.delivery.run())
        self.schedule.start()

    async def stop(self) -> None:
        """Stop ticking, finish what is being sent, then close the platforms; bounded."""
        await self.schedule.stop()
        if self._draining is not None:
            self._draining.cancel()
            with suppress(asyncio.CancelledError):
                await self._draining
        ends = asyncio.get_running_loop().time() + STOPS_WITHIN
        await self.delivery.stop(FINISHES_SENDING)
        await asyncio.gather(*(_stop(one, ends) for one in self.adapters.values()))
        self._loop = None
        self.close()

    def close(self) -> None:
        """Close the database."""
        self.transactions.close()
        self.engine.dispose()

    def _told(self, queued: bool, armed: bool) -> None:
        """After a commit, from the committing thread."""
        loop = self._loop
        if loop is None:
            return
        with suppress(RuntimeError):  # the loop may be closing
            if queued:
                loop.call_soon_threadsafe(self.delivery.wake)
            if armed:
                loop.call_soon_threadsafe(self.schedule.armed)

    def _rings(self, platform: str, team: str) -> bool:
        adapter = self.adapters.get(platform)
        return adapter is not None and adapter.can_ring(team)

    def services(self, platform: str) -> Services:
        """What an adapter may ask of us."""

        async def lead(what: str) -> bool:
            now = self.clock.now()
            until = now + timedelta(seconds=LEAD_SECONDS)
            return await self.transactions.run(
                lambda uow: uow.leads.take(what, self._holder, now, until)
            )

        async def resign(what: str) -> None:
            await self.transactions.run(lambda uow: uow.leads.resign(what, self._holder))

        async def alarm(word: str, once: str = "") -> None:
            now = self.clock.now()
            log.critical("a platform needs a person", platform=platform, why=word)
            # What is told with the same step has the same key, and leaves once.
            step = f"{word}/{once or f'{now:%m%d%H%M%S}'}"
            await self.transactions.run(
                lambda uow: uow.timers.arm(upkeep.ALARM, platform, step, now)
            )

        newest, kinds = "", set[str]()

        async def called(month: str, made: Mapping[str, int]) -> Mapping[str, int]:
            nonlocal newest
            totals = await self.transactions.run(lambda uow: uow.calls.add(platform, month, made))
            newest = max(newest, month)
            kinds.update(totals)
            if month == newest:
                # What was called last month and not yet in this one stands at none.
                for kind in kinds:
                    CALLS.labels(platform, kind).set(totals.get(kind, 0))
            return totals

        return Services(lead, resign, self.delivery.wake, alarm, called)

    # --- time --------------------------------------------------------------------------------

    async def advance(self, to: datetime, push: Any) -> None:
        """Let time pass up to a moment, stopping at everything that is due on the way.

        `push(moment)` moves the clock; only a demo's or a test's clock can be moved.
        """
        while True:
            wake_at = await self.transactions.read(lambda uow: uow.timers.next_wake())
            if wake_at is None or wake_at > to:
                break
            push(max(wake_at, self.clock.now()))
            await self.dispatch.tick(self.clock.now())
            await self.delivery.drain()
        push(to)
        await self.delivery.drain()

    # --- health ------------------------------------------------------------------------------

    async def ready(self) -> dict[str, Any]:
        """The facts behind /readyz; calls no platform."""
        troubles = {name: adapter.trouble() for name, adapter in self.adapters.items()}
        notices = {name: adapter.notice() for name, adapter in self.adapters.items()}
        try:
            revision = await asyncio.to_thread(migrate.current, self.engine)
            now = self.clock.now()
            counts = await self.transactions.read(lambda uow: _counts(uow, now))
        except Exception as error:
            return {"ready": False, "database": type(error).__name__}
        age = self.schedule.age
        migrated = revision == migrate.head()
        return {
            "ready": migrated and age < TICK_TOO_OLD and not any(troubles.values()),
            "database": "ok",
            "migrations": "newest" if migrated else "pending",
            "last_tick_seconds": round(age, 1),
            **counts,
            "platforms": {
                name: trouble or notices[name] or "ok" for name, trouble in troubles.items()
            },
        }


def _counts(uow: UnitOfWork, now: datetime) -> dict[str, int]:
    """What has piled up: timers, reminders and messages."""
    return {
        "timers_overdue": uow.timers.overdue(now - timedelta(minutes=5)),
        "reminders_missed": len(missed_reminders(uow, now)),
        "messages_waiting": uow.outbox.waiting(),
        "messages_dead": uow.outbox.count("dead"),
    }


def web_application(bot: Bot, extra: Sequence[BaseRoute] = ()) -> Starlette:
    """The ASGI application; its lifespan is the bot's."""

    @asynccontextmanager
    async def lifespan(_application: Starlette) -> AsyncIterator[None]:
        await bot.start()
        try:
            yield
        finally:
            await bot.stop()

    routes = [
        *platform_routes(bot.adapters, bot.dispatch.receive, bot.clock),
        *health_routes(bot.ready),
        *extra,
    ]
    return Starlette(routes=routes, lifespan=lifespan)
