"""The simulated world: who lives in it, which platform it resembles, and everything that was said.

The transcript plays the platform's own storage: what stands in it is what people read, rendered at
the moment it was sent, as on a real platform.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import AwareDatetime, ValidationError

from adapters.contract import Capabilities
from bot.messages import Button, Locale, Model, Span

GROUP_ID = "team-group"
GROUP_NAMES: dict[Locale, str] = {"zh_CN": "班组群", "en": "Team group"}

BOT_ID = "banzhang"
BOT_NAMES: dict[Locale, str] = {"zh_CN": "班长", "en": "Banzhang"}


# --- personas -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Persona:
    """Somebody to speak as. Only an example: no person of this name is meant."""

    id: str
    name: str
    english_name: str
    part: Literal["manager", "lead", "worker", "guest"]
    """What this person is in the story; the bot learns it by chat like everybody's roles."""

    def called(self, locale: Locale | None) -> str:
        """The name as the platform shows it to readers of `locale`."""
        return self.english_name if locale == "en" else self.name


PERSONAS: tuple[Persona, ...] = (
    Persona("zhou", "周经理", "Zhou", "manager"),
    Persona("li", "李组长", "Li", "lead"),
    Persona("wang", "小王", "Wang", "worker"),
    Persona("lin", "小林", "Lin", "worker"),
    Persona("chen", "小陈", "Chen", "worker"),
    Persona("guest", "访客", "Guest", "guest"),
)
PERSONA_OF: dict[str, Persona] = {persona.id: persona for persona in PERSONAS}


# --- profiles -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Profile:
    """A platform to resemble: what it shows (capabilities) and what it lets the bot hear."""

    name: Literal["slack", "wecom", "dingtalk"]
    capabilities: Capabilities
    hears_all: bool
    """Does the bot overhear group talk that does not mention it?"""
    slash_commands: bool
    names: Literal["marked", "text", "lost"]
    """What becomes of "@name": a mark in the text, plain text, or gone, the mentions apart."""


SLACK_LIKE = Profile(
    "slack",
    Capabilities(
        forms=True,
        buttons_in_groups=True,
        buttons_in_direct=True,
        private_in_groups=True,
        edits_in_groups=True,
        edits_in_direct=True,
        structured_mentions=True,
        slash_commands=True,
    ),
    hears_all=True,
    slash_commands=True,
    names="marked",
)
WECOM_LIKE = Profile(
    "wecom",
    Capabilities(
        forms=False,
        buttons_in_groups=False,
        buttons_in_direct=True,
        private_in_groups=False,
        edits_in_groups=False,
        edits_in_direct=False,
        structured_mentions=False,
        max_bytes=2048,
    ),
    hears_all=False,
    slash_commands=False,
    names="text",
)
DINGTALK_LIKE = Profile(
    "dingtalk",
    Capabilities(
        forms=False,
        buttons_in_groups=False,
        buttons_in_direct=False,
        private_in_groups=False,
        edits_in_groups=False,
        edits_in_direct=False,
        structured_mentions=True,
    ),
    hears_all=False,
    slash_commands=False,
    names="lost",
)
PROFILES: dict[str, Profile] = {one.name: one for one in (SLACK_LIKE, WECOM_LIKE, DINGTALK_LIKE)}


# --- what was said --------------------------------------------------------------------------------

Spans = tuple[Span, ...]


class ShownField(Model):
    """A fact on a card, rendered."""

    label: Spans
    value: Spans


class ShownCard(Model):
    """A card, rendered."""

    title: Spans
    body: tuple[Spans, ...] = ()
    fields: tuple[ShownField, ...] = ()


class ShownButton(Model):
    """A button, rendered, and the command that pressing it gives."""

    label: str
    command: str
    arguments: dict[str, str]
    style: Literal["plain", "primary", "danger"] = "plain"

    @classmethod
    def of(cls, button: Button, label: str) -> ShownButton:
        """The button with its label in the reader's language."""
        return cls(
            label=label, command=button.command, arguments=button.arguments, style=button.style
        )


class Content(Model):
    """What one message shows."""

    plain: str
    """All of it as text, as a person reads it out (labels of buttons apart)."""
    words: Spans = ()
    card: ShownCard | None = None
    buttons: tuple[ShownButton, ...] = ()
    typed: tuple[str, ...] = ()
    """Where there are no buttons: what to type instead."""


class Entry(Model):
    """One message of the transcript."""

    id: int
    chat: str
    """GROUP_ID, or the id of the persona whose direct chat it is."""
    author: str
    """A persona's id, or BOT_ID."""
    audience: str | None = None
    """The one persona who sees it, or None: everybody in the chat."""
    at: AwareDatetime
    key: str
    """The event key of what a persona said; an answer has its event's key and "/answer"."""
    heard: bool = True
    """Did the platform tell the bot about it?"""
    versions: tuple[Content, ...]
    edited_at: AwareDatetime | None = None
    changed: int
    """The number of the change that made or last edited it."""

    @property
    def content(self) -> Content:
        """What it shows now."""
        return self.versions[-1]

    @property
    def plain(self) -> str:
        """Its text as a person reads it."""
        return self.content.plain

    @property
    def buttons(self) -> tuple[ShownButton, ...]:
        """The buttons that can be pressed."""
        return self.content.buttons

    @property
    def edited(self) -> bool:
        """Did it say something else before?"""
        return len(self.versions) > 1

    def is_for(self, persona_id: str) -> bool:
        """May this persona read it?"""
        in_chat = self.chat in (GROUP_ID, persona_id)
        return in_chat and self.audience in (None, persona_id)


