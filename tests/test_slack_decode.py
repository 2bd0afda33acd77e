"""What Slack sends becomes what a person did: each payload file holds one and its event."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.contract import Rejected
from adapters.slack.decode import decode, from_command, typed_text
from bot.messages import MENTION_CLOSE, MENTION_OPEN, Event
from tests.platforms.slack_text import escape

FOLDER = Path(__file__).parent / "payloads" / "slack"
FILES = [file for file in sorted(FOLDER.glob("*.json")) if file.name != "signatures.json"]
NOW = datetime.fromisoformat("2026-11-23T09:00:00+08:00")


def payload(name: str) -> dict[str, Any]:
    found = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    assert isinstance(found["payload"], dict)
    return found["payload"]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_each_payload_becomes_its_event(file: Path) -> None:
    case = json.loads(file.read_text(encoding="utf-8"))
    expected = Event.model_validate(case["event"]) if case["event"] else None
    event = decode(case["payload"], datetime.fromisoformat(case["received_at"]))
    assert event == expected
    if event is not None:
        assert len(event.key) <= 255
        assert from_command(event) == ("command" in case["payload"])


TYPED = {
    "plain": ("hello", "hello"),
    "a quoted sign": ("a &lt; b &amp;&amp; c &gt; d", "a < b && c > d"),
    "unescaped once only": ("&amp;lt; &amp;gt; &amp;amp;", "&lt; &gt; &amp;"),
    "a sign in the open": ("if a < b > c", "if a < b > c"),
    "a channel with a name": ("<#C1|rooms>", "#rooms"),
    "a private channel": ("<#C1|>", "#C1"),
    "everybody": ("<!channel> <!everyone>", "@channel @everyone"),
    "a date": ("<!date^1392734382^{date}|Feb 18>", "Feb 18"),
    "a group without a name": ("<!subteam^S1>", "@subteam"),
    "a mail address": ("<mailto:a@b.cn|a@b.cn>", "a@b.cn"),
    "a link that lies": (
        "<http://evil.example|bank.example>",
        "bank.example (http://evil.example)",
    ),
    "no token of Slack's": ("<foo> <@nobody>", "<foo> <@nobody>"),
    "control characters": ("a\x00b\x1bc\td", "abc\td"),
}


@pytest.mark.parametrize(("wire", "text"), TYPED.values(), ids=TYPED)
def test_what_was_typed(wire: str, text: str) -> None:
    assert typed_text(wire) == (text, ())


def test_mentions_keep_their_places() -> None:
    text, mentions = typed_text("<@U2|li&amp;co>和<@U1>和<@U2>")
    assert text == f"{MENTION_OPEN}0{MENTION_CLOSE}和{MENTION_OPEN}1{MENTION_CLOSE}和\ue0000\ue001"
    assert [(one.id, one.name) for one in mentions] == [("U2", "li&co"), ("U1", "U1")]


@given(st.text(st.characters(blacklist_categories=["Cs", "Co", "Cc"])))
def test_what_people_type_arrives_as_typed(typed: str) -> None:
    assert typed_text(escape(typed)) == (typed, ())


@given(st.text())
def test_nobody_forges_a_mention(wire: str) -> None:
    text, mentions = typed_text(wire.replace("<@", "< @"))
    assert MENTION_OPEN not in text
    assert not mentions


@pytest.mark.parametrize(
    ("name", "changed"),
    [
        ("command_checkin", {"user_id": None}),
        ("command_checkin", {"user_id": ""}),
        ("command_checkin", {"trigger_id": "a" * 101}),
        ("command_checkin", {"trigger_id": ["x"]}),
        ("command_checkin", {"channel_id": "C1\n"}),
        ("command_checkin", {"command": "checkin"}),
        ("command_checkin", {"text": 5}),
        ("press", {"actions": []}),
        ("press", {"actions": "x"}),
        ("press", {"actions": [5]}),
        ("press", {"user": 5}),
        ("press", {"container": None}),
        ("form", {"view": []}),
        ("form", {"user": {}}),
    ],
)
def test_what_slack_never_sends_is_rejected(name: str, changed: dict[str, Any]) -> None:
    with pytest.raises(Rejected) as rejected:
        decode({**payload(name), **changed}, NOW)
    assert rejected.value.status == 400


def key_of(found: dict[str, Any]) -> str:
    event = decode(found, NOW)
    assert event is not None
    return event.key


def test_a_direct_message_by_its_name() -> None:
    event = decode({**payload("command_checkin"), "channel_name": "directmessage"}, NOW)
    assert event is not None
    assert (event.chat.kind, event.chat.id) == ("direct", event.user.id)


def test_a_corrected_form_is_not_a_repeat() -> None:
    """Slack keeps view id and hash when a form is sent again after a mistake."""
    first, again = payload("form"), payload("form")
    assert key_of(first) == key_of(again)
    again["view"]["state"]["values"]["words"]["value"]["value"] = "Room 4"
    assert key_of(first) != key_of(again)


def test_long_keys_are_short_and_their_own() -> None:
    long, other = payload("press"), payload("press")
    long["actions"][0]["action_id"] = "a" * 255
    other["actions"][0]["action_id"] = "a" * 254
    assert len(key_of(long)) < 200
    assert key_of(long) != key_of(other)


def test_an_odd_time_of_a_press_is_not_believed() -> None:
    odd = payload("press")
    odd["actions"][0]["action_ts"] = "99999999999.9"
    event = decode(odd, NOW)
    assert event is not None
    assert event.at == NOW
    odd["actions"][0]["action_ts"] = "soon"
    event = decode(odd, NOW)
    assert event is not None
    assert event.at == NOW


def test_an_answer_without_a_value_is_left_out() -> None:
    odd = payload("form")
    odd["view"]["state"]["values"] = {"words": {"value": 5}, "why": "x", "note": {"value": {}}}
    event = decode(odd, NOW)
    assert event is not None
    assert event.arguments == {"query": "Q7"}
