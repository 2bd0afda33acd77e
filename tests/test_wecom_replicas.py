"""Two replicas of the bot on one database: one has the aibot's connection, and both are one bot."""

from __future__ import annotations

import re
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from itertools import cycle

import httpx
import pytest

from tests.platforms.wecom import StandInWecom
from tests.platforms.wecom_requests import SignedRequest
from tests.platforms.wecom_socket import BotServer
from tests.processes import Served
from tests.replicas import Replicas
from tests.wecom_world import environment, reads

ADMIN, WORKER = "zhou", "wang"
LOOKS = 0.3


class Pair(Replicas):
    """Two replicas; the one that came first has the connection."""

    def __init__(self, database_url: str, stack: ExitStack, lasts: float) -> None:
        """A lead lasts `lasts` seconds."""
        self.wecom = stack.enter_context(StandInWecom())
        self.server = stack.enter_context(BotServer(self.wecom.corp))
        self.gateway = self.server.gateway
        corp = self.wecom.corp
        for userid, name in ((ADMIN, "周经理"), (WORKER, "小王")):
            corp.add_member(userid, name)
        self.group = corp.add_group("一班", [ADMIN, WORKER]).chatid
        values = {
            "BANZHANG_DATABASE_URL": database_url,
            "BANZHANG_ADMINS": f"wecom:{ADMIN}",
            **environment(self.wecom, self.server),
        }
        super().__init__(corp, ["tests.serve_replica", str(lasts), str(LOOKS)], values, stack)
        self.first = self.start()
        self.server.wait_subscribed(1)
        self.second = self.start()
        self.gateway.say(ADMIN, "团队 绑定", self.group)
        self.wait_read("主群")
        self.settle()

    def read(self) -> str:
        return reads(self.wecom, self.group)

    def say_to(self, replica: Served, userid: str, words: str) -> str:
        """Write to the app, whose callback goes to this replica; the answer to it."""
        self.wecom.deliver_to(replica.url)
        delivery = self.wecom.say(userid, words)
        assert delivery.statuses == [200]
        return str(delivery.message and delivery.message.body)


MakePair = Callable[[float], Pair]


@pytest.fixture
def make_pair(postgres_url: str) -> Iterator[MakePair]:
    """Makes two replicas whose lead lasts so many seconds."""
    with ExitStack() as stack:
        yield lambda lasts: Pair(postgres_url, stack, lasts)


def test_one_has_the_connection_and_both_speak(make_pair: MakePair) -> None:
    """What the other has to say in a group leaves by the one that has the connection."""
    pair = make_pair(15.0)
    who = cycle((pair.first, pair.second))
    for number in range(1, 5):
        assert f"Q{number}" in pair.say_to(next(who), WORKER, f"咨询 第{number}个问题")
    pair.wait_read("第4个问题")
    told = re.findall(r"第(\d)个问题", pair.read())
    assert told == list("1234")
    assert (pair.gateway.tries, pair.gateway.subscriptions) == (1, 1)


def test_after_a_kill_the_other_connects(make_pair: MakePair) -> None:
    """Without a goodbye: when the lead has run out. What was said meanwhile is not lost."""
    pair = make_pair(1.5)
    pair.first.end(signal.SIGKILL)
    assert "Q1" in pair.say_to(pair.second, WORKER, "咨询 有人吗？")
    pair.server.wait_subscribed(2)
    pair.wait_read("有人吗？")
    pair.gateway.say(WORKER, "咨询 群里有人吗？", pair.group)
    pair.wait_read("群里有人吗？")
    assert pair.gateway.tries == 2


def test_after_a_goodbye_the_other_connects_at_once(make_pair: MakePair) -> None:
    """Its lead would have lasted for long."""
    pair = make_pair(600.0)
    pair.first.end(signal.SIGTERM)
    pair.server.wait_subscribed(2)
    third = pair.start()
    pair.second.end(signal.SIGTERM)
    pair.server.wait_subscribed(3)
    assert "Q1" in pair.say_to(third, WORKER, "咨询 还有人吗？")
    pair.wait_read("还有人吗？")
    assert pair.gateway.tries == 3
    assert "连接" not in reads(pair.wecom, ADMIN), "a change of hands is no alarm"


def test_a_callback_at_both_is_one_effect(make_pair: MakePair) -> None:
    """What the first answered too late is sent again, and reaches the second."""
    pair = make_pair(15.0)
    callbacks = pair.wecom.callbacks
    requests = [
        callbacks.text(WORKER, "咨询 几点开门？"),
        callbacks.text(WORKER, "咨询 几点关门？"),
        callbacks.click(WORKER, '{"command":"help"}'),
    ]

    def deliver(replica: Served, request: SignedRequest) -> tuple[int, str]:
        response = httpx.post(
            replica.url + request.target, content=request.body, headers=request.headers, timeout=10
        )
        said = callbacks.read_passive(response.content, request)
        return response.status_code, str(said and said.body)

    with ThreadPoolExecutor(4) as pool:
        for request in requests:
            replicas = [pair.first, pair.second] * 2
            told = set(pool.map(deliver, replicas, [request] * len(replicas)))
            assert len(told) == 1
            assert next(iter(told))[0] == 200
    pair.wait_read("几点关门？")
    assert pair.read().count("几点开门？") == 1
    assert "Q3" in pair.say_to(pair.second, WORKER, "咨询 第三个问题")
