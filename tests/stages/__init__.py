"""Where a town's people meet the bot: one stage a platform, the same deeds on each."""

from __future__ import annotations

from adapters.sandbox.world import Profile
from tests.clock import StillClock
from tests.stages.dingtalk import DINGTALK, DINGTALK_CARDS, DingtalkStage
from tests.stages.sandbox import SandboxStage
from tests.stages.slack import SLACK, SlackStage
from tests.stages.stage import GROUP, GROUP_NAME, Said, Stage
from tests.stages.wecom import WECOM, WecomStage

__all__ = [
    "DINGTALK",
    "DINGTALK_CARDS",
    "GROUP",
    "GROUP_NAME",
    "SLACK",
    "WECOM",
    "DingtalkStage",
    "Said",
    "Stage",
    "WecomStage",
    "make_stage",
]


def make_stage(profile: Profile, clock: StillClock) -> Stage:
    """The real platform where a profile is one, else the sandbox in its likeness."""
    if profile == SLACK:
        return SlackStage(clock)
    if profile == WECOM:
        return WecomStage(clock)
    if profile in (DINGTALK, DINGTALK_CARDS):
        return DingtalkStage(clock, cards=profile == DINGTALK_CARDS)
    return SandboxStage(clock, profile)
