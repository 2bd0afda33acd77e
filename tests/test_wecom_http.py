"""The guard: only what WeCom sealed, lately, and what can be read."""

from __future__ import annotations

import base64
import hashlib
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from hypothesis import given
from hypothesis import strategies as st

from adapters.contract import Rejected, Request
from adapters.wecom.crypto import Envelope, Sealed, is_aes_key
from adapters.wecom.http import (
    DEEPEST,
    LARGEST_BODY,
    Echo,
    admit_app,
    admit_bot,
    app_reply,
    bot_reply,
)

PUBLISHED = json.loads(
    (Path(__file__).parent / "payloads" / "wecom_vectors.json").read_text(encoding="utf-8")
)
VECTORS = {vector["id"]: vector for vector in PUBLISHED["vectors"]}
NEGATIVE = [one for one in PUBLISHED["negative"] if one["base"] in VECTORS]

TOKEN = "QDG6eK"
KEY = "jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2C"
CORP = "wx5823bf96d3bd56c7"
NOW = 1_700_000_000
APP = Envelope(TOKEN, KEY, CORP)
BOT = Envelope(TOKEN, KEY, "")
HELLO = (
    "<xml><ToUserName><![CDATA[wx5823bf96d3bd56c7]]></ToUserName>"
    "<FromUserName><![CDATA[ZhangSan]]></FromUserName><CreateTime>1700000000</CreateTime>"
    "<MsgType><![CDATA[text]]></MsgType><Content><![CDATA[打卡]]></Content>"
    "<MsgId>4561255354251345929</MsgId><AgentID>218</AgentID></xml>"
)


def encrypted(plain: bytes) -> str:
    """These bytes as they are: neither head nor padding is added."""
    key = base64.b64decode(KEY + "=")
    cipher = Cipher(algorithms.AES(key), modes.CBC(key[:16])).encryptor()
    return base64.b64encode(cipher.update(plain) + cipher.finalize()).decode()


def whole(said: bytes, receive_id: str = CORP, length: int | None = None) -> bytes:
    """As WeCom puts it together, before it is encrypted."""
    size = len(said) if length is None else length
    plain = b"0123456789abcdef" + size.to_bytes(4, "big") + said + receive_id.encode()
    padding = 32 - len(plain) % 32
    return plain + bytes([padding]) * padding


def signature(encrypt: str, timestamp: object = NOW, nonce: str = "nonce", by: str = TOKEN) -> str:
    joined = "".join(sorted([by, str(timestamp), nonce, encrypt]))
    return hashlib.sha1(joined.encode()).hexdigest()


def request(
    encrypt: str, body: bytes | str = "", *, method: str = "POST", now: int = NOW, **query: str
) -> Request:
    """A request that is signed for `encrypt`, unless `query` says something else."""
    given = {"timestamp": str(NOW), "nonce": "nonce", **query}
    given.setdefault("msg_signature", signature(encrypt, given["timestamp"], given["nonce"]))
    kept = {name: value for name, value in given.items() if value != "MISSING"}
    raw = body.encode() if isinstance(body, str) else body
    return Request(method, "/wecom", {}, kept, raw, datetime.fromtimestamp(now, UTC))


def xml(encrypt: str) -> str:
    return (
        f"<xml><ToUserName><![CDATA[{CORP}]]></ToUserName><AgentID><![CDATA[218]]></AgentID>"
        f"<Encrypt><![CDATA[{encrypt}]]></Encrypt></xml>"
    )


def from_app(said: str | bytes, now: int = NOW) -> Request:
    raw = said.encode() if isinstance(said, str) else said
    encrypt = encrypted(whole(raw))
    return request(encrypt, xml(encrypt), now=now)


def from_bot(said: str | bytes, now: int = NOW) -> Request:
    raw = said.encode() if isinstance(said, str) else said
    encrypt = encrypted(whole(raw, ""))
    return request(encrypt, json.dumps({"encrypt": encrypt}), now=now)


