"""What the stand-in corp keeps: members, groups, messages, rights to answer once, screens."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

Json = dict[str, Any]
Via = Literal["app", "passive", "bot", "webhook"]
Kind = Literal["person", "group"]
Sender = Literal["app", "bot"]


ACTIVE, DISABLED, NOT_ACTIVATED, LEFT = 1, 2, 4, 5
"""Member.status: https://developer.work.weixin.qq.com/document/path/90196"""


@dataclass
class Member:
    userid: str  # as the admin wrote it, in any case
    name: str
    alias: str = ""
    status: int = ACTIVE
    visible: bool = True  # within the app's visible range
    licensed: bool = True
    open_userid: str = ""  # what an aibot gets where it may not know the userid


@dataclass
class Group:
    chatid: str
    name: str
    members: list[str]  # lower-case userids
    heard: bool = False  # somebody has spoken to the bot here
    has_bot: bool = True


@dataclass
class Message:
    """One message on one screen: sent to several members, it is several messages of one msgid."""

    number: int
    at: float
    via: Via
    kind: Kind
    to: str  # a lower-case userid, or a chatid
    msgtype: str
    body: Json  # what was sent under that msgtype
    mentioned: tuple[str, ...] = ()
    file: tuple[str, bytes] | None = None
    response_code: str | None = None
    task_id: str | None = None
    changed: int = 0  # the number of the change that last edited it
    changed_at: float | None = None
    recalled: bool = False
    truncated: bool = False  # it was too long, and `body` holds what was left of it
    msgid: str = ""
    copies: dict[str, Json] = field(default_factory=dict)
    """What a group's card became for some of its readers only, by lower-case userid."""


@dataclass
class ResponseCode:
    """The right to change a card once: https://developer.work.weixin.qq.com/document/path/94888"""

    code: str
    issued: float
    msgid: str  # of all the copies it changes
    used: bool = False


@dataclass
class ResponseUrl:
    """The right to answer once: https://developer.work.weixin.qq.com/document/path/101138"""

    code: str
    issued: float
    kind: Kind
    to: str
    used: bool = False


# ---- what people see


def plain(message: Message, reader: str = "") -> str:
    """The text on the screen; of a group's card, as this reader has it."""
    body = message.copies.get(reader.lower(), message.body)
    if message.msgtype == "template_card":
        return plain_card(body)
    if message.file is not None:
        return message.file[0]
    return str(body.get("content", ""))


def plain_card(card: Json) -> str:
    title = card.get("main_title") or {}
    lines = [title.get("title"), title.get("desc"), card.get("sub_title_text")]
    rows = card.get("horizontal_content_list") or []
    lines += [f"{row.get('keyname', '')} {row.get('value', '')}".strip() for row in rows]
    return "\n".join(str(line) for line in lines if line)


def buttons(message: Message, reader: str = "") -> list[tuple[str, str]]:
    """Label and key of what can be pressed: a replaced text is grey and dead."""
    card = message.copies.get(reader.lower(), message.body)
    if message.msgtype != "template_card" or message.recalled or card.get("replace_text"):
        return []
    return [
        (str(button.get("text", "")), str(button.get("key", "")))
        for button in card.get("button_list") or []
        if button.get("type", 0) == 0
    ]
