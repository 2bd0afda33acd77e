"""The stand-in corp: who works there, what was said, which codes are still good.

Userids are looked up in lower case: WeCom takes them in any case and answers in lower case
(https://developer.work.weixin.qq.com/document/path/90236). Everything is guarded by one condition,
so a test may read while a server writes, and `wait_for` sleeps until something happens.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable
from copy import deepcopy

from tests.platforms.watched import Numbered, letters
from tests.platforms.wecom_records import (
    ACTIVE,
    DISABLED,
    LEFT,
    NOT_ACTIVATED,
    Group,
    Json,
    Kind,
    Member,
    Message,
    ResponseCode,
    ResponseUrl,
    Sender,
    Via,
    buttons,
    plain,
    plain_card,
)

__all__ = [
    "ACTIVE",
    "DISABLED",
    "LEFT",
    "NOT_ACTIVATED",
    "Corp",
    "Group",
    "Json",
    "Kind",
    "Member",
    "Message",
    "ResponseCode",
    "ResponseUrl",
    "Sender",
    "Via",
    "buttons",
    "made_up_aes_key",
    "plain",
    "plain_card",
]

RESPONSE_CODE_LIFE = 72 * 3600.0  # https://developer.work.weixin.qq.com/document/path/94888
RESPONSE_URL_LIFE = 3600.0  # https://developer.work.weixin.qq.com/document/path/101138
MEDIA_LIFE = 3 * 86400.0  # https://developer.work.weixin.qq.com/document/path/90253


class Corp(Numbered):
    def __init__(
        self,
        *,
        corp_id: str = "ww8f2c0a1b2d3e4f50",
        agent_id: int = 1000002,
        secret: str = "Zx3-app-secret-of-the-stand-in-0123456789ab",
        token: str = "QDG6eKtokenOfTheApp",
        aes_key: str | None = None,
        bot_id: str = "aibStandInBotOfTheStandInCorp0123",
        bot_secret: str = "bot-secret-of-the-stand-in-0123456789abcdef",
        bot_token: str = "tokenOfTheBot",
        bot_aes_key: str | None = None,
        bot_name: str = "班长",
        agent_name: str = "班长",
    ) -> None:
        super().__init__(corp_id)
        self.corp_id = corp_id
        self.agent_id = agent_id
        self.agent_name = agent_name
        self.secret = secret
        self.token = token
        self.aes_key = aes_key or made_up_aes_key("app")
        self.bot_id = bot_id
        self.bot_secret = bot_secret
        self.bot_token = bot_token
        self.bot_aes_key = bot_aes_key or made_up_aes_key("bot")
        self.bot_name = bot_name
        self.members: dict[str, Member] = {}  # by lower-case userid
        self.groups: dict[str, Group] = {}
        self.webhooks: dict[str, str] = {}  # key -> chatid
        self.timeline: list[Message] = []
        self.menu: Json | None = None
        self.spoken: set[str] = set()  # lower-case userids that wrote to the bot directly
        self.trusted_ips: set[str] | None = None  # None: every address may call
        self.media: dict[str, tuple[str, bytes]] = {}
        self.agent_closed = False  # the admin switched the app off
        self.dropped = 0  # messages that were answered with success and never shown
        self.response_codes: dict[str, ResponseCode] = {}
        self.response_urls: dict[str, ResponseUrl] = {}
        self._media_since: dict[str, float] = {}
        self._task_ids: set[tuple[Sender, str]] = set()

    # ---- who is there

    def add_member(
        self,
        userid: str,
        name: str = "",
        *,
        alias: str = "",
        status: int = ACTIVE,
        visible: bool = True,
        licensed: bool = True,
        open_userid: str = "",
    ) -> Member:
        with self.changed:
            made_up = "wo" + letters(f"{self.corp_id} {userid.lower()}", 30)
            member = Member(
                userid, name or userid, alias, status, visible, licensed, open_userid or made_up
            )
            self.members[userid.lower()] = member
            return member

    def add_group(
        self,
        name: str,
        members: Iterable[str] = (),
        *,
        chatid: str = "",
        heard: bool = False,
        has_bot: bool = True,
    ) -> Group:
        with self.changed:
            inside = [userid.lower() for userid in members]
            group = Group(chatid or self.new_id("wr"), name, inside, heard, has_bot)
            self.groups[group.chatid] = group
            return group

    def add_webhook(self, chatid: str) -> str:
        """Somebody adds a 消息推送 to a group; gives its key."""
        with self.changed:
            made = hashlib.md5(self.new_id("key").encode()).hexdigest()
            key = "-".join((made[:8], made[8:12], made[12:16], made[16:20], made[20:]))
            self.webhooks[key] = chatid
            return key

    def member(self, userid: str) -> Member | None:
        """By a userid in any case."""
        return self.members.get(userid.lower())

    def member_by_open_userid(self, open_userid: str) -> Member | None:
        with self.changed:
            found = (one for one in self.members.values() if one.open_userid == open_userid)
            return next(found, None)

    def hear(self, userid: str, chatid: str | None = None) -> None:
        """Somebody speaks to the bot; from now on it may write to this chat by itself."""
        with self.changed:
            if chatid is None:
                self.spoken.add(userid.lower())
            else:
                self.groups[chatid].heard = True

    # ---- what was said

    def show(
        self,
        *,
        via: Via,
        kind: Kind,
        to: str,
        msgtype: str,
        body: Json,
        mentioned: Iterable[str] = (),
        file: tuple[str, bytes] | None = None,
        response_code: str | None = None,
        task_id: str | None = None,
        truncated: bool = False,
        msgid: str = "",
    ) -> Message:
        """The message appears on the screens of those it is for."""
        with self.changed:
            message = Message(
                number=self.next_number(),
                at=self.now(),
                via=via,
                kind=kind,
                to=to.lower() if kind == "person" else to,
                msgtype=msgtype,
                body=deepcopy(body),
                mentioned=tuple(mentioned),
                file=file,
                response_code=response_code,
                task_id=task_id,
                truncated=truncated,
                msgid=msgid or self.new_id("msg"),
            )
            self.timeline.append(message)
            self.changed.notify_all()
            return message

    def change(self, message: Message, body: Json, only: Iterable[str] = ()) -> Message:
        """The body is another one from now on; in a group perhaps for these userids `only`."""
        with self.changed:
            readers = [userid.lower() for userid in only]
            if readers and message.kind == "group":
                message.copies.update({userid: deepcopy(body) for userid in readers})
            else:
                message.body, message.copies = deepcopy(body), {}
            message.changed, message.changed_at = self.next_number(), self.now()
            self.changed.notify_all()
            return message

    def messages(self, place: str) -> list[Message]:
        """What stands on a member's screen with the bot or in a group, oldest first."""
        with self.changed:
            to = place if place in self.groups else place.lower()
            return [one for one in self.timeline if one.to == to and not one.recalled]

    def last(self, place: str) -> str:
        """The newest message there as people read it, "" when there is none."""
        found = self.messages(place)
        return plain(found[-1]) if found else ""

    # ---- codes and files that expire

    def issue_response_code(self, msgid: str) -> str:
        """A fresh right to change the card(s) of this msgid."""
        with self.changed:
            code = ResponseCode(self.new_id("", 64), self.now(), msgid)
            self.response_codes[code.code] = code
            return code.code

    def take_response_code(self, code: str) -> list[Message]:
        """The messages it may change, [] when it is unknown, used or older than 72 hours."""
        with self.changed:
            found = self.response_codes.get(code)
            if found is None or found.used or self.now() - found.issued > RESPONSE_CODE_LIFE:
                return []
            found.used = True
            return [one for one in self.timeline if one.msgid == found.msgid]

    def issue_response_url(self, kind: Kind, to: str) -> str:
        """The address that an aibot's message in callback mode may be answered at, once."""
        with self.changed:
            made = ResponseUrl(self.new_id("", 64), self.now(), kind, to)
            self.response_urls[made.code] = made
            return f"https://qyapi.weixin.qq.com/cgi-bin/aibot/response?response_code={made.code}"

    def take_response_url(self, code: str) -> ResponseUrl | None:
        """None when it is unknown, used or older than an hour."""
        with self.changed:
            found = self.response_urls.get(code)
            if found is None or found.used or self.now() - found.issued > RESPONSE_URL_LIFE:
                return None
            found.used = True
            return found

    def knows_task_id(self, sender: Sender, task_id: str) -> bool:
        return (sender, task_id) in self._task_ids

    def take_task_id(self, sender: Sender, task_id: str) -> None:
        """A card with this task_id went out: no other card of this sender may have it."""
        with self.changed:
            self._task_ids.add((sender, task_id))

    def keep_media(self, name: str, content: bytes) -> str:
        """The media id of an uploaded file."""
        with self.changed:
            media_id = self.new_id("3", 62)
            self.media[media_id] = (name, content)
            self._media_since[media_id] = self.now()
            return media_id

    def find_media(self, media_id: str) -> tuple[str, bytes] | None:
        """None when it never existed or is older than three days."""
        with self.changed:
            since = self._media_since.get(media_id, self.now())
            return self.media.get(media_id) if self.now() - since <= MEDIA_LIFE else None

    # ---- watching

    def story(self) -> str:
        """What was said lately, for a person who reads a failed test."""
        with self.changed:
            said = [f"  {m.number} {m.via} -> {m.to}: {plain(m)}"[:300] for m in self.timeline]
        return "\n".join(said[-20:]) or "  nothing"


# ---- made up


def made_up_aes_key(seed: str) -> str:
    """An EncodingAESKey: 43 characters, base64 of 32 bytes without the last "="."""
    return base64.b64encode(hashlib.sha256(seed.encode()).digest()).decode()[:43]