class _Line(Model):
    """One line of a transcript file: exactly one of its fields is set."""

    epoch: str | None = None
    entry: Entry | None = None
    profile: str | None = None


class Transcript:
    """Everything that was said, append-only; a message that is edited keeps its earlier versions.

    Changes are numbered from 1, so that a reader who knows one number can be given all that
    followed. With a `path` it is a file of JSON lines that survives a restart; a last line torn by
    a crash is dropped. Raises ValueError for a file that is something else. All calls belong in one
    thread.
    """

    def __init__(self, path: Path | None = None) -> None:
        self.epoch = secrets.token_hex(4)
        """Distinguishes this transcript from one that had the same numbers before it."""
        self.profile: str | None = None
        """The name of the profile that was chosen last, if one was."""
        self.listeners: set[Callable[[], None]] = set()
        """Called after every change."""
        self._entries: list[Entry] = []
        self._changes: list[int] = []
        self._of_key: dict[str, int] = {}
        self._path = path
        if path is not None and path.exists():
            self._load(path)
        if path is not None and not (path.exists() and path.stat().st_size):
            path.parent.mkdir(parents=True, exist_ok=True)
            self._write(_Line(epoch=self.epoch))

    @property
    def last_change(self) -> int:
        """The number of the newest change."""
        return len(self._changes)

    def append(
        self,
        chat: str,
        author: str,
        content: Content,
        at: AwareDatetime,
        *,
        audience: str | None = None,
        key: str | None = None,
        heard: bool = True,
    ) -> Entry:
        """Record a new message. `key` is made up when none is given."""
        number = len(self._entries) + 1
        entry = Entry(
            id=number,
            chat=chat,
            author=author,
            audience=audience,
            at=at,
            key=key or f"{self.epoch}:{number}",
            heard=heard,
            versions=(content,),
            changed=self.last_change + 1,
        )
        return self._record(entry)

    def edit(self, entry_id: int, content: Content, at: AwareDatetime) -> Entry:
        """Replace what a message shows. Raises KeyError for a message that is not there."""
        old = self.get(entry_id)
        entry = old.model_copy(
            update={
                "versions": (*old.versions, content),
                "edited_at": at,
                "changed": self.last_change + 1,
            }
        )
        return self._record(entry)

    def get(self, entry_id: int) -> Entry:
        """One message. Raises KeyError for one that is not there."""
        if not 1 <= entry_id <= len(self._entries):
            raise KeyError(entry_id)
        return self._entries[entry_id - 1]

    def with_key(self, key: str) -> Entry | None:
        """The newest message with this key."""
        entry_id = self._of_key.get(key)
        return None if entry_id is None else self.get(entry_id)

    def newer(self, entry_id: int) -> Iterable[Entry]:
        """The messages that came after one, or all for 0."""
        return self._entries[entry_id:]

    @property
    def last_entry(self) -> int:
        """The id of the newest message, or 0."""
        return len(self._entries)

    def visible(self, persona_id: str, chat: str) -> tuple[Entry, ...]:
        """What a persona reads in a chat, oldest first."""
        return tuple(one for one in self._entries if one.chat == chat and one.is_for(persona_id))

    def since(self, change: int) -> Iterable[Entry]:
        """The messages that were made or edited after a change, each once, as they are now."""
        return [self.get(entry_id) for entry_id in dict.fromkeys(self._changes[max(change, 0) :])]

    def choose_profile(self, name: str) -> None:
        """Remember the profile."""
        self.profile = name
        self._write(_Line(profile=name))
        self.announce()

    def announce(self) -> None:
        """Wake the listeners."""
        for listener in tuple(self.listeners):
            listener()

    def _record(self, entry: Entry) -> Entry:
        self._write(_Line(entry=entry))
        self._keep(entry)
        self.announce()
        return entry

    def _keep(self, entry: Entry) -> None:
        if entry.id == len(self._entries) + 1:
            self._entries.append(entry)
        else:
            self._entries[entry.id - 1] = entry
        self._changes.append(entry.id)
        self._of_key[entry.key] = entry.id

    def _write(self, line: _Line) -> None:
        if self._path is not None:
            with self._path.open("ab") as file:
                file.write(line.model_dump_json(exclude_defaults=True).encode() + b"\n")

    def _load(self, path: Path) -> None:
        content = path.read_bytes()
        whole = content.rfind(b"\n") + 1
        for number, line in enumerate(content[:whole].splitlines(), start=1):
            try:
                self._take(_Line.model_validate_json(line))
            except (ValidationError, IndexError) as error:
                raise ValueError(f"{path}:{number}: not a line of a transcript") from error
        if whole < len(content):
            with path.open("r+b") as file:
                file.truncate(whole)

    def _take(self, line: _Line) -> None:
        if line.entry is not None:
            self._keep(line.entry)
        self.epoch = line.epoch or self.epoch
        self.profile = line.profile or self.profile
