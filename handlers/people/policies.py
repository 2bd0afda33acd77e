"""What a team may set, with the defaults. The only reader and writer of `Team.policies`."""

from __future__ import annotations

from datetime import time

from pydantic import BaseModel, ConfigDict, Field

from storage.tables.teams import Team


class Quiet(BaseModel):
    """Quiet hours by the local clock; they may reach over midnight. Equal ends: none."""

    model_config = ConfigDict(frozen=True)

    start: time = time(22, 0)
    end: time = time(8, 0)


class Policies(BaseModel):
    """A team's policies."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    guests: bool = True
    quiet: Quiet = Quiet()
    approve_hours: bool = True
    """A closed session is payable once a lead approved it."""
    longest_day_hours: int = Field(default=12, ge=1, le=24)
    """When nothing was planned, a session longer than this is looked after."""
    reminder_budget: int = Field(default=6, ge=1, le=50)
    """Reminders a person gets on one day; what exceeds it folds into one digest."""
    reaction: str = Field(default="question", max_length=100)
    """The reaction that makes a message a query, by its name without colons; "": none does."""


def policies_of(team: Team) -> Policies:
    """The team's policies, defaults filled in."""
    return Policies.model_validate(team.policies)


def store_policies(team: Team, policies: Policies) -> None:
    """Keep what differs from the defaults, so that a better default reaches old teams too."""
    team.policies = policies.model_dump(mode="json", exclude_defaults=True)
