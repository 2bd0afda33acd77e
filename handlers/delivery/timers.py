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
    lost = uow.people.find(address.platform, address.id) if address.kind == "person" else None
    for person in _keepers(uow):
        if lost is not None and person.id == lost.id:
            continue
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


def _keepers(uow: UnitOfWork) -> list[Person]:
    """Who looks after the bot: every team's managers, else the admins."""
    found: dict[int, Person] = {}
    for team in uow.teams.all():
        for person in uow.people.holders("manager", team.id):
            found[person.id] = person
    for person in uow.people.holders("admin", None) if not found else ():
        found[person.id] = person
    return list(found.values())
