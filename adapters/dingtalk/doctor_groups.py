"""What the doctor asks of DingTalk about groups: the custom robots, which ring phones, and the
groups that teams have.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from adapters.checkups import unbound
from adapters.contract import Checkup, DeliveryFailed, Finding, Home
from adapters.dingtalk.api import DingtalkApi, DingtalkRefused
from adapters.dingtalk.console import GROUP_ROBOT, refused, why_not
from adapters.dingtalk.errcodes import Kind, kind_of
from adapters.dingtalk.setup import Robot, Setup
from adapters.reading import Json

# https://open.dingtalk.com/document/robots/custom-robot-access: a message without words is refused
# (400202, which was seen and is in no list), and so nobody reads it.
NOTHING: Json = {"msgtype": "text", "text": {"content": ""}}
# Seen of a token that is none, and in no list.
NO_TOKEN = "300005"  # noqa: S105 - a code
# https://open.dingtalk.com/document/robots/customize-robot-security-settings
UNSAFE = "310000"
LOOK_LATER = frozenset({Kind.RETRY, Kind.RATE, Kind.QUOTA})

RobotOf = Callable[[str], Robot | None]
"""A team's custom robot, by the team's name."""


async def examine(
    setup: Setup, api: DingtalkApi, checkup: Checkup, robot_of: RobotOf
) -> list[Finding]:
    """All findings; see doctor.examine."""
    findings = []
    for team, robot in setup.robots.items():
        findings.append(await _robot(team, robot, api, checkup, setup.old_api_url))
    for team, robot in setup.robots.items():
        findings += _team_of_robot(team, robot, checkup, robot_of)
    findings += _groups(setup, checkup, robot_of)
    return findings


# --- custom robots -------------------------------------------------------------------------------


async def _robot(
    team: str, robot: Robot, api: DingtalkApi, checkup: Checkup, api_url: str
) -> Finding:
    try:
        await api.by_robot(robot, NOTHING, checkup.now)
    except DingtalkRefused as refusal:
        return _refused(team, robot, refusal.code)
    except DeliveryFailed as failed:
        return Finding(False, f"Custom robot of {team}: {why_not(failed, api_url, ())}")
    return _is_there(team)


def _refused(team: str, robot: Robot, code: str) -> Finding:
    if code == UNSAFE:
        return _unsafe(team, robot)
    kind = kind_of(code)
    if code == NO_TOKEN or kind is Kind.GONE_GROUP:
        return Finding(
            False,
            f"The custom robot of {team} was removed or switched off ({code}): make a new one in"
            f" the team's DingTalk group, {GROUP_ROBOT}, and put what stands behind access_token="
            " in its Webhook address, and its secret, into DINGTALK_WEBHOOKS.",
        )
    if kind in LOOK_LATER:
        return Finding(False, f"The custom robot of {team} cannot be looked at: {refused(code)}.")
    return _is_there(team)  # it is the words that were missed


def _unsafe(team: str, robot: Robot) -> Finding:
    """Without a secret it may be a keyword that was missed, and messages may have it."""
    where = "at its 安全设置 in the group"
    if robot.secret:
        return Finding(
            False,
            f"The custom robot of {team} does not take the signature ({UNSAFE}): copy the secret"
            f" (SEC…) {where} anew into DINGTALK_WEBHOOKS, and choose nothing but 加签 there.",
        )
    return Finding(
        True,
        f"The custom robot of {team} takes only what has its keyword in it, or comes from addresses"
        f" that it knows ({UNSAFE}): choose 加签 {where}, and put {team}=TOKEN:SEC… into"
        " DINGTALK_WEBHOOKS.",
        advice=True,
    )


def _is_there(team: str) -> Finding:
    return Finding(True, f"The custom robot of {team} is there.")


def _team_of_robot(
    team: str, robot: Robot, checkup: Checkup, robot_of: RobotOf
) -> Iterator[Finding]:
    """Its name is typed by hand; without a team nobody would ever use it."""
    if checkup.teams and robot not in [robot_of(one) for one in checkup.teams]:
        yield Finding(
            False,
            f"DINGTALK_WEBHOOKS has a custom robot for {team}, and no team is called that; there"
            f" are: {', '.join(checkup.teams)}.",
        )


# --- groups --------------------------------------------------------------------------------------


def _groups(setup: Setup, checkup: Checkup, robot_of: RobotOf) -> Iterator[Finding]:
    for home in checkup.homes:
        yield _home(home, setup, rings=robot_of(home.team) is not None)
    yield from unbound(checkup, "DingTalk", setup.bot_name)


def _home(home: Home, setup: Setup, *, rings: bool) -> Finding:
    """`rings`: it has a custom robot."""
    group = f"{home.name or home.chat_id}, home of {home.team}, is written to by the app's robot"
    if rings:
        return Finding(True, f"{group}, and rung by its custom robot.")
    if setup.card_template_id:
        return Finding(True, f"{group}, whose cards ring phones.")
    return Finding(
        True,
        f"{group}, which rings no phones: reminders are only shown there, without a real @. Add a"
        f" custom robot there ({GROUP_ROBOT}) and put {home.team}=TOKEN:SEC… into"
        " DINGTALK_WEBHOOKS.",
        advice=True,
    )
