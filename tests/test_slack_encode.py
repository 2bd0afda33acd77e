"""What the bot says becomes JSON that Slack takes, whatever is in it."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.carried import Pressed
from adapters.slack import encode
from adapters.slack.carried import Asked
from bot.messages import (
    Address,
    Answer,
    Button,
    Card,
    CardField,
    Chat,
    Form,
    FormField,
    FormOption,
    Lines,
    Locale,
    Mention,
    Menu,
    Moment,
    Outgoing,
    Page,
    Reply,
    Span,
    Text,
    Words,
    lines,
    text,
)
from bot.words import reader_for
from tests.platforms import slack_blocks
from tests.platforms.slack_model import Workspace
from tests.platforms.slack_text import plain

NOW = datetime(2026, 11, 23, 1, 0, tzinfo=UTC)
READER = reader_for("en", "Asia/Shanghai", NOW)
GROUP = Chat(kind="group", id="C1", name="rooms")
DIRECT = Chat(kind="direct", id="U1")
PLACE = Address(platform="slack", kind="group", id="C1")


def said(words: str) -> Text:
    """Something a person typed."""
    return text("said", words=words)


def mention(name: str, user_id: str | None) -> Text:
    return text("person", person=Mention(person_id=1, name=name, user_id=user_id))


def outgoing(words: Text | Lines | None = None, card: Card | None = None, **more: Any) -> Outgoing:
    return Outgoing(address=PLACE, words=words, card=card, message_id=1, **more)


def screen(found: dict[str, Any]) -> str:
    return plain(found, Workspace())


def check_message(found: dict[str, Any]) -> None:
    """Nothing that Slack would refuse."""
    blocks = found.get("blocks", [])
    assert slack_blocks.problems_in_message(blocks) == []
    assert slack_blocks.text_size(blocks) <= slack_blocks.TEXT_IN_ALL_BLOCKS
    assert 1 <= len(found["text"]) <= 40_000


# --- text


NASTY = "<!channel> <!here> <@U9> <#C1> <http://evil.example|bank.example> & *b* `x` @here"


@pytest.mark.parametrize("card", [False, True], ids=["words", "card"])
def test_nothing_typed_pings_or_hides_a_link(card: bool) -> None:
    words = said(NASTY)
    shown = (
        Card(
            title=words,
            body=(words,),
            fields=(CardField(label=words, value=words),),
            buttons=(Button(label=words, command="claim"),),
        )
        if card
        else None
    )
    found = encode.message(outgoing(words, shown), READER)
    whole = json.dumps(found)
    for token in ("<!", "<@", "<#", "<http"):
        assert token not in whole
    assert found["link_names"] is False
    assert found["unfurl_links"] is found["unfurl_media"] is False
    assert NASTY.replace("*", "") in screen(found).replace("*", "")
    for block in found.get("blocks", []):
        for part in (block.get("text"), *block.get("fields", ())):
            assert part is None or part["type"] == "plain_text" or part["verbatim"] is True


@pytest.mark.parametrize(
    ("user_id", "wire"),
    [
        ("U1", "<@U1>"),
        ("W0ABC", "<@W0ABC>"),
        (None, "a &lt;b&gt;"),
        ("", "a &lt;b&gt;"),
        ("!channel", "a &lt;b&gt;"),
        ("U1>", "a &lt;b&gt;"),
        ("zhangsan", "a &lt;b&gt;"),
    ],
)
def test_mentions(user_id: str | None, wire: str) -> None:
    found = encode.message(outgoing(mention("a <b>", user_id)), READER)
    assert found["text"] == wire


# --- moments

Style = Literal["when", "clock", "date"]
TOKEN = re.compile(r"<!date\^\d+\^[^<>|]+\|[^<>|]*>")


def at(moment: datetime, style: Style = "when") -> Text:
    return text("said", words=Moment(at=moment, style=style))


@dataclass(frozen=True)
class Odd:
    """A reader to whom every moment reads oddly."""

    shown: str
    locale: Locale = "en"

    def spans(self, words: Words) -> Sequence[Span]:
        return (Span("moment", self.shown, at=NOW, style="clock"),)


@pytest.mark.parametrize(
    ("style", "wire"),
    [
        ("when", "<!date^1795395600^{date_short_pretty} {time}|09:00>"),
        ("clock", "<!date^1795395600^{time}|09:00>"),
        ("date", "<!date^1795395600^{date_short_pretty}|11-23>"),
    ],
)
def test_a_moment_is_shown_to_each_in_their_own_zone(style: Style, wire: str) -> None:
    """Beside the token stands what the one reader it was made for would read."""
    assert encode.message(outgoing(at(NOW, style)), READER)["text"] == wire
    blocks = encode.message(outgoing(card=Card(title=said("t"), body=(at(NOW, style),))), READER)[
        "blocks"
    ]
    assert blocks[1]["text"] == {"type": "mrkdwn", "text": wire, "verbatim": True}


def test_every_style_of_a_moment_has_a_format() -> None:
    styles = get_args(Moment.model_fields["style"].annotation)
    assert set(encode.DATE_FORMATS) == set(styles) == set(get_args(Style))


def test_a_moment_of_another_year_and_half_a_second() -> None:
    moment = NOW + timedelta(days=400, milliseconds=500)
    found = encode.message(outgoing(at(moment)), READER)["text"]
    assert found == "<!date^1829955600^{date_short_pretty} {time}|2027-12-28 09:00>"


def test_where_slack_knows_no_markup_a_moment_stands_in_the_readers_zone() -> None:
    words = at(NOW, "clock")
    button = Button(label=words, command="claim")
    card = Card(title=words, buttons=(button,), menus=(Menu(label=words, choices=(button,)),))
    title, row = encode.message(outgoing(card=card), READER)["blocks"]
    press, menu = row["elements"]
    asked = Form(
        command="reply", title=words, fields=(FormField(name="a", label=words, hint=words),)
    )
    view = encode.modal(asked, GROUP, READER)
    assert view is not None
    (field,) = view["blocks"]
    plain_ones = (
        *(title["text"], press["text"], menu["placeholder"], menu["options"][0]["text"]),
        *(view["title"], field["label"], field["hint"]),
    )
    assert all(one == {"type": "plain_text", "text": "09:00"} for one in plain_ones)


def test_errors_of_a_form_show_moments_plainly() -> None:
    view = encode.modal(form(FormField(name="time", label=said("When"))), GROUP, READER)
    assert view is not None
    found = encode.submission(reply(errors={"time": at(NOW, "clock")}), view, GROUP, READER)
    assert found["errors"] == {"time": "09:00"}


@pytest.mark.parametrize("shown", ["a|b", "a>b", "<!channel>", "a&b|<c>", "|||", ""])
def test_what_stands_beside_a_token_cannot_end_it(shown: str) -> None:
    found = encode.message(outgoing(said("x")), Odd(shown))["text"]
    assert TOKEN.fullmatch(found)
    assert shown.replace("|", "/") in screen({"text": found})


def test_nobody_forges_a_moment() -> None:
    typed = "<!date^1795395600^{time}|pay day>"
    found = encode.message(outgoing(said(typed), Card(title=said(typed))), READER)
    assert "<!date" not in json.dumps(found)
    assert typed in screen(found)


@given(st.lists(st.sampled_from(["a", "&", "好", "clock", "when", "date"]), max_size=60))
def test_no_token_is_cut_in_two(parts: list[str]) -> None:
    words = lines(
        *(at(NOW, one) if one in get_args(Style) else said(one) for one in parts),  # type: ignore[arg-type]
        separator="",
    )
    for limit in (90, 150, 300):
        pieces = list(encode._pieces(READER.spans(words), limit))
        cut = encode._joined(READER.spans(words), limit)
        for one in (*pieces, cut):
            assert len(one) <= limit
            assert not set("<>") & set(TOKEN.sub("", one))
        assert "".join(pieces) == encode._joined(READER.spans(words), 100_000)
        assert "".join(pieces).startswith(cut.removesuffix("…"))


# --- what is cut


@given(st.text(max_size=60), st.integers(8, 40))
def test_a_cut_text_is_a_beginning(words: str, limit: int) -> None:
    spans = READER.spans(said(words))
    cut = encode._joined(spans, limit)
    whole = encode.escape(words)
    assert len(cut) <= limit
    if len(whole) <= limit:
        assert cut == whole
    else:
        assert cut.endswith("…")
        assert whole.startswith(cut[:-1])
        rest = cut[:-1].replace("&amp;", "").replace("&lt;", "").replace("&gt;", "")
        assert not any(sign in rest for sign in "&<>")


def test_a_cut_leaves_no_half_mention() -> None:
    words = lines(said("a" * 2990), mention("Li", "U0123456789"), mention("Li", "U0123456789"))
    fallback = encode.message(outgoing(card=Card(title=words)), READER)["text"]
    assert fallback == "a" * 2990 + "…"


def test_a_long_question_is_shown_in_full() -> None:
    question = lines(said("<" * 1500), mention("Li", "U0123456789"))
    blocks = encode.message(outgoing(card=Card(title=said("t"), body=(question,))), READER)[
        "blocks"
    ]
    texts = [block["text"]["text"] for block in blocks[1:]]
    assert "".join(texts) == "&lt;" * 1500 + "\n<@U0123456789>"
    assert [len(one) for one in texts] == [3000, 3000, 15]


@pytest.mark.parametrize("size", [1990, 1997, 1998, 3000])
@pytest.mark.parametrize("label", ["", " ", "*", "a", "*" * 10, "a" * 501])
def test_a_fact_keeps_within_its_field(label: str, size: int) -> None:
    fact = CardField(label=said(label), value=said("v" * size))
    found = encode.message(outgoing(card=Card(title=said("t"), fields=(fact,))), READER)
    check_message(found)
    shown = found["blocks"][1]["fields"][0]["text"]
    assert re.fullmatch(r"\*[^*\n]+\*\nv+…?", shown), "a bold label, and its value below"


def test_where_there_is_nothing_to_say() -> None:
    check_message(encode.message(outgoing(), READER))
    blank = said(" \n")
    card = Card(
        title=blank,
        body=(blank,),
        fields=(CardField(label=blank, value=said("")),),
        buttons=(Button(label=blank, command="claim"),),
    )
    check_message(encode.message(outgoing(blank, card), READER))


# --- cards


def card_of(size: int, count: int, *, letter: str = "&") -> Card:
    words = said(letter * size)
    return Card(
        title=words,
        body=(words,) * count,
        fields=(CardField(label=words, value=words),) * count,
        buttons=(Button(label=words, command="claim", arguments={"query": "Q7"}),) * count,
    )


@pytest.mark.parametrize("letter", ["a", "&", "好", "😀"])
@pytest.mark.parametrize("count", [0, 1, 2, 11, 26, 60, 400])
@pytest.mark.parametrize("size", [1, 76, 151, 700, 3001, 13_000])
def test_extreme_cards_keep_within_every_limit(size: int, count: int, letter: str) -> None:
    card = card_of(size, count, letter=letter)
    for made in (
        encode.message(outgoing(said(letter * size), card), READER),
        encode.response(Answer(card=card), GROUP, READER),
        encode.edit(outgoing(said(letter), card), READER),
    ):
        check_message(made)
        buttons = [block for block in made["blocks"] if block["type"] == "actions"]
        assert sum(len(row["elements"]) for row in buttons) == min(count, 100)


def test_a_card() -> None:
    card = Card(
        title=said("Q7"),
        body=(lines(said("When?"), mention("Li", "U2")),),
        fields=(CardField(label=said("Due"), value=said("18:00")),),
        buttons=(
            Button(
                label=said("Claim"), command="claim", arguments={"query": "Q7"}, style="primary"
            ),
            Button(label=said("Reply"), command="reply", arguments={"query": "Q7"}),
        ),
    )
    found = encode.message(outgoing(said("A new question"), card), READER)
    assert found["text"] == "A new question\nQ7\nWhen?\n<@U2>\nDue 18:00"
    kinds = [block["type"] for block in found["blocks"]]
    assert kinds == ["section", "header", "section", "section", "actions"]
    claim, reply = found["blocks"][-1]["elements"]
    assert (claim["style"], claim["action_id"]) == ("primary", "claim.0")
    assert "style" not in reply
    assert Pressed.loaded(reply["value"]) == Pressed(command="reply", arguments={"query": "Q7"})
    assert screen(found).endswith("Due\n18:00\n[Claim] [Reply]")


def test_the_same_button_twice_has_two_names() -> None:
    card = Card(title=said("t"), buttons=(Button(label=said("b"), command="claim"),) * 30)
    rows = [b for b in encode.message(outgoing(card=card), READER)["blocks"] if "elements" in b]
    names = [element["action_id"] for row in rows for element in row["elements"]]
    assert len(set(names)) == 30


def test_a_button_that_cannot_carry_its_command_is_left_to_be_typed() -> None:
    def button(size: int) -> Button:
        return Button(label=said("Ask"), command="ask", arguments={"question": "问" * size})

    card = Card(title=said("t"), buttons=(button(1900), button(2000)))
    (row,) = [b for b in encode.message(outgoing(card=card), READER)["blocks"] if "elements" in b]
    (one,) = row["elements"]
    carried = Pressed.loaded(one["value"])
    assert carried is not None
    assert carried.arguments == {"question": "问" * 1900}


def test_what_is_left_out_is_shown() -> None:
    card = Card(title=said("t"), body=(said("a" * 2900),) * 6)
    blocks = encode.message(outgoing(card=card), READER)["blocks"]
    assert [block["type"] for block in blocks] == ["header", *["section"] * 4, "context"]
    assert blocks[-1]["elements"][0]["text"] == "…"


def menu(*choices: Button, label: str = "Language") -> Menu:
    return Menu(label=said(label), choices=choices)


def speaks(language: str, label: str = "English") -> Button:
    return Button(label=said(label), command="language", arguments={"language": language})


def test_a_menu() -> None:
    menus = (menu(speaks("en"), speaks("zh_CN", "中文")), menu(speaks("en"), label="Again"))
    card = Card(title=said("t"), buttons=(Button(label=said("Link"), command="link"),), menus=menus)
    found = encode.message(outgoing(card=card), READER)
    check_message(found)
    link, languages, again = found["blocks"][-1]["elements"]
    assert [one["type"] for one in (link, languages, again)] == ["button", *["static_select"] * 2]
    assert languages["placeholder"]["text"] == "Language"
    assert [one["text"]["text"] for one in languages["options"]] == ["English", "中文"]
    carried = [Pressed.loaded(one["value"]) for one in languages["options"]]
    assert carried == [
        Pressed(command="language", arguments={"language": one}) for one in ("en", "zh_CN")
    ]
    assert len({one["action_id"] for one in (link, languages, again)}) == 3
    assert screen(found).endswith("[Link] [Language ▾] [Again ▾]")


@pytest.mark.parametrize("count", [0, 1, 100, 101])
@pytest.mark.parametrize("size", [1, 76, 151])
def test_extreme_menus_keep_within_every_limit(size: int, count: int) -> None:
    words = "&" * size
    choices = tuple(speaks(f"{number}", words) for number in range(count))
    card = Card(title=said("t"), menus=(menu(*choices, label=words),) * 30)
    found = encode.message(outgoing(card=card), READER)
    check_message(found)
    rows = [block for block in found["blocks"] if block["type"] == "actions"]
    shown = [element for row in rows for element in row["elements"]]
    assert len(shown) == (30 if count else 0)
    assert all(len(one["options"]) == min(count, 100) for one in shown)


def test_a_choice_that_cannot_carry_its_command_is_left_out() -> None:
    card = Card(title=said("t"), menus=(menu(speaks("en"), speaks("x" * 150)),))
    (row,) = [b for b in encode.message(outgoing(card=card), READER)["blocks"] if "elements" in b]
    (one,) = row["elements"][0]["options"]
    carried = Pressed.loaded(one["value"])
    assert carried is not None
    assert carried.arguments == {"language": "en"}
    alone = Card(title=said("t"), menus=(menu(speaks("x" * 150)),))
    assert [b["type"] for b in encode.message(outgoing(card=alone), READER)["blocks"]] == ["header"]


# --- a person's own page


def check_page(found: dict[str, Any]) -> list[dict[str, Any]]:
    """Nothing that views.publish would refuse."""
    assert slack_blocks.problems_in_view(found) == []
    assert found["type"] == "home"
    assert len(json.dumps(found)) <= 250_000
    blocks: list[dict[str, Any]] = found["blocks"]
    names = [block["block_id"] for block in blocks if "block_id" in block]
    assert len(set(names)) == len(names) == sum(block["type"] == "actions" for block in blocks)
    return blocks


def test_a_page() -> None:
    work = Card(
        title=said("Wang"),
        body=(said("Not at work"),),
        buttons=(Button(label=said("Check in"), command="checkin", style="primary"),),
    )
    settings = Card(
        title=said("Settings"),
        buttons=(Button(label=said("Check in"), command="checkin"),),
        menus=(menu(speaks("en")),),
    )
    blocks = check_page(encode.page(Page(cards=(work, settings)), READER))
    kinds = ["header", "section", "actions", "divider", "header", "actions"]
    assert [block["type"] for block in blocks] == kinds
    assert blocks[2]["elements"][0]["action_id"] == blocks[5]["elements"][0]["action_id"]
    assert blocks[2]["block_id"] != blocks[5]["block_id"], "else Slack refuses the page"


def test_an_empty_page_is_still_one() -> None:
    assert encode.page(Page(cards=()), READER) == {"type": "home", "blocks": []}


@pytest.mark.parametrize("fields", [0, 1, 2, 31, 32, 47, 48, 49, 200])
def test_what_a_page_cannot_hold_is_left_out_a_card_at_a_time(fields: int) -> None:
    """Half a card could show a question without its buttons."""
    card = Card(
        title=said("t"),
        body=(said("b"),) * fields,
        buttons=(Button(label=said("b"), command="claim"),),
    )
    blocks = check_page(encode.page(Page(cards=(card,) * 60), READER))
    size = min(fields + 2, 50)
    shown = sum(block["type"] == "header" for block in blocks)
    assert shown == min(60, (100 + 1) // (size + 1))
    assert len(blocks) == max(0, shown * (size + 1) - 1)


@pytest.mark.parametrize("letter", ["a", "&", "好", "😀"])
@pytest.mark.parametrize("size", [1, 151, 3001, 13_000])
def test_extreme_pages_keep_within_every_limit(size: int, letter: str) -> None:
    cards = (card_of(size, 3, letter=letter),) * 40
    assert check_page(encode.page(Page(cards=cards), READER))


# --- where it goes


@pytest.mark.parametrize(
    ("private", "chat", "seen"),
    [
        (False, GROUP, "in_channel"),
        (True, GROUP, "ephemeral"),
        (False, DIRECT, "ephemeral"),
        (True, DIRECT, "ephemeral"),
    ],
)
def test_who_reads_a_response(private: bool, chat: Chat, seen: str) -> None:
    answer = Answer(words=said("x"), private=private)
    assert encode.response(answer, chat, READER)["response_type"] == seen


def test_into_a_thread() -> None:
    address = PLACE.model_copy(update={"thread": "1.2"})
    found = encode.message(Outgoing(address=address, words=said("x"), message_id=1), READER)
    assert (found["channel"], found["thread_ts"]) == ("C1", "1.2")
    assert "thread_ts" not in encode.message(outgoing(said("x")), READER)


def test_a_whisper() -> None:
    """https://docs.slack.dev/reference/methods/chat.postEphemeral knows no unfurl arguments."""
    address = PLACE.model_copy(update={"thread": "1.2", "only_for": "U1"})
    card = Card(title=said("Q7"), buttons=(Button(label=said("Reply"), command="reply"),))
    found = encode.whisper(
        Outgoing(address=address, words=said("x"), card=card, message_id=1), READER
    )
    check_message(found)
    assert set(found) == {"channel", "user", "thread_ts", "text", "blocks", "link_names"}
    assert (found["channel"], found["user"], found["thread_ts"]) == ("C1", "U1", "1.2")
    assert found["link_names"] is False


