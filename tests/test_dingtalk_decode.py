"""What DingTalk tells becomes what a person did: each payload file holds one and its event.

A file holds a message ("message"), a press on a card ("press") or an event of the address book
("account") as it comes, by a stream or over HTTP, and what it becomes: an event (or "events"),
somebody from outside ("outsider"), null where it means nothing to the bot, or the status it is
refused with; and the way back that a message brings.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.carried import Pressed
from adapters.contract import Rejected
from adapters.dingtalk import decode
from adapters.dingtalk.decode import Heard, Outsider, WayBack
from adapters.dingtalk.reading import (
    display_name,
    moment_of,
    object_of,
    staff_id,
    text_of,
)
from adapters.naming import handle_of, name_of
from bot.messages import MENTION_CLOSE, MENTION_OPEN, Event
from tests.odd import DROPPED, JSON, changed_at, places
from tests.platforms import dingtalk_messages as said_there
from tests.platforms.dingtalk_model import Org

Json = dict[str, Any]

FOLDER = Path(__file__).parent / "payloads" / "dingtalk"
FILES = sorted(FOLDER.glob("*.json"))
CASES: list[Json] = [json.loads(file.read_text(encoding="utf-8")) for file in FILES]
NOW = datetime.fromisoformat("2023-07-26T09:01:42Z")

Found = Heard | Outsider | Event | tuple[Event, ...] | None


def case(name: str) -> Json:
    return CASES[[file.stem for file in FILES].index(name)]


def inside(found: Json) -> Json:
    """What DingTalk tells in a case."""
    told: Json = next(found[name] for name in ("message", "press", "account") if name in found)
    return told


def decoded(found: Json, told: Any) -> Found:
    """What becomes of `told` where a case has its own. Raises Rejected."""
    at = datetime.fromisoformat(found["received_at"])
    if "message" in found:
        name, signed = found.get("bot_name", "班长"), found.get("signed", True)
        return decode.message(told, at, bot_name=name, signed=signed)
    if "press" in found:
        return decode.press(told, found["message_id"], at)
    return decode.accounts(found["event_type"], found["event_id"], told, at)


def heard(name: str, **changed: Any) -> Event:
    """The event of a case of one, with other fields."""
    found = case(name)
    became = decoded(found, {**inside(found), **changed})
    event = became.event if isinstance(became, Heard) else became
    assert isinstance(event, Event)
    return event


def as_written(found: Found) -> Any:
    """As a payload file has it."""
    if isinstance(found, Outsider):
        return {"outsider": {"key": found.key, "name": found.name, "in_group": found.in_group}}
    if isinstance(found, tuple):
        return [as_written(one) for one in found]
    event = found.event if isinstance(found, Heard) else found
    return event and json.loads(event.model_dump_json(exclude_defaults=True))


def way_of(found: Found) -> Json | None:
    way = found.way_back if isinstance(found, Heard | Outsider) else None
    if way is None:
        return None
    ends = way.expires_at.isoformat().replace("+00:00", "Z")
    return {"url": way.url, "expires_at": ends, "chat_id": way.chat_id}


@pytest.mark.parametrize("found", CASES, ids=[file.stem for file in FILES])
def test_each_payload_becomes_its_event(found: Json) -> None:
    expected = found["events"] if "events" in found else found["event"]
    if isinstance(expected, dict) and "rejected" in expected:
        with pytest.raises(Rejected) as rejected:
            decoded(found, inside(found))
        assert rejected.value.status == expected["rejected"]
        return
    became = decoded(found, inside(found))
    assert as_written(became) == expected
    assert way_of(became) == found.get("way_back")


def test_there_are_payloads_of_every_kind() -> None:
    kinds = [next(name for name in ("message", "press", "account") if name in one) for one in CASES]
    assert kinds.count("message") > 100
    assert kinds.count("press") > 20
    assert kinds.count("account") > 10


# --- whatever comes

READABLE = [one for one in CASES if "rejected" not in (one.get("event") or {})]
PLACES = [places(inside(one)) for one in READABLE]
ODD = (
    st.just(DROPPED)
    | st.sampled_from([None, "", 0, [], {}, True, "a" * 300, "99999999999999", "2", "群", "@班长"])
    | st.sampled_from(["$:LWCP_v1:$x", '{"a":1}', "[[", "dtv1.card//IM_GROUP.", 10**30, -1.5])
    | JSON
)


def survives(become: Callable[[], Found]) -> None:
    """Events that make sense, somebody from outside, nothing, or a 400."""
    found: Found = None
    status = 400
    try:
        found = become()
    except Rejected as rejected:
        status = rejected.status
    assert status == 400
    if isinstance(found, Outsider):
        assert found.key.startswith("msg:")
        return
    several = found if isinstance(found, tuple) else (found,)
    for event in (one.event if isinstance(one, Heard) else one for one in several):
        if event is None:
            continue
        assert event.key.startswith(("msg:", "card:", "account:"))
        assert len(event.key) <= 255
        assert event.at <= event.received_at
        assert staff_id(event.user.id) == event.user.id
        assert event.chat.id == event.user.id or event.chat.kind == "group"
        assert not {MENTION_OPEN, MENTION_CLOSE} & set(event.text + event.quoted)
        assert event.complete == (event.kind == "text" and not event.mentions)
        assert all(one.id == staff_id(one.id) for one in event.mentions)


@settings(deadline=None)
@given(st.data())
def test_whatever_dingtalk_may_send_nothing_else_goes_wrong(data: st.DataObject) -> None:
    """Up to three fields of a real payload are missing or are something else."""
    number = data.draw(st.integers(0, len(READABLE) - 1))
    told: Any = inside(READABLE[number])
    if not PLACES[number]:
        return
    for place in data.draw(st.lists(st.sampled_from(PLACES[number]), min_size=1, max_size=3)):
        told = changed_at(told, place, data.draw(ODD))
    survives(lambda: decoded(READABLE[number], told))


@settings(deadline=None)
@given(st.dictionaries(st.text(max_size=8), JSON, max_size=5))
def test_any_object_at_all(found: Json) -> None:
    head = {"msgId": "1", "conversationType": "2", "conversationId": "c", "senderStaffId": "a"}
    for kind in ("text", "richText", "audio", "x"):
        whole = {**head, "msgtype": kind, "text": found, "content": found, **found}
        survives(partial(decode.message, whole, NOW, bot_name="班长", signed=True))
    survives(lambda: decode.message(found, NOW, bot_name="", signed=False))
    survives(lambda: decode.press(found, "frame", NOW))
    survives(lambda: decode.press({"type": "actionCallback", "content": found}, "frame", NOW))
    survives(lambda: decode.accounts("user_leave_org", "event", found, NOW))


def test_a_quotation_as_deep_as_json_goes() -> None:
    tree: Any = {"type": "TEXT", "value": "Q7"}
    for _ in range(900):
        tree = [{"children": tree}]
    replied = {"msgType": "interactiveCard", "content": {"cardContent": tree}}
    event = heard("group_text", text={"content": "好", "repliedMsg": replied})
    assert event.quoted == "Q7"
    assert heard("direct_audio", content="[" * 100_000).text == ""


@given(st.text(st.characters(blacklist_categories=["Cs", "Co", "Cc"])))
def test_what_people_type_arrives_as_typed(words: str) -> None:
    spaces = str.maketrans(dict.fromkeys("\u00a0\u2005\u3000", " "))
    typed = words.translate(spaces).strip()
    assert heard("direct_text", text={"content": words}).text == typed
    rich = {"richText": [{"text": one} for one in words]}
    assert heard("direct_rich_of_two_styles", content=rich).text == typed
    assert heard("direct_audio", content={"recognition": words}).text == typed


@given(st.text(max_size=40), st.sampled_from(["班长", "Banzhang", "班长(测试)", "a.b", "小 班长"]))
def test_the_mention_of_the_bot_takes_nothing_else_with_it(words: str, name: str) -> None:
    typed = text_of(words).strip()
    assert decode.without_bot(f"@{name} 签到 {typed}".strip(), name).startswith("签到")
    assert decode.without_bot(f"@{name}签到", name) == "签到"
    left = decode.without_bot(typed, name)
    assert len(left) <= len(typed)
    assert set(left) <= {*typed, " "}
    assert decode.without_bot(typed, "") == typed


@given(st.text())
def test_nobody_forges_a_mention(words: str) -> None:
    marked = f"{MENTION_OPEN}0{MENTION_CLOSE}{words}"
    for name, changed in (
        ("direct_text", {"text": {"content": marked}}),
        ("group_quote_of_a_text", {"text": {"content": "好", "repliedMsg": {"content": marked}}}),
    ):
        event = heard(name, **changed)
        assert not {MENTION_OPEN, MENTION_CLOSE} & set(event.text + event.quoted)


# --- what makes two events one


def test_a_message_that_comes_again_is_the_same_event() -> None:
    for name in ("direct_text", "group_mention", "press", "press_in_a_group"):
        assert heard(name) == heard(name)


@pytest.mark.parametrize("way", ["press_as_objects", "press_as_an_object_in_a_text"])
def test_both_forms_of_a_press_are_one(way: str) -> None:
    assert heard(way) == heard("press")


def test_another_deed_is_another_event() -> None:
    assert heard("direct_text").key != heard("direct_text", msgId="another").key
    pressed = inside(case("press"))
    keys = {one.key for id in ("1", "2") if (one := decode.press(pressed, id, NOW)) is not None}
    assert keys == {"card:1", "card:2"}
    assert not any(key.startswith("msg:") for key in keys)


def test_one_leaves_after_another_in_the_same_event() -> None:
    left = decode.accounts("user_leave_org", "e1", {"userId": ["a", "b"]}, NOW)
    assert [one.key for one in left] == ["account:e1:a", "account:e1:b"]
    assert not any(one.complete or one.gone for one in left)


# --- who is who


@pytest.mark.parametrize(
    ("written", "known"),
    [
        ("manager8031", "manager8031"),
        ("16650***698", "16650***698"),
        ("王小明", "王小明"),
        ("A", "A"),
        ("a", "a"),
        ("$:LWCP_v1:$4aZkTgHFUDZ8Qi8qr3", ""),
        ("", ""),
        ("a b", ""),
        ("a\u3000b", ""),
        ("a\n", ""),
        ("a\ud83d", ""),
        ("\ue0000\ue001", ""),
        ("1" * 64, "1" * 64),
        ("1" * 65, ""),
        (None, ""),
        (16650, ""),
    ],
)
def test_who_has_an_account_in_the_organisation(written: object, known: str) -> None:
    """An encrypted id is another one for every robot: it is nobody's name."""
    assert staff_id(written) == known


