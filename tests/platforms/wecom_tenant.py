"""A corp whose app calls the HTTP API as a function, and cards to send."""

from __future__ import annotations

from typing import Any

from tests.platforms.wecom_api import Api
from tests.platforms.wecom_model import DISABLED, Corp, Json

CARD: Json = {
    "card_type": "button_interaction",
    "task_id": "query-1",
    "main_title": {"title": "求助", "desc": "张三"},
    "sub_title_text": "学生没到",
    "horizontal_content_list": [{"keyname": "班级", "value": "三班"}],
    "button_list": [
        {"text": "接单", "key": "take"},
        {"text": "网页", "type": 1, "url": "https://example.com/"},
    ],
}
NOTICE: Json = {
    "card_type": "text_notice",
    "main_title": {"title": "今天的课"},
    "card_action": {"type": 1, "url": "https://example.com/"},
}
NEWS: Json = {
    "card_type": "news_notice",
    "main_title": {"title": "今天的课"},
    "card_image": {"url": "https://example.com/1.png"},
    "card_action": {"type": 1, "url": "https://example.com/"},
}


class Tenant:
    """A corp with its API, and an app that has its token."""

    def __init__(self) -> None:
        self.corp = Corp()
        self.corp.add_member("ZhangSan", "张三", alias="三哥")
        self.corp.add_member("lisi", "李四")
        self.corp.add_member("hidden", "看不见", visible=False)
        self.corp.add_member("unpaid", "没有许可", licensed=False)
        self.corp.add_member("gone", "停用", status=DISABLED)
        self.group = self.corp.add_group("老师群", ["ZhangSan", "lisi"])
        self.key = self.corp.add_webhook(self.group.chatid)
        self.api = Api(self.corp)
        self.token = self.ask_token()["access_token"]

    def ask_token(self, **other: Any) -> Json:
        asked = {"corpid": self.corp.corp_id, "corpsecret": self.corp.secret}
        return self.api.answer("GET", "gettoken", asked | other, {})

    def get(self, path: str, **query: Any) -> Json:
        return self.api.answer("GET", path, {"access_token": self.token, **query}, {})

    def post(self, path: str, body: Any, **query: Any) -> Json:
        return self.api.answer("POST", path, {"access_token": self.token, **query}, body)

    def send(self, msgtype: str, content: Any, to: str = "zhangsan", **more: Any) -> Json:
        body = {"touser": to, "agentid": self.corp.agent_id, "msgtype": msgtype, msgtype: content}
        return self.post("message/send", body | more)

    def say(self, text: str, to: str = "zhangsan", **more: Any) -> Json:
        return self.send("text", {"content": text}, to, **more)

    def update(self, code: str, **more: Any) -> Json:
        body = {"agentid": self.corp.agent_id, "response_code": code, "atall": 1}
        return self.post("message/update_template_card", body | more)

    def hook(self, msgtype: str, content: Any) -> Json:
        body = {"msgtype": msgtype, msgtype: content}
        return self.api.answer("POST", "webhook/send", {"key": self.key}, body)
