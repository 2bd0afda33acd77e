"""Reading DingTalk's fields: strictly who and where, leniently everything else.

What is known by an id must be there and look like one, or it is Rejected (400). Of the rest
DingTalk leaves out what it likes, gives objects as JSON texts, and adds kinds: what is no text is
none.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from adapters.contract import Rejected
from adapters.reading import read_object
from bot.messages import without_marks

NAME = "dingtalk"

# How the keys of events begin, by what was done: the doctor looks for these.
MESSAGE, CARD, ACCOUNT = "msg", "card", "account"

Payload = Mapping[str, Any]

# https://open.dingtalk.com/document/orgapp/basic-concepts (userId: 1 to 64 characters). What begins
# with "$:" is an encrypted id, another one for every robot, and nobody's name to us.
_STAFF = re.compile(r"(?!\$:)[^\s\x00-\x1f\x7f-\x9f\ud800-\udfff\ue000\ue001]{1,64}")
_ID = re.compile(r"[\x21-\x7e]{1,160}", re.ASCII)
_NUMBER = re.compile(r"[0-9]{1,14}", re.ASCII)
# Spaces that chat programs put behind a mention.
_SPACES = re.compile("[\u00a0\u2005\u3000]")
_LONGEST_NAME = 200


def id_in(found: Payload, name: str) -> str:
    """An id that must be there. Raises Rejected (400)."""
    return checked_id(found.get(name), name)


def checked_id(value: object, name: str) -> str:
    """An id of DingTalk's that must be one. Raises Rejected (400)."""
    if not isinstance(value, str) or not _ID.fullmatch(value):
        raise Rejected(400, f"{name} is missing or odd")
    return value


def staff_id(value: object) -> str:
    """A userId of the organisation's; "" where there is none, as of everybody outside of it."""
    return value if isinstance(value, str) and _STAFF.fullmatch(value) else ""


def text_of(value: object) -> str:
    """What a person typed: without marks of ours, and with one kind of space."""
    if not isinstance(value, str):
        return ""
    return _SPACES.sub(" ", without_marks(value))


def object_of(value: object) -> Payload:
    """An object, which may come as the text of one; an empty one where there is none."""
    if isinstance(value, str):
        try:
            return read_object(value)
        except (ValueError, RecursionError):
            return {}
    return value if isinstance(value, Mapping) else {}


def list_of(value: object) -> list[Any]:
    """A list; an empty one where there is none."""
    return value if isinstance(value, list) else []


def display_name(found: object) -> str:
    """A hint for people's eyes; never an identity."""
    return " ".join(text_of(found).split())[:_LONGEST_NAME]


def moment_in(value: object) -> datetime | None:
    """A time in milliseconds, as a number or as the text of one; None where it is neither."""
    written = str(value) if isinstance(value, int | str) and not isinstance(value, bool) else ""
    if not _NUMBER.fullmatch(written):
        return None
    seconds, milliseconds = divmod(int(written), 1000)
    return datetime.fromtimestamp(seconds, UTC) + timedelta(milliseconds=milliseconds)


def moment_of(value: object, received_at: datetime) -> datetime:
    """The time in milliseconds, unless it lies in the future or is none."""
    return min(moment_in(value) or received_at, received_at)
