"""The stand-in for WeCom's cloud, proven with wechatpy's own client over real HTTP."""

from __future__ import annotations

import asyncio
import io
import time
from collections.abc import Iterator
from email.utils import parsedate_to_datetime
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from wechatpy.enterprise import WeChatClient, create_reply, parse_message
from wechatpy.enterprise.crypto import WeChatCrypto
from wechatpy.exceptions import APILimitedException, WeChatClientException

from tests.platforms.served import served
from tests.platforms.wecom import StandInWecom
from tests.platforms.wecom_model import Corp, plain


class Client(WeChatClient):  # type: ignore[misc]
    """wechatpy's client, told another address; it asks for its token at a fixed one."""

    def __init__(self, wecom: StandInWecom, secret: str | None = None) -> None:
        super().__init__(wecom.corp.corp_id, secret or wecom.corp.secret)
        self.API_BASE_URL = wecom.api_url
        self._http.trust_env = False

    def fetch_access_token(self) -> Any:
        asked = {"corpid": self.corp_id, "corpsecret": self.secret}
        return self._fetch_access_token(f"{self.API_BASE_URL}gettoken", asked)


@pytest.fixture(scope="module")
def cloud() -> Iterator[StandInWecom]:
    with StandInWecom() as wecom:
        yield wecom


@pytest.fixture
def wecom(cloud: StandInWecom) -> StandInWecom:
    """The same server, with nothing in it that an earlier test left."""
    cloud.corp.add_member("ZhangSan", "张三")
    cloud.corp.add_member("lisi", "李四")
    cloud.corp.timeline.clear()
    cloud.api.calls.clear()
    cloud.api.heal()
    cloud.api.forget_tokens()
    cloud.api.enforce_pace(False)
    cloud.corp.trusted_ips = cloud.corp.menu = None
    cloud.patience = 5.0
    return cloud


@pytest.fixture
def client(wecom: StandInWecom) -> Iterator[Client]:
    made = Client(wecom)
    yield made
    made._http.close()


# ---- the API by wechatpy's client


def test_wechatpy_sends_a_text_and_a_markdown(wecom: StandInWecom, client: Client) -> None:
    said = client.message.send_text(wecom.corp.agent_id, ["ZhangSan", "nobody"], "已签到")
    assert (said["errcode"], said["invaliduser"]) == (0, "nobody")
    client.message.send_markdown(wecom.corp.agent_id, "LiSi", "**三节课**")
    assert wecom.corp.last("zhangsan") == "已签到"
    assert wecom.corp.last("lisi") == "**三节课**"
    assert [message.via for message in wecom.corp.timeline] == ["app", "app"]
    assert wecom.api.token_calls == 1


def test_wechatpy_hears_why_nobody_got_it(wecom: StandInWecom, client: Client) -> None:
    with pytest.raises(WeChatClientException) as refused:
        client.message.send_text(wecom.corp.agent_id, "nobody", "已签到")
    assert refused.value.errcode == 81013
    assert wecom.corp.timeline == []


@pytest.mark.parametrize("spoil", ["expire_tokens", "forget_tokens"])
def test_wechatpy_gets_itself_a_new_token(wecom: StandInWecom, client: Client, spoil: str) -> None:
    client.message.send_text(wecom.corp.agent_id, "lisi", "一")
    getattr(wecom.api, spoil)()
    client.message.send_text(wecom.corp.agent_id, "lisi", "二")
    assert [plain(message) for message in wecom.corp.messages("lisi")] == ["一", "二"]
    assert wecom.api.token_calls == 2


def test_wechatpy_hears_of_a_wrong_secret(wecom: StandInWecom) -> None:
    stranger = Client(wecom, secret="another")
    with pytest.raises(WeChatClientException) as refused:
        stranger.fetch_access_token()
    assert refused.value.errcode == 40001
    stranger._http.close()


def test_wechatpy_makes_a_menu_and_reads_it(wecom: StandInWecom, client: Client) -> None:
    menu = {"button": [{"type": "click", "name": "签到", "key": "checkin"}]}
    with pytest.raises(WeChatClientException) as refused:
        client.menu.get(wecom.corp.agent_id)
    assert refused.value.errcode == 46003
    client.menu.create(wecom.corp.agent_id, menu)
    assert client.menu.get(wecom.corp.agent_id)["button"] == menu["button"]
    client.menu.delete(wecom.corp.agent_id)
    assert wecom.corp.menu is None


def test_wechatpy_asks_who_somebody_is(wecom: StandInWecom, client: Client) -> None:
    found = client.user.get("ZHANGSAN")
    assert (found["userid"], found["name"], found["status"]) == ("ZhangSan", "张三", 1)
    assert client.agent.get(wecom.corp.agent_id)["name"] == wecom.corp.agent_name


