"""The one whom WeCom calls: reads callbacks with wechatpy and answers them, rightly or wrongly."""

from __future__ import annotations

import json
from typing import Any

from wechatpy.enterprise import parse_message
from wechatpy.enterprise.crypto import WeChatCrypto

from tests.platforms.wecom_callbacks import Callbacks
from tests.platforms.wecom_crypto import decrypt, encrypt, signature
from tests.platforms.wecom_model import Corp, Json, Message
from tests.platforms.wecom_requests import SignedRequest, xml
from tests.platforms.wecom_tenant import CARD


class Callee:
    """`heard` and `told` are what the bot reads, `reply` and `bot_reply` what it answers."""

    def __init__(self) -> None:
        self.corp = Corp()
        self.corp.add_member("ZhangSan", "张三")
        self.corp.add_member("lisi", "李四")
        self.group = self.corp.add_group("老师群", ["zhangsan", "lisi"])
        self.callbacks = Callbacks(self.corp)
        self.crypto = WeChatCrypto(self.corp.token, self.corp.aes_key, self.corp.corp_id)

    def opened(self, request: SignedRequest) -> str:
        signed = (request.query[name] for name in ("msg_signature", "timestamp", "nonce"))
        text: str = self.crypto.decrypt_message(request.body, *signed)
        return text

    def heard(self, request: SignedRequest) -> Any:
        return parse_message(self.opened(request))

    def told(self, request: SignedRequest) -> Json:
        """The body that the aibot is told."""
        encrypted = json.loads(request.body)["encrypt"]
        body: Json = json.loads(decrypt(self.corp.bot_aes_key, encrypted, ""))
        return body

    def reply(self, request: SignedRequest, inner: str, **change: Any) -> Message | None:
        """The app answers with this XML."""
        corp = self.corp
        encrypted = encrypt(corp.aes_key, inner, corp.corp_id)
        signed = signature(corp.token, "1700000000", "7", encrypted)
        whole = {"Encrypt": encrypted, "MsgSignature": signed}
        whole |= {"TimeStamp": "1700000000", "Nonce": "7"}
        return self.callbacks.read_passive(xml(whole | change).encode(), request)

    def text(self, content: str, **change: Any) -> str:
        head = {"ToUserName": "ZhangSan", "FromUserName": self.corp.corp_id}
        fields: Json = {"CreateTime": 1700000000, "MsgType": "text", "Content": content}
        return xml(head | fields | change)

    def update(self, msgtype: str, **fields: Any) -> str:
        head = {"ToUserName": "ZhangSan", "FromUserName": self.corp.corp_id}
        return xml(head | {"CreateTime": 1700000000, "MsgType": msgtype} | fields)

    def bot_reply(self, request: SignedRequest, said: Any, **change: Any) -> Message | None:
        """The aibot answers with this JSON."""
        encrypted = encrypt(self.corp.bot_aes_key, json.dumps(said), "")
        nonce = request.query["nonce"]
        signed = signature(self.corp.bot_token, "1700000000", nonce, encrypted)
        whole: Json = {"encrypt": encrypted, "msgsignature": signed}
        whole |= {"timestamp": 1700000000, "nonce": nonce}
        return self.callbacks.read_passive(json.dumps(whole | change).encode(), request)

    def card(self, via: Any = "app", to: str = "zhangsan") -> Message:
        group = to == self.group.chatid
        return self.corp.show(
            via=via,
            kind="group" if group else "person",
            to=to,
            msgtype="template_card",
            body=CARD,
            task_id="query-1",
        )
