"""Are all words translated, used, and filled in alike? `python -m tests.checks.catalogues`

The catalogues map a key ("queries.opened") to a sentence with {placeholders}, in English and in
Chinese. Findings go to standard output, one a line.
"""

from __future__ import annotations

import ast
import re
import string
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from babel.messages.pofile import PoFileError, read_po

ROOT = Path(__file__).parents[2]
ROOMS = ("bot", "adapters", "handlers", "storage")
PAGE = "adapters/sandbox/page"
FOLDER = "bot/locales/{locale}/LC_MESSAGES"
FORMS = {"en": 2, "zh_CN": 1}

# What speaks from the catalogues. `field` of Refused names a form's field, not a placeholder.
SPEAKERS = {"text": frozenset[str](), "Text": frozenset({"params", "kind"})}
SPEAKERS["words_for"] = SPEAKERS["every_word"] = frozenset()
SPEAKERS["Refused"] = SPEAKERS["refuse"] = frozenset({"field"})

KEY = re.compile(r"[a-z][a-z0-9_-]*(\.[A-Za-z0-9_-]+)+")
MSGID = re.compile(r'^msgid "(.+)"$', re.MULTILINE)
HAN = re.compile(r"[\u3400-\u9fff]")
LATIN_WORD = re.compile(r"[A-Za-z]+")
PLACEHOLDER = re.compile(r"\{[^{}]*\}")
# What a Chinese sentence may consist of without one Chinese character: names, formats, units.
LATIN = frozenset(
    {"banzhang", "slack", "wecom", "dingtalk", "english", "sop", "id", "url", "csv", "json", "xlsx"}
    | {"utc", "cny", "ok", "h", "min", "s"}
)

# `text("key")`, `t('key')` and t(`key.${part}`) in the sandbox's page.
PAGE_CALL = re.compile(r"""(?<![\w.])(?:text|t)\(\s*(["'`])([^"'`]+)\1""")
PAGE_PART = re.compile(r"\$\{[^}]*\}")


@dataclass(frozen=True, slots=True)
class Sentence:
    """One entry of a catalogue: its plural forms and what is to be filled in."""

    forms: tuple[str, ...]
    fuzzy: bool

    @property
    def placeholders(self) -> frozenset[str]:
        """Of all forms together: "one task" may well leave out the number."""
        return frozenset().union(*(placeholders(form) for form in self.forms))


@dataclass(frozen=True, slots=True)
class Use:
    """A place that speaks a key, or all the keys that `pattern` matches."""

    where: str
    pattern: re.Pattern[str]
    key: str | None
    given: frozenset[str] | None
    """The placeholders filled in, or None where that cannot be read off."""


def placeholders(sentence: str) -> frozenset[str]:
    """The names in braces. Raises ValueError on a brace that is not closed."""
    names = (name for _, name, _, _ in string.Formatter().parse(sentence) if name is not None)
    return frozenset(re.split(r"[.\[]", name)[0] for name in names)


# --- catalogues -----------------------------------------------------------------------------------


def read(root: Path, locale: str, findings: list[str]) -> dict[str, Sentence]:
    """The sentences of one language, a file for each room; what cannot be read is a finding."""
    folder = FOLDER.format(locale=locale)
    paths = sorted((root / folder).glob("*.po"))
    if not paths:
        findings.append(f"{folder}: no catalogues")
    sentences: dict[str, Sentence] = {}
    for path in paths:
        name = f"{folder}/{path.name}"
        room = read_room(path, name, locale, findings)
        findings += [f"{name}: {key}: in another file too" for key in room.keys() & sentences]
        sentences |= room
    return sentences


