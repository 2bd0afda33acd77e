"""Members, the app, its menu and files, webhooks and response_urls in the stand-in."""

from __future__ import annotations

from typing import Any

import pytest

from tests.platforms.wecom_model import DISABLED, Json, plain
from tests.platforms.wecom_tenant import CARD, NOTICE, Tenant


@pytest.fixture
def tenant() -> Tenant:
    return Tenant()


# ---- members, the app, the menu, files


def test_who_a_member_is(tenant: Tenant) -> None:
    found = tenant.get("user/get", userid="zhangsan")
    assert (found["userid"], found["name"], found["alias"]) == ("ZhangSan", "张三", "三哥")
    assert tenant.get("user/get", userid="gone")["status"] == DISABLED
    assert tenant.get("user/get", userid="nobody")["errcode"] == 60111
    assert tenant.get("user/get")["errcode"] == 60111
    assert tenant.get("user/get", userid="hidden")["errcode"] == 60011


def test_who_an_open_userid_is(tenant: Tenant) -> None:
    ids = [tenant.corp.members[one].open_userid for one in ("zhangsan", "hidden")]
    path = "batch/openuserid_to_userid"
    found = tenant.post(path, {"open_userid_list": [*ids, "lisi", "wo-nobody"]})
    assert found["userid_list"] == [{"open_userid": ids[0], "userid": "ZhangSan"}]
    assert found["invalid_open_userid_list"] == [ids[1], "lisi", "wo-nobody"]
    for wrong in ([], None, ["x"] * 1001):
        assert tenant.post(path, {"open_userid_list": wrong})["errcode"] == 40058


def test_what_the_app_is(tenant: Tenant) -> None:
    found = tenant.get("agent/get", agentid=tenant.corp.agent_id)
    assert (found["name"], found["close"]) == ("班长", 0)
    seen = [one["userid"] for one in found["allow_userinfos"]["user"]]
    assert seen == ["ZhangSan", "lisi", "unpaid", "gone"]
    assert found["allow_partys"] == {"partyid": []}
    assert tenant.get("agent/get")["errcode"] == 41011
    assert tenant.get("agent/get", agentid=1)["errcode"] == 301002


def item(**more: Any) -> Json:
    return {"type": "click", "name": "签到", "key": "checkin"} | more


@pytest.mark.parametrize(
    "items",
    [
        [],
        [item()] * 4,
        [item(name="")],
        [item(name="六个汉字太长")],
        [item(key="")],
        [item(key="k" * 129)],
        [item(type="view")],
        [item(type="tap")],
        [item(sub_button=[item()] * 6)],
        [item(sub_button=[item(name="课" * 14)])],
        ["签到"],
    ],
)
def test_a_wrong_menu_is_refused(tenant: Tenant, items: list[Any]) -> None:
    made = tenant.post("menu/create", {"button": items}, agentid=tenant.corp.agent_id)
    assert made["errcode"] == 40058
    assert tenant.get("menu/get", agentid=tenant.corp.agent_id)["errcode"] == 46003


def test_a_menu_has_two_floors(tenant: Tenant) -> None:
    below = [item(name="课" * 13), {"type": "view", "name": "网页", "url": "https://example.com/"}]
    menu = {"button": [item(), {"name": "更多", "sub_button": below}]}
    made = tenant.post("menu/create", menu, agentid=tenant.corp.agent_id)
    assert made["errcode"] == 0
    assert tenant.get("menu/get", agentid=tenant.corp.agent_id)["button"] == menu["button"]
    assert tenant.get("menu/delete", agentid=tenant.corp.agent_id)["errcode"] == 0
    assert tenant.corp.menu is None


@pytest.mark.parametrize(
    ("content", "kind", "errcode"),
    [
        (b"abcdef", "table", 40058),
        (b"", "file", 44001),
        (b"abcde", "file", 40006),
        (b"a" * (20 * 2**20 + 1), "file", 45001),
    ],
)
def test_a_file_that_cannot_be_kept(
    tenant: Tenant, content: bytes, kind: str, errcode: int
) -> None:
    made = tenant.post("media/upload", {"name": "a.csv", "content": content}, type=kind)
    assert made["errcode"] == errcode


def test_a_file_is_good_for_three_days(tenant: Tenant) -> None:
    made = tenant.post("media/upload", {"name": "a.csv", "content": b"1,2,3,4"}, type="file")
    assert tenant.send("file", {"media_id": made["media_id"]})["errcode"] == 0
    tenant.corp.advance(3 * 86400 + 1)
    tenant.token = tenant.ask_token()["access_token"]
    assert tenant.send("file", {"media_id": made["media_id"]})["errcode"] == 40007


