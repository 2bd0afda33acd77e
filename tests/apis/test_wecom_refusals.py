"""What WeCom says no to: every refusal has its name, and nothing secret gets into a log."""

from __future__ import annotations

import logging

import pytest

from adapters.contract import DeliveryFailed
from adapters.wecom.api import WecomApi, WecomRefused
from adapters.wecom.errcodes import (
    CODES,
    GET_TOKEN,
    INVALID_USER,
    UNLICENSED,
    Kind,
    failure,
    kind_of,
    told_ip,
)
from tests.apis.door import WecomDoor
from tests.platforms.wecom_api import Api
from tests.platforms.wecom_model import Corp


@pytest.fixture
def door() -> WecomDoor:
    return WecomDoor()


@pytest.mark.parametrize(
    "body", [b'{"errmsg": "ok"}', b'{"errcode": "0"}', b'{"errcode": null}'], ids=str
)
async def test_an_answer_without_an_errcode_says_nothing(
    door: WecomDoor, standin: Api, api: WecomApi, body: bytes
) -> None:
    standin.fail("message/send", body=body)
    assert (await door.failed(api)).outcome == "unknown"
    assert len(standin.calls_of("message/send")) == 1
    assert api.trouble is None


async def test_an_errcode_counts_whatever_the_status(
    door: WecomDoor, standin: Api, api: WecomApi
) -> None:
    standin.fail("message/send", status=500, body=b'{"errcode": -1, "errmsg": "busy"}')
    assert (await door.refused(api)).code == -1


async def test_another_corp(door: WecomDoor) -> None:
    async with door.opened_in_process(corp_id="ww0000000000000000") as api:
        assert (await door.refused(api)).code == 40013
        assert "40013" in str(api.trouble)


async def test_an_address_that_is_not_trusted(door: WecomDoor, corp: Corp, api: WecomApi) -> None:
    corp.trusted_ips = {"198.51.100.1"}
    with pytest.raises(WecomRefused) as found:
        await api.call("message/send", door.text())
    assert (found.value.code, found.value.ip) == (60020, "203.0.113.7")
    assert str(found.value) == "60020"
    assert api.trouble is not None
    assert api.trouble.endswith(": 60020 (we call from 203.0.113.7)")
    assert api.refused is found.value
    corp.trusted_ips = None
    await api.call("user/get", query={"userid": "zhangsan"}, quietly=True)
    assert api.trouble is not None
    await api.call("user/get", query={"userid": "zhangsan"})
    cleared: tuple[str | None, WecomRefused | None] = (api.trouble, api.refused)
    assert cleared == (None, None)


async def test_what_is_asked_quietly_changes_nothing(standin: Api, api: WecomApi) -> None:
    standin.fail("user/get", errcode=60020)
    with pytest.raises(WecomRefused):
        await api.call("user/get", query={"userid": "zhangsan"}, quietly=True)
    assert api.trouble is None


async def test_another_call_says_nothing_about_the_agentid(door: WecomDoor, api: WecomApi) -> None:
    with pytest.raises(WecomRefused) as found:
        await api.call("message/send", {**door.text(), "agentid": 7})
    assert found.value.code in (40056, 301002)
    assert api.trouble is not None
    await api.call("user/get", query={"userid": "zhangsan"})
    assert api.trouble is not None
    await api.call("message/send", door.text())
    assert api.trouble is None


# --- logs


