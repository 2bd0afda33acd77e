"""People at work in the stand-in: they type, press and fill in, and the app is called.

Slack waits three seconds. What a person sees when the app is late or fails is in the reply too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Unpack

import httpx

from tests.platforms.slack_api import WebApi
from tests.platforms.slack_envelopes import envelope_for
from tests.platforms.slack_model import Json, Message, RefusalError, View, Workspace
from tests.platforms.slack_requests import JSON, Knobs, RequestBuilder, SignedRequest
from tests.platforms.slack_text import plain, render

PATIENCE = 3.0  # https://docs.slack.dev/interactivity/handling-user-interaction


@dataclass
class Reply:
    """The app's answer to one request, as the person sees it."""

    request: SignedRequest
    response: httpx.Response | None
    workspace: Workspace
    error: str | None = None  # operation_timeout | dispatch_failed | a code for a bad answer
    what: str = "request"

    @property
    def status_code(self) -> int:
        """0 when no answer came."""
        return 0 if self.response is None else self.response.status_code

    @property
    def body(self) -> Json:
        """The answer when it is a JSON object, else empty."""
        if self.response is None or not self.response.content.lstrip().startswith(b"{"):
            return {}
        found = self.response.json()
        return found if isinstance(found, dict) else {}

    @property
    def text(self) -> str:
        """Everything readable: text, blocks, a form's errors, or Slack's own complaint."""
        if self.error:
            return f'{self.what} failed with the error "{self.error}"'
        if self.response is None:
            return ""
        if not self.body:
            return render(self.response.text, self.workspace)
        lines = [plain(self.body, self.workspace), *self.errors.values()]
        return "\n".join(line for line in lines if line)

    @property
    def errors(self) -> dict[str, str]:
        """The form's errors by block_id."""
        if self.body.get("response_action") != "errors":
            return {}
        return dict(self.body.get("errors", {}))

    @property
    def response_type(self) -> str:
        return str(self.body.get("response_type", "ephemeral"))


