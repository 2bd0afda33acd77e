"""A day on which everything goes wrong between us and Slack: every message once, and in order.

429s in storms, 5xx, connections that drop before and after Slack took what was said, slow answers,
Socket Mode connections told to go, cut and starved, envelopes doubled and lost. The day is pressed
into some seconds by shorter waits; what is tried again, when and why is the code that runs every
day.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

import bot.outbox
from adapters.lines import Timings
from adapters.slack import adapter as slack_adapter
from adapters.slack.adapter import SlackAdapter
from adapters.slack.api import SlackApi
from bot.app import Bot, web_application
from bot.clock import WallClock
from bot.settings import Settings
from bot.words import reader_for
from storage.tables.queries import Query
from storage.tables.queues import outbox
from tests.engines import fresh_engine
from tests.platforms.served import served
from tests.platforms.slack import (
    DropAfter,
    DropBefore,
    Message,
    RateLimited,
    Reply,
    ServerError,
    Slow,
    StandInSlack,
)

MANAGER, WORKER = "U1", "U2"
GUESTS = ("U3", "U4", "U5")
HOME = "C1"
QUESTIONS = 4
# Everything that a busy day brings in hours, in fractions of a second.
IMPATIENT = Timings(
    ping=0.05, dead=0.3, hello=1.0, idle=2.0, grace=0.3, first_wait=0.02, longest_wait=0.2
)


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waits of a day, shortened; their order and their reasons stay."""
    monkeypatch.setattr(slack_adapter, "SECONDS_BETWEEN_MESSAGES", 0.005)
    monkeypatch.setattr(bot.outbox, "FIRST_WAIT", 0.02)
    monkeypatch.setattr(bot.outbox, "LONGEST_WAIT", 0.3)


@pytest.fixture
def slack() -> Iterator[StandInSlack]:
    """A workspace with a team and people who ask."""
    with StandInSlack() as standin:
        for user, name in ((MANAGER, "zhou"), (WORKER, "wang")):
            standin.add_user(user, name, locale="en-US")
        for number, guest in enumerate(GUESTS):
            standin.add_user(guest, f"guest{number}", locale="en-US")
        standin.add_channel(HOME, "rooms", [MANAGER, WORKER, *GUESTS])
        standin.deliver_by_socket()
        yield standin


@pytest.fixture
def bot_(slack: StandInSlack, tmp_path: Path, hurried: None) -> Iterator[Bot]:
    """The whole bot on Socket Mode, its team at home in the channel."""
    clock = WallClock()
    values = {"BANZHANG_LOCALE": "en", "BANZHANG_ADMINS": f"slack:{MANAGER}"}
    settings = Settings.model_validate(values | slack.environment(socket=True))
    api = SlackApi(slack.token, slack.api_url, clock.now, slack.app_token)
    adapter = SlackAdapter(api, (), clock.now, reader_for, by_socket=True, timings=IMPATIENT)
    one = Bot(settings, [adapter], clock, fresh_engine(f"sqlite:///{tmp_path}/day.db"))
    with served(web_application(one)):
        slack.socket.wait_connected(2)
        assert "home" in slack.command(MANAGER, "/banzhang", "team here", channel=HOME).text
        slack.command(MANAGER, "/banzhang", "staff add @wang worker", channel=HOME)
        yield one


class Weather:
    """What goes wrong next on the way in."""

    def __init__(self, slack: StandInSlack) -> None:
        self._slack = slack
        self._minute = 0

    def pass_a_minute(self) -> None:
        """Each minute a connection is told to go, and something else happens in its turn."""
        self._minute += 1
        socket = self._slack.socket
        lines = socket.wait_connected(1)
        match self._minute % 6:
            case 1:
                socket.duplicate_next(2)
            case 2:
                socket.cut(lines[0])
            case 3:
                socket.garbage("<html>bad gateway</html>")
            case 4:
                socket.lose_next(1)
            case 5:
                socket.refuse_next(1)
                lines[0].starved = True
        living = [one for one in socket.wait_connected(1) if not one.starved]
        if living:
            reason = "warning" if self._minute % 2 else "refresh_requested"
            socket.disconnect(reason, living[-1], close_after=0.05)


