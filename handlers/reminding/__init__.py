"""One way to remind somebody: not at night when off duty, and not more often than one bears."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Literal
from zoneinfo import ZoneInfo

from pydantic import TypeAdapter

from bot.messages import Card, Lines, Send, Text, Tick, ToPerson, Words, lines, text
from handlers.people.policies import policies_of
from handlers.reminding import rules
from storage.tables.attendance import Correction, WorkSession
from storage.tables.people import Person
from storage.tables.teams import Team
from storage.uow import UnitOfWork

Outcome = Literal["told", "quiet", "folded"]

DIGEST = "reminder.digest"
LONGEST_DIGEST = 15

_WORDS: TypeAdapter[Text | Lines] = TypeAdapter(Words)


def remind(
    uow: UnitOfWork,
    person: Person,
    team: Team,
    *,
    key: str,
    subject: str,
    words: Words,
    card: Card | None = None,
    now: datetime,
    counts: bool = True,
    may_ring_at_night: bool = False,
) -> Outcome:
    """Remind a person by direct message, unless it is their night or they have had enough today.

    With a card, the card is what they read and `words` stand for it in a digest. `subject` is the
    short id of what it is about ("Q7/1", "H3"): when that is settled by then, the digest leaves it
    out. "quiet": nothing was sent; ask `quiet_ends` when to come back. "folded": it waits for the
    digest. With `counts` false the day's budget is neither asked nor used.
    """
    if not may_ring_at_night and rests(uow, person, team, now):
        return "quiet"
    policies = policies_of(team)
    today = now.astimezone(zone_of(person, team)).date()
    if counts and not uow.reminders.spend(person.id, today, policies.reminder_budget):
        entry = {"subject": subject, "words": words.model_dump(mode="json")}
        if uow.reminders.fold(person.id, today, entry):
            quiet = policies.quiet
            at = rules.digest_at(now, zone_of(person, team), quiet.start, quiet.end)
            uow.timers.arm(DIGEST, f"person/{person.id}", today.isoformat(), at)
        return "folded"
    to = ToPerson(person_id=person.id)
    spoken = None if card else words
    uow.outbox.put(Send(to=to, key=key, words=spoken, card=card, priority="reminder"), now)
    return "told"


def rests(uow: UnitOfWork, person: Person, team: Team, now: datetime) -> bool:
    """Whether it is the person's night and they are not at work."""
    return in_quiet_hours(person, team, now) and not uow.attendance.is_on_duty(person.id)


def in_quiet_hours(person: Person, team: Team, now: datetime) -> bool:
    """Whether the team's quiet hours have begun where the person lives."""
    quiet = policies_of(team).quiet
    return rules.is_quiet(now, zone_of(person, team), quiet.start, quiet.end)


def quiet_ends(person: Person, team: Team, now: datetime) -> datetime:
    """When the person may be rung again; `now` when they may be already."""
    quiet = policies_of(team).quiet
    return rules.quiet_ends(now, zone_of(person, team), quiet.start, quiet.end)


def zone_of(person: Person, team: Team) -> ZoneInfo:
    """The person's own zone, else the team's."""
    return ZoneInfo(person.zone or team.zone)


# --- the digest -----------------------------------------------------------------------------------


def send_digest(tick: Tick, uow: UnitOfWork) -> None:
    """Tell once what exceeded the day's budget, as far as it still matters."""
    person_id = int(tick.subject.rpartition("/")[2])
    person = uow.people.get(person_id)
    team = uow.teams.of_person(person)
    if rests(uow, person, team, tick.now):
        # It was armed for a decent hour and comes late.
        uow.timers.arm(tick.kind, tick.subject, tick.step, quiet_ends(person, team, tick.now))
        return
    kept = uow.reminders.unfold(person_id, datetime.fromisoformat(tick.step).date())
    latest = {entry["subject"]: entry for entry in kept if not is_settled(uow, entry["subject"])}
    if not latest or person.state != "active":
        return
    shown = list(latest.values())[:LONGEST_DIGEST]
    words = lines(
        text("reminding.digest", n=len(latest)),
        *(_WORDS.validate_python(entry["words"]) for entry in shown),
        text("reminding.digest_more", n=len(latest) - len(shown))
        if len(latest) > len(shown)
        else None,
    )
    # A day may have a second digest, the next morning: the moment tells them apart.
    key = f"digest/{person_id}/{tick.step}/{tick.due_at:%Y%m%d%H%M}"
    uow.outbox.put(
        Send(to=ToPerson(person_id=person_id), key=key, words=words, priority="digest"), tick.now
    )


def is_settled(uow: UnitOfWork, subject: str) -> bool:
    """Whether nobody needs to hear about it any more; what has no check is always told."""
    found = re.match(r"([A-Z])(\d+)(?:/(\d+))?", subject)
    check = SETTLED.get(found[1]) if found else None
    if found is None or check is None:
        return False
    return check(uow, int(found[2]), int(found[3]) if found[3] else None)


def _query_settled(uow: UnitOfWork, number: int, target: int | None) -> bool:
    query = uow.queries.peek(number)
    return query is None or query.waiting_since is None or target not in (None, query.target)


def _session_settled(uow: UnitOfWork, number: int, _step: int | None) -> bool:
    session = uow.session.get(WorkSession, number)
    return session is None or session.state not in ("open", "provisional")


def _correction_settled(uow: UnitOfWork, number: int, _step: int | None) -> bool:
    correction = uow.session.get(Correction, number)
    return correction is None or correction.state != "waiting"


SETTLED: Mapping[str, Callable[[UnitOfWork, int, int | None], bool]] = {
    "Q": _query_settled,
    "H": _session_settled,
    "C": _correction_settled,
}
