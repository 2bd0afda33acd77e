"""Long connections that bring a platform's payloads to us, so that no public address is needed.

Vendors' clients close the old connection before they open the next, come back without a pause where
a server closes at once, and have been seen to go on living without hearing anything. So here:

- there are several lines, each with a keeper of its own that never ends but by `stop`;
- a line that is told to go is replaced first and closed after, so there is no gap;
- a line on which nothing is heard, not even a pong, is dead and is replaced;
- whatever ends soon, cleanly or not, is followed at a slower and slower pace;
- what comes is handled outside of the reader, so much at once and no more.
"""

from __future__ import annotations

import asyncio
import json
import logging
import math
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, ClassVar

from adapters.hands import Hands, end
from adapters.reading import Json, read_object
from adapters.waits import doubled, spread
from adapters.wires import BROKEN, Connect, WebSockets, Wire, close, reason

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Timings:
    """In seconds; tests take shorter ones."""

    ping: float = 10.0
    dead: float = 30.0
    """Without any frame for so long, the line is broken, whatever TCP says."""
    hello: float = 10.0
    """For the handshake and the platform's first word, together."""
    settled: float = 60.0
    """A line that ended sooner was none: the next ones come at a slower and slower pace."""
    idle: float = 3600.0
    """Without any payload for so long, a line is renewed: pongs alone prove little."""
    silent: float = math.inf
    """Without any frame of the platform's own for so long, a line that has brought its pings is
    renewed."""
    grace: float = 15.0
    """A replaced line may go on for so long: the platform closes it, and acknowledges pass."""
    apart: float = 0.0
    """From the first try of one keeper to that of the next."""
    first_wait: float = 1.0
    longest_wait: float = 60.0
    refused_wait: float = 300.0
    """After a no that only a person can change."""
    unconnected: float = 30.0
    """Without any line for so long, readiness is red."""
    finish: float = 3.0
    close: float = 1.0
    """`stop` takes `finish` and one and a half of `close` at most: less than an orchestrator gives
    anybody."""


class Line:
    """One of them. `done` is set when it needs to be replaced, `closed` when it is no more."""

    def __init__(self, wire: Wire, began: float) -> None:
        self.wire = wire
        self.began = began
        self.number = 0
        self.brought_at = began
        """When the last payload came by it."""
        self.pinged_at: float | None = None
        """When a frame of the platform's own came last; None: it sends no pings of its own, and its
        silence proves nothing."""
        self.is_held = False
        """There is so much in hand that it is not read: its silence is ours."""
        self.done = asyncio.Event()
        self.closed = asyncio.Event()
        self.why = ""


