"""From Slack's payloads to events. Pure: a verified payload in, an Event or None out.

None is what means nothing to the bot; Rejected (400) is what Slack would never send.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from adapters.contract import Rejected
from adapters.slack.carried import Asked, Pressed
from bot.messages import Chat, Event, User, mention_mark, without_marks

NAME = "slack"
# The one command that takes any verb: `/banzhang VERB …`.
ANY_VERB = "/banzhang"
COMMAND_KEY = "command:"

Payload = Mapping[str, Any]

_ID = re.compile(r"[A-Za-z0-9_.:-]{1,100}", re.ASCII)
_STAMP = re.compile(r"([0-9]{1,11})\.([0-9]{1,6})", re.ASCII)
_LONGEST_KEY = 200
_LONGEST_NAME = 200

# https://docs.slack.dev/messaging/formatting-message-text, with the older form <@U1|name>.
_TOKEN = re.compile(
    r"<(?:@(?P<user>[UW]\w+)(?:\|(?P<user_name>[^<>]*))?"
    r"|\#(?P<channel>[CGD]\w+)(?:\|(?P<channel_name>[^<>]*))?"
    r"|!(?P<special>[^<>|]+)(?:\|(?P<special_label>[^<>]*))?"
    r"|(?P<link>(?:https?|mailto|tel):[^<>|\s]+)(?:\|(?P<link_label>[^<>]*))?)>",
    re.ASCII,
)


def decode(payload: Payload, received_at: datetime) -> Event | None:
    """The event in a payload that the guard let in, at the moment it came in."""
    if "command" in payload:
        return _command(payload, received_at)
    match payload.get("type"):
        case "block_actions":
            return _press(payload, received_at)
        case "view_submission":
            return _submission(payload, received_at)
        case _:
            return None


def from_command(event: Event) -> bool:
    """Was it a slash command, whose response can carry the answer?"""
    return event.key.startswith(COMMAND_KEY)


# https://docs.slack.dev/interactivity/implementing-slash-commands
def _command(fields: Payload, received_at: datetime) -> Event:
    command, typed = _text(fields, "command"), _text(fields, "text").strip()
    if not command.startswith("/"):
        raise Rejected(400, "the command has no slash")
    if command != ANY_VERB:
        typed = f"{command[1:]} {typed}".rstrip()
    understood, mentions = typed_text(typed or "help")
    user_id = _id(fields, "user_id")
    return Event(
        platform=NAME,
        key=_key(COMMAND_KEY.rstrip(":"), _id(fields, "team_id"), _id(fields, "trigger_id")),
        kind="text",
        user=User(id=user_id, name=display_name(fields.get("user_name")) or user_id),
        chat=_chat(_id(fields, "channel_id"), display_name(fields.get("channel_name")), user_id),
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
    pressed = Pressed.loaded(action.get("value"))
    channel = payload.get("channel")
    if pressed is None or not isinstance(channel, dict):
        return None
    user = _user(payload)
    place = _object(payload, "container")
    action_ts = _id(action, "action_ts")
    where = (_id(channel, "id"), _id(place, "message_ts"))
    return Event(
        platform=NAME,
        key=_key("press", *where, _text(action, "action_id"), user.id, action_ts),
        kind="button",
        user=user,
        chat=_chat(where[0], display_name(channel.get("name")), user.id, _thread(payload)),
        command=pressed.command,
        arguments=pressed.arguments,
        can_open_form=True,
        at=_moment(action_ts, received_at),
        received_at=received_at,
    )


# https://docs.slack.dev/reference/interaction-payloads/view-interactions-payload
def _submission(payload: Payload, received_at: datetime) -> Event | None:
    view = _object(payload, "view")
    asked = Asked.loaded(view.get("private_metadata"))
    if asked is None:
        return None
    filled = _filled(view)
    # The hash stays the same when a form is sent again after a mistake, so what was filled in is
    # part of the key: the same answers are a repeat, other answers are not.
    answers = json.dumps(filled, sort_keys=True)
    digest = hashlib.sha256(answers.encode()).hexdigest()[:16]
    return Event(
        platform=NAME,
        key=_key("form", _id(view, "id"), _id(view, "hash"), digest),
        kind="form",
        user=_user(payload),
        chat=asked.chat,
        command=asked.command,
        arguments={**asked.arguments, **filled},
        can_open_form=True,
        at=received_at,
        received_at=received_at,
    )


def _filled(view: Payload) -> dict[str, str]:
    """The answers of a form by the names of its fields; what was left empty is left out."""
    values = _object(_object(view, "state"), "values")
    found: dict[str, str] = {}
    for field, inputs in values.items():
        for held in inputs.values() if isinstance(inputs, dict) else ():
            answer = without_marks(_answer(held)).strip()
            if answer:
                found[field] = answer
    return found


def _answer(held: object) -> str:
    """What one input holds: a menu's choice or a text, which Slack does not escape here."""
    if not isinstance(held, dict):
        return ""
    option = held.get("selected_option")
    value = option.get("value") if isinstance(option, dict) else held.get("value")
    return value if isinstance(value, str) else ""


