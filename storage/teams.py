"""Teams and the groups that are bound to them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Table, bindparam, select, update
from sqlalchemy.orm import Session

from bot.messages import Address, plain_name
from storage.tables.people import Membership, Person
from storage.tables.teams import BoundGroup, Team
from storage.upsert import insert_into

# Statements that run with every event, built once.
OLDEST = select(Team).order_by(Team.id).limit(1)
TWO_OLDEST = select(Team).order_by(Team.id).limit(2)
BOUND = (
    select(Team)
    .join(BoundGroup, BoundGroup.team_id == Team.id)
    .where(BoundGroup.platform == bindparam("platform"), BoundGroup.chat_id == bindparam("chat_id"))
)
HOME_OF = (
    select(Team.name)
    .join(BoundGroup, BoundGroup.team_id == Team.id)
    .where(BoundGroup.platform == bindparam("platform"), BoundGroup.chat_id == bindparam("chat_id"))
    .where(BoundGroup.home)
)
FIRST_MEMBERSHIP = (
    select(Membership.team_id)
    .where(Membership.person_id == bindparam("person_id"), Membership.team_id.is_not(None))
    .order_by(Membership.team_id)
    .limit(1)
)


class Teams:
    """One team exists from the start; while it is the only one, every chat belongs to it."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._known: dict[int, Team] = {}

    def get(self, team_id: int) -> Team:
        """The team with this id; raises LookupError."""
        team = self._known.get(team_id) or self._session.get(Team, team_id)
        if team is None:
            raise LookupError(f"no team {team_id}")
        return self._keep(team)

    def _keep(self, team: Team) -> Team:
        """Hold on to a team for this transaction; it is asked for again and again."""
        self._known[team.id] = team
        return team

    def lock(self, team_id: int) -> Team:
        """The team, held until the transaction ends, so that changes to it follow each other."""
        return self._session.scalars(
            select(Team)
            .where(Team.id == team_id)
            .with_for_update()
            .execution_options(populate_existing=True)
        ).one()

    def all(self) -> Sequence[Team]:
        """Every team, oldest first."""
        return self._session.scalars(select(Team).order_by(Team.id)).all()

    def first(self) -> Team:
        """The oldest team."""
        team = self._session.scalar(OLDEST)
        if team is None:
            raise LookupError("there is no team yet")
        return self._keep(team)

    def only(self) -> Team | None:
        """The team, while there is only one."""
        found = self._session.scalars(TWO_OLDEST).all()
        return self._keep(found[0]) if len(found) == 1 else None

    def named(self, name: str) -> Team | None:
        """The team of this name; capitals and spaces are as one likes."""
        wanted = plain_name(name)
        return next((team for team in self.all() if plain_name(team.name) == wanted), None)

    def add(self, name: str, locale: str, zone: str, now: datetime) -> Team:
        """A new team. Raises ValueError when there is one of this name."""
        table = Team.__table__
        assert isinstance(table, Table)
        team_id = self._session.execute(
            insert_into(self._session, table)
            .values(name=name, locale=locale, zone=zone, policies={}, created_at=now)
            .on_conflict_do_nothing()
            .returning(table.c.id)
        ).scalar()
        if team_id is None:
            raise ValueError(f"there is a team {name!r}")
        return self.get(team_id)

    def of_person(self, person: Person) -> Team:
        """The team whose language and zone a person reads in when they have none of their own."""
        team_id = person.chosen_team_id or self._session.scalar(
            FIRST_MEMBERSHIP, {"person_id": person.id}
        )
        return self.first() if team_id is None else self.get(team_id)

    # --- groups ------------------------------------------------------------------------------

    def bound(self, platform: str, chat_id: str) -> Team | None:
        """The team a group is bound to."""
        team = self._session.scalar(BOUND, {"platform": platform, "chat_id": chat_id})
        return team and self._keep(team)

    def home_of(self, platform: str, chat_id: str) -> str | None:
        """The name of the team whose home a group is."""
        return self._session.scalar(HOME_OF, {"platform": platform, "chat_id": chat_id})

    def group_name(self, platform: str, chat_id: str) -> str | None:
        """What a bound group is called, as far as the platform told."""
        return self._session.scalar(
            select(BoundGroup.name).where(
                BoundGroup.platform == platform, BoundGroup.chat_id == chat_id
            )
        )

    def bind(self, team: Team, platform: str, chat_id: str, name: str, now: datetime) -> None:
        """Bind a group to a team and make it the team's home on this platform."""
        self.lock(team.id)
        self._session.execute(
            update(BoundGroup)
            .where(BoundGroup.team_id == team.id, BoundGroup.platform == platform)
            .values(home=False)
        )
        table = BoundGroup.__table__
        assert isinstance(table, Table)
        row = {"team_id": team.id, "name": name, "home": True, "bound_at": now}
        self._session.execute(
            insert_into(self._session, table)
            .values(platform=platform, chat_id=chat_id, **row)
            .on_conflict_do_update(index_elements=["platform", "chat_id"], set_=row)
        )
        self._session.expire_all()

    def home_groups(self, team_id: int) -> Sequence[BoundGroup]:
        """The team's home group on each platform that has one."""
        return self._session.scalars(
            select(BoundGroup)
            .where(BoundGroup.team_id == team_id, BoundGroup.home)
            .order_by(BoundGroup.platform)
        ).all()

    def homes(self, team_id: int) -> Sequence[Address]:
        """The team's home group on each platform that has one."""
        rows = self.home_groups(team_id)
        return [Address(platform=row.platform, kind="group", id=row.chat_id) for row in rows]
