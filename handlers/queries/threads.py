"""Queries where people talk: opened by somebody's message, answered and continued below it."""

from __future__ import annotations

import re
from datetime import datetime

from bot.commands import Request, Signal
from bot.messages import (
    Answer,
    Button,
    Card,
    Event,
    Moment,
    Refused,
    Send,
    ToPerson,
    text,
)
from handlers.people.policies import policies_of
from handlers.queries import notices, rules
from handlers.queries.answering import Said, add_more, added, answer, answered_here, sent_on
from handlers.queries.desk import (
    keep_message,
    look_up,
    open_asked,
    open_query,
    tell_owner_or_board,
)
from handlers.queries.notices import short_id, typed
from sop_scripts import Scripts, shipped
from storage.tables.queries import Query
from storage.uow import UnitOfWork

# The keys of messages about a query: Q7/card, Q7/1/50%, Q7/reply/12.
_ABOUT = re.compile(r"Q(\d+)/")
# What a button carries is limited, and quotes and line ends count twice.
FITS_A_BUTTON = 900


# --- which query ----------------------------------------------------------------------------------


def query_above(event: Event, uow: UnitOfWork) -> int | None:
    """The number of the query that something was said or done about: by its own message, or in its
    thread.
    """
    if event.message:
        itself = _of_message(event.platform, event.message, uow)
        if itself is not None:
            return itself
    found = _in_thread(event, uow) if event.under else []
    return found[0].id if found else None


def _of_message(platform: str, handle: str, uow: UnitOfWork) -> int | None:
    """Of a person's message the query that it opened, of one of ours the query it is about."""
    opened = uow.queries.opened_by(platform, handle)
    if opened is not None:
        return opened
    found = _ABOUT.match(uow.outbox.named(platform, handle) or "")
    return int(found[1]) if found else None


def _in_thread(event: Event, uow: UnitOfWork) -> list[Query]:
    """The queries of a thread, the one that is meant first.

    A thread may hold several: the one that began it, and others asked inside it. An asker speaks of
    their own, the team of the newest that waits for an answer.
    """
    found = list(uow.queries.in_thread(event.under))
    first = _of_message(event.platform, event.under, uow)
    begun = uow.queries.peek(first) if first is not None else None
    if begun is not None and begun not in found:
        found.append(begun)
    speaker = uow.people.find(event.platform, event.user.id)
    mine = speaker.id if speaker is not None else None
    return sorted(
        found,
        key=lambda query: (
            query.asker_id != mine or query.state == "resolved",
            query.waiting_since is None,
            query.state == "resolved",
            -query.id,
        ),
    )


def stands_under_one(event: Event, uow: UnitOfWork) -> bool:
    """Whether the words belong to the thread of a query."""
    return bool(_in_thread(event, uow))


def opened_one(event: Event, uow: UnitOfWork) -> bool:
    """Whether the message that was changed or deleted is one that opened a query."""
    return uow.queries.opened_by(event.platform, event.message) is not None


# --- from a message -------------------------------------------------------------------------------


def escalate(request: Request, uow: UnitOfWork, scripts: Scripts | None = None) -> Answer:
    """Make a query of a message; its author is the asker, or whoever does it for nobody's."""
    asker, *_others = (*request.people("asker"), request.person)
    if asker.id != request.person.id and request.roles <= {"guest"}:
        raise Refused("queries.escalate_own", field="asker")
    question = request.words("question").strip()
    if not rules.says_something(question):
        raise Refused("queries.empty", field="question")
    known = _of_message(request.platform, request.message, uow) if request.message else None
    query = look_up(uow, known) if known is not None else None
    if query is not None:
        return Answer(words=text("queries.known_already", id=short_id(query)), private=True)
    query = open_asked(request, uow, scripts or shipped(), asker=asker, question=question)
    keep_message(uow, query, request.platform, request.message, asker)
    _confirm_below(uow, query, request.now)
    due = Moment(at=query.due_at)
    return Answer(
        words=text("queries.opened_for", id=short_id(query), asker=asker.name, due=due),
        private=True,
    )


def is_the_teams_sign(event: Event, uow: UnitOfWork) -> bool:
    """Whether this reaction opens a query here, and nobody has opened one by it yet."""
    bound = uow.teams.bound(event.platform, event.chat.id) or uow.teams.only()
    if bound is None or event.author is None or policies_of(bound).reaction != event.emoji:
        return False
    return _of_message(event.platform, event.message, uow) is None


def reacted(signal: Signal, uow: UnitOfWork, scripts: Scripts | None = None) -> Answer | None:
    """The team's sign on a message makes it a query of its author.

    Guests do so for their own messages; anybody else's reaction is only a reaction.
    """
    event = signal.event
    if signal.team is None or event.author is None or not rules.says_something(signal.words):
        return None
    known = uow.people.find(event.platform, event.author.id)
    # Who reacts shows that they are there; whose message it is shows nothing of the kind.
    asker = known or uow.people.meet(event.platform, event.author, event.received_at)
    if signal.roles <= {"guest"} and asker.id != signal.person.id:
        return None
    query = open_query(
        uow,
        signal.team,
        scripts or shipped(),
        asker=asker,
        question=signal.words,
        asked_in=signal.place,
        thread=event.under or event.message,
        at=event.at,
        now=signal.now,
    )
    keep_message(uow, query, event.platform, event.message, asker)
    _confirm_below(uow, query, signal.now)
    return None


