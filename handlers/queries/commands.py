"""A query's life: asked, claimed, answered, resolved, reopened."""

from __future__ import annotations

from datetime import datetime

from bot.commands import Request
from bot.messages import Address, Answer, Moment, Refused, Text, lines, text
from handlers.queries import notices, rules
from handlers.queries.answering import (
    Said,
    add_more,
    added,
    answer,
    nothing_is_owed,
    sent_on,
    show_answered,
    tell_news,
)
from handlers.queries.desk import (
    LEADING,
    end_target,
    found,
    keep_message,
    leads,
    open_asked,
    open_query,
    owner_of,
    staff_roles,
    start_target,
)
from handlers.queries.notices import short_id
from handlers.reminding import remind
from sop_scripts import Scripts, shipped
from storage.tables.queries import Query
from storage.uow import UnitOfWork

# --- asking ---------------------------------------------------------------------------------------


def ask(request: Request, uow: UnitOfWork, scripts: Scripts | None = None) -> Answer:
    """Open a query for the person who asks."""
    asker, question = request.person, _question(request)
    query = open_asked(request, uow, scripts or shipped(), asker=asker, question=question)
    keep_message(uow, query, request.platform, request.message, request.person)
    return Answer(
        words=text("queries.opened", id=short_id(query), due=Moment(at=query.due_at)),
        about=short_id(query),
    )


def ask_for(request: Request, uow: UnitOfWork, scripts: Scripts | None = None) -> Answer:
    """Open a query in the name of somebody else, who reads the reply."""
    asker, *others = request.people("asker")
    if others:
        raise Refused("queries.one_asker", field="asker")
    question = _question(request)
    query = open_asked(request, uow, scripts or shipped(), asker=asker, question=question)
    keep_message(uow, query, request.platform, request.message, request.person)
    due = Moment(at=query.due_at)
    return Answer(
        words=text("queries.opened_for", id=short_id(query), asker=asker.name, due=due),
        about=short_id(query),
    )


def _question(request: Request) -> str:
    question = request.words("question").lstrip(":： ").strip()
    if not rules.says_something(question):
        raise Refused("queries.empty", field="question")
    return question


# --- owning ---------------------------------------------------------------------------------------


def claim(request: Request, uow: UnitOfWork) -> Answer:
    """Become the owner; the deadline stays where it is."""
    query = found(request, uow)
    roles = staff_roles(request, uow, query)
    _not_resolved(query)
    if request.person.id == query.asker_id:
        raise Refused("queries.not_by_asker", id=short_id(query))
    before = owner_of(uow, query)
    if before is not None and before.id == request.person.id:
        yours = text("queries.yours_already", id=short_id(query))
        return Answer(words=lines(yours, _due(query, request.now)))
    if before is not None and not roles & LEADING:
        raise Refused(
            "queries.taken",
            id=short_id(query),
            owner=before.name,
            since=Moment(at=query.claimed_at or query.opened_at),
        )
    query.owner_id, query.claimed_at = request.person.id, request.now
    entry = uow.queries.note(query.id, "claim", request.person.id, "", request.at)
    line = text("queries.line.claimed", id=short_id(query), owner=request.person.name)
    notices.update_cards(uow, query, f"claim/{entry.id}", line, request.place, request.now)
    if before is not None:
        told = text("queries.taken_over", id=short_id(query), owner=request.person.name)
        key = f"{short_id(query)}/taken/{entry.id}"
        notices.tell_person(uow, before, told, None, key, request.now)
    claimed = text("queries.claimed", id=short_id(query))
    return Answer(words=lines(claimed, _due(query, request.now)))


def _due(query: Query, now: datetime) -> Text | None:
    """What the owner owes."""
    if query.waiting_since is None:
        return None
    if query.due_at <= now:
        late = rules.time_left(query.due_at, now)
        return text("queries.reply_now", id=short_id(query), time=late)
    return text("queries.reply_by", due=Moment(at=query.due_at), id=short_id(query))


# --- answering ------------------------------------------------------------------------------------


def reply(request: Request, uow: UnitOfWork) -> Answer:
    """Answer the asker; from the asker it is more to the question, and never stops the clock."""
    query = found(request, uow)
    said = _said(request, "words", "queries.empty_reply")
    if request.person.id == query.asker_id:
        return _add_more(said, uow, query)
    staff_roles(request, uow, query)
    place = answer(said, uow, query, resolving=False)
    return Answer(words=sent_on(said, uow, query, place))


def _add_more(said: Said, uow: UnitOfWork, query: Query) -> Answer:
    if query.state == "resolved":
        raise Refused("queries.reopen_instead", id=short_id(query))
    add_more(said, uow, query)
    return Answer(words=added(said, query))


def replied(request: Request, uow: UnitOfWork) -> Answer:
    """Declare that the asker has been answered elsewhere; reports show it apart."""
    query = found(request, uow)
    staff_roles(request, uow, query)
    if request.person.id == query.asker_id:
        raise Refused("queries.not_by_asker", id=short_id(query))
    said = _said(request, "note", "queries.empty_note")
    entry = uow.queries.note(query.id, "declared", said.person.id, said.words, said.at)
    nothing_is_owed(said, uow, query)
    show_answered(said, uow, query, entry.id)
    return Answer(words=text("queries.declared", id=short_id(query)))


def note(request: Request, uow: UnitOfWork) -> Answer:
    """Write down something for colleagues; it stops no clock."""
    query = found(request, uow)
    staff_roles(request, uow, query)
    said = _said(request, "note", "queries.empty_note")
    uow.queries.note(query.id, "note", said.person.id, said.words, said.at)
    return Answer(words=text("queries.noted", id=short_id(query)))


