"""Everything the bot shows fits into WeCom: every card of every conversation, to a person by the
app and by the aibot, in a group by the aibot and by a group robot.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from adapters import plain
from adapters.carried import Pressed
from adapters.marks import without_signs
from adapters.wecom import encode
from adapters.wecom.adapter import WecomAdapter
from adapters.wecom.reading import NAME
from adapters.wecom.setup import App, Setup
from bot.messages import Card, Event, Outgoing, Reader, Reply, Words
from bot.words import reader_for
from tests.platforms.wecom_cards import RECOMMENDED
from tests.platforms.wecom_model import Corp
from tests.wecom_screen import (
    MARKDOWN_BYTES,
    check_markdown,
    check_pressable,
    check_robot,
    check_shown,
    check_text,
    columns,
)
from tests.workplace import ROSTER, Window, Workplace, live_through

Json = dict[str, Any]

CORP = Corp()
BOT = CORP.bot_name
APP = App(CORP.corp_id, CORP.agent_id, CORP.secret, CORP.token, CORP.aes_key)


def now() -> datetime:
    return datetime.now(UTC)


class WecomWindow(Window):
    """What people on WeCom would see; where WeCom would refuse it, the test ends here."""

    name = NAME
    capabilities = WecomAdapter.capabilities

    def __init__(self) -> None:
        super().__init__()
        self.adapter = WecomAdapter(Setup("http://127.0.0.1:1", APP), now, reader_for)
        self.labels: set[str] = set()

    def look(self, outgoing: Outgoing, reader: Reader) -> Json:
        assert outgoing.page is None
        outgoing = plain.without_file(outgoing)
        words, card = outgoing.words, outgoing.card
        if outgoing.edits_handle is not None:
            changed = encode.changed(outgoing, reader)
            if changed is not None:
                check_pressable(changed)
            # Where it cannot be changed it is said, and the card alone is left out.
            card = card if words is None else None
        if outgoing.address.kind == "group" and outgoing.address.only_for is None:
            self._look_at_group(words, card, reader)
        else:
            message = outgoing.model_copy(update={"words": words, "card": card, "file": None})
            shown = encode.direct(message, reader)
            check_shown(shown)
            for one in encode.as_markdown(shown.texts):
                check_markdown(one)
            buttons = shown.card["button_list"] if shown.card else ()
            self.labels |= {one["text"] for one in buttons}
        return {"card": outgoing.card}

    def _look_at_group(self, words: Words | None, card: Card | None, reader: Reader) -> None:
        title = None
        if card is not None:
            title = without_signs(encode._line(plain.flat(card.title, reader)))
        pieces = encode.group(words, card, reader, BOT)
        for one in pieces:
            check_text(one, MARKDOWN_BYTES)
        if len(pieces) == 1:
            check_markdown(pieces[0], title)
        bodies = encode.by_robot(words, card, reader, BOT)
        rung = {one for body in bodies for one in body.get("mentioned_list", ())}
        assert rung <= {*ROSTER, *STRANGERS}
        check_robot(bodies, rung)

    def show(self, reply: Reply, event: Event, reader: Reader) -> Json | None:
        assert reply.form is None, "there are no forms in WeCom"
        if reply.answer is None:
            return None
        said = encode.response(reply.answer.words, reply.answer.card, reader)
        assert said is not None, "what the response cannot carry goes by the outbox"
        check_text(said)
        return {"card": reply.answer.card}

    def carried(self, shown: Json) -> list[Pressed]:
        """Whether it is pressed or typed: it does the same."""
        buttons = plain.buttons_of(shown["card"])
        return [Pressed(command=one.command, arguments=one.arguments) for one in buttons]

    def key(self, kind: str, number: int, *, in_group: bool) -> str:
        if in_group:
            return f"bot:{'press' if kind == 'button' else 'message'}:{number}"
        return f"app:{'message' if kind == 'text' else 'press'}:{number}"

    def answers_inline(self, event: Event, reply: Reply) -> bool:
        return self.adapter.answers_inline(event, reply)


STRANGERS = {"UNEW", "UNEXT", "UGUEST", "USTRANGER", "USOMEBODY"}


def test_every_card_fits_into_wecom_whatever_is_in_it(tmp_path: Path) -> None:
    """The scenes hold each card that the bot can make."""
    window = WecomWindow()
    at = Workplace(tmp_path / "workplace.db", "zh_CN", window)
    live_through(at)
    at.close()
    wide = {one for one in window.labels if columns(one) > 2 * RECOMMENDED["text"]}
    assert not wide, "WeCom cuts these buttons off"
