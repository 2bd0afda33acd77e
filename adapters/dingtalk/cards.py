"""Interactive cards: made from the template that the organisation built, known by their names.

https://open.dingtalk.com/document/orgapp/create-and-deliver-cards
https://open.dingtalk.com/document/orgapp/delivery-card-interface
https://open.dingtalk.com/document/orgapp/interactive-card-update-interface
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from adapters.contract import DeliveryFailed
from adapters.dingtalk import encode
from adapters.dingtalk.api import DingtalkApi
from adapters.dingtalk.by_api import Gate, can_wait
from adapters.dingtalk.errcodes import says_made_before
from adapters.dingtalk.limits import Audience
from adapters.dingtalk.setup import Setup
from adapters.naming import name_of
from adapters.reading import Json
from bot.messages import Address, Outgoing, Reader

CREATE = "/v1.0/card/instances/createAndDeliver"
DELIVER = "/v1.0/card/instances/deliver"
CHANGE = "/v1.0/card/instances"
CARD = "card:"
"""How the handle of an interactive card begins."""
# A word of ours for why: DingTalk made the card and brought it to nobody.
NOT_DELIVERED = "card_not_delivered"
# A press is answered in this time; only then may its card be changed.
PRESS_SECONDS = 2.0
BY_USER_ID = 1
SPACE: Json = {"supportForward": False}


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
        """Deliver a card, and give its handle; None for what is too long to be one. What rings
        mentions those it names.

        Of one that was made already the answer was lost, and so nobody knows whether it was brought
        to anybody: it is brought once more. Where it stands twice, it changes as one.
        """
        in_group = outgoing.address.kind == "group"
        call = self._setup.bot_name if in_group else ""
        variables = encode.card_variables(outgoing.words, outgoing.card, reader, call)
        if not encode.fits_card(variables):
            return None
        name = name_of(outgoing.message_id, json.dumps(variables, ensure_ascii=False))
        people = encode.mentioned(outgoing.words, outgoing.card, reader) if outgoing.rings else {}
        whither = {"outTrackId": name, "userIdType": BY_USER_ID}
        whither |= self._whither(outgoing.address, people)
        body: Json = {
            "cardTemplateId": self._setup.card_template_id,
            "cardData": {"cardParamMap": variables},
            "callbackType": "STREAM",
            "imGroupOpenSpaceModel" if in_group else "imRobotOpenSpaceModel": SPACE,
            **whither,
        }
        try:
            results = await self._post(outgoing, CREATE, body)
        except DeliveryFailed as failed:
            if not says_made_before(failed.why):
                failed.repeatable = True
                raise
            results = await self._post(outgoing, DELIVER, whither)
        if any(isinstance(one, dict) and one.get("success") is not True for one in results):
            raise DeliveryFailed("dead", NOT_DELIVERED)
        return f"{CARD}{name}"

    def _whither(self, address: Address, people: Mapping[str, str]) -> Json:
        """Where it is to be brought, and whose phones are to ring."""
        deliver: Json = {"robotCode": self._setup.robot_code}
        if address.kind == "group":
            if people:
                deliver["atUserIds"] = dict(people)
            space = f"dtv1.card//IM_GROUP.{address.id}"
            return {"openSpaceId": space, "imGroupOpenDeliverModel": deliver}
        deliver["spaceType"] = "IM_ROBOT"
        space = f"dtv1.card//IM_ROBOT.{address.id}"
        return {"openSpaceId": space, "imRobotOpenDeliverModel": deliver}

    async def _post(self, outgoing: Outgoing, path: str, body: Json) -> list[Any]:
        """What became of it in each place. HTTP 200 says that there is a card; whether it was
        brought stands in the result.
        """
        audience: Audience = "group" if outgoing.address.kind == "group" else "person"
        told = await self._gate.through(
            audience, lambda: self._api.call("POST", path, body), can_wait=can_wait(outgoing)
        )
        result = told.get("result")
        found = result.get("deliverResults") if isinstance(result, dict) else result
        return found if isinstance(found, list) else []

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
            await self._gate.through(
                audience, lambda: self._api.call("PUT", CHANGE, body), can_wait=can_wait(outgoing)
            )
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
