"""What tests of doctors ask of their findings."""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from adapters.contract import Finding


class Examined(Protocol):
    """Something set up as it should be; whoever takes it over spoils one thing."""

    async def examined(self, **known: Any) -> Sequence[Finding]:
        """What the doctor says; `known` goes into its Checkup."""
        ...

    async def red(self, **known: Any) -> str:
        """The one thing that is wrong; all the rest is as it should be."""
        findings = await self.examined(**known)
        [found] = [one.sentence for one in findings if not one.fine]
        assert not [one for one in findings if one.advice]
        return plain(found)

    async def advice(self, **known: Any) -> str:
        """The one thing that could be better."""
        findings = await self.examined(**known)
        assert all(one.fine for one in findings)
        [found] = [one.sentence for one in findings if one.advice]
        return plain(found)

    async def is_green(self, **known: Any) -> bool:
        """Whether nothing is wrong, and nothing could be better."""
        return all(one.fine and not one.advice for one in await self.examined(**known))


def sentences(findings: Sequence[Finding]) -> list[str]:
    return [one.sentence for one in findings]


def plain(sentence: str) -> str:
    """One line that ends like a sentence."""
    assert sentence.endswith(".")
    assert "\n" not in sentence
    assert ".." not in sentence
    return sentence


def came_in(*kinds: str) -> Callable[[str], bool]:
    """A Checkup's `heard` where only events of these kinds have come in."""
    return lambda beginning: beginning.removesuffix(":") in kinds


def nowhere() -> int:
    """A port where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])