async def test_nothing_secret_is_logged(
    door: WecomDoor, corp: Corp, standin: Api, origin: str, caplog: pytest.LogCaptureFixture
) -> None:
    group = corp.add_group("客房", ["zhangsan"])
    key = corp.add_webhook(group.chatid)
    said: list[str] = []
    with caplog.at_level(logging.DEBUG):
        async with door.opened(origin) as api:
            await api.call("message/send", door.text(words="my salary"))
            standin.expire_tokens()
            await api.upload("a.csv", b"my salary")
            await api.webhook(key, {"msgtype": "text", "text": {"content": "my salary"}})
            for fault in ({"how": "drop"}, {"status": 502}, {"errcode": 60020}, {"errcode": 40001}):
                standin.fail("message/send", **fault)
                with pytest.raises((DeliveryFailed, WecomRefused)) as found:
                    await api.call("message/send", door.text(words="my salary"))
                said += [str(found.value), repr(found.value), str(found.value.__cause__)]
            said.append(str(api.trouble))
    ours = [one for one in caplog.records if one.name != "uvicorn.access"]  # the stand-in's
    logged = "\n".join([logging.Formatter().format(one) for one in ours] + said)
    assert "HTTP Request: POST" in logged, "httpx does log, and what it logs was looked at"
    assert f"{origin}/cgi-bin/message/send" in logged
    for secret in (*standin._tokens, corp.secret, key, "salary", "access_token", "secret="):
        assert secret not in logged


# --- what a code means


@pytest.mark.parametrize("code", CODES)
def test_every_code_has_a_meaning(code: int) -> None:
    found = failure(code, "message/send")
    assert found.why == str(code)
    meant = (found.outcome, found.after, found.scope)
    kind = kind_of(code)
    if kind in (Kind.ALARM, Kind.NETWORK):
        assert meant == ("retry", 600.0, "platform")
    elif kind is Kind.RATE:
        assert meant == ("retry", 60.0, "address")
    elif kind in (Kind.RETRY, Kind.TOKEN):
        assert meant == ("retry", None, "address")
    else:
        assert meant == ("dead", None, "address")
    assert not found.gone


EXPECTED = {
    Kind.RETRY: {-1, 6000, 846609},
    Kind.TOKEN: {40014, 42001},
    Kind.ALARM: {40001, 40013, 40091, 853000},
    Kind.NETWORK: {60020},
    Kind.FORBIDDEN: {48002, 60011},
    Kind.UNREACHABLE: {40003, 60111, 81013},
    Kind.RATE: {45009, 45033},
    Kind.GONE_GROUP: {40050, 86003, 93000, 93001, 93004, 93006, 93008},
    Kind.DEAD: {40058, 44004, 45002, 82001, 1, 99999},
}


@pytest.mark.parametrize("kind", EXPECTED)
def test_the_kinds(kind: Kind) -> None:
    assert {kind_of(code) for code in EXPECTED[kind]} == {kind}


def test_words_where_there_is_no_code() -> None:
    assert failure(0, INVALID_USER).why == "invaliduser"
    assert failure(0, UNLICENSED).why == "unlicensed"
    assert failure(0, UNLICENSED).outcome == "dead"


def test_too_many_wrong_secrets_close_wecom_to_all() -> None:
    found = failure(45009, GET_TOKEN)
    assert (found.outcome, found.after, found.scope) == ("retry", 600.0, "platform")


IN_FULL = (
    "not allow to access from your ip, hint: [1662317178339603627481038], "
    "from ip: 114.132.235.244, more info at https://open.work.weixin.qq.com/devtool/query?e=60020"
)


@pytest.mark.parametrize(
    ("errmsg", "ip"),
    [
        (IN_FULL, "114.132.235.244"),
        ("from ip: 2001:db8::7, more", "2001:db8::7"),
        ("from ip:203.0.113.7", "203.0.113.7"),
        ("seen from ip: 203.0.113.7.", "203.0.113.7"),
        ("from ip: 999.1.1.1, more", None),
        ("from ip: *.*.*.*", None),
        ("from ip: ::::::", None),
        ("from ip: " + "1." * 50_000, None),
        ("invalid credential", None),
        ("", None),
    ],
    ids=lambda one: str(one)[:40],
)
def test_the_address_that_wecom_saw(errmsg: str, ip: str | None) -> None:
    assert told_ip(errmsg) == ip
