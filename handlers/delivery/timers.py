"""A message that died is told to somebody, by another line than its own."""

from __future__ import annotations

from typing import Any

from bot.messages import Address, Button, Card, Mention, Send, Text, Tick, ToHome, ToPerson, text
from storage.tables.people import Person
from storage.uow import UnitOfWork

# A platform lets the bot write only to who has written to it.
NOT_SPOKEN = "not_spoken"
# What platforms' codes mean to people, and what they can do about it.
BECAUSE = {
    "dingtalk": frozenset(
        {
            "card_not_delivered",
            "filtered_staff",
            "foreign_webhook",
            "invalid_staff",
            "no_group",
            "no_permission",
            "nobody",
            "robot_gone",
            "robot_unsafe",
        }
    ),
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
    ),
    "wecom": frozenset(
        {
            "40001",
            "40003",
            "40058",
            "60011",
            "60020",
            "60111",
            "81013",
            "93000",
            "93001",
            "93004",
            "93006",
            "93008",
            "bot_no_answer",
            "invaliduser",
            "no_group_transport",
            "no_person_transport",
            "not_spoken",
            "unlicensed",
        }
    ),
}


def tell_dead(tick: Tick, uow: UnitOfWork) -> None:
    """Tell the managers (else the admins) about a dead or doubtful message, unless it has got
    through; of one that was said directly instead, what keeps the bot from speaking there.
    """
    number = int(tick.subject[1:])
    row = uow.outbox.get(number)
    _ask_to_write_first(tick, uow, row)
    directly = uow.outbox.said_to(number)
    if row is None or (row.state not in ("dead", "unknown") and directly is None):
        return
    if row.name.startswith("M") and "/dead/" in row.name:
        return  # A message about a message: telling of it the same way would never end.
    address = uow.outbox.address_of(number)
    lost = None
    if address is not None and address.kind == "person":
        lost = uow.people.find(address.platform, address.id)
    where, why = _where(uow, address), _why(row)
    if directly is not None:
        title = text("delivery.direct", who=uow.people.get(directly).name)
    elif row.state == "dead":
        title = text("delivery.dead", id=f"M{number}")
    else:
        title = text("delivery.doubtful", id=f"M{number}")
    card = Card(
        title=title,
        body=tuple(part for part in (where, why) if part is not None),
        buttons=(_retry_button(number),) if directly is None else (),
    )
    for person in _keepers(uow, without=lost):
        told = f"M{number}/dead/{row.attempts}/{person.id}"
        uow.outbox.put(
            Send(to=ToPerson(person_id=person.id), key=told, card=card, priority="reminder"),
            tick.now,
        )


def _ask_to_write_first(tick: Tick, uow: UnitOfWork, row: Any) -> None:
    """Who has to write to the bot before it may write to them reads in the team's home that they
    should: what it wanted to say is not said there, and stays to be sent again.
    """
    if row is None or row.error != NOT_SPOKEN:
        return
    address = uow.outbox.address_of(row.id)
    if address is None or address.kind != "person":
        return
    person = uow.people.find(address.platform, address.id)
    if person is None:
        return
    mention = Mention(person_id=person.id, name=person.name)
    for team_id in uow.people.team_ids(person.id) or [uow.teams.first().id]:
        # Once a day: who does not do it at once is reminded by their colleagues.
        key = f"write-first/{person.id}/{team_id}/{tick.now:%Y%m%d}"
        words = text("delivery.write_first", person=mention, id=f"M{row.id}")
        uow.outbox.put(Send(to=ToHome(team_id=team_id), key=key, words=words), tick.now)


def _retry_button(number: int) -> Button:
    return Button(
        label=text("delivery.retry_button"),
        command="retry",
        arguments={"message": f"M{number}"},
    )


def _why(row: Any) -> Text:
    platform, error = row.address.partition(":")[0], row.error or ""
    code, _, detail = error.partition(" ")
    why: Text | str = error
    if code in BECAUSE.get(platform, ()):
        why = text(f"delivery.because.{platform}.{code}", detail=detail)
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
