"""How DingTalk says no: the new API by a code, whatever the HTTP status, the old one by an errcode.

https://open.dingtalk.com/document/development/server-api-error-codes-1 (codes of the new API)
https://open.dingtalk.com/document/orgapp/error-code (errcodes of the old one)
https://open.dingtalk.com/document/orgapp/invocation-frequency-limit (limits)

Whoever reads the status instead of the code takes a limit, which passes, for a missing permission,
which does not: both are HTTP 403.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]

QPS = "Forbidden.AccessDenied.QpsLimitForAppkeyAndApi"
QUOTA = "Forbidden.AccessDenied.ApiCountLimitForOrg"
PERMISSION = "Forbidden.AccessDenied.AccessTokenPermissionDenied"
BAD_TOKEN = "InvalidAuthentication"
BAD_SECRET = "invalidClientIdOrSecret"

# A comment marks what nobody has seen or written down: the status or the words are a guess.
KNOWN: dict[str, tuple[int, str]] = {
    QPS: (403, "您的服务器调用钉钉开放平台当前接口的QPS超出限制"),
    "Forbidden.AccessDenied.QpsLimitForApi": (403, "当前接口的QPS超出限制"),
    QUOTA: (403, "当前组织的API调用量已超出限制"),
    PERMISSION: (403, "应用尚未开通所需的权限"),
    "Forbidden.AccessDenied.IpNotInWhiteList": (403, "访问ip不在白名单之中"),  # a guess
    BAD_TOKEN: (400, "不合法的access_token"),
    BAD_SECRET: (400, "无效的clientId或者clientSecret"),
    "Missingbody": (400, "body is mandatory for this action."),
    "InvalidAction.NotFound": (
        404,
        "Specified api is not found, please check your url and method.",
    ),
    "authFailed": (401, "鉴权失败"),
    "system.busy": (500, "系统繁忙"),
    "ServiceUnavailable": (503, "服务暂不可用"),  # a guess
    # The robot's: https://open.dingtalk.com/document/orgapp/the-robot-sends-a-group-message
    "staffId.notExisted": (400, "员工ID不存在"),
    "resource.not.found": (400, "robot 不存在"),
    "chatbotId.notAllow.sendOTO": (400, "机器人不允许发送单聊消息"),
    "invalidParameter.robotCode.empty": (400, "机器人robotCode为空"),
    "invalidParameter.robotCode.auth": (400, "当前应用的appkey与机器人robotCode不匹配"),
    "invalidParameter.robotCode.notExsit": (400, "机器人不存在"),
    "invalidParameter.userIds.empty": (400, "用户userId列表为空"),
    "invalidParameter.userIds.overMax": (400, "用户userId列表超过最大限制"),
    "invalidParameter.openConversationId.invalid": (400, "无效的openConversationId"),  # a guess
    "invalidParameter.msgKey.empty": (400, "缺少msgKey"),
    "invalidParameter.msgKey.invalid": (400, "msgKey无效"),
    "invalidParameter.msgParam.invalid": (400, "msgParam必须为json格式"),
    "invalidParameter.msgParam.tooLong": (400, "msgParam长度超过限制"),  # a guess
    "invalidParameter.param.invalid": (400, "参数不合法"),
    "bot.stopped": (400, "群机器人已经停用"),
}

ERRMSGS: dict[int, str] = {
    -1: "系统繁忙",
    40014: "不合法的access_token",
    40035: "缺少参数 json",
    43004: "无效的HTTP HEADER Content-Type",  # from memory, as 40035 is
    60011: "没有调用该接口的权限",
    60121: "找不到该用户",
    90018: "您的服务器调用钉钉开放平台当前接口的QPS超出限制",
    90030: "webhook调用次数超出限制",
    130101: "send too fast, exceed 20 times per minute",
    300001: "session 不存在",
    300005: "token is not exist",
    310000: "sign not match",
    400105: "unsupported msgtype",  # a guess
    460101: "message too long, exceed 20000 bytes",  # a guess
}

IP_BAN: Json = {
    "status": 1111,
    "wait": 5,
    "source": "x5",
    "punish": "deny",
    "uuid": "b0c5a0f4c5d84c1d",
}
"""What stands in place of an API's answer for five minutes after 10,000 calls in 20 seconds."""


@dataclass
class Refusal(Exception):
    """The new API's: an HTTP status, and a body with a code."""

    code: str
    message: str = ""
    status: int = 0
    more: Json = field(default_factory=dict)

    def answer(self, request_id: str) -> tuple[int, Json]:
        known = KNOWN.get(self.code, (400, self.code))  # a card's codes are their own messages
        body = {
            "code": self.code,
            "requestid": request_id,
            "message": self.message or known[1],
            **_more(self.code),
            **self.more,
        }
        return self.status or known[0], body


@dataclass
class OldRefusal(Exception):
    """The old API's, always with HTTP 200. `sub_code`: of its gate, which stands before topapi."""

    errcode: int
    errmsg: str = ""

    def answer(self, request_id: str, of_gate: bool = False) -> tuple[int, Json]:
        errmsg = self.errmsg or ERRMSGS.get(self.errcode, "refused")
        if not of_gate:
            return 200, {"errcode": self.errcode, "errmsg": errmsg}
        return 200, {
            "errcode": 88,
            "sub_code": str(self.errcode),
            "sub_msg": errmsg,
            "errmsg": f"ding talk error[subcode={self.errcode},submsg={errmsg}]",
            "request_id": request_id,
        }


def _more(code: str) -> Json:
    if code != PERMISSION:
        return {}
    return {"accessdenieddetail": {"requiredScopes": ["Contact.User.Read"]}}
