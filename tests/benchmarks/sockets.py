"""Socket Mode: from an envelope to its acknowledgement, one at a time.

The stand-in's share is in it.
"""

from __future__ import annotations

from pathlib import Path

from tests.benchmarks.load import Result, timed
from tests.platforms.slack import Reply, StandInSlack
from tests.processes import free_port, running, wait_until_ready

COMMANDS, TALK = 500, 1_000


def acknowledged(*replies: Reply) -> None:
    """Raises AssertionError where one was not."""
    assert all(reply.error is None for reply in replies), replies


def measure(slack: StandInSlack, folder: Path, users: int, secret: str) -> tuple[Result, Result]:
    """Check-ins of people on the roster; and what a channel says to itself, in no thread."""
    database = f"sqlite:///{folder}/bench.db"
    environment = {
        **slack.environment(socket=True),
        "BANZHANG_DATABASE_URL": database,
        "BANZHANG_SECRET_KEY": secret,
        "BANZHANG_LOG_LEVEL": "error",
    }
    for number in range(users):
        slack.add_user(f"U{number}", f"user{number}")
    slack.add_channel("C2", "talk", [f"U{number}" for number in range(users)])
    port = free_port()
    with running(["bot", "serve", "--port", str(port)], environment):
        wait_until_ready(f"http://127.0.0.1:{port}/readyz")
        slack.deliver_by_socket()
        slack.socket.wait_connected(2, timeout=10)
        commands = timed(
            COMMANDS, lambda number: acknowledged(slack.command(f"U{number % users}", "/checkin"))
        )
        talk = timed(
            TALK,
            lambda number: acknowledged(*slack.say(f"U{number % users}", "C2", "good morning")),
        )
    return commands, talk
