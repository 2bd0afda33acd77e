"""What the stand-ins' HTTP APIs share: calls noted, tokens given out, troubles on demand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

from tests.platforms.faults import Fault, Faults
from tests.platforms.watched import Numbered

TOKEN_LIFE = 7200  # seconds


class Arrived(Protocol):
    """A request as it arrived."""

    @property
    def path(self) -> str: ...


C = TypeVar("C", bound=Arrived)
F = TypeVar("F", bound=Fault)


class NotedCalls(Generic[C, F]):
    """Before the API of one organisation."""

    token_path: str
    token_letters: int

    def __init__(self, office: Numbered) -> None:
        self._office = office
        self.calls: list[C] = []
        self.watch: Callable[[C], object] = lambda _call: None
        """Called before a call takes effect, unlocked; what it raises is raised."""
        self._faults: Faults[F] = Faults()
        self._tokens: dict[str, float] = {}  # token -> until when it is good

    @property
    def token_calls(self) -> int:
        """How often a token was asked for."""
        return len(self.calls_of(self.token_path))

    def calls_of(self, path: str) -> list[C]:
        with self._office.changed:
            return [call for call in self.calls if call.path == path]

    def heal(self) -> None:
        """Nothing goes wrong any more."""
        self._faults.clear()

    def _noted(self, call: C) -> C:
        with self._office.changed:
            self.calls.append(call)
            self._office.changed.notify_all()
        return call

    def _granted(self) -> tuple[str, int]:
        """A token and for how many seconds it is good: the same one as long as it is."""
        now = self._office.now()
        for token, until in self._tokens.items():
            if now < until:
                return token, int(until - now)
        token = self._office.new_id("", self.token_letters)
        self._tokens[token] = now + TOKEN_LIFE
        return token, TOKEN_LIFE
