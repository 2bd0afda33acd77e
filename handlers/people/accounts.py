"""What platforms tell of accounts: profiles that changed, accounts that are gone, and back.

Nobody is asked: a deleted account is the end of somebody's work here, unless they can be reached
elsewhere.
"""

from __future__ import annotations

from datetime import datetime

from bot.commands import Signal
from bot.messages import Event, Send, Tick, ToPerson, Words, text
from handlers.people.granting import Cause, keepers, platform_name
from handlers.people.leaving import leave
from storage.tables.people import Person
from storage.tables.teams import Team
from storage.uow import UnitOfWork


def is_known(event: Event, uow: UnitOfWork) -> bool:
    """Whether anybody has met this account; the rest of a workspace is nobody's business."""
    return uow.people.find(event.platform, event.user.id) is not None


def changed(signal: Signal, uow: UnitOfWork) -> None:
    """A profile changed, or the account was deleted or brought back."""
    event = signal.event
    if event.gone:
        _gone(uow, event.platform, event.user.id, signal.now)
        return
    was_reachable = uow.people.told(event.platform, event.user)
    if not was_reachable and signal.person.state == "left":
        _tell_back(signal, uow)


def gone(tick: Tick, uow: UnitOfWork) -> None:
    """A message could not be delivered because the account is there no more."""
    platform, _, user_id = tick.subject.partition("/")
    _gone(uow, platform, user_id, tick.now)


def _gone(uow: UnitOfWork, platform: str, user_id: str, now: datetime) -> None:
    person = uow.people.find(platform, user_id)
    if person is None or not uow.people.unreachable(platform, user_id):
        return
    uow.pages.close(platform, user_id)
    cause = Cause(None, now, f"gone/{platform}/{user_id}/{now:%Y%m%d%H%M%S}")
    teams = [uow.teams.get(team_id) for team_id in uow.people.team_ids(person.id)]
    if not teams and uow.people.memberships(person.id):
        teams = [uow.teams.first()]  # an admin, who is on no team's roster
    if uow.people.address(person.id) is not None:
        words = text("people.account_gone", name=person.name, platform=platform_name(platform))
        for team in teams:
            _tell(uow, team, person, words, f"{cause.occasion}/{team.id}", now)
        return
    why = text("people.account_gone_left", name=person.name, platform=platform_name(platform))
    for team in teams:
        leave(uow, person, team, cause, why)


def _tell_back(signal: Signal, uow: UnitOfWork) -> None:
    event, person = signal.event, signal.person
    words = text("people.account_back", name=person.name, platform=platform_name(event.platform))
    _tell(uow, uow.teams.first(), person, words, f"back/{event.key}", signal.now)


def _tell(
    uow: UnitOfWork, team: Team, person: Person, words: Words, key: str, now: datetime
) -> None:
    """Tell those who look after a team."""
    for keeper in keepers(uow, team, without=(person.id,)):
        to = ToPerson(person_id=keeper.id)
        uow.outbox.put(Send(to=to, key=f"{key}/{keeper.id}", words=words), now)
