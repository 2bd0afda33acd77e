"""What somebody says in a query's matter, by a command or simply below it: reply, or more to it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from bot.messages import Address, Card, Moment, Words, lines, text
from handlers.attendance.evidence import note_evidence
from handlers.queries import notices, rules
from handlers.queries.desk import end_target, start_target, tell_owner_or_board
from handlers.queries.notices import short_id, typed
from storage.tables.people import Person
from storage.tables.queries import Query
from storage.uow import UnitOfWork


@dataclass(frozen=True, slots=True)
class Said:
    """Who said what, where and when; `at` is work time, `now` when we received it."""

    person: Person
    words: str
    place: Address
    at: datetime
    now: datetime


def answer(said: Said, uow: UnitOfWork, query: Query, *, resolving: bool) -> Address:
    """A human's words go to the asker, and nothing is owed any more. Returns where they read."""
    entry = uow.queries.note(query.id, "reply", said.person.id, said.words, said.at)
    nothing_is_owed(said, uow, query)
    place = Address.model_validate(query.asked_in)
    if not resolving:
        show_answered(said, uow, query, entry.id, told_in=place)
    id, name = short_id(query), said.person.name
    words = lines(
        text("queries.answer", id=id, person=name, words=said.words),
        text("queries.closed", id=id, person=name) if resolving else None,
        notices.next_step(query, "resolved" if resolving else "answered"),
    )
    notices.tell_asker(uow, query, words, f"{id}/reply/{entry.id}", said.now)
    return place


def answered_here(said: Said, uow: UnitOfWork, query: Query) -> None:
    """The same where the asker has read it already: it counts, and is not said again."""
    note_evidence(uow, said.person.id, said.at)
    owed = query.waiting_since is not None
    entry = uow.queries.note(query.id, "reply", said.person.id, said.words, said.at)
    nothing_is_owed(said, uow, query)
    if owed:
        show_answered(said, uow, query, entry.id, told_in=said.place)


def nothing_is_owed(said: Said, uow: UnitOfWork, query: Query) -> None:
    """Somebody has answered; without an owner it is theirs now."""
    query.first_reply_at = query.first_reply_at or max(said.at, query.opened_at)
    if query.owner_id is None:
        query.owner_id, query.claimed_at = said.person.id, said.now
    if query.state != "resolved":
        end_target(uow, query, "answered")


def show_answered(
    said: Said, uow: UnitOfWork, query: Query, entry_id: int, told_in: Address | None = None
) -> None:
    """On every card."""
    line = text("queries.line.answered", id=short_id(query), person=said.person.name)
    change = f"answered/{entry_id}"
    notices.update_cards(uow, query, change, line, said.place, said.now, told_in)


def add_more(said: Said, uow: UnitOfWork, query: Query) -> None:
    """The asker writes again: the oldest unanswered message keeps the clock.

    What was written before the team's last answer, and only arrives after it, starts none.
    """
    answered = uow.queries.last_reply_at(query.id)
    entry = uow.queries.note(query.id, "more", said.person.id, said.words, said.at)
    if query.waiting_since is None and (answered is None or answered <= said.at):
        start_target(uow, query, said.at)
        line = text("queries.line.more", id=short_id(query), asker=said.person.name)
        notices.update_cards(uow, query, f"more/{entry.id}", line, said.place, said.now)
    tell_news(said, uow, query, "more", entry.id)


def tell_news(said: Said, uow: UnitOfWork, query: Query, what: str, entry_id: int) -> None:
    """The asker's new words, to whoever has the query."""
    title = text(f"queries.news.{what}", id=short_id(query), person=said.person.name)
    words = typed(rules.shorten(said.words, notices.SHOWN_ON_CARD))
    due = rules.time_left(query.due_at, said.now)
    commands = ("reply",) if query.owner_id else ("claim", "reply")
    buttons = tuple(notices.button(query, command) for command in commands)
    shown = Card(title=title, body=(words, due), buttons=buttons)
    key = f"{short_id(query)}/{what}/{entry_id}"
    tell_owner_or_board(uow, query, lines(title, words), shown, key, said.now)


# --- what whoever said it reads ------------------------------------------------------------------


def sent_on(said: Said, uow: UnitOfWork, query: Query, place: Address) -> Words:
    """That the asker reads it, at `place`."""
    if (place.kind, place.id) == ("group", said.place.id):
        return text("queries.replied_here", id=short_id(query))
    return text(
        "queries.replied",
        id=short_id(query),
        place=notices.place_words(uow, query, place),
        words=rules.shorten(said.words, notices.SHOWN_ON_CARD),
    )


def added(said: Said, query: Query) -> Words:
    """That it stands with the question, and by when somebody answers."""
    if query.due_at <= said.now:
        return text("queries.added_late", id=short_id(query))
    return text("queries.added", id=short_id(query), due=Moment(at=query.due_at))
