"""Where somebody sets the bot up: a machine, and the office around it with its platform.

Real processes that read a `.env`, a stand-in for the platform's cloud, and a clock that is pushed.
"""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

from bot.messages import Locale
from tests.processes import Clock, Served, bare_environment, free_port, until_nine_tomorrow

PATIENCE = 40.0

M = TypeVar("M")
T = TypeVar("T")

ADMIN, LEAD, WORKER, ASKER = "ZhouMin", "LiNa", "WangWu", "ChenYi"
NAMES = {ADMIN: "周敏", LEAD: "李娜", WORKER: "王五", ASKER: "陈一"}


@dataclass(frozen=True)
class Words:
    """What people type and read in one language."""

    team: str
    link: str
    admin: str
    here: str
    home: str
    join: str
    approve: str
    checkin: str
    checked_in: str
    add_lead: str
    help: str
    ask: str
    asked: str
    claim: str
    claimed: str
    reply: str
    late: str


WORDS: dict[Locale, Words] = {
    "zh_CN": Words(
        team="班组",
        link="绑定",
        admin="管理员",
        here="团队 绑定",
        home="主群",
        join="加入",
        approve="通过",
        checkin="签到",
        checked_in="已签到",
        add_lead="人员 添加 @李娜 组长",
        help="帮助",
        ask="咨询 图书馆几点开门？",
        asked="图书馆几点开门？",
        claim="认领 Q1",
        claimed="归你了",
        reply="回复 Q1 八点开门。",
        late="现在到期",
    ),
    "en": Words(
        team="Team",
        link="link",
        admin="admin",
        here="team here",
        home="home",
        join="join",
        approve="Approve",
        checkin="Check in",
        checked_in="Checked in",
        add_lead="staff add @李娜 lead",
        help="help",
        ask="ask 图书馆几点开门？",
        asked="图书馆几点开门？",
        claim="claim Q1",
        claimed="yours",
        reply="reply Q1 八点开门。",
        late="due now",
    ),
}


class Machine:
    """An empty folder with a `.env` in it, and the commands typed there."""

    def __init__(self, folder: Path) -> None:
        self.clock = Clock(folder)
        self.port = free_port()
        self.served: Served | None = None
        self._folder = folder
        self._command = ["tests.serve_at", str(self.clock.file)]
        self._environment = bare_environment()

    def write(self, values: Mapping[str, str]) -> None:
        """Fill in `.env`."""
        lines = "".join(f"{name}={value}\n" for name, value in values.items())
        (self._folder / ".env").write_text(lines, encoding="utf-8")

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Type a command and see it end, well or not."""
        return subprocess.run(
            [sys.executable, "-m", *self._command, *arguments],
            cwd=self._folder,
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def banzhang(self, *arguments: str) -> str:
        """Type a command, see it end well, and read what it says."""
        ended = self.run(*arguments)
        assert ended.returncode == 0, ended.stdout + ended.stderr
        return ended.stdout

    def serve(self) -> None:
        """Start the bot and leave it running."""
        self.served = Served(self._command, self._environment, folder=self._folder, port=self.port)
        self.served.wait_until_ready()

    def stop(self) -> None:
        """Ctrl+C, if it runs."""
        if self.served is not None:
            self.served.end(signal.SIGINT)
            self.served = None

    def facts(self) -> dict[str, Any]:
        """What readiness says."""
        assert self.served is not None
        return self.served.facts()


class Cloud(Protocol[M]):
    """A stand-in for an organisation on a platform."""

    def advance(self, seconds: float) -> None: ...

    def wait_for(self, predicate: Callable[[], T], timeout: float = ...) -> T: ...

    def messages(self, place: str) -> list[M]: ...


class Office(Machine, Generic[M]):
    """A machine, and the people of an organisation, whose clocks go together."""

    def __init__(self, folder: Path, cloud: Cloud[M], shown: Callable[[M], str]) -> None:
        """It is nine o'clock. `shown`: a message as it is read."""
        super().__init__(folder)
        self._cloud = cloud
        self._shown = shown
        self.pass_time(seconds=until_nine_tomorrow())

    def write(self, values: Mapping[str, str]) -> None:
        super().write({"BANZHANG_SECRET_KEY": "a secret for tests alone"} | dict(values))

    def pass_time(self, **spans: float) -> None:
        """So much time passes at once, for all of them."""
        if self.served is not None:
            self.settle()  # what is being sent would be taken for lost, so long after
        seconds = timedelta(**spans).total_seconds()
        self._cloud.advance(seconds)
        self.clock.push(seconds)

    def settle(self) -> None:
        """Until all that was due has been done, and what was committed has left."""
        served = self.served
        assert served is not None
        self._cloud.wait_for(lambda: served.is_settled, PATIENCE)

    def later(self, **spans: float) -> None:
        """Stop it, whatever it is at, and start it when so much time has passed."""
        self.stop()
        self.pass_time(**spans)
        self.serve()

    def wait_read(self, place: str, *words: str) -> M:
        """Until all the words stand in one message there; the message."""

        def found() -> list[M]:
            messages = self._cloud.messages(place)
            return [one for one in messages if all(w in self._shown(one) for w in words)]

        return self._cloud.wait_for(found, PATIENCE)[-1]
