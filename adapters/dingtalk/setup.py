"""What is set up of DingTalk: an internal app with its robot, and robots of single groups."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import urlsplit

from bot.messages import Locale

# The standard edition's: https://open.dingtalk.com/document/orgapp/invocation-frequency-limit
MONTHLY_CALLS = 10_000

# Where DingTalk itself answers: https://open.dingtalk.com/document/orgapp/robot-overview
_WEBHOOK_HOSTS = ("oapi.dingtalk.com", "api.dingtalk.com", "oapi.dingtalk.io", "api.dingtalk.io")


@dataclass(frozen=True, slots=True)
class Robot:
    """A custom robot of one group, which only writes, and mentions people so that phones ring.

    https://open.dingtalk.com/document/robots/custom-robot-access
    """

    token: str = field(repr=False)
    secret: str = field(default="", repr=False)
    """What it signs with; "" for one that goes by a keyword or an address instead."""


@dataclass(frozen=True, slots=True)
class Setup:
    """An internal app (企业内部应用) that has a robot: https://open-dev.dingtalk.com"""

    api_url: str
    client_id: str
    client_secret: str = field(repr=False)
    robot_code: str = ""
    """What sends; an internal app's robot goes by its client id."""
    mode: Literal["stream", "http"] = "stream"
    http_secret: str = field(default="", repr=False)
    """The last part of the path that DingTalk calls in http mode."""
    card_template_id: str = ""
    bot_name: str = "班长"
    robots: dict[str, Robot] = field(default_factory=dict, repr=False)
    """By the name of their team."""
    monthly_calls: int = MONTHLY_CALLS
    """What the organisation may call in a month; 0 where nobody counts."""
    locale: Locale = "zh_CN"
    """What somebody reads of whom nothing is known."""

    @property
    def old_api_url(self) -> str:
        """Where the older half of the API is: oapi.dingtalk.com for api.dingtalk.com; a proxy or a
        stand-in has both in one place.
        """
        parts = urlsplit(self.api_url)
        if not parts.netloc.startswith("api.dingtalk."):
            return self.api_url
        return f"{parts.scheme}://o{parts.netloc}"

    @property
    def webhook_hosts(self) -> frozenset[str]:
        """The hosts to which an answer may be posted: an address that comes in with a message is
        believed for no other.
        """
        return frozenset((*_WEBHOOK_HOSTS, urlsplit(self.api_url).netloc))
