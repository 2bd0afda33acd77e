"""What came in, so that nothing is done twice: claim the event, store its answer."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import bindparam, delete, func, select, update
from sqlalchemy.orm import Session

from bot.messages import Event, Reply
from storage.cipher import CannotOpen, Cipher
from storage.tables.queues import inbox
from storage.upsert import Insert, prepared

REPEAT_WINDOW = timedelta(seconds=60)
KEPT = timedelta(days=7)


ANSWER = (
    update(inbox)
    .where(inbox.c.platform == bindparam("of_platform"), inbox.c.event_key == bindparam("of_event"))
    .values(reply=bindparam("reply"), fingerprint=bindparam("fingerprint"))
)


def _claim(insert: Insert) -> Any:
    return insert(inbox).on_conflict_do_nothing().returning(inbox.c.event_key)


class Inbox:
    """Rows of (platform, event key), UNIQUE."""

    def __init__(self, session: Session, cipher: Cipher) -> None:
        self._session = session
        self._cipher = cipher

    def claim(self, event: Event) -> bool:
        """True when the event is new and now ours; False when it was seen before.

        Where two deliver it at the same moment, the second waits for the first to commit.
        """
        row = {
            "platform": event.platform,
            "event_key": event.key,
            "received_at": event.received_at,
        }
        claimed = self._session.execute(prepared(self._session, _claim), row).scalar()
        return claimed is not None

    def answered(self, platform: str, event_key: str) -> Reply | None:
        """The answer that was stored with an event, if it has one."""
        stored = self._session.scalar(
            select(inbox.c.reply).where(
                inbox.c.platform == platform, inbox.c.event_key == event_key
            )
        )
        return self._reply(stored)

    def _reply(self, stored: str | None) -> Reply | None:
        """A stored answer; None where it cannot be read any more."""
        if stored is None:
            return None
        try:
            return Reply.model_validate_json(self._cipher.open(stored))
        except (CannotOpen, ValueError):  # another secret key, or another version wrote it
            return None

    def same_again(self, platform: str, fingerprint: str, now: datetime) -> Reply | None:
        """The answer to the same words of the same person in the same chat, up to 60 s ago.

        Where the same words arrive twice at one moment, the second waits for the first to commit.
        """
        if self._session.get_bind().dialect.name == "postgresql":
            self._session.execute(select(func.pg_advisory_xact_lock(int(fingerprint[:15], 16))))
        stored = self._session.scalar(
            select(inbox.c.reply)
            .where(
                inbox.c.platform == platform,
                inbox.c.fingerprint == fingerprint,
                # Both ways: the clock may have been set back in between.
                inbox.c.received_at.between(now - REPEAT_WINDOW, now + REPEAT_WINDOW),
            )
            .order_by(inbox.c.received_at)
            .limit(1)
        )
        return self._reply(stored)

    def answer(self, event: Event, reply: Reply, fingerprint: str | None) -> None:
        """Store the answer beside the claim."""
        row = {
            "of_platform": event.platform,
            "of_event": event.key,
            "reply": self._cipher.seal(reply.model_dump_json()),
            "fingerprint": fingerprint,
        }
        self._session.execute(ANSWER, row)

    def release(self, event: Event) -> None:
        """It did nothing: when it comes again it is a new one."""
        self._session.execute(
            delete(inbox).where(inbox.c.platform == event.platform, inbox.c.event_key == event.key)
        )

    def heard(self, platform: str, beginning: str) -> bool:
        """Whether an event whose key begins like this came in lately."""
        found = self._session.scalar(
            select(inbox.c.event_key)
            .where(inbox.c.platform == platform)
            .where(inbox.c.event_key.startswith(beginning, autoescape=True))
            .limit(1)
        )
        return found is not None

    def prune(self, now: datetime) -> int:
        """Forget events so old that no platform sends them again."""
        gone = self._session.execute(delete(inbox).where(inbox.c.received_at < now - KEPT))
        return gone.rowcount  # type: ignore[attr-defined, no-any-return]