class Lines(ABC):
    """Keeps `connections` lines open. What is said on them is a platform's own: a class below.

    `open_url` asks the platform for an address, which is good for one line and bounded in time.
    """

    name: ClassVar[str]
    """What people know the connection as."""
    spoken: ClassVar[tuple[type[Exception], ...]]
    """Errors of `open_url` whose words may be told."""

    def __init__(
        self,
        open_url: Callable[[], Awaitable[str]],
        *,
        connections: int,
        timings: Timings,
        connect: Connect | None,
    ) -> None:
        self._open_url = open_url
        self._connections = connections
        self._timings = timings
        self._web = WebSockets(timings.ping, timings.dead)
        self._connect: Connect = connect or self._web
        self._hands = Hands(f"a payload by {self.name}")
        self._opening = asyncio.Lock()
        self._keepers: list[asyncio.Task[None]] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._lines: set[Line] = set()
        self._count = 0
        self._alone_since: float | None = None
        """When the last line ended that was one, whatever came of those after it."""
        self._why = "not connected yet"
        self.heard_at: float | None = None
        """When the last frame came, by the loop's clock."""

    # --- what a platform says ------------------------------------------------------------------

    @abstractmethod
    async def _greet(self, line: Line) -> None:
        """Returns when the platform has said that this is a line. Raises ConnectionError."""

    @abstractmethod
    async def _take(self, line: Line, said: Json) -> None:
        """A frame came in. What takes long goes to `_hand_over`."""

    @abstractmethod
    def _asked_wait(self, error: Exception) -> float | None:
        """The seconds that a refusal by `open_url` asks for; None where it says nothing."""

    # --- life ----------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin to connect; call on the loop. Nothing waits for the platform."""
        self._alone_since = self._now()
        self._keepers = [
            asyncio.create_task(self._keep(number * self._timings.apart))
            for number in range(self._connections)
        ]

    async def stop(self) -> None:
        """Let what is being handled finish and close, all within a few seconds."""
        keepers, self._keepers = set(self._keepers), []
        patience = self._timings.close
        # The lines are read until nothing is in hand: some of it would not come again.
        await asyncio.gather(
            end(keepers, patience, self.name), self._hands.finish(self._timings.finish)
        )
        closing = (self._close(line) for line in tuple(self._lines))
        tasks = {*self._tasks, *self._hands.tasks}
        await asyncio.gather(end(tasks, patience, self.name), *closing)
        self._alone_since = None
        await self._web.close(patience / 2)

    def trouble(self) -> str | None:
        """Why nothing can be heard, once that has lasted a while."""
        if self._alone_since is None or not all(line.done.is_set() for line in self._lines):
            return None
        if self._now() - self._alone_since < self._timings.unconnected:
            return None
        return f"{self.name} has no connection: {self._why}"

    @property
    def connected(self) -> int:
        """How many lines have been greeted and are not closed."""
        return len(self._lines)

    @property
    def in_hand(self) -> frozenset[asyncio.Task[None]]:
        """One task for each payload that is being handled or waits for it."""
        return frozenset(self._hands.tasks)

    async def idle(self) -> None:
        """Returns when nothing is in hand."""
        await self._hands.finish()

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()

    # --- keeping one line ----------------------------------------------------------------------

    async def _keep(self, delay: float) -> None:
        """One line after another, the next before the last is closed."""
        await asyncio.sleep(delay)
        last: Line | None = None
        failures = brief = 0
        while True:
            try:
                line = await self._begin()
            except Exception as error:
                failures += 1
                await asyncio.sleep(self._after_failure(error, failures))
                continue
            failures = 0
            if last is not None:
                self._spawn(self._outlive(last))
            last = line
            await self._stay(line)
            log.info("%s: connection %d is to be replaced: %s", self.name, line.number, line.why)
            brief = 0 if self._was_one(line) else brief + 1
            if brief:
                await asyncio.sleep(spread(self._pause(brief)))

    def _pause(self, times: int) -> float:
        """Seconds, doubling, until what has failed so many times is tried again."""
        return doubled(self._timings.first_wait, self._timings.longest_wait, times)

    def _was_one(self, line: Line) -> bool:
        return self._now() - line.began >= self._timings.settled

    def _after_failure(self, error: Exception, failures: int) -> float:
        """Seconds to wait before the next try."""
        self._why = reason(error, *self.spoken)
        wait = spread(self._asked_wait(error) or self._pause(failures))
        log.warning("%s does not connect: %s; again in %.0f s", self.name, self._why, wait)
        return wait

    async def _begin(self) -> Line:
        """A line that has been greeted. Raises what went wrong."""
        async with self._opening:  # platforms count who asks for addresses
            url = await self._open_url()
        async with asyncio.timeout(self._timings.hello):
            line = Line(await self._connect(url), self._now())
            try:
                await self._greet(line)
            except BaseException:
                await close(line.wire, self._timings.close)
                raise
        self._count += 1
        line.number = self._count
        self._lines.add(line)
        log.info("%s: connection %d is open, %d in all", self.name, line.number, len(self._lines))
        self._spawn(self._read(line))
        return line

    async def _stay(self, line: Line) -> None:
        """Returns when the line needs to be replaced."""
        while not line.done.is_set():
            with suppress(TimeoutError):
                async with asyncio.timeout(min(self._timings.idle, self._timings.silent) / 10):
                    await line.done.wait()
            if not line.is_held:
                self._look_at(line)

    def _look_at(self, line: Line) -> None:
        """One that is open and proves nothing else is renewed."""
        now = self._now()
        if line.pinged_at is not None and now - line.pinged_at > self._timings.silent:
            self._finish(line, f"it was silent for {now - line.pinged_at:.0f} s")
        elif now - line.brought_at > self._timings.idle:
            self._finish(line, f"it brought nothing for {now - line.brought_at:.0f} s")

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _outlive(self, line: Line) -> None:
        """The platform closes a line it told to go; until then it may still bring something."""
        with suppress(TimeoutError):
            async with asyncio.timeout(self._timings.grace):
                await line.closed.wait()
        await self._close(line)

    def _finish(self, line: Line, why: str) -> None:
        """It needs to be replaced."""
        if line.done.is_set():
            return
        self._why = line.why = why
        line.done.set()
        if self._was_one(line):
            self._alone_since = self._now()

    async def _close(self, line: Line) -> None:
        try:
            await close(line.wire, self._timings.close)
        finally:
            line.closed.set()
            self._finish(line, "it was closed")
            self._lines.discard(line)

    # --- one line ------------------------------------------------------------------------------

    async def _read(self, line: Line) -> None:
        """Every way out of here leaves the line closed and asks for the next."""
        why = "it was closed"
        try:
            while (text := await line.wire.next_text()) is not None:
                self.heard_at = self._now()
                if (said := parsed(text)) is not None:
                    await self._take(line, said)
                else:
                    log.warning("%s brought something that is no JSON object", self.name)
        except Exception as error:
            why = f"the line broke: {reason(error)}"
        finally:
            self._finish(line, why)
            await self._close(line)

    async def _hand_over(self, line: Line, work: Callable[[], Awaitable[None]]) -> None:
        """Have it done outside of the reader, which waits only where very much is in hand."""
        line.is_held = True  # TCP tells the platform to wait
        await self._hands.take(work)
        line.is_held = False
        line.brought_at = self._now()
        if line.pinged_at is not None:
            line.pinged_at = line.brought_at

    async def _say(self, line: Line, said: Json) -> None:
        """To whom it came from, and nobody else; where the line is gone it comes again."""
        with suppress(*BROKEN):
            await line.wire.send_str(json.dumps(said, ensure_ascii=False))


def parsed(text: object) -> Json | None:
    """A JSON object, or None."""
    try:
        return read_object(text) if isinstance(text, str) else None
    except (ValueError, RecursionError):
        return None
