"""What a tap means, case by case; and what holds whatever people tap."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.attendance import rules
from handlers.attendance.rules import (
    Candidate,
    Decision,
    Direction,
    Outcome,
    Seen,
    Situation,
    Span,
    Tap,
    Worked,
    decide,
    sessions_from,
)

LONGEST = timedelta(hours=12)
SHANGHAI, BERLIN = ZoneInfo("Asia/Shanghai"), ZoneInfo("Europe/Berlin")


def at(clock: str, day: int = 23) -> datetime:
    """A moment in November 2026, by UTC: "9:00", "9:00:59"."""
    hours, minutes, *seconds = (int(part) for part in clock.split(":"))
    return datetime(2026, 11, day, tzinfo=UTC) + timedelta(
        hours=hours, minutes=minutes, seconds=seconds[0] if seconds else 0
    )


def tap(line: str) -> Tap | Seen:
    """ "in 9:00", "out 30:00" (the next morning), "seen 12:00"."""
    word, clock = line.split()
    if word == "seen":
        return Seen(at(clock))
    direction: Direction = next(one for one in rules.DIRECTIONS if one == word)
    return Tap(direction, at(clock))


def taps(history: str) -> list[Tap | Seen]:
    return [tap(line) for line in history.split(", ")] if history else []


def met(history: str, line: str) -> Decision:
    """What the last tap does after a history."""
    situation = Situation(LONGEST)
    for event in taps(history):
        if isinstance(event, Seen):
            situation = rules.after_sign(situation, event)
        else:
            situation = rules.after(situation, event, decide(event, situation))
    last = tap(line)
    assert isinstance(last, Tap)
    return decide(last, situation)


# history, tap, what it does, whether it is the same tap again
CASES: Sequence[tuple[str, str, Outcome, bool]] = (
    ("", "in 9:00", "started", False),
    ("", "out 18:00", "no_start", False),
    ("", "break 9:00", "not_in", False),
    ("", "back 9:00", "not_in", False),
    # the same tap again
    ("in 9:00", "in 9:00", "started", True),
    ("in 9:00", "in 9:01", "started", True),
    ("in 9:00", "in 9:01:01", "still_in", False),
    ("in 9:01", "in 9:00:30", "started", True),
    ("in 9:00, out 9:00:20", "in 9:00:40", "started", False),
    ("in 9:00, out 18:00", "out 18:01", "ended", True),
    ("in 9:00, out 18:00", "out 18:01:01", "no_start", False),
    ("in 9:00, break 12:00", "break 12:00:30", "break_started", True),
    ("in 9:00, break 12:00, back 13:00", "back 13:00:30", "break_ended", True),
    ("out 18:00", "out 18:00:30", "no_start", True),
    # in while in
    ("in 9:00", "in 15:00", "still_in", False),
    ("in 9:00", "in 15:00:01", "replaced", False),
    ("in 9:00, seen 12:00", "in 18:00", "still_in", False),
    ("in 9:00, seen 12:00", "in 18:00:01", "replaced", False),
    ("in 9:00, seen 20:59", "in 21:00", "still_in", False),
    ("in 9:00, seen 20:59", "in 21:00:01", "replaced", False),
    ("in 9:00, break 12:00", "in 13:00", "break_ended", False),
    ("in 9:00, break 12:00", "in 18:00:01", "replaced", False),
    # out
    ("in 9:00", "out 9:00", "ended", False),
    ("in 9:00", "out 22:59:59", "ended", False),
    ("in 9:00", "out 23:00", "end_waits", False),
    ("in 9:00, seen 22:00", "out 23:59:59", "ended", False),
    ("in 9:00, seen 22:00", "out 24:00", "end_waits", False),
    ("in 9:00", "out 33:00", "end_waits", False),
    ("in 9:00", "out 33:00:01", "no_start", False),
    ("in 22:00", "out 30:00", "ended", False),
    ("in 9:00, break 12:00", "out 13:00", "ended", False),
    ("in 9:00, in 15:00:01", "out 18:00", "ended", False),
    # breaks
    ("in 9:00", "break 12:00", "break_started", False),
    ("in 9:00, break 12:00", "break 12:30", "already_on_break", False),
    ("in 9:00, break 12:00", "back 13:00", "break_ended", False),
    ("in 9:00", "back 13:00", "at_work", False),
    ("in 9:00", "break 23:00", "not_in", False),
    ("in 9:00, out 18:00", "back 18:30", "not_in", False),
    # what arrives late or from a clock that is slow
    ("in 9:00", "out 8:59:30", "ended", False),
    ("in 9:00", "out 8:59", "ended", False),
    ("in 9:00", "out 8:58:59", "overtaken", False),
    ("in 9:00, out 18:00", "in 17:58", "overtaken", False),
    ("in 9:00, out 18:00", "in 17:59:30", "started", False),
    ("in 9:00, break 12:00, back 13:00", "break 12:30", "overtaken", False),
)


@pytest.mark.parametrize(("history", "line", "outcome", "repeated"), CASES)
def test_what_a_tap_means(history: str, line: str, outcome: Outcome, repeated: bool) -> None:
    decision = met(history, line)
    assert (decision.outcome, decision.repeated) == (outcome, repeated)
    if repeated:
        assert decision.work is None
        assert decision.lapsed is None


# history → start, end, state, worked minutes of each session
HISTORIES = {
    "a day": ("in 9:00, out 18:00", [("9:00", "18:00", "closed", 540)]),
    "a break": ("in 9:00, break 12:00, back 12:30, out 18:00", [("9:00", "18:00", "closed", 510)]),
    "out during a break": ("in 9:00, break 17:00, out 18:00", [("9:00", "18:00", "closed", 480)]),
    "over midnight": ("in 22:00, out 30:00", [("22:00", "30:00", "closed", 480)]),
    "two taps": ("in 9:00, in 9:00:30, out 10:00, out 10:00:30", [("9:00", "10:00", "closed", 60)]),
    "a slow clock": ("in 9:00, out 8:59:30", [("9:00", "9:00", "closed", 0)]),
    "forgotten, seen": (
        "in 9:00, seen 13:00, in 20:00, out 22:00",
        [("9:00", "13:00", "provisional", 240), ("20:00", "22:00", "closed", 120)],
    ),
    "forgotten, not seen": (
        "in 9:00, in 16:00, out 18:00",
        [("9:00", None, "provisional", None), ("16:00", "18:00", "closed", 120)],
    ),
    "forgotten on a break": (
        "in 9:00, break 12:00, seen 12:20, in 33:00, out 34:00",
        [("9:00", "12:20", "provisional", 180), ("33:00", "34:00", "closed", 60)],
    ),
    "nobody ended it": (
        "in 9:00, break 12:00, back 12:30",
        [("9:00", "12:30", "provisional", 180)],
    ),
    "the next morning's out": (
        "in 9:00, seen 17:00, out 32:00",
        [("9:00", "17:00", "provisional", 480)],
    ),
    "seen in time": ("in 9:00, seen 22:30, out 24:00", [("9:00", "24:00", "closed", 900)]),
    "an out alone": ("out 18:00", []),
    # Replied at 21:00:40; the tap of 21:00:10 came later.
    "no overlap": (
        "in 9:00, seen 21:00:40, in 21:00:10, out 22:00:40",
        [("9:00", "21:00:40", "provisional", 720), ("21:00:40", "22:00:40", "closed", 60)],
    ),
}


@pytest.mark.parametrize(("history", "expected"), HISTORIES.values(), ids=HISTORIES)
def test_the_sessions_of_a_history(
    history: str, expected: list[tuple[str, str | None, str, int | None]]
) -> None:
    found = sessions_from(taps(history), LONGEST, until=at("9:00", 26))
    shown = [(one.start, one.end, one.state, minutes(one)) for one in found]
    assert shown == [
        (at(start), at(end) if end else None, state, worked)
        for start, end, state, worked in expected
    ]


def minutes(one: Worked) -> int | None:
    if one.end is None:
        return None
    return rules.worked_seconds(one.start, one.end, one.breaks) // 60


def test_nobody_stays_for_more_than_a_day() -> None:
    work = Worked(at("9:00"), evidence=at("32:30"))
    assert rules.lapses_at(work, timedelta(hours=24)) == at("33:00")
    assert met("in 9:00, seen 20:00, seen 22:00, seen 23:30", "out 25:29").outcome == "ended"


# --- clocks and days ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("start", "end", "hours"),
    [
        # The night the clocks go back has 25 hours, the one they go forward 23.
        (
            datetime(2026, 10, 24, 22, 0, tzinfo=BERLIN),
            datetime(2026, 10, 25, 6, 0, tzinfo=BERLIN),
            9,
        ),
        (
            datetime(2026, 3, 28, 22, 0, tzinfo=BERLIN),
            datetime(2026, 3, 29, 6, 0, tzinfo=BERLIN),
            7,
        ),
        (
            datetime(2028, 2, 28, 22, 0, tzinfo=SHANGHAI),
            datetime(2028, 3, 1, 6, 0, tzinfo=SHANGHAI),
            32,
        ),
    ],
)
def test_durations_come_from_utc(start: datetime, end: datetime, hours: int) -> None:
    assert rules.whole_seconds(start, end) == hours * 3600
    longest = timedelta(hours=12)
    if hours < 12:
        [one] = sessions_from([Tap("in", start), Tap("out", end)], longest)
        assert one.end is not None
        assert rules.worked_seconds(one.start, one.end, one.breaks) == hours * 3600


def test_the_hour_that_comes_twice() -> None:
    first = datetime(2026, 10, 25, 2, 30, fold=0, tzinfo=BERLIN)
    second = datetime(2026, 10, 25, 2, 30, fold=1, tzinfo=BERLIN)
    [one] = sessions_from([Tap("in", first), Tap("out", second)], LONGEST)
    assert one.end is not None
    assert rules.worked_seconds(one.start, one.end) == 3600


def test_parts_of_seconds_never_add_up() -> None:
    start = at("9:00") + timedelta(microseconds=999_999)
    assert rules.whole_seconds(start, at("9:00:01")) == 0
    assert rules.whole_seconds(at("9:00"), start) == 0
    assert rules.whole_seconds(at("10:00"), at("9:00")) == 0


@pytest.mark.parametrize(
    ("start", "zone", "day"),
    [
        (at("15:59:59"), SHANGHAI, date(2026, 11, 23)),
        (at("16:00"), SHANGHAI, date(2026, 11, 24)),
        (at("22:59:59"), BERLIN, date(2026, 11, 23)),
        (at("23:00"), BERLIN, date(2026, 11, 24)),
        (datetime(2028, 2, 28, 17, 0, tzinfo=UTC), SHANGHAI, date(2028, 2, 29)),
        (datetime(2026, 12, 31, 17, 0, tzinfo=UTC), SHANGHAI, date(2027, 1, 1)),
    ],
)
def test_the_day_a_session_belongs_to(start: datetime, zone: ZoneInfo, day: date) -> None:
    assert rules.work_date(start, zone) == day


@pytest.mark.parametrize(
    ("moment", "zone", "morning"),
    [
        # 23:00 in Shanghai: nine is ten hours away. 1:00 and 1:01: eight hours, and a minute less.
        (at("15:00"), SHANGHAI, at("1:00", 24)),
        (at("17:00"), SHANGHAI, at("1:00", 24)),
        (at("17:01"), SHANGHAI, at("1:00", 25)),
        (at("4:00"), SHANGHAI, at("1:00", 24)),
        (datetime(2026, 10, 24, 20, 0, tzinfo=UTC), BERLIN, datetime(2026, 10, 25, 8, tzinfo=UTC)),
    ],
)
def test_the_next_morning(moment: datetime, zone: ZoneInfo, morning: datetime) -> None:
    assert rules.morning_after(moment, zone) == morning


# --- corrections -------------------------------------------------------------------------------


def candidate(number: int, start: str, end: str | None, *, is_open: bool = False) -> Candidate:
    day = rules.work_date(at(start), UTC_ZONE)
    return Candidate(number, at(start), at(end) if end else None, day, is_open)


UTC_ZONE = ZoneInfo("UTC")


@pytest.mark.parametrize(
    ("candidates", "moment", "found"),
    [
        ([], "9:00", None),
        ([candidate(1, "11:00", None, is_open=True)], "9:00", 1),
        ([candidate(1, "9:00", "12:00"), candidate(2, "14:00", "18:00")], "13:00", 2),
        ([candidate(1, "9:00", "12:00"), candidate(2, "14:00", "18:00")], "9:30", 1),
        ([candidate(1, "9:00", "12:00")], "12:00", None),
        ([candidate(1, "9:00", "12:00")], "18:00", None),
        # 23:30 for a session that began at 0:10; a session of the evening before is none.
        ([candidate(1, "24:10", "30:00")], "23:30", 1),
        ([candidate(1, "33:00", "40:00")], "20:00", None),
        ([candidate(1, "9:00", None)], "8:00", 1),
    ],
)
def test_which_session_a_start_belongs_to(
    candidates: list[Candidate], moment: str, found: int | None
) -> None:
    day = rules.work_date(at(moment), UTC_ZONE)
    assert rules.session_to_start(candidates, at(moment), day) == found


@pytest.mark.parametrize(
    ("start", "end", "wrong"),
    [
        ("9:00", "18:00", None),
        ("9:00", None, None),
        ("9:00", "9:00", "end_before_start"),
        ("9:00", "8:59", "end_before_start"),
        ("-4:00", "20:00", None),
        ("-4:00", "20:00:01", "too_long"),
        ("9:00", "21:00:01", "in_the_future"),
        ("21:00:01", None, "in_the_future"),
    ],
)
def test_what_nobody_can_have_worked(start: str, end: str | None, wrong: str | None) -> None:
    found = rules.what_is_wrong(at(start), at(end) if end else None, at("21:00"))
    assert found == wrong


def test_an_unknown_state_means_locked() -> None:
    assert not any(rules.is_locked(one) for one in ("open", "closed", "provisional", "confirmed"))
    assert not rules.is_locked("approved")
    assert all(rules.is_locked(one) for one in ("locked", "", "Open", "unknown"))


# --- whatever people tap -----------------------------------------------------------------------

MORNING = at("9:00")


@st.composite
def histories(draw: st.DrawFn) -> list[Tap | Seen]:
    """Taps in any order, mostly forward in time, some of them late or doubled."""
    events: list[Tap | Seen] = []
    now = MORNING
    for _ in range(draw(st.integers(1, 25))):
        now += timedelta(
            seconds=draw(st.sampled_from((0, 1, 59, 60, 61, 600, 3600, 21_600, 50_000)))
        )
        late = timedelta(seconds=draw(st.sampled_from((0, 0, 0, 30, 60, 61, 4000))))
        kind = draw(st.sampled_from(("in", "out", "break", "back", "in", "out", "seen")))
        events.append(Seen(now) if kind == "seen" else Tap(_direction(kind), now - late))
    return events


def _direction(word: str) -> Direction:
    return next(one for one in rules.DIRECTIONS if one == word)


@given(histories(), st.integers(1, 24))
def test_no_second_is_counted_twice(events: list[Tap | Seen], hours: int) -> None:
    longest = timedelta(hours=hours)
    until = max(one.at for one in events) + timedelta(days=2)
    found = sessions_from(events, longest, until)
    for one in found:
        assert one.state in ("closed", "provisional")
        assert one.break_start is None
        if one.end is None:
            assert one.state == "provisional"
            continue
        assert timedelta(0) <= one.end - one.start <= rules.LONGEST
        worked = rules.worked_seconds(one.start, one.end, one.breaks)
        breaks = rules.break_seconds(one.start, one.end, one.breaks)
        assert 0 <= worked <= rules.whole_seconds(one.start, one.end)
        assert worked + breaks <= rules.whole_seconds(one.start, one.end)
    for earlier, later in pairwise(found):
        assert (earlier.end or earlier.start) <= later.start
    total = sum(rules.worked_seconds(one.start, one.end, one.breaks) for one in found if one.end)
    if found:
        last = max((one.end for one in found if one.end), default=found[0].start)
        assert total <= rules.whole_seconds(found[0].start, last)


@given(histories())
def test_breaks_never_overlap(events: list[Tap | Seen]) -> None:
    for one in sessions_from(events, LONGEST):
        for span in one.breaks:
            assert one.start <= span.start < span.end
        for earlier, later in pairwise(one.breaks):
            assert earlier.end <= later.start


@given(histories())
def test_every_tap_twice_changes_nothing(events: list[Tap | Seen]) -> None:
    doubled = [event for event in events for _ in range(2)]
    assert sessions_from(doubled, LONGEST) == sessions_from(events, LONGEST)


@given(histories(), st.integers(0, 25))
def test_what_was_computed_is_computed_again(events: list[Tap | Seen], cut: int) -> None:
    """Sessions that had ended stay as they were, whatever comes after."""
    before = [one for one in sessions_from(events[:cut], LONGEST) if one.state != "open"]
    assert list(sessions_from(events, LONGEST))[: len(before)] == before


def test_a_break_is_cut_where_the_session_ends() -> None:
    lunch = Span(at("12:00"), at("13:00"))
    assert rules.worked_seconds(at("9:00"), at("12:30"), [lunch]) == 3 * 3600
    assert rules.worked_seconds(at("12:15"), at("12:45"), [lunch]) == 0
    assert rules.worked_seconds(at("14:00"), at("15:00"), [lunch]) == 3600
