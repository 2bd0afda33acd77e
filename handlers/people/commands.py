"""Getting in and being known: joining, linking accounts, one's language, one's own page."""

from __future__ import annotations

from bot.commands import Request
from bot.messages import Answer, Button, Card, Mention, Refused, Send, ToPerson, text
from handlers.people.granting import (
    Cause,
    cause_of,
    decided,
    give,
    keepers,
    must_manage,
    names,
    settle,
    team_named,
)
from handlers.people.linking import join_persons
from storage.codes import ATTEMPTS_WINDOW
from storage.tables.people import JoinRequest, Person
from storage.tables.teams import Team
from storage.uow import UnitOfWork

# --- joining -------------------------------------------------------------------------------------


def join(request: Request, uow: UnitOfWork) -> Answer:
    """`join [TEAM]`: ask to be on a team's roster; who looks after it gets a card."""
    name = request.words("team")
    team = team_named(uow, name, "team", text("examples.join")) if name else request.team
    if team is None:
        raise Refused("people.join_which", field="team")
    person = request.person
    if uow.people.roles(person.id, team.id) - {"admin"}:
        return Answer(words=text("people.join_already", team=team.name))
    wish, new = uow.people.ask_to_join(person.id, team.id, request.now)
    deciders = keepers(uow, team, without=(person.id,))
    if not new:
        return Answer(words=text("people.join_waits", id=f"J{wish.id}", team=team.name))
    wish.asked = [one.id for one in deciders]
    for decider in deciders:
        card = join_card(wish, person, team)
        key = f"J{wish.id}/card/{decider.id}"
        uow.outbox.put(Send(to=ToPerson(person_id=decider.id), key=key, card=card), request.now)
    if not deciders:
        return Answer(words=text("people.join_nobody", id=f"J{wish.id}", team=team.name))
    who = names(deciders)
    return Answer(words=text("people.join_asked", id=f"J{wish.id}", team=team.name, who=who))


def join_card(wish: JoinRequest, person: Person, team: Team) -> Card:
    """What those who decide are asked."""
    number = f"J{wish.id}"
    mention = Mention(person_id=person.id, name=person.name)
    return Card(
        title=text("people.join_card", id=number, person=mention, team=team.name),
        buttons=(
            Button(
                label=text("people.approve_button"),
                command="approve_join",
                arguments={"join": number},
                style="primary",
            ),
            Button(
                label=text("people.reject_button"),
                command="reject_join",
                arguments={"join": number},
            ),
        ),
    )


def approve_join(request: Request, uow: UnitOfWork) -> Answer:
    """`approve J1`: put somebody who asked on the roster, as a worker."""
    wish, person, team = _undecided(request, uow)
    # Giving the role settles the request too; where they hold it already, it is settled here.
    give(uow, person, ("worker",), team, cause_of(request))
    if wish.state == "waiting":
        settle(uow, wish, "approved", cause_of(request))
    return Answer(
        words=text("people.join_approved", id=f"J{wish.id}", person=person.name, team=team.name)
    )


def reject_join(request: Request, uow: UnitOfWork) -> Answer:
    """`reject J1`: the polite no to somebody who asked."""
    wish, person, team = _undecided(request, uow)
    settle(uow, wish, "rejected", cause_of(request))
    uow.audit.record(
        request.now, request.person.id, "join.reject", f"person/{person.id}", team=team.id
    )
    told = text("people.join_no", id=f"J{wish.id}", team=team.name, by=request.person.name)
    key = f"J{wish.id}/told"
    uow.outbox.put(Send(to=ToPerson(person_id=person.id), key=key, words=told), request.now)
    return Answer(
        words=text("people.join_rejected", id=f"J{wish.id}", person=person.name, team=team.name)
    )


def _undecided(request: Request, uow: UnitOfWork) -> tuple[JoinRequest, Person, Team]:
    """A request that waits for just this person's word. Raises Refused."""
    number = request.number("join")
    wish = uow.people.join_request(number)
    if wish is None:
        raise Refused("people.join_unknown", id=f"J{number}")
    person, team = uow.people.get(wish.person_id), uow.teams.get(wish.team_id)
    must_manage(uow, request.person, team)
    if person.id == request.person.id:
        raise Refused("people.join_own", id=f"J{number}")
    if wish.state != "waiting":
        raise Refused("people.join_decided", how=decided(uow, wish))
    return wish, person, team


# --- linking -------------------------------------------------------------------------------------


def link(request: Request, uow: UnitOfWork) -> Answer:
    """`link`: a code for one's account elsewhere. `link CODE`: both are one person, or an admin."""
    typed = request.words("code")
    if request.chat.kind == "group":
        # Everybody has read the code, so nobody may use it any more.
        uow.codes.use(typed, request.now)
        return Answer(words=text("people.link_in_group"))
    if not typed:
        code = uow.codes.new("link", request.person.id, request.now)
        return Answer(words=text("people.link_code", code=code, minutes=15))
    # A direct chat has the user's id on every platform.
    account = request.chat.id
    if not uow.codes.may_try(request.platform, account, request.now):
        minutes = int(ATTEMPTS_WINDOW.total_seconds()) // 60
        raise Refused("people.link_too_often", field="code", minutes=minutes)
    code_row = uow.codes.use(typed, request.now)
    if code_row is None:
        # An answer and no refusal: a refusal would roll back the counting with all the rest.
        uow.codes.wrong(request.platform, account, request.now)
        return Answer(words=text("people.link_wrong"))
    if code_row.purpose == "admin":
        return _made_admin(request, uow)
    assert code_row.person_id is not None
    return join_persons(request, uow, uow.people.get(code_row.person_id))


def _made_admin(request: Request, uow: UnitOfWork) -> Answer:
    """Whoever holds a code from the server's command line is an admin."""
    person = request.person
    others = [one for one in uow.people.holders("admin", None) if one.id != person.id]
    team = request.team or uow.teams.first()
    # Nobody of the roster did it: the code came from the server's command line.
    cause = Cause(None, request.now, cause_of(request).occasion)
    if not give(uow, person, ("admin",), team, cause):
        # The code stays good for somebody who needs it.
        raise Refused("people.link_admin_already", field="code")
    for admin in others:
        told = text("people.link_new_admin", person=person.name, platform=request.platform)
        key = f"admin/{cause.occasion}/{admin.id}"
        uow.outbox.put(Send(to=ToPerson(person_id=admin.id), key=key, words=told), request.now)
    return Answer(words=text("people.link_admin"))


# --- oneself -------------------------------------------------------------------------------------


def language(request: Request, uow: UnitOfWork) -> Answer:
    """`language zh|en`: what the bot speaks with this person; the answer speaks it already."""
    chosen = request.words("language")
    request.person.locale = chosen
    return Answer(words=text("people.language", language=text(f"choices.{chosen}")))
