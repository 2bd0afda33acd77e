"""The stand-in's gateway is DingTalk's as far as the vendor's own client can tell.

The second half shows what that client, dingtalk-stream 0.24.3, does wrong, and ours must not.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO, Any

import httpx
import pytest

from tests.platforms.dingtalk_gateway import BOT, CARD, CUT, Gateway, Session
from tests.platforms.dingtalk_gateway_client import CARD_ANSWER
from tests.platforms.dingtalk_messages import event_headers, leave_payload, text_payload
from tests.platforms.dingtalk_model import Json, Org
from tests.platforms.dingtalk_socket import StreamServer

PRESS: Json = {
    "type": "actionCallback",
    "outTrackId": "m1-0123456789abcdef",
    "corpId": "dingcorp",
    "userId": "wangmin",
    "content": '{"cardPrivateData":{"actionIds":["1"],"params":{"press":"{}"}}}',
}


class Client:
    """The program, what it said and what it wrote down."""

    def __init__(self, process: subprocess.Popen[str], org: Org) -> None:
        self.said: list[Any] = []
        self.log: list[str] = []
        self._process = process
        self._org = org
        self._follow(process.stdout, lambda line: self.said.append(json.loads(line)))
        self._follow(process.stderr, self.log.append)

    def wait(self, word: str, n: int = 1) -> list[Any]:
        """What it said n times at least, each without that word."""
        found = self._org.wait_for(
            lambda: all_of if len(all_of := self._words(word)) >= n else [], timeout=10
        )
        assert len(found) == n
        return found

    def tell(self, command: str) -> Any:
        """What it says when it has done it."""
        before = len(self._words(command))
        self._stdin.write(f"{command}\n")
        self._stdin.flush()
        return self.wait(command, before + 1)[-1]

    def end(self) -> None:
        self._stdin.close()
        self._process.wait(10)

    @property
    def _stdin(self) -> IO[str]:
        assert self._process.stdin is not None
        return self._process.stdin

    def _words(self, word: str) -> list[Any]:
        return [said[1:] for said in list(self.said) if said[0] == word]

    def _follow(self, pipe: IO[str] | None, take: Callable[[str], None]) -> None:
        assert pipe is not None

        def follow() -> None:
            for line in pipe:
                take(line)

        threading.Thread(target=follow, daemon=True).start()


@contextmanager
def client(server: StreamServer, secret: str = "") -> Iterator[Client]:
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "tests.platforms.dingtalk_gateway_client"),
            *(server.org.client_id, secret or server.org.client_secret),
        ],
        env={
            **{name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ},
            "DINGTALK_OPENAPI_ENDPOINT": server.api_url,
            "PYTHONPATH": os.pathsep.join(sys.path),
            "PYTHONUTF8": "1",
        },
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
    )
    with process:
        made = Client(process, server.org)
        try:
            yield made
        finally:
            made.end()


def connected(gateway: Gateway) -> Session:
    """The one line there is, when the client answers by it and so has its handshake behind it."""
    (line,) = gateway.wait_listening(timeout=10)
    gateway.ping(line)
    gateway.org.wait_for(lambda: line.pongs)
    return line


@pytest.fixture
def org() -> Org:
    org = Org()
    org.add_member("wangmin", "王敏")
    org.add_member("lisi", "李四")
    return org


@pytest.fixture
def server(org: Org) -> Iterator[StreamServer]:
    with StreamServer(org) as server:
        yield server


@pytest.fixture
def gateway(server: StreamServer) -> Gateway:
    return server.gateway


@pytest.fixture
def vendors(server: StreamServer) -> Iterator[Client]:
    """Connected."""
    with client(server) as made:
        connected(server.gateway)
        yield made


def test_it_connects_and_takes_what_it_asked_for(
    org: Org, gateway: Gateway, vendors: Client
) -> None:
    (opened,) = gateway.opens
    assert opened.is_used
    assert opened.body["ua"] == "dingtalk-sdk-python/v0.24.3-union"
    group = org.add_group("老师群", ["wangmin", "lisi"])
    said = text_payload(org, "wangmin", "派单", group, mentions=["lisi"])
    pushed = gateway.push(BOT, said)
    assert gateway.wait_acked(pushed).data == {"response": "OK"}
    ((msg_id, staff_id, words),) = vendors.wait("message")
    assert (msg_id, staff_id) == (said["msgId"], "wangmin")
    assert words[0].strip() == "派单"

    pressed = gateway.push(CARD, PRESS)
    assert gateway.wait_acked(pressed).data == {"response": CARD_ANSWER}
    assert pressed.response == CARD_ANSWER
    ((track, user, content),) = vendors.wait("card")
    assert (track, user) == ("m1-0123456789abcdef", "wangmin")
    assert content["cardPrivateData"]["params"] == {"press": "{}"}

    left = leave_payload(org, "lisi")
    gateway.wait_acked(gateway.event(**event_headers(org, left), data=left))
    assert vendors.wait("event") == [["user_leave_org", left["eventId"], left]]

    gateway.ping()
    org.wait_for(lambda: gateway.lines[0].pongs == 2)
    assert (gateway.lost, gateway.strays) == ([], [])


def test_it_is_told_to_go_and_comes_back(org: Org, gateway: Gateway, vendors: Client) -> None:
    for with_id in (True, False):
        (old,) = gateway.wait_listening()
        gateway.disconnect(with_id=with_id)
        assert gateway.push(BOT, text_payload(org, "wangmin", "签到")).is_lost
        (new,) = gateway.wait_listening()
        assert new is not old
        org.wait_for(lambda: len(gateway.open_lines) == 1)
    heard = gateway.push(BOT, text_payload(org, "wangmin", "签退"))
    gateway.wait_acked(heard)
    assert [words for _, _, words in vendors.wait("message")] == [["签退"]]
    # An answer to a goodbye is not asked for; to one without an id, it is an answer to nothing.
    (odd,) = gateway.odd
    assert json.loads(odd)["headers"] == {"contentType": "application/json"}


def test_a_wrong_secret_is_refused(org: Org, server: StreamServer) -> None:
    with client(server, secret="of another app") as vendors:
        org.wait_for(lambda: any("authFailed" in line for line in vendors.log), timeout=10)
    assert server.gateway.lines == []


def test_a_line_is_opened_by_a_ticket_once(server: StreamServer, vendors: Client) -> None:
    ticket = server.gateway.opens[0].ticket
    for used in (ticket, "", "of nobody"):
        assert handshake(server, used) == 401
    server.gateway.refused_handshakes = 1
    assert handshake(server, ticket) == 502


def handshake(server: StreamServer, ticket: str) -> int:
    headers = {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    }
    url = f"http://127.0.0.1:{server.port}/connect"
    return httpx.get(url, params={"ticket": ticket}, headers=headers).status_code


# ---- what it does wrong, each a thing that adapters/dingtalk/socket.py must not do


def test_1_it_cannot_be_cancelled(vendors: Client) -> None:
    _, is_done = vendors.tell("cancel")
    assert not is_done


def test_2_after_a_clean_end_it_comes_back_without_a_pause(org: Org, server: StreamServer) -> None:
    server.gateway.closes_at_once = True
    with client(server):
        org.wait_for(lambda: server.gateway.opens, timeout=10)
        began = time.monotonic()
        org.wait_for(lambda: len(server.gateway.opens) > 20)
        assert time.monotonic() - began < 3
        server.gateway.heal()


def test_3_the_loop_stands_still_while_it_opens(server: StreamServer) -> None:
    server.gateway.stall = 0.4
    with client(server) as vendors:
        server.gateway.wait_listening(timeout=10)
        lag, _ = vendors.tell("lag")
    assert lag > 0.3


def test_4_one_odd_frame_ends_the_line(org: Org, gateway: Gateway, vendors: Client) -> None:
    gateway.send_raw("no json")
    org.wait_for(lambda: not gateway.open_lines)
    assert gateway.push(BOT, text_payload(org, "wangmin", "签到")).is_lost


def test_5_it_acknowledges_by_another_line(org: Org, gateway: Gateway, vendors: Client) -> None:
    vendors.tell("hold")
    pushed = gateway.push(BOT, text_payload(org, "wangmin", "签到"))
    vendors.wait("message")
    (old,) = gateway.listening
    gateway.disconnect()
    new = connected(gateway)
    vendors.tell("release")
    (stray,) = org.wait_for(lambda: gateway.strays)
    assert stray.message_id == pushed.message_id
    assert (stray.session, pushed.sent[0][0]) == (new, old)
    assert pushed.acks == []


def test_6_what_comes_again_is_heard_again(org: Org, gateway: Gateway, vendors: Client) -> None:
    vendors.tell("hold")
    pushed = gateway.push(BOT, text_payload(org, "wangmin", "签到"))
    vendors.wait("message")
    org.advance(61)
    first, again = vendors.wait("message", 2)
    assert first == again
    vendors.tell("release")
    org.wait_for(lambda: len(pushed.acks) == 2)
    org.advance(61)
    gateway.tick()
    assert pushed.delivered == 2


def test_7_it_writes_its_ticket_down(gateway: Gateway, vendors: Client) -> None:
    assert any(gateway.opens[0].ticket in line for line in vendors.log)


def test_8_it_answers_an_event_with_the_event(org: Org, gateway: Gateway, vendors: Client) -> None:
    left = leave_payload(org, "lisi")
    pushed = gateway.event(**event_headers(org, left), data=left)
    assert gateway.wait_acked(pushed).data == left
    assert len(gateway.odd) == 1
    org.advance(61)
    gateway.tick()
    assert pushed.delivered == 1


def test_9_of_an_unknown_topic_it_says_nothing(org: Org, gateway: Gateway, vendors: Client) -> None:
    (line,) = gateway.listening
    asked_for = gateway.push("/v1.0/of/tomorrow", {})
    assert asked_for.is_lost
    pushed = gateway.push("/v1.0/of/tomorrow", {}, to=line)
    gateway.ping()
    org.wait_for(lambda: line.pongs == 2)
    assert pushed.acks == []


def test_10_after_a_line_that_broke_it_is_deaf_for_ten_seconds(
    org: Org, gateway: Gateway, vendors: Client
) -> None:
    gateway.close(CUT)
    org.wait_for(lambda: any("network exception" in line for line in vendors.log))
    assert len(gateway.opens) == 1
