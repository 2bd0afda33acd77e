"""How much an app may ask: https://open.dingtalk.com/document/orgapp/invocation-frequency-limit"""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from tests.platforms.dingtalk_model import Org
from tests.platforms.dingtalk_refusals import QPS, QUOTA, OldRefusal, Refusal

A_SECOND = 1.0
MOST_A_SECOND = 20  # of one app, of one API
MOST_A_MONTH = 10_000  # of an organisation with the standard edition
CHINA = ZoneInfo("Asia/Shanghai")


class Limits:
    def __init__(self, org: Org) -> None:
        self.org = org
        self.quota = MOST_A_MONTH
        self.enforces_pace = True
        self._asked: defaultdict[str, deque[float]] = defaultdict(deque)
        self._used: Counter[tuple[int, int]] = Counter()

    @property
    def used(self) -> int:
        """Calls that count, of the month that it is in China."""
        return self._used[self._month()]

    def take_turn(self, path: str, is_old: bool) -> None:
        """Raises the refusal of one call too many in a second."""
        if not self.enforces_pace:
            return
        now, asked = self.org.now(), self._asked[path]
        while asked and now - asked[0] >= A_SECOND:
            asked.popleft()
        if len(asked) >= MOST_A_SECOND:
            raise OldRefusal(90018) if is_old else Refusal(QPS)
        asked.append(now)

    def count(self) -> None:
        """Raises the refusal of one call too many in a month. Refused ones do not count."""
        month = self._month()
        if self._used[month] >= self.quota:
            raise Refusal(QUOTA)
        self._used[month] += 1

    def _month(self) -> tuple[int, int]:
        there = datetime.fromtimestamp(self.org.now(), UTC).astimezone(CHINA)
        return there.year, there.month
