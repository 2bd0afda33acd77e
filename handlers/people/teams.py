"""Teams: making them, binding groups to them, and what is set for them."""

from __future__ import annotations

from datetime import time

from bot.commands import Request, Signal
from bot.messages import Answer, Duration, Event, Refused, Words, lines, text
from handlers.people.granting import (
    cause_of,
    must_manage,
    no_team,
    role_words,
    team_named,
    welcome,
)
from handlers.people.policies import Policies, Quiet, policies_of, store_policies
from handlers.people.rules import SETTINGS, SIGN_OF, Setting, SettingValue, read_setting
from storage.tables.teams import Team
from storage.uow import UnitOfWork

LONGEST_NAME = 40


def new(request: Request, uow: UnitOfWork) -> Answer:
    """`team new NAME`: make a team. A manager who makes one manages it: nobody is in it yet."""
    name = " ".join(request.words("name").split())
    if not name or len(name) > LONGEST_NAME:
        raise Refused("teams.bad_name", field="name", most=LONGEST_NAME)
    model, first = request.team or uow.teams.first(), uow.teams.only()
    known = uow.teams.named(name)
    if known is not None:
        raise Refused("teams.name_taken", field="name", name=known.name)
    try:
        team = uow.teams.add(name, model.locale, model.zone, request.now)
    except ValueError:  # somebody made it at this very moment
        raise Refused("teams.name_taken", field="name", name=name) from None
    person = request.person
    uow.audit.record(request.now, person.id, "team.new", f"team/{team.id}")
    if "admin" in request.roles:
        whose = text("teams.new_nobody", team=name)
    else:
        # Not `give`: nobody grants themselves anything in a team that others are in.
        uow.people.grant(person, "manager", team.id, person.id, request.now)
        uow.audit.record(
            request.now,
            person.id,
            "role.grant",
            f"person/{person.id}",
            role="manager",
            team=team.id,
        )
        welcome(uow, person, ("manager",), team, cause_of(request))
        whose = text("teams.new_yours")
    unbound = text("teams.now_several", first=first.name) if first is not None else None
    return Answer(words=lines(text("teams.new", team=name), whose, unbound))


def here(request: Request, uow: UnitOfWork) -> Answer:
    """`team here [NAME]`: bind this group to a team and make it the team's home."""
    if request.chat.kind != "group":
        known = request.team.name if request.team else text("arguments.name")
        raise Refused("teams.here_in_group", name=request.words("name") or known)
    before = uow.teams.bound(request.platform, request.chat.id)
    name = request.words("name")
    example = text("examples.team_here")
    team = team_named(uow, name, "name", example) if name else before or request.team
    if team is None:
        raise Refused("teams.here_which", field="name")
    must_manage(uow, request.person, team)
    if before is not None and before.id != team.id:
        must_manage(uow, request.person, before)
    homes = {one.platform: one for one in uow.teams.home_groups(team.id)}
    home = homes.get(request.platform)
    if home is not None and home.chat_id == request.chat.id:
        inside = None if request.chat.is_ours else text("teams.not_inside")
        return Answer(words=lines(text("teams.here_already", team=team.name), inside))
    left = home is not None  # read before binding expires the row
    uow.teams.bind(team, request.platform, request.chat.id, request.chat.name, request.now)
    uow.audit.record(
        request.now,
        request.person.id,
        "team.here",
        f"team/{team.id}",
        platform=request.platform,
        chat=request.chat.id,
        before=before.id if before else None,
    )
    moved = before is not None and before.id != team.id
    return Answer(
        words=lines(
            text("teams.here", team=team.name),
            None if request.chat.is_ours else text("teams.not_inside"),
            text("teams.here_moved", before=before.name) if before and moved else None,
            text("teams.here_instead") if left else None,
        )
    )


def is_new_here(event: Event, uow: UnitOfWork) -> bool:
    """Whether the group that took the bot in is not bound to a team yet."""
    return uow.teams.bound(event.platform, event.chat.id) is None


def invited(signal: Signal, _uow: UnitOfWork) -> Answer:
    """The bot was taken into a group: what it is, and what makes the group a team's home."""
    return Answer(words=text("teams.invited", example=text("examples.team_here")))


def use(request: Request, uow: UnitOfWork) -> Answer:
    """`team use NAME`: the team that the person's direct messages are about."""
    example = text("examples.team_use")
    team = team_named(uow, request.words("name"), "name", example)
    if not uow.people.roles(request.person.id, team.id):
        # The same words as for a team that is not there: what exists is nobody else's business.
        raise no_team(request.words("name"), "name", example)
    request.person.chosen_team_id = team.id
    return Answer(words=text("teams.using", team=team.name))


