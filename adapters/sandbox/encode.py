"""From the bot's words and cards to what a persona sees."""

from __future__ import annotations

from adapters import plain
from adapters.contract import Capabilities
from adapters.sandbox.world import (
    BOT_NAMES,
    Content,
    Profile,
    ShownButton,
    ShownCard,
    ShownField,
    Spans,
)
from bot.messages import Card, File, Reader, Span, Words, lines, text

SHOWN_OF_FILE = 2000


def encode(
    words: Words | None, card: Card | None, reader: Reader, profile: Profile, *, group: bool
) -> list[Content]:
    """The messages that show `words` and `card`: one, or several where one would be too long."""
    buttons = plain.buttons_of(card)
    pressable = has_buttons(profile.capabilities, group=group)
    typed = () if pressable else tuple(plain.typed(one, reader) for one in buttons)
    # In a group that is not overheard, the line must mention the bot.
    call = BOT_NAMES[reader.locale] if group and not profile.hears_all else ""
    hint = None if pressable else plain.hint(buttons, reader, call)
    content = Content(
        plain=plain.joined([*plain.parts_of(words, card), hint], reader),
        words=_spans(words, reader) if words else (),
        card=_shown_card(card, reader) if card else None,
        buttons=tuple(ShownButton.of(one, plain.flat(one.label, reader)) for one in buttons)
        if pressable
        else (),
        typed=typed,
    )
    limit = profile.capabilities.max_bytes
    if limit is None or len(content.plain.encode()) <= limit:
        return [content]
    pieces = [
        Content(plain=one, words=(Span("theirs", one),)) for one in plain.cut(content.plain, limit)
    ]
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


def _spans(words: Words, reader: Reader) -> Spans:
    """The words in the reader's language; a mention shows its @."""
    return tuple(one._replace(text=plain.shown(one)) for one in reader.spans(words))


def _shown_card(card: Card, reader: Reader) -> ShownCard:
    return ShownCard(
        title=_spans(card.title, reader),
        body=tuple(_spans(one, reader) for one in card.body),
        fields=tuple(
            ShownField(label=_spans(one.label, reader), value=_spans(one.value, reader))
            for one in card.fields
        ),
    )
