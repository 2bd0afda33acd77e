"""Where the async network meets the sync database: work is handed to threads that commit it.

On SQLite one writer thread takes everything that waits at this moment (1 to 64 pieces of work)
into one transaction, a savepoint each, and answers all of them after the one commit. On PostgreSQL
each piece has a transaction of its own, so that strangers' row locks are never held together.
"""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future, InvalidStateError, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from storage.cipher import Cipher
from storage.engine import is_sqlite
from storage.outbox import Rings, never_rings
from storage.uow import UnitOfWork

T = TypeVar("T")
Work = Callable[[UnitOfWork], T]
Told = Callable[[bool, bool], None]
"""Called after a commit: (a message was queued, a timer was armed)."""

BATCH = 64
TRIES = 5
# PostgreSQL's codes for "somebody else was first, try again": serialization failure, deadlock.
TRY_AGAIN = ("40001", "40P01")


class Transactions(Protocol):
    """Runs work in a transaction; what it returns is safe on disk."""

    async def run(self, work: Work[T]) -> T:
        """Do the work, commit, return its result. Its exception rolls back this work alone."""

    async def read(self, work: Work[T]) -> T:
        """The same for work that only reads."""

    def close(self) -> None:
        """Finish what was accepted and end the threads."""


def make_transactions(
    engine: Engine, cipher: Cipher, told: Told, rings: Rings = never_rings
) -> Transactions:
    """The right kind for the database."""
    if is_sqlite(engine):
        return SharedCommits(engine, cipher, told, rings)
    return OwnCommits(engine, cipher, told, rings)


@dataclass(slots=True)
class _Job:
    work: Work[Any]
    future: Future[Any]
    result: Any = None
    error: BaseException | None = None


class SharedCommits:
    """One writer thread for SQLite."""

    def __init__(
        self, engine: Engine, cipher: Cipher, told: Told, rings: Rings = never_rings
    ) -> None:
        self._engine = engine
        self._cipher = cipher
        self._told = told
        self._rings = rings
        self._waiting: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._closed = False
        self._thread = threading.Thread(target=self._serve, name="banzhang-writer", daemon=True)
        self._thread.start()
        self._readers = ThreadPoolExecutor(2, thread_name_prefix="banzhang-reader")

    async def run(self, work: Work[T]) -> T:
        """Join the next commit."""
        if self._closed:
            raise RuntimeError("the writer has been closed")
        future: Future[T] = Future()
        self._waiting.put(_Job(work, future))
        return await asyncio.wrap_future(future)

    async def read(self, work: Work[T]) -> T:
        """Read on another connection; WAL lets readers pass the writer."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._readers, self._read, work)

    def _read(self, work: Work[T]) -> T:
        with self._engine.connect().execution_options(reading=True) as connection:
            return work(UnitOfWork(Session(connection), self._cipher, self._rings))

    def close(self) -> None:
        """Commit what waits, then stop."""
        if not self._closed:
            self._closed = True
            self._waiting.put(None)
            self._thread.join(timeout=30)
            self._readers.shutdown()

    def _serve(self) -> None:
        while True:
            first = self._waiting.get()
            if first is None:
                return
            jobs = [first]
            stop = False
            while len(jobs) < BATCH and not self._waiting.empty():
                job = self._waiting.get_nowait()
                if job is None:
                    stop = True
                    break
                jobs.append(job)
            self._commit(jobs)
            if stop:
                return

    def _commit(self, jobs: list[_Job]) -> None:
        queued = armed = False
        try:
            with self._engine.begin() as connection:
                for job in jobs:
                    uow = self._attempt(connection, job)
                    if job.error is None:
                        queued, armed = queued or uow.queued, armed or uow.armed
        except BaseException as error:  # the commit itself failed: nothing of this batch is safe
            for job in jobs:
                job.error = error
        for job in jobs:
            _settle(job)
        if queued or armed:
            self._told(queued, armed)

    def _attempt(self, connection: Connection, job: _Job) -> UnitOfWork:
        """One piece of work inside its own savepoint."""
        # The session opens the savepoint at its first statement and commits or rolls back to it.
        session = Session(connection, join_transaction_mode="create_savepoint")
        uow = UnitOfWork(session, self._cipher, self._rings)
        try:
            job.result = job.work(uow)
            session.commit()
        except BaseException as error:
            job.error = error
            session.rollback()
        finally:
            session.close()
        return uow


class OwnCommits:
    """A pool of threads for PostgreSQL, a transaction per piece of work."""

    def __init__(
        self,
        engine: Engine,
        cipher: Cipher,
        told: Told,
        rings: Rings = never_rings,
        threads: int = 8,
    ) -> None:
        self._engine = engine
        self._cipher = cipher
        self._told = told
        self._rings = rings
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="banzhang-db")

    async def run(self, work: Work[T]) -> T:
        """Do it in a thread, again when another transaction was in the way."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, self._run, work)

    async def read(self, work: Work[T]) -> T:
        """Reading is a transaction like any other here."""
        return await self.run(work)

    def _run(self, work: Work[T]) -> T:
        for attempt in range(1, TRIES + 1):
            try:
                with Session(self._engine) as session, session.begin():
                    uow = UnitOfWork(session, self._cipher, self._rings)
                    result = work(uow)
                if uow.queued or uow.armed:
                    self._told(uow.queued, uow.armed)
            except DBAPIError as error:
                if not in_the_way(error) or attempt == TRIES:
                    raise
            else:
                return result
        raise AssertionError("unreachable")

    def close(self) -> None:
        """Finish what runs."""
        self._pool.shutdown()


def in_the_way(error: Exception) -> bool:
    """Whether another transaction was first, so that the same work again may well succeed."""
    return isinstance(error, DBAPIError) and getattr(error.orig, "sqlstate", None) in TRY_AGAIN


def _settle(job: _Job) -> None:
    # Whoever waited may give up at any moment, this one included; the writer must outlive that.
    with suppress(InvalidStateError):
        if job.error is not None:
            job.future.set_exception(job.error)
        else:
            job.future.set_result(job.result)
