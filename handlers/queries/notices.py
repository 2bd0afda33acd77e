"""What is said about a query: its card, its reminders, and the reply that the asker reads."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Literal

from bot.messages import (
    Address,
    Button,
    Card,
    CardField,
    Mention,
    Moment,
    Send,
    Text,
    Tick,
    ToHome,
    ToPerson,
    Words,
    lines,
    text,
)
from handlers.queries import rules
from storage.tables.people import Person
from storage.tables.queries import Query
from storage.uow import UnitOfWork

SHOWN_ON_CARD = 500


def short_id(query: Query) -> str:
    """What people type for it."""
    return f"Q{query.id}"


def subject(query: Query) -> str:
    """What its timers and reminders are about: the query's present target."""
    return f"Q{query.id}/{query.target}"


def typed(words: str) -> Text:
    """Words of a person, standing alone."""
    return text("said", words=words)


ASKS_MORE = ("reply", "mute", "reopen")


def button(query: Query, command: str, label: str | None = None) -> Button:
    """A command about this query; what it lacks is asked for."""
    return Button(
        label=text(f"queries.button.{label or command}"),
        command=command,
        arguments={"query": short_id(query)},
        style="primary" if command == "reply" else "plain",
        hint=text(f"queries.typed.{command}", id=short_id(query)) if command in ASKS_MORE else None,
    )


# --- the card -------------------------------------------------------------------------------------


def board(uow: UnitOfWork, query: Query) -> ToHome | Address | None:
    """Where a team looks: its home, else the group in which the question was asked."""
    if uow.teams.homes(query.team_id):
        return ToHome(team_id=query.team_id)
    asked_in = Address.model_validate(query.asked_in)
    return asked_in if asked_in.kind == "group" else None


def card(uow: UnitOfWork, query: Query) -> Card:
    """The query as its team sees it now."""
    asker = uow.people.get(query.asker_id)
    owner = uow.people.get(query.owner_id) if query.owner_id is not None else None
    stage = "claimed" if query.state == "open" and owner else query.state
    fields = [_field("asker", typed(asker.name))]
    if owner is not None:
        fields.append(_field("owner", typed(owner.name)))
    if query.waiting_since is not None:
        fields.append(_field("due", due(query)))
    return Card(
        title=text(f"queries.card.{stage}", id=short_id(query)),
        body=(typed(_cut(query.question)),),
        fields=tuple(fields),
        buttons=_buttons(query),
    )


def due(query: Query) -> Text:
    """The moment by which an answer is owed."""
    return text("queries.moment", at=Moment(at=query.due_at))


def _buttons(query: Query) -> tuple[Button, ...]:
    if query.state == "resolved":
        return (button(query, "reopen"),)
    if query.state == "answered":
        return (button(query, "reply"), button(query, "resolve"))
    if query.owner_id is None:
        return (button(query, "claim"), button(query, "reply"))
    return (button(query, "reply"),)


def _cut(question: str) -> str:
    return question if len(question) <= SHOWN_ON_CARD else question[: SHOWN_ON_CARD - 1] + "…"


def _field(name: str, value: Words) -> CardField:
    return CardField(label=text(f"queries.field.{name}"), value=value)


def update_cards(
    uow: UnitOfWork,
    query: Query,
    change: str,
    line: Text,
    acted_in: Address,
    now: datetime,
    told_in: Address | None = None,
) -> None:
    """Show the new state on every card of the query; `change` names the change for ever.

    `line` says it where cards cannot be edited, unless that very place has it from the answer (it
    was done there, `acted_in`) or from what the asker is told (`told_in`).
    """
    places = list(uow.teams.homes(query.team_id)) or [Address.model_validate(query.asked_in)]
    heard = {(one.platform, one.id) for one in (acted_in, told_in) if one is not None}
    said = {(one.platform, one.id) for one in places} <= heard
    for key in query.cards:
        uow.outbox.put(
            Send(
                to=ToHome(team_id=query.team_id),
                key=f"{key}/{change}",
                edits=key,
                words=None if said else line,
                card=card(uow, query),
            ),
            now,
        )


