"""What Socket Mode puts around a request: the envelope, its acknowledgement, its second try.

https://docs.slack.dev/apis/events-api/using-socket-mode
"""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qsl
from uuid import uuid4

from tests.platforms.slack_model import Json
from tests.platforms.slack_requests import FORM, JSON, SignedRequest


def envelope_for(request: SignedRequest) -> Json:
    """A new envelope around what this request carries; the signature stays behind."""
    kind, payload = _carried(request)
    envelope: Json = {"payload": payload, "envelope_id": str(uuid4()), "type": kind}
    envelope["accepts_response_payload"] = kind != "events_api"
    if kind == "events_api":
        headers = request.headers
        envelope["retry_attempt"] = int(headers.get("X-Slack-Retry-Num", "0"))
        # "timeout" here is what "http_timeout" is to a request.
        reason = headers.get("X-Slack-Retry-Reason", "")
        envelope["retry_reason"] = reason.removeprefix("http_")
    return envelope


def _carried(request: SignedRequest) -> tuple[str, Json]:
    content_type = request.headers.get("Content-Type")
    if content_type == FORM:
        fields = dict(parse_qsl(request.body.decode(), keep_blank_values=True))
        if "payload" in fields and "command" not in fields:
            return "interactive", json.loads(fields["payload"])
        if "command" in fields:
            return "slash_commands", fields
    if content_type == JSON:
        body: Any = json.loads(request.body)
        if isinstance(body, dict) and body.get("type") == "event_callback":
            return "events_api", body
    raise AssertionError(f"Socket Mode knows no such request: {request.body[:200]!r}")
