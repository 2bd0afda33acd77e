"""Who has a page of their own on a platform, and whose page is no longer true."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Boolean, and_, bindparam, delete, event, inspect, or_, select, update
from sqlalchemy.orm import Session, UOWTransaction

from bot.messages import Address
from storage.tables.attendance import Correction, WorkSession
from storage.tables.people import Identity, JoinRequest, Membership, Person
from storage.tables.queries import Query
from storage.tables.queues import pages
from storage.upsert import Insert, prepared

# What is shown on pages, and the columns that say on whose; what a team shares, on all of its.
OF_PERSONS: dict[type, tuple[str, ...]] = {
    Correction: ("person_id",),
    JoinRequest: ("person_id",),
    Membership: ("person_id",),
    Person: ("id",),
    Query: ("owner_id", "asker_id"),
    WorkSession: ("person_id",),
}
OF_TEAMS: dict[type, tuple[str, ...]] = {
    Correction: ("team_id",),
    JoinRequest: ("team_id",),
    Query: ("team_id",),
}
PERSONS, TEAMS = "touched_persons", "touched_teams"

OPENED = (
    select(Identity.person_id)
    .join(
        pages,
        (pages.c.platform == Identity.platform) & (pages.c.user_id == Identity.user_id),
    )
    .outerjoin(Membership, Membership.person_id == Identity.person_id)
    .where(
        or_(
            Identity.person_id.in_(bindparam("persons", expanding=True)),
            Membership.team_id.in_(bindparam("teams", expanding=True)),
            # Admins look after every team.
            and_(
                Membership.team_id.is_(None),
                Membership.role == "admin",
                bindparam("any_team", type_=Boolean),
            ),
        )
    )
    .distinct()
)


@event.listens_for(Session, "after_flush")
def _note_whom_it_touches(session: Session, _context: UOWTransaction) -> None:
    """Remember whose page shows what was just written; old owners as well as new ones."""
    for row in (*session.new, *session.dirty, *session.deleted):
        for name, columns in ((PERSONS, OF_PERSONS), (TEAMS, OF_TEAMS)):
            touched: set[int] = session.info.setdefault(name, set())
            for column in columns.get(type(row), ()):
                history = inspect(row).attrs[column].history
                touched.update(one for one in history.sum() if isinstance(one, int))


def _open(insert: Insert) -> Any:
    new = insert(pages)
    return new.on_conflict_do_update(
        index_elements=["platform", "user_id"], set_={"opened_at": new.excluded.opened_at}
    )


class Pages:
    """Rows of (platform, account): who looked at their page at least once."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def opened(self, platform: str, user_id: str, now: datetime) -> None:
        """Somebody looks at their page: from now on it is kept true."""
        row = {"platform": platform, "user_id": user_id, "opened_at": now}
        self._session.execute(prepared(self._session, _open), row)

    def of(self, person_id: int) -> Sequence[Address]:
        """A person's pages that can be reached."""
        rows = self._session.execute(
            select(Identity.platform, Identity.user_id)
            .join(
                pages,
                (pages.c.platform == Identity.platform) & (pages.c.user_id == Identity.user_id),
            )
            .where(Identity.person_id == person_id, Identity.reachable)
        ).all()
        return [Address(platform=row.platform, kind="page", id=row.user_id) for row in rows]

    def outdated(self) -> Sequence[int]:
        """Persons with a page on which this transaction has changed something, in order."""
        self._session.flush()
        persons: set[int] = self._session.info.pop(PERSONS, set())
        teams: set[int] = self._session.info.pop(TEAMS, set())
        if not persons and not teams:
            return []
        touched = {"persons": sorted(persons), "teams": sorted(teams), "any_team": bool(teams)}
        # In one order for all, so that of two who arm the same timers none waits for the other.
        return sorted(self._session.scalars(OPENED, touched))

    def shows(self, address: Address, digest: str) -> bool:
        """Remember what an account is shown now; False when that is what it was shown last."""
        changed = self._session.execute(
            update(pages)
            .where(pages.c.platform == address.platform, pages.c.user_id == address.id)
            .where(or_(pages.c.shown.is_(None), pages.c.shown != digest))
            .values(shown=digest)
            .returning(pages.c.user_id)
        ).scalar()
        return changed is not None

    def close(self, platform: str, user_id: str) -> None:
        """The account is gone, and its page with it."""
        self._session.execute(
            delete(pages).where(pages.c.platform == platform, pages.c.user_id == user_id)
        )
