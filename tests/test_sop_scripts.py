"""Procedures are checked at start, and what is wrong is named with its line."""

from __future__ import annotations

from pathlib import Path

import pytest

from sop_scripts import InvalidScript, Script, load, read, shipped

GOOD = """\
title: {en: A, zh_CN: 甲}
response_time: 1h
silence_after_claim: 10m
ladder:
  - at: 50%
    tell: [owner, home]
  - at: deadline
    tell: [leads]
    repeat: {every: 30m, times: 2}
quality: []
deliverable: {en: D, zh_CN: 丁}
steps:
  - title: {en: S, zh_CN: 步}
phrases:
  - name: {en: hello, zh_CN: 你好}
    text: {en: "Hi {asker}", zh_CN: "{asker}好"}
"""


def findings(source: str) -> list[str]:
    with pytest.raises(InvalidScript) as invalid:
        read(source.encode(), "x.yaml")
    return invalid.value.findings


def test_the_shipped_procedure_is_the_one_of_the_rules() -> None:
    script = shipped()["user-inquiry"]
    assert script.response_time == 120 * 60
    assert script.silence_after_claim == 30 * 60
    minutes = [rung.after_start(script.response_time) // 60 for rung in script.ladder]
    assert minutes == [60, 105, 120, 150, 180]
    assert [rung.tell for rung in script.ladder] == [
        ("owner", "home"),
        ("owner", "home"),
        ("owner", "leads"),
        ("managers",),
        ("last_resort",),
    ]
    last = script.ladder[-1].repeat
    assert last is not None
    assert (last.every, last.times) == (3600, 3)
    assert script.quality
    assert script.steps
    assert len(script.phrases) >= 3


def test_a_sound_text_is_read() -> None:
    script = read(GOOD.encode(), "x.yaml")
    assert isinstance(script, Script)
    assert script.title.say("zh_CN") == "甲"
    assert script.title.say("en") == "A"


@pytest.mark.parametrize("name", ["hello", "Hello ", "你好"])
def test_a_phrase_is_found_by_its_name_in_either_language(name: str) -> None:
    phrase = read(GOOD.encode(), "x.yaml").phrase(name)
    assert phrase is not None
    assert phrase.text.en == "Hi {asker}"
    assert read(GOOD.encode(), "x.yaml").phrase("nobody") is None


# What is replaced, by what, and the finding that must be there.
SPOILED = {
    "no unit": ("response_time: 1h", "response_time: 60", "x.yaml:2: response_time: write a dur"),
    "nothing": ("response_time: 1h", "response_time: 0m", "x.yaml:2: response_time: a duration of"),
    "a day": ("response_time: 1h", "response_time: 1d", "x.yaml:2: response_time: write a dur"),
    "missing": ("response_time: 1h\n", "", "x.yaml:1: response_time is missing"),
    "unknown": ("quality: []", "qualty: []", "x.yaml:10: qualty is not known here"),
    "whom": ("[leads]", "[boss]", "x.yaml:8: ladder.1.tell.0: write 'owner'"),
    "no list": ("[leads]", "leads", "x.yaml:8: ladder.1.tell must be a list"),
    "no text": ("zh_CN: 步", "zh_CN: [步]", "x.yaml:13: steps.0.title.zh_CN must be a text"),
    "no names": ("{every: 30m, times: 2}", "2", "x.yaml:9: ladder.1.repeat must have names"),
    "nobody": ("[leads]", "[]", "x.yaml:7: ladder.1: tell must name somebody"),
    "twice told": ("[leads]", "[leads, leads]", "x.yaml:7: ladder.1: tell names somebody twice"),
    "when": ("at: 50%", "at: half way", "x.yaml:5: ladder.0.at: write 50%"),
    "zero": ("at: 50%", "at: +0m", "x.yaml:5: ladder.0.at: for the deadline itself write"),
    "descending": ("at: deadline", "at: 40%", "x.yaml:1: 40% must come after 50%"),
    "too early": ("at: 50%", "at: -60m", "x.yaml:1: -60m lies before the question"),
    "repeat": (
        "    tell: [owner, home]",
        "    tell: [owner]\n    repeat: {every: 1h, times: 1}",
        "x.yaml:1: only the last rung may repeat",
    ),
    "times": ("times: 2", "times: 99", "x.yaml:9: ladder.1.repeat.times: write a whole number"),
    "one language": (", zh_CN: 步", "", "x.yaml:13: steps.0.title.zh_CN is missing"),
    "empty": ("zh_CN: 步", "zh_CN: ''", "x.yaml:13: steps.0.title.zh_CN is empty"),
    "variable": (
        "{asker}好",
        "{name}好",
        "x.yaml:16: phrases.0.text.zh_CN: unknown variable {name}",
    ),
    "brace": ("{asker}好", "{asker好", "x.yaml:16: phrases.0.text.zh_CN: a brace is not closed"),
    "twice": ("quality: []", "quality: []\nquality: []", "x.yaml:11: quality stands twice"),
    "alias": ("quality: []", "quality: &q []\nmore: *q", "x.yaml:11: aliases"),
    "syntax": ("quality: []", "quality: [", "x.yaml:12: expected ',' or ']'"),
    "key": ("quality: []", "? [a]\n: 1", "x.yaml:10: a name must be a single word"),
}


@pytest.mark.parametrize(("old", "new", "finding"), SPOILED.values(), ids=SPOILED)
def test_what_is_wrong_is_named_with_its_line(old: str, new: str, finding: str) -> None:
    assert old in GOOD
    found = findings(GOOD.replace(old, new, 1))
    assert any(one.startswith(finding) for one in found), found


def test_phrases_need_names_of_their_own() -> None:
    double = GOOD + "  - name: {en: HELLO, zh_CN: 乙}\n    text: {en: x, zh_CN: 丙}\n"
    assert findings(double) == ["x.yaml:1: two phrases are called HELLO or 乙"]


@pytest.mark.parametrize(
    ("source", "finding"),
    [
        (b"", "x.yaml:1: the file is empty"),
        (b"\xff", "x.yaml:1: not UTF-8"),
        (b"- 1", "x.yaml:1: the file must have names"),
        (b"a\x00", "x.yaml:1: unacceptable character"),
    ],
)
def test_what_is_no_procedure_at_all(source: bytes, finding: str) -> None:
    with pytest.raises(InvalidScript) as invalid:
        read(source, "x.yaml")
    assert str(invalid.value).startswith(finding)


def test_a_directory_of_ones_own_wins_and_adds(tmp_path: Path) -> None:
    (tmp_path / "user-inquiry.yaml").write_text(GOOD, encoding="utf-8")
    (tmp_path / "returns.yml").write_text(GOOD, encoding="utf-8")
    (tmp_path / "notes.txt").write_text("not a procedure", encoding="utf-8")
    scripts = load(tmp_path)
    assert scripts["user-inquiry"].response_time == 3600
    assert set(scripts) == {"user-inquiry", "returns"}
    assert shipped()["user-inquiry"].response_time == 7200


def test_every_broken_file_is_named(tmp_path: Path) -> None:
    for name in ("a.yaml", "b.yaml"):
        (tmp_path / name).write_text("x", encoding="utf-8")
    with pytest.raises(InvalidScript) as invalid:
        load(tmp_path)
    assert len(invalid.value.findings) == 2
    assert str(tmp_path / "b.yaml") in invalid.value.findings[1]


def test_a_directory_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InvalidScript, match="no such directory"):
        load(tmp_path / "nowhere")
