"""Where a town's people meet the bot: one stage a platform, the same deeds on each."""

from __future__ import annotations

from adapters.sandbox.world import Profile
from tests.clock import StillClock
from tests.stages.sandbox import SandboxStage
from tests.stages.slack import SLACK, SlackStage
from tests.stages.stage import GROUP, GROUP_NAME, Said, Stage

__all__ = ["GROUP", "GROUP_NAME", "SLACK", "Said", "Stage", "make_stage"]


def make_stage(profile: Profile, clock: StillClock) -> Stage:
    """The real platform where a profile is one, else the sandbox in its likeness."""
    return SlackStage(clock) if profile == SLACK else SandboxStage(clock, profile)
