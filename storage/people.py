"""Who is who: persons, their accounts, their roles, the codes that let them in."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import cast

from sqlalchemy import Table, bindparam, delete, func, or_, select, update
from sqlalchemy.orm import Session

from bot.messages import Address, Role, User
from storage.tables.people import Identity, JoinRequest, Membership, Person
from storage.upsert import insert_into

# When somebody was last active is kept to the minute: it only chooses where they read.
ACTIVE_TO_THE = timedelta(minutes=1)

# Statements that run with every event, built once.
_THEIRS = (Identity.platform == bindparam("platform"), Identity.user_id == bindparam("user_id"))
FIND = select(Person).join(Identity, Identity.person_id == Person.id).where(*_THEIRS)
ACCOUNT = select(Identity, Person).join(Person, Identity.person_id == Person.id).where(*_THEIRS)
# The person itself, or whom it was joined with.
_SAME = func.coalesce(
    select(Person.merged_into_id).where(Person.id == bindparam("person_id")).scalar_subquery(),
    bindparam("person_id"),
)
IDENTITIES = (
    select(Identity)
    .where(Identity.person_id == _SAME)
    .order_by(Identity.reachable.desc(), Identity.last_active_at.desc(), Identity.id)
)
USER_ID = (
    select(Identity.user_id)
    .where(Identity.person_id == _SAME, Identity.platform == bindparam("platform"))
    .order_by(Identity.last_active_at.desc())
    .limit(1)
)
ROLES = select(Membership.role).where(
    Membership.person_id == bindparam("person_id"),
    or_(Membership.team_id == bindparam("team_id"), Membership.team_id.is_(None)),
)


class People:
    """Persons, identities, memberships, codes and join requests."""

    def __init__(self, session: Session) -> None:
        self._session = session

    # --- persons and accounts ----------------------------------------------------------------

    def get(self, person_id: int) -> Person:
        """The person with this id; raises LookupError."""
        person = self._session.get(Person, person_id)
        if person is None:
            raise LookupError(f"no person {person_id}")
        return person

    def find(self, platform: str, user_id: str) -> Person | None:
        """Whose account this is, or None."""
        return self._session.scalar(FIND, {"platform": platform, "user_id": user_id})

    def find_named(self, platform: str, user: User) -> Person | None:
        """The same where the platform tells of somebody who has done nothing themselves: who was
        known by an id alone is called by their name from now on.
        """
        person = self.find(platform, user.id)
        if person is not None and person.name == user.id:
            identity, _ = self._session.execute(
                ACCOUNT, {"platform": platform, "user_id": user.id}
            ).one()
            _take_name(person, identity, user)
        return person

    def meet(self, platform: str, user: User, now: datetime) -> Person:
        """The person behind an account, made on first sight; they are active now."""
        known = self._session.execute(
            ACCOUNT, {"platform": platform, "user_id": user.id}
        ).one_or_none()
        if known is None:
            return self._introduce(platform, user, now)
        identity, person = known
        if now - identity.last_active_at > ACTIVE_TO_THE:
            identity.last_active_at = now
        identity.reachable = True
        _take_name(person, identity, user)
        _follow(person, identity, user)
        return person

    def _introduce(self, platform: str, user: User, now: datetime) -> Person:
        name = user.name or user.id
        person = Person(
            name=name, locale=user.locale, zone=user.zone, state="active", created_at=now
        )
        self._session.add(person)
        self._session.flush()
        table = Identity.__table__
        assert isinstance(table, Table)
        first = self._session.execute(
            insert_into(self._session, table)
            .values(
                person_id=person.id,
                platform=platform,
                user_id=user.id,
                name=name,
                alias=user.alias,
                last_active_at=now,
                reachable=True,
                told_locale=user.locale,
                told_zone=user.zone,
            )
            .on_conflict_do_nothing()
            .returning(table.c.id)
        ).scalar()
        if first is None:  # another event of the same account was a moment earlier
            self._session.delete(person)
            self._session.flush()
        found = self.find(platform, user.id)
        assert found is not None
        return found

    def lock(self, *persons: Person) -> None:
        """Hold these persons until the transaction ends, in one order for all; reads them anew."""
        wanted = sorted(person.id for person in persons)
        self._session.scalars(
            select(Person)
            .where(Person.id.in_(wanted))
            .order_by(Person.id)
            # NO KEY UPDATE: rows that merely refer to them are not held up.
            .with_for_update(key_share=True)
            .execution_options(populate_existing=True)
        ).all()

    def identities(self, person_id: int) -> Sequence[Identity]:
        """All accounts of a person, the one last used first."""
        return self._session.scalars(IDENTITIES, {"person_id": person_id}).all()

    def address(self, person_id: int) -> Address | None:
        """Where the person reads direct messages: where last active and reachable."""
        for identity in self.identities(person_id):
            if identity.reachable:
                return Address(platform=identity.platform, kind="person", id=identity.user_id)
        return None

    def account(self, person_id: int, platform: str) -> str | None:
        """The person's user id on a platform, or None."""
        return self._session.scalar(USER_ID, {"person_id": person_id, "platform": platform})

    def unreachable(self, platform: str, user_id: str) -> bool:
        """The platform says that this account is there no more; False when that was known."""
        gone = self._session.execute(
            update(Identity)
            .where(Identity.platform == platform, Identity.user_id == user_id, Identity.reachable)
            .values(reachable=False)
            .returning(Identity.id)
        ).scalar()
        return gone is not None

    def is_gone(self, platform: str, user_id: str) -> bool:
        """Whether the platform has said of a known account that it is there no more."""
        reachable = self._session.scalar(
            select(Identity.reachable).where(
                Identity.platform == platform, Identity.user_id == user_id
            )
        )
        return reachable is False

    def told(self, platform: str, user: User) -> bool:
        """Take over what the platform tells of a known account, which is there (again).

        Returns whether it could be reached before.
        """
        identity, person = self._session.execute(
            ACCOUNT, {"platform": platform, "user_id": user.id}
        ).one()
        was_reachable: bool = identity.reachable
        identity.reachable = True
        _take_name(person, identity, user)
        _follow(person, identity, user)
        return was_reachable

    def named(self, name: str, team_id: int | None, platform: str) -> Sequence[Person]:
        """Exact matches of a typed name: user id, platform name, alias or own name, in the team.

        Never fuzzy. With `team_id` None, anybody known on the platform.
        """
        match = or_(
            func.lower(Identity.user_id) == name.lower(),
            Identity.name == name,
            Identity.alias == name,
            Person.name == name,
        )
        wanted = (
            select(Person)
            .join(Identity, Identity.person_id == Person.id)
            .where(match, Identity.platform == platform)
            .distinct()
            .order_by(Person.id)
        )
        if team_id is not None:
            inside = select(Membership.person_id).where(
                or_(Membership.team_id == team_id, Membership.team_id.is_(None))
            )
            wanted = wanted.where(Person.id.in_(inside))
        return self._session.scalars(wanted).all()

    def join_accounts(self, kept: Person, other: Person) -> None:
        """`other` was the same human: accounts, roles and wishes to join become those of `kept`.

        The row of `other` stays, since history names it; it says whose it is now.
        """
        self._session.execute(
            update(Identity).where(Identity.person_id == other.id).values(person_id=kept.id)
        )
        for held in self.memberships(other.id):
            self._insert_role(kept.id, held.role, held.team_id, held.granted_by, held.granted_at)
        self._session.execute(delete(Membership).where(Membership.person_id == other.id))
        self._move_joins(kept, other)
        self._session.execute(
            update(Person).where(Person.merged_into_id == other.id).values(merged_into_id=kept.id)
        )
        other.state, other.merged_into_id = "merged", kept.id
        self._session.flush()
        self._session.expire_all()

    def _move_joins(self, kept: Person, other: Person) -> None:
        wishes = self._session.scalars(
            select(JoinRequest)
            .where(JoinRequest.person_id == other.id, JoinRequest.state == "waiting")
            .with_for_update()
        ).all()
        for wish in wishes:
            settled = (self.roles(kept.id, wish.team_id) - {"admin"}) or self.waiting_join(
                kept.id, wish.team_id
            )
            if settled:
                wish.state = "void"
            else:
                wish.person_id = kept.id
            self._session.flush()

    # --- roles -------------------------------------------------------------------------------

    def roles(self, person_id: int, team_id: int | None) -> frozenset[Role]:
        """Roles in this team, and admin everywhere. Empty: not on the roster."""
        rows = self._session.scalars(ROLES, {"person_id": person_id, "team_id": team_id})
        return frozenset(rows)  # type: ignore[arg-type]

    def memberships(self, person_id: int) -> Sequence[Membership]:
        """Every role of a person in every team, admin first."""
        return self._session.scalars(
            select(Membership)
            .where(Membership.person_id == person_id)
            .order_by(Membership.team_id.is_not(None), Membership.team_id, Membership.id)
        ).all()

    def team_ids(self, person_id: int) -> Sequence[int]:
        """Teams on whose roster the person is."""
        return self._session.scalars(
            select(Membership.team_id)
            .where(Membership.person_id == person_id, Membership.team_id.is_not(None))
            .distinct()
            .order_by(Membership.team_id)
        ).all()  # type: ignore[return-value]

    def holders(self, role: Role, team_id: int | None) -> Sequence[Person]:
        """Active persons who hold the role in the team (admins: in no team)."""
        where = Membership.team_id.is_(None) if role == "admin" else Membership.team_id == team_id
        return self._session.scalars(
            select(Person)
            .join(Membership, Membership.person_id == Person.id)
            .where(Membership.role == role, where, Person.state == "active")
            .order_by(Person.id)
        ).all()

    def roster(self, team_id: int) -> Sequence[tuple[Person, tuple[Role, ...]]]:
        """Everybody in a team with their roles, by name."""
        rows = self._session.execute(
            select(Person, Membership.role)
            .join(Membership, Membership.person_id == Person.id)
            .where(Membership.team_id == team_id, Person.state == "active")
            .order_by(Person.name, Person.id)
        ).all()
        found: dict[int, tuple[Person, list[Role]]] = {}
        for person, role in rows:
            found.setdefault(person.id, (person, []))[1].append(cast("Role", role))
        return [(person, tuple(roles)) for person, roles in found.values()]

    def headcount(self, team_id: int) -> int:
        """How many people are on a team's roster."""
        found = self._session.scalar(
            select(func.count(Membership.person_id.distinct()))
            .join(Person, Person.id == Membership.person_id)
            .where(Membership.team_id == team_id, Person.state == "active")
        )
        return found or 0

    def lock_admins(self) -> frozenset[int]:
        """The ids of all admins, who stay so until the transaction ends: none leaves unseen."""
        rows = self._session.scalars(
            select(Membership.person_id)
            .where(Membership.role == "admin", Membership.team_id.is_(None))
            .order_by(Membership.id)
            .with_for_update()
        )
        return frozenset(rows)

    def grant(
        self, person: Person, role: Role, team_id: int | None, by: int | None, now: datetime
    ) -> bool:
        """Give a role; False when they have it."""
        team_id = None if role == "admin" else team_id
        granted = self._insert_role(person.id, role, team_id, by, now)
        if granted:
            person.state = "active"
            self._session.flush()
        return granted

    def _insert_role(
        self, person_id: int, role: str, team_id: int | None, by: int | None, now: datetime
    ) -> bool:
        table = Membership.__table__
        assert isinstance(table, Table)
        inserted = self._session.execute(
            insert_into(self._session, table)
            .values(person_id=person_id, team_id=team_id, role=role, granted_by=by, granted_at=now)
            .on_conflict_do_nothing()
            .returning(table.c.id)
        ).scalar()
        return inserted is not None

    def revoke(self, person_id: int, team_id: int) -> Sequence[Membership]:
        """Take a person off a team's roster and, with it, from among the admins.

        Returns the memberships that ended; two who do it at once do it once.
        """
        ended = self._session.scalars(
            select(Membership)
            .where(
                Membership.person_id == person_id,
                or_(Membership.team_id == team_id, Membership.team_id.is_(None)),
            )
            .order_by(Membership.id)
            .with_for_update()
        ).all()
        for membership in ended:
            self._session.delete(membership)
        self._session.flush()
        return ended

    # --- joining -----------------------------------------------------------------------------

    def waiting_join(self, person_id: int, team_id: int) -> JoinRequest | None:
        """The person's unanswered request to join this team."""
        return self._session.scalar(
            select(JoinRequest).where(
                JoinRequest.person_id == person_id,
                JoinRequest.team_id == team_id,
                JoinRequest.state == "waiting",
            )
        )

    def wishes(self, team_ids: Sequence[int], but: int, limit: int) -> Sequence[JoinRequest]:
        """Unanswered requests of others to join these teams, in order."""
        return self._session.scalars(
            select(JoinRequest)
            .where(
                JoinRequest.team_id.in_(team_ids),
                JoinRequest.person_id != but,
                JoinRequest.state == "waiting",
            )
            .order_by(JoinRequest.id)
            .limit(limit)
        ).all()

    def ask_to_join(self, person_id: int, team_id: int, now: datetime) -> tuple[JoinRequest, bool]:
        """Record the wish; with it, whether it is a new one (False: the same still waits)."""
        table = JoinRequest.__table__
        assert isinstance(table, Table)
        new = self._session.execute(
            insert_into(self._session, table)
            .values(person_id=person_id, team_id=team_id, state="waiting", asked_at=now, asked=[])
            .on_conflict_do_nothing()
            .returning(table.c.id)
        ).scalar()
        waiting = self.waiting_join(person_id, team_id)
        assert waiting is not None
        return waiting, new is not None

    def join_request(self, request_id: int) -> JoinRequest | None:
        """One request, locked: two managers who decide at once do so one after the other."""
        return self._session.scalar(
            select(JoinRequest)
            .where(JoinRequest.id == request_id)
            .with_for_update()
            .execution_options(populate_existing=True)
        )


def _take_name(person: Person, identity: Identity, user: User) -> None:
    """An account's id stands for its name as long as no name is known."""
    if user.name and user.name not in (user.id, identity.name):
        if person.name in (user.id, identity.name):
            person.name = user.name
        identity.name = user.name
    if user.alias and user.alias != identity.alias:
        identity.alias = user.alias


def _follow(person: Person, identity: Identity, user: User) -> None:
    """Take language and zone from the platform, unless the person has chosen others."""
    if user.locale is not None and user.locale != identity.told_locale:
        if person.locale in (None, identity.told_locale):
            person.locale = user.locale
        identity.told_locale = user.locale
    if user.zone is not None and user.zone != identity.told_zone:
        if person.zone in (None, identity.told_zone):
            person.zone = user.zone
        identity.told_zone = user.zone