def test_a_name_is_never_an_identity() -> None:
    """Whatever somebody calls themselves, they are their staff id, and without one nobody."""
    nick = "16650123698"
    assert heard("direct_text", senderNick="manager").user.id == nick
    found = case("direct_text")
    told = {**inside(found), "senderStaffId": None, "senderNick": nick}
    assert isinstance(decoded(found, told), Outsider)


def test_an_unsigned_message_proves_nothing() -> None:
    signed, unsigned = heard("direct_text"), heard("direct_unsigned")
    assert signed.trusted
    assert not unsigned.trusted
    assert unsigned.at == unsigned.received_at


def test_a_way_back_tells_nobody_where_it_goes() -> None:
    found = decoded(case("group_text"), inside(case("group_text")))
    assert isinstance(found, Heard)
    assert found.way_back is not None
    assert "session" not in repr(found.way_back)
    assert "session" not in repr(found)


def test_no_way_back_lives_longer_than_dingtalk_has_them_live() -> None:
    found = decoded(case("direct_text"), inside(case("direct_text")))
    assert isinstance(found, Heard)
    assert found.way_back is not None
    assert found.way_back.expires_at - found.event.at <= decode.LONGEST_WAY_BACK


@pytest.mark.parametrize(
    "odd", ["", "-1", "1e9", "1.5", "soon", "１６９０", "9" * 30, 2.5, True, None]
)
def test_an_odd_time_is_not_believed(odd: object) -> None:
    assert moment_of(odd, NOW) == NOW


