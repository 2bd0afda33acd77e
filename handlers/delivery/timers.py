"""A message that died is told to somebody, by another line than its own."""

from __future__ import annotations

from bot.messages import Button, Card, Send, Tick, ToPerson, text
from storage.tables.people import Person
from storage.uow import UnitOfWork


def tell_dead(tick: Tick, uow: UnitOfWork) -> None:
    """Tell the managers (else the admins) about a dead or doubtful message, unless it has got
    through.
    """
    number = int(tick.subject[1:])
    row = uow.outbox.get(number)
    if row is None or row.state not in ("dead", "unknown"):
        return
    if row.name.startswith("M") and "/dead/" in row.name:
        return  # A message about a message: telling of it the same way would never end.
    address = uow.outbox.address_of(number)
    lost = None
    if address is not None and address.kind == "person":
        lost = uow.people.find(address.platform, address.id)
    for person in _keepers(uow, without=lost):
        retry = Button(
            label=text("delivery.retry_button"),
            command="retry",
            arguments={"message": f"M{number}"},
        )
        key = "delivery.dead" if row.state == "dead" else "delivery.doubtful"
        card = Card(
            title=text(key, id=f"M{number}"),
            body=(text("delivery.why", why=row.error or "", attempts=row.attempts),),
            buttons=(retry,),
        )
        told = f"M{number}/dead/{row.attempts}/{person.id}"
        uow.outbox.put(
            Send(to=ToPerson(person_id=person.id), key=told, card=card, priority="reminder"),
            tick.now,
        )


def _keepers(uow: UnitOfWork, *, without: Person | None) -> list[Person]:
    """Who looks after the bot: every team's managers, else the admins; not who is out of reach."""
    managers = [one for team in uow.teams.all() for one in uow.people.holders("manager", team.id)]
    for people in (managers, uow.people.holders("admin", None)):
        found = {one.id: one for one in people if without is None or one.id != without.id}
        if found:
            return list(found.values())
    return []
