"""The first afternoon with Slack: from the manifest to a team at home, with nothing but two values.

Real processes, a Slack that only offers Socket Mode, and no address at which we could be reached.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

import pytest
import yaml

from tests.office import Machine
from tests.platforms.slack import StandInSlack

ADMIN, WORKER, GUEST = "UADMIN", "UWORKER", "UGUEST"
GROUP = "C1"


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
def machine(tmp_path: Path) -> Iterator[Machine]:
    """It ends with the server stopped."""
    one = Machine(tmp_path)
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


def test_five_minutes(slack: StandInSlack, machine: Machine) -> None:
    create_app(slack, machine.banzhang("slack", "manifest"))
    values = slack.environment(socket=True)
    assert sorted(values) == ["SLACK_API_URL", "SLACK_APP_TOKEN", "SLACK_BOT_TOKEN"]
    machine.write(values)
    machine.serve()
    slack.socket.wait_connected(2, timeout=10)

    doctor = machine.banzhang("doctor")
    assert "✗" not in doctor
    assert "Socket Mode" in doctor

    code = machine.banzhang("admin", "code").split()[0]
    slack.say(ADMIN, None, f"link {code}")
    slack.wait_for(lambda: "admin" in slack.last(ADMIN))
    here = slack.command(ADMIN, "/banzhang", "team here", channel=GROUP)
    assert "home" in here.text
    assert "The bot is in #rooms" in machine.banzhang("doctor")

    slack.command(ADMIN, "/banzhang", "staff add @wang worker", channel=GROUP)
    assert "Checked in" in slack.command(WORKER, "/checkin", channel=GROUP).text
    slack.say(GUEST, GROUP, "@banzhang ask When does the library open?")
    slack.wait_for(lambda: any("[认领]" in slack.plain(one) for one in slack.messages(GROUP)))
    assert not [call for call in slack.calls if call.outcome == "missing_scope"]


def test_what_is_missing_is_named(slack: StandInSlack, machine: Machine) -> None:
    """Somebody who made the app by hand forgets a few scopes and the app-level token."""
    slack.scopes.add("chat:write")
    machine.write(slack.environment(socket=True))
    machine.banzhang("migrate")
    ill = machine.run("doctor")
    said = " ".join(ill.stdout.split())
    assert ill.returncode == 1
    assert "users:read" in said
    assert "OAuth & Permissions, Bot Token Scopes" in said
    assert "Reinstall to Workspace" in said

    machine.write({"SLACK_BOT_TOKEN": "xoxb-1"})
    half = machine.run("serve")
    assert half.returncode == 1
    assert "SLACK_APP_TOKEN" in half.stderr
    assert len(half.stderr.strip().splitlines()) == 1
