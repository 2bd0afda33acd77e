"""Questions that are being asked one by one, where a platform has no forms."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, bindparam, delete, insert, select
from sqlalchemy.orm import Session

from storage.tables.queues import dialogues

OPEN_FOR = timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class Dialogue:
    """A command that still lacks something, and what is being asked for."""

    command: str
    arguments: dict[str, str]
    asking: str


# Runs with every line that somebody types; built once.
FIND = select(dialogues).where(
    dialogues.c.platform == bindparam("platform"),
    dialogues.c.chat_id == bindparam("chat_id"),
    dialogues.c.user_id == bindparam("user_id"),
    dialogues.c.expires_at > bindparam("now"),
)


class Dialogues:
    """At most one per person and chat; kept in the database, so a restart forgets none."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def find(self, platform: str, chat_id: str, user_id: str, now: datetime) -> Dialogue | None:
        """The dialogue this person has open in this chat."""
        row = self._session.execute(
            FIND, {"platform": platform, "chat_id": chat_id, "user_id": user_id, "now": now}
        ).one_or_none()
        if row is None:
            return None
        return Dialogue(row.command, dict(row.arguments), row.asking)

    def open(
        self, platform: str, chat_id: str, user_id: str, dialogue: Dialogue, now: datetime
    ) -> None:
        """Ask; what was asked before is dropped."""
        self.close(platform, chat_id, user_id)
        self._session.execute(
            insert(dialogues).values(
                platform=platform,
                chat_id=chat_id,
                user_id=user_id,
                command=dialogue.command,
                arguments=dialogue.arguments,
                asking=dialogue.asking,
                expires_at=now + OPEN_FOR,
            )
        )

    def close(self, platform: str, chat_id: str, user_id: str) -> bool:
        """End it; False when there was none."""
        gone = self._session.execute(delete(dialogues).where(*self._of(platform, chat_id, user_id)))
        return bool(gone.rowcount)  # type: ignore[attr-defined]

    def prune(self, now: datetime) -> None:
        """Forget what was left unanswered."""
        self._session.execute(delete(dialogues).where(dialogues.c.expires_at <= now))

    @staticmethod
    def _of(platform: str, chat_id: str, user_id: str) -> tuple[ColumnElement[bool], ...]:
        return (
            dialogues.c.platform == platform,
            dialogues.c.chat_id == chat_id,
            dialogues.c.user_id == user_id,
        )