def test_wechatpy_uploads_a_file_and_sends_it(wecom: StandInWecom, client: Client) -> None:
    table = io.BytesIO("姓名,课时\n张三,3\n".encode())
    table.name = "salary.csv"
    media_id = client.media.upload("file", table)["media_id"]
    client.message.send_file(wecom.corp.agent_id, "zhangsan", media_id)
    assert wecom.corp.messages("zhangsan")[-1].file == ("salary.csv", table.getvalue())
    assert wecom.corp.last("zhangsan") == "salary.csv"


def test_wechatpy_hears_that_it_calls_too_often(wecom: StandInWecom, client: Client) -> None:
    wecom.api.fail("message/send", errcode=45009)
    with pytest.raises(APILimitedException):
        client.message.send_text(wecom.corp.agent_id, "lisi", "一")


def test_wechatpy_hears_from_where_it_may_not_call(wecom: StandInWecom, client: Client) -> None:
    wecom.corp.trusted_ips = {"198.51.100.1"}
    with pytest.raises(WeChatClientException) as refused:
        client.message.send_text(wecom.corp.agent_id, "lisi", "一")
    assert refused.value.errcode == 60020
    assert "from ip: 203.0.113.7" in refused.value.errmsg


# ---- the line


async def a_text(wecom: StandInWecom, http: httpx.AsyncClient) -> httpx.Response:
    asked = {"corpid": wecom.corp.corp_id, "corpsecret": wecom.corp.secret}
    token = (await http.get("gettoken", params=asked)).json()["access_token"]
    body = {"touser": "lisi", "agentid": wecom.corp.agent_id, "msgtype": "text"}
    return await http.post(
        "message/send",
        params={"access_token": token},
        json=body | {"text": {"content": "一"}},
    )


@pytest.mark.parametrize("how", ["drop", "drop_after"])
@pytest.mark.parametrize("in_process", [False, True])
async def test_a_broken_line_is_an_error_of_httpx(
    wecom: StandInWecom, how: Any, in_process: bool
) -> None:
    wecom.api.fail("message/send", how)
    transport = httpx.ASGITransport(wecom.api.application()) if in_process else None
    async with httpx.AsyncClient(
        transport=transport, base_url=wecom.api_url, trust_env=False
    ) as http:
        with pytest.raises(httpx.TransportError):
            await a_text(wecom, http)
        assert len(wecom.corp.messages("lisi")) == (1 if how == "drop_after" else 0)
        assert (await a_text(wecom, http)).json()["errcode"] == 0


@pytest.mark.parametrize("in_process", [False, True])
async def test_an_answer_has_the_time_of_the_corp(wecom: StandInWecom, in_process: bool) -> None:
    wecom.corp.advance(3600)
    transport = httpx.ASGITransport(wecom.api.application()) if in_process else None
    async with httpx.AsyncClient(
        transport=transport, base_url=wecom.api_url, trust_env=False
    ) as http:
        answer = await a_text(wecom, http)
    said = parsedate_to_datetime(answer.headers["date"]).timestamp()
    assert abs(said - wecom.corp.now()) < 60
    assert said - time.time() > 3000
    wecom.corp.advance(-3600)


async def test_a_slow_answer_has_taken_effect_before_it_comes(wecom: StandInWecom) -> None:
    wecom.api.fail("message/send", slow=1.0)
    async with httpx.AsyncClient(base_url=wecom.api_url, trust_env=False, timeout=0.2) as http:
        with pytest.raises(httpx.ReadTimeout):
            await a_text(wecom, http)
    assert wecom.corp.last("lisi") == "一"


async def test_a_proxy_says_something_that_is_no_json(wecom: StandInWecom) -> None:
    wecom.api.fail("*", status=502, body=b"<html>", times=None)
    async with httpx.AsyncClient(base_url=wecom.api_url, trust_env=False) as http:
        for _ in range(3):
            answer = await http.get("gettoken")
            assert (answer.status_code, answer.content) == (502, b"<html>")
        wecom.api.heal()
        wecom.api.fail("gettoken", body=b"")
        assert (await http.get("gettoken")).content == b""
        assert (await http.get("gettoken")).json()["errcode"] == 41002
        assert (await http.get("no/such/call")).status_code == 404
        assert (await http.post("webhook/send", content=b"{")).json()["errcode"] == 47001


async def test_httpx_uploads_a_file_with_a_chinese_name(wecom: StandInWecom) -> None:
    async with httpx.AsyncClient(base_url=wecom.api_url, trust_env=False) as http:
        asked = {"corpid": wecom.corp.corp_id, "corpsecret": wecom.corp.secret}
        token = (await http.get("gettoken", params=asked)).json()["access_token"]
        where = {"access_token": token, "type": "file"}
        table = ("工资.xlsx", b"PK\x03\x04\r\n--x\r\n", "application/vnd.ms-excel")
        answer = await http.post("media/upload", params=where, files={"media": table})
        assert wecom.corp.media[answer.json()["media_id"]] == table[:2]
        other = await http.post("media/upload", params=where, files={"file": table})
        assert other.json()["errcode"] == 44001
        # The form that some clients write for such names, which WeCom does not read.
        head = b"--B\r\nContent-Disposition: form-data; name=\"media\"; filename*=utf-8''a.csv"
        kind = {"Content-Type": "multipart/form-data; boundary=B"}
        body = head + b"\r\n\r\nabcdefg\r\n--B--\r\n"
        refused = await http.post("media/upload", params=where, content=body, headers=kind)
        assert refused.json()["errcode"] == 44001


