"""The first day with WeCom: from the values on its pages to an answered question.

Real processes that read a `.env`, a WeCom that calls them, and a clock that a restart sets ahead.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import httpx
import pytest

from bot.messages import Locale
from tests.platforms.wecom import StandInWecom
from tests.platforms.wecom_model import Message, buttons
from tests.platforms.wecom_socket import BotServer
from tests.processes import free_port, wait_until_ready
from tests.wecom_world import environment, reads, shown

ROOT = Path(__file__).parent.parent
ADMIN, LEAD, WORKER, ASKER = "ZhouMin", "LiNa", "WangWu", "ChenYi"
NAMES = {ADMIN: "周敏", LEAD: "李娜", WORKER: "王五", ASKER: "陈一"}


@dataclass(frozen=True)
class Said:
    """What people type and read in one language."""

    team: str
    link: str
    here: str
    join: str
    approve: str
    checkin: str
    checked_in: str
    add_lead: str
    help: str
    ask: str
    claim: str
    reply: str
    late: str


SAID: dict[Locale, Said] = {
    "zh_CN": Said(
        team="班组",
        link="绑定",
        here="团队 绑定",
        join="加入",
        approve="通过",
        checkin="签到",
        checked_in="已签到",
        add_lead="人员 添加 @李娜 组长",
        help="帮助",
        ask="咨询 图书馆几点开门？",
        claim="认领 Q1",
        reply="回复 Q1 八点开门。",
        late="现在到期",
    ),
    "en": Said(
        team="Team",
        link="link",
        here="team here",
        join="join",
        approve="Approve",
        checkin="Check in",
        checked_in="Checked in",
        add_lead="staff add @李娜 lead",
        help="help",
        ask="ask 图书馆几点开门？",
        claim="claim Q1",
        reply="reply Q1 八点开门。",
        late="due now",
    ),
}


class Office:
    """A corp, and a folder on a machine where the bot is set up, the commands typed there."""

    def __init__(self, folder: Path, locale: Locale, stack: ExitStack) -> None:
        self.wecom = stack.enter_context(StandInWecom())
        self.server = stack.enter_context(BotServer(self.wecom.corp))
        self.gateway = self.server.gateway
        self.corp = self.wecom.corp
        for userid, name in NAMES.items():
            self.corp.add_member(userid, name)
        self.group = self.corp.add_group("教学一组", NAMES).chatid
        self._folder = folder
        ours = ("SLACK_", "BANZHANG_", "WECOM_", "DINGTALK_")
        self._environment = {
            name: value for name, value in os.environ.items() if not name.startswith(ours)
        } | {"PYTHONPATH": str(ROOT)}
        key = self.corp.add_webhook(self.group)
        values = environment(self.wecom, self.server, {SAID[locale].team: key})
        values |= {"BANZHANG_LOCALE": locale, "BANZHANG_SECRET_KEY": "a secret for tests alone"}
        lines = "".join(f"{name}={value}\n" for name, value in values.items())
        (folder / ".env").write_text(lines, encoding="utf-8")
        # Nine o'clock tomorrow, so that nothing falls into quiet hours whenever the test runs.
        now = datetime.now(ZoneInfo("Asia/Shanghai"))
        morning = (now + timedelta(days=1)).replace(hour=9, minute=0, second=0, microsecond=0)
        self._ahead = (morning - now).total_seconds()
        self.corp.advance(self._ahead)
        self._port = free_port()
        self.wecom.deliver_to(f"http://127.0.0.1:{self._port}")
        self._process: subprocess.Popen[bytes] | None = None
        stack.callback(self.stop)

    # --- the machine -------------------------------------------------------------------------

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
        before = self.gateway.subscriptions
        command = ["tests.serve_at", str(self._ahead), "serve", "--port", str(self._port)]
        self._process = subprocess.Popen(
            [sys.executable, "-m", *command],
            cwd=self._folder,
            env=self._environment,
            stdout=subprocess.DEVNULL,
        )
        wait_until_ready(f"http://127.0.0.1:{self._port}/readyz")
        self.server.wait_subscribed(before + 1, timeout=20.0)

    def stop(self) -> None:
        """Ctrl+C."""
        if self._process is not None:
            self._process.send_signal(signal.SIGINT)
            self._process.wait(15)
            self._process = None

    def later(self, **spans: float) -> None:
        """Stop it, and start it when so much time has passed."""
        self.settle()
        self.stop()
        passed = timedelta(**spans).total_seconds()
        self._ahead += passed
        self.corp.advance(passed)
        self.serve()

    def settle(self) -> None:
        """Until everything that was committed has left."""
        ready = f"http://127.0.0.1:{self._port}/readyz"
        self.wecom.wait_for(lambda: httpx.get(ready).json()["messages_waiting"] == 0, 40.0)

    # --- people ------------------------------------------------------------------------------

    def say(self, userid: str, words: str) -> str:
        """Write to the app; the answer in the response."""
        delivery = self.wecom.say(userid, words)
        assert delivery.statuses == [200]
        return shown(delivery.message) if delivery.message is not None else ""

    def say_in_group(self, userid: str, words: str) -> None:
        """Mention the aibot in the group."""
        self.gateway.say(userid, words, self.group)

    def wait_read(self, place: str, *words: str) -> Message:
        """Until all the words stand in one message there; the message."""

        def found() -> Message | None:
            messages = reversed(self.corp.messages(place))
            return next((one for one in messages if all(w in shown(one) for w in words)), None)

        message = self.wecom.wait_for(found, 40.0)
        assert message is not None
        return message

    def press(self, userid: str, message: Message, label: str) -> None:
        """A button of a card."""
        key = dict(buttons(message))[label]
        assert self.wecom.press(userid, message, key).statuses == [200]

    def tap(self, userid: str, label: str) -> str:
        """An item of the menu under the app's conversation."""
        assert self.corp.menu is not None
        items = {one["name"]: one.get("key") for one in self.corp.menu["button"]}
        delivery = self.wecom.click(userid, items[label])
        assert delivery.statuses == [200]
        return shown(delivery.message) if delivery.message is not None else ""


