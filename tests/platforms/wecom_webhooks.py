"""What is said without an access token: a key in the address is all that is needed.

消息推送 of a group: https://developer.work.weixin.qq.com/document/path/99110
An aibot's answer to a callback: https://developer.work.weixin.qq.com/document/path/101138
"""

from __future__ import annotations

import re
from collections import defaultdict, deque
from typing import Any

from tests.platforms.wecom_cards import NOTICES, check_card, check_task_id
from tests.platforms.wecom_model import Corp, Json
from tests.platforms.wecom_refusals import Refusal

LONGEST = {"text": 2048, "markdown": 4096, "markdown_v2": 4096}  # bytes
LONGEST_ANSWER = 20480  # bytes of an aibot's markdown
A_MINUTE = 20  # messages of one key
NAMED = re.compile(r"<@([^<>@\s]+)>")


class Webhooks:
    def __init__(self, corp: Corp) -> None:
        self.corp = corp
        self.enforces_pace = True
        self._sent_at: defaultdict[str, deque[float]] = defaultdict(deque)

    # https://developer.work.weixin.qq.com/document/path/99110
    def send(self, query: Json, body: Json) -> Json:
        key = str(query.get("key") or "")
        chatid = self._chat_of(key)
        msgtype = str(body.get("msgtype") or "")
        content = body.get(msgtype)
        if msgtype not in (*LONGEST, "template_card", "file"):
            raise Refusal(40008, msgtype)
        if not isinstance(content, dict):
            raise Refusal(44004)
        self._check(msgtype, content)
        self._keep_pace(key)
        self.corp.show(
            via="webhook",
            kind="group",
            to=chatid,
            msgtype=msgtype,
            body=content,
            mentioned=self._mentioned(chatid, msgtype, content),
            file=self.corp.find_media(str(content.get("media_id"))),
        )
        return {}

    def check_key(self, query: Json) -> None:
        """Raises Refusal: https://developer.work.weixin.qq.com/document/path/99110 (upload)"""
        self._chat_of(str(query.get("key") or ""))

    # https://developer.work.weixin.qq.com/document/path/101138
    def respond(self, query: Json, body: Json) -> Json:
        msgtype = str(body.get("msgtype") or "")
        content: Any = body.get(msgtype)
        if msgtype not in ("markdown", "template_card"):
            raise Refusal(40008, msgtype)
        if msgtype == "template_card":
            check_card(content)
            check_task_id(self.corp, "bot", content)
        elif not isinstance(content, dict) or not content.get("content"):
            raise Refusal(44004)
        elif len(str(content["content"]).encode()) > LONGEST_ANSWER:
            raise _too_long("markdown", LONGEST_ANSWER)
        place = self._take_url(str(query.get("response_code") or ""))
        task_id = content.get("task_id")
        if task_id:
            self.corp.take_task_id("bot", str(task_id))
        self.corp.show(
            via="bot", kind=place[0], to=place[1], msgtype=msgtype, body=content, task_id=task_id
        )
        return {}

    # ---- parts

    def _chat_of(self, key: str) -> str:
        chatid = self.corp.webhooks.get(key)
        if chatid is None:
            raise Refusal(93000)
        return chatid

    def _check(self, msgtype: str, content: Json) -> None:
        if msgtype == "template_card":
            check_card(content, kinds=NOTICES)
        elif msgtype == "file":
            if self.corp.find_media(str(content.get("media_id"))) is None:
                raise Refusal(40007)
        elif not content.get("content"):
            raise Refusal(44004)
        elif len(str(content["content"]).encode()) > LONGEST[msgtype]:
            raise _too_long(msgtype, LONGEST[msgtype])

    def _keep_pace(self, key: str) -> None:
        now, sent = self.corp.now(), self._sent_at[key]
        while sent and now - sent[0] >= 60.0:
            sent.popleft()
        if self.enforces_pace and len(sent) >= A_MINUTE:
            raise Refusal(45009)
        sent.append(now)

    def _mentioned(self, chatid: str, msgtype: str, content: Json) -> list[str]:
        """Who is called by name: only a member of the group is, or everybody by "@all"."""
        named = [str(one).lower() for one in content.get("mentioned_list") or []]
        if msgtype in ("text", "markdown"):
            named += [one.lower() for one in NAMED.findall(str(content.get("content", "")))]
        inside = {"@all", *self.corp.groups[chatid].members}
        return [one for one in dict.fromkeys(named) if one in inside]

    def _take_url(self, code: str) -> tuple[Any, str]:
        known = self.corp.response_urls.get(code)
        if known is not None and known.used:
            raise Refusal(42022, "response_code")
        found = self.corp.take_response_url(code)
        if found is None:
            raise Refusal(40058, "response_code invalid or expired")
        return found.kind, found.to


def _too_long(msgtype: str, most: int) -> Refusal:
    return Refusal(40058, f"{msgtype}.content exceed max length {most}")
