"""Single-use codes: one lets the first admin in, one joins two accounts; and wrong attempts."""

from __future__ import annotations

import hashlib
import secrets
from datetime import datetime, timedelta

from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from storage.tables.people import Code, CodeAttempt, Identity

CODE_GOOD_FOR = timedelta(minutes=15)
CODES_KEPT = timedelta(days=1)
ATTEMPTS_ALLOWED = 5
ATTEMPTS_WINDOW = timedelta(minutes=15)
# No letters or digits that people mix up on a phone.
CODE_LETTERS = "ABCDEFGHJKMNPQRSTUVWXYZ23456789"
CODE_LENGTH = 8


class Codes:
    """Codes, of which only the hash is kept, and wrong attempts."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def new(self, purpose: str, person_id: int | None, now: datetime) -> str:
        """A single-use code, good for 15 minutes; only its hash is kept.

        Of the codes of one person only the newest is good.
        """
        if person_id is not None:
            self.void(person_id, now)
        code = "".join(secrets.choice(CODE_LETTERS) for _ in range(CODE_LENGTH))
        self._session.add(
            Code(
                digest=_digest(code),
                purpose=purpose,
                person_id=person_id,
                expires_at=now + CODE_GOOD_FOR,
            )
        )
        self._session.flush()
        return code

    def void(self, person_id: int, now: datetime) -> None:
        """What a person was given and has not used is good for nothing any more."""
        self._session.execute(
            update(Code)
            .where(Code.person_id == person_id, Code.used_at.is_(None))
            .values(used_at=now)
        )

    def use(self, typed: str, now: datetime) -> Code | None:
        """Spend a code; None when it is wrong, spent or too old."""
        spent = self._session.execute(
            update(Code)
            .where(Code.digest == _digest(typed), Code.used_at.is_(None), Code.expires_at > now)
            .values(used_at=now)
            .returning(Code.id)
        ).scalar()
        return None if spent is None else self._session.get(Code, spent, populate_existing=True)

    def may_try(self, platform: str, user_id: str, now: datetime) -> bool:
        """Five wrong codes in 15 minutes are enough. An account's attempts wait for each other."""
        self._session.execute(
            select(Identity.id)
            .where(Identity.platform == platform, Identity.user_id == user_id)
            .with_for_update()
        ).all()
        tried = self._session.scalar(
            select(func.count())
            .select_from(CodeAttempt)
            .where(
                CodeAttempt.platform == platform,
                CodeAttempt.user_id == user_id,
                CodeAttempt.at > now - ATTEMPTS_WINDOW,
            )
        )
        return (tried or 0) < ATTEMPTS_ALLOWED

    def wrong(self, platform: str, user_id: str, now: datetime) -> None:
        """Count a wrong code."""
        self._session.add(CodeAttempt(platform=platform, user_id=user_id, at=now))
        self._session.flush()

    def prune(self, now: datetime) -> None:
        """Forget codes and wrong tries that mean nothing any more."""
        self._session.execute(delete(Code).where(Code.expires_at < now - CODES_KEPT))
        self._session.execute(delete(CodeAttempt).where(CodeAttempt.at < now - ATTEMPTS_WINDOW))


def _digest(code: str) -> str:
    """Capitals, spaces and dashes are as one likes."""
    plain = "".join(character for character in code.upper() if character.isalnum())
    return hashlib.sha256(plain.encode()).hexdigest()
