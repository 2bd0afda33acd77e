"""What several commands do with a query: open it, run its clock, and see who may touch it."""

from __future__ import annotations

from datetime import datetime

from bot.commands import Request
from bot.messages import Address, Card, Mention, Refused, Role, Send, ToPerson, Words
from handlers.queries import notices, rules
from handlers.queries.procedure import INQUIRY, due_after, frozen, inquiry, policy_of
from handlers.reminding import rests
from sop_scripts import Scripts
from storage.tables.people import Person
from storage.tables.queries import Query
from storage.tables.teams import Team
from storage.uow import UnitOfWork

LADDER = "query.ladder"
LEADING: frozenset[Role] = frozenset(("lead", "manager", "admin"))


# --- who may --------------------------------------------------------------------------------------


def found(request: Request, uow: UnitOfWork) -> Query:
    """The query the request names, locked. Raises Refused."""
    number = request.number("query")
    query = look_up(uow, number)
    if query is None:
        raise Refused("queries.unknown", field="query", id=f"Q{number}")
    return query


def look_up(uow: UnitOfWork, number: int) -> Query | None:
    """A query, locked. Accounts that were joined meanwhile are one person here too."""
    query = uow.queries.get(number)
    if query is not None:
        query.asker_id = uow.people.get(query.asker_id).merged_into_id or query.asker_id
        if query.owner_id is not None:
            query.owner_id = uow.people.get(query.owner_id).merged_into_id or query.owner_id
    return query


def staff_roles(request: Request, uow: UnitOfWork, query: Query) -> frozenset[Role]:
    """The person's roles in the query's team; who has none is told whom to ask. Raises Refused."""
    roles = uow.people.roles(request.person.id, query.team_id)
    if not roles:
        raise Refused(
            "queries.not_yours",
            id=notices.short_id(query),
            team=uow.teams.get(query.team_id).name,
            person=whom_to_ask(uow, query.team_id),
        )
    return roles


def whom_to_ask(uow: UnitOfWork, team_id: int) -> Mention | str:
    """The first lead of a team, else its manager, else an admin."""
    roles: tuple[Role, ...] = ("lead", "manager", "admin")
    for role in roles:
        for person in uow.people.holders(role, team_id):
            return Mention(person_id=person.id, name=person.name)
    return "admin"


# --- the clock ------------------------------------------------------------------------------------


def open_query(
    uow: UnitOfWork,
    team: Team,
    scripts: Scripts,
    *,
    asker: Person,
    question: str,
    asked_in: Address,
    thread: str,
    at: datetime,
    now: datetime,
    follows: Query | None = None,
) -> Query:
    """A new query with its clock running and its card on the way.

    `thread` is the handle of the thread in which the asker reads, "" for none.
    """
    policy = policy_of(INQUIRY, inquiry(scripts))
    due = due_after(at, policy)
    query = uow.queries.add(
        Query(
            team_id=team.id,
            question=question,
            asker_id=asker.id,
            asked_in=asked_in.model_dump(mode="json"),
            thread=thread if asked_in.thread else "",
            opened_at=at,
            waiting_since=at,
            due_at=due,
            first_due_at=due,
            target=1,
            state="open",
            policy=policy.model_dump(mode="json"),
            cards=[],
            follows_id=follows.id if follows else None,
        )
    )
    uow.queries.note(query.id, "question", asker.id, question, at)
    _arm(uow, query)
    post_card(uow, query, "card", now)
    return query


def open_asked(
    request: Request, uow: UnitOfWork, scripts: Scripts, *, asker: Person, question: str
) -> Query:
    """The query that a command opens, for whoever asks or for somebody else."""
    assert request.team is not None
    return open_query(
        uow,
        request.team,
        scripts,
        asker=asker,
        question=question,
        asked_in=_read_at(request, uow, asker),
        thread=request.thread,
        at=request.at,
        now=request.now,
    )


