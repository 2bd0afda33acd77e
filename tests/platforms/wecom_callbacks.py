"""What WeCom sends to the bot: messages, menu clicks, pressed buttons, events.

    callbacks = Callbacks(corp)
    request = callbacks.text("zhangsan", "签到")
    …hand it to the bot, and its answer back…
    message = callbacks.read_passive(answer, request)

The app's messages: https://developer.work.weixin.qq.com/document/path/90239
The app's events: https://developer.work.weixin.qq.com/document/path/90240
The aibot's: wecom_bodies.py, here with the response_url of callback mode.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Unpack

from tests.platforms import wecom_bodies as bodies
from tests.platforms.wecom_model import Corp, Json, Kind, Message
from tests.platforms.wecom_passive import PassiveReader
from tests.platforms.wecom_requests import Knobs, Origin, SignedRequest, Signing, with_knobs, xml

FIRST_MSGID = 7_400_000_000_000_000_000  # 64 bits, as they come
OTHER_MESSAGES: dict[str, Json] = {
    "voice": {"MediaId": "voice-1", "Format": "amr"},
    "video": {"MediaId": "video-1", "ThumbMediaId": "thumb-1"},
    "location": {
        "Location_X": 31.23,
        "Location_Y": 121.47,
        "Scale": 16,
        "Label": "上海市黄浦区",
        "AppType": "wxwork",
    },
    "link": {
        "Title": "课表",
        "Description": "本周",
        "Url": "https://example.com/",
        "PicUrl": "https://example.com/1.png",
    },
}


class Callbacks(Signing):
    def __init__(self, corp: Corp) -> None:
        super().__init__(corp)
        self._msgid = FIRST_MSGID
        self._passive = PassiveReader(corp)

    def again(self, request: SignedRequest) -> SignedRequest:
        """WeCom got no answer: the same bytes once more."""
        return request

    def read_passive(self, response_body: bytes, request: SignedRequest) -> Message | None:
        """Shows what the answer says, None when it says nothing.

        Raises AssertionError on anything that WeCom would not take.
        """
        return self._passive.read(response_body, request)

    # ---- messages to the app

    def text(self, userid: str, content: str, **knobs: Unpack[Knobs]) -> SignedRequest:
        return self.message(userid, "text", {"Content": content}, **knobs)

    def image(self, userid: str, **knobs: Unpack[Knobs]) -> SignedRequest:
        shown = {"PicUrl": "https://example.com/photo.jpg", "MediaId": "image-1"}
        return self.message(userid, "image", shown, **knobs)

    def other(self, userid: str, msgtype: str, **knobs: Unpack[Knobs]) -> SignedRequest:
        """voice, video, location or link."""
        return self.message(userid, msgtype, OTHER_MESSAGES[msgtype], **knobs)

    def message(
        self, userid: str, msgtype: str, fields: Mapping[str, Any], **knobs: Unpack[Knobs]
    ) -> SignedRequest:
        """A message of any type, with these fields of its own."""
        self._msgid += 1
        msgid = knobs.get("msgid", str(self._msgid))
        whole = {
            **self._head(userid, msgtype, knobs),
            **fields,
            "MsgId": int(msgid) if msgid.isdecimal() else msgid,
            "AgentID": knobs.get("agent_id", self.corp.agent_id),
        }
        return self.sign(xml(whole), Origin("app", msgtype, userid), **knobs)

    # ---- events of the app

    def click(self, userid: str, key: str, **knobs: Unpack[Knobs]) -> SignedRequest:
        """A menu item that calls back."""
        return self.event(userid, "click", {"EventKey": key}, **knobs)

    def view(self, userid: str, url: str, **knobs: Unpack[Knobs]) -> SignedRequest:
        """A menu item that opens a page."""
        return self.event(userid, "view", {"EventKey": url}, **knobs)

    def enter_agent(self, userid: str, **knobs: Unpack[Knobs]) -> SignedRequest:
        return self.event(userid, "enter_agent", {"EventKey": ""}, **knobs)

    def subscribe(self, userid: str, **knobs: Unpack[Knobs]) -> SignedRequest:
        return self.event(userid, "subscribe", {}, **knobs)

    def unsubscribe(self, userid: str, **knobs: Unpack[Knobs]) -> SignedRequest:
        return self.event(userid, "unsubscribe", {}, **knobs)

    def location(self, userid: str, **knobs: Unpack[Knobs]) -> SignedRequest:
        """The one event whose name comes in capitals."""
        where = {"Latitude": 31.23, "Longitude": 121.47, "Precision": 30.0, "AppType": "wxwork"}
        return self.event(userid, "LOCATION", where, **knobs)

    def change_contact(
        self, change_type: str, userid: str, **knobs: Unpack[Knobs]
    ) -> SignedRequest:
        """create_user, update_user or delete_user; nobody sends it but WeCom itself."""
        changed = {"ChangeType": change_type, "UserID": userid}
        return self.event("sys", "change_contact", changed, **knobs)

    def unknown_event(self, userid: str, **knobs: Unpack[Knobs]) -> SignedRequest:
        """Something that WeCom thinks of after we are written."""
        return self.event(userid, "brand_new_event", {"EventKey": "1"}, **knobs)

    def press(
        self,
        userid: str,
        message: Message,
        key: str,
        *,
        selected: dict[str, list[str]] | None = None,
        anyway: bool = False,
        **knobs: Unpack[Knobs],
    ) -> SignedRequest:
        """A button of a card; `selected`: option ids by question key. Comes with a fresh code.

        `anyway`: though no such button can be pressed any more, as from a screen of long ago.
        """
        bodies.check_pressed(message, userid, key, anyway)
        return self._pressed("template_card_event", userid, message, key, selected, knobs)

    def press_in_menu(
        self, userid: str, message: Message, key: str, **knobs: Unpack[Knobs]
    ) -> SignedRequest:
        """An entry of the menu in a card's corner."""
        return self._pressed("template_card_menu_event", userid, message, key, None, knobs)

    def event(
        self,
        userid: str,
        name: str,
        fields: Mapping[str, Any],
        message: Message | None = None,
        **knobs: Unpack[Knobs],
    ) -> SignedRequest:
        """Any event, with these fields of its own."""
        whole = {
            **self._head(userid, "event", knobs),
            "Event": name,
            **fields,
            "AgentID": knobs.get("agent_id", self.corp.agent_id),
        }
        origin = Origin("app", name.lower(), userid, message=message)
        return self.sign(xml(whole), origin, **knobs)

    def _head(self, userid: str, msgtype: str, knobs: Knobs) -> Json:
        return {
            "ToUserName": self.corp.corp_id,
            "FromUserName": bodies.sender(self.corp, userid, False),
            "CreateTime": knobs.get("created_at", int(self.corp.now())),
            "MsgType": msgtype,
        }

    def _pressed(
        self,
        name: str,
        userid: str,
        message: Message,
        key: str,
        selected: dict[str, list[str]] | None,
        knobs: Knobs,
    ) -> SignedRequest:
        fields: Json = {
            "EventKey": key,
            "TaskId": message.task_id or "",
            "CardType": message.body.get("card_type", ""),
            "ResponseCode": self.corp.issue_response_code(message.msgid),
        }
        if selected:
            items = [
                {"QuestionKey": question, "OptionIds": {"OptionId": list(chosen)}}
                for question, chosen in selected.items()
            ]
            fields["SelectedItems"] = {"SelectedItem": items}
        return self.event(userid, name, fields, message, **knobs)

    # ---- the aibot in callback mode

    def bot_text(
        self,
        userid: str,
        content: str,
        chatid: str | None = None,
        quote: Json | None = None,
        *,
        encrypted: bool = False,
        at: bool = True,
        **knobs: Unpack[Knobs],
    ) -> SignedRequest:
        """In a group it begins with the bot's name, unless `at` is False."""
        body = bodies.text_body(
            self.corp, userid, content, chatid, quote, encrypted=encrypted, at=at
        )
        return self.bot(userid, body, **knobs)

    def bot_mixed(
        self, userid: str, content: str, chatid: str | None = None, **knobs: Unpack[Knobs]
    ) -> SignedRequest:
        return self.bot(userid, bodies.mixed_body(self.corp, userid, content, chatid), **knobs)

    def bot_media(self, userid: str, msgtype: str, **knobs: Unpack[Knobs]) -> SignedRequest:
        """image, voice, file or video; only in the direct chat."""
        return self.bot(userid, bodies.media_body(self.corp, userid, msgtype), **knobs)

    def bot_stream(
        self, userid: str, stream_id: str, chatid: str | None = None, **knobs: Unpack[Knobs]
    ) -> SignedRequest:
        """WeCom asks how a stream that has begun goes on."""
        body = bodies.stream_body(self.corp, userid, stream_id, chatid)
        return self.bot(userid, body, **knobs)

    def bot_enter_chat(self, userid: str, **knobs: Unpack[Knobs]) -> SignedRequest:
        return self.bot(userid, bodies.event_body(self.corp, "enter_chat", userid), **knobs)

    def bot_feedback(self, userid: str, **knobs: Unpack[Knobs]) -> SignedRequest:
        details = {"id": "feedback-1", "type": 2, "content": "", "inaccurate_reason_list": [1]}
        body = bodies.event_body(self.corp, "feedback_event", userid, details=details)
        return self.bot(userid, body, **knobs)

    def bot_press(
        self,
        userid: str,
        message: Message,
        key: str,
        *,
        selected: dict[str, list[str]] | None = None,
        as_in_the_table: bool = False,
        anyway: bool = False,
        encrypted: bool = False,
        **knobs: Unpack[Knobs],
    ) -> SignedRequest:
        body = bodies.press_body(
            self.corp,
            userid,
            message,
            key,
            selected=selected,
            as_in_the_table=as_in_the_table,
            anyway=anyway,
            encrypted=encrypted,
        )
        return self.bot(userid, body, message, **knobs)

    def bot(
        self, userid: str, body: Json, message: Message | None = None, **knobs: Unpack[Knobs]
    ) -> SignedRequest:
        """Any body of an aibot, given the address it may be answered at later."""
        chatid = body.get("chatid")
        what = body.get("event", {}).get("eventtype", body["msgtype"])
        if what not in ("enter_chat", "feedback_event", "stream"):
            kind: Kind = "person" if chatid is None else "group"
            url = self.corp.issue_response_url(kind, chatid or userid)
            body = {**body, "response_url": url}
        stream = body.get("stream", {}).get("id", "")
        origin = Origin("bot", what, userid, chatid, message, stream)
        whole = with_knobs(body, knobs)
        return self.sign(json.dumps(whole, ensure_ascii=False), origin, **knobs)
