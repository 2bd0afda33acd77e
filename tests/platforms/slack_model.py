"""The stand-in workspace: who is in it, what was said, which tickets are still good.

Everything is guarded by one condition, so a test may read while the server writes, and
`wait_for` sleeps until something happens instead of polling blindly.
"""

from __future__ import annotations

import copy
import secrets
from dataclasses import dataclass, field
from typing import Any

from tests.platforms.slack_clock import Clock

Json = dict[str, Any]

TRIGGER_LIFE = 3.0  # https://docs.slack.dev/interactivity/handling-user-interaction
RESPONSE_URL_LIFE = 30 * 60.0
RESPONSE_URL_USES = 5


class RefusalError(Exception):
    """Slack's way to say no: HTTP 200 with {"ok": false, "error": code}."""

    def __init__(self, code: str, problems: list[str] | None = None) -> None:
        super().__init__(code)
        self.code = code
        self.problems = problems or []


@dataclass
class User:
    id: str
    name: str
    tz: str = "Asia/Shanghai"
    locale: str = "zh-CN"
    is_restricted: bool = False
    deleted: bool = False
    is_bot: bool = False
    is_ultra_restricted: bool = False
    profile: Json = field(default_factory=dict)  # what a person filled in themselves
    enterprise_user: Json | None = None


@dataclass
class Channel:
    id: str
    name: str
    members: list[str]
    kind: str = "public"  # public | private | im | mpim
    archived: bool = False

    @property
    def name_on_the_wire(self) -> str:
        """Slash commands and buttons name private places by their kind."""
        known = {"im": "directmessage", "private": "privategroup"}
        return known.get(self.kind, self.name)


@dataclass
class Message:
    channel: str
    ts: str
    user: str
    text: str = ""
    blocks: list[Json] = field(default_factory=list)
    thread_ts: str | None = None
    client_msg_id: str | None = None
    metadata: Json | None = None
    bot_id: str | None = None
    ephemeral_to: str | None = None
    edited_ts: str | None = None
    deleted: bool = False
    reactions: list[tuple[str, str]] = field(default_factory=list)
    args: Json = field(default_factory=dict)
    subtype: str | None = None
    username: str | None = None  # a bot's, where it writes under a name of its own
    files: list[Json] = field(default_factory=list)

    def as_json(self) -> Json:
        """https://docs.slack.dev/reference/events/message"""
        found: Json = {"type": "message", "user": self.user, "text": self.text, "ts": self.ts}
        if self.subtype:
            found["subtype"] = self.subtype
        if self.subtype == "bot_message":
            del found["user"]
            found["username"] = self.username
        if self.bot_id:
            found["bot_id"] = self.bot_id
        if self.files:
            found["files"] = copy.deepcopy(self.files)
        if self.blocks:
            found["blocks"] = copy.deepcopy(self.blocks)
        if self.thread_ts:
            found["thread_ts"] = self.thread_ts
        if self.metadata:
            found["metadata"] = copy.deepcopy(self.metadata)
        if self.edited_ts:
            found["edited"] = {"user": self.user, "ts": self.edited_ts}
        return found


@dataclass
class View:
    id: str
    user: str
    content: Json  # what the app sent: type, title, blocks, callback_id, private_metadata …
    hash: str
    root_id: str
    previous_id: str | None = None
    state: str = "open"  # open | submitted | closed
    errors: dict[str, str] = field(default_factory=dict)

    @property
    def blocks(self) -> list[Json]:
        return list(self.content.get("blocks", []))


@dataclass(frozen=True)
class Call:
    """One request to the Web API as it arrived; `outcome` is "ok", an error code or the fault."""

    method: str
    args: Json
    at: float
    outcome: str


@dataclass
class Trigger:
    issued: float
    user: str
    used: bool = False


@dataclass
class ResponseUrl:
    path: str
    issued: float
    user: str
    channel: str
    original: Message | None = None
    uses: int = 0


