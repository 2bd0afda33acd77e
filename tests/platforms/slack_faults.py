"""What goes wrong between an app and Slack, on demand, and Slack's own pace limits."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Normal:
    """Nothing goes wrong: a place in a script that is answered as usual."""


@dataclass(frozen=True)
class RateLimited:
    """429 with Retry-After: https://docs.slack.dev/apis/web-api/rate-limits"""

    retry_after: int = 1


@dataclass(frozen=True)
class ServerError:
    """A 5xx from a proxy in front of Slack; its body is no JSON."""

    status: int = 503
    body: str = "upstream connect error or disconnect/reset before headers"
    content_type: str = "text/plain"


@dataclass(frozen=True)
class DropBefore:
    """The connection closes and nothing was taken."""


@dataclass(frozen=True)
class DropAfter:
    """The request was taken and acted on; the connection closes without an answer."""


@dataclass(frozen=True)
class Slow:
    """The request is acted on at once and answered this much later."""

    seconds: float = 1.0


@dataclass(frozen=True)
class SlackError:
    """HTTP 200 with this error code; nothing was done."""

    code: str


Fault = Normal | RateLimited | ServerError | DropBefore | DropAfter | Slow | SlackError


class Faults:
    """Scripts are consumed in order, the one for method and channel before the one for method."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._scripts: dict[tuple[str, str | None], deque[Fault]] = {}
        self._rhythms: list[tuple[int, Fault, str | None]] = []
        self._seen: dict[int, int] = {}

    def script(self, method: str, faults: Sequence[Fault], channel: str | None = None) -> None:
        """`method` is a Web API method, or "response_url"."""
        with self._lock:
            self._scripts.setdefault((method, channel), deque()).extend(faults)

    def every(self, n: int, fault: Fault, method: str | None = None) -> None:
        """Every n-th request (of this method) meets `fault`; n=1 is an outage."""
        with self._lock:
            self._rhythms.append((n, fault, method))

    def clear(self) -> None:
        with self._lock:
            self._scripts.clear()
            self._rhythms.clear()
            self._seen.clear()

    def next(self, method: str, channel: str | None) -> Fault:
        with self._lock:
            for key in ((method, channel), (method, None)):
                waiting = self._scripts.get(key)
                if waiting:
                    return waiting.popleft()
            for place, (n, fault, only) in enumerate(self._rhythms):
                if only in (None, method):
                    self._seen[place] = self._seen.get(place, 0) + 1
                    if self._seen[place] % n == 0:
                        return fault
            return Normal()


# Requests a minute; https://docs.slack.dev/apis/web-api/rate-limits
TIERS = {
    "apps.connections.open": 1,
    "users.list": 20,
    "chat.update": 50,
    "chat.delete": 50,
    "conversations.open": 50,
    "conversations.info": 50,
    "conversations.history": 50,
    "conversations.replies": 50,
    "reactions.add": 50,
    "chat.postEphemeral": 100,
    "users.info": 100,
    "conversations.members": 100,
    "files.getUploadURLExternal": 100,
    "files.completeUploadExternal": 100,
    "views.open": 100,
    "views.update": 100,
    "views.publish": 100,
}
# So many at once before the pace counts; a minute's worth where nothing stands here.
BURSTS = {"apps.connections.open": 10}


class Pace:
    """About one message a second and channel with a short burst, and the tiers for the rest."""

    def __init__(self, burst: int = 2) -> None:
        self._burst = burst
        self._buckets: dict[tuple[str, str | None], tuple[float, float]] = {}

    def seconds_to_wait(self, method: str, channel: str | None, now: float) -> float:
        """0 when the request may pass (and is counted), else how long Slack says to wait."""
        if method == "chat.postMessage":
            key, rate, size = (method, channel), 1.0, float(self._burst)
        elif method in TIERS:
            a_minute = TIERS[method]
            key, rate = (method, None), a_minute / 60
            size = float(BURSTS.get(method, a_minute))
        else:
            return 0.0
        left, since = self._buckets.get(key, (size, now))
        left = min(size, left + (now - since) * rate)
        if left < 1.0 - 1e-6:
            self._buckets[key] = (left, now)
            return (1.0 - left) / rate
        self._buckets[key] = (left - 1.0, now)
        return 0.0
