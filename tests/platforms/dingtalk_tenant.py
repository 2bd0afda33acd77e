"""An organisation whose app calls the HTTP API as a function, and cards to send."""

from __future__ import annotations

import json
from typing import Any

from tests.platforms.dingtalk_api import (
    ACCESS_TOKEN,
    CARDS,
    CREATE_AND_DELIVER,
    ROBOT,
    SESSION,
    TO_GROUP,
    TO_PEOPLE,
    USER,
    Api,
)
from tests.platforms.dingtalk_model import Json, Org

VARIABLES = {
    "title": "求助",
    "body": "学生没到",
    "hint": "",
    "button1": "接单",
    "press1": '{"command":"take"}',
}


class Tenant:
    """An organisation with its API, and an app that has its token."""

    def __init__(self) -> None:
        self.org = Org()
        self.org.add_member("zhangsan", "张三", admin=True)
        self.org.add_member("lisi", "李四")
        self.guest = self.org.add_outsider("王五")
        self.group = self.org.add_group("老师群", ["zhangsan", "lisi", self.guest])
        self.robot, self.secret = self.org.add_robot(self.group.id)
        self.api = Api(self.org)
        self.token = self.ask_token()[1]["accessToken"]

    def ask_token(self, **other: Any) -> tuple[int, Json]:
        asked = {"appKey": self.org.client_id, "appSecret": self.org.client_secret}
        return self.api.answer("POST", ACCESS_TOKEN, asked | other)

    def post(self, path: str, body: Any, method: str = "POST") -> tuple[int, Json]:
        return self.api.answer(method, path, body, token=self.token)

    def send(self, *user_ids: str, **other: Any) -> tuple[int, Json]:
        """A text to these people."""
        body = self._message() | {"userIds": list(user_ids)}
        return self.post(TO_PEOPLE, body | other)

    def send_group(self, **other: Any) -> tuple[int, Json]:
        body = self._message() | {"openConversationId": self.group.id}
        return self.post(TO_GROUP, body | other)

    def _message(self) -> Json:
        param = json.dumps({"content": "一"}, ensure_ascii=False)
        return {"robotCode": self.org.robot_code, "msgKey": "sampleText", "msgParam": param}

    def card(self, to: str = "lisi", name: str = "card-1", **other: Any) -> tuple[int, Json]:
        """A card to a person or, by its id, to a group."""
        in_group = to.startswith("cid")
        robot: Json = {"robotCode": self.org.robot_code}
        model = "imGroupOpen" if in_group else "imRobotOpen"
        body = {
            "cardTemplateId": self.org.template_id,
            "outTrackId": name,
            "cardData": {"cardParamMap": dict(VARIABLES)},
            "callbackType": "STREAM",
            "userIdType": 1,
            "openSpaceId": f"dtv1.card//{'IM_GROUP' if in_group else 'IM_ROBOT'}.{to}",
            f"{model}SpaceModel": {"supportForward": False},
            f"{model}DeliverModel": robot if in_group else robot | {"spaceType": "IM_ROBOT"},
        }
        whole = {key: value for key, value in (body | other).items() if value is not None}
        return self.post(CREATE_AND_DELIVER, whole)

    def change(self, name: str = "card-1", **other: Any) -> tuple[int, Json]:
        return self.post(CARDS, {"outTrackId": name} | other, "PUT")

    def hook(self, url: str, body: Any) -> Json:
        """A session webhook."""
        session = url.rpartition("session=")[2]
        return self.api.answer("POST", SESSION, body, session=session)[1]

    def by_robot(self, body: Any, **query: str) -> Json:
        return self.api.answer("POST", ROBOT, body, **({"access_token": self.robot} | query))[1]

    def user(self, userid: str, token: str | None = None) -> Json:
        query = {"access_token": self.token if token is None else token}
        return self.api.answer("POST", USER, {"userid": userid}, **query)[1]


def text(content: str, *at: str) -> Json:
    """A text for a webhook that mentions these people."""
    return {"msgtype": "text", "text": {"content": content}, "at": {"atUserIds": list(at)}}


def markdown(content: str, *at: str) -> Json:
    said = {"title": "班长", "text": content}
    return {"msgtype": "markdown", "markdown": said, "at": {"atUserIds": list(at)}}
