"""Delivers what was committed: in order per address, paced, backing off, giving up loudly."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime, timedelta

import structlog

from adapters.contract import EVERYWHERE, Adapter, DeliveryFailed
from bot.clock import Clock
from bot.messages import Outgoing
from bot.metrics import SENT
from bot.transactions import Transactions
from bot.words import reader_for
from storage.outbox import Leased, Outcome

log = structlog.get_logger()

LEASE = timedelta(seconds=90)
# A platform that has not answered by then is asked no longer: well within the lease, so that there
# is time to write down how it ended before somebody else takes over.
LONGEST_SEND = 60.0
RECORD_AGAIN = 1.0
# Smaller steps back are clocks being kept right.
SET_BACK = timedelta(seconds=5)
LEASED_AT_ONCE = 100
FIRST_WAIT = 1.0
LONGEST_WAIT = 300.0
# About two days of the longest wait: a platform may be down for a night and nothing is lost.
TRIES = 600
# How often a message is said again when nobody knows whether it was taken, and nobody can look.
UNCERTAIN_TRIES = 3
IDLE_LOOK = 30.0
SHARED_LOOK = 2.0


class Delivery:
    """The drain. One task leases addresses; each leased head is sent in a task of its own."""

    def __init__(
        self,
        transactions: Transactions,
        adapters: Mapping[str, Adapter],
        clock: Clock,
        idle_look: float = IDLE_LOOK,
    ) -> None:
        """`idle_look`: seconds between two looks when nothing wakes us, as nothing does when it was
        another process that queued a message.
        """
        self._transactions = transactions
        self._adapters = adapters
        self._clock = clock
        self._idle_look = idle_look
        self._wake = asyncio.Event()
        self._sending: set[asyncio.Task[None]] = set()
        # Platforms that asked for silence, until when.
        self._held: dict[str, datetime] = {}
        self._latest = clock.now()
        self._folding = frozenset(
            name for name, adapter in adapters.items() if adapter.capabilities.folds
        )

    def wake(self) -> None:
        """Something was queued; called on the loop."""
        self._wake.set()

    async def run(self) -> None:
        """Deliver for ever; cancel to stop."""
        while True:
            self._wake.clear()
            try:
                if not await self._start_some():
                    await self._wait()
            except Exception:
                log.exception("the outbox could not be read")
                await asyncio.sleep(1)

    async def drain(self) -> None:
        """Deliver everything that may go now, and come back when it is done."""
        while await self._start_some() or self._sending:
            if self._sending:
                await asyncio.wait(set(self._sending))

    async def stop(self, patience: float) -> None:
        """Let what is being sent finish, within `patience` seconds; the leases of the rest run
        out.
        """
        if self._sending:
            _done, late = await asyncio.wait(set(self._sending), timeout=patience)
            for task in late:
                task.cancel()

    async def _wait(self) -> None:
        """Until something is queued or the next address is ready."""
        queues = self._open_queues()  # on the loop: adapters are not asked by other threads
        ready = await self._transactions.read(lambda uow: uow.outbox.next_ready(queues))
        wait = self._idle_look
        if ready is not None:
            wait = min(wait, max(0.0, (ready - self._clock.now()).total_seconds()) + 0.002)
        held = [until for until in self._held.values() if until > self._clock.now()]
        if held:
            wait = min(wait, (min(held) - self._clock.now()).total_seconds() + 0.002)
        # Not wait_for: in Python 3.11 that forgets a cancellation in whose moment the event is set.
        with suppress(TimeoutError):
            async with asyncio.timeout(wait):
                await self._wake.wait()

    def _open_queues(self) -> list[str]:
        """How the queues begin that can be carried just now, by this process."""
        now, found = self._clock.now(), []
        for name, adapter in self._adapters.items():
            if self._held.get(name, now) <= now:
                places = adapter.reaches()
                kinds = [""] if places == EVERYWHERE else [f"{one}:" for one in sorted(places)]
                found += [f"{name}:{kind}" for kind in kinds]
        return found

    async def _watch_clock(self) -> None:
        """Waits are kept by the wall clock; when that is set back, they are over."""
        now = self._clock.now()
        if now < self._latest - SET_BACK:
            log.warning("the clock was set back", by=str(self._latest - now))
            await self._transactions.run(lambda uow: uow.outbox.clock_set_back(now, now + LEASE))
            self._held.clear()
        self._latest = now

    async def _start_some(self) -> int:
        await self._watch_clock()
        now = self._clock.now()
        queues = self._open_queues()
        room = LEASED_AT_ONCE - len(self._sending)
        if not queues or room <= 0:
            if room <= 0:
                await asyncio.wait(set(self._sending), return_when=asyncio.FIRST_COMPLETED)
                return 1
            return 0
        leased = await self._transactions.run(
            lambda uow: uow.outbox.lease(now, now + LEASE, room, queues, self._folding)
        )
        for message in leased:
            task = asyncio.create_task(self._deliver(message))
            self._sending.add(task)
            task.add_done_callback(self._sending.discard)
        return len(leased)

    async def _deliver(self, message: Leased) -> None:
        outcome = await self._send(message)
        SENT.labels(message.address.platform, outcome.state).inc()
        await self._record(outcome)
        self._wake.set()

    async def _record(self, outcome: Outcome) -> None:
        """Write down how it ended; what was sent and not recorded would be said again."""
        for _ in range(int((LEASE.total_seconds() - LONGEST_SEND) / RECORD_AGAIN)):
            try:
                ours = await self._transactions.run(
                    lambda uow: uow.outbox.record(outcome, self._clock.now())
                )
            except Exception:
                log.exception("how sending ended could not be recorded", message=outcome.id)
                await asyncio.sleep(RECORD_AGAIN)
            else:
                if not ours:
                    log.warning("sending took longer than its lease", message=outcome.id)
                return

    async def _send(self, message: Leased) -> Outcome:
        """Hand one message to its platform; no transaction is open meanwhile."""
        adapter = self._adapters[message.address.platform]
        now = self._clock.now()
        outgoing = Outgoing(
            **message.body.shown,
            edits_handle=message.edits_handle,
            priority=message.priority,
            message_id=message.id,
            attempt=message.attempt,
            uncertain_since=message.uncertain_since,
        )
        try:
            async with asyncio.timeout(LONGEST_SEND):
                reader = reader_for(message.locale, message.zone, now)
                handle = await adapter.send(outgoing, reader)
        except TimeoutError:
            return self._failed(message, DeliveryFailed("unknown", "the platform did not answer"))
        except DeliveryFailed as failed:
            return self._failed(message, failed)
        except Exception as error:
            log.exception("sending failed in an unexpected way", message=message.id)
            return self._failed(message, DeliveryFailed("unknown", type(error).__name__))
        return Outcome(
            message.id,
            message.queue,
            "sent",
            message.attempt,
            handle=handle,
            also=message.also,
            is_edit=message.edits_handle is not None,
            ready_at=self._clock.now() + _pause(adapter, message),
        )

    def _failed(self, message: Leased, failed: DeliveryFailed) -> Outcome:
        """What becomes of a message that did not arrive, or perhaps did."""
        now = self._clock.now()
        wait = timedelta(seconds=failed.after if failed.after is not None else _back_off(message))
        if failed.outcome == "paced":
            return Outcome(
                message.id,
                message.queue,
                "pending",
                message.attempt,
                counted=False,
                aside=failed.aside,
                also=message.also,
                ready_at=now + wait,
            )
        log.warning(
            "message not sent",
            message=message.id,
            outcome=failed.outcome,
            why=failed.why,
            attempt=message.attempt,
        )
        if failed.scope == "platform":
            platform = message.address.platform
            # Of several who are told to wait, the longest wait counts.
            self._held[platform] = max(now + wait, self._held.get(platform, now))
        uncertain = failed.outcome == "unknown"
        state = "pending"
        if failed.outcome == "dead" or message.attempt >= TRIES:
            state = "dead"
        elif uncertain and not failed.repeatable and message.doubts + 1 >= UNCERTAIN_TRIES:
            state = "unknown"
        return Outcome(
            message.id,
            message.queue,
            state,
            message.attempt,
            error=failed.why,
            uncertain=uncertain,
            gone=message.address if failed.gone else None,
            also=message.also,
            ready_at=now + (wait if state == "pending" else timedelta(0)),
        )


def _pause(adapter: Adapter, message: Leased) -> timedelta:
    """Before the next message to the same place. Where nothing can be edited nobody reads a card's
    edit, and what comes after it need not wait.
    """
    capabilities, body = adapter.capabilities, message.body
    in_group = message.address.kind == "group"
    edits = capabilities.edits_in_groups if in_group else capabilities.edits_in_direct
    if message.edits_handle is not None and body.words is None and not edits:
        return timedelta(0)
    return timedelta(seconds=adapter.pace(message.address))


def _back_off(message: Leased) -> float:
    """Seconds until the next try: doubling, capped, and spread so that not all come at once."""
    longest = min(LONGEST_WAIT, FIRST_WAIT * 2.0 ** min(message.attempt - 1, 12))
    return longest * random.uniform(0.5, 1.0)  # noqa: S311 - spreading load, not a secret
