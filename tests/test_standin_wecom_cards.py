"""Which template cards the stand-in takes, and how they change."""

from __future__ import annotations

from typing import Any

import pytest

from tests.platforms.wecom_cards import overlong
from tests.platforms.wecom_model import Json, buttons, plain
from tests.platforms.wecom_tenant import CARD, NEWS, NOTICE, Tenant


@pytest.fixture
def tenant() -> Tenant:
    return Tenant()


# ---- cards


def test_a_card_is_shown_and_can_be_pressed(tenant: Tenant) -> None:
    answer = tenant.send("template_card", CARD)
    message = tenant.corp.timeline[-1]
    assert plain(message) == "求助\n张三\n学生没到\n班级 三班"
    assert buttons(message) == [("接单", "take")]
    assert answer["response_code"] == message.response_code
    assert message.task_id == "query-1"


def test_notices_come_without_a_code(tenant: Tenant) -> None:
    for card in (NOTICE, NEWS):
        answer = tenant.send("template_card", card)
        assert answer["errcode"] == 0
        assert "response_code" not in answer
    menu = {"desc": "", "action_list": [{"text": "不再提醒", "key": "mute"}]}
    answer = tenant.send("template_card", NOTICE | {"action_menu": menu})
    assert answer["errcode"] == 42014
    answer = tenant.send("template_card", NOTICE | {"action_menu": menu, "task_id": "n1"})
    assert answer["response_code"]


def button(**more: Any) -> Json:
    return {"text": "接单", "key": "take"} | more


WRONG_CARDS: dict[str, tuple[Json, int]] = {
    "no kind": ({"card_type": "button"}, 40058),
    "no title": ({"main_title": {}}, 40058),
    "no task": ({"task_id": None}, 42014),
    "a task with a colon": ({"task_id": "query:1"}, 42014),
    "a task too long": ({"task_id": "q" * 129}, 42014),
    "no buttons": ({"button_list": []}, 40058),
    "seven buttons": ({"button_list": [button(key=str(n)) for n in range(7)]}, 40058),
    "a button without a key": ({"button_list": [button(key="")]}, 42019),
    "a button without a text": ({"button_list": [button(text="")]}, 42020),
    "a key too long": ({"button_list": [button(key="课" * 342)]}, 42018),
    "a key twice": ({"button_list": [button(), button()]}, 42018),
    "a link without an address": ({"button_list": [button(type=1)]}, 40058),
    "seven rows": ({"horizontal_content_list": [{"keyname": "一"}] * 7}, 40058),
    "a row without a name": ({"horizontal_content_list": [{"value": "一"}]}, 40058),
    "a row that goes nowhere": ({"horizontal_content_list": [{"keyname": "一", "type": 1}]}, 40058),
    "rows that are none": ({"horizontal_content_list": "一"}, 40058),
    "four ways on": ({"jump_list": [{"title": "一"}] * 4}, 40058),
    "an empty menu": ({"action_menu": {"action_list": []}}, 40058),
    "a menu without keys": ({"action_menu": {"action_list": [{"text": "一"}]}}, 40058),
}


@pytest.mark.parametrize("case", WRONG_CARDS, ids=str)
def test_a_wrong_card_is_refused(tenant: Tenant, case: str) -> None:
    change, errcode = WRONG_CARDS[case]
    assert tenant.send("template_card", CARD | change)["errcode"] == errcode
    assert tenant.corp.timeline == []


@pytest.mark.parametrize(
    "card",
    [
        {},
        NOTICE | {"main_title": {}},
        NOTICE | {"card_action": {}},
        NOTICE | {"card_action": {"type": 2}},
        NEWS | {"card_image": {}},
        {"card_type": "vote_interaction", "task_id": "v"},
        {"card_type": "vote_interaction", "submit_button": {"text": "好", "key": "k"}},
        {"card_type": "multiple_interaction", "submit_button": {"text": "好", "key": "k"}},
    ],
)
def test_other_wrong_cards_are_refused(tenant: Tenant, card: Json) -> None:
    assert tenant.send("template_card", card)["errcode"] == 40058


def test_a_key_may_have_1024_bytes(tenant: Tenant) -> None:
    card = CARD | {"button_list": [button(key="k" * 1024, text="这个按钮的字数超过十个")]}
    assert tenant.send("template_card", card)["errcode"] == 0
    assert overlong(card) == ["text: 这个按钮的字数超过十个"]
    assert overlong(CARD) == []


def test_a_task_is_only_once(tenant: Tenant) -> None:
    assert tenant.send("template_card", CARD)["errcode"] == 0
    assert tenant.send("template_card", CARD)["errcode"] == 42014
    assert tenant.send("template_card", CARD | {"task_id": "query-2"})["errcode"] == 0


def test_cards_that_call_back_need_an_address(tenant: Tenant) -> None:
    tenant.api.messages.has_callback_url = False
    assert tenant.send("template_card", CARD)["errcode"] == 43012
    assert tenant.send("template_card", NOTICE)["errcode"] == 0


def test_a_cards_buttons_become_grey_once(tenant: Tenant) -> None:
    code = tenant.send("template_card", CARD)["response_code"]
    message = tenant.corp.timeline[-1]
    assert tenant.update(code, button={"replace_name": "已接单"})["errcode"] == 0
    assert message.body["replace_text"] == "已接单"
    assert buttons(message) == []
    assert message.changed == message.number + 1
    assert tenant.update(code, button={"replace_name": "再来"})["errcode"] == 42022


def test_a_card_becomes_another_one(tenant: Tenant) -> None:
    code = tenant.send("template_card", CARD, to="zhangsan|lisi")["response_code"]
    one = {"atall": 0, "userids": ["LISI", "nobody"], "template_card": NOTICE}
    assert tenant.update(code, **one)["invaliduser"] == ["nobody"]
    assert [plain(message).splitlines()[0] for message in tenant.corp.timeline] == [
        "求助",
        "今天的课",
    ]


def test_what_cannot_be_changed(tenant: Tenant) -> None:
    code = tenant.send("template_card", CARD)["response_code"]
    assert tenant.update("x", template_card=NOTICE)["errcode"] == 40058
    assert tenant.update(code)["errcode"] == 40058
    assert tenant.update(code, template_card=NOTICE, atall=0)["errcode"] == 82001
    assert tenant.update(code, template_card={"card_type": "?"})["errcode"] == 40058
    assert tenant.update(code, template_card=NOTICE, agentid=1)["errcode"] == 301002
    tenant.corp.advance(72 * 3600 + 1)
    tenant.token = tenant.ask_token()["access_token"]
    assert tenant.update(code, template_card=NOTICE)["errcode"] == 40058


def test_a_message_is_recalled_within_a_day(tenant: Tenant) -> None:
    first, second = tenant.say("一"), tenant.say("二")
    assert tenant.post("message/recall", {"msgid": first["msgid"]})["errcode"] == 0
    assert [plain(message) for message in tenant.corp.messages("ZhangSan")] == ["二"]
    assert tenant.post("message/recall", {"msgid": "x"})["errcode"] == 40058
    tenant.corp.advance(86401)
    tenant.token = tenant.ask_token()["access_token"]
    assert tenant.post("message/recall", {"msgid": second["msgid"]})["errcode"] == 40058
