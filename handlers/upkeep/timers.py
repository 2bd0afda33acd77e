"""What the bot does for itself: seal the audit log, tell the admins its head, forget old rows."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from apscheduler.triggers.cron import CronTrigger

from bot.messages import Moment, Send, Tick, ToPerson, text
from storage.uow import UnitOfWork

SEAL_EVERY = timedelta(minutes=1)
SEAL_WHEN_QUIET = timedelta(minutes=15)
HEAD_HOUR, PRUNE_HOUR = 9, 4
ALARM = "platform.alarm"


def arm(uow: UnitOfWork, now: datetime) -> None:
    """Make sure that each recurring timer waits for its time; called at every start."""
    first = {
        "audit.seal": now + SEAL_EVERY,
        "audit.head": _daily(uow, now, HEAD_HOUR),
        "storage.prune": _daily(uow, now, PRUNE_HOUR),
    }
    for kind, moment in first.items():
        if not uow.timers.waits(kind):
            uow.timers.arm(kind, "bot", "next", moment)


def seal_audit(tick: Tick, uow: UnitOfWork) -> None:
    """Chain what was written since the last time."""
    sealed = uow.audit.seal()
    wait = SEAL_EVERY if sealed else SEAL_WHEN_QUIET
    uow.timers.arm(tick.kind, tick.subject, tick.step, tick.now + wait)


def send_audit_head(tick: Tick, uow: UnitOfWork) -> None:
    """The chain's head, once a day, to every admin: who keeps it can prove a later cut."""
    length, head = uow.audit.head()
    if length:
        for admin in uow.people.holders("admin", None):
            key = f"audit/head/{length}/{admin.id}"
            words = text("upkeep.audit_head", n=length, head=head)
            uow.outbox.put(
                Send(to=ToPerson(person_id=admin.id), key=key, words=words, priority="digest"),
                tick.now,
            )
    uow.timers.arm(tick.kind, tick.subject, tick.step, _daily(uow, tick.now, HEAD_HOUR))


def sound_alarm(tick: Tick, uow: UnitOfWork) -> None:
    """A platform has a trouble that only a person can end: tell every admin, wherever they read."""
    word, _, _at = tick.step.partition("/")
    words = text(f"alarms.{tick.subject}.{word}", at=Moment(at=tick.due_at))
    for admin in uow.people.holders("admin", None):
        key = f"alarm/{tick.subject}/{tick.step}/{admin.id}"
        uow.outbox.put(Send(to=ToPerson(person_id=admin.id), key=key, words=words), tick.now)


def prune(tick: Tick, uow: UnitOfWork) -> None:
    """Forget what has served its time; what proves something is kept."""
    uow.inbox.prune(tick.now)
    uow.outbox.prune(tick.now)
    uow.timers.prune(tick.now)
    uow.dialogues.prune(tick.now)
    uow.codes.prune(tick.now)
    uow.timers.arm(tick.kind, tick.subject, tick.step, _daily(uow, tick.now, PRUNE_HOUR))


def _daily(uow: UnitOfWork, now: datetime, hour: int) -> datetime:
    """The next time the first team's clock shows this hour."""
    zone = ZoneInfo(uow.teams.first().zone)
    # A fire time equal to `now` counts as the next one, and the timer would fire for ever.
    later = now + timedelta(microseconds=1)
    following = CronTrigger(hour=hour, timezone=zone).get_next_fire_time(None, later)
    if following is None:
        return now + timedelta(days=1)
    moment: datetime = following.astimezone(UTC)
    return moment
