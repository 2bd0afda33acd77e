"""Where robots of the stand-in write without a token: session webhooks and custom robots."""

from __future__ import annotations

from typing import Any

import pytest

from tests.platforms.dingtalk_model import shown
from tests.platforms.dingtalk_tenant import Tenant, markdown, text
from tests.platforms.dingtalk_webhooks import signed


@pytest.fixture
def tenant() -> Tenant:
    return Tenant()


# ---- session webhooks


def test_an_answer_goes_where_the_message_came_from(tenant: Tenant) -> None:
    url = tenant.org.session_url("lisi")
    assert url.startswith("https://oapi.dingtalk.com/robot/sendBySession?session=")
    assert tenant.hook(url, text("好的")) == {"errcode": 0, "errmsg": "ok"}
    assert tenant.hook(url, markdown("# 好")) == {"errcode": 0, "errmsg": "ok"}
    assert [shown(one) for one in tenant.org.messages("lisi")] == ["好的", "好"]
    assert tenant.org.session_of(url).uses == 2
    assert tenant.api.metered == 0
    assert tenant.hook(tenant.org.session_url(tenant.guest), text("您好"))["errcode"] == 0
    assert tenant.org.last(tenant.guest) == "您好"


def test_a_session_webhook_dies_after_an_hour_and_a_half(tenant: Tenant) -> None:
    url = tenant.org.session_url("lisi")
    tenant.org.advance(5399)
    assert tenant.hook(url, text("一"))["errcode"] == 0
    tenant.org.advance(2)
    assert tenant.hook(url, text("二")) == {"errcode": 300001, "errmsg": "session 不存在"}
    assert tenant.hook(url[:-1] + "x", text("三"))["errcode"] == 300001
    assert len(tenant.org.timeline) == 1


def test_only_who_stands_in_the_text_is_mentioned(tenant: Tenant) -> None:
    url = tenant.org.session_url(tenant.group.id)
    for said, rings in (
        (markdown("@lisi 来", "lisi", "zhangsan"), ("lisi",)),
        (text("@lisi来", "lisi"), ("lisi",)),
        (markdown("@李四 来", "lisi"), ()),
        (text("来", "lisi"), ()),
        (text("@lisi2 来", "lisi"), ()),
        (text("@lisi 来"), ()),
        (text(f"@{tenant.guest} 来", tenant.guest), ()),
    ):
        assert tenant.hook(url, said)["errcode"] == 0
        assert tenant.org.messages(tenant.group.id)[-1].at_users == rings
    first, *_ = tenant.org.messages(tenant.group.id)
    assert shown(first) == "@李四 来"


@pytest.mark.parametrize(
    ("body", "errcode"),
    [
        ({}, 400105),
        ({"msgtype": "sampleText"}, 400105),
        ({"msgtype": "text"}, 40035),
        ({"msgtype": "text", "text": {"content": ""}}, 40035),
        ({"msgtype": "markdown", "markdown": {"text": "一"}}, 40035),
        (text("x" * 20000), 460101),
        ([], 43004),
        (b"", 43004),
    ],
)
def test_what_a_webhook_refuses_with_http_200(tenant: Tenant, body: Any, errcode: int) -> None:
    assert tenant.hook(tenant.org.session_url("lisi"), body)["errcode"] == errcode
    assert tenant.org.timeline == []


# ---- custom robots


def test_a_custom_robot_signs(tenant: Tenant) -> None:
    now = str(int(tenant.org.now() * 1000))
    right = {"timestamp": now, "sign": signed(tenant.secret, now)}
    assert tenant.by_robot(text("@lisi 来", "lisi"), **right)["errcode"] == 0
    assert tenant.org.timeline[0].at_users == ("lisi",)
    old = str(int((tenant.org.now() - 3601) * 1000))
    for wrong in (
        {},
        {"timestamp": now},
        {"timestamp": now, "sign": "x"},
        {"timestamp": now, "sign": right["sign"].replace("=", "%3D")},
        {"timestamp": old, "sign": signed(tenant.secret, old)},
    ):
        assert tenant.by_robot(text("二"), **wrong)["errcode"] == 310000
    unsigned, secret = tenant.org.add_robot(tenant.group.id, secret=False)
    assert secret == ""
    assert tenant.by_robot(text("三"), access_token=unsigned)["errcode"] == 0
    assert tenant.by_robot(text("四"), access_token="x")["errcode"] == 300005


def test_the_published_way_to_sign() -> None:
    sign = "hmPWwU+7lVdm3ZZz0r9tSfx0L4Q26jWOZr9+Gs6EZQM="
    assert signed("this is secret", "1577262236757") == sign


def test_too_much_of_a_custom_robot_is_ten_minutes_of_nothing(tenant: Tenant) -> None:
    token, _ = tenant.org.add_robot(tenant.group.id, secret=False)
    said = [tenant.by_robot(text("一"), access_token=token)["errcode"] for _ in range(21)]
    assert said == [0] * 20 + [130101]
    tenant.org.advance(61)
    assert tenant.by_robot(text("一"), access_token=token)["errcode"] == 130101
    tenant.org.advance(540)
    assert tenant.by_robot(text("一"), access_token=token)["errcode"] == 0
