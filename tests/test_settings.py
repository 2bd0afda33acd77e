"""Settings: what is understood, and which variable a complaint names."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import SecretStr

from bot import logs
from bot.__main__ import read_settings
from bot.demo import PLATFORMS_OFF
from bot.operations import Trouble
from bot.settings import Settings

SLACK = {"SLACK_BOT_TOKEN": "xoxb-1-a", "SLACK_SIGNING_SECRET": "8f742231b10e"}
WECOM_KEY = "jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2C"
WECOM_APP = {
    "WECOM_CORP_ID": "ww1",
    "WECOM_AGENT_ID": "1000002",
    "WECOM_SECRET": "hunter4",
    "WECOM_TOKEN": "hunter5",
    "WECOM_ENCODING_AES_KEY": WECOM_KEY,
}
WECOM_BOT = {"WECOM_BOT_ID": "aib1", "WECOM_BOT_SECRET": "hunter6"}
WECOM_BOT_CALLBACK = {"WECOM_BOT_TOKEN": "hunter7", "WECOM_BOT_ENCODING_AES_KEY": WECOM_KEY}
DINGTALK = {"DINGTALK_CLIENT_ID": "dingapp1", "DINGTALK_CLIENT_SECRET": "hunter8"}
PATH = "0123456789abcdef"
SOCKET = {"SLACK_BOT_TOKEN": "xoxb-1-a", "SLACK_APP_TOKEN": "xapp-1-A0-b"}


@pytest.fixture(autouse=True)
def _empty_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nothing is set but what a test sets."""
    for field in Settings.model_fields.values():
        monkeypatch.delenv(str(field.alias), raising=False)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(logs, "set_up", lambda _level, _form: None)


