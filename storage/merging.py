"""What moves when two rows of `persons` turn out to be one human."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from storage.tables.attendance import Correction, WorkSession
from storage.tables.queries import Query


def move_work(
    session: Session, kept_id: int, other_id: int, states: Collection[str]
) -> Sequence[WorkSession]:
    """Give `kept_id` the sessions of `other_id` in these states, its open wishes and its queries.

    What was said, tapped and decided stays where it was: that is history, and no row of it is
    written again. Returns the sessions that moved. At most one of the two may have one open.
    """
    moved = session.scalars(
        select(WorkSession)
        .where(WorkSession.person_id == other_id, WorkSession.state.in_(states))
        .order_by(WorkSession.id)
        .with_for_update()
    ).all()
    for one in moved:
        one.person_id = kept_id
    session.flush()
    session.execute(
        update(Correction)
        .where(Correction.person_id == other_id, Correction.state == "waiting")
        .values(person_id=kept_id)
    )
    session.execute(update(Query).where(Query.asker_id == other_id).values(asker_id=kept_id))
    session.execute(update(Query).where(Query.owner_id == other_id).values(owner_id=kept_id))
    return moved
