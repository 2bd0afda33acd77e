"""The sandbox as a platform: a group, direct chats, and personas that somebody at a page plays.

It is the platform and its adapter in one, so nothing is verified here; the page guards its own
door. Everything that goes out is recorded in a transcript, which conversation tests read too.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path

from adapters.contract import (
    EVERYWHERE,
    Checkup,
    DeliveryFailed,
    Finding,
    Place,
    ReaderFor,
    Receive,
    Rejected,
    Request,
    Response,
    Services,
)
from adapters.plain import flat
from adapters.sandbox.decode import cleaned, hear, shown, user_of
from adapters.sandbox.encode import encode, with_file
from adapters.sandbox.forms import OpenForm, opened, sent_back
from adapters.sandbox.world import (
    BOT_ID,
    GROUP_ID,
    GROUP_NAMES,
    PERSONA_OF,
    PROFILES,
    SLACK_LIKE,
    Content,
    Entry,
    Profile,
    ShownButton,
    Transcript,
)
from bot.messages import (
    Address,
    Answer,
    Chat,
    Event,
    Locale,
    Outgoing,
    Reader,
    Reply,
)


class SandboxAdapter:
    """The platform that the demo and the conversation tests talk to.

    `clock` gives the present moment (aware); `reader_for` makes the reader of an answer. The
    profile is `profile` unless the transcript at `transcript_path` remembers another.
    """

    name: str = "sandbox"
    paths: tuple[str, ...] = ()

    def __init__(
        self,
        clock: Callable[[], datetime],
        reader_for: ReaderFor,
        profile: Profile = SLACK_LIKE,
        transcript_path: Path | None = None,
    ) -> None:
        self.transcript = Transcript(transcript_path)
        self.failures: list[DeliveryFailed] = []
        """What the next sends meet, in order; nothing is recorded of a send that fails."""
        self._clock = clock
        self._reader_for = reader_for
        self._profile = PROFILES.get(self.transcript.profile or "", profile)
        self.capabilities = self._profile.capabilities
        self.hung_up = False
        """Shall live streams end?"""
        self._forms: dict[str, OpenForm] = {}

    @property
    def profile(self) -> Profile:
        """The platform that is resembled; what was said before a change stays as it was."""
        return self._profile

    @profile.setter
    def profile(self, profile: Profile) -> None:
        self._profile = profile
        self.capabilities = profile.capabilities
        if not profile.capabilities.forms:
            self._forms.clear()
        self.transcript.choose_profile(profile.name)

    # --- what a persona sees

    def visible(self, persona_id: str, chat_id: str) -> tuple[Entry, ...]:
        """What a persona reads in a chat, oldest first."""
        return self.transcript.visible(persona_id, chat_id)

    def open_form(self, persona_id: str) -> OpenForm | None:
        """The form that the persona has on the screen."""
        return self._forms.get(persona_id)

    def close_form(self, persona_id: str) -> None:
        """Put the form away unsent; the bot hears nothing of it."""
        if self._forms.pop(persona_id, None):
            self.transcript.announce()

    # --- what a persona does

    async def say(
        self,
        persona_id: str,
        chat_id: str,
        text: str,
        receive: Receive,
        *,
        key: str | None = None,
        locale: Locale | None = None,
    ) -> Entry | None:
        """Say something; gives back the bot's answer, or None where there is none.

        `chat_id` is GROUP_ID or the persona's own id. A `key` that was used before repeats that
        event and shows nothing twice. Where an answer is cut into several messages, the first comes
        back. Raises Rejected for nobody, nowhere, an empty or too long text.
        """
        user, chat = user_of(persona_id, locale), _chat(persona_id, chat_id, locale)
        text = cleaned(text)
        heard = hear(text, self._profile, direct=chat.kind == "direct", locale=locale)
        entry = (self.transcript.with_key(key) if key else None) or self.transcript.append(
            chat_id,
            persona_id,
            Content(plain=text, words=shown(text)),
            self._clock(),
            audience=persona_id if heard and heard.slash else None,
            key=key,
            heard=heard is not None,
        )
        if heard is None:
            return None
        event = Event(
            platform=self.name,
            key=entry.key,
            kind="text",
            user=user,
            chat=chat,
            text=heard.text,
            mentions=heard.mentions,
            addressed=heard.addressed,
            can_open_form=heard.can_open_form,
            at=entry.at,
            received_at=self._clock(),
        )
        return self._answered(event, await receive(event))

    async def press(
        self,
        persona_id: str,
        entry_id: int,
        button_index: int,
        receive: Receive,
        key: str | None = None,
        locale: Locale | None = None,
    ) -> Entry | None:
        """Press a button of a message (counted from 0); gives back the bot's answer, if any.

        Raises Rejected where the persona sees no such button.
        """
        user = user_of(persona_id, locale)
        entry, button = self._button(persona_id, entry_id, button_index)
        event = self._acted(
            "button", user.id, entry.chat, button.command, button.arguments, key, locale
        )
        return self._answered(event, await receive(event))

    async def submit(
        self,
        persona_id: str,
        command: str,
        arguments: Mapping[str, str],
        fields: Mapping[str, str],
        receive: Receive,
        key: str | None = None,
        locale: Locale | None = None,
    ) -> dict[str, str] | None:
        """Send a form in; gives back what is wrong by field, or None when it was taken.

        It counts as sent from the chat where the form was opened, else from the direct chat.
        """
        form = self._forms.get(persona_id)
        chat_id = form.chat if form else persona_id
        entered = {name: value for name, value in fields.items() if value.strip()}
        event = self._acted(
            "form", persona_id, chat_id, command, {**arguments, **entered}, key, locale
        )
        reply = await receive(event)
        errors = self._errors(reply) if reply else {}
        if errors:
            if form:
                self._forms[persona_id] = sent_back(form, fields, errors)
            return errors
        self._forms.pop(persona_id, None)
        self._answered(event, reply)
        return None

    # --- what the bot sends

    async def send(self, outgoing: Outgoing, reader: Reader) -> str:
        """Record a message, or change one; its handle tells this transcript from any other."""
        if self.failures:
            raise self.failures.pop(0)
        address = outgoing.address
        if address.id != GROUP_ID and address.id not in PERSONA_OF:
            raise DeliveryFailed("dead", "nobody has this address")
        group = address.kind == "group"
        if outgoing.edits_handle is None:
            words = with_file(outgoing.words, outgoing.file)
            contents = encode(words, outgoing.card, reader, self._profile, group=group)
        elif self.capabilities.edits_in_groups:
            # The words are for platforms that cannot edit; the card says the same.
            words = None if outgoing.card else outgoing.words
            contents = encode(words, outgoing.card, reader, self._profile, group=group)
            return self._edited(outgoing.edits_handle, contents[0])
        elif outgoing.words is None:
            return outgoing.edits_handle
        else:
            contents = encode(outgoing.words, None, reader, self._profile, group=group)
        entries = [
            self.transcript.append(address.id, BOT_ID, content, self._clock())
            for content in contents
        ]
        return f"{self.transcript.epoch}:{entries[0].id}"

    def _edited(self, handle: str, content: Content) -> str:
        epoch, _, entry_id = handle.partition(":")
        if epoch != self.transcript.epoch:
            raise DeliveryFailed("dead", "the message to be edited is not there")
        self.transcript.edit(int(entry_id), content, self._clock())
        return handle

    # --- the rest of what every adapter answers to

    async def start(self, receive: Receive, services: Services | None = None) -> None:
        """Nothing has to be opened."""

    async def receive(self, request: Request, receive: Receive) -> Response:
        """The sandbox has no HTTP path of its own; its page is mounted apart."""
        raise Rejected(404, "the sandbox hears only its own page")

    def answers_inline(self, event: Event, reply: Reply) -> bool:
        """Every answer comes back with its event."""
        return True

    def can_ring(self, team: str) -> bool:
        """There are no phones."""
        return False

    def reaches(self) -> frozenset[Place]:
        """Always everything."""
        return EVERYWHERE

    def pace(self, address: Address) -> float:
        """No pause is needed between messages."""
        return 0.0

    async def stop(self) -> None:
        """End the live streams."""
        self.hang_up()

    def hang_up(self) -> None:
        """Let every live stream end by itself, so that the server has nothing to wait for."""
        self.hung_up = True
        self.transcript.announce()

    async def examine(self, checkup: Checkup) -> Sequence[Finding]:
        """There is nobody to ask."""
        return ()

    def trouble(self) -> str | None:
        """Never any."""
        return None

    def notice(self) -> str | None:
        """Never any."""
        return None

    # --- inside

    def _acted(
        self,
        kind: str,
        persona_id: str,
        chat_id: str,
        command: str,
        arguments: Mapping[str, str],
        key: str | None,
        locale: Locale | None,
    ) -> Event:
        now = self._clock()
        return Event(
            platform=self.name,
            key=key or f"{self.transcript.epoch}:{kind}:{secrets.token_hex(8)}",
            kind="form" if kind == "form" else "button",
            user=user_of(persona_id, locale),
            chat=_chat(persona_id, chat_id, locale),
            command=command,
            arguments=dict(arguments),
            can_open_form=kind == "button" and self.capabilities.forms,
            at=now,
            received_at=now,
        )

    def _button(
        self, persona_id: str, entry_id: int, button_index: int
    ) -> tuple[Entry, ShownButton]:
        try:
            entry = self.transcript.get(entry_id)
        except KeyError:
            raise Rejected(404, f"there is no message {entry_id}") from None
        if not entry.is_for(persona_id) or not 0 <= button_index < len(entry.buttons):
            raise Rejected(404, f"message {entry_id} has no button {button_index}")
        return entry, entry.buttons[button_index]

    def _answered(self, event: Event, reply: Reply | None) -> Entry | None:
        """Show what the bot replied; the same reply to the same event is shown once."""
        if reply is None:
            return None
        reader = self._reader_for(reply.locale, reply.zone, reply.at)
        if reply.form:
            self._forms[event.user.id] = opened(reply.form, event.chat.id, reader)
            self.transcript.announce()
        if reply.answer is None or not (reply.answer.words or reply.answer.card):
            return None
        return self._show_answer(event, reply.answer, reader)

    def _show_answer(self, event: Event, answer: Answer, reader: Reader) -> Entry:
        chat, audience = event.chat.id, None
        if answer.private and chat == GROUP_ID:
            # Nothing private is ever said aloud, whatever was decided before.
            only_here = self.capabilities.private_in_groups
            chat, audience = (chat, event.user.id) if only_here else (event.user.id, None)
        contents = encode(answer.words, answer.card, reader, self._profile, group=chat == GROUP_ID)
        key = f"{event.key}/answer"
        before = self.transcript.with_key(key)
        if before and before.content == contents[0]:
            return before
        entries = [
            self.transcript.append(
                chat,
                BOT_ID,
                content,
                self._clock(),
                audience=audience,
                key=f"{key}/{number}" if number else key,
            )
            for number, content in enumerate(contents)
        ]
        return entries[0]

    def _errors(self, reply: Reply) -> dict[str, str]:
        reader = self._reader_for(reply.locale, reply.zone, reply.at)
        return {name: flat(words, reader) for name, words in reply.errors.items()}


def _chat(persona_id: str, chat_id: str, locale: Locale | None) -> Chat:
    if chat_id == GROUP_ID:
        return Chat(kind="group", id=GROUP_ID, name=GROUP_NAMES[locale or "zh_CN"])
    if chat_id != persona_id:
        raise Rejected(404, f"{persona_id} is not in the chat {chat_id!r}")
    return Chat(kind="direct", id=persona_id)
