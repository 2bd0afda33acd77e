"""The card template, as somebody builds it who does what docs/dingtalk-card.json says.

A component that is tied to a variable is there while that variable is not empty.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

DESCRIBED = Path(__file__).parents[2] / "docs" / "dingtalk-card.json"


@dataclass(frozen=True)
class Line:
    name: str  # of the variable that it shows
    is_markdown: bool


@dataclass(frozen=True)
class Button:
    label: str  # the variable that stands on it, and that hides it where it is empty
    press: str  # the variable that it gives back
    action_id: str


@dataclass(frozen=True)
class Template:
    lines: tuple[Line, ...]
    buttons: tuple[Button, ...]


def built(described: Any) -> Template:
    """From what the file says. Raises AssertionError where nobody could build it as it stands."""
    known = {one["name"] for one in described["variables"]}
    lines: list[Line] = []
    buttons: list[Button] = []
    for one in described["components"]:
        shows = _variable(one["shows"], known)
        if one["component"] == "button":
            assert one["visible_when_not_empty"] == shows, one
            press = _variable(one["params"]["press"], known)
            buttons.append(Button(shows, press, one["actionId"]))
        else:
            assert not buttons, "words below a button"
            lines.append(Line(shows, one["component"] == "markdown"))
    return Template(tuple(lines), tuple(buttons))


def _variable(bound: str, known: set[str]) -> str:
    name = bound.removeprefix("${").removesuffix("}")
    assert bound == f"${{{name}}}", bound
    assert name in known, name
    return name


TEMPLATE = built(json.loads(DESCRIBED.read_text(encoding="utf-8")))
