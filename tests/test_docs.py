"""The documents name what there is: every setting, every command, and no link leads nowhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from typer.main import get_command

import handlers
from bot.__main__ import cli
from bot.messages import Locale
from bot.settings import Settings
from bot.words import catalogue
from handlers.people.rules import SETTINGS as TEAM_SETTINGS
from tests.checks.parity import outdated

ROOT = Path(__file__).parent.parent
READMES: dict[str, Locale] = {"README.md": "en", "README.zh-CN.md": "zh_CN"}
DOCUMENTS = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
SETTINGS = {str(field.alias) for field in Settings.model_fields.values()}


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("name", READMES)
def test_every_setting_is_in_the_readme(name: str) -> None:
    said = read(name)
    assert [one for one in sorted(SETTINGS) if f"`{one}`" not in said] == []


def test_the_example_has_every_setting_and_no_other() -> None:
    named = re.findall(r"^#? ?([A-Z][A-Z_]+)=", read(".env.example"), re.MULTILINE)
    assert sorted(named) == sorted(SETTINGS)


@pytest.mark.parametrize(("name", "locale"), READMES.items())
def test_every_chat_command_is_in_the_readme(name: str, locale: Locale) -> None:
    said, words = read(name), catalogue(locale)
    missing = [
        one.name
        for one in handlers.COMMANDS
        if not any(f"`{word}" in said for word in words.synonyms(f"verbs.{one.name}"))
    ]
    assert missing == []


@pytest.mark.parametrize(("name", "locale"), READMES.items())
def test_every_setting_of_a_team_is_in_the_readme(name: str, locale: Locale) -> None:
    said, words = read(name), catalogue(locale)
    shown = [words.synonyms(f"choices.{one}")[0] for one in TEAM_SETTINGS]
    assert [word for word in shown if f"`{word}`" not in said] == []


@pytest.mark.parametrize("name", READMES)
def test_every_command_of_the_server_is_in_the_readme(name: str) -> None:
    said, program = read(name), get_command(cli)
    for word, command in program.commands.items():  # type: ignore[attr-defined]
        below = getattr(command, "commands", None)
        for line in [f"{word} {other}" for other in below] if below else [word]:
            assert re.search(rf"`(banzhang )?{line}\b", said), line


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_no_link_leads_nowhere(document: Path) -> None:
    targets = re.findall(r"\]\((?!https?:|#)([^)#]+)", document.read_text(encoding="utf-8"))
    assert [one for one in targets if not (document.parent / one).exists()] == []


TRANSLATED = ("README.md", "docs/slack.md", "docs/wecom.md", "docs/dingtalk.md", "docs/parity.md")


@pytest.mark.parametrize("name", TRANSLATED)
def test_both_languages_tell_the_same(name: str) -> None:
    def shape(said: str) -> list[str]:
        """The outline: headings by their depth, rows of tables, items of lists, links."""
        outline = r"^(?:#+|\||\d\.|- )|\]\((?!README|docs/images|slack|wecom|#)[^)]+\)"
        found = re.findall(outline, said, re.MULTILINE)
        return [one.replace(".zh-CN.md", ".md") for one in found]

    assert shape(read(name)) == shape(read(name.replace(".md", ".zh-CN.md")))


@pytest.mark.parametrize("name", ["docs/dingtalk.md", "docs/dingtalk.zh-CN.md"])
def test_the_guide_quotes_the_calls_that_were_counted(name: str) -> None:
    rows = r"^\| (\d+) people, with(?:out)? a card template \| ([\d,]+) \("
    quotes = r"^\| (\d+) (?:people|人) \| ([\d,]+) \| ([\d,]+) \|$"
    counted = re.findall(rows, read("docs/performance.md"), re.MULTILINE)
    quoted = re.findall(quotes, read(name), re.MULTILINE)
    assert [(team, calls) for team, *both in quoted for calls in both] == counted != []


def test_the_table_of_platforms_is_what_the_adapters_say() -> None:
    assert outdated() == []
