"""From words, cards and forms to Slack's JSON. Pure.

Whatever is said is escaped, ours too: the catalogues know no markup of one platform. Only mentions
and moments become markup, so nothing a person typed can ping anybody or hide where a link goes.
`verbatim` keeps Slack from finding mentions and channels in plain text by itself.
A moment is a date token, which Slack shows to each reader in their own zone and manner; where it
cannot be one (titles, buttons), it stands in the zone of the reader it was made for.
What is too long is cut and ends with "…"; what would be too much is left out from the end.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar

from adapters.carried import Pressed
from adapters.slack.carried import LONGEST_METADATA, LONGEST_VALUE, Asked
from bot.messages import (
    Answer,
    Button,
    Card,
    CardField,
    Chat,
    Form,
    FormField,
    Menu,
    Outgoing,
    Page,
    Reader,
    Reply,
    Span,
    Words,
    text,
)

Json = dict[str, Any]
Thing = TypeVar("Thing")

# https://docs.slack.dev/reference/block-kit/blocks and …/block-kit/block-elements
BLOCKS = 50
SECTION_TEXT = 3000
FIELDS, FIELD_TEXT = 10, 2000
ELEMENTS, BUTTON_TEXT = 25, 75
# Rows of buttons; four rows leave room for the text within BLOCKS_TEXT.
ROWS = 4
HEADER_TEXT = 150
LABEL_TEXT = 2000
OPTIONS, OPTION_TEXT, OPTION_VALUE = 100, 75, 150
VIEW_BLOCKS, VIEW_TITLE = 100, 24
# 250 kB are too large: https://docs.slack.dev/reference/methods/views.publish#errors
VIEW_BYTES = 240_000
# https://docs.slack.dev/reference/block-kit/block-elements/select-menu-element
PLACEHOLDER_TEXT = 150
# chat.postMessage takes 40,000, but longer than this is no message for people.
MESSAGE_TEXT = 12_000
# chat.update takes less, and says msg_too_long: https://github.com/seratch/ChatGPT-in-Slack/issues/102
EDITED_TEXT = 4000
# The text beside blocks is what a lock screen and a screen reader get.
FALLBACK_TEXT = 3000
# All texts of the blocks together: msg_blocks_too_long was seen from about 13,200.
BLOCKS_TEXT = 12_000

# https://docs.slack.dev/messaging/formatting-message-text#date-formatting
DATE_FORMATS = {
    "when": "{date_short_pretty} {time}",
    "clock": "{time}",
    "date": "{date_short_pretty}",
}

_USER = re.compile(r"[UW][A-Z0-9]{1,30}", re.ASCII)
# Shown where a text is empty and Slack wants one.
_NOTHING = "–"


def response(answer: Answer, chat: Chat, reader: Reader) -> Json:
    """The response to a slash command: seen by the group only when it is for the group.

    In a direct message it is always for one person: it may be a conversation between two people,
    where Slack allows our commands too.
    """
    seen = "ephemeral" if answer.private or chat.kind == "direct" else "in_channel"
    return {"response_type": seen, **_content(answer.words, answer.card, reader)}


def message(outgoing: Outgoing, reader: Reader) -> Json:
    """The arguments of chat.postMessage that say what and where."""
    content = _content(outgoing.words, outgoing.card, reader)
    thread = {"thread_ts": outgoing.address.thread} if outgoing.address.thread else {}
    return {"channel": outgoing.address.id, **thread, **content, "link_names": False}


def whisper(outgoing: Outgoing, reader: Reader) -> Json:
    """The arguments of chat.postEphemeral."""
    said = message(outgoing, reader)
    for name in ("unfurl_links", "unfurl_media"):
        del said[name]
    return {**said, "user": outgoing.address.only_for}


# https://docs.slack.dev/surfaces/app-home
def page(shown: Page, reader: Reader) -> Json:
    """A person's own page as a home view: each card as in a message, as many as it holds."""
    blocks: list[Json] = []
    room = VIEW_BYTES
    for card in shown.cards:
        line = [{"type": "divider"}] if blocks else []
        section = [*line, *_within(_shown(None, card, reader), list(_actions(card, reader)))]
        room -= _bytes(section)
        if len(blocks) + len(section) > VIEW_BLOCKS or room < 0:
            break
        blocks += section
    return {"type": "home", "blocks": _numbered(blocks)}


