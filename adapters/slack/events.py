"""What the Events API brings: messages, reactions, edits, profiles, opened pages. Pure.

https://docs.slack.dev/apis/events-api
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from adapters.slack.reading import (
    NAME,
    Payload,
    chat_of,
    handle_of,
    id_in,
    key_of,
    moment_of,
    object_in,
    stamp_of,
    text_in,
    told_user,
    typed_text,
)
from bot.messages import Chat, Event, User

# Messages of people that carry a subtype all the same; the others are notices of Slack's.
SPOKEN = frozenset(("", "file_share", "thread_broadcast", "me_message"))
# https://docs.slack.dev/reference/events/app_uninstalled and …/tokens_revoked
ENDS_TOKEN = frozenset(("app_uninstalled", "tokens_revoked"))
SLACKBOT = "USLACKBOT"

_SKIN = re.compile(r"::skin-tone-\d")


def decode(payload: Payload, received_at: datetime, bot_user: str | None) -> Event | None:
    """The event inside an `event_callback`, or None where it is no business of the bot's."""
    inner = object_in(payload, "event")
    read = EVENTS.get(text_in(inner, "type"))
    if read is None:
        return None
    return read(Told(payload, inner, received_at, _our_account(payload) or bot_user))


def ends_token(payload: Payload) -> bool:
    """Whether it says that the app was taken off the workspace, or its bot's token back.

    Tokens of people may be taken back too; the bot has none of those.
    """
    inner = payload.get("event")
    if not isinstance(inner, dict) or str(inner.get("type")) not in ENDS_TOKEN:
        return False
    tokens = inner.get("tokens")
    return not isinstance(tokens, dict) or bool(tokens.get("bot"))


@dataclass(frozen=True, slots=True)
class Told:
    """An event as it was told: the envelope, what is in it, when it came, who we are."""

    envelope: Payload
    inner: Payload
    received_at: datetime
    bot_user: str | None

    @property
    def event_id(self) -> str:
        """Unique among all events: https://docs.slack.dev/apis/events-api#events-JSON"""
        return id_in(self.envelope, "event_id")


def _our_account(payload: Payload) -> str | None:
    """The envelope names the bot for which the event was sent."""
    given = payload.get("authorizations")
    for one in given if isinstance(given, list) else ():
        if isinstance(one, dict) and one.get("is_bot") and isinstance(one.get("user_id"), str):
            return str(one["user_id"])
    return None


# --- messages ------------------------------------------------------------------------------------


# https://docs.slack.dev/reference/events/message and …/app_mention: both come for one message, in
# any order, so the message names the event and not the envelope.
def _message(told: Told) -> Event | None:
    inner = told.inner
    match text_in(inner, "subtype"):
        case "message_changed":
            return _changed(told)
        case "message_deleted":
            return _deleted(told, inner.get("previous_message"))
        case subtype if subtype not in SPOKEN:
            return None
    author = author_of(inner)
    if author is None or author.id == told.bot_user:
        return None
    channel, stamp = id_in(inner, "channel"), id_in(inner, "ts")
    direct = channel.startswith("D")
    wire = words_of(inner)
    words, mentions = typed_text(_without_our_name(wire, told))
    thread = stamp_of(inner, "thread_ts")
    above = thread if thread != stamp else None
    addressed = direct or _is_addressed(wire, told)
    return Event(
        platform=NAME,
        key=key_of("message", channel, stamp),
        kind="text",
        user=author,
        # What is answered to a line in a group stands below it.
        chat=chat_of(channel, "", author.id, None if direct else thread or stamp),
        text=words.strip(),
        mentions=mentions,
        addressed=addressed,
        # Who overheard talk is of is asked only where it matters.
        complete=addressed,
        can_offer_form=True,
        message=handle_of(channel, stamp),
        under=handle_of(channel, above),
        at=moment_of(stamp, told.received_at),
        received_at=told.received_at,
    )


def _is_addressed(wire: str, told: Told) -> bool:
    if told.inner.get("type") == "app_mention":
        return True
    return told.bot_user is not None and _mention(told.bot_user).search(wire) is not None


def _mention(user_id: str) -> re.Pattern[str]:
    return re.compile(rf"<@{re.escape(user_id)}(?:\|[^<>]*)?>[ ,，:：]*")


def without_bot(wire: str, bot_user: str | None) -> str:
    """The line without our name, where that is known."""
    return wire if bot_user is None else _mention(bot_user).sub("", wire)


def _without_our_name(wire: str, told: Told) -> str:
    """The same; where our name is not known yet, a line said to us without its first mention."""
    if told.bot_user is None and told.inner.get("type") == "app_mention":
        return re.sub(r"<@[UW]\w+(?:\|[^<>]*)?>[ ,，:：]*", "", wire, count=1, flags=re.ASCII)
    return without_bot(wire, told.bot_user)


def author_of(message: Payload) -> User | None:
    """The person who wrote a message; None for bots and for Slack itself."""
    user_id = message.get("user")
    if message.get("bot_id") or not isinstance(user_id, str) or user_id == SLACKBOT:
        return None
    user_id = id_in(message, "user")
    return User(id=user_id, name=user_id)


def words_of(message: Payload) -> str:
    """The text of a message, in wire form; the names of its files where it has none."""
    words = text_in(message, "text")
    files = message.get("files")
    if words.strip() or not isinstance(files, list):
        return words
    return " ".join(str(one.get("name", "")) for one in files if isinstance(one, dict))


