"""What WeCom sends becomes what a person did: each payload file holds one and its event.

A file holds an app's XML ("xml") or an aibot's JSON ("body"), as it was before WeCom encrypted it,
and the event it becomes: null where it means nothing to the bot, or the status it is refused with.
"""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.contract import Rejected, Request
from adapters.naming import handle_of, message_number, name_of
from adapters.wecom import decode, frames, http
from adapters.wecom.crypto import Envelope
from adapters.wecom.reading import (
    account,
    key_of,
    moment_of,
    sealed_key_of,
    typed,
)
from bot.messages import MENTION_CLOSE, MENTION_OPEN, Event
from tests.odd import DROPPED, JSON, changed_at, places
from tests.platforms.wecom_callbacks import Callbacks
from tests.platforms.wecom_model import Corp
from tests.platforms.wecom_requests import Origin, Side

Json = dict[str, Any]

FOLDER = Path(__file__).parent / "payloads" / "wecom"
FILES = sorted(FOLDER.glob("*.json"))
NOW = datetime.fromisoformat("2026-11-23T09:00:00+08:00")
CORP = Corp()
APP = Envelope(CORP.token, CORP.aes_key, CORP.corp_id)
BOT = Envelope(CORP.bot_token, CORP.bot_aes_key, "")


def case(name: str) -> Json:
    found: Json = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    return found


def received_at(found: Json) -> datetime:
    return datetime.fromisoformat(found["received_at"])


def sealed(side: Side, said: str, at: datetime) -> Request:
    """As WeCom calls us with it."""
    signed = Callbacks(CORP).sign(said, Origin(side, "text"), timestamp=int(at.timestamp()))
    return Request(signed.method, signed.path, {}, signed.query, signed.body, at)


def opened(found: Json) -> Json:
    """What the guard lets in of a case. Raises Rejected."""
    at = received_at(found)
    if "xml" in found:
        inside = http.admit_app(sealed("app", found["xml"], at), APP)
    else:
        inside = http.admit_bot(sealed("bot", json.dumps(found["body"]), at), BOT)
    assert isinstance(inside, dict)
    return inside


def heard(found: Json) -> Event | None:
    """The event of a case. Raises Rejected."""
    inside, at = opened(found), received_at(found)
    if "xml" in found:
        return decode.decode(inside, at)
    return frames.decode(inside, at, found.get("bot_name", CORP.bot_name))


def event_of(name: str) -> Event:
    event = heard(case(name))
    assert event is not None
    return event


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_each_payload_becomes_its_event(file: Path) -> None:
    found = json.loads(file.read_text(encoding="utf-8"))
    expected = found["event"]
    if expected is not None and "rejected" in expected:
        with pytest.raises(Rejected) as rejected:
            heard(found)
        assert rejected.value.status == expected["rejected"]
        return
    event = heard(found)
    assert event == (Event.model_validate(expected) if expected else None)


# --- whatever comes

CASES = [json.loads(file.read_text(encoding="utf-8")) for file in FILES]
READABLE = [one for one in CASES if "rejected" not in (one["event"] or {})]
SAID = [opened(one) for one in READABLE]
PLACES = [places(one) for one in SAID]
ELSEWHERE: list[Any] = sorted(
    {one for found in SAID for one in found.values() if isinstance(one, str)}
)
ODD = (
    st.just(DROPPED)
    | st.sampled_from([None, "", 0, [], {}, True, "a" * 300, "99999999999", "群", "@班长", "event"])
    | st.sampled_from(ELSEWHERE)
    | JSON
)


def survives(decoded: Any, found: Any) -> None:
    """An event that makes sense, nothing, or a 400."""
    event, status = None, 400
    try:
        event = decoded(found)
    except Rejected as rejected:
        status = rejected.status
    assert status == 400
    if event is not None:
        assert 0 < len(event.key) <= 255
        assert event.at <= event.received_at
        assert event.user.id == account(event.user.id)
        assert MENTION_OPEN not in event.text
        assert not event.mentions


def from_app(found: Any) -> Event | None:
    return decode.decode(found, NOW)


def from_bot(found: Any) -> Event | None:
    return frames.decode(found, NOW, "班长")


