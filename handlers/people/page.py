"""A person's own page, on platforms that have one: what they are in, what waits for them, settings.

Once opened it is kept true: whatever is written about its person arms a timer that draws it anew.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from bot.commands import Signal
from bot.messages import (
    LOCALES,
    Address,
    Button,
    Card,
    Mention,
    Menu,
    Moment,
    Page,
    Send,
    Tick,
    Words,
    lines,
    text,
)
from handlers.attendance.corrections import card_to_decide
from handlers.attendance.hours import Summary, Waiting, summary
from handlers.people import profile
from handlers.people.commands import join_card
from handlers.people.granting import SEPARATOR, keepers
from handlers.people.policies import policies_of
from handlers.queries import notices, rules
from handlers.queries.desk import LEADING
from storage.tables.people import Person
from storage.tables.queries import Query
from storage.tables.teams import Team
from storage.uow import UnitOfWork

REFRESH = "page.refresh"
LISTED = 10
HELD = 5
ASKED = 3
# Long enough that what happens together is one new page, short enough to be seen happening.
SOON = timedelta(seconds=2)
# A page of Slack's holds 100 blocks, and a card of these takes up to seven.
MOST = 10


def opened(signal: Signal, uow: UnitOfWork) -> None:
    """Somebody looks at their page: draw it, and keep it true from now on."""
    event = signal.event
    uow.pages.opened(event.platform, event.user.id, signal.now)
    address = Address(platform=event.platform, kind="page", id=event.user.id)
    _draw(uow, signal.person, [address], event.key, signal.now, waits=True)


def outdated(uow: UnitOfWork, now: datetime) -> None:
    """What was just written changes these pages; many changes at once are one new page each."""
    for person_id in uow.pages.outdated():
        uow.timers.arm_unless_waiting(REFRESH, f"person/{person_id}", "draw", now + SOON)


def refresh(tick: Tick, uow: UnitOfWork) -> None:
    """Draw somebody's pages anew."""
    person = uow.people.get(int(tick.subject.rpartition("/")[2]))
    occasion = f"{tick.due_at:%Y%m%d%H%M%S%f}"
    _draw(uow, person, uow.pages.of(person.id), occasion, tick.now, waits=False)


def _draw(
    uow: UnitOfWork,
    person: Person,
    addresses: Sequence[Address],
    occasion: str,
    now: datetime,
    *,
    waits: bool,
) -> None:
    """Put a page on accounts of a person who `waits` for it; for one who does not, only where it
    says something else than what stands there, and after whatever others wait for.
    """
    page = page_of(uow, person, now)
    # The same page reads differently in another language or zone.
    content = "/".join((*uow.recipients.reads(person), page.model_dump_json()))
    shown = hashlib.sha256(content.encode()).hexdigest()
    # Two pages of one moment are two, unless they are the same.
    digest = hashlib.sha256(f"{occasion}{content}".encode()).hexdigest()[:32]
    for address in addresses:
        if uow.pages.shows(address, shown) or waits:
            send = Send(
                to=address,
                key=f"page/{address.id}/{digest}",
                page=page,
                priority="person" if waits else "digest",
            )
            uow.outbox.put(send, now)


# --- what stands on it ----------------------------------------------------------------------------


def page_of(uow: UnitOfWork, person: Person, now: datetime) -> Page:
    """The page as it is true at this moment."""
    team = uow.teams.of_person(person)
    roles = {one.role for one in uow.people.memberships(person.id)}
    if not roles:
        return Page(cards=(_without_roles(uow, person),))
    worked = summary(uow, person, ZoneInfo(person.zone or team.zone), now)
    waiting = [*_next(uow, person, worked), *_unclaimed(uow, person)]
    cards = (
        _work(person, worked, may_check_in=roles != {"admin"}),
        *(waiting[:MOST] or [Card(title=text("page.nothing"))]),
        *_queries(uow, person),
        _settings(uow, person, team),
    )
    return Page(cards=cards)


def _without_roles(uow: UnitOfWork, person: Person) -> Card:
    """A guest's page where they may ask: of several teams nobody is a guest in direct messages."""
    only = uow.teams.only()
    if only is not None and policies_of(only).guests:
        return _guest(person, only)
    return Card(
        title=text("page.guest", name=person.name),
        body=(text("page.outsider", people=_whom_to_ask(uow, only)),),
        buttons=(_button("join", "primary"),),
    )


def _whom_to_ask(uow: UnitOfWork, team: Team | None) -> Words:
    people = keepers(uow, team) if team is not None else uow.people.holders("admin", None)
    if not people:
        return text("refused.nobody_yet")
    named = (Mention(person_id=one.id, name=one.name) for one in people[:ASKED])
    return lines(*(text("person", person=one) for one in named), separator=SEPARATOR)


def _guest(person: Person, team: Team) -> Card:
    ask = _button("ask", "primary")
    return Card(
        title=text("page.guest", name=person.name),
        body=(text("page.guest_can"),),
        buttons=(ask, _button("join"), _button("help")),
        menus=(_languages(person, team),),
    )


