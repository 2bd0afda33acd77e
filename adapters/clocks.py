"""What every platform's doctor says of this machine's clock."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from adapters.contract import Finding

# Platforms refuse, and so do we, what is signed more than five minutes apart.
APART = 60


def clock(headers: Mapping[str, str], now: datetime, platform: str, what: str) -> Iterator[Finding]:
    """Whether it agrees with the platform's, by the Date of an answer (header names in lower case);
    nothing where there is none. `what` is refused otherwise: "request", "callback".
    """
    try:
        theirs = parsedate_to_datetime(headers.get("date", ""))
    except ValueError:
        return
    apart = int((now - theirs.astimezone(UTC)).total_seconds())
    if abs(apart) <= APART:
        yield Finding(True, f"This machine's clock and {platform}'s agree.")
        return
    ahead = "ahead of" if apart > 0 else "behind"
    yield Finding(
        False,
        f"This machine's clock is {abs(apart)} s {ahead} {platform}'s; from 300 s on every {what}"
        " is refused. Switch time synchronisation on: timedatectl set-ntp true.",
    )
