"""`banzhang doctor` and Slack: each thing that can be wrong is found, with where to click."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from adapters.contract import Checkup, Finding, Home
from adapters.slack import doctor, manifest
from adapters.slack.adapter import SlackAdapter
from adapters.slack.api import SlackApi
from adapters.slack.reading import NAME
from bot.messages import Chat, Event, User
from bot.words import reader_for
from storage.uow import UnitOfWork
from tests.doctoring import migrated, run_doctor, written
from tests.findings import came_in, nowhere, sentences
from tests.platforms.slack import (
    DropBefore,
    RateLimited,
    ServerError,
    SlackError,
    StandInSlack,
)

APP = "api.slack.com/apps, your app, "
GREEN_BY_SOCKET = [
    "Slack takes the token: the bot is banzhang in banzhang-test.",
    "The bot has all the scopes it needs.",
    "This machine's clock and Slack's agree.",
    "Socket Mode is ready: no public address is needed.",
    "Nothing has come in from Slack yet: type /banzhang help there.",
]


@pytest.fixture
def slack() -> Iterator[StandInSlack]:
    """A workspace where everything is as the manifest makes it."""
    with StandInSlack(scopes=manifest.scopes()) as standin:
        standin.add_user("U1", "wang")
        standin.add_channel("C1", "teachers", ["U1"])
        standin.add_channel("C2", "library", ["U1"], bot=False)
        standin.add_channel("G1", "leads", ["U1"], private=True)
        standin.add_channel("G2", "secret", ["U1"], private=True, bot=False)
        yield standin


async def examined(
    slack: StandInSlack,
    *,
    by_socket: bool = True,
    token: str = "",
    app_token: str = "",
    **known: Any,
) -> Sequence[Finding]:
    """What the doctor says, by the real API client over real HTTP."""

    def now() -> datetime:
        return datetime.now(UTC)

    api = SlackApi(
        token or slack.token,
        slack.api_url,
        now,
        (app_token or slack.app_token) if by_socket else None,
    )
    secrets = () if by_socket else (slack.signing_secret,)
    adapter = SlackAdapter(api, secrets, now, reader_for, by_socket=by_socket)
    return await adapter.examine(Checkup(now(), **known))


def red(findings: Sequence[Finding]) -> str:
    """The one thing that is wrong."""
    [found] = [one.sentence for one in findings if not one.fine]
    assert found.endswith((".", "?")), found
    assert "\n" not in found
    return found


# --- all is well ----------------------------------------------------------------------------------


async def test_all_is_well_by_socket(slack: StandInSlack) -> None:
    findings = await examined(slack)
    assert sentences(findings) == GREEN_BY_SOCKET
    assert all(one.fine for one in findings)
    assert {call.method for call in slack.calls} == {"auth.test", "apps.connections.open"}


async def test_all_is_well_over_http(slack: StandInSlack) -> None:
    findings = await examined(slack, by_socket=False, base_url="https://banzhang.example.org/")
    assert all(one.fine for one in findings)
    [address] = [one for one in sentences(findings) if "/slack/events" in one]
    assert "https://banzhang.example.org/slack/events" in address
    for place in ("Event Subscriptions, Request URL", "Interactivity", "Slash Commands"):
        assert place in address
    assert {call.method for call in slack.calls} == {"auth.test"}


async def test_over_http_without_an_address(slack: StandInSlack) -> None:
    """Slack alone can tell whether it reaches us, so this is said and is no fault."""
    findings = await examined(slack, by_socket=False)
    assert "https://your.address/slack/events" in " ".join(sentences(findings))
    assert all(one.fine for one in findings)


async def test_homes_that_are_well(slack: StandInSlack) -> None:
    homes = (Home("C1", "teachers", "Day"), Home("G1", "", "Night"))
    findings = await examined(slack, homes=homes)
    assert sentences(findings)[len(GREEN_BY_SOCKET) :] == [
        "The bot is in #teachers, home of Day.",
        "The bot is in G1, home of Night.",
    ]


# --- the tokens -----------------------------------------------------------------------------------


@pytest.mark.parametrize("code", ["invalid_auth", "account_inactive", "token_revoked"])
async def test_a_bot_token_that_slack_refuses(slack: StandInSlack, code: str) -> None:
    slack.faults.every(1, SlackError(code), "auth.test")
    findings = await examined(slack)
    found = red(findings)
    assert len(findings) == 1, "without the token nothing else can be asked"
    assert "SLACK_BOT_TOKEN" in found
    assert f"({code})" in found
    assert f"{APP}OAuth & Permissions, Bot User OAuth Token" in found


async def test_a_bot_token_of_another_app(slack: StandInSlack) -> None:
    found = red(await examined(slack, token="xoxb-0-of-another-app"))
    assert "refuses SLACK_BOT_TOKEN (invalid_auth)" in found
    assert "of-another-app" not in found, "a token is a secret"


async def test_an_app_token_in_the_bot_tokens_place(slack: StandInSlack) -> None:
    found = red(await examined(slack, token=slack.app_token))
    assert "SLACK_BOT_TOKEN (not_allowed_token_type)" in found


async def test_scopes_that_are_missing_are_named(slack: StandInSlack) -> None:
    slack.scopes.discard("users:read")
    slack.scopes.discard("channels:history")
    found = red(await examined(slack))
    assert found.startswith("Scopes are missing: channels:history, users:read.")
    assert f"{APP}OAuth & Permissions, Bot Token Scopes" in found
    assert "banzhang slack manifest" in found
    assert "Reinstall to Workspace" in found


async def test_more_scopes_than_needed_are_no_fault(slack: StandInSlack) -> None:
    slack.scopes.add("chat:write.public")
    assert all(one.fine for one in await examined(slack))


# --- the clock ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("skew", "which"), [(-600, "ahead of"), (600, "behind")])
async def test_a_clock_that_is_wrong(slack: StandInSlack, skew: float, which: str) -> None:
    slack.skew = skew
    found = red(await examined(slack))
    assert f"s {which} Slack's" in found
    assert 590 <= int(found.split(" s ")[0].split()[-1]) <= 610
    assert "timedatectl set-ntp true" in found


async def test_a_clock_that_is_a_little_wrong(slack: StandInSlack) -> None:
    slack.skew = 30
    assert all(one.fine for one in await examined(slack))


# --- Socket Mode ----------------------------------------------------------------------------------


async def test_an_app_token_that_slack_refuses(slack: StandInSlack) -> None:
    found = red(await examined(slack, app_token="xapp-0-of-another-app"))
    assert "refuses SLACK_APP_TOKEN (invalid_auth)" in found
    assert f"{APP}Basic Information, App-Level Tokens" in found
    assert "of-another-app" not in found


async def test_an_app_token_that_may_not_connect(slack: StandInSlack) -> None:
    slack.faults.every(1, SlackError("missing_scope"), "apps.connections.open")
    found = red(await examined(slack))
    assert "SLACK_APP_TOKEN lacks connections:write" in found
    assert "App-Level Tokens, Generate Token and Scopes" in found


async def test_socket_mode_that_is_off(slack: StandInSlack) -> None:
    slack.socket.enabled = False
    found = red(await examined(slack))
    assert found == f"Socket Mode is off: switch on {APP}Socket Mode, Enable Socket Mode."


async def test_no_connection_of_the_doctors_own(slack: StandInSlack) -> None:
    """Slack gives a payload to any connection; one that only looks would swallow it."""
    await examined(slack)
    assert slack.socket.opened == 0


async def test_a_network_that_does_not_let_us_out(
    slack: StandInSlack, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def nowhere(_ask: object) -> str:
        return "ws://127.0.0.1:1/link/?ticket=a-secret"

    monkeypatch.setattr(doctor, "opened_url", nowhere)
    found = red(await examined(slack))
    assert "127.0.0.1 cannot be reached (ClientConnectorError)" in found
    assert "wss://" in found
    assert "a-secret" not in found


# --- the homes ------------------------------------------------------------------------------------


async def test_a_home_that_the_bot_is_not_in(slack: StandInSlack) -> None:
    found = red(await examined(slack, homes=(Home("C2", "library", "Day"),)))
    assert found == "The bot is not in #library, home of Day: type /invite @banzhang there."


async def test_a_private_home_that_the_bot_cannot_see(slack: StandInSlack) -> None:
    found = red(await examined(slack, homes=(Home("G2", "secret", "Day"),)))
    assert "#secret, home of Day, cannot be seen" in found
    assert "/invite @banzhang" in found
    assert "/banzhang team here" in found


async def test_a_home_that_is_archived(slack: StandInSlack) -> None:
    slack.archive("C1")
    found = red(await examined(slack, homes=(Home("C1", "teachers", "Day"),)))
    assert "#teachers, home of Day, is archived: unarchive it" in found
    assert "/banzhang team here" in found


async def test_homes_that_slack_does_not_tell_of(slack: StandInSlack) -> None:
    """That says nothing about the bot's being there, so nobody is sent to invite it."""
    for fault in (ServerError(), SlackError("fatal_error"), DropBefore()):
        slack.faults.script("conversations.info", [fault])
        found = red(await examined(slack, homes=(Home("C1", "teachers", "Day"),)))
        assert "#teachers, home of Day, cannot be looked at: " in found
        assert "invite" not in found


