"""The Slack adapter: http or socket and bolt bring events in, api takes messages out.

Where an answer goes: a slash command's rides in its response; a press, a form and a message have no
response a person could read, so `answers_inline` is False and the outbox carries it. It survives a
crash there, which a response_url (30 minutes, five uses) would not.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from adapters.contract import (
    EVERYWHERE,
    Capabilities,
    Checkup,
    DeliveryFailed,
    Finding,
    Place,
    ReaderFor,
    Receive,
    Request,
    Response,
    Services,
)
from adapters.lines import Timings
from adapters.slack import decode, doctor, encode, events, http
from adapters.slack.api import SlackApi, SlackRefused
from adapters.slack.bolt import Bolt
from adapters.slack.directory import Directory
from adapters.slack.posting import Posting
from adapters.slack.reading import NAME
from adapters.slack.socket import SocketMode, opened_url
from bot.messages import Address, Answer, Event, Form, Outgoing, Reader, Reply, text

log = logging.getLogger(__name__)

# A trigger_id lives 3 s, and the person's own request is waiting too.
FORM_SECONDS = 2.0
# About one message a second and channel: https://docs.slack.dev/apis/web-api/rate-limits
SECONDS_BETWEEN_MESSAGES = 1.0
# The form of this trigger is open already: the request came twice.
OPEN_ALREADY = frozenset({"exchanged_trigger_id"})

Json = dict[str, Any]


class SlackAdapter:
    """adapters.contract.Adapter for one Slack workspace."""

    name = NAME
    capabilities = Capabilities(
        forms=True,
        buttons_in_groups=True,
        buttons_in_direct=True,
        private_in_groups=True,
        edits_in_groups=True,
        edits_in_direct=True,
        structured_mentions=True,
        slash_commands=True,
        threads=True,
        reactions=True,
        message_shortcuts=True,
        menus=True,
        files=True,
        own_page=True,
        local_times=True,
    )

    def __init__(
        self,
        api: SlackApi,
        signing_secrets: tuple[str, ...],
        clock: Callable[[], datetime],
        reader_for: ReaderFor,
        *,
        by_socket: bool = False,
        timings: Timings | None = None,
    ) -> None:
        """Several `signing_secrets` while one is replaced; without any nothing is heard over HTTP.

        `by_socket`: listen by Socket Mode, for which `api` has an app-level token.
        """
        self.paths: tuple[str, ...] = ("/slack/events",) if signing_secrets else ()
        self._secrets = signing_secrets
        self._clock = clock
        self._reader_for = reader_for
        self._api = api
        self._by_socket = by_socket
        self._timings = timings
        self._directory = Directory(api)
        self._posting = Posting(api)
        self._bolt: Bolt | None = None
        self._socket: SocketMode | None = None

    async def start(self, receive: Receive, services: Services | None = None) -> None:
        """Open the session. Slack's API may be down: what comes in does not need it."""
        client = await self._api.open()
        self._bolt = Bolt(client, lambda: self._api.identity, self._answer)
        if self._by_socket:
            self._socket = SocketMode(
                lambda: opened_url(self._api.call),
                lambda payload: self._dispatched(payload, self._clock(), receive),
                timings=self._timings,
            )
            self._socket.start()

    async def receive(self, request: Request, receive: Receive) -> Response:
        """Answer one request of Slack's. Raises Rejected."""
        payload = http.admit(request, self._secrets)
        body = await self._dispatched(payload, request.now, receive)
        if body.startswith("{"):
            return Response(body=body.encode(), content_type="application/json; charset=utf-8")
        return Response(body=body.encode())

    async def _dispatched(self, payload: Json, received_at: datetime, receive: Receive) -> str:
        """The body of the response to a payload, whichever way it came."""
        if self._bolt is None:
            raise RuntimeError("a payload before start()")
        return await self._bolt.dispatch(payload, received_at, receive)

    def answers_inline(self, event: Event, reply: Reply) -> bool:
        """Only a slash command's response is read by a person."""
        return decode.from_command(event)

    def can_ring(self, team: str) -> bool:
        """A direct message rings as loudly."""
        return False

    async def send(self, outgoing: Outgoing, reader: Reader) -> str:
        """Post or change a message; its handle is the channel and ts that Slack answered."""
        return await self._posting.send(outgoing, reader)

    def reaches(self) -> frozenset[Place]:
        """Always everything."""
        return EVERYWHERE

    def pace(self, address: Address) -> float:
        """Seconds between two messages to one channel, and two versions of one page."""
        return SECONDS_BETWEEN_MESSAGES

    async def stop(self) -> None:
        """Close everything, in a few seconds at most."""
        if self._socket is not None:
            await self._socket.stop()
        self._bolt = self._socket = None
        await self._api.close()

    async def examine(self, checkup: Checkup) -> Sequence[Finding]:
        """Everything about Slack that can be asked; each finding names the page and the button."""
        await self._api.open(learn=False)
        try:
            return await doctor.examine(self._api, checkup, by_socket=self._by_socket)
        finally:
            await self._api.close()

    def trouble(self) -> str | None:
        """Set while Slack refuses the token, or while Socket Mode has no connection."""
        return self._api.trouble or (self._socket.trouble() if self._socket else None)

    def notice(self) -> str | None:
        """Never any."""
        return None

    # --- in ----------------------------------------------------------------------------------

    async def _answer(self, payload: Json, received_at: datetime, receive: Receive) -> Json | None:
        """Hand the event over, and put the answer into the response where there is one."""
        if events.ends_token(payload):
            self._api.note_trouble("token_revoked")
            return None
        event = decode.decode(payload, received_at, self._our_account())
        if event is None or _is_mere_talk(event):
            return None
        reply = await self._heard(event, receive)
        if reply is None:
            return None
        reader = self._reader_for(reply.locale, reply.zone, reply.at)
        if event.kind == "form":
            return encode.submission(reply, payload["view"], event.chat, reader)
        if reply.form is not None:
            return await self._open(reply.form, event, payload, reader)
        return self._inline(event, reply.answer, reader)

    def _our_account(self) -> str | None:
        return self._api.identity.user_id if self._api.identity else None

    async def _heard(self, event: Event, receive: Receive) -> Reply | None:
        """Hand the event over with what Slack tells of its people and its channel.

        Of what may be nobody's business (reactions, talk in threads) the bot is asked first.
        """
        if event.kind == "account":
            self._directory.forget(event.user.id)
            return await receive(event)
        if event.kind == "invited":
            self._directory.forget_channel(event.chat.id)
        if not event.complete:
            reply = await receive(event)
            if reply is None or not reply.wants_more:
                return reply
            whole = await self._completed(event)
            if whole is None:
                return None
            event = whole
        return await receive(await self._directory.introduce(event))

    async def _completed(self, event: Event) -> Event | None:
        """With the message that a reaction is on; None where Slack does not show it to us."""
        if event.kind != "reaction":
            return event.model_copy(update={"complete": True})
        message = await self._posting.message_at(event.message)
        if message is None:
            return None
        return events.with_message(event, message, self._our_account())

    def _inline(self, event: Event, answer: Answer | None, reader: Reader) -> Json | None:
        if answer is None or not decode.from_command(event):
            return None
        return encode.response(answer, event.chat, reader)

    async def _open(
        self, form: Form, event: Event, payload: Mapping[str, Any], reader: Reader
    ) -> Json | None:
        """https://docs.slack.dev/reference/methods/views.open; says so when it stays shut."""
        view = encode.modal(form, event.chat, reader, event.message, event.under)
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
        shut = Answer(words=text("slack.form_shut"), private=True)
        if not decode.from_command(event):
            await self._posting.say_at_once(event.user.id, event.chat, shut, reader)
        return self._inline(event, shut, reader)


def _is_mere_talk(event: Event) -> bool:
    """What a channel says to itself outside of threads: forty lines a minute that are nobody's."""
    return event.kind == "text" and not event.addressed and not event.under