# https://docs.slack.dev/reference/events/message/message_changed
def _changed(told: Told) -> Event | None:
    """An edit; a link that is unfolded comes as one too, with the same text."""
    message = object_in(told.inner, "message")
    before = told.inner.get("previous_message")
    if message.get("subtype") == "tombstone":
        # How Slack tells that the first message of a thread was deleted.
        return _deleted(told, before)
    if isinstance(before, dict) and before.get("text") == message.get("text"):
        return None
    author = author_of(message)
    if author is None:
        return None
    channel = id_in(told.inner, "channel")
    words, mentions = typed_text(without_bot(words_of(message), told.bot_user))
    edited = message.get("edited")
    when = stamp_of(edited, "ts") if isinstance(edited, dict) else None
    event = _about_message(told, "edited", author, channel, message, when or told.event_id)
    return event.model_copy(update={"text": words.strip(), "mentions": mentions})


# https://docs.slack.dev/reference/events/message/message_deleted
def _deleted(told: Told, before: object) -> Event | None:
    if not isinstance(before, dict):
        return None
    author = author_of(before)
    if author is None:
        return None
    channel, stamp = id_in(told.inner, "channel"), id_in(before, "ts")
    return _about_message(told, "deleted", author, channel, before, stamp)


def _about_message(
    told: Told, kind: str, author: User, channel: str, message: Payload, occasion: str
) -> Event:
    """Something that happened to a message, in its thread."""
    stamp = id_in(message, "ts")
    thread = stamp_of(message, "thread_ts") or stamp
    return Event(
        platform=NAME,
        key=key_of(kind, channel, stamp, occasion),
        kind="edited" if kind == "edited" else "deleted",
        user=author,
        chat=chat_of(channel, "", author.id, None if channel.startswith("D") else thread),
        message=handle_of(channel, stamp),
        at=moment_of(text_in(told.inner, "event_ts"), told.received_at),
        received_at=told.received_at,
    )


# --- reactions -----------------------------------------------------------------------------------


# https://docs.slack.dev/reference/events/reaction_added: it tells neither text nor thread.
def _reaction(told: Told) -> Event | None:
    inner = told.inner
    item = object_in(inner, "item")
    if item.get("type") != "message" or inner.get("item_user") is None:
        return None  # on a file, or on a message that nobody's account wrote
    user_id, author = id_in(inner, "user"), id_in(inner, "item_user")
    channel, stamp = id_in(item, "channel"), id_in(item, "ts")
    if channel.startswith("D") or told.bot_user in (user_id, author) or author == SLACKBOT:
        return None
    emoji = _SKIN.sub("", text_in(inner, "reaction"))
    when = text_in(inner, "event_ts")
    return Event(
        platform=NAME,
        key=key_of("reaction", channel, stamp, emoji, user_id, when),
        kind="reaction",
        user=User(id=user_id, name=user_id),
        chat=Chat(kind="group", id=channel, thread=stamp),
        author=User(id=author, name=author),
        emoji=emoji,
        message=handle_of(channel, stamp),
        complete=False,
        at=moment_of(when, told.received_at),
        received_at=told.received_at,
    )


def with_message(event: Event, message: Payload, bot_user: str | None) -> Event | None:
    """A reaction together with the message it is on; None for a bot's message or one without
    words.
    """
    author = author_of(message)
    words, mentions = typed_text(without_bot(words_of(message), bot_user))
    if author is None or not words.strip():
        return None
    channel, _, stamp = event.message.partition(":")
    thread = stamp_of(message, "thread_ts") or stamp
    return event.model_copy(
        update={
            "text": words.strip(),
            "mentions": mentions,
            "author": author,
            "complete": True,
            "under": handle_of(channel, thread) if thread != stamp else "",
            "chat": event.chat.model_copy(update={"thread": thread}),
        }
    )


# --- people and places ---------------------------------------------------------------------------


# https://docs.slack.dev/reference/events/user_change and …/team_join
def _account(told: Told) -> Event | None:
    about = object_in(told.inner, "user")
    user_id = id_in(about, "id")
    if about.get("is_bot") or user_id == SLACKBOT:
        return None
    user = told_user(user_id, about)
    gone = about.get("deleted") is True
    return _direct(told, "account", user).model_copy(update={"gone": gone})


# https://docs.slack.dev/reference/events/app_home_opened
def _page(told: Told) -> Event | None:
    if told.inner.get("tab") != "home":
        return None
    user_id = id_in(told.inner, "user")
    return _direct(told, "page", User(id=user_id, name=user_id))


def _direct(told: Told, kind: str, user: User) -> Event:
    return Event(
        platform=NAME,
        key=key_of(kind, told.event_id),
        kind="account" if kind == "account" else "page",
        user=user,
        chat=Chat(kind="direct", id=user.id),
        at=told.received_at,
        received_at=told.received_at,
    )


# https://docs.slack.dev/reference/events/member_joined_channel
def _joined(told: Told) -> Event | None:
    """Somebody took the bot into a channel; other people's coming is theirs."""
    if id_in(told.inner, "user") != told.bot_user or told.inner.get("inviter") is None:
        return None
    channel, inviter = id_in(told.inner, "channel"), id_in(told.inner, "inviter")
    return Event(
        platform=NAME,
        key=key_of("invited", channel, told.event_id),
        kind="invited",
        user=User(id=inviter, name=inviter),
        chat=Chat(kind="group", id=channel),
        at=told.received_at,
        received_at=told.received_at,
    )


EVENTS: Mapping[str, Callable[[Told], Event | None]] = {
    "app_home_opened": _page,
    "app_mention": _message,
    "member_joined_channel": _joined,
    "message": _message,
    "reaction_added": _reaction,
    "team_join": _account,
    "user_change": _account,
}
"""What is listened to; the manifest subscribes to these (messages in channels, groups and direct
chats) and to ENDS_TOKEN.
"""
