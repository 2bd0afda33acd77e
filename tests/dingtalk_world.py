"""The whole bot before DingTalk's cloud, on a loop whose time is pushed: with the waits of a real
day, to the second.

No socket and no thread, so that time may stand still while anybody is at work.
"""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import Collection, Coroutine
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

import httpx
import pytest
from sqlalchemy import Engine, event, select
from sqlalchemy.orm import Session as Reading

from adapters.dingtalk.adapter import DingtalkAdapter
from adapters.dingtalk.api import CALL_SECONDS
from adapters.dingtalk.setup import Robot, Setup
from adapters.dingtalk.socket import Stream
from bot.app import Bot, web_application
from bot.settings import Settings
from bot.transactions import OwnCommits
from bot.words import reader_for
from storage import migrate
from storage.engine import make_engine
from storage.tables.attendance import Punch
from tests.clock import StillClock
from tests.platforms.answering import Answer
from tests.platforms.dingtalk_api import Api
from tests.platforms.dingtalk_gateway import (
    BOT,
    CARD,
    ODD_FRAMES,
    Gateway,
    Pushed,
    connect_in_process,
)
from tests.platforms.dingtalk_messages import press_payload, text_payload
from tests.platforms.dingtalk_model import buttons, shown
from tests.quick_loop import QuickLoop, RunningClock
from tests.stages.dingtalk import API_URL, CONNECTIONS, StillOrg
from tests.world import MANAGER, MEMBERS, TEAM, WORKER, Road, World, note_failures

T = TypeVar("T")

STEP = 2.0
"""Seconds between two looks at what is due on DingTalk's side."""
SHUTDOWN = 5.0
"""Seconds that stopping may take, whatever is wrong at that moment."""


