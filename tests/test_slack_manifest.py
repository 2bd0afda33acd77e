"""The manifest switches on in Slack exactly what the code handles and calls: no more, no less."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import yaml

import handlers
from adapters.slack import decode, events, manifest
from adapters.slack.api import SlackApi, SlackRefused
from adapters.slack.methods import METHODS
from bot import app
from bot.messages import LOCALES, Locale
from bot.verbs import Verbs, words_of
from bot.words import reader_for
from tests.platforms import slack_scopes
from tests.platforms.slack import StandInSlack

ROOT = Path(__file__).parent.parent
PAYLOADS = Path(__file__).parent / "payloads" / "slack"
URL = "https://banzhang.example.org"
NAMES = frozenset(command.name for command in handlers.COMMANDS)
# What users are promised that Slack offers (`/banzhang VERB …` for all the rest).
PROMISED = ["/checkin", "/checkout", "/assign", "/tasks", "/ask", "/queries", "/pay", "/banzhang"]

# https://docs.slack.dev/reference/events: each event's page names the scopes it needs.
SCOPES_OF_EVENTS = {
    "app_home_opened": set(),
    "app_mention": {"app_mentions:read"},
    "app_uninstalled": set(),
    "member_joined_channel": {"channels:read", "groups:read"},
    "message.channels": {"channels:history"},
    "message.groups": {"groups:history"},
    "message.im": {"im:history"},
    "reaction_added": {"reactions:read"},
    "team_join": {"users:read"},
    "tokens_revoked": set(),
    "user_change": {"users:read"},
}
# https://docs.slack.dev/reference/methods: the bot token's scopes.
SCOPES_OF_METHODS = {
    "auth.test": set(),
    "chat.postEphemeral": {"chat:write"},
    "chat.postMessage": {"chat:write"},
    "chat.update": {"chat:write"},
    # Of public and private channels and direct messages; a bot is in no group direct message.
    "conversations.history": {"channels:history", "groups:history", "im:history"},
    "conversations.info": {"channels:read", "groups:read"},
    "conversations.open": {"im:write"},
    "conversations.replies": {"channels:history", "groups:history", "im:history"},
    "files.completeUploadExternal": {"files:write"},
    "files.getUploadURLExternal": {"files:write"},
    "users.info": {"users:read"},
    "views.open": set(),
    "views.publish": set(),
}


@pytest.fixture(params=LOCALES)
def locale(request: pytest.FixtureRequest) -> Locale:
    """The manifest is in the language of the deployment."""
    found: Locale = request.param
    return found


def cases() -> list[dict[str, Any]]:
    """The payload files, each with the event it becomes."""
    files = (file for file in PAYLOADS.glob("*.json") if file.name != "signatures.json")
    return [json.loads(file.read_text(encoding="utf-8")) for file in files]


def made(locale: Locale, url: str | None = None) -> dict[str, Any]:
    """The manifest as Slack reads it."""
    _link, written = app.slack_manifest(locale, url)
    found = yaml.safe_load(written)
    assert isinstance(found, dict)
    return found


# --- commands and shortcuts -----------------------------------------------------------------------


def test_the_commands_are_those_of_the_bot(locale: Locale) -> None:
    """A command whose verb does not exist yet is not offered; it comes by itself with its verb."""
    offered = [one["command"] for one in made(locale)["features"]["slash_commands"]]
    assert list(manifest.SLASH_COMMANDS) == PROMISED
    assert offered == [one for one in PROMISED if manifest.SLASH_COMMANDS[one] in NAMES]
    assert {"/checkin", "/checkout", "/ask", "/queries", "/banzhang"} <= set(offered)
    everything = manifest.manifest(str, set(manifest.SLASH_COMMANDS.values()))
    assert [one["command"] for one in everything["features"]["slash_commands"]] == PROMISED


def typed(command: str, words: str = "") -> str:
    """What the router reads of a slash command."""
    fields = {"command": command, "text": words, "team_id": "T1", "trigger_id": "1.2.3"}
    fields |= {"user_id": "U1", "user_name": "wang", "channel_id": "C1", "channel_name": "rooms"}
    event = decode.decode(fields, datetime.now(UTC))
    assert event is not None
    return event.text


@pytest.mark.parametrize("words", ["", "and so on", "Q1", "@li"])
def test_each_command_is_understood_as_its_verb(words: str) -> None:
    verbs = Verbs(handlers.COMMANDS)
    for command, verb in manifest.SLASH_COMMANDS.items():
        if verb not in NAMES or command == decode.ANY_VERB:
            continue
        match = verbs.match(typed(command, words))
        assert match is not None
        assert verb in [one.name for one in match.commands]
        assert match.rest == words


def test_the_command_for_all_the_rest_takes_every_verb() -> None:
    verbs = Verbs(handlers.COMMANDS)
    help_alone = verbs.match(typed(decode.ANY_VERB))
    assert help_alone is not None
    assert [one.name for one in help_alone.commands] == [manifest.SLASH_COMMANDS[decode.ANY_VERB]]
    for command in handlers.COMMANDS:
        for word in words_of(command.name):
            match = verbs.match(typed(decode.ANY_VERB, word))
            assert match is not None, word
            assert command.name in [one.name for one in match.commands]


def test_the_shortcuts_are_those_of_the_bot(locale: Locale) -> None:
    offered = made(locale)["features"]["shortcuts"]
    assert [one["callback_id"] for one in offered] == list(decode.SHORTCUTS)
    assert set(decode.SHORTCUTS.values()) <= NAMES
    assert {one["type"] for one in offered} == {"message"}
    shown = [case["payload"] for case in cases() if case["event"]]
    tried = {one["callback_id"] for one in shown if one.get("type") == "message_action"}
    assert tried == set(decode.SHORTCUTS)


# --- events ---------------------------------------------------------------------------------------

CHANNEL_TYPES = {"channel": "channels", "group": "groups", "im": "im"}


def test_the_events_are_those_that_are_handled(locale: Locale) -> None:
    handled = {*events.EVENTS, *events.ENDS_TOKEN}
    subscribed = made(locale)["settings"]["event_subscriptions"]["bot_events"]
    assert {one.partition(".")[0] for one in subscribed} == handled
    assert {one for one in subscribed if one.startswith("message.")} == {
        f"message.{one}" for one in CHANNEL_TYPES.values()
    }
    assert len(subscribed) == len(set(subscribed)) == len(handled) + len(CHANNEL_TYPES) - 1


def test_each_event_has_a_payload_that_shows_what_becomes_of_it() -> None:
    shown = set()
    for case in cases():
        inner = case["payload"].get("event", {})
        kind = inner.get("type")
        place = CHANNEL_TYPES.get(inner.get("channel_type"))
        shown.add(f"message.{place}" if kind == "message" and place else kind)
    assert set(manifest.bot_events()) <= shown


# --- scopes ---------------------------------------------------------------------------------------


def test_only_methods_that_are_called_are_known_and_all_of_them() -> None:
    """What stands quoted beside a call in the source is what is called."""
    called = set()
    for file in (ROOT / "adapters" / "slack").glob("*.py"):
        if file.name not in ("methods.py", "manifest.py"):
            source = file.read_text(encoding="utf-8")
            called |= set(re.findall(r'(?:call|ask|send)\(\s*"([a-z]+\.[A-Za-z.]+)"', source))
    assert called == set(METHODS)


def test_the_scopes_are_those_of_the_methods_and_the_events(locale: Locale) -> None:
    by_bot = {name: set(one.scopes) for name, one in METHODS.items() if not one.by_app}
    assert by_bot == SCOPES_OF_METHODS
    assert set(manifest.bot_events()) == set(SCOPES_OF_EVENTS)
    needed = set[str]({"commands"}).union(*SCOPES_OF_METHODS.values(), *SCOPES_OF_EVENTS.values())
    wanted = made(locale)["oauth_config"]["scopes"]
    assert list(wanted) == ["bot"], "nothing is done in the name of a person"
    assert wanted["bot"] == sorted(needed) == manifest.scopes()


@pytest.fixture
def slack() -> Iterator[StandInSlack]:
    """A workspace where the app has just what the manifest asks for."""
    with StandInSlack(scopes=manifest.scopes()) as standin:
        standin.add_user("U1", "wang")
        standin.add_channel("C1", "teachers", ["U1"])
        standin.add_channel("G1", "leads", ["U1"], private=True)
        yield standin


def calls(slack: StandInSlack) -> list[tuple[str, dict[str, Any]]]:
    """Every method as the bot may come to call it: wherever a message may be."""
    places = ("C1", "G1", slack.direct("U1"))
    return [
        (method, {"channel": place, "user": "U1", "ts": "1.2", "text": "x", "users": "U1"})
        for method, known in METHODS.items()
        if not known.by_app
        for place in (places[:2] if method == "conversations.info" else places)
    ]


async def outcomes(slack: StandInSlack) -> dict[str, set[str]]:
    """What Slack answers to each method: "" where it does it."""
    api = SlackApi(slack.token, slack.api_url, lambda: datetime.now(UTC))
    await api.open(learn=False)
    found: dict[str, set[str]] = {}
    for method, arguments in calls(slack):
        said = found.setdefault(method, set())
        try:
            await api.call(method, arguments)
        except SlackRefused as refused:
            said.add(refused.code)
        else:
            said.add("")
    await api.close()
    return found


async def test_with_these_scopes_slack_never_says_that_one_is_missing(slack: StandInSlack) -> None:
    found = await outcomes(slack)
    assert set(found) == set(SCOPES_OF_METHODS)
    assert not [method for method, said in found.items() if "missing_scope" in said]


async def test_without_any_one_of_them_it_does(slack: StandInSlack) -> None:
    """So none is asked for that the methods need not, but for commands and the events'."""
    for scope in set().union(*SCOPES_OF_METHODS.values()):
        slack.scopes.discard(scope)
        found = await outcomes(slack)
        lacking = {method for method, said in found.items() if "missing_scope" in said}
        assert lacking == {one for one, scopes in SCOPES_OF_METHODS.items() if scope in scopes}
        slack.scopes.add(scope)


