"""Punches, sessions, breaks and corrections."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime

from sqlalchemy import BindParameter, bindparam, case, func, literal, or_, select
from sqlalchemy.orm import Session

from storage.tables.attendance import Break, Correction, Punch, WorkSession
from storage.tables.base import UtcDateTime
from storage.tables.people import Person

# Punches that did nothing of their own: the next tap is not judged by them.
UNCOUNTED = ("repeated", "overtaken", "corrected")
UNDECIDED = ("asked", "waiting")
FOR_EVER = datetime(9999, 1, 1, tzinfo=UTC)


# Statements that run with every tap, built once.
_THEIRS: BindParameter[int] = bindparam("person_id")
LOCK = select(Person.id).where(Person.id == _THEIRS).with_for_update(key_share=True)
LAST_PUNCH = (
    select(Punch)
    .where(Punch.person_id == _THEIRS, Punch.outcome.not_in(UNCOUNTED))
    .order_by(Punch.id.desc())
    .limit(1)
)
OPEN_SESSION = (
    select(WorkSession)
    .where(WorkSession.person_id == _THEIRS, WorkSession.state == "open")
    .with_for_update()
    .execution_options(populate_existing=True)
)
LATEST_ENDED = (
    select(WorkSession)
    .where(WorkSession.person_id == _THEIRS, WorkSession.state != "open")
    .order_by(WorkSession.started_at.desc(), WorkSession.id.desc())
    .limit(1)
    .execution_options(populate_existing=True)
)
BREAKS = (
    select(Break)
    .where(Break.session_id == bindparam("session_id"))
    .order_by(Break.started_at, Break.id)
)


class Attendance:
    """Events are only added; sessions are computed from them."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def lock(self, person_id: int) -> None:
        """Make everybody else who changes this person's hours wait until we are done.

        Taken first by all who do, so two taps at once, or a tap and an approval, are decided one
        after the other and never wait for each other crosswise.
        """
        self._session.execute(
            # NO KEY UPDATE: rows that merely refer to the person are not held up.
            LOCK,
            {"person_id": person_id},
        )

    def add(self, row: Punch | WorkSession | Break | Correction) -> None:
        """Store a new row and give it its number."""
        self._session.add(row)
        self._session.flush()

    # --- punches -----------------------------------------------------------------------------

    def last_punch(self, person_id: int) -> Punch | None:
        """The newest tap that counted."""
        return self._session.scalar(LAST_PUNCH, {"person_id": person_id})

    def punches(self, person_id: int, start: datetime, end: datetime) -> Sequence[Punch]:
        """Taps in [start, end), in the order in which they arrived."""
        return self._session.scalars(
            select(Punch)
            .where(Punch.person_id == person_id, Punch.at >= start, Punch.at < end)
            .order_by(Punch.id)
        ).all()

    # --- sessions ----------------------------------------------------------------------------

    def open_session(self, person_id: int) -> WorkSession | None:
        """The session a person is in, locked."""
        return self._session.scalar(OPEN_SESSION, {"person_id": person_id})

    def session(self, session_id: int) -> WorkSession | None:
        """One session, locked."""
        return self._session.get(
            WorkSession, session_id, with_for_update=True, populate_existing=True
        )

    def peek(self, session_id: int) -> WorkSession | None:
        """One session, to see whose it is before locking."""
        return self._session.get(WorkSession, session_id)

    def latest_ended(self, person_id: int) -> WorkSession | None:
        """The newest session that is not open."""
        return self._session.scalar(LATEST_ENDED, {"person_id": person_id})

    def latest_session(self, person_id: int, before: datetime) -> WorkSession | None:
        """The newest session that began at or before a moment."""
        return self._session.scalar(
            select(WorkSession)
            .where(WorkSession.person_id == person_id, WorkSession.started_at <= before)
            .order_by(WorkSession.started_at.desc(), WorkSession.id.desc())
            .limit(1)
        )

    def sessions_started(
        self, person_id: int, start: datetime, end: datetime
    ) -> Sequence[WorkSession]:
        """Sessions that began in [start, end), in order."""
        return self._session.scalars(
            select(WorkSession)
            .where(
                WorkSession.person_id == person_id,
                WorkSession.started_at >= start,
                WorkSession.started_at < end,
            )
            .order_by(WorkSession.started_at, WorkSession.id)
        ).all()

    def sessions_between(
        self, person_id: int, first: date, last: date, team_id: int | None = None
    ) -> Sequence[WorkSession]:
        """Sessions whose work date lies in [first, last], in order; of one team, or of all."""
        wanted = select(WorkSession).where(
            WorkSession.person_id == person_id,
            WorkSession.work_date >= first,
            WorkSession.work_date <= last,
        )
        if team_id is not None:
            wanted = wanted.where(WorkSession.team_id == team_id)
        return self._session.scalars(wanted.order_by(WorkSession.started_at, WorkSession.id)).all()

    def overlapping(
        self, person_id: int, start: datetime, end: datetime, except_id: int | None
    ) -> WorkSession | None:
        """A session of the person that shares time with [start, end).

        An open session has no end yet; one whose end nobody knows counts as its first moment.
        """
        lasts_until = case(
            (WorkSession.state == "open", literal(FOR_EVER, UtcDateTime)),
            else_=func.coalesce(WorkSession.ended_at, WorkSession.started_at),
        )
        return self._session.scalar(
            select(WorkSession)
            .where(
                WorkSession.person_id == person_id,
                WorkSession.id != (except_id or 0),
                WorkSession.started_at < end,
                or_(WorkSession.started_at >= start, lasts_until > start),
            )
            .order_by(WorkSession.started_at)
            .limit(1)
        )

    def provisional(self, person_id: int) -> Sequence[WorkSession]:
        """Sessions whose end still has to be confirmed."""
        return self._session.scalars(
            select(WorkSession)
            .where(WorkSession.person_id == person_id, WorkSession.state == "provisional")
            .order_by(WorkSession.started_at)
        ).all()

    def on_duty(self, team_id: int) -> Sequence[tuple[WorkSession, Person]]:
        """Who is checked in, since when, the longest first."""
        rows = self._session.execute(
            select(WorkSession, Person)
            .join(Person, Person.id == WorkSession.person_id)
            .where(WorkSession.team_id == team_id, WorkSession.state == "open")
            .order_by(WorkSession.started_at)
        )
        return [(row[0], row[1]) for row in rows]

    def is_on_duty(self, person_id: int) -> bool:
        """Whether the person is checked in and not on a break."""
        return (
            self._session.scalar(
                select(WorkSession.id).where(
                    WorkSession.person_id == person_id,
                    WorkSession.state == "open",
                    WorkSession.break_started_at.is_(None),
                )
            )
            is not None
        )

    def breaks(self, session_id: int) -> Sequence[Break]:
        """The pauses of a session, in order."""
        return self._session.scalars(BREAKS, {"session_id": session_id}).all()

    # --- corrections -------------------------------------------------------------------------

    def correction(self, correction_id: int) -> Correction | None:
        """One correction, locked."""
        return self._session.get(
            Correction, correction_id, with_for_update=True, populate_existing=True
        )

    def peek_correction(self, correction_id: int) -> Correction | None:
        """One correction, to see whose it is before locking."""
        return self._session.get(Correction, correction_id)

    def waiting_correction(
        self, session_id: int, direction: str | None = None
    ) -> Correction | None:
        """The undecided correction of a session (of one end of it)."""
        wanted = select(Correction).where(
            Correction.session_id == session_id, Correction.state == "waiting"
        )
        if direction is not None:
            wanted = wanted.where(Correction.direction == direction)
        return self._session.scalar(wanted.order_by(Correction.id).limit(1))

    def pending_ends(self, person_id: int, start: datetime, end: datetime) -> Sequence[Correction]:
        """Undecided ones of a session still to be made whose end lies in [start, end]."""
        return self._session.scalars(
            select(Correction)
            .where(
                Correction.person_id == person_id,
                Correction.state.in_(UNDECIDED),
                Correction.session_id.is_(None),
                Correction.paired_at >= start,
                Correction.paired_at <= end,
            )
            .order_by(Correction.paired_at, Correction.id)
        ).all()

    def pending_starts(
        self, person_id: int, start: datetime, end: datetime
    ) -> Sequence[Correction]:
        """Those that wait to make a session whose start lies in [start, end], in order."""
        return self._session.scalars(
            select(Correction)
            .where(
                Correction.person_id == person_id,
                Correction.state == "waiting",
                Correction.session_id.is_(None),
                Correction.new >= start,
                Correction.new <= end,
            )
            .order_by(Correction.new, Correction.id)
        ).all()

    def to_decide(self, team_ids: Sequence[int], but: int, limit: int) -> Sequence[Correction]:
        """Corrections of others in these teams that wait for a decision, in order."""
        return self._session.scalars(
            select(Correction)
            .where(
                Correction.team_id.in_(team_ids),
                Correction.person_id != but,
                Correction.state == "waiting",
            )
            .order_by(Correction.id)
            .limit(limit)
        ).all()

    def undecided(self, person_id: int) -> Sequence[Correction]:
        """A person's corrections that wait for somebody, in order."""
        return self._session.scalars(
            select(Correction)
            .where(Correction.person_id == person_id, Correction.state.in_(UNDECIDED))
            .order_by(Correction.id)
        ).all()