async def test_each_home_is_looked_at(slack: StandInSlack) -> None:
    homes = (Home("C2", "library", "A"), Home("C1", "teachers", "B"), Home("G2", "", "C"))
    findings = (await examined(slack, homes=homes))[len(GREEN_BY_SOCKET) :]
    assert [one.fine for one in findings] == [False, True, False]


# --- Slack is down --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "fault",
    [ServerError(), SlackError("internal_error"), RateLimited(), DropBefore()],
    ids=lambda one: type(one).__name__,
)
async def test_slack_is_in_trouble(slack: StandInSlack, fault: Any) -> None:
    """Then nobody is sent to copy a token that is good."""
    slack.faults.every(1, fault)
    findings = await examined(slack)
    found = red(findings)
    assert len(findings) == 1
    assert "about SLACK_BOT_TOKEN" in found
    assert "copy" not in found


async def test_slack_is_in_trouble_about_socket_mode(slack: StandInSlack) -> None:
    for fault in (ServerError(), SlackError("internal_error"), RateLimited(), DropBefore()):
        slack.faults.script("apps.connections.open", [fault])
        found = red(await examined(slack))
        assert "copy" not in found
        assert "SLACK_APP_TOKEN" in found or "Socket Mode cannot be tried" in found


async def test_nobody_answers(slack: StandInSlack) -> None:
    api = SlackApi(slack.token, f"http://127.0.0.1:{nowhere()}/api/", lambda: datetime.now(UTC))
    adapter = SlackAdapter(api, ("secret",), lambda: datetime.now(UTC), reader_for)
    found = red(await adapter.examine(Checkup(datetime.now(UTC))))
    assert "Slack is not reachable" in found


