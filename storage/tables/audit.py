"""The append-only log of everything that changes money, roles, hours or rules."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column

from storage.tables.base import Base, Number


class AuditEntry(Base):
    """Who did what to what. Holds ids, never personal data.

    Rows commit plain; a timer seals them in order: `seal` is an HMAC over the row and the seal
    before it.
    """

    __tablename__ = "audit"
    __table_args__ = (
        Index(
            "ix_audit_unsealed",
            "seq",
            sqlite_where=text("seal IS NULL"),
            postgresql_where=text("seal IS NULL"),
        ),
    )

    seq: Mapped[int] = mapped_column(Number, primary_key=True)
    at: Mapped[datetime]
    actor_id: Mapped[int | None]
    """The person's id, or None for the bot itself and the command line."""
    action: Mapped[str] = mapped_column(String(60))
    subject: Mapped[str] = mapped_column(String(60))
    detail: Mapped[dict[str, Any]] = mapped_column(JSON)
    chained: Mapped[int | None] = mapped_column(Number, unique=True)
    """Position in the chain: 1, 2, 3 … without a gap; NULL until sealed."""
    seal: Mapped[str | None] = mapped_column(String(64))
