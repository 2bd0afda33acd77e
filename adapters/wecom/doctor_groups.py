"""What the doctor asks of WeCom about groups: the aibot, which is heard and written to there, the
group robots, which ring phones, and the groups that teams have.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping
from urllib.parse import urlsplit

import aiohttp

from adapters.checkups import address, unbound
from adapters.contract import Checkup, DeliveryFailed, Finding, Home
from adapters.reading import Json, read_object
from adapters.wecom.api import WecomApi, WecomRefused
from adapters.wecom.console import BOT, BOTS, LATER, ROBOT, came_in, refused, why_not
from adapters.wecom.line import BotRefused, Line, new_id
from adapters.wecom.setup import LEAD, LongConnection, Setup
from adapters.wecom.socket import SUBSCRIBE, WRONG_SECRET
from adapters.wires import Connect, WebSockets

PATIENCE = 10.0
CLOSE_SECONDS = 1.0

# How the keys of the aibot's events go on behind "bot:", see frames.py.
HEARD: Mapping[str, str] = {"message": "messages", "press": "card presses"}
# https://developer.work.weixin.qq.com/document/path/99110: a message without words is refused,
# and so nobody reads it; with these it was the words that were missed.
NOTHING: Json = {"msgtype": "text", "text": {"content": ""}}
EMPTY = frozenset({44004, 93017})
REMOVED = frozenset({93000, 93004, 93006, 93008})

RobotOf = Callable[[str], str | None]
"""The key of a team's group robot, by the team's name."""


async def examine(
    setup: Setup, api: WecomApi, checkup: Checkup, robot_of: RobotOf, connect: Connect | None
) -> list[Finding]:
    """All findings; see doctor.examine."""
    findings = await _bot(setup, checkup, connect)
    for team, key in setup.webhooks.items():
        findings.append(await _robot(team, key, api, setup.api_url))
    if setup.webhooks and setup.bot is None and not checkup.homes:
        findings.append(_robots_alone())
    for team, key in setup.webhooks.items():
        findings += _team_of_robot(team, key, checkup, robot_of)
    findings += _groups(setup, checkup, robot_of)
    return findings


# --- the aibot -----------------------------------------------------------------------------------


async def _bot(setup: Setup, checkup: Checkup, connect: Connect | None) -> list[Finding]:
    bot = setup.bot
    if bot is None:
        return [
            Finding(
                True,
                "No aibot is set, so nothing is heard in groups: make one at"
                f" {BOTS} → 创建机器人 → 手动创建 → API模式创建 → 使用长连接, and set"
                " WECOM_BOT_ID and WECOM_BOT_SECRET.",
                advice=True,
            )
        ]
    findings = []
    if not isinstance(bot, LongConnection):
        findings.append(_called(setup, checkup))
    elif checkup.led(LEAD):
        findings += [
            Finding(
                True,
                "A running server has the aibot's long connection; it is left alone, for a second"
                " one would end it.",
            ),
            _heard(setup, checkup),
        ]
    else:
        findings += [await _connection(bot, connect), _heard(setup, checkup)]
    if setup.app is None:
        findings.append(
            Finding(
                True,
                "No app is set beside the aibot, so an encrypted id (wo…) stays unresolved: whose"
                " hours and pay it is about cannot be told for sure, and nobody can be written to"
                " who has not written first. Set WECOM_CORP_ID, WECOM_AGENT_ID, WECOM_SECRET,"
                " WECOM_TOKEN and WECOM_ENCODING_AES_KEY.",
                advice=True,
            )
        )
    return findings


# https://developer.work.weixin.qq.com/document/path/101463
async def _connection(bot: LongConnection, connect: Connect | None) -> Finding:
    host = urlsplit(bot.url).netloc
    try:
        await _subscribe_once(bot, connect)
    except BotRefused as refusal:
        return Finding(False, _bot_refused(refusal.code))
    except DeliveryFailed:
        return Finding(
            False, f"{host} takes the connection and does not answer the aibot on it: {LATER}."
        )
    except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
        status = getattr(error, "status", None)
        why = f"{type(error).__name__} {status}" if status else type(error).__name__
        return Finding(False, f"{host} cannot be reached ({why}): let wss:// to it out of here.")
    return Finding(True, "The aibot's long connection works: no public address is needed for it.")


def _bot_refused(code: int) -> str:
    if code != WRONG_SECRET:
        return f"WeCom does not take the aibot's subscription: {refused(code)}."
    return (
        f"WeCom refuses WECOM_BOT_ID or WECOM_BOT_SECRET (errcode {code}): choose 使用长连接 at"
        f" {BOT}, and copy Bot ID and Secret anew from there."
    )


async def _subscribe_once(bot: LongConnection, connect: Connect | None) -> None:
    """As a server does at its start, and out again. Only while no server of ours runs: WeCom ends
    the connection that was. Raises BotRefused, DeliveryFailed, and what connecting raises.
    """
    web = WebSockets()
    try:
        async with asyncio.timeout(PATIENCE):
            line = Line(await (connect or web)(bot.url))
        reading = asyncio.create_task(_read(line))
        try:
            credentials = {"bot_id": bot.bot_id, "secret": bot.secret}
            await line.ask(SUBSCRIBE, credentials, new_id(SUBSCRIBE), PATIENCE)
        finally:
            reading.cancel()
            await asyncio.wait([reading])
            if not reading.cancelled():
                reading.exception()  # looked at: that the line broke is known from what was asked
            await line.close(CLOSE_SECONDS)
    finally:
        await web.close(CLOSE_SECONDS)


async def _read(line: Line) -> None:
    """Acknowledgements only. What somebody says in this very moment is lost, as it would be
    without us: no server is there to hear it.
    """
    try:
        while (text := await line.read()) is not None:
            try:
                said = read_object(text)
            except (ValueError, RecursionError):
                continue
            headers = said.get("headers")
            if not said.get("cmd") and isinstance(headers, dict):
                line.acknowledge(str(headers.get("req_id")), said)
    finally:
        line.end("it was closed")


# https://developer.work.weixin.qq.com/document/path/101033
def _called(setup: Setup, checkup: Checkup) -> Finding:
    """Only WeCom can tell whether it reaches us, when the address is saved."""
    heard, _ = came_in(checkup, "bot", HEARD)
    if heard:
        return _heard(setup, checkup)
    return Finding(
        True,
        f"Nothing has come in from the aibot this week. Enter {address(checkup, '/wecom/bot')} as"
        f" URL at {BOT} → 使用URL回调, with Token and EncodingAESKey as in WECOM_BOT_TOKEN and"
        " WECOM_BOT_ENCODING_AES_KEY, and press 保存 while the server runs;"
        f" then {_write_to_it(setup)}.",
        advice=True,
    )


def _heard(setup: Setup, checkup: Checkup) -> Finding:
    heard, _ = came_in(checkup, "bot", HEARD)
    if heard:
        return Finding(True, f"Came in from the aibot this week: {', '.join(heard)}.")
    return Finding(
        True,
        f"Nothing has come in from the aibot this week: {_write_to_it(setup)}.",
        advice=True,
    )


def _write_to_it(setup: Setup) -> str:
    return (
        "take it into a group (⋯ → 添加成员 → 智能机器人) and write"
        f" `@{setup.bot_name} 帮助` there; its name is to be WECOM_BOT_NAME"
    )


# --- group robots --------------------------------------------------------------------------------


# https://developer.work.weixin.qq.com/document/path/99110
async def _robot(team: str, key: str, api: WecomApi, api_url: str) -> Finding:
    try:
        await api.webhook(key, NOTHING)
    except WecomRefused as refusal:
        if refusal.code in REMOVED:
            return Finding(
                False,
                f"The group robot of {team} was removed or switched off (errcode {refusal.code}):"
                f" make a new one in the team's WeCom group, {ROBOT}, and put what stands behind"
                " key= in its Webhook address into WECOM_WEBHOOKS.",
            )
        if refusal.code not in EMPTY:
            why = refused(refusal.code)
            return Finding(False, f"The group robot of {team} cannot be looked at: {why}.")
    except DeliveryFailed as failed:
        return Finding(False, f"Group robot of {team}: {why_not(failed, api_url)}")
    return Finding(True, f"The group robot of {team} is there.")


def _robots_alone() -> Finding:
    return Finding(
        False,
        "The group robots of WECOM_WEBHOOKS have nothing to say: they speak in a team's home, and a"
        " group becomes one by `team here` to the aibot, of which none is set (WECOM_BOT_ID and"
        " WECOM_BOT_SECRET).",
    )


def _team_of_robot(team: str, key: str, checkup: Checkup, robot_of: RobotOf) -> Iterator[Finding]:
    """Its name is typed by hand; without a team nobody would ever use it."""
    if checkup.teams and key not in {robot_of(one) for one in checkup.teams}:
        yield Finding(
            False,
            f"WECOM_WEBHOOKS has a group robot for {team}, and no team is called that; there are:"
            f" {', '.join(checkup.teams)}.",
        )


# --- groups --------------------------------------------------------------------------------------


def _groups(setup: Setup, checkup: Checkup, robot_of: RobotOf) -> Iterator[Finding]:
    by_bot = isinstance(setup.bot, LongConnection)
    for home in checkup.homes:
        yield _home(home, setup, by_bot=by_bot, by_robot=robot_of(home.team) is not None)
    if setup.bot is None:
        return  # nobody could be heard there
    yield from unbound(checkup, "WeCom", setup.bot_name)


def _home(home: Home, setup: Setup, *, by_bot: bool, by_robot: bool) -> Finding:
    group = f"{home.name or home.chat_id}, home of {home.team},"
    robot = f"add a group robot there ({ROBOT}) and put {home.team}=KEY into WECOM_WEBHOOKS"
    if by_bot and by_robot:
        return Finding(True, f"{group} is written to by the aibot, and rung by its group robot.")
    if by_robot:
        return Finding(True, f"{group} is written to by its group robot.")
    if by_bot:
        return Finding(
            True,
            f"{group} is written to by the aibot, which rings no phones: {robot}.",
            advice=True,
        )
    why = "no aibot is set" if setup.bot is None else "an aibot by callback only answers"
    return Finding(
        False,
        f"{group} cannot be written to, for {why}: {robot}, or choose 使用长连接 at {BOT} and set"
        " WECOM_BOT_ID and WECOM_BOT_SECRET.",
    )
