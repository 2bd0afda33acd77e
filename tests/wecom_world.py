"""The whole bot before WeCom's cloud: a corp that uses it, and a clock that is pushed.

Real HTTP and a real WebSocket on 127.0.0.1. Time stands still unless somebody lets it pass, and
passes only between messages, so the limits by which WeCom counts are exactly those by which we do.
"""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import Coroutine, Mapping, Sequence
from contextlib import ExitStack
from datetime import datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any, Literal, TypeVar

import httpx
from sqlalchemy import select
from sqlalchemy.orm import Session

from adapters.contract import DeliveryFailed, Receive, Services
from adapters.wecom.adapter import WecomAdapter
from adapters.wecom.setup import App, LongConnection, Setup
from adapters.wecom.socket import Timings
from adapters.windows import Windows
from bot.app import Bot, web_application
from bot.messages import Address, Button, Card, Outgoing, Reader, Send, ToHome, Words, text
from bot.settings import Settings
from bot.words import reader_for
from storage.tables.queries import Query
from storage.tables.queues import outbox
from storage.uow import UnitOfWork
from tests.clock import StillClock
from tests.engines import fresh_engine
from tests.platforms.served import served
from tests.platforms.wecom import StandInWecom
from tests.platforms.wecom_model import Json, Message, plain
from tests.platforms.wecom_refusals import Refusal
from tests.platforms.wecom_socket import BotServer
from tests.stages.wecom import StillCorp

T = TypeVar("T")

MANAGER, WORKER = "zhou", "wang"
MEMBERS = {"zhou": "周经理", "wang": "小王", "lin": "小林", "chen": "小陈", "sun": "小孙"}
TEAM = "班组"

# A whole day of the connection in seconds; who is late on a busy machine is not yet dead.
IMPATIENT = Timings(
    ping=0.3,
    subscribe=5.0,
    answer=1.0,
    first_wait=0.02,
    longest_wait=0.2,
    settled=0.0,
    kicked_wait=0.5,
    lead=0.1,
    finish=1.0,
    close=0.3,
)


class Road(httpx.AsyncHTTPTransport):
    """The way to WeCom's API, which may lead nowhere."""

    is_closed = False

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if self.is_closed:
            request.url = request.url.copy_with(port=1)  # nobody listens there
        return await super().handle_async_request(request)


