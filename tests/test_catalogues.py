"""The catalogues are whole, and the check that says so would notice if they were not."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.checks import catalogues

HEADER = (
    'msgid ""\nmsgstr ""\n"Content-Type: text/plain; charset=utf-8\\n"\n"Plural-Forms: {}\\n"\n'
)
PLURALS = {"en": "nplurals=2; plural=(n != 1);", "zh_CN": "nplurals=1; plural=0;"}
TASKS = 'msgid "tasks.count"\nmsgid_plural "tasks.count"\n'

ENGLISH = [
    'msgid "queries.opened"\nmsgstr "Query {id} is open."\n',
    'msgid "roles.lead"\nmsgstr "lead"\n',
    f'{TASKS}msgstr[0] "one task"\nmsgstr[1] "{{count}} tasks"\n',
    'msgid "page.title"\nmsgstr "Banzhang"\n',
    'msgid "states.open"\nmsgstr "open"\n',
    'msgid "refused.late"\nmsgstr "Too late."\n',
]
CHINESE = [
    'msgid "queries.opened"\nmsgstr "咨询 {id} 已开启。"\n',
    'msgid "roles.lead"\nmsgstr "组长"\n',
    f'{TASKS}msgstr[0] "{{count}} 个任务"\n',
    'msgid "page.title"\nmsgstr "Banzhang"\n',
    'msgid "states.open"\nmsgstr "未完成"\n',
    'msgid "refused.late"\nmsgstr "太晚了。"\n',
]
CODE = """
from sqlalchemy import text as sql_text
from bot.messages import Refused, text

STATES = {"open": "states.open"}

def speak(role, count):
    sql_text("SELECT 1")
    text("queries.opened", id=1)
    text(f"roles.{role}")
    text("tasks.count", count=count)
    raise Refused("refused.late", field="when")
"""
PAGE = "<h1>{{ text('page.title') }}</h1><script>x.split('no.key')</script>"


class Tree:
    """A small checkout whose catalogues are in order until a test spoils them."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.entries = {"en": list(ENGLISH), "zh_CN": list(CHINESE)}
        self.code = CODE

    def replace(self, locale: str, old: str, new: str) -> None:
        entries = self.entries[locale]
        assert any(old in entry for entry in entries)
        self.entries[locale] = [entry.replace(old, new) for entry in entries]

    def write(self, name: str, content: str) -> None:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")

    def findings(self) -> list[str]:
        for locale, entries in self.entries.items():
            content = "\n".join([HEADER.format(PLURALS[locale]), *entries])
            self.write(f"{catalogues.FOLDER.format(locale=locale)}/all.po", content)
        self.write("handlers/queries/commands.py", self.code)
        self.write("adapters/sandbox/page/index.html", PAGE)
        return catalogues.check(self.root)


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    return Tree(tmp_path)


def test_our_own_catalogues_are_whole() -> None:
    assert catalogues.check(catalogues.ROOT) == []


def test_a_sound_tree_has_no_findings(tree: Tree) -> None:
    assert tree.findings() == []


def test_a_missing_catalogue(tree: Tree) -> None:
    tree.write("handlers/__init__.py", "")
    assert "bot/locales/en/LC_MESSAGES: no catalogues" in catalogues.check(tree.root)


# What is replaced in which catalogue, and the finding that must follow.
SPOILED = {
    "missing key": ("zh_CN", CHINESE[1], "", "roles.lead: missing in zh_CN"),
    "superfluous key": ("en", ENGLISH[1], "", "roles.lead: missing in en"),
    "empty": ("zh_CN", "组长", "", ".*zh_CN.*roles.lead: empty"),
    "empty plural": ("en", "one task", "", ".*en.*tasks.count: empty"),
    "placeholder": ("zh_CN", "{id}", "{number}", "queries.opened: placeholders differ: .*"),
    "brace": ("zh_CN", "{id}", "{id", ".*queries.opened: .*expected '}'.*"),
    "fuzzy": ("zh_CN", 'msgid "roles.lead"', '#, fuzzy\nmsgid "roles.lead"', ".*: marked fuzzy"),
    "not Chinese": ("zh_CN", "组长", "lead", ".*roles.lead: not Chinese: lead"),
    "one form": ("en", 'msgstr[1] "{count} tasks"', "", ".*tasks.count: .*"),
    "twice": ("en", ENGLISH[1], ENGLISH[1] * 2, ".*en.*roles.lead: there 2 times"),
}


@pytest.mark.parametrize(("locale", "old", "new", "finding"), SPOILED.values(), ids=SPOILED)
def test_a_spoiled_catalogue(tree: Tree, locale: str, old: str, new: str, finding: str) -> None:
    tree.replace(locale, old, new)
    findings = tree.findings()
    assert any(re.fullmatch(finding, one) for one in findings), findings


@pytest.mark.parametrize(
    ("old", "new", "finding"),
    [
        ('text("queries.opened", id=1)', "", "queries.opened: not used"),
        ('"states.open"', '"open"', "states.open: not used"),
        ('f"roles.{role}"', 'f"role.{role}"', ".*:10: no key is like .*"),
        ('"refused.late"', '"refused.early"', ".*:12: refused.early: not in the catalogues"),
        ('"refused.late"', '"Too late."', ".*:12: Too late.: not in the catalogues"),
        ("id=1", "number=1", ".*:9: .*given number, its placeholders are id"),
        (", count=count", "", ".*:11: .*given none, its placeholders are count"),
        ("id=1", "**{}", None),
        ("field=", "until=", ".*:12: .*given until, its placeholders are none"),
        ('f"roles.{role}"', '"roles.lead" if role else "states.open"', None),
    ],
)
def test_code_that_speaks(tree: Tree, old: str, new: str, finding: str | None) -> None:
    assert old in tree.code
    tree.code = tree.code.replace(old, new)
    findings = tree.findings()
    if finding is None:
        assert findings == []
    else:
        assert any(re.fullmatch(finding, one) for one in findings), findings


def test_a_key_of_the_page(tree: Tree) -> None:
    tree.entries = {
        locale: [entry for entry in entries if "page.title" not in entry]
        for locale, entries in tree.entries.items()
    }
    [finding] = tree.findings()
    assert finding == "adapters/sandbox/page/index.html:1: page.title: not in the catalogues"


def test_the_command_prints_and_counts(
    tree: Tree, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(catalogues, "ROOT", tree.root)
    assert tree.findings() == []
    assert catalogues.main() == 0
    tree.replace("zh_CN", "组长", "")
    tree.findings()
    assert catalogues.main() == 1
    assert capsys.readouterr().out.endswith("roles.lead: empty\n")
