"""Slack: commands, messages, presses and forms come in over HTTP or Socket Mode, messages go out by
the Web API.

`http` lets in only what Slack signed, `socket` connects by itself, `bolt` is what slack-bolt does
for us; `decode`, `events` and `encode` are pure; `methods`, `limits` and `api` call Slack,
`posting` sends by them; `manifest` and `doctor` are for who sets it up; `adapter` joins them.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from adapters.contract import Adapter, ReaderFor


def make_slack(
    settings: Any, clock: Callable[[], datetime], reader_for: ReaderFor
) -> Adapter | None:
    """The Slack adapter from the settings (bot/settings.py), or None when Slack is off."""
    if settings.slack_bot_token is None:
        return None
    from adapters.slack.adapter import SlackAdapter  # slack-bolt costs a third of a second
    from adapters.slack.api import SlackApi

    app_token = settings.slack_app_token
    api = SlackApi(
        settings.slack_bot_token.get_secret_value(),
        settings.slack_api_url,
        clock,
        app_token.get_secret_value() if app_token else None,
    )
    secrets = settings.signing_secrets()
    return SlackAdapter(api, secrets, clock, reader_for, by_socket=app_token is not None)
