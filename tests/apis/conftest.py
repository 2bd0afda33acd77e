"""One API before its stand-in: a test file says whose by a fixture `door`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from adapters.dingtalk.api import DingtalkApi
from adapters.wecom.api import WecomApi
from tests.apis.door import DingtalkDoor, Door, WecomDoor
from tests.platforms.dingtalk_model import Group, Org
from tests.platforms.served import served
from tests.platforms.wecom_model import Corp

Serve = Callable[[Door[Any, Any]], str]


@pytest.fixture(scope="session")
def serve() -> Iterator[Serve]:
    """One server a platform for all tests; each has an organisation of its own behind it."""
    with ExitStack() as stack:
        running: dict[str, tuple[Any, str]] = {}

        def at(door: Door[Any, Any]) -> str:
            if door.title not in running:
                application = door.standin.application()
                running[door.title] = application, stack.enter_context(served(application))
            application, address = running[door.title]
            application.api = door.standin
            return address

        yield at


@pytest.fixture
def origin(door: Door[Any, Any], serve: Serve) -> str:
    """Where the stand-in is over HTTP."""
    return serve(door)


@pytest.fixture(params=["over HTTP", "in process"])
async def api(
    door: Door[Any, Any], request: pytest.FixtureRequest
) -> AsyncIterator[DingtalkApi | WecomApi]:
    if request.param == "over HTTP":
        async with door.opened(request.getfixturevalue("origin")) as made:
            yield made
    else:
        async with door.opened_in_process() as made:
            yield made


@pytest.fixture
def standin(door: Door[Any, Any]) -> Any:
    return door.standin


@pytest.fixture
def org(door: DingtalkDoor) -> Org:
    return door.org


@pytest.fixture
def group(org: Org) -> Group:
    return org.add_group("老师群", ["lisi", "wangwu"])


@pytest.fixture
def corp(door: WecomDoor) -> Corp:
    return door.corp
