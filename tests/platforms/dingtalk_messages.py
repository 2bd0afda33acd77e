"""What DingTalk tells the bot of what people do: the inner objects, on a stream and by HTTP alike.

Messages: https://open.dingtalk.com/document/orgapp/receive-message
Pressed buttons: https://open.dingtalk.com/document/orgapp/event-callback-card
People who leave: https://open.dingtalk.com/document/orgapp/user_leave_org

`staff` is a staff id or the handle of an outsider. `more` is put over the finished object: fields
of one's own, or a wrong value on purpose; a field that is given as MISSING is left out.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Final, Literal

from tests.platforms.dingtalk_model import SESSION_LIFE, Group, Json, Message, Org, buttons, shown
from tests.platforms.dingtalk_screen import MARKDOWN
from tests.platforms.dingtalk_template import TEMPLATE

Quote = Literal["full", "older", "bare"]
"""How a quoted message comes along, as different payloads were seen: with its words, with those of
a text under the name that it had earlier, or by its id alone.
"""

MISSING: Final = object()
PICTURE: Final = ""
"""A part of a rich text that is a picture."""

OTHER_MESSAGES: dict[str, Json] = {
    "video": {"downloadCode": "mIofVideo", "duration": 4000, "videoType": "mp4"},
    "file": {
        "downloadCode": "mIofFile",
        "fileName": "课表.xlsx",
        "spaceId": "12345",
        "fileId": "67890",
    },
    # A kind that DingTalk thinks of after we are written.
    "brandNew": {"answer": 42},
}


# ---- messages


def text_payload(
    org: Org,
    staff: str,
    words: str,
    group: Group | str | None = None,
    *,
    mentions: Sequence[str] = (),
    quoted: Message | str | None = None,
    quote: Quote = "full",
    msg_id: str | None = None,
    **more: Any,
) -> Json:
    """A text, without a group in the direct chat. What was typed as "@name" of the bot and of
    those who are mentioned is taken out of it, and where it stood is not told.

    `quoted`: what the message replies to, one of the robot's or the words of somebody else's.
    """
    content = words if group is None else _without_mentions(org, words, mentions)
    text: Json = {"content": content}
    if quoted is not None:
        text |= {"isReplyMsg": True, "repliedMsg": _replied(org, quoted, quote)}
    whole = _head(org, staff, group, mentions, msg_id) | {"text": text, "msgtype": "text"}
    if isinstance(quoted, Message):
        whole["originalMsgId"] = text["repliedMsg"]["msgId"]
    return _over(whole, more)


def rich_payload(
    org: Org,
    staff: str,
    parts: Sequence[str],
    group: Group | str | None = None,
    *,
    mentions: Sequence[str] = (),
    glued: bool = True,
    msg_id: str | None = None,
    **more: Any,
) -> Json:
    """Text and pictures in one message; a part that is PICTURE is one.

    In a group the mention of the bot stays in it: before the first words without a blank between
    (`glued`), or as a part of its own.
    """
    said = list(parts)
    if group is not None:
        called = f"@{org.bot_name}"
        if glued and said and said[0] != PICTURE:
            said[0] = called + said[0]
        else:
            said.insert(0, called)
    whole = _head(org, staff, group, mentions, msg_id)
    whole |= {"content": {"richText": [_part(org, one) for one in said]}, "msgtype": "richText"}
    return _over(whole, more)


def audio_payload(
    org: Org, staff: str, recognition: str, *, msg_id: str | None = None, **more: Any
) -> Json:
    """A voice message and what was understood of it; only in the direct chat."""
    said = {"duration": 4000, "downloadCode": org.new_id("mIof"), "recognition": recognition}
    return _over(_head(org, staff, None, (), msg_id) | {"content": said, "msgtype": "audio"}, more)


def picture_payload(org: Org, staff: str, *, msg_id: str | None = None, **more: Any) -> Json:
    """Only in the direct chat: in a group a picture reaches the robot inside a rich text."""
    shown_there = {
        "pictureDownloadCode": org.new_id("1lOl"),
        "downloadCode": org.new_id("mIof"),
    }
    whole = _head(org, staff, None, (), msg_id)
    return _over(whole | {"content": shown_there, "msgtype": "picture"}, more)


def other_payload(
    org: Org, staff: str, msgtype: str, *, msg_id: str | None = None, **more: Any
) -> Json:
    """video, file, or a kind that nobody knows yet; only in the direct chat."""
    whole = _head(org, staff, None, (), msg_id)
    return _over(whole | {"content": OTHER_MESSAGES[msgtype], "msgtype": msgtype}, more)


def _head(
    org: Org, staff: str, group: Group | str | None, mentions: Sequence[str], msg_id: str | None
) -> Json:
    place = group.id if isinstance(group, Group) else group
    now = int(org.now() * 1000)
    head: Json = {
        "conversationId": place or org.direct_conversation(staff),
        "conversationType": "1" if place is None else "2",
        "chatbotCorpId": org.corp_id,
        "chatbotUserId": org.bot_id,
        "msgId": msg_id or org.new_id("msg", 22) + "==",
        "createAt": now,
        "robotCode": org.robot_code,
        "sessionWebhook": org.session_url(place or staff),
        "sessionWebhookExpiredTime": now + int(SESSION_LIFE * 1000),
        **_sender(org, staff),
    }
    if place is not None:
        people = [{"dingtalkId": org.bot_id}, *(_at_user(org, one) for one in mentions)]
        head["conversationTitle"] = org.groups[place].name
        head |= {"isInAtList": True, "atUsers": people}
    return head


def _sender(org: Org, staff: str) -> Json:
    """Nobody outside the organisation has a staff id here."""
    common = {"senderId": org.encrypted_id(staff), "senderNick": org.name_of(staff)}
    if staff in org.outsiders:
        return common | {"senderCorpId": org.outsiders[staff].corp_id, "isAdmin": False}
    member = org.members.get(staff) or org.gone[staff]
    return common | {
        "senderCorpId": org.corp_id,
        "senderStaffId": staff,
        "isAdmin": member.admin,
    }


def _at_user(org: Org, staff: str) -> Json:
    known: Json = {"dingtalkId": org.encrypted_id(staff)}
    return known if staff in org.outsiders else known | {"staffId": staff}


def _without_mentions(org: Org, words: str, mentions: Sequence[str]) -> str:
    for name in (org.bot_name, *(org.name_of(one) for one in mentions)):
        words = words.replace(f"@{name}", "", 1)
    return f" {words.lstrip()}"


def _replied(org: Org, quoted: Message | str, quote: Quote) -> Json:
    kind, content = _quoted(quoted, quote)
    replied: Json = {"msgType": kind, "createdAt": int(org.now() * 1000)}
    if isinstance(quoted, Message):
        replied |= {"msgId": f"msgOfTheRobot{quoted.number}==", "senderId": org.bot_id}
    else:
        msg_id = org.new_id("msg", 22) + "=="
        replied |= {"msgId": msg_id, "senderId": org.encrypted_id("somebody")}
    return replied if quote == "bare" else replied | {"content": content}


def _quoted(quoted: Message | str, quote: Quote) -> tuple[str, Json]:
    """Its kind, and its words where that kind has them."""
    if isinstance(quoted, str):
        return "text", {"text" if quote == "older" else "content": quoted}
    if quoted.variables is None and quoted.msgtype in MARKDOWN:
        return "markdown", {"text": str(quoted.body.get("text", ""))}
    words = shown(quoted)
    if quoted.variables is None:
        return "text", {"text" if quote == "older" else "content": words}
    lines = [{"elementType": "TEXT", "value": line} for line in words.split("\n")]
    return "interactiveCard", {"cardContent": {"elementType": "VIEW", "children": lines}}


def _part(org: Org, said: str) -> Json:
    if said != PICTURE:
        return {"text": said}
    codes = {"pictureDownloadCode": org.new_id("1lOl"), "downloadCode": org.new_id("mIof")}
    return codes | {"type": "picture"}


# ---- cards


def press_payload(
    org: Org,
    staff: str,
    message: Message,
    press: str,
    *,
    as_text: bool = True,
    spaced: bool = True,
    anyway: bool = False,
    **more: Any,
) -> Json:
    """Somebody presses a button of a card; `press`: what it carries.

    `as_text`: content and extension come as JSON strings, as the vendor's page has them, or as
    objects. `spaced`: with the place where it stands, which the page's own sample leaves out.
    `anyway`: though no such button is on the screen any more.
    """
    carried = [value for _, value in buttons(message, staff)]
    if press not in carried and not anyway:
        raise AssertionError(f"{staff} sees no such button: {press!r} is not among {carried}")
    private = {"actionIds": [_action_id(message, press)], "params": {"press": press}}
    whole: Json = {
        "type": "actionCallback",
        "outTrackId": message.out_track_id,
        "corpId": org.corp_id,
        "userId": org.encrypted_id(staff) if staff in org.outsiders else staff,
        "userIdType": 1,
        "content": _text_or_object({"cardPrivateData": private}, as_text),
        "extension": _text_or_object({}, as_text),
    }
    if spaced:
        space = "IM_GROUP" if message.kind == "group" else "IM_ROBOT"
        whole |= {"spaceId": f"dtv1.card//{space}.{message.to}", "spaceType": space}
    return _over(whole, more)


def _action_id(message: Message, press: str) -> str:
    """Of the button that gives this back, of the first one where there is none."""
    held = message.variables or {}
    found = [one.action_id for one in TEMPLATE.buttons if held.get(one.press) == press]
    return found[0] if found else TEMPLATE.buttons[0].action_id


def _text_or_object(value: Json, as_text: bool) -> str | Json:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")) if as_text else value


# ---- events of the organisation

Happened = Literal["user_leave_org", "user_add_org", "user_modify_org"]


def leave_payload(org: Org, *staff: str, **more: Any) -> Json:
    """Somebody left the organisation, perhaps several at once."""
    whole: Json = {
        "timeStamp": int(org.now() * 1000),
        "eventId": org.new_id("event", 22),
        "optStaffId": "the-administrator",
        "userId": list(staff),
    }
    return _over(whole, more)


def event_headers(org: Org, data: Json, happened: Happened = "user_leave_org") -> dict[str, str]:
    """What the frame of this event says beside its data."""
    return {
        "eventType": happened,
        "eventId": str(data.get("eventId", "")),
        "eventBornTime": str(data.get("timeStamp", int(org.now() * 1000))),
        "eventCorpId": org.corp_id,
    }


def _over(whole: Json, more: Json) -> Json:
    return {name: value for name, value in (whole | more).items() if value is not MISSING}
