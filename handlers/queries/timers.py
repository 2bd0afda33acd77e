"""The ladder: who is told when an answer is owed. Each rung looks again before it speaks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from bot.messages import Address, Duration, Role, Send, Text, Tick, ToHome, text
from handlers.queries import notices, rules
from handlers.queries.desk import LEADING, leads, look_up, owner_of
from handlers.queries.procedure import frozen
from handlers.queries.rules import Climb, Whom
from handlers.reminding import quiet_ends, remind
from storage.tables.people import Person
from storage.tables.queries import Query
from storage.uow import UnitOfWork

SAME_INSTANT = timedelta(minutes=1)
MISSED_AFTER = timedelta(minutes=5)

# Steps that were not in the ladder: one person is told later, after their night or after a claim.
AFTER_NIGHT, AFTER_CLAIM = "night", "claim"


@dataclass(frozen=True, slots=True)
class Audience:
    """Who is there to be told by a rung."""

    people: tuple[Person, ...] = ()
    place: ToHome | Address | None = None
    tell: tuple[Whom, ...] = ()
    """The rung they are of."""
    is_stand_in: bool = False
    """The rung itself had nobody, and these are the next one's."""

    def __bool__(self) -> bool:
        return bool(self.people) or self.place is not None


def climb(tick: Tick, uow: UnitOfWork) -> None:
    """One step of a query's ladder, or nothing at all when the asker has been answered."""
    number, _, target = tick.subject.removeprefix("Q").partition("/")
    query = look_up(uow, int(number))
    if query is None or query.target != int(target) or query.waiting_since is None:
        return
    if uow.reminders.ran(tick.subject, tick.step):
        return
    if query.muted_until is not None and query.muted_until > tick.now:
        uow.timers.arm(tick.kind, tick.subject, tick.step, query.muted_until)
        return
    if "/" in tick.step:
        _tell_later(tick, uow, query)
        return
    climbs = rules.ladder(frozen(query), query.waiting_since, query.due_at)
    place = rules.place_of(climbs, tick.step)
    if place is not None:
        _rung(tick, uow, query, climbs, place)


def _rung(tick: Tick, uow: UnitOfWork, query: Query, climbs: Sequence[Climb], place: int) -> None:
    here = climbs[place]
    if rules.overtaken(climbs, place, tick.now):
        _record(tick, uow, here.at, [], "folded")
        return
    audience = _audience(uow, query, climbs[place:])
    late = _why_late(here.at, tick.now)
    if audience.place is not None:
        _tell_group(tick, uow, query, audience.place, late)
        _record(tick, uow, here.at, [], "empty" if audience.is_stand_in else "group")
        return
    told, outcomes = _tell_people(tick, uow, query, here, audience, late)
    if here.at >= query.due_at:
        notices.ring(uow, query, tick, told)
    if audience.is_stand_in or not audience:
        outcome = "empty"
    else:
        outcome = "told" if told else min(outcomes, default="folded", key=_WEIGHT.index)
    _record(tick, uow, here.at, told, outcome)


_WEIGHT = ("quiet", "silenced", "folded")


def _why_late(due_at: datetime, now: datetime) -> Text | None:
    late = now - due_at
    if late <= rules.SAID_TO_BE_LATE:
        return None
    return text("queries.comes_late", time=Duration(seconds=int(late.total_seconds())))


def _record(
    tick: Tick, uow: UnitOfWork, due_at: datetime, told: Sequence[int], outcome: str
) -> None:
    uow.reminders.record(tick.subject, tick.step, due_at, tick.now, told, outcome)


# --- who ------------------------------------------------------------------------------------------


def _audience(uow: UnitOfWork, query: Query, climbs: Sequence[Climb]) -> Audience:
    """The rung's people; where there are none, at once those of the next rung that has somebody."""
    for index, one in enumerate(climbs):
        people = {person.id: person for whom in one.tell for person in _people(uow, query, whom)}
        place = notices.board(uow, query) if "home" in one.tell and not people else None
        found = Audience(tuple(people.values()), place, one.tell, is_stand_in=index > 0)
        if found:
            return found
    return Audience()


def _people(uow: UnitOfWork, query: Query, whom: Whom) -> Sequence[Person]:
    match whom:
        case "owner":
            owner = owner_of(uow, query)
            return [owner] if owner else []
        case "leads":
            return leads(uow, query.team_id)
        case "managers":
            return uow.people.holders("manager", query.team_id)
        case "last_resort":
            return uow.people.holders("admin", None)
        case "home":
            return []


# --- telling --------------------------------------------------------------------------------------


def _tell_group(
    tick: Tick, uow: UnitOfWork, query: Query, place: ToHome | Address, late: Text | None
) -> None:
    _words, shown = notices.reminder(uow, query, tick.now, None, late)
    key = f"{tick.subject}/{tick.step}"
    uow.outbox.put(Send(to=place, key=key, card=shown, priority="reminder"), tick.now)