# --- what has been heard --------------------------------------------------------------------------


async def test_what_has_come_in_shows_what_is_switched_on(slack: StandInSlack) -> None:
    some = (await examined(slack, heard=came_in("command", "press")))[-1]
    assert some.fine
    assert some.sentence.startswith(
        "Came in this week: slash commands, buttons."
        " Did not: messages and mentions, message shortcuts, reactions, the App Home."
    )
    for place in ("Event Subscriptions, Subscribe to bot events", "Interactivity & Shortcuts"):
        assert place in some.sentence
    everything = (await examined(slack, heard=came_in(*doctor.HEARD)))[-1]
    assert everything.sentence == "Everything that Slack can send has come in this week."


# --- by the command line --------------------------------------------------------------------------


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return migrated(tmp_path)


@pytest.mark.parametrize("by_socket", [True, False], ids=["socket", "http"])
def test_a_green_doctor_ends_with_0(
    slack: StandInSlack, database: Path, tmp_path: Path, by_socket: bool
) -> None:
    code, out, error = run_doctor(tmp_path, slack.environment(socket=by_socket))
    assert (code, error) == (0, "")
    assert "✗" not in out
    assert "The database is in the newest shape." in out
    for sentence in GREEN_BY_SOCKET[:3]:
        assert f"✓ {sentence}" in out


def test_a_red_doctor_ends_with_1_and_one_plain_sentence(
    slack: StandInSlack, database: Path, tmp_path: Path
) -> None:
    slack.scopes.discard("users:read")
    code, out, error = run_doctor(tmp_path, slack.environment(socket=True))
    assert code == 1
    assert out.count("✗") == 1
    assert "✗ Scopes are missing: users:read." in out
    assert len(error.strip().splitlines()) == 1
    assert "Error" not in error
    assert slack.token not in out + error


def test_the_doctor_knows_the_homes_and_what_came_in(
    slack: StandInSlack, database: Path, tmp_path: Path
) -> None:
    """Names are people's: what looks like markup in them is none."""

    def write(uow: UnitOfWork, at: datetime) -> None:
        team = uow.teams.add("[/b]Day[red]", "en", "UTC", at)
        uow.teams.bind(team, NAME, "C2", "library", at)
        event = Event(
            platform=NAME,
            key="command:T1:1.2.3",
            kind="text",
            user=User(id="U1", name="wang"),
            chat=Chat(kind="direct", id="U1"),
            at=at,
            received_at=at,
        )
        assert uow.inbox.claim(event)

    written(database, write)
    code, out, error = run_doctor(tmp_path, slack.environment(socket=True))
    assert code == 1
    assert "✗ The bot is not in #library, home of [/b]Day[red]: type /invite @banzhang" in out
    assert "Came in this week: slash commands. Did not: messages and mentions," in out
    assert len(error.strip().splitlines()) == 1
    assert "Traceback" not in error
