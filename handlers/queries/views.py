"""Looking at queries, and the standard phrases for answering them."""

from __future__ import annotations

import re
from collections.abc import Sequence

from bot.commands import Request
from bot.messages import Answer, Locale, Moment, Refused, Text, Words, known_locale, lines, text
from handlers.paging import paged, paging
from handlers.queries import rules
from handlers.queries.desk import found, staff_roles
from handlers.queries.notices import short_id, typed
from handlers.queries.procedure import inquiry
from sop_scripts import Scripts, shipped
from storage.tables.queries import Query, QueryEntry
from storage.uow import UnitOfWork

LISTED = 20
ENTRIES = 20
INTERNAL = frozenset(("note", "mute"))
NAMED_QUERY = re.compile(r"\s*[Qq](\d{1,9})\s*$")

# --- lists ----------------------------------------------------------------------------------------


def list_queries(request: Request, uow: UnitOfWork) -> Answer:
    """Unresolved queries with the time left, the most urgent first."""
    assert request.team is not None
    chosen = request.words("filter") or "open"
    _first, count = _chosen(request, uow, chosen, 0)
    if not count:
        return Answer(words=text(f"queries.none_{chosen}"))
    page = paging(request, count, LISTED)
    shown, _count = _chosen(request, uow, chosen, page.start)
    words = lines(
        text(f"queries.list_{chosen}", n=count), *(_line(request, uow, query) for query in shown)
    )
    return paged(words, page, "queries", {"filter": chosen})


def _chosen(
    request: Request, uow: UnitOfWork, chosen: str, start: int
) -> tuple[Sequence[Query], int]:
    """Those on the page that begins at `start`, and how many there are in all."""
    assert request.team is not None
    if chosen == "mine":
        return uow.queries.owned_by(request.person.id, LISTED, start)
    if chosen == "late":
        return uow.queries.late_in(request.team.id, request.now, LISTED, start)
    return uow.queries.open_in(request.team.id, LISTED, start)


def _line(request: Request, uow: UnitOfWork, query: Query) -> Words:
    return lines(
        text("queries.id", id=short_id(query)),
        _clock(request, query),
        _holder(uow, query),
        typed(rules.shorten(query.question)),
        separator=" · ",
    )


def _clock(request: Request, query: Query) -> Text:
    if query.waiting_since is None:
        return text(f"queries.state.{query.state}")
    return rules.time_left(query.due_at, request.now)


def _holder(uow: UnitOfWork, query: Query) -> Text:
    if query.owner_id is None:
        return text("queries.unclaimed")
    return typed(uow.people.get(query.owner_id).name)


# --- one query ------------------------------------------------------------------------------------


def show(request: Request, uow: UnitOfWork) -> Answer:
    """`show Q7 [PAGE]`: everything about a query; what is internal neither to its asker nor into a
    group.
    """
    query = found(request, uow)
    is_asker = request.person.id == query.asker_id
    if not is_asker:
        staff_roles(request, uow, query)
    entries = uow.queries.entries(query.id)
    internal = [entry for entry in entries if entry.kind in INTERNAL]
    open_to_all = is_asker or request.chat.kind == "group"
    shown = [entry for entry in entries if not (open_to_all and entry.kind in INTERNAL)]
    hidden = bool(internal) and open_to_all and not is_asker
    id = short_id(query)
    page = paging(request, len(shown), ENTRIES)
    words = lines(
        *_head(request, uow, query),
        *(_entry(uow, entry) for entry in shown[page.start : page.end]),
        text("queries.notes_in_private", id=id, n=len(internal)) if hidden else None,
    )
    return paged(words, page, "show_query", {"query": id})


def _head(request: Request, uow: UnitOfWork, query: Query) -> list[Words | None]:
    asker = uow.people.get(query.asker_id)
    first = query.first_reply_at
    before = query.follows_id
    return [
        lines(
            text("queries.id", id=short_id(query)),
            _clock(request, query),
            _holder(uow, query),
            separator=" · ",
        ),
        text("queries.asked_by", asker=asker.name, at=Moment(at=query.opened_at)),
        text("queries.first_reply", at=Moment(at=first)) if first else None,
        text("queries.answer_due", due=Moment(at=query.due_at)) if query.waiting_since else None,
        text("queries.follows", before=f"Q{before}") if before else None,
    ]


def _entry(uow: UnitOfWork, entry: QueryEntry) -> Text:
    person, at = uow.people.get(entry.person_id).name, Moment(at=entry.at)
    if entry.body:
        return text(f"queries.entry.{entry.kind}", at=at, person=person, words=entry.body)
    return text(f"queries.entry_bare.{entry.kind}", at=at, person=person)


# --- phrases --------------------------------------------------------------------------------------


def phrase(request: Request, uow: UnitOfWork, scripts: Scripts | None = None) -> Answer:
    """The standard phrases by name, or one of them ready to copy; `phrase NAME Q7` fills it in."""
    script = inquiry(scripts or shipped())
    locale = _locale(request)
    named = request.words("name").strip()
    about = NAMED_QUERY.search(named)
    name = named[: about.start()] if about else named
    if not name:
        names = (text("queries.phrase_name", name=one.name.say(locale)) for one in script.phrases)
        return Answer(words=lines(text("queries.phrases"), *names))
    chosen = script.phrase(name)
    if chosen is None:
        known = ("、" if locale == "zh_CN" else ", ").join(
            one.name.say(locale) for one in script.phrases
        )
        raise Refused("queries.phrase_unknown", field="name", name=name, names=known)
    values = _values(request, uow, int(about[1]) if about else None)
    return Answer(words=typed(rules.filled(chosen.text.say(locale), values)))


def _values(request: Request, uow: UnitOfWork, number: int | None) -> dict[str, str]:
    """What a phrase speaks of; without a query, blanks to fill in by hand."""
    if number is None:
        blank = "____"
        return {"asker": blank, "question": blank, "id": "Q__"}
    query = uow.queries.peek(number)
    if query is None:
        raise Refused("queries.unknown", field="name", id=f"Q{number}")
    staff_roles(request, uow, query)
    return {
        "asker": uow.people.get(query.asker_id).name,
        "question": rules.shorten(query.question),
        "id": short_id(query),
    }


def _locale(request: Request) -> Locale:
    chosen = request.person.locale or (request.team.locale if request.team else None)
    return known_locale(chosen)
