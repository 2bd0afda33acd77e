"""DingTalk's webhooks: of a message's way back and of custom robots, and of nobody else."""

from __future__ import annotations

from datetime import UTC, datetime

import httpx
import pytest

from adapters.contract import DeliveryFailed
from adapters.dingtalk.api import FOREIGN_WEBHOOK, DingtalkApi, DingtalkRefused
from adapters.dingtalk.setup import Robot
from adapters.dingtalk.signing import sign
from tests.apis.door import TEST, TEXT, DingtalkDoor
from tests.platforms.dingtalk_api import ROBOT, SESSION, Api
from tests.platforms.dingtalk_model import Group, Org


@pytest.fixture
def door() -> DingtalkDoor:
    return DingtalkDoor()


async def test_a_session_webhook(org: Org, standin: Api, group: Group, api: DingtalkApi) -> None:
    told = await api.by_session(org.session_url(group.id), TEXT)
    assert told["errcode"] == 0
    assert org.last(group.id) == "你好"
    assert standin.token_calls == 0


async def test_a_session_webhook_that_has_run_out(org: Org, group: Group, api: DingtalkApi) -> None:
    url = org.session_url(group.id)
    org.advance(5400)
    with pytest.raises(DingtalkRefused) as found:
        await api.by_session(url, TEXT)
    assert (found.value.code, found.value.what) == ("300001", SESSION)
    assert api.trouble is None


FOREIGN = [
    "https://evil.test/robot/sendBySession?session=1",
    "https://oapi.dingtalk.com.evil.test/robot/sendBySession?session=1",
    "https://oapi.dingtalk.com@evil.test/robot/sendBySession?session=1",
    "https://evil.test\\@oapi.dingtalk.com/robot/sendBySession",
    "https://oapi.dingtalk.com\\@evil.test/robot/sendBySession",
    "https://somebody@oapi.dingtalk.com/robot/sendBySession?session=1",
    "https://oapi.dingtalk.com:8443/robot/sendBySession?session=1",
    "https://oapi.dingtalk.cn/robot/sendBySession?session=1",
    "http://127.0.0.1/robot/sendBySession",
    "http://169.254.169.254/latest/meta-data",
    "ftp://oapi.dingtalk.com/robot/sendBySession",
    "file:///etc/passwd",
    "//oapi.dingtalk.com/robot/sendBySession",
    "/robot/sendBySession?session=1",
    "https://[::1/",
    "https://oapi.dingtalk.com:no/",
    "https://oapi.dingtalk.com/\x00",
    "",
]


@pytest.mark.parametrize("url", FOREIGN)
async def test_a_webhook_of_somebody_else(door: DingtalkDoor, standin: Api, url: str) -> None:
    """What a message names as the way back may be anything: nobody but DingTalk is called."""
    async with door.opened_in_process() as api:
        with pytest.raises(DeliveryFailed) as found:
            await api.by_session(url, TEXT)
        assert (found.value.outcome, found.value.why) == ("dead", FOREIGN_WEBHOOK)
    assert standin.calls == []


OURS = [
    "https://oapi.dingtalk.com/robot/sendBySession?session=1",
    "https://OAPI.dingtalk.com:443/robot/sendBySession?session=1",
    "https://api.dingtalk.io/robot/sendBySession?session=1",
]


@pytest.mark.parametrize("url", [*OURS, "http://oapi.dingtalk.com/robot/sendBySession?session=1"])
async def test_a_webhook_of_dingtalks(door: DingtalkDoor, url: str) -> None:
    seen: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(str(request.url))
        return httpx.Response(200, json={"errcode": 0})

    async with door.opened("https://api.dingtalk.com", httpx.MockTransport(answer)) as api:
        if url.startswith("https"):
            await api.by_session(url, TEXT)
            assert seen == [url.replace("OAPI", "oapi").replace(":443", "")]
        else:
            with pytest.raises(DeliveryFailed, match=FOREIGN_WEBHOOK):
                await api.by_session(url, TEXT)
            assert seen == []


async def test_a_webhook_that_leads_elsewhere(door: DingtalkDoor) -> None:
    def answer(_request: httpx.Request) -> httpx.Response:
        return httpx.Response(302, headers={"Location": "http://127.0.0.1:1/"})

    async with door.opened(TEST, httpx.MockTransport(answer)) as api:
        with pytest.raises(DeliveryFailed) as found:
            await api.by_session(f"{TEST}/robot/sendBySession?session=1", TEXT)
        assert (found.value.outcome, found.value.why) == ("unknown", "an odd answer: HTTP 302")


# --- custom robots


@pytest.mark.parametrize("secret", [True, False], ids=["signed", "unsigned"])
async def test_a_custom_robot(
    door: DingtalkDoor, org: Org, standin: Api, group: Group, api: DingtalkApi, secret: bool
) -> None:
    robot = Robot(*org.add_robot(group.id, secret))
    body = {
        "msgtype": "text",
        "text": {"content": "开会 @lisi"},
        "at": {"atUserIds": ["lisi"], "isAtAll": False},
    }
    assert (await api.by_robot(robot, body, door.now()))["errcode"] == 0
    (message,) = org.messages(group.id)
    assert message.at_users == ("lisi",)
    assert standin.token_calls == 0


async def test_a_custom_robot_that_is_refused(
    door: DingtalkDoor, org: Org, group: Group, api: DingtalkApi
) -> None:
    token, secret = org.add_robot(group.id)
    for robot, code in ((Robot(token, secret + "x"), "310000"), (Robot("gone"), "300005")):
        with pytest.raises(DingtalkRefused) as found:
            await api.by_robot(robot, TEXT, door.now())
        assert (found.value.code, found.value.what) == (code, ROBOT)
    assert api.trouble is None


def test_the_signature() -> None:
    """Computed, for DingTalk publishes no expected value of its sample code."""
    assert sign("this is secret", "1577262236757") == "hmPWwU+7lVdm3ZZz0r9tSfx0L4Q26jWOZr9+Gs6EZQM="


async def test_the_signature_is_quoted_once(door: DingtalkDoor) -> None:
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, json={"errcode": 0, "errmsg": "ok"})

    at = datetime.fromtimestamp(1577262236.757, UTC)
    async with door.opened("https://api.dingtalk.com", httpx.MockTransport(answer)) as api:
        await api.by_robot(Robot("t0k/+", "this is secret"), TEXT, at)
    (request,) = seen
    assert (request.method, request.url.host, request.url.path) == (
        "POST",
        "oapi.dingtalk.com",
        "/robot/send",
    )
    assert request.url.query == (
        b"access_token=t0k%2F%2B&timestamp=1577262236757"
        b"&sign=hmPWwU%2B7lVdm3ZZz0r9tSfx0L4Q26jWOZr9%2BGs6EZQM%3D"
    )
