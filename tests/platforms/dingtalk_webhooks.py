"""Where robots write without a token: a session webhook, and a group's custom robot.

Session webhooks: https://open.dingtalk.com/document/orgapp/robot-reply-and-send-messages
Custom robots: https://open.dingtalk.com/document/robots/custom-robot-access
Their signature: https://open.dingtalk.com/document/robots/customize-robot-security-settings
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections import defaultdict, deque
from typing import Any

from tests.platforms.dingtalk_model import Json, Org, Via
from tests.platforms.dingtalk_refusals import OldRefusal
from tests.platforms.dingtalk_screen import mentioned_in

LONGEST = 20_000  # bytes of the whole body
A_MINUTE, REST = 60.0, 600.0
MOST_A_MINUTE = 20
SIGNED_WITHIN = 3600.0
KINDS = {  # what must stand under the msgtype
    "text": ("content",),
    "markdown": ("title", "text"),
    "link": ("title", "text", "messageUrl"),
    "actionCard": ("title", "text"),
}


class Webhooks:
    def __init__(self, org: Org) -> None:
        self.org = org
        self.enforces_pace = True
        self._sent: defaultdict[str, deque[float]] = defaultdict(deque)
        self._rests_until: dict[str, float] = {}

    def by_session(self, query: Json, body: Json) -> Json:
        """Answers the chat that the message came from, as often as one likes, for 1.5 hours."""
        session = self.org.sessions.get(str(query.get("session") or ""))
        if session is None or self.org.now() >= session.expires_at:
            raise OldRefusal(300001)
        self._show(session.place, "session", body)
        session.uses += 1
        return {}

    def by_robot(self, query: Json, body: Json) -> Json:
        robot = self.org.robots.get(str(query.get("access_token") or ""))
        if robot is None:
            raise OldRefusal(300005)
        if robot.secret:
            self._check_signature(robot.secret, query)
        self._take_turn(robot.token)
        self._show(robot.group_id, "robot", body)
        return {}

    def _check_signature(self, secret: str, query: Json) -> None:
        timestamp = str(query.get("timestamp") or "")
        if not timestamp.isdecimal():
            raise OldRefusal(310000, "invalid timestamp")
        if abs(self.org.now() - int(timestamp) / 1000) > SIGNED_WITHIN:
            raise OldRefusal(310000, "invalid timestamp")
        if not hmac.compare_digest(str(query.get("sign") or ""), signed(secret, timestamp)):
            raise OldRefusal(310000)

    def _take_turn(self, token: str) -> None:
        """Twenty a minute; one too many, and nothing goes for ten minutes."""
        if not self.enforces_pace:
            return
        now, sent = self.org.now(), self._sent[token]
        while sent and now - sent[0] >= A_MINUTE:
            sent.popleft()
        if now < self._rests_until.get(token, 0.0):
            raise OldRefusal(130101)
        if len(sent) >= MOST_A_MINUTE:
            self._rests_until[token] = now + REST
            raise OldRefusal(130101)
        sent.append(now)

    def _show(self, place: str, via: Via, body: Json) -> None:
        msgtype = body.get("msgtype")
        content = body.get(msgtype) if isinstance(msgtype, str) else None
        if msgtype not in KINDS:
            raise OldRefusal(400105)
        if not isinstance(content, dict) or not all(content.get(one) for one in KINDS[msgtype]):
            raise OldRefusal(40035)
        if len(json.dumps(body, ensure_ascii=False).encode()) > LONGEST:
            raise OldRefusal(460101)
        text = str(content.get("text") or content.get("content") or "")
        called = self._called(place, text, body.get("at"))
        self.org.show(place, via=via, msgtype=msgtype, body=content, at_users=called)

    def _called(self, place: str, text: str, at: Any) -> tuple[str, ...]:
        """Whose phone rings: who is in the group, is named in `at`, and stands in the text."""
        group = self.org.groups.get(place)
        if group is None or not isinstance(at, dict):
            return ()
        inside = [one for one in group.members if one in self.org.members]
        if at.get("isAtAll"):
            return tuple(inside)
        named = at.get("atUserIds") or []
        return mentioned_in(text, [one for one in named if one in inside])


def signed(secret: str, timestamp: str) -> str:
    """base64 of the HMAC; in an address it is then quoted once."""
    message = f"{timestamp}\n{secret}".encode()
    return base64.b64encode(hmac.digest(secret.encode(), message, hashlib.sha256)).decode()
