"""What every platform's doctor says of ways in, and of teams that have no group yet."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from adapters.contract import Checkup, Finding


def came_in(checkup: Checkup, kinds: Mapping[str, str]) -> list[str]:
    """What has come in this week: `kinds` are the words for how the events' keys begin."""
    return [words for kind, words in kinds.items() if checkup.heard(f"{kind}:")]


def address(checkup: Checkup, path: str) -> str:
    """What to enter as address for a path of ours."""
    if checkup.base_url:
        return checkup.base_url.rstrip("/") + path
    return f"https://your.address{path} (BANZHANG_BASE_URL is not set)"


def unbound(checkup: Checkup, platform: str, bot_name: str) -> Iterator[Finding]:
    """The teams without a group on this platform, and what to write in one."""
    bound = {home.team for home in checkup.homes}
    for team in checkup.teams:
        if team not in bound:
            which = f" {team}" if len(checkup.teams) > 1 else ""
            yield Finding(
                True,
                f"Nobody has bound a {platform} group to {team} yet: write"
                f" `@{bot_name} 团队 绑定{which}` in it.",
                advice=True,
            )
