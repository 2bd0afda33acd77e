"""DingTalk: from a frame of its Stream to what a group reads, how many frames are taken a second,
and how soon many people are told the same.

The stand-in's share is in it: signing, framing, and reading the answer.
"""

from __future__ import annotations

import time

from tests.benchmarks.load import Result, timed
from tests.benchmarks.staff import told
from tests.platforms.dingtalk import StandInDingtalk
from tests.platforms.dingtalk_gateway import BOT, Gateway
from tests.platforms.dingtalk_messages import text_payload
from tests.platforms.dingtalk_model import Org
from tests.platforms.dingtalk_socket import StreamServer
from tests.processes import free_port, running, wait_until_ready

# One message to a group each: the second would wait for its turn.
GROUPS = 100
FRAMES = 1_000
WAIT = 60.0


def mentions(gateway: Gateway, users: int) -> Result:
    """A mention in a group, until the group reads the answer."""
    org = gateway.org
    groups = [org.add_group(f"group {number}").id for number in range(GROUPS)]

    def mention(number: int) -> None:
        body = text_payload(org, f"u{number % users}", "签到", groups[number])
        gateway.push(BOT, body)
        org.wait_for(lambda: org.last(groups[number]))

    return timed(GROUPS, mention)


def frames(gateway: Gateway, users: int) -> float:
    """Check-ins a second, all sent at once, until the last one is committed and acknowledged."""
    org = gateway.org
    bodies = [text_payload(org, f"u{number % users}", "签到") for number in range(FRAMES)]
    began = time.perf_counter()
    pushed = [gateway.push(BOT, body) for body in bodies]
    org.wait_for(lambda: all(one.acks for one in pushed), WAIT)
    return FRAMES / (time.perf_counter() - began)


def measure(
    database: str, users: int, people: int, secret: str
) -> tuple[Result, float, float, int]:
    """Mentions; frames a second; seconds until all of `people`, for whom the same words wait in
    `database`, are told, and the calls it took. The first `users` of them are on its roster.
    """
    org = Org()
    for number in range(people):
        org.add_member(f"u{number}", f"user{number}")
    gateway = Gateway(org)
    with StreamServer(gateway), StandInDingtalk(org, gateway) as dingtalk:
        port = free_port()
        environment = {
            "DINGTALK_CLIENT_ID": org.client_id,
            "DINGTALK_CLIENT_SECRET": org.client_secret,
            "DINGTALK_API_URL": dingtalk.api_url,
            "BANZHANG_DATABASE_URL": database,
            "BANZHANG_SECRET_KEY": secret,
            "BANZHANG_LOG_LEVEL": "error",
        }
        with running(["bot", "serve", "--port", str(port)], environment):
            wait_until_ready(f"http://127.0.0.1:{port}/readyz")
            seconds = told(org, people)
            calls = dingtalk.api.metered
            gateway.wait_listening(1)
            return mentions(gateway, users), frames(gateway, users), seconds, calls
