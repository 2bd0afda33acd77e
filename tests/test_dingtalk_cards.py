"""Everything the bot shows fits into DingTalk: every card of every conversation, as messages, as
bodies of webhooks and as an interactive card.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from adapters import plain
from adapters.carried import Pressed
from adapters.dingtalk import encode
from adapters.dingtalk.adapter import DingtalkAdapter
from adapters.dingtalk.reading import NAME
from adapters.dingtalk.setup import Setup
from bot.messages import Event, Outgoing, Reader, Reply
from bot.words import reader_for
from tests.dingtalk_screen import buttons, check_bodies, check_message, keys
from tests.workplace import Window, Workplace, live_through

Json = dict[str, Any]

BOT = "班长"


def now() -> datetime:
    return datetime.now(UTC)


class DingtalkWindow(Window):
    """What people on DingTalk would see; where DingTalk would refuse it, the test ends here."""

    name = NAME

    def __init__(self) -> None:
        super().__init__()
        setup = Setup("http://127.0.0.1:1", "a client", "a secret", card_template_id="a template")
        self.adapter = DingtalkAdapter(setup, now, reader_for)
        self.capabilities = self.adapter.capabilities
        self.too_long = 0

    def look(self, outgoing: Outgoing, reader: Reader) -> Json:
        assert outgoing.page is None
        outgoing = plain.without_file(plain.directly(outgoing))
        words, card = outgoing.words, outgoing.card
        in_group = outgoing.address.kind == "group"
        call = BOT if in_group else ""
        for one in encode.messages(words, card, reader, call):
            check_message(one)
        people = encode.mentioned(words, card, reader) if in_group else {}
        check_bodies(encode.by_webhook(words, card, reader, call, mentions=in_group), people)
        if card is not None:
            variables = encode.card_variables(words, card, reader, call)
            self.too_long += not encode.fits_card(variables)
            assert len(keys(variables)) == len(buttons(variables))
        return {"card": card}

    def show(self, reply: Reply, event: Event, reader: Reader) -> Json | None:
        assert reply.form is None, "there are no forms in DingTalk"
        if reply.answer is None:
            return None
        # Said by the outbox in words: an acknowledgement shows nobody anything.
        for one in encode.messages(reply.answer.words, reply.answer.card, reader):
            check_message(one)
        return {"card": reply.answer.card}

    def carried(self, shown: Json) -> list[Pressed]:
        """Whether it is pressed or typed: it does the same."""
        found = plain.buttons_of(shown["card"])
        return [Pressed(command=one.command, arguments=one.arguments) for one in found]

    def answers_inline(self, event: Event, reply: Reply) -> bool:
        return self.adapter.answers_inline(event, reply)


def test_every_card_fits_into_dingtalk_whatever_is_in_it(tmp_path: Path) -> None:
    """The scenes hold each card that the bot can make."""
    window = DingtalkWindow()
    at = Workplace(tmp_path / "workplace.db", "zh_CN", window)
    live_through(at)
    at.close()
    assert not window.too_long, "what people type is shortened before it stands on a card"
