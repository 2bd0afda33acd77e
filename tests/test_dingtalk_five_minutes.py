"""The first minutes with DingTalk: from two values to a team that works, with real processes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from bot.messages import Locale
from tests.office import ADMIN, ASKER, NAMES, WORDS, WORKER, Office, Words
from tests.platforms.dingtalk import StandInDingtalk
from tests.platforms.dingtalk_gateway import BOT, Gateway
from tests.platforms.dingtalk_messages import text_payload
from tests.platforms.dingtalk_model import Message, Org, shown
from tests.platforms.dingtalk_socket import StreamServer


class DingtalkOffice(Office[Message]):
    """An organisation, and a folder on a machine where the bot is set up."""

    def __init__(self, folder: Path, locale: Locale, stack: ExitStack) -> None:
        self.org = Org()
        super().__init__(folder, self.org, shown)
        for staff_id, name in NAMES.items():
            self.org.add_member(staff_id, name)
        self.group = self.org.add_group("教学一组", NAMES).id
        self.gateway = Gateway(self.org)
        stack.enter_context(StreamServer(self.gateway))
        dingtalk = stack.enter_context(StandInDingtalk(self.org, self.gateway))
        self.write(
            {
                "DINGTALK_CLIENT_ID": self.org.client_id,
                "DINGTALK_CLIENT_SECRET": self.org.client_secret,
                "DINGTALK_API_URL": dingtalk.api_url,
                "BANZHANG_LOCALE": locale,
            }
        )
        stack.callback(self.stop)

    def serve(self) -> None:
        super().serve()
        self.gateway.wait_listening(1)

    @property
    def ready(self) -> str:
        """What readiness says of DingTalk."""
        return str(self.facts()["platforms"]["dingtalk"])

    def say(self, staff_id: str, words: str) -> None:
        """Write to the robot."""
        self.gateway.push(BOT, text_payload(self.org, staff_id, words))

    def say_in_group(self, staff_id: str, words: str) -> None:
        """Mention the robot in the group."""
        mentioned = f"@{self.org.bot_name} {words}"
        self.gateway.push(BOT, text_payload(self.org, staff_id, mentioned, self.group))


@pytest.fixture
def office(tmp_path: Path, locale: Locale) -> Iterator[DingtalkOffice]:
    """Nobody has started anything yet."""
    with ExitStack() as stack:
        yield DingtalkOffice(tmp_path, locale, stack)


@pytest.mark.parametrize("locale", WORDS)
def test_five_minutes(office: DingtalkOffice, locale: Locale) -> None:
    words = WORDS[locale]
    set_up(office, words)
    staff_comes(office, words)
    nobody_notices(office)
    ask_and_be_late(office, words)
    office.say_in_group(WORKER, words.reply)
    office.wait_read(office.group, "八点开门。", NAMES[ASKER])
    assert office.ready == "ok"
    assert "✗" not in office.banzhang("doctor")
    assert office.gateway.odd == []
    assert office.gateway.strays == []


def set_up(office: DingtalkOffice, words: Words) -> None:
    """The two values are right, and the first admin brings the bot into a group."""
    office.banzhang("migrate")
    assert "✗" not in office.banzhang("doctor")
    office.serve()
    code = office.banzhang("admin", "code").split()[0]
    office.say(ADMIN, f"{words.link} {code}")
    office.wait_read(ADMIN, words.admin)
    office.say_in_group(ADMIN, words.here)
    office.wait_read(office.group, words.team, words.home)


def staff_comes(office: DingtalkOffice, words: Words) -> None:
    """A worker joins and begins to work."""
    office.say(WORKER, words.join)
    office.wait_read(ADMIN, NAMES[WORKER], "J1")
    office.say(ADMIN, f"{words.approve} J1")
    office.wait_read(WORKER, words.team)
    office.say(WORKER, words.checkin)
    office.wait_read(WORKER, words.checked_in)


def nobody_notices(office: DingtalkOffice) -> None:
    """DingTalk says odd things, and wants its line back."""
    (line, *_) = office.gateway.listening
    office.gateway.send_raw("no json")
    office.gateway.disconnect(line)
    office.org.wait_for(lambda: office.gateway.listening and line not in office.gateway.listening)
    assert office.ready == "ok"


def ask_and_be_late(office: DingtalkOffice, words: Words) -> None:
    """A question is claimed and forgotten; its deadline comes after a restart, in the group and to
    whom it belongs.
    """
    office.say_in_group(ASKER, words.ask)
    office.wait_read(office.group, "Q1", words.asked)
    office.say_in_group(WORKER, words.claim)
    office.wait_read(office.group, words.claimed)
    told = len(office.org.messages(WORKER))
    office.later(hours=2)
    due = office.wait_read(office.group, "Q1", words.late)
    assert due.via == "api", "a way back would be over"
    office.wait_read(WORKER, "Q1", words.asked)
    assert len(office.org.messages(WORKER)) > told
