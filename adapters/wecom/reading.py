"""Reading WeCom's fields strictly: what WeCom would never send is Rejected (400)."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from adapters.contract import Rejected
from bot.messages import without_marks

NAME = "wecom"

# How the keys of events begin, by the way they came: the doctor looks for these.
APP, BOT = "app", "bot"
# The conversation of a person with the aibot, beside the one with the app.
BOT_THREAD = "bot"

Payload = Mapping[str, Any]

# https://developer.work.weixin.qq.com/document/path/90195, with what an aibot gives instead
_USER = re.compile(r"[A-Za-z0-9][A-Za-z0-9_@.-]{0,99}", re.ASCII)
# https://developer.work.weixin.qq.com/document/path/101521: encrypted, and unlike a userid its
# letters count as they are.
_OPEN = re.compile(r"wo[A-Za-z0-9_-]{30}", re.ASCII)
_ID = re.compile(r"[\x21-\x7e]{1,200}", re.ASCII)
# Spaces that WeCom's clients put behind a mention.
_SPACES = re.compile("[\u00a0\u2005\u3000]")
_LONGEST_KEY = 200
_LONGEST_NAME = 200


def may_be_open(userid: str) -> bool:
    """Whether it looks like an encrypted id, which only WeCom can tell from a userid for sure."""
    return _OPEN.fullmatch(userid) is not None


def account(userid: str) -> str:
    """A userid as we know it: WeCom does not tell capitals from small letters, we must not."""
    return userid if may_be_open(userid) else userid.lower()


def user_id_in(found: Payload, name: str) -> str:
    """A userid that must be there."""
    value = found.get(name)
    if not isinstance(value, str) or not _USER.fullmatch(value):
        raise Rejected(400, f"{name} is missing or odd")
    return account(value)


def id_in(found: Payload, name: str) -> str:
    """An id that must be there."""
    value = found.get(name)
    if not isinstance(value, str) or not _ID.fullmatch(value):
        raise Rejected(400, f"{name} is missing or odd")
    return value


def text_in(found: Payload, name: str) -> str:
    """A text that may be missing."""
    value = found.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise Rejected(400, f"{name} is no text")
    return value


def object_in(found: Payload, name: str) -> Payload:
    """An object that may be missing."""
    value = found.get(name)
    return value if isinstance(value, Mapping) else {}


def typed(text: str) -> str:
    """What a person typed: without marks of ours, and with one kind of space."""
    return _SPACES.sub(" ", without_marks(text)).strip()


def display_name(found: object) -> str:
    """A hint for people's eyes; never an identity."""
    if not isinstance(found, str):
        return ""
    return without_marks(found).replace("\n", " ").strip()[:_LONGEST_NAME]


def moment_of(seconds: str, received_at: datetime) -> datetime:
    """The time in a callback, whole seconds, unless it lies in the future or is none."""
    if not seconds.isascii() or not seconds.isdigit() or len(seconds) > 11:
        return received_at
    return min(datetime.fromtimestamp(int(seconds), UTC), received_at)


def key_of(*parts: str) -> str:
    """The event's key; a long one is shortened, and stays unique."""
    key = ":".join(parts)
    return key if len(key) <= _LONGEST_KEY else sealed_key_of(*parts)


def sealed_key_of(way: str, kind: str, *told: str) -> str:
    """The same of what must not be read in it: keys stand in logs and exports, and a button may
    carry what somebody said, or bring the right to change a card.
    """
    return f"{way}:{kind}:{hashlib.sha256(chr(31).join(told).encode()).hexdigest()}"
