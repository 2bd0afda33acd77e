"""Loads: whatever is done one after the other, and signed slash commands over kept-alive
connections, with as little work per request as Python allows.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlencode

from tests.platforms.slack_requests import FORM, signed_headers

WAIT = 30.0


@dataclass(frozen=True, slots=True)
class Result:
    """What a run of requests took."""

    seconds: float
    latencies: list[float]
    """Seconds of each request, sorted."""

    @property
    def rate(self) -> float:
        """Requests a second."""
        return len(self.latencies) / self.seconds

    def quantile(self, share: float) -> float:
        """Milliseconds below which this share of the requests lie."""
        return self.latencies[min(len(self.latencies) - 1, int(share * len(self.latencies)))] * 1000


def timed(count: int, act: Callable[[int], object]) -> Result:
    """Do it so often, one after the other."""
    latencies = []
    start = time.perf_counter()
    for number in range(count):
        began = time.perf_counter()
        act(number)
        latencies.append(time.perf_counter() - began)
    return Result(time.perf_counter() - start, sorted(latencies))


def requests(secret: str, count: int, users: int, run: str) -> list[bytes]:
    """Signed `/checkin` commands, each a different trigger, from `users` people in turn."""
    now = int(time.time())
    made = []
    for number in range(count):
        body = urlencode(
            {
                "token": "deprecated",
                "team_id": "T1",
                "team_domain": "bench",
                "channel_id": "C1",
                "channel_name": "bench",
                "user_id": f"U{number % users}",
                "user_name": f"user{number % users}",
                "command": "/checkin",
                "text": "",
                "api_app_id": "A1",
                "is_enterprise_install": "false",
                "response_url": "https://hooks.slack.invalid/commands/1",
                "trigger_id": f"{run}.{number}",
            }
        ).encode()
        head = {
            "Host": "127.0.0.1",
            "Content-Type": FORM,
            "Content-Length": str(len(body)),
            **signed_headers(body, secret, now),
        }
        lines = "".join(f"{name}: {value}\r\n" for name, value in head.items())
        made.append(f"POST /slack/events HTTP/1.1\r\n{lines}\r\n".encode() + body)
    return made


async def fire(port: int, wanted: list[bytes], concurrency: int) -> Result:
    """Send all requests over `concurrency` connections. Raises AssertionError for anything but
    200.
    """
    todo = itertools.chain(wanted)
    latencies: list[float] = []

    async def worker() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for request in todo:
            began = time.perf_counter()
            writer.write(request)
            head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), WAIT)
            assert head.startswith(b"HTTP/1.1 200"), head
            await reader.readexactly(_length(head))
            latencies.append(time.perf_counter() - began)
        writer.close()
        await writer.wait_closed()

    began = time.perf_counter()
    await asyncio.gather(*(worker() for _ in range(concurrency)))
    return Result(time.perf_counter() - began, sorted(latencies))


def _length(head: bytes) -> int:
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return int(line.split(b":")[1])
    return 0
