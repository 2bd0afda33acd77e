"""From a procedure to the policy that a query keeps."""

from __future__ import annotations

from datetime import datetime, timedelta

from handlers.queries.rules import Policy, Rung
from sop_scripts import Script, Scripts
from storage.tables.queries import Query

INQUIRY = "user-inquiry"
"""The procedure that every query follows until categories name others."""


def inquiry(scripts: Scripts) -> Script:
    """The procedure for a user's question; it is shipped, so it is always there."""
    return scripts[INQUIRY]


def policy_of(name: str, script: Script) -> Policy:
    """What is frozen: the times in seconds, and every rung that may come, repeats written out."""
    rungs = [
        Rung(step=one.at, percent=one.percent(), seconds=one.from_deadline(), tell=one.tell)
        for one in script.ladder
    ]
    last = script.ladder[-1]
    for time in range(1, last.repeat.times + 1) if last.repeat else ():
        seconds = last.after_start(script.response_time) - script.response_time
        seconds += time * last.repeat.every if last.repeat else 0
        rungs.append(Rung(step=f"{seconds // 60:+}m", seconds=seconds, tell=last.tell))
    return Policy(
        procedure=name,
        response_seconds=script.response_time,
        silence_seconds=script.silence_after_claim,
        rungs=tuple(rungs),
    )


def frozen(query: Query) -> Policy:
    """The policy a query was opened with."""
    return Policy.model_validate(query.policy)


def due_after(start: datetime, policy: Policy) -> datetime:
    """When an answer to what was said at `start` is due; teams are always open so far."""
    return start + timedelta(seconds=policy.response_seconds)
