"""DingTalk as people use it, in front of the real adapter: every line comes as a frame of its
Stream, is decoded, encoded and read as its screens show it.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from itertools import count

import httpx

from adapters.carried import Pressed
from adapters.contract import DeliveryFailed, Request, Response
from adapters.dingtalk.adapter import DingtalkAdapter, capabilities_of
from adapters.dingtalk.setup import Robot, Setup
from adapters.dingtalk.socket import Timings
from adapters.sandbox.world import PERSONAS, Profile
from bot.app import Bot
from bot.messages import Address, Outgoing, Reader
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
from tests.stages.stage import GROUP, GROUP_NAME, Run, Said
from tests.stages.typing import TypingStage, line_for

ACCOUNTS = {persona.name: persona.id for persona in PERSONAS}
NAMES = {account: name for name, account in ACCOUNTS.items()}
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


class StillOrg(Org):
    """An organisation on the town's clock."""

    def __init__(self, clock: StillClock) -> None:
        self._clock = clock
        super().__init__()

    def now(self) -> float:
        return self._clock.now().timestamp()


class UnpacedDingtalk(DingtalkAdapter):
    """The clock of a town stands still, so nobody could wait for their turn in a chat."""

    failures: list[DeliveryFailed]

    def pace(self, address: Address) -> float:
        return 0.0

    async def send(self, outgoing: Outgoing, reader: Reader) -> str:
        if self.failures:
            raise self.failures.pop(0)
        return await super().send(outgoing, reader)


class DingtalkStage(TypingStage):
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
        self.dingtalk.failures = []
        self.adapter = self.dingtalk
        self._frames: dict[str, Callable[[], None]] = {}

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

    def account(self, name: str) -> str:
        return ACCOUNTS[name]

    # --- what people do ------------------------------------------------------------------------

    def say(
        self, name: str, words: str, *, in_group: bool, mention: bool = True, key: str | None = None
    ) -> str:
        if in_group and not mention:
            return ""  # DingTalk tells the bot nothing of it
        return self.answered(
            name, lambda: self._once(key, lambda: self._said(name, words, in_group))
        )

    def _said(self, name: str, words: str, in_group: bool) -> Callable[[], None]:
        return self._typed_in(ACCOUNTS[name], words, in_group)

    def _typed_in(
        self, user: str, words: str, in_group: bool, quoted: Message | str | None = None
    ) -> Callable[[], None]:
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

    def press(self, name: str, label: str, on: str, key: str | None = None) -> str:
        for message in reversed(self._visible(ACCOUNTS[name])):
            if on not in shown(message):
                continue
            for said, carried in buttons(message):
                if label in (said, _command(carried)):
                    press = self._presser(name, message, carried)
                    return self.answered(name, lambda press=press: self._once(key, press))  # type: ignore[misc]
            line = line_for(label, shown(message))
            if line is not None:
                return self.type_in_place_of(name, line, in_group=message.kind == "group")
        raise AssertionError(f"{name} sees no button {label!r} on {on!r}")

    def _presser(
        self, name: str, message: Message, carried: str
    ) -> Callable[[], Callable[[], None]]:
        def pressed() -> Callable[[], None]:
            body = press_payload(self.org, ACCOUNTS[name], message, carried)
            return lambda: self.push(CARD, body)

        return pressed

    def _once(self, key: str | None, act: Callable[[], Callable[[], None]]) -> None:
        """Do it, or send what it was the first time once more."""
        if key is None:
            act()()
            return
        if key not in self._frames:
            self._frames[key] = act()
        self._frames[key]()

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

    def has_form(self, name: str) -> bool:
        return False

    def fail_next(self, *failures: DeliveryFailed) -> None:
        self.dingtalk.failures.extend(failures)

    # --- what people read ----------------------------------------------------------------------

    @property
    def change(self) -> int:
        return self.org.next_number()

    def since(self, change: int) -> list[Said]:
        found = [(_changed(one, change), one) for one in self.org.timeline]
        found = sorted((pair for pair in found if pair[0] > change), key=lambda pair: pair[0])
        return [self._as_said(message) for _, message in found]

    def _as_said(self, message: Message) -> Said:
        at = datetime.fromtimestamp(message.at, UTC)
        chat = GROUP if message.kind == "group" else NAMES.get(message.to, message.to)
        return Said(at, chat, shown(message))

    def _visible(self, user: str) -> list[Message]:
        return [one for one in self.org.timeline if one.to in (self.group_id, user)]

    def newest(self, words: str) -> Message:
        """The newest message of the bot's that says this."""
        for one in reversed(self.org.timeline):
            if words in shown(one):
                return one
        raise AssertionError(f"the bot said nothing with {words!r}:\n{self.org.story()}")


def _changed(message: Message, change: int) -> int:
    """When it first became news after a change: as it was said, else as it was edited."""
    return message.number if message.number > change else message.changed


def _command(carried: str) -> str | None:
    pressed = Pressed.loaded(carried)
    return pressed.command if pressed else None
