"""From what a persona types to what the platform tells the bot."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from adapters.contract import Rejected
from adapters.sandbox.world import BOT_ID, BOT_NAMES, PERSONA_OF, PERSONAS, Profile
from bot.messages import Locale, Span, User, mention_mark, without_marks

LONGEST: Final = 8000
"""Characters of one message."""


def _names() -> dict[str, str]:
    """Everything that may follow an @, in lower case, and whose it is."""
    names = {name.lower(): BOT_ID for name in (BOT_ID, *BOT_NAMES.values())}
    for persona in PERSONAS:
        for name in (persona.id, persona.name, persona.english_name):
            names[name.lower()] = persona.id
    return names


_ID_OF: Final = _names()
_ALTERNATIVES: Final = "|".join(
    re.escape(name) for name in sorted(_ID_OF, key=lambda name: -len(name))
)
# A name ends where no word goes on. 班长 alone may be glued to what follows: @班长签到.
_MENTION: Final = re.compile(
    rf"(?<![A-Za-z0-9._%+-])[@＠](?:(?P<name>{_ALTERNATIVES})(?!\w)|(?P<glued>{BOT_NAMES['zh_CN']}))",
    re.IGNORECASE,
)
_SLASH: Final = re.compile(r"/(?P<word>\S+)\s*(?P<rest>.*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Heard:
    """What the platform tells the bot about one message."""

    text: str
    mentions: tuple[User, ...]
    addressed: bool
    can_open_form: bool
    slash: bool = False
    """A slash command is shown to its author alone."""


def user_of(persona_id: str, locale: Locale | None) -> User:
    """The persona's account. Raises Rejected for an id that is nobody's."""
    persona = PERSONA_OF.get(persona_id)
    if persona is None:
        raise Rejected(404, f"nobody is called {persona_id!r}")
    return User(id=persona.id, name=persona.called(locale), locale=locale)


def cleaned(typed: str) -> str:
    """What was typed without control and private-use characters.

    Raises Rejected when nothing is left, or more than LONGEST characters are.
    """
    text = without_marks(typed.replace("\r\n", "\n")).strip()
    if not text:
        raise Rejected(400, "an empty message")
    if len(text) > LONGEST:
        raise Rejected(413, f"longer than {LONGEST} characters")
    return text


def mentions_bot(text: str) -> bool:
    """Is the bot mentioned anywhere in it?"""
    return any(user_id == BOT_ID for _piece, user_id in _pieces(text))


def shown(text: str) -> tuple[Span, ...]:
    """A persona's message as everybody sees it: mentions stand out, all else is as typed."""
    spans: list[Span] = []
    for piece, user_id in _pieces(text):
        spans.append(Span("theirs" if user_id is None else "mention", piece, user_id))
    return tuple(spans)


def hear(text: str, profile: Profile, *, direct: bool, locale: Locale | None) -> Heard | None:
    """What the bot hears of a cleaned text, or None where the platform keeps it to itself."""
    slash = _SLASH.fullmatch(text) if profile.slash_commands else None
    if slash:
        is_ours = slash["word"].lower() == BOT_ID
        text = slash["rest"] if is_ours else f"{slash['word']} {slash['rest']}"
    said, mentions, names_bot = _told(text, profile, locale)
    addressed = direct or slash is not None or names_bot
    if not (addressed or profile.hears_all):
        return None
    opens = profile.capabilities.forms and (direct or slash is not None)
    return Heard(said, mentions, addressed, opens, slash is not None)


def _told(text: str, profile: Profile, locale: Locale | None) -> tuple[str, tuple[User, ...], bool]:
    """The text without the bot's name, the persons mentioned, and whether the bot was."""
    said: list[str] = []
    mentions: list[User] = []
    names_bot = False
    for piece, user_id in _pieces(text):
        if user_id is None:
            # Where a name was taken out, one space is left, not two.
            gap = said and said[-1] == "" and (len(said) < 2 or said[-2][-1:].isspace())
            said.append(piece.lstrip() if gap else piece)
        elif user_id == BOT_ID:
            names_bot = True
            said.append("")
        elif profile.names == "text":
            said.append(piece)
        else:
            said.append(mention_mark(len(mentions)) if profile.names == "marked" else "")
            mentions.append(user_of(user_id, locale))
    return "".join(said).strip(), tuple(mentions), names_bot


def _pieces(text: str) -> list[tuple[str, str | None]]:
    """The text in order: plain stretches, and mentions with the id they name."""
    pieces: list[tuple[str, str | None]] = []
    end = 0
    for found in _MENTION.finditer(text):
        if found.start() > end:
            pieces.append((text[end : found.start()], None))
        name = found["name"] or found["glued"]
        pieces.append((found[0], _ID_OF[name.lower()]))
        end = found.end()
    if end < len(text):
        pieces.append((text[end:], None))
    return pieces
