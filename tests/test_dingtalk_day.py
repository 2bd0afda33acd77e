"""A day on which everything goes wrong between us and DingTalk: nothing is lost, and all in order.

Its gateway wants each line back within a minute, stalls, closes at once, says what nobody
understands and everything twice; its API is busy, deaf, full or gone. What is tried again, when and
why is the code that runs every day, with the waits of every day; only the clock is pushed.
"""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import cycle
from pathlib import Path

import pytest

import adapters
import bot
from tests.dingtalk_weather import lines, storms
from tests.dingtalk_world import Day
from tests.platforms.dingtalk_api import (
    OPEN,
    TO_GROUP,
    TO_PEOPLE,
)
from tests.platforms.dingtalk_gateway import BOT, CUT
from tests.platforms.dingtalk_messages import text_payload
from tests.platforms.dingtalk_refusals import BAD_TOKEN, PERMISSION, QPS
from tests.stages.dingtalk import CONNECTIONS
from tests.world import ASKERS, MANAGER, WORKER

MET = {QPS, "system.busy", BAD_TOKEN, "flow_controlled", "ip_ban"} | {
    f"an odd answer: HTTP {status}" for status in (502, 503, 504)
}
"""What surely goes wrong on a day of faults."""
DEAF = "DingTalk's Stream has no connection: "
PACED = 14
"""Lines that are asked for in a minute, at most: two keepers, who wait 1, 2, 4, 8 … seconds."""


@pytest.fixture
def day(tmp_path: Path) -> Iterator[Day]:
    """It begins at nine, with everything well; in the end it stops, quickly."""
    with ExitStack() as stack:
        one = Day(tmp_path, stack)
        one.open()
        yield one


# --- everything at once --------------------------------------------------------------------------


def test_a_day_of_faults(day: Day) -> None:
    """A storm after the other, while people come, go, ask and are answered."""
    of_the_lines = cycle(lines(day))
    for number, storm in enumerate(storms(day)):
        day.queue(*day.places[number % 2 :: 2])
        day.ring()
        asker, group = ASKERS[number % 3], day.groups[number % 3]
        day.gateway.heal()
        next(of_the_lines)()
        storm()
        day.say(asker, f"咨询 单独问{number}号")
        day.say(asker, f"咨询 群里问{number}号", group)
        day.say(WORKER, "签退" if number % 2 else "签到")
        day.pass_time(seconds=70)
    day.gateway.heal()
    day.api.heal()
    day.settle()
    everybody_is_answered(day, rounds=len(storms(day)))
    day.nothing_is_lost()
    assert set(day.met) >= MET, day.met
    assert {one.removeprefix(DEAF) for one in day.troubles} <= {"ip_ban", "it was closed"}
    assert day.readyz() == (200, "ok")
    assert day.most_in_a_minute() <= PACED


def everybody_is_answered(day: Day, rounds: int) -> None:
    """What each of them did was done once, and each question has its card and its answer."""
    asked = day.asked()
    assert len(asked) == 2 * rounds
    assert day.punches() == ["out" if number % 2 else "in" for number in range(rounds)]
    for question, number in asked.items():
        assert day.cards(question) == 1 or day.may_stand_twice(question)
        day.say(WORKER, f"回复 Q{number} 答复：{question}。")
    day.settle()
    for number in range(rounds):
        for place, question in (
            (ASKERS[number % 3], f"单独问{number}号"),
            (day.groups[number % 3], f"群里问{number}号"),
        ):
            assert day.reads(place).count(f"答复：{question}。") == 1


# --- the gateway ---------------------------------------------------------------------------------


def test_nobody_notices_that_lines_end_every_minute(day: Day) -> None:
    """Nor that each new one takes eight seconds, nor that there never is a ping."""
    day.gateway.stall = 8.0
    for number in range(60):
        if number == 30:
            day.gateway.ping_every = None
        day.say(WORKER, "签退" if number % 2 else "签到")
        day.pass_time(seconds=20)
    assert day.gateway.lost == []
    assert len(day.punches()) == 60
    assert not day.troubles
    assert day.most_in_a_minute() <= 2 * CONNECTIONS


def test_a_gateway_that_closes_at_once_is_left_alone(day: Day) -> None:
    """For ten minutes; readiness says so, and who was not heard says it again."""
    day.gateway.closes_at_once = True
    day.gateway.close()
    day.queue(*day.places)
    day.pass_time(minutes=10)
    assert day.readyz() == (503, f"{DEAF}it was closed")
    assert day.most_in_a_minute() <= PACED
    day.nothing_is_lost()  # DingTalk's API is another matter
    day.gateway.heal()
    day.say("lin", "咨询 几点开门")
    assert list(day.asked()) == ["几点开门"]
    day.pass_time(minutes=2)
    assert day.readyz() == (200, "ok")


