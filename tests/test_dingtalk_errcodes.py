"""What a no of DingTalk's means for a message, and what is no answer at all."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.contract import DeliveryFailed
from adapters.dingtalk.answers import DingtalkRefused, read
from adapters.dingtalk.errcodes import (
    CODES,
    GET_TOKEN,
    INVALID_STAFF,
    IP_BAN,
    KNOWN_CARD,
    OPEN_STREAM,
    Kind,
    failure,
    is_alarm,
    is_known,
    kind_of,
    may_be_ones_fault,
    says_made_before,
    says_no_group,
    says_nobody,
)
from tests.platforms.dingtalk_refusals import ERRMSGS, KNOWN

SEND = "/v1.0/robot/groupMessages/send"

MEANT: dict[Kind, tuple[str, float | None, str]] = {
    Kind.RETRY: ("retry", None, "address"),
    Kind.TOKEN: ("retry", None, "address"),
    Kind.RATE: ("retry", 1.0, "address"),
    Kind.QUOTA: ("retry", 60.0, "address"),
    Kind.PERMISSION: ("dead", None, "address"),
    Kind.ALARM: ("retry", 600.0, "platform"),
    Kind.UNREACHABLE: ("dead", None, "address"),
    Kind.GONE_GROUP: ("dead", None, "address"),
    Kind.BANNED: ("retry", 300.0, "platform"),
    Kind.DEAD: ("dead", None, "address"),
}
OF_ROBOTS = frozenset({"90030", "130101", "302033", "410100"})
UNSURE = "unknown.send.result"


def meaning(code: str, what: str = SEND, *scopes: str) -> DeliveryFailed:
    return failure(DingtalkRefused(code, what, scopes))


@pytest.mark.parametrize("code", [*CODES, "NobodyKnowsThis"])
def test_every_code_has_a_meaning(code: str) -> None:
    found = meaning(code)
    expected = MEANT[kind_of(code)]
    if code in OF_ROBOTS:
        expected = ("retry", 600.0, "address")
    if code == UNSURE:
        expected = ("unknown", None, "address")
    assert (found.outcome, found.after, found.scope) == expected
    assert found.why.endswith(code)
    assert not found.gone


EXPECTED: dict[Kind, set[str]] = {
    Kind.RETRY: {"-1", "system.busy", "ServiceUnavailable"},
    Kind.TOKEN: {"InvalidAuthentication", "40014", "42001"},
    Kind.RATE: {
        "Forbidden.AccessDenied.QpsLimitForAppkeyAndApi",
        "Forbidden.AccessDenied.QpsLimitForApi",
        "90018",
        "90002",
        "130101",
        "90030",
    },
    Kind.QUOTA: {"Forbidden.AccessDenied.ApiCountLimitForOrg", "90020"},
    Kind.PERMISSION: {
        "Forbidden.AccessDenied.AccessTokenPermissionDenied",
        "Forbidden.AccessDenied.SomethingNew",
        "60011",
    },
    Kind.ALARM: {"authFailed", "invalidClientIdOrSecret", "invalidParameter.robotCode.auth"},
    Kind.UNREACHABLE: {"staffId.notExisted", "param.userIdNotExist", "60121", INVALID_STAFF},
    Kind.GONE_GROUP: {"invalidParameter.robotCode.notExsit", "group.disbanded", "300001"},
    Kind.BANNED: {IP_BAN},
    Kind.DEAD: {"", "0", "invalidParameter.msgKey.invalid", KNOWN_CARD, "NobodyKnowsThis", "1"},
}


@pytest.mark.parametrize("kind", Kind)
def test_the_kinds(kind: Kind) -> None:
    assert {kind_of(code) for code in EXPECTED[kind]} == {kind}


def test_what_is_no_fault_of_the_message_is_known() -> None:
    """All that the stand-in says is in the list, but for what a wrong argument is answered with."""
    passing = {code for code in KNOWN if not code.startswith(("invalidParameter.", "Missing"))}
    others = {"InvalidAction.NotFound", "resource.not.found"}
    assert {code for code in passing if not is_known(code)} == others
    of_arguments = {40035, 43004, 400105, 460101}
    assert {code for code in ERRMSGS if not is_known(str(code))} == of_arguments


@pytest.mark.parametrize("what", [GET_TOKEN, OPEN_STREAM])
@pytest.mark.parametrize("code", ["60011", "40014", "NobodyKnowsThis", "staffId.notExisted"])
def test_a_no_to_who_we_are_is_about_no_message(what: str, code: str) -> None:
    assert is_alarm(code, what)
    assert not is_alarm(code, SEND)
    found = meaning(code, what)
    assert (found.outcome, found.after, found.scope) == ("retry", 600.0, "platform")


@pytest.mark.parametrize("what", [GET_TOKEN, OPEN_STREAM])
@pytest.mark.parametrize("code", ["-1", "system.busy", "90018", "90020", IP_BAN])
def test_what_passes_is_no_alarm(what: str, code: str) -> None:
    assert not is_alarm(code, what)


def test_what_people_can_do_something_about() -> None:
    lacking = "Forbidden.AccessDenied.AccessTokenPermissionDenied"
    assert meaning(lacking, SEND, "a.b", "c.d").why == "no_permission a.b, c.d"
    assert meaning("60011").why == "no_permission 60011"
    assert says_nobody(meaning("staffId.notExisted").why)
    assert says_nobody(INVALID_STAFF)
    assert says_no_group(meaning("300001").why)
    assert says_made_before(meaning(KNOWN_CARD).why)
    for says in (says_nobody, says_no_group, says_made_before):
        assert not says(meaning("system.busy").why)
        assert not says("")


def test_who_may_be_to_blame_for_a_whole_call() -> None:
    for code in ("staffId.notExisted", "invalidParameter.param.invalid", "NobodyKnowsThis"):
        assert may_be_ones_fault(code)
    for kind, codes in EXPECTED.items():
        if kind not in (Kind.UNREACHABLE, Kind.DEAD):
            assert not any(map(may_be_ones_fault, codes))


# --- answers


def told(status: int, body: Any) -> str:
    """What an answer is taken for: "done", a refusal's code, or a failure's outcome and why."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    try:
        read(status, content, SEND)
    except DingtalkRefused as refused:
        return refused.code
    except DeliveryFailed as failed:
        return failed.why if failed.why == IP_BAN else failed.outcome
    return "done"


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (200, {}, "done"),
        (200, {"processQueryKey": "k"}, "done"),
        (200, {"errcode": 0}, "done"),
        (200, {"errcode": 0, "code": "x"}, "done"),
        (200, {"code": "x.y"}, "x.y"),
        (400, {"code": "x.y"}, "x.y"),
        (403, {"code": "x.y"}, "x.y"),
        (500, {"errcode": 0}, "done"),
        (500, {"code": "system.busy"}, "system.busy"),
        (500, {"code": "x.y"}, "unknown"),
        (503, {"errcode": 12345}, "unknown"),
        (504, {"code": "system.busy"}, "unknown"),
        (200, {"errcode": 88, "sub_code": "60011"}, "60011"),
        (200, {"errcode": 88, "sub_code": 90018}, "90018"),
        (200, {"errcode": 88, "sub_code": ""}, "88"),
        (200, {"errcode": 88}, "88"),
        (200, {"errcode": 60121, "sub_code": "1"}, "60121"),
        (400, {"errcode": "60121"}, "unknown"),
        (400, {"code": 7}, "unknown"),
        (400, {"code": ""}, "unknown"),
        (200, {"status": 1111}, IP_BAN),
        (500, {"status": 1111}, IP_BAN),
        (403, b" \n<html>", IP_BAN),
        (403, {"message": "no"}, "unknown"),
        (403, b"", "unknown"),
        (404, {}, "unknown"),
        (200, b" \n<html>", "unknown"),
        (302, b"<html>", "retry"),
        (404, b"<html>", "retry"),
        (407, b"<html>", "retry"),
        (502, b"<html>", "unknown"),
        (200, b"", "unknown"),
        (200, [], "unknown"),
        (200, b"\xff", "unknown"),
        (200, b'{"a": "\\ud800"}', "unknown"),
        (302, {}, "unknown"),
    ],
)
def test_what_an_answer_says(status: int, body: Any, expected: str) -> None:
    assert told(status, body) == expected


@pytest.mark.parametrize(
    ("detail", "scopes"),
    [
        ({"requiredScopes": ["a", "b"]}, ("a", "b")),
        ({"requiredScopes": "a"}, ()),
        ({}, ()),
        ("a", ()),
        (None, ()),
    ],
)
def test_the_permissions_that_lack(detail: Any, scopes: tuple[str, ...]) -> None:
    content = json.dumps({"code": "x", "accessdenieddetail": detail}).encode()
    with pytest.raises(DingtalkRefused) as found:
        read(403, content, SEND)
    assert found.value.scopes == scopes


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=6,
)
FIELDS = st.sampled_from(["code", "errcode", "sub_code", "status", "accessdenieddetail", "message"])


@given(st.integers(100, 599), st.dictionaries(FIELDS, JSON) | st.binary(max_size=40))
def test_any_answer_is_understood_or_named(status: int, body: dict[str, Any] | bytes) -> None:
    assert isinstance(told(status, body), str)
