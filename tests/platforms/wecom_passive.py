"""What the bot answers to a callback, read as WeCom reads it.

Of an app: https://developer.work.weixin.qq.com/document/path/90241
Of an aibot: https://developer.work.weixin.qq.com/document/path/101031
"""

from __future__ import annotations

import json
import re
from typing import Any
from xml.etree import ElementTree

from tests.platforms.wecom_cards import check_card, check_task_id
from tests.platforms.wecom_crypto import CryptoError, decrypt, signature
from tests.platforms.wecom_messages import changed_card
from tests.platforms.wecom_model import Corp, Json, Message
from tests.platforms.wecom_refusals import Refusal
from tests.platforms.wecom_requests import Origin, SignedRequest

LONGEST_TEXT = 2048  # bytes
LONGEST_STREAM = 20480
ENVELOPE = {"Encrypt", "MsgSignature", "TimeStamp", "Nonce"}
HEAD = {"ToUserName", "FromUserName", "CreateTime", "MsgType"}
INSIDE = {
    "text": {"Content"},
    "update_button": {"Button"},
    "update_template_card": {"TemplateCard"},
}
MESSAGES = frozenset(("text", "image", "voice", "video", "location", "link"))
ANSWERED_WITH_TEXT = MESSAGES | {
    "subscribe",
    "enter_agent",
    "click",
    "view",
    "view_miniprogram",
    "scancode_waitmsg",
    "template_card_menu_event",
}
BOT_MESSAGES = frozenset(("text", "mixed", "image", "voice", "file", "video", "stream"))
REPEATED = frozenset(
    (
        "HorizontalContentList",
        "VerticalContentList",
        "JumpList",
        "ButtonList",
        "ActionList",
        "SelectList",
        "OptionList",
    )
)
NUMBERS = frozenset(("Type", "Style", "DescColor", "Mode", "Disable", "AspectRatio"))


