"""Everything the bot shows fits into Slack: every form, every card of every conversation, and
whatever else could be made of them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import handlers
from adapters.carried import Pressed
from adapters.slack import decode, encode
from adapters.slack.adapter import SlackAdapter
from adapters.slack.carried import LONGEST_VALUE
from adapters.slack.reading import NAME
from bot.messages import (
    LOCALES,
    Address,
    Answer,
    Button,
    Card,
    Chat,
    Event,
    Form,
    FormField,
    FormOption,
    Locale,
    Outgoing,
    Page,
    Reader,
    Reply,
    Words,
    lines,
    text,
)
from bot.router import Router, Sender
from bot.words import reader_for
from tests.clock import MORNING
from tests.made_up import (
    ARGUMENTS,
    CARDS,
    COMMANDS,
    READERS,
    SAID,
    WORDS,
    as_long_as,
    several,
)
from tests.platforms import slack_blocks
from tests.workplace import EVERYBODYS, HOME, Window, Workplace, live_through, sites, watched

T = TypeVar("T")
Json = dict[str, Any]

ROOT = Path(__file__).parent.parent
# --- what Slack takes -----------------------------------------------------------------------------

# The only markup there may be: our mentions and moments.
OURS = re.compile(
    r"<@[UW][A-Z0-9]{1,30}>"
    r"|<!date\^[0-9]+\^\{(?:time|date_short_pretty)\}(?: \{time\})?\|[^<>|]+>"
)
OPEN = re.compile(r"[<>]|&(?!amp;|lt;|gt;)")
VIEW_BYTES = 250_000


def texts(part: Any) -> Iterator[Json]:
    """All text objects in a piece of Block Kit."""
    if isinstance(part, dict):
        if part.get("type") in ("mrkdwn", "plain_text") and "text" in part:
            yield part
        part = list(part.values())
    for one in part if isinstance(part, list) else ():
        yield from texts(one)


def check_texts(part: Any) -> None:
    """Nothing a person typed can ping or link, and no token is cut in two."""
    for one in texts(part):
        markup = one["type"] == "mrkdwn"
        assert one.get("verbatim", False) is markup, one
        assert not OPEN.search(OURS.sub("", one["text"]) if markup else one["text"]), one


def check_message(found: Json) -> None:
    blocks = found.get("blocks", [])
    assert slack_blocks.problems_in_message(blocks) == []
    assert slack_blocks.text_size(blocks) <= slack_blocks.TEXT_IN_ALL_BLOCKS
    assert 1 <= len(found["text"]) <= 40_000
    assert found["text"].strip()
    assert not OPEN.search(OURS.sub("", found["text"])), found["text"]
    check_texts(blocks)


def check_view(found: Json) -> None:
    assert slack_blocks.problems_in_view(found) == []
    assert len(json.dumps(found)) <= VIEW_BYTES
    check_texts(found)


def elements(found: Json) -> list[Json]:
    """The buttons and menus of a message or a page."""
    blocks = found.get("blocks", [])
    return [one for block in blocks if block["type"] == "actions" for one in block["elements"]]


def carried(found: Json) -> list[Pressed]:
    """What can be pressed, each choice of a menu for itself."""
    values = []
    for one in elements(found):
        values += [option["value"] for option in one.get("options", [])] or [one["value"]]
    pressed = [Pressed.loaded(value) for value in values]
    assert None not in pressed
    return [one for one in pressed if one is not None]


def check_outgoing(outgoing: Outgoing, reader: Reader) -> Json:
    """A message as the adapter would send it."""
    if outgoing.page is not None:
        found = encode.page(outgoing.page, reader)
        check_view(found)
        assert found["blocks"]
        return found
    if outgoing.edits_handle is not None:
        found = encode.edit(outgoing, reader)
        assert len(found["text"]) <= 4000
    elif outgoing.address.only_for is not None:
        found = encode.whisper(outgoing, reader)
    else:
        found = encode.message(outgoing, reader)
    check_message(found)
    return found


# --- a bot on Slack, without Slack ----------------------------------------------------------------


class SlackWindow(Window):
    """What people on Slack would see; where Slack would refuse it, the test ends here."""

    name = NAME
    capabilities = SlackAdapter.capabilities

    def look(self, outgoing: Outgoing, reader: Reader) -> Json:
        return check_outgoing(outgoing, reader)

    def show(self, reply: Reply, event: Event, reader: Reader) -> Json | None:
        if reply.form is not None:
            view = encode.modal(reply.form, event.chat, reader)
            assert view is not None, f"{reply.form.command} has no form that Slack takes"
            check_view(view)
        if reply.answer is None:
            return None
        found = encode.response(reply.answer, event.chat, reader)
        check_message(found)
        return found

    def carried(self, shown: Json) -> list[Pressed]:
        return carried(shown)

    def command_key(self, number: int) -> str:
        return f"{decode.COMMAND_KEY}T1:{number}"

    def answers_inline(self, event: Event, reply: Reply) -> bool:
        return decode.from_command(event)


# --- every form -----------------------------------------------------------------------------------


def routed_form(workplace: Workplace, locale: Locale, **given: Any) -> Form | None:
    """The form by which a command asks for what it lacks, if it lacks anything."""
    event = Event(
        platform=NAME,
        key="k",
        user=workplace.user("UBOSS"),
        chat=Chat(kind="direct", id="UBOSS"),
        can_open_form=True,
        at=MORNING,
        received_at=MORNING,
        **given,
    )
    router = Router(handlers.COMMANDS, handlers.SIGNALS, lambda _team: True, lambda *_about: None)
    with workplace.uow() as uow:
        person = uow.people.find(NAME, "UBOSS")
        assert person is not None
        sender = Sender(person, uow.teams.first(), EVERYBODYS, locale, "Asia/Shanghai")
        return router.route(event, sender, uow).form


@pytest.mark.parametrize("locale", LOCALES)
def test_every_command_has_a_form_that_slack_takes(tmp_path: Path, locale: Locale) -> None:
    """For a bare verb, for a button that carries nothing, and for a message's menu."""
    workplace = Workplace(tmp_path / "forms.db", locale, SlackWindow())
    reader = reader_for(locale, "Asia/Shanghai", MORNING)
    chat = Chat(kind="group", id=HOME, name=as_long_as(80), thread="1795395590.000200")
    about = f"{HOME}:1795395590.000200"
    for command in handlers.COMMANDS:
        verb = reader.plain(text(f"verbs.{command.name}"))
        pressed = routed_form(workplace, locale, kind="button", command=command.name)
        typed = routed_form(workplace, locale, kind="text", text=verb)
        needs = [one.name for one in command.arguments if one.required]
        assert (pressed is not None) is bool(needs), command.name
        assert typed is not None or not needs, f"{verb} alone asks for nothing"
        if pressed is not None:
            assert [one.name for one in pressed.fields] == [one.name for one in command.arguments]
        for form in filter(None, (pressed, typed)):
            view = encode.modal(form, chat, reader, about)
            assert view is not None
            check_view(view)
            assert view["blocks"]
            shown = " ".join(one["text"] for one in texts(view))
            assert not re.search(r"\b(arguments|choices|hints|roles|slack|verbs)\.", shown), shown
    workplace.close()


