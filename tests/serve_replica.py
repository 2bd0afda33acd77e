"""`banzhang …` as one of several replicas: `python -m tests.serve_replica LASTS LOOKS serve …`.

The same program from its entry point on; only its lead lasts LASTS seconds, and it looks every
LOOKS seconds whether it is its own.
"""

from __future__ import annotations

import sys
from functools import partial

import adapters.wecom.socket
from adapters.wecom.socket import Timings
from bot import app
from bot.__main__ import main

if __name__ == "__main__":
    lasts, looks = float(sys.argv.pop(1)), float(sys.argv.pop(1))
    app.LEAD_SECONDS = lasts  # type: ignore[attr-defined]
    adapters.wecom.socket.Timings = partial(Timings, lead=looks)  # type: ignore[misc, assignment]
    main()
