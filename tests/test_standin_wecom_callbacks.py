"""The stand-in's callbacks, read by wechatpy, and every answer that WeCom would not take."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import parse_qs, urlsplit

import pytest
from wechatpy.enterprise import create_reply
from wechatpy.enterprise.exceptions import InvalidCorpIdException
from wechatpy.exceptions import InvalidSignatureException

from tests.platforms.wecom_callbacks import OTHER_MESSAGES
from tests.platforms.wecom_callee import Callee
from tests.platforms.wecom_model import Json, buttons, plain


@pytest.fixture
def callee() -> Callee:
    return Callee()


# ---- what the app hears


def test_an_echo_is_read_by_wechatpy(callee: Callee) -> None:
    request = callee.callbacks.verify()
    assert (request.method, request.path, request.body) == ("GET", "/wecom/app", b"")
    query = parse_qs(urlsplit(request.target).query, strict_parsing=True)
    assert {name: found[0] for name, found in query.items()} == request.query
    asked = [request.query[n] for n in ("msg_signature", "timestamp", "nonce", "echostr")]
    assert callee.crypto.check_signature(*asked) == request.origin.echo


def test_every_message_is_read_by_wechatpy(callee: Callee) -> None:
    message = callee.heard(callee.callbacks.text("ZHANGSAN", "签到 ]]> <x>"))
    assert (message.source, message.type) == ("ZhangSan", "text")
    assert message.content == "签到 ]]> <x>"
    first = message.id
    assert callee.heard(callee.callbacks.text("zhangsan", "")).content is None
    assert callee.heard(callee.callbacks.image("nobody")).source == "nobody"
    for msgtype in OTHER_MESSAGES:
        message = callee.heard(callee.callbacks.other("lisi", msgtype))
        assert (message.type, message.agent) == (msgtype, callee.corp.agent_id)
        assert message.id > first


def test_every_event_is_read_by_wechatpy(callee: Callee) -> None:
    make = callee.callbacks
    heard = callee.heard(make.click("lisi", "checkin"))
    assert (heard.event, heard.key) == ("click", "checkin")
    assert callee.heard(make.view("lisi", "https://example.com/")).event == "view"
    assert callee.heard(make.enter_agent("lisi")).event == "enter_agent"
    assert callee.heard(make.subscribe("lisi")).event == "subscribe"
    assert callee.heard(make.unsubscribe("lisi")).event == "unsubscribe"
    assert callee.heard(make.location("lisi")).event == "location"
    assert "<![CDATA[LOCATION]]>" in callee.opened(make.location("lisi"))
    for request in (make.change_contact("update_user", "lisi"), make.unknown_event("lisi")):
        assert callee.heard(request).type == "unknown"
    assert callee.heard(make.change_contact("update_user", "lisi")).source == "sys"


def test_a_pressed_button_brings_a_code_of_its_own(callee: Callee) -> None:
    message = callee.card()
    request = callee.callbacks.press("zhangsan", message, "take", selected={"q": ["a"]})
    told = callee.heard(request)._data
    assert (told["Event"], told["EventKey"]) == ("template_card_event", "take")
    assert (told["TaskId"], told["CardType"]) == ("query-1", "button_interaction")
    assert told["SelectedItems"]["SelectedItem"]["OptionIds"]["OptionId"] == "a"
    assert callee.corp.take_response_code(told["ResponseCode"]) == [message]
    assert callee.corp.take_response_code(told["ResponseCode"]) == []
    again = callee.callbacks.press_in_menu("zhangsan", message, "more")
    assert callee.heard(again)._data["Event"] == "template_card_menu_event"


def test_nobody_presses_what_is_not_there(callee: Callee) -> None:
    message = callee.card()
    with pytest.raises(AssertionError, match="sees no such button"):
        callee.callbacks.press("zhangsan", message, "drop")
    late = callee.callbacks.press("zhangsan", message, "drop", anyway=True)
    assert callee.heard(late)._data["EventKey"] == "drop"


def test_knobs_make_it_wrong(callee: Callee) -> None:
    make = callee.callbacks
    for request in (
        make.text("lisi", "一", signature="0" * 40),
        make.text("lisi", "一", token="another"),
    ):
        with pytest.raises(InvalidSignatureException):
            callee.opened(request)
    with pytest.raises(InvalidCorpIdException):
        callee.opened(make.text("lisi", "一", receive_id="ww0"))
    with pytest.raises((ValueError, IndexError)):
        callee.opened(make.text("lisi", "一", aes_key=callee.corp.bot_aes_key))
    assert make.text("lisi", "一", raw_body=b"<").body == b"<"
    assert callee.opened(make.text("lisi", "一", raw_plaintext="<")) == "<"


def test_knobs_make_it_another(callee: Callee) -> None:
    request = callee.callbacks.text(
        "lisi", "一", timestamp=5, nonce="6", created_at=7, msgid="8", agent_id=9
    )
    assert (request.query["timestamp"], request.query["nonce"]) == ("5", "6")
    told = callee.heard(request)._data
    assert [told[name] for name in ("CreateTime", "MsgId", "AgentID")] == ["7", "8", "9"]
    assert callee.callbacks.again(request) == request


# ---- what the app answers


def test_what_wechatpy_answers_is_shown(callee: Callee) -> None:
    request = callee.callbacks.text("zhangsan", "签到")
    reply = create_reply("已签到 <&>", callee.heard(request))
    answer = callee.crypto.encrypt_message(reply, request.query["nonce"])
    message = callee.callbacks.read_passive(answer.encode(), request)
    assert message is callee.corp.timeline[-1]
    assert (message.via, message.to, plain(message)) == ("passive", "zhangsan", "已签到 <&>")


def test_an_empty_answer_says_nothing(callee: Callee) -> None:
    request = callee.callbacks.text("zhangsan", "签到")
    assert callee.callbacks.read_passive(b"", request) is None
    assert callee.corp.timeline == []


def test_a_pressed_button_is_answered_with_a_grey_one(callee: Callee) -> None:
    message = callee.card()
    request = callee.callbacks.press("zhangsan", message, "take")
    inner = callee.update("update_button", Button={"ReplaceName": "已接单"})
    assert callee.reply(request, inner) is message
    assert message.body["replace_text"] == "已接单"
    assert buttons(message) == []


def test_a_pressed_button_is_answered_with_another_card(callee: Callee) -> None:
    message = callee.card()
    request = callee.callbacks.press("zhangsan", message, "take")
    card = {
        "CardType": "button_interaction",
        "MainTitle": {"Title": "求助", "Desc": "李四接单"},
        "SubTitleText": "学生没到",
        "HorizontalContentList": [{"KeyName": "班级", "Value": "三班"}],
        "ButtonList": [{"Text": "完成", "Style": 1, "Key": "done"}],
        "ReplaceText": "",
    }
    assert callee.reply(request, callee.update("update_template_card", TemplateCard=card))
    assert plain(message) == "求助\n李四接单\n学生没到\n班级 三班"
    assert buttons(message) == [("完成", "done")]
    assert message.changed > message.number


WRONG_REPLIES: dict[str, Callable[[Callee], str]] = {
    "no XML": lambda callee: "成功",
    "another root": lambda callee: "<x/>",
    "too long": lambda callee: callee.text("课" * 683),
    "empty": lambda callee: callee.text(""),
    "for another": lambda callee: callee.text("一", ToUserName="lisi"),
    "from another": lambda callee: callee.text("一", FromUserName="ww0"),
    "no time": lambda callee: callee.text("一", CreateTime="now"),
    "no known type": lambda callee: callee.text("一", MsgType="markdown"),
    "more than a text": lambda callee: callee.text("一", Extra="二"),
    "injected": lambda callee: callee.text("一").replace("一", "]]></Content><Content><![CDATA["),
    "an element inside": lambda callee: callee.text("一", Content={"b": "一"}),
    "no card here": lambda callee: callee.update("update_button", Button={"ReplaceName": "一"}),
}


@pytest.mark.parametrize("case", WRONG_REPLIES, ids=str)
def test_a_wrong_answer_is_not_taken(callee: Callee, case: str) -> None:
    request = callee.callbacks.text("zhangsan", "签到")
    with pytest.raises(AssertionError):
        callee.reply(request, WRONG_REPLIES[case](callee))
    assert callee.corp.timeline == []


@pytest.mark.parametrize(
    "change",
    [{"MsgSignature": "0" * 40}, {"TimeStamp": "now"}, {"Encrypt": "A" * 64}, {"More": "一"}],
    ids=str,
)
def test_a_wrong_envelope_is_not_taken(callee: Callee, change: Json) -> None:
    request = callee.callbacks.text("zhangsan", "签到")
    with pytest.raises(AssertionError):
        callee.reply(request, callee.text("一"), **change)
    with pytest.raises(AssertionError):
        callee.callbacks.read_passive(b"success", request)


def test_wechatpy_lets_people_break_out_of_its_answer(callee: Callee) -> None:
    request = callee.callbacks.text("zhangsan", "]]></Content><Content><![CDATA[一")
    reply = create_reply("", callee.heard(request))
    reply.content = callee.heard(request).content
    answer = callee.crypto.encrypt_message(reply, request.query["nonce"])
    with pytest.raises(AssertionError, match="twice"):
        callee.callbacks.read_passive(answer.encode(), request)


def test_not_everything_is_answered_with_a_text(callee: Callee) -> None:
    make, message = callee.callbacks, callee.card()
    for request in (make.press("zhangsan", message, "take"), make.unsubscribe("zhangsan")):
        with pytest.raises(AssertionError, match="not answered with a text"):
            callee.reply(request, callee.text("一"))
    assert callee.reply(make.click("zhangsan", "checkin"), callee.text("一"))


def test_a_wrong_card_is_no_answer(callee: Callee) -> None:
    request = callee.callbacks.press("zhangsan", callee.card(), "take")
    inner = callee.update("update_template_card", TemplateCard={"CardType": "text_notice"})
    with pytest.raises(AssertionError, match="would not take"):
        callee.reply(request, inner)
    twice = {"CardType": ["text_notice", "text_notice"]}
    with pytest.raises(AssertionError, match="twice"):
        callee.reply(request, callee.update("update_template_card", TemplateCard=twice))
    with pytest.raises(AssertionError, match="ReplaceName"):
        callee.reply(request, callee.update("update_button", Button={"ReplaceName": ""}))
