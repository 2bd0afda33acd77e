"""The table of platforms: each makes its adapter from the settings, or None when it is off.

The sandbox is not among them: only the demo mounts it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from adapters.contract import Adapter, ReaderFor
from adapters.dingtalk import make_dingtalk
from adapters.slack import make_slack
from adapters.wecom import make_wecom

Make = Callable[[Any, Callable[[], datetime], ReaderFor], Adapter | None]

PLATFORMS: Mapping[str, Make] = {
    "slack": make_slack,
    "wecom": make_wecom,
    "dingtalk": make_dingtalk,
}
