"""`banzhang …` on a machine whose clock is some seconds ahead: `python -m tests.serve_at SECONDS
serve …`.

The same program from its entry point on; only the offset of its clock is another.
"""

from __future__ import annotations

import sys
from datetime import timedelta
from functools import partial

import bot.clock
from bot.__main__ import main

if __name__ == "__main__":
    ahead = timedelta(seconds=float(sys.argv.pop(1)))
    bot.clock.WallClock = partial(bot.clock.WallClock, ahead)  # type: ignore[misc, assignment]
    main()
