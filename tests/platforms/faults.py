"""What goes wrong between the bot and a platform's HTTP API, on demand."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

How = Literal["drop", "drop_after"]


class LineBroken(Exception):
    """No answer comes; with "drop_after" the request took effect all the same."""


@dataclass
class Fault:
    """One way of going wrong, for `left` more calls; None: until it is healed."""

    path: str  # of a call, or "*" for all
    how: How | None
    errcode: int | None
    status: int | None
    slow: float | None  # seconds
    body: bytes | None
    left: int | None


F = TypeVar("F", bound=Fault)


class Faults(Generic[F]):
    """The faults for the path itself are used up before those for "*", the oldest first."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: list[F] = []

    def add(self, fault: F) -> None:
        with self._lock:
            self._waiting.append(fault)

    def clear(self) -> None:
        with self._lock:
            self._waiting.clear()

    def next(self, path: str) -> F | None:
        with self._lock:
            for wanted in (path, "*"):
                for fault in self._waiting:
                    if fault.path == wanted:
                        return self._used(fault)
            return None

    def _used(self, fault: F) -> F:
        if fault.left is not None:
            fault.left -= 1
            if fault.left <= 0:
                self._waiting.remove(fault)
        return fault