def typed_text(wire: str) -> tuple[str, tuple[User, ...]]:
    """What a person typed, from Slack's wire form: marks for the people mentioned, and the people.

    >>> typed_text("hi <@U2|li>, see <#C1|rooms> &amp; <!here>")[1]
    (User(id='U2', name='li', locale=None, zone=None),)
    """
    mentions: dict[str, User] = {}
    parts: list[str] = []
    end = 0
    for token in _TOKEN.finditer(wire):
        parts.append(_unescaped(wire[end : token.start()]))
        parts.append(_token(token, mentions))
        end = token.end()
    parts.append(_unescaped(wire[end:]))
    return "".join(parts), tuple(mentions.values())


def _token(token: re.Match[str], mentions: dict[str, User]) -> str:
    """One <…> as text; nothing of it can ping again, because it is plain text from here on."""
    user_id, label = token["user"], None
    if user_id:
        name = display_name(_unescaped(token["user_name"] or ""))
        mentions.setdefault(user_id, User(id=user_id, name=name or user_id))
        return mention_mark(list(mentions).index(user_id))
    if token["channel"]:
        return "#" + (_unescaped(token["channel_name"] or "") or token["channel"])
    if token["special"]:
        label = _unescaped(token["special_label"] or "")
        return label or "@" + _unescaped(token["special"]).split("^")[0]
    link, label = _unescaped(token["link"]), _unescaped(token["link_label"] or "")
    # A label that says something else than where the link goes does not hide it.
    return (label if label in link else f"{label} ({link})") if label else link


def _unescaped(text: str) -> str:
    """Slack escapes & < > and nothing else, once."""
    plain = text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
    return without_marks(plain)


def _chat(channel_id: str, name: str, user_id: str, thread: str | None = None) -> Chat:
    """A direct message goes by the person's id, a private channel's name is not told."""
    if channel_id.startswith("D") or name == "directmessage":
        return Chat(kind="direct", id=user_id)
    known = "" if name == "privategroup" else name
    return Chat(kind="group", id=channel_id, name=known, thread=thread)


def _thread(payload: Payload) -> str | None:
    """The thread in which a button stood, if it did."""
    message = payload.get("message")
    if not isinstance(message, dict):
        return None
    thread = message.get("thread_ts")
    return thread if isinstance(thread, str) and _STAMP.fullmatch(thread) else None


def _moment(stamp: str, received_at: datetime) -> datetime:
    """The time in a Slack timestamp, unless it lies in the future or is none."""
    parts = _STAMP.fullmatch(stamp)
    if parts is None:
        return received_at
    micros = int(parts[2].ljust(6, "0"))
    said = datetime.fromtimestamp(int(parts[1]), UTC) + timedelta(microseconds=micros)
    return min(said, received_at)


def _user(payload: Payload) -> User:
    user = _object(payload, "user")
    user_id = _id(user, "id")
    name = display_name(user.get("name")) or display_name(user.get("username"))
    return User(id=user_id, name=name or user_id)


def _object(found: Payload, name: str) -> Payload:
    value = found.get(name)
    if not isinstance(value, dict):
        raise Rejected(400, f"{name} is missing")
    return value


def _text(found: Payload, name: str) -> str:
    value = found.get(name, "")
    if not isinstance(value, str):
        raise Rejected(400, f"{name} is no text")
    return value


def _id(found: Payload, name: str) -> str:
    value = found.get(name)
    if not isinstance(value, str) or not _ID.fullmatch(value):
        raise Rejected(400, f"{name} is missing or odd")
    return value


def display_name(found: object) -> str:
    """A hint for people's eyes; never an identity."""
    if not isinstance(found, str):
        return ""
    return without_marks(found).replace("\n", " ").strip()[:_LONGEST_NAME]


def _key(*parts: str) -> str:
    """The event's key; a long one is shortened, and stays unique."""
    key = ":".join(parts)
    if len(key) <= _LONGEST_KEY:
        return key
    return f"{parts[0]}:{hashlib.sha256(key.encode()).hexdigest()}"