def verification(echo: str, **query: str) -> Request:
    given = {"echostr": echo, **query}
    return request(echo, "", method="GET", now=NOW, **given)


def app_fields(said: str | bytes) -> dict[str, Any]:
    found = admit_app(from_app(said), APP)
    assert isinstance(found, dict)
    return found


def bot_object(said: str | bytes) -> dict[str, Any]:
    found = admit_bot(from_bot(said), BOT)
    assert isinstance(found, dict)
    return found


def refused(found: Request, *, bot: bool = False) -> int:
    with pytest.raises(Rejected) as rejected:
        admit_bot(found, BOT) if bot else admit_app(found, APP)
    return rejected.value.status


# --- the envelope


def envelope_of(vector: dict[str, Any]) -> Envelope:
    return Envelope(vector["token"], vector["encoding_aes_key"], vector["receive_id"])


def opened(vector: dict[str, Any]) -> str:
    return envelope_of(vector).opened(
        vector["encrypt"], vector["msg_signature"], vector["timestamp"], vector["nonce"]
    )


@pytest.mark.parametrize("vector", VECTORS.values(), ids=VECTORS)
def test_the_published_vectors(vector: dict[str, Any]) -> None:
    assert opened(vector) == vector["plaintext"]


@pytest.mark.parametrize("change", NEGATIVE, ids=lambda change: change["id"])
def test_the_published_vectors_of_what_is_wrong(change: dict[str, Any]) -> None:
    with pytest.raises(Rejected) as rejected:
        opened({**VECTORS[change["base"]], **change["change"]})
    assert rejected.value.status == 401


@pytest.mark.parametrize("field", ["token", "encrypt", "msg_signature", "timestamp", "nonce"])
@pytest.mark.parametrize("vector", VECTORS.values(), ids=VECTORS)
def test_whatever_of_a_vector_is_changed(vector: dict[str, Any], field: str) -> None:
    last = vector[field][-1]
    with pytest.raises(Rejected) as rejected:
        opened({**vector, field: vector[field][:-1] + ("0" if last != "0" else "1")})
    assert rejected.value.status == 401


WORDS = st.text(st.characters(exclude_categories=["Cs"]))


@given(WORDS, st.sampled_from([APP, BOT]), st.integers(0, 10**11))
def test_there_and_back(plain: str, envelope: Envelope, timestamp: int) -> None:
    sealed = envelope.sealed(plain, "nonce", timestamp)
    assert sealed == Sealed(
        sealed.encrypt, signature(sealed.encrypt, timestamp), timestamp, "nonce"
    )
    again = envelope.opened(sealed.encrypt, sealed.signature, str(timestamp), sealed.nonce)
    assert again == plain


def test_the_same_words_look_different_every_time() -> None:
    assert APP.sealed("a", "n", 1).encrypt != APP.sealed("a", "n", 1).encrypt


def opening(encrypt: str, envelope: Envelope = APP) -> int:
    """The status with which something is refused though its signature is right."""
    with pytest.raises(Rejected) as rejected:
        envelope.opened(encrypt, signature(encrypt), str(NOW), "nonce")
    return rejected.value.status


WRONG = {
    "nothing": "",
    "no base64": "你好",
    "base64 of another alphabet": "-_8=",
    "base64 of no length": "abcde",
    "one letter": "a",
    "padding only": "==",
    "no whole block": base64.b64encode(b"123").decode(),
    "one block": encrypted(b"a" * 16),
    "a block with a length and no more": encrypted(b"a" * 15 + b"\x01"),
    "no padding": encrypted(b"0" * 16 + bytes(4) + CORP.encode() + bytes(10)),
    "more padding than a block": encrypted(whole(b"x") + b"\x21" * 32),
    "padding of two kinds": encrypted(whole(b"x", CORP + "0" * 4)[:-3] + b"\x01\x02\x03"),
    "padding over all of it": encrypted(b"\x20" * 32),
    "a length beyond the end": encrypted(whole(b"x", length=4000)),
    "the longest length": encrypted(whole(b"x", length=2**32 - 1)),
    "not UTF-8": encrypted(whole(b"\xff\xfe")),
    "a receive id that is not UTF-8": encrypted(whole(b"x" + b"\xff" * 18, "", length=1)),
}