# ---- a group's webhook


def test_a_group_reads_what_its_webhook_says(tenant: Tenant) -> None:
    text = {"content": "签到啦 <@LiSi>", "mentioned_list": ["ZhangSan", "nobody", "@all"]}
    assert tenant.hook("text", text)["errcode"] == 0
    message = tenant.corp.messages(tenant.group.chatid)[-1]
    assert (message.via, message.kind) == ("webhook", "group")
    assert message.mentioned == ("zhangsan", "@all", "lisi")
    assert tenant.hook("markdown", {"content": "**一**"})["errcode"] == 0
    assert tenant.corp.last(tenant.group.chatid) == "**一**"
    assert tenant.hook("template_card", NOTICE)["errcode"] == 0


def test_a_group_is_sent_a_file(tenant: Tenant) -> None:
    table = {"name": "a.csv", "content": b"1,2,3,4"}
    query = {"key": tenant.key, "type": "file"}
    made = tenant.api.answer("POST", "webhook/upload_media", query, table)
    assert tenant.hook("file", {"media_id": made["media_id"]})["errcode"] == 0
    assert tenant.corp.last(tenant.group.chatid) == "a.csv"
    refused = tenant.api.answer("POST", "webhook/upload_media", query | {"key": "x"}, table)
    assert refused["errcode"] == 93000


@pytest.mark.parametrize(
    ("msgtype", "content", "errcode"),
    [
        ("text", {"content": ""}, 44004),
        ("text", None, 44004),
        ("text", {"content": "课" * 683}, 40058),
        ("markdown", {"content": "课" * 1366}, 40058),
        ("image", {}, 40008),
        ("template_card", CARD, 40058),
        ("file", {"media_id": "x"}, 40007),
    ],
)
def test_what_a_webhook_does_not_take(
    tenant: Tenant, msgtype: str, content: Any, errcode: int
) -> None:
    assert tenant.hook(msgtype, content)["errcode"] == errcode
    assert tenant.corp.timeline == []


def test_a_webhook_that_was_removed(tenant: Tenant) -> None:
    tenant.corp.webhooks.clear()
    assert tenant.hook("text", {"content": "一"})["errcode"] == 93000


def test_a_webhook_says_twenty_things_a_minute(tenant: Tenant) -> None:
    said = [tenant.hook("text", {"content": str(n)})["errcode"] for n in range(21)]
    assert said == [0] * 20 + [45009]
    tenant.corp.advance(61)
    assert tenant.hook("text", {"content": "一"})["errcode"] == 0


# ---- an aibot's answer at the response_url


def at_response_url(tenant: Tenant, url: str, msgtype: str, content: Any) -> Json:
    code = url.partition("response_code=")[2]
    body = {"msgtype": msgtype, msgtype: content}
    return tenant.api.answer("POST", "aibot/response", {"response_code": code}, body)


def test_a_response_url_is_used_once(tenant: Tenant) -> None:
    url = tenant.corp.issue_response_url("group", tenant.group.chatid)
    refused = at_response_url(tenant, url, "text", {"content": "一"})
    assert refused["errcode"] == 40008
    assert at_response_url(tenant, url, "markdown", {"content": "一"})["errcode"] == 0
    message = tenant.corp.messages(tenant.group.chatid)[-1]
    assert (message.via, plain(message)) == ("bot", "一")
    assert at_response_url(tenant, url, "markdown", {"content": "二"})["errcode"] == 42022


def test_a_response_url_lives_an_hour(tenant: Tenant) -> None:
    url = tenant.corp.issue_response_url("person", "ZhangSan")
    for wrong in ({}, {"content": ""}):
        assert at_response_url(tenant, url, "markdown", wrong)["errcode"] == 44004
    long = {"content": "课" * 6827}
    assert at_response_url(tenant, url, "markdown", long)["errcode"] == 40058
    assert at_response_url(tenant, url, "template_card", {})["errcode"] == 40058
    tenant.corp.advance(3601)
    assert at_response_url(tenant, url, "template_card", CARD)["errcode"] == 40058
    url = tenant.corp.issue_response_url("person", "ZhangSan")
    assert at_response_url(tenant, url, "template_card", CARD)["errcode"] == 0
    assert tenant.corp.messages("zhangsan")[-1].task_id == "query-1"
