"""What each platform can do, as a table made from the adapters themselves.

`python -m tests.checks.parity` says whether docs/parity*.md are as they should be; with --write it
makes them so.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from dataclasses import fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import handlers
from adapters import PLATFORMS
from adapters.carried import Pressed
from adapters.contract import Capabilities
from adapters.dingtalk import make_dingtalk
from adapters.sandbox.world import DINGTALK_LIKE, SLACK_LIKE, WECOM_LIKE
from adapters.slack.decode import ANY_VERB
from adapters.slack.manifest import SLASH_COMMANDS
from adapters.wecom.menu import menu as wecom_menu
from bot.messages import Locale, text
from bot.settings import Settings
from bot.words import reader_for

DOCS = Path(__file__).parents[2] / "docs"
FILES: Mapping[Locale, str] = {"en": "parity.md", "zh_CN": "parity.zh-CN.md"}

# Enough to switch every platform on; nothing is called.
SWITCHED_ON = {
    "SLACK_BOT_TOKEN": "xoxb-1",
    "SLACK_APP_TOKEN": "xapp-1",
    "WECOM_CORP_ID": "ww1",
    "WECOM_AGENT_ID": 1,
    "WECOM_SECRET": "1",
    "WECOM_TOKEN": "1",
    "WECOM_ENCODING_AES_KEY": "A" * 43,
    "WECOM_BOT_ID": "aib1",
    "WECOM_BOT_SECRET": "1",
    "DINGTALK_CLIENT_ID": "1",
    "DINGTALK_CLIENT_SECRET": "1",
}
WITH_CARDS = {"DINGTALK_CARD_TEMPLATE_ID": "1"}
NAMES: Mapping[Locale, Mapping[str, str]] = {
    "en": {"slack": "Slack", "wecom": "WeCom", "dingtalk": "DingTalk"},
    "zh_CN": {"slack": "Slack", "wecom": "企业微信", "dingtalk": "钉钉"},
}
CARDS: Mapping[Locale, str] = {"en": "{} with a card template", "zh_CN": "{}（有卡片模板）"}

HEAD: Mapping[Locale, str] = {
    "en": """# What each platform can do

Every button also exists as a text command, so nothing depends on what is missing here. Made by
`python -m tests.checks.parity --write` from the adapters' own capabilities; do not edit.
""",
    "zh_CN": """# 各平台能做什么

每个按钮都有对应的文字命令，所以缺哪一项都不耽误用。本页由 `python -m tests.checks.parity --write`
按各适配器自己声明的能力生成，请不要手改。
""",
}
COLUMNS: Mapping[Locale, tuple[str, str]] = {
    "en": ("capability", "demo, like {}"),
    "zh_CN": ("能力", "演示，仿{}"),
}
LIKE: Mapping[Locale, Mapping[str, str]] = {
    "en": {"slack": "Slack", "wecom": "WeCom", "dingtalk": "DingTalk"},
    "zh_CN": {"slack": " Slack", "wecom": "企业微信", "dingtalk": "钉钉"},
}
ROWS: Mapping[str, tuple[str, str]] = {
    "forms": ("Forms, with errors at the field", "表单，错在哪一项就标在哪一项"),
    "buttons_in_groups": ("Buttons in groups", "群里的按钮"),
    "buttons_in_direct": ("Buttons in direct messages", "私聊里的按钮"),
    "private_in_groups": (
        "Answers in a group that only one person sees",
        "在群里只给一个人看的回答",
    ),
    "edits_in_groups": (
        "Cards in groups updated in place (else a line follows)",
        "群里的卡片原地更新（不能的补发一行）",
    ),
    "edits_in_direct": (
        "Cards in direct messages updated in place",
        "私聊里的卡片原地更新",
    ),
    "structured_mentions": ("Mentions that name an account for sure", "@ 一定对得上账号"),
    "slash_commands": ("Slash commands", "斜杠命令"),
    "threads": ("Answers and replies kept in threads", "回答和回复留在消息串里"),
    "reactions": ("A reaction opens a question", "点表情就提问"),
    "message_shortcuts": (
        "“Escalate” and “Resolve” in a message's menu",
        "消息菜单里的“升级”“结束”",
    ),
    "menus": ("Menus", "下拉菜单"),
    "files": ("Files", "文件"),
    "own_page": ("A page of one's own", "每个人自己的主页"),
    "local_times": ("Times in each reader's own zone", "时间按每个人自己的时区显示"),
    "folds": (
        "Many short answers in a group leave as one message",
        "群里的多条短回答合成一条发",
    ),
    "max_bytes": ("Longest message", "单条消息上限"),
}
FLOWS: Mapping[Locale, str] = {
    "en": """
## What one does, and how

Each of these is the same command everywhere, and the conversation tests run it on every platform.
In groups of WeCom and DingTalk the line begins with a mention of the bot. With a card template of
DingTalk's what can be pressed on Slack can be pressed there, too.
""",
    "zh_CN": """
