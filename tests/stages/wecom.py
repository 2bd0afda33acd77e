"""WeCom as people use it, in front of the real adapter: every line is encrypted, decoded, encoded
and read as its screens show it.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from itertools import count

import httpx

from adapters.carried import Pressed
from adapters.contract import Request, Response
from adapters.sandbox.world import Profile
from adapters.wecom.adapter import WecomAdapter
from adapters.wecom.setup import App, LongConnection, Setup
from adapters.windows import Windows
from bot.app import Bot
from bot.words import reader_for
from handlers.upkeep.timers import ALARM
from tests.clock import StillClock
from tests.platforms.wecom_api import Api
from tests.platforms.wecom_bodies import press_body, text_body
from tests.platforms.wecom_callbacks import Callbacks
from tests.platforms.wecom_crypto import decrypt
from tests.platforms.wecom_gateway import Gateway, connect_in_process
from tests.platforms.wecom_model import Corp, Json, Message, buttons, plain
from tests.platforms.wecom_requests import SignedRequest
from tests.stages.mentioning import ACCOUNTS, NAMES, Act, MentioningStage, OnTownClock, Unpaced
from tests.stages.stage import GROUP_NAME, Run

API_URL = "https://wecom.test"

WECOM = Profile(
    "wecom", WecomAdapter.capabilities, hears_all=False, slash_commands=False, names="text"
)
"""The real thing; WECOM_LIKE is the sandbox's resemblance."""


class StillCorp(OnTownClock, Corp):
    """A corp on the town's clock."""


class UnpacedWecom(Unpaced, WecomAdapter):
    """Without waiting for turns."""


class WecomStage(MentioningStage[Message]):
    """A corp with an app, an aibot in one group, and everybody a member."""

    platform = "wecom"
    profile = WECOM

    def __init__(self, clock: StillClock, robots: Sequence[str] = ()) -> None:
        """`robots`: the teams that have a group robot in the group."""
        super().__init__(clock)
        self.corp = StillCorp(clock)
        for name, account in ACCOUNTS.items():
            # As an admin may have written it: it is the same userid.
            self.corp.add_member(account.capitalize(), name)
        # Whoever bound the group spoke to the bot there.
        self.group_id = self.corp.add_group(GROUP_NAME, NAMES, heard=True).chatid
        self.api = Api(self.corp)
        self.api.enforce_pace(False)
        self.gateway = Gateway(self.corp)
        self.gateway.commands.enforces_pace = False
        self.callbacks = Callbacks(self.corp)
        self._line = connect_in_process(self.gateway)
        self.wecom = UnpacedWecom(
            self._setup(robots),
            clock.now,
            reader_for,
            transport=httpx.ASGITransport(app=self.api.application()),
            connect=self._line,
            # Each look is an hour after the last.
            windows=Windows(count(step=3600.0).__next__),
        )
        self.failures = self.wecom.failures = []
        self.adapter = self.wecom

    def _setup(self, robots: Sequence[str]) -> Setup:
        corp = self.corp
        keys = {team: self.corp.add_webhook(self.group_id) for team in robots}
        return Setup(
            api_url=API_URL,
            app=App(corp.corp_id, corp.agent_id, corp.secret, corp.token, corp.aes_key),
            bot=LongConnection("ws://wecom.test", corp.bot_id, corp.bot_secret),
            bot_name=corp.bot_name,
            webhooks=keys,
        )

    def open(self, bot: Bot, run: Run) -> None:
        super().open(bot, run)
        self.run(self._connected())

    async def _connected(self) -> None:
        assert self.wecom.socket is not None
        while not self.wecom.socket.connected:  # noqa: ASYNC110 - a thread looks into the database
            await asyncio.sleep(0.001)

    def rest_is_over(self) -> None:
        """A real clock would have gone on: the app may be tried again."""
        assert self.wecom.posting.app is not None
        self.wecom.posting.app.rest_is_over()

    async def disconnected(self) -> None:
        """The aibot's connection is gone, and an alarm about it waits for its tick."""
        waits = self.bot.transactions.read
        while not await waits(lambda uow: uow.timers.waits(ALARM)):  # noqa: ASYNC110 - of a thread
            await asyncio.sleep(0.001)

    @property
    def office(self) -> Corp:
        return self.corp

    @property
    def timeline(self) -> list[Message]:
        return self.corp.timeline

    def shown(self, message: Message) -> str:
        """Of markdown nothing but what it makes of the words."""
        said = plain(message)
        if message.msgtype == "markdown":
            return said.replace("**", "").replace("\u200b", "")
        return said

    def buttons(self, message: Message) -> list[tuple[str, str]]:
        return buttons(message)

    # --- what people do ------------------------------------------------------------------------

    def saying(self, name: str, words: str, in_group: bool) -> Act:
        user = ACCOUNTS[name]
        if in_group:
            body = text_body(self.corp, user, words, self.group_id)
            return lambda: self._deliver(body, event=False)
        request = self.callbacks.text(user, words)
        return lambda: self.call(self._signed_now(request))

    def click(self, name: str, command: str) -> str:
        """Tap a command in the app's menu."""
        key = Pressed(command=command).dumped()
        return self.answered(name, lambda: self.call(self.callbacks.click(ACCOUNTS[name], key)))

    def quote(self, name: str, message: Message, words: str) -> str:
        """Answer to a message of the group by quoting it, and mention the bot."""
        return self.quote_words(name, plain(message), words)

    def quote_words(self, name: str, quotation: str, words: str) -> str:
        """The same to what somebody else wrote."""
        quoted = {"msgtype": "text", "text": {"content": quotation}}
        body = text_body(self.corp, ACCOUNTS[name], words, self.group_id, quoted)
        return self.answered(name, lambda: self._deliver(body, event=False))

    def pressing(self, name: str, message: Message, carried: str) -> Act:
        user = ACCOUNTS[name]
        if message.via == "bot":
            body = press_body(self.corp, user, message, carried)
            return lambda: self._deliver(body, event=True)
        request = self.callbacks.press(user, message, carried)
        return lambda: self.call(self._signed_now(request))

    def call(self, request: SignedRequest) -> None:
        """WeCom calls the bot, and shows what its response says."""
        response = self.run(self._answer_to(request))
        assert response.status == 200
        self.callbacks.read_passive(response.body, request)

    def _signed_now(self, request: SignedRequest) -> SignedRequest:
        """The same callback as WeCom sends it at this moment, perhaps for a second time."""
        found = re.search(rb"<Encrypt><!\[CDATA\[(.+?)\]\]></Encrypt>", request.body)
        assert found is not None
        plain = decrypt(self.corp.aes_key, found[1].decode(), self.corp.corp_id)
        return self.callbacks.sign(plain, request.origin)

    async def _answer_to(self, request: SignedRequest) -> Response:
        headers = {name.lower(): value for name, value in request.headers.items()}
        asked = Request(
            request.method,
            request.path,
            headers,
            request.query,
            request.body,
            self.clock.now(),
        )
        return await self.adapter.receive(asked, self.bot.dispatch.receive)

    def _deliver(self, body: Json, *, event: bool) -> None:
        """The aibot's connection brings something, and the bot has done with it."""
        self.gateway.deliver(body, event)
        self.run(self.settled())

    async def settled(self) -> None:
        assert self.wecom.socket is not None
        await self._line.read_up()
        await self.wecom.socket.idle()
