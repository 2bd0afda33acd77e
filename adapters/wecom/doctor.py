"""What the doctor asks of WeCom."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from adapters.contract import Checkup, Finding
from adapters.wecom.api import WecomApi
from adapters.wecom.line import Connect


async def examine(
    setup: Any, api: WecomApi, checkup: Checkup, connect: Connect | None = None
) -> Sequence[Finding]:
    """All findings."""
    return []
