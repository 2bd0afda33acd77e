"""Slack: slash commands, buttons and forms come in over HTTP, messages go out by the Web API.

`http` lets in only what Slack signed, `bolt` is what slack-bolt does for us, `decode` and `encode`
are pure, `api` calls Slack, `adapter` joins them.
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

    return SlackAdapter(
        bot_token=settings.slack_bot_token.get_secret_value(),
        signing_secrets=settings.signing_secrets(),
        api_url=settings.slack_api_url,
        clock=clock,
        reader_for=reader_for,
    )
