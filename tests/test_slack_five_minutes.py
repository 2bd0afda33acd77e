"""The first afternoon with Slack: from the manifest to a team at home, with nothing but two values.

Real processes, a Slack that only offers Socket Mode, and no address at which we could be reached.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

import pytest
import yaml

from tests.platforms.slack import StandInSlack
from tests.processes import free_port, wait_until_ready

ADMIN, WORKER, GUEST = "UADMIN", "UWORKER", "UGUEST"
GROUP = "C1"


class Afternoon:
    """An empty folder with a `.env` in it, and the commands typed there."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        ours = ("SLACK_", "BANZHANG_", "WECOM_", "DINGTALK_")
        self._environment = {
            name: value for name, value in os.environ.items() if not name.startswith(ours)
        }
        self._server: subprocess.Popen[bytes] | None = None

    def write(self, **values: str) -> None:
        """Fill in `.env`."""
        lines = "".join(f"{name}={value}\n" for name, value in values.items())
        (self._folder / ".env").write_text(lines, encoding="utf-8")

    def banzhang(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Type a command and see it end."""
        return subprocess.run(
            [sys.executable, "-m", "bot", *arguments],
            cwd=self._folder,
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def serve(self) -> None:
        """Start the bot and leave it running."""
        port = free_port()
        self._server = subprocess.Popen(
            [sys.executable, "-m", "bot", "serve", "--port", str(port)],
            cwd=self._folder,
            env=self._environment,
            stdout=subprocess.DEVNULL,
        )
        wait_until_ready(f"http://127.0.0.1:{port}/readyz")

    def stop(self) -> None:
        """Ctrl+C."""
        if self._server is not None:
            self._server.terminate()
            assert self._server.wait(15) is not None


@pytest.fixture
def slack() -> Iterator[StandInSlack]:
    """A workspace that knows nothing of the bot yet."""
    with StandInSlack(scopes=()) as standin:
        for user, name in ((ADMIN, "zhou"), (WORKER, "wang"), (GUEST, "guest")):
            standin.add_user(user, name, locale="en-US")
        standin.add_channel(GROUP, "rooms", [ADMIN, WORKER, GUEST])
        standin.deliver_by_socket()
        yield standin


@pytest.fixture
def afternoon(tmp_path: Path) -> Iterator[Afternoon]:
    """It ends with the server stopped."""
    one = Afternoon(tmp_path)
    yield one
    one.stop()


def create_app(slack: StandInSlack, printed: str) -> None:
    """What Slack does when somebody opens the link and presses Create and Install."""
    link, _newline, text = printed.partition("\n")
    made = yaml.safe_load(unquote(link.partition("manifest_yaml=")[2]))
    assert made == yaml.safe_load(text)
    assert made["settings"]["socket_mode_enabled"] is True
    assert "url" not in text.replace("urlencoded", "")
    for scope in made["oauth_config"]["scopes"]["bot"]:
        slack.scopes.add(scope)


def test_five_minutes(slack: StandInSlack, afternoon: Afternoon) -> None:
    create_app(slack, afternoon.banzhang("slack", "manifest").stdout)
    values = slack.environment(socket=True)
    assert sorted(values) == ["SLACK_API_URL", "SLACK_APP_TOKEN", "SLACK_BOT_TOKEN"]
    afternoon.write(**values)
    afternoon.serve()
    slack.socket.wait_connected(2, timeout=10)

    doctor = afternoon.banzhang("doctor")
    assert doctor.returncode == 0, doctor.stdout + doctor.stderr
    assert "✗" not in doctor.stdout
    assert "Socket Mode" in doctor.stdout

    code = afternoon.banzhang("admin", "code").stdout.split()[0]
    slack.say(ADMIN, None, f"link {code}")
    slack.wait_for(lambda: "admin" in slack.last(ADMIN))
    here = slack.command(ADMIN, "/banzhang", "team here", channel=GROUP)
    assert "home" in here.text
    at_home = afternoon.banzhang("doctor")
    assert at_home.returncode == 0, at_home.stdout
    assert "The bot is in #rooms" in at_home.stdout

    slack.command(ADMIN, "/banzhang", "staff add @wang worker", channel=GROUP)
    assert "Checked in" in slack.command(WORKER, "/checkin", channel=GROUP).text
    slack.say(GUEST, GROUP, "@banzhang ask When does the library open?")
    slack.wait_for(lambda: any("[认领]" in slack.plain(one) for one in slack.messages(GROUP)))
    assert not [call for call in slack.calls if call.outcome == "missing_scope"]


def test_what_is_missing_is_named(slack: StandInSlack, afternoon: Afternoon) -> None:
    """Somebody who made the app by hand forgets a few scopes and the app-level token."""
    slack.scopes.add("chat:write")
    afternoon.write(**slack.environment(socket=True))
    assert afternoon.banzhang("migrate").returncode == 0
    ill = afternoon.banzhang("doctor")
    said = " ".join(ill.stdout.split())
    assert ill.returncode == 1
    assert "users:read" in said
    assert "OAuth & Permissions, Bot Token Scopes" in said
    assert "Reinstall to Workspace" in said

    afternoon.write(SLACK_BOT_TOKEN="xoxb-1")
    half = afternoon.banzhang("serve")
    assert half.returncode == 1
    assert "SLACK_APP_TOKEN" in half.stderr
    assert len(half.stderr.strip().splitlines()) == 1
