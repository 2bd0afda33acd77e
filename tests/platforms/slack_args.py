"""How arguments travel: forms and JSON bodies, pages, flags."""

from __future__ import annotations

import json
from typing import Any

from tests.platforms.slack_model import Json, RefusalError


def need(args: Json, name: str, refusal: str) -> str:
    found = args.get(name)
    if not found or not isinstance(found, str):
        raise RefusalError(refusal)
    return found


def flag(found: Any) -> bool:
    return found in (True, 1, "1", "true", "True")


def decoded(args: Json, name: str) -> Any:
    """Forms carry structures as JSON text, JSON bodies carry them as they are."""
    found = args.get(name)
    if not isinstance(found, str):
        return found
    try:
        return json.loads(found) if found else None
    except ValueError:
        code = "invalid_blocks_format" if name == "blocks" else "invalid_arguments"
        raise RefusalError(code) from None


def page(items: list[Any], args: Json, usual: int) -> tuple[list[Any], str]:
    """https://docs.slack.dev/apis/web-api/pagination"""
    size = int(args.get("limit") or usual)
    start = str(args.get("cursor") or "at:0").removeprefix("at:")
    if not start.isdigit():
        raise RefusalError("invalid_cursor")
    end = int(start) + size
    return items[int(start) : end], f"at:{end}" if end < len(items) else ""
