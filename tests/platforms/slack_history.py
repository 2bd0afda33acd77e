"""What was said, read back: channels from their newest message, threads from their first.

Ephemeral and deleted messages are in neither.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal, InvalidOperation
from typing import Any

from tests.platforms.slack_args import flag, need, page
from tests.platforms.slack_model import Channel, Json, Message, RefusalError
from tests.platforms.slack_places import Places

MOST_OF_HISTORY = 999


class History:
    def __init__(self, places: Places) -> None:
        self.places = places
        self.workspace = places.workspace

    # https://docs.slack.dev/reference/methods/conversations.history
    def history(self, args: Json) -> Json:
        channel = self.places.inside(self.places.seen(args))
        if int(args.get("limit") or 100) > MOST_OF_HISTORY:
            raise RefusalError("invalid_limit")
        shown = [m for m in self._standing(channel) if m.thread_ts in (None, m.ts)]
        newest_first = [m for m in reversed(shown) if _within(m, args)]
        return self._pages(newest_first, args, 100)

    # https://docs.slack.dev/reference/methods/conversations.replies
    def replies(self, args: Json) -> Json:
        channel = self.places.inside(self.places.seen(args))
        asked = self.workspace.find_message(channel.id, need(args, "ts", "thread_not_found"))
        if asked is None or asked.ephemeral_to:
            raise RefusalError("thread_not_found")
        thread = self._thread(channel, asked.thread_ts or asked.ts)
        kept = [m for n, m in enumerate(thread) if n == 0 or _within(m, args)]
        return self._pages(kept, args, 1000)

    def _standing(self, channel: Channel) -> Iterable[Message]:
        for message in self.workspace.timeline:
            if message.channel == channel.id and not message.deleted and not message.ephemeral_to:
                yield message

    def _thread(self, channel: Channel, ts: str) -> list[Message]:
        return [m for m in self._standing(channel) if ts in (m.ts, m.thread_ts)]

    def _pages(self, messages: list[Message], args: Json, usual: int) -> Json:
        some, cursor = page(messages, args, usual)
        metadata = flag(args.get("include_all_metadata"))
        found: Json = {"messages": [self._as_json(m, metadata) for m in some]}
        found["has_more"] = bool(cursor)
        return found | ({"response_metadata": {"next_cursor": cursor}} if cursor else {})

    def _as_json(self, message: Message, with_metadata: bool) -> Json:
        found = {**message.as_json(), "team": self.workspace.team_id}
        if not with_metadata:
            found.pop("metadata", None)
        if message.client_msg_id:
            found["client_msg_id"] = message.client_msg_id
        if message.reactions:
            found["reactions"] = _reactions(message.reactions)
        if message.thread_ts not in (None, message.ts):
            parent = self.workspace.find_message(message.channel, str(message.thread_ts))
            return found | {"parent_user_id": parent.user if parent else "USLACKBOT"}
        replies = self._thread(self.workspace.channels[message.channel], message.ts)[1:]
        if replies:
            people = list(dict.fromkeys(reply.user for reply in replies))
            found |= {"thread_ts": message.ts, "reply_count": len(replies)}
            found |= {"reply_users": people, "reply_users_count": len(people)}
            found["latest_reply"] = replies[-1].ts
        return found


def _reactions(marks: list[tuple[str, str]]) -> list[Json]:
    """https://docs.slack.dev/reference/methods/reactions.get"""
    names = dict.fromkeys(name for _, name in marks)
    users = {name: [user for user, other in marks if other == name] for name in names}
    return [{"name": name, "users": who, "count": len(who)} for name, who in users.items()]


def _within(message: Message, args: Json) -> bool:
    oldest, latest = _time(args, "oldest"), _time(args, "latest")
    at = Decimal(message.ts)
    if flag(args.get("inclusive")):
        return (oldest is None or oldest <= at) and (latest is None or at <= latest)
    return (oldest is None or oldest < at) and (latest is None or at < latest)


def _time(args: Json, name: str) -> Decimal | None:
    found: Any = args.get(name)
    if found in (None, ""):
        return None
    try:
        return Decimal(str(found))
    except InvalidOperation:
        raise RefusalError(f"invalid_ts_{name}") from None
