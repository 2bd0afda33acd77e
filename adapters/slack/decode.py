"""From Slack's payloads to events. Pure: a verified payload in, an Event or None out.

None is what means nothing to the bot; Rejected (400) is what Slack would never send. Commands,
presses, forms and shortcuts are read here, what the Events API brings in events.py.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import datetime

from adapters.carried import Pressed
from adapters.contract import Rejected
from adapters.slack import events
from adapters.slack.carried import Asked
from adapters.slack.reading import (
    NAME,
    Payload,
    chat_of,
    display_name,
    handle_of,
    id_in,
    key_of,
    moment_of,
    object_in,
    stamp_of,
    text_in,
    typed_text,
    user_in,
)
from bot.messages import Chat, Event, User, mention_mark, without_marks

# The one command that takes any verb: `/banzhang VERB …`.
ANY_VERB = "/banzhang"
COMMAND_KEY = "command:"

SHORTCUTS: Mapping[str, str] = {"escalate_message": "escalate", "resolve_question": "resolve"}
"""The shortcuts of a message's menu by callback_id, and the commands they give."""


def decode(payload: Payload, received_at: datetime, bot_user: str | None = None) -> Event | None:
    """The event in a payload that the guard let in, at the moment it came in.

    `bot_user` is our own account, where it is known by now.
    """
    if "command" in payload:
        return _command(payload, received_at)
    match payload.get("type"):
        case "block_actions":
            return _press(payload, received_at)
        case "view_submission":
            return _submission(payload, received_at)
        case "message_action":
            return _shortcut(payload, received_at, bot_user)
        case "event_callback":
            return events.decode(payload, received_at, bot_user)
        case _:
            return None


def from_command(event: Event) -> bool:
    """Was it a slash command, whose response can carry the answer?"""
    return event.key.startswith(COMMAND_KEY)


# https://docs.slack.dev/interactivity/implementing-slash-commands
def _command(fields: Payload, received_at: datetime) -> Event:
    command, typed = text_in(fields, "command"), text_in(fields, "text").strip()
    if not command.startswith("/"):
        raise Rejected(400, "the command has no slash")
    if command != ANY_VERB:
        typed = f"{command[1:]} {typed}".rstrip()
    understood, mentions = typed_text(typed or "help")
    user_id, channel_id = id_in(fields, "user_id"), id_in(fields, "channel_id")
    return Event(
        platform=NAME,
        key=key_of(COMMAND_KEY.rstrip(":"), id_in(fields, "team_id"), id_in(fields, "trigger_id")),
        kind="text",
        user=User(id=user_id, name=display_name(fields.get("user_name")) or user_id),
        chat=chat_of(channel_id, display_name(fields.get("channel_name")), user_id),
        text=understood,
        mentions=mentions,
        can_open_form=True,
        # A command has no time of its own: only the request is stamped, perhaps a second try.
        at=received_at,
        received_at=received_at,
    )


# https://docs.slack.dev/reference/interaction-payloads/block_actions-payload
def _press(payload: Payload, received_at: datetime) -> Event | None:
    actions = payload.get("actions")
    action = actions[0] if isinstance(actions, list) and actions else None
    if not isinstance(action, dict):
        raise Rejected(400, "a press without an action")
    pressed = Pressed.loaded(_pressed_value(action))
    user, place = user_in(payload), object_in(payload, "container")
    if pressed is None:
        return None
    action_ts = id_in(action, "action_ts")
    chat, where = _place_of_press(payload, place, user)
    return Event(
        platform=NAME,
        key=key_of("press", *where, text_in(action, "action_id"), user.id, action_ts),
        kind="button",
        user=user,
        chat=chat,
        command=pressed.command,
        arguments=pressed.arguments,
        can_open_form=True,
        under=handle_of(where[0], chat.thread),
        at=moment_of(action_ts, received_at),
        received_at=received_at,
    )


def _pressed_value(action: Payload) -> object:
    """What a button carries, or the choice of a menu."""
    option = action.get("selected_option")
    return option.get("value") if isinstance(option, dict) else action.get("value")


