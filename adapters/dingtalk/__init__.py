"""DingTalk (钉钉): an internal app's robot, by Stream or over HTTP, and robots of single groups.

`socket` keeps the Stream connections, `http` lets in only what DingTalk signed; `decode` reads what
came, `encode` writes what goes, both pure; `api`, `errcodes`, `limits` and `batches` call DingTalk,
`posting` chooses by what a message goes; `directory` knows who people are; `doctor` is for who sets
it up, `setup` is what they made; `adapter` joins them.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from adapters.contract import Adapter, ReaderFor


def make_dingtalk(
    settings: Any, clock: Callable[[], datetime], reader_for: ReaderFor
) -> Adapter | None:
    """The DingTalk adapter from the settings (bot/settings.py), or None when DingTalk is off."""
    if not settings.dingtalk_client_id:
        return None
    from adapters.dingtalk.adapter import DingtalkAdapter  # httpx and aiohttp take their time
    from adapters.dingtalk.setup import Robot, Setup

    path = settings.dingtalk_http_path
    setup = Setup(
        api_url=settings.dingtalk_api_url,
        client_id=settings.dingtalk_client_id,
        client_secret=settings.dingtalk_client_secret.get_secret_value(),
        robot_code=settings.dingtalk_robot_code or settings.dingtalk_client_id,
        mode=settings.dingtalk_mode,
        http_secret=path.get_secret_value() if path is not None else "",
        card_template_id=settings.dingtalk_card_template_id,
        bot_name=settings.dingtalk_bot_name,
        robots={
            team: Robot(token, secret)
            for team, (token, secret) in settings.dingtalk_robots().items()
        },
        monthly_calls=settings.dingtalk_monthly_calls,
        locale=settings.locale,
    )
    return DingtalkAdapter(setup, clock, reader_for)
