"""What every stand-in organisation has: a clock of its own, numbers, and somebody who may wait."""

from __future__ import annotations

import base64
import hashlib
import threading
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


class Watched:
    """Guarded by one condition, so a test may read while a server writes."""

    def __init__(self) -> None:
        # The one lock of the whole stand-in.
        self.changed = threading.Condition(threading.RLock())
        self._ahead = 0.0

    def now(self) -> float:
        """Seconds since 1970 by the organisation's clock; a subclass may keep another one."""
        return time.time() + self._ahead

    def advance(self, seconds: float) -> None:
        """The organisation's own clock only: what it gave out ages, and so do its limits."""
        with self.changed:
            self._ahead += seconds
            self.changed.notify_all()

    def wait_for(self, predicate: Callable[[], T], timeout: float = 5.0) -> T:
        """The first truthy value of `predicate`; AssertionError with the story when none comes."""
        deadline = time.monotonic() + timeout
        # It runs unlocked: it may call the bot, which calls the API, which locks.
        while not (found := predicate()):
            left = deadline - time.monotonic()
            if left <= 0:
                raise AssertionError(f"not within {timeout} s; so far:\n{self.story()}")
            # Short waits: a notice may pass by meanwhile, and not all that is asked is in here.
            with self.changed:
                self.changed.wait(min(left, 0.02))
        return found

    def story(self) -> str:
        """What was said lately, for a person who reads a failed test."""
        raise NotImplementedError


class Numbered(Watched):
    """With one counter for messages, and ids that look like nothing."""

    def __init__(self, seed: str) -> None:
        super().__init__()
        self._seed = seed
        self._number = 0
        self._serial = 0

    def next_number(self) -> int:
        """One counter for messages and for changes of messages."""
        with self.changed:
            self._number += 1
            return self._number

    def new_id(self, prefix: str, length: int = 30) -> str:
        """`prefix` and so many letters and digits, never the same twice."""
        with self.changed:
            self._serial += 1
            return prefix + letters(f"{self._seed} {prefix} {self._serial}", length)


def letters(seed: str, length: int) -> str:
    """So many letters and digits, always the same for one seed."""
    found = ""
    while len(found) < length:
        made = base64.b64encode(hashlib.sha256(f"{seed} {len(found)}".encode()).digest()).decode()
        found += "".join(letter for letter in made if letter.isalnum())
    return found[:length]
