"""What an answer of DingTalk's says: done, refused, or nothing that anybody could know.

The newer half of the API answers {"code", "message"} when it refuses, the older half and the
webhooks {"errcode", "errmsg"} always: https://open.dingtalk.com/document/orgapp/api-overview
"""

from __future__ import annotations

from adapters.contract import DeliveryFailed
from adapters.dingtalk.errcodes import BAN_WAIT, IP_BAN, is_known
from adapters.reading import Json, read_object

# What stands between DingTalk and us took too long: DingTalk may have done it all the same.
GATEWAY_TIMEOUT = 504
FORBIDDEN = 403
SERVER_ERROR = 500
# Of the wall in front of the API, to an address that called too often:
# https://open.dingtalk.com/document/orgapp/how-to-process-api-throttling-on-the-dingtalk-server
BAN_STATUS = 1111
# The older half found something wrong with who asks; what it is stands below.
SEE_BELOW = 88


class DingtalkRefused(Exception):
    """DingTalk answered that it did not do `what` (a call: its path). `code` is its word or number
    for why; `scopes` are the permissions that the app lacks, where the answer names them.
    """

    def __init__(self, code: str, what: str, scopes: tuple[str, ...] = ()) -> None:
        super().__init__(code)
        self.code = code
        self.what = what
        self.scopes = scopes


def read(status: int, content: bytes, what: str) -> Json:
    """The body of an answer to `what`.

    Raises DingtalkRefused; DeliveryFailed ("retry", IP_BAN) where the wall in front of the API
    answered, "retry" where a page of something in between says that DingTalk was not asked, and
    "unknown" where it is no answer of the API's either, and DingTalk may have been asked.
    """
    body = _body(content)
    if _is_ban(status, content, body):
        raise DeliveryFailed("retry", IP_BAN, after=BAN_WAIT, scope="platform")
    code = _code(body) if body is not None else None
    if body is None or status == GATEWAY_TIMEOUT or not _is_answer(status, code):
        raise _odd(status, content)
    if code:
        raise DingtalkRefused(code, what, _scopes(body))
    return body


def _body(content: bytes) -> Json | None:
    try:
        return read_object(content.decode("utf-8"))
    except (ValueError, RecursionError):
        return None


def _code(body: Json) -> str | None:
    """ "" where it was done, and None where the body does not say."""
    old = body.get("errcode")
    if isinstance(old, int):
        below = body.get("sub_code")
        if old == SEE_BELOW and isinstance(below, str | int) and below:
            return str(below)
        return str(old) if old else ""
    code = body.get("code")
    return code if isinstance(code, str) and code else None


def _is_answer(status: int, code: str | None) -> bool:
    """Whether the API itself said it: a success by its status, or a refusal by a code. A code that
    nobody knows says nothing when a server stumbled over it.
    """
    if code is None:
        return 200 <= status < 300
    return not code or status < SERVER_ERROR or is_known(code)


def _odd(status: int, content: bytes) -> DeliveryFailed:
    """What nobody of DingTalk's has said. Something in between may have said it after DingTalk took
    the call; but by a page that asks for something else it tells that it let nothing through.
    """
    why = f"an odd answer: HTTP {status}"
    if not _is_page(content) or status >= SERVER_ERROR:
        return DeliveryFailed("unknown", why)
    asks_for_something = status >= 300
    why = f"{why}, and a page: is there a proxy between?"
    return DeliveryFailed("retry" if asks_for_something else "unknown", why)


def _is_ban(status: int, content: bytes, body: Json | None) -> bool:
    """Whether the wall said it: in JSON, or by a page that forbids. Any other page is a proxy's, or
    of a server that has broken down.
    """
    if body is not None:
        return body.get("status") == BAN_STATUS
    return status == FORBIDDEN and _is_page(content)


def _is_page(content: bytes) -> bool:
    return content.lstrip()[:1] == b"<"


def _scopes(body: Json) -> tuple[str, ...]:
    detail = body.get("accessdenieddetail")
    found = detail.get("requiredScopes") if isinstance(detail, dict) else None
    return tuple(str(one) for one in found) if isinstance(found, list) else ()