def _numbered(blocks: list[Json]) -> list[Json]:
    """An action's name must be unique in its view, and two cards may have the same buttons."""
    for number, block in enumerate(blocks):
        if block["type"] == "actions":
            block["block_id"] = f"row.{number}"
    return blocks


def edit(outgoing: Outgoing, reader: Reader) -> Json:
    """The arguments of chat.update that say what; blocks always, so that no old ones stay.

    The words beside a card are for where nothing can be edited: here they are only its text.
    """
    words = outgoing.words
    said = _joined(reader.spans(words), EDITED_TEXT).strip() if words is not None else ""
    if outgoing.card is None:
        return {"text": said or _NOTHING, "blocks": []}
    shown = _content(None, outgoing.card, reader)
    return {"text": said or shown["text"], "blocks": shown["blocks"]}


def submission(reply: Reply, view: Mapping[str, Any], chat: Chat, reader: Reader) -> Json:
    """The response to a form: what is wrong with it, the next form, or that all is done."""
    if reply.errors:
        return {"response_action": "errors", "errors": _errors(reply.errors, view, reader)}
    following = modal(reply.form, chat, reader) if reply.form else None
    if following is not None:
        return {"response_action": "update", "view": following}
    return {"response_action": "clear"}


# https://docs.slack.dev/reference/views/modal-views
def modal(form: Form, chat: Chat, reader: Reader, about: str = "", under: str = "") -> Json | None:
    """A form as a view, or None where it, or what is known already, is too long for Slack.

    `about` is the handle of the message it is about, `under` that of its thread.
    """
    asked = Asked(
        command=form.command, arguments=form.arguments, chat=chat, message=about, under=under
    ).dumped()
    if len(asked) > LONGEST_METADATA:
        return None
    view = {
        "type": "modal",
        "callback_id": form.command,
        "private_metadata": asked,
        "title": _plain(form.title, reader, VIEW_TITLE),
        "submit": _plain(text("slack.send"), reader, VIEW_TITLE),
        "close": _plain(text("slack.close"), reader, VIEW_TITLE),
        "blocks": [_input(field, reader) for field in form.fields[:VIEW_BLOCKS]],
    }
    return view if _bytes(view) <= VIEW_BYTES else None


def _input(field: FormField, reader: Reader) -> Json:
    block: Json = {
        "type": "input",
        "block_id": field.name,
        "optional": not field.required,
        "label": _plain(field.label, reader, LABEL_TEXT),
        "element": {**_element(field, reader), "action_id": "value"},
    }
    if field.hint is not None:
        block["hint"] = _plain(field.hint, reader, LABEL_TEXT)
    return block


def _element(field: FormField, reader: Reader) -> Json:
    """The widget of a question: https://docs.slack.dev/reference/block-kit/block-elements"""
    if field.kind == "people":
        return {"type": "multi_users_select"}
    offered = [option for option in field.options if 0 < len(option.value) <= OPTION_VALUE]
    if field.kind in ("menu", "choices") and offered:
        options = [
            {"text": _plain(option.label, reader, OPTION_TEXT), "value": option.value}
            for option in offered[:OPTIONS]
        ]
        kind = "static_select" if field.kind == "menu" else "multi_static_select"
        return {"type": kind, "options": options}
    return {"type": "plain_text_input", "multiline": field.kind == "paragraph"}


