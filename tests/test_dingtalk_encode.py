"""What the bot says becomes what DingTalk takes, whatever is in it, and reads well."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters import plain
from adapters.carried import Pressed, pressed_by
from adapters.dingtalk import encode
from adapters.naming import handle_of
from bot.messages import (
    LOCALES,
    Card,
    CardField,
    Locale,
    Menu,
    Reader,
    Words,
    lines,
    text,
)
from bot.words import Catalogue
from tests.cards import CHINESE, ENGLISH, QUERY, READER, REPLY, button, person, said
from tests.dingtalk_screen import (
    buttons,
    check_bodies,
    check_markdown,
    check_message,
    keys,
    said_in,
    screen,
    seen,
)
from tests.made_up import CARDS, NASTY, READERS, SIGNS, WORDS
from tests.platforms.dingtalk_screen import looks

Json = dict[str, Any]

TEMPLATE = Path(__file__).parents[1] / "docs" / "dingtalk-card.json"


def markdown_of(words: Words | None, card: Card, reader: Reader = CHINESE, call: str = "") -> str:
    """The one message that it is."""
    (one,) = encode.messages(words, card, reader, call)
    check_message(one)
    assert one.msg_key == encode.MARKDOWN
    return one.said


# --- messages

IN_CHINESE = "**Q7 等回复**  \n图书馆几点开门？  \n班组：一班  \n截止：09:00  \n"
IN_ENGLISH = "**Q7 等回复**  \n图书馆几点开门？  \n班组: 一班  \n截止: 09:00  \n"
MESSAGES: dict[str, tuple[Locale, Words | None, Card, str, str]] = {
    "a card": ("zh_CN", None, QUERY, "", f"{IN_CHINESE}发送：认领 Q7 · reply Q7 words"),
    "a card in a group": (
        "zh_CN",
        None,
        QUERY,
        "班长",
        f"{IN_CHINESE}@班长 发送：认领 Q7 · reply Q7 words",
    ),
    "a card in English, with words": (
        "en",
        said("A question"),
        QUERY,
        "班长",
        f"A question  \n{IN_ENGLISH}Mention @班长 and type: claim Q7 · reply Q7 words",
    ),
    "nothing to press": (
        "en",
        None,
        QUERY.model_copy(update={"buttons": ()}),
        "班长",
        IN_ENGLISH.strip(),
    ),
    "a menu": (
        "en",
        None,
        Card(title=said("t"), menus=(Menu(label=said("More"), choices=(button(), REPLY)),)),
        "",
        "**t**  \nType: claim Q7 · reply Q7 words",
    ),
    "a title with signs": (
        "en",
        None,
        Card(title=said(" 2 * 3 \n= **6** ")),
        "",
        "**2 ＊ 3 = ＊＊6＊＊**",
    ),
    "a long title is no heading": (
        "en",
        None,
        Card(title=said("Who? " * 40), body=(said("x"),)),
        "",
        f"{('Who? ' * 40).strip()}  \nx",
    ),
    "no title": ("en", None, Card(title=said("")), "", "**–**"),
    "somebody is named": (
        "zh_CN",
        person("小王", "wang01"),
        Card(title=said("t")),
        "",
        "@小王  \n**t**",
    ),
    "lines and paragraphs": (
        "en",
        said("a\nb\r\nc\u2028d\n\n\ne \n"),
        Card(title=said("t")),
        "",
        "a  \nb  \nc  \nd\n\n\ne  \n**t**",
    ),
    "set in": (
        "en",
        said("a\n    b\n\tc"),
        Card(title=said("t")),
        "",
        "a  \n\xa0\xa0\xa0\xa0b  \n\xa0\xa0\xa0\xa0c  \n**t**",
    ),
}


@pytest.mark.parametrize(
    ("locale", "words", "card", "call", "expected"), MESSAGES.values(), ids=MESSAGES
)
def test_a_card_in_markdown(
    locale: Locale, words: Words | None, card: Card, call: str, expected: str
) -> None:
    assert markdown_of(words, card, READER[locale], call) == expected


TEXTS: dict[str, tuple[Words, str, str]] = {
    "words": (said("已签到"), "", "已签到"),
    "as they are": (
        said("# **a** [b](http://c) <d> 1. > - \\"),
        "",
        "# **a** [b](http://c) <d> 1. > - \\",
    ),
    "two lines": (lines(said("a"), said("- b")), "", "a\n- b"),
    "other line ends": (said("a\r\nb\rc\u2028d\x0be"), "", "a\nb\nc\nd\ne"),
    "what no screen shows": (said("a\x00\x07b\x7f"), "", "ab"),
    "somebody is named": (person("小王", "wang01"), "班长", "@小王"),
    "nothing at all": (said(" \n"), "", "–"),
}


@pytest.mark.parametrize(("words", "call", "expected"), TEXTS.values(), ids=TEXTS)
def test_words_alone_are_a_text(words: Words, call: str, expected: str) -> None:
    (one,) = encode.messages(words, None, CHINESE, call)
    assert one == encode.Message("sampleText", {"content": expected})
    check_message(one)


def test_where_we_say_me_people_type_our_name() -> None:
    sentences = Catalogue("zh_CN")._sentences
    key = next(key for key, forms in sentences.items() if "@我 " in str(forms[0]))
    (here,) = encode.messages(text(key, **_filled(key)), None, CHINESE, "小班")
    (direct,) = encode.messages(text(key, **_filled(key)), None, CHINESE)
    assert "@小班 " in here.said
    assert here.said.replace("@小班 ", "@我 ") == direct.said


def _filled(key: str) -> dict[str, str]:
    pieces = Catalogue("zh_CN")._sentences[key][0]
    return {name: "x" for _, name in pieces if name}


def test_what_a_list_of_conversations_shows() -> None:
    """Not the beginning of some markup, and not always the same."""
    long = Card(title=said("图书馆 **几点** 开门\n" * 9))
    (one,) = encode.messages(None, long, CHINESE)
    title = one.msg_param["title"]
    assert title.startswith("图书馆 **几点** 开门 图书馆")
    assert title.endswith("…")
    assert len(title) <= encode.TITLE_CHARACTERS
    assert encode.title_of(QUERY, CHINESE) == "Q7 等回复"


def test_a_quotation_of_a_message_is_known() -> None:
    """DingTalk gives markdown back as it was sent, or as its words."""
    said_ = markdown_of(
        None, QUERY.model_copy(update={"body": (said("*几点* 开门_?"), said("# x"))})
    )
    asked = said_.replace("Q7 words", "words").replace("认领 Q7", "认领")
    for quoted in (asked, looks(asked).text, "\n".join(seen(asked))):
        assert handle_of("cid1", quoted) == handle_of("cid1", asked) != ""


# --- nobody's text is anything but text

HOSTILE = {
    **{f"sign {place}": sign for place, sign in enumerate(SIGNS) if sign.strip()},
    "a link in markdown": "[点这里领工资](http://evil.example)",
    "a link whose address stands elsewhere": "[bank][1]\n\n[1]: http://evil.example",
    "a picture": "![x](http://evil.example/pixel.png)",
    "an address in signs": "<http://evil.example>",
    "a colour": '<font color="#ff0000">紧急</font>',
    "a command in a link": "[签到](dtmd://dingtalkclient/sendMessage?content=x)",
    "a heading in a list": "- # 通知\n1. ## 通知",
    "headings": "# a\n## b\n#c\n  ### d\n####### e\n\u3000# f",
    "a heading without words": "a\n#",
    "a heading above a line": "通知\n---\n通知\n===\n通知\n-",
    "a table": "| a | b |\n|---|---|\n| 1 | 2 |",
    "a table without edges": "a|b\n-|-\n1|2",
    "a table with colons": "a|b\n:-|-:\n1|2\n|a|\n|:|",
    "a quotation of somebody else's": "> 经理：明天放假\n  > a\n>> b",
    "lists": "- a\n+ b\n* c\n1. d\n2) e\n   - f\n12345678. g\n-\n+\n1.\na\n- b",
    "a list of tasks": "- [ ] a\n- [x] b",
    "a fence": "```\n**x**\n```",
    "a fence of waves": "~~~\nx\n~~~",
    "code set in": "a\n\n    x = 1\n\ty = 2",
    "struck": "~~不算~~ ~x~",
    "an underline that shouts": "__紧急__ _x_ a_b_c _",
    "bold in bold": "***x*** ****y****",
    "lines": "* * *\n- - -\n_ _ _\n---\n***\n___\n--\n- - a",
    "entities": "&lt;@all&gt; &#35; x &#42;&#42;y&#42;&#42; &#x2a;",
    "comments": "<!-- x --><?php x?><![CDATA[x]]>",
    "backslashes": "\\*a\\* \\[b\\](c) d\\\ne\\ \\\\ \\_ C:\\dir\\[x] \\",
    "other line ends": "a\r# b\r\n> c\u2028- d\x0b1. e\x85+ f\x1c# g",
    "what no screen shows": "a\x00#\x07 b\n\x7f# c\n\x08- d",
    "blanks behind": "a  \nb \t\n \nc",
}


@pytest.mark.parametrize("typed", HOSTILE.values(), ids=HOSTILE)
def test_what_is_typed_is_nothing_but_words(typed: str) -> None:
    words = lines(said(typed), person(typed, "wang01"), said(typed))
    field = CardField(label=said(typed), value=said(typed))
    card = Card(
        title=said(typed),
        body=(words,),
        fields=(field,),
        buttons=(button(label=said(typed)), button(words=typed)),
    )
    title = encode.marked(encode._one_line(plain.flat(card.title, ENGLISH)))
    check_markdown(markdown_of(words, card, ENGLISH, "班长"), title)
    variables = encode.card_variables(words, card, ENGLISH, "班长")
    for name in ("title", "body", "hint"):
        check_markdown(variables[name])
        assert not looks(variables[name]).marks
    for body in encode.by_webhook(words, card, ENGLISH, "班长", mentions=True):
        check_markdown(said_in(body), title)


@pytest.mark.parametrize("typed", HOSTILE.values(), ids=HOSTILE)
def test_every_line_ends_where_it_did(typed: str) -> None:
    """No line of it is lost, and none runs on in the next; every letter is still there."""
    shown = seen(encode.marked(typed))
    typed_lines = re.split("\r\n|[\n\r\x0b\x1c\x85\u2028]", typed)
    kept = [line for line in typed_lines if letters(line)]
    assert [letters(line) for line in shown if letters(line)] == [letters(line) for line in kept]


def letters(typed: str) -> str:
    """All that is no sign; one that stands for another counts as a letter with Unicode."""
    return "".join(one for one in typed if one.isalnum() and one != "ˋ")


def test_plain_signs_stay_readable() -> None:
    """What cannot be written as it is is written with a sign that looks alike."""
    typed = "a_b 2*3 C# [x] #1 1-2 x=y 9~5 a & b 3 < 4 > 2\n-5°C\n1.5 h\n+8\n:)"
    assert encode.marked(typed).split("  \n") == [
        "a_b 2＊3 C＃ [x] #1 1-2 x=y 9~5 a & b 3 < 4 ＞ 2",
        "-5°C",
        "1.5 h",
        "+8",
        ":)",
    ]


@given(st.text())
def test_any_text_is_nothing_but_words(typed: str) -> None:
    marked = encode.marked(typed)
    check_markdown(marked)
    assert letters("".join(seen(marked))) == letters(encode._seen(typed))
    assert encode.marked(marked) == marked.strip("\n")


@given(
    st.lists(st.sampled_from([*"#>-+*_~`|:=.)(\\[]!<&;1a \t\n", "好", "&#42;", "\u3000"])).map(
        "".join
    )
)
def test_any_signs_are_nothing_but_words(typed: str) -> None:
    marked = encode.marked(typed)
    check_markdown(marked)
    title = encode._one_line(typed)
    check_markdown(f"**{encode.marked(title)}**  \n{marked}", encode.marked(title))


@settings(deadline=None, max_examples=20)
@given(st.none() | WORDS, st.none() | CARDS, READERS, st.sampled_from(["", "班长"]))
def test_anything_keeps_within_dingtalks_limits(
    words: Words | None, card: Card | None, reader: Reader, call: str
) -> None:
    messages = encode.messages(words, card, reader, call)
    for one in messages:
        check_message(one)
        assert len(one.said.encode()) <= encode.TEXT_BYTES
    if card is not None and len(messages) == 1:
        title = encode._one_line(plain.flat(card.title, reader))
        bold = encode.marked(title) if len(title) <= encode.BOLD_CHARACTERS else None
        check_markdown(messages[0].said, bold)
    everybody = encode._ringable(encode.mentioned(words, card, reader))
    check_bodies(encode.by_webhook(words, card, reader, call, mentions=True), everybody)
    quiet = encode.by_webhook(words, card, reader, call, mentions=False)
    check_bodies(quiet, ())
    assert [said_in(one) for one in quiet] == [one.said for one in messages]


@settings(deadline=None, max_examples=20)
@given(WORDS, READERS)
def test_no_letter_is_lost(words: Words, reader: Reader) -> None:
    whole = letters(encode._seen(plain.flat(words, reader)))
    assert letters("".join(one.said for one in encode.messages(words, None, reader))) == whole
    card = Card(title=said("t"), body=(words,))
    pieces = [one.said for one in encode.messages(None, card, reader)]
    assert letters("".join(pieces)) == f"t{whole}"
    assert letters(encode.card_variables(words, None, reader)["body"]) == whole


@settings(max_examples=40)
@given(
    st.text(max_size=200), st.sampled_from([*SIGNS, "_b", "- ", "1. ", "---"]), st.integers(0, 40)
)
def test_a_cut_makes_no_sign_of_what_was_none(typed: str, sign: str, before: int) -> None:
    """A piece that begins in the middle of a line begins no heading and no list."""
    whole = "x" * (encode.TEXT_BYTES - before - 8) + sign + typed + "# x_"
    card = Card(title=said("t"), body=(said(whole),))
    first, *pieces = (one.said for one in encode.messages(None, card, ENGLISH))
    check_markdown(first, "t")
    for one in pieces:
        check_markdown(one)


@pytest.mark.parametrize("size", [1, 40, 41, 120, 121, 1566, 1567, 4700, 4701, 20_000])
@pytest.mark.parametrize("letter", ["a", "好", "é", "😀", "*", "<a", "\n", " ", '"', "\\"])
def test_extreme_sizes_keep_within_every_limit(size: int, letter: str) -> None:
    words = said(letter * size)
    card = Card(
        title=words,
        body=(words,),
        fields=(CardField(label=words, value=words),) * 3,
        buttons=(button(label=words), button(words=letter * size)),
    )
    for shown in (None, card):
        for one in encode.messages(words, shown, CHINESE, "班长"):
            check_message(one)
        check_bodies(encode.by_webhook(words, shown, CHINESE, "班长", mentions=True), ())
    encode.card_variables(words, card, CHINESE, "班长")


def test_the_pieces_of_a_long_text_are_the_text() -> None:
    whole = "\n".join(f"{number} {NASTY}" for number in range(200))
    pieces = [one.said for one in encode.messages(said(whole), None, CHINESE)]
    assert len(pieces) > 3
    assert "\n".join(pieces) == whole


# --- phones that ring


def test_whom_we_name_is_mentioned_for_real_and_nobody_else() -> None:
    words = lines(
        person("小王", "wang01"),
        person("客人", None),
        person("@所有人", ""),
        said("@小林 @lin02 @all @所有人"),
        person("小王", "wang01"),
    )
    (body,) = encode.by_webhook(words, None, CHINESE, "班长", mentions=True)
    check_bodies([body], {"wang01"})
    assert body == {
        "msgtype": "text",
        "text": {"content": "@wang01 \n@客人\n@@所有人\n@小林 @lin02 @all @所有人\n@wang01"},
        "at": {"atUserIds": ["wang01"], "isAtAll": False},
    }
    (quiet,) = encode.by_webhook(words, None, CHINESE, "班长", mentions=False)
    assert quiet["text"]["content"].startswith("@小王\n")
    assert quiet["at"] == {"atUserIds": [], "isAtAll": False}


@pytest.mark.parametrize(
    ("after", "expected"),
    {" Q1": "@wang01 Q1", "Q1": "@wang01 Q1", "": "@wang01", "  Q1": "@wang01  Q1"}.items(),
)
def test_one_blank_stands_behind_a_real_mention(after: str, expected: str) -> None:
    words = lines(person("小王", "wang01"), said(after), separator="")
    (body,) = encode.by_webhook(words, None, CHINESE, mentions=True)
    check_bodies([body], {"wang01"})
    assert said_in(body) == expected


def test_blanks_behind_other_names_stay_as_they_are() -> None:
    words = lines(person("小王 ", ""), said(" Q1"), separator="")
    (body,) = encode.by_webhook(words, None, CHINESE, mentions=True)
    assert said_in(body) == "@小王  Q1"


def test_whom_a_card_names_is_mentioned_too() -> None:
    card = Card(
        title=person("甲", "jia"),
        body=(person("乙", "yi"),),
        fields=(CardField(label=said("谁"), value=person("丙", "bing")),),
        buttons=(button(),),
    )
    (body,) = encode.by_webhook(None, card, CHINESE, "班长", mentions=True)
    check_bodies([body], {"jia", "yi", "bing"})
    assert body["msgtype"] == "markdown"
    assert body["markdown"]["title"] == "@甲"
    assert body["markdown"]["text"] == ("**@jia**  \n@yi  \n谁：@bing  \n@班长 发送：认领 Q7")
    assert encode.mentioned(None, card, CHINESE) == {"jia": "甲", "yi": "乙", "bing": "丙"}


@pytest.mark.parametrize("card", [None, QUERY], ids=["words", "a card"])
def test_a_long_text_rings_once_and_at_its_end(card: Card | None) -> None:
    words = lines(person("小王", "wang01"), said("好" * 4000))
    bodies = encode.by_webhook(words, card, CHINESE, "班长", mentions=True)
    check_bodies(bodies, {"wang01"})
    assert len(bodies) > 2
    assert said_in(bodies[0]).startswith("@小王")
    assert said_in(bodies[-1]).endswith("\n@wang01")


def test_what_has_no_room_for_mentions_has_a_body_of_its_own_for_them() -> None:
    room = encode.TEXT_BYTES - 2
    words = lines(said("x" * (2 * room - len("\n@小王".encode()))), person("小王", "wang01"))
    bodies = encode.by_webhook(words, None, CHINESE, mentions=True)
    check_bodies(bodies, {"wang01"})
    assert [len(said_in(one).encode()) for one in bodies[:-1]] == [room, room]
    assert said_in(bodies[-1]) == "@wang01"


@pytest.mark.parametrize("odd", ["_x_", "a_", "a b", "<b", "a*b", "a\n", "", "a](b", "a>b", "~~"])
def test_an_id_that_would_be_markup_mentions_nobody(odd: str) -> None:
    card = Card(title=said("t"), body=(person("小王", odd),))
    (body,) = encode.by_webhook(None, card, CHINESE, mentions=True)
    check_bodies([body], ())
    assert said_in(body) == "**t**  \n@小王"


@pytest.mark.parametrize("known", ["wang01", "manager8031", "0123-456", "a.b@c.com", "A_1"])
def test_an_ordinary_id_mentions_its_owner(known: str) -> None:
    assert encode._ringable([known]) == (known,)


# --- interactive cards


def test_a_card_of_the_template() -> None:
    variables = encode.card_variables(said("有人提问"), QUERY, CHINESE)
    assert variables == {
        "title": "Q7 等回复",
        "body": "有人提问  \n图书馆几点开门？  \n班组：一班  \n截止：09:00",
        "hint": "",
        "button1": "认领",
        "press1": '{"command":"claim","arguments":{"query":"Q7"}}',
        "button2": "回复",
        "press2": '{"command":"reply","arguments":{"query":"Q7"}}',
        **{f"{name}{place}": "" for place in range(3, 7) for name in ("button", "press")},
    }
    assert screen(variables) == (
        "Q7 等回复\n有人提问\n图书馆几点开门？\n班组：一班\n截止：09:00\n[认领] [回复]"
    )


def test_buttons_that_a_card_has_no_room_for() -> None:
    many = tuple(button(query=f"Q{number}") for number in range(1, 9))
    variables = encode.card_variables(None, Card(title=said("t"), buttons=many), CHINESE, "班长")
    assert screen(variables) == (
        "t\n@班长 发送：认领 Q7 · 认领 Q8\n[认领] [认领] [认领] [认领] [认领] [认领]"
    )


def test_buttons_that_are_none() -> None:
    card = Card(
        title=said(" "),
        buttons=(
            button(label=said(" ")),
            button(label=said("again")),
            button(words="w" * 1024),
            REPLY,
        ),
    )
    variables = encode.card_variables(None, card, ENGLISH)
    assert screen(variables) == f"–\nType: claim {'w' * 1024}\n[–] [reply]"


@pytest.mark.parametrize(
    ("letters", "fits"), [(encode.CARD_BYTES - 1, True), (encode.CARD_BYTES, False)]
)
def test_what_is_too_long_for_a_card(letters: int, fits: bool) -> None:
    card = Card(title=said("t"), body=(said("x" * letters),), buttons=(button(),))
    assert encode.fits_card(encode.card_variables(None, card, CHINESE)) is fits


def test_a_settled_card_has_nothing_to_press() -> None:
    settled = QUERY.model_copy(update={"buttons": ()})
    assert not keys(encode.card_variables(None, settled, CHINESE))
    assert not any(encode.card_variables(None, None, CHINESE)[f"button{n}"] for n in range(1, 7))


@settings(deadline=None, max_examples=20)
@given(st.none() | WORDS, CARDS, READERS)
def test_every_button_can_be_pressed_or_typed(
    words: Words | None, card: Card, reader: Reader
) -> None:
    variables = encode.card_variables(words, card, reader, "班长")
    assert all(isinstance(value, str) for value in variables.values())
    for name in ("title", "body", "hint"):
        check_markdown(variables[name])
    assert all(label.strip() and "\n" not in label for label, _ in buttons(variables))
    pressed = keys(variables)
    assert len(pressed) <= encode.CARD_BUTTONS
    carried = {one.dumped() for one in pressed}
    assert len(carried) == len(pressed)
    hint = letters(variables["hint"])
    for one in plain.buttons_of(card):
        typed = letters(encode._seen(plain.typed_hint(one, reader)))
        assert pressed_by(one) in carried or typed in hint


def test_the_template_is_what_is_written_down() -> None:
    """Whoever builds it has nothing but this page."""
    template = json.loads(TEMPLATE.read_text(encoding="utf-8"))
    declared = {one["name"]: one for one in template["variables"]}
    assert list(declared) == list(encode.card_variables(None, None, CHINESE))
    for one in declared.values():
        assert set(one) == {"name", "type", "example", "zh", "en"}
        assert one["type"] in ("string", "markdown")
    components = template["components"]
    assert [one["shows"] for one in components] == [
        "${title}",
        "${body}",
        "${hint}",
        *(f"${{button{place}}}" for place in range(1, encode.CARD_BUTTONS + 1)),
    ]
    for place, one in enumerate(components[3:], 1):
        assert one["visible_when_not_empty"] == f"button{place}"
        assert one["event"] == "回传请求"
        assert one["actionId"] == f"press{place}"
        assert one["params"] == {"press": f"${{press{place}}}"}
    for part in ("about", "clicks", "unverified"):
        assert set(template[part]) == {"zh", "en"}
        assert len(template[part]["zh"]) > 0
    assert len(template["clicks"]["zh"]) == len(template["clicks"]["en"])
    assert Pressed.loaded(declared["press1"]["example"]) is not None


@pytest.mark.parametrize("locale", LOCALES)
def test_what_people_are_to_type_is_written_as_they_type_it(locale: Locale) -> None:
    """A sign that only looks alike, typed as it is read, would be no command."""
    sentences = Catalogue(locale)._sentences
    typed = [key for key in sentences if key.startswith("verbs.") or ".typed" in key]
    assert len(typed) > 40
    for key in typed:
        for form in sentences[key]:
            line = "".join(piece for piece, _placeholder in form)
            assert encode.marked(line) == line.strip(), key
