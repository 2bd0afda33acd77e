"""The first day with WeCom: from the values on its pages to an answered question.

Real processes that read a `.env`, a WeCom that calls them, and a clock that is pushed.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from bot.messages import Locale
from tests.office import ADMIN, ASKER, LEAD, NAMES, WORDS, WORKER, Office, Words
from tests.platforms.wecom import StandInWecom
from tests.platforms.wecom_model import Message, buttons
from tests.platforms.wecom_socket import BotServer
from tests.wecom_world import environment, reads, shown


class WecomOffice(Office[Message]):
    """A corp, and a folder on a machine where the bot is set up."""

    def __init__(self, folder: Path, locale: Locale, stack: ExitStack) -> None:
        self.wecom = stack.enter_context(StandInWecom())
        self.corp = self.wecom.corp
        super().__init__(folder, self.corp, shown)
        self.server = stack.enter_context(BotServer(self.corp))
        self.gateway = self.server.gateway
        for userid, name in NAMES.items():
            self.corp.add_member(userid, name)
        self.group = self.corp.add_group("教学一组", NAMES).chatid
        key = self.corp.add_webhook(self.group)
        values = environment(self.wecom, self.server, {WORDS[locale].team: key})
        self.write(values | {"BANZHANG_LOCALE": locale})
        self.wecom.deliver_to(f"http://127.0.0.1:{self.port}")
        stack.callback(self.stop)

    def serve(self) -> None:
        before = self.gateway.subscriptions
        super().serve()
        self.server.wait_subscribed(before + 1, timeout=20.0)

    def say(self, userid: str, words: str) -> str:
        """Write to the app; the answer in the response."""
        delivery = self.wecom.say(userid, words)
        assert delivery.statuses == [200]
        return shown(delivery.message) if delivery.message is not None else ""

    def say_in_group(self, userid: str, words: str) -> None:
        """Mention the aibot in the group."""
        self.gateway.say(userid, words, self.group)

    def press(self, userid: str, message: Message, label: str) -> None:
        """A button of a card."""
        key = dict(buttons(message))[label]
        assert self.wecom.press(userid, message, key).statuses == [200]

    def tap(self, userid: str, label: str) -> str:
        """An item of the menu under the app's conversation."""
        assert self.corp.menu is not None
        items = {one["name"]: one.get("key") for one in self.corp.menu["button"]}
        delivery = self.wecom.click(userid, items[label])
        assert delivery.statuses == [200]
        return shown(delivery.message) if delivery.message is not None else ""


@pytest.fixture
def office(tmp_path: Path, locale: Locale) -> Iterator[WecomOffice]:
    """Nobody has started anything yet."""
    with ExitStack() as stack:
        yield WecomOffice(tmp_path, locale, stack)


@pytest.mark.parametrize("locale", WORDS)
def test_five_minutes(office: WecomOffice, locale: Locale) -> None:
    words = WORDS[locale]
    set_up(office, words)
    staff_comes(office, words)
    ask_and_be_late(office, words)
    answer(office, words)


def set_up(office: WecomOffice, words: Words) -> None:
    """The values are right, WeCom reaches the server, and the first admin is let in."""
    office.banzhang("migrate")
    assert "✗" not in office.banzhang("doctor")
    office.serve()
    assert office.wecom.verify()
    code = office.banzhang("admin", "code").split()[0]
    office.say(ADMIN, f"{words.link} {code}")
    office.say_in_group(ADMIN, words.here)
    office.wait_read(office.group, words.team)
    assert words.checkin in office.banzhang("wecom", "menu")


def staff_comes(office: WecomOffice, words: Words) -> None:
    """A worker joins and begins to work, and there is a lead."""
    office.say(WORKER, words.join)
    asked = office.wait_read(ADMIN, NAMES[WORKER], words.team)
    office.press(ADMIN, asked, words.approve)
    office.wait_read(WORKER, words.team)
    assert words.checked_in in office.tap(WORKER, words.checkin)
    office.say(LEAD, words.help)
    office.say(ADMIN, words.add_lead)
    office.wait_read(LEAD, words.team)


def ask_and_be_late(office: WecomOffice, words: Words) -> None:
    """A lead claims a question and forgets it: they are reminded, and at last their phone rings."""
    office.say_in_group(ASKER, words.ask)
    all_is_well(office)
    card = office.wait_read(office.group, "Q1", words.asked)
    assert card.via == "bot"
    office.say_in_group(LEAD, words.claim)
    office.wait_read(office.group, NAMES[LEAD], "Q1")
    told = len(office.corp.messages(LEAD))
    office.later(hours=1, seconds=1)
    reminder = office.wait_read(LEAD, "Q1", words.asked)
    assert buttons(reminder)
    assert not rings(office)
    office.pass_time(hours=1)
    due = office.wait_read(LEAD, "Q1", words.late)
    assert buttons(due)
    office.wecom.wait_for(lambda: rings(office))
    office.settle()
    assert [one.mentioned for one in rings(office)] == [(LEAD.lower(),)]
    assert "Q1" in shown(rings(office)[0])
    assert office.corp.messages(LEAD)[told:] == [reminder, due]


def all_is_well(office: WecomOffice) -> None:
    """The doctor looks at a bot that works, and does not take its connection away."""
    before = office.gateway.subscriptions
    found = office.banzhang("doctor")
    assert "✗" not in found
    assert "it is left alone" in " ".join(found.split())
    assert office.gateway.subscriptions == before


def rings(office: WecomOffice) -> list[Message]:
    """What rang phones in the group."""
    return [one for one in office.corp.messages(office.group) if one.via == "webhook"]


def answer(office: WecomOffice, words: Words) -> None:
    """The worker knows; the asker and the group read it, and nobody is reminded any more."""
    assert "Q1" in office.say(WORKER, words.reply)
    read = office.wait_read(office.group, "八点开门。", NAMES[ASKER])
    assert read.via == "bot"
    office.settle()
    before = len(office.corp.timeline)
    office.pass_time(hours=20)
    office.settle()
    after = office.corp.timeline[before:]
    assert not [one for one in after if "Q1" in shown(one)], reads(office.wecom, LEAD)
    assert office.corp.dropped == 0