def delivered(slack: StandInSlack, replies: list[Reply]) -> None:
    """Slack sends an event again until somebody acknowledges it."""
    for first in replies:
        last = first
        while last.error is not None:
            slack.socket.wait_connected(1)
            last = slack.redeliver(last)


def in_storm(slack: StandInSlack) -> None:
    """Every so many calls meet each kind of trouble, at steps that are no multiples."""
    slack.faults.every(9, DropAfter())
    slack.faults.every(11, ServerError())
    slack.faults.every(13, DropBefore())
    slack.faults.every(17, Slow(0.1))
    slack.faults.every(29, RateLimited(1))
    slack.faults.script("chat.postMessage", [RateLimited(1)] * 3)


def test_a_day_of_faults(slack: StandInSlack, bot_: Bot) -> None:
    slack.patience = 0.4
    in_storm(slack)
    weather = Weather(slack)
    for number in range(QUESTIONS):
        for guest in GUESTS:
            weather.pass_a_minute()
            delivered(slack, slack.say(guest, None, f"ask question {number} of {guest}"))
    # Somebody answers all of them below their cards, with the storm still on.
    for card in cards(slack, QUESTIONS * len(GUESTS)):
        weather.pass_a_minute()
        delivered(slack, slack.say(WORKER, HOME, "@banzhang claim", thread_ts=card.ts))
    slack.wait_for(lambda: waiting(bot_) == 0, timeout=60)
    slack.faults.clear()

    assert asked(bot_) == sorted(
        f"question {number} of {guest}" for number in range(QUESTIONS) for guest in GUESTS
    )
    rows = posted(bot_)
    assert {state for _id, _address, state in rows} == {"sent"}
    for address in {address for _id, address, _state in rows}:
        told = [number for number, place, _state in rows if place == address]
        if address.startswith("slack:group:"):
            assert ours(slack, slack.messages(HOME)) == told
        else:
            user = address.rpartition(":")[2]
            assert ours(slack, slack.messages(user)) == told
    assert all("wang" in slack.on_screen(card) for card in cards(slack, 1))
    assert len(slack.socket.disconnects) >= QUESTIONS * len(GUESTS)
    met = {call.outcome.rpartition(" ")[2] for call in slack.calls}
    assert met >= {"DropAfter", "DropBefore", "503", "ratelimited"}


def cards(slack: StandInSlack, at_least: int) -> list[Message]:
    """The cards of questions in the channel, once there are so many."""

    def found() -> list[Message]:
        messages = slack.messages(HOME)
        return [one for one in messages if one.blocks and "· " in slack.plain(one)]

    slack.wait_for(lambda: len(found()) >= at_least, timeout=60)
    return found()


def ours(slack: StandInSlack, messages: list[Message]) -> list[int]:
    """The numbers that the bot's own messages in a place carry, in the order people see."""
    return [
        int(one.metadata["event_payload"]["id"])
        for one in messages
        if one.metadata is not None and one.ephemeral_to is None
    ]


def waiting(bot_: Bot) -> int:
    """Messages that have not left."""
    with Session(bot_.engine) as session:
        states = session.scalars(select(outbox.c.state)).all()
    return sum(state in ("pending", "sending") for state in states)


def posted(bot_: Bot) -> list[tuple[int, str, str]]:
    """Every message but whispers and edits, in the order it was queued: number, queue, state."""
    wanted = select(outbox.c.id, outbox.c.address, outbox.c.state).where(
        outbox.c.edits_id.is_(None), func.coalesce(outbox.c.handle, "none") != ""
    )
    with Session(bot_.engine) as session:
        return [
            (row.id, row.address, row.state)
            for row in session.execute(wanted.order_by(outbox.c.id))
        ]


def asked(bot_: Bot) -> list[str]:
    """The questions that were written down."""
    with Session(bot_.engine) as session:
        return sorted(session.scalars(select(Query.question)))
