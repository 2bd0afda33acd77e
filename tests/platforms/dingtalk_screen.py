"""What people see of a message: its Markdown as plain words, a card through its template.

Markdown as DingTalk draws it: https://open.dingtalk.com/document/orgapp/robot-message-type
A single line end is swallowed; two blanks before it, or an empty line, keep it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.token import Token

from tests.platforms.dingtalk_records import Message
from tests.platforms.dingtalk_template import TEMPLATE

MARKDOWN = ("sampleMarkdown", "markdown", "actionCard", "sampleActionCard")

_MARKS = MarkdownIt("commonmark").enable(["table", "strikethrough"])
_TAG = re.compile(r"<[^<>]*>")
_NAMED = re.compile(r"@([A-Za-z0-9_$:.\-]*[A-Za-z0-9_])")


@dataclass(frozen=True)
class Looks:
    """How a piece of Markdown looks: `text` without its marks, and the marks that took effect."""

    text: str
    marks: tuple[
        str, ...
    ]  # "heading", "quote", "list", "picture", "link", "bold", "italic", "code", "tag"


def shown(message: Message, reader: str = "") -> str:
    """The words on the screen; of a card with private variables, as this reader has it."""
    if message.variables is not None:
        return "\n".join(_card_lines(message, reader))
    body = message.body
    if message.msgtype in MARKDOWN:
        return with_names(looks(str(body.get("text", ""))).text, message.names)
    for field in ("content", "text", "title", "photoURL", "fileName"):
        if isinstance(body.get(field), str):
            return with_names(body[field], message.names)
    return ""


def buttons(message: Message, reader: str = "") -> list[tuple[str, str]]:
    """Label and carried value of what can be pressed on a card; [] of any other message."""
    if message.variables is None:
        return []
    seen = _variables(message, reader)
    return [
        (seen[one.label], seen.get(one.press, ""))
        for one in TEMPLATE.buttons
        if seen.get(one.label)
    ]


def _card_lines(message: Message, reader: str) -> list[str]:
    seen = _variables(message, reader)
    drawn = [
        looks(seen[one.name]).text if one.is_markdown else seen[one.name]
        for one in TEMPLATE.lines
        if seen.get(one.name)
    ]
    return drawn + [label for label, _ in buttons(message, reader)]


def mentioned_in(text: str, at: Sequence[str]) -> tuple[str, ...]:
    """Which of those stand in the text as "@" with their id: nobody else's phone rings.

    An id is not found inside a longer one.
    """
    names = set(_NAMED.findall(text))
    return tuple(dict.fromkeys(one for one in at if one in names))


def with_names(text: str, names: Mapping[str, str]) -> str:
    """A mention stands there under the person's name."""
    return _NAMED.sub(lambda found: f"@{names.get(found[1], found[1])}", text)


def looks(markdown: str) -> Looks:
    """Reads it as DingTalk draws it, by a parser that nobody here wrote."""
    marks: list[str] = []
    drawn: list[str] = []
    bullets: list[str] = []  # of the items that are open, and have no words yet
    for token in _MARKS.parse(markdown):
        if token.type in _BLOCKS:
            marks.append(_BLOCKS[token.type])
        if token.type == "list_item_open":
            bullets.append(f"{token.info}. " if token.info else "• ")
        elif words := _words(token, marks):
            drawn.append("".join(bullets) + words)
            bullets.clear()
    return Looks("\n".join(drawn), tuple(marks))


_BLOCKS = {
    "heading_open": "heading",
    "blockquote_open": "quote",
    "list_item_open": "list",
    "fence": "code",
    "code_block": "code",
    "html_block": "tag",
    "hr": "rule",
    "table_open": "table",
}
_INLINES: dict[str, str] = {
    "link_open": "link",
    "strong_open": "bold",
    "em_open": "italic",
    "s_open": "struck",
    "code_inline": "code",
    "html_inline": "tag",
    "image": "picture",
}
_DRAWN: dict[str, Callable[[Token], str]] = {
    "text": lambda token: token.content,
    "code_inline": lambda token: token.content,
    "softbreak": lambda _: " ",
    "hardbreak": lambda _: "\n",
    "image": lambda token: f"[{token.content}]",
}


def _words(token: Token, marks: list[str]) -> str:
    """What a block says, and the marks within it."""
    if token.children is None:
        return _TAG.sub("", token.content).strip("\n")
    marks += [_INLINES[one.type] for one in token.children if one.type in _INLINES]
    return "".join(_DRAWN[one.type](one) for one in token.children if one.type in _DRAWN)


def _variables(message: Message, reader: str) -> dict[str, Any]:
    return {**(message.variables or {}), **message.private.get(reader, {})}
