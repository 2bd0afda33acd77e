"""Buttons and forms through the whole bot: from a guest's question to what they read of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from bot.app import Bot, make_adapters, web_application
from bot.clock import WallClock
from bot.settings import Settings
from tests.engines import fresh_engine
from tests.platforms.served import served
from tests.platforms.slack import Message, StandInSlack

MANAGER, WORKER, OTHER, GUEST = "U1", "U2", "U3", "U4"


@pytest.fixture
def slack(tmp_path: Path) -> Iterator[StandInSlack]:
    """A workspace with a bound group, two workers and a guest, and the whole bot."""
    settings = {"BANZHANG_LOCALE": "en", "BANZHANG_ADMINS": f"slack:{MANAGER}"}
    with StandInSlack() as standin:
        for user, name in ((MANAGER, "zhou"), (WORKER, "wang"), (OTHER, "lin"), (GUEST, "guest")):
            standin.add_user(user, name)
        standin.add_channel("C1", "rooms", [MANAGER, WORKER, OTHER, GUEST])
        parsed = Settings.model_validate(settings | standin.environment())
        clock = WallClock()
        engine = fresh_engine(f"sqlite:///{tmp_path}/story.db")
        bot = Bot(parsed, make_adapters(parsed, clock), clock, engine)
        with served(web_application(bot)) as url:
            standin.deliver_to(f"{url}/slack/events")
            assert standin.command(MANAGER, "/banzhang", "team here", channel="C1").error is None
            added = standin.command(
                MANAGER, "/banzhang", "staff add @wang @lin worker", channel="C1"
            )
            assert "wang" in added.text
            yield standin


def asked(slack: StandInSlack) -> Message:
    """A guest asks; the card that appears in the group."""
    found = slack.command(GUEST, "/ask", "When does <the> payload arrive?", channel="C1")
    assert "Q1" in found.text
    return slack.wait_for(
        lambda: next((one for one in slack.messages("C1") if "[Claim]" in slack.plain(one)), None)
    )  # type: ignore[return-value]


def test_claimed_by_a_button_and_answered_in_a_form(slack: StandInSlack) -> None:
    card = asked(slack)
    assert "When does <the> payload arrive?" in slack.on_screen(card)
    claim = slack.press(WORKER, card, "Claim")
    assert claim.error is None
    slack.wait_for(lambda: "wang" in slack.on_screen(card))

    assert slack.press(WORKER, card, "Reply").error is None
    form = slack.open_view(WORKER)
    (question,) = [block["block_id"] for block in form.blocks]
    sent = slack.submit(WORKER, form, {question: "On <b>Monday</b> & not before."})
    assert (sent.error, form.state) == (None, "submitted")
    slack.wait_for(lambda: "On <b>Monday</b> & not before." in "\n".join(slack.reads(GUEST)))

    # The same submission again, byte for byte: nothing more is said.
    before = len(slack.all_messages())
    slack.send(sent.request)
    slack.send(claim.request)
    slack.command(WORKER, "/queries", channel="C1")
    assert [slack.plain(one) for one in slack.all_messages()[before:] if "Monday" in one.text] == []


def test_what_only_one_may_read(slack: StandInSlack) -> None:
    slack.command(WORKER, "/banzhang", "me", channel="C1")
    mine = slack.reads(WORKER)[-1]
    assert mine not in slack.reads(OTHER)


def test_a_refused_press_is_told_to_the_one_who_pressed(slack: StandInSlack) -> None:
    card = asked(slack)
    before = len(slack.messages("C1"))
    assert slack.press(GUEST, card, "Claim").error is None
    slack.wait_for(lambda: slack.last(GUEST))
    assert len(slack.messages("C1")) == before


def test_asked_again_unchanged(slack: StandInSlack) -> None:
    first = slack.command(GUEST, "/ask", "Where is the key?", channel="C1")
    again = slack.command(GUEST, "/ask", "Where is the key?", channel="C1")
    assert "Q1" in first.text
    repeats = [slack.send(sent.request) for sent in (first, again)]
    assert {sent.text for sent in (again, *repeats)} == {first.text}
