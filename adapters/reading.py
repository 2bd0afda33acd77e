"""What comes in as JSON, read the same way for every platform."""

from __future__ import annotations

import json
from typing import Any

Json = dict[str, Any]


def read_object(text: str) -> Json:
    """A JSON object, by whichever way it came. Raises ValueError or RecursionError."""
    found = json.loads(text)
    if not isinstance(found, dict):
        raise ValueError("not an object")  # noqa: TRY004 - one kind for all that cannot be read
    if "\\ud" in text.lower():
        # Half a character (an unpaired surrogate) could be neither stored nor sent back.
        json.dumps(found, ensure_ascii=False).encode("utf-8")
    return found
