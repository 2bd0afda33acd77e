"""The requests by which DingTalk calls a robot in HTTP mode: signed, and wrong on purpose.

https://open.dingtalk.com/document/orgapp/receive-message
The signature covers the timestamp and nothing of the body.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TypedDict, Unpack

from tests.platforms.dingtalk_model import Json, Org
from tests.platforms.dingtalk_webhooks import signed


class Knobs(TypedDict, total=False):
    """What to send differently, or wrongly."""

    timestamp: int | str  # milliseconds
    secret: str  # to sign with
    sign: str
    raw_body: bytes  # instead of the payload
    method: str


@dataclass(frozen=True)
class SignedRequest:
    method: str
    headers: dict[str, str]
    body: bytes
    payload: Json = field(compare=False, repr=False)


def signed_request(org: Org, payload: Json, **knobs: Unpack[Knobs]) -> SignedRequest:
    """A message to the robot, to be posted to the address that its developer gave."""
    timestamp = str(knobs.get("timestamp", int(org.now() * 1000)))
    sign = knobs.get("sign", signed(knobs.get("secret", org.client_secret), timestamp))
    headers = {
        "Content-Type": "application/json; charset=utf-8",
        "timestamp": timestamp,
        "sign": sign,
    }
    body = knobs.get("raw_body", json.dumps(payload, ensure_ascii=False).encode())
    return SignedRequest(knobs.get("method", "POST"), headers, body, payload)
