"""From what DingTalk tells to events. Pure: an object in, what it means out.

https://open.dingtalk.com/document/orgapp/receive-message (messages, on a stream and by HTTP alike)
None is what means nothing to the bot; Rejected (400) is what DingTalk would never send. In a group
the robot hears only what mentions it. The visible "@name" of those mentioned is gone from a text,
and their places with it: who they are stands beside it, in order, and without names.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from adapters.carried import Pressed
from adapters.contract import Rejected
from adapters.dingtalk.reading import (
    ACCOUNT,
    CARD,
    MESSAGE,
    NAME,
    Payload,
    checked_id,
    display_name,
    id_in,
    list_of,
    moment_in,
    moment_of,
    object_of,
    staff_id,
    text_of,
)
from adapters.naming import handle_of, message_number
from bot.messages import Chat, Event, User

DIRECT, GROUP = "1", "2"
LEFT = "user_leave_org"
# What a session webhook was seen to live is an hour and a half; nothing said here makes it longer.
LONGEST_WAY_BACK = timedelta(hours=2)
# As one speaks to somebody: "@班长，签到".
AFTER_A_NAME = " \t\n,，:：、"

# By any name: with a blank behind it, or as a whole.
_LEADING_MENTION = re.compile(rf"[@＠][^{AFTER_A_NAME}]+[{AFTER_A_NAME}]+")
_MENTION_ALONE = re.compile(rf"[@＠][^{AFTER_A_NAME}]+[{AFTER_A_NAME}]*")
# https://open.dingtalk.com/document/orgapp/event-callback-card; seen without its beginning, too.
_SPACE = re.compile(r"(?:dtv1\.card//)?(?:(im_group|im_robot)\.)?(.+)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class WayBack:
    """A session webhook: an answer may be posted to it for a while, without a token.

    Whoever has the address can post, so it is in no log.
    """

    url: str = field(repr=False)
    expires_at: datetime
    chat_id: str


@dataclass(frozen=True, slots=True)
class Heard:
    """A message of somebody of the organisation."""

    event: Event
    way_back: WayBack | None


@dataclass(frozen=True, slots=True)
class Outsider:
    """A message of somebody of whom there is no account: they can only be told so, at once."""

    key: str
    whose: str = field(repr=False)
    """The same of the same sender in the same chat, and no more than that: nobody's account."""
    name: str
    in_group: bool
    way_back: WayBack | None


# --- messages ------------------------------------------------------------------------------------


def message(
    data: Payload, received_at: datetime, *, bot_name: str, signed: bool
) -> Heard | Outsider | None:
    """What somebody said to the robot; of a picture, a file or a new kind there are no words.

    `bot_name` is what the robot is called. `signed` is false where the body may be anybody's, as by
    HTTP: then its time is not believed, its way back is not taken (it may lead into another chat
    than its sender's), and the event is not trusted. Raises Rejected (400).
    """
    kind, key = data.get("conversationType"), f"{MESSAGE}:{id_in(data, 'msgId')}"
    if kind not in (DIRECT, GROUP):
        raise Rejected(400, "conversationType is missing or odd")
    in_group = kind == GROUP
    if _is_robot(data, data.get("senderId")):
        return None  # our own words
    user = _sender(data)
    place = id_in(data, "conversationId") if in_group else user.id
    addressed = not in_group or data.get("isInAtList") is not False
    way_back = _way_back(data, received_at, place) if signed else None
    if not user.id or _is_from_elsewhere(data):
        whose = _whose(data)
        return Outsider(key, whose, user.name, in_group, way_back) if addressed else None
    name = display_name(data.get("conversationTitle")) if in_group else ""
    chat = Chat(kind="group" if in_group else "direct", id=place, name=name)
    mentions, strangers = _mentioned(data)
    quoted = _quoted(data)
    event = Event(
        platform=NAME,
        key=key,
        kind="text",
        user=user,
        chat=chat,
        text=_words(data, bot_name if in_group else ""),
        mentions=mentions,
        strangers=strangers,
        addressed=addressed,
        under=handle_of(chat.id, quoted) if quoted else "",
        quoted=without_bot(quoted, bot_name) if in_group else quoted,
        complete=not mentions,
        trusted=signed,
        at=moment_of(data.get("createAt"), received_at) if signed else received_at,
        received_at=received_at,
    )
    return Heard(event, way_back)


