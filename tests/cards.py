"""Words and a card, as adapters show them in their own ways."""

from __future__ import annotations

from bot.messages import Button, Card, CardField, Mention, Moment, Text, Words, text
from bot.words import reader_for
from tests.clock import MORNING

ZONE = "Asia/Shanghai"
CHINESE, ENGLISH = reader_for("zh_CN", ZONE, MORNING), reader_for("en", ZONE, MORNING)
READER = {"zh_CN": CHINESE, "en": ENGLISH}


def said(words: str) -> Text:
    """Something a person typed."""
    return text("said", words=words)


def person(name: str, user_id: str | None) -> Text:
    return text("person", person=Mention(person_id=1, name=name, user_id=user_id))


def button(command: str = "claim", label: Words | None = None, **arguments: str) -> Button:
    given = arguments or {"query": "Q7"}
    return Button(label=label or text(f"verbs.{command}"), command=command, arguments=given)


REPLY = Button(
    label=text("verbs.reply"),
    command="reply",
    arguments={"query": "Q7"},
    hint=said("reply Q7 words"),
)
QUERY = Card(
    title=said("Q7 等回复"),
    body=(said("图书馆几点开门？"),),
    fields=(
        CardField(label=said("班组"), value=said("一班")),
        CardField(label=said("截止"), value=text("said", words=Moment(at=MORNING, style="clock"))),
    ),
    buttons=(button(), REPLY),
)
