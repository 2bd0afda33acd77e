"""The ways back that messages bring along: a session webhook takes answers for an hour and a half.

https://open.dingtalk.com/document/orgapp/robot-reply-and-send-messages
They are kept in memory alone: whoever has one may write to the chat, and what is answered without
one goes by the API.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from datetime import datetime, timedelta

from adapters.dingtalk.decode import WayBack
from bot.messages import Outgoing

REMEMBERED = 10_000
# What is about to end may be over when the answer arrives.
MARGIN = timedelta(seconds=30)


class WaysBack:
    """The newest by the keys of the events they came with."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self._ways: OrderedDict[str, WayBack] = OrderedDict()

    def keep(self, event_key: str, way: WayBack) -> None:
        """An event brought it."""
        self._ways[event_key] = way
        self._ways.move_to_end(event_key)
        while len(self._ways) > REMEMBERED:
            self._ways.popitem(last=False)

    def of(self, outgoing: Outgoing) -> str | None:
        """The address to which an answer may be posted: only to what came in that very chat, and
        only while it lives.
        """
        way = self._ways.get(outgoing.answers) if outgoing.answers else None
        if way is None or way.chat_id != outgoing.address.id:
            return None
        return way.url if self._clock() < way.expires_at - MARGIN else None
