"""Buttons and forms through the whole bot: from a guest's question to what they read of it. By HTTP
and by Socket Mode, between which a workspace may switch without any other change.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from bot.app import Bot, make_adapters, web_application
from bot.clock import WallClock
from bot.settings import Settings
from tests.engines import fresh_engine
from tests.platforms.served import served
from tests.platforms.slack import Message, Reply, StandInSlack
from tests.slack_stage import TRANSPORTS, reach

MANAGER, WORKER, OTHER, GUEST = "U1", "U2", "U3", "U4"


@pytest.fixture(params=TRANSPORTS)
def slack(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[StandInSlack]:
    """A workspace with a bound group, two workers and a guest, and the whole bot."""
    by_socket = request.param == "socket"
    settings = {"BANZHANG_LOCALE": "en", "BANZHANG_ADMINS": f"slack:{MANAGER}"}
    with StandInSlack() as standin:
        for user, name in ((MANAGER, "zhou"), (WORKER, "wang"), (OTHER, "lin"), (GUEST, "guest")):
            standin.add_user(user, name)
        standin.add_channel("C1", "rooms", [MANAGER, WORKER, OTHER, GUEST])
        parsed = Settings.model_validate(settings | standin.environment(socket=by_socket))
        clock = WallClock()
        engine = fresh_engine(f"sqlite:///{tmp_path}/story.db")
        bot = Bot(parsed, make_adapters(parsed, clock), clock, engine)
        with served(web_application(bot)) as url:
            reach(standin, request.param, f"{url}/slack/events")
            assert standin.command(MANAGER, "/banzhang", "team here", channel="C1").error is None
            added = standin.command(
                MANAGER, "/banzhang", "staff add @wang @lin worker", channel="C1"
            )
            assert "wang" in added.text
            yield standin


def ask(slack: StandInSlack, words: str) -> Reply:
    """A guest asks in the group. The answer is a message of ours and no response: people answer to
    it in its thread, and only a message has one.
    """
    found = slack.command(GUEST, "/ask", words, channel="C1")
    assert (found.error, found.text) == (None, "")
    return found


def receipts(slack: StandInSlack) -> list[str]:
    """Every "Q1 received" in the group."""
    said = [slack.plain(one) for one in slack.messages("C1")]
    return [words for words in said if words.startswith("@guest ")]


def asked(slack: StandInSlack) -> Message:
    """A guest asks; the card that appears in the group."""
    ask(slack, "When does <the> payload arrive?")
    slack.wait_for(lambda: receipts(slack))
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
    """Where it was pressed, and only to them."""
    card = asked(slack)
    before = len(slack.messages("C1"))
    assert slack.press(GUEST, card, "Claim").error is None
    told = slack.wait_for(lambda: slack.ephemerals[-1:])[0]
    assert (told.channel, told.ephemeral_to) == ("C1", GUEST)
    assert slack.plain(told) in slack.reads(GUEST)
    assert slack.plain(told) not in slack.reads(WORKER)
    assert len(slack.messages("C1")) == before


def test_a_question_asked_by_mention_is_opened_once(slack: StandInSlack) -> None:
    """Slack tells a mention twice, as app_mention and as message."""
    told = slack.say(GUEST, "C1", "@banzhang ask where is the key?")
    assert [found.error for found in told] == [None, None]
    slack.wait_for(lambda: any("[Claim]" in slack.plain(one) for one in slack.messages("C1")))
    assert slack.command(WORKER, "/queries", channel="C1").error is None
    said = [slack.plain(one) for one in (*slack.all_messages(), *slack.ephemerals)]
    assert any("Q1" in words for words in said)
    assert not any("Q2" in words for words in said)


def test_asked_again_unchanged(slack: StandInSlack) -> None:
    """Typed again it is Q1 again; a request that comes twice says nothing more."""
    first = ask(slack, "Where is the key?")
    slack.wait_for(lambda: len(receipts(slack)) == 1)
    again = ask(slack, "Where is the key?")
    slack.wait_for(lambda: len(receipts(slack)) == 2)
    for sent in (first, again):
        assert slack.send(sent.request).error is None
    # What is queued for one channel leaves in order: this is the last of it.
    ask(slack, "And where is the lock?")
    slack.wait_for(lambda: any("Q2" in words for words in receipts(slack)))
    assert ["Q1" in words for words in receipts(slack)] == [True, True, False]