@pytest.mark.parametrize("encrypt", WRONG.values(), ids=WRONG)
def test_what_is_signed_and_cannot_be_decrypted(encrypt: str) -> None:
    assert opening(encrypt) == 400
    assert opening(encrypt, BOT) == 400


def test_a_part_of_it_is_not_the_whole() -> None:
    """Without a receive id, only the length tells."""
    assert opening(encrypted(whole(b"abc", "", length=4)), BOT) == 400
    assert opening(encrypted(whole(b"abc", "", length=2)), BOT) == 401


@pytest.mark.parametrize("receive_id", ["", "ww0000000000000000", CORP + "x", CORP.upper()])
def test_what_was_said_to_somebody_else(receive_id: str) -> None:
    assert opening(encrypted(whole(b"x", receive_id))) == 401
    if receive_id:
        assert opening(encrypted(whole(b"x", receive_id)), BOT) == 401


@given(st.binary(max_size=200))
def test_any_signed_bytes_are_opened_or_refused(plain: bytes) -> None:
    whole_blocks = plain[: len(plain) // 16 * 16]
    assert opening(encrypted(whole_blocks)) in (400, 401)


@given(st.text(max_size=60), st.text(max_size=45), st.text(max_size=12), st.text(max_size=12))
def test_any_strings_are_refused(encrypt: str, signed: str, timestamp: str, nonce: str) -> None:
    with pytest.raises(Rejected) as rejected:
        APP.opened(encrypt, signed, timestamp, nonce)
    assert rejected.value.status == 401


@pytest.mark.parametrize("field", ["encrypt", "signature", "timestamp", "nonce"])
def test_half_characters_are_refused(field: str) -> None:
    sealed = APP.sealed("x", "nonce", NOW)
    given = {**sealed._asdict(), "timestamp": str(NOW), field: "\ud83d"}
    with pytest.raises(Rejected) as rejected:
        APP.opened(**given)
    assert rejected.value.status == 401


def test_what_is_said_of_it_holds_nothing_of_it() -> None:
    with pytest.raises(Rejected) as rejected:
        admit_bot(from_bot('{"text": "my salary" oops'), BOT)
    assert "salary" not in str(rejected.value)
    assert rejected.value.__cause__ is None
    with pytest.raises(Rejected) as rejected:
        admit_app(from_app("<xml><Content>my salary</Contents></xml>"), APP)
    assert "salary" not in str(rejected.value)
    assert rejected.value.__cause__ is None


@pytest.mark.parametrize("vector", VECTORS.values(), ids=VECTORS)
def test_keys_that_are_keys(vector: dict[str, Any]) -> None:
    assert is_aes_key(vector["encoding_aes_key"])


@pytest.mark.parametrize(
    "key", ["", KEY[:-1], KEY + "A", KEY[:-1] + "=", KEY[:-1] + "-", "你" * 43, "é" * 43, " " + KEY]
)
def test_keys_that_are_none(key: str) -> None:
    assert not is_aes_key(key)
    with pytest.raises(ValueError, match="43 letters and digits"):
        Envelope(TOKEN, key, CORP)


# --- the door


@pytest.mark.parametrize("method", ["HEAD", "PUT", "DELETE", "OPTIONS", "PATCH", "get"])
@pytest.mark.parametrize("bot", [False, True])
def test_other_methods(method: str, bot: bool) -> None:
    assert refused(request("", method=method), bot=bot) == 405


ODD = {
    "msg_signature": ["MISSING", "", "0" * 39, "0" * 41, "G" * 40, "é" * 40, "0" * 100_000],
    "timestamp": [
        "MISSING",
        "",
        "abc",
        "1700000000.5",
        " 1700000000",
        "1_7",
        "-5",
        "9" * 400,
        "１７",
    ],
    "nonce": ["MISSING", "", "a b", "a" * 129, "你", "a]]>b", "a\n"],
}


@pytest.mark.parametrize("bot", [False, True])
@pytest.mark.parametrize(
    ("name", "value"), [(name, value) for name, values in ODD.items() for value in values]
)
def test_odd_parameters(name: str, value: str, bot: bool) -> None:
    good = from_bot("{}") if bot else from_app(HELLO)
    changed = {**good.query, name: value}
    kept = {key: one for key, one in changed.items() if one != "MISSING"}
    assert refused(Request("POST", "/", {}, kept, good.body, good.now), bot=bot) == 401
    assert refused(Request("GET", "/", {}, kept, b"", good.now), bot=bot) == 401


@pytest.mark.parametrize("bot", [False, True])
@pytest.mark.parametrize("echo", ["", "a" * 4097, "你好", "MISSING"])
def test_odd_echoes(echo: str, bot: bool) -> None:
    assert refused(verification(echo), bot=bot) == 401


@pytest.mark.parametrize("away", [-300, 0, 300])
def test_within_five_minutes(away: int) -> None:
    assert admit_app(from_app(HELLO, now=NOW + away), APP)


@pytest.mark.parametrize("away", [-301, 301, 86_400])
def test_outside_of_five_minutes(away: int) -> None:
    assert refused(from_app(HELLO, now=NOW + away)) == 401
    assert refused(from_bot("{}", now=NOW + away), bot=True) == 401


def test_a_nonce_may_come_again() -> None:
    """WeCom repeats a callback that was not answered, three times."""
    again = from_app(HELLO)
    assert admit_app(again, APP) == admit_app(again, APP)


def test_the_secrets_of_one_address_are_none_at_the_other() -> None:
    assert refused(from_bot(HELLO), bot=False) == 400, "no XML around it"
    encrypt = encrypted(whole(HELLO.encode()))
    assert refused(request(encrypt, json.dumps({"encrypt": encrypt})), bot=True) == 401
    wrong = signature(encrypt, by="another token")
    assert refused(request(encrypt, xml(encrypt), msg_signature=wrong)) == 401


# --- the question whether the address is ours


@pytest.mark.parametrize("blank", [False, True], ids=["as it is", "a plus that became a blank"])
def test_the_address_is_verified(blank: bool) -> None:
    echo = next(
        one for one in (APP.sealed(str(n), "nonce", NOW).encrypt for n in range(999)) if "+" in one
    )
    asked = verification(echo, echostr=echo.replace("+", " ") if blank else echo)
    found = admit_app(asked, APP)
    assert isinstance(found, Echo)
    assert found.text.isdigit()


def test_the_address_of_a_bot_is_verified() -> None:
    assert admit_bot(verification(encrypted(whole(b"42", ""))), BOT) == Echo("42")


def test_an_address_that_is_not_ours() -> None:
    echo = encrypted(whole(b"42"))
    assert refused(verification(echo, msg_signature=signature(echo, by="x"))) == 401
    assert refused(verification(encrypted(whole(b"42", "ww9")))) == 401
    assert refused(verification(encrypted(b"a" * 32))) == 400


# --- what cannot be read, outside


SOME = encrypted(whole(HELLO.encode()))
UNREADABLE = {
    "no body": b"",
    "no XML": b"hello",
    "JSON": json.dumps({"encrypt": SOME}).encode(),
    "no Encrypt": b"<xml><ToUserName>x</ToUserName></xml>",
    "an empty Encrypt": b"<xml><Encrypt></Encrypt></xml>",
    "an Encrypt of blanks": b"<xml><Encrypt>   </Encrypt></xml>",
    "an Encrypt without an end": f"<xml><Encrypt>{SOME}".encode(),
    "an Encrypt with an attribute": f'<xml><Encrypt a="b">{SOME}</Encrypt></xml>'.encode(),
    "two": (xml(SOME) + xml(SOME)).encode(),
    "an element in it": f"<xml><Encrypt><b>{SOME}</b></Encrypt></xml>".encode(),
    "half a CDATA": f"<xml><Encrypt><![CDATA[{SOME}</Encrypt></xml>".encode(),
    "no base64": "<xml><Encrypt><![CDATA[你好]]></Encrypt></xml>".encode(),
    "an entity": b"<!DOCTYPE x [<!ENTITY e 'eA=='>]><xml><Encrypt>&e;</Encrypt></xml>",
    "UTF-16": xml(SOME).encode("utf-16"),
    "UTF-16 without a mark": xml(SOME).encode("utf-16-le"),
    "not UTF-8": xml(SOME).encode() + b"\xff",
    "lower case": xml(SOME).lower().encode(),
    "many starts": b"<Encrypt>" * 20_000,
    "many CDATA": b"<Encrypt>" + b"<![CDATA[" * 20_000,
    "one long run": b"<Encrypt>" + b"A" * 200_000,
    "a long run of blanks": b"<Encrypt>" + b" " * 200_000,
    "deep": b"<x>" * 80_000,
}


@pytest.mark.parametrize("body", UNREADABLE.values(), ids=UNREADABLE)
def test_what_an_app_cannot_read(body: bytes) -> None:
    assert refused(request(SOME, body)) == 400


@pytest.mark.parametrize(
    "body",
    [
        f"<xml><Encrypt>{SOME}</Encrypt></xml>",
        f"<xml>\r\n<Encrypt>\n<![CDATA[{SOME}]]> </Encrypt></xml>",
    ],
)
def test_what_an_app_can_read_as_well(body: str) -> None:
    assert admit_app(request(SOME, body), APP)


DEEP = "[" * 60_000 + "]" * 60_000
NO_OBJECT = {
    "no body": b"",
    "no JSON": b"{bad",
    "a list": b"[1]",
    "a string": b'"x"',
    "nothing encrypted": b"{}",
    "something else encrypted": b'{"encrypt": 7}',
    "encrypted nothing": b'{"encrypt": null}',
    "no base64": '{"encrypt": "你好"}'.encode(),
    "half a character": b'{"encrypt": "\\ud83d"}',
    "deep": DEEP.encode(),
    "deep within": ('{"a":' + DEEP + "}").encode(),
    "a huge number": b'{"encrypt": ' + b"9" * 5000 + b"}",
    "UTF-16": json.dumps({"encrypt": "aaaa"}).encode("utf-16"),
    "not UTF-8": b'{"encrypt": "\xff"}',
    "XML": xml(SOME).encode(),
}


@pytest.mark.parametrize("body", NO_OBJECT.values(), ids=NO_OBJECT)
def test_what_a_bot_cannot_read(body: bytes) -> None:
    assert refused(request(SOME, body), bot=True) == 400


@pytest.mark.parametrize("size", [LARGEST_BODY + 1, 20_000_000])
@pytest.mark.parametrize("bot", [False, True])
def test_a_large_body(size: int, bot: bool) -> None:
    assert refused(request("", b"a" * size), bot=bot) == 413
    assert refused(request("", b"a" * size, method="GET"), bot=bot) == 413


def test_the_largest_body() -> None:
    padded = xml(SOME).encode().ljust(LARGEST_BODY)
    assert admit_app(request(SOME, padded), APP)


# --- what cannot be read, inside


def nested(times: int) -> str:
    return HELLO.replace("</xml>", "<a>" * times + "</a>" * times + "</xml>")


LAUGHS = (
    '<!DOCTYPE xml [<!ENTITY a "haha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">'
    '<!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;">]>' + HELLO.replace("打卡", "]]>&c;<![CDATA[")
)
INSIDE = {
    "nothing": "",
    "blanks": "  \n",
    "no XML": "hello",
    "JSON": "{}",
    "half of it": HELLO[:-3],
    "more than it": HELLO + "<xml></xml>",
    "another root": HELLO.replace("xml>", "lmx>"),
    "an empty root": "<xml></xml>",
    "an empty root in one": "<xml/>",
    "a root of text": "<xml>hello</xml>",
    "no MsgType": "<xml><Content>x</Content></xml>",
    "an empty MsgType": "<xml><MsgType></MsgType></xml>",
    "a nested MsgType": "<xml><MsgType><a>text</a></MsgType></xml>",
    "two MsgTypes": "<xml><MsgType>text</MsgType><MsgType>text</MsgType></xml>",
    "an event of no kind": "<xml><MsgType>event</MsgType></xml>",
    "an event of nothing": "<xml><MsgType>event</MsgType><Event></Event></xml>",
    "a field twice": HELLO.replace("</xml>", "<Content>another</Content></xml>"),
    "a billion laughs": LAUGHS,
    "an outside entity": '<!DOCTYPE xml [<!ENTITY e SYSTEM "file:///etc/passwd">]>'
    + HELLO.replace("<![CDATA[打卡]]>", "&e;"),
    "an outside DTD": '<!DOCTYPE xml SYSTEM "http://127.0.0.1/x.dtd">' + HELLO,
    "a DTD of nothing": "<!DOCTYPE xml>" + HELLO,
    "an unknown entity": HELLO.replace("<![CDATA[打卡]]>", "&nbsp;"),
    "half an entity": HELLO.replace("<![CDATA[打卡]]>", "a & b"),
    "a comment": HELLO.replace("</xml>", "<!-- x --></xml>"),
    "an instruction": HELLO.replace("</xml>", "<?php x ?></xml>"),
    "an attribute": HELLO.replace("<Content>", '<Content a="b">'),
    "a namespace": HELLO.replace("<xml>", '<xml xmlns:xi="http://www.w3.org/2001/XInclude">'),
    "a control character": HELLO.replace("打卡", "\x01"),
    "a control character as an entity": HELLO.replace("<![CDATA[打卡]]>", "&#1;"),
    "a NUL": HELLO.replace("打卡", "\x00"),
    "CDATA without an end": "<xml><MsgType><![CDATA[text</MsgType></xml>",
    "many CDATA without an end": "<xml>" + "<![CDATA[" * 15_000,
    "an end without CDATA": HELLO.replace("<![CDATA[打卡]]>", "a]]>b"),
    "as many nested tags as a body holds": "<a>" * 25_000 + "</a>" * 25_000,
    "as many tags in a row": "<xml>" + "<a/>" * 40_000,
    "deep": nested(DEEPEST),
    "UTF-16": HELLO.encode("utf-16"),
    "UTF-16 without a mark": HELLO.encode("utf-16-le"),
    "a NUL in a name": HELLO.replace("Content", "Con\0tent"),
}


@pytest.mark.parametrize("said", INSIDE.values(), ids=INSIDE)
def test_what_is_signed_and_is_no_message(said: str | bytes) -> None:
    assert refused(from_app(said)) == 400


def test_a_body_as_deep_as_it_may_be() -> None:
    assert app_fields(nested(DEEPEST - 1))["Content"] == "打卡"


NO_MESSAGE = {
    "nothing": "",
    "no JSON": "hello",
    "a list": "[]",
    "XML": HELLO,
    "half a character": '{"text": {"content": "\\uD83D"}}',
    "deep": DEEP,
    "a huge number": '{"a": ' + "9" * 5000 + "}",
    "UTF-16": '{"a": "b"}'.encode("utf-16"),
    "the official sample": VECTORS["wecom-sample-post-json"]["plaintext"],
}


@pytest.mark.parametrize("said", NO_MESSAGE.values(), ids=NO_MESSAGE)
def test_what_is_signed_and_is_no_json_message(said: str | bytes) -> None:
    assert refused(from_bot(said), bot=True) == 400


@given(st.one_of(st.binary(max_size=200), WORDS.map(str.encode)))
def test_any_sealed_bytes_are_read_or_refused(said: bytes) -> None:
    assert refused(from_app(said)) == 400
    try:
        assert bot_object(said) == json.loads(said)
        status = 200
    except Rejected as rejected:
        status = rejected.status
    assert status in (200, 400)


# --- what can


def test_a_message() -> None:
    assert app_fields(HELLO) == {
        "ToUserName": CORP,
        "FromUserName": "ZhangSan",
        "CreateTime": "1700000000",
        "MsgType": "text",
        "Content": "打卡",
        "MsgId": "4561255354251345929",
        "AgentID": "218",
    }
    assert app_fields('<?xml version="1.0" encoding="gbk"?>\n' + HELLO)["Content"] == "打卡"


@pytest.mark.parametrize(
    ("content", "read"),
    [
        ("<Content></Content>", ""),
        ("<Content/>", ""),
        ("<Content><![CDATA[]]></Content>", ""),
        ("<Content><![CDATA[  ]]></Content>", ""),
        ("<Content>1 &lt; 2 &amp; &#29677;</Content>", "1 < 2 & 班"),
        ("<Content><![CDATA[<a>]]></Content>", "<a>"),
        ("<Content><![CDATA[<!DOCTYPE x>&e;]]></Content>", "<!DOCTYPE x>&e;"),
        ("<Content><![CDATA[" + "<" * 2048 + "]]></Content>", "<" * 2048),
        ("<Content><![CDATA[a]]]]><![CDATA[>b]]></Content>", "a]]>b"),
        ("<Content><![CDATA[😀\n]]></Content>", "😀"),
    ],
)
def test_what_people_type(content: str, read: str) -> None:
    said = HELLO.replace("<Content><![CDATA[打卡]]></Content>", content)
    assert app_fields(said)["Content"] == read


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=50))
def test_whatever_people_type(words: str) -> None:
    said = HELLO.replace("打卡", words.replace("]]>", "]]]]><![CDATA[>"))
    try:
        assert app_fields(said)["Content"] == words.strip()
    except Rejected:  # U+FFFE and U+FFFF have no place in XML
        assert {"\ufffe", "\uffff"} & set(words)


