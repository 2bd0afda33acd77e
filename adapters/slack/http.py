"""The guard at the door: what Slack did not sign, is not fresh or cannot be read stays outside.

https://docs.slack.dev/authentication/verifying-requests-from-slack
It is stricter than slack-bolt's own check, which parses before it verifies, answers 500 to an odd
timestamp or signature, and logs bodies.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl

from adapters.contract import Rejected, Request
from adapters.reading import read_object

LARGEST_BODY = 1024 * 1024
FRESH_SECONDS = 300
MOST_FIELDS = 64

_TIMESTAMP = re.compile(r"[0-9]{1,12}", re.ASCII)


def admit(request: Request, secrets: Sequence[str]) -> dict[str, Any]:
    """The payload of a request that Slack signed with one of `secrets` at most 300 s ago.

    Raises Rejected: 405 for anything but POST, 413 for a body over 1 MiB, 401 when the signature or
    its time is missing, wrong or stale, 400 when the body cannot be read.
    """
    if request.method != "POST":
        raise Rejected(405, "only POST is understood here")
    if len(request.body) > LARGEST_BODY:
        raise Rejected(413, "the body is larger than 1 MiB")
    _verify(request, secrets, request.now)
    return _parse(request.headers.get("content-type", ""), request.body)


def _verify(request: Request, secrets: Sequence[str], now: datetime) -> None:
    stamp = request.headers.get("x-slack-request-timestamp", "")
    if not _TIMESTAMP.fullmatch(stamp):
        raise Rejected(401, "the timestamp is missing or no whole number")
    if abs(int(now.timestamp()) - int(stamp)) > FRESH_SECONDS:
        raise Rejected(401, "the timestamp is too old or lies in the future")
    signature = request.headers.get("x-slack-signature", "")
    if not signature.isascii():
        raise Rejected(401, "the signature is not ASCII")
    signed = b"v0:" + stamp.encode() + b":" + request.body
    given, genuine = signature.encode(), False
    for secret in secrets:
        digest = hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()
        # No early end, so that the time taken says nothing about which secret is in use.
        genuine |= hmac.compare_digest(f"v0={digest}".encode(), given)
    if not genuine:
        raise Rejected(401, "the signature is missing or wrong")


def _parse(content_type: str, body: bytes) -> dict[str, Any]:
    """A form's fields, a form's JSON `payload`, or JSON: commands, presses and events."""
    kind = content_type.split(";", 1)[0].strip().lower()
    try:
        text = body.decode("utf-8")
        if kind == "application/json":
            return read_object(text)
        if kind == "application/x-www-form-urlencoded":
            fields = _fields(text)
            if "payload" in fields and "command" not in fields:
                return read_object(fields["payload"])
            return fields
    except (ValueError, RecursionError) as error:
        # The error's text may quote the body, so only its kind is passed on.
        raise Rejected(400, f"the body cannot be read: {type(error).__name__}") from None
    raise Rejected(400, "the content type is neither a form nor JSON")


def _fields(text: str) -> dict[str, Any]:
    pairs = parse_qsl(
        text,
        keep_blank_values=True,
        strict_parsing=True,
        errors="strict",
        max_num_fields=MOST_FIELDS,
    )
    fields = dict(pairs)
    if not fields or len(fields) != len(pairs):
        raise ValueError("no field at all, or one stands twice")
    return fields