def test_what_the_stand_in_grants_by_default_is_the_manifest() -> None:
    """Else tests would show a bot that no installed app could be."""
    assert set(slack_scopes.USUAL) == set(manifest.scopes())


# --- what Slack takes -----------------------------------------------------------------------------


@pytest.mark.parametrize("url", [None, URL])
def test_it_keeps_within_slacks_limits(locale: Locale, url: str | None) -> None:
    """https://docs.slack.dev/reference/app-manifest"""
    found = manifest.manifest(str, NAMES | set(manifest.SLASH_COMMANDS.values()))
    assert len(found["features"]["slash_commands"]) <= 50
    found = made(locale, url)
    assert found["_metadata"] == {"major_version": 2, "minor_version": 1}
    assert 1 <= len(found["display_information"]["name"]) <= 35
    assert 1 <= len(found["display_information"]["description"]) <= 140
    assert re.fullmatch("#[0-9a-f]{6}", found["display_information"]["background_color"])
    features = found["features"]
    assert re.fullmatch("[a-z0-9._-]{1,80}", features["bot_user"]["display_name"])
    assert len(features["shortcuts"]) <= 10
    for one in features["shortcuts"]:
        assert 1 <= len(one["name"]) <= 24
        assert 1 <= len(one["callback_id"]) <= 255
        assert 1 <= len(one["description"]) <= 150
    for one in features["slash_commands"]:
        assert re.fullmatch("/[a-z]{1,31}", one["command"])
        assert 1 <= len(one["description"]) <= 140
        assert 1 <= len(one["usage_hint"]) <= 1000
        assert one["should_escape"] is True, "else mentions come as bare names"
    assert len(found["settings"]["event_subscriptions"]["bot_events"]) <= 100