def read_room(path: Path, name: str, locale: str, findings: list[str]) -> dict[str, Sentence]:
    """The sentences of one file."""
    twice = Counter(MSGID.findall(path.read_text(encoding="utf-8")))
    findings += [f"{name}: {key}: there {count} times" for key, count in twice.items() if count > 1]
    try:
        with path.open("rb") as file:
            catalogue = read_po(file, locale=locale, abort_invalid=True)
    except PoFileError as error:
        findings.append(f"{name}: {error}")
        return {}
    sentences = {}
    for message in catalogue:
        key = message.id if isinstance(message.id, str) else message.id[0]
        said = message.string
        forms = (said,) if isinstance(said, str) else tuple(form or "" for form in said or ("",))
        if key:
            sentences[key] = Sentence(forms, message.fuzzy)
            wanted = 1 if isinstance(message.id, str) else FORMS[locale]
            findings += [
                f"{name}: {key}: {finding}" for finding in flaws(sentences[key], locale, wanted)
            ]
    return sentences


def flaws(sentence: Sentence, locale: str, wanted: int) -> Iterator[str]:
    """What is wrong with a sentence by itself."""
    if sentence.fuzzy:
        yield "marked fuzzy"
    if len(sentence.forms) != wanted:
        yield f"{len(sentence.forms)} plural forms instead of {wanted}"
    for form in sentence.forms:
        if not form.strip():
            yield "empty"
        elif locale == "zh_CN" and not chinese(form):
            yield f"not Chinese: {form}"
        try:
            placeholders(form)
        except ValueError as error:
            yield f"{error}: {form}"


def chinese(sentence: str) -> bool:
    """Is it Chinese, or nothing that could be?"""
    words = LATIN_WORD.findall(PLACEHOLDER.sub("", sentence))
    return bool(HAN.search(sentence)) or all(word.lower() in LATIN for word in words)


def differences(english: dict[str, Sentence], chinese: dict[str, Sentence]) -> Iterator[str]:
    """What one language has and the other has not."""
    for key in sorted(english.keys() - chinese.keys()):
        yield f"{key}: missing in zh_CN"
    for key in sorted(chinese.keys() - english.keys()):
        yield f"{key}: missing in en"
    for key in sorted(english.keys() & chinese.keys()):
        here, there = english[key].placeholders, chinese[key].placeholders
        if here != there:
            yield f"{key}: placeholders differ: en {shown(here)}, zh_CN {shown(there)}"


def shown(names: Iterable[str]) -> str:
    """Names as a person reads them."""
    return ", ".join(sorted(names)) or "none"


# --- code -----------------------------------------------------------------------------------------


def foreign(tree: ast.Module) -> frozenset[str]:
    """Names that come from elsewhere: SQLAlchemy and rich have a `text` and a `Text` too."""
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] not in ROOMS:
            names |= {alias.asname or alias.name for alias in node.names}
        elif isinstance(node, ast.Import):
            modules = (alias for alias in node.names if alias.name.split(".")[0] not in ROOMS)
            names |= {alias.asname or alias.name.split(".")[0] for alias in modules}
    return frozenset(names)


def speaker(call: ast.Call, strangers: frozenset[str]) -> str | None:
    """Which of SPEAKERS is called, if any."""
    function = call.func
    first = function
    while isinstance(first, ast.Attribute):
        first = first.value
    if isinstance(first, ast.Name) and first.id in strangers:
        return None
    name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
    return name if name in SPEAKERS else None


def key_of(call: ast.Call) -> ast.expr | None:
    """The expression that says which key is spoken."""
    if call.args:
        return call.args[0]
    return next((keyword.value for keyword in call.keywords if keyword.arg == "key"), None)


def given(call: ast.Call, name: str) -> frozenset[str] | None:
    """The placeholders that a call fills in."""
    names = {keyword.arg for keyword in call.keywords}
    if None in names or (name == "Text" and "params" in names):
        return None
    return frozenset(name for name in names if name is not None) - SPEAKERS[name] - {"key"}


def pattern(parts: Iterable[str | None]) -> re.Pattern[str]:
    """What a string can be that is made of constant parts and, for None, of anything but dots."""
    return re.compile("".join(r"[^.]+" if part is None else re.escape(part) for part in parts))