def test_an_edit_takes_the_old_blocks_away() -> None:
    assert encode.edit(outgoing(said("x")), READER) == {"text": "x", "blocks": []}


def test_the_words_beside_an_edited_card_are_not_shown_in_it() -> None:
    found = encode.edit(outgoing(said("Li has it"), Card(title=said("Q7"))), READER)
    assert found["text"] == "Li has it"
    assert [block["type"] for block in found["blocks"]] == ["header"]
    alone = encode.edit(outgoing(card=Card(title=said("Q7"))), READER)
    assert alone["text"] == "Q7"


@pytest.mark.parametrize("card", [None, Card(title=Text(key="said", params={"words": "Q7"}))])
def test_an_edit_is_shorter_than_a_message_may_be(card: Card | None) -> None:
    found = encode.edit(outgoing(said("好" * 12_000), card), READER)
    assert len(found["text"]) == 4000
    assert len(encode.message(outgoing(said("好" * 12_000)), READER)["text"]) == 12_000


# --- forms


def form(*fields: FormField, **arguments: str) -> Form:
    return Form(
        command="reply", title=said("Reply to the question"), arguments=arguments, fields=fields
    )


def check_view(found: dict[str, Any] | None) -> dict[str, Any]:
    assert found is not None
    assert slack_blocks.problems_in_view(found) == []
    return found


