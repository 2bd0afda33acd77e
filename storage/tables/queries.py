"""Questions that somebody must answer, what was said about them, and the reminders sent."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, String, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from storage.tables.base import Base, Number


class Query(Base):
    """A question from a user, and its clock."""

    __tablename__ = "queries"
    __table_args__ = (
        Index("ix_queries_team_id_state", "team_id", "state"),
        Index("ix_queries_owner_id_state", "owner_id", "state"),
        Index("ix_queries_asker_id", "asker_id"),
        Index(
            "ix_queries_thread",
            "thread",
            sqlite_where=text("thread != ''"),
            postgresql_where=text("thread != ''"),
        ),
        # The watchdog looks at what is owed, however many queries have been answered.
        Index(
            "ix_queries_owed",
            "due_at",
            sqlite_where=text("waiting_since IS NOT NULL"),
            postgresql_where=text("waiting_since IS NOT NULL"),
        ),
    )

    id: Mapped[int] = mapped_column(Number, primary_key=True)
    team_id: Mapped[int] = mapped_column(ForeignKey("teams.id"))
    question: Mapped[str] = mapped_column(Text)
    asker_id: Mapped[int] = mapped_column(ForeignKey("persons.id"))
    asked_in: Mapped[dict[str, Any]] = mapped_column(JSON)
    """The Address where the asker reads the reply."""
    owner_id: Mapped[int | None] = mapped_column(ForeignKey("persons.id"))
    claimed_at: Mapped[datetime | None]
    opened_at: Mapped[datetime]
    first_reply_at: Mapped[datetime | None]
    waiting_since: Mapped[datetime | None]
    """The oldest message of the asker that nobody has answered; None: nothing is owed."""
    due_at: Mapped[datetime]
    """When the present target is due; once it is answered, when it was."""
    target: Mapped[int] = mapped_column(default=1)
    """Counts the targets (first reply, next replies), so that each has timers of its own."""
    first_due_at: Mapped[datetime]
    """When the first reply was due, whatever targets followed."""
    state: Mapped[str] = mapped_column(String(10), default="open")
    """open, answered, resolved."""
    muted_until: Mapped[datetime | None]
    resolved_at: Mapped[datetime | None]
    policy: Mapped[dict[str, Any]] = mapped_column(JSON)
    """The procedure's response time and ladder, frozen when the query opened."""
    cards: Mapped[list[str]] = mapped_column(JSON, default=list)
    """The keys of the messages that carry its card, so that each change reaches all of them."""
    follows_id: Mapped[int | None] = mapped_column(ForeignKey("queries.id"))
    """The resolved query that this one takes up again, too late to reopen it."""
    thread: Mapped[str] = mapped_column(String(300), default="")
    """The handle of the thread in which the asker reads, where there is one."""


class QueryMessage(Base):
    """A person's message on a platform that belongs to a query: what opened it. One query each."""

    __tablename__ = "query_messages"
    __table_args__ = (
        UniqueConstraint("platform", "handle"),
        Index("ix_query_messages_query_id", "query_id"),
    )

    id: Mapped[int] = mapped_column(Number, primary_key=True)
    query_id: Mapped[int] = mapped_column(ForeignKey("queries.id"))
    platform: Mapped[str] = mapped_column(String(20))
    handle: Mapped[str] = mapped_column(String(300))
    author_id: Mapped[int] = mapped_column(ForeignKey("persons.id"))
    """Who wrote it: the asker, or a colleague who asked for them."""


class QueryEntry(Base):
    """One thing that was said or done about a query; append-only."""

    __tablename__ = "query_entries"
    __table_args__ = (Index("ix_query_entries_query_id", "query_id"),)

    id: Mapped[int] = mapped_column(Number, primary_key=True)
    query_id: Mapped[int] = mapped_column(ForeignKey("queries.id"))
    kind: Mapped[str] = mapped_column(String(10))
    """question, more (of the asker), edit and erase (the asker changed or deleted the question),
    reply, declared, note, claim, release, mute, resolve, reopen."""
    person_id: Mapped[int] = mapped_column(ForeignKey("persons.id"))
    body: Mapped[str] = mapped_column(Text, default="")
    at: Mapped[datetime]


class Reminder(Base):
    """Proof of what was due and what was done about it. One row a rung, told or not."""

    __tablename__ = "reminders"
    __table_args__ = (
        UniqueConstraint("subject", "step"),
        Index("ix_reminders_fired_at", "fired_at"),
    )

    id: Mapped[int] = mapped_column(Number, primary_key=True)
    subject: Mapped[str] = mapped_column(String(40))
    step: Mapped[str] = mapped_column(String(40))
    due_at: Mapped[datetime]
    fired_at: Mapped[datetime]
    late_seconds: Mapped[int]
    told: Mapped[list[int]] = mapped_column(JSON)
    """The ids of the persons who were told; empty with `outcome` saying why."""
    outcome: Mapped[str] = mapped_column(String(20))
    """told; group: the home group was; empty: the rung was, and the next one's people were told;
    quiet: all of them sleep; silenced: it has just been claimed; folded: a higher rung spoke."""


class ReminderDay(Base):
    """How often somebody was reminded on a local day: the reminder budget's counter."""

    __tablename__ = "reminder_days"
    __table_args__ = (UniqueConstraint("person_id", "day"),)

    id: Mapped[int] = mapped_column(Number, primary_key=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("persons.id"))
    day: Mapped[str] = mapped_column(String(10))
    count: Mapped[int] = mapped_column(default=0)
    folded: Mapped[list[dict[str, Any]]] = mapped_column(JSON, default=list)
    """What exceeded the budget and waits for the digest."""