def without_bot(text: str, bot_name: str) -> str:
    """What is left of a line in a group where the mention of the robot is still in it.

    >>> without_bot("@班长 签到", "班长"), without_bot("谢谢 @班长", "班长")
    ('签到', '谢谢')
    >>> without_bot("@班长助理 和 @班长 签到", "班长"), without_bot("@班长签到", "班长")
    ('@班长助理 和 签到', '签到')
    >>> without_bot("@小王 整理", "班长")
    '@小王 整理'
    """
    name = rf"[@＠]{re.escape(bot_name)}"
    # A whole name first: what only begins with it may be somebody else's.
    found = re.search(rf"{name}(?!\w)", text, re.IGNORECASE) or re.search(name, text, re.IGNORECASE)
    if found is None or not bot_name:
        return text
    before, after = text[: found.start()].rstrip(), text[found.end() :].lstrip(AFTER_A_NAME)
    return f"{before} {after}".strip()


def _is_robot(data: Payload, encrypted_id: object) -> bool:
    """Whether it is the robot's own id."""
    return bool(encrypted_id) and encrypted_id == data.get("chatbotUserId")


def _sender(data: Payload) -> User:
    """Who said it; without an id where they are not of the organisation."""
    user_id = staff_id(data.get("senderStaffId"))
    return User(id=user_id, name=display_name(data.get("senderNick")) or user_id)


def _whose(data: Payload) -> str:
    """Somebody without an account, in a chat. The ids that DingTalk gives them tell who they are,
    so nothing but a hash is kept.
    """
    ids = (data.get("conversationId"), data.get("senderCorpId"), data.get("senderId"))
    return hashlib.sha256(json.dumps(ids, default=str).encode()).hexdigest()


def _is_from_elsewhere(data: Payload) -> bool:
    """Whether the sender is of another organisation than the robot."""
    theirs, ours = data.get("senderCorpId"), data.get("chatbotCorpId")
    return bool(theirs and ours and theirs != ours)


def _way_back(data: Payload, received_at: datetime, chat_id: str) -> WayBack | None:
    url, ends = data.get("sessionWebhook"), moment_in(data.get("sessionWebhookExpiredTime"))
    if not isinstance(url, str) or not url or ends is None:
        return None
    return WayBack(url, min(ends, received_at + LONGEST_WAY_BACK), chat_id)


def _mentioned(data: Payload) -> tuple[tuple[User, ...], int]:
    """Who is mentioned beside the robot, in order, and how many more of whom nothing is known."""
    people: dict[str, User] = {}
    strangers = 0
    for one in list_of(data.get("atUsers")):
        found = object_of(one)
        if _is_robot(data, found.get("dingtalkId")):
            continue
        user_id = staff_id(found.get("staffId"))
        if user_id:
            people.setdefault(user_id, User(id=user_id, name=user_id))
        else:
            strangers += 1
    return tuple(people.values()), strangers


# --- words


def _words(data: Payload, bot_name: str) -> str:
    """What was said, without the mention of the robot; `bot_name` is "" in the direct chat."""
    kind, content = data.get("msgtype"), object_of(data.get("content"))
    if kind == "text":
        said = text_of(object_of(data.get("text")).get("content"))
    elif kind == "richText":
        return _rich_words(data, list_of(content.get("richText")), bot_name)
    elif kind == "audio":
        said = text_of(content.get("recognition"))
    else:
        said = ""
    return without_bot(said.strip(), bot_name)


def _rich_words(data: Payload, parts: Sequence[object], bot_name: str) -> str:
    """The words of rich text. The mention of the robot stays in it, often without a blank behind
    it, and by whatever name the robot has there.
    """
    said = list(_parts(parts))
    whole = "".join(said).strip()
    left = without_bot(whole, bot_name)
    people = list_of(data.get("atUsers"))
    if left != whole or not bot_name or not people or not said:
        return left
    if not _is_robot(data, object_of(people[0]).get("dingtalkId")):
        return left
    first, rest = said[0].lstrip(), "".join(said[1:])
    if rest.strip() and _MENTION_ALONE.fullmatch(first):
        return rest.strip()
    begins = _LEADING_MENTION.match(first)
    return (first[begins.end() :] + rest).strip() if begins else left


