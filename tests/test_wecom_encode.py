"""What the bot says becomes what WeCom takes, whatever is in it, and reads well."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters import plain
from adapters.carried import Pressed
from adapters.marks import without_signs, without_tags
from adapters.naming import message_number
from adapters.wecom import encode
from bot.messages import (
    LOCALES,
    Address,
    Button,
    Card,
    CardField,
    File,
    Locale,
    Menu,
    Outgoing,
    Reader,
    Words,
    lines,
)
from bot.words import Catalogue
from tests.cards import CHINESE, ENGLISH, QUERY, READER, REPLY, button, person, said
from tests.made_up import CARDS, NASTY, READERS, SIGNS, WORDS
from tests.wecom_screen import (
    MARKDOWN_BYTES,
    TAG,
    check_markdown,
    check_pressable,
    check_robot,
    check_shown,
    check_text,
    keys,
    screen,
)

Json = dict[str, Any]

PERSON = Address(platform="wecom", kind="person", id="wangmin")


def outgoing(words: Words | None = None, card: Card | None = None, **more: Any) -> Outgoing:
    return Outgoing(address=PERSON, words=words, card=card, **{"message_id": 7, **more})


# --- what a person sees

SCREENS: dict[str, tuple[Locale, Outgoing, str]] = {
    "words": ("zh_CN", outgoing(said("已签到")), "已签到"),
    "a card with nothing to press": (
        "en",
        outgoing(None, QUERY.model_copy(update={"buttons": ()})),
        "Q7 等回复\n图书馆几点开门？\n班组: 一班\n截止: 09:00",
    ),
    "a card": (
        "zh_CN",
        outgoing(said("有人提问"), QUERY),
        "Q7 等回复\n有人提问\n图书馆几点开门？\n班组 一班\n截止 09:00\n[认领] [回复]",
    ),
    "a card in English": (
        "en",
        outgoing(None, QUERY),
        "Q7 等回复\n图书馆几点开门？\n班组 一班\n截止 09:00\n[claim] [reply]",
    ),
    "a long question stands above": (
        "zh_CN",
        outgoing(None, QUERY.model_copy(update={"body": (said("问" * 200),)})),
        f"Q7 等回复\n{'问' * 200}\n班组：一班\n截止：09:00\nQ7 等回复\n[认领] [回复]",
    ),
    "a long title is shortened where it is a title": (
        "en",
        outgoing(None, Card(title=said("Who " * 20), buttons=(button(),))),
        f"{('Who ' * 12).strip()} Wh…\n{('Who ' * 20).strip()}\n[claim]",
    ),
    "a long fact stands among the words": (
        "en",
        outgoing(
            None,
            Card(
                title=said("Q7"),
                fields=(CardField(label=said("A long label"), value=said("v")),),
                buttons=(button(),),
            ),
        ),
        "Q7\nA long label: v\n[claim]",
    ),
    "seven facts": (
        "en",
        outgoing(
            None,
            Card(
                title=said("t"),
                fields=tuple(CardField(label=said(f"{n}"), value=said("v")) for n in range(7)),
                buttons=(button(),),
            ),
        ),
        "t\n6: v\n0 v\n1 v\n2 v\n3 v\n4 v\n5 v\n[claim]",
    ),
    "seven buttons": (
        "zh_CN",
        outgoing(
            None,
            Card(title=said("t"), buttons=tuple(button(query=f"Q{n}") for n in range(1, 8))),
        ),
        "t\n发送：认领 Q7\n[认领] [认领] [认领] [认领] [认领] [认领]",
    ),
    "the same twice is one button": (
        "en",
        outgoing(None, Card(title=said("t"), buttons=(button(), button(label=said("Mine"))))),
        "t\n[claim]",
    ),
    "a button that carries too much": (
        "en",
        outgoing(None, Card(title=said("t"), buttons=(button(words="w" * 1024), button()))),
        f"t\nType: claim {'w' * 1024}\nt\n[claim]",
    ),
    "a menu's choices": (
        "en",
        outgoing(
            None,
            Card(title=said("t"), menus=(Menu(label=said("More"), choices=(button(), REPLY)),)),
        ),
        "t\n[claim] [reply]",
    ),
    "nothing at all": ("en", outgoing(said(" \n")), "–"),
    "blanks": (
        "en",
        outgoing(
            said(" "),
            Card(
                title=said(" "),
                body=(said("\n"),),
                fields=(CardField(label=said(""), value=said("")),),
                buttons=(button(label=said(" ")),),
            ),
        ),
        "–\n:\n[–]",
    ),
    "somebody is named": ("zh_CN", outgoing(person("小王", "wangmin")), "@小王"),
}


@pytest.mark.parametrize(("locale", "message", "seen"), SCREENS.values(), ids=SCREENS)
def test_what_a_person_sees(locale: Locale, message: Outgoing, seen: str) -> None:
    shown = encode.direct(message, READER[locale])
    check_shown(shown)
    assert screen(shown) == seen


IN_A_GROUP = {
    "zh_CN": "**Q7 等回复**\n图书馆几点开门？\n班组：一班\n截止：09:00",
    "en": "**Q7 等回复**\n图书馆几点开门？\n班组: 一班\n截止: 09:00",
}
GROUPS: dict[str, tuple[Locale, Words | None, Card | None, str]] = {
    "words": ("zh_CN", said("小王 到岗 09:00"), None, "小王 到岗 09:00"),
    "a card": (
        "zh_CN",
        None,
        QUERY,
        f"{IN_A_GROUP['zh_CN']}\n@班长 发送：认领 Q7 · reply Q7 words",
    ),
    "a card in English, with words": (
        "en",
        said("A question"),
        QUERY,
        f"A question\n{IN_A_GROUP['en']}\nMention @班长 and type: claim Q7 · reply Q7 words",
    ),
    "a title with signs": (
        "en",
        None,
        Card(title=said(" 2 * 3 \n= **6** ")),
        "**2 ＊ 3 = ＊＊6＊＊**",
    ),
    "no title": ("en", None, Card(title=said("")), "**–**"),
    "somebody is named": ("zh_CN", person("小王", "wangmin"), None, "@小王"),
    "nothing at all": ("en", said(""), None, "–"),
}


@pytest.mark.parametrize(("locale", "words", "card", "seen"), GROUPS.values(), ids=GROUPS)
def test_what_a_group_sees(
    locale: Locale, words: Words | None, card: Card | None, seen: str
) -> None:
    (piece,) = encode.group(words, card, READER[locale], "班长")
    assert piece == seen


def test_what_a_group_robot_writes() -> None:
    words = lines(said("**快到期了**"), person("小王", "wangmin"))
    (body,) = encode.by_robot(words, QUERY, CHINESE, "班长")
    assert body == {
        "content": (
            "**快到期了**\n@小王\nQ7 等回复\n图书馆几点开门？\n班组：一班\n截止：09:00\n"
            "@班长 发送：认领 Q7 · reply Q7 words"
        ),
        "mentioned_list": ["wangmin"],
    }


# --- nobody's text is anything but text

HOSTILE = {
    **{sign: sign for sign in SIGNS if sign.strip()},
    "a link in markdown": "[点这里领工资](http://evil.example)",
    "a link whose address stands elsewhere": "[bank][1]\n\n[1]: http://evil.example",
    "a picture": "![x](http://evil.example/pixel.png)",
    "an address in signs": "<http://evil.example>",
    "colour": '<font color="warning">紧急</font>',
    "a mention": "<@wangmin> <@all>",
    "a heading in a list": "- # 通知\n1. ## 通知",
    "a heading without words": "a\n#",
    "a heading above a line": "通知\n---",
    "a table": "| a | b |\n|---|---|\n| 1 | 2 |",
    "a table without edges": "a|b\n-|-",
    "a quotation of somebody else's": "> 经理：明天放假",
    "a fence": "```\n**x**\n```",
    "a fence of waves": "~~~\nx\n~~~",
    "struck": "~~不算~~",
    "an underline that shouts": "__紧急__ _x_ a_b_c",
    "bold in bold": "***x*** ****y****",
    "a line": "* * *\n- - -\n_ _ _",
    "entities": "&lt;@all&gt; &#35; x &#42;&#42;y&#42;&#42;",
    "a comment": "<!-- x --><?php x?>",
}


@pytest.mark.parametrize("typed", HOSTILE.values(), ids=HOSTILE)
def test_what_is_typed_is_nothing_but_words(typed: str) -> None:
    words = lines(said(typed), person(typed, "wangmin"), said(typed))
    for one in encode.group(words, None, ENGLISH, "班长"):
        check_markdown(one)
    card = Card(title=said(typed), body=(words,), buttons=(button(label=said(typed)),))
    check_shown(encode.direct(outgoing(words, card), ENGLISH))
    for one in encode.as_markdown(encode.texts_of(words, card, ENGLISH)):
        check_markdown(one)
    (titled,) = encode.group(words, card, ENGLISH, "班长")
    title = plain.joined([said(typed)], ENGLISH)
    check_markdown(titled, without_signs(encode._line(title)))


def test_plain_signs_stay_readable() -> None:
    """What cannot be written as it is is written with a sign that looks alike."""
    typed = "a_b 2*3 C# [x] #1 1-2 x=y ~5 a & b 3 < 4 > 2"
    (one,) = encode.group(said(typed), None, ENGLISH, "班长")
    assert one == "a_b 2＊3 C＃ [x] #1 1-2 x=y ~5 a & b 3 < 4 ＞ 2"
    (direct,) = encode.texts_of(said(typed), None, ENGLISH)
    assert direct == typed


@settings(deadline=None, max_examples=60)
@given(st.none() | WORDS, CARDS, READERS)
def test_any_card_keeps_within_wecoms_limits(
    words: Words | None, card: Card, reader: Reader
) -> None:
    message = outgoing(words, card)
    shown = encode.direct(message, reader)
    check_shown(shown)
    for one in encode.as_markdown(shown.texts):
        check_markdown(one)
    changed = encode.changed(message, reader)
    if changed is not None:
        check_pressable(changed)
    title = without_signs(encode._line(plain.flat(card.title, reader)))
    pieces = encode.group(words, card, reader, "班长")
    for one in pieces:
        check_text(one, MARKDOWN_BYTES)
    if len(pieces) == 1:
        check_markdown(pieces[0], title)
    check_robot(encode.by_robot(words, card, reader, "班长"), named_in(words, card, reader))
    said_back = encode.response(words, card, reader)
    if said_back is not None:
        check_text(said_back)
        assert shown == encode.Shown((said_back,))


def named_in(words: Words | None, card: Card | None, reader: Reader) -> set[str]:
    """The accounts of those who are named by a mention, and not by what somebody typed."""
    parts = [*plain.parts_of(words, card), plain.hint(plain.buttons_of(card), reader, "班长")]
    spans = [span for part in parts if part is not None for span in reader.spans(part)]
    return {span.user_id for span in spans if span.kind == "mention" and span.user_id}


@settings(deadline=None)
@given(WORDS, READERS)
def test_any_words_keep_within_wecoms_limits(words: Words, reader: Reader) -> None:
    for one in (words, lines(words, words, words)):
        texts = encode.texts_of(one, None, reader)
        for piece in texts:
            check_text(piece)
        for piece in encode.group(one, None, reader, "班长"):
            check_markdown(piece)
        whole = without_tags(plain.flat(one, reader))
        assert letters("".join(texts)) == (letters(whole) or encode.NOTHING)


def letters(said: str) -> str:
    """All but the blanks, which may be lost where a message ends."""
    return "".join(said.split())


@given(st.text(max_size=400), st.sampled_from(SIGNS), st.integers(0, 40))
def test_a_cut_makes_no_sign_of_what_was_none(said_: str, sign: str, before: int) -> None:
    """A piece that begins in the middle of a line begins no heading."""
    whole = "x" * (MARKDOWN_BYTES - before) + sign + said_ + "# x"
    for one in encode.group(said(whole), None, ENGLISH, "班长"):
        check_markdown(one)


@settings(deadline=None, max_examples=40)
@given(CARDS, READERS)
def test_every_button_can_be_pressed_or_typed(card: Card, reader: Reader) -> None:
    shown = encode.direct(outgoing(None, card), reader)
    pressed = keys(shown.card)
    assert len(pressed) == len(shown.card["button_list"]) if shown.card else not pressed
    whole = letters(screen(shown))
    for one in plain.buttons_of(card):
        carried = Pressed(command=one.command, arguments=one.arguments)
        typed = letters(without_tags(plain.typed_hint(one, reader)))
        assert carried in pressed or typed in whole


@settings(deadline=None)
@given(CARDS, READERS)
def test_a_cards_name_is_its_messages(card: Card, reader: Reader) -> None:
    """The same when it is sent again, another for another message, and it tells which."""
    first, again = (encode.direct(outgoing(None, card), reader).card for _ in range(2))
    other = encode.direct(outgoing(None, card, message_id=8), reader).card
    if first is not None and again is not None and other is not None:
        assert first["task_id"] == again["task_id"] != other["task_id"]
        assert message_number(first["task_id"]) == 7


# --- longest things


@pytest.mark.parametrize("size", [1, 52, 53, 224, 225, 682, 683, 2048, 2049, 20_481, 70_000])
@pytest.mark.parametrize("letter", ["a", "好", "😀", "*", "<a", "\n", " "])
def test_extreme_sizes_keep_within_every_limit(size: int, letter: str) -> None:
    words = said(letter * size)
    card = Card(
        title=words,
        body=(words,),
        fields=(CardField(label=words, value=words),) * 8,
        buttons=(button(label=words), button(words=letter * size)),
    )
    check_shown(encode.direct(outgoing(words, card), CHINESE))
    for one in encode.group(words, card, CHINESE, "班长"):
        check_text(one, MARKDOWN_BYTES)
    check_robot(encode.by_robot(words, card, CHINESE, "班长"), set())


@pytest.mark.parametrize(("bytes_", "fits"), [(1024, True), (1025, False)])
def test_a_key_of_the_longest_kind(bytes_: int, fits: bool) -> None:
    empty = len(Pressed(command="claim", arguments={"query": ""}).dumped())
    one = button(query="q" * (bytes_ - empty))
    shown = encode.direct(outgoing(None, Card(title=said("t"), buttons=(one,))), ENGLISH)
    assert bool(keys(shown.card)) is fits
    assert (f"claim {one.arguments['query']}" in screen(shown)) is not fits


def test_the_pieces_of_a_long_text_are_the_text() -> None:
    whole = "\n".join(f"{number} {NASTY}" for number in range(200))
    texts = encode.texts_of(said(whole), None, CHINESE)
    assert len(texts) > 5
    assert "".join(texts) == without_tags(whole).strip()
    assert all(one.endswith("\n") for one in texts[:-1])


# --- phones that ring


def test_a_robot_rings_whom_we_name_and_nobody_else() -> None:
    words = lines(
        person("小王", "wangmin"),
        person("客人", None),
        person("@all", ""),
        said("@小林 <@lin> @all"),
        person("小王", "wangmin"),
    )
    (body,) = encode.by_robot(words, None, CHINESE, "班长")
    assert body["mentioned_list"] == ["wangmin"]
    assert not TAG.search(body["content"])


def test_a_robot_rings_once_for_a_long_text() -> None:
    words = lines(person("小王", "wangmin"), said("好" * 3000))
    bodies = encode.by_robot(words, QUERY, CHINESE, "班长")
    assert len(bodies) > 4
    assert [one.get("mentioned_list") for one in bodies[:-1]] == [None] * (len(bodies) - 1)
    check_robot(bodies, {"wangmin"})


def test_whom_a_card_names_is_rung_too() -> None:
    card = Card(
        title=person("甲", "jia"),
        body=(person("乙", "yi"),),
        fields=(CardField(label=said("谁"), value=person("丙", "bing")),),
    )
    check_robot(encode.by_robot(None, card, CHINESE, "班长"), {"jia", "yi", "bing"})


# --- responses, changes, files


def test_a_response_says_what_needs_no_pressing() -> None:
    bare = QUERY.model_copy(update={"buttons": ()})
    assert encode.response(said("好"), bare, CHINESE) == (
        "好\nQ7 等回复\n图书馆几点开门？\n班组：一班\n截止：09:00"
    )
    assert encode.response(None, QUERY, CHINESE) is None
    assert encode.response(said("好" * 682), None, CHINESE) == "好" * 682
    assert encode.response(said("好" * 683), None, CHINESE) is None


def test_a_response_types_what_no_button_could_carry() -> None:
    card = Card(title=said("t"), buttons=(button(words="w" * 1024),))
    found = encode.response(None, card, ENGLISH)
    assert found is not None
    assert found.startswith("t\nType: claim w")


def test_a_card_that_is_changed() -> None:
    found = encode.changed(outgoing(said("left out"), QUERY), CHINESE)
    assert found is not None
    check_pressable(found)
    assert screen(encode.Shown((), found)) == (
        "Q7 等回复\n图书馆几点开门？\n班组 一班\n截止 09:00\n[认领] [回复]"
    )


@pytest.mark.parametrize(("locale", "grey"), [("zh_CN", "已处理"), ("en", "Done")])
def test_a_card_that_is_settled(locale: Locale, grey: str) -> None:
    """A card of buttons keeps one, and it is grey."""
    settled = QUERY.model_copy(update={"buttons": ()})
    found = encode.changed(outgoing(None, settled), READER[locale])
    assert found is not None
    check_pressable(found)
    assert found["replace_text"] == grey


def test_what_fits_on_no_card_changes_none() -> None:
    long = QUERY.model_copy(update={"body": (said("问" * 200),)})
    assert encode.changed(outgoing(None, long), CHINESE) is None
    assert encode.changed(outgoing(said("x")), CHINESE) is None


def test_a_file_as_words() -> None:
    file = File(name="工时.csv", content="姓名,小时\n小王,2")
    sent = outgoing(said("给你")).model_copy(update={"file": file})
    words = plain.without_file(sent).words
    assert words is not None
    found = plain.flat(words, CHINESE)
    assert found == "给你\n工时.csv：\n姓名,小时\n小王,2"


def test_styles_are_wecoms() -> None:
    card = Card(
        title=said("t"),
        buttons=tuple(
            Button(label=said(style), command=style, style=style)
            for style in ("primary", "plain", "danger")
        ),
    )
    shown = encode.direct(outgoing(None, card), ENGLISH)
    assert shown.card is not None
    styles = {one["text"]: one["style"] for one in shown.card["button_list"]}
    assert styles == {"primary": 1, "plain": 4, "danger": 3}
    assert set(styles.values()) <= {1, 2, 3, 4}


@pytest.mark.parametrize("locale", LOCALES)
def test_what_people_are_to_type_is_written_as_they_type_it(locale: Locale) -> None:
    """A sign that only looks alike, typed as it is read, would be no command."""
    sentences = Catalogue(locale)._sentences
    typed = [key for key in sentences if key.startswith("verbs.") or ".typed" in key]
    assert len(typed) > 40
    for key in typed:
        for form in sentences[key]:
            line = "".join(piece for piece, _placeholder in form)
            assert without_signs(line) == line, key