# ---- WeCom calls the bot


class ABot:
    """A bot of a few lines that leaves the protocol to wechatpy."""

    def __init__(self, corp: Corp) -> None:
        self.crypto = WeChatCrypto(corp.token, corp.aes_key, corp.corp_id)
        self.heard: list[Any] = []
        self.bodies: list[bytes] = []
        self.statuses: list[int] = []
        self.late = 0.0
        self.application = Starlette(
            routes=[Route("/wecom/app", self.answer, methods=["GET", "POST"])]
        )

    async def answer(self, request: Request) -> Response:
        asked = request.query_params
        signed = (asked["msg_signature"], asked["timestamp"], asked["nonce"])
        if request.method == "GET":
            await asyncio.sleep(self.late)
            return Response(self.crypto.check_signature(*signed, asked["echostr"]))
        self.bodies.append(await request.body())
        message = parse_message(self.crypto.decrypt_message(self.bodies[-1], *signed))
        self.heard.append(message)
        await asyncio.sleep(self.late)
        if self.statuses and (status := self.statuses.pop(0)) != 200:
            return Response(status_code=status)
        if message.type != "text":
            return Response()
        reply = create_reply(f"听到：{message.content}", message)
        return Response(self.crypto.encrypt_message(reply, asked["nonce"], asked["timestamp"]))


@pytest.fixture(scope="module")
def a_bot(cloud: StandInWecom) -> Iterator[ABot]:
    bot = ABot(cloud.corp)
    with served(bot.application) as address:
        cloud.deliver_to(address)
        yield bot


@pytest.fixture
def bot(a_bot: ABot) -> ABot:
    a_bot.heard.clear()
    a_bot.bodies.clear()
    a_bot.statuses.clear()
    a_bot.late = 0.0
    return a_bot


def test_a_bot_of_wechatpy_is_verified(wecom: StandInWecom, bot: ABot) -> None:
    assert wecom.verify()
    assert not wecom.verify(token="another")


def test_an_echo_that_comes_late_is_none(wecom: StandInWecom, bot: ABot) -> None:
    wecom.verify_patience, bot.late = 0.05, 0.5
    assert not wecom.verify()
    wecom.verify_patience = 1.0


def test_a_bot_of_wechatpy_hears_and_answers(wecom: StandInWecom, bot: ABot) -> None:
    assert wecom.say("zhangsan", "签到 <&> 你好").statuses == [200]
    assert (bot.heard[0].source, bot.heard[0].target) == ("ZhangSan", wecom.corp.corp_id)
    assert bot.heard[0].content == "签到 <&> 你好"
    assert bot.heard[0].agent == wecom.corp.agent_id
    wecom.click("zhangsan", "checkin")
    assert (bot.heard[1].event, bot.heard[1].key) == ("click", "checkin")


def test_what_a_bot_of_wechatpy_answers_is_shown(wecom: StandInWecom, bot: ABot) -> None:
    delivery = wecom.say("zhangsan", "签到")
    assert delivery.message is wecom.corp.timeline[-1]
    assert (delivery.message.via, wecom.corp.last("zhangsan")) == ("passive", "听到：签到")


def test_what_people_write_cannot_break_the_message(wecom: StandInWecom, bot: ABot) -> None:
    # It comes in whole; wechatpy does not write it back so, and WeCom would not take that.
    with pytest.raises(AssertionError, match="no XML"):
        wecom.say("zhangsan", "签到 ]]> 你好 </b>")
    assert bot.heard[0].content == "签到 ]]> 你好 </b>"


def test_what_is_not_taken_comes_again_three_times(wecom: StandInWecom, bot: ABot) -> None:
    bot.statuses = [500, 503, 200]
    assert wecom.say("zhangsan", "签到").statuses == [500, 503, 200]
    bot.statuses = [500] * 9
    delivery = wecom.say("zhangsan", "签到")
    assert delivery.statuses == [500] * 4
    assert not delivery.taken
    assert len(set(bot.bodies[-4:])) == 1


def test_what_is_answered_late_comes_again(wecom: StandInWecom, bot: ABot) -> None:
    wecom.patience, bot.late = 0.05, 0.3
    assert wecom.say("zhangsan", "签到").statuses == [0] * 4
    assert len(bot.heard) == 4


def test_a_retry_is_the_same_bytes(wecom: StandInWecom, bot: ABot) -> None:
    first = wecom.say("zhangsan", "签到")
    again = wecom.retry(first)
    assert again.request == first.request
    assert bot.bodies[0] == bot.bodies[1]


def test_nothing_is_delivered_to_an_unknown_address() -> None:
    with pytest.raises(AssertionError, match="deliver_to"):
        StandInWecom().say("zhangsan", "签到")