def test_a_form() -> None:
    asked = form(
        FormField(name="words", label=said("Answer"), kind="paragraph", hint=said("Be kind")),
        FormField(
            name="filter",
            label=said("Which"),
            kind="menu",
            options=(FormOption(value="open", label=said("Open ones")),),
            required=False,
        ),
        FormField(name="note", label=said("Note")),
        query="Q7",
    )
    view = check_view(encode.modal(asked, GROUP, READER))
    assert (view["callback_id"], view["submit"]["text"]) == ("reply", "Send")
    carried = Asked.loaded(view["private_metadata"])
    assert carried == Asked(command="reply", arguments={"query": "Q7"}, chat=GROUP)
    words, which, note = view["blocks"]
    assert [block["block_id"] for block in view["blocks"]] == ["words", "filter", "note"]
    assert [block["optional"] for block in view["blocks"]] == [False, True, False]
    assert (words["element"]["multiline"], note["element"]["multiline"]) == (True, False)
    assert words["hint"]["text"] == "Be kind"
    assert which["element"]["options"][0]["value"] == "open"


def test_people_and_choices() -> None:
    roles = tuple(FormOption(value=one, label=said(one)) for one in ("worker", "lead"))
    asked = form(
        FormField(name="people", label=said("Who"), kind="people"),
        FormField(name="roles", label=said("As"), kind="choices", options=roles, required=False),
        FormField(name="none", label=said("Of none"), kind="choices"),
        FormField(name="odd", label=said("Of an odd one"), kind="menu", options=(ODD,)),
    )
    people, several, none, odd = check_view(encode.modal(asked, GROUP, READER))["blocks"]
    assert people["element"] == {"type": "multi_users_select", "action_id": "value"}
    assert several["element"]["type"] == "multi_static_select"
    assert [one["value"] for one in several["element"]["options"]] == ["worker", "lead"]
    assert several["optional"]
    # Where there is nothing to choose from, one types.
    assert none["element"]["type"] == odd["element"]["type"] == "plain_text_input"


