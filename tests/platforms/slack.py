"""The stand-in for Slack's cloud: a real HTTP server, and people who use it.

    with StandInSlack() as slack:
        slack.add_user("U1", "wang")
        slack.add_channel("C1", "teachers", ["U1"])
        …start the app with slack.environment(), tell slack.deliver_to(its address)…
        assert "Q1" in slack.command("U1", "/ask", "When is the next class?", channel="C1").text
        slack.wait_for(lambda: "Q1" in slack.last("C1"))

Or over Socket Mode: slack.environment(socket=True), slack.deliver_by_socket(), and
slack.socket.wait_connected(2) once the app runs.

It replaces only the cloud: the Web API, response URLs, and Slack's calls into the app. What it
refuses and how it fails is Slack's behaviour, proven with slack_sdk and slack_bolt.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Self, TypeVar

from tests.platforms.slack_api import WebApi
from tests.platforms.slack_driver import Reply
from tests.platforms.slack_events import EventDriver
from tests.platforms.slack_faults import (
    DropAfter,
    DropBefore,
    Faults,
    Normal,
    Pace,
    RateLimited,
    ServerError,
    SlackError,
    Slow,
)
from tests.platforms.slack_links import Connection
from tests.platforms.slack_model import Call, Channel, Message, User, View, Workspace
from tests.platforms.slack_requests import SignedRequest, signed_headers
from tests.platforms.slack_scopes import Scopes
from tests.platforms.slack_server import SlackServer
from tests.platforms.slack_socket import SocketMode
from tests.platforms.slack_text import on_screen, plain

__all__ = [
    "Call",
    "Connection",
    "DropAfter",
    "DropBefore",
    "Message",
    "Normal",
    "RateLimited",
    "Reply",
    "ServerError",
    "SignedRequest",
    "SlackError",
    "Slow",
    "StandInSlack",
    "View",
    "signed_headers",
]

T = TypeVar("T")


class StandInSlack(EventDriver):
    def __init__(
        self,
        *,
        app_url: str = "",
        token: str = "xoxb-test-000000000000-standin",
        app_token: str = "xapp-1-A0-000-standin",
        signing_secret: str = "8f742231b10e8888abcd99yyyzzz85a5",
        scopes: Iterable[str] | None = None,
        enforce_rate_limits: bool = False,
        dedupe_client_msg_id: bool = False,
    ) -> None:
        workspace = Workspace()
        self.socket = SocketMode(workspace)
        api = WebApi(workspace, lambda: self.origin, self.socket)
        super().__init__(workspace, api, signing_secret)
        self.token = token
        self.app_token = app_token
        self.app_url = app_url
        self.faults = Faults()
        self.scopes = Scopes(scopes)
        self._server = SlackServer(
            workspace, api, self.faults, self.scopes, token=token, app_token=app_token
        )
        self.enforce_rate_limits = enforce_rate_limits
        # Documented only by the names of two errors, so off unless a test wants to know.
        api.dedupe_client_msg_id = dedupe_client_msg_id

    # ---- life

    def __enter__(self) -> Self:
        self._server.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
        self._server.stop()

    @property
    def origin(self) -> str:
        return self._server.origin

    @property
    def api_url(self) -> str:
        return f"{self.origin}/api/"

    def environment(self, *, socket: bool = False) -> dict[str, str]:
        """For a `banzhang serve` in another process."""
        both = {"SLACK_API_URL": self.api_url, "SLACK_BOT_TOKEN": self.token}
        if socket:
            return both | {"SLACK_APP_TOKEN": self.app_token}
        return both | {"SLACK_SIGNING_SECRET": self.signing_secret}

    @property
    def skew(self) -> float:
        """Seconds by which the Date header of Slack's answers is ahead of real time."""
        return self._server.skew

    @skew.setter
    def skew(self, seconds: float) -> None:
        self._server.skew = seconds

    @property
    def enforce_rate_limits(self) -> bool:
        return self._server.pace is not None

    @enforce_rate_limits.setter
    def enforce_rate_limits(self, wanted: bool) -> None:
        self._server.pace = Pace() if wanted else None

    def revoke_token(self) -> None:
        """From now on every call answers invalid_auth."""
        self._server.tokens.clear()

    def advance(self, seconds: float) -> None:
        """Slack's own clock only: tickets age, pace limits refill."""
        self.workspace.advance(seconds)

    # ---- who is there

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
        return self.workspace.add_user(
            id, name, tz, locale, is_restricted, deleted, is_bot, is_ultra_restricted
        )

    def add_channel(
        self, id: str, name: str, members: list[str], *, private: bool = False, bot: bool = True
    ) -> Channel:
        return self.workspace.add_channel(id, name, members, private=private, bot=bot)

    def direct(self, user: str) -> str:
        """The id of the direct message between the bot and this person."""
        return self.workspace.direct(user).id

    # ---- what happened

    def messages(self, channel: str) -> list[Message]:
        """What stands in a channel, oldest first; a person's id means their direct message."""
        place = self.direct(channel) if channel in self.workspace.users else channel
        return [message for message in self.all_messages() if message.channel == place]

    def all_messages(self) -> list[Message]:
        with self.workspace.changed:
            return [m for m in self.workspace.timeline if not m.deleted and not m.ephemeral_to]

    @property
    def ephemerals(self) -> list[Message]:
        with self.workspace.changed:
            return [m for m in self.workspace.timeline if not m.deleted and m.ephemeral_to]

    @property
    def views(self) -> list[View]:
        """Every modal ever shown, the newest last; `state` says whether it is still open."""
        with self.workspace.changed:
            return list(self.workspace.views)

    def open_view(self, user: str) -> View:
        """The form on top of this person's screen."""
        found = [view for view in self.views if view.user == user and view.state == "open"]
        if not found:
            raise AssertionError(f"{user} has no form open")
        return found[-1]

    def home(self, user: str) -> View | None:
        with self.workspace.changed:
            return self.workspace.homes.get(user)

    def file_content(self, file_id: str) -> bytes:
        with self.workspace.changed:
            content: bytes = self.workspace.files[file_id]["content"]
            return content

    @property
    def calls(self) -> list[Call]:
        with self.workspace.changed:
            return list(self.workspace.calls)

    def calls_of(self, method: str) -> list[Call]:
        return [call for call in self.calls if call.method == method]

    def wait_for(self, predicate: Callable[[], T], timeout: float = 5.0) -> T:
        """The first truthy value; AssertionError with calls and messages after `timeout`."""
        return self.workspace.wait_for(predicate, timeout)

    # ---- what people read

    def plain(self, message: Message | View) -> str:
        """All that can be read of it, the notification on a lock screen included."""
        with self.workspace.changed:
            return plain(message, self.workspace)

    def on_screen(self, message: Message | View) -> str:
        """What the chat window alone shows: the blocks, or the text where there are none."""
        with self.workspace.changed:
            return on_screen(message.blocks, self.workspace) or plain(message, self.workspace)

    def last(self, channel: str) -> str:
        """The newest message of a channel (or of a person's direct message), "" when none."""
        found = self.messages(channel)
        return self.plain(found[-1]) if found else ""

    def last_message(self, channel: str) -> Message:
        found = self.messages(channel)
        if not found:
            raise AssertionError(f"nothing was said in {channel}")
        return found[-1]

    def reads(self, user: str) -> list[str]:
        """Everything this person can see: their channels, their DM, what only they are shown."""
        with self.workspace.changed:
            places = {c.id for c in self.workspace.channels.values() if user in c.members}
            seen = [
                message
                for message in self.workspace.timeline
                if not message.deleted
                and message.channel in places
                and message.ephemeral_to in (None, user)
            ]
            return [plain(message, self.workspace) for message in seen]
