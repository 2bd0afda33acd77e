"""Teams, their policies, and the groups that are bound to them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, String, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from storage.tables.base import Base, Number


class Team(Base):
    """People who share a home group, a zone, a language and policies."""

    __tablename__ = "teams"

    id: Mapped[int] = mapped_column(Number, primary_key=True)
    name: Mapped[str] = mapped_column(String(100), unique=True)
    locale: Mapped[str] = mapped_column(String(10))
    zone: Mapped[str] = mapped_column(String(64))
    policies: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    """What `team set` changed; everything absent has its default (handlers/people/policies.py)."""
    created_at: Mapped[datetime]


class BoundGroup(Base):
    """A group chat that belongs to a team; one on each platform is its home."""

    __tablename__ = "bound_groups"
    __table_args__ = (
        UniqueConstraint("platform", "chat_id"),
        Index(
            "uq_bound_groups_home",
            "team_id",
            "platform",
            unique=True,
            sqlite_where=text("home"),
            postgresql_where=text("home"),
        ),
    )

    id: Mapped[int] = mapped_column(Number, primary_key=True)
    team_id: Mapped[int] = mapped_column(ForeignKey("teams.id"))
    platform: Mapped[str] = mapped_column(String(20))
    chat_id: Mapped[str] = mapped_column(String(200))
    name: Mapped[str] = mapped_column(String(200), default="")
    home: Mapped[bool] = mapped_column(default=True)
    bound_at: Mapped[datetime]
