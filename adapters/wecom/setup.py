"""What is set up of WeCom: any of a self-built app, an aibot, and group robots."""

from __future__ import annotations

from dataclasses import dataclass, field

from bot.messages import Locale

LEAD = "wecom.bot"
"""What the one process does that holds the aibot's connection."""


@dataclass(frozen=True, slots=True)
class App:
    """A self-built app: https://developer.work.weixin.qq.com/document/path/90664"""

    corp_id: str
    agent_id: int
    secret: str = field(repr=False)
    token: str = field(repr=False)
    aes_key: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class LongConnection:
    """An aibot that we connect to: https://developer.work.weixin.qq.com/document/path/101463"""

    url: str
    bot_id: str
    secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Callback:
    """An aibot that calls us: https://developer.work.weixin.qq.com/document/path/101033"""

    token: str = field(repr=False)
    aes_key: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Setup:
    """What is set up of WeCom; `webhooks` are the keys of group robots by team."""

    api_url: str
    app: App | None = None
    bot: LongConnection | Callback | None = None
    bot_name: str = "班长"
    webhooks: dict[str, str] = field(default_factory=dict, repr=False)
    locale: Locale = "zh_CN"
    """What somebody reads of whom nothing is known."""
