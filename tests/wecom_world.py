"""The whole bot before WeCom's cloud: a corp that uses it, and a clock that is pushed.

Real HTTP and a real WebSocket on 127.0.0.1. Time stands still unless somebody lets it pass, and
passes only between messages, so the limits by which WeCom counts are exactly those by which we do.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Collection, Coroutine, Mapping
from contextlib import ExitStack
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import httpx

from adapters.contract import Receive, Services
from adapters.wecom.adapter import WecomAdapter
from adapters.wecom.setup import App, LongConnection, Setup
from adapters.wecom.socket import Timings
from adapters.windows import Windows
from bot.app import Bot, web_application
from bot.settings import Settings
from bot.words import reader_for
from storage.uow import UnitOfWork
from tests.clock import StillClock
from tests.engines import fresh_engine
from tests.platforms.served import served
from tests.platforms.wecom import StandInWecom
from tests.platforms.wecom_model import Json, Message, plain
from tests.platforms.wecom_refusals import Refusal
from tests.platforms.wecom_socket import BotServer
from tests.stages.wecom import StillCorp
from tests.world import MANAGER, MEMBERS, TEAM, WORKER, Road, World, note_failures

T = TypeVar("T")

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


class LoopedWecom(WecomAdapter):
    """Tells on which loop it runs."""

    loop: asyncio.AbstractEventLoop

    async def start(self, receive: Receive, services: Services) -> None:
        self.loop = asyncio.get_running_loop()
        await super().start(receive, services)


class Day(World):
    """A corp that uses the bot, whose loop is in another thread."""

    platform = "wecom"
    much = 200

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        clock = StillClock()
        corp = StillCorp(clock)
        for userid, name in MEMBERS.items():
            corp.add_member(userid.capitalize(), name)
        groups = [corp.add_group(name, MEMBERS).chatid for name in ("一班", "甲", "乙")]
        self.wecom = stack.enter_context(StandInWecom(corp))
        self.server = stack.enter_context(BotServer(corp))
        self.gateway = self.server.gateway
        self.refused = count_refusals(self.server)
        self.road = Road(httpx.AsyncHTTPTransport())
        self.adapter = self._adapter(clock, corp.add_webhook(groups[0]))
        self.met: Counter[str] = Counter()
        note_failures(self.adapter, self.met)
        values = {"BANZHANG_ADMINS": f"wecom:{MANAGER}", "BANZHANG_LOCALE": "zh_CN"}
        settings = Settings.model_validate(values | environment(self.wecom, self.server))
        engine = fresh_engine(f"sqlite:///{folder}/day.db")
        super().__init__(clock, groups, Bot(settings, [self.adapter], clock, engine))
        self.wecom.deliver_to(stack.enter_context(served(web_application(self.bot))))

    def _adapter(self, clock: StillClock, webhook: str) -> LoopedWecom:
        corp = self.wecom.corp
        setup = Setup(
            api_url=self.wecom.origin,
            app=App(corp.corp_id, corp.agent_id, corp.secret, corp.token, corp.aes_key),
            bot=LongConnection(self.server.url, corp.bot_id, corp.bot_secret),
            bot_name=corp.bot_name,
            webhooks={TEAM: webhook},
        )
        return LoopedWecom(
            setup,
            clock.now,
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

    @property
    def is_connected(self) -> bool:
        """Whether the bot has the aibot's connection, as far as it knows."""
        socket = self.adapter.socket
        return socket is not None and socket.connected

    def wait_asked(self, question: str) -> None:
        """Until the bot has written this question down."""
        self.wecom.wait_for(lambda: question in self.asked())

    # --- what became of it -------------------------------------------------------------------

    def reads(self, place: str) -> str:
        return reads(self.wecom, place)

    def nothing_is_lost(self, *, doubled: Collection[int] = ()) -> None:
        super().nothing_is_lost(doubled=doubled)
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
