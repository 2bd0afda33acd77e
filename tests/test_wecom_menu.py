"""The menu of WeCom's app: what stands in it, what a tap on it means, and how it gets there."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

import handlers
from adapters.carried import Pressed
from adapters.wecom import menu
from adapters.wecom.adapter import WecomAdapter
from adapters.wecom.decode import decode
from adapters.wecom.setup import App, Setup
from bot import app
from bot.messages import LOCALES, Locale
from bot.verbs import Verbs
from bot.words import reader_for
from tests.platforms.wecom import StandInWecom
from tests.platforms.wecom_model import Json

ROOT = Path(__file__).parent.parent
NAMES = frozenset(command.name for command in handlers.COMMANDS)
NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
CONSOLE = "work.weixin.qq.com/wework_admin"


def made(verbs: frozenset[str] = NAMES, locale: Locale = "zh_CN") -> Json:
    return menu.menu(reader_for(locale, "UTC", NOW).plain, verbs)


def taps(shown: Json) -> list[Json]:
    """All buttons that send something, from the left and from above."""
    return [tap for one in shown["button"] for tap in one.get("sub_button") or [one]]


def commands(shown: Json) -> list[str]:
    found = [Pressed.loaded(tap["key"]) for tap in taps(shown)]
    return [one.command for one in found if one is not None]


# --- what stands in it ----------------------------------------------------------------------------


def test_the_menu_of_today() -> None:
    assert menu.shown(made()) == "签到, 签退, 更多 (休息, 回岗, 我的工时, 问题, 帮助)"
    assert (
        menu.shown(made(locale="en"))
        == "Check in, Check out, More (Break, Back, Me, Questions, Help)"
    )
    assert commands(made()) == ["checkin", "checkout", "break", "back", "me", "queries", "help"]


def test_tasks_and_pay_come_by_themselves() -> None:
    """A break is a button of every check-in's card too, and makes room."""
    assert commands(made(NAMES | {"tasks"}))[2:] == ["me", "tasks", "queries", "help"]
    later = made(NAMES | {"tasks", "pay"})
    assert commands(later)[2:] == ["me", "tasks", "queries", "pay", "help"]
    assert menu.shown(later) == "签到, 签退, 更多 (我的工时, 任务, 问题, 工资, 帮助)"


def test_nothing_is_in_it_that_the_bot_does_not_know() -> None:
    assert commands(made(NAMES - {"queries"}))[2:] == ["break", "back", "me", "help"]
    assert commands(made(NAMES - {"back"}))[2:] == ["me", "queries", "help"]
    assert menu.shown(made(frozenset({"checkin", "help"}))) == "签到, 更多 (帮助)"
    assert menu.shown(made(frozenset({"checkin", "checkout"}))) == "签到, 签退"


@pytest.mark.parametrize("locale", LOCALES)
@pytest.mark.parametrize("more", [frozenset[str](), frozenset({"tasks", "pay"})])
def test_wecom_takes_it(locale: Locale, more: frozenset[str]) -> None:
    """https://developer.work.weixin.qq.com/document/path/90231"""
    shown = made(NAMES | more, locale)
    assert len(shown["button"]) <= 3
    for button in shown["button"]:
        assert 0 < len(button["name"].encode()) <= 16
        below = button.get("sub_button")
        # One with others below sends nothing itself.
        assert ("type" in button) is ("key" in button) is (below is None)
        assert below is None or len(below) <= 5
    for tap in taps(shown):
        assert tap["type"] == "click"
        assert 0 < len(tap["name"].encode()) <= 40
        assert 0 < len(tap["key"].encode()) <= 128


@pytest.mark.parametrize("locale", LOCALES)
def test_what_a_button_says_can_be_typed_as_well(locale: Locale) -> None:
    verbs = Verbs(handlers.COMMANDS)
    for tap, command in zip(taps(made(locale=locale)), commands(made(locale=locale)), strict=True):
        match = verbs.match(tap["name"])
        assert match is not None, tap
        assert command in [one.name for one in match.commands]
        assert match.rest == ""


def test_a_tap_is_the_command() -> None:
    for tap, command in zip(taps(made()), commands(made()), strict=True):
        fields = {
            "MsgType": "event",
            "Event": "click",
            "EventKey": tap["key"],
            "FromUserName": "ZhangSan",
            "CreateTime": "1795426800",
        }
        event = decode(fields, NOW)
        assert event is not None
        assert (event.command, event.arguments, event.kind) == (command, {}, "button")
        assert event.key.startswith("app:click:")


def test_what_is_the_same_menu() -> None:
    """WeCom may give back empty fields that nobody sent."""
    again = json.loads(json.dumps(made()))
    assert menu.is_same(again, made())
    for tap in taps(again):
        tap |= {"sub_button": [], "url": ""}
    assert menu.is_same({"errcode": 0, **again}, made())
    for other in (made(locale="en"), made(NAMES - {"me"}), {}, {"button": ["签到"]}):
        assert not menu.is_same(other, made())
    renamed = json.loads(json.dumps(made()))
    renamed["button"][-1]["name"] = "其他"
    assert not menu.is_same(renamed, made())


# --- how it gets there ----------------------------------------------------------------------------


@pytest.fixture
def wecom() -> Iterator[StandInWecom]:
    with StandInWecom() as standin:
        standin.corp.add_member("ZhangSan", "张三")
        yield standin