class LoopedWecom(WecomAdapter):
    """Tells on which loop it runs, and what went wrong."""

    loop: asyncio.AbstractEventLoop

    def __init__(self, *arguments: Any, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self.met: Counter[str] = Counter()

    async def start(self, receive: Receive, services: Services) -> None:
        self.loop = asyncio.get_running_loop()
        await super().start(receive, services)

    async def send(self, outgoing: Outgoing, reader: Reader) -> str:
        try:
            return await super().send(outgoing, reader)
        except DeliveryFailed as failed:
            self.met[failed.why] += 1
            raise


RINGS = "what rings"


class Day:
    """The bot at work, a corp that uses it, and a clock that stands still unless it is pushed."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.clock = StillClock()
        corp = StillCorp(self.clock)
        for userid, name in MEMBERS.items():
            corp.add_member(userid.capitalize(), name)
        self.home = corp.add_group("一班", MEMBERS).chatid
        self.groups = [self.home, *(corp.add_group(name, MEMBERS).chatid for name in "甲乙")]
        self.places = [*MEMBERS, *self.groups]
        self.wecom = stack.enter_context(StandInWecom(corp))
        self.server = stack.enter_context(BotServer(corp))
        self.gateway = self.server.gateway
        self.refused = count_refusals(self.server)
        self.road = Road()
        self.adapter = self._adapter()
        values = {"BANZHANG_ADMINS": f"wecom:{MANAGER}", "BANZHANG_LOCALE": "zh_CN"}
        settings = Settings.model_validate(values | environment(self.wecom, self.server))
        engine = fresh_engine(f"sqlite:///{folder}/day.db")
        self.bot = Bot(settings, [self.adapter], self.clock, engine)
        self.wecom.deliver_to(stack.enter_context(served(web_application(self.bot))))
        self._numbers = count(1)
        self.queued: dict[str, list[int]] = {place: [] for place in (*self.places, RINGS)}
        """By place, and what is to ring apart: it waits for nothing else that is said there."""

    def _adapter(self) -> LoopedWecom:
        corp = self.wecom.corp
        setup = Setup(
            api_url=self.wecom.origin,
            app=App(corp.corp_id, corp.agent_id, corp.secret, corp.token, corp.aes_key),
            bot=LongConnection(self.server.url, corp.bot_id, corp.bot_secret),
            bot_name=corp.bot_name,
            webhooks={TEAM: corp.add_webhook(self.home)},
        )
        return LoopedWecom(
            setup,
            self.clock.now,
            reader_for,
            transport=self.road,
            timings=IMPATIENT,
            windows=Windows(corp.now),
        )

    def open(self) -> None:
        """Everybody has spoken to the bot once, and the team is at home in its group."""
        self.server.wait_subscribed()
        assert self.wecom.verify()
        self.say_in_group(MANAGER, "团队 绑定", self.home)
        for group in self.groups:
            self.say_in_group(WORKER, "帮助", group)
        for userid in MEMBERS:
            assert self.wecom.say(userid, "帮助").taken
        self.wecom.say(MANAGER, "人员 添加 @小王 兼职")
        self.settle()
        assert "小王" in str(self.wecom.say(MANAGER, "人员").message)

    # --- time --------------------------------------------------------------------------------

    def _on_loop(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(coroutine, self.adapter.loop).result(60)

    def pass_time(self, **spans: float) -> None:
        """Let so much time pass, from one thing that is due to the next."""
        self._on_loop(self._pass_until(self.clock.now() + timedelta(**spans)))

    def settle(self, **spans: float) -> None:
        """Let time pass until everything has left, so much at most (an hour)."""
        until = self.clock.now() + timedelta(**(spans or {"hours": 1}))
        self._on_loop(self._pass_until(until, until_settled=True))
        assert not self.waiting(), self.waiting()

    async def _pass_until(self, until: datetime, *, until_settled: bool = False) -> None:
        while True:
            socket = self.adapter.socket
            assert socket is not None
            await socket.idle()
            # Time passes only between messages: what is on its way arrives when it was sent.
            await self.bot.delivery.drain()
            now = self.clock.now()
            wakes = await self.bot.transactions.read(wake_ups)
            if now >= until or (until_settled and not wakes):
                return
            # Real time passes too: a connection is there again after some of it.
            await asyncio.sleep(0.0005 if socket.connected else 0.02)
            timer = await self.bot.transactions.read(lambda uow: uow.timers.next_wake())
            due = [until, *wakes, *([timer] if timer else [])]
            self.clock.push_to(max(min(due), now + timedelta(milliseconds=100)))
            await self.bot.schedule.tick()

    # --- what is said ------------------------------------------------------------------------

    def say_in_group(self, userid: str, words: str, group: str) -> None:
        """Mention the bot; said again where nobody heard it, as people do."""
        self.server.wait_subscribed()
        before = len(self.gateway.lost)
        self.gateway.say(userid, words, group)
        if len(self.gateway.lost) > before:
            self.say_in_group(userid, words, group)

    def queue(self, *places: str, times: int = 1) -> None:
        """Messages with numbers, to be sent to each of the places."""
        for _ in range(times):
            for place in places:
                number = next(self._numbers)
                self.queued[place].append(number)
                in_group = place in self.groups
                kind: Literal["group", "person"] = "group" if in_group else "person"
                address = Address(platform="wecom", kind=kind, id=place)
                send = Send(to=address, key=f"number/{number}", **numbered(number))
                self._put(send)

    def ring(self) -> None:
        """Something that rings in the team's home, by its group robot."""
        number = next(self._numbers)
        self.queued[RINGS].append(number)
        words = numbered_words(number)
        team = self._on_loop(self.bot.transactions.read(lambda uow: uow.teams.first().id))
        home = ToHome(team_id=team)
        self._put(Send(to=home, key=f"ring/{number}", words=words, rings=True))

    def _put(self, send: Send) -> None:
        def put(uow: UnitOfWork) -> bool:
            return uow.outbox.put(send, self.clock.now())

        assert self._on_loop(self.bot.transactions.run(put))

    @property
    def is_connected(self) -> bool:
        """Whether the bot has the aibot's connection, as far as it knows."""
        socket = self.adapter.socket
        return socket is not None and socket.connected

    def wait_asked(self, question: str) -> None:
        """Until the bot has written this question down."""
        self.wecom.wait_for(lambda: question in self.asked())

    # --- what became of it -------------------------------------------------------------------

    def waiting(self) -> list[tuple[int, str, str | None]]:
        """Messages that have not left: number, address, why."""
        return [row for row in self._rows() if row[3] in ("pending", "sending")]

    def states(self) -> set[str]:
        """How messages have ended, or not."""
        return {row[3] for row in self._rows()}

    def _rows(self) -> list[Any]:
        wanted = select(outbox.c.id, outbox.c.address, outbox.c.error, outbox.c.state)
        with Session(self.bot.engine) as session:
            return [tuple(row) for row in session.execute(wanted.order_by(outbox.c.id))]

    def asked(self) -> dict[str, int]:
        """Every question that was written down, with its number."""
        with Session(self.bot.engine) as session:
            rows = session.execute(select(Query.question, Query.id)).all()
        found: dict[str, int] = {row.question: row.id for row in rows}
        assert len(found) == len(rows), "a question was written down twice"
        return found

    def told(self, place: str) -> list[int]:
        """The numbers that are read there, as often and in the order in which they are."""
        rings = place == RINGS
        read = reads(self.wecom, self.home if rings else place)
        found = [int(one) for one in re.findall(r"№(\d+)", read)]
        return [one for one in found if (one in self.queued[RINGS]) is rings]

    def nothing_is_lost(self, *, doubled: Sequence[str] = ()) -> None:
        """Each place has read its messages in order, each once, but for where lines broke after
        WeCom took something and nobody can ask it.
        """
        assert self.states() <= {"sent", "superseded"}, self._rows()
        for place, numbers in self.queued.items():
            told = self.told(place)
            if place in doubled:
                told = list(dict.fromkeys(told))
                assert told == numbers, f"{place} reads {told}, not {numbers}"
                continue
            once = [one for number in numbers for one in [number] * ends(number)]
            assert told == once, f"{place} reads {told}, not {once}"
        assert self.wecom.corp.dropped == 0


def wake_ups(uow: UnitOfWork) -> list[datetime]:
    """When a message that waits may go."""
    ready = uow.outbox.next_ready(["wecom:"])
    return [ready] if ready is not None else []


def count_refusals(server: BotServer) -> Counter[int]:
    """The errcodes with which the gateway itself refuses commands."""
    found: Counter[int] = Counter()
    run = server.gateway.commands.run

    def counting(cmd: str, req_id: str, body: Json) -> Json:
        try:
            return run(cmd, req_id, body)
        except Refusal as refusal:
            found[refusal.errcode] += 1
            raise

    server.gateway.commands.run = counting  # type: ignore[method-assign]
    return found


# --- messages with numbers ------------------------------------------------------------------------


def numbered(number: int) -> dict[str, Any]:
    """A message of one of three kinds: a card to press, a long text, a short one."""
    if number % 3 == 0:
        press = Button(label=text("said", words="看看"), command="queries")
        return {"card": Card(title=text("said", words=f"№{number}"), buttons=(press,))}
    return {"words": numbered_words(number)}


def numbered_words(number: int) -> Words:
    # Too long for one message to a person: its two ends are in two of them.
    middle = "很长的话，" * 200 if number % 3 == 1 else ""
    end = f"№{number}" if ends(number) == 2 else "完"
    return text("said", words=f"№{number} {middle} {end}")


def ends(number: int) -> int:
    """How often a message's number stands in it."""
    return 2 if number % 3 == 1 else 1


# --- values and screens ---------------------------------------------------------------------------


def environment(
    wecom: StandInWecom, server: BotServer, webhooks: Mapping[str, str] | None = None
) -> dict[str, str]:
    """What an admin copies from WeCom's pages; `webhooks` are keys of group robots by team."""
    corp = wecom.corp
    values = {
        "WECOM_CORP_ID": corp.corp_id,
        "WECOM_AGENT_ID": str(corp.agent_id),
        "WECOM_SECRET": corp.secret,
        "WECOM_TOKEN": corp.token,
        "WECOM_ENCODING_AES_KEY": corp.aes_key,
        "WECOM_API_URL": wecom.origin,
        "WECOM_BOT_ID": corp.bot_id,
        "WECOM_BOT_SECRET": corp.bot_secret,
        "WECOM_BOT_WS_URL": server.url,
        "WECOM_BOT_NAME": corp.bot_name,
    }
    if webhooks:
        values["WECOM_WEBHOOKS"] = ",".join(f"{team}={key}" for team, key in webhooks.items())
    return values


def shown(message: Message) -> str:
    """What stands on the screen: of markdown nothing but what it makes of the words."""
    said = plain(message)
    return said.replace("**", "").replace("\u200b", "") if message.msgtype == "markdown" else said


def reads(wecom: StandInWecom, place: str) -> str:
    """All that stands on somebody's screen, or in a group, the oldest first."""
    return "\n".join(shown(one) for one in wecom.corp.messages(place))