# --- every card -----------------------------------------------------------------------------------


def test_every_card_fits_into_slack_whatever_is_in_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each card that the bot can make appears in a scene; a new one needs a few lines there."""
    made = watched(monkeypatch)
    at = Workplace(tmp_path / "workplace.db", "en", SlackWindow())
    live_through(at)
    at.close()
    missing = sites() - made
    assert not missing, f"these cards appear in no conversation: {sorted(missing)}"
    assert "language" in {one.command for shown in at.window.shown for one in carried(shown)}


# --- whatever else could be made ------------------------------------------------------------------

OPTIONS = st.builds(FormOption, value=SAID, label=WORDS)
FIELDS = st.builds(
    FormField,
    name=st.just("f"),
    label=WORDS,
    kind=st.sampled_from(["line", "paragraph", "menu", "choices", "people"]),
    options=several(OPTIONS, 120),
    hint=st.none() | WORDS,
    required=st.booleans(),
)
FORMS = st.builds(
    lambda form, fields: form.model_copy(
        update={
            "fields": tuple(
                one.model_copy(update={"name": f"f{number}"}) for number, one in enumerate(fields)
            )
        }
    ),
    st.builds(Form, command=COMMANDS, title=WORDS, arguments=ARGUMENTS, fields=st.just(())),
    several(FIELDS, 120),
)
GROUP = Chat(kind="group", id=HOME, name="rooms", thread="1.2")


def fits(button: Button, most: int = LONGEST_VALUE) -> bool:
    """Whether a button, or a choice, can carry its command."""
    return len(Pressed(command=button.command, arguments=button.arguments).dumped()) <= most


def shown_on(card: Card) -> int:
    """How many buttons and menus of a card are there to be used."""
    menus = [menu for menu in card.menus if any(fits(one, 150) for one in menu.choices[:100])]
    return min(100, sum(map(fits, card.buttons)) + len(menus))


@settings(deadline=None)
@given(st.none() | WORDS, CARDS, READERS)
def test_any_card_keeps_within_slacks_limits(
    words: Words | None, card: Card, reader: Reader
) -> None:
    place = Address(platform=NAME, kind="group", id=HOME, thread="1.2", only_for="U1")
    outgoing = Outgoing(address=place, words=words, card=card, message_id=1)
    made = (
        encode.message(outgoing, reader),
        encode.whisper(outgoing, reader),
        encode.edit(outgoing, reader),
        encode.response(Answer(words=words, card=card), GROUP, reader),
    )
    for one in made:
        check_message(one)
        assert len(elements(one)) == shown_on(card), "the buttons stay on the card"
        names = [element["action_id"] for element in elements(one)]
        assert len(set(names)) == len(names)
        assert len(carried(one)) >= len(names)


@settings(deadline=None)
@given(WORDS, READERS)
def test_any_words_keep_within_slacks_limits(words: Words, reader: Reader) -> None:
    place = Address(platform=NAME, kind="person", id="U1")
    check_outgoing(Outgoing(address=place, words=words, message_id=1), reader)
    edit = Outgoing(address=place, words=words, message_id=1, edits_handle="D1:1.2")
    check_outgoing(edit, reader)
    check_message(encode.response(Answer(words=lines(words, words)), GROUP, reader))


@settings(deadline=None)
@given(several(CARDS, 30), READERS)
def test_any_page_keeps_within_slacks_limits(cards: tuple[Card, ...], reader: Reader) -> None:
    found = encode.page(Page(cards=cards), reader)
    check_view(found)
    for row in (block for block in found["blocks"] if block["type"] == "actions"):
        names = [element["action_id"] for element in row["elements"]]
        assert len(set(names)) == len(names)
    shown = sum(block["type"] == "header" for block in found["blocks"])
    assert len(elements(found)) == sum(map(shown_on, cards[:shown])), "whole cards, or none of it"


@settings(deadline=None)
@given(FORMS, st.sampled_from(["", f"{HOME}:1.2"]), READERS)
def test_any_form_keeps_within_slacks_limits(form: Form, about: str, reader: Reader) -> None:
    view = encode.modal(form, GROUP, reader, about)
    if view is None:
        assert len(form.model_dump_json()) > 2500, "a form that would have had room"
        return
    check_view(view)
    assert [one["block_id"] for one in view["blocks"]] == [one.name for one in form.fields[:100]]
    wrong = Reply(
        errors={form.fields[0].name if form.fields else "f": form.title},
        locale="en",
        zone="UTC",
        at=MORNING,
    )
    refused = encode.submission(wrong, view, GROUP, reader)
    known = {block["block_id"] for block in view["blocks"]} or {"f"}
    assert set(refused["errors"]) <= known
    assert not any(OPEN.search(one) for one in refused["errors"].values())
    following = encode.submission(
        Reply(form=form, locale="en", zone="UTC", at=MORNING), view, GROUP, reader
    )
    if "view" in following:
        check_view(following["view"])