@given(st.data())
def test_whatever_wecom_may_send_nothing_else_goes_wrong(data: st.DataObject) -> None:
    """Up to three fields of a real callback are missing or are something else."""
    number = data.draw(st.integers(0, len(SAID) - 1))
    found = SAID[number]
    for place in data.draw(st.lists(st.sampled_from(PLACES[number]), min_size=1, max_size=3)):
        found = changed_at(found, place, data.draw(ODD))
    survives(from_app if "xml" in READABLE[number] else from_bot, found)


OBJECTS = st.dictionaries(st.text(max_size=8), JSON, max_size=5)


@given(OBJECTS)
def test_any_object_at_all(found: Json) -> None:
    survives(from_app, found)
    survives(from_bot, found)
    survives(from_bot, {"msgid": "1", "from": {"userid": "a"}, "quote": found, **found})


@given(st.text())
def test_any_text_as_the_whole_callback(said: str) -> None:
    """Whatever stands in what WeCom encrypted, in either envelope."""
    for kind in ("xml", "body"):
        whole = {"received_at": "2026-11-23T01:00:00Z", kind: said}
        with pytest.raises(Rejected) as rejected:
            heard(whole)
        assert rejected.value.status == 400


@given(st.text(st.characters(blacklist_categories=["Cs", "Co", "Cc"])))
def test_what_people_type_arrives_as_typed(said: str) -> None:
    spaces = str.maketrans(dict.fromkeys("\u00a0\u2005\u3000", " "))
    assert typed(said) == said.translate(spaces).strip()


@given(st.text(), st.sampled_from(["班长", "Banzhang", "班长(测试)", "a.b", "小 班长"]))
def test_a_mention_of_the_bot_takes_nothing_else_with_it(said: str, name: str) -> None:
    words = typed(said)
    assert frames.without_bot(f"@{name} 签到 {words}".strip(), name).startswith("签到")
    assert frames.without_bot(f"@{name}签到", name) == "签到"
    left = frames.without_bot(words, name)
    assert len(left) <= len(words)
    assert set(left) <= {*words, " "}


@given(st.text())
def test_nobody_forges_a_mention(said: str) -> None:
    marked = f"{MENTION_OPEN}0{MENTION_CLOSE}{said}"
    body = {"msgid": "1", "from": {"userid": "a"}, "msgtype": "text", "text": {"content": marked}}
    event = from_bot(body)
    assert event is not None
    assert not {MENTION_OPEN, MENTION_CLOSE} & set(event.text)


# --- what makes two events one


def test_a_repeated_callback_is_the_same_event() -> None:
    for name in ("app_text", "app_click", "app_press", "app_unsubscribe", "bot_group", "bot_press"):
        assert event_of(name) == event_of(name)


def test_capitals_make_no_other_person_and_no_other_event() -> None:
    assert event_of("app_press") == event_of("app_press_in_capitals")
    assert event_of("app_text") == event_of("app_text_in_small_letters")


def test_both_spellings_are_one_event() -> None:
    assert event_of("bot_press") == event_of("bot_press_as_in_the_tables")


@pytest.mark.parametrize(
    ("name", "changed"),
    [
        ("app_text", {"MsgId": "7400000000000000002"}),
        ("app_click", {"CreateTime": "1795395591"}),
        ("app_click", {"FromUserName": "lisi"}),
        ("app_click", {"EventKey": '{"command":"checkout"}'}),
        ("app_press", {"ResponseCode": "another"}),
        ("app_press", {"TaskId": "m13-0123456789abcdef"}),
        ("app_press_of_an_endless_key", {"ResponseCode": "another"}),
        ("app_text_of_a_long_msgid", {"MsgId": "7" * 199}),
        ("app_unsubscribe", {"Event": "subscribe"}),
    ],
)
def test_another_deed_is_another_event(name: str, changed: Json) -> None:
    found = opened(case(name))
    one, other = from_app(found), from_app({**found, **changed})
    assert one is not None
    assert other is not None
    assert one.key != other.key


def test_an_apps_message_and_an_aibots_are_never_one() -> None:
    keys = [one["event"]["key"] for one in READABLE if one["event"]]
    assert {key.partition(":")[0] for key in keys} == {"app", "bot"}


@given(st.lists(st.text(max_size=120), min_size=3, max_size=6))
def test_long_keys_are_short_and_their_own(parts: list[str]) -> None:
    key = key_of("app", "press", *parts)
    assert key.startswith("app:press:")
    assert len(key) <= 255
    assert key != key_of("app", "press", *parts, "more")


