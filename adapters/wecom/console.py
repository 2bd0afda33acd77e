"""Where things stand in WeCom's management console, and what to do there when WeCom says no.

The sentences are English, as all of the command line's; the console's own words are Chinese, as
they are on its pages. No secret stands in any of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

from adapters.contract import Checkup, DeliveryFailed
from adapters.wecom.api import WecomRefused
from adapters.wecom.errcodes import Kind, kind_of

CONSOLE = "work.weixin.qq.com/wework_admin"
CORP = f"{CONSOLE}, 我的企业 → 企业信息"
APP = f"{CONSOLE}, 应用管理 → your app"
BOTS = f"{CONSOLE}, 安全与管理 → 管理工具 → 智能机器人"
BOT = f"{BOTS} → your bot → API设置"
ROBOT = "⋯ → 消息推送 (formerly 群机器人) → 添加"
"""In the group itself, in WeCom's client."""
LATER = "try again in a while"
NO_APP = (
    "No app is set for WeCom: set WECOM_CORP_ID, WECOM_AGENT_ID, WECOM_SECRET, WECOM_TOKEN and"
    f" WECOM_ENCODING_AES_KEY ({CONSOLE}, 应用管理 → 创建应用)."
)

UNTRUSTED = 60020

# https://developer.work.weixin.qq.com/document/path/90313
_CORP = f"WeCom knows no corp of WECOM_CORP_ID: copy it anew from {CORP} → 企业ID"
_SECRET = f"WeCom refuses WECOM_SECRET: copy it anew from {APP} → Secret → 查看"
_AGENT = (
    "WECOM_AGENT_ID and WECOM_SECRET are not of one app:"
    f" copy both from the same page, {APP}, AgentId and Secret"
)
OFF = f"The app is switched off: switch it on at {APP}, 启用"
_SAID = {
    40013: _CORP,
    41002: _CORP,
    40001: _SECRET,
    40091: _SECRET,
    41004: _SECRET,
    45031: _SECRET,
    40056: _AGENT,
    301002: _AGENT,
    48006: f"WeCom took the app's rights away since nobody used it: switch it on anew at {APP}",
    50003: OFF,
}
_PASSING = frozenset({Kind.RETRY, Kind.TOKEN, Kind.RATE})


def why_not(error: WecomRefused | DeliveryFailed, api_url: str) -> str:
    """One sentence for a call of the app's that failed: what it was, and where to see to it."""
    if isinstance(error, DeliveryFailed):
        return (
            f"WeCom's API gives no answer ({error.why}): let https:// to"
            f" {urlsplit(api_url).netloc} out of here; where it is, {LATER}."
        )
    if error.code == UNTRUSTED:
        return _untrusted(error.ip)
    if error.code in _SAID:
        return f"{_SAID[error.code]} (errcode {error.code})."
    return f"WeCom refuses {error.what}: {refused(error.code)}."


def refused(code: int) -> str:
    """What can be said of any code."""
    if kind_of(code) in _PASSING:
        return f"errcode {code}; {LATER}"
    return f"errcode {code}, see open.work.weixin.qq.com/devtool/query?e={code}"


def _untrusted(ip: str | None) -> str:
    """The page takes an address only after 接收消息 or 可信域名 was saved."""
    seen = f" {ip}," if ip else ""
    return (
        f"WeCom does not trust the address{seen} that this machine calls from (errcode"
        f" {UNTRUSTED}): enter it at {APP} → 企业可信IP → 配置; that opens once 接收消息 →"
        " 设置API接收 is saved there."
    )


def came_in(checkup: Checkup, way: str, kinds: Mapping[str, str]) -> tuple[list[str], list[str]]:
    """What has come in by "app" or "bot" this week, and what has not: `kinds` are the words for
    what follows in the events' keys.
    """
    heard = [kind for kind in kinds if checkup.heard(f"{way}:{kind}:")]
    return [kinds[kind] for kind in heard], [kinds[kind] for kind in kinds if kind not in heard]
