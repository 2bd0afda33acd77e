"""`banzhang doctor` and DingTalk: each thing that can be wrong is found, with where to click."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from adapters.contract import Checkup, Finding, Home
from adapters.dingtalk import doctor
from adapters.dingtalk.api import DingtalkApi
from adapters.dingtalk.limits import month_of
from adapters.dingtalk.setup import Robot, Setup
from adapters.dingtalk.socket import CARDS, EVENTS, MESSAGES
from bot.messages import plain_name
from tests.findings import Examined, came_in, nowhere, plain, sentences
from tests.platforms.dingtalk import StandInDingtalk
from tests.platforms.dingtalk_api import ACCESS_TOKEN, OPEN, ROBOT, TO_PEOPLE, USER, Api
from tests.platforms.dingtalk_api import CARDS as CARD_INSTANCES
from tests.platforms.dingtalk_gateway import Gateway
from tests.platforms.dingtalk_model import Org
from tests.platforms.dingtalk_refusals import BAD_SECRET, IP_BAN, PERMISSION, QPS, QUOTA
from tests.platforms.dingtalk_socket import StreamServer

APP = "open-dev.dingtalk.com, 应用开发 → 企业内部应用 → your app"
RELEASE = f"{APP} → 版本管理与发布 → 创建新版本"
GROUP_ROBOT = "群设置 → 机器人 → 添加机器人 → 自定义, 安全设置 → 加签"
BASE_URL = "https://banzhang.example.org"
SUBSCRIPTIONS = (
    {"type": "EVENT", "topic": EVENTS},
    {"type": "CALLBACK", "topic": MESSAGES},
    {"type": "CALLBACK", "topic": CARDS},
)
USED = "1,234 of the organisation's 10,000 calls"
GREEN = [
    "DingTalk takes DINGTALK_CLIENT_ID and DINGTALK_CLIENT_SECRET.",
    "This machine's clock and DingTalk's agree.",
    "The app's robot is there, and may write to people and groups.",
    "Stream is ready: no public address is needed for it.",
    "Came in this week: messages, card presses, people who left.",
    "Cards with buttons go by the template DINGTALK_CARD_TEMPLATE_ID.",
    f"{USED} in {month_of(datetime.now(UTC))} are used.",
    "The custom robot of 早班 is there.",
    "老师群, home of 早班, is written to by the app's robot, and rung by its custom robot.",
]


class Office(Examined):
    """An organisation where all is set up as it should be, and what the doctor says of it."""

    def __init__(self, api: Api, gateway: Gateway, api_url: str = "http://dingtalk.test") -> None:
        self.dingtalk, self.gateway, self.org = api, gateway, api.org
        self.transport: httpx.AsyncBaseTransport | None = httpx.ASGITransport(api.application())
        self.org.add_member("zhangsan", "张三")
        self.group = self.org.add_group("老师群", ["zhangsan"])
        self.home = Home(self.group.id, "老师群", "早班")
        self.robot = Robot(*self.org.add_robot(self.group.id))
        self.setup = Setup(
            api_url,
            self.org.client_id,
            self.org.client_secret,
            self.org.robot_code,
            card_template_id=self.org.template_id,
            robots={"早班": self.robot},
        )

    def fail(self, path: str, how: Any = None, **planned: Any) -> None:
        self.dingtalk.fail(path, how, **planned)

    async def examined(self, **known: Any) -> Sequence[Finding]:
        setup = self.setup
        robots = {plain_name(team): robot for team, robot in setup.robots.items()}
        whole: dict[str, Any] = {
            "base_url": BASE_URL,
            "homes": (self.home,),
            "teams": ("早班",),
            "heard": lambda _beginning: True,
            "calls": lambda month: {"api": 1234, "session": 9} if month == month_of(now()) else {},
        }
        api = DingtalkApi(setup, now, self.transport)
        await api.open()
        try:
            findings = await doctor.examine(
                setup,
                api,
                Checkup(now(), **whole | known),
                lambda team: robots.get(plain_name(team)),
                SUBSCRIPTIONS,
            )
        finally:
            await api.close()
        self.look_for_secrets(" ".join(sentences(findings)))
        return findings

    def look_for_secrets(self, words: str) -> None:
        robots = [part for one in self.setup.robots.values() for part in (one.token, one.secret)]
        tickets = [opened.ticket for opened in self.gateway.opens]
        secrets = (self.org.client_secret, "hunter2", *robots, *tickets)
        assert not [secret for secret in secrets if secret and secret in words]


@pytest.fixture
async def office() -> AsyncIterator[Office]:
    """In one process, but for the door of the gateway, which nobody enters."""
    org = Org()
    gateway = Gateway(org)
    door = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
    gateway.endpoint = f"ws://127.0.0.1:{door.sockets[0].getsockname()[1]}/connect"
    async with door:
        yield Office(Api(org, gateway), gateway)


def now() -> datetime:
    return datetime.now(UTC)


# --- all is well ----------------------------------------------------------------------------------


async def test_all_is_well(office: Office) -> None:
    findings = await office.examined()
    assert sentences(findings) == GREEN
    assert await office.is_green()


async def test_all_is_well_over_the_network() -> None:
    org = Org()
    gateway = Gateway(org)
    with StandInDingtalk(org, gateway) as dingtalk, StreamServer(gateway):
        office = Office(dingtalk.api, gateway, dingtalk.api_url)
        office.transport = None
        assert sentences(await office.examined()) == GREEN
        assert gateway.lines == []


async def test_nothing_is_said_and_no_line_is_opened(office: Office) -> None:
    await office.examined()
    called = [call.path for call in office.dingtalk.calls]
    assert called == [ACCESS_TOKEN, USER, TO_PEOPLE, OPEN, CARD_INSTANCES, ROBOT]
    assert office.org.timeline == []
    assert office.gateway.lines == [], "it would take messages from a running server"
    assert [opened.is_used for opened in office.gateway.opens] == [False]
    assert office.gateway.opens[0].body["subscriptions"] == list(SUBSCRIPTIONS)
    assert office.dingtalk.metered == 2


# --- the app's keys -------------------------------------------------------------------------------


@pytest.mark.parametrize("wrong", [{"client_id": "ding0"}, {"client_secret": "hunter2"}], ids=str)
async def test_keys_that_dingtalk_refuses(office: Office, wrong: dict[str, str]) -> None:
    office.setup = replace(office.setup, **wrong)  # type: ignore[arg-type]
    assert await office.red() == (
        "DingTalk refuses DINGTALK_CLIENT_ID or DINGTALK_CLIENT_SECRET: copy Client ID and Client"
        f" Secret anew from {APP} → 凭证与基础信息, both of the same app ({BAD_SECRET})."
    )
    found = sentences(await office.examined())
    assert found[1:] == [GREEN[1], GREEN[4], *GREEN[6:]], "the rest does not hang on it"
    assert {call.path for call in office.dingtalk.calls} == {ACCESS_TOKEN, ROBOT}


async def test_an_address_that_is_not_in_the_list(office: Office) -> None:
    office.fail(USER, errcode=60020)
    found = await office.red()
    assert found.startswith("DingTalk takes no calls from the address that this machine calls from")
    assert found.endswith(f"at {APP} → 安全设置 → 服务器出口IP (60020).")
    office.fail(TO_PEOPLE, code="Forbidden.AccessDenied.IpNotInWhiteList")
    assert "安全设置 → 服务器出口IP" in await office.red()


# --- the network ----------------------------------------------------------------------------------


@pytest.mark.parametrize("path", [ACCESS_TOKEN, USER, TO_PEOPLE, OPEN, ROBOT])
@pytest.mark.parametrize("fault", [{"how": "drop"}, {"status": 502}, {"body": b"[]"}], ids=str)
async def test_dingtalk_is_in_trouble(office: Office, path: str, fault: Mapping[str, Any]) -> None:
    """Then nobody is sent to copy a secret that is good."""
    office.fail(path, **fault)
    found = await office.red()
    assert "DingTalk's API gives no answer (" in found
    assert "let https:// to dingtalk.test out of here" in found
    assert "copy" not in found


async def test_nobody_answers(office: Office) -> None:
    url, office.transport = f"http://127.0.0.1:{nowhere()}", None
    office.setup = replace(office.setup, api_url=url, robots={}, card_template_id="")
    findings = await office.examined(homes=(), teams=())
    [found] = [one.sentence for one in findings if not one.fine]
    assert found.startswith("DingTalk's API gives no answer (DingTalk is not reachable: ConnectErr")


async def test_dingtalk_does_not_listen_to_this_address(office: Office) -> None:
    office.fail(USER, status=403, body=IP_BAN)
    found = [one.sentence for one in await office.examined() if not one.fine]
    assert len(found) == 2, "all calls rest, the custom robot's too"
    assert found[0].startswith("DingTalk does not listen to this machine's address for 5 minutes")
    assert found[1].startswith("Custom robot of 早班: DingTalk does not listen to this")


@pytest.mark.parametrize("code", ["system.error", QPS])
async def test_what_passes(office: Office, code: str) -> None:
    office.fail(TO_PEOPLE, code=code)
    assert await office.red() == f"DingTalk refuses {TO_PEOPLE}: {code}; try again in a while."


async def test_a_code_that_nobody_knows(office: Office) -> None:
    office.fail(TO_PEOPLE, code="something.else")
    found = await office.red()
    assert found.startswith(f"DingTalk refuses {TO_PEOPLE}: something.else, see open.dingtalk.com/")


# --- the clock ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("ahead", "which"), [(-600, "ahead of"), (600, "behind")])
async def test_a_clock_that_is_wrong(office: Office, ahead: float, which: str) -> None:
    office.org.advance(ahead)
    found = await office.red()
    assert f"s {which} DingTalk's; from 300 s on every signed message is refused." in found
    assert "timedatectl set-ntp true" in found


# --- permissions and the robot --------------------------------------------------------------------


async def test_names_that_it_may_not_read(office: Office) -> None:
    office.fail(USER, errcode=60011)
    assert await office.advice() == (
        "The app may not read what people are called (60011), so those whom a message mentions are"
        f" known by their ids: search for qyapi_get_member at {APP} → 权限管理, and press 申请权限."
    )
    office.fail(USER, code=PERMISSION)
    assert "search for Contact.User.Read at" in await office.advice()


async def test_a_permission_that_is_missing(office: Office) -> None:
    denied = {
        "code": PERMISSION,
        "accessdenieddetail": {"requiredScopes": ["Robot.Message.Write", "qyapi_robot_sendmsg"]},
    }
    office.fail(TO_PEOPLE, status=403, body=denied)
    assert await office.red() == (
        "The app lacks a permission: search for Robot.Message.Write, qyapi_robot_sendmsg at"
        f" {APP} → 权限管理, and press 申请权限 ({PERMISSION})."
    )
    office.fail(TO_PEOPLE, status=403, body={"code": PERMISSION})
    assert "search for qyapi_robot_sendmsg at" in await office.red()


async def test_cards_that_it_may_not_send(office: Office) -> None:
    office.fail(CARD_INSTANCES, status=403, body={"code": PERMISSION})
    assert await office.red() == (
        "Cards cannot be sent: The app lacks a permission: search for Card.Instance.Write at"
        f" {APP} → 权限管理, and press 申请权限 ({PERMISSION})."
    )


@pytest.mark.parametrize(
    ("code", "told"),
    [
        (
            "param.templateNotExist",
            (
                "DINGTALK_CARD_TEMPLATE_ID is no template of this app's (param.templateNotExist):"
                " copy the id from the list at open-dev.dingtalk.com, 卡片平台 (it ends in"
                " .schema), of a template that is bound to this app."
            ),
        ),
        (
            "param.templateUnpublished",
            (
                "The card template is not published (param.templateUnpublished): open it at"
                " open-dev.dingtalk.com, 卡片平台, and press 发布 at the top right."
            ),
        ),
        (
            "param.empty",
            (
                "DingTalk makes no card of the template (param.empty, see"
                " open.dingtalk.com/document/orgapp/server-api-error-codes-1): look at"
                " open-dev.dingtalk.com, 卡片平台 whether it is published and bound to this app,"
                " and compare it with docs/dingtalk-card.json."
            ),
        ),
    ],
)
async def test_a_template_that_is_not_taken(office: Office, code: str, told: str) -> None:
    office.fail(CARD_INSTANCES, code=code, status=400)
    assert await office.red() == told


async def test_a_template_that_there_is_not(office: Office) -> None:
    """As DingTalk itself looks at it, and nobody sees a card."""
    office.setup = replace(office.setup, card_template_id="no-such.schema")
    assert "(param.templateNotExist)" in await office.red()
    office.setup = replace(office.setup, card_template_id=office.org.template_id)
    office.dingtalk.cards.is_published = False
    assert "(param.templateUnpublished)" in await office.red()
    office.dingtalk.cards.is_published = True
    for _ in range(2):
        assert await office.is_green(), "under a name of its own each time"
    assert office.org.timeline == []


@pytest.mark.parametrize("how", [{"how": "drop"}, {"code": "system.busy"}], ids=str)
async def test_a_template_of_which_nothing_is_told(office: Office, how: dict[str, Any]) -> None:
    office.fail(CARD_INSTANCES, **how)
    found = await office.advice()
    assert found.startswith("Whether DingTalk takes the card template was not checked (")


async def test_an_app_without_a_robot(office: Office) -> None:
    office.fail(TO_PEOPLE, code="invalidParameter.robotCode.notExsit")
    assert await office.red() == (
        "The app has no robot yet (invalidParameter.robotCode.notExsit): add one at"
        f" {APP} → 添加应用能力 → 机器人, press 发布, and publish the app at {RELEASE}."
    )


async def test_a_robot_code_that_is_none(office: Office) -> None:
    office.setup = replace(office.setup, robot_code="ding0")
    assert await office.red() == (
        "DINGTALK_ROBOT_CODE is no robot of this app (resource.not.found): leave it empty, or copy"
        f" RobotCode from {APP} → 机器人."
    )


async def test_a_robot_that_is_switched_off(office: Office) -> None:
    office.fail(TO_PEOPLE, code="chatbotId.notAllow.sendOTO")
    assert await office.red() == (
        "The app's robot is switched off or not published (chatbotId.notAllow.sendOTO): press 发布"
        f" at {APP} → 机器人, and publish the app at {RELEASE}."
    )


async def test_somebody_of_that_name(office: Office) -> None:
    """Or the other way to say that nobody was reached."""
    office.org.add_member(doctor.NO_ONE)
    assert await office.is_green()
    office.org.remove_member(doctor.NO_ONE)
    office.fail(TO_PEOPLE, body={"processQueryKey": "k", "invalidStaffIdList": [doctor.NO_ONE]})
    assert await office.is_green()


# --- Stream ---------------------------------------------------------------------------------------


async def test_stream_is_refused(office: Office) -> None:
    office.fail(OPEN, code="authFailed", status=401)
    found = await office.red()
    assert found.startswith("No Stream connection: DingTalk refuses DINGTALK_CLIENT_ID or")
    assert found.endswith("(authFailed).")


async def test_streams_host_cannot_be_reached(office: Office) -> None:
    port = nowhere()
    office.gateway.endpoint = f"ws://127.0.0.1:{port}/connect"
    assert await office.red() == (
        f"127.0.0.1:{port} cannot be reached (ConnectionRefusedError): let wss:// to it out of"
        " here."
    )


async def test_a_host_that_speaks_no_tls(office: Office) -> None:
    office.gateway.endpoint = office.gateway.endpoint.replace("ws://", "wss://")
    assert "cannot be reached (" in await office.red()


async def test_an_address_that_is_none(office: Office) -> None:
    office.gateway.endpoint = "ws://127.0.0.1:port/connect"
    assert "127.0.0.1:port cannot be reached (ValueError)" in await office.red()


async def test_nothing_has_come_in(office: Office) -> None:
    assert await office.advice(heard=came_in()) == (
        f"No messages have come in this week: choose Stream模式 at {APP} → 机器人 → 消息接收模式,"
        f" press 发布, publish the app at {RELEASE}, and write 帮助 to the robot, or `@班长 帮助`"
        " in a group that it is in."
    )


async def test_messages_alone_have_come_in(office: Office) -> None:
    findings = await office.examined(heard=came_in("msg"))
    assert sentences(findings)[4] == "Came in this week: messages."
    assert all(one.fine and not one.advice for one in findings)


# --- over HTTP ------------------------------------------------------------------------------------


@pytest.fixture
def by_http(office: Office) -> Office:
    secret = "hunter2hunter2hunter2"
    office.setup = replace(office.setup, mode="http", http_secret=secret, card_template_id="")
    return office


async def test_over_http(by_http: Office) -> None:
    found = await by_http.advice()
    assert found.startswith("In http mode DingTalk signs no message's content, so nobody changes")
    assert "DINGTALK_MODE=stream" in found
    assert by_http.gateway.opens == []


async def test_the_address_to_enter(by_http: Office) -> None:
    findings = await by_http.examined(heard=came_in())
    assert (
        f"enter {BASE_URL}/dingtalk/robot/******** as 消息接收地址 at {APP} → 机器人 → 消息接收模式"
        " → HTTP模式, with DINGTALK_HTTP_PATH in place of the stars, press 发布"
    ) in " ".join(sentences(findings))
    findings = await by_http.examined(heard=came_in(), base_url="")
    assert "https://your.address/dingtalk/robot/******** (BANZHANG_BASE_URL is not set) as" in (
        " ".join(sentences(findings))
    )


# --- cards ----------------------------------------------------------------------------------------


async def test_without_a_card_template(office: Office) -> None:
    office.setup = replace(office.setup, card_template_id="")
    assert await office.advice() == (
        "No card template is set, so what others press is typed here: make one as in"
        " docs/dingtalk.md at open-dev.dingtalk.com, 卡片平台 → 新建模板, and set"
        " DINGTALK_CARD_TEMPLATE_ID."
    )
    assert office.dingtalk.calls_of(CARD_INSTANCES) == []


# --- the month's calls ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("made", "fine", "advice"),
    [
        (0, True, False),
        (7_999, True, False),
        (8_000, True, True),
        (9_999, True, True),
        (10_000, False, False),
        (12_000, False, False),
    ],
)
async def test_the_months_calls(office: Office, made: int, *, fine: bool, advice: bool) -> None:
    findings = await office.examined(calls=lambda _month: {"api": made, "session": 99_999})
    [found] = [one for one in findings if "organisation's" in one.sentence]
    assert (found.fine, found.advice) == (fine, advice)
    assert found.sentence.startswith(f"{made:,} of the organisation's 10,000 calls in 20")
    assert ("钉钉专业版" in plain(found.sentence)) == (advice or not fine)
    assert ("groups wait already" in found.sentence) == (made == 9_999)


async def test_a_month_is_beijings(office: Office) -> None:
    asked: list[str] = []

    def calls(month: str) -> dict[str, int]:
        asked.append(month)
        return {}

    api = DingtalkApi(office.setup, now)
    checkup = Checkup(datetime(2026, 11, 30, 16, 0, tzinfo=UTC), calls=calls)
    await doctor.examine(office.setup, api, checkup, lambda _team: None, SUBSCRIPTIONS)
    assert asked == ["2026-12"]


async def test_where_nobody_counts(office: Office) -> None:
    office.setup = replace(office.setup, monthly_calls=0)
    findings = await office.examined()
    assert sentences(findings)[6] == (
        f"1,234 calls were made in {month_of(now())}; nobody counts them."
    )


async def test_the_month_has_no_calls_left(office: Office) -> None:
    office.dingtalk.quota = 0
    assert await office.red() == (
        "The organisation's calls of this month are used up, and DingTalk takes no messages before"
        f" the 1st (of Beijing): it has more with 钉钉专业版 ({QUOTA})."
    )


# --- custom robots --------------------------------------------------------------------------------


async def test_a_custom_robot_that_was_removed(office: Office) -> None:
    del office.org.robots[office.robot.token]
    gone = (
        "The custom robot of 早班 was removed or switched off ({code}): make a new one in the"
        f" team's DingTalk group, {GROUP_ROBOT}, and put what stands behind access_token= in its"
        " Webhook address, and its secret, into DINGTALK_WEBHOOKS."
    )
    assert await office.red() == gone.format(code=300005)
    office.fail(ROBOT, errcode=400102)
    assert await office.red() == gone.format(code=400102)


async def test_a_secret_that_is_not_the_robots(office: Office) -> None:
    office.setup = replace(office.setup, robots={"早班": Robot(office.robot.token, "SEChunter2")})
    assert await office.red() == (
        "The custom robot of 早班 does not take the signature (310000): copy the secret (SEC…) at"
        " its 安全设置 in the group anew into DINGTALK_WEBHOOKS, and choose nothing but 加签 there."
    )


async def test_a_robot_that_wants_a_keyword(office: Office) -> None:
    """Nothing has none, and what is really said may have it."""
    token, _ = office.org.add_robot(office.group.id, secret=False)
    office.setup = replace(office.setup, robots={"早班": Robot(token)})
    assert await office.is_green()
    office.fail(ROBOT, errcode=310000)
    found = await office.advice()
    assert found.startswith("The custom robot of 早班 takes only what has its keyword in it, or")
    assert "put 早班=TOKEN:SEC… into DINGTALK_WEBHOOKS" in found


async def test_a_custom_robot_that_dingtalk_does_not_tell_of(office: Office) -> None:
    office.fail(ROBOT, errcode=130101)
    assert await office.red() == (
        "The custom robot of 早班 cannot be looked at: 130101; try again in a while."
    )


@pytest.mark.parametrize("code", [400202, 40035, 0])
async def test_either_way_to_say_that_there_are_no_words(office: Office, code: int) -> None:
    office.fail(ROBOT, errcode=code)
    assert await office.is_green()


async def test_a_custom_robot_of_a_team_that_is_none(office: Office) -> None:
    robots = {"早班": office.robot, "夜班": Robot(*office.org.add_robot(office.group.id))}
    office.setup = replace(office.setup, robots=robots)
    assert await office.red() == (
        "DINGTALK_WEBHOOKS has a custom robot for 夜班, and no team is called that; there are:"
        " 早班."
    )
    assert await office.is_green(teams=(), homes=()), "where nobody told which teams there are"


async def test_a_teams_name_as_somebody_typed_it(office: Office) -> None:
    office.setup = replace(office.setup, robots={"ｄａｙ  SHIFT": office.robot})
    home = Home(office.group.id, "", "Day shift")
    findings = await office.examined(teams=("Day shift",), homes=(home,))
    assert all(one.fine and not one.advice for one in findings)
    assert sentences(findings)[-1] == (
        f"{office.group.id}, home of Day shift, is written to by the app's robot, and rung by its"
        " custom robot."
    )


# --- groups ---------------------------------------------------------------------------------------


async def test_a_group_that_rings_by_cards(office: Office) -> None:
    office.setup = replace(office.setup, robots={})
    findings = await office.examined()
    assert sentences(findings)[-1] == (
        "老师群, home of 早班, is written to by the app's robot, whose cards ring phones."
    )
    assert all(one.fine and not one.advice for one in findings)


async def test_a_group_that_rings_no_phones(office: Office) -> None:
    office.setup = replace(office.setup, robots={}, card_template_id="")
    findings = await office.examined()
    assert all(one.fine for one in findings)
    assert findings[-1].advice
    assert plain(findings[-1].sentence) == (
        "老师群, home of 早班, is written to by the app's robot, which rings no phones: reminders"
        " are only shown there, without a real @. Add a custom robot there"
        f" ({GROUP_ROBOT}) and put 早班=TOKEN:SEC… into DINGTALK_WEBHOOKS."
    )


async def test_a_team_without_a_group(office: Office) -> None:
    office.setup = replace(office.setup, bot_name="小班")
    assert await office.advice(homes=()) == (
        "Nobody has bound a DingTalk group to 早班 yet: write `@小班 团队 绑定` in it."
    )
    found = [one.sentence for one in await office.examined(homes=(), teams=("早班", "晚班"))]
    assert found[-2:] == [
        "Nobody has bound a DingTalk group to 早班 yet: write `@小班 团队 绑定 早班` in it.",
        "Nobody has bound a DingTalk group to 晚班 yet: write `@小班 团队 绑定 晚班` in it.",
    ]
