"""What every test may ask for."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from httpx._transports import default

from adapters.sandbox.world import Profile
from tests.engines import fresh_engine
from tests.stages import DINGTALK, SLACK, WECOM
from tests.town import Town

pytest_plugins = ["tests.databases"]

PROFILES = {"slack": SLACK, "wecom": WECOM, "dingtalk": DINGTALK}
"""The real adapters, each before the stand-in of its platform's cloud."""


def pytest_configure() -> None:
    """Every client of httpx reads the machine's certificates; once is enough for all tests."""
    default.create_ssl_context = cache(default.create_ssl_context)  # type: ignore[attr-defined]


def pytest_collection_finish() -> None:
    """What all modules made stays: whoever looks for a test's garbage need not look through it."""
    gc.collect()
    gc.freeze()


@pytest.fixture(params=sorted(PROFILES))
def profile(request: pytest.FixtureRequest) -> Profile:
    """Each test that talks runs once in every profile."""
    return PROFILES[request.param]


@pytest.fixture
def make_town(tmp_path: Path, profile: Profile) -> Iterator[Callable[..., Town]]:
    """Builds towns with other people or settings."""
    towns: list[Town] = []

    def make(**changed: Any) -> Town:
        engine = fresh_engine(f"sqlite:///{tmp_path}/town{len(towns)}.db")
        towns.append(Town(engine, changed.pop("profile", profile), **changed))
        return towns[-1]

    yield make
    for one in towns:
        one.close()


@pytest.fixture
def town(make_town: Callable[..., Town]) -> Town:
    """The whole bot, with a manager, a lead, three workers and a guest, on a Monday at nine."""
    return make_town()


@pytest.fixture
def slack_town(tmp_path: Path) -> Iterator[Town]:
    """The same for what only Slack lets people do."""
    town = Town(fresh_engine(f"sqlite:///{tmp_path}/slack_town.db"), SLACK)
    yield town
    town.close()
