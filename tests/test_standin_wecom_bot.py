"""The stand-in's callbacks to an aibot, and what it takes for an answer."""

from __future__ import annotations

from typing import Any

import pytest

from tests.platforms.wecom_bodies import event_body
from tests.platforms.wecom_callee import Callee
from tests.platforms.wecom_crypto import decrypt
from tests.platforms.wecom_model import Json, buttons, plain
from tests.platforms.wecom_tenant import CARD, NOTICE


@pytest.fixture
def callee() -> Callee:
    return Callee()


# ---- what the bot hears


def test_the_bot_hears_a_text(callee: Callee) -> None:
    request = callee.callbacks.bot_text("zhangsan", "签到", msgid="m1")
    assert (request.path, request.method) == ("/wecom/bot", "POST")
    body = callee.told(request)
    assert (body["msgid"], body["aibotid"]) == ("m1", callee.corp.bot_id)
    assert (body["chattype"], body["from"]["userid"]) == ("single", "ZhangSan")
    assert "chatid" not in body
    assert body["text"]["content"] == "签到"
    assert callee.corp.spoken == {"zhangsan"}
    code = body["response_url"].partition("response_code=")[2]
    found = callee.corp.take_response_url(code)
    assert found is not None
    assert (found.kind, found.to) == ("person", "zhangsan")


def test_the_bot_is_called_by_its_name_in_a_group(callee: Callee) -> None:
    chatid = callee.group.chatid
    quote = {"msgtype": "text", "text": {"content": "谁来"}}
    request = callee.callbacks.bot_text("lisi", "接单", chatid, quote, encrypted=True)
    body = callee.told(request)
    assert (body["chattype"], body["chatid"], body["quote"]) == ("group", chatid, quote)
    assert body["text"]["content"] == "@班长 接单"
    assert body["from"]["userid"] == callee.corp.members["lisi"].open_userid
    assert callee.group.heard
    assert callee.corp.spoken == set()
    body = callee.told(callee.callbacks.bot_text("lisi", "@别人", chatid, at=False))
    assert body["text"]["content"] == "@别人"


def test_the_bot_hears_all_the_rest(callee: Callee) -> None:
    make = callee.callbacks
    mixed = callee.told(make.bot_mixed("lisi", "看", callee.group.chatid))
    assert mixed["mixed"]["msg_item"][0]["text"]["content"] == "@班长 看"
    for msgtype in ("image", "voice", "file", "video"):
        assert msgtype in callee.told(make.bot_media("lisi", msgtype))
    entered = callee.told(make.bot_enter_chat("lisi", created_at=7))
    assert entered["event"] == {"eventtype": "enter_chat", "enter_chat": {}}
    assert (entered["create_time"], "response_url" in entered) == (7, False)
    assert callee.told(make.bot_feedback("lisi"))["event"]["feedback_event"]["type"] == 2
    assert "from" not in event_body(callee.corp, "disconnected_event")


@pytest.mark.parametrize(
    ("as_in_the_table", "names"),
    [
        (False, ("card_type", "event_key", "task_id")),
        (True, ("cardtype", "eventkey", "taskid")),
    ],
)
def test_the_bot_hears_of_a_pressed_button(
    callee: Callee, as_in_the_table: bool, names: tuple[str, ...]
) -> None:
    message = callee.card("bot", callee.group.chatid)
    request = callee.callbacks.bot_press(
        "lisi", message, "take", as_in_the_table=as_in_the_table, selected={"q": ["a"]}
    )
    body = callee.told(request)
    details = body["event"]["template_card_event"]
    assert [details[name] for name in names] == ["button_interaction", "take", "query-1"]
    assert details["selected_items"]["selected_item"][0]["question_key"] == "q"
    assert (body["chatid"], body["from"]["userid"]) == (callee.group.chatid, "lisi")


def test_the_bot_verifies_with_an_empty_receive_id(callee: Callee) -> None:
    request = callee.callbacks.verify("bot")
    echo = decrypt(callee.corp.bot_aes_key, request.query["echostr"], "")
    assert echo == request.origin.echo


# ---- what the bot answers


def stream(content: str, finish: bool, **more: Any) -> Json:
    return {
        "msgtype": "stream",
        "stream": {"id": "s1", "content": content, "finish": finish},
    } | more


def test_a_stream_grows_until_it_ends(callee: Callee) -> None:
    make, chatid = callee.callbacks, callee.group.chatid
    first = callee.bot_reply(make.bot_text("lisi", "查", chatid), stream("请", False))
    assert first is callee.corp.timeline[-1]
    assert (first.via, first.kind, first.to, plain(first)) == ("passive", "group", chatid, "请")
    second = callee.bot_reply(make.bot_stream("lisi", "s1", chatid), stream("请稍等", True))
    assert second is first
    assert plain(first) == "请稍等"
    with pytest.raises(AssertionError, match="ended"):
        callee.bot_reply(make.bot_stream("lisi", "s1", chatid), stream("又", True))


