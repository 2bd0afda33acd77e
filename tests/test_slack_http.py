"""The guard: only what Slack signed, lately, and what can be read."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.contract import Rejected, Request
from adapters.slack.http import LARGEST_BODY, admit
from tests.platforms.slack import signed_headers

VECTORS = json.loads(
    (Path(__file__).parent / "payloads" / "slack" / "signatures.json").read_text(encoding="utf-8")
)["vectors"]
SECRET = "8f742231b10e8888abcd99yyyzzz85a5"
NOW = 1_531_420_618
FORM = "application/x-www-form-urlencoded"
JSON = "application/json"


def request(
    body: bytes | str,
    content_type: str = FORM,
    *,
    stamp: int | str = NOW,
    now: int = NOW,
    secret: str = SECRET,
    method: str = "POST",
    **headers: str | None,
) -> Request:
    raw = body.encode() if isinstance(body, str) else body
    given = {name.lower(): value for name, value in signed_headers(raw, secret, stamp).items()}
    given["content-type"] = content_type
    changed = {f"x-slack-{name.replace('_', '-')}": value for name, value in headers.items()}
    kept = {name: value for name, value in {**given, **changed}.items() if value is not None}
    at = datetime.fromtimestamp(now, UTC)
    return Request(method, "/slack/events", kept, {}, raw, at)


def refused(found: Request, secrets: tuple[str, ...] = (SECRET,)) -> int:
    with pytest.raises(Rejected) as rejected:
        admit(found, secrets)
    return rejected.value.status


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["name"])
def test_the_published_vectors(vector: dict[str, Any]) -> None:
    content_type = JSON if vector["body"].startswith("{") else FORM
    found = request(
        vector["body"],
        content_type,
        now=vector["now"],
        request_timestamp=vector["timestamp"],
        signature=vector["signature"],
    )
    if vector["expect_valid"]:
        assert admit(found, (vector["signing_secret"],))
    else:
        assert refused(found, (vector["signing_secret"],)) == 401


@pytest.mark.parametrize(
    "stamp",
    [
        "",
        "abc",
        "1531420618.5",
        " 1531420618",
        "1_531420618",
        "１５３１４２０６１８",
        "-5",
        "9" * 400,
    ],
)
def test_odd_timestamps(stamp: str) -> None:
    assert refused(request("text=a", request_timestamp=stamp)) == 401
    assert refused(request("text=a", stamp=stamp)) == 401


def test_a_missing_timestamp() -> None:
    assert refused(request("text=a", request_timestamp=None)) == 401


@pytest.mark.parametrize("away", [-300, 0, 300])
def test_within_five_minutes(away: int) -> None:
    assert admit(request("text=a", now=NOW + away), (SECRET,)) == {"text": "a"}


@pytest.mark.parametrize("away", [-301, 301, 86_400])
def test_outside_of_five_minutes(away: int) -> None:
    assert refused(request("text=a", now=NOW + away)) == 401


@pytest.mark.parametrize("signature", [None, "", "v0=", "v0=é", "v1=" + "0" * 64, "0" * 64])
def test_odd_signatures(signature: str | None) -> None:
    assert refused(request("text=a", signature=signature)) == 401


def test_while_the_secret_is_replaced_both_are_good() -> None:
    assert admit(request("text=a"), ("another", SECRET))
    assert admit(request("text=a"), (SECRET, "another"))
    assert refused(request("text=a", secret="an older one"), ("another", SECRET)) == 401
    assert refused(request("text=a"), ()) == 401


DEEP = "[" * 100_000 + "]" * 100_000
UNREADABLE = {
    "no content type": (b"text=a", ""),
    "another content type": (b"text=a", "text/plain"),
    "a multipart form": (b"text=a", "multipart/form-data; boundary=x"),
    "no body": (b"", FORM),
    "no JSON body": (b"", JSON),
    "bad JSON": (b"{bad", JSON),
    "a list": (b"[1]", JSON),
    "a string": (b'"x"', JSON),
    "not UTF-8": (b"text=\xff", FORM),
    "not UTF-8 when decoded": (b"text=%ff", FORM),
    "JSON that is not UTF-8": (b'{"a": "\xff"}', JSON),
    "half a character": (b'{"a": "\\ud83d"}', JSON),
    "deep JSON": (DEEP.encode(), JSON),
    "a huge number": (b'{"a": ' + b"9" * 5000 + b"}", JSON),
    "a field twice": (b"text=a&text=b", FORM),
    "a field without a value": (b"text", FORM),
    "many fields": (urlencode([(f"f{i}", "x") for i in range(65)]).encode(), FORM),
    "a huge count of fields": (b"&".join([b"a=b"] * 250_000), FORM),
    "a payload that is none": (b"payload=%7Bbad", FORM),
    "a payload that is a list": (b"payload=%5B1%5D", FORM),
    "a payload twice": (b"payload=%7B%7D&payload=%7B%7D", FORM),
}


@pytest.mark.parametrize(("body", "content_type"), UNREADABLE.values(), ids=UNREADABLE)
def test_what_cannot_be_read(body: bytes, content_type: str) -> None:
    assert refused(request(body, content_type)) == 400
    # Who is not Slack does not even learn that.
    assert refused(request(body, content_type, signature="v0=00")) == 401


def test_what_is_said_of_it_holds_nothing_of_it() -> None:
    with pytest.raises(Rejected) as rejected:
        admit(request(b'{"text": "my salary" oops', JSON), (SECRET,))
    assert "salary" not in str(rejected.value)
    assert rejected.value.__cause__ is None


def test_the_largest_body() -> None:
    body = b"text=" + b"a" * (LARGEST_BODY - 5)
    assert len(admit(request(body), (SECRET,))["text"]) == LARGEST_BODY - 5
    assert refused(request(body + b"a")) == 413


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT"])
def test_other_methods(method: str) -> None:
    assert refused(request("text=a", method=method)) == 405


def test_what_can_be_read() -> None:
    charset = f"{FORM}; charset=UTF-8"
    assert admit(request("text=%E4%BD%A0+a&x=", charset), (SECRET,)) == {"text": "你 a", "x": ""}
    assert admit(request('payload={"a":"你"}'), (SECRET,)) == {"a": "你"}
    assert admit(request('{"a":"\\ud83d\\ude00"}', "Application/JSON"), (SECRET,)) == {"a": "😀"}
    typed = {"command": "/ask", "payload": "x"}
    assert admit(request(urlencode(typed)), (SECRET,)) == typed


@given(st.binary(max_size=300), st.sampled_from([FORM, JSON, "text/plain"]))
def test_any_signed_bytes_are_read_or_refused(body: bytes, content_type: str) -> None:
    try:
        admit(request(body, content_type), (SECRET,))
        status = 200
    except Rejected as rejected:
        status = rejected.status
    assert status in (200, 400)
