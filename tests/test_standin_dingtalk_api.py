"""Who may call the stand-in's HTTP API, who gets a message, and how DingTalk says no."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime

import httpx
import pytest

from tests.platforms.dingtalk_api import ACCESS_TOKEN, OPEN, TO_GROUP, TO_PEOPLE, Api, Call
from tests.platforms.dingtalk_faults import LineBroken
from tests.platforms.dingtalk_gateway import BOT, CALLBACK, Gateway
from tests.platforms.dingtalk_http import TOKEN_HEADER
from tests.platforms.dingtalk_model import Json, Org, shown
from tests.platforms.dingtalk_refusals import IP_BAN, PERMISSION, QPS, QUOTA
from tests.platforms.dingtalk_tenant import Tenant, text


@pytest.fixture
def tenant() -> Tenant:
    return Tenant()


# ---- the token


def test_one_token_stays_good_until_it_expires(tenant: Tenant) -> None:
    status, again = tenant.ask_token()
    assert (status, again["accessToken"]) == (200, tenant.token)
    assert 7190 <= again["expireIn"] <= 7200
    tenant.org.advance(7201)
    assert tenant.send("lisi")[1]["code"] == "InvalidAuthentication"
    assert tenant.ask_token()[1]["accessToken"] != tenant.token
    assert tenant.api.token_calls == 3


def test_a_wrong_secret_gets_none(tenant: Tenant) -> None:
    for wrong in ({"appSecret": "x"}, {"appKey": "x"}, {"appKey": None}):
        status, body = tenant.ask_token(**wrong)
        assert (status, body["code"]) == (400, "invalidClientIdOrSecret")


def test_every_call_of_the_new_api_wants_the_token_in_its_header(tenant: Tenant) -> None:
    token, tenant.token = tenant.token, "x"
    status, body = tenant.send("lisi")
    assert status == 400
    assert set(body) == {"code", "message", "requestid"}
    assert body["code"] == "InvalidAuthentication"
    assert body["message"] == "不合法的access_token"
    tenant.token = token
    tenant.api.expire_tokens()
    assert tenant.send_group()[1]["code"] == "InvalidAuthentication"
    assert tenant.org.timeline == []
    assert tenant.api.metered == 0


def test_what_does_not_exist_or_is_no_json(tenant: Tenant) -> None:
    status, body = tenant.post("/v1.0/robot/orgGroupSend", {})
    assert (status, body["code"]) == (404, "InvalidAction.NotFound")
    assert tenant.post(TO_PEOPLE, b"{")[1]["code"] == "Missingbody"
    assert tenant.post(TO_PEOPLE, [])[1]["code"] == "Missingbody"


# ---- to people


def test_a_message_to_people_is_one_on_each_screen(tenant: Tenant) -> None:
    status, body = tenant.send("lisi", "zhangsan")
    assert status == 200
    assert body["processQueryKey"]
    assert (body["invalidStaffIdList"], body["flowControlledStaffIdList"]) == ([], [])
    assert [one.to for one in tenant.org.timeline] == ["lisi", "zhangsan"]
    assert tenant.org.last("lisi") == "一"
    assert tenant.org.messages("lisi")[0].via == "api"


def test_success_may_leave_people_out(tenant: Tenant) -> None:
    tenant.org.add_member("flooded", "被淹").flooded = True
    tenant.org.add_member("closed", "关了").allows = False
    status, body = tenant.send("nobody", "lisi", "flooded", "closed", tenant.guest)
    assert status == 200
    assert body["invalidStaffIdList"] == ["nobody", tenant.guest]
    assert body["flowControlledStaffIdList"] == ["flooded"]
    assert body["filteredStaffIdList"] == ["closed"]
    assert [one.to for one in tenant.org.timeline] == ["lisi"]


def test_nobody_of_these_ids(tenant: Tenant) -> None:
    conversation = tenant.org.direct_conversation("lisi")
    for nobody in ("nobody", tenant.guest, conversation, tenant.org.encrypted_id("lisi")):
        assert tenant.send(nobody)[1]["code"] == "staffId.notExisted"
    tenant.org.remove_member("lisi")
    status, body = tenant.send("lisi")
    assert (status, body["code"]) == (400, "staffId.notExisted")
    tenant.api.robots.refuses_whole_batch = True
    assert tenant.send("zhangsan", "lisi")[1]["code"] == "staffId.notExisted"
    assert tenant.org.timeline == []


@pytest.mark.parametrize(
    ("other", "code"),
    [
        ({"robotCode": ""}, "invalidParameter.robotCode.empty"),
        ({"robotCode": "dingother"}, "resource.not.found"),
        ({"userIds": []}, "invalidParameter.userIds.empty"),
        ({"userIds": "lisi"}, "invalidParameter.userIds.empty"),
        ({"userIds": [f"p{n}" for n in range(21)]}, "invalidParameter.userIds.overMax"),
        ({"userIds": ["lisi", "lisi"]}, "invalidParameter.param.invalid"),
        ({"msgKey": None}, "invalidParameter.msgKey.empty"),
        ({"msgKey": "text"}, "invalidParameter.msgKey.invalid"),
        ({"msgParam": {"content": "一"}}, "invalidParameter.msgParam.invalid"),
        ({"msgParam": "一"}, "invalidParameter.msgParam.invalid"),
        ({"msgParam": "[]"}, "invalidParameter.msgParam.invalid"),
        ({"msgParam": '{"content": ""}'}, "invalidParameter.msgParam.invalid"),
        ({"msgParam": '{"text": "一"}'}, "invalidParameter.msgParam.invalid"),
        (
            {"msgKey": "sampleMarkdown", "msgParam": '{"text": "一"}'},
            "invalidParameter.msgParam.invalid",
        ),
        ({"msgParam": json.dumps({"content": "x" * 15000})}, "invalidParameter.msgParam.tooLong"),
    ],
)
def test_what_the_robot_cannot_say(tenant: Tenant, other: Json, code: str) -> None:
    status, body = tenant.send("lisi", **other)
    assert (status, body["code"]) == (400, code)
    assert tenant.org.timeline == []


def test_fifteen_thousand_bytes_are_as_they_travel(tenant: Tenant) -> None:
    bare = len(json.dumps({"content": ""}))
    fits = json.dumps({"content": "x" * (15000 - bare)})
    assert len(fits) == 15000
    assert tenant.send("lisi", msgParam=fits)[0] == 200
    # Escaped, one Chinese character is six bytes; as it is, three.
    escaped = json.dumps({"content": "课" * 3000})
    assert tenant.send("lisi", msgParam=escaped)[0] == 400
    plain = json.dumps({"content": "课" * 3000}, ensure_ascii=False)
    assert tenant.send("lisi", msgParam=plain)[0] == 200


# ---- to a group


def test_a_message_to_a_group_mentions_nobody(tenant: Tenant) -> None:
    param = json.dumps({"content": "@lisi 来"}, ensure_ascii=False)
    assert set(tenant.send_group(msgParam=param)[1]) == {"processQueryKey"}
    (message,) = tenant.org.messages(tenant.group.id)
    assert message.at_users == ()
    assert shown(message) == "@lisi 来"


def test_the_robot_must_be_in_the_group(tenant: Tenant) -> None:
    elsewhere = tenant.org.add_group("家长群", bot=False)
    status, body = tenant.send_group(openConversationId=elsewhere.id)
    assert (status, body["code"]) == (400, "invalidParameter.robotCode.notExsit")
    for wrong in (None, "", "cidx==", "lisi", tenant.org.direct_conversation("lisi")):
        code = tenant.send_group(openConversationId=wrong)[1]["code"]
        assert code == "invalidParameter.openConversationId.invalid"


# ---- limits


def test_twenty_calls_a_second_of_each_kind(tenant: Tenant) -> None:
    assert [tenant.send("lisi")[0] for _ in range(20)] == [200] * 20
    status, body = tenant.send("lisi")
    assert (status, body["code"]) == (403, QPS)
    assert tenant.send_group()[0] == 200
    tenant.org.advance(1.0)
    assert tenant.send("lisi")[0] == 200
    tenant.api.enforce_pace(False)
    assert {tenant.send("lisi")[0] for _ in range(40)} == {200}


def test_a_month_has_so_many_calls(tenant: Tenant) -> None:
    tenant.api.quota = 2
    assert [tenant.send("lisi")[0], tenant.send_group()[0]] == [200, 200]
    status, body = tenant.send("lisi")
    assert (status, body["code"]) == (403, QUOTA)
    assert tenant.api.metered == 2
    # The token and the address book are not counted, and so go on.
    assert tenant.ask_token()[0] == 200
    assert tenant.user("lisi")["errcode"] == 0


def test_the_month_is_chinas(tenant: Tenant) -> None:
    tenant.api.quota = 1
    # Eight hours ahead: the new month begins at 16:00 UTC of the old one's last day.
    end = datetime(2035, 11, 30, 15, 59, 59, tzinfo=UTC)
    tenant.org.advance(end.timestamp() - tenant.org.now())
    tenant.token = tenant.ask_token()[1]["accessToken"]
    assert [tenant.send("lisi")[0], tenant.send("lisi")[0]] == [200, 403]
    tenant.org.advance(2)
    assert tenant.send("lisi")[0] == 200


# ---- the address book


def test_who_somebody_is(tenant: Tenant) -> None:
    found = tenant.user("zhangsan")
    assert (found["errcode"], found["result"]["name"]) == (0, "张三")
    assert found["result"]["admin"] is True
    assert tenant.user("nobody")["errcode"] == 60121
    assert tenant.user("")["errcode"] == 40035
    refused = tenant.user("lisi", token="x")
    assert (refused["errcode"], refused["sub_code"]) == (88, "40014")


# ---- Stream mode


def test_a_stream_is_opened_by_the_gateway() -> None:
    org = Org()
    gateway = Gateway(org)
    api, asked = Api(org, gateway), _opening(org)
    status, body = api.answer("POST", OPEN, asked)
    assert (status, set(body)) == (200, {"endpoint", "ticket"})
    assert "clientSecret" not in api.calls[0].body
    gateway.stall = 2.0
    late = api.handle("POST", OPEN, json.dumps(asked).encode(), query={})
    assert late.late == 2.0
    status, body = api.answer("POST", OPEN, asked | {"clientSecret": "x"})
    assert (status, body["code"]) == (401, "authFailed")
    assert api.metered == 0


def _opening(org: Org) -> Json:
    topics = [{"type": CALLBACK, "topic": BOT}]
    return {
        "clientId": org.client_id,
        "clientSecret": org.client_secret,
        "subscriptions": topics,
        "ua": "test",
        "localIp": "127.0.0.1",
    }


# ---- what goes wrong on demand


def test_faults_come_in_their_order_and_pass(tenant: Tenant) -> None:
    tenant.api.fail("*", code=QPS, times=1)
    tenant.api.fail(TO_PEOPLE, status=502)
    with pytest.raises(ValueError, match="Expecting value"):
        tenant.send("lisi")
    assert tenant.send("lisi")[1]["code"] == QPS
    assert tenant.send("lisi")[0] == 200
    tenant.api.fail(TO_GROUP, code="system.busy", times=None)
    assert [tenant.send_group()[0] for _ in range(3)] == [500] * 3
    tenant.api.heal()
    assert tenant.send_group()[0] == 200


def test_how_it_says_no(tenant: Tenant) -> None:
    tenant.api.fail(TO_PEOPLE, code=PERMISSION)
    status, body = tenant.send("lisi")
    assert (status, body["code"]) == (403, PERMISSION)
    assert body["accessdenieddetail"] == {"requiredScopes": ["Contact.User.Read"]}
    tenant.api.fail(TO_PEOPLE, body=IP_BAN)
    assert tenant.send("lisi") == (200, IP_BAN)
    tenant.api.fail("/topapi/v2/user/get", errcode=90018)
    assert tenant.user("lisi")["sub_code"] == "90018"
    tenant.api.fail("/robot/sendBySession", errcode=-1)
    assert tenant.hook(tenant.org.session_url("lisi"), text("一"))["errcode"] == -1
    assert tenant.org.timeline == []


def test_some_are_left_out_on_demand(tenant: Tenant) -> None:
    tenant.org.add_member("wangwu", "王五")
    tenant.api.fail(TO_PEOPLE, invalid=["lisi"], flow_controlled=["zhangsan"])
    status, body = tenant.send("lisi", "zhangsan", "wangwu")
    assert (status, body["invalidStaffIdList"]) == (200, ["lisi"])
    assert body["flowControlledStaffIdList"] == ["zhangsan"]
    assert [one.to for one in tenant.org.timeline] == ["wangwu"]
    tenant.api.fail(TO_PEOPLE, filtered=["lisi"])
    assert tenant.send("lisi")[1]["filteredStaffIdList"] == ["lisi"]
    # Alone too, if it is said so.
    tenant.api.fail(TO_PEOPLE, invalid=["lisi"])
    assert tenant.send("lisi")[0] == 200


def test_a_line_that_breaks_before_or_after(tenant: Tenant) -> None:
    tenant.api.fail(TO_PEOPLE, "drop")
    with pytest.raises(LineBroken):
        tenant.send("lisi")
    assert tenant.org.timeline == []
    tenant.api.fail(TO_PEOPLE, "drop_after")
    with pytest.raises(LineBroken):
        tenant.send("lisi")
    assert len(tenant.org.timeline) == 1


def test_every_call_is_noted_without_its_secrets(tenant: Tenant) -> None:
    seen: list[Call] = []
    tenant.api.watch = seen.append
    url = tenant.org.session_url("lisi")
    tenant.hook(url, text("一"))
    tenant.user("lisi")
    tenant.ask_token()
    assert [call.status for call in seen] == [200, 200, 200]
    told = repr(tenant.api.calls)
    for secret in (url.rpartition("=")[2], tenant.token, tenant.org.client_secret):
        assert secret not in told
    assert tenant.api.calls_of(ACCESS_TOKEN)[0].body == {"appKey": tenant.org.client_id}


# ---- in process


def test_it_answers_in_process_at_both_addresses(tenant: Tenant) -> None:
    async def ask() -> list[httpx.Response]:
        transport = httpx.ASGITransport(app=tenant.api.application())
        async with httpx.AsyncClient(transport=transport) as client:
            header = {TOKEN_HEADER: tenant.token}
            body = {"robotCode": "x", "msgKey": "sampleText", "msgParam": "{}", "userIds": ["a"]}
            sent = await client.post(f"https://dingtalk.test{TO_PEOPLE}", json=body, headers=header)
            said = await client.post(tenant.org.session_url("lisi"), json=text("一"))
            odd = await client.post(tenant.org.session_url("lisi"), content=b"{}")
            tenant.api.fail("/robot/sendBySession", "drop")
            with pytest.raises(httpx.ReadError):
                await client.post(tenant.org.session_url("lisi"), json=text("二"))
            return [sent, said, odd]

    sent, said, odd = asyncio.run(ask())
    assert (sent.status_code, sent.json()["code"]) == (400, "resource.not.found")
    assert said.json()["errcode"] == 0
    assert odd.json()["errcode"] == 43004
    assert tenant.org.last("lisi") == "一"
