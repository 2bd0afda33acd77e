"""The inbound requests, byte for byte as Slack makes them. Nothing here touches the network.

A test in one process, or a benchmark, takes a `SignedRequest` and needs no HTTP at all.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from collections.abc import Mapping
from typing import Any, NamedTuple, TypedDict, Unpack
from urllib.parse import urlencode

from tests.platforms import slack_elements
from tests.platforms.slack_api import WebApi
from tests.platforms.slack_model import Channel, Json, Message, View, Workspace
from tests.platforms.slack_text import encode_typed

FORM = "application/x-www-form-urlencoded"
JSON = "application/json"
# Sent by Slack to this day, deprecated, and never to be trusted.
VERIFICATION_TOKEN = "xyzz0WbapA4vBCDEFasx0q6G"


class SignedRequest(NamedTuple):
    headers: dict[str, str]
    body: bytes


class Knobs(TypedDict, total=False):
    """What a test may turn. `trigger_id` repeats an earlier request's ticket."""

    timestamp: int | str
    secret: str
    signature: str | None  # None leaves the header out
    trigger_id: str
    headers: dict[str, str]


def signed_headers(body: bytes | str, secret: str, timestamp: int | str) -> dict[str, str]:
    """https://docs.slack.dev/authentication/verifying-requests-from-slack"""
    raw = body.encode() if isinstance(body, str) else body
    base = b"v0:" + str(timestamp).encode() + b":" + raw
    digest = hmac.new(secret.encode(), base, hashlib.sha256).hexdigest()
    return {"X-Slack-Request-Timestamp": str(timestamp), "X-Slack-Signature": f"v0={digest}"}


