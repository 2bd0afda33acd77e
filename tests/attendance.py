"""What the tests of check-in and corrections share: letting time pass, and looking at hours."""

from __future__ import annotations

from datetime import timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import func, select

from handlers.attendance import hours, sessions
from handlers.attendance.evidence import note_evidence
from storage.tables import WorkSession
from storage.tables.queues import timers
from tests.town import Town

# 09:00 on Monday 2026-11-23 in Shanghai is where every town begins.


def later(town: Town, **spans: float) -> None:
    """Let time pass, stopping at every timer but the minutely seal of the audit log."""
    to = town.now + timedelta(**spans)
    while True:
        with town.uow() as uow:
            wake_at = uow.session.scalar(
                select(func.min(timers.c.wake_at)).where(
                    timers.c.fired_at.is_(None), timers.c.kind != "audit.seal"
                )
            )
        if wake_at is None or wake_at > to:
            break
        town.clock.push_to(wake_at)
        town.run(town.bot.dispatch.tick(town.now))
        town.run(town.bot.delivery.drain())
    town.clock.push_to(to)


def clock(town: Town, hour: int, minute: int = 0) -> None:
    """Let time pass until it is this time in Shanghai."""
    local = town.now + timedelta(hours=8)
    to = local.replace(hour=hour, minute=minute, second=0, microsecond=0)
    if to < local:
        to += timedelta(days=1)
    later(town, seconds=(to - local).total_seconds())


def seen_at_work(town: Town, name: str) -> None:
    """They do something that people do at work."""
    person_id = town.person_id(name)
    with town.uow() as uow:
        note_evidence(uow, person_id, town.now)


def session(town: Town, number: int = 1) -> WorkSession:
    with town.uow() as uow:
        row = uow.session.get(WorkSession, number)
        assert row is not None
        uow.session.expunge(row)
        return row


def state(town: Town, number: int = 1) -> str:
    return session(town, number).state


def worked(town: Town, number: int = 1) -> int | None:
    """Minutes."""
    seconds = sessions.worked_seconds(session(town, number))
    return None if seconds is None else seconds // 60


def counted(town: Town, name: str) -> hours.Hours:
    """What somebody has this week."""
    person_id = town.person_id(name)
    with town.uow() as uow:
        person = uow.people.get(person_id)
        zone = ZoneInfo("Asia/Shanghai")
        return hours.summary(uow, person, zone, town.now).week


def forgotten(town: Town, name: str = "小王") -> None:
    """Checked in at 9:00, last seen at 17:30, and never checked out: it is 23:00."""
    town.say(name, "签到")
    clock(town, 17, 30)
    seen_at_work(town, name)
    clock(town, 23)
    town.reads(name)
