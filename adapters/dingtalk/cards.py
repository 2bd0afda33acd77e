"""Interactive cards: made from the template that the organisation built, known by their names.

https://open.dingtalk.com/document/orgapp/create-and-deliver-cards
https://open.dingtalk.com/document/orgapp/interactive-card-update-interface
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from contextlib import suppress

from adapters.contract import DeliveryFailed
from adapters.dingtalk import encode
from adapters.dingtalk.api import DingtalkApi
from adapters.dingtalk.by_api import Gate
from adapters.dingtalk.errcodes import says_made_before
from adapters.dingtalk.limits import Audience
from adapters.dingtalk.setup import Setup
from adapters.naming import name_of
from adapters.reading import Json
from bot.messages import Outgoing, Reader

CREATE = "/v1.0/card/instances/createAndDeliver"
CHANGE = "/v1.0/card/instances"
CARD = "card:"
"""How the handle of an interactive card begins."""
# A word of ours for why: DingTalk made the card and brought it to nobody.
NOT_DELIVERED = "card_not_delivered"
# A press is answered in this time; only then may its card be changed.
PRESS_SECONDS = 2.0
BY_USER_ID = 1


class Cards:
    """Every method raises DeliveryFailed."""

    def __init__(self, setup: Setup, api: DingtalkApi, gate: Gate) -> None:
        self._setup = setup
        self._api = api
        self._gate = gate
        self._presses: dict[str, tuple[str, asyncio.Event]] = {}
        """By the frame that brought a press: the card's name, and when it is answered."""

    # --- presses -------------------------------------------------------------------------------

    def is_pressed(self, frame: str, name: str) -> None:
        """A frame brought a press on it and is not answered yet: until then nothing is changed."""
        self._presses[frame] = (name, asyncio.Event())

    def is_answered(self, frame: str) -> None:
        """The answer to the frame has left, or never will."""
        found = self._presses.pop(frame, None)
        if found is not None:
            found[1].set()

    # --- messages ------------------------------------------------------------------------------

    async def create(self, outgoing: Outgoing, reader: Reader) -> str | None:
        """Deliver a card; the same one again is known by its name. Gives its handle, or None for
        what is too long to be one.

        What rings mentions those it names.
        """
        in_group = outgoing.address.kind == "group"
        call = self._setup.bot_name if in_group else ""
        variables = encode.card_variables(outgoing.words, outgoing.card, reader, call)
        if not encode.fits_card(variables):
            return None
        name = name_of(outgoing.message_id, json.dumps(variables, ensure_ascii=False))
        body: Json = {
            "cardTemplateId": self._setup.card_template_id,
            "outTrackId": name,
            "cardData": {"cardParamMap": variables},
            "callbackType": "STREAM",
            "userIdType": BY_USER_ID,
        }
        if in_group:
            people = encode.mentioned(outgoing.words, outgoing.card, reader)
            body |= self._in_group(outgoing.address.id, people if outgoing.rings else {})
        else:
            body |= self._to_person(outgoing.address.id)
        audience: Audience = "group" if in_group else "person"
        try:
            told = await self._gate.through(audience, lambda: self._api.call("POST", CREATE, body))
        except DeliveryFailed as failed:
            if says_made_before(failed.why):
                return f"{CARD}{name}"  # it was taken, and only the answer was lost
            failed.repeatable = True
            raise
        _must_be_delivered(told)
        return f"{CARD}{name}"

    def _in_group(self, conversation_id: str, people: Mapping[str, str]) -> Json:
        deliver: Json = {"robotCode": self._setup.robot_code}
        if people:
            deliver["atUserIds"] = dict(people)
        return {
            "openSpaceId": f"dtv1.card//IM_GROUP.{conversation_id}",
            "imGroupOpenSpaceModel": {"supportForward": False},
            "imGroupOpenDeliverModel": deliver,
        }

    def _to_person(self, user_id: str) -> Json:
        return {
            "openSpaceId": f"dtv1.card//IM_ROBOT.{user_id}",
            "imRobotOpenSpaceModel": {"supportForward": False},
            "imRobotOpenDeliverModel": {
                "spaceType": "IM_ROBOT",
                "robotCode": self._setup.robot_code,
            },
        }

    async def change(self, outgoing: Outgoing, reader: Reader) -> str | None:
        """Put something else on a card; None where that cannot be and has to be said instead."""
        handle = outgoing.edits_handle or ""
        if not handle.startswith(CARD) or outgoing.card is None:
            return None
        name = handle.removeprefix(CARD)
        in_group = outgoing.address.kind == "group"
        call = self._setup.bot_name if in_group else ""
        # What is said beside a change is said where nothing can be changed.
        variables = encode.card_variables(None, outgoing.card, reader, call)
        body: Json = {
            "outTrackId": name,
            "cardData": {"cardParamMap": variables},
            "cardUpdateOptions": {"updateCardDataByKey": False},
            "userIdType": BY_USER_ID,
        }
        await self._until_answered(name)
        audience: Audience = "group" if in_group else "person"
        try:
            await self._gate.through(audience, lambda: self._api.call("PUT", CHANGE, body))
        except DeliveryFailed as failed:
            if failed.outcome == "dead":
                return None
            failed.repeatable = True  # the same again changes nothing
            raise
        return handle

    # https://open.dingtalk.com/document/orgapp/event-callback-card
    async def _until_answered(self, name: str) -> None:
        """DingTalk wants no change of a card while it waits for what a press on it is to do."""
        waited = [answered for card, answered in self._presses.values() if card == name]
        with suppress(TimeoutError):
            async with asyncio.timeout(PRESS_SECONDS):
                for answered in waited:
                    await answered.wait()


def _must_be_delivered(told: Json) -> None:
    """HTTP 200 says that the card was made; whether it was brought stands in the result."""
    result = told.get("result")
    results = result.get("deliverResults") if isinstance(result, dict) else None
    for one in results if isinstance(results, list) else ():
        if isinstance(one, dict) and one.get("success") is not True:
            raise DeliveryFailed("dead", NOT_DELIVERED)