def _tell_people(
    tick: Tick,
    uow: UnitOfWork,
    query: Query,
    here: Climb,
    audience: Audience,
    late: Text | None,
) -> tuple[list[int], set[str]]:
    """Tell each who may be told now; the others come later. Who was told, and why others not."""
    told: list[int] = []
    outcomes: set[str] = set()
    silence = rules.silent_until(frozen(query), query.claimed_at, tick.now)
    # A manager may be rung at night, but not for a mere warning.
    at_night = "managers" in audience.tell and here.at >= query.due_at
    told_just_now = uow.reminders.told_since(tick.subject, tick.now - SAME_INSTANT)
    for person in audience.people:
        if person.id in told_just_now:
            outcomes.add("folded")
        elif silence is not None and person.id != query.owner_id:
            _come_back(tick, uow, AFTER_CLAIM, person, silence)
            outcomes.add("silenced")
        elif _tell(tick, uow, query, person, late, at_night=at_night):
            told.append(person.id)
        else:
            outcomes.add("quiet")
    if not told and outcomes == {"quiet"} and here.at == query.due_at:
        told = _tell_stand_ins(tick, uow, query, audience.people, late)
    return told, outcomes


def _tell_stand_ins(
    tick: Tick, uow: UnitOfWork, query: Query, asleep: Sequence[Person], late: Text | None
) -> list[int]:
    """A deadline passes while all of its people sleep: the managers are rung in their place."""
    names = {person.id for person in asleep}
    managers = uow.people.holders("manager", query.team_id)
    return [
        person.id
        for person in managers
        if person.id not in names and _tell(tick, uow, query, person, late, at_night=True)
    ]


def _tell(
    tick: Tick,
    uow: UnitOfWork,
    query: Query,
    person: Person,
    late: Text | None,
    *,
    at_night: bool,
) -> bool:
    """Remind one person; False when it is their night, after which it is looked at again."""
    team = uow.teams.get(query.team_id)
    words, shown = notices.reminder(uow, query, tick.now, person.id, late)
    outcome = remind(
        uow,
        person,
        team,
        key=f"{tick.subject}/{tick.step}/{person.id}",
        subject=tick.subject,
        words=words,
        card=shown,
        now=tick.now,
        counts=False,
        may_ring_at_night=at_night,
    )
    if outcome == "quiet":
        _come_back(tick, uow, AFTER_NIGHT, person, quiet_ends(person, team, tick.now))
    return outcome == "told"


def _come_back(tick: Tick, uow: UnitOfWork, why: str, person: Person, at: datetime) -> None:
    """Tell this person at `at`, once, however many rungs wait for that moment."""
    uow.timers.arm(tick.kind, tick.subject, f"{why}/{person.id}/{at:%m%d%H%M%S}", at)


def _tell_later(tick: Tick, uow: UnitOfWork, query: Query) -> None:
    """The time of one person has come who could not be told with their rung."""
    why, person_id, _at = tick.step.split("/")
    person = uow.people.get(int(person_id))
    if not _is_concerned(uow, query, person):
        return
    if person.id in uow.reminders.told_since(tick.subject, tick.now - SAME_INSTANT):
        _record(tick, uow, tick.due_at, [], "folded")
        return
    silence = rules.silent_until(frozen(query), query.claimed_at, tick.now)
    if silence is not None and person.id != query.owner_id:
        _come_back(tick, uow, AFTER_CLAIM, person, silence)
        _record(tick, uow, tick.due_at, [], "silenced")
        return
    late = text("queries.after_night") if why == AFTER_NIGHT else None
    told = _tell(tick, uow, query, person, late, at_night=False)
    _record(tick, uow, tick.due_at, [person.id] if told else [], "told" if told else "quiet")


def _is_concerned(uow: UnitOfWork, query: Query, person: Person) -> bool:
    """Whether the query is still this person's business."""
    if person.state != "active":
        return False
    roles: frozenset[Role] = uow.people.roles(person.id, query.team_id)
    return bool(roles & LEADING) or (query.owner_id == person.id and bool(roles))


# --- the watchdog ---------------------------------------------------------------------------------


def missed(uow: UnitOfWork, now: datetime) -> list[str]:
    """Rungs from the deadline on that were due 5 minutes ago and left no proof ("Q7/1 +30m").

    A query that was answered, resolved or muted owes none.
    """
    before = now - MISSED_AFTER
    found = []
    for query in uow.queries.owed(before):
        assert query.waiting_since is not None
        subject = notices.subject(query)
        ran = {row.step for row in uow.reminders.of(subject)}
        climbs = rules.ladder(frozen(query), query.waiting_since, query.due_at)
        found += [
            f"{subject} {one.step}"
            for one in climbs
            if query.due_at <= one.at < before and one.step not in ran
        ]
    return found