def _work(person: Person, worked: Summary, *, may_check_in: bool) -> Card:
    buttons: tuple[Button, ...]
    if worked.open is None:
        buttons = (_button("checkin", "primary"),)
    elif worked.open.break_since is not None:
        buttons = (_button("back", "primary"), _button("checkout"))
    else:
        buttons = (_button("checkout", "primary"), _button("break"))
    mine = (*(buttons if may_check_in else ()), _button("ask"), _button("queries"))
    return Card(
        title=text("people.me", name=person.name),
        body=tuple(profile.hours(worked)),
        buttons=(*mine, _button("fix"), _button("help")) if may_check_in else mine,
    )


def _next(uow: UnitOfWork, person: Person, worked: Summary) -> Iterator[Card]:
    """What waits for this person's word."""
    for one in worked.waiting[:HELD]:
        yield _ended(one)
    yield from _to_decide(uow, person)
    owned, _count = uow.queries.owned_by(person.id, HELD)
    for query in owned:
        if query.waiting_since is not None:
            yield _to_answer(uow, query)


def _to_decide(uow: UnitOfWork, person: Person) -> Iterator[Card]:
    """Other people's corrections and wishes to join, for whoever decides about them."""
    teams = {team.id: uow.people.roles(person.id, team.id) for team in uow.teams.all()}
    leading = [team_id for team_id, roles in teams.items() if roles & LEADING]
    for correction in uow.attendance.to_decide(leading, person.id, HELD):
        yield card_to_decide(uow, correction)
    managing = [team_id for team_id, roles in teams.items() if roles & {"manager", "admin"}]
    for wish in uow.people.wishes(managing, person.id, HELD):
        yield join_card(wish, uow.people.get(wish.person_id), uow.teams.get(wish.team_id))


def _to_answer(uow: UnitOfWork, query: Query) -> Card:
    reply, resolve = (notices.button(query, command) for command in ("reply", "resolve"))
    asker = uow.people.get(query.asker_id).name
    return Card(
        title=text("page.answer", id=notices.short_id(query), asker=asker),
        body=(
            notices.typed(rules.shorten(query.question)),
            text("page.due", due=Moment(at=query.due_at)),
        ),
        buttons=(reply, resolve),
    )


def _ended(session: Waiting) -> Card:
    """A session whose end its worker has still to confirm, or to name."""
    start = Moment(at=session.start)
    if session.end is None:
        say = Button(
            label=text("page.say_end"),
            command="fix",
            arguments={"direction": "out"},
            style="primary",
        )
        return Card(title=text("page.end_unknown", id=session.id, start=start), buttons=(say,))
    confirm = Button(
        label=text("page.confirm", id=session.id),
        command="confirm_session",
        arguments={"session": session.id},
        style="primary",
    )
    return Card(
        title=text("page.provisional", id=session.id),
        body=(text("page.from_to", start=start, end=Moment(at=session.end)),),
        buttons=(confirm,),
    )


def _unclaimed(uow: UnitOfWork, person: Person) -> Iterator[Card]:
    """What anybody in the person's teams may take."""
    for query in uow.queries.unclaimed_in(uow.people.team_ids(person.id), HELD):
        if query.asker_id != person.id:
            yield notices.card(uow, query)


def _queries(uow: UnitOfWork, person: Person) -> Iterator[Card]:
    """What the person has asked, and what they hold that waits for somebody else."""
    owned, _count = uow.queries.owned_by(person.id, LISTED)
    resting = [query for query in owned if query.waiting_since is None]
    if resting:
        yield Card(title=text("page.held", n=len(resting)), body=_listed(resting))
    asked = uow.queries.asked_by(person.id, LISTED)
    if asked:
        yield Card(title=text("page.asked"), body=_listed(asked))


def _listed(queries: Sequence[Query]) -> tuple[Words, ...]:
    return tuple(
        text(
            "page.query",
            id=notices.short_id(query),
            state=text(f"queries.state.{query.state}"),
            question=rules.shorten(query.question),
        )
        for query in queries
    )


def _settings(uow: UnitOfWork, person: Person, team: Team) -> Card:
    return Card(
        title=text("page.settings"),
        body=(*profile.roles(uow, person), profile.settings(uow, person, team)),
        buttons=(_button("link"),),
        menus=(_languages(person, team),),
    )


def _languages(person: Person, team: Team) -> Menu:
    return Menu(
        label=text("page.language", language=text(f"choices.{person.locale or team.locale}")),
        choices=tuple(
            Button(
                label=text(f"choices.{locale}"),
                command="language",
                arguments={"language": locale},
            )
            for locale in LOCALES
        ),
    )


def _button(command: str, style: str = "plain") -> Button:
    return Button(
        label=text(f"page.button.{command}"),
        command=command,
        style="primary" if style == "primary" else "plain",
    )
