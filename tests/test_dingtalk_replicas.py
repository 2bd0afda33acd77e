"""Two replicas of the bot on one database: DingTalk chooses one of them for each push, and both are
one bot.
"""

from __future__ import annotations

import re
import signal
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from datetime import timedelta
from itertools import count
from pathlib import Path

import pytest

from tests.platforms.dingtalk import StandInDingtalk
from tests.platforms.dingtalk_gateway import BOT, Gateway, Pushed, Session
from tests.platforms.dingtalk_messages import event_headers, leave_payload, text_payload
from tests.platforms.dingtalk_model import Org, shown
from tests.platforms.dingtalk_socket import StreamServer
from tests.processes import Clock, until_nine_tomorrow
from tests.replicas import Replicas

ADMIN, LEAD, WORKER, LEAVER = "zhou", "li", "wang", "lin"
NAMES = {ADMIN: "周经理", LEAD: "李组长", WORKER: "小王", LEAVER: "小林"}
QUESTIONS = ("几点开门", "几点关门", "钥匙在哪")


class Pair(Replicas):
    """Two replicas, each of which has a line of its own to DingTalk."""

    def __init__(self, database_url: str, folder: Path, stack: ExitStack) -> None:
        self.org = Org()
        self.clock = Clock(folder)
        self.pass_time(seconds=until_nine_tomorrow())
        for staff_id, name in NAMES.items():
            self.org.add_member(staff_id, name)
        self.group = self.org.add_group("一班", NAMES).id
        self.gateway = Gateway(self.org)
        stack.enter_context(StreamServer(self.gateway))
        self.dingtalk = stack.enter_context(StandInDingtalk(self.org, self.gateway))
        values = {
            "BANZHANG_DATABASE_URL": database_url,
            "BANZHANG_ADMINS": f"dingtalk:{ADMIN}",
            "DINGTALK_CLIENT_ID": self.org.client_id,
            "DINGTALK_CLIENT_SECRET": self.org.client_secret,
            "DINGTALK_API_URL": self.dingtalk.api_url,
        }
        super().__init__(self.org, ["tests.serve_at", str(self.clock.file)], values, stack)
        # A replica opens its second line half a minute after its first: later than all of this.
        self.first = self.start()
        (self.of_first,) = self.gateway.wait_listening(1)
        self.second = self.start()
        self.of_second = next(
            line for line in self.gateway.wait_listening(2) if line is not self.of_first
        )
        self._turns = count()
        self.gateway.choose = self._in_turn
        self._open()

    def _in_turn(self, lines: Sequence[Session]) -> Session:
        ours = [line for line in self.lines if line in lines]
        return ours[next(self._turns) % len(ours)]

    def _open(self) -> None:
        """The team is at home in its group, and everybody has a role."""
        for staff_id in NAMES:
            self.gateway.wait_acked(self.say(staff_id, "帮助"))
        self.gateway.wait_acked(self.say(ADMIN, "团队 绑定", in_group=True))
        for name, role in (("李组长", "组长"), ("小王", "兼职"), ("小林", "兼职")):
            self.gateway.wait_acked(self.say(ADMIN, f"人员 添加 @{name} {role}"))
        self.wait_read("主群")
        self.settle()

    @property
    def lines(self) -> tuple[Session, Session]:
        """The first line of each."""
        return self.of_first, self.of_second

    def read(self, place: str = "") -> str:
        return "\n".join(self.told(place or self.group))

    def told(self, place: str) -> list[str]:
        """What was said there."""
        return [shown(one) for one in self.org.messages(place)]

    def pass_time(self, **spans: float) -> None:
        """So much time passes at once, for all of them."""
        seconds = timedelta(**spans).total_seconds()
        self.org.advance(seconds)
        self.clock.push(seconds)

    def say(
        self, staff_id: str, words: str, *, in_group: bool = False, to: Session | None = None
    ) -> Pushed:
        """DingTalk tells what somebody said, by the line `to` or by each in turn."""
        group = self.group if in_group else None
        said = f"@{self.org.bot_name} {words}" if in_group else words
        return self.gateway.push(BOT, text_payload(self.org, staff_id, said, group), to=to)

    def settle_well(self) -> None:
        """When all is done nothing was said twice, and DingTalk understood all it was told."""
        self.settle()
        said = Counter((one.to, shown(one)) for one in self.org.timeline)
        assert [one for one, times in said.items() if times > 1] == []
        assert self.gateway.odd == []
        assert self.gateway.strays == []


@pytest.fixture
def pair(postgres_url: str, tmp_path: Path) -> Iterator[Pair]:
    """Two replicas, a team and its group."""
    with ExitStack() as stack:
        yield Pair(postgres_url, tmp_path, stack)


