"""Interactive cards of the stand-in: delivered, refused, changed and pressed."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.platforms.dingtalk_api import CARDS, CREATE_AND_DELIVER, DELIVER, Api
from tests.platforms.dingtalk_gateway import CARD, Gateway
from tests.platforms.dingtalk_messages import MISSING, press_payload
from tests.platforms.dingtalk_model import Json, buttons, shown
from tests.platforms.dingtalk_tenant import VARIABLES, Tenant


@pytest.fixture
def tenant() -> Tenant:
    return Tenant()


# ---- delivering


def test_a_card_to_a_person_shows_its_variables_and_buttons(tenant: Tenant) -> None:
    status, body = tenant.card("lisi")
    assert status == 200
    (delivered,) = body["result"]["deliverResults"]
    assert delivered["success"] is True
    assert (delivered["spaceType"], delivered["spaceId"]) == ("IM_ROBOT", "lisi")
    assert body["result"]["outTrackId"] == "card-1"
    (message,) = tenant.org.messages("lisi")
    assert (message.via, message.kind, message.out_track_id) == ("card", "person", "card-1")
    assert shown(message) == "求助\n学生没到\n接单"
    assert buttons(message) == [("接单", '{"command":"take"}')]


def test_a_card_to_a_group_mentions_who_is_in_it(tenant: Tenant) -> None:
    robot = {"robotCode": tenant.org.robot_code}
    at = {"lisi": "李四", "nobody": "谁", tenant.guest: "王五"}
    model = robot | {"atUserIds": at}
    assert tenant.card(tenant.group.id, imGroupOpenDeliverModel=model)[0] == 200
    everybody = robot | {"atUserIds": {"@ALL": "@ALL"}}
    tenant.card(tenant.group.id, "card-2", imGroupOpenDeliverModel=everybody)
    first, second = tenant.org.messages(tenant.group.id)
    assert first.at_users == ("lisi",)
    assert second.at_users == ("zhangsan", "lisi")


@pytest.mark.parametrize(
    ("other", "code"),
    [
        ({"cardTemplateId": None}, "param.cardTemplateIdEmpty"),
        ({"cardTemplateId": "other.schema"}, "param.templateNotExist"),
        ({"outTrackId": None}, "param.outTrackIdEmpty"),
        ({"cardData": None}, "param.cardPublicDataEmpty"),
        ({"cardData": {}}, "param.cardPublicDataEmpty"),
        ({"cardData": {"cardParamMap": {"title": 1}}}, "param.invalid"),
        ({"cardData": {"cardParamMap": {"title": None}}}, "param.invalid"),
        ({"cardData": {"cardParamMap": {"ok": True}}}, "param.invalid"),
        ({"callbackType": "SMOKE"}, "param.invalid"),
        ({"callbackType": "HTTP"}, "param.invalid"),
        ({"userIdType": 3}, "param.invalid"),
        ({"openSpaceId": None}, "param.openSpaceIdEmpty"),
        ({"openSpaceId": "IM_ROBOT.lisi"}, "param.openSpaceIdInvalid"),
        ({"openSpaceId": "dtv1.card//lisi"}, "param.openSpaceIdInvalid"),
        ({"openSpaceId": "dtv1.card//IM_ROBOT."}, "param.openSpaceIdInvalid"),
        ({"imRobotOpenSpaceModel": None}, "param.openSpaceModelInvalid"),
        (
            {"imRobotOpenSpaceModel": {"lastMessageI18n": {"ZH_CN": 1}}},
            "param.openSpaceModelInvalid",
        ),
        ({"imRobotOpenDeliverModel": None}, "param.openDeliverModelEmpty"),
        ({"imRobotOpenDeliverModel": {}}, "param.openDeliverModelError"),
        (
            {"imRobotOpenDeliverModel": {"spaceType": "IM_ROBOT", "robotCode": "x"}},
            "param.openDeliverModelError",
        ),
    ],
)
def test_what_is_no_card(tenant: Tenant, other: Json, code: str) -> None:
    status, body = tenant.card("lisi", **other)
    assert (status, body["code"], body["message"]) == (400, code, code)
    assert tenant.org.timeline == []
    assert tenant.org.cards == {}


@pytest.mark.parametrize("model", [{}, {"robotCode": "x"}, {"atUserIds": ["lisi"]}])
def test_a_group_wants_the_robot_named(tenant: Tenant, model: Json) -> None:
    status, body = tenant.card(tenant.group.id, imGroupOpenDeliverModel=model)
    assert (status, body["code"]) == (400, "param.openDeliverModelError")


def test_a_template_must_be_published(tenant: Tenant) -> None:
    tenant.api.cards.is_published = False
    assert tenant.card()[1]["code"] == "param.templateUnpublished"


def test_one_name_is_one_card(tenant: Tenant) -> None:
    assert tenant.card("lisi")[0] == 200
    status, body = tenant.card("lisi")
    assert (status, body["code"]) == (400, "param.cardAlreadyExist")
    assert len(tenant.org.timeline) == 1
    assert tenant.org.cards["card-1"].variables == VARIABLES


def test_success_may_be_delivered_to_nobody(tenant: Tenant) -> None:
    elsewhere = tenant.org.add_group("家长群", bot=False)
    for number, place in enumerate(("nobody", tenant.guest, elsewhere.id, "cidx==")):
        status, body = tenant.card(place, f"card-{number}")
        assert (status, body["success"]) == (200, True)
        (result,) = body["result"]["deliverResults"]
        assert result["success"] is False
        assert result["errorMsg"]
    tenant.api.fail(CREATE_AND_DELIVER, undelivered="SYSTEM_ERROR")
    (result,) = tenant.card("lisi", "card-9")[1]["result"]["deliverResults"]
    assert result["errorMsg"] == "SYSTEM_ERROR"
    assert tenant.org.timeline == []
    # It exists all the same.
    assert tenant.card("lisi", "card-9")[1]["code"] == "param.cardAlreadyExist"


def test_created_first_and_delivered_then(tenant: Tenant) -> None:
    body: Json = {"cardTemplateId": tenant.org.template_id, "outTrackId": "card-1"}
    made = body | {"cardData": {"cardParamMap": VARIABLES}}
    assert tenant.post(CARDS, made) == (200, {"success": True, "result": "card-1"})
    assert tenant.org.timeline == []
    there = {
        "openSpaceId": f"dtv1.card//im_robot.lisi;im_group.{tenant.group.id}",
        "imRobotOpenDeliverModel": {"spaceType": "IM_ROBOT"},
        "imGroupOpenDeliverModel": {"robotCode": tenant.org.robot_code},
    }
    assert tenant.post(DELIVER, there)[1]["code"] == "param.outTrackIdEmpty"
    assert tenant.post(DELIVER, there | {"outTrackId": "x"})[1]["code"] == "param.cardNotExist"
    status, told = tenant.post(DELIVER, there | {"outTrackId": "card-1"})
    assert (status, [one["success"] for one in told["result"]]) == (200, [True, True])
    assert [one.to for one in tenant.org.timeline] == ["lisi", tenant.group.id]


# ---- changing


def test_a_change_replaces_all_that_is_not_kept_by_key(tenant: Tenant) -> None:
    tenant.card("lisi")
    (message,) = tenant.org.messages("lisi")
    by_key = {"updateCardDataByKey": True}
    data: Json = {"cardData": {"cardParamMap": {"title": "已接单"}}}
    assert tenant.change(**data, cardUpdateOptions=by_key)[0] == 200
    assert shown(message) == "已接单\n学生没到\n接单"
    assert message.changed > message.number
    assert tenant.change(**data) == (200, {"success": True, "result": True})
    assert shown(message) == "已接单"
    assert buttons(message) == []
    assert len(tenant.org.timeline) == 1


def test_a_change_that_is_none(tenant: Tenant) -> None:
    tenant.card("lisi")
    data: Json = {"cardData": {"cardParamMap": {"title": "已接单"}}}
    for name, other, code in (
        ("", data, "param.outTrackIdEmpty"),
        ("other", data, "param.cardNotExist"),
        ("card-1", {}, "param.cardPublicDataEmpty"),
        ("card-1", {"cardData": {"cardParamMap": {"n": 1}}}, "param.invalid"),
        ("card-1", data | {"privateData": []}, "param.invalid"),
    ):
        status, body = tenant.change(name, **other)
        assert (status, body["code"]) == (400, code)
    assert shown(tenant.org.timeline[0]) == "求助\n学生没到\n接单"


def test_one_reader_may_see_something_else(tenant: Tenant) -> None:
    tenant.card(tenant.group.id)
    private = {"lisi": {"cardParamMap": {"button1": ""}}}
    options = {"updateCardDataByKey": True, "updatePrivateDataByKey": True}
    assert tenant.change(privateData=private, cardUpdateOptions=options)[0] == 200
    (message,) = tenant.org.messages(tenant.group.id)
    assert buttons(message, "lisi") == []
    assert len(buttons(message, "zhangsan")) == 1


# ---- pressing


def test_what_the_bot_is_told_of_a_press(tenant: Tenant) -> None:
    tenant.card(tenant.group.id)
    (message,) = tenant.org.messages(tenant.group.id)
    ((_, carried),) = buttons(message)
    told = press_payload(tenant.org, "lisi", message, carried)
    assert told["type"] == "actionCallback"
    assert (told["outTrackId"], told["userId"]) == ("card-1", "lisi")
    assert told["corpId"] == tenant.org.corp_id
    assert told["spaceId"] == f"dtv1.card//IM_GROUP.{tenant.group.id}"
    private = json.loads(told["content"])["cardPrivateData"]
    assert private == {"actionIds": ["press1"], "params": {"press": carried}}
    assert json.loads(told["extension"]) == {}
    bare = press_payload(tenant.org, "lisi", message, carried, as_text=False, spaced=False)
    assert "spaceId" not in bare
    assert bare["content"]["cardPrivateData"] == private
    assert "userId" not in press_payload(
        tenant.org, "lisi", message, carried, anyway=True, userId=MISSING
    )


def test_nobody_presses_what_is_not_there(tenant: Tenant) -> None:
    tenant.card("lisi")
    (message,) = tenant.org.messages("lisi")
    with pytest.raises(AssertionError, match="sees no such button"):
        press_payload(tenant.org, "lisi", message, "x")
    assert press_payload(tenant.org, "lisi", message, "x", anyway=True)


def test_the_answer_to_a_press_changes_the_card(tenant: Tenant) -> None:
    tenant.card("lisi")
    (message,) = tenant.org.messages("lisi")
    tenant.api.cards.answered(message, {})
    assert message.changed > 0
    assert shown(message) == "求助\n学生没到\n接单"
    response: dict[str, Any] = {
        "cardUpdateOptions": {"updateCardDataByKey": True},
        "cardData": {"cardParamMap": {"button1": ""}},
    }
    tenant.api.cards.answered(message, response)
    assert shown(message) == "求助\n学生没到"


def test_a_change_while_a_press_waits_is_too_early(tenant: Tenant) -> None:
    gateway = Gateway(tenant.org)
    tenant.api = Api(tenant.org, gateway)
    tenant.token = tenant.ask_token()[1]["accessToken"]
    tenant.card("lisi")
    data: Json = {"cardData": {"cardParamMap": {"title": "已接单"}}}
    tenant.change(**data)
    assert tenant.api.cards.too_early == []
    (message,) = tenant.org.messages("lisi")
    gateway.push(CARD, press_payload(tenant.org, "lisi", message, "x", anyway=True))
    assert tenant.change(**data)[0] == 200
    assert tenant.api.cards.too_early == ["card-1"]


def test_cards_are_counted(tenant: Tenant) -> None:
    before = tenant.api.metered
    tenant.card("lisi")
    tenant.change(cardData={"cardParamMap": {"title": "已接单"}})
    assert tenant.api.metered == before + 2
