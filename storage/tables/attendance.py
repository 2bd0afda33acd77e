"""Punches as they came, sessions computed from them, and corrections."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from storage.tables.base import Base, Number


class Punch(Base):
    """One tap, append-only: who, when, which way, from where."""

    __tablename__ = "punches"
    __table_args__ = (
        UniqueConstraint("source", "event_key"),
        Index("ix_punches_person_id_at", "person_id", "at"),
    )

    id: Mapped[int] = mapped_column(Number, primary_key=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("persons.id"))
    team_id: Mapped[int] = mapped_column(ForeignKey("teams.id"))
    direction: Mapped[str] = mapped_column(String(5))
    """in, out, break, back."""
    at: Mapped[datetime]
    received_at: Mapped[datetime]
    source: Mapped[str] = mapped_column(String(20))
    """The platform, or "correction"."""
    event_key: Mapped[str] = mapped_column(String(255))
    """The platform's key for the event; of a correction its id and direction."""
    outcome: Mapped[str] = mapped_column(String(20))
    """What it did (handlers/attendance/rules.py), or repeated, or corrected."""
    note: Mapped[str] = mapped_column(String(500), default="")


class WorkSession(Base):
    """Worked time: computed from punches and corrections, and computable again."""

    __tablename__ = "sessions"
    __table_args__ = (
        CheckConstraint("ended_at IS NULL OR ended_at >= started_at", name="order"),
        Index("ix_sessions_person_id_work_date", "person_id", "work_date"),
        Index("ix_sessions_team_id_state", "team_id", "state"),
        # Two doors at once must not open two sessions.
        Index(
            "uq_sessions_open",
            "person_id",
            unique=True,
            sqlite_where=text("state = 'open'"),
            postgresql_where=text("state = 'open'"),
        ),
    )

    id: Mapped[int] = mapped_column(Number, primary_key=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("persons.id"))
    team_id: Mapped[int] = mapped_column(ForeignKey("teams.id"))
    started_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    work_date: Mapped[date]
    """The local date on which it began."""
    zone: Mapped[str] = mapped_column(String(64))
    """The zone that decided the work date; kept, because people move."""
    state: Mapped[str] = mapped_column(String(12), default="open")
    """open, closed, provisional, confirmed, approved, locked."""
    evidence_at: Mapped[datetime | None]
    """The last sign of work after the start, for a provisional end."""
    break_started_at: Mapped[datetime | None]
    """Set while on a break."""
    break_seconds: Mapped[int] = mapped_column(default=0)
    provisional_since: Mapped[datetime | None]


class Break(Base):
    """A pause inside a session."""

    __tablename__ = "breaks"
    __table_args__ = (Index("ix_breaks_session_id", "session_id"),)

    id: Mapped[int] = mapped_column(Number, primary_key=True)
    session_id: Mapped[int] = mapped_column(ForeignKey("sessions.id"))
    started_at: Mapped[datetime]
    ended_at: Mapped[datetime]


class Correction(Base):
    """A wish to change a session's start or end, with its reason; decided by somebody else."""

    __tablename__ = "corrections"
    __table_args__ = (
        Index("ix_corrections_person_id_state", "person_id", "state"),
        Index("ix_corrections_team_id_state", "team_id", "state"),
        # A newer wish about the same end of a session takes the older one's place.
        Index(
            "uq_corrections_waiting",
            "session_id",
            "direction",
            unique=True,
            sqlite_where=text("state = 'waiting'"),
            postgresql_where=text("state = 'waiting'"),
        ),
    )

    id: Mapped[int] = mapped_column(Number, primary_key=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("persons.id"))
    team_id: Mapped[int] = mapped_column(ForeignKey("teams.id"))
    session_id: Mapped[int | None] = mapped_column(ForeignKey("sessions.id"))
    """None until approved where it makes a session of its own."""
    direction: Mapped[str] = mapped_column(String(3))
    old: Mapped[datetime | None]
    new: Mapped[datetime | None]
    """None while only an OUT without an IN is known and the worker is asked for the rest."""
    paired_at: Mapped[datetime | None]
    """The end that belongs to a missing start, where there is no session yet."""
    reason: Mapped[str] = mapped_column(String(500), default="")
    state: Mapped[str] = mapped_column(String(10), default="waiting")
    """asked (the worker has to say more), waiting, approved, rejected, replaced."""
    asked_at: Mapped[datetime]
    decided_by: Mapped[int | None] = mapped_column(ForeignKey("persons.id"))
    decided_at: Mapped[datetime | None]
    decision_note: Mapped[str] = mapped_column(String(500), default="")
