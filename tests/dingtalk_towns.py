"""Towns that live in an organisation of DingTalk, with what only it has."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from tests.engines import fresh_engine
from tests.platforms.dingtalk_model import Message
from tests.stages import DINGTALK, DINGTALK_CARDS, DingtalkStage
from tests.town import Town


class Make(Protocol):
    """Makes a town with a card template, with custom robots of teams, or with neither."""

    def __call__(
        self, *, cards: bool = False, robots: Sequence[str] = (), by_http: bool = False
    ) -> Town: ...


@contextmanager
def dingtalk_towns(folder: Path) -> Iterator[Make]:
    """They are closed at the end; their databases are in this folder."""
    towns: list[Town] = []

    def made(*, cards: bool = False, robots: Sequence[str] = (), by_http: bool = False) -> Town:
        one = Town(
            fresh_engine(f"sqlite:///{folder}/dingtalk{len(towns)}.db"),
            DINGTALK_CARDS if cards else DINGTALK,
            staged=lambda clock: DingtalkStage(clock, cards=cards, robots=robots, by_http=by_http),
        )
        towns.append(one)
        return one

    try:
        yield made
    finally:
        for town in towns:
            town.close()


def stage_of(town: Town) -> DingtalkStage:
    """The organisation and its app."""
    assert isinstance(town.stage, DingtalkStage)
    return town.stage


def by(town: Town, via: str) -> list[Message]:
    """What was said by this way: "session", "api", "card" or "robot"."""
    return [one for one in stage_of(town).org.timeline if one.via == via]


def metered(town: Town) -> int:
    """Calls that count among the month's."""
    return stage_of(town).api.metered