def test_a_time_is_in_milliseconds() -> None:
    expected = datetime(2023, 7, 26, 9, 1, 41, 894_000, tzinfo=UTC)
    assert moment_of(1690362101894, NOW) == moment_of("1690362101894", NOW) == expected


@given(st.text())
def test_a_hint_is_one_short_line(name: str) -> None:
    shown = display_name(name)
    assert shown == " ".join(shown.split())
    assert len(shown) <= 200


@given(JSON)
def test_an_object_may_come_as_the_text_of_one(found: Any) -> None:
    told = found if isinstance(found, dict) else {"a": found}
    try:
        written = json.dumps(told, allow_nan=False)
    except ValueError:
        return
    assert object_of(written) == object_of(told) == told
    assert object_of(f"{written}x") == object_of([told]) == {}


# --- what the stand-in has people do


@pytest.fixture
def org() -> Org:
    made = Org()
    made.add_member("wang01", "小王")
    made.add_member("li02", "小李")
    return made


def heard_of(org: Org, told: Json) -> Heard:
    at = datetime.fromtimestamp(org.now(), UTC) + timedelta(seconds=1)
    found = decode.message(told, at, bot_name=org.bot_name, signed=True)
    assert isinstance(found, Heard)
    return found


def test_what_the_stand_in_says_in_direct_chats(org: Org) -> None:
    found = heard_of(org, said_there.text_payload(org, "wang01", "签到"))
    event = found.event
    assert (event.user.id, event.user.name, event.text) == ("wang01", "小王", "签到")
    assert (event.chat.kind, event.chat.id) == ("direct", "wang01")
    assert isinstance(found.way_back, WayBack)
    assert found.way_back.expires_at > event.at
    assert heard_of(org, said_there.audio_payload(org, "li02", "我到了")).event.text == "我到了"
    assert heard_of(org, said_there.picture_payload(org, "li02")).event.text == ""