ODD = FormOption(value="v" * 151, label=Text(key="said", params={"words": "too long to carry"}))


def test_a_form_about_a_message() -> None:
    view = check_view(encode.modal(form(), GROUP, READER, "C1:1.2"))
    carried = Asked.loaded(view["private_metadata"])
    assert carried is not None
    assert carried.message == "C1:1.2"


@pytest.mark.parametrize("count", [0, 1, 101, 150])
@pytest.mark.parametrize("size", [1, 25, 76, 151, 2001])
def test_extreme_forms_keep_within_every_limit(size: int, count: int) -> None:
    words = said("<" * size)
    options = tuple(FormOption(value=f"{n}", label=words) for n in range(count))
    long = FormOption(value="v" * 151, label=words)
    fields = (
        FormField(name="menu", label=words, kind="menu", options=(long, *options), hint=words),
        *(FormField(name=f"f{n}", label=words, hint=words) for n in range(count)),
    )
    view = encode.modal(Form(command="reply", title=words, fields=fields), GROUP, READER)
    if size * min(count, 99) > 100_000:
        assert view is None, "Slack takes 250 kB"
        return
    assert len(json.dumps(check_view(view))) <= 250_000


def test_a_form_that_cannot_carry_what_is_known_is_not_made() -> None:
    assert encode.modal(form(words="问" * 2800), GROUP, READER) is not None
    assert encode.modal(form(words="问" * 3000), GROUP, READER) is None


def reply(**more: Any) -> Reply:
    return Reply(locale="en", zone="Asia/Shanghai", at=NOW, **more)


def test_the_response_to_a_form() -> None:
    view = encode.modal(form(FormField(name="words", label=said("A"))), GROUP, READER)
    assert view is not None
    done = encode.submission(reply(answer=Answer(words=said("x"))), view, GROUP, READER)
    assert done == {"response_action": "clear"}
    following = encode.submission(reply(form=form()), view, GROUP, READER)
    assert following["response_action"] == "update"
    check_view(following["view"])
    wrong = reply(errors={"words": said("too <short>"), "other": said("and so on")})
    assert encode.submission(wrong, view, GROUP, READER) == {
        "response_action": "errors",
        "errors": {"words": "too &lt;short&gt; and so on"},
    }


def test_errors_of_a_form_without_questions() -> None:
    found = encode.submission(reply(errors={"words": said("no")}), {}, GROUP, READER)
    assert found["errors"] == {"words": "no"}
