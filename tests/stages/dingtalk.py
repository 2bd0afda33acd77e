"""DingTalk as people use it, in front of the real adapter: every line comes as a frame of its
Stream, is decoded, encoded and read as its screens show it.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from itertools import count

import httpx

from adapters.contract import Request, Response
from adapters.dingtalk.adapter import DingtalkAdapter, capabilities_of
from adapters.dingtalk.setup import Robot, Setup
from adapters.dingtalk.socket import Timings
from adapters.sandbox.world import Profile
from bot.app import Bot
from bot.words import reader_for
from tests.clock import StillClock
from tests.platforms.dingtalk_api import Api
from tests.platforms.dingtalk_gateway import BOT, CARD, Gateway, connect_in_process
from tests.platforms.dingtalk_messages import (
    event_headers,
    leave_payload,
    press_payload,
    text_payload,
)
from tests.platforms.dingtalk_model import Json, Message, Org, buttons, shown
from tests.platforms.dingtalk_requests import signed_request
from tests.stages.mentioning import ACCOUNTS, NAMES, Act, MentioningStage, OnTownClock, Unpaced
from tests.stages.stage import GROUP_NAME, Run

API_URL = "https://dingtalk.test"
CONNECTIONS = 2
HTTP_SECRET = "0123456789abcdef"

_MENTIONED = re.compile("|".join(f"@({re.escape(name)})" for name in ACCOUNTS))


def profile_of(setup: Setup) -> Profile:
    """The real thing; DINGTALK_LIKE is the sandbox's resemblance."""
    return Profile(
        "dingtalk", capabilities_of(setup), hears_all=False, slash_commands=False, names="lost"
    )


DINGTALK = profile_of(Setup(API_URL, "", ""))
DINGTALK_CARDS = profile_of(Setup(API_URL, "", "", card_template_id="a template"))
"""With a card template."""


class StillOrg(OnTownClock, Org):
    """An organisation on the town's clock."""


class UnpacedDingtalk(Unpaced, DingtalkAdapter):
    """Without waiting for turns."""


class DingtalkStage(MentioningStage[Message]):
    """An organisation with an app whose robot is in one group, and everybody a member."""

    platform = "dingtalk"

    def __init__(
        self,
        clock: StillClock,
        *,
        cards: bool = False,
        robots: Sequence[str] = (),
        by_http: bool = False,
    ) -> None:
        """`cards`: with a card template. `robots`: the teams whose group has a custom robot.
        `by_http`: DingTalk calls us.
        """
        super().__init__(clock)
        self._by_http = by_http
        self.profile = DINGTALK_CARDS if cards else DINGTALK
        self.org = StillOrg(clock)
        self.org.webhook_origin = API_URL
        for name, account in ACCOUNTS.items():
            self.org.add_member(account, name)
        self.group_id = self.org.add_group(GROUP_NAME, NAMES).id
        self.gateway = Gateway(self.org)
        self.api = Api(self.org, self.gateway)
        self.api.enforce_pace(False)
        self._line = connect_in_process(self.gateway)
        self.dingtalk = UnpacedDingtalk(
            self._setup(robots, cards=cards),
            clock.now,
            reader_for,
            transport=httpx.ASGITransport(app=self.api.application()),
            connect=self._line,
            timings=Timings(apart=0.0),
            # Each look is an hour after the last.
            monotonic=count(step=3600.0).__next__,
        )
        self.failures = self.dingtalk.failures = []
        self.adapter = self.dingtalk

    def _setup(self, robots: Sequence[str], *, cards: bool) -> Setup:
        org = self.org
        return Setup(
            api_url=API_URL,
            client_id=org.client_id,
            client_secret=org.client_secret,
            robot_code=org.robot_code,
            card_template_id=org.template_id if cards else "",
            bot_name=org.bot_name,
            robots={team: Robot(*org.add_robot(self.group_id)) for team in robots},
            mode="http" if self._by_http else "stream",
            http_secret=HTTP_SECRET if self._by_http else "",
        )

    def open(self, bot: Bot, run: Run) -> None:
        super().open(bot, run)
        if not self._by_http:
            self.run(self._connected())

    async def _connected(self) -> None:
        assert self.dingtalk.stream is not None
        while self.dingtalk.stream.connected < CONNECTIONS:  # noqa: ASYNC110 - of other tasks
            await asyncio.sleep(0)

    @property
    def office(self) -> Org:
        return self.org

    @property
    def timeline(self) -> list[Message]:
        return self.org.timeline

    def shown(self, message: Message) -> str:
        return shown(message)

    def buttons(self, message: Message) -> list[tuple[str, str]]:
        return buttons(message)

    # --- what people do ------------------------------------------------------------------------

    def saying(self, name: str, words: str, in_group: bool) -> Act:
        return self._typed_in(ACCOUNTS[name], words, in_group)

    def _typed_in(
        self, user: str, words: str, in_group: bool, quoted: Message | str | None = None
    ) -> Act:
        """Choosing a name makes a mention in groups; in the direct chat it is only words."""
        group = self.group_id if in_group else None
        mentions = [ACCOUNTS[found[0][1:]] for found in _MENTIONED.finditer(words)]
        body = text_payload(
            self.org, user, words, group, mentions=mentions if in_group else (), quoted=quoted
        )
        return lambda: self.push(BOT, body)

    def say_as(self, account: str, words: str, *, in_group: bool = False) -> None:
        """Somebody who need not be one of the town's people."""
        self._typed_in(account, words, in_group)()
        self.run(self.bot.delivery.drain())

    def body(self, name: str, words: str, mentions: Sequence[str] = ()) -> Json:
        """What DingTalk tells of a line, in the group where it mentions somebody."""
        group = self.group_id if mentions else None
        return text_payload(self.org, ACCOUNTS[name], words, group, mentions=mentions)

    def say_body(self, body: Json) -> None:
        """DingTalk tells it, perhaps for a second time."""
        self.push(BOT, body)

    def leave(self, name: str) -> None:
        """Somebody leaves the organisation, which DingTalk tells as an event."""
        account = ACCOUNTS[name]
        self.org.remove_member(account)
        data = leave_payload(self.org, account)
        self.gateway.event(data=data, **event_headers(self.org, data))
        self.run(self.settled())

    def quote(self, name: str, quoted: Message | str, words: str) -> str:
        """Answer to a message of the group by quoting it, and mention the bot."""
        user = ACCOUNTS[name]
        return self.answered(name, lambda: self._typed_in(user, words, True, quoted)())

    def pressing(self, name: str, message: Message, carried: str) -> Act:
        body = press_payload(self.org, ACCOUNTS[name], message, carried)
        return lambda: self.push(CARD, body)

    def push(self, topic: str, body: Json, **headers: str) -> None:
        """A line brings something, and the bot has done with it."""
        if self._by_http:
            assert self.run(self._answer_to(body)).status == 200
            return
        self.gateway.push(topic, body, headers=headers)
        self.run(self.settled())

    async def _answer_to(self, body: Json) -> Response:
        """DingTalk calls the bot with it."""
        signed = signed_request(self.org, body)
        headers = {name.lower(): value for name, value in signed.headers.items()}
        path = f"/dingtalk/robot/{HTTP_SECRET}"
        asked = Request(signed.method, path, headers, {}, signed.body, self.clock.now())
        return await self.adapter.receive(asked, self.bot.dispatch.receive)

    async def settled(self) -> None:
        assert self.dingtalk.stream is not None
        await self._line.read_up()
        await self.dingtalk.stream.idle()
        await self.dingtalk.outsiders.idle()
