"""What the app's robot says by the API, to people and to groups.

To people: https://open.dingtalk.com/document/orgapp/chatbots-send-one-on-one-chat-messages-in-batches
To a group: https://open.dingtalk.com/document/orgapp/the-robot-sends-a-group-message
The kinds of messages: https://open.dingtalk.com/document/orgapp/robot-message-type
"""

from __future__ import annotations

import json
from typing import Any

from tests.platforms.dingtalk_faults import Partly
from tests.platforms.dingtalk_model import Group, Json, Org
from tests.platforms.dingtalk_refusals import Refusal

MOST_RECEIVERS = 20
LONGEST = 15_000  # bytes of msgParam
KINDS: dict[str, tuple[str, ...]] = {  # what must stand in its msgParam
    "sampleText": ("content",),
    "sampleMarkdown": ("title", "text"),
    "sampleImageMsg": ("photoURL",),
    "sampleLink": ("text", "title", "picUrl", "messageUrl"),
    "sampleActionCard": ("title", "text", "singleTitle", "singleURL"),
    "sampleFile": ("mediaId", "fileName", "fileType"),
    "sampleAudio": ("mediaId", "duration"),
    "sampleVideo": ("duration", "videoMediaId", "videoType", "picMediaId"),
}


class RobotMessages:
    def __init__(self, org: Org) -> None:
        self.org = org
        self.refuses_whole_batch = False
        """One unknown staff id, and nobody of the batch gets anything."""

    def to_people(self, body: Json, partly: Partly) -> Json:
        """The lists in the answer name those whom it does not reach, for all its HTTP 200."""
        self._check_robot(body)
        user_ids = _user_ids(body)
        msg_key, content = _content(body)
        unknown = [one for one in user_ids if one not in self.org.members or one in partly.invalid]
        if len(unknown) == len(user_ids) and not partly.invalid:
            raise Refusal("staffId.notExisted")
        if unknown and self.refuses_whole_batch:
            raise Refusal("staffId.notExisted")
        known = [one for one in user_ids if one not in unknown]
        flooded = [one for one in known if self._is_flooded(one, partly)]
        filtered = [one for one in known if one not in flooded and self._is_filtered(one, partly)]
        key = self.org.new_id("", 42) + "=="
        for one in known:
            if one not in flooded and one not in filtered:
                self.org.show(one, via="api", msgtype=msg_key, body=content, process_query_key=key)
        return {
            "processQueryKey": key,
            "invalidStaffIdList": unknown,
            "flowControlledStaffIdList": flooded,
            "filteredStaffIdList": filtered,
        }

    def to_group(self, body: Json, partly: Partly) -> Json:
        """Nobody's phone rings: this call cannot mention anybody."""
        self._check_robot(body)
        group = group_of(self.org, body.get("openConversationId"))
        if not group.bot:
            raise Refusal("invalidParameter.robotCode.notExsit")
        msg_key, content = _content(body)
        key = self.org.new_id("", 42) + "=="
        self.org.show(group.id, via="api", msgtype=msg_key, body=content, process_query_key=key)
        return {"processQueryKey": key}

    def _check_robot(self, body: Json) -> None:
        robot_code = body.get("robotCode")
        if not robot_code:
            raise Refusal("invalidParameter.robotCode.empty")
        if robot_code != self.org.robot_code:
            raise Refusal("resource.not.found")

    def _is_flooded(self, staff_id: str, partly: Partly) -> bool:
        return staff_id in partly.flow_controlled or self.org.members[staff_id].flooded

    def _is_filtered(self, staff_id: str, partly: Partly) -> bool:
        return staff_id in partly.filtered or not self.org.members[staff_id].allows


def group_of(org: Org, conversation_id: Any) -> Group:
    """By its open conversation id; a direct chat's conversation id is none."""
    group = org.groups.get(conversation_id) if isinstance(conversation_id, str) else None
    if group is None:
        raise Refusal("invalidParameter.openConversationId.invalid")
    return group


def _user_ids(body: Json) -> list[str]:
    user_ids = body.get("userIds")
    if not isinstance(user_ids, list) or not all(isinstance(one, str) for one in user_ids):
        raise Refusal("invalidParameter.userIds.empty")
    if not user_ids:
        raise Refusal("invalidParameter.userIds.empty")
    if len(user_ids) > MOST_RECEIVERS:
        raise Refusal("invalidParameter.userIds.overMax")
    if len(set(user_ids)) < len(user_ids):
        raise Refusal("invalidParameter.param.invalid", "userIds重复")  # a guess, on the safe side
    return user_ids


def _content(body: Json) -> tuple[str, Json]:
    """What is said, out of the JSON string that it travels as."""
    msg_key, param = body.get("msgKey"), body.get("msgParam")
    if not msg_key:
        raise Refusal("invalidParameter.msgKey.empty")
    if msg_key not in KINDS:
        raise Refusal("invalidParameter.msgKey.invalid")
    if not isinstance(param, str):
        raise Refusal("invalidParameter.msgParam.invalid")
    if len(param.encode()) > LONGEST:
        raise Refusal("invalidParameter.msgParam.tooLong")
    try:
        content = json.loads(param)
    except ValueError:
        content = None
    if not isinstance(content, dict):
        raise Refusal("invalidParameter.msgParam.invalid")
    for field in KINDS[msg_key]:
        if not isinstance(content.get(field), str) or not content[field]:
            raise Refusal("invalidParameter.msgParam.invalid", f"{field}为空")
    return msg_key, content
