"""The roster: who is on it, who comes, who goes."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

from bot.commands import Request
from bot.messages import Answer, Refused, Role, Words, lines, text
from handlers.paging import paged, paging
from handlers.people.granting import (
    SEPARATOR,
    cause_of,
    give,
    must_manage,
    role_words,
)
from handlers.people.leaving import leave
from handlers.people.rules import RANKING, grantable, may_grant, may_remove, ranked
from storage.tables.people import Person
from storage.tables.teams import Team
from storage.uow import UnitOfWork

PAGE = 50


def staff_add(request: Request, uow: UnitOfWork) -> Answer:
    """`staff add @a [ROLE …] [team NAME]`: put people on the roster, or give them more roles."""
    name = request.words("team")
    team = uow.teams.named(name) if name else request.team
    if name and team is None:
        known = role_words(RANKING)
        raise Refused("people.no_such_role", field="team", typed=name[:60], roles=known)
    if team is None:
        raise Refused("team.which")
    giver = must_manage(uow, request.person, team)
    roles = _roles(request)
    people = request.people("people")
    for role, person in product(roles, people):
        oneself = person.id == request.person.id
        if may_grant(giver, role, oneself=oneself):
            continue
        if oneself:
            raise Refused("people.own_roles", field="people")
        may = role_words(grantable(giver))
        raise Refused("people.may_not_grant", field="roles", role=text(f"roles.{role}"), may=may)
    return Answer(words=lines(*(_added(request, uow, one, roles, team) for one in people)))


def _roles(request: Request) -> tuple[Role, ...]:
    typed = request.choices("roles")
    return tuple(role for role in RANKING if role in typed) or ("worker",)


def _added(
    request: Request, uow: UnitOfWork, person: Person, roles: tuple[Role, ...], team: Team
) -> Words:
    new = give(uow, person, roles, team, cause_of(request))
    known = [role for role in roles if role not in new]
    return lines(
        text("people.added", person=person.name, roles=role_words(new), team=team.name)
        if new
        else None,
        text("people.has_already", person=person.name, roles=role_words(known), team=team.name)
        if known
        else None,
    )


def staff_remove(request: Request, uow: UnitOfWork) -> Answer:
    """`staff remove @a`: off the roster at once; what was open is handed on."""
    assert request.team is not None
    people = request.people("people")
    # Locked before the remover's own roles are read: of two who remove each other, one stays.
    admins = uow.people.lock_admins()
    remover = must_manage(uow, request.person, request.team)
    for person in people:
        if person.id == request.person.id:
            # And so the last admin stays: only an admin takes an admin off.
            last = admins == {person.id}
            raise Refused("people.last_admin" if last else "people.own_removal", field="people")
        _may_go(uow, person, request.team, remover)
    left = [leave(uow, one, request.team, cause_of(request)) for one in people]
    return Answer(words=lines(*(one.words for one in left)))


def _may_go(uow: UnitOfWork, person: Person, team: Team, remover: frozenset[Role]) -> None:
    roles = uow.people.roles(person.id, team.id)
    if not roles:
        raise Refused("people.not_on_roster", field="people", person=person.name, team=team.name)
    if not may_remove(remover, roles, oneself=False):
        beyond = role_words(roles - grantable(remover))
        raise Refused("people.may_not_remove", field="people", person=person.name, roles=beyond)


# --- the list ------------------------------------------------------------------------------------


def staff_list(request: Request, uow: UnitOfWork) -> Answer:
    """`staff list [PAGE]`: the roster by role; everybody stands under the role that says most."""
    assert request.team is not None
    team = request.team
    everybody = _by_rank(uow, team)
    page = paging(request, len(everybody), PAGE)
    here = everybody[page.start : page.end]
    groups = (
        text(
            "people.list_role",
            role=text(f"roles.{role}"),
            people=lines(
                *(_listed(person, roles) for person, roles in here if roles[0] == role),
                separator=SEPARATOR,
            ),
        )
        for role in RANKING
        if any(roles[0] == role for _person, roles in here)
    )
    words = lines(text("people.list", team=team.name, n=len(everybody)), *groups)
    return paged(words, page, "staff_list", {})


def _by_rank(uow: UnitOfWork, team: Team) -> list[tuple[Person, tuple[Role, ...]]]:
    """Everybody in the team, and the admins, who are in all: the highest role first, then names."""
    held: dict[int, tuple[Person, frozenset[Role]]] = {
        person.id: (person, frozenset(roles)) for person, roles in uow.people.roster(team.id)
    }
    for admin in uow.people.holders("admin", None):
        roles = held[admin.id][1] if admin.id in held else frozenset[Role]()
        held[admin.id] = (admin, roles | {"admin"})
    found = [(person, ranked(roles)) for person, roles in held.values()]
    return sorted(found, key=lambda one: (RANKING.index(one[1][0]), one[0].name, one[0].id))


def _listed(person: Person, roles: Sequence[Role]) -> Words:
    if len(roles) == 1:
        return text("people.name", name=person.name)
    return text("people.listed", name=person.name, roles=role_words(roles[1:]))
