"""What an app says to members, and what becomes of it.

Sending: https://developer.work.weixin.qq.com/document/path/90236
Changing a card: https://developer.work.weixin.qq.com/document/path/94888
Recalling: https://developer.work.weixin.qq.com/document/path/94867
"""

from __future__ import annotations

import json
from collections import defaultdict, deque
from dataclasses import dataclass, field
from typing import Any

from tests.platforms.wecom_cards import check_card, check_task_id, interactive
from tests.platforms.wecom_model import DISABLED, LEFT, Corp, Json, Message
from tests.platforms.wecom_refusals import Refusal

LONGEST = 2048  # bytes of a text or a markdown
MOST_RECEIVERS = 1000
INTERVAL, LONGEST_INTERVAL = 1800, 4 * 3600  # seconds of the check for duplicates
RECALL_WITHIN = 24 * 3600.0
# https://developer.work.weixin.qq.com/document/path/90454: from one app to one member
PACES = ((60.0, 30), (3600.0, 1000))


@dataclass(frozen=True)
class Sent:
    """A message as the check for duplicates remembers it."""

    at: float
    key: str
    flagged: bool


@dataclass
class Receivers:
    good: list[str] = field(default_factory=list)  # lower-case userids
    invalid: list[str] = field(default_factory=list)
    unlicensed: list[str] = field(default_factory=list)


