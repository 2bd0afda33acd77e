"""Words, cards and readers, made up by chance: whatever the bot could be made to say."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TypeVar

from hypothesis import strategies as st

import handlers
from bot.messages import (
    LOCALES,
    Button,
    Card,
    CardField,
    Duration,
    Lines,
    Mention,
    Menu,
    Moment,
    Param,
    Text,
    Words,
    text,
)
from bot.words import reader_for
from tests.clock import MORNING

T = TypeVar("T")

NASTY = "<!channel> <@U9> <http://evil.example|bank> & *_~`王 班 长😀👩‍👩‍👧‍👦 >|"


def as_long_as(size: int) -> str:
    """Something that a person could type, of so many characters."""
    return (NASTY * (size // len(NASTY) + 1))[:size]


# What platforms could take for something else.
SIGNS = [
    *("", " ", "\n", "*", "<@U1>", "<!channel>", "&amp;", "<!date^1^{time}|x>"),
    *("<@all>", '<a href="http://evil.example">bank</a>', "[bank](http://evil.example)"),
    *("# pay day", "pay day\n===", "> pay", "**pay**", "__pay__", "***pay***", "`", "~~~", "]]>"),
]
SAID = st.one_of(
    st.text(max_size=30),
    st.sampled_from(SIGNS),
    st.builds(as_long_as, st.sampled_from([74, 76, 149, 151, 1999, 2001, 3001, 13_000])),
)
MOMENTS = st.builds(
    Moment,
    at=st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
    style=st.sampled_from(["when", "clock", "date"]),
)
MENTIONS = st.builds(
    Mention,
    person_id=st.integers(1, 9),
    name=SAID,
    user_id=st.sampled_from([None, "", "U1", "W0ABC123", "!channel", "U1>", "zhangsan"]),
)
DURATIONS = st.builds(Duration, seconds=st.integers(-(10**9), 10**9))
PARAMS: st.SearchStrategy[Param] = st.one_of(SAID, st.integers(), MENTIONS, MOMENTS, DURATIONS)
SENTENCES: st.SearchStrategy[Text] = st.one_of(
    st.builds(lambda one: text("said", words=one), PARAMS),
    st.builds(lambda one, other: text("answer.to", person=one, words=other), MENTIONS, PARAMS),
    st.builds(Text, key=SAID),
)
WORDS: st.SearchStrategy[Words] = st.one_of(
    SENTENCES,
    st.builds(
        lambda parts, separator: Lines(parts=tuple(parts), separator=separator),
        st.lists(SENTENCES, max_size=8),
        st.sampled_from(["\n", " / ", "", "<>&"]),
    ),
)
COMMANDS = st.sampled_from(sorted(one.name for one in handlers.COMMANDS))
ARGUMENTS = st.dictionaries(st.sampled_from(["query", "words", "reason"]), SAID, max_size=2)


def several(of: st.SearchStrategy[T], most: int) -> st.SearchStrategy[tuple[T, ...]]:
    """Few, or the same ones over and over: so many that they cannot all be shown."""
    few = st.lists(of, max_size=3)
    many = st.integers(1, most)
    return st.builds(lambda some, times: (tuple(some) * times)[:most], few, st.just(1) | many)


BUTTONS = st.builds(
    Button,
    label=WORDS,
    command=COMMANDS,
    arguments=ARGUMENTS,
    style=st.sampled_from(["plain", "primary", "danger"]),
    hint=st.none(),
)
MENUS = st.builds(Menu, label=WORDS, choices=several(BUTTONS, 120))
CARDS = st.builds(
    Card,
    title=WORDS,
    body=several(WORDS, 70),
    fields=several(st.builds(CardField, label=WORDS, value=WORDS), 70),
    buttons=several(BUTTONS, 90),
    menus=several(MENUS, 4),
)
READERS = st.builds(
    reader_for,
    st.sampled_from(LOCALES),
    st.sampled_from(["Asia/Shanghai", "America/New_York"]),
    st.just(MORNING),
)
