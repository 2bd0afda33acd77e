"""Looking after messages that could not be delivered."""

from __future__ import annotations

from bot.commands import Request
from bot.messages import Answer, Refused, Text, text
from storage.uow import UnitOfWork


def retry(request: Request, uow: UnitOfWork) -> Answer:
    """Give a dead message another life."""
    number = request.number("message")
    row = uow.outbox.get(number)
    if row is None:
        raise Refused("delivery.unknown", id=f"M{number}")
    if not uow.outbox.retry(number, request.now):
        # Not raised: that would undo what `retry` may have written down.
        return Answer(words=_why_not(uow, number), private=True)
    uow.audit.record(request.now, request.person.id, "message.retry", f"M{number}")
    return Answer(words=text("delivery.retried", id=f"M{number}"))


def _why_not(uow: UnitOfWork, number: int) -> Text:
    """What has become of a message that is not sent again."""
    row = uow.outbox.get(number)
    assert row is not None
    if uow.outbox.said_to(number) is not None:
        return text("delivery.not_dead", id=f"M{number}", state=text("delivery.states.direct"))
    if row.state == "superseded":
        return text("delivery.replaced", id=f"M{number}")
    return text("delivery.not_dead", id=f"M{number}", state=text(f"delivery.states.{row.state}"))