## 要做的事，各平台怎么做

下面每一项在各平台都是同一条命令，对话测试在每个平台上都跑一遍。企业微信和
钉钉的群里要先 @ 机器人；钉钉配了卡片模板，Slack 上能点的按钮在钉钉里也能点。
""",
}
FLOW_COLUMNS: Mapping[Locale, tuple[str, str]] = {
    "en": ("command", "in a group"),
    "zh_CN": ("命令", "能在群里发"),
}
MENU: Mapping[Locale, str] = {"en": "menu “{}”, `{}`", "zh_CN": "菜单“{}”，`{}`"}
YES, NO = "✓", "–"
BYTES: Mapping[Locale, str] = {"en": "{} bytes, then in pieces", "zh_CN": "{} 字节，超出分条"}


def platforms(locale: Locale) -> dict[str, Capabilities]:
    """The capabilities by the name of a column: real platforms first."""
    settings = Settings.model_validate(SWITCHED_ON)
    found: dict[str, Capabilities] = {}
    for name, make in PLATFORMS.items():
        adapter = make(settings, lambda: datetime.now(UTC), reader_for)
        if adapter is None:
            raise SystemExit(f"{name} is off: add its settings to SWITCHED_ON")
        found[NAMES[locale][name]] = adapter.capabilities
    with_cards = make_dingtalk(
        Settings.model_validate(SWITCHED_ON | WITH_CARDS), lambda: datetime.now(UTC), reader_for
    )
    assert with_cards is not None
    found[CARDS[locale].format(NAMES[locale]["dingtalk"])] = with_cards.capabilities
    for profile in (SLACK_LIKE, WECOM_LIKE, DINGTALK_LIKE):
        found[COLUMNS[locale][1].format(LIKE[locale][profile.name])] = profile.capabilities
    return found


def page(locale: Locale) -> str:
    """The whole document in a language."""
    columns = platforms(locale)
    lines = [
        f"| {COLUMNS[locale][0]} | {' | '.join(columns)} |",
        f"|---|{'---|' * len(columns)}",
    ]
    for one in fields(Capabilities):
        label = ROWS[one.name][0 if locale == "en" else 1]
        cells = [shown(getattr(column, one.name), one.name, locale) for column in columns.values()]
        lines.append(f"| {label} | {' | '.join(cells)} |")
    return HEAD[locale] + "\n" + "\n".join(lines) + "\n" + FLOWS[locale] + "\n" + flows(locale)


def flows(locale: Locale) -> str:
    """Every command, and how it is given on each real platform."""
    reader = reader_for(locale, "UTC", datetime.now(UTC))
    slash = {verb: command for command, verb in SLASH_COMMANDS.items() if command != ANY_VERB}
    tapped = dict(_tapped(wecom_menu(reader.plain, handlers.NAMES)))
    what, in_groups = FLOW_COLUMNS[locale]
    names = NAMES[locale]
    lines = [
        f"| {what} | {in_groups} | {' | '.join(names[name] for name in PLATFORMS)} |",
        f"|---|---|{'---|' * len(PLATFORMS)}",
    ]
    for command in handlers.COMMANDS:
        name = reader.plain(text(f"verbs.{command.name}"))
        ways = {
            "slack": f"`{slash.get(command.name, f'{ANY_VERB} {name}')}`",
            "wecom": f"`{name}`",
            "dingtalk": f"`{name}`",
        }
        if command.name in tapped:
            ways["wecom"] = MENU[locale].format(tapped[command.name], name)
        group = NO if command.direct_only else YES
        shown_ways = " | ".join(ways[platform] for platform in PLATFORMS)
        lines.append(f"| {name} | {group} | {shown_ways} |")
    return "\n".join(lines) + "\n"


def _tapped(made: Any) -> Iterator[tuple[str, str]]:
    """The commands of the app's menu, and what is written there."""
    for button in made["button"]:
        for one in button.get("sub_button", (button,)):
            pressed = Pressed.loaded(one.get("key"))
            if pressed is not None:
                yield pressed.command, str(one["name"])


def shown(value: bool | int | None, name: str, locale: Locale) -> str:
    """A cell."""
    if name == "max_bytes":
        return NO if value is None else BYTES[locale].format(f"{value:,}")
    return YES if value else NO


def outdated() -> list[str]:
    """The documents that tell something else than the adapters."""
    return [
        name
        for locale, name in FILES.items()
        if not (DOCS / name).exists() or (DOCS / name).read_text("utf-8") != page(locale)
    ]


def main(arguments: list[str]) -> int:
    """0 when all is well or was written."""
    if "--write" in arguments:
        for locale, name in FILES.items():
            (DOCS / name).write_text(page(locale), "utf-8")
        return 0
    for name in outdated():
        print(f"docs/{name} is out of date: python -m tests.checks.parity --write")
    return 1 if outdated() else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
