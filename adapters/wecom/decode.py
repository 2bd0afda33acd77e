"""From a self-built app's callbacks to events. Pure: verified fields in, an Event or None out.

https://developer.work.weixin.qq.com/document/path/90239 (messages) and …/path/90240 (events)
None is what means nothing to the bot; Rejected (400) is what WeCom would never send.
"""

from __future__ import annotations

from datetime import datetime

from adapters.carried import Pressed
from adapters.contract import Rejected
from adapters.naming import message_number
from adapters.wecom.reading import (
    APP,
    NAME,
    Payload,
    id_in,
    key_of,
    moment_of,
    sealed_key_of,
    text_in,
    typed,
    user_id_in,
)
from bot.messages import Chat, Event, User

MESSAGE, CLICK, PRESS = "message", "click", "press"
# Whom WeCom itself speaks as, in callbacks about the address book.
SYSTEM = "sys"


def decode(fields: Payload, received_at: datetime) -> Event | None:
    """The event in the fields of a callback that the guard let in."""
    kind = text_in(fields, "MsgType").lower()
    if kind == "event":
        return _event(fields, received_at)
    if not kind:
        raise Rejected(400, "MsgType is missing")
    return _message(fields, received_at)


def carries_answer(event: Event) -> bool:
    """Whether the response to it may be a text: not to a press, which takes only a card.

    https://developer.work.weixin.qq.com/document/path/90241
    """
    return event.key.startswith((f"{APP}:{MESSAGE}:", f"{APP}:{CLICK}:"))


def _message(fields: Payload, received_at: datetime) -> Event:
    """What somebody wrote, or sent: of a picture or a voice there are no words."""
    user, at = _said_by(fields, received_at)
    words = text_in(fields, "Content") if text_in(fields, "MsgType").lower() == "text" else ""
    return Event(
        platform=NAME,
        key=key_of(APP, MESSAGE, id_in(fields, "MsgId")),
        kind="text",
        user=user,
        chat=Chat(kind="direct", id=user.id),
        text=typed(words),
        at=at,
        received_at=received_at,
    )


def _event(fields: Payload, received_at: datetime) -> Event | None:
    match text_in(fields, "Event").lower():
        case "click":
            return _click(fields, received_at)
        case "template_card_event":
            return _press(fields, received_at)
        case "subscribe":
            return _subscribed(fields, received_at)
        case "unsubscribe":
            return _unsubscribed(fields, received_at)
        case _:
            return None


def _click(fields: Payload, received_at: datetime) -> Event | None:
    """A tap on the app's menu."""
    pressed = Pressed.loaded(text_in(fields, "EventKey"))
    if pressed is None:
        return None
    user, at = _said_by(fields, received_at)
    return _button(pressed, user, _event_key(CLICK, fields), at, received_at)


# https://developer.work.weixin.qq.com/document/path/90240#模板卡片事件推送
def _press(fields: Payload, received_at: datetime) -> Event | None:
    """A press on a card. Its ResponseCode is new each time: two presses in a second are two."""
    pressed = Pressed.loaded(text_in(fields, "EventKey"))
    if pressed is None:
        return None
    user, at = _said_by(fields, received_at)
    code = text_in(fields, "ResponseCode")
    event = _button(pressed, user, _event_key(PRESS, fields), at, received_at)
    number = message_number(text_in(fields, "TaskId"))
    told = {"pressed": number, "handle": f"card:{code}" if code else ""}
    return event.model_copy(update=told)


def _button(pressed: Pressed, user: User, key: str, at: datetime, received_at: datetime) -> Event:
    return Event(
        platform=NAME,
        key=key,
        kind="button",
        user=user,
        chat=Chat(kind="direct", id=user.id),
        command=pressed.command,
        arguments=pressed.arguments,
        at=at,
        received_at=received_at,
    )


def _subscribed(fields: Payload, received_at: datetime) -> Event:
    """Somebody sees the app for the first time: they read what it is for."""
    user, at = _said_by(fields, received_at)
    return _button(Pressed(command="help"), user, _event_key(CLICK, fields), at, received_at)


def _unsubscribed(fields: Payload, received_at: datetime) -> Event:
    """Somebody sees the app no more: they left, or an admin made its range smaller; which of the
    two has still to be asked.
    """
    user, at = _said_by(fields, received_at)
    return Event(
        platform=NAME,
        key=_event_key("account", fields),
        kind="account",
        user=user,
        chat=Chat(kind="direct", id=user.id),
        complete=False,
        at=at,
        received_at=received_at,
    )


def _said_by(fields: Payload, received_at: datetime) -> tuple[User, datetime]:
    user_id = user_id_in(fields, "FromUserName")
    return User(id=user_id, name=user_id), moment_of(text_in(fields, "CreateTime"), received_at)


def _event_key(kind: str, fields: Payload) -> str:
    """Events have no number. Sent again they are the same in all of these."""
    told = ("CreateTime", "Event", "EventKey", "TaskId", "ResponseCode")
    return sealed_key_of(
        APP, kind, user_id_in(fields, "FromUserName"), *(text_in(fields, name) for name in told)
    )
