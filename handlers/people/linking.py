"""Two accounts turn out to be one person: nothing of either is lost, nothing is counted twice."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime

from bot.commands import Request
from bot.messages import Address, Answer, Refused, Send, ToPerson, lines, text
from handlers.attendance import rules, sessions
from handlers.people.granting import (
    SEPARATOR,
    cause_of,
    keepers,
    names,
    platform_name,
    role_words,
)
from storage.merging import move_work
from storage.tables.attendance import WorkSession
from storage.tables.people import Person
from storage.uow import UnitOfWork


def join_persons(request: Request, uow: UnitOfWork, kept: Person) -> Answer:
    """Make the person who typed a code and the person it was given to one. Raises Refused.

    The one who asked for the code is kept: that account was known first, and reads of it there.
    """
    other = request.person
    if kept.id == other.id:
        raise Refused("people.link_same", field="code")
    uow.people.lock(kept, other)
    if "merged" in (kept.state, other.state):  # another link of theirs was a moment earlier
        raise Refused("people.link_again", field="code")
    _must_be_elsewhere(uow, kept, other)
    known = uow.people.identities(kept.id)
    tell = [Address(platform=one.platform, kind="person", id=one.user_id) for one in known]
    platforms = lines(
        *(text("people.platform", platform=platform_name(one.platform)) for one in known),
        separator=SEPARATOR,
    )
    overlapping = _move_work(uow, kept, other, request.now)
    if other.state == "active":
        kept.state = "active"
    kept.locale, kept.zone = kept.locale or other.locale, kept.zone or other.zone
    kept.chosen_team_id = kept.chosen_team_id or other.chosen_team_id
    kept.privacy_told_at = kept.privacy_told_at or other.privacy_told_at
    uow.codes.void(other.id, request.now)
    uow.people.join_accounts(kept, other)
    uow.audit.record(
        request.now,
        kept.id,
        "person.link",
        f"person/{kept.id}",
        other=other.id,
        platform=request.platform,
    )
    _announce(request, uow, kept, tell)
    if overlapping:
        _tell_overlap(request, uow, kept, overlapping)
    roles = role_words([one.role for one in uow.people.memberships(kept.id)])
    return Answer(
        words=lines(
            text("people.linked", name=kept.name, platforms=platforms),
            text("people.linked_roles", roles=roles) if roles.parts else None,
        )
    )


def _must_be_elsewhere(uow: UnitOfWork, kept: Person, other: Person) -> None:
    """One live account per platform: nobody takes a colleague's for a second one of theirs."""
    live = {one.platform for one in uow.people.identities(kept.id) if one.reachable}
    for one in uow.people.identities(other.id):
        if one.platform in live:
            raise Refused(
                "people.link_same_platform", field="code", platform=platform_name(one.platform)
            )


def _announce(request: Request, uow: UnitOfWork, kept: Person, tell: list[Address]) -> None:
    """On every account that was known before: somebody who lent a code finds out there."""
    admins = [one for one in uow.people.holders("admin", None) if one.id != kept.id]
    whom = names(admins[:3]) if admins else text("refused.nobody_yet")
    words = text(
        "people.link_told",
        platform=platform_name(request.platform),
        account=request.chat.id,
        whom=whom,
    )
    for index, address in enumerate(tell):
        key = f"linked/{cause_of(request).occasion}/{index}"
        uow.outbox.put(Send(to=address, key=key, words=words), request.now)


# --- work ----------------------------------------------------------------------------------------


def _move_work(uow: UnitOfWork, kept: Person, other: Person, now: datetime) -> list[WorkSession]:
    """Hand over what is not settled; returns sessions that would now count the same hours twice."""
    mine, theirs = uow.attendance.open_session(kept.id), uow.attendance.open_session(other.id)
    if mine is not None and theirs is not None:
        earlier, later = sorted((mine, theirs), key=lambda one: (one.started_at, one.id))
        _fold(uow, earlier, later, now, kept.id)
        uow.session.flush()
    moved = move_work(uow.session, kept.id, other.id, rules.CHANGEABLE)
    return [
        one
        for one in moved
        if one.ended_at is not None
        and one.ended_at > one.started_at
        and uow.attendance.overlapping(kept.id, one.started_at, one.ended_at, one.id)
    ]


def _fold(
    uow: UnitOfWork, earlier: WorkSession, later: WorkSession, now: datetime, actor_id: int
) -> None:
    """Both are open: read the taps of the later one as if they had met the earlier one.

    Where that one was over by then, it gets its provisional end and the later one goes on. Else all
    the time of the later one lies in the earlier one, which goes on, and the later one keeps none.
    """
    longest = sessions.longest_day(uow, earlier.team_id)
    work, second = sessions.worked(uow, earlier), sessions.worked(uow, later)
    came = rules.decide(rules.Tap("in", second.start), rules.Situation(longest, work))
    if came.lapsed is not None:
        sessions.write(uow, earlier, came.lapsed, now=now, actor_id=actor_id)
        return
    work = came.work or work
    for tap in _breaks(second):
        work = rules.decide(tap, rules.Situation(longest, work)).work or work
    if second.evidence is not None:
        work = rules.seen(work, second.evidence)
    sessions.write(uow, earlier, work, now=now, actor_id=actor_id)
    nothing = replace(second, end=second.start, state="closed", break_start=None)
    sessions.write(uow, later, nothing, now=now, actor_id=actor_id)


def _breaks(work: rules.Worked) -> Iterator[rules.Tap]:
    for pause in work.breaks:
        yield rules.Tap("break", pause.start)
        yield rules.Tap("back", pause.end)
    if work.break_start is not None:
        yield rules.Tap("break", work.break_start)


def _tell_overlap(
    request: Request, uow: UnitOfWork, kept: Person, sessions: list[WorkSession]
) -> None:
    """Which of two was worked, a person has to say: who looks after the team is told."""
    numbers = ", ".join(f"H{one.id}" for one in sessions)
    words = text("people.link_overlap", person=kept.name, sessions=numbers)
    team = uow.teams.get(sessions[0].team_id)
    for keeper in keepers(uow, team, without=(kept.id,)):
        key = f"overlap/{cause_of(request).occasion}/{keeper.id}"
        uow.outbox.put(Send(to=ToPerson(person_id=keeper.id), key=key, words=words), request.now)
