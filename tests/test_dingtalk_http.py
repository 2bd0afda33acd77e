"""The guard of http mode: only who knows the app's secret and the path, lately, and readable."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.contract import Rejected, Request
from adapters.dingtalk.http import FRESH_SECONDS, LARGEST_BODY, PATH, admit, path_of
from adapters.dingtalk.setup import Setup
from adapters.dingtalk.signing import sign

# The official sample's secret, its time, and what the documented algorithm makes of both.
SECRET, STAMP = "this is secret", "1577262236757"
SIGNED = "hmPWwU+7lVdm3ZZz0r9tSfx0L4Q26jWOZr9+Gs6EZQM="
NOW = int(STAMP) / 1000
SETUP = Setup(
    api_url="https://api.dingtalk.com",
    client_id="dingabc",
    client_secret=SECRET,
    mode="http",
    http_secret="0123456789abcdef",
)
SAID = {"msgId": "msg1", "text": {"content": "签到"}}
MISSING = "MISSING"


def request(
    body: bytes | None = None,
    *,
    method: str = "POST",
    path: str = f"{PATH}0123456789abcdef",
    now: float = NOW,
    **headers: str,
) -> Request:
    """As DingTalk calls us, unless something is given that is otherwise."""
    given = {"content-type": "application/json", "timestamp": STAMP, "sign": SIGNED, **headers}
    kept = {name: value for name, value in given.items() if value != MISSING}
    raw = json.dumps(SAID).encode() if body is None else body
    return Request(method, path, kept, {}, raw, datetime.fromtimestamp(now, UTC))


def refused(found: Request, setup: Setup = SETUP) -> int:
    with pytest.raises(Rejected) as rejected:
        admit(found, setup)
    return rejected.value.status


def signed(stamp: str) -> dict[str, str]:
    return {"timestamp": stamp, "sign": sign(SECRET, stamp)}


def test_what_dingtalk_signed_comes_in() -> None:
    assert sign(SECRET, STAMP) == SIGNED
    assert admit(request(), SETUP) == SAID


def test_the_path_is_a_secret() -> None:
    assert path_of(SETUP) == "/dingtalk/robot/0123456789abcdef"
    assert "0123456789abcdef" not in repr(SETUP)


@pytest.mark.parametrize(
    "path",
    ["", "/", PATH, f"{PATH}0123456789abcde", f"{PATH}0123456789abcdef/", f"{PATH}秘密", "/\ud83d"],
)
def test_another_path_is_nothing(path: str) -> None:
    assert refused(request(path=path)) == 404


@pytest.mark.parametrize(
    "setup",
    [
        Setup(api_url="https://api.dingtalk.com", client_id="a", client_secret=SECRET, mode="http"),
        Setup(
            api_url="https://api.dingtalk.com",
            client_id="a",
            client_secret=SECRET,
            http_secret="0123456789abcdef",
        ),
    ],
    ids=["without a secret", "by a stream"],
)
def test_where_dingtalk_is_to_call_nothing(setup: Setup) -> None:
    assert path_of(setup) == ""
    assert refused(request(path=PATH), setup) == 404
    assert refused(request(path=""), setup) == 404
    assert refused(request(), setup) == 404


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "post", ""])
def test_nothing_but_a_post_is_understood(method: str) -> None:
    assert refused(request(method=method)) == 405


def test_a_body_that_is_too_large() -> None:
    whole = b'{"a":"' + b"x" * (LARGEST_BODY - 8) + b'"}'
    assert admit(request(whole), SETUP)
    assert refused(request(whole + b" ")) == 413


@pytest.mark.parametrize("apart", [0, 1, FRESH_SECONDS, -FRESH_SECONDS])
def test_a_clock_may_be_a_little_off(apart: float) -> None:
    assert admit(request(now=NOW + apart), SETUP) == SAID


@pytest.mark.parametrize("apart", [FRESH_SECONDS + 1, -FRESH_SECONDS - 1, 3599, 10**8])
def test_what_was_signed_long_ago_or_is_to_come(apart: float) -> None:
    """DingTalk would have it an hour: by then anybody may have seen it."""
    assert refused(request(now=NOW + apart)) == 401


@pytest.mark.parametrize(
    "headers",
    [
        {"timestamp": MISSING},
        {"sign": MISSING},
        {"sign": ""},
        {"sign": SIGNED.rstrip("=")},
        {"sign": SIGNED.lower()},
        {"sign": SIGNED.replace("+", "%2B")},
        {"sign": f"{SIGNED} "},
        {"sign": "签"},
        {"sign": "\ud83d"},
        signed("1577262236") | {"timestamp": "1577262236758"},
        signed("1577262236"),
        {"timestamp": "1577262236758"},
        {"timestamp": ""},
        {"timestamp": "-1577262236757"},
        {"timestamp": "1577262236757.0"},
        {"timestamp": "１５７７２６２２３６７５７"},
        {"timestamp": "1" * 400},
        {"timestamp": f"{STAMP}\n"},
    ],
    ids=str,
)
def test_what_is_not_signed_so(headers: dict[str, str]) -> None:
    found: dict[str, Any] = headers
    assert refused(request(**found)) == 401


def test_what_another_app_signed() -> None:
    assert refused(request(sign=sign("another secret", STAMP))) == 401


BODIES = {
    "nothing": b"",
    "no JSON": b"msg",
    "a list": b"[]",
    "a text": b'"a"',
    "a number": b"1",
    "null": b"null",
    "not UTF-8": b'{"a":"\xff"}',
    "half a character": b'{"a":"\\ud83d"}',
    "too deep": b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "XML": b"<xml></xml>",
    "a form": b"a=1&b=2",
}


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
def test_what_cannot_be_read(body: bytes) -> None:
    assert refused(request(body)) == 400


def test_what_is_said_of_it_holds_nothing_of_it() -> None:
    with pytest.raises(Rejected) as rejected:
        admit(request(b'{"text": "my salary" oops'), SETUP)
    assert "salary" not in str(rejected.value)
    assert rejected.value.__cause__ is None
    with pytest.raises(Rejected) as rejected:
        admit(request(sign="oops"), SETUP)
    assert SIGNED not in str(rejected.value)


def test_nobody_who_knows_no_secret_learns_whether_the_path_is_right() -> None:
    """Whatever else is wrong with it, a wrong path is answered alike."""
    for wrong in ({"method": "GET"}, {"sign": "x"}, {"body": b"x" * (LARGEST_BODY + 1)}):
        found: dict[str, Any] = {"path": "/dingtalk/robot/guess", **wrong}
        assert refused(request(**found)) == 404


@given(st.binary(max_size=200), st.text(max_size=30), st.text(max_size=20), st.text(max_size=40))
def test_any_request_is_let_in_or_refused(body: bytes, sign_: str, stamp: str, path: str) -> None:
    assert refused(request(body, path=path)) == 404
    assert refused(request(body, sign=sign_, timestamp=stamp)) == 401
    status = 400
    try:
        assert isinstance(admit(request(body), SETUP), dict)
    except Rejected as rejected:
        status = rejected.status
    assert status == 400
