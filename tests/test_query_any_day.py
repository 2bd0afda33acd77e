"""Whatever people do, and in whatever order: who has been answered is never spoken of again."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from sqlalchemy import func, select

from bot.messages import Refused
from handlers.queries.timers import missed
from storage.engine import make_engine
from storage.tables.queries import Query, Reminder
from tests.desk import ROSTER, Desk

STAFF = sorted(name for name, roles in ROSTER.items() if roles)
QUERIES = st.integers(1, 3)
ANYBODY = st.sampled_from([*STAFF, "guest"])
ANSWERS = st.sampled_from(["reply", "replied"])


class AnyDay(RuleBasedStateMachine):
    """Random days. A shadow book knows who waits for an answer; the ladder must agree with it."""

    @initialize()
    def open_the_desk(self) -> None:
        self.desk = Desk(make_engine("sqlite://"))
        self.asked = 0
        self.waiting: set[int] = set()
        self.looked_at = 0

    def teardown(self) -> None:
        if hasattr(self, "desk"):
            self.desk.engine.dispose()

    def _try(self, name: str, command: str, **arguments: object) -> bool:
        try:
            self.desk.give(name, command, **arguments)  # type: ignore[arg-type]
        except Refused:
            return False
        return True

    @precondition(lambda self: self.asked < 3)
    @rule()
    def ask(self) -> None:
        self.desk.give("guest", "ask", question="退款什么时候到账？")
        self.asked += 1
        self.waiting.add(self.asked)

    @rule(name=st.sampled_from(STAFF), number=QUERIES)
    def claim(self, name: str, number: int) -> None:
        before = self._due(number)
        self._try(name, "claim", query=number)
        assert self._due(number) == before, "a claim moved the deadline"

    @rule(name=st.sampled_from(STAFF), number=QUERIES, command=ANSWERS)
    def reply(self, name: str, number: int, command: str) -> None:
        if self._try(name, command, query=number, words="明天。", note="电话"):
            self.waiting.discard(number)

    @rule(number=QUERIES)
    def more(self, number: int) -> None:
        before = self._due(number) if number in self.waiting else None
        if self._try("guest", "reply", query=number, words="在吗？"):
            self.waiting.add(number)
            assert before in (None, self._due(number)), "more words moved the deadline"

    @rule(name=st.sampled_from(STAFF), number=QUERIES)
    def note(self, name: str, number: int) -> None:
        self._try(name, "note", query=number, note="内部")

    @rule(name=st.sampled_from(STAFF), number=QUERIES, hours=st.integers(1, 30))
    def mute(self, name: str, number: int, hours: int) -> None:
        before = self._due(number)
        until = self.desk.now + timedelta(hours=hours)
        self._try(name, "mute", query=number, time=until, reason="等仓库")
        assert self._due(number) == before, "a mute moved the deadline"

    @rule(name=ANYBODY, number=QUERIES, words=st.sampled_from(["", "好了"]))
    def resolve(self, name: str, number: int, words: str) -> None:
        if self._try(name, "resolve", query=number, words=words):
            self.waiting.discard(number)

    @rule(name=ANYBODY, number=QUERIES)
    def reopen(self, name: str, number: int) -> None:
        before = self._count()
        if self._try(name, "reopen", query=number, reason="还没好"):
            if self._count() > before:
                self.asked = 99
                self.waiting.add(self._count())
            else:
                self.waiting.add(number)

    @rule(name=st.sampled_from(STAFF), command=st.sampled_from(["checkin", "checkout"]))
    def work(self, name: str, command: str) -> None:
        self._try(name, command)

    @rule(minutes=st.sampled_from([1, 15, 29, 30, 31, 45, 60, 120, 600]))
    def wait(self, minutes: int) -> None:
        self.desk.wait(minutes=minutes)

    @rule(minutes=st.sampled_from([30, 90, 400]))
    def be_down(self, minutes: int) -> None:
        self.desk.sleep(minutes=minutes)

    @rule(days=st.sampled_from([6, 8]))
    def rest(self, days: int) -> None:
        self.desk.wait(days=days)

    @invariant()
    def the_ladder_agrees_with_the_book(self) -> None:
        if not hasattr(self, "desk"):
            return
        with self.desk.uow() as uow:
            rows = uow.session.scalars(
                select(Reminder).where(Reminder.subject.like("Q%")).order_by(Reminder.id)
            ).all()
            new = [(row.subject, row.outcome) for row in rows[self.looked_at :]]
            steps = Counter((row.subject, row.step) for row in rows)
            told = Counter(
                (row.fired_at, row.subject, person) for row in rows for person in row.told
            )
            owed = set(
                uow.session.scalars(select(Query.id).where(Query.waiting_since.is_not(None)))
            )
            assert missed(uow, self.desk.now) == []
        assert owed == self.waiting
        assert all(count == 1 for count in steps.values()), "a step ran twice"
        assert all(count == 1 for count in told.values()), "somebody was told twice at one moment"
        for subject, outcome in new:
            number = int(subject.split("/")[0][1:])
            assert number in self.waiting, f"{subject} {outcome} after a human had answered"
        self.looked_at += len(new)

    def _count(self) -> int:
        with self.desk.uow() as uow:
            return uow.session.scalar(select(func.count()).select_from(Query)) or 0

    def _due(self, number: int) -> datetime | None:
        with self.desk.uow() as uow:
            query = uow.queries.peek(number)
            return query.due_at if query else None


TestAnyDay = AnyDay.TestCase
TestAnyDay.settings = settings(
    max_examples=30,
    stateful_step_count=25,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)