def _errors(errors: Mapping[str, Words], view: Mapping[str, Any], reader: Reader) -> dict[str, str]:
    """The errors by block; one that names no field of the form stands at its first field."""
    blocks = view.get("blocks")
    names = [
        str(block.get("block_id"))
        for block in (blocks if isinstance(blocks, list) else ())
        if isinstance(block, dict) and block.get("type") == "input"
    ]
    found: dict[str, str] = {}
    for name, words in errors.items():
        place = name if name in names or not names else names[0]
        said = _joined(reader.spans(words), LABEL_TEXT, marked=False)
        found[place] = f"{found[place]} {said}" if place in found else said
    return found


# --- messages ------------------------------------------------------------------------------------


def _content(words: Words | None, card: Card | None, reader: Reader) -> Json:
    """Text alone, or blocks with the same as text beside them."""
    if card is None:
        said = _joined(reader.spans(words), MESSAGE_TEXT) if words else ""
        return {"text": said.strip() or _NOTHING, "unfurl_links": False, "unfurl_media": False}
    return {
        "text": _joined(_fallback(words, card, reader), FALLBACK_TEXT).strip() or _NOTHING,
        "blocks": _within(_shown(words, card, reader), list(_actions(card, reader))),
        "unfurl_links": False,
        "unfurl_media": False,
    }


def _fallback(words: Words | None, card: Card, reader: Reader) -> Iterator[Span]:
    for part in (*([words] if words else ()), card.title, *card.body):
        yield from reader.spans(part)
        yield Span("ours", "\n")
    for field in card.fields:
        yield from reader.spans(field.label)
        yield Span("ours", " ")
        yield from reader.spans(field.value)
        yield Span("ours", "\n")


def _shown(words: Words | None, card: Card, reader: Reader) -> Iterator[Json]:
    if words is not None:
        yield from _section(words, reader)
    yield {"type": "header", "text": _plain(card.title, reader, HEADER_TEXT)}
    for part in card.body:
        yield from _section(part, reader)
    for some in _rows(card.fields, FIELDS):
        yield {"type": "section", "fields": [_field(one, reader) for one in some]}


def _section(words: Words, reader: Reader) -> Iterator[Json]:
    """One section, or several where the words are too long for one: nothing asked is lost."""
    for said in _pieces(reader.spans(words), SECTION_TEXT):
        if said.strip():
            yield {"type": "section", "text": _marked(said)}