def test_a_stream_belongs_to_its_message(callee: Callee) -> None:
    make = callee.callbacks
    with pytest.raises(AssertionError, match="another one"):
        callee.bot_reply(make.bot_stream("lisi", "s1"), stream("一", True))
    callee.bot_reply(make.bot_text("lisi", "查"), stream("一", False))
    with pytest.raises(AssertionError, match="another message"):
        callee.bot_reply(make.bot_text("lisi", "查"), stream("二", False))


def test_the_bot_answers_with_a_card(callee: Callee) -> None:
    request = callee.callbacks.bot_text("lisi", "查")
    message = callee.bot_reply(request, {"msgtype": "template_card", "template_card": CARD})
    assert message is not None
    assert (message.task_id, buttons(message)) == ("query-1", [("接单", "take")])
    request = callee.callbacks.bot_text("lisi", "查")
    with pytest.raises(AssertionError, match="repeated"):
        callee.bot_reply(request, {"msgtype": "template_card", "template_card": CARD})
    both = stream("好", True, msgtype="stream_with_template_card", template_card=NOTICE)
    assert callee.bot_reply(request, both)
    assert [one.msgtype for one in callee.corp.timeline[-2:]] == ["stream", "template_card"]


def test_a_welcome_is_a_text_or_a_card(callee: Callee) -> None:
    request = callee.callbacks.bot_enter_chat("lisi")
    welcome = callee.bot_reply(request, {"msgtype": "text", "text": {"content": "你好"}})
    assert welcome is not None
    assert (welcome.to, plain(welcome)) == ("lisi", "你好")
    assert callee.bot_reply(request, {"msgtype": "template_card", "template_card": NOTICE})
    for wrong in (stream("一", True), {"msgtype": "text", "text": {}}):
        with pytest.raises(AssertionError):
            callee.bot_reply(request, wrong)


def test_a_pressed_button_changes_the_card_for_some_or_for_all(callee: Callee) -> None:
    message = callee.card("bot", callee.group.chatid)
    said = {"response_type": "update_template_card", "template_card": CARD | {"replace_text": "好"}}
    request = callee.callbacks.bot_press("lisi", message, "take")
    assert callee.bot_reply(request, said | {"userids": ["LISI"]}) is message
    assert (buttons(message, "lisi"), buttons(message, "zhangsan")) == ([], [("接单", "take")])
    request = callee.callbacks.bot_press("zhangsan", message, "take")
    callee.bot_reply(request, said)
    assert buttons(message, "zhangsan") == []
    request = callee.callbacks.bot_press("zhangsan", message, "take", anyway=True)
    for wrong in (stream("一", True), said | {"template_card": CARD | {"task_id": "other"}}):
        with pytest.raises(AssertionError):
            callee.bot_reply(request, wrong)


@pytest.mark.parametrize(
    "said",
    [
        "一",
        {"msgtype": "text", "text": {"content": "一"}},
        {"msgtype": "stream"},
        {"msgtype": "template_card"},
        {"msgtype": "stream", "stream": {"id": "s1", "content": 1}},
        {"msgtype": "stream", "stream": {"id": "s1", "content": "课" * 6827}},
        {"msgtype": "stream", "stream": {"id": "s1", "content": "一", "msg_item": []}},
    ],
    ids=str,
)
def test_what_the_bot_may_not_answer(callee: Callee, said: Any) -> None:
    with pytest.raises(AssertionError):
        callee.bot_reply(callee.callbacks.bot_text("lisi", "查"), said)
    with pytest.raises(AssertionError):
        callee.bot_reply(callee.callbacks.bot_feedback("lisi"), stream("一", True))
    assert callee.corp.timeline == []


@pytest.mark.parametrize(
    "change",
    [{"timestamp": "1700000000"}, {"nonce": "7"}, {"msgsignature": "0" * 40}, {"more": 1}],
    ids=str,
)
def test_what_the_bots_envelope_may_not_be(callee: Callee, change: Json) -> None:
    request = callee.callbacks.bot_text("lisi", "查")
    with pytest.raises(AssertionError):
        callee.bot_reply(request, stream("一", True), **change)
    with pytest.raises(AssertionError, match="no JSON"):
        callee.callbacks.read_passive(b"success", request)
    assert callee.callbacks.read_passive(b"", request) is None