def test_an_event_that_wechatpy_does_not_know() -> None:
    event = (
        "<xml><ToUserName>c</ToUserName><FromUserName>u</FromUserName><MsgType>event</MsgType>"
        "<Event>template_card_menu_event</Event><EventKey>k</EventKey></xml>"
    )
    assert app_fields(event)["EventKey"] == "k"


def card(items: str) -> str:
    return (
        "<xml><ToUserName>c</ToUserName><FromUserName>u</FromUserName><MsgType>event</MsgType>"
        f"<Event>template_card_event</Event><TaskId>t</TaskId>{items}</xml>"
    )


def item(question: str, *options: str) -> str:
    listed = "".join(f"<OptionId><![CDATA[{one}]]></OptionId>" for one in options)
    return (
        f"<SelectedItem><QuestionKey>{question}</QuestionKey>"
        f"<OptionIds>{listed}</OptionIds></SelectedItem>"
    )


@pytest.mark.parametrize(
    ("items", "read"),
    [
        ("<SelectedItems></SelectedItems>", []),
        ("<SelectedItems>odd</SelectedItems>", []),
        ("<SelectedItems><SelectedItem>odd</SelectedItem></SelectedItems>", []),
        ("<SelectedItems>" + item("q") + "</SelectedItems>", [("q", [])]),
        ("<SelectedItems>" + item("q", "a") + "</SelectedItems>", [("q", ["a"])]),
        ("<SelectedItems>" + item("q", "a", "b") + "</SelectedItems>", [("q", ["a", "b"])]),
        (
            "<SelectedItems>" + item("q", "a") + item("r", "a", "b") + "</SelectedItems>",
            [("q", ["a"]), ("r", ["a", "b"])],
        ),
    ],
)
def test_lists_of_any_length_are_lists(items: str, read: list[tuple[str, list[str]]]) -> None:
    found = app_fields(card(items))["SelectedItems"]
    assert found == {
        "SelectedItem": [
            {"QuestionKey": question, "OptionIds": {"OptionId": options}}
            for question, options in read
        ]
    }


