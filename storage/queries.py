"""Questions and what was said about them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Table, bindparam, func, select
from sqlalchemy.orm import Session
from sqlalchemy.sql.elements import ColumnElement

from storage.tables.queries import Query, QueryEntry, QueryMessage
from storage.upsert import insert_into

# Runs with every line in a thread; built once.
OPENED_BY = select(QueryMessage.query_id).where(
    QueryMessage.platform == bindparam("platform"), QueryMessage.handle == bindparam("handle")
)


class Queries:
    """Queries and their append-only entries."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def add(self, query: Query) -> Query:
        """Store a new query and give it its number."""
        self._session.add(query)
        self._session.flush()
        return query

    def get(self, query_id: int) -> Query | None:
        """One query, locked: two who press Claim at once are decided one after the other."""
        return self._session.scalar(
            select(Query)
            .where(Query.id == query_id)
            .with_for_update()
            .execution_options(populate_existing=True)
        )

    def peek(self, query_id: int) -> Query | None:
        """One query to look at, without its lock."""
        return self._session.get(Query, query_id)

    def opened_by(self, platform: str, handle: str) -> int | None:
        """The number of the query that a person's message opened, if it opened one."""
        return self._session.scalar(OPENED_BY, {"platform": platform, "handle": handle})

    def author_of(self, platform: str, handle: str) -> int | None:
        """Who wrote the message that opened a query."""
        return self._session.scalar(
            select(QueryMessage.author_id).where(
                QueryMessage.platform == platform, QueryMessage.handle == handle
            )
        )

    def in_thread(self, thread: str) -> Sequence[Query]:
        """The queries whose askers read in a thread, the newest first."""
        return self._session.scalars(
            select(Query)
            .where(Query.thread == thread, Query.thread != "")
            .order_by(Query.id.desc())
        ).all()

    def last_reply_at(self, query_id: int) -> datetime | None:
        """When the team answered last."""
        return self._session.scalar(
            select(func.max(QueryEntry.at)).where(
                QueryEntry.query_id == query_id, QueryEntry.kind.in_(("reply", "declared"))
            )
        )

    def keep_message(self, query_id: int, platform: str, handle: str, author_id: int) -> bool:
        """Remember which message opened a query; False when another query was opened by it."""
        table = QueryMessage.__table__
        assert isinstance(table, Table)
        kept = self._session.execute(
            insert_into(self._session, table)
            .values(query_id=query_id, platform=platform, handle=handle, author_id=author_id)
            .on_conflict_do_nothing()
            .returning(table.c.id)
        ).scalar()
        return kept is not None

    def note(self, query_id: int, kind: str, person_id: int, body: str, at: datetime) -> QueryEntry:
        """Add an entry and give it its number."""
        entry = QueryEntry(query_id=query_id, kind=kind, person_id=person_id, body=body, at=at)
        self._session.add(entry)
        self._session.flush()
        return entry

    def entries(self, query_id: int) -> Sequence[QueryEntry]:
        """All entries, in order."""
        return self._session.scalars(
            select(QueryEntry).where(QueryEntry.query_id == query_id).order_by(QueryEntry.id)
        ).all()

    def open_in(self, team_id: int, limit: int, start: int = 0) -> tuple[Sequence[Query], int]:
        """Unresolved queries of a team, the most urgent first, and how many there are in all."""
        return self._unresolved([Query.team_id == team_id], limit, start)

    def owned_by(self, person_id: int, limit: int, start: int = 0) -> tuple[Sequence[Query], int]:
        """Unresolved queries somebody owns, the most urgent first, and how many in all."""
        return self._unresolved([Query.owner_id == person_id], limit, start)

    def unclaimed_in(self, team_ids: Sequence[int], limit: int) -> Sequence[Query]:
        """Queries of these teams that nobody has and whose asker waits, the most urgent first."""
        return self._session.scalars(
            select(Query)
            .where(
                Query.team_id.in_(team_ids),
                Query.owner_id.is_(None),
                Query.waiting_since.is_not(None),
            )
            .order_by(Query.due_at, Query.id)
            .limit(limit)
        ).all()

    def asked_by(self, person_id: int, limit: int) -> Sequence[Query]:
        """Unresolved queries somebody asked, the newest first."""
        return self._session.scalars(
            select(Query)
            .where(Query.asker_id == person_id, Query.state != "resolved")
            .order_by(Query.id.desc())
            .limit(limit)
        ).all()

    def owned_in(self, person_id: int, team_id: int) -> Sequence[int]:
        """The numbers of all unresolved queries of a team that somebody owns, in order."""
        return self._session.scalars(
            select(Query.id)
            .where(Query.owner_id == person_id, Query.team_id == team_id, Query.state != "resolved")
            .order_by(Query.id)
        ).all()

    def late_in(
        self, team_id: int, now: datetime, limit: int, start: int = 0
    ) -> tuple[Sequence[Query], int]:
        """Queries of a team whose deadline has passed, the latest first, and how many in all."""
        late = [Query.team_id == team_id, Query.waiting_since.is_not(None), Query.due_at < now]
        return self._unresolved(late, limit, start)

    def _unresolved(
        self, where: list[ColumnElement[bool]], limit: int, start: int
    ) -> tuple[Sequence[Query], int]:
        where = [*where, Query.state != "resolved"]
        found = self._session.scalars(
            select(Query)
            .where(*where)
            .order_by(Query.waiting_since.is_(None), Query.due_at, Query.id)
            .limit(limit)
            .offset(start)
        ).all()
        count = self._session.scalar(select(func.count()).select_from(Query).where(*where))
        return found, count or 0

    def owed(self, due_before: datetime) -> Sequence[Query]:
        """Queries whose asker waits since before that deadline, and that were not muted by then."""
        return self._session.scalars(
            select(Query)
            .where(
                Query.waiting_since.is_not(None),
                Query.due_at < due_before,
                Query.muted_until.is_(None) | (Query.muted_until < due_before),
            )
            .order_by(Query.due_at, Query.id)
        ).all()
