"""The clock of a query: its rungs, who is still silent, what is said of the time. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from bot.messages import Duration, Model, Text, text

Whom = Literal["owner", "home", "leads", "managers", "last_resort"]

REOPENED_WITHIN = timedelta(days=7)
LONGEST_MUTE = timedelta(hours=24)
SAID_TO_BE_LATE = timedelta(minutes=5)
"""A reminder that comes later than this says so."""
SHOWN_QUESTION = 80


class Rung(Model):
    """One step of a ladder: at a share of the time, or so many seconds from the deadline."""

    step: str
    percent: int | None = None
    seconds: int = 0
    tell: tuple[Whom, ...]


class Policy(Model):
    """What is frozen on a query when it opens, so that a changed procedure changes no promise."""

    procedure: str
    response_seconds: int
    silence_seconds: int
    rungs: tuple[Rung, ...]


@dataclass(frozen=True, slots=True)
class Climb:
    """A rung of a running target and its moment."""

    step: str
    at: datetime
    tell: tuple[Whom, ...]


def ladder(policy: Policy, start: datetime, due: datetime) -> tuple[Climb, ...]:
    """The rungs between a question and the end of its ladder, in order."""
    return tuple(Climb(rung.step, _moment(rung, start, due), rung.tell) for rung in policy.rungs)


def _moment(rung: Rung, start: datetime, due: datetime) -> datetime:
    if rung.percent is not None:
        return start + (due - start) * rung.percent / 100
    return due + timedelta(seconds=rung.seconds)


def place_of(climbs: Sequence[Climb], step: str) -> int | None:
    """Where a step stands in the ladder; None when it is of another one."""
    return next((index for index, climb in enumerate(climbs) if climb.step == step), None)


def overtaken(climbs: Sequence[Climb], place: int, now: datetime) -> bool:
    """Whether a higher rung is due too: then it alone speaks."""
    return any(climb.at <= now for climb in climbs[place + 1 :])


def silent_until(policy: Policy, claimed_at: datetime | None, now: datetime) -> datetime | None:
    """The end of the silence after a claim, while it lasts; the owner is reminded all the same."""
    if claimed_at is None:
        return None
    end = claimed_at + timedelta(seconds=policy.silence_seconds)
    return end if end > now else None


def is_reopenable(resolved_at: datetime, now: datetime) -> bool:
    """Within a week a query is taken up again; later it is a new one."""
    return now - resolved_at <= REOPENED_WITHIN


def time_left(due: datetime, now: datetime) -> Text:
    """How long until the deadline, or how long since."""
    seconds = int((due - now).total_seconds())
    if abs(seconds) < 60:
        return text("queries.due_now")
    if seconds > 0:
        return text("queries.left", time=Duration(seconds=seconds))
    return text("queries.late_by", time=Duration(seconds=-seconds))


def shorten(typed: str, limit: int = SHOWN_QUESTION) -> str:
    """A long text on one line, cut where it fits.

    >>> shorten("one two\\nthree", 9)
    'one two…'
    """
    line = " ".join(typed.split())
    return line if len(line) <= limit else line[: limit - 1].rstrip() + "…"


def says_something(typed: str) -> bool:
    """Whether there is a letter or a digit in it, of any script."""
    return any(character.isalnum() for character in typed)


def filled(phrase: str, values: dict[str, str]) -> str:
    """A standard phrase with its variables; what people typed is never read as a variable.

    >>> filled("{asker}: {question}", {"asker": "{id}", "question": "?", "id": "Q1"})
    '{id}: ?'
    """
    return phrase.format_map(values)
