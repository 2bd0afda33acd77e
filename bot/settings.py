"""The environment as one frozen model. The only reader of os.environ."""

from __future__ import annotations

import re
from base64 import b64decode
from pathlib import Path
from typing import Literal, Self
from zoneinfo import ZoneInfo, available_timezones

from pydantic import Field, SecretStr, ValidationInfo, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from bot.messages import Locale

# A custom robot's token, and the secret that it signs with, where it has one.
_ROBOT = re.compile(r"[0-9A-Za-z]+(?::SEC[0-9A-Za-z]+)?", re.ASCII)

PLATFORM_NAMES = ("slack", "wecom", "dingtalk", "sandbox")


class Settings(BaseSettings):
    """Every setting; `.env.example` documents them. Secrets print as stars."""

    model_config = SettingsConfigDict(
        env_file=".env",
        env_file_encoding="utf-8",
        extra="ignore",
        frozen=True,
        env_ignore_empty=True,
    )

    # It may hold a password.
    database_url: str = Field("sqlite:///banzhang.db", alias="BANZHANG_DATABASE_URL", repr=False)
    host: str = Field("127.0.0.1", alias="BANZHANG_HOST")
    port: int = Field(8080, alias="BANZHANG_PORT", ge=0, le=65535)
    base_url: str = Field("", alias="BANZHANG_BASE_URL")
    timezone: str = Field("Asia/Shanghai", alias="BANZHANG_TIMEZONE")
    locale: Locale = Field("zh_CN", alias="BANZHANG_LOCALE")
    admins: str = Field("", alias="BANZHANG_ADMINS")
    sop_dir: Path | None = Field(None, alias="BANZHANG_SOP_DIR")
    secret_key: SecretStr | None = Field(None, alias="BANZHANG_SECRET_KEY")
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", alias="BANZHANG_LOG_LEVEL"
    )
    log_format: Literal["text", "json"] = Field("text", alias="BANZHANG_LOG_FORMAT")

    slack_bot_token: SecretStr | None = Field(None, alias="SLACK_BOT_TOKEN")
    slack_signing_secret: SecretStr | None = Field(None, alias="SLACK_SIGNING_SECRET")
    slack_app_token: SecretStr | None = Field(None, alias="SLACK_APP_TOKEN")
    slack_api_url: str = Field("https://slack.com/api/", alias="SLACK_API_URL")

    wecom_corp_id: str = Field("", alias="WECOM_CORP_ID")
    wecom_agent_id: int | None = Field(None, alias="WECOM_AGENT_ID", ge=1)
    wecom_secret: SecretStr | None = Field(None, alias="WECOM_SECRET")
    wecom_token: SecretStr | None = Field(None, alias="WECOM_TOKEN")
    wecom_encoding_aes_key: SecretStr | None = Field(None, alias="WECOM_ENCODING_AES_KEY")
    wecom_api_url: str = Field("https://qyapi.weixin.qq.com", alias="WECOM_API_URL")
    wecom_bot_id: str = Field("", alias="WECOM_BOT_ID")
    wecom_bot_secret: SecretStr | None = Field(None, alias="WECOM_BOT_SECRET")
    wecom_bot_ws_url: str = Field("wss://openws.work.weixin.qq.com", alias="WECOM_BOT_WS_URL")
    wecom_bot_token: SecretStr | None = Field(None, alias="WECOM_BOT_TOKEN")
    wecom_bot_encoding_aes_key: SecretStr | None = Field(None, alias="WECOM_BOT_ENCODING_AES_KEY")
    wecom_bot_name: str = Field("班长", alias="WECOM_BOT_NAME", min_length=1)
    wecom_webhooks: SecretStr | None = Field(None, alias="WECOM_WEBHOOKS")

    dingtalk_client_id: str = Field("", alias="DINGTALK_CLIENT_ID")
    dingtalk_client_secret: SecretStr | None = Field(None, alias="DINGTALK_CLIENT_SECRET")
    dingtalk_robot_code: str = Field("", alias="DINGTALK_ROBOT_CODE")
    dingtalk_mode: Literal["stream", "http"] = Field("stream", alias="DINGTALK_MODE")
    dingtalk_http_path: SecretStr | None = Field(None, alias="DINGTALK_HTTP_PATH")
    dingtalk_api_url: str = Field("https://api.dingtalk.com", alias="DINGTALK_API_URL")
    dingtalk_card_template_id: str = Field("", alias="DINGTALK_CARD_TEMPLATE_ID")
    dingtalk_bot_name: str = Field("班长", alias="DINGTALK_BOT_NAME", min_length=1)
    dingtalk_webhooks: SecretStr | None = Field(None, alias="DINGTALK_WEBHOOKS")
    dingtalk_monthly_calls: int = Field(10_000, alias="DINGTALK_MONTHLY_CALLS", ge=0)

    @field_validator("log_level", "log_format", "dingtalk_mode", mode="before")
    @classmethod
    def _lower(cls, value: object) -> object:
        return value.lower() if isinstance(value, str) else value

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        if value not in available_timezones():
            raise ValueError(f"{value} is not a time zone; write one like Asia/Shanghai")
        ZoneInfo(value)
        return value

    @field_validator("database_url")
    @classmethod
    def _known_database(cls, value: str) -> str:
        try:
            url = make_url(value)
        except (ArgumentError, ValueError):
            raise ValueError("it must look like sqlite:///banzhang.db") from None
        if url.drivername not in ("sqlite", "postgresql+psycopg"):
            raise ValueError("only sqlite:/// and postgresql+psycopg:// are understood")
        if url.drivername == "sqlite" and url.database in (None, "", ":memory:"):
            raise ValueError("it must name a file, such as sqlite:///banzhang.db")
        return value

    @field_validator("slack_bot_token")
    @classmethod
    def _bot_token(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not re.fullmatch(
            r"xoxb-[\w-]+", value.get_secret_value(), re.ASCII
        ):
            raise ValueError("a bot token begins with xoxb- and has letters, digits and dashes")
        return value

    @field_validator("slack_app_token")
    @classmethod
    def _app_token(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not re.fullmatch(
            r"xapp-[\w-]+", value.get_secret_value(), re.ASCII
        ):
            raise ValueError(
                "an app-level token begins with xapp- and has letters, digits and dashes"
            )
        return value

    @field_validator("slack_signing_secret")
    @classmethod
    def _signing_secret(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not _parts(value):
            raise ValueError("it holds no secret")
        return value

    @field_validator("slack_api_url")
    @classmethod
    def _api_url(cls, value: str) -> str:
        if not value.startswith(("https://", "http://")):
            raise ValueError("it must be a URL such as https://slack.com/api/")
        return value.rstrip("/") + "/"

    @field_validator("wecom_bot_name", "dingtalk_bot_name")
    @classmethod
    def _bare_name(cls, value: str) -> str:
        name = value.strip().removeprefix("@").strip()
        if not name:
            raise ValueError("it holds no name")
        return name

    @field_validator("wecom_encoding_aes_key", "wecom_bot_encoding_aes_key")
    @classmethod
    def _aes_key(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not _is_aes_key(value.get_secret_value()):
            raise ValueError("an EncodingAESKey has 43 letters and digits; copy it anew")
        return value

    @field_validator("wecom_api_url", "dingtalk_api_url")
    @classmethod
    def _bare_url(cls, value: str, told: ValidationInfo) -> str:
        if not value.startswith(("https://", "http://")):
            example = cls.model_fields[told.field_name or ""].default
            raise ValueError(f"it must be a URL such as {example}")
        return value.rstrip("/")

    @field_validator("dingtalk_http_path")
    @classmethod
    def _secret_path(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not re.fullmatch(
            r"[\w-]{16,100}", value.get_secret_value(), re.ASCII
        ):
            raise ValueError(
                "it is a secret: 16 letters and digits at least, such as openssl rand -hex 16 makes"
            )
        return value

    @field_validator("dingtalk_webhooks")
    @classmethod
    def _dingtalk_robots(cls, value: SecretStr | None) -> SecretStr | None:
        for pair in _parts(value) if value is not None else ():
            team, equals, key = pair.partition("=")
            if not equals or not team.strip() or not _ROBOT.fullmatch(key.strip()):
                raise ValueError(
                    "write team=token:SECsecret,…; a token is what follows access_token= in the"
                    " robot's address, and the secret begins with SEC"
                )
        return value

    @field_validator("wecom_bot_ws_url")
    @classmethod
    def _wecom_socket_url(cls, value: str) -> str:
        if not value.startswith(("wss://", "ws://")):
            raise ValueError("it must be a URL such as wss://openws.work.weixin.qq.com")
        return value.rstrip("/")

    @field_validator("wecom_webhooks")
    @classmethod
    def _webhook_pairs(cls, value: SecretStr | None) -> SecretStr | None:
        for pair in _parts(value) if value is not None else ():
            team, equals, key = pair.partition("=")
            if not equals or not team.strip() or not re.fullmatch(r"[\w-]+", key.strip(), re.ASCII):
                raise ValueError("write team=key,team=key; a key is what follows key= in its URL")
        return value

    @model_validator(mode="after")
    def _whole_platforms(self) -> Self:
        self._whole_slack()
        self._whole_wecom()
        self._whole_dingtalk()
        self.admin_accounts()
        return self

    def _whole_slack(self) -> None:
        heard = self.slack_signing_secret is not None or self.slack_app_token is not None
        if heard and self.slack_bot_token is None:
            raise ValueError("Slack is half set: SLACK_BOT_TOKEN is missing")
        if self.slack_bot_token is not None and not heard:
            raise ValueError(
                "Slack is half set: SLACK_APP_TOKEN (Socket Mode) or SLACK_SIGNING_SECRET (HTTP)"
                " is missing"
            )

    def _whole_wecom(self) -> None:
        app = {
            "WECOM_CORP_ID": self.wecom_corp_id,
            "WECOM_AGENT_ID": self.wecom_agent_id,
            "WECOM_SECRET": self.wecom_secret,
            "WECOM_TOKEN": self.wecom_token,
            "WECOM_ENCODING_AES_KEY": self.wecom_encoding_aes_key,
        }
        by_socket = {"WECOM_BOT_ID": self.wecom_bot_id, "WECOM_BOT_SECRET": self.wecom_bot_secret}
        by_callback = {
            "WECOM_BOT_TOKEN": self.wecom_bot_token,
            "WECOM_BOT_ENCODING_AES_KEY": self.wecom_bot_encoding_aes_key,
        }
        for group in (app, by_socket, by_callback):
            missing = [name for name, value in group.items() if not value]
            if missing and len(missing) < len(group):
                verb = "is" if len(missing) == 1 else "are"
                raise ValueError(f"WeCom is half set: {', '.join(missing)} {verb} missing")
        if all(by_socket.values()) and all(by_callback.values()):
            raise ValueError(
                "WeCom's bot works either by WECOM_BOT_ID and WECOM_BOT_SECRET (long connection)"
                " or by WECOM_BOT_TOKEN and WECOM_BOT_ENCODING_AES_KEY (callback): remove one pair"
            )
        if all(by_callback.values()) and not all(app.values()):
            raise ValueError(
                "WeCom is half set: a bot by callback only answers where it is asked; set the app"
                " (WECOM_CORP_ID and the others) as well, or use the long connection (WECOM_BOT_ID)"
            )
        if self.wecom_webhooks is not None and not self.wecom_is_on():
            raise ValueError(
                "WeCom is half set: WECOM_WEBHOOKS only speaks; set the app (WECOM_CORP_ID and the"
                " others) or the bot (WECOM_BOT_ID) as well"
            )

    def _whole_dingtalk(self) -> None:
        app = {
            "DINGTALK_CLIENT_ID": self.dingtalk_client_id,
            "DINGTALK_CLIENT_SECRET": self.dingtalk_client_secret,
        }
        missing = [name for name, value in app.items() if not value]
        if len(missing) == 1:
            raise ValueError(f"DingTalk is half set: {missing[0]} is missing")
        if missing:
            self._nothing_of_dingtalk(missing)
        elif self.dingtalk_mode == "http":
            self._whole_http_mode()

    def _nothing_of_dingtalk(self, missing: list[str]) -> None:
        more = {
            "DINGTALK_ROBOT_CODE": self.dingtalk_robot_code,
            "DINGTALK_HTTP_PATH": self.dingtalk_http_path,
            "DINGTALK_CARD_TEMPLATE_ID": self.dingtalk_card_template_id,
            "DINGTALK_WEBHOOKS": self.dingtalk_webhooks,
        }
        for name, value in more.items():
            if value:
                raise ValueError(
                    f"DingTalk is half set: {name} is there, {' and '.join(missing)} are missing"
                )

    def _whole_http_mode(self) -> None:
        if self.dingtalk_http_path is None:
            raise ValueError(
                "DingTalk is half set: DINGTALK_HTTP_PATH is missing; in http mode it is the secret"
                " end of the address, for DingTalk signs no message's content"
            )
        if self.dingtalk_card_template_id:
            raise ValueError(
                "DINGTALK_CARD_TEMPLATE_ID needs DINGTALK_MODE=stream: in http mode buttons are not"
                " heard"
            )

    def dingtalk_robots(self) -> dict[str, tuple[str, str]]:
        """DINGTALK_WEBHOOKS: token and secret ("" for none) of each team's custom robot, by the
        team's name.
        """
        pairs = _parts(self.dingtalk_webhooks) if self.dingtalk_webhooks else ()
        found = {}
        for team, _, key in (pair.partition("=") for pair in pairs):
            token, _, secret = key.strip().partition(":")
            found[team.strip()] = (token, secret)
        return found

    def wecom_is_on(self) -> bool:
        """Whether there is a self-built app or a bot by which people are heard."""
        return bool(self.wecom_corp_id or self.wecom_bot_id or self.wecom_bot_token)

    def wecom_webhook_keys(self) -> dict[str, str]:
        """WECOM_WEBHOOKS: the key of each team's group robot, by the team's name."""
        pairs = _parts(self.wecom_webhooks) if self.wecom_webhooks else ()
        return {
            team.strip(): key.strip() for team, _, key in (pair.partition("=") for pair in pairs)
        }

    def admin_accounts(self) -> tuple[tuple[str, str], ...]:
        """BANZHANG_ADMINS as (platform, user id)."""
        accounts = []
        for entry in filter(None, (part.strip() for part in self.admins.split(","))):
            platform, colon, user_id = entry.partition(":")
            if not colon or not user_id or platform not in PLATFORM_NAMES:
                raise ValueError(f"BANZHANG_ADMINS: {entry!r} is not like slack:U123")
            # WeCom's user ids are the same however their letters are written.
            accounts.append((platform, user_id.lower() if platform == "wecom" else user_id))
        return tuple(accounts)

    def signing_secrets(self) -> tuple[str, ...]:
        """The Slack signing secrets; two while one is being rotated."""
        return _parts(self.slack_signing_secret) if self.slack_signing_secret else ()


def _is_aes_key(text: str) -> bool:
    """https://developer.work.weixin.qq.com/document/path/90968: 43 characters, 32 bytes."""
    try:
        return len(text) == 43 and len(b64decode(f"{text}=", validate=True)) == 32
    except ValueError:
        return False


def _parts(secrets: SecretStr) -> tuple[str, ...]:
    """A list with commas."""
    return tuple(part.strip() for part in secrets.get_secret_value().split(",") if part.strip())
