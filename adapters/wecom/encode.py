"""From words and cards to WeCom's messages. Pure.

An app's direct messages are texts, and cards where there is something to press. In groups the aibot
writes markdown and a group robot text; there every button stands as the line to type. Nobody's text
can ping, hide where a link goes or look like a heading: WeCom knows no way to escape such signs, so
they are written with signs that look alike. Texts are cut by bytes, never inside a character.
"""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from adapters import plain
from adapters.carried import left_of, pressable, pressed_by
from adapters.marks import without_signs, without_tags
from adapters.naming import name_of
from bot.messages import Button, Card, Outgoing, Reader, Span, Words, text

Json = dict[str, Any]

# https://developer.work.weixin.qq.com/document/path/90236
TEXT_BYTES = 2048
# https://developer.work.weixin.qq.com/document/path/101463 and …/path/101031
MARKDOWN_BYTES = 20480
# https://developer.work.weixin.qq.com/document/path/90236#按钮交互型
BUTTONS, BUTTON_KEY_BYTES = 6, 1024
FIELDS = 6
# What fits on a card, in columns: a Chinese character takes two. The page counts characters, and
# what is longer is not shown whole.
TITLE_COLUMNS, SUB_TITLE_COLUMNS = 52, 224
FIELD_NAME_COLUMNS, FIELD_COLUMNS = 10, 52

# Where there is nothing to read, and something must stand.
NOTHING = "–"

STYLES = {"primary": 1, "plain": 4, "danger": 3}


@dataclass(frozen=True, slots=True)
class Shown:
    """A message to one person: texts, and the card below them where there is one."""

    texts: tuple[str, ...]
    card: Json | None = None

    @property
    def count(self) -> int:
        """How many messages it is."""
        return len(self.texts) + (self.card is not None)


# --- direct messages -----------------------------------------------------------------------------


def direct(outgoing: Outgoing, reader: Reader, limit: int = TEXT_BYTES) -> Shown:
    """A message of the app, or of the aibot in its own conversation with somebody, whose texts hold
    more.

    A card with buttons is a card as far as it fits on one; what is too much stands in a text above.
    """
    card = outgoing.card
    buttons = _pressable(card)
    if card is None or not buttons:
        return Shown(texts_of(outgoing.words, card, reader, limit))
    hint = plain.hint(_left_of(card), reader)
    whole = _card(outgoing.words, card, buttons, hint, reader, outgoing.message_id)
    if _fits(whole):
        return Shown((), whole)
    texts = _pieces(plain.joined([*plain.parts_of(outgoing.words, card), hint], reader), limit)
    title = _shortened(plain.flat(card.title, reader), TITLE_COLUMNS)
    bare = Card(title=text("said", words=title))
    return Shown(texts, _card(None, bare, buttons, None, reader, outgoing.message_id))


def texts_of(
    words: Words | None, card: Card | None, reader: Reader, limit: int = TEXT_BYTES
) -> tuple[str, ...]:
    """All of it as texts, with the lines to type in place of buttons."""
    hint = plain.hint(plain.buttons_of(card), reader)
    return _pieces(plain.joined([*plain.parts_of(words, card), hint], reader), limit)


def response(words: Words | None, card: Card | None, reader: Reader) -> str | None:
    """What a passive reply can say; None where it cannot: it has buttons, or is too long.

    https://developer.work.weixin.qq.com/document/path/90241
    """
    if card is not None and _pressable(card):
        return None
    texts = texts_of(words, card, reader)
    return texts[0] if len(texts) == 1 else None


def changed(outgoing: Outgoing, reader: Reader) -> Json | None:
    """The card that takes another's place; None where it does not fit on one.

    https://developer.work.weixin.qq.com/document/path/94888
    """
    card = outgoing.card
    if card is None:
        return None
    # A card of this kind has at least one button; where nothing is left to press it is a grey one.
    buttons = _pressable(card) or [Button(label=text("wecom.settled"), command="settled")]
    hint = plain.hint(_left_of(card), reader)
    whole = _card(None, card, buttons, hint, reader, outgoing.message_id)
    if not _pressable(card):
        whole["replace_text"] = plain.flat(text("wecom.settled"), reader)
    return whole if _fits(whole) else None


