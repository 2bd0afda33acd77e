"""Giving roles: the one place that writes them down, settles what waits for them and tells."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from bot.commands import Request
from bot.messages import (
    Address,
    Card,
    Lines,
    Refused,
    Role,
    Send,
    Text,
    ToPerson,
    User,
    lines,
    text,
)
from handlers.people.rules import ranked
from storage.tables.people import JoinRequest, Person
from storage.tables.teams import Team
from storage.uow import UnitOfWork

SEPARATOR = " / "


@dataclass(frozen=True, slots=True)
class Cause:
    """Why a roster changes: who did it, when and where."""

    by: Person | None
    """None: the bot itself, for the command line, the environment or the platform."""
    now: datetime
    occasion: str
    """A short name for what happened, the same if it is repeated; a part of messages' keys."""
    place: Address | None = None

    @property
    def actor_id(self) -> int | None:
        """Whom the audit log names."""
        return self.by.id if self.by else None


def cause_of(request: Request) -> Cause:
    """The person who gave a command did it."""
    event = f"{request.platform}/{request.event_key}"
    occasion = hashlib.sha256(event.encode()).hexdigest()[:20]
    return Cause(request.person, request.now, occasion, request.place)


def role_words(roles: Sequence[str] | frozenset[Role]) -> Lines:
    """Roles as people read them, the one that says most first."""
    return lines(*(text(f"roles.{role}") for role in ranked(roles)), separator=SEPARATOR)


KNOWN_PLATFORMS = frozenset(("slack", "wecom", "dingtalk"))


def platform_name(platform: str) -> Text | str:
    """What people call a platform."""
    return text(f"platforms.{platform}") if platform in KNOWN_PLATFORMS else platform


def names(people: Sequence[Person]) -> Lines:
    """Names that ring nobody."""
    return lines(*(text("people.name", name=one.name) for one in people), separator=SEPARATOR)


def team_named(uow: UnitOfWork, name: str, field: str, example: Text) -> Team:
    """The team of this name. Raises Refused, with an example of the command."""
    team = uow.teams.named(name)
    if team is None:
        raise no_team(name, field, example)
    return team


def no_team(name: str, field: str, example: Text) -> Refused:
    """There is no team of this name, or none that is the person's business."""
    return Refused("teams.unknown", field=field, name=name[:60], example=example)


def must_manage(uow: UnitOfWork, person: Person, team: Team) -> frozenset[Role]:
    """The person's roles in a team they manage (or as an admin). Raises Refused."""
    roles = uow.people.roles(person.id, team.id)
    if not roles & {"manager", "admin"}:
        raise Refused("teams.not_yours", team=team.name)
    return roles


def keepers(uow: UnitOfWork, team: Team, *, without: Sequence[int | None] = ()) -> list[Person]:
    """Who looks after a team: its managers, else the admins; some left out."""
    managers = [one for one in uow.people.holders("manager", team.id) if one.id not in without]
    return managers or [one for one in uow.people.holders("admin", None) if one.id not in without]


def give(
    uow: UnitOfWork, person: Person, roles: Sequence[Role], team: Team, cause: Cause
) -> tuple[Role, ...]:
    """Give roles in a team and tell the person what they can do now; returns those that are new."""
    new = tuple(
        role
        for role in ranked(roles)
        if uow.people.grant(person, role, team.id, cause.actor_id, cause.now)
    )
    for role in new:
        uow.audit.record(
            cause.now,
            cause.actor_id,
            "role.grant",
            f"person/{person.id}",
            role=role,
            team=None if role == "admin" else team.id,
        )
    if new:
        waiting = uow.people.waiting_join(person.id, team.id)
        if waiting is not None and set(new) != {"admin"}:
            settle(uow, waiting, "approved", cause)
        welcome(uow, person, new, team, cause)
    return new


def welcome(
    uow: UnitOfWork, person: Person, roles: Sequence[Role], team: Team, cause: Cause
) -> None:
    """Tell somebody their new roles, with a few commands to begin with."""
    if set(roles) == {"admin"}:
        first: Text = text("people.welcome_admin")
    else:
        first = text("people.welcome", team=team.name, roles=role_words(roles))
    can = (text(f"people.can.{role}") for role in roles)
    words = lines(first, *can, text("people.can.help"))
    key = f"roles/{cause.occasion}/{person.id}"
    uow.outbox.put(Send(to=ToPerson(person_id=person.id), key=key, words=words), cause.now)


def settle(uow: UnitOfWork, join: JoinRequest, state: str, cause: Cause) -> None:
    """Write down how a request to join ended, and say so on every card that asked about it.

    Where cards cannot be edited a line follows, except for the one whose doing it was.
    """
    join.state, join.decided_by, join.decided_at = state, cause.actor_id, cause.now
    words = decided(uow, join)
    for card in join.asked:
        edit = Send(
            to=ToPerson(person_id=card),
            key=f"J{join.id}/{state}/{card}",
            edits=f"J{join.id}/card/{card}",
            card=Card(title=words),
            words=None if card == cause.actor_id else words,
        )
        uow.outbox.put(edit, cause.now)


def decided(uow: UnitOfWork, join: JoinRequest) -> Text:
    """How a request to join ended, and who said so."""
    return text(
        f"people.join_state.{join.state}",
        id=f"J{join.id}",
        person=uow.people.get(join.person_id).name,
        team=uow.teams.get(join.team_id).name,
        by=uow.people.get(join.decided_by).name if join.decided_by else "",
    )


def make_admin(uow: UnitOfWork, platform: str, user_id: str, now: datetime) -> bool:
    """Make the owner of an account admin, known or not yet; False when they are one already.

    For the environment: whoever holds the server. Audited as the bot's own act.
    """
    person = uow.people.find(platform, user_id)
    if person is None:
        person = uow.people.meet(platform, User(id=user_id, name=user_id), now)
    cause = Cause(None, now, f"admin/{now.isoformat()}")
    return bool(give(uow, person, ("admin",), uow.teams.first(), cause))
