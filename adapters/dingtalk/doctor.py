"""What the doctor asks of DingTalk: the app's keys and permissions, the clock, the way in, and the
month's calls; who is written to in groups is doctor_groups.py's, what is pressed doctor_cards.py's.
Each finding names the page and the button that mend it.

Only what says nothing to anybody is called, and no Stream connection is opened: DingTalk would hand
it messages that a running server is to have.
"""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import Mapping, Sequence
from contextlib import suppress
from urllib.parse import SplitResult, urlsplit

from adapters.checkups import address, came_in
from adapters.clocks import clock
from adapters.contract import Checkup, DeliveryFailed, Finding
from adapters.dingtalk import doctor_cards, doctor_groups
from adapters.dingtalk.api import DingtalkApi, DingtalkRefused
from adapters.dingtalk.console import (
    NAMES_SCOPE,
    NEW_ROBOT,
    RELEASE,
    ROBOT,
    SEND_SCOPE,
    apply_for,
    why_not,
)
from adapters.dingtalk.directory import NOBODY, OUT_OF_SIGHT, USER_GET
from adapters.dingtalk.doctor_groups import RobotOf
from adapters.dingtalk.errcodes import Kind, is_alarm, kind_of
from adapters.dingtalk.limits import month_of
from adapters.dingtalk.meter import METERED, SPARE_AT, WARN_AT
from adapters.dingtalk.reading import ACCOUNT, CARD, MESSAGE
from adapters.dingtalk.setup import Setup

SEND = "/v1.0/robot/oToMessages/batchSend"
PATIENCE = 5.0

# Nobody is called that.
NO_ONE = "nobody-is-called-this"
# How events begin their keys.
HEARD: Mapping[str, str] = {MESSAGE: "messages", CARD: "card presses", ACCOUNT: "people who left"}

# How codes begin: https://open.dingtalk.com/document/orgapp/the-robot-sends-a-group-message. All
# but the first are unverified for messages to people.
NO_ROBOT = (
    "invalidParameter.robotCode",
    "resource.not.found",
    "robot.oto.notExist",
    "chatbot",
    "template.",
)
ROBOT_OFF = frozenset({"chatbotId.notAllow.sendOTO", "bot.stopped", "template.stopped"})
Refusal = DingtalkRefused | DeliveryFailed


async def examine(
    setup: Setup,
    api: DingtalkApi,
    checkup: Checkup,
    robot_of: RobotOf,
    subscriptions: Sequence[Mapping[str, str]],
) -> Sequence[Finding]:
    """All findings. `api` is open, `robot_of` tells a team's custom robot, and `subscriptions` are
    what a server asks a Stream connection for.
    """
    findings = await _app(setup, api, checkup, subscriptions)
    findings.append(_heard(setup, checkup))
    buttons = await doctor_cards.examine(setup, api, may_ask=findings[0].fine)
    findings += [buttons] if buttons is not None else []
    findings.append(_calls(setup, checkup))
    findings += await doctor_groups.examine(setup, api, checkup, robot_of)
    return findings


async def _app(
    setup: Setup,
    api: DingtalkApi,
    checkup: Checkup,
    subscriptions: Sequence[Mapping[str, str]],
) -> list[Finding]:
    """The keys first: while they are wrong nothing else can be asked."""
    error = await _names(api)
    findings = list(clock(api.headers, checkup.now, "DingTalk", "signed message"))
    if error is not None and not _is_about_names(error):
        return [Finding(False, why_not(error, setup.api_url, [NAMES_SCOPE])), *findings]
    taken = "DingTalk takes DINGTALK_CLIENT_ID and DINGTALK_CLIENT_SECRET."
    findings = [Finding(True, taken), *findings]
    if isinstance(error, DingtalkRefused):
        findings.append(_no_names(error))
    findings.append(await _robot(setup, api))
    if setup.mode == "stream":
        findings.append(await _stream(setup, api, subscriptions))
    return findings


# --- what it may do ------------------------------------------------------------------------------


async def _names(api: DingtalkApi) -> Refusal | None:
    """Ask about nobody, which costs nothing: None when DingTalk would have told of somebody."""
    try:
        await api.ask_old(USER_GET, {"userid": NO_ONE})
    except DingtalkRefused as refused:
        told = refused.code in NOBODY or refused.code == OUT_OF_SIGHT
        return None if told else refused
    except DeliveryFailed as failed:
        return failed
    return None


def _is_about_names(error: Refusal) -> bool:
    """Whether it is this one call that DingTalk refuses; then the token is good."""
    if isinstance(error, DeliveryFailed) or is_alarm(error.code, error.what):
        return False
    return kind_of(error.code) in (Kind.PERMISSION, Kind.DEAD)


def _no_names(refused: DingtalkRefused) -> Finding:
    return Finding(
        True,
        f"The app may not read what people are called ({refused.code}), so those whom a message"
        f" mentions are known by their ids: {apply_for(refused.scopes or [NAMES_SCOPE])}.",
        advice=True,
    )


