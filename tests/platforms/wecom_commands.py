"""What an aibot may say by its long connection, and what becomes of it.

https://developer.work.weixin.qq.com/document/path/101463
Not checked against WeCom itself: which errcode stands for a pace, a late stream or a second answer,
whether a card may go to a group (`cards_in_groups`), and that parts of a file count from 0.
"""

from __future__ import annotations

import base64
import hashlib
from collections import defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.platforms.wecom_cards import check_card, check_task_id
from tests.platforms.wecom_model import LEFT, Corp, Json, Kind, Message
from tests.platforms.wecom_refusals import Refusal

LONGEST = 20480  # bytes of markdown, and of a stream's content
PACES = ((60.0, 30), (3600.0, 1000))  # per chat, replies and pushes together
REPLY_WITHIN = 24 * 3600.0
ANSWER_WITHIN = 5.0  # a welcome, or a changed card
STREAM_LIFE = 6 * 60.0
FILES = frozenset(("file", "image", "voice", "video"))
PUSHED = frozenset(("markdown", "template_card")) | FILES
PART_BYTES, MOST_PARTS, SMALLEST = 512 * 1024, 100, 5
PERSON, GROUP, EITHER = 1, 2, 0  # chat_type

INVALID_REQ_ID, STREAM_EXPIRED = 846605, 846608
NEVER_SPOKEN, NOT_IN_GROUP = 93006, 93008
TOO_LONG = 45002


@dataclass
class Told:
    """A callback that went out: what its req_id may be used for."""

    at: float
    body: Json
    answered: bool = False

    @property
    def eventtype(self) -> str:
        """ "" for a message."""
        return str((self.body.get("event") or {}).get("eventtype", ""))


@dataclass
class Stream:
    message: Message
    began: float
    finished: bool


@dataclass
class Upload:
    kind: str
    name: str
    size: int
    md5: str
    parts: list[bytes | None]


@dataclass(frozen=True)
class Chat:
    kind: Kind
    to: str


@dataclass
class Pace:
    at: deque[float] = field(default_factory=deque)

    def take(self, now: float) -> None:
        for seconds, most in PACES:
            if sum(now - at < seconds for at in self.at) >= most:
                raise Refusal(45009)
        self.at.append(now)
        while now - self.at[0] >= PACES[-1][0]:
            self.at.popleft()


