"""The demo: the whole bot on SQLite with the sandbox chat, and a clock that can be pushed."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from pydantic import SecretStr
from sqlalchemy import Engine, inspect
from sqlalchemy.orm import Session
from starlette.applications import Starlette
from starlette.routing import BaseRoute

from adapters.sandbox.adapter import SandboxAdapter
from adapters.sandbox.page import routes
from adapters.sandbox.world import GROUP_ID, GROUP_NAMES, PERSONAS
from bot.app import FIRST_TEAM, Bot, make_cipher, web_application
from bot.clock import WallClock
from bot.messages import Locale, Refused, User, known_locale
from bot.operations import Trouble, must_not_be_newer
from bot.settings import Settings
from bot.times import UnreadableTime, read_duration, read_time
from bot.words import reader_for
from storage import migrate
from storage.cipher import Cipher
from storage.engine import make_engine
from storage.uow import UnitOfWork

DATABASE, TRANSCRIPT, SECRET = "banzhang.db", "chat.jsonl", "secret.key"
# A demo that is opened in the evening would run into quiet hours; its first day starts at nine.
OPENS, CLOSES = 9, 17
LONGEST_PUSH = timedelta(days=31)
# Whatever is set for platforms stays unread, so that half a setting cannot stop a demo.
PLATFORMS_OFF: dict[str, Any] = {
    str(field.alias): field.default
    for field in Settings.model_fields.values()
    if str(field.alias).startswith(("SLACK_", "WECOM_", "DINGTALK_"))
    or field.alias == "BANZHANG_ADMINS"
}


def demo_settings(folder: Path, base: Settings) -> Settings:
    """Settings on the demo's own database and key; whatever platforms are set stay off."""
    folder.mkdir(parents=True, exist_ok=True)
    key = folder / SECRET
    if not key.exists():
        key.touch(mode=0o600)
        key.write_text(secrets.token_urlsafe(32))
    return base.model_copy(
        update={
            "database_url": f"sqlite:///{folder / DATABASE}",
            "secret_key": SecretStr(key.read_text().strip()),
            "admins": "",
            "slack_bot_token": None,
            "slack_signing_secret": None,
        }
    )


def build_demo(settings: Settings, folder: Path, hosts: Sequence[str]) -> tuple[Bot, Starlette]:
    """The bot and its page. Raises Trouble for a database that is not a demo's."""
    engine = make_engine(settings.database_url)
    cipher = make_cipher(settings)
    if not _is_demo(engine, cipher):
        raise Trouble(f"{folder / DATABASE} is not a demo's database; it is left alone.")
    migrate.upgrade(engine)
    clock = WallClock()
    with Session(engine) as session, session.begin():
        uow = UnitOfWork(session, cipher)
        uow.facts.put("demo", "yes")
        offset = uow.facts.get("clock_offset")
        clock.offset = (
            timedelta(seconds=float(offset)) if offset else first_offset(clock.now(), settings)
        )
        uow.facts.put("clock_offset", str(clock.offset.total_seconds()))
        if not uow.teams.all():
            uow.teams.add(
                FIRST_TEAM[settings.locale], settings.locale, settings.timezone, clock.now()
            )
        _seed(uow, clock.now())
    adapter = SandboxAdapter(clock.now, reader_for, transcript_path=folder / TRANSCRIPT)
    bot = Bot(settings, [adapter], clock, engine)
    application = web_application(bot, _page(bot, adapter, clock, hosts))
    # A page that is open keeps a line to the server; it is let go before the server stops.
    application.state.hang_up = adapter.hang_up
    return bot, application


def _is_demo(engine: Engine, cipher: Cipher) -> bool:
    """Whether a database is a demo's, or nobody's yet. Looks, and changes nothing."""
    at = migrate.current(engine)
    if at is None:
        return not inspect(engine).get_table_names()
    must_not_be_newer(at)
    with engine.connect().execution_options(reading=True) as connection:
        uow = UnitOfWork(Session(connection), cipher)
        # One without a team was made a moment ago, by a demo that was interrupted.
        return uow.facts.get("demo") == "yes" or not uow.teams.all()


def _page(
    bot: Bot, adapter: SandboxAdapter, clock: WallClock, hosts: Sequence[str]
) -> list[BaseRoute]:
    def push(moment: datetime) -> None:
        clock.push_to(moment)

    async def push_clock(typed: str) -> datetime:
        """ "+2 h", "+1 day" or a time; raises Refused."""
        now = clock.now()
        moment = read_push(typed, now, ZoneInfo(bot.settings.timezone))
        # First of all: a demo that is stopped on the way must not start in its own past.
        offset = str((clock.offset + (moment - now)).total_seconds())
        await bot.transactions.run(lambda uow: uow.facts.put("clock_offset", offset))
        await bot.advance(moment, push)
        return clock.now()

    async def language_chosen(locale: Locale) -> None:
        await bot.transactions.run(lambda uow: _speak(uow, locale))

    return routes(
        adapter,
        bot.dispatch.receive,
        clock=clock.now,
        push_clock=push_clock,
        reader_for=reader_for,
        allowed_hosts=frozenset(hosts),
        zone=bot.settings.timezone,
        language_chosen=language_chosen,
    )


def read_push(typed: str, now: datetime, zone: ZoneInfo) -> datetime:
    """Where the clock is to be pushed. Raises Refused."""
    words = typed.strip().lstrip("+＋").strip()
    try:
        moment = now + read_duration(words)
    except UnreadableTime:
        try:
            moment = read_time(words, now, zone)
        except UnreadableTime:
            raise Refused("sandbox.clock.unreadable") from None
    if moment > now + LONGEST_PUSH:
        raise Refused("sandbox.clock.too_far")
    return moment


def first_offset(now: datetime, settings: Settings) -> timedelta:
    """How far to push a new demo's clock so that its day begins in working hours."""
    local = now.astimezone(ZoneInfo(settings.timezone))
    if OPENS <= local.hour < CLOSES:
        return timedelta(0)
    morning = local.replace(hour=OPENS, minute=0, second=0, microsecond=0)
    if local.hour >= CLOSES:
        morning += timedelta(days=1)
    return morning - local


def _seed(uow: UnitOfWork, now: datetime) -> None:
    """The first rows of a demo: its group is bound, and the manager may make the roster by chat."""
    team = uow.teams.first()
    if uow.teams.homes(team.id):
        return
    locale = known_locale(team.locale)
    uow.teams.bind(team, "sandbox", GROUP_ID, GROUP_NAMES[locale], now)
    for persona in PERSONAS:
        user = User(id=persona.id, name=persona.called(locale))
        person = uow.people.meet("sandbox", user, now)
        if persona.part == "manager":
            uow.people.grant(person, "admin", None, None, now)
            uow.people.grant(person, "manager", team.id, None, now)


def _speak(uow: UnitOfWork, locale: Locale) -> None:
    """From now on everybody in the demo, and the team, speaks this language."""
    team = uow.teams.first()
    team.locale = locale
    if team.name in FIRST_TEAM.values():
        team.name = FIRST_TEAM[locale]
    for persona in PERSONAS:
        person = uow.people.find("sandbox", persona.id)
        if person is not None:
            person.locale = locale
            person.name = persona.called(locale)
