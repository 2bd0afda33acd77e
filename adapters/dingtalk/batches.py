"""Messages to people, as few calls as there can be: the month's calls are counted.

https://open.dingtalk.com/document/orgapp/chatbots-send-one-on-one-chat-messages-in-batches
What begins to be sent at the same moment and says the same goes to up to 20 people in one call.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass

from adapters.contract import DeliveryFailed
from adapters.dingtalk.api import DingtalkApi, DingtalkRefused
from adapters.dingtalk.errcodes import (
    FILTERED_STAFF,
    FLOW_CONTROLLED,
    INVALID_STAFF,
    may_be_ones_fault,
)
from adapters.hands import end
from adapters.reading import Json

BATCH_SEND = "/v1.0/robot/oToMessages/batchSend"
MOST_PEOPLE = 20
FLOW_WAIT = 60.0
STOP_SECONDS = 0.5

Content = tuple[str, str]
"""msgKey, and msgParam as JSON."""


@dataclass(frozen=True, slots=True)
class _Waiting:
    user_id: str
    told: asyncio.Future[str]


class Batches:
    """Gathers what says the same and sends it together, as the robot `robot_code`."""

    def __init__(self, api: DingtalkApi, robot_code: str) -> None:
        self._api = api
        self._robot_code = robot_code
        self._waiting: dict[Content, list[_Waiting]] = {}
        self._calls: set[asyncio.Task[None]] = set()

    async def send(self, user_id: str, msg_key: str, msg_param: Json) -> str:
        """Send a message to a person and return DingTalk's key of the call that carried it.

        Raises, for this person alone, DingtalkRefused or DeliveryFailed: as `DingtalkApi.call`
        does, and with INVALID_STAFF, FILTERED_STAFF or FLOW_CONTROLLED. Who is cancelled before the
        call is made is left out of it; later, they are sent to all the same.
        """
        loop = asyncio.get_running_loop()
        told: asyncio.Future[str] = loop.create_future()
        content = msg_key, json.dumps(msg_param, ensure_ascii=False, separators=(",", ":"))
        if not self._waiting:
            # Twice: whoever is woken together with us has then begun as well.
            loop.call_soon(loop.call_soon, self._flush)
        self._waiting.setdefault(content, []).append(_Waiting(user_id, told))
        return await told

    async def stop(self) -> None:
        """End the calls for which nobody waits any more."""
        await end(set(self._calls), STOP_SECONDS, "messages to people")

    def _flush(self) -> None:
        gathered, self._waiting = self._waiting, {}
        for content, waiting in gathered.items():
            there = [one for one in waiting if not one.told.done()]
            for share in shares([one.user_id for one in there]):
                call = asyncio.create_task(self._to_its_end(content, [there[at] for at in share]))
                self._calls.add(call)
                call.add_done_callback(self._calls.discard)

    async def _to_its_end(self, content: Content, people: Sequence[_Waiting]) -> None:
        try:
            await self._deliver(content, people)
        finally:
            # Whatever stopped it: nobody is left waiting.
            _fail(people, DeliveryFailed("unknown", "it was stopped in the middle"))

    async def _deliver(
        self, content: Content, people: Sequence[_Waiting], *, waits: bool = False
    ) -> None:
        """One call for all of them; each is told what became of their own message."""
        try:
            found = await self._call(content, people, waits=waits)
        except DingtalkRefused as refused:
            if len(people) == 1 or not may_be_ones_fault(refused.code):
                _fail(people, refused)
                return
        except DeliveryFailed as failed:
            _fail(people, failed)
            return
        else:
            for one in people:
                _tell(one, found)
            return
        # One of them may be why; the others are not to suffer for it.
        left = [one for one in people if not one.told.done()]
        await asyncio.gather(*(self._deliver(content, [one], waits=True) for one in left))

    async def _call(self, content: Content, people: Sequence[_Waiting], *, waits: bool) -> Json:
        body = {
            "robotCode": self._robot_code,
            "userIds": [one.user_id for one in people],
            "msgKey": content[0],
            "msgParam": content[1],
        }
        return await self._api.call("POST", BATCH_SEND, body, waits=waits)


def shares(user_ids: Sequence[str]) -> list[list[int]]:
    """The places in `user_ids`, call by call: no more than MOST_PEOPLE in one, and nobody twice."""
    calls: list[list[int]] = []
    inside: list[set[str]] = []
    for at, user_id in enumerate(user_ids):
        for call, names in zip(calls, inside, strict=True):
            if len(call) < MOST_PEOPLE and user_id not in names:
                call.append(at)
                names.add(user_id)
                break
        else:
            calls.append([at])
            inside.append({user_id})
    return calls


def unreached(answer: Json, user_id: str) -> DeliveryFailed | None:
    """Why a call that was answered with success did not reach this person; None where it did."""
    if user_id in _names(answer, "invalidStaffIdList"):
        return DeliveryFailed("dead", INVALID_STAFF)
    if user_id in _names(answer, "filteredStaffIdList"):
        return DeliveryFailed("dead", FILTERED_STAFF)
    if user_id in _names(answer, "flowControlledStaffIdList"):
        return DeliveryFailed("retry", FLOW_CONTROLLED, after=FLOW_WAIT)
    return None


def _names(answer: Json, field: str) -> list[object]:
    found = answer.get(field)
    return found if isinstance(found, list) else []


def _tell(one: _Waiting, answer: Json) -> None:
    if one.told.done():
        return
    failed = unreached(answer, one.user_id)
    if failed is not None:
        one.told.set_exception(failed)
    else:
        one.told.set_result(str(answer.get("processQueryKey", "")))


def _fail(people: Sequence[_Waiting], error: DingtalkRefused | DeliveryFailed) -> None:
    """Each with an error of their own, for whoever catches one may add to it."""
    for one in people:
        if not one.told.done():
            one.told.set_exception(_another(error))


def _another(error: DingtalkRefused | DeliveryFailed) -> DingtalkRefused | DeliveryFailed:
    if isinstance(error, DingtalkRefused):
        return DingtalkRefused(error.code, error.what, error.scopes)
    return DeliveryFailed(error.outcome, error.why, after=error.after, scope=error.scope)
