"""Real processes: starts them, looks at them from outside, ends them."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import httpx

START_WITHIN = 20.0
END_WITHIN = 15.0
ROOT = Path(__file__).parent.parent
OURS = ("SLACK_", "BANZHANG_", "WECOM_", "DINGTALK_")


class Clock:
    """A file by which `tests.serve_at` knows how far ahead of the machine's clock it is."""

    def __init__(self, folder: Path) -> None:
        """Not ahead of it yet."""
        self.file = folder / "seconds-ahead"
        self.ahead = 0.0
        self.push(0.0)

    def push(self, seconds: float) -> None:
        """So much passes at once, also for what is running."""
        self.ahead += seconds
        written = self.file.with_suffix(".new")
        written.write_text(str(self.ahead), encoding="utf-8")
        written.replace(self.file)  # never half of it


class Served:
    """`banzhang serve` in a process of its own: `python -m COMMAND serve`."""

    def __init__(
        self,
        command: Sequence[str],
        environment: Mapping[str, str],
        *,
        folder: Path | None = None,
        port: int | None = None,
    ) -> None:
        self.port = port or free_port()
        self._process = subprocess.Popen(
            [sys.executable, "-m", *command, "serve", "--port", str(self.port)],
            cwd=folder,
            env=environment,
            stdout=subprocess.DEVNULL,
        )

    @property
    def url(self) -> str:
        """Where a platform finds it."""
        return f"http://127.0.0.1:{self.port}"

    def wait_until_ready(self) -> None:
        """It serves."""
        wait_until_ready(f"{self.url}/readyz")

    def facts(self) -> dict[str, Any]:
        """What readiness says."""
        found: dict[str, Any] = httpx.get(f"{self.url}/readyz", trust_env=False).json()
        return found

    @property
    def is_settled(self) -> bool:
        """All that was due for long has been done, and all that was committed has left."""
        facts = self.facts()
        return not facts["timers_overdue"] and not facts["messages_waiting"]

    @property
    def is_running(self) -> bool:
        """It has not ended."""
        return self._process.poll() is None

    def pause(self) -> None:
        """It does nothing any more, not even read."""
        self._process.send_signal(signal.SIGSTOP)

    def end(self, how: signal.Signals) -> None:
        """SIGINT, SIGTERM: with a goodbye. SIGKILL: without."""
        self._process.send_signal(how)
        self._process.wait(END_WITHIN)

    def close(self) -> None:
        """At the end of a test."""
        if self.is_running:
            self.end(signal.SIGKILL)


def until_nine_tomorrow() -> float:
    """Seconds: at nine nothing falls into quiet hours, whenever a test runs."""
    now = datetime.now(ZoneInfo("Asia/Shanghai"))
    morning = (now + timedelta(days=1)).replace(hour=9, minute=0, second=0, microsecond=0)
    return (morning - now).total_seconds()


def bare_environment() -> dict[str, str]:
    """This process's, without the settings of a bot; tests' own programs are found."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
    return kept | {"PYTHONPATH": str(ROOT)}


def free_port() -> int:
    """A port of this machine that nobody has at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def running(
    arguments: Sequence[str], environment: Mapping[str, str]
) -> Iterator[subprocess.Popen[bytes]]:
    """A process of ours, ended at the end whatever happens."""
    process = subprocess.Popen(
        [sys.executable, "-m", *arguments],
        env={**os.environ, **environment},
        stdout=subprocess.DEVNULL,
    )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(5)


def wait_until_ready(url: str) -> float:
    """Seconds until `url` answers at all (a 4xx is an answer); raises TimeoutError."""
    began = time.perf_counter()
    while time.perf_counter() - began < START_WITHIN:
        try:
            if httpx.get(url, timeout=1).status_code < 500:
                return time.perf_counter() - began
        except httpx.TransportError:
            time.sleep(0.01)
    raise TimeoutError(f"{url} did not answer within {START_WITHIN:.0f} s")


def resident_megabytes(pid: int) -> float:
    """The process's resident memory, from /proc."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise LookupError("no VmRSS")