class Day(World):
    """An organisation that uses the bot, whose loop runs only while time is passed."""

    platform = "dingtalk"
    much = 400

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        clock = RunningClock()
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        patch.setattr("bot.app.make_transactions", OwnCommits)  # whose work takes no thread
        patch.setattr("bot.schedule.SILENCE", 12.0)  # who ticks every second goes by a real clock
        self._runner = stack.enter_context(asyncio.Runner(loop_factory=lambda: QuickLoop(clock)))
        self.org = StillOrg(clock)
        self.org.webhook_origin = API_URL
        for staff, name in MEMBERS.items():
            self.org.add_member(staff, name)
        groups = [self.org.add_group(name, MEMBERS).id for name in ("一班", "甲", "乙")]
        self.gateway = Gateway(self.org)
        self.gateway.disconnect_every, self.gateway.ping_every = 57.0, 25.0
        self.api = Api(self.org, self.gateway)
        self.broken_off = note_broken_off(self.api)
        self.road = Road(httpx.ASGITransport(self.api.application()))
        self.lines = connect_in_process(self.gateway)
        self.met: Counter[str] = Counter()
        self.troubles: Counter[str] = Counter()
        """What readiness said, for how many looks."""
        self._setup = self._set_up(groups[0])
        self._engine = made_engine(f"sqlite:///{folder}/day.db")
        self._is_closed = False
        super().__init__(clock, groups, self._bot(clock))
        stack.callback(self.close)

    def _set_up(self, home: str) -> Setup:
        org = self.org
        return Setup(
            api_url=API_URL,
            client_id=org.client_id,
            client_secret=org.client_secret,
            robot_code=org.robot_code,
            card_template_id=org.template_id,
            bot_name=org.bot_name,
            robots={TEAM: Robot(*org.add_robot(home))},
        )

    def _bot(self, clock: StillClock) -> Bot:
        self.adapter = DingtalkAdapter(
            self._setup,
            clock.now,
            reader_for,
            transport=self.road,
            connect=self.lines,
            monotonic=clock.monotonic,
        )
        note_failures(self.adapter, self.met)
        values = {"BANZHANG_ADMINS": f"dingtalk:{MANAGER}", "BANZHANG_LOCALE": "zh_CN"}
        settings = Settings.model_validate(values)
        return Bot(settings, [self.adapter], clock, self._engine)

    def open(self) -> None:
        """A team at home in its group, with somebody who works."""
        self._start()
        self.say(MANAGER, "团队 绑定", self.home)
        self.say(WORKER, "帮助")
        self.say(MANAGER, "人员 添加 @小王 兼职")
        self.settle()
        assert "小王" in self.answer(MANAGER, "人员")

    def _start(self) -> None:
        self._on_loop(self.bot.start())
        self.pass_time(seconds=40)
        assert len(self.gateway.listening) == CONNECTIONS

    def begin_again(self) -> None:
        """Stop, and start anew with what stands in the database."""
        self.close()
        self.bot, self._is_closed = self._bot(self.clock), False
        self._start()

    def close(self) -> None:
        """Stop, which never takes long."""
        if not self._is_closed:
            self._is_closed = True
            self._on_loop(self._stopped())

    async def _stopped(self) -> None:
        async with asyncio.timeout(SHUTDOWN):
            await self.bot.stop()
        await asyncio.sleep(0)
        assert asyncio.all_tasks() == {asyncio.current_task()}

    # --- time --------------------------------------------------------------------------------

    def _on_loop(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return self._runner.run(coroutine)

    async def _pass_until(self, until: datetime, *, until_settled: bool = False) -> None:
        while self.clock.now() < until:
            if until_settled and self._is_settled():
                return
            self.gateway.tick()
            left = (until - self.clock.now()).total_seconds()
            await asyncio.sleep(min(STEP, left))
            if (trouble := self.adapter.trouble()) is not None:
                self.troubles[trouble] += 1

    def _is_settled(self) -> bool:
        return not (self.unacknowledged() or self.stream.in_hand or self.waiting())

    # --- what is said ------------------------------------------------------------------------

    def say(self, staff: str, words: str, group: str | None = None) -> Pushed:
        """Write to the robot, or mention it; again where nobody heard it, as people do."""
        typed = words if group is None else f"@{self.org.bot_name} {words}"
        for _ in range(40):
            pushed = self.gateway.push(BOT, text_payload(self.org, staff, typed, group))
            self.pass_time(seconds=1)
            if not pushed.is_lost:
                return pushed
            self.pass_time(seconds=15)
        raise AssertionError(f"nobody hears {words!r}")

    def answer(self, staff: str, words: str) -> str:
        """What stands in somebody's chat after they have said this, and did not before."""
        before = len(self.reads(staff))
        self.say(staff, words)
        self.settle()
        return self.reads(staff)[before:]

    def say_odd_things(self) -> None:
        """The gateway brings what nobody understands."""
        for frame in ODD_FRAMES:
            self.gateway.send_raw(frame)

    def unacknowledged(self) -> list[Pushed]:
        """What DingTalk will say again."""
        pushed = self.gateway.pushes
        return [one for one in pushed if one.comes_again and not (one.is_lost or one.acks)]

    @property
    def stream(self) -> Stream:
        """The lines by which it comes."""
        assert self.adapter.stream is not None
        return self.adapter.stream

    def press(self, staff: str, label: str, on: str) -> None:
        """Press a button on the newest card that says this."""
        card = [one for one in self.org.messages(staff) if on in shown(one)][-1]
        ((_, carried),) = [one for one in buttons(card) if one[0] == label]
        self.gateway.push(CARD, press_payload(self.org, staff, card, carried))
        self.settle()

    # --- what became of it -------------------------------------------------------------------

    def reads(self, place: str) -> str:
        return "\n".join(shown(one) for one in self.org.messages(place))

    def cards(self, words: str) -> int:
        """On how many cards in the team's home this stands."""
        there = self.org.messages(self.home)
        return sum(one.via == "card" and words in shown(one) for one in there)

    def punches(self) -> list[str]:
        """What was written down of who came and went, in order."""
        with Reading(self.bot.engine) as session:
            return list(session.scalars(select(Punch.direction).order_by(Punch.id)))

    def may_stand_twice(self, words: str) -> bool:
        """Whether DingTalk took this and did not say so: nobody can ask it."""
        return any(words in body for body in self.broken_off)

    def nothing_is_lost(self, *, doubled: Collection[int] = ()) -> None:
        unsure = {number for body in self.broken_off for number in numbers_in(body)}
        super().nothing_is_lost(doubled={*doubled, *unsure})
        assert not self.unacknowledged()
        assert (self.gateway.odd, self.gateway.strays) == ([], [])
        assert self.api.cards.too_early == []

    def most_in_a_minute(self) -> int:
        """How often lines were asked for in the worst minute."""
        moments = [opened.at for opened in self.gateway.opens]
        return max(sum(0 <= other - one < 60 for other in moments) for one in moments)

    def readyz(self) -> tuple[int, str]:
        """The status of readiness, and what it says of DingTalk."""

        async def asked() -> httpx.Response:
            transport = httpx.ASGITransport(web_application(self.bot))
            async with httpx.AsyncClient(transport=transport, base_url="http://bot") as client:
                return await client.get("/readyz")

        answer = self._on_loop(asked())
        return answer.status_code, answer.json()["platforms"]["dingtalk"]


def made_engine(url: str) -> Engine:
    """On a database in the newest shape, which would not survive if the machine lost power."""
    engine = make_engine(url)

    @event.listens_for(engine, "connect")
    def _hurry(connection: Any, _record: object) -> None:
        connection.execute("PRAGMA synchronous=OFF")

    migrate.upgrade(engine)
    return engine


def numbers_in(words: str) -> list[int]:
    """The numbers of messages that stand there."""
    return [int(one) for one in re.findall(r"№(\d+)", words)]


def note_broken_off(api: Api) -> list[str]:
    """The bodies of calls that were done, and whose answers did not arrive in time."""
    found: list[str] = []
    handle = api.handle

    def noting(method: str, path: str, body: bytes, **more: Any) -> Answer:
        answer = handle(method, path, body, **more)
        if answer.lost or answer.late >= CALL_SECONDS:
            found.append(body.decode())
        return answer

    api.handle = noting  # type: ignore[method-assign]
    return found
