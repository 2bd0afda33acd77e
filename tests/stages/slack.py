"""Slack as people use it, in front of the real adapter: every line is decoded and encoded."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

from adapters.carried import Pressed
from adapters.contract import DeliveryFailed, Request, Response
from adapters.sandbox.world import PERSONAS, Profile
from adapters.slack.adapter import SlackAdapter
from bot.messages import LOCALES, Address, text
from bot.words import reader_for
from tests.clock import StillClock
from tests.platforms import slack_elements, slack_text
from tests.platforms.slack_driver import Reply
from tests.platforms.slack_model import Json, Message, View
from tests.stages.slack_cloud import SIGNING_SECRET, Cloud, DirectApi
from tests.stages.stage import GROUP, GROUP_NAME, Said, Stage

ACCOUNTS = {persona.name: f"U0{persona.id.upper()}" for persona in PERSONAS}
NAMES = {account: name for name, account in ACCOUNTS.items()}
BOT_NAME = "班长"

SLACK = Profile(
    "slack", SlackAdapter.capabilities, hears_all=True, slash_commands=True, names="marked"
)
"""The real thing; SLACK_LIKE is the sandbox's resemblance."""


class UnpacedSlack(SlackAdapter):
    """The clock of a town stands still, so nobody could wait for their turn in a channel."""

    def pace(self, address: Address) -> float:
        return 0.0


class Pressable(NamedTuple):
    """A button or a choice of a menu: its element, what it says, and the command it carries."""

    action_id: str
    choice: str | None
    label: str
    command: str | None