# --- who, when, and which message


def test_a_response_may_say_something_only_where_it_is_read() -> None:
    answered = {
        name
        for name in (file.stem for file, found in zip(FILES, CASES, strict=True) if "xml" in found)
        if (found := case(name))["event"] and "kind" in found["event"]
        if decode.carries_answer(event_of(name))
    }
    assert {"app_text", "app_image", "app_click", "app_subscribe"} <= answered
    assert not [name for name in answered if name.startswith(("app_press", "app_unsubscribe"))]


@pytest.mark.parametrize(
    ("written", "known"),
    [
        ("ZhangSan", "zhangsan"),
        ("LI.SI@corp-1_2", "li.si@corp-1_2"),
        ("woAJ2GCAAAXtWyujaWJHDDGi0mACH71w", "woAJ2GCAAAXtWyujaWJHDDGi0mACH71w"),
        ("WoAJ2GCAAAXtWyujaWJHDDGi0mACH71w", "woaj2gcaaaxtwyujawjhddgi0mach71w"),
        ("woAJ2GCAAAXtWyujaWJHDDGi0mACH71", "woaj2gcaaaxtwyujawjhddgi0mach71"),
    ],
)
def test_letters_of_an_account(written: str, known: str) -> None:
    """A userid is one in any case; the letters of an encrypted id count as they are."""
    assert account(written) == known
    assert account(known) == known


@pytest.mark.parametrize(
    "odd", ["", "-1", "1e9", "1.5", "99999999999", "１７９５", "9" * 30, "soon", "0x10"]
)
def test_an_odd_time_is_not_believed(odd: str) -> None:
    assert moment_of(odd, NOW) == NOW


CARD = "Q7 等回复\n图书馆几点开门？\n发送：认领 Q7"
QUOTED = {
    "as it was": CARD,
    "in bold": f"**{CARD.replace(chr(10), '**' + chr(10), 1)}",
    "with other blanks": CARD.replace("\n", " "),
    "without invisible signs": CARD.replace("：", "：\u200b"),
}
OTHERS = {
    "a colleague's words": "Q7 的绩效考核表大家交一下",
    "only its beginning": "Q7 等回复",
    "two queries": f"{CARD} · 认领 Q8",
    "none": "图书馆几点开门？",
    "letters before": CARD.replace("Q7", "FAQ7"),
    "no number of ours": CARD.replace("Q7", "Q07"),
    "an endless number": CARD.replace("Q7", f"Q{'7' * 19}"),
    "nothing": "",
}


@pytest.mark.parametrize("words", QUOTED.values(), ids=QUOTED)
def test_a_quotation_is_known_by_how_it_begins(words: str) -> None:
    assert handle_of("wr1", words) == handle_of("wr1", CARD) != ""
    assert handle_of("wr2", words) != handle_of("wr1", CARD)


@pytest.mark.parametrize("words", OTHERS.values(), ids=OTHERS)
def test_what_is_no_message_of_ours_is_not_taken_for_one(words: str) -> None:
    assert handle_of("wr1", words) != handle_of("wr1", CARD)


def test_a_long_message_is_known_by_a_part_of_it() -> None:
    long = f"Q7 {'问' * 500}"
    assert handle_of("wr1", long[:80]) == handle_of("wr1", long)


@pytest.mark.parametrize("words", ["几点开门？", "Q7 和 Q8", ""])
def test_what_names_no_one_query_is_known_by_nothing(words: str) -> None:
    assert handle_of("wr1", words) == ""


def test_a_key_does_not_tell_what_was_said() -> None:
    secret = "我的银行卡号是6222"
    key = sealed_key_of("app", "press", "wang", secret)
    assert key.startswith("app:press:")
    assert secret not in key
    assert key != sealed_key_of("app", "press", "wang", "另一句")


@given(st.integers(1, 10**17), st.text())
def test_a_card_tells_its_message(number: int, content: str) -> None:
    assert message_number(name_of(number, content)) == number


@pytest.mark.parametrize(
    "odd", ["", "m0-0123456789abcdef", "m1-x", "task_1", "m1-0123456789ABCDEF"]
)
def test_a_card_of_another_program_tells_nothing(odd: str) -> None:
    assert message_number(odd) is None
