"""A team of any size in front of the stand-in DingTalk, the whole bot behind it on a clock that is
pushed: what its people do, and how often the bot called for it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from bot.messages import Role, User
from tests.clock import StillClock
from tests.engines import fresh_engine
from tests.platforms.dingtalk_api import CARDS, CREATE_AND_DELIVER, SESSION, TO_GROUP, TO_PEOPLE
from tests.platforms.dingtalk_gateway import BOT, CARD
from tests.platforms.dingtalk_messages import press_payload, text_payload
from tests.platforms.dingtalk_model import Message, buttons, shown
from tests.stages import DINGTALK, DINGTALK_CARDS, DingtalkStage
from tests.town import Town

FIRST = datetime(2027, 4, 1, 0, 0, tzinfo=ZoneInfo("Asia/Shanghai"))
"""A Thursday: 30 days, of which 22 are working days."""

METERED = {
    TO_PEOPLE: "people",
    TO_GROUP: "groups",
    CREATE_AND_DELIVER: "cards",
    CARDS: "changes",
}
ANSWERS = "answers"
QUESTION = "是这个时间下的班吗"
PEOPLE_A_LEAD = 25
MANAGER, ASKER = "周经理", "guest"


class Crew:
    """A team in front of the stand-in: some lead, one manages and is admin, the others work."""

    def __init__(self, folder: Path, people: int, *, cards: bool, leads: int | None = None) -> None:
        """`cards`: with a template. `leads`: how many of the people are leads."""
        self._cards = cards
        self.town = Town(
            fresh_engine(f"sqlite:///{folder}/{people}{'cards' if cards else ''}.db"),
            DINGTALK_CARDS if cards else DINGTALK,
            roster={MANAGER: ("admin", "manager")},
            staged=self._stage,
        )
        leading = people // PEOPLE_A_LEAD if leads is None else leads
        self.manager = self.stage.account(MANAGER)
        self.leads = self._hire("lead", leading)
        self.workers = self._hire("worker", people - leading - 1)
        self._asked = 0
        self._metered = 0

    def _stage(self, clock: StillClock) -> DingtalkStage:
        clock.push_to(FIRST.astimezone(UTC))
        stage = DingtalkStage(clock, cards=self._cards)
        stage.api.quota = 1_000_000
        return stage

    def _hire(self, role: Role, people: int) -> list[str]:
        accounts = [f"{role}{number}" for number in range(people)]
        with self.town.uow() as uow:
            team = uow.teams.first()
            for account in accounts:
                self.stage.org.add_member(account, account)
                user = User(id=account, name=account)
                person = uow.people.meet("dingtalk", user, self.town.now)
                uow.people.grant(person, role, team.id, None, self.town.now)
        return accounts

    @property
    def stage(self) -> DingtalkStage:
        """Where they talk."""
        stage = self.town.stage
        assert isinstance(stage, DingtalkStage)
        return stage

    @property
    def everybody(self) -> list[str]:
        """Who checks in: all but those who only ask."""
        return [self.manager, *self.leads, *self.workers]

    def counted(self) -> Counter[str]:
        """How often the bot called since the last look: the metered calls by kind, and ANSWERS by
        session webhooks.
        """
        calls, self.stage.api.calls = self.stage.api.calls, []
        metered = Counter(METERED[one.path] for one in calls if one.path in METERED)
        self._metered += metered.total()
        return metered + Counter({ANSWERS: sum(one.path == SESSION for one in calls)})

    def must_be_metered(self) -> None:
        """The bot itself counts what DingTalk counts."""
        self.town.run(self.stage.dingtalk.meter.hand_on())
        with self.town.uow() as uow:
            counted = uow.calls.of("dingtalk", f"{FIRST:%Y-%m}")
        assert counted["api"] == self._metered

    def close(self) -> None:
        """Everybody goes home."""
        self.town.close()

    # --- what people do ------------------------------------------------------------------------

    def until(self, day: datetime, hour: int, minute: int = 0) -> None:
        """Let time pass up to this time of the day."""
        self.town.wait_until(day.replace(hour=hour, minute=minute).astimezone(UTC))

    def say(self, account: str, words: str, expected: str, *, in_group: bool = False) -> None:
        """Type a line, in the group or to the bot directly, and read what is expected."""
        before = len(self.stage.org.timeline)
        self.stage.say_as(account, f"@班长 {words}" if in_group else words, in_group=in_group)
        self._must_be_read(account, before, expected)

    def decide(self, account: str, label: str, what: str, expected: str) -> None:
        """Press a button of a card, or type the line where nothing can be pressed."""
        if not self._cards:
            in_group = label == "认领"
            self.say(account, f"{label} {what}", expected, in_group=in_group)
            return
        before = len(self.stage.org.timeline)
        message, carried = self._button(account, label, what)
        self.stage.push(CARD, press_payload(self.stage.org, account, message, carried))
        self.town.run(self.town.bot.delivery.drain())
        self._must_be_read(account, before, expected)

    def _button(self, account: str, label: str, what: str) -> tuple[Message, str]:
        """The newest one of this label that somebody sees, and what it carries."""
        for message in reversed(self.stage.org.timeline):
            if message.to in (self.stage.group_id, account) and what in shown(message):
                for said, carried in buttons(message):
                    if said == label:
                        return message, carried
        raise AssertionError(f"{account} cannot press {label} on {what}")

    def _read_by(self, account: str) -> list[str]:
        return [shown(one) for one in self.stage.org.messages(account)]

    def _must_be_read(self, account: str, before: int, expected: str) -> None:
        new = self.stage.org.timeline[before:]
        read = [shown(one) for one in new if one.to in (account, self.stage.group_id)]
        assert any(expected in one for one in read), read

    # --- what a day is made of -----------------------------------------------------------------

    def all_say(self, people: Sequence[str], words: str, expected: str) -> None:
        """All of them at the same moment, each to the bot directly."""
        org, before = self.stage.org, len(self.stage.org.timeline)
        for account in people:
            self.stage.gateway.push(BOT, text_payload(org, account, words))
        self.town.run(self.stage.settled())
        self.town.run(self.town.bot.delivery.drain())
        read = {one.to for one in org.timeline[before:] if expected in shown(one)}
        assert read == set(people)

    def ask(self, owner: str) -> str:
        """Somebody asks in the group, and somebody of the team claims it; the question's id."""
        self._asked += 1
        query = f"Q{self._asked}"
        self.say(ASKER, f"咨询 第 {self._asked} 个问题？", query, in_group=True)
        self.decide(owner, "认领", query, "归你了")
        return query

    def answer(self, owner: str, query: str) -> None:
        """The owner replies in the group, and whoever asked says that it is solved."""
        self.say(owner, f"回复 {query} 是这样的。", "已回复", in_group=True)
        self.say(ASKER, f"解决 {query}", "已解决", in_group=True)

    def correct(self, worker: str) -> None:
        """A check-in was late, and a lead says yes to the earlier time."""
        self.say(worker, "补卡 签到 8:30 忘了", "已发给")
        correction = self._read_by(worker)[-1].partition("：")[0]
        self.decide(self.leads[0], "通过", correction, "已通过")

    def confirm(self, worker: str) -> None:
        """Yesterday's end, which the bot had to guess, was right."""
        asked = next(one for one in reversed(self._read_by(worker)) if QUESTION in one)
        self.decide(worker, "确认", asked.partition(" ")[0], "已确认")