def test_what_comes_by_two_lines_is_one_conversation(pair: Pair) -> None:
    """In turn by the one and the other, and at last by both of them at the same time."""
    pushed = [pair.say(WORKER, f"咨询 {one}？", in_group=True) for one in QUESTIONS]
    pair.gateway.double_next(3)
    twice = [
        pair.say(ADMIN, "咨询 谁来值班？", in_group=True),
        pair.say(WORKER, "签到"),
        leaves(pair, LEAVER),
    ]
    pair.org.wait_for(lambda: all(len(one.acks) == 2 for one in twice))
    pair.wait_read(*QUESTIONS, "谁来值班")
    wait_told(pair, ADMIN, "小林已移出名单")
    pair.settle_well()
    assert {line for one in pushed for line, _ in one.sent} == set(pair.lines)
    assert [len(one.acks) for one in pushed] == [1] * len(pushed)
    asked = re.findall(r"Q(\d) · 新问题\n(.+?)？", pair.read())
    assert sorted(number for number, _ in asked) == list("1234")
    assert sorted(words for _, words in asked) == sorted([*QUESTIONS, "谁来值班"])
    assert len([one for one in pair.told(WORKER) if "已签到" in one]) == 1


def leaves(pair: Pair, staff_id: str) -> Pushed:
    """Somebody leaves the organisation."""
    pair.org.remove_member(staff_id)
    data = leave_payload(pair.org, staff_id)
    return pair.gateway.event(data=data, **event_headers(pair.org, data))


def test_what_the_other_has_done_is_not_done_again(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    """DingTalk misses an acknowledgement, and tells it the other one a minute later."""
    missed: list[str] = []
    hears = pair.gateway.receive

    def misses(line: Session, said: str) -> None:
        if line is pair.of_first:
            missed.append(said)
        else:
            hears(line, said)

    monkeypatch.setattr(pair.gateway, "receive", misses)
    pushed = pair.say(WORKER, f"咨询 {QUESTIONS[0]}？", to=pair.of_first)
    pair.wait_read("Q1 · 新问题")
    pair.org.wait_for(lambda: missed)
    pair.settle()
    said = len(pair.org.timeline)
    pair.gateway.choose = lambda _lines: pair.of_second
    pair.pass_time(seconds=61)
    pair.gateway.wait_acked(pushed, 20.0)
    assert [line for line, _ in pushed.sent] == list(pair.lines)
    pair.settle_well()
    assert len(pair.org.timeline) == said


def test_what_a_killed_one_leaves_behind_the_other_does(pair: Pair) -> None:
    """What it had written down and could not say, and what it had not even read."""
    pair.dingtalk.api.fail("*", status=503)
    taken = pair.say(WORKER, f"咨询 {QUESTIONS[0]}？", in_group=True, to=pair.of_first)
    pair.gateway.wait_acked(taken)
    pair.first.pause()
    unread = [
        pair.say(LEAD, f"咨询 {QUESTIONS[1]}？", in_group=True, to=pair.of_first),
        pair.say(WORKER, "签到", to=pair.of_first),
    ]
    pair.first.end(signal.SIGKILL)
    pair.org.wait_for(lambda: not pair.of_first.is_open)
    # DingTalk tells again what was not acknowledged, and what the killed one was sending is free.
    pair.pass_time(minutes=2)
    for one in unread:
        pair.gateway.wait_acked(one, 20.0)
        assert [line for line, _ in one.sent] == list(pair.lines)
    pair.dingtalk.api.heal()
    pair.wait_read(*QUESTIONS[:2])
    pair.settle_well()
    assert taken.delivered == 1
    assert sorted(re.findall(r"(Q\d) · 新问题", pair.read())) == ["Q1", "Q2"]
    assert len([one for one in pair.told(WORKER) if "已签到" in one]) == 1


def test_reminders_come_once(pair: Pair) -> None:
    """Both replicas look at the very moment; and one of them alone when the other was killed."""
    asked_at = pair.org.now()
    for number in (1, 2):
        asked = pair.say(WORKER, f"咨询 {QUESTIONS[number]}？", in_group=True)
        pair.gateway.wait_acked(asked)
        pair.gateway.wait_acked(pair.say(LEAD, f"认领 Q{number}"))
    pair.settle()  # else what is being sent would be taken for lost, so long after
    # So shortly before, each of them sets itself an alarm for when they are to be sent.
    pair.pass_time(seconds=asked_at + 3600 - 1.5 - pair.org.now())
    wait_told(pair, LEAD, "Q1 还剩", "Q2 还剩")
    pair.settle_well()
    pair.first.end(signal.SIGKILL)
    pair.pass_time(hours=1)
    for place in (LEAD, pair.group):
        wait_told(pair, place, "Q1 现在到期", "Q2 现在到期")
    pair.settle_well()
    reminded = [one for one in pair.told(LEAD) if "还剩" in one or "现在到期" in one]
    assert len(reminded) == 4


def wait_told(pair: Pair, place: str, *words: str) -> None:
    """Until each of the words stands in a message there."""
    pair.org.wait_for(lambda: all(one in pair.read(place) for one in words), 20.0)
