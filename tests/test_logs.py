"""Logs: ids and reasons; never what people said, never a secret."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

# A handler that breaks with words and secrets all around it, in a process of its own: setting up
# logs is for a whole process.
BREAKS = """
import structlog
from bot import logs
from bot.messages import Answer

logs.set_up("{level}", "{form}")
log = structlog.get_logger("bot")


def handle(words, token):
    try:
        Answer.model_validate({{"words": words}})
    except ValueError:
        log.exception("handler failed", reference="a1b2", key="slack:1")
    log.info("request refused", platform="slack", why="stale")


handle("my account is 6222", "xoxb-secret")
"""


def logged(level: str, form: str) -> str:
    """What such a process writes to standard error."""
    ended = subprocess.run(
        [sys.executable, "-c", BREAKS.format(level=level, form=form)],
        cwd=Path(__file__).parent.parent,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert ended.stdout == ""
    return ended.stderr


@pytest.mark.parametrize("form", ["text", "json"])
def test_a_failure_names_ids_and_quotes_nobody(form: str) -> None:
    said = logged("info", form)
    assert "handler failed" in said
    assert "a1b2" in said
    assert "Traceback" in said
    assert "6222" not in said
    assert "xoxb" not in said


def test_json_is_one_object_a_line() -> None:
    first, second = (json.loads(line) for line in logged("info", "json").splitlines())
    assert (first["level"], first["key"]) == ("error", "slack:1")
    assert (second["event"], second["why"]) == ("request refused", "stale")


def test_the_level_is_kept() -> None:
    assert "request refused" not in logged("warning", "text")
