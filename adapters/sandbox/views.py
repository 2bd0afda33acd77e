"""What the page's templates show: one persona's view of one chat, in the language of the page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

from babel.dates import format_skeleton

from adapters.contract import ReaderFor
from adapters.plain import flat
from adapters.sandbox.adapter import SandboxAdapter
from adapters.sandbox.forms import OpenForm
from adapters.sandbox.world import (
    BOT_ID,
    BOT_NAMES,
    GROUP_ID,
    GROUP_NAMES,
    PERSONA_OF,
    PERSONAS,
    PROFILES,
    Entry,
    Persona,
    Profile,
)
from bot.messages import Locale, Param, Reader, text

THEMES = ("auto", "light", "dark")

# Messages of one person closer than this stand under one name, others have the time between them.
TOGETHER = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class ShownEntry:
    """A message and how it stands to the one before it."""

    entry: Entry
    name: str
    initial: str
    tag: str
    mine: bool
    separator: str
    """The time that stands above it, or nothing."""
    joined: bool
    """Does it stand under the name of the message before?"""
    clock: str
    edited_clock: str


@dataclass(frozen=True, slots=True)
class View:
    """One look at the sandbox: as whom, at which chat, when and how."""

    adapter: SandboxAdapter
    persona: Persona
    chat: str
    locale: Locale
    zone: str
    now: datetime
    reader_for: ReaderFor

    # --- words

    @property
    def reader(self) -> Reader:
        """Who reads the page."""
        return self.reader_for(self.locale, self.zone, self.now)

    def t(self, key: str, /, **params: Param) -> str:
        """A sentence of the catalogues as plain text."""
        return flat(text(key, **params), self.reader)

    @property
    def lang(self) -> str:
        """The page's language for browsers."""
        return "zh-CN" if self.locale == "zh_CN" else "en"

    @property
    def bot_name(self) -> str:
        """What the bot is called."""
        return BOT_NAMES[self.locale]

    def name_of(self, persona: Persona) -> str:
        """What a persona is called."""
        return persona.called(self.locale)

    def part_of(self, persona: Persona) -> str:
        """A persona's part as a tag."""
        return flat(text(f"sandbox.part.{persona.part}"), self.reader)

    def initial_of(self, author: str) -> str:
        """What stands in an avatar: 王 of 小王, 周 of 周经理, L of Li."""
        name = BOT_NAMES[self.locale] if author == BOT_ID else self.name_of(PERSONA_OF[author])
        return name[-1] if name.startswith("小") else name[0]

    # --- where

    @property
    def is_group(self) -> bool:
        """Is it the group that is looked at?"""
        return self.chat == GROUP_ID

    @property
    def group(self) -> str:
        """The group's id."""
        return GROUP_ID

    @property
    def group_name(self) -> str:
        """The group's name."""
        return GROUP_NAMES[self.locale]

    @property
    def personas(self) -> tuple[Persona, ...]:
        """Everybody."""
        return PERSONAS

    @property
    def profile(self) -> Profile:
        """The platform that is resembled."""
        return self.adapter.profile

    @property
    def profile_names(self) -> dict[str, str]:
        """What the platforms are called, by the name of the profile."""
        return {one: flat(text(f"sandbox.profile.{one}.name"), self.reader) for one in PROFILES}

    @property
    def profile_differs(self) -> str:
        """What is different on the platform that is resembled."""
        return flat(text(f"sandbox.profile.{self.profile.name}.differs"), self.reader)

    @property
    def themes(self) -> dict[str, str]:
        """What the page can look like."""
        return {one: flat(text(f"sandbox.look.{one}"), self.reader) for one in THEMES}

    @property
    def suggestions(self) -> list[str]:
        """Lines that this persona may want to say here."""
        place = "group" if self.is_group else "direct"
        lines = text(f"sandbox.suggestions.{self.persona.part}.{place}")
        return flat(lines, self.reader).split("|")

    @property
    def form(self) -> OpenForm | None:
        """The form on the persona's screen."""
        return self.adapter.open_form(self.persona.id)

    @property
    def last(self) -> str:
        """The newest change, as a live stream's event id."""
        transcript = self.adapter.transcript
        return f"{transcript.epoch}-{transcript.last_change}"

    # --- times

    @property
    def local_now(self) -> datetime:
        """The present moment on the wall of the place."""
        return self.now.astimezone(ZoneInfo(self.zone))

    def day(self, at: datetime) -> str:
        """A date as people say it."""
        local = at.astimezone(ZoneInfo(self.zone))
        skeleton = "MMMEd" if local.year == self.local_now.year else "yMMMEd"
        return format_skeleton(skeleton, local, locale=self.locale)

    def hour(self, at: datetime) -> str:
        """A clock time."""
        return f"{at.astimezone(ZoneInfo(self.zone)):%H:%M}"

    # --- messages

    def entries(self, newest: int) -> list[ShownEntry]:
        """The newest messages that the persona reads here, oldest first."""
        # One more than is shown, for the first to know what came before it.
        visible = self.adapter.visible(self.persona.id, self.chat)[-newest - 1 :]
        pairs = list(pairwise((None, *visible)))
        return [self._shown(one, before) for before, one in pairs[-newest:] if one is not None]

    def entry(self, entry: Entry) -> ShownEntry:
        """One message, as it stands among the others."""
        visible = self.adapter.visible(self.persona.id, self.chat)
        place = next(index for index, one in enumerate(visible) if one.id == entry.id)
        return self._shown(entry, visible[place - 1] if place else None)

    def _shown(self, entry: Entry, before: Entry | None) -> ShownEntry:
        persona = PERSONA_OF.get(entry.author)
        separator = self._separator(entry, before)
        return ShownEntry(
            entry=entry,
            name=self.name_of(persona) if persona else self.bot_name,
            initial=self.initial_of(entry.author),
            tag=self.part_of(persona) if persona else self.t("sandbox.part.bot"),
            mine=entry.author == self.persona.id,
            separator=separator,
            joined=not separator
            and before is not None
            and (before.author, before.audience) == (entry.author, entry.audience),
            clock=self.hour(entry.at),
            edited_clock=self.hour(entry.edited_at) if entry.edited_at else "",
        )

    def _separator(self, entry: Entry, before: Entry | None) -> str:
        """Day and time above a new day's first message, the time alone after a pause."""
        if before is None or self.day(before.at) != self.day(entry.at):
            return f"{self.day(entry.at)} {self.hour(entry.at)}"
        return self.hour(entry.at) if entry.at - before.at >= TOGETHER else ""

    def as_context(self) -> dict[str, Any]:
        """What every template is given."""
        return {"view": self, "t": self.t, "bot_id": BOT_ID}