def test_without_a_selection() -> None:
    assert "SelectedItems" not in app_fields(card(""))


def test_what_a_bot_is_told() -> None:
    said = VECTORS["generated-aibot-post-json-empty-receiveid"]["plaintext"]
    assert bot_object(said) == json.loads(said)
    assert bot_object('{"a":"\\ud83d\\ude00"}') == {"a": "😀"}


# --- answers


def read_back(answer: bytes) -> ET.Element:
    """The answer's inside, as WeCom reads it."""
    outside = {one.tag: one.text or "" for one in ET.fromstring(answer)}  # noqa: S314 - ours
    assert outside.keys() == {"Encrypt", "MsgSignature", "TimeStamp", "Nonce"}
    plain = APP.opened(
        outside["Encrypt"], outside["MsgSignature"], outside["TimeStamp"], outside["Nonce"]
    )
    return ET.fromstring(plain)  # noqa: S314 - ours


AT = datetime.fromtimestamp(NOW, UTC)


def test_a_text_as_the_answer() -> None:
    inside = read_back(app_reply(APP, "已打卡 {x}", CORP, "zhangsan", "n0nce", AT))
    told = {one.tag: one.text for one in inside}
    assert told.pop("AgentID") == "0"
    assert told == {
        "ToUserName": "zhangsan",
        "FromUserName": CORP,
        "CreateTime": str(NOW),
        "MsgType": "text",
        "Content": "已打卡 {x}",
    }


