"""WeCom (企业微信): a self-built app, an aibot and group robots as one platform.

`http` lets in only what WeCom signed, `crypto` opens it, `decode` and `frames` read it; `socket`
keeps the aibot's connection; `encode` is pure; `api`, `errcodes` and `limits` call WeCom, `posting`
chooses by what a message goes; `directory` knows who people are; `menu` and `doctor` are for who
sets it up, `setup` is what they made; `adapter` joins them.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from adapters.contract import Adapter, ReaderFor


def make_wecom(
    settings: Any, clock: Callable[[], datetime], reader_for: ReaderFor
) -> Adapter | None:
    """The WeCom adapter from the settings (bot/settings.py), or None when WeCom is off."""
    if not settings.wecom_is_on():
        return None
    from adapters.wecom.adapter import WecomAdapter  # wechatpy and httpx cost a tenth of a second
    from adapters.wecom.setup import App, Callback, LongConnection, Setup

    app: App | None = None
    if settings.wecom_corp_id:
        app = App(
            corp_id=settings.wecom_corp_id,
            agent_id=settings.wecom_agent_id,
            secret=settings.wecom_secret.get_secret_value(),
            token=settings.wecom_token.get_secret_value(),
            aes_key=settings.wecom_encoding_aes_key.get_secret_value(),
        )
    bot: LongConnection | Callback | None = None
    if settings.wecom_bot_id:
        bot = LongConnection(
            url=settings.wecom_bot_ws_url,
            bot_id=settings.wecom_bot_id,
            secret=settings.wecom_bot_secret.get_secret_value(),
        )
    elif settings.wecom_bot_token is not None:
        bot = Callback(
            token=settings.wecom_bot_token.get_secret_value(),
            aes_key=settings.wecom_bot_encoding_aes_key.get_secret_value(),
        )
    setup = Setup(
        api_url=settings.wecom_api_url,
        app=app,
        bot=bot,
        bot_name=settings.wecom_bot_name,
        locale=settings.locale,
        webhooks=settings.wecom_webhook_keys(),
    )
    return WecomAdapter(setup, clock, reader_for)
