"""A clock for whatever is kept by seconds that only go on."""

from __future__ import annotations


class Hands:
    """Seconds that pass when a test turns `at` on."""

    def __init__(self) -> None:
        self.at = 1_000_000.0

    def __call__(self) -> float:
        return self.at