class SlackDriver(RequestBuilder):
    """`deliver_to` names the app; every request then goes there, signed, over real HTTP.

    After `deliver_by_socket` the same requests travel as envelopes on the app's WebSockets.
    """

    def __init__(self, workspace: Workspace, api: WebApi, signing_secret: str) -> None:
        super().__init__(workspace, api, signing_secret)
        self.app_url = ""
        self.patience = PATIENCE
        self._by_socket = False
        self._http: httpx.Client | None = None

    def deliver_to(self, app_url: str) -> None:
        self.app_url = app_url
        self._by_socket = False

    def deliver_by_socket(self) -> None:
        """Somebody switched Socket Mode on: requests to the app's address are no more."""
        self._by_socket = True

    @property
    def listens(self) -> bool:
        """Does Slack know where the app is?"""
        return self._by_socket or bool(self.app_url)

    # ---- what people do

    def command(
        self,
        user: str,
        command: str,
        text: str = "",
        channel: str | None = None,
        *,
        escape: bool = True,
        **knobs: Unpack[Knobs],
    ) -> Reply:
        """Without a channel it is typed in the direct message with the bot."""
        made = self.request_for_command(user, command, text, channel, escape=escape, **knobs)
        reply = self.send(made, what=command)
        if reply.error is None and reply.response is not None and reply.response.content:
            said = reply.body or {"text": reply.response.text}
            place = self.place(user, channel).id
            # `{}` and a body without words are an acknowledgement and show nothing.
            if said.get("text") or said.get("blocks"):
                self._taken(reply, lambda: self.api.reply(user, place, said))
        return reply

    def press(
        self,
        user: str,
        message: Message | View,
        target: str,
        *,
        chosen: Any = None,
        values: Mapping[str, Any] | None = None,
        **knobs: Unpack[Knobs],
    ) -> Reply:
        made = self.request_for_press(user, message, target, chosen=chosen, values=values, **knobs)
        return self.send(made, what=target)

    def submit(
        self,
        user: str,
        view: View | str,
        values: Mapping[str, Any] | None = None,
        *,
        complete: bool = True,
        **knobs: Unpack[Knobs],
    ) -> Reply:
        found = self._open_view(user, view)
        made = self.request_for_submit(user, found, values or {}, complete=complete, **knobs)
        reply = self.send(made, what=str(found.content.get("callback_id")))
        if reply.error is None:
            self._after_submit(found, reply)
        return reply

    def close_view(self, user: str, view: View | str, **knobs: Unpack[Knobs]) -> Reply | None:
        """The app hears of it only when the view asked for that (notify_on_close)."""
        found = self._open_view(user, view)
        found.state = "closed"
        if not found.content.get("notify_on_close"):
            return None
        return self.send(self.request_for_closing(user, found, **knobs), what="close")

    def shortcut(
        self,
        user: str,
        callback_id: str,
        message: Message | None = None,
        **knobs: Unpack[Knobs],
    ) -> Reply:
        made = self.request_for_shortcut(user, callback_id, message, **knobs)
        return self.send(made, what=callback_id)

    def event(
        self,
        event: Json,
        *,
        event_id: str | None = None,
        event_time: int | None = None,
        retry: tuple[int, str] | None = None,
        **knobs: Unpack[Knobs],
    ) -> Reply:
        made = self.request_for_event(
            event, event_id=event_id, event_time=event_time, retry=retry, **knobs
        )
        return self.send(made, what=str(event.get("type")))

    def url_verification(self, challenge: str = "3eZbrw1aB", **knobs: Unpack[Knobs]) -> Reply:
        return self.send(self.request_for_url_verification(challenge, **knobs))

    def ssl_check(self, **knobs: Unpack[Knobs]) -> Reply:
        return self.send(self.request_for_ssl_check(**knobs))

    def send_raw(
        self, body: bytes | str, content_type: str = JSON, **knobs: Unpack[Knobs]
    ) -> Reply:
        raw = body.encode() if isinstance(body, str) else body
        return self.send(self.sign(raw, content_type, **knobs))

    def redeliver(self, reply: Reply) -> Reply:
        """The same event once more, as Slack does when nobody acknowledged it."""
        if reply.request.headers["Content-Type"] != JSON:
            raise AssertionError("Slack sends only events a second time")
        before = int(reply.request.headers.get("X-Slack-Retry-Num", "0"))
        again = {"X-Slack-Retry-Num": str(before + 1), "X-Slack-Retry-Reason": "http_timeout"}
        return self.send(self.sign(reply.request.body, JSON, headers=again), reply.what)

    # ---- the wire

    def send(self, request: SignedRequest, what: str = "request") -> Reply:
        """Send it as it is; sending `reply.request` again is a repeat, byte for byte.

        On a socket the repeat has the same payload in an envelope of its own.
        """
        if self._by_socket:
            return self._send_by_socket(request, what)
        if not self.app_url:
            raise AssertionError("deliver_to(url) first: Slack does not know the app's address")
        with self.workspace.changed:
            if self._http is None:
                # trust_env off: a proxy of this machine must not see 127.0.0.1.
                self._http = httpx.Client(trust_env=False)
        reply = Reply(request, None, self.workspace, what=what)
        try:
            reply.response = self._http.post(
                self.app_url,
                content=request.body,
                headers=request.headers,
                timeout=self.patience,
            )
        except httpx.TimeoutException:
            reply.error = "operation_timeout"
        except httpx.TransportError:
            reply.error = "dispatch_failed"
        if reply.response is not None and reply.response.status_code != 200:
            reply.error = "dispatch_failed"
        return reply

    def _send_by_socket(self, request: SignedRequest, what: str) -> Reply:
        delivery = self.api.socket.deliver(envelope_for(request), self.patience)
        reply = Reply(request, None, self.workspace, delivery.error, what)
        if delivery.error is None:
            answer = delivery.answer
            reply.response = httpx.Response(200, json=answer) if answer else httpx.Response(200)
        return reply

    def close(self) -> None:
        if self._http is not None:
            self._http.close()
            self._http = None

    # ---- what Slack does with the answers

    def _open_view(self, user: str, view: View | str) -> View:
        found = view if isinstance(view, View) else self.workspace.find_view(view)
        if found is None or found.state != "open" or found.user != user:
            raise AssertionError(f"{user} has no such form open: {view}")
        return found

    def _after_submit(self, view: View, reply: Reply) -> None:
        """https://docs.slack.dev/surfaces/modals — response_action"""
        said, views = reply.body, self.api.views
        match said.get("response_action"):
            case "errors":
                known = {block.get("block_id") for block in view.blocks}
                if not reply.errors or set(reply.errors) - known:
                    reply.error = "invalid_errors"  # Slack shows "We had some trouble"
                view.errors = reply.errors
            case "update":
                self._taken(
                    reply, lambda: views.replace(view, views.checked(said.get("view"), "modal"))
                )
            case "push":
                self._taken(
                    reply, lambda: views.push(view, views.checked(said.get("view"), "modal"))
                )
            case "clear":
                for one in self.workspace.views:
                    if one.root_id == view.root_id:
                        one.state = "submitted"
            case _:
                view.state = "submitted"

    def _taken(self, reply: Reply, act: Callable[[], object]) -> None:
        try:
            with self.workspace.changed:
                act()
        except RefusalError as refusal:
            reply.error = refusal.code
