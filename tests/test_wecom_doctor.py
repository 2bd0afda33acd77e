"""`banzhang doctor` and WeCom: each thing that can be wrong is found, with where to click."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

import handlers
from adapters.clocks import clock
from adapters.contract import Checkup, Finding, Home
from adapters.wecom import doctor_groups
from adapters.wecom.adapter import WecomAdapter
from adapters.wecom.reading import NAME
from adapters.wecom.setup import LEAD, App, Callback, LongConnection, Setup
from adapters.wires import Connect, Wire
from bot import app
from bot.messages import LOCALES, Chat, Event, Locale, User
from bot.words import reader_for
from storage.uow import UnitOfWork
from tests.doctoring import migrated, run_doctor, written
from tests.findings import Examined, came_in, nowhere, plain, sentences
from tests.platforms.wecom import StandInWecom
from tests.platforms.wecom_gateway import ODD_FRAMES, connect_in_process
from tests.platforms.wecom_socket import BotServer

VERBS = frozenset(command.name for command in handlers.COMMANDS)
CONSOLE = "work.weixin.qq.com/wework_admin"
APP = f"{CONSOLE}, 应用管理 → your app"
BOTS = f"{CONSOLE}, 安全与管理 → 管理工具 → 智能机器人"
ROBOT = "⋯ → 消息推送 (formerly 群机器人) → 添加"
MENU = "签到, 签退, 更多 (休息, 回岗, 我的工时, 问题, 帮助)"
BASE_URL = "https://banzhang.example.org"
LED = "A running server has the aibot's long connection; it is left alone,"
GREEN = [
    "WeCom takes WECOM_CORP_ID, WECOM_SECRET and WECOM_AGENT_ID: the app is 班长.",
    "This machine's clock and WeCom's agree.",
    "Everything that the app can send has come in this week.",
    f"The app's menu is there: {MENU}.",
    "The aibot's long connection works: no public address is needed for it.",
    "Came in from the aibot this week: messages, card presses.",
    "The group robot of 早班 is there.",
    "老师群, home of 早班, is written to by the aibot, and rung by its group robot.",
]


class Office(Examined):
    """A corp where everything is set up as it should be, and what the doctor says of it."""

    def __init__(self, wecom: StandInWecom, bots: BotServer) -> None:
        self.wecom, self.bots, self.corp = wecom, bots, wecom.corp
        self.corp.add_member("ZhangSan", "张三")
        self.group = self.corp.add_group("老师群", ["ZhangSan"], heard=True)
        self.key = self.corp.add_webhook(self.group.chatid)
        self.corp.menu = app.wecom_menu("zh_CN")
        self.home = Home(self.group.chatid, "老师群", "早班")
        corp = self.corp
        self.app = App(corp.corp_id, corp.agent_id, corp.secret, corp.token, corp.aes_key)
        self.line = LongConnection(bots.url, corp.bot_id, corp.bot_secret)
        self.callback = Callback(corp.bot_token, corp.bot_aes_key)
        self.setup = Setup(wecom.origin, self.app, self.line, corp.bot_name, {"早班": self.key})

    async def examined(self, *, connect: Connect | None = None, **known: Any) -> Sequence[Finding]:
        """By the real adapter over real HTTP and a real WebSocket."""
        adapter = WecomAdapter(self.setup, now, reader_for, connect=connect)
        whole: dict[str, Any] = {
            "base_url": BASE_URL,
            "homes": (self.home,),
            "teams": ("早班",),
            "heard": lambda _beginning: True,
            "verbs": VERBS,
        }
        findings = await adapter.examine(Checkup(now(), **whole | known))
        self.look_for_secrets(" ".join(sentences(findings)))
        return findings

    def look_for_secrets(self, words: str) -> None:
        corp = self.corp
        secrets = (corp.secret, corp.token, corp.aes_key, corp.bot_secret, corp.bot_token)
        for secret in (*secrets, corp.bot_aes_key, *self.setup.webhooks.values(), "hunter2"):
            assert secret not in words

    def environment(self) -> dict[str, str]:
        corp = self.corp
        return {
            "WECOM_API_URL": self.wecom.origin,
            "WECOM_CORP_ID": corp.corp_id,
            "WECOM_AGENT_ID": str(corp.agent_id),
            "WECOM_SECRET": corp.secret,
            "WECOM_TOKEN": corp.token,
            "WECOM_ENCODING_AES_KEY": corp.aes_key,
            "WECOM_BOT_WS_URL": self.bots.url,
            "WECOM_BOT_ID": corp.bot_id,
            "WECOM_BOT_SECRET": corp.bot_secret,
            "WECOM_WEBHOOKS": f"早班={self.key}",
            "BANZHANG_BASE_URL": BASE_URL,
        }


@pytest.fixture
def office() -> Iterator[Office]:
    with StandInWecom() as wecom, BotServer(wecom.corp) as bots:
        yield Office(wecom, bots)


def now() -> datetime:
    return datetime.now(UTC)


# --- all is well ----------------------------------------------------------------------------------


async def test_all_is_well(office: Office) -> None:
    findings = await office.examined()
    assert sentences(findings) == GREEN
    assert await office.is_green()


async def test_nothing_is_said_and_nothing_is_changed(office: Office) -> None:
    menu = office.corp.menu
    await office.examined()
    assert {call.path for call in office.wecom.api.calls} == {
        "gettoken",
        "agent/get",
        "getcallbackip",
        "menu/get",
        "webhook/send",
    }
    assert office.corp.timeline == []
    assert office.corp.menu == menu
    assert office.bots.gateway.subscriptions == 1
    office.wecom.wait_for(lambda: office.bots.lines == 0)


# --- the app's settings ---------------------------------------------------------------------------


async def test_a_corp_id_that_is_none(office: Office) -> None:
    office.setup = replace(office.setup, app=replace(office.app, corp_id="ww0"))
    found = await office.red()
    assert "WECOM_CORP_ID" in found
    assert f"{CONSOLE}, 我的企业 → 企业信息 → 企业ID (errcode 40013)." in found


async def test_a_secret_that_wecom_refuses(office: Office) -> None:
    office.setup = replace(office.setup, app=replace(office.app, secret="hunter2"))
    findings = await office.examined()
    assert [one.fine for one in findings] == [False, *[True] * 5]
    assert findings[0].sentence == (
        f"WeCom refuses WECOM_SECRET: copy it anew from {APP} → Secret → 查看 (errcode 40001)."
    )
    assert sentences(findings)[1:] == [GREEN[2], *GREEN[4:]], "the groups do not hang on it"


async def test_a_secret_of_another_corp(office: Office) -> None:
    office.wecom.api.fail("gettoken", errcode=40091)
    found = await office.red()
    assert "WeCom refuses WECOM_SECRET" in found
    assert "(errcode 40091)." in found


@pytest.mark.parametrize("code", [301002, 40056])
async def test_an_agent_id_that_does_not_fit_the_secret(office: Office, code: int) -> None:
    if code == 301002:
        office.setup = replace(office.setup, app=replace(office.app, agent_id=1000003))
    else:
        office.wecom.api.fail("agent/get", errcode=code)
    assert await office.red() == (
        "WECOM_AGENT_ID and WECOM_SECRET are not of one app: copy both from the same page,"
        f" {APP}, AgentId and Secret (errcode {code})."
    )


async def test_an_address_that_is_not_trusted(office: Office) -> None:
    office.corp.trusted_ips = {"198.51.100.1"}
    found = await office.red()
    assert "does not trust the address 203.0.113.7, that this machine calls from" in found
    assert f"(errcode 60020): enter it at {APP} → 企业可信IP → 配置" in found
    assert "接收消息 → 设置API接收" in found


async def test_trust_is_asked_for_later(office: Office) -> None:
    """The page of the app may be had from anywhere, its menu may not."""
    for path in ("getcallbackip", "menu/get"):
        office.wecom.api.fail(path, errcode=60020)
        assert "企业可信IP" in await office.red()


async def test_an_app_that_is_switched_off(office: Office) -> None:
    office.corp.agent_closed = True
    assert await office.red() == (
        f"The app is switched off: switch it on at {APP}, 启用 (errcode 50003)."
    )
    office.corp.agent_closed = False
    closed = b'{"errcode": 0, "name": "x", "close": 1, "allow_tags": {"tagid": [1]}}'
    office.wecom.api.fail("agent/get", body=closed)
    assert await office.red() == f"The app is switched off: switch it on at {APP}, 启用."


async def test_an_app_that_nobody_may_see(office: Office) -> None:
    office.corp.members["zhangsan"].visible = False
    assert await office.red() == (
        f"Nobody may see the app: add members or departments at {APP} → 可见范围."
    )


@pytest.mark.parametrize(
    "seen",
    [
        b'"allow_partys": {"partyid": [1]}',
        b'"allow_tags": {"tagid": [1]}',
        b'"allow_userinfos": {"user": [{"userid": "zhangsan"}]}',
    ],
)
async def test_a_department_or_a_tag_will_do(office: Office, seen: bytes) -> None:
    office.wecom.api.fail("agent/get", body=b'{"errcode": 0, "name": "\\n", %b}' % seen)
    findings = await office.examined()
    assert all(one.fine for one in findings)
    assert findings[0].sentence.endswith("the app is without a name.")


async def test_a_code_that_nobody_knows(office: Office) -> None:
    office.wecom.api.fail("agent/get", errcode=48002)
    assert await office.red() == (
        "WeCom refuses agent/get: errcode 48002, see open.work.weixin.qq.com/devtool/query?e=48002."
    )
    office.wecom.api.fail("agent/get", errcode=-1)
    assert await office.red() == "WeCom refuses agent/get: errcode -1; try again in a while."


# --- the network ----------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["gettoken", "agent/get", "getcallbackip", "menu/get"])
@pytest.mark.parametrize("fault", [{"how": "drop"}, {"status": 502}, {"body": b"[]"}], ids=str)
async def test_wecom_is_in_trouble(office: Office, path: str, fault: Mapping[str, Any]) -> None:
    """Then nobody is sent to copy a secret that is good."""
    office.wecom.api.fail(path, **fault)
    found = await office.red()
    assert found.startswith("WeCom's API gives no answer (")
    assert f"let https:// to {office.wecom.origin.removeprefix('http://')} out of here" in found
    assert "copy" not in found


async def test_nobody_answers(office: Office) -> None:
    office.setup = replace(
        office.setup, api_url=f"http://127.0.0.1:{nowhere()}", webhooks={}, bot=None
    )
    findings = await office.examined(homes=())
    [found] = [one.sentence for one in findings if not one.fine]
    assert found.startswith("WeCom's API gives no answer (WeCom is not reachable: ConnectError)")


# --- the clock ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("ahead", "which"), [(-600, "ahead of"), (600, "behind")])
async def test_a_clock_that_is_wrong(office: Office, ahead: float, which: str) -> None:
    office.corp.advance(ahead)
    found = await office.red()
    assert f"s {which} WeCom's; from 300 s on every callback is refused." in found
    assert 590 <= int(found.split(" s ")[0].split()[-1]) <= 610
    assert "timedatectl set-ntp true" in found


async def test_a_clock_that_is_a_little_wrong(office: Office) -> None:
    office.corp.advance(30)
    assert await office.is_green()


@pytest.mark.parametrize("headers", [{"date": "soon"}, {}])
def test_a_clock_that_nobody_tells(headers: dict[str, str]) -> None:
    assert list(clock(headers, now(), "WeCom", "callback")) == []


# --- the callback address -------------------------------------------------------------------------

BOT_KINDS = ("bot:message", "bot:press")


async def test_what_to_enter_as_the_callback_address(office: Office) -> None:
    office.wecom.api.office.callback_ips = ["198.51.100.7", "203.0.113.*"]
    found = await office.advice(heard=came_in(*BOT_KINDS), base_url=f"{BASE_URL}/")
    assert found.startswith("Nothing has come in from the app this week.")
    assert f"Enter {BASE_URL}/wecom/app as URL at {APP} → 接收消息 → 设置API接收" in found
    assert "WECOM_TOKEN and WECOM_ENCODING_AES_KEY" in found
    assert found.endswith("WeCom calls from 198.51.100.7, 203.0.113.*.")


async def test_the_callback_address_where_none_is_set(office: Office) -> None:
    found = await office.advice(heard=came_in(*BOT_KINDS), base_url="")
    assert "https://your.address/wecom/app (BANZHANG_BASE_URL is not set)" in found


async def test_where_wecom_calls_from_may_be_kept_from_us(office: Office) -> None:
    for fault in ({"errcode": 48002}, {"body": b'{"errcode": 0, "ip_list": 7}'}):
        office.wecom.api.fail("getcallbackip", **fault)
        found = await office.advice(heard=came_in(*BOT_KINDS))
        assert "calls from" not in found


async def test_the_callback_address_while_the_secret_is_wrong(office: Office) -> None:
    office.setup = replace(office.setup, app=replace(office.app, secret="hunter2"))
    said = sentences(await office.examined(heard=came_in()))
    assert any(f"Enter {BASE_URL}/wecom/app" in one for one in said)


async def test_what_has_come_in_from_the_app(office: Office) -> None:
    findings = await office.examined(heard=came_in("app:message", "app:press"))
    [said] = [one for one in sentences(findings) if "from the app" in one]
    assert said == (
        "Came in from the app this week: messages, card presses. Did not: menu clicks. If somebody"
        f" has tried, look at {APP} → 接收消息 → 设置API接收."
    )


# --- the menu -------------------------------------------------------------------------------------


async def test_no_menu(office: Office) -> None:
    office.corp.menu = None
    assert await office.advice() == "The app has no menu: run `banzhang wecom menu`."


async def test_a_menu_of_another_version(office: Office) -> None:
    tap = {"type": "click", "name": "签到", "key": "checkin"}
    office.corp.menu = {"button": [tap, {"name": "其他", "sub_button": [tap | {"name": "帮助"}]}]}
    assert await office.advice() == (
        "The app's menu is not the one that this version makes (签到, 其他 (帮助)): run"
        " `banzhang wecom menu`."
    )
    assert await office.is_green(verbs=frozenset()), "where nobody told what there is"


@pytest.mark.parametrize("locale", LOCALES)
async def test_a_menu_in_either_language(office: Office, locale: Locale) -> None:
    office.corp.menu = app.wecom_menu(locale)
    assert await office.is_green()


async def test_a_menu_that_wecom_does_not_tell_of(office: Office) -> None:
    office.wecom.api.fail("menu/get", errcode=45009)
    assert await office.red() == "WeCom refuses menu/get: errcode 45009; try again in a while."


# --- the aibot's long connection ------------------------------------------------------------------


async def test_a_connection_that_a_running_server_has(office: Office) -> None:
    """A second one would end it, and what is said meanwhile would be lost."""
    asked = []

    def led(what: str) -> bool:
        asked.append(what)
        return True

    findings = await office.examined(led=led)
    assert all(one.fine and not one.advice for one in findings)
    [said] = [one for one in sentences(findings) if one.startswith(LED)]
    assert said.endswith("for a second one would end it.")
    assert asked == [LEAD]
    assert office.bots.gateway.sessions == []


async def test_an_aibots_secret_that_wecom_refuses(office: Office) -> None:
    office.setup = replace(office.setup, bot=replace(office.line, secret="hunter2"))
    assert await office.red() == (
        "WeCom refuses WECOM_BOT_ID or WECOM_BOT_SECRET (errcode 853000): choose 使用长连接 at"
        f" {BOTS} → your bot → API设置, and copy Bot ID and Secret anew from there."
    )
    assert office.bots.gateway.tries == 1, "several are answered with silence for a while"


async def test_a_subscription_that_wecom_does_not_take(office: Office) -> None:
    office.bots.gateway.fail_next(6000, cmd="aibot_subscribe")
    assert await office.red() == (
        "WeCom does not take the aibot's subscription: errcode 6000; try again in a while."
    )


async def test_a_subscription_without_an_answer(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor_groups, "PATIENCE", 0.5)
    office.bots.gateway.swallows_subscriptions = True
    found = await office.red()
    assert "takes the connection and does not answer the aibot on it: try again" in found
    assert office.bots.url.split("/")[2] in found


async def test_a_network_that_does_not_let_us_out(office: Office) -> None:
    port = nowhere()
    office.setup = replace(
        office.setup, bot=replace(office.line, url=f"ws://127.0.0.1:{port}/?x=hunter2")
    )
    assert await office.red() == (
        f"127.0.0.1:{port} cannot be reached (ClientConnectorError): let wss:// to it out of here."
    )
    office.setup = replace(office.setup, bot=office.line)
    office.bots.refusals = 1
    assert "cannot be reached (WSServerHandshakeError 502)" in await office.red()


async def test_a_connection_that_says_odd_things_first(office: Office) -> None:
    gateway = office.bots.gateway
    line = connect_in_process(gateway)

    async def odd(url: str) -> Wire:
        wire = await line(url)
        for frame in ODD_FRAMES:
            gateway.sessions[-1].send(frame)
        return wire

    assert await office.is_green(connect=odd)
    assert gateway.subscriptions == 1


async def test_a_connection_that_ends_at_once(office: Office) -> None:
    gateway = office.bots.gateway
    line = connect_in_process(gateway)

    async def ending(url: str) -> Wire:
        wire = await line(url)
        gateway.swallows_subscriptions = True
        gateway.sessions[-1].close()
        return wire

    assert "does not answer the aibot" in await office.red(connect=ending)


async def test_nothing_has_come_in_from_the_aibot(office: Office) -> None:
    app_kinds = ("app:message", "app:click", "app:press")
    found = await office.advice(heard=came_in(*app_kinds))
    assert found == (
        "Nothing has come in from the aibot this week: take it into a group (⋯ → 添加成员 →"
        " 智能机器人) and write `@班长 帮助` there; its name is to be WECOM_BOT_NAME."
    )


# --- the aibot by callback, or none ---------------------------------------------------------------


async def test_an_aibot_by_callback(office: Office) -> None:
    office.setup = replace(office.setup, bot=office.callback)
    assert await office.is_green()
    assert office.bots.gateway.sessions == []
    found = await office.advice(heard=lambda beginning: beginning.startswith("app:"))
    assert f"Enter {BASE_URL}/wecom/bot as URL at {BOTS} → your bot → API设置" in found
    assert "WECOM_BOT_TOKEN and WECOM_BOT_ENCODING_AES_KEY" in found
    assert "`@班长 帮助`" in found


async def test_group_robots_without_an_aibot_have_no_group(office: Office) -> None:
    office.setup = replace(office.setup, bot=None)
    found = [one.sentence for one in await office.examined(homes=()) if not one.fine]
    assert any("have nothing to say" in one for one in found)


async def test_no_aibot(office: Office) -> None:
    office.setup = replace(office.setup, bot=None)
    found = await office.advice(teams=("早班", "晚班"))
    assert found.startswith("No aibot is set, so nothing is heard in groups: make one at")
    assert f"{BOTS} → 创建机器人 → 手动创建 → API模式创建 → 使用长连接" in found
    assert "WECOM_BOT_ID and WECOM_BOT_SECRET" in found


async def test_an_aibot_without_an_app(office: Office) -> None:
    office.setup = replace(office.setup, app=None)
    findings = await office.examined()
    assert all(one.fine for one in findings)
    [found] = [one.sentence for one in findings if one.advice]
    assert "an encrypted id (wo…) stays unresolved" in plain(found)
    assert "Set WECOM_CORP_ID, WECOM_AGENT_ID, WECOM_SECRET," in found
    assert {call.path for call in office.wecom.api.calls} == {"webhook/send"}


# --- group robots ---------------------------------------------------------------------------------


async def test_a_group_robot_that_was_removed(office: Office) -> None:
    del office.corp.webhooks[office.key]
    assert await office.red() == (
        "The group robot of 早班 was removed or switched off (errcode 93000): make a new one in the"
        f" team's WeCom group, {ROBOT}, and put what stands behind key= in its Webhook address"
        " into WECOM_WEBHOOKS."
    )


async def test_a_group_robot_that_wecom_does_not_tell_of(office: Office) -> None:
    office.wecom.api.fail("webhook/send", errcode=45009)
    assert await office.red() == (
        "The group robot of 早班 cannot be looked at: errcode 45009; try again in a while."
    )
    office.wecom.api.fail("webhook/send", "drop")
    found = await office.red()
    assert found.startswith("Group robot of 早班: WeCom's API gives no answer (the line broke")


@pytest.mark.parametrize("code", [44004, 93017])
async def test_either_way_to_say_that_there_are_no_words(office: Office, code: int) -> None:
    office.wecom.api.fail("webhook/send", errcode=code)
    assert await office.is_green()


async def test_a_group_robot_of_a_team_that_is_none(office: Office) -> None:
    key = office.corp.add_webhook(office.group.chatid)
    office.setup = replace(office.setup, webhooks={"早班": office.key, "夜班": key})
    assert await office.red() == (
        "WECOM_WEBHOOKS has a group robot for 夜班, and no team is called that; there are: 早班."
    )
    assert await office.is_green(teams=(), homes=()), "where nobody told which teams there are"


async def test_a_teams_name_as_somebody_typed_it(office: Office) -> None:
    office.setup = replace(office.setup, webhooks={"ｄａｙ  SHIFT": office.key})
    home = Home(office.group.chatid, "", "Day shift")
    findings = await office.examined(teams=("Day shift",), homes=(home,))
    assert all(one.fine and not one.advice for one in findings)
    assert sentences(findings)[-1] == (
        f"{office.group.chatid}, home of Day shift, is written to by the aibot, and rung by its"
        " group robot."
    )


# --- groups ---------------------------------------------------------------------------------------


async def test_a_group_without_a_robot(office: Office) -> None:
    """The aibot mentions nobody: people read it when they look."""
    office.setup = replace(office.setup, webhooks={})
    assert await office.advice() == (
        "老师群, home of 早班, is written to by the aibot, which rings no phones: add a group robot"
        f" there ({ROBOT}) and put 早班=KEY into WECOM_WEBHOOKS."
    )


async def test_a_group_that_is_written_to_by_its_robot_alone(office: Office) -> None:
    office.setup = replace(office.setup, bot=office.callback)
    assert sentences(await office.examined())[-1] == (
        "老师群, home of 早班, is written to by its group robot."
    )


async def test_a_group_that_nothing_reaches(office: Office) -> None:
    office.setup = replace(office.setup, bot=office.callback, webhooks={})
    found = await office.red()
    assert found.startswith(
        "老师群, home of 早班, cannot be written to, for an aibot by callback only answers: add"
    )
    assert "put 早班=KEY into WECOM_WEBHOOKS, or choose 使用长连接" in found
    assert "WECOM_BOT_ID and WECOM_BOT_SECRET" in found
    office.setup = replace(office.setup, bot=None)
    [found] = [one.sentence for one in await office.examined() if not one.fine]
    assert "cannot be written to, for no aibot is set" in found


async def test_a_team_without_a_group(office: Office) -> None:
    office.setup = replace(office.setup, webhooks={}, bot_name="小班")
    assert await office.advice(homes=()) == (
        "Nobody has bound a WeCom group to 早班 yet: write `@小班 团队 绑定` in it."
    )
    found = [one.sentence for one in await office.examined(homes=(), teams=("早班", "晚班"))]
    assert found[-2:] == [
        "Nobody has bound a WeCom group to 早班 yet: write `@小班 团队 绑定 早班` in it.",
        "Nobody has bound a WeCom group to 晚班 yet: write `@小班 团队 绑定 晚班` in it.",
    ]


# --- by the command line --------------------------------------------------------------------------


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return migrated(tmp_path)


def event(key: str, at: datetime) -> Event:
    user = User(id="zhangsan", name="张三")
    chat = Chat(kind="direct", id="zhangsan")
    return Event(platform=NAME, key=key, kind="text", user=user, chat=chat, at=at, received_at=at)


def test_a_green_doctor_ends_with_0(office: Office, database: Path, tmp_path: Path) -> None:
    """What it knows of teams, homes and what came in stands in the database."""

    def write(uow: UnitOfWork, at: datetime) -> None:
        team = uow.teams.add("早班", "zh_CN", "Asia/Shanghai", at)
        uow.teams.bind(team, NAME, office.group.chatid, "老师群", at)
        for key in ("app:message:1", "app:click:2", "app:press:3", "bot:message:4", "bot:press:5"):
            assert uow.inbox.claim(event(key, at))

    written(database, write)
    code, out, error = run_doctor(tmp_path, office.environment())
    assert (code, error) == (0, "")
    assert "✗" not in out
    for sentence in GREEN:
        assert f"✓ {sentence}" in out


def test_a_red_doctor_ends_with_1_and_one_plain_sentence(
    office: Office, database: Path, tmp_path: Path
) -> None:
    office.corp.menu = None
    del office.corp.webhooks[office.key]
    code, out, error = run_doctor(tmp_path, office.environment())
    assert code == 1
    assert out.count("✗") == 1
    assert "✗ The group robot of 早班 was removed" in out
    assert "! The app has no menu: run `banzhang wecom menu`." in out
    assert f"Enter {BASE_URL}/wecom/app as URL" in out
    assert len(error.strip().splitlines()) == 1
    assert "Error" not in error
    office.look_for_secrets(out + error)


def test_the_doctor_leaves_a_running_server_alone(
    office: Office, database: Path, tmp_path: Path
) -> None:
    def write(uow: UnitOfWork, at: datetime) -> None:
        uow.teams.add("[/b]早班[red]", "zh_CN", "Asia/Shanghai", at)
        assert uow.leads.take(LEAD, "a server", at, at + timedelta(minutes=5))

    written(database, write)
    variables = office.environment() | {"WECOM_WEBHOOKS": ""}
    code, out, error = run_doctor(tmp_path, variables)
    assert (code, error) == (0, "")
    assert f"✓ {LED}" in out
    assert office.bots.gateway.sessions == []
    assert "! Nobody has bound a WeCom group to [/b]早班[red] yet:" in out


def test_a_server_that_is_gone_has_nothing(office: Office, database: Path, tmp_path: Path) -> None:
    def write(uow: UnitOfWork, at: datetime) -> None:
        past = at - timedelta(minutes=5)
        assert uow.leads.take(LEAD, "a server", past, past + timedelta(seconds=15))

    written(database, write)
    code, out, _error = run_doctor(tmp_path, office.environment())
    assert code == 0
    assert GREEN[4] in out
    assert office.bots.gateway.subscriptions == 1


def test_where_no_platform_is_set_both_are_named(database: Path, tmp_path: Path) -> None:
    code, out, _error = run_doctor(tmp_path, {})
    assert code == 1
    assert "✗ No platform is set. For Slack set SLACK_BOT_TOKEN" in out
    assert "For WeCom set WECOM_CORP_ID, WECOM_AGENT_ID, WECOM_SECRET, WECOM_TOKEN" in out
