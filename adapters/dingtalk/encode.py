"""From words and cards to DingTalk's messages. Pure.

https://open.dingtalk.com/document/orgapp/robot-message-type
Words alone are a text, a card is markdown with the lines to type in place of buttons, and with the
organisation's template (docs/dingtalk-card.json) an interactive card. Nobody's text can link,
quote, list, shout or hide anything: what markdown would take for a sign is written with one that
looks alike. A single line end means nothing to DingTalk's markdown: two blanks stand before each.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass

from adapters import plain
from adapters.carried import left_of, pressable
from adapters.marks import without_signs
from adapters.reading import Json
from bot.messages import Card, Reader, Span, Words

# msgParam is JSON of at most 15,000 bytes. However that is escaped, it triples no letter's bytes.
TEXT_BYTES = 4700
# What the list of conversations and a phone's lock screen show of a message.
TITLE_CHARACTERS = 40
# A longer one is no heading, but words.
BOLD_CHARACTERS = 120
CARD_BUTTONS = 6
# Of both we know no limit of DingTalk's: these are ours.
PRESS_BYTES = 1024
CARD_BYTES = 8000

TEXT, MARKDOWN = "sampleText", "sampleMarkdown"
# Where there is nothing to read, and something must stand.
NOTHING = "–"

_LINE_ENDS = re.compile("\r\n|[\r\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029]")
_UNSEEN = re.compile("[\x00-\x08\x0e-\x1f\x7f-\x9f]")
# Before these a backslash would vanish, and they with it.
_BACKSLASH = re.compile(r"\\(?=[!-/:-@\[-`{-~]|$)", re.MULTILINE)
# What at the beginning of a line makes a heading, a quotation, a list, a rule or a table of it.
_STARTS = re.compile(
    r"^([^\S\n]*)(?:([#>_])|([-+])(?=\s|$)|([-=:|])(?=[-=:| \t]*+$)|([0-9]{1,9})([.)])(?=\s|$))",
    re.MULTILINE,
)
_LOOK_ALIKES = str.maketrans("#>_-+=:|.)\\", "＃＞＿－＋＝：｜．）＼")
_BLANKS_BEFORE = re.compile(r"^[ \t]+", re.MULTILINE)
_BLANKS_BEHIND = re.compile(r"(?<![ \t])[ \t]++$", re.MULTILINE)
_LINE_END = re.compile(r"(?<!\n)\n(?!\n)")
_HARD_END = "  \n"

Show = Callable[[Span], str]


@dataclass(frozen=True, slots=True)
class Message:
    """One message of the robot's: what goes as msgKey and, as JSON, as msgParam."""

    msg_key: str
    msg_param: dict[str, str]

    @property
    def said(self) -> str:
        """What stands in it."""
        return self.msg_param["content" if self.msg_key == TEXT else "text"]


# --- messages ------------------------------------------------------------------------------------


def messages(
    words: Words | None, card: Card | None, reader: Reader, call: str = ""
) -> tuple[Message, ...]:
    """All of it, in as many messages as it takes: sampleText, or sampleMarkdown with a card.

    `call` is the name by which the bot has to be mentioned in a group; "" in the direct chat.
    """
    said = _pieces(words, card, reader, call)
    if card is None:
        return tuple(Message(TEXT, {"content": one}) for one in said)
    title = title_of(card, reader)
    return tuple(Message(MARKDOWN, {"title": title, "text": one}) for one in said)


# https://open.dingtalk.com/document/orgapp/custom-bot-send-message-type
def by_webhook(
    words: Words | None, card: Card | None, reader: Reader, call: str = "", *, mentions: bool
) -> list[Json]:
    """The same as bodies for session webhooks and custom robots.

    With `mentions` those who are named are mentioned for real, by the last body, so that phones
    ring once: DingTalk wants their ids in the text, where it shows their names. Nobody else is, and
    never everybody.
    """
    people = _ringable(mentioned(words, card, reader)) if mentions else ()

    def by_id(span: Span) -> str:
        ringing = span.kind == "mention" and span.user_id in people
        return _at(str(span.user_id)) if ringing else plain.shown(span)

    said = _pieces(words, card, reader, call, by_id)
    if people and len(said) > 1:
        said = _with_people(_pieces(words, card, reader, call), people, card is not None)
    last = len(said) - 1
    return [
        {**_body(one, card, reader), "at": _at_whom(people if place == last else ())}
        for place, one in enumerate(said)
    ]


def mentioned(words: Words | None, card: Card | None, reader: Reader) -> dict[str, str]:
    """The userIds of those who are named, and their names: not of whom somebody typed."""
    return plain.people_in(plain.parts_of(words, card), reader)


def title_of(card: Card, reader: Reader) -> str:
    """A card's title as lists and lock screens show it: one line, and not too long."""
    title = _one_line(plain.flat(card.title, reader))
    if len(title) <= TITLE_CHARACTERS:
        return title
    return f"{title[: TITLE_CHARACTERS - 1].rstrip()}…"


def _body(said: str, card: Card | None, reader: Reader) -> Json:
    if card is None:
        return {"msgtype": "text", "text": {"content": said}}
    title = title_of(card, reader)
    return {"msgtype": "markdown", "markdown": {"title": title, "text": said}}


def _at_whom(people: Iterable[str]) -> Json:
    return {"atUserIds": list(people), "isAtAll": False}


def _at(user_id: str) -> str:
    # The blank keeps it apart from a longer id.
    return f"@{user_id} "


