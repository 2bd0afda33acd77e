"""How DingTalk signs what it sends to a robot, and a custom robot what it is sent.

https://open.dingtalk.com/document/orgapp/receive-message
https://open.dingtalk.com/document/robots/customize-robot-security-settings
"""

from __future__ import annotations

import base64
import hashlib
import hmac


def sign(secret: str, timestamp: str) -> str:
    """The signature of a time in milliseconds, in base64; it covers nothing but the time."""
    digest = hmac.new(secret.encode(), f"{timestamp}\n{secret}".encode(), hashlib.sha256)
    return base64.b64encode(digest.digest()).decode()
