"""Where dispatch would stand: an adapter in the real web room, and what came of it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime
from typing import Any

from starlette.applications import Starlette

from adapters.contract import Adapter
from bot.clock import Clock, WallClock
from bot.messages import Answer, Event, Reply, Words, text
from bot.web import platform_routes
from tests.platforms.served import served
from tests.services import Alone


def said(words: str) -> Words:
    """Words as they are, in every language."""
    return text("said", words=words)


def reply(**more: Any) -> Reply:
    """What dispatch gives back."""
    return Reply(locale="en", zone="Asia/Shanghai", at=datetime.now(UTC), **more)


def answer(words: str, **more: Any) -> Reply:
    """What dispatch gives back when it says something."""
    return reply(answer=Answer(words=said(words), **more))


class Recorder:
    """Stands where dispatch stands: remembers what came, and answers what it is told to."""

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """As new."""
        self.events: list[Event] = []
        self.answering: Callable[[Event], Reply | None] = lambda event: answer(
            f"heard {event.text}"
        )

    async def __call__(self, event: Event) -> Reply | None:
        """dispatch.receive"""
        self.events.append(event)
        return self.answering(event)


@contextmanager
def serving(
    adapter: Adapter, recorder: Recorder, alone: Alone | None = None, clock: Clock | None = None
) -> Iterator[str]:
    """The adapter behind the real web room, at work; gives the room's address."""
    services = (alone or Alone()).services

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        await adapter.start(recorder, services)
        yield
        await adapter.stop()

    routes = platform_routes({adapter.name: adapter}, recorder, clock or WallClock())
    with served(Starlette(routes=routes, lifespan=lifespan)) as url:
        yield url
