"""The append-only log and its chain of seals."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from storage.cipher import Cipher
from storage.tables.audit import AuditEntry

GENESIS = "0" * 64
PAGE = 1000


@dataclass(frozen=True, slots=True)
class Verdict:
    """What verifying found: how many rows are sealed, how many wait, and the first thing wrong."""

    sealed: int
    unsealed: int
    head: str
    broken_at: int | None = None
    why: str | None = None


class Audit:
    """Who changed what. Ids only, never personal data."""

    def __init__(self, session: Session, cipher: Cipher) -> None:
        self._session = session
        self._cipher = cipher

    def record(
        self,
        at: datetime,
        actor_id: int | None,
        action: str,
        subject: str,
        **detail: str | int | None,
    ) -> None:
        """Write one entry; it commits with the change it tells of."""
        self._session.add(
            AuditEntry(at=at, actor_id=actor_id, action=action, subject=subject, detail=detail)
        )

    def seal(self, limit: int = 1000) -> int:
        """Chain the rows that are not sealed yet, in order; returns how many."""
        if not self._cipher.can_seal:
            return 0
        head = self._head()
        before, position = (head.seal or GENESIS, head.chained or 0) if head else (GENESIS, 0)
        rows = self._session.scalars(
            select(AuditEntry)
            .where(AuditEntry.seal.is_(None))
            .order_by(AuditEntry.seq)
            .limit(limit)
            .with_for_update()
        ).all()
        for row in rows:
            position += 1
            row.chained = position
            row.seal = before = self._cipher.audit_seal(before, _canonical(row))
        return len(rows)

    def verify(self) -> Verdict:
        """Walk the chain from its start. Raises CannotOpen without the secret key."""
        before, sealed = GENESIS, 0
        for position, row in enumerate(self._chain(), start=1):
            if row.chained != position:
                return self._broken(row, sealed, before, "a row before it is missing")
            expected = self._cipher.audit_seal(before, _canonical(row))
            if row.seal != expected:
                return self._broken(row, sealed, before, "it was changed after it was sealed")
            before, sealed = expected, sealed + 1
        return Verdict(sealed=sealed, unsealed=self._unsealed(), head=before)

    def _broken(self, row: AuditEntry, sealed: int, head: str, why: str) -> Verdict:
        return Verdict(sealed, self._unsealed(), head, broken_at=row.seq, why=why)

    def head(self) -> tuple[int, str]:
        """How many rows the chain has, and its last seal."""
        row = self._head()
        return (row.chained or 0, row.seal or GENESIS) if row else (0, GENESIS)

    def _head(self) -> AuditEntry | None:
        return self._session.scalar(
            select(AuditEntry)
            .where(AuditEntry.chained.is_not(None))
            .order_by(AuditEntry.chained.desc())
            .limit(1)
        )

    def _chain(self) -> Iterator[AuditEntry]:
        """All sealed rows in order, a page at a time, so that a long log needs little memory."""
        position = 0
        while True:
            page = self._session.scalars(
                select(AuditEntry)
                .where(AuditEntry.chained > position)
                .order_by(AuditEntry.chained)
                .limit(PAGE)
            ).all()
            yield from page
            if len(page) < PAGE:
                return
            position = page[-1].chained or 0
            self._session.expunge_all()

    def _unsealed(self) -> int:
        found = self._session.scalar(
            select(func.count()).select_from(AuditEntry).where(AuditEntry.seal.is_(None))
        )
        return found or 0


def _canonical(row: AuditEntry) -> str:
    """The row as one line that reads the same on both databases."""
    return json.dumps(
        [
            row.chained,
            row.seq,
            row.at.isoformat(),
            row.actor_id,
            row.action,
            row.subject,
            row.detail,
        ],
        ensure_ascii=False,
        sort_keys=True,
        separators=(",", ":"),
    )