def _ringable(people: Iterable[str]) -> tuple[str, ...]:
    """Those whose ids can stand in a text as they are: an id that would be markup mentions nobody.

    >>> _ringable(["manager8031", "_x_", "a b", "<b>"])
    ('manager8031',)
    """
    return tuple(
        one for one in people if marked(_at(one)) == _at(one).rstrip() and not re.search(r"\s", one)
    )


def _with_people(said: list[str], people: Collection[str], as_markdown: bool) -> list[str]:
    """The pieces with the mentions below the last one, where they had stood in any of them."""
    rung = "".join(map(_at, people)).rstrip()
    last = f"{said[-1]}{_HARD_END if as_markdown else chr(10)}{rung}"
    fits = len(last.encode()) <= TEXT_BYTES
    return [*said[:-1], last] if fits else [*said, rung]


# --- interactive cards ---------------------------------------------------------------------------


# https://open.dingtalk.com/document/orgapp/create-and-deliver-cards
def card_variables(
    words: Words | None, card: Card | None, reader: Reader, call: str = ""
) -> dict[str, str]:
    """What the template shows: all of its variables, "" for those that stay empty.

    A button is there where its label is not empty, and gives back what it carries. What there is no
    button for stands as the line to type.
    """
    every = plain.buttons_of(card)
    there = pressable(every, CARD_BUTTONS, PRESS_BYTES)
    hint = plain.hint(left_of(every, there), reader, call)
    title = plain.flat(card.title, reader) if card is not None else ""
    shown = _below_the_title(card) if card is not None else []
    body = _said([*plain.parts_of(words, None), *shown], reader, call)
    variables = {
        "title": marked(_one_line(title)),
        "body": marked(body),
        "hint": marked(plain.flat(hint, reader)) if hint is not None else "",
    }
    buttons = list(there.items())
    for place in range(1, CARD_BUTTONS + 1):
        carried, button = buttons[place - 1] if place <= len(buttons) else ("", None)
        label = _one_line(plain.flat(button.label, reader)) if button is not None else ""
        variables |= {f"button{place}": label, f"press{place}": carried}
    return variables


def fits_card(variables: dict[str, str]) -> bool:
    """Whether so much is a card still: what is longer is read better in messages."""
    return sum(len(variables[name].encode()) for name in ("title", "body", "hint")) <= CARD_BYTES


# --- both ----------------------------------------------------------------------------------------


def marked(said: str) -> str:
    """Words as markdown in which nothing is markup, and every line ends where it did.

    >>> marked("# 通知\\n1. **放假**\\n> 经理")
    '＃ 通知  \\n1． ＊＊放假＊＊  \\n＞ 经理'
    """
    said = _BLANKS_BEHIND.sub("", without_signs(_seen(said))).strip("\n")
    said = _STARTS.sub(_start, _BACKSLASH.sub("＼", said))
    said = _BLANKS_BEFORE.sub(lambda found: "\u00a0" * len(found[0].expandtabs(4)), said)
    return _LINE_END.sub(_HARD_END, said)


def _start(found: re.Match[str]) -> str:
    """The beginning of a line, with the one sign in it that would be one changed."""
    blanks, *signs = found.groups()
    number = found[5] or ""
    sign = found[6] or next(filter(None, signs))
    return f"{blanks}{number}{sign.translate(_LOOK_ALIKES)}"


def _pieces(
    words: Words | None, card: Card | None, reader: Reader, call: str, show: Show = plain.shown
) -> list[str]:
    """All that there is to read, at most TEXT_BYTES each: as text, or as markdown with a card.
    DingTalk takes no empty text.
    """
    above = _said(plain.parts_of(words, None), reader, call, show)
    if card is None:
        return _cut(_seen(above))
    said = _cut(_markdown(above, card, reader, call, show))
    # What begins in the middle of a line begins nothing else.
    return [_STARTS.sub(_start, one, count=1) for one in said]


def _markdown(above: str, card: Card, reader: Reader, call: str, show: Show) -> str:
    """A card below what was said already, its title in bold."""
    title = _one_line(_said([card.title], reader, call, show))
    hint = plain.hint(plain.buttons_of(card), reader, call)
    below = [*_below_the_title(card), *([hint] if hint is not None else [])]
    parts = [
        marked(above),
        f"**{marked(title)}**" if len(title) <= BOLD_CHARACTERS else marked(title),
        marked(_said(below, reader, call, show)),
    ]
    return _HARD_END.join(filter(None, parts))


def _cut(said: str) -> list[str]:
    # A sign at the beginning may need two bytes more.
    pieces = plain.cut(said.strip() or NOTHING, TEXT_BYTES - 2)
    return [one.strip() for one in pieces if one.strip()]


def _below_the_title(card: Card) -> list[Words]:
    return plain.parts_of(None, card)[1:]


def _said(parts: Iterable[Words], reader: Reader, call: str, show: Show = plain.shown) -> str:
    """The parts one below the other, each piece of them as `show` has it."""
    return "\n".join(_line(plain.called(reader.spans(part), call), show) for part in parts)


def _line(spans: Iterable[Span], show: Show) -> str:
    """The pieces of a part. The blank of a mention by its id is not put before another one."""
    said, is_by_id = "", False
    for span in spans:
        piece = show(span)
        if is_by_id and piece.startswith(" "):
            said = said.removesuffix(" ")
        said += piece
        if piece:
            is_by_id = piece != plain.shown(span)
    return said


def _seen(said: str) -> str:
    """One kind of line end, and nothing that no screen shows."""
    return _UNSEEN.sub("", _LINE_ENDS.sub("\n", said))


def _one_line(said: str) -> str:
    return " ".join(_seen(said).split()) or NOTHING