def _said(request: Request, name: str, refusal: str) -> Said:
    words = request.words(name).strip()
    if not words:
        raise Refused(refusal, field=name, id=f"Q{request.number('query')}")
    return Said(request.person, words, request.place, request.at, request.now)


# --- silence --------------------------------------------------------------------------------------


def mute(request: Request, uow: UnitOfWork) -> Answer:
    """No reminders until a time, with a reason that those who watch are told."""
    query = found(request, uow)
    staff_roles(request, uow, query)
    if query.waiting_since is None:
        raise Refused("queries.nothing_to_mute", id=short_id(query))
    until, reason = request.time("time"), _said(request, "reason", "queries.no_reason").words
    if until > request.now + rules.LONGEST_MUTE:
        raise Refused("queries.mute_too_long", field="time", id=short_id(query))
    query.muted_until = until
    entry = uow.queries.note(query.id, "mute", request.person.id, reason, request.at)
    told = text(
        "queries.muted_by",
        id=short_id(query),
        person=request.person.name,
        until=Moment(at=until),
        reason=reason,
        due=Moment(at=query.due_at),
    )
    _tell_watchers(request, uow, query, told, entry.id)
    return Answer(
        words=text(
            "queries.muted",
            id=short_id(query),
            until=Moment(at=until),
            due=Moment(at=query.due_at),
        )
    )


def _tell_watchers(
    request: Request, uow: UnitOfWork, query: Query, words: Text, entry_id: int
) -> None:
    """The owner and the leads, but whoever did it, and nobody in their sleep."""
    owner, team = owner_of(uow, query), uow.teams.get(query.team_id)
    watchers = {person.id: person for person in leads(uow, query.team_id)}
    if owner is not None:
        watchers[owner.id] = owner
    watchers.pop(request.person.id, None)
    for person in watchers.values():
        remind(
            uow,
            person,
            team,
            key=f"{short_id(query)}/mute/{entry_id}/{person.id}",
            subject=notices.subject(query),
            words=words,
            now=request.now,
            counts=False,
        )


# --- the end, and again ---------------------------------------------------------------------------


def resolve(request: Request, uow: UnitOfWork) -> Answer:
    """Close the query. Words of staff are a reply; without any reply so far staff must give one."""
    query = found(request, uow)
    words = request.words("words").strip()
    by_asker = request.person.id == query.asker_id
    if not by_asker:
        staff_roles(request, uow, query)
    _not_resolved(query)
    if not by_asker and not words and query.waiting_since is not None:
        asker = uow.people.get(query.asker_id).name
        raise Refused("queries.answer_first", field="words", id=short_id(query), asker=asker)
    if words and not by_asker:
        answer(_said(request, "words", "queries.empty_reply"), uow, query, resolving=True)
    entry = uow.queries.note(
        query.id, "resolve", request.person.id, words if by_asker else "", request.at
    )
    end_target(uow, query, "resolved")
    query.resolved_at = request.now
    line = text("queries.line.resolved", id=short_id(query), person=request.person.name)
    place = Address.model_validate(query.asked_in)
    change, told_in = f"resolved/{entry.id}", None if by_asker else place
    notices.update_cards(uow, query, change, line, request.place, request.now, told_in)
    if by_asker:
        return Answer(words=text("queries.resolved_by_asker", id=short_id(query)))
    if not words:
        closed = lines(
            text("queries.closed", id=short_id(query), person=request.person.name),
            notices.next_step(query, "resolved"),
        )
        key = f"{short_id(query)}/resolved/{entry.id}"
        notices.tell_asker(uow, query, closed, key, request.now)
    told = notices.place_words(uow, query, place)
    return Answer(words=text("queries.resolved", id=short_id(query), place=told))


def reopen(request: Request, uow: UnitOfWork, scripts: Scripts | None = None) -> Answer:
    """Take a resolved query up again; after a week a new one follows it."""
    query = found(request, uow)
    if request.person.id != query.asker_id:
        staff_roles(request, uow, query)
    said = _said(request, "reason", "queries.no_reason")
    if query.resolved_at is None:
        raise Refused("queries.not_resolved", id=short_id(query))
    if not rules.is_reopenable(query.resolved_at, request.now):
        return _follow_up(request, uow, query, said.words, scripts or shipped())
    entry = uow.queries.note(query.id, "reopen", request.person.id, said.words, request.at)
    start_target(uow, query, request.at)
    line = text("queries.line.reopened", id=short_id(query), person=request.person.name)
    notices.update_cards(uow, query, f"reopened/{entry.id}", line, request.place, request.now)
    tell_news(said, uow, query, "reopened", entry.id)
    due = Moment(at=query.due_at)
    return Answer(words=text("queries.reopened", id=short_id(query), due=due))


def _follow_up(
    request: Request, uow: UnitOfWork, before: Query, reason: str, scripts: Scripts
) -> Answer:
    query = open_query(
        uow,
        uow.teams.get(before.team_id),
        scripts,
        asker=uow.people.get(before.asker_id),
        question=reason,
        asked_in=Address.model_validate(before.asked_in),
        thread=before.thread,
        at=request.at,
        now=request.now,
        follows=before,
    )
    due = Moment(at=query.due_at)
    return Answer(
        words=text("queries.followed", id=short_id(query), before=short_id(before), due=due),
        about=short_id(query),
    )


def _not_resolved(query: Query) -> None:
    if query.state == "resolved":
        raise Refused("queries.is_resolved", id=short_id(query))