# https://developer.work.weixin.qq.com/document/path/90236#按钮交互型
def _card(
    words: Words | None,
    card: Card,
    buttons: Sequence[Button],
    hint: Words | None,
    reader: Reader,
    message_id: int,
) -> Json:
    title, whole_title = _line(plain.flat(card.title, reader)), None
    if _columns(title) > TITLE_COLUMNS:
        title, whole_title = _shortened(title, TITLE_COLUMNS), card.title
    short: list[Json] = []
    long: list[Words] = []
    for field in card.fields:
        name, value = (plain.flat(one, reader).strip() for one in (field.label, field.value))
        name, value = without_tags(name), without_tags(value)
        fits = 0 < _columns(name) <= FIELD_NAME_COLUMNS and 0 < _columns(value) <= FIELD_COLUMNS
        if fits and "\n" not in name + value and len(short) < FIELDS:
            short.append({"keyname": name, "value": value})
        else:
            long.append(text("plain.field", label=field.label, value=field.value))
    below = plain.joined([words, whole_title, *card.body, *long, hint], reader).strip()
    made: Json = {
        "card_type": "button_interaction",
        "main_title": {"title": title},
        "button_list": [_button(one, reader) for one in buttons],
    }
    if below:
        made["sub_title_text"] = without_tags(below)
    if short:
        made["horizontal_content_list"] = short
    made["task_id"] = name_of(message_id, json.dumps(made, ensure_ascii=False))
    return made


def _button(button: Button, reader: Reader) -> Json:
    label = _line(plain.flat(button.label, reader))
    return {"type": 0, "text": label, "style": STYLES[button.style], "key": pressed_by(button)}


def _pressable(card: Card | None) -> list[Button]:
    """The buttons a card can hold; the same command is no second button."""
    return list(pressable(plain.buttons_of(card), BUTTONS, BUTTON_KEY_BYTES).values())


def _left_of(card: Card) -> list[Button]:
    """The buttons that a card has no room for, each command once."""
    return left_of(plain.buttons_of(card), map(pressed_by, _pressable(card)))


def _fits(card: Json) -> bool:
    return _columns(card.get("sub_title_text", "")) <= SUB_TITLE_COLUMNS


def _line(said: str) -> str:
    """It on one line; WeCom takes no empty title or button."""
    return without_tags(" ".join(said.split())) or NOTHING


def _shortened(said: str, columns: int) -> str:
    """The beginning of it on one line, with a sign that it goes on."""
    said = _line(said)
    if _columns(said) <= columns:
        return said
    shown, room = "", columns - 2
    for one in said:
        room -= _columns(one)
        if room < 0:
            break
        shown += one
    return f"{shown.rstrip()}…"


def _columns(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(one) in "WF" else 1 for one in text)


# --- groups --------------------------------------------------------------------------------------


def group(words: Words | None, card: Card | None, reader: Reader, bot: str) -> tuple[str, ...]:
    """What the aibot writes in a group: https://developer.work.weixin.qq.com/document/path/101463

    `bot` is the name by which it has to be mentioned.
    """
    parts = [
        _markdown(plain.called(reader.spans(part), bot)) for part in plain.parts_of(words, None)
    ]
    if card is not None:
        parts.append(f"**{without_signs(_line(plain.flat(card.title, reader)))}**")
        shown = card.model_copy(update={"title": text("said", words="")})
        parts += [_markdown(reader.spans(one)) for one in plain.parts_of(None, shown)[1:]]
    hint = plain.hint(plain.buttons_of(card), reader, bot)
    parts += [_markdown(reader.spans(hint))] if hint is not None else []
    return _pieces("\n".join(parts), MARKDOWN_BYTES)


def by_robot(words: Words | None, card: Card | None, reader: Reader, bot: str) -> list[Json]:
    """What a group robot writes: texts, the last of which rings the phones of all it names.

    https://developer.work.weixin.qq.com/document/path/99110
    """
    hint = plain.hint(plain.buttons_of(card), reader, bot)
    parts = [*plain.parts_of(words, card), hint]
    said = _pieces(plain.joined(parts, reader), TEXT_BYTES)
    people = list(plain.people_in((part for part in parts if part is not None), reader))
    bodies: list[Json] = [{"content": one} for one in said]
    if people:
        bodies[-1]["mentioned_list"] = people
    return bodies


def as_markdown(texts: Iterable[str]) -> tuple[str, ...]:
    """Texts for where only markdown is understood: the aibot's conversation with one person."""
    return tuple(without_signs(one) for one in texts)


def _markdown(spans: Iterable[Span]) -> str:
    return without_signs("".join(plain.shown(span) for span in spans))


# --- both ----------------------------------------------------------------------------------------


def _pieces(said: str, limit: int) -> tuple[str, ...]:
    """At most `limit` bytes each; WeCom takes no empty text."""
    return tuple(
        one for one in plain.cut(without_tags(said).strip() or NOTHING, limit) if one.strip()
    )