BREAKING_OUT = "]]></Content><MsgType><![CDATA[image]]></MsgType><Content><![CDATA["


@pytest.mark.parametrize("words", [BREAKING_OUT, "]]>", "]]]>", "]]", "]]>]]>", "<![CDATA[x]]>"])
def test_words_stay_where_they_are(words: str) -> None:
    inside = read_back(app_reply(APP, words, CORP, words, words, AT))
    assert inside.findtext("Content") == words
    assert inside.findtext("ToUserName") == words
    assert [one.text for one in inside.iter("MsgType")] == ["text"]


@given(st.text())
def test_any_words_are_xml(words: str) -> None:
    inside = read_back(app_reply(APP, words, CORP, "u", "n", AT))
    there = inside.findtext("Content")
    said = "".join(
        one
        for one in words.replace("\r\n", "\n").replace("\r", "\n")
        if one in "\t\n"
        or (one >= " " and not "\ud800" <= one <= "\udfff" and one < "\ufffe")
        or one > "\uffff"
    )
    assert there == said


def test_json_as_the_answer() -> None:
    body = {"msgtype": "stream", "stream": {"id": "1", "finish": True, "content": "好 😀"}}
    answer = json.loads(bot_reply(BOT, body, "n0nce", AT))
    assert answer.keys() == {"encrypt", "msgsignature", "timestamp", "nonce"}
    assert (answer["timestamp"], answer["nonce"]) == (NOW, "n0nce")
    plain = BOT.opened(answer["encrypt"], answer["msgsignature"], str(NOW), "n0nce")
    assert json.loads(plain) == body
