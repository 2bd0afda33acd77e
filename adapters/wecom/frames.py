"""From what the aibot hears to events. Pure: the body of a callback or a frame in, an Event out.

https://developer.work.weixin.qq.com/document/path/100719 (messages) and …/path/101027 (events)
The same bodies come by callback and by WebSocket. In a group the bot hears only what mentions it,
and people who are mentioned are only words: "@小王".
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

from adapters.carried import Pressed
from adapters.naming import handle_of, message_number
from adapters.wecom.reading import (
    BOT,
    BOT_THREAD,
    NAME,
    Payload,
    id_in,
    key_of,
    object_in,
    text_in,
    typed,
    user_id_in,
)
from bot.messages import Chat, Event, User

MESSAGE, PRESS = "message", "press"
# WeCom asks how a stream goes on, which we end in its first message.
POLL = "stream"
# As one speaks to somebody: "@班长，签到".
AFTER_A_NAME = " \t\n,，:：、"


def decode(body: Payload, received_at: datetime, bot_name: str) -> Event | None:
    """The event in a body; None for what means nothing to the bot. Raises Rejected (400)."""
    kind = body.get("msgtype")
    if kind == "event" or "event" in body:
        return _event(body, received_at)
    if kind == POLL:
        return None
    user, chat = _where(body)
    words, quoted = _words(body), _words(object_in(body, "quote"))
    text = typed(words)
    if chat.kind == "group":
        text = without_bot(text, bot_name)
    return Event(
        platform=NAME,
        key=key_of(BOT, MESSAGE, id_in(body, "msgid")),
        kind="text",
        user=user,
        chat=chat,
        text=text,
        under=handle_of(chat.id, typed(quoted)) if quoted else "",
        quoted=without_bot(typed(quoted), bot_name) if quoted else "",
        at=received_at,
        received_at=received_at,
    )


def without_bot(text: str, bot_name: str) -> str:
    """What is left of a line in a group without the mention of the bot.

    >>> without_bot("@班长 签到", "班长"), without_bot("谢谢 @班长", "班长")
    ('签到', '谢谢')
    >>> without_bot("@值班机器人 派单 @小王", "班长")
    '派单 @小王'
    >>> without_bot("@班长助理 和 @班长 签到", "班长"), without_bot("@班长签到", "班长")
    ('@班长助理 和 签到', '签到')
    """
    name = rf"[@＠]{re.escape(bot_name)}"
    # A whole name first: what only begins with it may be somebody else's.
    named = re.search(rf"{name}(?!\w)", text, re.IGNORECASE)
    found = named or re.search(name, text, re.IGNORECASE)
    if found is not None:
        before, after = text[: found.start()].rstrip(), text[found.end() :].lstrip(AFTER_A_NAME)
        return f"{before} {after}".strip()
    # It has another name here. Whoever writes to the bot begins with its name.
    return re.sub(rf"^[@＠][^{AFTER_A_NAME}]+[{AFTER_A_NAME}]*", "", text)


def _where(body: Payload) -> tuple[User, Chat]:
    user_id = user_id_in(object_in(body, "from"), "userid")
    user = User(id=user_id, name=user_id)
    if body.get("chattype") == "group":
        return user, Chat(kind="group", id=id_in(body, "chatid"))
    return user, Chat(kind="direct", id=user_id, thread=BOT_THREAD)


def _words(said: Payload) -> str:
    """The words of a message or a quotation; of a picture there are none."""
    kind = said.get("msgtype")
    if kind == "mixed":
        items = object_in(said, "mixed").get("msg_item")
        listed = items if isinstance(items, list) else []
        return "\n".join(filter(None, (_words(one) for one in listed if isinstance(one, dict))))
    if kind in ("text", "voice", "markdown"):
        return text_in(object_in(said, str(kind)), "content")
    return ""


def _event(body: Payload, received_at: datetime) -> Event | None:
    event = object_in(body, "event")
    if event.get("eventtype") != "template_card_event":
        return None
    # The tables of the documentation and its examples spell these names differently.
    told = object_in(event, "template_card_event")
    pressed = Pressed.loaded(_either(told, "event_key", "eventkey"))
    if pressed is None:
        return None
    user, chat = _where(body)
    task = _either(told, "task_id", "taskid")
    return Event(
        platform=NAME,
        key=key_of(BOT, PRESS, id_in(body, "msgid")),
        kind="button",
        user=user,
        chat=chat,
        command=pressed.command,
        arguments=pressed.arguments,
        pressed=message_number(task) if isinstance(task, str) else None,
        at=received_at,
        received_at=received_at,
    )


def _either(told: Payload, *names: str) -> Any:
    return next((told[name] for name in names if name in told), None)