# --- reminders ------------------------------------------------------------------------------------


def reminder(
    uow: UnitOfWork, query: Query, now: datetime, reader_id: int | None, why_late: Text | None
) -> tuple[Words, Card]:
    """A reminder as one line, and as a card for its reader (None: the group)."""
    title = text("queries.reminder", id=short_id(query), time=rules.time_left(query.due_at, now))
    question = typed(rules.shorten(query.question))
    holder = _holder(uow, query, reader_id)
    commands = ["reply"]
    if query.owner_id is None:
        commands.insert(0, "claim")
    if reader_id is not None:
        commands.append("mute")
    shown = Card(
        title=title,
        body=tuple(part for part in (question, holder, why_late) if part is not None),
        buttons=tuple(button(query, command) for command in commands),
    )
    return lines(title, question, separator=" · "), shown


def ring(uow: UnitOfWork, query: Query, tick: Tick, told: Sequence[int]) -> None:
    """Where a home can ring phones, name those there who were just told: a direct message is
    easily overlooked.
    """
    if not told:
        return
    people = [uow.people.get(person_id) for person_id in told]
    named = (text("person", person=Mention(person_id=one.id, name=one.name)) for one in people)
    words = text(
        "queries.ring",
        people=lines(*named, separator=" "),
        id=short_id(query),
        time=rules.time_left(query.due_at, tick.now),
    )
    key = f"{tick.subject}/{tick.step}/ring"
    home = ToHome(team_id=query.team_id)
    uow.outbox.put(Send(to=home, key=key, words=words, rings=True, priority="reminder"), tick.now)


def _holder(uow: UnitOfWork, query: Query, reader_id: int | None) -> Text:
    """Who has it, said to a reader."""
    if query.owner_id is None:
        return text("queries.nobody_has_it")
    if query.owner_id == reader_id:
        return text("queries.you_have_it")
    since = Moment(at=query.claimed_at or query.opened_at)
    return text("queries.has_it", owner=uow.people.get(query.owner_id).name, since=since)


# --- the asker ------------------------------------------------------------------------------------


def next_step(query: Query, stage: Literal["answered", "resolved"]) -> Text:
    """What the asker can say now; in a group only who mentions the bot is sure to be heard, unless
    it is in the thread.
    """
    place = Address.model_validate(query.asked_in)
    where = "_in_thread" if place.thread else "_in_group" if place.kind == "group" else ""
    return text(f"queries.next.{stage}{where}", id=short_id(query))


def is_read_at(query: Query, place: Address) -> bool:
    """Whether the asker reads what is said at a place: the very group, or their own messages."""
    asked_in = Address.model_validate(query.asked_in)
    return (asked_in.platform, asked_in.kind, asked_in.id) == (place.platform, place.kind, place.id)


def tell_asker(uow: UnitOfWork, query: Query, words: Words, key: str, now: datetime) -> None:
    """Say something to the asker where they asked; in a group it names them, so that it rings."""
    place = Address.model_validate(query.asked_in)
    if place.kind == "group":
        asker = uow.people.get(query.asker_id)
        mention = Mention(person_id=asker.id, name=asker.name)
        words = text("queries.to_asker", asker=mention, words=words)
    # The bot may have been asked by a command in a channel that it is not in.
    directly = ToPerson(person_id=query.asker_id) if place.kind == "group" else None
    uow.outbox.put(Send(to=place, key=key, words=words, or_else=directly), now)


def place_words(uow: UnitOfWork, query: Query, place: Address) -> Text:
    """Where the asker reads, as one says it."""
    asker = uow.people.get(query.asker_id)
    key = "queries.in_group" if place.kind == "group" else "queries.in_direct"
    return text(key, asker=asker.name)


def tell_person(
    uow: UnitOfWork, person: Person, words: Words, shown: Card | None, key: str, now: datetime
) -> None:
    """A direct message that is no reminder."""
    to = ToPerson(person_id=person.id)
    uow.outbox.put(Send(to=to, key=key, words=None if shown else words, card=shown), now)
