"""Somebody leaves a team: roles off at once, what was open is handed on, nothing is lost."""

from __future__ import annotations

from dataclasses import dataclass

from bot.messages import Address, Moment, Role, Send, ToPerson, Words, lines, text
from handlers.attendance import sessions
from handlers.people.granting import SEPARATOR, Cause, keepers, role_words
from handlers.people.rules import ranked
from handlers.queries import desk, notices
from storage.tables.attendance import WorkSession
from storage.tables.people import Person
from storage.tables.queries import Query
from storage.tables.teams import Team
from storage.uow import UnitOfWork

# Where the platform tells us that somebody is gone: no chat has read of it.
NOWHERE = Address(platform="", kind="group", id="")


@dataclass(frozen=True, slots=True)
class Left:
    """What came of it: the roles and the session that ended, and in words what was handed on."""

    person: Person
    roles: tuple[Role, ...]
    session: WorkSession | None
    queries: Words | None

    @property
    def words(self) -> Words:
        """All of it, for somebody who reads about a colleague."""
        ended = text("people.removed", person=self.person.name, roles=role_words(self.roles))
        return lines(ended, _session_words("left", self.session), self.queries)


def leave(
    uow: UnitOfWork, person: Person, team: Team, cause: Cause, why: Words | None = None
) -> Left:
    """Take somebody off a team's roster (and from among the admins); look after what they leave.

    Who looks after the team is told (and `why`, where that is not plain), except the one who did
    it; so is the person, where they can still be reached.
    """
    uow.attendance.lock(person.id)
    ended = uow.people.revoke(person.id, team.id)
    for membership in ended:
        uow.audit.record(
            cause.now,
            cause.actor_id,
            "role.revoke",
            f"person/{person.id}",
            role=membership.role,
            team=membership.team_id,
        )
    gone = not uow.people.memberships(person.id)
    if gone:
        person.state = "left"
    if person.chosen_team_id == team.id:
        person.chosen_team_id = None
    uow.codes.void(person.id, cause.now)
    left = Left(
        person=person,
        roles=ranked([one.role for one in ended]),
        session=_end_session(uow, person, team, cause, everywhere=gone),
        queries=_hand_back(uow, person, team, cause),
    )
    _tell(uow, left, team, cause, why)
    return left


def _tell(uow: UnitOfWork, left: Left, team: Team, cause: Cause, why: Words | None) -> None:
    words = lines(why, text("people.left_told", team=team.name), left.words)
    key = f"left/{cause.occasion}/{left.person.id}"
    for keeper in keepers(uow, team, without=(left.person.id, cause.actor_id)):
        to, own = ToPerson(person_id=keeper.id), f"{key}/{keeper.id}"
        uow.outbox.put(Send(to=to, key=own, words=words), cause.now)
    if uow.people.address(left.person.id) is None:
        return
    told = lines(text("people.you_left", team=team.name), _session_words("you_left", left.session))
    uow.outbox.put(Send(to=ToPerson(person_id=left.person.id), key=key, words=told), cause.now)


def _end_session(
    uow: UnitOfWork, person: Person, team: Team, cause: Cause, *, everywhere: bool
) -> WorkSession | None:
    """A provisional end for the session that is open in this team."""
    row = uow.attendance.open_session(person.id)
    if row is None or not (everywhere or row.team_id == team.id):
        return None
    return sessions.end_for_leaver(uow, person.id, now=cause.now, actor_id=cause.actor_id)


def _session_words(key: str, row: WorkSession | None) -> Words | None:
    if row is None:
        return None
    number = sessions.short_id(row)
    if row.ended_at is None:
        return text(f"people.{key}_session_open", id=number)
    return text(f"people.{key}_session", id=number, at=Moment(at=row.ended_at))


def _hand_back(uow: UnitOfWork, person: Person, team: Team, cause: Cause) -> Words | None:
    """Queries they had claimed are anybody's again; the deadlines stay, a new card says so."""
    handed = []
    for number in uow.queries.owned_in(person.id, team.id):
        query = uow.queries.get(number)
        if query is None or query.owner_id != person.id or query.state == "resolved":
            continue
        _release(uow, query, person, cause)
        handed.append(text("people.query", id=notices.short_id(query)))
    if not handed:
        return None
    return text("people.left_queries", n=len(handed), queries=lines(*handed, separator=SEPARATOR))


def _release(uow: UnitOfWork, query: Query, person: Person, cause: Cause) -> None:
    now, place = cause.now, cause.place or NOWHERE
    query.owner_id = query.claimed_at = query.muted_until = None
    entry = uow.queries.note(query.id, "release", person.id, "", now)
    line = text("people.query_back", id=notices.short_id(query), person=person.name)
    notices.update_cards(uow, query, f"release/{entry.id}", line, place, now)
    if query.waiting_since is not None:
        desk.post_card(uow, query, f"release/{entry.id}", now)
