"""Words and cards as plain text, for platforms and places that show nothing else.

What could be pressed elsewhere stands below as the line that does the same when typed.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence

from bot.messages import Button, Card, Outgoing, Reader, Span, Text, Words, lines, text

_JOINERS = frozenset("\u200d\ufe0e\ufe0f")
_ME = re.compile(r"@(?:我|me) ", re.IGNORECASE)


def flat(words: Words, reader: Reader) -> str:
    """The words as plain text in the reader's language; a mention shows its @."""
    return "".join(shown(span) for span in reader.spans(words))


def shown(span: Span) -> str:
    """A piece of a text as it is read."""
    return f"@{span.text}" if span.kind == "mention" else span.text


def parts_of(words: Words | None, card: Card | None) -> list[Words]:
    """Everything there is to read, one below the other; buttons apart."""
    parts = [words] if words is not None else []
    if card is not None:
        parts += [card.title, *card.body]
        parts += [text("plain.field", label=one.label, value=one.value) for one in card.fields]
    return parts


def buttons_of(card: Card | None) -> tuple[Button, ...]:
    """All that can be pressed on a card, the choices of its menus included."""
    if card is None:
        return ()
    return (*card.buttons, *(one for menu in card.menus for one in menu.choices))


def typed(button: Button, reader: Reader) -> str:
    """The line that does what the button would do: 认领 Q1."""
    verb, arguments = button.typed
    return " ".join((flat(verb, reader), *arguments))


def typed_hint(button: Button, reader: Reader) -> str:
    """The same with what is still to be filled in: 回复 Q1 内容."""
    return flat(button.hint, reader) if button.hint else typed(button, reader)


def hint(buttons: Sequence[Button], reader: Reader, call: str = "") -> Text | None:
    """What to type in place of buttons; `call` is the name by which the bot must be mentioned."""
    if not buttons:
        return None
    commands = " · ".join(typed_hint(one, reader) for one in buttons)
    if call:
        return text("plain.typed.called", bot=call, commands=commands)
    return text("plain.typed.plain", commands=commands)


def joined(parts: Iterable[Words | None], reader: Reader) -> str:
    """The parts one below the other as plain text."""
    return "\n".join(flat(one, reader) for one in parts if one is not None)


def called(spans: Iterable[Span], bot: str) -> list[Span]:
    """Where we write "@me", people have to type our name; `bot` is "" where they do not."""
    return [
        one._replace(text=_ME.sub(f"@{bot} ", one.text)) if one.kind == "ours" and bot else one
        for one in spans
    ]


def people_in(parts: Iterable[Words], reader: Reader) -> dict[str, str]:
    """The accounts of those who are named, each once, and their names."""
    spans = (span for part in parts for span in reader.spans(part))
    return {one.user_id: one.text for one in spans if one.kind == "mention" and one.user_id}


def without_file(outgoing: Outgoing) -> Outgoing:
    """Where no file can be sent: its name and what stands in it as words."""
    file = outgoing.file
    if file is None:
        return outgoing
    words = lines(outgoing.words, text("plain.file", name=file.name, content=file.content))
    return outgoing.model_copy(update={"words": words, "file": None})


def directly(outgoing: Outgoing) -> Outgoing:
    """What was for one person in a group, to that person."""
    address = outgoing.address
    if address.only_for is None:
        return outgoing
    changed = {"kind": "person", "id": address.only_for, "thread": None, "only_for": None}
    return outgoing.model_copy(update={"address": address.model_copy(update=changed)})


def cut(whole: str, limit: int) -> list[str]:
    """Cut a text into pieces of at most `limit` bytes of UTF-8, at line ends where there are any.

    Joined, the pieces are the text again. No character is cut in two, and no accent or joined emoji
    is parted from its base unless it alone is longer than the limit. `limit` is at least 4.
    """
    pieces: list[str] = []
    start = 0
    # Only what may be in the next piece is looked at: a whole file is cut in one go.
    while len(whole[start : start + limit + 1].encode()) > limit:
        ahead = whole[start : start + limit].encode()[:limit].decode(errors="ignore")
        end = ahead.rfind("\n") + 1 or _between_characters(whole, start, start + len(ahead)) - start
        pieces.append(ahead[:end])
        start += end
    return [*pieces, whole[start:]]


def _between_characters(whole: str, start: int, end: int) -> int:
    """The last place up to `end`, behind `start`, where a character as people see it ends."""
    place = end
    while place > start and _goes_on(whole[place - 1], whole[place]):
        place -= 1
    return place if place > start else end


def _goes_on(before: str, after: str) -> bool:
    return after in _JOINERS or before == "\u200d" or unicodedata.combining(after) > 0