@pytest.fixture(params=SAID)
def locale(request: pytest.FixtureRequest) -> Locale:
    """Each language once."""
    found: Locale = request.param
    return found


@pytest.fixture
def office(tmp_path: Path, locale: Locale) -> Iterator[Office]:
    """Nobody has started anything yet."""
    with ExitStack() as stack:
        yield Office(tmp_path, locale, stack)


def test_five_minutes(office: Office, locale: Locale) -> None:
    said = SAID[locale]
    set_up(office, said)
    staff_comes(office, said)
    ask_and_be_late(office, said)
    answer(office, said)


def set_up(office: Office, said: Said) -> None:
    """The values are right, WeCom reaches the server, and the first admin is let in."""
    office.banzhang("migrate")
    assert "✗" not in office.banzhang("doctor")
    tried = office.gateway.subscriptions
    office.serve()
    assert office.wecom.verify()
    healthy = office.banzhang("doctor")
    assert "it is left alone" in " ".join(healthy.split())
    assert office.gateway.subscriptions == tried + 1
    code = office.banzhang("admin", "code").split()[0]
    office.say(ADMIN, f"{said.link} {code}")
    office.say_in_group(ADMIN, said.here)
    office.wait_read(office.group, said.team)
    assert said.checkin in office.banzhang("wecom", "menu")
    assert "✗" not in office.banzhang("doctor")


def staff_comes(office: Office, said: Said) -> None:
    """A worker joins and begins to work, and there is a lead."""
    office.say(WORKER, said.join)
    asked = office.wait_read(ADMIN, NAMES[WORKER], said.team)
    office.press(ADMIN, asked, said.approve)
    office.wait_read(WORKER, said.team)
    assert said.checked_in in office.tap(WORKER, said.checkin)
    office.say(LEAD, said.help)
    office.say(ADMIN, said.add_lead)
    office.wait_read(LEAD, said.team)


def ask_and_be_late(office: Office, said: Said) -> None:
    """A lead claims a question and forgets it: they are reminded, and at last their phone rings."""
    office.say_in_group(ASKER, said.ask)
    card = office.wait_read(office.group, "Q1", "图书馆几点开门")
    assert card.via == "bot"
    office.say_in_group(LEAD, said.claim)
    office.wait_read(office.group, NAMES[LEAD])
    told = len(office.corp.messages(LEAD))
    office.later(hours=1, seconds=1)
    reminder = office.wait_read(LEAD, "Q1", "图书馆几点开门")
    assert buttons(reminder)
    assert not rings(office)
    office.later(hours=1)
    due = office.wait_read(LEAD, "Q1", said.late)
    assert buttons(due)
    office.wecom.wait_for(lambda: rings(office))
    office.settle()
    assert [one.mentioned for one in rings(office)] == [(LEAD.lower(),)]
    assert "Q1" in shown(rings(office)[0])
    assert office.corp.messages(LEAD)[told:] == [reminder, due]


def rings(office: Office) -> list[Message]:
    """What rang phones in the group."""
    return [one for one in office.corp.messages(office.group) if one.via == "webhook"]


def answer(office: Office, said: Said) -> None:
    """The worker knows; the asker and the group read it, and nobody is reminded any more."""
    assert "Q1" in office.say(WORKER, said.reply)
    read = office.wait_read(office.group, "八点开门。", NAMES[ASKER])
    assert read.via == "bot"
    office.settle()
    before = len(office.corp.timeline)
    office.later(hours=20)
    time.sleep(1.1)  # every second it looks what is due
    office.settle()
    after = office.corp.timeline[before:]
    assert not [one for one in after if "Q1" in shown(one)], reads(office.wecom, LEAD)
    assert office.corp.dropped == 0