def show(request: Request, uow: UnitOfWork) -> Answer:
    """`team`: name, home groups, people, and everything that can be set."""
    assert request.team is not None
    team = request.team
    homes = [
        text("teams.home_on", platform=home.platform, group=home.name or home.chat_id)
        for home in uow.teams.home_groups(team.id)
    ]
    home = lines(*homes, separator=" / ") if homes else text("teams.home_none")
    settings = (
        text("teams.setting", setting=text(f"choices.{one}"), value=shown(one, team))
        for one in SETTINGS
    )
    return Answer(
        words=lines(
            text("teams.show", team=team.name, n=uow.people.headcount(team.id)),
            text("teams.home", home=home),
            *settings,
            text("teams.yours", roles=role_words(request.roles))
            if request.roles - {"guest", "outsider"}
            else None,
        )
    )


# --- settings ------------------------------------------------------------------------------------


def set_policy(request: Request, uow: UnitOfWork) -> Answer:
    """`team set SETTING VALUE`: change one thing for the team; audited with old and new."""
    assert request.team is not None
    setting = _setting(request.words("setting"))
    value = read_setting(setting, request.words("value"))
    team = uow.teams.lock(request.team.id)
    before, old = shown(setting, team), _stored(setting, team)
    _store(setting, value, team)
    after, now = shown(setting, team), _stored(setting, team)
    label = text(f"choices.{setting}")
    if old == now:
        return Answer(words=text("teams.set_already", setting=label, value=after))
    uow.audit.record(
        request.now,
        request.person.id,
        "team.set",
        f"team/{team.id}",
        setting=setting,
        old=old,
        new=now,
    )
    return Answer(
        words=text("teams.set", team=team.name, setting=label, value=after, before=before)
    )


def _setting(name: str) -> Setting:
    for one in SETTINGS:
        if one == name:
            return one
    raise AssertionError(f"the table of commands lets {name!r} through")


def _store(setting: Setting, value: SettingValue, team: Team) -> None:
    match setting, value:
        case "zone", str():
            team.zone = value
        case "language", str():
            team.locale = value
        case "quiet", (time() as start, time() as end):
            _change(team, "quiet", Quiet(start=start, end=end))
        case "guests" | "approve_hours", bool():
            _change(team, setting, value)
        case "longest_day", int():
            _change(team, "longest_day_hours", value)
        case "budget", int():
            _change(team, "reminder_budget", value)
        case "reaction", str():
            _change(team, "reaction", value)
        case _:
            raise AssertionError(f"{setting} cannot be {value!r}")


def _change(team: Team, field: str, value: Quiet | bool | int | str) -> None:
    changed = policies_of(team).model_dump() | {field: value}
    store_policies(team, Policies.model_validate(changed))


def _stored(setting: Setting, team: Team) -> str:
    """The present value, for the audit log."""
    policies = policies_of(team)
    match setting:
        case "zone":
            return team.zone
        case "language":
            return team.locale
        case "quiet":
            return f"{policies.quiet.start:%H:%M}-{policies.quiet.end:%H:%M}"
        case "guests":
            return "on" if policies.guests else "off"
        case "longest_day":
            return str(policies.longest_day_hours)
        case "approve_hours":
            return "on" if policies.approve_hours else "off"
        case "budget":
            return str(policies.reminder_budget)
        case "reaction":
            return policies.reaction or "none"


def shown(setting: Setting, team: Team) -> Words:
    """The present value, for people."""
    policies = policies_of(team)
    match setting:
        case "zone":
            return text("teams.value", value=team.zone)
        case "language":
            return text(f"choices.{team.locale}")
        case "quiet" if policies.quiet.start == policies.quiet.end:
            return text("teams.quiet_none")
        case "quiet":
            start, end = f"{policies.quiet.start:%H:%M}", f"{policies.quiet.end:%H:%M}"
            return text("teams.quiet_hours", start=start, end=end)
        case "guests":
            return text("teams.on" if policies.guests else "teams.off")
        case "approve_hours":
            return text("teams.on" if policies.approve_hours else "teams.off")
        case "longest_day":
            return text("teams.longest", span=Duration(seconds=policies.longest_day_hours * 3600))
        case "budget":
            return text("teams.budget", n=policies.reminder_budget)
        case "reaction":
            return _shown_reaction(policies.reaction)


def _shown_reaction(name: str) -> Words:
    if not name:
        return text("teams.reaction_none")
    return text("teams.reaction", sign=SIGN_OF.get(name, f":{name}:"))
