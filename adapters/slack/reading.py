"""Reading Slack's fields strictly: what Slack would never send is Rejected (400)."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from adapters.contract import Rejected
from bot.messages import Chat, Locale, User, mention_mark, without_marks

NAME = "slack"

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


def chat_of(channel_id: str, name: str, user_id: str, thread: str | None = None) -> Chat:
    """A direct message goes by the person's id, a private channel's name is not told."""
    if channel_id.startswith("D") or name == "directmessage":
        return Chat(kind="direct", id=user_id)
    known = "" if name == "privategroup" else name
    return Chat(kind="group", id=channel_id, name=known, thread=thread)


def stamp_of(found: Payload, name: str) -> str | None:
    """A timestamp that may be missing; it is a name, never a number."""
    stamp = found.get(name)
    return stamp if isinstance(stamp, str) and _STAMP.fullmatch(stamp) else None


def handle_of(channel_id: str, stamp: str | None) -> str:
    """How a message is known: by its channel and its ts; "" for none."""
    return f"{channel_id}:{stamp}" if stamp else ""


def moment_of(stamp: str, received_at: datetime) -> datetime:
    """The time in a Slack timestamp, unless it lies in the future or is none."""
    parts = _STAMP.fullmatch(stamp)
    if parts is None:
        return received_at
    micros = int(parts[2].ljust(6, "0"))
    said = datetime.fromtimestamp(int(parts[1]), UTC) + timedelta(microseconds=micros)
    return min(said, received_at)


def user_in(payload: Payload) -> User:
    """Whoever acted, in the payload of an interaction."""
    user = object_in(payload, "user")
    user_id = id_in(user, "id")
    name = display_name(user.get("name")) or display_name(user.get("username"))
    return User(id=user_id, name=name or user_id)


def object_in(found: Payload, name: str) -> Payload:
    """An object that must be there."""
    value = found.get(name)
    if not isinstance(value, dict):
        raise Rejected(400, f"{name} is missing")
    return value


def text_in(found: Payload, name: str) -> str:
    """A text that may be missing."""
    value = found.get(name, "")
    if not isinstance(value, str):
        raise Rejected(400, f"{name} is no text")
    return value


def id_in(found: Payload, name: str) -> str:
    """An id that must be there."""
    value = found.get(name)
    if not isinstance(value, str) or not _ID.fullmatch(value):
        raise Rejected(400, f"{name} is missing or odd")
    return value


def display_name(found: object) -> str:
    """A hint for people's eyes; never an identity."""
    if not isinstance(found, str):
        return ""
    return without_marks(found).replace("\n", " ").strip()[:_LONGEST_NAME]


def key_of(*parts: str) -> str:
    """The event's key; a long one is shortened, and stays unique."""
    key = ":".join(parts)
    if len(key) <= _LONGEST_KEY:
        return key
    return f"{parts[0]}:{hashlib.sha256(key.encode()).hexdigest()}"


# --- people --------------------------------------------------------------------------------------


def told_user(user_id: str, told: Payload) -> User:
    """A user object: https://docs.slack.dev/reference/objects/user-object"""
    profile = told.get("profile")
    names = profile if isinstance(profile, dict) else {}
    name = (
        display_name(names.get("display_name"))
        or display_name(names.get("real_name"))
        or display_name(told.get("name"))
    )
    return User(
        id=user_id,
        name=name or user_id,
        locale=_locale(told.get("locale")),
        zone=_zone(told.get("tz")),
    )


def _zone(name: object) -> str | None:
    """The zone's name, if this machine knows it."""
    try:
        return ZoneInfo(name).key if isinstance(name, str) and name else None
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None


def _locale(tag: object) -> Locale | None:
    """zh-CN, zh-TW → zh_CN; en-US, en-GB → en; other languages: the team's."""
    match str(tag).split("-")[0]:
        case "zh":
            return "zh_CN"
        case "en":
            return "en"
        case _:
            return None
