"""The stand-in organisation: who works there, what was said, which webhooks still live.

    org = Org()
    org.add_member("lisi", "李四")
    group = org.add_group("老师群", ["lisi"])

Ids: https://open.dingtalk.com/document/orgapp/receive-message
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from copy import deepcopy
from typing import Unpack

from tests.platforms.dingtalk_records import (
    SESSION_LIFE,
    Card,
    Group,
    GroupRobot,
    Json,
    Kind,
    Member,
    Message,
    Outsider,
    Said,
    Session,
    Via,
)
from tests.platforms.dingtalk_screen import Looks, buttons, shown
from tests.platforms.watched import Numbered, letters

__all__ = [
    "SESSION_LIFE",
    "Card",
    "Group",
    "GroupRobot",
    "Json",
    "Kind",
    "Looks",
    "Member",
    "Message",
    "Org",
    "Outsider",
    "Session",
    "Via",
    "buttons",
    "shown",
]

OAPI = "https://oapi.dingtalk.com"


class Org(Numbered):
    def __init__(
        self,
        *,
        corp_id: str = "ding9f50b15bccd16741aabbccddeeff0011",
        client_id: str = "dingstandinr3xc0bq7wkz",
        client_secret: str = "client-secret-of-the-stand-in-0123456789abcdef0123456789abcdef",
        bot_name: str = "班长",
        template_id: str = "8f250f96-da0f-4c9f-8302-740fa0ced1f5.schema",
    ) -> None:
        super().__init__(corp_id)
        self.corp_id = corp_id
        self.client_id = client_id
        self.client_secret = client_secret
        self.robot_code = client_id
        self.bot_name = bot_name
        self.template_id = template_id
        self.webhook_origin = OAPI
        """Where session webhooks and custom robots are said to be."""
        self.members: dict[str, Member] = {}
        self.gone: dict[str, Member] = {}
        self.outsiders: dict[str, Outsider] = {}
        self.groups: dict[str, Group] = {}
        self.robots: dict[str, GroupRobot] = {}  # by token
        self.sessions: dict[str, Session] = {}  # by the code in the address
        self.cards: dict[str, Card] = {}  # by outTrackId
        self.timeline: list[Message] = []

    # ---- who is there

    def add_member(self, staff_id: str, name: str = "", *, admin: bool = False) -> Member:
        with self.changed:
            member = Member(staff_id, name or staff_id, admin)
            self.members[staff_id] = member
            self.gone.pop(staff_id, None)
            return member

    def remove_member(self, staff_id: str) -> None:
        """Somebody leaves the organisation, and so every group of it."""
        with self.changed:
            self.gone[staff_id] = self.members.pop(staff_id)
            for group in self.groups.values():
                group.members = [one for one in group.members if one != staff_id]

    def add_outsider(self, nick: str, corp_id: str = "ding00other00organisation00000000000") -> str:
        """Somebody of another organisation; gives a handle to use wherever a staff id may stand."""
        with self.changed:
            handle = f"outsider-{len(self.outsiders) + 1}"
            self.outsiders[handle] = Outsider(handle, nick, corp_id)
            return handle

    def add_group(self, name: str, members: Iterable[str] = (), *, bot: bool = True) -> Group:
        """`bot`: the app's robot is in it."""
        with self.changed:
            group = Group(self._conversation(f"group {name}"), name, list(members), bot)
            self.groups[group.id] = group
            return group

    def add_robot(self, group_id: str, secret: bool = True) -> tuple[str, str]:
        """Somebody adds a custom robot to a group; gives its token and its secret, or ""."""
        with self.changed:
            token = hashlib.sha256(self.new_id("robot").encode()).hexdigest()
            signs_with = self.new_id("SEC", 64) if secret else ""
            self.robots[token] = GroupRobot(token, signs_with, group_id)
            return token, signs_with

    def name_of(self, who: str) -> str:
        """By a staff id, also of somebody who has left, or by the handle of an outsider."""
        with self.changed:
            known: dict[str, Member | Outsider] = {**self.gone, **self.members, **self.outsiders}
            return known[who].name

    def encrypted_id(self, who: str) -> str:
        """What the robot is told instead of a staff id: another one for every robot."""
        return "$:LWCP_v1:$" + letters(f"{self.robot_code} {who}", 22) + "=="

    @property
    def bot_id(self) -> str:
        """The robot's own encrypted id, its chatbotUserId."""
        return self.encrypted_id("the robot itself")

    def direct_conversation(self, who: str) -> str:
        """The conversation id of somebody's direct chat with the robot, which no call takes."""
        return "cid" + letters(f"{self.robot_code} direct {who}", 22) + "=="

    def _conversation(self, seed: str) -> str:
        return "cid" + letters(self.new_id(seed), 22) + "=="

    # ---- session webhooks

    def session_url(self, place: str) -> str:
        """The address that one incoming message from this chat may be answered at.

        `place`: a staff id or the handle of an outsider for the direct chat, or a group id.
        """
        with self.changed:
            code = hashlib.md5(self.new_id("session").encode()).hexdigest()
            self.sessions[code] = Session(code, place, self.now() + SESSION_LIFE)
            return f"{self.webhook_origin}/robot/sendBySession?session={code}"

    def session_of(self, url: str) -> Session:
        """By its whole address: who is answered there, until when, and how often it was."""
        return self.sessions[url.rpartition("session=")[2]]

    # ---- what was said

    def show(self, place: str, **what: Unpack[Said]) -> Message:
        """The message appears on the screens of those it is for."""
        with self.changed:
            at_users = what.get("at_users", ())
            message = Message(
                number=self.next_number(),
                at=self.now(),
                kind="group" if place in self.groups else "person",
                to=place,
                via=what["via"],
                msgtype=what["msgtype"],
                body=deepcopy(what["body"]),
                at_users=at_users,
                names={one: self.name_of(one) for one in at_users},
                process_query_key=what.get("process_query_key", ""),
            )
            self.timeline.append(message)
            self.changed.notify_all()
            return message

    def touch(self, message: Message) -> None:
        """A message was changed: it gets a new number, and those who wait look again."""
        with self.changed:
            message.changed = self.next_number()
            self.changed.notify_all()

    def messages(self, place: str) -> list[Message]:
        """What the robots wrote in a direct chat (by staff id or handle) or in a group."""
        with self.changed:
            return [one for one in self.timeline if one.to == place]

    def last(self, place: str) -> str:
        """The newest message there as people read it, "" when there is none."""
        found = self.messages(place)
        return shown(found[-1]) if found else ""

    def story(self) -> str:
        """What was said lately, for a person who reads a failed test."""
        with self.changed:
            said = [f"  {m.number} {m.via} -> {m.to}: {shown(m)}"[:300] for m in self.timeline]
        return "\n".join(said[-20:]) or "  nothing"
