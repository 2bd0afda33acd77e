"""Check-in below the chat: late messages, recomputed sessions, two doors at once."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from itertools import count

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select
from sqlalchemy.orm import Session

from bot.commands import Handler, Request, Value
from bot.messages import Answer, Chat, Refused, User
from bot.words import reader_for
from handlers.attendance import commands, corrections, deciding, hours, rules, sessions
from handlers.attendance.evidence import note_evidence
from handlers.attendance.rules import Tap
from storage.cipher import Cipher
from storage.tables import Person, Punch, Team, WorkSession
from storage.uow import UnitOfWork
from tests.clock import MORNING
from tests.engines import fresh_engine

# --- the handlers alone ---------------------------------------------------------------------------

KEYS = count()


def newcomer(uow: UnitOfWork) -> tuple[Person, Team]:
    """Somebody in a team, in an otherwise empty database."""
    team = uow.teams.add("班组", "zh_CN", "Asia/Shanghai", MORNING)
    person = uow.people.meet("sandbox", User(id="wang", name="小王"), MORNING)
    uow.people.grant(person, "worker", team.id, None, MORNING)
    return person, team


def give(
    uow: UnitOfWork,
    person: Person,
    team: Team,
    handler: Handler,
    at: datetime,
    *,
    received_at: datetime | None = None,
    platform: str = "sandbox",
    arguments: dict[str, Value] | None = None,
) -> Answer:
    """Call a handler as dispatch would."""
    request = Request(
        person=person,
        team=team,
        roles=frozenset(("worker",)),
        chat=Chat(kind="direct", id="wang"),
        platform=platform,
        event_key=f"e{next(KEYS)}",
        at=at,
        now=received_at or at,
        arguments=arguments or {},
    )
    return handler(request, uow)


def read(answer: Answer) -> str:
    parts = [answer.words]
    if answer.card is not None:
        parts += [answer.card.title, *answer.card.body]
    reader = reader_for("zh_CN", "Asia/Shanghai", MORNING)
    return "\n".join(reader.plain(part) for part in parts if part is not None)


HANDLERS: dict[str, Handler] = {
    "in": commands.check_in,
    "out": commands.check_out,
    "break": commands.take_break,
    "back": commands.come_back,
}
CIPHER = Cipher("a secret for tests alone")


def test_late_messages_are_flagged_and_count_as_they_were_sent() -> None:
    with Session(fresh_engine("sqlite://")) as database:
        uow = UnitOfWork(database, CIPHER)
        person, team = newcomer(uow)
        late = MORNING + timedelta(minutes=5, seconds=1)
        said = read(give(uow, person, team, commands.check_in, MORNING, received_at=late))
        assert "09:00 已签到" in said
        assert "耽搁了 5 分钟，按 09:00 算" in said
        out = MORNING + timedelta(hours=9)
        in_time = out + timedelta(minutes=5)
        assert "耽搁" not in read(
            give(uow, person, team, commands.check_out, out, received_at=in_time)
        )
        # It was sent before the check-out that has been counted, and comes only now.
        said = read(
            give(
                uow,
                person,
                team,
                commands.take_break,
                MORNING + timedelta(hours=3),
                received_at=out + timedelta(hours=1),
            )
        )
        assert "12:00 的消息来晚了" in said
        assert "没有改动" in said


def test_no_tap_lies_in_the_future() -> None:
    with Session(fresh_engine("sqlite://")) as database:
        uow = UnitOfWork(database, CIPHER)
        person, team = newcomer(uow)
        ahead = MORNING + timedelta(hours=1)
        give(uow, person, team, commands.check_in, ahead, received_at=MORNING)
        row = uow.attendance.open_session(person.id)
        assert row is not None
        assert row.started_at == MORNING


def test_in_another_team() -> None:
    with Session(fresh_engine("sqlite://")) as database:
        uow = UnitOfWork(database, CIPHER)
        person, team = newcomer(uow)
        other = uow.teams.add("夜班", "zh_CN", "Asia/Shanghai", MORNING)
        give(uow, person, team, commands.check_in, MORNING)
        said = read(give(uow, person, other, commands.check_in, MORNING + timedelta(hours=1)))
        assert "是在“班组”签到的" in said
        out = MORNING + timedelta(hours=2)
        give(uow, person, other, commands.check_out, out)
        day = MORNING.date()
        assert hours.hours_of(uow, person.id, day, day, out).counted == 7200
        assert hours.hours_of(uow, person.id, day, day, out, team_id=other.id).counted == 0


STEPS = st.lists(
    st.tuples(
        st.sampled_from(("in", "out", "break", "back", "in", "out")),
        st.sampled_from((0, 1, 59, 60, 61, 1800, 3600, 21_600, 21_601, 43_200, 50_400)),
        st.sampled_from((0, 0, 0, 20, 61, 3600)),
    ),
    min_size=1,
    max_size=14,
)


@given(STEPS)
@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow], deadline=None)
def test_what_is_stored_is_what_the_punches_make(steps: list[tuple[str, int, int]]) -> None:
    """Tap by tap, or computed again from all punches: the same sessions."""
    with Session(fresh_engine("sqlite://")) as database:
        uow = UnitOfWork(database, CIPHER)
        person, team = newcomer(uow)
        now = MORNING
        for word, wait, late in steps:
            now += timedelta(seconds=wait)
            sent = now - timedelta(seconds=late)
            give(uow, person, team, HANDLERS[word], sent, received_at=now)
        far = timedelta(days=3650)
        punches = uow.attendance.punches(person.id, MORNING - far, now + far)
        taps = [Tap(commands.direction_of(one), one.at) for one in punches]
        rows = database.scalars(
            select(WorkSession).order_by(WorkSession.started_at, WorkSession.id)
        ).all()
        again = rules.sessions_from(taps, timedelta(hours=12))
        assert [sessions.worked(uow, row) for row in rows] == list(again)
        for row, one in zip(rows, again, strict=True):
            if one.end is not None:
                expected = rules.worked_seconds(one.start, one.end, one.breaks)
                assert sessions.worked_seconds(row) == expected


# --- both doors at once ---------------------------------------------------------------------------


def test_two_platforms_at_once_make_one_session(database_url: str) -> None:
    engine = fresh_engine(database_url)
    with Session(engine) as database, database.begin():
        person, team = newcomer(UnitOfWork(database, CIPHER))
        person_id, team_id = person.id, team.id
    start = threading.Barrier(8)
    said: list[str] = []

    def tap_in(platform: str, seconds: int) -> None:
        start.wait()
        with Session(engine) as database, database.begin():
            uow = UnitOfWork(database, CIPHER)
            person, team = uow.people.get(person_id), uow.teams.get(team_id)
            at = MORNING + timedelta(seconds=seconds)
            said.append(read(give(uow, person, team, commands.check_in, at, platform=platform)))

    threads = [
        threading.Thread(target=tap_in, args=(platform, seconds))
        for seconds in range(4)
        for platform in ("slack", "wecom")
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with Session(engine) as database:
        [row] = database.scalars(select(WorkSession)).all()
        outcomes = sorted(database.scalars(select(Punch.outcome)))
    assert outcomes == ["repeated"] * 7 + ["started"]
    assert all(f"（H{row.id}）" in one for one in said)
    assert len(said) == 8
    engine.dispose()


def test_a_tap_and_an_approval_wait_for_each_other(database_url: str) -> None:
    """Check-out, a lead's decision and a sign of work change one session at once; all are kept."""
    engine = fresh_engine(database_url)
    out = MORNING + timedelta(hours=9)
    with Session(engine) as database, database.begin():
        uow = UnitOfWork(database, CIPHER)
        person, team = newcomer(uow)
        lead = uow.people.meet("sandbox", User(id="li", name="李组长"), MORNING)
        uow.people.grant(lead, "lead", team.id, None, MORNING)
        give(uow, person, team, commands.check_in, MORNING)
        earlier: dict[str, Value] = {
            "direction": "in",
            "time": MORNING - timedelta(minutes=30),
            "reason": "忘了签到",
        }
        give(uow, person, team, corrections.fix, MORNING, arguments=earlier)
        person_id, lead_id, team_id = person.id, lead.id, team.id
    start = threading.Barrier(3)
    failed: list[Exception] = []

    def at_once(work: Callable[[UnitOfWork, Team], object]) -> None:
        try:
            with Session(engine) as database, database.begin():
                uow = UnitOfWork(database, CIPHER)
                team = uow.teams.get(team_id) if engine.dialect.name != "sqlite" else None
                start.wait()
                work(uow, team or uow.teams.get(team_id))
        except Exception as error:  # shown by the assertion below
            failed.append(error)

    def check_out(uow: UnitOfWork, team: Team) -> object:
        return give(uow, uow.people.get(person_id), team, commands.check_out, out)

    def approve(uow: UnitOfWork, team: Team) -> object:
        wanted: dict[str, Value] = {"correction": 1}
        return give(uow, uow.people.get(lead_id), team, deciding.approve, out, arguments=wanted)

    def see(uow: UnitOfWork, _team: Team) -> None:
        note_evidence(uow, person_id, out - timedelta(hours=1))

    threads = [threading.Thread(target=at_once, args=(one,)) for one in (check_out, approve, see)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    with Session(engine) as database:
        [row] = database.scalars(select(WorkSession)).all()
        assert row.state == "closed"
        assert sessions.worked_seconds(row) == 9 * 3600 + 1800
    engine.dispose()


def test_a_blank_reason_is_none() -> None:
    with Session(fresh_engine("sqlite://")) as database:
        uow = UnitOfWork(database, CIPHER)
        person, team = newcomer(uow)
        blank: dict[str, Value] = {
            "direction": "out",
            "time": MORNING - timedelta(hours=1),
            "reason": "  ",
        }
        with pytest.raises(Refused) as refused:
            give(uow, person, team, corrections.fix, MORNING, arguments=blank)
        assert refused.value.field == "reason"
