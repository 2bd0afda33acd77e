"""Sentences: from the catalogues, in the reader's language and zone, whole whatever happens."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.messages import (
    LOCALES,
    Answer,
    Duration,
    Locale,
    Mention,
    Moment,
    Reply,
    Words,
    lines,
    text,
    without_marks,
)
from bot.words import catalogue, every_word, reader_for, show_duration
from tests.clock import MORNING


def read(words: Words, locale: Locale = "en", zone: str = "Asia/Shanghai") -> str:
    return reader_for(locale, zone, MORNING).plain(words)


def test_what_people_typed_is_marked_as_theirs() -> None:
    spans = reader_for("en", "UTC", MORNING).spans(text("said", words="<!channel>"))
    assert [(one.kind, one.text) for one in spans] == [("theirs", "<!channel>")]


def test_braces_that_people_typed_are_no_placeholders() -> None:
    assert read(text("said", words="{words} {0} {")) == "{words} {0} {"


def test_a_mention_carries_the_account() -> None:
    mention = Mention(person_id=1, name="Wang", user_id="U1")
    (span,) = reader_for("en", "UTC", MORNING).spans(text("person", person=mention))
    assert (span.kind, span.text, span.user_id) == ("mention", "Wang", "U1")


def test_an_unknown_key_shows_itself() -> None:
    assert read(text("no.such.key")) == "no.such.key"


@pytest.mark.parametrize("locale", LOCALES)
def test_a_sentence_that_another_version_wrote_is_still_read(locale: Locale) -> None:
    """A message may wait in the outbox while the catalogues get another placeholder."""
    words = text("delivery.why", why="busy")
    assert "busy" in read(words, locale)
    assert "{attempts}" in read(words, locale)


def test_one_and_many() -> None:
    key = next(
        key
        for key, forms in catalogue("en")._sentences.items()
        if len(forms) > 1 and all(name in (None, "n") for form in forms for _text, name in form)
    )
    assert read(text(key, n=1)) != read(text(key, n=2)).replace("2", "1")


def test_moments_are_shown_where_the_reader_is() -> None:
    words = text("said", words=Moment(at=MORNING, style="clock"))
    zones = ("Asia/Shanghai", "UTC", "America/New_York")
    assert {zone: read(words, zone=zone) for zone in zones} == {
        "Asia/Shanghai": "09:00",
        "UTC": "01:00",
        "America/New_York": "20:00",
    }


def test_a_date_of_another_year_says_which() -> None:
    # In Shanghai the new year has begun.
    evening = datetime(2026, 12, 31, 20, 0, tzinfo=UTC)
    words = text("said", words=Moment(at=MORNING, style="date"))
    assert reader_for("en", "UTC", evening).plain(words) == "11-23"
    assert reader_for("en", "Asia/Shanghai", evening).plain(words) == "2026-11-23"


@pytest.mark.parametrize(
    ("seconds", "english", "chinese"),
    [
        (0, "0 s", "0 秒"),
        (59, "59 s", "59 秒"),
        (60, "1 min", "1 分钟"),
        (3600, "1 h", "1 小时"),
        (8100, "2 h 15 min", "2 小时 15 分钟"),
        (-8100, "2 h 15 min", "2 小时 15 分钟"),
        (90000, "25 h", "25 小时"),
    ],
)
def test_durations(seconds: int, english: str, chinese: str) -> None:
    assert show_duration(seconds, "en") == english
    assert show_duration(seconds, "zh_CN") == chinese


def test_both_languages_are_understood() -> None:
    assert {"checkin", "签到"} <= set(every_word("verbs.checkin"))
    assert "签到" in read(text("verbs.checkin.all"))


@given(st.text())
def test_nothing_that_is_typed_survives_as_a_mark_or_a_control_character(typed: str) -> None:
    kept = without_marks(typed)
    assert not set(kept) & {"\ue000", "\ue001", "\x00", "\x1b", "\r"}
    assert without_marks(kept) == kept


@given(st.text())
def test_a_stored_answer_reads_the_same(typed: str) -> None:
    clean = typed.encode("utf-8", "replace").decode()
    words = lines(text("said", words=clean), text("said", words="and that"), separator=" / ")
    reply = Reply(answer=Answer(words=words), locale="en", zone="UTC", at=MORNING)
    again = Reply.model_validate_json(reply.model_dump_json())
    assert again == reply
    assert read(words) == f"{clean} / and that"


def test_what_is_wrong_with_a_value_may_be_logged_the_value_may_not() -> None:
    with pytest.raises(ValueError, match="validation error") as wrong:
        Reply.model_validate_json('{"answer": {"words": "my bank account is 6222"}}')
    assert "6222" not in str(wrong.value)


def test_a_duration_in_a_sentence() -> None:
    assert read(text("said", words=Duration(seconds=3600))) == "1 h"