def complaint(monkeypatch: pytest.MonkeyPatch, **variables: str) -> str:
    """What is said about an environment with these variables."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(Trouble) as trouble:
        read_settings()
    return str(trouble.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("BANZHANG_DATABASE_URL", "mysql://localhost/x"),
        ("BANZHANG_DATABASE_URL", "banzhang.db"),
        ("BANZHANG_DATABASE_URL", "postgresql://localhost/x"),
        ("BANZHANG_DATABASE_URL", "postgresql+psycopg://u:hunter2@localhost:hunter2/x"),
        ("BANZHANG_DATABASE_URL", "sqlite://"),
        ("BANZHANG_DATABASE_URL", "sqlite:///:memory:"),
        ("BANZHANG_PORT", "eighty"),
        ("BANZHANG_PORT", "65536"),
        ("BANZHANG_TIMEZONE", "Beijing"),
        ("BANZHANG_LOCALE", "fr"),
        ("BANZHANG_ADMINS", "U123"),
        ("BANZHANG_ADMINS", "teams:U123"),
        ("BANZHANG_ADMINS", "slack:"),
        ("BANZHANG_LOG_LEVEL", "loud"),
        ("BANZHANG_LOG_FORMAT", "xml"),
        ("SLACK_BOT_TOKEN", "xoxp-1"),
        ("SLACK_BOT_TOKEN", "xoxb-1\n"),
        ("SLACK_BOT_TOKEN", "xoxb-"),
        ("SLACK_BOT_TOKEN", "xapp-1-hunter2"),
        ("SLACK_APP_TOKEN", "xoxb-1-hunter2"),
        ("SLACK_APP_TOKEN", "xapp-"),
        ("SLACK_APP_TOKEN", "xapp-1 hunter2"),
        ("SLACK_APP_TOKEN", "hunter2"),
        ("SLACK_SIGNING_SECRET", " , "),
        ("SLACK_API_URL", "slack.com/api"),
        ("WECOM_AGENT_ID", "hunter2"),
        ("WECOM_AGENT_ID", "0"),
        ("WECOM_ENCODING_AES_KEY", "hunter2"),
        ("WECOM_ENCODING_AES_KEY", WECOM_KEY[:-1]),
        ("WECOM_ENCODING_AES_KEY", f"{WECOM_KEY[:-1]}!"),
        ("WECOM_BOT_ENCODING_AES_KEY", "hunter2"),
        ("WECOM_API_URL", "qyapi.weixin.qq.com"),
        ("WECOM_BOT_WS_URL", "https://openws.work.weixin.qq.com"),
        ("WECOM_WEBHOOKS", "hunter2"),
        ("WECOM_WEBHOOKS", "team="),
        ("WECOM_WEBHOOKS", "=hunter2"),
        ("WECOM_WEBHOOKS", "team=hunter2 hunter2"),
    ],
)
def test_a_complaint_names_the_variable_and_quotes_no_secret(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    others = SLACK if name.startswith("SLACK") else {}
    others = WECOM_APP if name.startswith("WECOM") else others
    said = complaint(monkeypatch, **{**others, name: value})
    assert name in said
    assert "hunter2" not in said
    assert "\n" not in said


@pytest.mark.parametrize("whole", [SLACK, SOCKET, SLACK | SOCKET], ids=["http", "socket", "both"])
def test_slack_is_whole_with_one_way_to_hear_it(
    monkeypatch: pytest.MonkeyPatch, whole: dict[str, str]
) -> None:
    for name, value in whole.items():
        monkeypatch.setenv(name, value)
    settings = read_settings()
    assert settings.slack_bot_token == SecretStr("xoxb-1-a")
    assert settings.signing_secrets() == (
        ("8f742231b10e",) if "SLACK_SIGNING_SECRET" in whole else ()
    )
    assert (settings.slack_app_token is not None) is ("SLACK_APP_TOKEN" in whole)


@pytest.mark.parametrize(
    ("half", "missing"),
    [
        (["SLACK_APP_TOKEN"], ["SLACK_BOT_TOKEN"]),
        (["SLACK_SIGNING_SECRET"], ["SLACK_BOT_TOKEN"]),
        (["SLACK_APP_TOKEN", "SLACK_SIGNING_SECRET"], ["SLACK_BOT_TOKEN"]),
        (["SLACK_BOT_TOKEN"], ["SLACK_APP_TOKEN", "SLACK_SIGNING_SECRET"]),
    ],
    ids=lambda names: "+".join(names),
)
def test_a_half_set_platform_names_what_is_missing(
    monkeypatch: pytest.MonkeyPatch, half: list[str], missing: list[str]
) -> None:
    every = SLACK | SOCKET
    said = complaint(monkeypatch, **{name: every[name] for name in half})
    assert "Slack is half set" in said
    assert all(name in said for name in missing)
    assert not any(name in said for name in half)
    assert not any(value in said for value in every.values())


@pytest.mark.parametrize(
    ("half", "missing"),
    [
        *(([one for one in WECOM_APP if one != left_out], left_out) for left_out in WECOM_APP),
        (["WECOM_BOT_ID"], "WECOM_BOT_SECRET"),
        (["WECOM_BOT_SECRET"], "WECOM_BOT_ID"),
        (["WECOM_BOT_TOKEN"], "WECOM_BOT_ENCODING_AES_KEY"),
        (["WECOM_BOT_ENCODING_AES_KEY"], "WECOM_BOT_TOKEN"),
    ],
)
def test_half_of_wecom_names_what_is_missing(
    monkeypatch: pytest.MonkeyPatch, half: list[str], missing: str
) -> None:
    every = WECOM_APP | WECOM_BOT | WECOM_BOT_CALLBACK
    said = complaint(monkeypatch, **{name: every[name] for name in half})
    assert "WeCom is half set" in said
    assert missing in said
    assert "hunter" not in said


def test_a_group_robot_alone_hears_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "WECOM_WEBHOOKS" in complaint(monkeypatch, WECOM_WEBHOOKS="team=hunter2")


def test_a_bot_has_one_way_to_be_reached(monkeypatch: pytest.MonkeyPatch) -> None:
    said = complaint(monkeypatch, **WECOM_BOT, **WECOM_BOT_CALLBACK)
    assert "WECOM_BOT_ID" in said
    assert "WECOM_BOT_TOKEN" in said


@pytest.mark.parametrize(
    "whole",
    [WECOM_APP, WECOM_BOT, WECOM_APP | WECOM_BOT_CALLBACK, WECOM_APP | WECOM_BOT],
    ids=["app", "bot", "app and callback", "app and bot"],
)
def test_wecom_is_whole_with_any_way_to_hear_it(
    monkeypatch: pytest.MonkeyPatch, whole: dict[str, str]
) -> None:
    robots = {"WECOM_WEBHOOKS": " 一组 =key-1, 二组=key_2,"}
    for name, value in {**whole, **robots}.items():
        monkeypatch.setenv(name, value)
    settings = read_settings()
    assert settings.wecom_is_on()
    assert settings.wecom_webhook_keys() == {"一组": "key-1", "二组": "key_2"}
    assert "hunter" not in repr(settings)
    assert "key-1" not in repr(settings)


def test_a_bot_by_callback_needs_the_app(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "WECOM_CORP_ID" in complaint(monkeypatch, **WECOM_BOT_CALLBACK)


@pytest.mark.parametrize("written", ["班长", "@班长", " 班长 ", "@ 班长"])
def test_a_bots_name_is_bare(monkeypatch: pytest.MonkeyPatch, written: str) -> None:
    monkeypatch.setenv("WECOM_BOT_NAME", written)
    assert read_settings().wecom_bot_name == "班长"


# --- DingTalk


@pytest.mark.parametrize(
    ("given", "missing"),
    [
        (["DINGTALK_CLIENT_ID"], "DINGTALK_CLIENT_SECRET"),
        (["DINGTALK_CLIENT_SECRET"], "DINGTALK_CLIENT_ID"),
        (["DINGTALK_ROBOT_CODE"], "DINGTALK_CLIENT_ID"),
        (["DINGTALK_CARD_TEMPLATE_ID"], "DINGTALK_CLIENT_SECRET"),
        (["DINGTALK_WEBHOOKS"], "DINGTALK_CLIENT_ID"),
        (["DINGTALK_HTTP_PATH"], "DINGTALK_CLIENT_ID"),
    ],
)
def test_half_of_dingtalk_names_what_is_missing(
    monkeypatch: pytest.MonkeyPatch, given: list[str], missing: str
) -> None:
    every = DINGTALK | {
        "DINGTALK_ROBOT_CODE": "hunter9",
        "DINGTALK_CARD_TEMPLATE_ID": "hunter9",
        "DINGTALK_WEBHOOKS": "team=hunter9",
        "DINGTALK_HTTP_PATH": PATH,
    }
    said = complaint(monkeypatch, **{name: every[name] for name in given})
    assert "DingTalk is half set" in said
    assert missing in said
    assert "hunter" not in said
    assert PATH not in said


def test_http_mode_needs_a_secret_path(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "DINGTALK_HTTP_PATH" in complaint(monkeypatch, **DINGTALK, DINGTALK_MODE="http")


@pytest.mark.parametrize(
    "path", ["short", "with/a-slash-in-the-middle", "钉钉钉钉钉钉钉钉钉钉钉钉钉钉钉钉"]
)
def test_a_path_that_can_be_guessed_is_none(monkeypatch: pytest.MonkeyPatch, path: str) -> None:
    said = complaint(monkeypatch, **DINGTALK, DINGTALK_MODE="http", DINGTALK_HTTP_PATH=path)
    assert "DINGTALK_HTTP_PATH" in said
    assert path not in said


def test_there_are_no_cards_in_http_mode(monkeypatch: pytest.MonkeyPatch) -> None:
    card = {"DINGTALK_HTTP_PATH": PATH, "DINGTALK_CARD_TEMPLATE_ID": "t.schema"}
    said = complaint(monkeypatch, **DINGTALK, **card, DINGTALK_MODE="http")
    assert "DINGTALK_CARD_TEMPLATE_ID" in said


@pytest.mark.parametrize("mode", ["webhook", "socket"])
def test_a_mode_is_one_of_two(monkeypatch: pytest.MonkeyPatch, mode: str) -> None:
    assert "DINGTALK_MODE" in complaint(monkeypatch, **DINGTALK, DINGTALK_MODE=mode)


@pytest.mark.parametrize("value", ["token", "team=", "=token", "team=a:b", "team=https://x"])
def test_a_robot_has_a_team_and_a_token(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    said = complaint(monkeypatch, **DINGTALK, DINGTALK_WEBHOOKS=value)
    assert "DINGTALK_WEBHOOKS" in said


def test_dingtalk_is_two_values(monkeypatch: pytest.MonkeyPatch) -> None:
    robots = {"DINGTALK_WEBHOOKS": " 一组 =abc123:SECdef, 二组=456,"}
    for name, value in {**DINGTALK, **robots}.items():
        monkeypatch.setenv(name, value)
    settings = read_settings()
    assert settings.dingtalk_mode == "stream"
    assert settings.dingtalk_api_url == "https://api.dingtalk.com"
    assert settings.dingtalk_robots() == {"一组": ("abc123", "SECdef"), "二组": ("456", "")}
    assert not any(secret in repr(settings) for secret in ("hunter8", "abc123", "SECdef"))


@pytest.mark.parametrize("name", ["DINGTALK_API_URL", "WECOM_API_URL"])
def test_an_address_without_a_slash_at_its_end(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, "https://api.example/")
    settings = read_settings()
    found = {settings.dingtalk_api_url, settings.wecom_api_url}
    assert "https://api.example" in found
    monkeypatch.setenv(name, "api.example")
    with pytest.raises(Trouble, match=name):
        read_settings()


def test_a_userid_is_the_same_in_capitals(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BANZHANG_ADMINS", "wecom:ZhangSan,slack:U1a")
    assert read_settings().admin_accounts() == (("wecom", "zhangsan"), ("slack", "U1a"))


def test_a_demo_does_not_mind_what_is_set_for_platforms(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLACK_BOT_TOKEN", "nonsense")
    monkeypatch.setenv("SLACK_APP_TOKEN", "xapp-1")
    monkeypatch.setenv("WECOM_CORP_ID", "ww1")
    monkeypatch.setenv("WECOM_AGENT_ID", "nonsense")
    monkeypatch.setenv("DINGTALK_MODE", "nonsense")
    monkeypatch.setenv("BANZHANG_ADMINS", "nonsense")
    settings = read_settings(PLATFORMS_OFF)
    assert settings.slack_bot_token is None
    assert settings.admin_accounts() == ()


def test_nothing_set_is_a_sound_beginning() -> None:
    settings = read_settings()
    assert settings.database_url == "sqlite:///banzhang.db"
    assert (settings.host, settings.port) == ("127.0.0.1", 8080)
    assert (settings.timezone, settings.locale) == ("Asia/Shanghai", "zh_CN")


def test_an_empty_variable_is_one_that_is_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SLACK_BOT_TOKEN", "BANZHANG_PORT", "BANZHANG_SECRET_KEY"):
        monkeypatch.setenv(name, "")
    assert read_settings().secret_key is None


def test_the_environment_wins_over_the_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / ".env").write_text("BANZHANG_PORT=1111\nBANZHANG_LOCALE=en\nUNKNOWN=1\n")
    monkeypatch.setenv("BANZHANG_PORT", "2222")
    settings = read_settings()
    assert (settings.port, settings.locale) == (2222, "en")


def test_admins_and_rotating_secrets_are_lists(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BANZHANG_ADMINS", "slack:U1, wecom:zhangsan,,dingtalk:manager01")
    for name, value in {**SLACK, "SLACK_SIGNING_SECRET": "new, old"}.items():
        monkeypatch.setenv(name, value)
    settings = read_settings()
    assert settings.admin_accounts() == (
        ("slack", "U1"),
        ("wecom", "zhangsan"),
        ("dingtalk", "manager01"),
    )
    assert settings.signing_secrets() == ("new", "old")


@pytest.mark.parametrize("url", ["https://slack.com/api", "https://slack.com/api/"])
def test_an_address_ends_in_one_slash(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("SLACK_API_URL", url)
    assert read_settings().slack_api_url == "https://slack.com/api/"


def test_secrets_print_as_stars(monkeypatch: pytest.MonkeyPatch) -> None:
    url = "postgresql+psycopg://banzhang:hunter2@localhost/banzhang"
    for name, value in {**SLACK, **SOCKET, "BANZHANG_DATABASE_URL": url}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("BANZHANG_SECRET_KEY", "hunter3")
    settings = read_settings()
    assert settings.secret_key == SecretStr("hunter3")
    shown = f"{settings} {settings!r}"
    for secret in ("hunter2", "hunter3", *SLACK.values(), *SOCKET.values()):
        assert secret not in shown
