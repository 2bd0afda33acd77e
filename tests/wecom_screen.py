"""What WeCom takes of a message, and what people then see: everything that we encode passes here.

Markdown is judged by a CommonMark parser of somebody else's, with tables and struck lines switched
on: what that takes for words is nothing but words.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.token import Token

from adapters.carried import Pressed
from adapters.wecom.encode import Shown
from tests.platforms.wecom_cards import RECOMMENDED, TASK_ID, check_card, overlong
from tests.platforms.wecom_model import plain_card

Json = dict[str, Any]

TEXT_BYTES, MARKDOWN_BYTES = 2048, 20480
# https://developer.work.weixin.qq.com/document/path/90236: <a href="…">, and <@userid>
TAG = re.compile(r"<[A-Za-z/@!?]")
MARKS = MarkdownIt("commonmark").enable(["table", "strikethrough"])
# Words in lines, and lists of them. What is set in by four blanks is shown as it is.
WORDS = {"inline", "text", "softbreak", "hardbreak", "code_block", "text_special"} | {
    f"{kind}_{end}"
    for kind in ("paragraph", "bullet_list", "ordered_list", "list_item")
    for end in ("open", "close")
}


def check_text(said: str, limit: int = TEXT_BYTES) -> None:
    """A text that WeCom shows whole, and in which nothing but words is."""
    assert said.strip()
    assert len(said.encode()) <= limit
    assert not TAG.search(said), said


def check_markdown(said: str, bold: str | None = None) -> None:
    """Nothing is marked up but this title of ours."""
    check_text(said, MARKDOWN_BYTES)
    tokens = _all(MARKS.parse(said))
    strong = [place for place, one in enumerate(tokens) if one.type == "strong_open"]
    if bold is not None:
        assert [tokens[place + 1].content for place in strong] == [bold], said
    allowed = WORDS | ({"strong_open", "strong_close"} if bold is not None else set())
    marked = {one.type for one in tokens} - allowed
    assert not marked, f"{marked} in {said!r}"


def _all(tokens: Sequence[Token]) -> list[Token]:
    return [one for token in tokens for one in (token, *_all(token.children or []))]


def check_pressable(card: Json) -> None:
    """A card of buttons that WeCom takes and shows whole, and each button gives a command."""
    check_card(card)
    assert TASK_ID.fullmatch(card["task_id"])
    assert not TAG.search(plain_card(card))
    for button in card["button_list"]:
        assert not TAG.search(button["text"])
        assert Pressed.loaded(button["key"]) is not None
    for row in card.get("horizontal_content_list", ()):
        assert row["value"].strip()
    # The page counts characters of Chinese; of others twice as many have room.
    for cut in overlong(card):
        name, _, shown = cut.partition(": ")
        assert name == "text" or columns(shown) <= 2 * RECOMMENDED[name], cut


def columns(said: str) -> int:
    """How wide it is: a Chinese character takes two."""
    return sum(2 if unicodedata.east_asian_width(one) in "WF" else 1 for one in said)


def check_shown(shown: Shown) -> None:
    """A message to one person, by the app and by the aibot."""
    assert shown.count >= 1
    for said in shown.texts:
        check_text(said)
    if shown.card is not None:
        check_pressable(shown.card)


def check_robot(bodies: Sequence[Json], accounts: set[str]) -> None:
    """What a group robot writes: it rings the phones of these accounts, once."""
    for body in bodies:
        check_text(body["content"])
    rung = [one for body in bodies for one in body.get("mentioned_list", ())]
    assert sorted(rung) == sorted(accounts)


def keys(card: Json | None) -> list[Pressed]:
    """What can be pressed on a card."""
    pressed = [Pressed.loaded(one["key"]) for one in (card or {}).get("button_list", ())]
    return [one for one in pressed if one is not None]


def screen(shown: Shown) -> str:
    """A message as its reader sees it: texts, the card, and [buttons]."""
    lines = list(shown.texts)
    if shown.card is not None:
        lines += [plain_card(shown.card)]
        lines += [" ".join(f"[{one['text']}]" for one in shown.card["button_list"])]
    return "\n".join(lines)
