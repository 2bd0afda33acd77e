"""A message that died is told to somebody, by another line than its own."""

from __future__ import annotations

from typing import Any

from bot.messages import Address, Button, Card, Send, Text, Tick, ToPerson, text
from storage.tables.people import Person
from storage.uow import UnitOfWork

# What platforms' codes mean to people, and what they can do about it.
BECAUSE = {
    "slack": frozenset(
        {
            "account_deleted",
            "cannot_dm_bot",
            "channel_not_found",
            "invalid_blocks",
            "is_archived",
            "messages_tab_disabled",
            "msg_blocks_too_long",
            "msg_too_long",
            "not_in_channel",
            "restricted_action",
            "user_disabled",
            "user_not_found",
        }
    )
}


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
    where, why = _where(uow, address), _why(row)
    for person in _keepers(uow, without=lost):
        retry = Button(
            label=text("delivery.retry_button"),
            command="retry",
            arguments={"message": f"M{number}"},
        )
        key = "delivery.dead" if row.state == "dead" else "delivery.doubtful"
        card = Card(
            title=text(key, id=f"M{number}"),
            body=tuple(part for part in (where, why) if part is not None),
            buttons=(retry,),
        )
        told = f"M{number}/dead/{row.attempts}/{person.id}"
        uow.outbox.put(
            Send(to=ToPerson(person_id=person.id), key=told, card=card, priority="reminder"),
            tick.now,
        )


def _why(row: Any) -> Text:
    platform, code = row.address.partition(":")[0], row.error or ""
    why: Text | str = code
    if code in BECAUSE.get(platform, ()):
        why = text(f"delivery.because.{platform}.{code}")
    return text("delivery.why", why=why, attempts=row.attempts)


def _where(uow: UnitOfWork, address: Address | None) -> Text | None:
    """The group or the person it was for, as far as they have a name."""
    if address is None:
        return None
    if address.kind == "group":
        name = uow.teams.group_name(address.platform, address.id) or address.id
        return text("delivery.to_group", group=name)
    person = uow.people.find(address.platform, address.id)
    return text("delivery.to_person", person=person.name) if person is not None else None


def _keepers(uow: UnitOfWork, *, without: Person | None) -> list[Person]:
    """Who looks after the bot: every team's managers, else the admins; not who is out of reach."""
    managers = [one for team in uow.teams.all() for one in uow.people.holders("manager", team.id)]
    for people in (managers, uow.people.holders("admin", None)):
        found = {one.id: one for one in people if without is None or one.id != without.id}
        if found:
            return list(found.values())
    return []
