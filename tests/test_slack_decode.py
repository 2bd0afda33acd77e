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
from adapters.slack import events
from adapters.slack.decode import decode, from_command
from adapters.slack.reading import typed_text
from bot.messages import MENTION_CLOSE, MENTION_OPEN, Event, User
from tests.odd import DROPPED, JSON, changed_at, places
from tests.platforms.slack_text import escape

FOLDER = Path(__file__).parent / "payloads" / "slack"
FILES = [file for file in sorted(FOLDER.glob("*.json")) if file.name != "signatures.json"]
NOW = datetime.fromisoformat("2026-11-23T09:00:00+08:00")


def payload(name: str) -> dict[str, Any]:
    found = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    assert isinstance(found["payload"], dict)
    return found["payload"]


def decoded(found: dict[str, Any], bot_user: str | None = None) -> Event:
    event = decode(found, NOW, bot_user)
    assert event is not None
    return event


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_each_payload_becomes_its_event(file: Path) -> None:
    """A file may also say who we are, where the payload itself does not tell: `bot_user`."""
    case = json.loads(file.read_text(encoding="utf-8"))
    expected = Event.model_validate(case["event"]) if case["event"] else None
    received_at = datetime.fromisoformat(case["received_at"])
    event = decode(case["payload"], received_at, case.get("bot_user"))
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


# --- what makes no sense


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
        ("shortcut_resolve", {"action_ts": 5}),
        ("shortcut_resolve", {"message": None}),
        ("home_opened", {"event_id": "a b"}),
        ("home_opened", {"event": "x"}),
    ],
)
def test_what_slack_never_sends_is_rejected(name: str, changed: dict[str, Any]) -> None:
    with pytest.raises(Rejected) as rejected:
        decode({**payload(name), **changed}, NOW)
    assert rejected.value.status == 400


@pytest.mark.parametrize(
    ("name", "changed"),
    [
        ("message_direct", {"user": "U 1"}),
        ("message_direct", {"channel": None}),
        ("message_direct", {"ts": 1795395590.2}),
        ("message_direct", {"text": ["ask"]}),
        ("message_changed", {"message": "edited"}),
        ("reaction", {"item_user": ""}),
        ("reaction", {"item": {"type": "message", "ts": "1795395590.000200"}}),
        ("user_change", {"user": "U2CERLKJA"}),
        ("invited", {"inviter": 5}),
        ("invited", {"user": None}),
    ],
)
def test_an_event_that_slack_never_sends_is_rejected(name: str, changed: dict[str, Any]) -> None:
    odd = payload(name)
    odd["event"] = {**odd["event"], **changed}
    with pytest.raises(Rejected) as rejected:
        decode(odd, NOW)
    assert rejected.value.status == 400


PAYLOADS = [json.loads(file.read_text(encoding="utf-8"))["payload"] for file in FILES]
PLACES = [places(one) for one in PAYLOADS]
# What stands in other payloads is odd in a way that chance does not find.
ELSEWHERE: list[Any] = sorted(
    {one for found in PAYLOADS for one in found.values() if isinstance(one, str)}
)
ODD = (
    st.just(DROPPED)
    | st.sampled_from([None, "", 0, [], {}, True, "a" * 300, "99999999999.999999", "<@U1>", "D1"])
    | st.sampled_from(ELSEWHERE)
    | JSON
)


@given(st.data(), st.sampled_from([None, "U0BOT", "U2CERLKJA"]))
def test_whatever_slack_may_send_nothing_else_goes_wrong(
    data: st.DataObject, bot_user: str | None
) -> None:
    """Up to three fields of a real payload are missing or are something else."""
    number = data.draw(st.integers(0, len(PAYLOADS) - 1))
    found = PAYLOADS[number]
    for place in data.draw(st.lists(st.sampled_from(PLACES[number]), min_size=1, max_size=3)):
        found = changed_at(found, place, data.draw(ODD))
    event, status = None, 400
    try:
        event = decode(found, NOW, bot_user)
    except Rejected as rejected:
        status = rejected.status
    assert status == 400
    assert event is None or (0 < len(event.key) <= 255 and event.at <= event.received_at)


# --- what makes two events one


def key_of(found: dict[str, Any]) -> str:
    return decoded(found).key


def test_a_mention_and_its_message_are_one_event() -> None:
    """Slack tells of both, in any order; whichever is second is the repeat of the first."""
    assert decoded(payload("app_mention")) == decoded(payload("app_mention_as_message"))