def test_what_is_not_acknowledged_comes_again_and_is_one_effect(
    day: Day, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every minute, until DingTalk hears us."""
    with monkeypatch.context() as deaf:
        deaf.setattr(day.gateway, "receive", lambda _line, _text: None)
        asked = day.say("lin", "咨询 几点开门")
        came = day.say(WORKER, "签到")
        day.pass_time(minutes=3)
    day.settle()
    assert min(asked.delivered, came.delivered) >= 3
    assert list(day.asked()) == ["几点开门"]
    assert day.punches() == ["in"]
    assert day.cards("几点开门") == 1
    assert day.reads("lin").count("Q1 收到") == day.reads(WORKER).count("已签到") == 1


def test_a_flood(day: Day) -> None:
    """The same few things ten times each, odd ones between, on lines that end meanwhile."""
    said = [text_payload(day.org, "lin", f"咨询 第{number}个") for number in range(20)]
    for number in range(200):
        day.gateway.push(BOT, said[number % 20])
        if number % 50 == 0:
            day.say_odd_things()
            day.gateway.disconnect(day.gateway.listening[0])
            day.pass_time(seconds=1)
    day.settle()
    assert list(day.asked().values()) == list(range(1, 21))
    assert day.cards("第") == 20
    assert not day.troubles


# --- the API -------------------------------------------------------------------------------------


def test_long_without_dingtalk(day: Day) -> None:
    """First nobody is there, then everything is refused: it waits, and says why."""
    day.road.is_closed = True
    day.gateway.close(CUT)
    day.queue(*day.places, times=3)
    day.ring()
    day.pass_time(minutes=15)
    assert day.readyz() == (503, f"{DEAF}DingTalk is not reachable: ConnectError")
    assert len(day.waiting()) == 3 * len(day.places) + 1
    assert sum(path == OPEN for path in day.road.turned_back) < CONNECTIONS * 25
    day.road.is_closed = False
    day.api.fail("*", status=503, body={"code": "ServiceUnavailable"}, times=None)
    day.pass_time(minutes=6)
    day.api.heal()
    day.say("lin", "咨询 几点开门")
    day.settle()
    day.nothing_is_lost()
    assert day.cards("几点开门") == 1
    assert day.readyz() == (200, "ok")


def test_a_month_that_is_used_up(day: Day) -> None:
    """Answers go on by the ways that came with the questions; of the rest people come first."""
    day.gateway.disconnect_every = None
    day.api.quota = day.api.metered
    day.queue(*reversed(day.places))
    day.pass_time(minutes=1)
    assert day.readyz() == (200, "the organisation's calls of this month are used up")
    day.say("lin", "咨询 几点开门")
    assert "Q1 收到" in day.reads("lin")
    before = len(day.org.timeline)
    day.api.quota += 1000
    day.pass_time(hours=1)
    day.settle(hours=2)
    day.nothing_is_lost()
    assert day.org.timeline[before].kind == "person"
    assert day.reads(MANAGER).count("都用完了") == 1
    day.pass_time(minutes=1)
    assert day.readyz() == (200, "ok")


def test_what_only_a_person_can_end(day: Day) -> None:
    """The app is refused: everything waits. It may not write to a group: a manager says when to try
    again. Both are told, once.
    """
    day.api.fail(TO_PEOPLE, code="Forbidden.AccessDenied.IpNotInWhiteList", times=2)
    day.queue(*day.places)
    day.pass_time(minutes=5)
    status, why = day.readyz()
    assert (status, "IpNotInWhiteList" in why) == (503, True)
    day.settle()
    assert day.readyz() == (200, "ok")
    day.api.fail(TO_GROUP, code=PERMISSION)
    day.queue(day.groups[1], times=2)
    day.settle()
    day.pass_time(minutes=1)
    assert "dead" in day.states()
    assert "Contact.User.Read" in day.reads(MANAGER)
    day.press(MANAGER, "重发", on="Contact.User.Read")
    day.nothing_is_lost()
    assert day.reads(MANAGER).count("钉钉拒绝了应用") == 1
    assert day.reads(MANAGER).count("没有送到") == 1


# --- for ever, and the end -----------------------------------------------------------------------


def test_memory_stays_flat(day: Day) -> None:
    """However often lines end, and things come again or are odd."""
    said = text_payload(day.org, "lin", "咨询 几点开门")

    def often(times: int) -> int:
        for _ in range(times):
            for _ in range(5):
                day.gateway.push(BOT, said)
            day.say_odd_things()
            day.gateway.disconnect()
            day.pass_time(seconds=31)
        return held()

    tracemalloc.start()
    try:
        before = often(3)
        grown = often(9) - before
    finally:
        tracemalloc.stop()
    assert grown < 5_000
    assert list(day.asked()) == ["几点开门"]


def held() -> int:
    """Bytes that our own code has made and that are still there."""
    gc.collect()
    ours = [tracemalloc.Filter(True, f"{one.__path__[0]}/*") for one in (adapters, bot)]
    snapshot = tracemalloc.take_snapshot().filter_traces(ours)
    return sum(one.size for one in snapshot.statistics("filename"))


def test_it_stops_in_time(day: Day) -> None:
    """Whatever DingTalk is at; and what had not left by then leaves after the next start."""
    moments: list[Callable[[], None]] = [
        lambda: setattr(day.gateway, "stall", 8.0),
        lambda: setattr(day.gateway, "closes_at_once", True),
        lambda: day.api.fail("*", slow=60.0, times=None),
        lambda: setattr(day.road, "is_closed", True),
    ]
    for begins in moments:
        begins()
        day.gateway.close(CUT)
        day.queue(*day.places)
        day.pass_time(seconds=3)
        day.close()
        day.gateway.heal()
        day.api.heal()
        day.road.is_closed = False
        day.begin_again()
        day.settle()
        day.nothing_is_lost()