def test_what_the_stand_in_says_in_groups(org: Org) -> None:
    group = org.add_group("一班", ["wang01", "li02"])
    stranger = org.add_outsider("路人")
    told = said_there.text_payload(
        org, "wang01", "@班长 派单 @小李 整理", group, mentions=["li02", stranger]
    )
    event = heard_of(org, told).event
    assert " ".join(event.text.split()) == "派单 整理"
    assert [one.id for one in event.mentions] == ["li02"]
    assert (event.strangers, event.complete, event.addressed) == (1, False, True)
    assert (event.chat.kind, event.chat.id, event.chat.name) == ("group", group.id, "一班")
    for glued in (True, False):
        rich = said_there.rich_payload(org, "wang01", ["签到", "", "到了"], group, glued=glued)
        assert heard_of(org, rich).event.text == "签到\n到了"


def test_whom_the_stand_in_has_from_outside(org: Org) -> None:
    group = org.add_group("一班", ["wang01"])
    stranger = org.add_outsider("路人")
    told = said_there.text_payload(org, stranger, "@班长 你好", group)
    found = decode.message(told, NOW, bot_name=org.bot_name, signed=True)
    assert isinstance(found, Outsider)
    assert (found.name, found.in_group) == ("路人", True)
    assert found.way_back is not None


def test_whom_the_stand_in_has_leave(org: Org) -> None:
    told = said_there.leave_payload(org, "wang01", "li02")
    headers = said_there.event_headers(org, told)
    left = decode.accounts(headers["eventType"], headers["eventId"], told, NOW)
    assert [one.user.id for one in left] == ["wang01", "li02"]


@pytest.mark.parametrize("as_text", [True, False])
def test_what_is_pressed_on_the_stand_ins_cards(org: Org, as_text: bool) -> None:
    group = org.add_group("一班", ["wang01"])
    name = name_of(12, "x")
    for place in (group.id, "wang01"):
        carried = Pressed(command="claim", arguments={"query": "Q7"}).dumped()
        variables = {"title": "Q7", "button1": "认领", "press1": carried}
        card = org.show(place, via="card", msgtype="card", body={})
        card.out_track_id, card.variables = name, variables
        told = said_there.press_payload(org, "wang01", card, carried, as_text=as_text)
        event = decode.press(told, "frame1", NOW)
        assert event is not None
        assert (event.command, event.arguments, event.pressed) == ("claim", {"query": "Q7"}, 12)
        assert (event.key, event.chat.id) == ("card:frame1", place)
        # What a card that is quoted says is not told.
        quoting = said_there.text_payload(org, "wang01", "好", quoted=card)
        assert heard_of(org, quoting).event.quoted == ""


def test_what_the_stand_in_has_people_quote(org: Org) -> None:
    words = "Q7 等回复\n图书馆几点开门？"
    told = said_there.text_payload(org, "wang01", "八点", quoted=words)
    event = heard_of(org, told).event
    assert (event.quoted, event.under) == (words, handle_of("wang01", words))
