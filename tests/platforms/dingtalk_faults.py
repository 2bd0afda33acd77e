"""What goes wrong between the bot and DingTalk's HTTP API, on demand."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any, TypedDict

from tests.platforms import faults

__all__ = ["Fault", "How", "LineBroken", "Partly", "Planned", "planned_fault"]

How = faults.How
LineBroken = faults.LineBroken


@dataclass(frozen=True)
class Partly:
    """A call that succeeds, and yet does not reach everybody."""

    invalid: Collection[str] = ()  # invalidStaffIdList
    flow_controlled: Collection[str] = ()  # flowControlledStaffIdList
    filtered: Collection[str] = ()  # filteredStaffIdList
    undelivered: str | None = None  # errorMsg of a card's deliverResults


class Planned(TypedDict, total=False):
    """The ways of going wrong: see Api.fail."""

    code: str
    errcode: int
    status: int
    slow: float
    body: bytes | str | dict[str, Any]
    invalid: Collection[str]
    flow_controlled: Collection[str]
    filtered: Collection[str]
    undelivered: str


@dataclass
class Fault(faults.Fault):
    code: str | None = None
    partly: Partly = field(default_factory=Partly)


def planned_fault(path: str, how: How | None, times: int | None, planned: Planned) -> Fault:
    """As Api.fail takes it."""
    body = planned.get("body")
    sent = json.dumps(body) if isinstance(body, dict) else body
    partly = Partly(
        planned.get("invalid", ()),
        planned.get("flow_controlled", ()),
        planned.get("filtered", ()),
        planned.get("undelivered"),
    )
    return Fault(
        path=path,
        how=how,
        errcode=planned.get("errcode"),
        status=planned.get("status"),
        slow=planned.get("slow"),
        body=sent.encode() if isinstance(sent, str) else sent,
        left=times,
        code=planned.get("code"),
        partly=partly,
    )
