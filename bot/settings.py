"""The environment as one frozen model. The only reader of os.environ."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal, Self
from zoneinfo import ZoneInfo, available_timezones

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from bot.messages import Locale

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

    @field_validator("log_level", "log_format", mode="before")
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

    @model_validator(mode="after")
    def _whole_platforms(self) -> Self:
        heard = self.slack_signing_secret is not None or self.slack_app_token is not None
        if heard and self.slack_bot_token is None:
            raise ValueError("Slack is half set: SLACK_BOT_TOKEN is missing")
        if self.slack_bot_token is not None and not heard:
            raise ValueError(
                "Slack is half set: SLACK_APP_TOKEN (Socket Mode) or SLACK_SIGNING_SECRET (HTTP)"
                " is missing"
            )
        self.admin_accounts()
        return self

    def admin_accounts(self) -> tuple[tuple[str, str], ...]:
        """BANZHANG_ADMINS as (platform, user id)."""
        accounts = []
        for entry in filter(None, (part.strip() for part in self.admins.split(","))):
            platform, colon, user_id = entry.partition(":")
            if not colon or not user_id or platform not in PLATFORM_NAMES:
                raise ValueError(f"BANZHANG_ADMINS: {entry!r} is not like slack:U123")
            accounts.append((platform, user_id))
        return tuple(accounts)

    def signing_secrets(self) -> tuple[str, ...]:
        """The Slack signing secrets; two while one is being rotated."""
        return _parts(self.slack_signing_secret) if self.slack_signing_secret else ()


def _parts(secrets: SecretStr) -> tuple[str, ...]:
    """A list with commas."""
    return tuple(part.strip() for part in secrets.get_secret_value().split(",") if part.strip())
