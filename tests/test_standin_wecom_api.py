"""Who may call the stand-in's HTTP API, who gets a message and what is left of it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.platforms.wecom_model import Json, plain
from tests.platforms.wecom_tenant import Tenant


@pytest.fixture
def tenant() -> Tenant:
    return Tenant()


# ---- the token


def test_one_token_stays_good_until_it_expires(tenant: Tenant) -> None:
    again = tenant.ask_token()
    assert again["access_token"] == tenant.token
    assert 7190 <= again["expires_in"] <= 7200
    tenant.corp.advance(7201)
    assert tenant.say("一")["errcode"] == 42001
    assert tenant.ask_token()["access_token"] != tenant.token
    assert tenant.api.token_calls == 3


@pytest.mark.parametrize(
    ("asked", "errcode"),
    [
        ({"corpid": ""}, 41002),
        ({"corpsecret": ""}, 41004),
        ({"corpid": "ww0"}, 40013),
        ({"corpsecret": "x"}, 40001),
    ],
)
def test_a_token_is_for_those_who_know_the_secret(
    tenant: Tenant, asked: Json, errcode: int
) -> None:
    assert tenant.ask_token(**asked)["errcode"] == errcode


def test_every_other_call_needs_a_token(tenant: Tenant) -> None:
    for path in ("user/get", "menu/get", "agent/get", "getcallbackip"):
        assert tenant.get(path, access_token="")["errcode"] == 41001
        assert tenant.get(path, access_token="x")["errcode"] == 40014
    tenant.api.expire_tokens()
    assert tenant.get("getcallbackip")["errcode"] == 42001


def test_an_address_that_is_not_trusted_may_not_call(tenant: Tenant) -> None:
    tenant.corp.trusted_ips = {"203.0.113.7"}
    assert tenant.get("getcallbackip")["ip_list"]
    tenant.api.caller = "1.2.3.4"
    refused = tenant.say("一")
    assert refused["errcode"] == 60020
    assert "from ip: 1.2.3.4" in refused["errmsg"]
    # The token and a group's webhook are given to anybody.
    assert tenant.ask_token()["errcode"] == 0
    assert tenant.hook("text", {"content": "一"})["errcode"] == 0


def test_method_and_body_must_be_right(tenant: Tenant) -> None:
    assert tenant.post("menu/get", {})["errcode"] == 43001
    assert tenant.get("message/send")["errcode"] == 43002
    assert tenant.post("message/send", [])["errcode"] == 47001
    assert tenant.post("message/send", b"{")["errcode"] == 47001


# ---- who gets a message


def test_receivers_are_found_in_any_case_and_named_in_lower_case(tenant: Tenant) -> None:
    answer = tenant.say("一", to="ZHANGSAN|zhangsan| Lisi |Nobody|HIDDEN|Unpaid|gone")
    assert answer["errcode"] == 0
    assert answer["invaliduser"] == "nobody|hidden|gone"
    assert answer["unlicenseduser"] == "unpaid"
    assert [message.to for message in tenant.corp.timeline] == ["zhangsan", "lisi"]
    assert len({message.msgid for message in tenant.corp.timeline}) == 1
    numbers = [message.number for message in tenant.corp.timeline]
    assert numbers == sorted(set(numbers))


def test_everybody_is_whoever_may_see_the_app(tenant: Tenant) -> None:
    tenant.say("一", to="@all")
    assert [message.to for message in tenant.corp.timeline] == ["zhangsan", "lisi"]


@pytest.mark.parametrize(
    ("to", "errcode"),
    [("", 82001), ("nobody|hidden|unpaid|gone", 81013), ("|".join(map(str, range(1001))), 40032)],
)
def test_nobody_to_send_to(tenant: Tenant, to: str, errcode: int) -> None:
    assert tenant.say("一", to=to)["errcode"] == errcode
    assert tenant.corp.timeline == []


@pytest.mark.parametrize(
    ("agentid", "errcode"),
    [(None, 41011), ("1000002", 40056), (True, 40056), (-1, 40056), (1000003, 301002)],
)
def test_the_app_must_be_the_tokens_own(tenant: Tenant, agentid: Any, errcode: int) -> None:
    assert tenant.say("一", agentid=agentid)["errcode"] == errcode


def test_an_app_that_is_switched_off_says_nothing(tenant: Tenant) -> None:
    tenant.corp.agent_closed = True
    assert tenant.say("一")["errcode"] == 50003


# ---- what a message says


@pytest.mark.parametrize("msgtype", ["text", "markdown"])
def test_what_is_too_long_is_cut(tenant: Tenant, msgtype: str) -> None:
    tenant.send(msgtype, {"content": "课" * 682 + "ab"})
    tenant.send(msgtype, {"content": "课" * 682 + "abc"})
    fits, cut = tenant.corp.timeline
    assert (len(plain(fits).encode()), fits.truncated) == (2048, False)
    assert (plain(cut), cut.truncated) == (plain(fits), True)
    tenant.send(msgtype, {"content": "课" * 683})
    assert plain(tenant.corp.timeline[-1]) == "课" * 682


@pytest.mark.parametrize(
    ("msgtype", "content", "errcode"),
    [
        ("text", {"content": ""}, 44004),
        ("markdown", {}, 44004),
        ("text", "一", 40058),
        ("file", {"media_id": "3x"}, 40007),
        ("markdown_v2", {"content": "一"}, 40008),
        ("", {}, 40008),
    ],
)
def test_a_message_that_says_nothing(
    tenant: Tenant, msgtype: str, content: Any, errcode: int
) -> None:
    assert tenant.send(msgtype, content)["errcode"] == errcode
    assert tenant.corp.timeline == []
