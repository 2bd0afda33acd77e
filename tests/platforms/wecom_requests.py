"""The requests by which WeCom calls the bot: signed, encrypted, and wrong on purpose.

Of an app: https://developer.work.weixin.qq.com/document/path/90238
Of an aibot in callback mode: https://developer.work.weixin.qq.com/document/path/101033
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypedDict, Unpack
from urllib.parse import urlencode

from tests.platforms.wecom_crypto import encrypt, signature
from tests.platforms.wecom_model import Corp, Json, Message

Side = Literal["app", "bot"]
PATHS: dict[Side, str] = {"app": "/wecom/app", "bot": "/wecom/bot"}
KINDS: dict[Side, str] = {"app": "text/xml", "bot": "application/json"}


class Knobs(TypedDict, total=False):
    """What to sign differently, or wrongly."""

    timestamp: int | str  # of the signature
    nonce: str
    signature: str
    token: str
    aes_key: str
    receive_id: str
    raw_plaintext: str  # instead of what was made, still encrypted and signed
    raw_body: bytes  # instead of the whole envelope
    created_at: int  # CreateTime, create_time
    msgid: str
    agent_id: int | str


@dataclass(frozen=True)
class Origin:
    """What a request is about, for the one who reads the answer."""

    side: Side
    what: str  # "verify", a type of message, or the lower-case name of an event
    userid: str = ""
    chatid: str | None = None
    message: Message | None = None  # whose button was pressed
    stream: str = ""  # asked about
    echo: str = ""  # wanted back


@dataclass(frozen=True)
class SignedRequest:
    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes
    origin: Origin = field(compare=False, repr=False)

    @property
    def target(self) -> str:
        """The path with its query, quoted as it travels."""
        return f"{self.path}?{urlencode(self.query)}"


class Signing:
    def __init__(self, corp: Corp) -> None:
        self.corp = corp

    def verify(self, side: Side = "app", **knobs: Unpack[Knobs]) -> SignedRequest:
        """Somebody saves the address of the bot: it must answer with `origin.echo`."""
        echo = knobs.get("raw_plaintext", str(secrets.randbelow(10**19)))
        query, encrypted = self._signed(side, echo, knobs)
        query["echostr"] = encrypted
        origin = Origin(side, "verify", echo=echo)
        return SignedRequest("GET", PATHS[side], query, {}, b"", origin)

    def sign(self, plaintext: str, origin: Origin, **knobs: Unpack[Knobs]) -> SignedRequest:
        side = origin.side
        query, encrypted = self._signed(side, knobs.get("raw_plaintext", plaintext), knobs)
        if side == "bot":
            envelope = json.dumps({"encrypt": encrypted})
        else:
            agent = str(knobs.get("agent_id", self.corp.agent_id))
            corp_id = self.corp.corp_id
            envelope = xml({"ToUserName": corp_id, "Encrypt": encrypted, "AgentID": agent})
        body = knobs.get("raw_body", envelope.encode())
        headers = {"Content-Type": KINDS[side]}
        return SignedRequest("POST", PATHS[side], query, headers, body, origin)

    def _signed(self, side: Side, plaintext: str, knobs: Knobs) -> tuple[dict[str, str], str]:
        corp, of_bot = self.corp, side == "bot"
        key = knobs.get("aes_key", corp.bot_aes_key if of_bot else corp.aes_key)
        token = knobs.get("token", corp.bot_token if of_bot else corp.token)
        receive_id = knobs.get("receive_id", "" if of_bot else corp.corp_id)
        timestamp = str(knobs.get("timestamp", int(corp.now())))
        nonce = knobs.get("nonce", str(secrets.randbelow(10**10)))
        encrypted = encrypt(key, plaintext, receive_id)
        signed = knobs.get("signature", signature(token, timestamp, nonce, encrypted))
        return {"msg_signature": signed, "timestamp": timestamp, "nonce": nonce}, encrypted


def xml(fields: Mapping[str, Any]) -> str:
    """Texts in CDATA, numbers bare, mappings nested, lists as an element repeated."""
    return f"<xml>{_inside(fields)}</xml>"


def _inside(fields: Mapping[str, Any]) -> str:
    made = ""
    for name, value in fields.items():
        for one in value if isinstance(value, list) else [value]:
            made += f"<{name}>{_value(one)}</{name}>"
    return made


def _value(value: Any) -> str:
    if isinstance(value, Mapping):
        return _inside(value)
    if isinstance(value, int | float):
        return str(value)
    # Two sections: what people write cannot end one.
    inner = str(value).replace("]]>", "]]]]><![CDATA[>")
    return f"<![CDATA[{inner}]]>"


def with_knobs(body: Json, knobs: Knobs) -> Json:
    """An aibot's body with the knobs that are about its inside."""
    found = dict(body)
    if "msgid" in knobs:
        found["msgid"] = knobs["msgid"]
    if "created_at" in knobs:
        found["create_time"] = knobs["created_at"]
    return found