class BotCommands:
    def __init__(self, corp: Corp) -> None:
        self.corp = corp
        self.cards_in_groups = False
        self.enforces_pace = True
        self.discards_late_streams = False  # acknowledged with 0, and nobody sees it
        self._told: dict[str, Told] = {}
        self._streams: dict[tuple[str, str], Stream] = {}
        self._uploads: dict[str, Upload] = {}
        self._paces: defaultdict[str, Pace] = defaultdict(Pace)
        self._known: dict[str, Callable[[str, Json], Json]] = {
            "aibot_send_msg": self._send,
            "aibot_respond_msg": self._respond,
            "aibot_respond_welcome_msg": self._welcome,
            "aibot_respond_update_msg": self._update,
            "aibot_upload_media_init": self._begin_upload,
            "aibot_upload_media_chunk": self._take_part,
            "aibot_upload_media_finish": self._finish_upload,
        }

    def remember(self, req_id: str, body: Json) -> None:
        """This callback goes out."""
        self._told[req_id] = Told(self.corp.now(), body)

    def run(self, cmd: str, req_id: str, body: Json) -> Json:
        """The body of the acknowledgement, {} for none. Raises Refusal."""
        known = self._known.get(cmd)
        if known is None:
            raise Refusal(40058, f"unknown cmd {cmd}")
        return known(req_id, body)

    # ---- saying

    def _send(self, req_id: str, body: Json) -> Json:
        msgtype, content = self._content(body, PUSHED)
        chat = self._chat(body.get("chat_type", EITHER), str(body.get("chatid") or ""))
        self._say(chat, msgtype, content)
        return {}

    def _respond(self, req_id: str, body: Json) -> Json:
        told = self._answerable(req_id, "", REPLY_WITHIN)
        if body.get("msgtype") == "stream":
            self._stream(req_id, self._where(told), body.get("stream"))
        else:
            self._say(self._where(told), *self._content(body, PUSHED))
        return {}

    def _welcome(self, req_id: str, body: Json) -> Json:
        told = self._answerable(req_id, "enter_chat", ANSWER_WITHIN)
        content = self._content(body, frozenset(("text", "markdown", "template_card")))
        self._say(self._where(told), *content)
        told.answered = True
        return {}

    def _stream(self, req_id: str, chat: Chat, stream: Any) -> None:
        """Each frame holds all that was said so far."""
        if not isinstance(stream, dict) or not isinstance(stream.get("id"), str):
            raise Refusal(40058, "stream.id missing")
        _check_length(stream.get("content", ""))
        known, finish = self._streams.get((req_id, stream["id"])), bool(stream.get("finish"))
        if known is None:
            message = self._say(chat, "stream", stream)
            self._streams[req_id, stream["id"]] = Stream(message, self.corp.now(), finish)
        elif known.finished or self.corp.now() - known.began > STREAM_LIFE:
            if not self.discards_late_streams:
                raise Refusal(STREAM_EXPIRED)
        else:
            self.corp.change(known.message, stream)
            known.finished = finish

    def _say(self, chat: Chat, msgtype: str, content: Json) -> Message:
        if chat.kind == "group":
            if not self.corp.groups[chat.to].has_bot:
                raise Refusal(NOT_IN_GROUP)
            if msgtype == "template_card" and not self.cards_in_groups:
                raise Refusal(40008, "template_card in a group")
        if self.enforces_pace:
            self._paces[chat.to].take(self.corp.now())
        task_id = content.get("task_id") if msgtype == "template_card" else None
        if task_id is not None:
            self.corp.take_task_id("bot", task_id)
        media_id = content.get("media_id") if msgtype in FILES else None
        return self.corp.show(
            via="bot",
            kind=chat.kind,
            to=chat.to,
            msgtype=msgtype,
            body=content,
            task_id=task_id,
            file=None if media_id is None else self.corp.find_media(media_id),
        )

    # ---- changing

    def _update(self, req_id: str, body: Json) -> Json:
        told = self._answerable(req_id, "template_card_event", ANSWER_WITHIN)
        if body.get("response_type") != "update_template_card":
            raise Refusal(40058, "response_type invalid")
        card = body.get("template_card")
        check_card(card)
        details = told.body["event"]["template_card_event"]
        task_id = details.get("task_id") or details.get("taskid")
        if not isinstance(card, dict) or card.get("task_id") != task_id:
            raise Refusal(42014, "template_card.task_id is not that of the event")
        for message in self.corp.timeline:
            if message.via == "bot" and message.task_id == task_id:
                self.corp.change(message, card, body.get("userids") or [])
        told.answered = True
        return {}

    # ---- where, and what

    def _answerable(self, req_id: str, eventtype: str, seconds: float) -> Told:
        told = self._told.get(req_id)
        if told is None or told.eventtype != eventtype or told.answered:
            raise Refusal(INVALID_REQ_ID)
        if self.corp.now() - told.at > seconds:
            raise Refusal(INVALID_REQ_ID, "too late")
        return told

    def _where(self, told: Told) -> Chat:
        if told.body.get("chattype") == "group":
            return Chat("group", told.body["chatid"])
        return Chat("person", self._userid(told.body["from"]["userid"]))

    def _userid(self, name: str) -> str:
        """In lower case; the bot may know somebody by the open_userid only."""
        member = self.corp.member(name) or self.corp.member_by_open_userid(name)
        if member is None or member.status == LEFT:
            raise Refusal(NEVER_SPOKEN)
        return member.userid.lower()

    def _chat(self, chat_type: Any, chatid: str) -> Chat:
        if chat_type not in (PERSON, GROUP, EITHER):
            raise Refusal(40058, "chat_type invalid")
        group = self.corp.groups.get(chatid)
        if chat_type != PERSON and group is not None:
            if not group.has_bot:
                raise Refusal(NOT_IN_GROUP)
            if not group.heard:
                raise Refusal(NEVER_SPOKEN)
            return Chat("group", chatid)
        if chat_type == GROUP:
            raise Refusal(NEVER_SPOKEN)
        userid = self._userid(chatid)
        if userid not in self.corp.spoken:
            raise Refusal(NEVER_SPOKEN)
        return Chat("person", userid)

    def _content(self, body: Json, allowed: frozenset[str]) -> tuple[str, Json]:
        msgtype = str(body.get("msgtype") or "")
        if msgtype not in allowed:
            raise Refusal(40008, msgtype)
        content = body.get(msgtype)
        if not isinstance(content, dict):
            raise Refusal(40058, f"{msgtype} missing")
        if msgtype in ("markdown", "text"):
            if not content.get("content"):
                raise Refusal(44004)
            _check_length(content["content"])
        elif msgtype == "template_card":
            check_card(content)
            check_task_id(self.corp, "bot", content)
        elif self.corp.find_media(str(content.get("media_id"))) is None:
            raise Refusal(40007)
        return msgtype, content

    # ---- files, in parts

    def _begin_upload(self, req_id: str, body: Json) -> Json:
        if body.get("type") not in FILES or not body.get("filename"):
            raise Refusal(40058, "type or filename")
        size, parts = body.get("total_size"), body.get("total_chunks")
        if not isinstance(size, int) or not isinstance(parts, int):
            raise Refusal(40058, "total_size or total_chunks")
        if size < SMALLEST or not 1 <= parts <= MOST_PARTS or size > parts * PART_BYTES:
            raise Refusal(40006)
        if self.enforces_pace:
            self._paces["uploads"].take(self.corp.now())
        upload_id = self.corp.new_id("upload", 32)
        empty: list[bytes | None] = [None] * parts
        self._uploads[upload_id] = Upload(
            body["type"], body["filename"], size, str(body.get("md5") or ""), empty
        )
        return {"upload_id": upload_id}

    def _take_part(self, req_id: str, body: Json) -> Json:
        upload, index = self._uploads.get(str(body.get("upload_id"))), body.get("chunk_index")
        if upload is None or not isinstance(index, int) or not 0 <= index < len(upload.parts):
            raise Refusal(40058, "upload_id or chunk_index")
        part = base64.b64decode(str(body.get("base64_data")), validate=True)
        if not 0 < len(part) <= PART_BYTES:
            raise Refusal(40006)
        upload.parts[index] = part
        return {}

    def _finish_upload(self, req_id: str, body: Json) -> Json:
        upload = self._uploads.pop(str(body.get("upload_id")), None)
        if upload is None or None in upload.parts:
            raise Refusal(40058, "upload_id, or a part is missing")
        content = b"".join(part for part in upload.parts if part is not None)
        if len(content) != upload.size:
            raise Refusal(40006)
        if upload.md5 and hashlib.md5(content).hexdigest() != upload.md5:
            raise Refusal(40058, "md5")
        media_id = self.corp.keep_media(upload.name, content)
        return {"type": upload.kind, "media_id": media_id, "created_at": int(self.corp.now())}


def _check_length(content: Any) -> None:
    if not isinstance(content, str):
        raise Refusal(40058, "content is no text")
    if len(content.encode()) > LONGEST:
        raise Refusal(TOO_LONG)
