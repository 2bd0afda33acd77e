"""`me`: one's own page, for nobody else to read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from zoneinfo import ZoneInfo

from bot.commands import Request
from bot.messages import Answer, Duration, Moment, Words, lines, text
from handlers.attendance.hours import Hours, Summary, summary
from handlers.people.granting import SEPARATOR, platform_name, role_words
from handlers.queries import rules
from storage.tables.people import Person
from storage.tables.queries import Query
from storage.tables.teams import Team
from storage.uow import UnitOfWork

LISTED = 5


def me(request: Request, uow: UnitOfWork) -> Answer:
    """`me`: roles, hours, what waits for the person, own settings. Short enough for a phone."""
    person = request.person
    team = request.team or uow.teams.of_person(person)
    worked = summary(uow, person, ZoneInfo(person.zone or team.zone), request.now)
    owned, count = uow.queries.owned_by(person.id, LISTED)
    return Answer(
        words=lines(
            text("people.me", name=person.name),
            *roles(uow, person),
            *hours(worked),
            *_waiting(worked),
            *_queries(request, owned, count),
            settings(uow, person, team),
        ),
        private=True,
    )


def settings(uow: UnitOfWork, person: Person, team: Team) -> Words:
    """Language, zone and accounts as they are in force."""
    accounts = [
        text("people.platform", platform=platform_name(one.platform))
        for one in uow.people.identities(person.id)
    ]
    return text(
        "people.me_settings",
        language=text(f"choices.{person.locale or team.locale}"),
        zone=person.zone or team.zone,
        accounts=lines(*accounts, separator=SEPARATOR),
    )


def roles(uow: UnitOfWork, person: Person) -> Iterator[Words]:
    """A line for each team, the organisation's own first."""
    held: dict[int | None, list[str]] = {}
    for one in uow.people.memberships(person.id):
        held.setdefault(one.team_id, []).append(one.role)
    for team_id, names in held.items():
        if team_id is None:
            yield text("people.me_everywhere", roles=role_words(names))
        else:
            name = uow.teams.get(team_id).name
            yield text("people.me_team", team=name, roles=role_words(names))


def hours(worked: Summary) -> Iterator[Words]:
    """Since when they are at work, and how long today and this week."""
    if worked.open is not None:
        since = Moment(at=worked.open.since, style="clock")
        key = "people.me_on_break" if worked.open.break_since else "people.me_at_work"
        yield text(key, id=worked.open.id, since=since)
    yield text("people.me_hours", today=_span(worked.today), week=_span(worked.week))


def _span(hours: Hours) -> Words:
    seconds = hours.counted + hours.running
    if not seconds:
        return text("people.no_time")
    return text("people.span", span=Duration(seconds=seconds))


def _waiting(worked: Summary) -> Iterator[Words]:
    ended = [one for one in worked.waiting if one.end is not None]
    if ended:
        numbers = [text("people.session", id=one.id) for one in ended]
        yield text(
            "people.me_confirm",
            sessions=lines(*numbers, separator=SEPARATOR),
            first=ended[0].id,
            verb=text("verbs.confirm_session"),
        )
    for one in worked.waiting:
        if one.end is None:
            yield text("people.me_end", id=one.id, start=Moment(at=one.start))
    if worked.corrections:
        yield text("people.me_corrections", ids=", ".join(worked.corrections))


def _queries(request: Request, owned: Sequence[Query], count: int) -> Iterator[Words]:
    if not owned:
        return
    yield text("people.me_queries", n=count)
    for query in owned:
        owed = query.waiting_since is not None
        left = rules.time_left(query.due_at, request.now) if owed else text("people.me_answered")
        yield lines(
            text("people.query", id=f"Q{query.id}"),
            left,
            text("people.question", question=rules.shorten(query.question)),
            separator=" · ",
        )