class PassiveReader:
    def __init__(self, corp: Corp) -> None:
        self.corp = corp
        self._streams: dict[str, Message] = {}

    def read(self, response_body: bytes, request: SignedRequest) -> Message | None:
        if not response_body:
            return None
        with self.corp.changed:
            try:
                if request.origin.side == "app":
                    return self._app_reply(response_body, request.origin)
                return self._bot_reply(response_body, request)
            except (Refusal, CryptoError) as wrong:
                raise AssertionError(f"WeCom would not take it: {wrong}") from wrong

    # ---- the app: XML

    def _app_reply(self, response_body: bytes, origin: Origin) -> Message:
        corp = self.corp
        outer = _elements(response_body.decode())
        _expect(set(outer) == ENVELOPE, f"the envelope holds {sorted(outer)}")
        encrypted, timestamp, nonce = (_text(outer, n) for n in ("Encrypt", "TimeStamp", "Nonce"))
        _expect(timestamp.isdecimal(), f"TimeStamp is no number: {timestamp}")
        signed = signature(corp.token, timestamp, nonce, encrypted)
        _expect(_text(outer, "MsgSignature") == signed, "the signature is wrong")
        inner = _elements(decrypt(corp.aes_key, encrypted, corp.corp_id))
        msgtype = _text(inner, "MsgType")
        _expect(msgtype in INSIDE, f"MsgType is {msgtype!r}")
        # wechatpy writes the AgentID too, and WeCom has always taken it.
        wanted = HEAD | INSIDE[msgtype]
        _expect(wanted <= set(inner) <= wanted | {"AgentID"}, f"the reply holds {sorted(inner)}")
        _expect(_text(inner, "FromUserName") == corp.corp_id, "FromUserName is not the corp")
        _expect(_text(inner, "CreateTime").isdecimal(), "CreateTime is no number")
        to = _text(inner, "ToUserName").lower()
        _expect(to == origin.userid.lower(), f"the answer is for {to!r}")
        if msgtype == "text":
            return self._app_text(inner, origin)
        return self._app_update(inner, msgtype, origin)

    def _app_text(self, inner: dict[str, ElementTree.Element], origin: Origin) -> Message:
        _expect(origin.what in ANSWERED_WITH_TEXT, f"{origin.what} is not answered with a text")
        content = _text(inner, "Content")
        _expect(bool(content), "Content is empty")
        size = len(content.encode())
        _expect(size <= LONGEST_TEXT, f"the text has {size} bytes and would be cut")
        return self._show(origin, "text", {"content": content})

    def _app_update(
        self, inner: dict[str, ElementTree.Element], msgtype: str, origin: Origin
    ) -> Message:
        pressed = origin.message
        _expect(pressed is not None, f"{origin.what} has no card to change")
        assert pressed is not None
        if msgtype == "update_button":
            name = _text(_children(inner["Button"]), "ReplaceName")
            _expect(bool(name), "ReplaceName is empty")
            return self.corp.change(pressed, changed_card(pressed, None, name), [origin.userid])
        card = card_of(inner["TemplateCard"])
        check_card(card)
        return self.corp.change(pressed, card, [origin.userid])

    # ---- the aibot: JSON

    def _bot_reply(self, response_body: bytes, request: SignedRequest) -> Message:
        corp, origin = self.corp, request.origin
        outer = _json(response_body.decode())
        expected = {"encrypt", "msgsignature", "timestamp", "nonce"}
        _expect(set(outer) == expected, f"the envelope holds {sorted(outer)}")
        timestamp, nonce = outer["timestamp"], outer["nonce"]
        _expect(isinstance(timestamp, int), f"timestamp is no number: {timestamp!r}")
        _expect(nonce == request.query["nonce"], "the nonce is not the callback's")
        signed = signature(corp.bot_token, str(timestamp), str(nonce), str(outer["encrypt"]))
        _expect(outer["msgsignature"] == signed, "the signature is wrong")
        said = _json(decrypt(corp.bot_aes_key, str(outer["encrypt"]), ""))
        if origin.what == "template_card_event":
            return self._bot_update(said, origin)
        if origin.what == "enter_chat":
            return self._bot_welcome(said, origin)
        _expect(origin.what in BOT_MESSAGES, f"{origin.what} is not answered")
        return self._bot_message(said, origin)

    def _bot_welcome(self, said: Json, origin: Origin) -> Message:
        if said.get("msgtype") == "template_card":
            return self._bot_card(said, origin)
        _expect(said.get("msgtype") == "text", f"a welcome is no {said.get('msgtype')!r}")
        content = (said.get("text") or {}).get("content")
        _expect(isinstance(content, str) and bool(content), "text.content is empty")
        return self._show(origin, "text", {"content": content})

    def _bot_message(self, said: Json, origin: Origin) -> Message:
        msgtype = said.get("msgtype")
        if msgtype == "template_card":
            return self._bot_card(said, origin)
        _expect(
            msgtype in ("stream", "stream_with_template_card"), f"no message is a {msgtype!r} here"
        )
        message = self._bot_stream(said.get("stream"), origin)
        if msgtype == "stream_with_template_card" and "template_card" in said:
            self._bot_card(said, origin)
        return message

    def _bot_stream(self, stream: Any, origin: Origin) -> Message:
        _expect(isinstance(stream, dict) and bool(stream.get("id")), "stream.id is missing")
        content, finish = stream.get("content", ""), stream.get("finish", False)
        _expect(isinstance(content, str), "stream.content is no text")
        _expect(len(content.encode()) <= LONGEST_STREAM, "stream.content is too long")
        _expect(finish is True or "msg_item" not in stream, "msg_item before the end")
        known = self._streams.get(stream["id"])
        body = {"id": stream["id"], "content": content, "finish": finish}
        if known is None:
            _expect(origin.what != "stream", "the stream asked about is another one")
            self._streams[stream["id"]] = self._show(origin, "stream", body)
            return self._streams[stream["id"]]
        _expect(origin.stream == stream["id"], "this stream has begun with another message")
        _expect(not known.body["finish"], "this stream has ended")
        return self.corp.change(known, body)

    def _bot_card(self, said: Json, origin: Origin) -> Message:
        card = said.get("template_card")
        check_card(card)
        assert isinstance(card, dict)
        check_task_id(self.corp, "bot", card)
        if card.get("task_id"):
            self.corp.take_task_id("bot", str(card["task_id"]))
        return self._show(origin, "template_card", card)

    def _bot_update(self, said: Json, origin: Origin) -> Message:
        kind, pressed, card = said.get("response_type"), origin.message, said.get("template_card")
        _expect(kind == "update_template_card", f"response_type is {kind!r}")
        assert pressed is not None
        check_card(card)
        assert isinstance(card, dict)
        same = card.get("task_id") == pressed.task_id
        _expect(same, f"the card is {pressed.task_id!r}, not {card.get('task_id')!r}")
        return self.corp.change(pressed, card, said.get("userids") or [])

    def _show(self, origin: Origin, msgtype: str, body: Json) -> Message:
        group = origin.chatid is not None
        return self.corp.show(
            via="passive",
            kind="group" if group else "person",
            to=origin.chatid or origin.userid,
            msgtype=msgtype,
            body=body,
            task_id=body.get("task_id"),
        )


def card_of(element: ElementTree.Element) -> Json:
    """The JSON of a card that is written as XML: CardType is card_type, KeyName is keyname."""
    card: Json = {}
    for child in element:
        name = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", child.tag).lower().replace("key_name", "keyname")
        value: Any = card_of(child) if len(child) else (child.text or "")
        if child.tag in NUMBERS:
            value = float(value) if "." in value else int(value)
        if child.tag in REPEATED:
            card.setdefault(name, []).append(value)
        else:
            _expect(name not in card, f"{child.tag} stands there twice")
            card[name] = value
    return card


def _elements(text: str) -> dict[str, ElementTree.Element]:
    try:
        root = ElementTree.fromstring(text)  # noqa: S314 — the bot's own words
    except ElementTree.ParseError as wrong:
        raise AssertionError(f"this is no XML: {wrong}: {text!r}") from wrong
    _expect(root.tag == "xml", f"the root is {root.tag!r}")
    return _children(root)


def _children(element: ElementTree.Element) -> dict[str, ElementTree.Element]:
    found: dict[str, ElementTree.Element] = {}
    for child in element:
        _expect(child.tag not in found, f"{child.tag} stands there twice")
        found[child.tag] = child
    return found


def _text(elements: dict[str, ElementTree.Element], name: str) -> str:
    _expect(name in elements, f"{name} is missing")
    _expect(len(elements[name]) == 0, f"{name} has elements inside")
    return elements[name].text or ""


def _json(text: str) -> Json:
    try:
        found = json.loads(text)
    except ValueError as wrong:
        raise AssertionError(f"this is no JSON: {text!r}") from wrong
    _expect(isinstance(found, dict), f"this is no object: {text!r}")
    whole: Json = found
    return whole


def _expect(fine: bool, otherwise: str) -> None:
    if not fine:
        raise AssertionError(otherwise)