def _confirm_below(uow: UnitOfWork, query: Query, now: datetime) -> None:
    """The author reads below their message that an answer is on its way."""
    opened = text("queries.opened", id=short_id(query), due=Moment(at=query.due_at))
    notices.tell_asker(uow, query, opened, f"{short_id(query)}/opened", now)


# --- below one ------------------------------------------------------------------------------------


def heard(signal: Signal, uow: UnitOfWork) -> Answer | None:
    """Talk in the thread of a query.

    The asker goes on asking; what staff say where the asker reads it is the reply, and so is what
    they say to the bot about a message that they quote. Elsewhere it is talk among colleagues, and
    they are offered to send it on. Everybody else just talks. A mere
    thank-you asks nothing and answers nothing.
    """
    number = query_above(signal.event, uow)
    query = look_up(uow, number) if number is not None else None
    quoted = bool(signal.event.quoted)
    if query is None or not rules.says_something(signal.words) or signal.is_courtesy:
        return Answer(words=text("usage.courtesy"), private=True) if quoted else None
    said = Said(signal.person, signal.words, signal.place, signal.event.at, signal.now)
    if signal.person.id == query.asker_id:
        more = _more(said, uow, query)
        return more or (Answer(words=added(said, query)) if quoted else None)
    if not uow.people.roles(signal.person.id, query.team_id):
        others = text("queries.quoted_by_others", id=short_id(query))
        return Answer(words=others, private=True) if quoted else None
    if quoted:
        return _reply_by_quoting(said, uow, query)
    if notices.is_read_at(query, signal.place):
        answered_here(said, uow, query)
        return None
    return None if query.state == "resolved" else _offer_to_send(said, query)


def _reply_by_quoting(said: Said, uow: UnitOfWork, query: Query) -> Answer:
    """Who quotes a message about the query and speaks to the bot wants the asker to read it."""
    if notices.is_read_at(query, said.place):
        answered_here(said, uow, query)
        return Answer(words=sent_on(said, uow, query, said.place))
    return Answer(words=sent_on(said, uow, query, answer(said, uow, query, resolving=False)))


def _more(said: Said, uow: UnitOfWork, query: Query) -> Answer | None:
    """The asker's next words. Only a resolved query has to be taken up again by hand."""
    if query.state != "resolved":
        add_more(said, uow, query)
        return None
    known = {"reason": said.words} if len(said.words) <= FITS_A_BUTTON else {}
    again = Button(
        label=text("queries.button.reopen"),
        command="reopen",
        arguments={"query": short_id(query), **known},
        style="primary",
    )
    title = text("queries.thread.resolved", id=short_id(query))
    return Answer(card=Card(title=title, buttons=(again,)), private=True)


def _offer_to_send(said: Said, query: Query) -> Answer:
    id, words = short_id(query), said.words
    if len(words) > FITS_A_BUTTON:
        return Answer(words=text("queries.thread.too_long", id=id), private=True)
    send = Button(
        label=text("queries.thread.reply"),
        command="reply",
        arguments={"query": id, "words": words},
        style="primary",
    )
    keep = Button(
        label=text("queries.thread.note"), command="note", arguments={"query": id, "note": words}
    )
    card = Card(
        title=text("queries.thread.send", id=id), body=(typed(words),), buttons=(send, keep)
    )
    return Answer(card=card, private=True)


# --- changed, deleted -----------------------------------------------------------------------------


def edited(signal: Signal, uow: UnitOfWork) -> Answer | None:
    """Whoever wrote the message that is the question changed it: the question changes with it."""
    query = _opened_by(signal, uow)
    if query is None or query.state == "resolved" or not rules.says_something(signal.words):
        return None
    event = signal.event
    author = uow.queries.author_of(event.platform, event.message)
    if signal.person.id not in (author, query.asker_id) or signal.words == query.question:
        return None
    query.question = signal.words
    entry = uow.queries.note(query.id, "edit", signal.person.id, signal.words, event.at)
    line = text("queries.line.edited", id=short_id(query), person=signal.person.name)
    notices.update_cards(uow, query, f"edited/{entry.id}", line, signal.place, signal.now)
    return None


def deleted(signal: Signal, uow: UnitOfWork) -> Answer | None:
    """The message that is the question is gone: its author is asked whether the matter is settled.

    The clock runs on until somebody says so; whoever has the query is told. Nobody knows who
    deleted it, and what was deleted is not said again.
    """
    query = _opened_by(signal, uow)
    if query is None or query.state == "resolved":
        return None
    entry = uow.queries.note(query.id, "erase", signal.person.id, "", signal.event.at)
    id = short_id(query)
    settled = Button(
        label=text("queries.thread.settled"), command="resolve", arguments={"query": id}
    )
    ask = Card(title=text("queries.thread.deleted", id=id), buttons=(settled,))
    to = ToPerson(person_id=signal.person.id)
    uow.outbox.put(Send(to=to, key=f"{id}/erased/{entry.id}", card=ask), signal.now)
    title = text("queries.news.deleted", id=id, person=signal.person.name)
    told = Card(title=title, buttons=(notices.button(query, "reply"),))
    key = f"{id}/erased/{entry.id}/told"
    tell_owner_or_board(uow, query, title, told, key, signal.now)
    return None


def _opened_by(signal: Signal, uow: UnitOfWork) -> Query | None:
    number = uow.queries.opened_by(signal.event.platform, signal.event.message)
    return look_up(uow, number) if number is not None else None