def said(key: ast.expr) -> Iterator[tuple[str | None, re.Pattern[str]]]:
    """The keys that an expression can mean: exactly one, or by pattern."""
    match key:
        case ast.Constant(value=str(value)):
            yield value, pattern([value])
        case ast.JoinedStr(values=values):
            parts = [one.value if isinstance(one, ast.Constant) else None for one in values]
            yield None, pattern(part if part is None else str(part) for part in parts)
        case ast.IfExp(body=body, orelse=orelse):
            yield from said(body)
            yield from said(orelse)


def calls(path: Path, name: str) -> Iterator[Use]:
    """Every call in a file that speaks a key."""
    tree = ast.parse(path.read_text(encoding="utf-8"), name)
    strangers = foreign(tree)
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        called, key = speaker(node, strangers), key_of(node)
        if called is not None and key is not None:
            for exact, keys in said(key):
                yield Use(f"{name}:{node.lineno}", keys, exact, given(node, called))


def literals(path: Path) -> frozenset[str]:
    """Strings that look like keys: a table of keys uses them without a call."""
    nodes = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    values = (node.value for node in nodes if isinstance(node, ast.Constant))
    return frozenset(value for value in values if isinstance(value, str) and KEY.fullmatch(value))


def page(path: Path, name: str) -> Iterator[Use]:
    """Every key that the sandbox's page speaks."""
    content = path.read_text(encoding="utf-8")
    for found in PAGE_CALL.finditer(content):
        line = content.count("\n", 0, found.start()) + 1
        parts: list[str | None] = []
        for constant in PAGE_PART.split(found[2]):
            parts += [constant, None]
        exact = found[2] if len(parts) == 2 else None
        yield Use(f"{name}:{line}", pattern(parts[:-1]), exact, None)


def files(root: Path) -> Iterator[tuple[Path, str]]:
    """The files that may speak."""
    sources = [path for room in ROOMS for path in sorted((root / room).rglob("*.py"))]
    pages = (root / PAGE).rglob("*")
    texts = [path for path in sorted(pages) if path.suffix in {".html", ".jinja", ".j2", ".js"}]
    return ((path, path.relative_to(root).as_posix()) for path in sources + texts)


def misuses(use: Use, catalogue: dict[str, Sentence]) -> Iterator[str]:
    """What is wrong with one use."""
    if use.key is None:
        if not any(use.pattern.fullmatch(key) for key in catalogue):
            yield f"{use.where}: no key is like {use.pattern.pattern}"
    elif use.key not in catalogue:
        yield f"{use.where}: {use.key}: not in the catalogues"
    elif use.given is not None and use.given != catalogue[use.key].placeholders:
        wanted = shown(catalogue[use.key].placeholders)
        yield f"{use.where}: {use.key}: given {shown(use.given)}, its placeholders are {wanted}"


def unused(catalogue: dict[str, Sentence], uses: list[Use], named: frozenset[str]) -> Iterator[str]:
    """Keys that nothing speaks."""
    exact = named | {use.key for use in uses if use.key is not None}
    patterns = {use.pattern for use in uses if use.key is None}
    for key in sorted(catalogue.keys() - exact):
        if not any(one.fullmatch(key) for one in patterns):
            yield f"{key}: not used"


def check(root: Path) -> list[str]:
    """All findings of a tree."""
    findings: list[str] = []
    try:
        english, chinese = (read(root, locale, findings) for locale in ("en", "zh_CN"))
        findings += differences(english, chinese)
    except ValueError:
        # A brace that is not closed: said already, and nothing can be compared.
        return findings
    catalogue = {**chinese, **english}
    uses: list[Use] = []
    named: frozenset[str] = frozenset()
    for path, name in files(root):
        if path.suffix == ".py":
            uses += calls(path, name)
            named |= literals(path)
        else:
            uses += page(path, name)
    for use in uses:
        findings += misuses(use, catalogue)
    findings += unused(catalogue, uses, named)
    return findings


def main() -> int:
    """Print what is wrong; 1 when anything is."""
    findings = check(ROOT)
    for finding in findings:
        print(finding)
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
