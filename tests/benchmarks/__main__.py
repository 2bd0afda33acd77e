"""Runs all measurements, prints them and keeps them in docs/performance.md."""

from __future__ import annotations

import asyncio
import os
import platform
import sqlite3
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

from tests.benchmarks import clocks, dingtalk, dingtalk_month, sockets, wecom
from tests.benchmarks.load import Result, fire, requests
from tests.benchmarks.staff import hire, tell_all
from tests.platforms.slack import StandInSlack
from tests.processes import free_port, resident_megabytes, running, wait_until_ready

PAGE = Path(__file__).parents[2] / "docs" / "performance.md"
USERS, PEOPLE = 50, 500
SECRET = "a secret for benchmarks alone"
ALONE, TOGETHER = 1_000, 10_000
Row = tuple[str, str, str]


async def _load(port: int, secret: str, run: str) -> tuple[Result, Result]:
    """The same load for each server: warm up, one at a time, then 64 together."""
    await fire(port, requests(secret, 200, USERS, f"{run}warm"), 4)
    alone = await fire(port, requests(secret, ALONE, USERS, f"{run}alone"), 1)
    together = await fire(port, requests(secret, TOGETHER, USERS, f"{run}together"), 64)
    return alone, together


def measure_banzhang(slack: StandInSlack, folder: Path) -> list[Row]:
    """The whole bot behind `banzhang serve`, SQLite with synchronous=FULL."""
    port = free_port()
    environment = {
        **slack.environment(),
        "BANZHANG_DATABASE_URL": f"sqlite:///{folder}/bench.db",
        "BANZHANG_SECRET_KEY": SECRET,
        "BANZHANG_LOG_LEVEL": "error",
    }
    hire(environment["BANZHANG_DATABASE_URL"], "slack", USERS, SECRET)
    with running(["bot", "serve", "--port", str(port)], environment) as server:
        ready = wait_until_ready(f"http://127.0.0.1:{port}/readyz")
        alone, together = asyncio.run(_load(port, slack.signing_secret, "ours"))
        memory = resident_megabytes(server.pid)
    return [
        ("start to ready", f"{ready:.2f} s", "2 s"),
        ("signed command → answer, one at a time, p50 / p99", _latency(alone), ""),
        ("signed command → answer, 64 at once, p50 / p99", _latency(together), ""),
        ("commands a second, 64 at once", f"{together.rate:,.0f}", ""),
        (
            f"resident memory after {ALONE + TOGETHER + 200:,} commands",
            f"{memory:.0f} MB",
            "150 MB",
        ),
    ]


def measure_sockets(slack: StandInSlack, folder: Path) -> list[Row]:
    """The same bot and database, by Socket Mode."""
    commands, talk = sockets.measure(slack, folder, USERS, SECRET)
    return [
        ("Socket Mode: command → answer, one at a time, p50 / p99", _latency(commands), ""),
        ("Socket Mode: a line that is nobody's business, p50 / p99", _latency(talk), ""),
    ]


def measure_wecom(folder: Path) -> list[Row]:
    """The whole bot with an app and an aibot, on a database of its own."""
    database = _waiting(folder, "wecom")
    taps, mentions, seconds = wecom.measure(database, USERS, PEOPLE, SECRET)
    return [
        ("WeCom: tap on the menu → passive answer, p50 / p99", _latency(taps), "5 s"),
        ("WeCom: mention in a group → read there, p50 / p99", _latency(mentions), ""),
        (f"WeCom: {PEOPLE} people are told the same", f"{seconds:.1f} s", ""),
    ]


def measure_dingtalk(folder: Path) -> list[Row]:
    """The whole bot by Stream, on a database of its own."""
    database = _waiting(folder, "dingtalk")
    mentions, rate, seconds, calls = dingtalk.measure(database, USERS, PEOPLE, SECRET)
    told = f"DingTalk: {PEOPLE} people are told the same, {calls} calls"
    return [
        ("DingTalk: mention in a group → read there, p50 / p99", _latency(mentions), ""),
        ("DingTalk: check-ins acknowledged a second, 1,000 at once", f"{rate:,.0f}", ""),
        (told, f"{seconds:.1f} s", ""),
    ]


def _waiting(folder: Path, platform: str) -> str:
    """A database with a roster, and words that wait for everybody."""
    database = f"sqlite:///{folder}/{platform}.db"
    hire(database, platform, USERS, SECRET)
    tell_all(database, platform, PEOPLE, SECRET)
    return database


def measure_bolt(slack: StandInSlack) -> list[Row]:
    """slack-bolt alone, storing nothing."""
    port = free_port()
    secret = slack.signing_secret
    arguments = ["tests.benchmarks.bare_bolt", str(port), slack.environment()["SLACK_BOT_TOKEN"]]
    with running([*arguments, secret, slack.api_url], {}):
        wait_until_ready(f"http://127.0.0.1:{port}/")
        alone, together = asyncio.run(_load(port, secret, "bolt"))
    return [
        ("bare slack-bolt: one at a time, p50 / p99", _latency(alone), ""),
        ("bare slack-bolt: 64 at once, p50 / p99", _latency(together), ""),
        ("bare slack-bolt: commands a second, 64 at once", f"{together.rate:,.0f}", ""),
    ]


def _latency(result: Result) -> str:
    return f"{result.quantile(0.5):.1f} / {result.quantile(0.99):.1f} ms"


def _machine() -> str:
    packages = ("slack-bolt", "SQLAlchemy", "uvicorn", "APScheduler")
    versions = ", ".join(f"{name} {version(name)}" for name in packages)
    return (
        f"{time.strftime('%Y-%m-%d')}, {platform.machine()}, {os.cpu_count()} cores shared with the"
        f" load, Python {platform.python_version()}, SQLite {sqlite3.sqlite_version} (WAL,"
        f" synchronous=FULL), {versions}."
    )


def measure_times() -> list[str]:
    """What takes time, on this machine."""
    with tempfile.TemporaryDirectory() as name, StandInSlack() as slack:
        slack.add_channel("C1", "bench", [])
        folder = Path(name)
        rows = measure_banzhang(slack, folder) + measure_sockets(slack, folder)
        rows += measure_wecom(folder) + measure_dingtalk(folder) + measure_bolt(slack)
        rows += asyncio.run(clocks.measure(folder))
    table = ["| what | measured | goal |", "|---|---|---|"]
    table += [f"| {what} | {result} | {goal} |" for what, result, goal in rows]
    return [_machine(), "", *table]


def keep(part: str, lines: list[str]) -> None:
    """Put them between the two marks of this part in docs/performance.md."""
    begin, end = (f"<!-- {part}: {mark} -->" for mark in ("begin", "end"))
    before, rest = PAGE.read_text(encoding="utf-8").split(begin)
    after = rest.split(end)[1]
    body = "\n".join([begin, "", *lines, "", end])
    PAGE.write_text(before + body + after, encoding="utf-8")


PARTS = {"times": measure_times, "calls": dingtalk_month.measure}


def main() -> None:
    """Measure, print, keep: all parts, or those that are named."""
    for part in sys.argv[1:] or PARTS:
        lines = PARTS[part]()
        sys.stdout.write("\n".join([*lines, "", ""]))
        keep(part, lines)


if __name__ == "__main__":
    main()
