"""Procedures: data, not code. Read and checked when the bot starts.

A file holds one procedure and is called `<name>.yaml`. A directory of one's own may add procedures,
or replace a shipped one by a file of the same name.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from types import MappingProxyType
from typing import Any

import yaml
from pydantic import ValidationError

from sop_scripts.schema import Bilingual, Phrase, Repeat, Rung, Script, Step, Whom

__all__ = [
    "Bilingual",
    "InvalidScript",
    "Phrase",
    "Repeat",
    "Rung",
    "Script",
    "Scripts",
    "Step",
    "Whom",
    "load",
    "read",
    "shipped",
]

Scripts = Mapping[str, Script]
"""Procedures by name."""

Place = tuple[str | int, ...]
Lines = dict[Place, int]
ENDINGS = (".yaml", ".yml")
SIMPLE = {
    "missing": "is missing",
    "extra_forbidden": "is not known here",
    "string_too_short": "is empty",
    "string_type": "must be a text",
    "tuple_type": "must be a list",
    "model_type": "must have names with values below it",
}


class InvalidScript(Exception):
    """A procedure that cannot be used: one "file:line: what is wrong" per line."""

    def __init__(self, findings: list[str]) -> None:
        super().__init__("\n".join(findings))
        self.findings = findings


class _Unsound(Exception):
    """The text is no procedure at all: where, and why."""

    def __init__(self, line: int, what: str) -> None:
        super().__init__(what)
        self.line = line


def load(extra_dir: Path | None) -> Scripts:
    """The shipped procedures and those of `extra_dir`, which win. Raises InvalidScript."""
    if extra_dir is None:
        return shipped()
    if not extra_dir.is_dir():
        raise InvalidScript([f"{extra_dir}: there is no such directory"])
    return _loaded(dict(_sources(files("sop_scripts"))) | dict(_sources(extra_dir)))


@cache
def shipped() -> Scripts:
    """The procedures that come with the bot."""
    return _loaded(dict(_sources(files("sop_scripts"))))


def _loaded(found: Mapping[str, Path | Traversable]) -> Scripts:
    scripts: dict[str, Script] = {}
    findings: list[str] = []
    for name, source in sorted(found.items()):
        try:
            scripts[name] = read(source.read_bytes(), str(source))
        except InvalidScript as invalid:
            findings += invalid.findings
    if findings:
        raise InvalidScript(findings)
    return MappingProxyType(scripts)


def read(source: bytes, name: str) -> Script:
    """One procedure from its text; `name` stands in the errors. Raises InvalidScript."""
    try:
        lines: Lines = {}
        data = _plain(_composed(source.decode("utf-8")), (), lines)
    except UnicodeDecodeError:
        raise InvalidScript([f"{name}:1: not UTF-8"]) from None
    except _Unsound as error:
        raise InvalidScript([f"{name}:{error.line}: {error}"]) from None
    except yaml.MarkedYAMLError as error:
        line = _line_of(error.problem_mark or error.context_mark)
        raise InvalidScript([f"{name}:{line}: {error.problem or error.context}"]) from None
    except yaml.YAMLError as error:
        raise InvalidScript([f"{name}:1: {error}"]) from None
    try:
        return Script.model_validate(data)
    except ValidationError as error:
        findings = [
            (_line(one["loc"], lines), _sentence(one["loc"], one["msg"], one["type"]))
            for one in error.errors()
        ]
        raise InvalidScript(
            [f"{name}:{line}: {sentence}" for line, sentence in sorted(findings)]
        ) from None


def _sources(directory: Path | Traversable) -> Iterator[tuple[str, Path | Traversable]]:
    for entry in directory.iterdir():
        if entry.name.endswith(ENDINGS) and not entry.name.startswith("."):
            yield entry.name.rpartition(".")[0], entry


def _composed(source: str) -> yaml.Node:
    """The tree of the text. A node used twice would stand on two lines, so there are no aliases."""
    for event in yaml.parse(source, Loader=yaml.SafeLoader):
        if isinstance(event, yaml.AliasEvent):
            raise _Unsound(_line_of(event.start_mark), "aliases (*name) are not used here")
    node = yaml.compose(source, Loader=yaml.SafeLoader)
    if node is None:
        raise _Unsound(1, "the file is empty")
    return node


def _plain(node: yaml.Node, place: Place, lines: Lines) -> Any:
    """A node as plain data; where each part stands is noted in `lines`."""
    lines[place] = _line_of(node.start_mark)
    if isinstance(node, yaml.MappingNode):
        found: dict[str, Any] = {}
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise _Unsound(_line_of(key.start_mark), "a name must be a single word")
            name = str(key.value)
            if name in found:
                raise _Unsound(_line_of(key.start_mark), f"{name} stands twice")
            found[name] = _plain(value, (*place, name), lines)
            # A key's own line says it better than its value's, which may begin below.
            lines[*place, name] = _line_of(key.start_mark)
        return found
    if isinstance(node, yaml.SequenceNode):
        return [_plain(one, (*place, index), lines) for index, one in enumerate(node.value)]
    return _scalar(node)


def _line_of(mark: Any) -> int:
    """A place in the text as people count lines; PyYAML has two unrelated kinds of marks."""
    return mark.line + 1 if mark else 1


def _scalar(node: yaml.Node) -> Any:
    """Numbers and truth stay what YAML makes of them; a date is only text here."""
    if node.tag == "tag:yaml.org,2002:int" and str(node.value).isdecimal():
        return int(node.value)
    if node.tag == "tag:yaml.org,2002:null":
        return None
    return node.value


def _line(place: Place, lines: Lines) -> int:
    """The line of the deepest part of `place` that stands in the file."""
    while place and place not in lines:
        place = place[:-1]
    return lines[place]


def _sentence(place: Place, message: str, kind: str) -> str:
    where = ".".join(str(part) for part in place)
    if kind in SIMPLE:
        return f"{where or 'the file'} {SIMPLE[kind]}"
    message = message.removeprefix("Value error, ").replace("Input should be", "write")
    return f"{where}: {message}" if where else message