def _place_of_press(payload: Payload, place: Payload, user: User) -> tuple[Chat, tuple[str, ...]]:
    """The chat in which it was pressed, and what names the message; one's own page is a direct
    chat.
    """
    if place.get("type") == "view":
        return Chat(kind="direct", id=user.id), (id_in(place, "view_id"),)
    channel = object_in(payload, "channel")
    message = payload.get("message")
    told = message if isinstance(message, dict) else {}
    # Of a message that only one person sees Slack tells nothing but where it stands.
    thread = stamp_of(told, "thread_ts") or stamp_of(place, "thread_ts")
    where = (id_in(channel, "id"), id_in(place, "message_ts"))
    return chat_of(where[0], display_name(channel.get("name")), user.id, thread), where


# https://docs.slack.dev/reference/interaction-payloads/shortcuts-interaction-payload
def _shortcut(payload: Payload, received_at: datetime, bot_user: str | None) -> Event | None:
    """A command given in a message's menu: about that message, answered in its thread."""
    command = SHORTCUTS.get(text_in(payload, "callback_id"))
    if command is None:
        return None
    user, channel = user_in(payload), object_in(payload, "channel")
    message = object_in(payload, "message")
    place, stamp = id_in(channel, "id"), id_in(message, "ts")
    thread = stamp_of(message, "thread_ts") or stamp
    words, mentions = typed_text(events.without_bot(events.words_of(message), bot_user))
    words = words.strip()
    author = events.author_of(message)
    arguments = {}
    if command == "escalate":
        arguments["question"] = words
        if author is not None:
            mentions = (*mentions, author)
            arguments["asker"] = mention_mark(len(mentions) - 1)
    return Event(
        platform=NAME,
        key=key_of("shortcut", place, stamp, user.id, id_in(payload, "action_ts")),
        kind="button",
        user=user,
        chat=chat_of(place, display_name(channel.get("name")), user.id, thread),
        mentions=mentions,
        command=command,
        arguments=arguments,
        can_open_form=True,
        message=handle_of(place, stamp),
        under=handle_of(place, thread),
        at=received_at,
        received_at=received_at,
    )


# https://docs.slack.dev/reference/interaction-payloads/view-interactions-payload
def _submission(payload: Payload, received_at: datetime) -> Event | None:
    view = object_in(payload, "view")
    asked = Asked.loaded(view.get("private_metadata"))
    if asked is None:
        return None
    filled, people = _filled(view)
    # The hash stays the same when a form is sent again after a mistake, so what was filled in is
    # part of the key: the same answers are a repeat, other answers are not.
    answers = json.dumps([filled, [one.id for one in people]], sort_keys=True)
    digest = hashlib.sha256(answers.encode()).hexdigest()[:16]
    return Event(
        platform=NAME,
        key=key_of("form", id_in(view, "id"), id_in(view, "hash"), digest),
        kind="form",
        user=user_in(payload),
        chat=asked.chat,
        mentions=people,
        command=asked.command,
        arguments={**asked.arguments, **filled},
        can_open_form=True,
        message=asked.message,
        under=asked.under,
        at=received_at,
        received_at=received_at,
    )


def _filled(view: Payload) -> tuple[dict[str, str], tuple[User, ...]]:
    """The answers of a form by the names of its fields, and the people chosen in it.

    What was left empty is left out.
    """
    values = object_in(object_in(view, "state"), "values")
    people: list[User] = []
    found: dict[str, str] = {}
    for field, inputs in values.items():
        for held in inputs.values() if isinstance(inputs, dict) else ():
            answer = _answer(held, people)
            if answer:
                found[field] = answer
    return found, tuple(people)


def _answer(held: object, people: list[User]) -> str:
    """What one input holds: a text (which Slack does not escape here), choices, or people."""
    if not isinstance(held, dict):
        return ""
    chosen = held.get("selected_users")
    if isinstance(chosen, list):
        first = len(people)
        people += [User(id=one, name=one) for one in chosen if isinstance(one, str)]
        return "".join(mention_mark(number) for number in range(first, len(people)))
    options = held.get("selected_options")
    if isinstance(options, list):
        return " ".join(filter(None, (_value_of(one) for one in options)))
    option = held.get("selected_option")
    return _value_of(option if isinstance(option, dict) else held).strip()


def _value_of(held: object) -> str:
    value = held.get("value") if isinstance(held, dict) else None
    return without_marks(value) if isinstance(value, str) else ""
