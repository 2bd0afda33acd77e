"""The guard at the door: what WeCom did not sign, is not fresh or cannot be read stays outside.

https://developer.work.weixin.qq.com/document/path/90238 (apps: XML)
https://developer.work.weixin.qq.com/document/path/101033 (aibots: JSON)
No parser touches anything before it is verified, and XML only what is left when all that WeCom does
not use is refused. A nonce may come again: WeCom tries again with the one it used.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from wechatpy.enterprise import create_reply, parse_message

from adapters.contract import Rejected, Request
from adapters.reading import Json, read_object
from adapters.wecom.crypto import Envelope, Sealed

LARGEST_BODY = 256 * 1024
LONGEST_ECHO = 4096
FRESH_SECONDS = 300
# A callback about a card, the deepest of all, has five.
DEEPEST = 16

_TIMESTAMP = re.compile(r"[0-9]{1,12}", re.ASCII)
_NONCE = re.compile(r"[0-9A-Za-z_.-]{1,128}", re.ASCII)
_ENCRYPT = re.compile(
    r"<Encrypt>\s*+(?:<!\[CDATA\[([A-Za-z0-9+/]++={0,2})\]\]>|([A-Za-z0-9+/]++={0,2}))\s*+</Encrypt>",
    re.ASCII,
)
_PROLOG = re.compile(r"\s*+(?:<\?xml [^<>?]*+\?>)?", re.ASCII)
_TAG = re.compile(r"<(/?)[A-Za-z_][A-Za-z0-9_]*+[ \t\r\n]*+(/?)>", re.ASCII)
# What XML 1.0 has no way to write: control characters, half characters, U+FFFE and U+FFFF.
_NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True, slots=True)
class Echo:
    """WeCom asks whether the address is ours: this is to be answered, bare, within a second."""

    text: str


@dataclass(frozen=True, slots=True)
class _Signed:
    signature: str
    timestamp: str
    nonce: str


def admit_app(request: Request, envelope: Envelope) -> Json | Echo:
    """A callback of a self-built app: the fields of its XML, which are texts or, of nested ones,
    mappings; an empty one is "". SelectedItem and OptionId are lists whatever their number.

    Raises Rejected: 405 for anything but GET and POST, 413 for a body over 256 KiB, 401 when the
    signature or its time is missing, wrong or stale, 400 when the body cannot be read.
    """
    signed = _look_at(request)
    if request.method == "GET":
        return _echo(request, envelope, signed)
    return _fields(_open(envelope, _encrypted_in_xml(_text(request.body)), signed))


def admit_bot(request: Request, envelope: Envelope) -> Json | Echo:
    """A callback of an aibot: its JSON. Raises Rejected as `admit_app` does."""
    signed = _look_at(request)
    if request.method == "GET":
        return _echo(request, envelope, signed)
    encrypted = _object(_text(request.body)).get("encrypt")
    if not isinstance(encrypted, str) or not encrypted.isascii():
        raise Rejected(400, "nothing is encrypted in the body")
    return _object(_open(envelope, encrypted, signed))


def app_reply(
    envelope: Envelope, content: str, from_: str, to: str, nonce: str, now: datetime
) -> bytes:
    """A text as the response to an app's callback, at most 2048 bytes of it.

    https://developer.work.weixin.qq.com/document/path/90241
    `from_` is the corp's id and `to` the member's: those of the callback, changed about. The
    `nonce` is of our own choosing.
    """
    seconds = int(now.timestamp())
    reply = create_reply(_for_cdata(content))
    reply.source, reply.target, reply.time = _for_cdata(from_), _for_cdata(to), seconds
    sealed = envelope.sealed(reply.render(), nonce, seconds)
    return _reply_xml(sealed).encode("utf-8")


def bot_reply(envelope: Envelope, body: Json, nonce: str, now: datetime) -> bytes:
    """A response to an aibot's callback: https://developer.work.weixin.qq.com/document/path/101031

    `nonce` is the callback's own.
    """
    plain = json.dumps(body, ensure_ascii=False)
    sealed = envelope.sealed(plain, nonce, int(now.timestamp()))
    found = {
        "encrypt": sealed.encrypt,
        "msgsignature": sealed.signature,
        "timestamp": sealed.timestamp,
        "nonce": sealed.nonce,
    }
    return json.dumps(found).encode("ascii")


# --- the outside


def _look_at(request: Request) -> _Signed:
    """Everything that needs no secret."""
    if request.method not in ("GET", "POST"):
        raise Rejected(405, "only GET and POST are understood here")
    if len(request.body) > LARGEST_BODY:
        raise Rejected(413, "the body is larger than 256 KiB")
    timestamp, nonce = request.query.get("timestamp", ""), request.query.get("nonce", "")
    if not _TIMESTAMP.fullmatch(timestamp):
        raise Rejected(401, "the timestamp is missing or no whole number")
    if abs(int(request.now.timestamp()) - int(timestamp)) > FRESH_SECONDS:
        raise Rejected(401, "the timestamp is too old or lies in the future")
    if not _NONCE.fullmatch(nonce):
        raise Rejected(401, "the nonce is missing or odd")
    return _Signed(request.query.get("msg_signature", ""), timestamp, nonce)


def _open(envelope: Envelope, encrypted: str, signed: _Signed) -> str:
    return envelope.opened(encrypted, signed.signature, signed.timestamp, signed.nonce)


def _echo(request: Request, envelope: Envelope, signed: _Signed) -> Echo:
    # Where something on the way decodes the address once too often, a plus has become a blank.
    echo = request.query.get("echostr", "").replace(" ", "+")
    if not 0 < len(echo) <= LONGEST_ECHO or not echo.isascii():
        raise Rejected(401, "echostr is missing or odd")
    return Echo(_open(envelope, echo, signed))


def _text(body: bytes) -> str:
    try:
        return body.decode("utf-8")
    except UnicodeDecodeError:
        raise Rejected(400, "the body is not UTF-8") from None


def _encrypted_in_xml(text: str) -> str:
    """The one <Encrypt> there is. By a pattern: a parser would be at work for whoever asks."""
    if text.count("<Encrypt>") != 1:
        raise Rejected(400, "there must be one <Encrypt>")
    found = _ENCRYPT.search(text)
    if not found:
        raise Rejected(400, "what stands in <Encrypt> is not base64")
    return found[1] or found[2]


# --- the inside


def _object(text: str) -> Json:
    try:
        return read_object(text)
    except (ValueError, RecursionError) as error:
        # The error's text may quote the body, so only its kind is passed on.
        raise Rejected(400, f"the JSON cannot be read: {type(error).__name__}") from None


def _fields(text: str) -> Json:
    if not _is_plain(text):
        raise Rejected(400, "the XML holds more than tags and texts, or is too deep")
    try:
        found = parse_message(text)
        fields: Any = None if found is None else found._data
    except Exception as error:
        # Whatever wechatpy stumbles over; the error's text may quote what was said.
        raise Rejected(400, f"the XML cannot be read: {type(error).__name__}") from None
    if not isinstance(fields, dict) or any(isinstance(one, list) for one in fields.values()):
        raise Rejected(400, "the XML has no fields, or has one twice")
    told = {str(name): "" if value is None else value for name, value in fields.items()}
    if "SelectedItems" in told:
        told["SelectedItems"] = {"SelectedItem": _selected(told["SelectedItems"])}
    return told


def _is_plain(text: str) -> bool:
    """Whether there are only tags without attributes, texts and CDATA, and not too deep: with no
    declarations, comments or instructions there is nothing to expand and nothing to hide behind.
    """
    body = text[_PROLOG.match(text).end() :]  # type: ignore[union-attr]  # it matches nothing, too
    outside = "".join(part.partition("<![CDATA[")[0] for part in body.split("]]>"))
    depth = tags = 0
    for closing, alone in _TAG.findall(outside):
        tags += 1
        if closing:
            depth -= 1
        elif not alone:
            depth += 1
            if depth > DEEPEST:
                return False
    return tags == outside.count("<")


def _selected(items: Any) -> list[Json]:
    """Of one element xmltodict makes no list: https://pypi.org/project/xmltodict"""
    found: list[Json] = []
    for item in _listed(items, "SelectedItem"):
        if isinstance(item, dict):
            options = [str(one) for one in _listed(item.get("OptionIds"), "OptionId") if one]
            found.append({**item, "OptionIds": {"OptionId": options}})
    return found


def _listed(holder: Any, name: str) -> list[Any]:
    inside = holder.get(name) if isinstance(holder, dict) else None
    if inside is None:
        return []
    return inside if isinstance(inside, list) else [inside]


# --- answers


def _for_cdata(text: str) -> str:
    """What people wrote must not end the section it stands in; wechatpy does not see to that."""
    return _NO_XML.sub("", text).replace("]]>", "]]]]><![CDATA[>")


def _reply_xml(sealed: Sealed) -> str:
    return (
        f"<xml><Encrypt><![CDATA[{sealed.encrypt}]]></Encrypt>"
        f"<MsgSignature><![CDATA[{sealed.signature}]]></MsgSignature>"
        f"<TimeStamp>{sealed.timestamp}</TimeStamp>"
        f"<Nonce><![CDATA[{_for_cdata(sealed.nonce)}]]></Nonce></xml>"
    )
