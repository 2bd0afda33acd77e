"""The story against a real `banzhang serve`: signed commands over HTTP, a Slack that writes down
what it is told, and a kill -9 between any two steps."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from zoneinfo import ZoneInfo

import httpx
import pytest

from tests.platforms.slack import StandInSlack
from tests.platforms.slack_model import Message
from tests.processes import free_port, wait_until_ready

ADMIN, LEAD, WORKER, GUEST = "UADMIN", "ULEAD", "UWORKER", "UGUEST"
GROUP = "C1"


class Server:
    """`banzhang serve` in a process of its own, on a clock that a restart can set ahead."""

    def __init__(self, slack: StandInSlack, folder: Path) -> None:
        self._slack = slack
        self.port = free_port()
        self.environment = {
            **os.environ,
            **slack.environment(),
            "BANZHANG_DATABASE_URL": f"sqlite:///{folder}/story.db",
            "BANZHANG_SECRET_KEY": "a secret for tests alone",
            "BANZHANG_LOCALE": "en",
        }
        # Nine o'clock tomorrow, so that nothing falls into quiet hours whenever the test runs.
        now = datetime.now(ZoneInfo("Asia/Shanghai"))
        morning = (now + timedelta(days=1)).replace(hour=9, minute=0, second=0, microsecond=0)
        self.ahead = (morning - now).total_seconds()
        self._process: subprocess.Popen[bytes] | None = None
        slack.deliver_to(f"http://127.0.0.1:{self.port}/slack/events")

    def start(self) -> None:
        """Start, and wait until it is ready."""
        command = ["tests.serve_at", str(self.ahead), "serve", "--port", str(self.port)]
        self._process = subprocess.Popen(
            [sys.executable, "-m", *command], env=self.environment, stdout=subprocess.DEVNULL
        )
        wait_until_ready(f"http://127.0.0.1:{self.port}/readyz")

    def settle(self) -> None:
        """Wait until everything that was committed has left."""
        ready = f"http://127.0.0.1:{self.port}/readyz"
        for _ in range(200):
            if httpx.get(ready).json()["messages_waiting"] == 0:
                return
            time.sleep(0.05)
        raise AssertionError("messages still wait after ten seconds")

    def kill(self) -> None:
        """No goodbye."""
        if self._process is not None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait(10)
            self._process = None

    def later(self, **spans: float) -> None:
        """Kill it, and start it when so much time has passed."""
        self.settle()
        self.kill()
        self.ahead += timedelta(**spans).total_seconds()
        self.start()

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Another command of the same bot."""
        return subprocess.run(
            [sys.executable, "-m", "tests.serve_at", str(self.ahead), *arguments],
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def timestamp(self) -> int:
        """The time on the server's clock, for signatures."""
        return int(time.time() + self.ahead)


@pytest.fixture
def slack() -> Iterator[StandInSlack]:
    """A workspace with an admin, a lead, a worker and somebody from outside."""
    with StandInSlack() as stand_in:
        for user, name in ((ADMIN, "zhou"), (LEAD, "li"), (WORKER, "wang"), (GUEST, "guest")):
            stand_in.add_user(user, name, tz="Asia/Shanghai", locale="en-US")
        stand_in.add_channel(GROUP, "team", [ADMIN, LEAD, WORKER, GUEST])
        yield stand_in


@pytest.fixture
def server(slack: StandInSlack, tmp_path: Path) -> Iterator[Server]:
    """A server that is not running yet."""
    one = Server(slack, tmp_path)
    yield one
    one.kill()


def settle(slack: StandInSlack, person: str, words: str) -> str:
    """Wait until somebody can read `words`; returns all they can read."""
    slack.wait_for(lambda: words in "\n".join(slack.reads(person)), timeout=10)
    return "\n".join(slack.reads(person))


def test_the_story_with_a_kill_between_any_two_steps(slack: StandInSlack, server: Server) -> None:
    def say(user: str, command: str, words: str = "", channel: str | None = GROUP) -> str:
        reply = slack.command(user, command, words, channel=channel, timestamp=server.timestamp())
        assert reply.status_code == 200
        server.later(seconds=1)
        return reply.text

    assert server.run("migrate").returncode == 0
    code = server.run("admin", "code").stdout.split()[0]
    server.start()
    say(ADMIN, "/banzhang", f"link {code}", channel=None)
    assert "C1" not in say(ADMIN, "/banzhang", "team here")
    say(ADMIN, "/banzhang", "staff add @li lead")
    say(ADMIN, "/banzhang", "staff add @wang worker")
    assert re.search(r"\d\d:\d\d", say(WORKER, "/checkin"))
    say(GUEST, "/ask", "when does the library open?")
    slack.wait_for(lambda: "Q1" in slack.last(GROUP))

    server.later(hours=1)
    slack.wait_for(lambda: len([m for m in slack.messages(GROUP) if "Q1" in slack.plain(m)]) >= 2)
    claim = slack.press(WORKER, card(slack), "Claim", timestamp=server.timestamp())
    assert claim.status_code == 200
    server.later(minutes=46)
    settle(slack, WORKER, "Q1")
    server.later(minutes=15)
    settle(slack, LEAD, "Q1")
    server.later(minutes=31)
    settle(slack, ADMIN, "Q1")

    assert "Q1" in say(WORKER, "/banzhang", "reply Q1 It opens at eight.")
    settle(slack, GUEST, "@guest wang on Q1")
    before = len(slack.all_messages())
    server.later(hours=3)
    server.later(hours=20)
    server.settle()
    said = [slack.plain(one) for one in slack.all_messages()[before:]]
    assert not [one for one in said if "Q1" in one], said
    assert "h" in say(WORKER, "/checkout")
    texts = [slack.plain(one) for one in slack.all_messages()]
    assert sum("It opens at eight." in one for one in texts) >= 1


def card(slack: StandInSlack) -> Message:
    """The newest message in the group that has buttons."""
    with_buttons = [
        one
        for one in slack.messages(GROUP)
        if any(block.get("type") == "actions" for block in one.blocks)
    ]
    return with_buttons[-1]


def test_a_kill_in_the_middle_loses_nothing(slack: StandInSlack, server: Server) -> None:
    """Killed while it answers and sends: every answered question is there, with its card."""
    server.start()
    code = server.run("admin", "code").stdout.split()[0]
    stamp = server.timestamp
    slack.command(ADMIN, "/banzhang", f"link {code}", timestamp=stamp())
    slack.command(ADMIN, "/banzhang", "team here", channel=GROUP, timestamp=stamp())
    for number in range(8):
        words = f"question number {number}"
        asked = slack.command(GUEST, "/ask", words, channel=GROUP, timestamp=stamp())
        assert asked.status_code == 200
        if number in (2, 5):
            server.kill()
            server.start()
    for number in range(8):
        told = partial(is_told, slack, f"Q{number + 1}", f"question number {number}")
        slack.wait_for(told, timeout=30)


def is_told(slack: StandInSlack, *words: str) -> bool:
    """Whether the group has read these words in one message."""
    said = [slack.plain(one) for one in slack.messages(GROUP)]
    return any(all(word in one for word in words) for one in said)


def test_health_readiness_and_metrics(slack: StandInSlack, server: Server) -> None:
    server.start()
    base = f"http://127.0.0.1:{server.port}"
    assert httpx.get(f"{base}/healthz").status_code == 200
    ready = httpx.get(f"{base}/readyz").json()
    assert ready["ready"] is True
    assert ready["last_tick_seconds"] < 5
    assert "banzhang_events_total" in httpx.get(f"{base}/metrics").text
    assert httpx.get(f"{base}/").status_code == 404


def test_a_second_server_on_the_same_file_refuses_to_start(server: Server) -> None:
    server.start()
    second = server.run("serve", "--port", str(free_port()))
    assert second.returncode == 1
    assert "already" in second.stderr
    assert len(second.stderr.strip().splitlines()) == 1


def test_the_doctor_asks_slack_itself(slack: StandInSlack, server: Server) -> None:
    server.ahead = 0  # it compares this machine's clock with Slack's
    assert server.run("migrate").returncode == 0
    healthy = server.run("doctor")
    assert healthy.returncode == 0, healthy.stdout + healthy.stderr
    assert "Slack takes the token" in healthy.stdout
    slack.revoke_token()
    ill = server.run("doctor")
    assert ill.returncode == 1
    assert "SLACK_BOT_TOKEN" in ill.stdout
    assert "OAuth & Permissions" in " ".join(ill.stdout.split())
