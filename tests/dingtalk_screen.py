"""What DingTalk takes of a message, and what people see of it: all that we encode passes here.

Markdown is judged by a CommonMark parser of somebody else's, with tables and struck lines switched
on: what that takes for words is nothing but words. DingTalk swallows a line end with nothing before
it, so there is none.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.token import Token

from adapters.carried import Pressed
from adapters.dingtalk.encode import CARD_BUTTONS, MARKDOWN, TEXT, Message

Json = dict[str, Any]

# https://open.dingtalk.com/document/orgapp/the-robot-sends-a-group-message: of msgParam
PARAM_BYTES = 15_000
MARKS = MarkdownIt("commonmark").enable(["table", "strikethrough"])
WORDS = {"inline", "text", "hardbreak", "paragraph_open", "paragraph_close"}
BOLD = {"strong_open", "strong_close"}


def check_markdown(said: str, bold: str | None = None) -> None:
    """Nothing is marked up but this title of ours, and no line end is lost."""
    tokens = _all(MARKS.parse(said))
    marked = {one.type for one in tokens} - (WORDS | BOLD if bold is not None else WORDS)
    assert not marked, f"{marked} in {said!r}"
    strong = [place for place, one in enumerate(tokens) if one.type == "strong_open"]
    if bold is not None:
        assert [tokens[place + 1].content for place in strong] == [bold], said
    # Between two lines there is an end that DingTalk shows, or an empty line.
    assert not re.search(r"(?<!\n)(?<!  )\n(?!\n)", said), repr(said)


def seen(said: str) -> list[str]:
    """The lines of a Markdown text as they are read."""
    lines = [""]
    for one in _all(MARKS.parse(said)):
        if one.type in ("hardbreak", "paragraph_open"):
            lines.append("")
        elif one.type in ("text", "text_special"):
            lines[-1] += one.content
    return [line for line in lines if line.strip()]


def _all(tokens: Sequence[Token]) -> list[Token]:
    return [one for token in tokens for one in (token, *_all(token.children or []))]


def check_message(one: Message) -> None:
    """One that DingTalk takes, however its JSON is written."""
    for ascii_only in (True, False):
        assert len(json.dumps(one.msg_param, ensure_ascii=ascii_only).encode()) <= PARAM_BYTES
    assert one.said.strip()
    if one.msg_key == TEXT:
        assert set(one.msg_param) == {"content"}
        return
    assert one.msg_key == MARKDOWN
    assert set(one.msg_param) == {"title", "text"}
    assert one.msg_param["title"].strip()
    assert "\n" not in one.msg_param["title"]


def said_in(body: Json) -> str:
    """The words of a webhook's body."""
    kind = body["msgtype"]
    assert set(body) == {"msgtype", kind, "at"}
    said = body[kind]["content" if kind == "text" else "text"]
    assert isinstance(said, str)
    return said


def check_bodies(bodies: Sequence[Json], rung: Collection[str]) -> None:
    """What a webhook takes: it rings these phones, once, and nobody else's."""
    assert bodies
    for body in bodies:
        assert said_in(body).strip()
        assert len(json.dumps(body).encode()) <= PARAM_BYTES
        assert body["at"]["isAtAll"] is False
    *before, last = bodies
    assert not any(one["at"]["atUserIds"] for one in before)
    assert sorted(last["at"]["atUserIds"]) == sorted(rung)
    for one in rung:
        assert re.search(rf"@{re.escape(one)}(?![\w.-])", said_in(last)), (one, last)


def keys(variables: Mapping[str, str]) -> list[Pressed]:
    """What can be pressed on a card."""
    pressed = [Pressed.loaded(carried) for _, carried in buttons(variables)]
    assert None not in pressed
    return [one for one in pressed if one is not None]


def buttons(variables: Mapping[str, str]) -> list[tuple[str, str]]:
    """Labels and what they carry, of those that are shown."""
    pairs = [(variables[f"button{n}"], variables[f"press{n}"]) for n in range(1, CARD_BUTTONS + 1)]
    shown = [pair for pair in pairs if pair[0]]
    assert [pair for pair in pairs if any(pair)] == shown == pairs[: len(shown)]
    return shown


def screen(variables: Mapping[str, str]) -> str:
    """A card as its reader sees it."""
    lines = [line for name in ("title", "body", "hint") for line in seen(variables[name])]
    labels = " ".join(f"[{label}]" for label, _ in buttons(variables))
    return "\n".join([*lines, *([labels] if labels else [])])