class SlackStage(Stage):
    """A workspace with one channel and everybody's direct messages with the bot."""

    platform = "slack"
    group_id = "C0GROUP"
    profile = SLACK

    def __init__(self, clock: StillClock) -> None:
        super().__init__(clock)
        self.cloud = Cloud(clock.now, self._deliver)
        self.workspace = self.cloud.workspace
        self.workspace.users[self.workspace.bot_user].name = BOT_NAME
        for name, account in ACCOUNTS.items():
            # No language of their own: they read what their team reads until they choose.
            self.workspace.add_user(account, name, locale="")
        self.workspace.add_channel(self.group_id, GROUP_NAME, list(NAMES))
        self._api = DirectApi(self.cloud.api, clock.now)
        self.adapter = UnpacedSlack(self._api, (SIGNING_SECRET,), clock.now, reader_for)
        self._replies: dict[str, list[Reply]] = {}

    def account(self, name: str) -> str:
        return ACCOUNTS[name]

    def _deliver(self, request: Request) -> Response:
        return self.run(self.adapter.receive(request, self.bot.dispatch.receive))

    # --- what people do ------------------------------------------------------------------------

    def say(
        self, name: str, words: str, *, in_group: bool, mention: bool = True, key: str | None = None
    ) -> str:
        line = f"@{BOT_NAME} {words}" if in_group and mention else words
        place = self.group_id if in_group else None
        return self.answered(
            name, lambda: self._once(key, lambda: self.cloud.say(ACCOUNTS[name], place, line))
        )

    def press(self, name: str, label: str, on: str, key: str | None = None) -> str:
        for message in reversed(self._visible(ACCOUNTS[name])):
            if on not in self._shown(message):
                continue
            for one in _pressables(message.blocks):
                if label in (one.label, one.command):
                    return self._press(name, message, one, key)
        raise AssertionError(f"{name} sees no button {label!r} on {on!r}")

    def _press(self, name: str, message: Message, one: Pressable, key: str | None = None) -> str:
        def press() -> list[Reply]:
            user = ACCOUNTS[name]
            return [self.cloud.press(user, message, one.action_id, chosen=one.choice)]

        return self.answered(name, lambda: self._once(key, press))

    def _once(self, key: str | None, act: Callable[[], list[Reply]]) -> None:
        """Do it, or send what it was the first time once more, byte for byte."""
        if key is None:
            act()
        elif key in self._replies:
            for reply in self._replies[key]:
                self.cloud.again(reply.request)
        else:
            self._replies[key] = act()

    def fill(self, name: str, answers: Mapping[str, str]) -> str:
        """The form that is open, or that the newest message to the person offers to open."""
        view = self._open_view(name) or self._opened(name)
        fields = {block["block_id"]: element for block, element in _inputs(view)}
        values = {
            field: _entered(fields.get(field, {}), answer) for field, answer in answers.items()
        }
        replies: list[Reply] = []
        said = self.answered(
            name, lambda: replies.append(self.cloud.submit(ACCOUNTS[name], view, values))
        )
        (reply,) = replies
        if reply.error:
            raise AssertionError(reply.text)
        return "\n".join(reply.errors.values()) if reply.errors else said

    def _opened(self, name: str) -> View:
        """A message cannot open a form; the button of the answer can."""
        user, labels = ACCOUNTS[name], _form_buttons()
        newest = [one for one in self._visible(user) if self._is_for_one(one)][-1]
        for one in _pressables(newest.blocks):
            if one.label in labels:
                self._press(name, newest, one)
                view = self._open_view(name)
                assert view is not None, f"no form opened from {self._shown(newest)!r}"
                return view
        raise AssertionError(f"{name} has no form open, and {self._shown(newest)!r} offers none")

    def _open_view(self, name: str) -> View | None:
        user = ACCOUNTS[name]
        found = [one for one in self.workspace.views if one.user == user and one.state == "open"]
        return found[-1] if found else None

    def has_form(self, name: str) -> bool:
        return self._open_view(name) is not None

    @property
    def refusals(self) -> dict[str, str]:
        """What the next call of each method meets."""
        return self._api.refusals

    @property
    def watch(self) -> Callable[[str], object]:
        """Is told of each method that is called."""
        return self._api.watch

    @watch.setter
    def watch(self, seen: Callable[[str], object]) -> None:
        self._api.watch = seen

    def fail_next(self, *failures: DeliveryFailed) -> None:
        self._api.failures.extend(failures)

    # --- what people read ----------------------------------------------------------------------

    @property
    def change(self) -> int:
        """Slack numbers by time: a ts that nothing has had yet, and that all later ones exceed."""
        return _ticks(self.workspace.next_ts())

    def since(self, change: int) -> list[Said]:
        found = [(_changed(one, change), one) for one in self._said()]
        found = sorted((pair for pair in found if pair[0] > change), key=lambda pair: pair[0])
        return [self._as_said(message) for _, message in found]

    def _as_said(self, message: Message) -> Said:
        moment = datetime.fromtimestamp(_ticks(message.ts) // 1_000_000, UTC)
        alone = NAMES[message.ephemeral_to] if message.ephemeral_to else None
        return Said(moment, self._chat(message), self._shown(message), alone)

    def _chat(self, message: Message) -> str:
        """GROUP, the name of the person whose direct message it is, or another channel's."""
        if message.channel == self.group_id:
            return GROUP
        place = self.workspace.channels[message.channel]
        if place.kind != "im":
            return place.name
        (name,) = (NAMES[one] for one in place.members if one in NAMES)
        return name

    def _shown(self, message: Message) -> str:
        """What the chat window shows, the labels of what can be pressed apart."""
        blocks = [block for block in message.blocks if block["type"] != "actions"]
        shown = slack_text.on_screen(blocks, self.workspace)
        return shown or slack_text.plain(message, self.workspace)

    def plain(self, message: Message | View) -> str:
        """All that can be read of something."""
        return slack_text.plain(message, self.workspace)

    def _said(self) -> list[Message]:
        bot = self.workspace.bot_user
        return [one for one in self.workspace.timeline if one.user == bot and not one.deleted]

    def _visible(self, user: str) -> list[Message]:
        places = {self.group_id, self.workspace.direct(user).id}
        return [
            one
            for one in self._said()
            if one.channel in places and one.ephemeral_to in (None, user)
        ]

    def _is_for_one(self, message: Message) -> bool:
        return message.channel != self.group_id or message.ephemeral_to is not None


def _ticks(ts: str) -> int:
    seconds, _, micros = ts.partition(".")
    return int(seconds) * 1_000_000 + int(micros)


def _changed(message: Message, change: int) -> int:
    """When it first became news after a change: as it was said, else as it was edited."""
    said = _ticks(message.ts)
    return said if said > change or message.edited_ts is None else _ticks(message.edited_ts)


def _pressables(blocks: list[Json]) -> Iterator[Pressable]:
    for block, element in slack_elements.interactive(blocks):
        if element["type"] == "button":
            label = slack_elements.label(block, element)
            yield Pressable(element["action_id"], None, label, _command(element.get("value")))
        for option in element.get("options", ()):
            value, label = option["value"], str(option["text"]["text"])
            yield Pressable(element["action_id"], value, label, _command(value))


def _command(carried: object) -> str | None:
    pressed = Pressed.loaded(carried)
    return pressed.command if pressed else None


def _form_buttons() -> set[str]:
    """What the button says that opens a form, in either language."""
    moment = datetime.fromtimestamp(0, UTC)
    words = text("usage.form_button")
    return {reader_for(locale, "UTC", moment).plain(words) for locale in LOCALES}


def _inputs(view: View) -> Iterator[tuple[Json, Json]]:
    for block, element in slack_elements.interactive(view.blocks):
        if block["type"] == "input":
            yield block, element


def _entered(element: Json, answer: str) -> Any:
    """What a person enters into a field to say `answer`: people and choices are picked."""
    match element.get("type"):
        case "multi_users_select":
            return [ACCOUNTS[name] for name in re.split(r"[\s,，、@]+", answer) if name]
        case "multi_static_select":
            return answer.split()
        case _:
            return answer
