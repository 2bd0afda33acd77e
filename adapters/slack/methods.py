"""The methods of Slack's Web API that we call: their scopes, and how often they may be called.

https://docs.slack.dev/reference/methods and https://docs.slack.dev/apis/web-api/rate-limits
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class Method(NamedTuple):
    """`scopes` are the bot's (all of them); `a_minute` is the tier: calls per workspace."""

    scopes: tuple[str, ...] = ()
    a_minute: int | None = None
    as_form: bool = False
    """Slack takes JSON only where it is written: https://docs.slack.dev/apis/web-api#methods"""
    by_app: bool = False
    """Called with the app-level token, which has scopes of its own."""


# Slack allows "generous bursts" above a tier; staying at the tier is always within it.
TIER_1, TIER_2, TIER_3, TIER_4 = 1, 20, 50, 100
HISTORIES = ("channels:history", "groups:history", "im:history")

METHODS: Mapping[str, Method] = {
    "apps.connections.open": Method(by_app=True),
    "auth.test": Method(),
    "chat.postEphemeral": Method(("chat:write",), TIER_4),
    # Its limit is per channel, about one a second; "several hundred a minute" for the workspace.
    "chat.postMessage": Method(("chat:write",), 300),
    "chat.update": Method(("chat:write",), TIER_3),
    "conversations.history": Method(HISTORIES, TIER_3, as_form=True),
    "conversations.info": Method(("channels:read", "groups:read"), TIER_3, as_form=True),
    "conversations.open": Method(("im:write",), TIER_3),
    "conversations.replies": Method(HISTORIES, TIER_3, as_form=True),
    "files.completeUploadExternal": Method(("files:write",), TIER_4, as_form=True),
    "files.getUploadURLExternal": Method(("files:write",), TIER_4, as_form=True),
    "users.info": Method(("users:read",), TIER_4, as_form=True),
    "views.open": Method((), TIER_4),
    "views.publish": Method((), TIER_4),
}
"""Nothing else is called: api.py knows no other method, and the manifest asks for these scopes."""
