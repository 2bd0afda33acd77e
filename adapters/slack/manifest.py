"""The app's manifest: what to paste into Slack so that everything the code handles is switched on.

Made from the tables that the code itself goes by, so it can name neither more nor less.
https://docs.slack.dev/reference/app-manifest
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any
from urllib.parse import quote

import yaml

from adapters.slack import events
from adapters.slack.decode import ANY_VERB, SHORTCUTS
from adapters.slack.methods import METHODS
from bot.messages import Words, text

Json = dict[str, Any]
Say = Callable[[Words], str]
"""Words in the language of the manifest."""

# Slash commands and the verbs they stand for. One appears as soon as the bot knows its verb.
SLASH_COMMANDS: Mapping[str, str] = {
    "/checkin": "checkin",
    "/checkout": "checkout",
    "/assign": "assign",
    "/tasks": "tasks",
    "/ask": "ask",
    "/queries": "queries",
    "/pay": "pay",
    ANY_VERB: "help",
}

# What Slack asks for each event: https://docs.slack.dev/reference/events
EVENT_SCOPES: Mapping[str, tuple[str, ...]] = {
    "app_home_opened": (),
    "app_mention": ("app_mentions:read",),
    "app_uninstalled": (),
    "member_joined_channel": ("channels:read", "groups:read"),
    "message.channels": ("channels:history",),
    "message.groups": ("groups:history",),
    "message.im": ("im:history",),
    "reaction_added": ("reactions:read",),
    "team_join": ("users:read",),
    "tokens_revoked": (),
    "user_change": ("users:read",),
}

CREATE = "https://api.slack.com/apps?new_app=1&manifest_yaml="


def bot_events() -> list[str]:
    """The events to subscribe to: messages come by the kind of channel."""
    kinds = {one for one in (*events.EVENTS, *events.ENDS_TOKEN) if one != "message"}
    return sorted(kinds | {name for name in EVENT_SCOPES if name.startswith("message.")})


def scopes() -> list[str]:
    """The bot's scopes: for commands, for the methods we call, for the events we hear."""
    wanted = {"commands"}
    for method in METHODS.values():
        wanted.update(method.scopes)
    for event in bot_events():
        wanted.update(EVENT_SCOPES[event])
    return sorted(wanted)


def manifest(say: Say, verbs: Collection[str], url: str | None = None) -> Json:
    """The manifest, for Socket Mode, or with `url` (the bot's public address) for HTTP.

    `verbs` are the commands that the bot knows.
    """
    request_url = f"{url.rstrip('/')}/slack/events" if url else None
    at = {"request_url": request_url} if request_url else {}
    return {
        "_metadata": {"major_version": 2, "minor_version": 1},
        "display_information": {
            "name": "Banzhang",
            "description": say(text("slack.manifest.description")),
            "background_color": "#1f4e79",
        },
        "features": {
            "app_home": {
                "home_tab_enabled": True,
                "messages_tab_enabled": True,
                "messages_tab_read_only_enabled": False,
            },
            "bot_user": {"display_name": "banzhang", "always_online": True},
            "shortcuts": [_shortcut(say, one) for one in SHORTCUTS],
            "slash_commands": [
                _slash_command(say, command, verb, request_url)
                for command, verb in SLASH_COMMANDS.items()
                if verb in verbs
            ],
        },
        "oauth_config": {"scopes": {"bot": scopes()}},
        "settings": {
            "event_subscriptions": {**at, "bot_events": bot_events()},
            "interactivity": {"is_enabled": True, **at},
            "org_deploy_enabled": False,
            "socket_mode_enabled": request_url is None,
            "token_rotation_enabled": False,
        },
    }


def _shortcut(say: Say, callback_id: str) -> Json:
    """https://docs.slack.dev/interactivity/implementing-shortcuts"""
    return {
        "name": say(text(f"slack.manifest.shortcut.{callback_id}")),
        "type": "message",
        "callback_id": callback_id,
        "description": say(text(f"slack.manifest.shortcut_does.{callback_id}")),
    }


def _slash_command(say: Say, command: str, verb: str, url: str | None) -> Json:
    """should_escape: mentions come as ids, so nobody has to be guessed."""
    return {
        "command": command,
        **({"url": url} if url else {}),
        "description": say(text(f"slack.manifest.command.{verb}")),
        "usage_hint": say(text(f"slack.manifest.hint.{verb}")),
        "should_escape": True,
    }


def dumped(made: Json) -> str:
    """As YAML, in the order in which Slack's page shows it."""
    return yaml.safe_dump(made, sort_keys=False, allow_unicode=True, width=1000)


def one_click(made: Json) -> str:
    """The link that opens Slack's "Create an app" with the manifest filled in."""
    return CREATE + quote(dumped(made), safe="")
