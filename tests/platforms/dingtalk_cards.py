"""Interactive cards: created from a template, delivered to a chat, changed by their outTrackId.

https://open.dingtalk.com/document/orgapp/create-and-deliver-cards
https://open.dingtalk.com/document/orgapp/interface-for-creating-a-card-instance
https://open.dingtalk.com/document/orgapp/delivery-card-interface
https://open.dingtalk.com/document/orgapp/interactive-card-update-interface
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.platforms.dingtalk_faults import Partly
from tests.platforms.dingtalk_model import Card, Json, Kind, Message, Org
from tests.platforms.dingtalk_refusals import Refusal

SPACE = re.compile(r"(IM_GROUP|IM_ROBOT)\.(.+)", re.IGNORECASE)
SCHEME = "dtv1.card//"
MODELS = {"IM_GROUP": "imGroupOpen", "IM_ROBOT": "imRobotOpen"}
KINDS: dict[str, Kind] = {"IM_GROUP": "group", "IM_ROBOT": "person"}


@dataclass(frozen=True)
class Space:
    type: str  # "IM_GROUP" or "IM_ROBOT"
    id: str


class Cards:
    def __init__(self, org: Org) -> None:
        self.org = org
        self.is_published = True
        """False: somebody saved the template and forgot to publish it."""
        self.is_pressed: Callable[[str], bool] = lambda _out_track_id: False
        """Whether a press on this card waits for its answer."""
        self.too_early: list[str] = []
        """Cards that were updated meanwhile, which the bot must not do."""

    # ---- what the API can

    def create_and_deliver(self, body: Json, partly: Partly) -> Json:
        """The answer is a success though nobody got it: each space has its own result."""
        spaces = _spaces(body)
        self._check_models(body, spaces)
        self._check_deliveries(body, spaces)
        card = self._create(body)
        results = [self._deliver(card, space, body, partly) for space in spaces]
        return _success({"outTrackId": card.out_track_id, "deliverResults": results})

    def create(self, body: Json, partly: Partly) -> Json:
        return _success(self._create(body).out_track_id)

    def deliver(self, body: Json, partly: Partly) -> Json:
        card = self._known(body)
        spaces = _spaces(body)
        self._check_deliveries(body, spaces)
        return _success([self._deliver(card, space, body, partly) for space in spaces])

    def update(self, body: Json, partly: Partly) -> Json:
        """What is not said to be changed by key replaces all that there was."""
        card = self._known(body)
        data, private = body.get("cardData"), body.get("privateData")
        if data is None and private is None:
            raise Refusal("param.cardPublicDataEmpty")
        options = body.get("cardUpdateOptions") or {}
        self._check_user_id_type(body)
        if self.is_pressed(card.out_track_id):
            self.too_early.append(card.out_track_id)
        self._change(card, data, private, options)
        return _success(True)

    def answered(self, pressed: Message, response: Json) -> None:
        """The bot's acknowledgement of a press changes the card at once: its "response" object.

        https://open.dingtalk.com/document/orgapp/event-callback-card
        """
        card = self.org.cards[pressed.out_track_id or ""]
        options = response.get("cardUpdateOptions") or {}
        # Of whoever pressed; which variables are private is the template's to say, and ours has
        # none.
        self._change(card, response.get("cardData"), None, options)

    # ---- creating and changing

    def _create(self, body: Json) -> Card:
        template_id, out_track_id = body.get("cardTemplateId"), body.get("outTrackId")
        if not template_id:
            raise Refusal("param.cardTemplateIdEmpty")
        if not isinstance(out_track_id, str) or not out_track_id:
            raise Refusal("param.outTrackIdEmpty")
        if template_id != self.org.template_id:
            raise Refusal("param.templateNotExist")
        if not self.is_published:
            raise Refusal("param.templateUnpublished")
        if body.get("cardData") is None:
            raise Refusal("param.cardPublicDataEmpty")
        callback = body.get("callbackType", "STREAM")
        if callback not in ("STREAM", "HTTP"):
            raise Refusal("param.invalid")
        if callback == "HTTP" and not body.get("callbackRouteKey"):
            raise Refusal("param.invalid")
        self._check_user_id_type(body)
        if out_track_id in self.org.cards:
            raise Refusal("param.cardAlreadyExist")
        card = Card(out_track_id, template_id, callback, _variables(body["cardData"]))
        card.private = _private(body.get("privateData"))
        self.org.cards[out_track_id] = card
        return card

    def _known(self, body: Json) -> Card:
        out_track_id = body.get("outTrackId")
        if not out_track_id:
            raise Refusal("param.outTrackIdEmpty")
        card = self.org.cards.get(out_track_id)
        if card is None:
            raise Refusal("param.cardNotExist")
        return card

    def _change(self, card: Card, data: Any, private: Any, options: Json) -> None:
        if data is not None:
            kept = card.variables if options.get("updateCardDataByKey") else {}
            card.variables = kept | _variables(data)
        for reader, own in _private(private).items():
            kept = card.private.get(reader, {}) if options.get("updatePrivateDataByKey") else {}
            card.private[reader] = kept | own
        for message in card.messages:
            message.variables, message.private = dict(card.variables), dict(card.private)
            self.org.touch(message)

    # ---- delivering

    def _deliver(self, card: Card, space: Space, body: Json, partly: Partly) -> Json:
        error = partly.undelivered or self._hindrance(space)
        result: Json = {"spaceType": space.type, "spaceId": space.id}
        if error:
            return result | {"success": False, "carrierId": "", "errorMsg": error}
        how = body[f"{MODELS[space.type]}DeliverModel"]
        message = self.org.show(
            space.id,
            via="card",
            msgtype="card",
            body=how,
            at_users=self._called(space, how),
            process_query_key=self.org.new_id("", 42) + "==",
        )
        message.out_track_id = card.out_track_id
        message.variables, message.private = dict(card.variables), dict(card.private)
        message.recipients = tuple(how.get("recipients") or ())
        card.messages.append(message)
        return result | {"success": True, "carrierId": message.process_query_key, "errorMsg": ""}

    def _hindrance(self, space: Space) -> str:
        """Why it does not arrive; the words are a guess."""
        if space.type == "IM_ROBOT":
            return "" if space.id in self.org.members else "userId not exist"
        group = self.org.groups.get(space.id)
        if group is None:
            return "conversation not exist"
        return "" if group.bot else "robot not in conversation"

    def _called(self, space: Space, how: Json) -> tuple[str, ...]:
        """Whose phone rings: the only way to mention somebody without being asked first."""
        named = how.get("atUserIds") or {}
        group = self.org.groups.get(space.id)
        if group is None:
            return ()
        inside = [one for one in group.members if one in self.org.members]
        return tuple(one for one in inside if "@ALL" in named or one in named)

    # ---- checks

    def _check_models(self, body: Json, spaces: list[Space]) -> None:
        for space in spaces:
            model = body.get(f"{MODELS[space.type]}SpaceModel")
            if not isinstance(model, dict):
                raise Refusal("param.openSpaceModelInvalid")
            last = model.get("lastMessageI18n", {})
            if not isinstance(last, dict) or not _all_text(last):
                raise Refusal("param.openSpaceModelInvalid")

    def _check_deliveries(self, body: Json, spaces: list[Space]) -> None:
        for space in spaces:
            model = body.get(f"{MODELS[space.type]}DeliverModel")
            if model is None:
                raise Refusal("param.openDeliverModelEmpty")
            if not isinstance(model, dict) or not self._is_delivery(space, model):
                raise Refusal("param.openDeliverModelError")

    def _is_delivery(self, space: Space, model: Json) -> bool:
        at = model.get("atUserIds") or {}
        if not isinstance(at, dict) or not _all_text(at):
            return False
        if space.type == "IM_ROBOT":
            # The vendor's own client leaves the robotCode out here.
            robot_code = model.get("robotCode", self.org.robot_code)
            return model.get("spaceType") == "IM_ROBOT" and robot_code == self.org.robot_code
        return bool(model.get("robotCode") == self.org.robot_code)

    def _check_user_id_type(self, body: Json) -> None:
        if body.get("userIdType", 1) not in (1, 2):
            raise Refusal("param.invalid")


def _spaces(body: Json) -> list[Space]:
    """dtv1.card//IM_GROUP.{openConversationId}, several of them behind one scheme by ";"."""
    named = body.get("openSpaceId")
    if not named:
        raise Refusal("param.openSpaceIdEmpty")
    if not isinstance(named, str) or not named.startswith(SCHEME):
        raise Refusal("param.openSpaceIdInvalid")
    found = [SPACE.fullmatch(one) for one in named.removeprefix(SCHEME).split(";")]
    spaces = [Space(one[1].upper(), one[2]) for one in found if one is not None]
    if len(spaces) < len(found):
        raise Refusal("param.openSpaceIdInvalid")
    return spaces


def _variables(data: Any) -> dict[str, str]:
    """Each value is a string, whatever the template makes of it."""
    variables = data.get("cardParamMap") if isinstance(data, dict) else None
    if not isinstance(variables, dict):
        raise Refusal("param.cardPublicDataEmpty")
    if not _all_text(variables):
        raise Refusal("param.invalid")
    return dict(variables)


def _private(data: Any) -> dict[str, dict[str, str]]:
    if data is None:
        return {}
    if not isinstance(data, dict):
        raise Refusal("param.invalid")
    return {reader: _variables(own) for reader, own in data.items()}


def _all_text(values: dict[Any, Any]) -> bool:
    return all(isinstance(value, str) for pair in values.items() for value in pair)


def _success(result: Any) -> Json:
    return {"success": True, "result": result}