# https://open.dingtalk.com/document/orgapp/chatbots-send-one-on-one-chat-messages-in-batches
async def _robot(setup: Setup, api: DingtalkApi) -> Finding:
    """A message to nobody: one of the month's calls, and nobody reads it."""
    body = {
        "robotCode": setup.robot_code,
        "userIds": [NO_ONE],
        "msgKey": "sampleText",
        "msgParam": json.dumps({"content": "?"}),
    }
    try:
        await api.call("POST", SEND, body)
    except DingtalkRefused as refused:
        if kind_of(refused.code) is not Kind.UNREACHABLE:
            return Finding(False, _robot_refused(refused, setup))
    except DeliveryFailed as failed:
        return Finding(False, why_not(failed, setup.api_url, ()))
    return Finding(True, "The app's robot is there, and may write to people and groups.")


def _robot_refused(refused: DingtalkRefused, setup: Setup) -> str:
    code = refused.code
    if code in ROBOT_OFF:
        return (
            f"The app's robot is switched off or not published ({code}): press 发布 at {ROBOT}, and"
            f" publish the app at {RELEASE}."
        )
    if not code.startswith(NO_ROBOT):
        return why_not(refused, setup.api_url, [SEND_SCOPE])
    if setup.robot_code != setup.client_id:
        return (
            f"DINGTALK_ROBOT_CODE is no robot of this app ({code}): leave it empty, or copy"
            f" RobotCode from {ROBOT}."
        )
    return (
        f"The app has no robot yet ({code}): add one at {NEW_ROBOT}, press 发布, and publish the"
        f" app at {RELEASE}."
    )


# --- the way in ----------------------------------------------------------------------------------


# https://open.dingtalk.com/document/orgapp/stream
async def _stream(
    setup: Setup, api: DingtalkApi, subscriptions: Sequence[Mapping[str, str]]
) -> Finding:
    """Whether DingTalk would open a connection, and whether its host can be reached from here."""
    try:
        url = urlsplit(await api.open_stream(subscriptions))
    except (DingtalkRefused, DeliveryFailed) as error:
        return Finding(False, f"No Stream connection: {why_not(error, setup.api_url, ())}")
    try:
        await _reach(url)
    except (OSError, TimeoutError, ValueError) as error:
        return Finding(
            False,
            f"{url.netloc} cannot be reached ({type(error).__name__}): let wss:// to it out of"
            " here.",
        )
    return Finding(True, "Stream is ready: no public address is needed for it.")


async def _reach(url: SplitResult) -> None:
    """As far as the door: the ticket is not used."""
    secure = ssl.create_default_context() if url.scheme == "wss" else None
    port = url.port or (443 if secure else 80)
    async with asyncio.timeout(PATIENCE):
        _, writer = await asyncio.open_connection(url.hostname, port, ssl=secure)
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()


def _heard(setup: Setup, checkup: Checkup) -> Finding:
    """Only DingTalk can tell whether it reaches us: what came in shows it."""
    heard = came_in(checkup, HEARD)
    if checkup.heard(f"{MESSAGE}:"):
        return Finding(True, f"Came in this week: {', '.join(heard)}.")
    page = f"{ROBOT} → 消息接收模式"
    if setup.mode == "stream":
        todo = f"choose Stream模式 at {page}"
    else:
        # The secret is known to whoever set it.
        entered = address(checkup, "/dingtalk/robot/********")
        todo = (
            f"enter {entered} as 消息接收地址 at {page} → HTTP模式, with DINGTALK_HTTP_PATH in"
            " place of the stars"
        )
    return Finding(
        True,
        f"No messages have come in this week: {todo}, press 发布, publish the app at {RELEASE}, and"
        f" write 帮助 to the robot, or `@{setup.bot_name} 帮助` in a group that it is in.",
        advice=True,
    )


# --- the month -----------------------------------------------------------------------------------


# https://open.dingtalk.com/document/orgapp/invocation-frequency-limit
def _calls(setup: Setup, checkup: Checkup) -> Finding:
    """What we counted ourselves; other apps of the organisation use up the same number."""
    month = month_of(checkup.now)
    made, allowed = checkup.calls(month).get(METERED, 0), setup.monthly_calls
    if not allowed:
        return Finding(True, f"{made:,} calls were made in {month}; nobody counts them.")
    used = f"{made:,} of the organisation's {allowed:,} calls in {month} are used"
    if made * 100 < allowed * WARN_AT:
        return Finding(True, f"{used}.")
    mended = "there are more with 钉钉专业版 (set DINGTALK_MONTHLY_CALLS then)"
    if made < allowed:
        few = ", and digests and groups wait already" if made * 100 >= allowed * SPARE_AT else ""
        return Finding(
            True,
            f"{used}{few}; after the last one DingTalk takes no messages before the 1st: {mended}.",
            advice=True,
        )
    return Finding(
        False,
        f"{used}, all there are, and DingTalk takes no messages before the 1st: {mended}.",
    )
