"""The first minutes with DingTalk: from two values to a team that works, with real processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import httpx
import pytest

from tests.platforms.dingtalk import StandInDingtalk
from tests.platforms.dingtalk_gateway import BOT, Gateway
from tests.platforms.dingtalk_messages import text_payload
from tests.platforms.dingtalk_model import Message, Org, shown
from tests.platforms.dingtalk_socket import StreamServer
from tests.processes import free_port, wait_until_ready

ROOT = Path(__file__).parent.parent
OURS = ("SLACK_", "BANZHANG_", "WECOM_", "DINGTALK_")
NAMES = {"zhou": "周敏", "li": "李娜", "wang": "王五"}


class Office:
    """An organisation, and a folder on a machine where the bot is set up."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.org = Org()
        for staff_id, name in NAMES.items():
            self.org.add_member(staff_id, name)
        self.group = self.org.add_group("教学一组", NAMES).id
        self.gateway = Gateway(self.org)
        stack.enter_context(StreamServer(self.gateway))
        dingtalk = stack.enter_context(StandInDingtalk(self.org, self.gateway))
        self._folder = folder
        self._environment = {
            name: value for name, value in os.environ.items() if not name.startswith(OURS)
        } | {"PYTHONPATH": str(ROOT)}
        values = {
            "DINGTALK_CLIENT_ID": self.org.client_id,
            "DINGTALK_CLIENT_SECRET": self.org.client_secret,
            "DINGTALK_API_URL": dingtalk.api_url,
            "BANZHANG_SECRET_KEY": "a secret for tests alone",
        }
        lines = "".join(f"{name}={value}\n" for name, value in values.items())
        (folder / ".env").write_text(lines, encoding="utf-8")
        # Nine o'clock tomorrow, so that nothing falls into quiet hours whenever the test runs.
        now = datetime.now(ZoneInfo("Asia/Shanghai"))
        morning = (now + timedelta(days=1)).replace(hour=9, minute=0, second=0, microsecond=0)
        self._ahead = (morning - now).total_seconds()
        self.org.advance(self._ahead)
        self._port = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        stack.callback(self.stop)

    def banzhang(self, *arguments: str) -> str:
        """Type a command, see it end well, and read what it says."""
        ended = subprocess.run(
            [sys.executable, "-m", "tests.serve_at", str(self._ahead), *arguments],
            cwd=self._folder,
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert ended.returncode == 0, ended.stdout + ended.stderr
        return ended.stdout

    def serve(self) -> None:
        """Start the bot and leave it running."""
        command = ["tests.serve_at", str(self._ahead), "serve", "--port", str(self._port)]
        self._process = subprocess.Popen(
            [sys.executable, "-m", *command],
            cwd=self._folder,
            env=self._environment,
            stdout=subprocess.DEVNULL,
        )
        wait_until_ready(f"http://127.0.0.1:{self._port}/readyz")
        self.gateway.wait_listening(1)

    def stop(self) -> None:
        """Ctrl+C, which takes less than five seconds."""
        if self._process is not None:
            self._process.send_signal(signal.SIGINT)
            self._process.wait(5)
            self._process = None

    def later(self, **spans: float) -> None:
        """Stop it, and start it when so much time has passed."""
        self.stop()
        passed = timedelta(**spans).total_seconds()
        self._ahead += passed
        self.org.advance(passed)
        self.serve()

    @property
    def ready(self) -> str:
        """What readiness says of DingTalk."""
        facts = httpx.get(f"http://127.0.0.1:{self._port}/readyz", trust_env=False).json()
        return str(facts["platforms"]["dingtalk"])

    def say(self, staff_id: str, words: str, place: str | None = None) -> None:
        """Write to the robot, or mention it in the group."""
        self.gateway.push(BOT, text_payload(self.org, staff_id, words, place))

    def wait_read(self, place: str, *words: str) -> Message:
        """Until all the words stand in one message there; the message."""

        def found() -> Message | None:
            messages = reversed(self.org.messages(place))
            return next((one for one in messages if all(w in shown(one) for w in words)), None)

        message = self.org.wait_for(found, 20.0)
        assert message is not None
        return message


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    """Nobody has started anything yet."""
    with ExitStack() as stack:
        yield Office(tmp_path, stack)


def test_five_minutes(office: Office) -> None:
    office.banzhang("migrate")
    assert "✗" not in office.banzhang("doctor")
    office.serve()
    code = office.banzhang("admin", "code").split()[0]
    office.say("zhou", f"绑定 {code}")
    office.wait_read("zhou", "管理员")
    office.say("zhou", "@班长 团队 绑定", office.group)
    office.wait_read(office.group, "班组", "主群")
    office.say("wang", "加入")
    office.wait_read("zhou", "王五", "J1")
    office.say("zhou", "通过 J1")
    office.wait_read("wang", "班组")
    office.say("wang", "签到")
    office.wait_read("wang", "已签到")
    nobody_notices(office)
    office.say("li", "@班长 咨询 图书馆几点开门？", office.group)
    office.wait_read(office.group, "Q1", "图书馆几点开门")
    office.say("wang", "@班长 认领 Q1", office.group)
    office.wait_read(office.group, "归你了")
    told = len(office.org.messages("wang"))
    office.later(hours=2)
    due = office.wait_read(office.group, "Q1", "现在到期")
    assert due.via == "api", "a way back would be over"
    office.wait_read("wang", "Q1", "图书馆几点开门")
    assert len(office.org.messages("wang")) > told
    office.say("wang", "@班长 回复 Q1 八点", office.group)
    office.wait_read(office.group, "八点")
    assert office.ready == "ok"
    assert "✗" not in office.banzhang("doctor")
    assert office.gateway.odd == []
    assert office.gateway.strays == []


def nobody_notices(office: Office) -> None:
    """DingTalk says odd things, and wants its line back."""
    (line, *_) = office.gateway.listening
    office.gateway.send_raw("no json")
    office.gateway.disconnect(line)
    office.org.wait_for(lambda: office.gateway.listening and line not in office.gateway.listening)
    assert office.ready == "ok"