def strings(inside: Any) -> Iterator[str]:
    if isinstance(inside, dict):
        inside = list(inside.values())
    if isinstance(inside, list):
        for one in inside:
            yield from strings(one)
    elif isinstance(inside, str):
        yield inside


def test_every_word_of_it_is_in_the_catalogues(locale: Locale) -> None:
    everything = manifest.manifest(
        reader_for(locale, "UTC", datetime.now(UTC)).plain, manifest.SLASH_COMMANDS.values()
    )
    assert not [one for one in strings(everything) if one.startswith("slack.")]


# --- the two ways to be reached -------------------------------------------------------------------


def test_by_socket_mode_no_address_stands_anywhere(locale: Locale) -> None:
    found = made(locale)
    assert found["settings"]["socket_mode_enabled"] is True
    assert found["settings"]["interactivity"] == {"is_enabled": True}
    assert not [one for one in strings(found) if "://" in one]
    written = yaml.safe_dump(found)
    assert "url:" not in written


@pytest.mark.parametrize("url", [URL, f"{URL}/", f"{URL}//"])
def test_over_http_the_address_stands_in_each_place(locale: Locale, url: str) -> None:
    found = made(locale, url)
    settings, address = found["settings"], f"{URL}/slack/events"
    assert settings["socket_mode_enabled"] is False
    assert settings["event_subscriptions"]["request_url"] == address
    assert settings["interactivity"] == {"is_enabled": True, "request_url": address}
    commands = found["features"]["slash_commands"]
    assert {one["url"] for one in commands} == {address}
    assert len([one for one in strings(found) if "://" in one]) == len(commands) + 2


@pytest.mark.parametrize("url", [None, "https://" + "a" * 63 + ".example.org"])
def test_the_link_carries_the_very_manifest(locale: Locale, url: str | None) -> None:
    link, written = app.slack_manifest(locale, url)
    split = urlsplit(link)
    assert (split.scheme, split.netloc, split.path) == ("https", "api.slack.com", "/apps")
    assert not split.fragment
    carried = parse_qs(split.query, strict_parsing=True)
    assert carried == {"new_app": ["1"], "manifest_yaml": [written]}
    assert len(link) < 8000, "browsers and proxies cut longer ones"
    assert link.isascii()
