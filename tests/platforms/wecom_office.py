"""The rest of the HTTP API: members, the app itself, its menu, uploaded files.

Members: https://developer.work.weixin.qq.com/document/path/90196
Open userids: https://developer.work.weixin.qq.com/document/path/101521
The app: https://developer.work.weixin.qq.com/document/path/90227
The menu: https://developer.work.weixin.qq.com/document/path/90231
Files: https://developer.work.weixin.qq.com/document/path/90253
"""

from __future__ import annotations

from copy import deepcopy
from typing import Any

from tests.platforms.wecom_messages import check_agent
from tests.platforms.wecom_model import Corp, Json
from tests.platforms.wecom_refusals import Refusal

MOST_OPEN_USERIDS = 1000
SMALLEST_FILE, LARGEST_FILE = 5, 20 * 2**20  # bytes; the smallest is refused itself
MENU_WITH_URL = frozenset(("view",))
MENU_WITH_KEY = frozenset(
    (
        "click",
        "scancode_push",
        "scancode_waitmsg",
        "pic_sysphoto",
        "pic_photo_or_album",
        "pic_weixin",
        "location_select",
    )
)


class Office:
    def __init__(self, corp: Corp) -> None:
        self.corp = corp
        self.callback_ips = ["127.0.0.1"]

    # https://developer.work.weixin.qq.com/document/path/90196
    def get_user(self, query: Json, body: Json) -> Json:
        member = self.corp.member(str(query.get("userid") or ""))
        if member is None:
            raise Refusal(60111)
        if not member.visible:
            raise Refusal(60011)
        return {
            "userid": member.userid,
            "name": member.name,
            "alias": member.alias,
            "status": member.status,
            "department": [1],
            "main_department": 1,
        }

    # https://developer.work.weixin.qq.com/document/path/101521
    def openuserid_to_userid(self, query: Json, body: Json) -> Json:
        wanted = body.get("open_userid_list")
        if not isinstance(wanted, list) or not 1 <= len(wanted) <= MOST_OPEN_USERIDS:
            raise Refusal(40058, "open_userid_list")
        known, invalid = [], []
        for one in wanted:
            member = self.corp.member_by_open_userid(str(one))
            if member is None or not member.visible:
                invalid.append(one)
            else:
                known.append({"open_userid": one, "userid": member.userid})
        return {"userid_list": known, "invalid_open_userid_list": invalid}

    # https://developer.work.weixin.qq.com/document/path/90227
    def get_agent(self, query: Json, body: Json) -> Json:
        self._check_agent_in(query)
        seen = [{"userid": one.userid} for one in self.corp.members.values() if one.visible]
        return {
            "agentid": self.corp.agent_id,
            "name": self.corp.agent_name,
            "square_logo_url": "",
            "description": "",
            "allow_userinfos": {"user": seen},
            "allow_partys": {"partyid": []},
            "allow_tags": {"tagid": []},
            "close": int(self.corp.agent_closed),
            "redirect_domain": "",
            "report_location_flag": 0,
            "isreportenter": 1,
            "home_url": "",
        }

    # https://developer.work.weixin.qq.com/document/path/92521
    def get_callback_ips(self, query: Json, body: Json) -> Json:
        return {"ip_list": list(self.callback_ips)}

    # ---- the menu

    # https://developer.work.weixin.qq.com/document/path/90231
    def create_menu(self, query: Json, body: Json) -> Json:
        self._check_agent_in(query)
        shown = body.get("button")
        if not isinstance(shown, list) or not 1 <= len(shown) <= 3:
            raise Refusal(40058, "button: 1 to 3")
        for button in shown:
            _check_button(button, 16)
        self.corp.menu = {"button": deepcopy(shown)}
        return {}

    # https://developer.work.weixin.qq.com/document/path/90232
    def get_menu(self, query: Json, body: Json) -> Json:
        self._check_agent_in(query)
        if self.corp.menu is None:
            raise Refusal(46003)
        return deepcopy(self.corp.menu)

    # https://developer.work.weixin.qq.com/document/path/90233
    def delete_menu(self, query: Json, body: Json) -> Json:
        self._check_agent_in(query)
        self.corp.menu = None
        return {}

    # ---- files

    # https://developer.work.weixin.qq.com/document/path/90253
    def upload(self, query: Json, body: Json) -> Json:
        """`body` is {"name": …, "content": bytes}, read from the form's part "media"."""
        kind = query.get("type")
        if kind not in ("file", "image", "voice", "video"):
            raise Refusal(40058, f"type invalid: {kind!r}")
        name, content = str(body.get("name") or ""), body.get("content") or b""
        if not name or not content:
            raise Refusal(44001)
        if len(content) <= SMALLEST_FILE:
            raise Refusal(40006)
        if len(content) > LARGEST_FILE:
            raise Refusal(45001)
        return {
            "type": kind,
            "media_id": self.corp.keep_media(name, content),
            "created_at": str(int(self.corp.now())),
        }

    def _check_agent_in(self, query: Json) -> None:
        agentid = str(query.get("agentid") or "")
        check_agent(self.corp, int(agentid) if agentid.isdecimal() else None)


def _check_button(button: Any, longest: int) -> None:
    if not isinstance(button, dict) or not button.get("name"):
        raise Refusal(40058, "button.name missing")
    if len(str(button["name"]).encode()) > longest:
        raise Refusal(40058, f"button.name exceed max length {longest}")
    below = button.get("sub_button")
    if below and longest == 16:
        if len(below) > 5:
            raise Refusal(40058, "sub_button: 1 to 5")
        for one in below:
            _check_button(one, 40)
    elif button.get("type") in MENU_WITH_KEY:
        if not 1 <= len(str(button.get("key") or "").encode()) <= 128:
            raise Refusal(40058, "button.key: 1 to 128 bytes")
    elif button.get("type") in MENU_WITH_URL:
        if not button.get("url"):
            raise Refusal(40058, "button.url missing")
    else:
        raise Refusal(40058, f"button.type invalid: {button.get('type')!r}")