def _read_at(request: Request, uow: UnitOfWork, asker: Person) -> Address:
    """Where the asker reads the reply: where it was asked, if the bot can speak there and they can
    read there; else directly. Somebody without an account hears it from the one who spoke for them.
    """
    place = request.place
    alone = place.kind == "person" and asker.id != request.person.id
    if alone or not request.chat.is_ours:
        return uow.people.address(asker.id) or place
    return place


def keep_message(uow: UnitOfWork, query: Query, platform: str, handle: str, author: Person) -> None:
    """Remember which message opened it, so that what is said below belongs to it.

    Raises Refused when at this very moment somebody else opened a query by the same message.
    """
    if handle and not uow.queries.keep_message(query.id, platform, handle, author.id):
        known = uow.queries.opened_by(platform, handle)
        raise Refused("queries.known_already", id=f"Q{known}")


def start_target(uow: UnitOfWork, query: Query, at: datetime) -> None:
    """The asker waits anew: another target, with its own deadline and ladder."""
    query.target += 1
    query.state, query.resolved_at, query.muted_until = "open", None, None
    query.waiting_since, query.due_at = at, due_after(at, frozen(query))
    _arm(uow, query)


def end_target(uow: UnitOfWork, query: Query, state: str) -> None:
    """Nothing is owed: every timer of the target looks again and finds this, and what was written
    to remind somebody and has not left yet, does not leave any more.
    """
    uow.outbox.withdraw(f"{notices.subject(query)}/", "reminder")
    query.state, query.waiting_since, query.muted_until = state, None, None


def _arm(uow: UnitOfWork, query: Query) -> None:
    assert query.waiting_since is not None
    for climb in rules.ladder(frozen(query), query.waiting_since, query.due_at):
        uow.timers.arm(LADDER, notices.subject(query), climb.step, climb.at)


# --- who hears ------------------------------------------------------------------------------------


def post_card(uow: UnitOfWork, query: Query, name: str, now: datetime) -> None:
    """A card in the team's home; without one in the group that asked, else to those who lead."""
    key, shown = f"{notices.short_id(query)}/{name}", notices.card(uow, query)
    place = notices.board(uow, query)
    if place is not None:
        uow.outbox.put(Send(to=place, key=key, card=shown), now)
        query.cards = [*query.cards, key]
        return
    for person in _awake(uow, query, now):
        own = f"{key}/{person.id}"
        uow.outbox.put(Send(to=ToPerson(person_id=person.id), key=own, card=shown), now)
        query.cards = [*query.cards, own]


def _awake(uow: UnitOfWork, query: Query, now: datetime) -> list[Person]:
    """The leads, else managers, else admins; those whom it would wake hear from the ladder."""
    roles: tuple[Role, ...] = ("lead", "manager", "admin")
    team = uow.teams.get(query.team_id)
    for role in roles:
        people = uow.people.holders(role, query.team_id)
        if people:
            return [person for person in people if not rests(uow, person, team, now)]
    return []


def leads(uow: UnitOfWork, team_id: int) -> list[Person]:
    """The leads on duty, else all leads."""
    everybody = list(uow.people.holders("lead", team_id))
    return [person for person in everybody if uow.attendance.is_on_duty(person.id)] or everybody


def owner_of(uow: UnitOfWork, query: Query) -> Person | None:
    """The owner, as long as they are on the team's roster."""
    if query.owner_id is None:
        return None
    owner = uow.people.get(query.owner_id)
    gone = owner.state != "active" or not uow.people.roles(owner.id, query.team_id)
    return None if gone else owner


def tell_owner_or_board(
    uow: UnitOfWork, query: Query, words: Words, shown: Card, key: str, now: datetime
) -> None:
    """News of the asker: to the owner; to the group while there is none or the owner sleeps."""
    team, owner = uow.teams.get(query.team_id), owner_of(uow, query)
    place = notices.board(uow, query)
    if owner is not None and (place is None or not rests(uow, owner, team, now)):
        notices.tell_person(uow, owner, words, shown, key, now)
    elif place is not None:
        uow.outbox.put(Send(to=place, key=key, card=shown), now)
    else:
        for person in _awake(uow, query, now):
            notices.tell_person(uow, person, words, shown, f"{key}/{person.id}", now)
