"""The Slack adapter: http and bolt bring events in, api takes messages out.

Where an answer goes: a slash command's rides in its response; a press and a form have no response a
person could read, so `answers_inline` is False and the outbox carries it, private ones by direct
message. It survives a crash there, which a response_url (30 minutes, five uses) would not.
"""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from adapters.contract import (
    Capabilities,
    DeliveryFailed,
    Finding,
    ReaderFor,
    Receive,
    Request,
    Response,
)
from adapters.slack import decode, encode, http
from adapters.slack.api import UNEDITABLE, SlackApi, SlackRefused, delivery_failed
from adapters.slack.bolt import Bolt
from adapters.slack.directory import Directory
from bot.messages import Address, Answer, Event, Form, Outgoing, Reader, text

log = logging.getLogger(__name__)

# A trigger_id lives 3 s, and the person's own request is waiting too.
FORM_SECONDS = 2.0
# About one message a second and channel: https://docs.slack.dev/apis/web-api/rate-limits
SECONDS_BETWEEN_MESSAGES = 1.0
# The form of this trigger is open already: the request came twice.
OPEN_ALREADY = frozenset({"exchanged_trigger_id"})

_MESSAGES = uuid.UUID("6f0d5a2e-6a2c-4a8f-9a0b-3e1f5b7c9d21")

Json = dict[str, Any]


class SlackAdapter:
    """adapters.contract.Adapter for one Slack workspace."""

    name = decode.NAME
    paths: tuple[str, ...] = ("/slack/events",)
    capabilities = Capabilities(
        forms=True,
        buttons_in_groups=True,
        buttons_in_direct=True,
        private_in_groups=True,
        edits=True,
        structured_mentions=True,
    )

    def __init__(
        self,
        bot_token: str,
        signing_secrets: tuple[str, ...],
        api_url: str,
        clock: Callable[[], datetime],
        reader_for: ReaderFor,
    ) -> None:
        """Several `signing_secrets` while one is replaced; `api_url` with or without last slash."""
        self._secrets = signing_secrets
        self._reader_for = reader_for
        self._api = SlackApi(bot_token, api_url, clock)
        self._directory = Directory(self._api)
        self._bolt: Bolt | None = None

    async def start(self, receive: Receive) -> None:
        """Open the session. Slack's API may be down: what comes in does not need it."""
        client = await self._api.open()
        self._bolt = Bolt(client, lambda: self._api.identity, self._answer)

    async def receive(self, request: Request, receive: Receive) -> Response:
        """Answer one request of Slack's. Raises Rejected."""
        payload = http.admit(request, self._secrets)
        if self._bolt is None:
            raise RuntimeError("receive() before start()")
        body = await self._bolt.dispatch(payload, request.now, receive)
        if body.startswith("{"):
            return Response(body=body.encode(), content_type="application/json; charset=utf-8")
        return Response(body=body.encode())

    def answers_inline(self, event: Event) -> bool:
        """Only a slash command's response is read by a person."""
        return decode.from_command(event)

    async def send(self, outgoing: Outgoing, reader: Reader) -> str:
        """Post or change a message; its handle is the channel and ts that Slack answered."""
        if outgoing.edits_handle is not None:
            handle = await self._edit(outgoing, outgoing.edits_handle, reader)
            if handle is not None:
                return handle
            if outgoing.words is not None:
                outgoing = outgoing.model_copy(update={"card": None})
        arguments = encode.message(outgoing, reader)
        # Half documented as the key by which Slack knows a message that it has already.
        arguments["client_msg_id"] = str(uuid.uuid5(_MESSAGES, str(outgoing.message_id)))
        found = await self._deliver("chat.postMessage", arguments)
        # A post to a person answers with the direct message's channel, which an edit needs.
        return f"{found.get('channel', outgoing.address.id)}:{found.get('ts', '')}"

    def pace(self, address: Address) -> float:
        """Seconds between two messages to one channel."""
        return SECONDS_BETWEEN_MESSAGES

    async def stop(self) -> None:
        """Close the session, in a few seconds at most."""
        self._bolt = None
        await self._api.close()

    async def examine(self) -> Sequence[Finding]:
        """Whether Slack takes the token: https://docs.slack.dev/reference/methods/auth.test"""
        await self._api.open(learn=False)
        try:
            found = await self._api.call("auth.test", {}, quietly=True)
        except SlackRefused as refused:
            where = "api.slack.com/apps, your app, OAuth & Permissions, Bot User OAuth Token"
            why = f"Slack refuses SLACK_BOT_TOKEN ({refused}); copy it anew from {where}."
            return [Finding(False, why)]
        except DeliveryFailed as failed:
            return [Finding(False, f"Slack cannot be asked about SLACK_BOT_TOKEN: {failed.why}.")]
        finally:
            await self._api.close()
        who, where = found.get("user", "?"), found.get("team", "?")
        return [Finding(True, f"Slack takes the token: the bot is {who} in {where}.")]

    def trouble(self) -> str | None:
        """Set while Slack refuses the token."""
        return self._api.trouble

    # --- in ----------------------------------------------------------------------------------

    async def _answer(self, payload: Json, received_at: datetime, receive: Receive) -> Json | None:
        """Hand the event over, and put the answer into the response where there is one."""
        event = decode.decode(payload, received_at)
        if event is None:
            return None
        event = await self._directory.introduce(event)
        reply = await receive(event)
        if reply is None:
            return None
        reader = self._reader_for(reply.locale, reply.zone, reply.at)
        if event.kind == "form":
            return encode.submission(reply, payload["view"], event.chat, reader)
        if reply.form is not None:
            return await self._open(reply.form, event, payload, reader)
        return self._inline(event, reply.answer, reader)

    def _inline(self, event: Event, answer: Answer | None, reader: Reader) -> Json | None:
        if answer is None or not self.answers_inline(event):
            return None
        return encode.response(answer, event.chat, reader)

    async def _open(
        self, form: Form, event: Event, payload: Mapping[str, Any], reader: Reader
    ) -> Json | None:
        """https://docs.slack.dev/reference/methods/views.open; says so when it stays shut."""
        view = encode.modal(form, event.chat, reader)
        why = "it is too long"
        if view is not None:
            try:
                async with asyncio.timeout(FORM_SECONDS):
                    arguments = {"trigger_id": payload.get("trigger_id"), "view": view}
                    await self._api.call("views.open", arguments)
                return None
            except SlackRefused as refused:
                if refused.code in OPEN_ALREADY:
                    return None
                why = refused.code
            except DeliveryFailed as failed:
                why = failed.why
            except TimeoutError:
                why = "Slack took too long"
        log.warning("a form did not open: %s", why)
        return self._inline(event, Answer(words=text("slack.form_shut"), private=True), reader)

    # --- out ---------------------------------------------------------------------------------

    async def _edit(self, outgoing: Outgoing, handle: str, reader: Reader) -> str | None:
        """Change a message; None where that will never work and it must be said anew."""
        channel, _, ts = handle.partition(":")
        arguments = {"channel": channel, "ts": ts, **encode.edit(outgoing, reader)}
        try:
            await self._api.call("chat.update", arguments)
        except SlackRefused as refused:
            if refused.code in UNEDITABLE:
                return None
            raise delivery_failed(refused, "chat.update") from None
        return handle

    async def _deliver(self, method: str, arguments: Json) -> Json:
        try:
            return await self._api.call(method, arguments)
        except SlackRefused as refused:
            raise delivery_failed(refused, method) from None
