"""The WeCom adapter alone, between a stand-in corp and a recorder where dispatch would stand.

Over real HTTP, and over a real WebSocket where the aibot is connected. Between two tests some
minutes pass on the corp's clock, which is ours too: nobody has written too often.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from itertools import count
from typing import Any, Literal, TypeVar

import pytest

from adapters.contract import DeliveryFailed, Receive, Services
from adapters.wecom.adapter import WecomAdapter
from adapters.wecom.setup import App, Callback, LongConnection, Setup
from adapters.wecom.socket import Timings
from adapters.windows import Windows
from bot.clock import WallClock
from bot.messages import Address, Card, Event, Outgoing, Words
from bot.words import reader_for
from tests.platforms.wecom import StandInWecom
from tests.platforms.wecom_gateway import Gateway
from tests.platforms.wecom_model import Corp, Json, Message
from tests.platforms.wecom_socket import BotServer
from tests.recorder import Recorder, serving
from tests.services import Alone

T = TypeVar("T")
Bot = Literal["socket", "callback"] | None

TEAM, GROUP = "一班", "wrGroupOfTheFirstTeam"
# Tests cannot wait as long as people; who is slow on a busy machine is not dead.
QUICK = Timings(
    subscribe=2.0,
    answer=2.0,
    first_wait=0.02,
    longest_wait=0.1,
    settled=0.0,
    refused_wait=0.2,
    kicked_wait=0.3,
    lead=0.05,
    unconnected=0.1,
    finish=1.0,
    close=0.3,
)


class LoopedWecom(WecomAdapter):
    """Tells on which loop it runs."""

    loop: asyncio.AbstractEventLoop

    async def start(self, receive: Receive, services: Services) -> None:
        self.loop = asyncio.get_running_loop()
        await super().start(receive, services)


class CorpClock(WallClock):
    """Tells what the corp's clock tells."""

    def __init__(self, corp: Corp) -> None:
        super().__init__()
        self._corp = corp

    def now(self) -> datetime:
        return datetime.fromtimestamp(self._corp.now(), UTC)


def populated() -> Corp:
    """Two people whose userids an admin wrote with capitals, and a group."""
    corp = Corp()
    corp.add_member("ZhangSan", "张三", alias="三哥")
    corp.add_member("LiSi", "李四")
    corp.add_group(TEAM, ["zhangsan", "lisi"], chatid=GROUP)
    return corp


def setup_of(
    corp: Corp, api_url: str, *, app: bool, bot: Bot, robots: bool, socket_url: str = ""
) -> Setup:
    """What somebody would have set up for this corp."""
    bots: dict[Bot, LongConnection | Callback | None] = {
        "socket": LongConnection(socket_url, corp.bot_id, corp.bot_secret),
        "callback": Callback(corp.bot_token, corp.bot_aes_key),
        None: None,
    }
    return Setup(
        api_url=api_url,
        app=App(corp.corp_id, corp.agent_id, corp.secret, corp.token, corp.aes_key)
        if app
        else None,
        bot=bots[bot],
        bot_name=corp.bot_name,
        webhooks={TEAM: corp.add_webhook(GROUP)} if robots else {},
    )


class Staged:
    """A corp, an adapter at work for it, and what came of both."""

    def __init__(
        self, wecom: StandInWecom, adapter: LoopedWecom, recorder: Recorder, alone: Alone
    ) -> None:
        self.wecom, self.corp, self.api = wecom, wecom.corp, wecom.api
        self.adapter = adapter
        self.recorder = recorder
        self.alone = alone
        self._numbers = count(1)

    def forget(self) -> None:
        """As new, but for what is on people's screens, and two minutes later."""
        self.corp.advance(121.0)
        self.recorder.forget()
        self.api.heal()
        self.corp.trusted_ips = None
        self.api.messages.checks_task_id_first = False
        self.alone.alarms.clear()

    @property
    def event(self) -> Event:
        """The last one that was heard."""
        return self.recorder.events[-1]

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """On the adapter's loop."""
        return asyncio.run_coroutine_threadsafe(work, self.adapter.loop).result(30)

    def message(
        self,
        words: Words | None = None,
        card: Card | None = None,
        to: str = "zhangsan",
        thread: str | None = None,
        **more: Any,
    ) -> Outgoing:
        """Something to send: to a person, or to the group."""
        kind: Literal["group", "person"] = "group" if to in self.corp.groups else "person"
        given = {"message_id": next(self._numbers), **more}
        place = Address(platform="wecom", kind=kind, id=to, thread=thread)
        return Outgoing(address=place, words=words, card=card, **given)

    def send(self, outgoing: Outgoing) -> str:
        """Send it as a delivery does; gives the handle."""
        reader = reader_for("zh_CN", "Asia/Shanghai", datetime.now(UTC))
        return self.run(self.adapter.send(outgoing, reader))

    def failure(self, outgoing: Outgoing) -> DeliveryFailed:
        """How sending it fails."""
        with pytest.raises(DeliveryFailed) as failed:
            self.send(outgoing)
        return failed.value

    def shown(self, place: str, since: int) -> list[Message]:
        """What has appeared there since a number of the corp's."""
        return [one for one in self.corp.messages(place) if one.number > since]

    def mark(self) -> int:
        """A number to ask `shown` by."""
        return self.corp.next_number()

    def sent(self, path: str = "message/send") -> list[Json]:
        """The bodies of all calls of this path."""
        return [call.body for call in self.api.calls_of(path)]


class StagedBot(Staged):
    """With the aibot's connection."""

    def __init__(self, server: BotServer, *others: Any) -> None:
        super().__init__(*others)
        self.server = server
        self.gateway: Gateway = server.gateway

    def hear(self, events: int) -> Event:
        """Wait for so many events, and give the last."""
        self.corp.wait_for(lambda: len(self.recorder.events) >= events)
        return self.event


@contextmanager
def staged(*, app: bool = True, bot: Bot = None, robots: bool = False) -> Iterator[Staged]:
    """A corp and an adapter that hear each other by HTTP."""
    with ExitStack() as stack:
        yield _staged(stack, populated(), app=app, bot=bot, robots=robots)


@contextmanager
def staged_with_bot(*, app: bool = True, robots: bool = False) -> Iterator[StagedBot]:
    """The same with an aibot that the adapter connects to."""
    with ExitStack() as stack:
        server = stack.enter_context(BotServer(populated()))
        made = _staged(
            stack, server.corp, app=app, bot="socket", robots=robots, socket_url=server.url
        )
        server.wait_subscribed()
        yield StagedBot(server, made.wecom, made.adapter, made.recorder, made.alone)


def _staged(stack: ExitStack, corp: Corp, **what: Any) -> Staged:
    wecom = stack.enter_context(StandInWecom(corp))
    recorder, alone, clock = Recorder(), Alone(), CorpClock(corp)
    adapter = LoopedWecom(
        setup_of(corp, wecom.origin, **what),
        clock.now,
        reader_for,
        timings=QUICK,
        windows=Windows(corp.now),
    )
    wecom.deliver_to(stack.enter_context(serving(adapter, recorder, alone, clock)))
    return Staged(wecom, adapter, recorder, alone)
