"""The guard at the door of http mode: who does not know the app's secret stays outside.

https://open.dingtalk.com/document/orgapp/receive-message
The signature covers the time and nothing else: with one that was seen, anybody can post any body
while it is fresh. So the path holds a secret too, the time is short, and what comes in is not
trusted where much hangs on it.
"""

from __future__ import annotations

import hmac
import re

from adapters.contract import Rejected, Request
from adapters.dingtalk.setup import Setup
from adapters.dingtalk.signing import sign
from adapters.reading import Json, read_object

PATH = "/dingtalk/robot/"
LARGEST_BODY = 256 * 1024
# DingTalk itself allows an hour.
FRESH_SECONDS = 300

_TIMESTAMP = re.compile(r"[0-9]{10,14}", re.ASCII)


def path_of(setup: Setup) -> str:
    """The path that DingTalk is to call; "" where it is to call none."""
    return f"{PATH}{setup.http_secret}" if setup.mode == "http" and setup.http_secret else ""


def admit(request: Request, setup: Setup) -> Json:
    """The message in a request of DingTalk's: a JSON object.

    Raises Rejected: 404 for any other path, 405 for anything but POST, 413 for a body over 256 KiB,
    401 when the signature or its time (milliseconds) is missing, wrong or more than 300 s away, 400
    when the body cannot be read.
    """
    ours = path_of(setup)
    if not ours or not hmac.compare_digest(_bytes(request.path), _bytes(ours)):
        raise Rejected(404, "nothing of DingTalk's is here")
    if request.method != "POST":
        raise Rejected(405, "only POST is understood here")
    if len(request.body) > LARGEST_BODY:
        raise Rejected(413, "the body is larger than 256 KiB")
    _verify(request, setup.client_secret)
    try:
        return read_object(request.body.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        # The error's text may quote the body, so only its kind is passed on.
        raise Rejected(400, f"the body cannot be read: {type(error).__name__}") from None


def _verify(request: Request, secret: str) -> None:
    timestamp = request.headers.get("timestamp", "")
    if not _TIMESTAMP.fullmatch(timestamp):
        raise Rejected(401, "the timestamp is missing or no whole number")
    if abs(request.now.timestamp() - int(timestamp) / 1000) > FRESH_SECONDS:
        raise Rejected(401, "the timestamp is too old or lies in the future")
    given = request.headers.get("sign", "")
    if not hmac.compare_digest(_bytes(given), _bytes(sign(secret, timestamp))):
        raise Rejected(401, "the signature is missing or wrong")


def _bytes(given: str) -> bytes:
    """Texts can be compared without telling where they differ only where they are ASCII."""
    return given.encode("utf-8", "replace")
