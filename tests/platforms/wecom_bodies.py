"""What an aibot is told, as the plain body: in callback mode and on a WebSocket alike.

https://developer.work.weixin.qq.com/document/path/100719 (messages)
https://developer.work.weixin.qq.com/document/path/101027 (events)

To speak to the bot in a chat is what lets it write there later, so these builders let the corp
hear it. `more` is put over the finished body: fields of one's own, or a wrong value on purpose.
"""

from __future__ import annotations

from typing import Any

from tests.platforms.wecom_model import Corp, Json, Message, buttons


def sender(corp: Corp, userid: str, encrypted: bool) -> str:
    """Who speaks: a userid as the admin wrote it, or an open_userid where the bot may not know."""
    member = corp.member(userid)
    if member is None:
        return userid
    return member.open_userid if encrypted else member.userid


def spoken(corp: Corp, chatid: str | None, content: str, at: bool) -> str:
    """In a group a message reaches the bot because it begins with the bot's name."""
    return f"@{corp.bot_name} {content}" if chatid is not None and at else content


def text_body(
    corp: Corp,
    userid: str,
    content: str,
    chatid: str | None = None,
    quote: Json | None = None,
    *,
    encrypted: bool = False,
    at: bool = True,
    **more: Any,
) -> Json:
    """A text; without a chatid in the direct chat. `quote`: {"msgtype": "text", "text": {…}}."""
    body = _message(corp, userid, chatid, "text", encrypted)
    body["text"] = {"content": spoken(corp, chatid, content, at)}
    if quote is not None:
        body["quote"] = quote
    return body | more


def mixed_body(
    corp: Corp,
    userid: str,
    content: str,
    chatid: str | None = None,
    *,
    encrypted: bool = False,
    at: bool = True,
    **more: Any,
) -> Json:
    """A text and a picture in one message."""
    body = _message(corp, userid, chatid, "mixed", encrypted)
    items = [
        {"msgtype": "text", "text": {"content": spoken(corp, chatid, content, at)}},
        {"msgtype": "image", "image": {"url": "https://ww-aibot-img.example/1"}},
    ]
    body["mixed"] = {"msg_item": items}
    return body | more


def media_body(
    corp: Corp, userid: str, msgtype: str, *, encrypted: bool = False, **more: Any
) -> Json:
    """image, file, video (an address that lives five minutes) or voice (what was understood)."""
    body = _message(corp, userid, None, msgtype, encrypted)
    said = {"content": "我到了"} if msgtype == "voice" else {"url": "https://ww-aibot.example/1"}
    return body | {msgtype: said} | more


def stream_body(
    corp: Corp, userid: str, stream_id: str, chatid: str | None = None, **more: Any
) -> Json:
    """WeCom asks how a stream goes on: https://developer.work.weixin.qq.com/document/path/101031"""
    body = _message(corp, userid, chatid, "stream", False)
    return body | {"stream": {"id": stream_id}} | more


def event_body(
    corp: Corp,
    eventtype: str,
    userid: str = "",
    chatid: str | None = None,
    details: Json | None = None,
    *,
    encrypted: bool = False,
    **more: Any,
) -> Json:
    """enter_chat, feedback_event, …; `details` stand in the event under the type's own name."""
    body = _common(corp, userid, chatid, encrypted)
    body["create_time"] = int(corp.now())
    body["msgtype"] = "event"
    body["event"] = {"eventtype": eventtype, eventtype: details or {}}
    if not userid:
        del body["from"]
    return body | more


def press_body(
    corp: Corp,
    userid: str,
    message: Message,
    key: str,
    *,
    encrypted: bool = False,
    selected: dict[str, list[str]] | None = None,
    as_in_the_table: bool = False,
    anyway: bool = False,
    **more: Any,
) -> Json:
    """Somebody presses a button of a card.

    `as_in_the_table`: the document's tables spell cardtype, eventkey and taskid, its samples
    card_type, event_key and task_id. `anyway`: though no such button can be pressed any more.
    """
    check_pressed(message, userid, key, anyway)
    names = ("cardtype", "eventkey", "taskid") if as_in_the_table else _SAMPLE_NAMES
    card = message.body
    values = (card.get("card_type"), key, message.task_id or card.get("task_id", ""))
    details: Json = dict(zip(names, values, strict=True))
    if selected:
        option_ids = "optionids" if as_in_the_table else "option_ids"
        details["selected_items"] = {
            "selected_item": [
                {"question_key": question, option_ids: {"option_id": list(chosen)}}
                for question, chosen in selected.items()
            ]
        }
    chatid = message.to if message.kind == "group" else None
    event = "template_card_event"
    return event_body(corp, event, userid, chatid, details, encrypted=encrypted, **more)


_SAMPLE_NAMES = ("card_type", "event_key", "task_id")


def check_pressed(message: Message, userid: str, key: str, anyway: bool) -> None:
    """Nobody presses what is not on their screen."""
    known = [shown for _, shown in buttons(message, userid)]
    if key not in known and not anyway:
        raise AssertionError(f"{userid} sees no such button: {key!r} is not among {known}")


def _message(
    corp: Corp, userid: str, chatid: str | None, msgtype: str, encrypted: bool
) -> dict[str, Any]:
    corp.hear(userid, chatid)
    return _common(corp, userid, chatid, encrypted) | {"msgtype": msgtype}


def _common(corp: Corp, userid: str, chatid: str | None, encrypted: bool) -> dict[str, Any]:
    body: Json = {"msgid": corp.new_id("CAIQ", 28), "aibotid": corp.bot_id}
    if chatid is not None:
        body["chatid"] = chatid
    body["chattype"] = "single" if chatid is None else "group"
    body["from"] = {"userid": sender(corp, userid, encrypted)}
    return body