def _parts(parts: Sequence[object]) -> Iterator[str]:
    """The words of each part as they are seen: of another style they go on in the same line, where
    there is a picture they do not.
    """
    line_ended = True
    for one in parts:
        found = object_of(one)
        words = text_of(found.get("text")) or text_of(found.get("content"))
        if words or not line_ended:
            yield words or "\n"
            line_ended = (words or "\n").endswith("\n")


def _quoted(data: Payload) -> str:
    """The words of the message that is quoted, where they come along. Where they stand depends on
    its kind, and of a card often nothing comes.
    """
    for place in ("text", "content"):
        replied = object_of(object_of(data.get(place)).get("repliedMsg"))
        if replied:
            content = replied.get("content")
            plain = text_of(content) if isinstance(content, str) else ""
            return _words_quoted(object_of(content)) or plain.strip()
    return ""


def _words_quoted(content: Payload) -> str:
    said = (text_of(content.get(name)).strip() for name in ("text", "content"))
    rich = "".join(_parts(list_of(content.get("richText")))).strip()
    return next(filter(None, (*said, rich)), "") or "\n".join(_card_words(content))


def _card_words(content: Payload) -> Iterator[str]:
    """The words in the tree of a card's elements, from top to bottom."""
    tree = content.get("cardContent")
    left: list[Any] = [object_of(tree) if isinstance(tree, str) else tree]
    while left:
        node = left.pop()
        if isinstance(node, list):
            left.extend(reversed(node))
        elif isinstance(node, Mapping):
            words = text_of(node.get("value")).strip()
            if words and str(node.get("type")).upper() == "TEXT":
                yield words
            left.extend(reversed(list(node.values())))


# --- cards and accounts --------------------------------------------------------------------------


# https://open.dingtalk.com/document/orgapp/event-callback-card
def press(data: Payload, message_id: str, received_at: datetime) -> Event | None:
    """A press on a card; `message_id` is the one of the frame it came in. Raises Rejected (400)."""
    pressed = _pressed(data)
    if data.get("type") != "actionCallback" or pressed is None:
        return None
    user_id = staff_id(data.get("userId"))
    if not user_id or data.get("userIdType", 1) not in (1, "1"):
        raise Rejected(400, "userId is missing or odd")
    name = data.get("outTrackId")
    return Event(
        platform=NAME,
        key=f"{CARD}:{checked_id(message_id, 'messageId')}",
        kind="button",
        user=User(id=user_id, name=user_id),
        chat=_place_of_press(data, user_id),
        command=pressed.command,
        arguments=pressed.arguments,
        pressed=message_number(name) if isinstance(name, str) else None,
        complete=False,  # what they are called is not told
        at=received_at,
        received_at=received_at,
    )


def _pressed(data: Payload) -> Pressed | None:
    """What the button carries: the text that we put into the card's variable."""
    private = object_of(object_of(data.get("content")).get("cardPrivateData"))
    carried = object_of(private.get("params")).get("press")
    return Pressed.loaded(json.dumps(carried) if isinstance(carried, dict) else carried)


def _place_of_press(data: Payload, user_id: str) -> Chat:
    """The chat the card stands in; where that is not told, the direct one."""
    space, kind = data.get("spaceId"), str(data.get("spaceType", "")).lower()
    found = _SPACE.fullmatch(space) if isinstance(space, str) else None
    if found is not None and (found[1] or kind).lower() == "im_group":
        return Chat(kind="group", id=checked_id(found[2], "spaceId"))
    return Chat(kind="direct", id=user_id)


# https://open.dingtalk.com/document/orgapp/address-book-event
def accounts(
    event_type: str, event_id: str, data: Payload, received_at: datetime
) -> tuple[Event, ...]:
    """Those who left the organisation, one event for each: whether they are gone has still to be
    asked. () for any other event. Raises Rejected (400).
    """
    if event_type != LEFT:
        return ()
    told = data.get("userId", data.get("UserId"))
    people = dict.fromkeys(staff_id(one) for one in (told if isinstance(told, list) else [told]))
    at = moment_of(data.get("timeStamp", data.get("TimeStamp")), received_at)
    named_by = checked_id(event_id, "eventId")
    return tuple(
        Event(
            platform=NAME,
            key=f"{ACCOUNT}:{named_by}:{user_id}",
            kind="account",
            user=User(id=user_id, name=user_id),
            chat=Chat(kind="direct", id=user_id),
            complete=False,
            at=at,
            received_at=received_at,
        )
        for user_id in people
        if user_id
    )
