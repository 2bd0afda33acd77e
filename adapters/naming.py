"""How messages of ours are known again on platforms that give no number of their own."""

from __future__ import annotations

import hashlib
import re

from bot.messages import query_ids

# Characters by which messages are told apart; a quotation may be cut.
_TOLD_APART = 60
_NAME = re.compile(r"m([1-9][0-9]{0,17})-[0-9a-f]{16}", re.ASCII)


def handle_of(chat_id: str, words: str) -> str:
    """How a message in a chat is known when somebody quotes it; "" for one that no query is known
    by.

    A quotation brings words and no number that we know. So a message goes by how it begins, signs
    and blanks apart, which is all that may change on the way; and only one that names one query,
    for of several nobody knows which is meant.
    """
    if len(query_ids(words)) != 1:
        return ""
    begins = "".join(one for one in words if one.isalnum())[:_TOLD_APART]
    return f"{chat_id}:{hashlib.sha256(begins.encode()).hexdigest()[:32]}"


def name_of(message_id: int, content: str) -> str:
    """A card's name, unique among those of an app: the same when it is sent again, another one when
    another database begins to count anew.
    """
    digest = hashlib.sha256(f"{message_id}:{content}".encode()).hexdigest()[:16]
    return f"m{message_id}-{digest}"


def message_number(name: str) -> int | None:
    """The number of our message in a card's name; None when it is no card of ours."""
    found = _NAME.fullmatch(name)
    return int(found[1]) if found else None