def environment(wecom: StandInWecom) -> dict[str, str]:
    corp = wecom.corp
    return {
        "WECOM_API_URL": wecom.origin,
        "WECOM_CORP_ID": corp.corp_id,
        "WECOM_AGENT_ID": str(corp.agent_id),
        "WECOM_SECRET": corp.secret,
        "WECOM_TOKEN": corp.token,
        "WECOM_ENCODING_AES_KEY": corp.aes_key,
    }


async def test_pushed_and_looked_at_over_http(wecom: StandInWecom) -> None:
    corp = wecom.corp
    setup = Setup(
        wecom.origin, App(corp.corp_id, corp.agent_id, corp.secret, corp.token, corp.aes_key)
    )
    api = WecomAdapter(setup, lambda: datetime.now(UTC), reader_for).api
    assert api is not None
    await api.open()
    try:
        for locale in LOCALES:
            await menu.push(api, corp.agent_id, app.wecom_menu(locale))
            assert menu.is_same(await menu.standing(api, corp.agent_id), app.wecom_menu(locale))
    finally:
        await api.close()
    assert corp.menu == app.wecom_menu(LOCALES[-1])


def run(folder: Path, *arguments: str, **variables: str) -> tuple[int, str, str]:
    """`banzhang wecom …` in a process of its own: exit code, stdout, stderr."""
    apart = ("SLACK_", "WECOM_", "BANZHANG_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(apart)}
    ended = subprocess.run(
        [sys.executable, "-m", "bot", "wecom", *arguments],
        env={**kept, "PYTHONPATH": str(ROOT), **variables},
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return ended.returncode, ended.stdout, ended.stderr


@pytest.mark.parametrize(
    ("locale", "said"),
    [
        ("zh_CN", "签到, 签退, 更多 (休息, 回岗, 我的工时, 问题, 帮助)"),
        ("en", "Check in, Check out, More (Break, Back, Me, Questions, Help)"),
    ],
)
def test_the_command_line_puts_it_there(
    wecom: StandInWecom, tmp_path: Path, locale: Locale, said: str
) -> None:
    wecom.corp.menu = {"button": [{"type": "click", "name": "旧", "key": "old"}]}
    code, out, error = run(tmp_path, "menu", **environment(wecom), BANZHANG_LOCALE=locale)
    assert (code, error) == (0, "")
    assert out == f"The app's menu is now: {said}.\n"
    assert wecom.corp.menu == app.wecom_menu(locale)
    assert list(tmp_path.iterdir()) == []


def test_it_can_be_looked_at_without_an_app(tmp_path: Path) -> None:
    code, out, error = run(tmp_path, "menu", "--show")
    assert (code, error) == (0, "")
    assert json.loads(out) == app.wecom_menu("zh_CN")
    assert "签到" in out


def refused(folder: Path, wecom: StandInWecom, **variables: str) -> str:
    """The one sentence with which it ends."""
    code, out, error = run(folder, "menu", **environment(wecom) | variables)
    assert (code, out) == (1, "")
    assert len(error.strip().splitlines()) == 1
    assert "Traceback" not in error
    for secret in (wecom.corp.secret, wecom.corp.token, wecom.corp.aes_key, "another-secret"):
        assert secret not in error
    assert wecom.corp.menu is None
    return error


def test_no_app_is_configured(tmp_path: Path) -> None:
    for variables in ({}, {"WECOM_BOT_ID": "aib1", "WECOM_BOT_SECRET": "s"}):
        code, out, error = run(tmp_path, "menu", **variables)
        assert (code, out) == (1, "")
        assert error.startswith("No app is set for WeCom: set WECOM_CORP_ID, WECOM_AGENT_ID,")
        assert f"{CONSOLE}, 应用管理 → 创建应用" in error


def test_a_secret_that_is_wrong(wecom: StandInWecom, tmp_path: Path) -> None:
    said = refused(tmp_path, wecom, WECOM_SECRET="another-secret")
    assert (
        f"refuses WECOM_SECRET: copy it anew from {CONSOLE}, 应用管理 → your app → Secret" in said
    )
    assert "(errcode 40001)." in said


def test_a_corp_that_is_none(wecom: StandInWecom, tmp_path: Path) -> None:
    said = refused(tmp_path, wecom, WECOM_CORP_ID="ww0")
    assert f"WECOM_CORP_ID: copy it anew from {CONSOLE}, 我的企业 → 企业信息 → 企业ID" in said


def test_an_agent_id_of_another_app(wecom: StandInWecom, tmp_path: Path) -> None:
    said = refused(tmp_path, wecom, WECOM_AGENT_ID="1000003")
    assert "WECOM_AGENT_ID and WECOM_SECRET are not of one app" in said
    assert "(errcode 301002)." in said


def test_an_address_that_is_not_trusted(wecom: StandInWecom, tmp_path: Path) -> None:
    wecom.corp.trusted_ips = set()
    said = refused(tmp_path, wecom)
    assert "does not trust the address 203.0.113.7, that this machine calls from" in said
    assert f"{CONSOLE}, 应用管理 → your app → 企业可信IP" in said


def test_nobody_answers(wecom: StandInWecom, tmp_path: Path) -> None:
    wecom.api.fail("menu/create", "drop")
    assert "WeCom's API gives no answer (the line broke" in refused(tmp_path, wecom)
