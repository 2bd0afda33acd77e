"""WeCom's way to say no: HTTP 200 with an errcode.

https://developer.work.weixin.qq.com/document/path/90313
"""

from __future__ import annotations

ERRMSGS = {
    -1: "system busy",
    40001: "invalid credential",
    40006: "invalid media size",
    40007: "invalid media_id",
    40008: "invalid message type",
    40013: "invalid corpid",
    40014: "invalid access_token",
    40032: "invalid userid list size",
    40056: "invalid agentid",
    40058: "invalid Request Parameter",
    41001: "access_token missing",
    41002: "corpid missing",
    41004: "corpsecret missing",
    41011: "agentid missing",
    42001: "access_token expired",
    42014: "invalid task_id",
    42018: "invalid button key",
    42019: "button key missing",
    42020: "button text missing",
    42022: "code has been used",
    43001: "require GET method",
    43002: "require POST method",
    43012: "callback url not set",
    44001: "empty media data",
    44004: "empty content",
    45001: "media size out of limit",
    45009: "api freq out of limit",
    46003: "menu not exist",
    47001: "data format error",
    50003: "agent is disabled",
    60011: "no privilege to access/modify contact/party/agent",
    60020: "not allow to access from your ip",
    60111: "userid not found",
    81013: "user & party & tag all invalid",
    82001: "empty user & party & tag",
    93000: "invalid webhook url",
    301002: "not allow operate another agent with this accesstoken",
}


class Refusal(Exception):
    def __init__(self, errcode: int, detail: str = "") -> None:
        known = ERRMSGS.get(errcode, "refused")
        self.errcode = errcode
        self.errmsg = f"{detail}. {known}" if detail else known
        super().__init__(f"{errcode}: {self.errmsg}")


def errmsg_in_full(errcode: int, errmsg: str, caller: str, hint: str) -> str:
    """As the API words it, the address of the caller included."""
    more = f"https://open.work.weixin.qq.com/devtool/query?e={errcode}"
    return f"{errmsg}, hint: [{hint}], from ip: {caller}, more info at {more}"