class AppMessages:
    def __init__(self, corp: Corp) -> None:
        self.corp = corp
        self.has_callback_url = True
        self.enforces_pace = True
        self.remembers_unflagged = False
        self.checks_task_id_first = False
        self._sent: list[Sent] = []
        self._shown_at: defaultdict[str, deque[float]] = defaultdict(deque)
        self._blocked_until: dict[str, float] = {}

    # https://developer.work.weixin.qq.com/document/path/90236
    def send(self, query: Json, body: Json) -> Json:
        check_agent(self.corp, body.get("agentid"))
        receivers = self._receivers(body)
        msgtype, content = self._content(body)
        if msgtype == "template_card":
            self._check_card(content)
        if self.checks_task_id_first and msgtype == "template_card":
            check_task_id(self.corp, "app", content)
        answer: Json = {}
        if receivers.invalid:
            answer["invaliduser"] = "|".join(receivers.invalid)
        if receivers.unlicensed:
            answer["unlicenseduser"] = "|".join(receivers.unlicensed)
        msgid = self.corp.new_id("msgid", 60)
        answer["msgid"] = msgid
        if self._is_duplicate(body, receivers, msgtype, content):
            return answer
        if msgtype == "template_card":
            check_task_id(self.corp, "app", content)
            if content.get("task_id"):
                self.corp.take_task_id("app", str(content["task_id"]))
            if interactive(content):
                answer["response_code"] = self.corp.issue_response_code(msgid)
        self._show(receivers.good, msgtype, content, msgid, answer.get("response_code"))
        return answer

    # https://developer.work.weixin.qq.com/document/path/94888
    def update_template_card(self, query: Json, body: Json) -> Json:
        check_agent(self.corp, body.get("agentid"))
        code = str(body.get("response_code") or "")
        named = [str(userid).lower() for userid in body.get("userids") or []]
        if not named and body.get("atall") != 1:
            raise Refusal(82001)
        replace_name = (body.get("button") or {}).get("replace_name")
        card = body.get("template_card")
        if card is not None:
            check_card(card)
        elif not replace_name:
            raise Refusal(40058, "button.replace_name or template_card missing")
        found = self._take_code(code)
        for message in found:
            if body.get("atall") == 1 or message.to in named:
                self.corp.change(message, changed_card(message, card, replace_name))
        unknown = [userid for userid in named if userid not in {one.to for one in found}]
        return {"invaliduser": unknown} if unknown else {}

    # https://developer.work.weixin.qq.com/document/path/94867
    def recall(self, query: Json, body: Json) -> Json:
        now = self.corp.now()
        found = [m for m in self.corp.timeline if m.via == "app" and m.msgid == body.get("msgid")]
        if not found or now - found[0].at > RECALL_WITHIN:
            raise Refusal(40058, "msgid invalid")
        for message in found:
            message.recalled = True
        self.corp.changed.notify_all()
        return {}

    # ---- who gets it

    def _receivers(self, body: Json) -> Receivers:
        if not any(body.get(name) for name in ("touser", "toparty", "totag")):
            raise Refusal(82001)
        named = [one.strip().lower() for one in str(body.get("touser") or "").split("|")]
        if named == ["@all"]:
            named = [userid for userid, one in self.corp.members.items() if one.visible]
        if len(named) > MOST_RECEIVERS:
            raise Refusal(40032)
        found = Receivers()
        for userid in dict.fromkeys(one for one in named if one):
            self._sort_in(userid, found)
        if not found.good:
            raise Refusal(81013)
        return found

    def _sort_in(self, userid: str, found: Receivers) -> None:
        member = self.corp.member(userid)
        if member is None or not member.visible or member.status in (DISABLED, LEFT):
            found.invalid.append(userid)
        elif not member.licensed:
            found.unlicensed.append(userid)
        else:
            found.good.append(userid)

    # ---- what it says

    def _content(self, body: Json) -> tuple[str, Json]:
        msgtype = str(body.get("msgtype") or "")
        if msgtype not in ("text", "markdown", "template_card", "file"):
            raise Refusal(40008, msgtype)
        content = body.get(msgtype)
        if not isinstance(content, dict):
            raise Refusal(40058, f"{msgtype} missing")
        if msgtype in ("text", "markdown") and not content.get("content"):
            raise Refusal(44004)
        if msgtype == "file" and self.corp.find_media(str(content.get("media_id"))) is None:
            raise Refusal(40007)
        return msgtype, content

    def _check_card(self, card: Json) -> None:
        check_card(card)
        if interactive(card) and not self.has_callback_url:
            raise Refusal(43012)

    def _show(
        self, to: list[str], msgtype: str, content: Json, msgid: str, code: str | None
    ) -> None:
        shown, truncated = content, False
        if msgtype in ("text", "markdown"):
            kept, truncated = cut(str(content["content"]))
            shown = content | {"content": kept}
        for userid in to:
            if not self._may_show(userid):
                self.corp.dropped += 1
                continue
            self.corp.show(
                via="app",
                kind="person",
                to=userid,
                msgtype=msgtype,
                body=shown,
                file=self.corp.find_media(str(content.get("media_id"))),
                response_code=code,
                task_id=content.get("task_id") if msgtype == "template_card" else None,
                truncated=truncated,
                msgid=msgid,
            )

    # ---- what is silently left out

    def _is_duplicate(self, body: Json, who: Receivers, msgtype: str, content: Json) -> bool:
        flagged = body.get("enable_duplicate_check") == 1
        interval = body.get("duplicate_check_interval", INTERVAL)
        if not isinstance(interval, int) or not 0 < interval <= LONGEST_INTERVAL:
            raise Refusal(40058, "duplicate_check_interval invalid")
        if not self.enforces_pace and interval == 1:
            return False  # where the clock stands still, all is said within the same second
        now = self.corp.now()
        key = json.dumps([sorted(who.good), msgtype, content], sort_keys=True)
        if flagged and any(
            one.key == key and now - one.at <= interval
            for one in self._sent
            if one.flagged or self.remembers_unflagged
        ):
            return True
        self._sent.append(Sent(now, key, flagged))
        return False

    def _may_show(self, userid: str) -> bool:
        """Over the pace nothing more is shown for the rest of a minute, or of an hour."""
        now, shown = self.corp.now(), self._shown_at[userid]
        if not self.enforces_pace:
            return True
        if now < self._blocked_until.get(userid, 0.0):
            return False
        while shown and now - shown[0] >= PACES[-1][0]:
            shown.popleft()
        for seconds, most in PACES:
            if sum(now - at < seconds for at in shown) >= most:
                self._blocked_until[userid] = now + seconds
                return False
        shown.append(now)
        return True

    # ---- cards

    def _take_code(self, code: str) -> list[Message]:
        known = self.corp.response_codes.get(code)
        if known is not None and known.used:
            raise Refusal(42022, "response_code")
        found = self.corp.take_response_code(code)
        if not found:
            raise Refusal(40058, "response_code invalid or expired")
        return found


def check_agent(corp: Corp, agentid: Any) -> None:
    if agentid is None:
        raise Refusal(41011)
    if isinstance(agentid, bool) or not isinstance(agentid, int) or agentid < 0:
        raise Refusal(40056)
    if agentid != corp.agent_id:
        raise Refusal(301002)
    if corp.agent_closed:
        raise Refusal(50003)


def changed_card(message: Message, card: Json | None, replace_name: str | None) -> Json:
    """The whole new card, or the old one with a grey text in place of its buttons."""
    return dict(card) if card is not None else message.body | {"replace_text": replace_name}


def cut(content: str, most: int = LONGEST) -> tuple[str, bool]:
    """What WeCom shows of a text that is too long, and whether it is."""
    written = content.encode()
    return written[:most].decode(errors="ignore"), len(written) > most