class RequestBuilder:
    def __init__(self, workspace: Workspace, api: WebApi, signing_secret: str) -> None:
        self.workspace = workspace
        self.api = api
        self.signing_secret = signing_secret

    # https://docs.slack.dev/interactivity/implementing-slash-commands
    def request_for_command(
        self,
        user: str,
        command: str,
        text: str = "",
        channel: str | None = None,
        *,
        escape: bool = True,
        **knobs: Unpack[Knobs],
    ) -> SignedRequest:
        """`escape` is the manifest's should_escape; without it the text goes out as typed."""
        w, place = self.workspace, self.place(user, channel)
        fields = {
            "token": VERIFICATION_TOKEN,
            "team_id": w.team_id,
            "team_domain": w.team_domain,
            "channel_id": place.id,
            "channel_name": place.name_on_the_wire,
            "user_id": user,
            "user_name": w.users[user].name,
            "command": command,
            "text": encode_typed(text, w) if escape else text,
            "api_app_id": w.app_id,
            "is_enterprise_install": "false",
            "response_url": self._response_url("commands", user, place.id),
            "trigger_id": w.issue_trigger(user, knobs.get("trigger_id")),
        }
        return self.sign(urlencode(fields).encode(), FORM, **knobs)

    # https://docs.slack.dev/reference/interaction-payloads/block_actions-payload
    def request_for_press(
        self,
        user: str,
        message: Message | View,
        target: str,
        *,
        chosen: Any = None,
        values: Mapping[str, Any] | None = None,
        **knobs: Unpack[Knobs],
    ) -> SignedRequest:
        """`target` is an action_id or what the button says; `chosen` is for menus and pickers."""
        block, element = slack_elements.find(message.blocks, target)
        done = slack_elements.action(block, element, chosen, self.workspace.next_ts())
        state = slack_elements.state(message.blocks, values or {})
        if element["type"] not in slack_elements.STATELESS:
            state.setdefault(block["block_id"], {})[element["action_id"]] = (
                slack_elements.element_state(element, chosen)
            )
        payload = self._interaction("block_actions", user, knobs)
        if isinstance(message, View):
            payload["container"] = {"type": "view", "view_id": message.id}
            payload["view"] = self.api.views.as_json(message, state)
        else:
            payload |= self._from_message(user, message, "actions")
            payload["state"] = {"values": state}
        payload["actions"] = [done]
        return self._payload(payload, **knobs)

    # https://docs.slack.dev/reference/interaction-payloads/view-interactions-payload
    def request_for_submit(
        self,
        user: str,
        view: View,
        values: Mapping[str, Any],
        *,
        complete: bool = True,
        **knobs: Unpack[Knobs],
    ) -> SignedRequest:
        """`values` by block_id, action_id or label. Slack itself holds back an incomplete form."""
        state = slack_elements.state(view.blocks, values, complete=complete)
        payload = self._interaction("view_submission", user, knobs)
        payload |= {"view": self.api.views.as_json(view, state), "response_urls": []}
        return self._payload(payload, **knobs)

    def request_for_closing(self, user: str, view: View, **knobs: Unpack[Knobs]) -> SignedRequest:
        payload = self._interaction("view_closed", user, knobs)
        payload |= {"view": self.api.views.as_json(view), "is_cleared": False}
        return self._payload(payload, **knobs)

    # https://docs.slack.dev/reference/interaction-payloads/shortcuts-interaction-payload
    def request_for_shortcut(
        self,
        user: str,
        callback_id: str,
        message: Message | None = None,
        **knobs: Unpack[Knobs],
    ) -> SignedRequest:
        kind = "shortcut" if message is None else "message_action"
        payload = self._interaction(kind, user, knobs)
        payload |= {"callback_id": callback_id, "action_ts": self.workspace.next_ts()}
        if message is not None:
            payload |= self._from_message(user, message, "app")
            payload["message_ts"] = message.ts
            del payload["container"]
        return self._payload(payload, **knobs)

    # https://docs.slack.dev/apis/events-api
    def request_for_event(
        self,
        event: Json,
        *,
        event_id: str | None = None,
        event_time: int | None = None,
        retry: tuple[int, str] | None = None,
        **knobs: Unpack[Knobs],
    ) -> SignedRequest:
        """`retry=(1, "http_timeout")` with the event_id of before is Slack's second try."""
        w = self.workspace
        installed: Json = {"enterprise_id": None, "team_id": w.team_id, "user_id": w.bot_user}
        installed |= {"is_bot": True, "is_enterprise_install": False}
        envelope = {
            "token": VERIFICATION_TOKEN,
            "team_id": w.team_id,
            "context_team_id": w.team_id,
            "context_enterprise_id": None,
            "api_app_id": w.app_id,
            "event": {"event_ts": event.get("ts") or w.next_ts(), **event},
            "type": "event_callback",
            "event_id": event_id or w.new_id("Ev"),
            "event_time": int(w.now()) if event_time is None else event_time,
            "authorizations": [installed],
            "is_ext_shared_channel": False,
            "event_context": "4-" + w.new_id("ctx"),
        }
        if retry is not None:
            again = {"X-Slack-Retry-Num": str(retry[0]), "X-Slack-Retry-Reason": retry[1]}
            knobs["headers"] = {**again, **knobs.get("headers", {})}
        return self.sign(json.dumps(envelope, ensure_ascii=False).encode(), JSON, **knobs)

    # https://docs.slack.dev/reference/events/url_verification
    def request_for_url_verification(
        self, challenge: str = "3eZbrw1aB", **knobs: Unpack[Knobs]
    ) -> SignedRequest:
        said = {"token": VERIFICATION_TOKEN, "challenge": challenge, "type": "url_verification"}
        return self.sign(json.dumps(said).encode(), JSON, **knobs)

    def request_for_ssl_check(self, **knobs: Unpack[Knobs]) -> SignedRequest:
        fields = {"ssl_check": "1", "token": VERIFICATION_TOKEN}
        return self.sign(urlencode(fields).encode(), FORM, **knobs)

    def sign(self, body: bytes, content_type: str, **knobs: Unpack[Knobs]) -> SignedRequest:
        # Real time, not the workspace's: the app under test has its own clock to compare with.
        stamp = knobs.get("timestamp", int(time.time()))
        headers = {
            "User-Agent": "Slackbot 1.0 (+https://api.slack.com/robots)",
            "Accept": "application/json,*/*",
            "Content-Type": content_type,
            **signed_headers(body, knobs.get("secret", self.signing_secret), stamp),
        }
        if "signature" in knobs:
            signature = knobs["signature"]
            headers.pop("X-Slack-Signature")
            headers |= {} if signature is None else {"X-Slack-Signature": signature}
        return SignedRequest({**headers, **knobs.get("headers", {})}, body)

    # ---- parts

    def place(self, user: str, channel: str | None) -> Channel:
        if channel is None:
            return self.workspace.direct(user)
        return self.workspace.channels[channel]

    def _interaction(self, kind: str, user: str, knobs: Knobs) -> Json:
        w = self.workspace
        name = w.users[user].name
        return {
            "type": kind,
            "user": {"id": user, "username": name, "name": name, "team_id": w.team_id},
            "api_app_id": w.app_id,
            "token": VERIFICATION_TOKEN,
            "team": {"id": w.team_id, "domain": w.team_domain},
            "enterprise": None,
            "is_enterprise_install": False,
            "trigger_id": w.issue_trigger(user, knobs.get("trigger_id")),
        }

    def _from_message(self, user: str, message: Message, kind: str) -> Json:
        place = self.workspace.channels[message.channel]
        found: Json = {
            "container": {
                "type": "message",
                "message_ts": message.ts,
                "channel_id": message.channel,
                "is_ephemeral": message.ephemeral_to is not None,
                **({"thread_ts": message.thread_ts} if message.thread_ts else {}),
            },
            "channel": {"id": place.id, "name": place.name_on_the_wire},
            "response_url": self._response_url(kind, user, place.id, message),
        }
        if message.ephemeral_to is None:  # Slack keeps no copy of an ephemeral message
            found["message"] = message.as_json() | {"team": self.workspace.team_id}
        return found

    def _response_url(
        self, kind: str, user: str, channel: str, original: Message | None = None
    ) -> str:
        ticket = self.workspace.issue_response_url(kind, user, channel, original)
        return self.api.origin() + ticket.path

    def _payload(self, payload: Json, **knobs: Unpack[Knobs]) -> SignedRequest:
        text = json.dumps(payload, ensure_ascii=False)
        return self.sign(urlencode({"payload": text}).encode(), FORM, **knobs)
