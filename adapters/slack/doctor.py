"""What the doctor asks of Slack: token, scopes, clock, Socket Mode, what has been heard, and
whether the bot is in the teams' channels. Each finding names the page and the button that mend it.
"""

from __future__ import annotations

from urllib.parse import urlsplit

import aiohttp

from adapters.clocks import clock
from adapters.contract import Checkup, DeliveryFailed, Finding, Home
from adapters.slack.api import BAD_TOKEN, SlackApi, SlackRefused, Told
from adapters.slack.manifest import scopes
from adapters.slack.socket import NEEDS_A_PERSON, opened_url

APP = "api.slack.com/apps, your app"
LATER = "Try again in a while; slack-status.com says whether Slack itself is in trouble."
# How events begin their keys, and where Slack switches them on.
HEARD = {
    "command": "slash commands",
    "message": "messages and mentions",
    "press": "buttons",
    "shortcut": "message shortcuts",
    "reaction": "reactions",
    "page": "the App Home",
}


async def examine(api: SlackApi, checkup: Checkup, *, by_socket: bool) -> list[Finding]:
    """All findings, the token's first: without it the others cannot be had."""
    try:
        told = await api.ask("auth.test", {}, quietly=True)
    except SlackRefused as refused:
        return [Finding(False, _token_refused(refused))]
    except DeliveryFailed as failed:
        return [Finding(False, f"Slack cannot be asked about SLACK_BOT_TOKEN: {failed.why}.")]
    who, where = told.body.get("user", "?"), told.body.get("team", "?")
    findings = [Finding(True, f"Slack takes the token: the bot is {who} in {where}.")]
    findings.append(_scopes(told))
    findings += clock(told.headers, checkup.now, "Slack", "request")
    if by_socket:
        findings.append(await _socket(api))
    else:
        findings.append(_over_http(checkup))
    findings.append(_heard(checkup))
    findings += [await _home(api, home, str(who)) for home in checkup.homes]
    return findings


def _token_refused(refused: SlackRefused) -> str:
    if refused.code not in BAD_TOKEN:
        return f"Slack does not answer about SLACK_BOT_TOKEN: {refused}. {LATER}"
    where = f"{APP}, OAuth & Permissions, Bot User OAuth Token"
    return f"Slack refuses SLACK_BOT_TOKEN ({refused}); copy it anew from {where}."


# https://docs.slack.dev/authentication/tokens: every answer names the scopes of its token.
def _scopes(told: Told) -> Finding:
    granted = {one.strip() for one in told.headers.get("x-oauth-scopes", "").split(",")}
    missing = [one for one in scopes() if one not in granted]
    if not missing:
        return Finding(True, "The bot has all the scopes it needs.")
    return Finding(
        False,
        f"Scopes are missing: {', '.join(missing)}. Add them at {APP}, OAuth & Permissions, Bot"
        " Token Scopes (or paste the output of `banzhang slack manifest` under App Manifest), then"
        " press Reinstall to Workspace.",
    )


async def _socket(api: SlackApi) -> Finding:
    """Whether Slack would open a connection, and whether its host can be reached from here.

    None is opened: a running bot's Slack would hand it payloads that nobody answers.
    """
    try:
        url = await opened_url(lambda method, arguments: api.call(method, arguments, quietly=True))
    except SlackRefused as refused:
        return Finding(False, _socket_refused(refused))
    except DeliveryFailed as failed:
        return Finding(False, f"Socket Mode cannot be tried: {failed.why}.")
    host = urlsplit(url)
    scheme = "https" if host.scheme == "wss" else "http"
    try:
        async with api.session.head(f"{scheme}://{host.netloc}/"):
            return Finding(True, "Socket Mode is ready: no public address is needed.")
    except (aiohttp.ClientError, OSError, TimeoutError) as error:
        why = type(error).__name__
        return Finding(
            False, f"{host.hostname} cannot be reached ({why}): let wss:// to it out of here."
        )


def _socket_refused(refused: SlackRefused) -> str:
    if refused.code == "missing_scope":
        return (
            "SLACK_APP_TOKEN lacks connections:write. Make a new one at"
            f" {APP}, Basic Information, App-Level Tokens, Generate Token and Scopes."
        )
    if refused.code == "socket_mode_not_enabled":
        return f"Socket Mode is off: switch on {APP}, Socket Mode, Enable Socket Mode."
    if refused.code not in NEEDS_A_PERSON:
        return f"Slack does not answer about SLACK_APP_TOKEN: {refused}. {LATER}"
    return (
        f"Slack refuses SLACK_APP_TOKEN ({refused}); copy it anew from {APP}, Basic Information,"
        " App-Level Tokens: it begins with xapp- and has connections:write."
    )


def _over_http(checkup: Checkup) -> Finding:
    """Only Slack can tell whether it reaches us, when the address is saved."""
    address = checkup.base_url.rstrip("/") or "https://your.address"
    return Finding(
        True,
        f"Slack is to call {address}/slack/events: {APP}, Event Subscriptions, Request URL (it says"
        " Verified), and the same under Interactivity & Shortcuts and Slash Commands.",
    )


def _heard(checkup: Checkup) -> Finding:
    """Subscriptions cannot be asked for; what came in shows which there are."""
    heard = [words for kind, words in HEARD.items() if checkup.heard(f"{kind}:")]
    silent = [words for kind, words in HEARD.items() if not checkup.heard(f"{kind}:")]
    if not heard:
        return Finding(True, "Nothing has come in from Slack yet: type /banzhang help there.")
    if not silent:
        return Finding(True, "Everything that Slack can send has come in this week.")
    return Finding(
        True,
        f"Came in this week: {', '.join(heard)}. Did not: {', '.join(silent)}. If somebody has"
        f" tried, look at {APP}, Event Subscriptions, Subscribe to bot events, and Interactivity &"
        " Shortcuts.",
    )


# https://docs.slack.dev/reference/methods/conversations.info
async def _home(api: SlackApi, home: Home, bot: str) -> Finding:
    name = f"#{home.name}" if home.name else home.chat_id
    try:
        found = await api.call("conversations.info", {"channel": home.chat_id}, quietly=True)
    except SlackRefused as refused:
        if refused.code != "channel_not_found":
            why = f"{name}, home of {home.team}, cannot be looked at: {refused}."
            return Finding(False, why)
        return Finding(
            False,
            f"{name}, home of {home.team}, cannot be seen: it is private or deleted. Type"
            f" /invite @{bot} there, or make another channel its home with /banzhang team here.",
        )
    except DeliveryFailed as failed:
        return Finding(False, f"{name}, home of {home.team}, cannot be looked at: {failed.why}.")
    channel = found.get("channel")
    told = channel if isinstance(channel, dict) else {}
    if told.get("is_archived"):
        return Finding(
            False,
            f"{name}, home of {home.team}, is archived: unarchive it, or make another channel its"
            " home with /banzhang team here.",
        )
    if not told.get("is_member"):
        return Finding(
            False, f"The bot is not in {name}, home of {home.team}: type /invite @{bot} there."
        )
    return Finding(True, f"The bot is in {name}, home of {home.team}.")
