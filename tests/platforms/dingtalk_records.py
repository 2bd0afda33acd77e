"""What the stand-in organisation keeps: members, strangers, groups, messages, session webhooks."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal, NotRequired, TypedDict

Json = dict[str, Any]
Kind = Literal["person", "group"]
Via = Literal["api", "session", "robot", "card"]

SESSION_LIFE = 5400.0  # seconds; as seen: sessionWebhookExpiredTime is createAt and 1.5 hours


@dataclass
class Member:
    staff_id: str
    name: str
    admin: bool = False
    allows: bool = True
    """False: the robot's messages to this person are filtered out."""
    flooded: bool = False
    """True: DingTalk holds back what the robot sends to this person."""


@dataclass
class Outsider:
    """Somebody of another organisation: no payload says a staff id of theirs."""

    handle: str  # what tests call them by, wherever a staff id may stand
    name: str
    corp_id: str


@dataclass
class Group:
    id: str  # the open conversation id
    name: str
    members: list[str]  # staff ids and handles of outsiders
    bot: bool = True  # the app's robot is in it


@dataclass
class GroupRobot:
    """A custom robot of one group: https://open.dingtalk.com/document/robots/custom-robot-access"""

    token: str
    secret: str  # "" for one that wants no signature
    group_id: str


@dataclass
class Session:
    """Where one incoming message may be answered without a token, while it lives."""

    code: str
    place: str  # a staff id, a handle or a group id
    expires_at: float
    uses: int = 0


@dataclass
class Message:
    """One message on one screen: sent to several members, it is several messages."""

    number: int
    at: float
    kind: Kind
    to: str  # a staff id, the handle of an outsider, or a group id
    via: Via
    msgtype: str  # sampleText, sampleMarkdown, …; text, markdown, …; card
    body: Json  # the parsed msgParam, or what stands under the msgtype, or how a card is delivered
    changed: int = 0  # the number of the change that last edited it
    at_users: tuple[str, ...] = ()
    """Whose phone really rang because they are mentioned."""
    names: dict[str, str] = field(default_factory=dict)
    """How those who are mentioned stand on the screen, by staff id."""
    out_track_id: str | None = None
    variables: dict[str, str] | None = None
    """Of a card: what its template is filled with."""
    private: dict[str, dict[str, str]] = field(default_factory=dict)
    """Variables that one reader sees otherwise, by staff id."""
    process_query_key: str = ""
    recipients: tuple[str, ...] = ()
    """Of a card in a group: who alone sees it; () is everybody."""


class Said(TypedDict):
    """A message that is not a card, as Org.show takes it."""

    via: Via
    msgtype: str
    body: Json
    at_users: NotRequired[tuple[str, ...]]
    process_query_key: NotRequired[str]


@dataclass
class Card:
    """A card instance: https://open.dingtalk.com/document/orgapp/create-and-deliver-cards"""

    out_track_id: str
    template_id: str
    callback_type: str
    variables: dict[str, str]
    private: dict[str, dict[str, str]] = field(default_factory=dict)
    messages: list[Message] = field(default_factory=list)
