"""What came in, so that nothing is done twice: claim the event, store its answer."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from bot.messages import Event, Reply
from storage.cipher import Cipher
from storage.tables.queues import inbox
from storage.upsert import insert_into

REPEAT_WINDOW = timedelta(seconds=60)
KEPT = timedelta(days=7)


class Inbox:
    """Rows of (platform, event key), UNIQUE."""

    def __init__(self, session: Session, cipher: Cipher) -> None:
        self._session = session
        self._cipher = cipher

    def claim(self, event: Event) -> bool:
        """True when the event is new and now ours; False when it was seen before.

        Where two deliver it at the same moment, the second waits for the first to commit.
        """
        claimed = self._session.execute(
            insert_into(self._session, inbox)
            .values(platform=event.platform, event_key=event.key, received_at=event.received_at)
            .on_conflict_do_nothing()
            .returning(inbox.c.event_key)
        ).scalar()
        return claimed is not None

    def answered(self, platform: str, event_key: str) -> Reply | None:
        """The answer that was stored with an event, if it has one."""
        stored = self._session.scalar(
            select(inbox.c.reply).where(
                inbox.c.platform == platform, inbox.c.event_key == event_key
            )
        )
        return None if stored is None else Reply.model_validate_json(self._cipher.open(stored))

    def same_again(self, platform: str, fingerprint: str, now: datetime) -> Reply | None:
        """The answer to the same words of the same person in the same chat, up to 60 s ago."""
        stored = self._session.scalar(
            select(inbox.c.reply)
            .where(
                inbox.c.platform == platform,
                inbox.c.fingerprint == fingerprint,
                inbox.c.received_at >= now - REPEAT_WINDOW,
            )
            .order_by(inbox.c.received_at)
            .limit(1)
        )
        return None if stored is None else Reply.model_validate_json(self._cipher.open(stored))

    def answer(self, event: Event, reply: Reply, fingerprint: str | None) -> None:
        """Store the answer beside the claim."""
        self._session.execute(
            update(inbox)
            .where(inbox.c.platform == event.platform, inbox.c.event_key == event.key)
            .values(reply=self._cipher.seal(reply.model_dump_json()), fingerprint=fingerprint)
        )

    def prune(self, now: datetime) -> int:
        """Forget events so old that no platform sends them again."""
        gone = self._session.execute(delete(inbox).where(inbox.c.received_at < now - KEPT))
        return gone.rowcount  # type: ignore[attr-defined, no-any-return]
