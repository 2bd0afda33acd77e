"""People, their accounts on the platforms, their roles, and how they get in."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import JSON, ForeignKey, Index, String, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from storage.tables.base import Base, Number


class Person(Base):
    """Somebody, on whatever platforms. Never deleted: who comes back is the same person."""

    __tablename__ = "persons"

    id: Mapped[int] = mapped_column(Number, primary_key=True)
    name: Mapped[str] = mapped_column(String(200))
    locale: Mapped[str | None] = mapped_column(String(10))
    """Chosen or told by the platform; None: the team's."""
    zone: Mapped[str | None] = mapped_column(String(64))
    state: Mapped[str] = mapped_column(String(10), default="active")
    """active, left, or merged: the same human as `merged_into_id`, whose accounts moved there."""
    merged_into_id: Mapped[int | None] = mapped_column(ForeignKey("persons.id"))
    chosen_team_id: Mapped[int | None] = mapped_column(ForeignKey("teams.id"))
    """The team that direct messages are about, when there is more than one."""
    privacy_told_at: Mapped[datetime | None]
    created_at: Mapped[datetime]


class Identity(Base):
    """A person's account on one platform."""

    __tablename__ = "identities"
    __table_args__ = (
        UniqueConstraint("platform", "user_id"),
        Index("ix_identities_person_id", "person_id"),
    )

    id: Mapped[int] = mapped_column(Number, primary_key=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("persons.id"))
    platform: Mapped[str] = mapped_column(String(20))
    user_id: Mapped[str] = mapped_column(String(200))
    name: Mapped[str] = mapped_column(String(200))
    alias: Mapped[str] = mapped_column(String(200), default="", server_default="")
    """A second name by which colleagues may mention them; "" for none."""
    last_active_at: Mapped[datetime]
    reachable: Mapped[bool] = mapped_column(default=True)
    told_locale: Mapped[str | None] = mapped_column(String(10))
    """Language and zone as the platform told them last: who has chosen nothing else follows."""
    told_zone: Mapped[str | None] = mapped_column(String(64))


class Membership(Base):
    """One role of one person in one team; `team_id` is NULL for admin, who belongs to all."""

    __tablename__ = "memberships"
    __table_args__ = (
        UniqueConstraint("person_id", "team_id", "role"),
        Index("ix_memberships_team_id_role", "team_id", "role"),
        # NULLs are distinct in a UNIQUE constraint, so the organisation-wide role needs its own.
        Index(
            "uq_memberships_organisation",
            "person_id",
            "role",
            unique=True,
            sqlite_where=text("team_id IS NULL"),
            postgresql_where=text("team_id IS NULL"),
        ),
    )

    id: Mapped[int] = mapped_column(Number, primary_key=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("persons.id"))
    team_id: Mapped[int | None] = mapped_column(ForeignKey("teams.id"))
    role: Mapped[str] = mapped_column(String(10))
    granted_by: Mapped[int | None] = mapped_column(ForeignKey("persons.id"))
    granted_at: Mapped[datetime]


class Code(Base):
    """A single-use code, stored as a hash: "admin" makes an admin, "link" joins two accounts."""

    __tablename__ = "codes"

    id: Mapped[int] = mapped_column(Number, primary_key=True)
    digest: Mapped[str] = mapped_column(String(64), unique=True)
    purpose: Mapped[str] = mapped_column(String(10))
    person_id: Mapped[int | None] = mapped_column(ForeignKey("persons.id"))
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]


class CodeAttempt(Base):
    """A wrong code, counted so that guessing is slow."""

    __tablename__ = "code_attempts"
    __table_args__ = (Index("ix_code_attempts_identity_at", "platform", "user_id", "at"),)

    id: Mapped[int] = mapped_column(Number, primary_key=True)
    platform: Mapped[str] = mapped_column(String(20))
    user_id: Mapped[str] = mapped_column(String(200))
    at: Mapped[datetime]


class JoinRequest(Base):
    """Somebody asks to be on a team's roster. At most one waits for an answer at a time."""

    __tablename__ = "join_requests"
    __table_args__ = (
        Index(
            "uq_join_requests_waiting",
            "person_id",
            "team_id",
            unique=True,
            sqlite_where=text("state = 'waiting'"),
            postgresql_where=text("state = 'waiting'"),
        ),
    )

    id: Mapped[int] = mapped_column(Number, primary_key=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("persons.id"))
    team_id: Mapped[int] = mapped_column(ForeignKey("teams.id"))
    state: Mapped[str] = mapped_column(String(10), default="waiting")
    """waiting, approved, rejected, or void: the person got in another way."""
    asked_at: Mapped[datetime]
    asked: Mapped[list[int]] = mapped_column(JSON, default=list)
    """The ids of the persons who got a card about it."""
    decided_by: Mapped[int | None] = mapped_column(ForeignKey("persons.id"))
    decided_at: Mapped[datetime | None]
