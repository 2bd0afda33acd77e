"""The Slack adapter alone, between a stand-in workspace and a recorder where dispatch would stand.

By HTTP or by Socket Mode: to switch between them needs no other change, so most tests of the
adapter know nothing of it and run over both.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from adapters.contract import Adapter
from adapters.lines import Timings
from adapters.slack.adapter import SlackAdapter
from adapters.slack.api import SlackApi
from bot.words import reader_for
from tests.platforms.slack import StandInSlack
from tests.recorder import Recorder, serving

TRANSPORTS = ("http", "socket")
FORM = "application/x-www-form-urlencoded"

# Tests cannot wait as long as people; a line that is merely slow on a busy machine is not dead.
QUICK = Timings(
    ping=0.1,
    dead=5.0,
    hello=2.0,
    settled=0.0,
    grace=0.5,
    first_wait=0.02,
    longest_wait=0.1,
    refused_wait=0.2,
    unconnected=0.1,
    finish=1.0,
    close=0.3,
)


@contextmanager
def at_work(adapter: Adapter, recorder: Recorder) -> Iterator[str]:
    """The adapter behind the real web room; gives the address that Slack calls."""
    with serving(adapter, recorder) as url:
        yield f"{url}/slack/events"


def make_adapter(
    slack: StandInSlack, api_url: str = "", *, by_socket: bool = False, timings: Timings = QUICK
) -> SlackAdapter:
    """An adapter for this workspace."""

    def now() -> datetime:
        return datetime.now(UTC)

    secrets = () if by_socket else ("the next secret", slack.signing_secret)
    api = SlackApi(slack.token, api_url or slack.api_url, now, slack.app_token)
    return SlackAdapter(api, secrets, now, reader_for, by_socket=by_socket, timings=timings)


def populated() -> StandInSlack:
    """Two people, a channel and a private one."""
    standin = StandInSlack()
    standin.add_user("U1", "wang")
    standin.add_user("U2", "小李")
    standin.add_channel("C1", "rooms", ["U1", "U2"])
    standin.add_channel("G1", "office", ["U1", "U2"], private=True)
    return standin


@contextmanager
def staged(transport: str) -> Iterator[tuple[StandInSlack, Recorder]]:
    """A workspace and an adapter that hear each other."""
    recorder = Recorder()
    with populated() as standin:
        adapter = make_adapter(standin, by_socket=transport == "socket")
        with at_work(adapter, recorder) as url:
            reach(standin, transport, url)
            yield standin, recorder


def reach(standin: StandInSlack, transport: str, url: str) -> None:
    """Tell Slack where the app is, or wait until the app is there."""
    if transport == "socket":
        standin.deliver_by_socket()
        standin.socket.wait_connected(2)
    else:
        standin.deliver_to(url)
