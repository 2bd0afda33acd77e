"""`banzhang …` on a machine whose clock is some seconds ahead: `python -m tests.serve_at AHEAD
serve …`.

The same program from its entry point on; only the offset of its clock is another. AHEAD: seconds,
or the whole path of a file in which they stand, read at each look, so that time may pass at once.
"""

from __future__ import annotations

import sys
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

import bot.clock
from bot.__main__ import main
from bot.clock import WallClock


class WrittenClock(WallClock):
    """Its offset stands in a file."""

    def __init__(self, file: Path) -> None:
        super().__init__()
        self._file = file

    def now(self) -> datetime:
        self.offset = timedelta(seconds=float(self._file.read_text(encoding="utf-8")))
        return super().now()


if __name__ == "__main__":
    ahead = sys.argv.pop(1)
    if Path(ahead).is_absolute():
        bot.clock.WallClock = partial(WrittenClock, Path(ahead))  # type: ignore[misc, assignment]
    else:
        offset = timedelta(seconds=float(ahead))
        bot.clock.WallClock = partial(WallClock, offset)  # type: ignore[misc, assignment]
    main()