def _field(field: CardField, reader: Reader) -> Json:
    label = _joined(reader.spans(field.label), FIELD_TEXT // 4).replace("*", "").strip() or _NOTHING
    value = _joined(reader.spans(field.value), FIELD_TEXT - len(label) - 3).strip()
    return _marked(f"*{label}*\n{value or _NOTHING}")


def _actions(card: Card, reader: Reader) -> Iterator[Json]:
    """Buttons and menus. Whose command does not fit into one is left to be typed."""
    elements = [
        *(one for button in card.buttons if (one := _button(button, reader)) is not None),
        *(one for menu in card.menus if (one := _menu(menu, reader)) is not None),
    ]
    for number, element in enumerate(elements):
        element["action_id"] = f"{element['action_id'][:200]}.{number}"
    for some in _rows(elements, ELEMENTS):
        yield {"type": "actions", "elements": list(some)}


def _button(button: Button, reader: Reader) -> Json | None:
    carried = _carried(button)
    if len(carried) > LONGEST_VALUE:
        return None
    element: Json = {
        "type": "button",
        "action_id": button.command,
        "text": _plain(button.label, reader, BUTTON_TEXT),
        "value": carried,
    }
    if button.style != "plain":
        element["style"] = button.style
    return element


def _menu(menu: Menu, reader: Reader) -> Json | None:
    options = [
        {"text": _plain(button.label, reader, OPTION_TEXT), "value": carried}
        for button in menu.choices[:OPTIONS]
        if len(carried := _carried(button)) <= OPTION_VALUE
    ]
    if not options:
        return None
    return {
        "type": "static_select",
        "action_id": menu.choices[0].command,
        "placeholder": _plain(menu.label, reader, PLACEHOLDER_TEXT),
        "options": options,
    }


def _carried(button: Button) -> str:
    return Pressed(command=button.command, arguments=button.arguments).dumped()


def _within(shown: Iterable[Json], actions: Sequence[Json]) -> list[Json]:
    """As much as one message holds. The buttons stay: a card is there to be acted on."""
    acting = actions[:ROWS]
    room, left = BLOCKS - len(acting), BLOCKS_TEXT - sum(map(_size, acting))
    kept: list[Json] = []
    for block in shown:
        left -= _size(block)
        if len(kept) == room or left < 0:
            kept[room - 1 :] = [{"type": "context", "elements": [_marked("…")]}]
            break
        kept.append(block)
    return [*kept, *acting]


def _size(block: Json) -> int:
    """The characters of text in a block."""
    parts = [block.get("text"), *block.get("fields", ()), *block.get("elements", ())]
    total = 0
    for part in parts:
        inside = part.get("text") if isinstance(part, dict) else None
        total += len(inside["text"] if isinstance(inside, dict) else inside or "")
    return total


def _bytes(part: Json | list[Json]) -> int:
    """How much it takes on the wire, each character beyond ASCII as \\uXXXX."""
    return len(json.dumps(part))


def _rows(things: Sequence[Thing], size: int) -> Iterator[Sequence[Thing]]:
    for start in range(0, len(things), size):
        yield things[start : start + size]


# --- text ----------------------------------------------------------------------------------------


def _marked(said: str) -> Json:
    return {"type": "mrkdwn", "text": said, "verbatim": True}


def _plain(words: Words, reader: Reader, limit: int) -> Json:
    """A text object without markup: titles, labels, buttons."""
    said = _joined(reader.spans(words), limit, marked=False)
    return {"type": "plain_text", "text": said.strip() or _NOTHING}


def _joined(spans: Iterable[Span], limit: int, *, marked: bool = True) -> str:
    """The spans as Slack wants them, at most `limit` characters; no escape or token is cut.

    `marked` is false where Slack knows no markup: titles, labels, buttons.
    """
    taken: list[Span] = []
    wires: list[str] = []
    length = 0
    for span in spans:
        wire = _wire(span, marked=marked)
        taken.append(span)
        wires.append(wire)
        length += len(wire)
        if length > limit:
            return _cut(taken, limit - 1, marked=marked) + "…"
    return "".join(wires)


def _cut(spans: Iterable[Span], limit: int, *, marked: bool) -> str:
    first = next(_pieces(spans, limit, marked=marked), "")
    return first.rstrip()


def _pieces(spans: Iterable[Span], limit: int, *, marked: bool = True) -> Iterator[str]:
    """The spans in pieces of at most `limit` characters; no escape or token is cut in two."""
    piece: list[str] = []
    room = limit
    for span in spans:
        whole = marked and _is_token(span)
        for atom in [_wire(span, marked=True)] if whole else map(escape, span.text):
            if len(atom) > room and piece:
                yield "".join(piece)
                piece, room = [], limit
            piece.append(atom)
            room -= len(atom)
    if piece:
        yield "".join(piece)


def _wire(span: Span, *, marked: bool) -> str:
    if not marked or not _is_token(span):
        return escape(span.text)
    return _date(span) if span.at is not None else f"<@{span.user_id}>"


def _is_token(span: Span) -> bool:
    if span.kind == "moment":
        return span.at is not None
    return span.kind == "mention" and bool(span.user_id and _USER.fullmatch(span.user_id))


def _date(span: Span) -> str:
    """A date token, with what old clients and logs show in its place."""
    assert isinstance(span.at, datetime)
    shown = escape(span.text).replace("|", "/")
    return f"<!date^{int(span.at.timestamp())}^{DATE_FORMATS[span.style]}|{shown}>"


def escape(said: str) -> str:
    """https://docs.slack.dev/messaging/formatting-message-text — these three, and no others.

    >>> escape("<!channel> & <http://x|y>")
    '&lt;!channel&gt; &amp; &lt;http://x|y&gt;'
    """
    return said.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
