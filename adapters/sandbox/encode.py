"""From the bot's words and cards to what a persona sees."""

from __future__ import annotations

import unicodedata

from adapters.contract import Capabilities
from adapters.sandbox.world import (
    Content,
    Profile,
    ShownButton,
    ShownCard,
    ShownField,
    Spans,
)
from bot.messages import Button, Card, File, Reader, Span, Words, lines, text

SHOWN_OF_FILE = 2000

_JOINERS = frozenset("\u200d\ufe0e\ufe0f")


def encode(
    words: Words | None, card: Card | None, reader: Reader, profile: Profile, *, group: bool
) -> list[Content]:
    """The messages that show `words` and `card`: one, or several where one would be too long."""
    buttons = (*card.buttons, *(one for menu in card.menus for one in menu.choices)) if card else ()
    pressable = has_buttons(profile.capabilities, group=group)
    typed = () if pressable else tuple(_typed(one, reader) for one in buttons)
    # In a group that is not overheard, the line must mention the bot.
    key = "sandbox.typed.called" if group and not profile.hears_all else "sandbox.typed.plain"
    lines = () if pressable else tuple(_line(one, reader) for one in buttons)
    hint = text(key, commands=" · ".join(lines)) if lines else None
    content = Content(
        plain=_plain(words, card, hint, reader),
        words=_spans(words, reader) if words else (),
        card=_shown_card(card, reader) if card else None,
        buttons=tuple(ShownButton.of(one, flat(one.label, reader)) for one in buttons)
        if pressable
        else (),
        typed=typed,
    )
    limit = profile.capabilities.max_bytes
    if limit is None or len(content.plain.encode()) <= limit:
        return [content]
    pieces = [Content(plain=one, words=(Span("theirs", one),)) for one in cut(content.plain, limit)]
    pieces[-1] = pieces[-1].model_copy(update={"buttons": content.buttons})
    return pieces


def with_file(words: Words | None, file: File | None) -> Words | None:
    """A file is shown with its beginning, for want of anything that could be downloaded."""
    if file is None:
        return words
    shown = file.content[:SHOWN_OF_FILE]
    return lines(words, text("sandbox.file", name=file.name, content=shown))


def has_buttons(capabilities: Capabilities, *, group: bool) -> bool:
    """Can buttons be pressed in such a chat?"""
    return capabilities.buttons_in_groups if group else capabilities.buttons_in_direct


def flat(words: Words, reader: Reader) -> str:
    """The words as plain text in the reader's language."""
    return "".join(span.text for span in _spans(words, reader))


def cut(whole: str, limit: int) -> list[str]:
    """Cut a text into pieces of at most `limit` bytes of UTF-8, at line ends where there are any.

    Joined, the pieces are the text again. No character is cut in two, and no accent or joined emoji
    is parted from its base unless it alone is longer than the limit. `limit` is at least 4.
    """
    pieces: list[str] = []
    while len(whole.encode()) > limit:
        end = len(whole.encode()[:limit].decode(errors="ignore"))
        line_end = whole.rfind("\n", 0, end) + 1
        end = line_end or _between_characters(whole, end)
        pieces.append(whole[:end])
        whole = whole[end:]
    return [*pieces, whole]


def _between_characters(whole: str, end: int) -> int:
    """The last place up to `end` where a character as people see it ends."""
    place = end
    while place > 0 and _goes_on(whole[place - 1], whole[place]):
        place -= 1
    return place or end


def _goes_on(before: str, after: str) -> bool:
    return after in _JOINERS or before == "\u200d" or unicodedata.combining(after) > 0


def _spans(words: Words, reader: Reader) -> Spans:
    """The words in the reader's language; a mention shows its @."""
    return tuple(
        one._replace(text=f"@{one.text}") if one.kind == "mention" else one
        for one in reader.spans(words)
    )


def _typed(button: Button, reader: Reader) -> str:
    """The line that does what the button would do: 认领 Q1."""
    verb, arguments = button.typed
    return " ".join((flat(verb, reader), *arguments))


def _line(button: Button, reader: Reader) -> str:
    """The same with what is still to be filled in: 回复 Q1 内容."""
    return flat(button.hint, reader) if button.hint else _typed(button, reader)


def _plain(words: Words | None, card: Card | None, hint: Words | None, reader: Reader) -> str:
    parts = [words]
    if card:
        parts += [card.title, *card.body]
        parts += [text("sandbox.field", label=one.label, value=one.value) for one in card.fields]
    return "\n".join(flat(one, reader) for one in (*parts, hint) if one)


def _shown_card(card: Card, reader: Reader) -> ShownCard:
    return ShownCard(
        title=_spans(card.title, reader),
        body=tuple(_spans(one, reader) for one in card.body),
        fields=tuple(
            ShownField(label=_spans(one.label, reader), value=_spans(one.value, reader))
            for one in card.fields
        ),
    )
