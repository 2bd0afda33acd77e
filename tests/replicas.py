"""Several replicas of the bot on one database, before the stand-in of a platform's cloud."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import ExitStack

from tests.platforms.watched import Watched
from tests.processes import Served, bare_environment

PATIENCE = 40.0


class Replicas(ABC):
    """They are ended with `stack`, whatever happened."""

    def __init__(
        self, cloud: Watched, command: Sequence[str], values: Mapping[str, str], stack: ExitStack
    ) -> None:
        """`command` is what serves (tests.serve_at …), `values` the settings of all of them."""
        self._cloud = cloud
        self._command = command
        self._environment = bare_environment() | {
            "BANZHANG_SECRET_KEY": "a secret for tests alone",
            **values,
        }
        self._stack = stack
        self._started: list[Served] = []

    @abstractmethod
    def read(self) -> str:
        """All that stands in the group, the oldest first."""

    def start(self) -> Served:
        """One more replica."""
        replica = Served(self._command, self._environment)
        self._stack.callback(replica.close)
        self._started.append(replica)
        replica.wait_until_ready()
        return replica

    def wait_read(self, *words: str) -> None:
        """Until all the words stand in the group."""
        self._cloud.wait_for(lambda: all(one in self.read() for one in words), PATIENCE)

    def settle(self) -> None:
        """Until all that was due has been done, and what was committed has left."""
        replica = next(one for one in self._started if one.is_running)
        self._cloud.wait_for(lambda: replica.is_settled, PATIENCE)