def test_a_repeated_delivery_is_the_same_event() -> None:
    for name in ("message_direct", "message_changed", "reaction", "user_change", "invited"):
        assert key_of(payload(name)) == key_of(payload(name))


def test_two_edits_are_two_events() -> None:
    again = payload("message_changed")
    again["event"]["message"]["edited"]["ts"] = "1795395599.000000"
    assert key_of(again) != key_of(payload("message_changed"))


def test_a_reaction_put_again_is_another_event() -> None:
    again = payload("reaction")
    again["event"]["event_ts"] = "1795395600.000000"
    assert key_of(again) != key_of(payload("reaction"))


def test_a_direct_message_by_its_name() -> None:
    event = decoded({**payload("command_checkin"), "channel_name": "directmessage"})
    assert (event.chat.kind, event.chat.id) == ("direct", event.user.id)


def test_a_corrected_form_is_not_a_repeat() -> None:
    """Slack keeps view id and hash when a form is sent again after a mistake."""
    first, again = payload("form"), payload("form")
    assert key_of(first) == key_of(again)
    again["view"]["state"]["values"]["words"]["value"]["value"] = "Room 4"
    assert key_of(first) != key_of(again)


def test_a_form_with_other_people_is_not_a_repeat() -> None:
    """In the answers stands only that two people were chosen, not which."""
    first, again = payload("form_with_menus_and_people"), payload("form_with_menus_and_people")
    again["view"]["state"]["values"]["people"]["value"]["selected_users"] = ["U9", "W0ABC1"]
    assert decoded(first).arguments == decoded(again).arguments
    assert key_of(first) != key_of(again)


def test_long_keys_are_short_and_their_own() -> None:
    long, other = payload("press"), payload("press")
    long["actions"][0]["action_id"] = "a" * 255
    other["actions"][0]["action_id"] = "a" * 254
    assert len(key_of(long)) < 200
    assert key_of(long) != key_of(other)


def test_an_odd_time_of_a_press_is_not_believed() -> None:
    odd = payload("press")
    for stamp in ("99999999999.9", "soon"):
        odd["actions"][0]["action_ts"] = stamp
        assert decoded(odd).at == NOW


def test_an_answer_without_a_value_is_left_out() -> None:
    odd = payload("form")
    odd["view"]["state"]["values"] = {"words": {"value": 5}, "why": "x", "note": {"value": {}}}
    assert decoded(odd).arguments == {"query": "Q7"}


# --- what Slack tells only later


def told_message(**changed: Any) -> dict[str, Any]:
    """A message as conversations.replies gives it."""
    found = {"type": "message", "user": "U2CERLKJA", "ts": "1795395590.000200", "text": "When?"}
    return {**found, **changed}


def test_a_reaction_with_its_message() -> None:
    reaction = decoded(payload("reaction"))
    message = told_message(text="When, <@U9>?", thread_ts="1795395000.000100")
    whole = events.with_message(reaction, message, None)
    assert whole is not None
    assert (whole.key, whole.text) == (reaction.key, f"When, {MENTION_OPEN}0{MENTION_CLOSE}?")
    assert (whole.mentions, whole.author) == (
        (User(id="U9", name="U9"),),
        User(id="U2CERLKJA", name="U2CERLKJA"),
    )
    assert whole.chat.thread == "1795395000.000100"


@pytest.mark.parametrize(
    "changed", [{"bot_id": "B0MAIL"}, {"text": " "}, {"user": "USLACKBOT"}, {"user": None}]
)
def test_a_reaction_on_what_nobody_said(changed: dict[str, Any]) -> None:
    message = told_message(**changed)
    assert events.with_message(decoded(payload("reaction")), message, None) is None


def test_our_own_name_is_no_part_of_the_question() -> None:
    message = told_message(text="<@U0BOT> When, <@U9>?")
    whole = events.with_message(decoded(payload("reaction")), message, "U0BOT")
    assert whole is not None
    assert whole.text == f"When, {MENTION_OPEN}0{MENTION_CLOSE}?"


def test_tokens_of_people_that_are_taken_back_are_not_ours() -> None:
    tokens = {"oauth": ["U1"], "bot": []}
    assert not events.ends_token({"event": {"type": "tokens_revoked", "tokens": tokens}})


@pytest.mark.parametrize("name", sorted(events.ENDS_TOKEN))
def test_what_ends_our_stay(name: str) -> None:
    assert events.ends_token(payload(name))
    assert not events.ends_token(payload("message_direct"))
    assert not events.ends_token(payload("press"))
