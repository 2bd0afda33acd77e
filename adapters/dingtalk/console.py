"""Where things stand in DingTalk's developer console, and what to do there when DingTalk says no.

The sentences are English, as all of the command line's; the console's own words are Chinese, as
they are on its pages. No secret stands in any of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlsplit

from adapters.contract import DeliveryFailed
from adapters.dingtalk.api import DingtalkRefused
from adapters.dingtalk.errcodes import IP_BAN, Kind, is_alarm, kind_of

CONSOLE = "open-dev.dingtalk.com"
APP = f"{CONSOLE}, 应用开发 → 企业内部应用 → your app"
CREDENTIALS = f"{APP} → 凭证与基础信息"
ROBOT = f"{APP} → 机器人"
NEW_ROBOT = f"{APP} → 添加应用能力 → 机器人"
SCOPES = f"{APP} → 权限管理"
ADDRESSES = f"{APP} → 安全设置 → 服务器出口IP"
RELEASE = f"{APP} → 版本管理与发布 → 创建新版本"
CARDS = f"{CONSOLE}, 卡片平台"
GROUP_ROBOT = "群设置 → 机器人 → 添加机器人 → 自定义, 安全设置 → 加签"
"""In the group itself, in DingTalk's client."""
LATER = "try again in a while"
CODES = "open.dingtalk.com/document/orgapp/server-api-error-codes-1"

# What the app needs, by the names that 权限管理 finds.
SEND_SCOPE = "qyapi_robot_sendmsg"
NAMES_SCOPE = "qyapi_get_member"
CARD_SCOPE = "Card.Instance.Write"

# https://open.dingtalk.com/document/orgapp/server-api-error-codes-1
NOT_LISTED = frozenset({"Forbidden.AccessDenied.IpNotInWhiteList", "60020"})
_SECRET = (
    "DingTalk refuses DINGTALK_CLIENT_ID or DINGTALK_CLIENT_SECRET: copy Client ID and Client"
    f" Secret anew from {CREDENTIALS}, both of the same app"
)
_ADDRESS = (
    "DingTalk takes no calls from the address that this machine calls from: enter it, or nothing at"
    f" all, at {ADDRESSES}"
)
# https://open.dingtalk.com/document/orgapp/how-to-process-api-throttling-on-the-dingtalk-server
_BANNED = (
    "DingTalk does not listen to this machine's address for 5 minutes, for too many calls came from"
    f" it (whoever shares it counts, too): {LATER}"
)
_QUOTA = (
    "The organisation's calls of this month are used up, and DingTalk takes no messages before the"
    " 1st (of Beijing): it has more with 钉钉专业版"
)
_PASSING = frozenset({Kind.RETRY, Kind.TOKEN, Kind.RATE})


def why_not(error: DingtalkRefused | DeliveryFailed, api_url: str, needs: Sequence[str]) -> str:
    """One sentence for a call that failed: what it was, and where to see to it. `needs` are the
    permissions that the call takes, for where DingTalk does not name them.
    """
    if isinstance(error, DeliveryFailed):
        return _no_answer(error, api_url)
    code, kind = error.code, kind_of(error.code)
    if code in NOT_LISTED:
        return f"{_ADDRESS} ({code})."
    if is_alarm(code, error.what):
        return f"{_SECRET} ({code})."
    if kind is Kind.PERMISSION:
        return f"The app lacks a permission: {apply_for(error.scopes or needs)} ({code})."
    if kind is Kind.QUOTA:
        return f"{_QUOTA} ({code})."
    return f"DingTalk refuses {error.what}: {refused(code)}."


def _no_answer(failed: DeliveryFailed, api_url: str) -> str:
    if failed.why == IP_BAN:
        return f"{_BANNED}."
    return (
        f"DingTalk's API gives no answer ({failed.why}): let https:// to {urlsplit(api_url).netloc}"
        f" out of here; where it is, {LATER}."
    )


def refused(code: str) -> str:
    """What can be said of any code."""
    if kind_of(code) in _PASSING:
        return f"{code}; {LATER}"
    return f"{code}, see {CODES}"


def apply_for(scopes: Sequence[str]) -> str:
    """What to do for permissions, by their names."""
    return f"search for {', '.join(scopes)} at {SCOPES}, and press 申请权限"