class ReadingPlaces:
    """Up to where each persona has read each chat, for the badges.

    Kept in memory alone: after a restart everything counts as read.
    """

    def __init__(self, adapter: SandboxAdapter) -> None:
        self._transcript = adapter.transcript
        self._started_at = self._transcript.last_entry
        self._places: dict[tuple[str, str], int] = {}

    def mark(self, persona_id: str, chat: str) -> None:
        """The persona has read all there is in a chat."""
        self._places[persona_id, chat] = self._transcript.last_entry

    def counts(self, persona_id: str) -> Mapping[str, Mapping[str, int]]:
        """Unread messages: by chat for one persona, and for each persona what is meant for them."""
        return {
            "chats": {
                GROUP_ID: len(self._unread(persona_id, GROUP_ID)),
                persona_id: len(self._unread(persona_id, persona_id)),
            },
            "personas": {one.id: self._meant_for(one.id) for one in PERSONAS},
        }

    def _unread(self, persona_id: str, chat: str) -> list[Entry]:
        place = self._places.get((persona_id, chat), self._started_at)
        return [
            one
            for one in self._transcript.newer(place)
            if one.chat == chat and one.author != persona_id and one.is_for(persona_id)
        ]

    def _meant_for(self, persona_id: str) -> int:
        """In the direct chat all, in the group what mentions them or is for them alone."""
        in_group = self._unread(persona_id, GROUP_ID)
        return len(self._unread(persona_id, persona_id)) + sum(
            one.audience == persona_id or _mentions(one, persona_id) for one in in_group
        )


def _mentions(entry: Entry, persona_id: str) -> bool:
    card = entry.content.card
    pieces = [entry.content.words]
    if card:
        pieces += [card.title, *card.body, *(one.value for one in card.fields)]
    return any(span.user_id == persona_id for spans in pieces for span in spans)
