"""Looking after messages that could not be delivered."""

from __future__ import annotations

from bot.commands import Request
from bot.messages import Answer, Refused, text
from storage.uow import UnitOfWork


def retry(request: Request, uow: UnitOfWork) -> Answer:
    """Give a dead message another life."""
    number = request.number("message")
    row = uow.outbox.get(number)
    if row is None:
        raise Refused("delivery.unknown", id=f"M{number}")
    if not uow.outbox.retry(number, request.now):
        raise Refused(
            "delivery.not_dead", id=f"M{number}", state=text(f"delivery.states.{row.state}")
        )
    uow.audit.record(request.now, request.person.id, "message.retry", f"M{number}")
    return Answer(words=text("delivery.retried", id=f"M{number}"))