class Workspace(Clock):
    team_id = "T0BANZHANG"
    team_domain = "banzhang-test"
    app_id = "A0BANZHANG"
    bot_id = "B0BANZHANG"
    bot_user = "U0BANZHANG"

    def __init__(self) -> None:
        super().__init__()
        self.users: dict[str, User] = {}
        self.channels: dict[str, Channel] = {}
        self.timeline: list[Message] = []  # every message, ephemeral and deleted ones too
        self.views: list[View] = []
        self.homes: dict[str, View] = {}
        self.calls: list[Call] = []
        self.triggers: dict[str, Trigger] = {}
        self.response_urls: dict[str, ResponseUrl] = {}
        self.files: dict[str, Json] = {}
        self.add_user(self.bot_user, "banzhang", is_bot=True)

    # ---- people and places

    def add_user(
        self,
        id: str,
        name: str,
        tz: str = "Asia/Shanghai",
        locale: str = "zh-CN",
        is_restricted: bool = False,
        deleted: bool = False,
        is_bot: bool = False,
        is_ultra_restricted: bool = False,
    ) -> User:
        with self.changed:
            user = User(id, name, tz, locale, is_restricted, deleted, is_bot, is_ultra_restricted)
            self.users[id] = user
            return user

    def add_channel(
        self, id: str, name: str, members: list[str], *, private: bool = False, bot: bool = True
    ) -> Channel:
        """The bot is a member unless `bot=False`, then posting answers not_in_channel."""
        with self.changed:
            everyone = [*members, self.bot_user] if bot else list(members)
            channel = Channel(id, name, everyone, "private" if private else "public")
            self.channels[id] = channel
            return channel

    def user(self, user_id: str) -> User:
        user = self.users.get(user_id)
        if user is None:
            raise RefusalError("user_not_found")
        return user

    def find_direct(self, *users: str) -> Channel | None:
        with self.changed:
            wanted = sorted({*users, self.bot_user})
            for channel in self.channels.values():
                if channel.kind in ("im", "mpim") and sorted(channel.members) == wanted:
                    return channel
            return None

    def direct(self, *users: str) -> Channel:
        """The DM (or group DM) between the bot and these people, opened when it is not yet."""
        with self.changed:
            found = self.find_direct(*users)
            if found is not None:
                return found
            wanted = sorted({*users, self.bot_user})
            single = len(wanted) <= 2
            letter, kind = ("D", "im") if single else ("G", "mpim")
            name = "" if single else "mpdm-" + "--".join(wanted)
            channel = Channel(self.new_id(letter), name, wanted, kind)
            self.channels[channel.id] = channel
            return channel

    # ---- what was said

    def add_message(self, message: Message) -> Message:
        with self.changed:
            number_blocks(message.blocks)
            self.timeline.append(message)
            self.changed.notify_all()
            return message

    def find_message(self, channel: str, ts: str) -> Message | None:
        with self.changed:
            for message in self.timeline:
                if message.channel == channel and message.ts == ts and not message.deleted:
                    return message
            return None

    def find_view(self, view_id: str) -> View | None:
        with self.changed:
            every = [*self.views, *self.homes.values()]
            return next((view for view in every if view.id == view_id), None)

    # ---- tickets that expire

    def issue_trigger(self, user: str, trigger_id: str | None = None) -> str:
        """A repeated request carries the id it had, and the id keeps the age it had."""
        with self.changed:
            team = self.team_id[1:]
            made = trigger_id or f"{self.new_id('1')}.{team}.{secrets.token_hex(16)}"
            self.triggers.setdefault(made, Trigger(self.now(), user))
            return made

    def exchange_trigger(self, trigger_id: str) -> Trigger:
        with self.changed:
            trigger = self.triggers.get(trigger_id)
            if trigger is None:
                raise RefusalError("invalid_trigger_id")
            if trigger.used:
                raise RefusalError("exchanged_trigger_id")
            if self.now() - trigger.issued > TRIGGER_LIFE:
                raise RefusalError("expired_trigger_id")
            trigger.used = True
            return trigger

    def issue_response_url(
        self, kind: str, user: str, channel: str, original: Message | None = None
    ) -> ResponseUrl:
        with self.changed:
            path = f"/{kind}/{self.team_id}/{self.new_id('')}/{secrets.token_urlsafe(18)}"
            ticket = ResponseUrl(path, self.now(), user, channel, original)
            self.response_urls[path] = ticket
            return ticket

    def why_not(self, ticket: ResponseUrl) -> str | None:
        """Five uses within thirty minutes."""
        if self.now() - ticket.issued > RESPONSE_URL_LIFE:
            return "expired_url"
        return "used_url" if ticket.uses >= RESPONSE_URL_USES else None

    # ---- watching

    def note_call(self, call: Call) -> None:
        with self.changed:
            self.calls.append(call)
            self.changed.notify_all()

    def story(self) -> str:
        with self.changed:
            recent, timeline = self.calls[-20:], self.timeline[-20:]
        calls = [f"  call {c.method} {c.outcome} {c.args}"[:300] for c in recent]
        said = [f"  {m.channel} {m.user}: {m.text}"[:300] for m in timeline]
        return "\n".join([*calls, *said]) or "  nothing"


def number_blocks(blocks: list[Json]) -> None:
    """Slack names the blocks and elements that the app left unnamed."""
    for number, block in enumerate(blocks):
        block.setdefault("block_id", f"b{number}{secrets.token_hex(2)}")
        if block.get("type") not in ("section", "actions", "input"):
            continue  # what the others hold cannot be pressed
        parts = [*block.get("elements", []), block.get("accessory"), block.get("element")]
        for place, part in enumerate(parts):
            if isinstance(part, dict) and part.get("type") != "image":
                part.setdefault("action_id", f"a{place}{secrets.token_hex(2)}")
