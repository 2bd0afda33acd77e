"""A day on which everything goes wrong between us and WeCom: nothing is lost, and all in order.

Its API is down for an hour, refuses tokens, is busy, breaks lines before and after it took what was
said; the aibot's connection is closed, cut, starved of pongs and taken by another. What is tried
again, when and why is the code that runs every day; only the clock is pushed.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from itertools import cycle
from pathlib import Path

import pytest

from tests.platforms.wecom_api import Call
from tests.platforms.wecom_gateway import CLEAN, CUT, INTERNAL_ERROR
from tests.wecom_world import IMPATIENT, MANAGER, MEMBERS, WORKER, Day, reads

ASKERS = ("lin", "chen", "sun")
SEND = "aibot_send_msg"


@pytest.fixture
def day(tmp_path: Path) -> Iterator[Day]:
    """It begins at nine, with everything well."""
    with ExitStack() as stack:
        one = Day(tmp_path, stack)
        one.open()
        yield one


# --- the API -------------------------------------------------------------------------------------


def test_an_hour_without_wecom(day: Day) -> None:
    """First nobody is there, then every line breaks; meanwhile people go on asking."""
    day.queue(*day.places, times=2)
    day.pass_time(seconds=3)
    day.road.is_closed = True
    day.queue(*day.places, times=4)
    day.pass_time(minutes=40)
    assert "Q1" in str(day.wecom.say("lin", "咨询 图书馆几点开门？").message)
    day.queue(*day.places, times=4)
    day.road.is_closed = False
    day.wecom.api.fail("*", "drop", times=None)
    day.pass_time(minutes=20)
    assert {address.split(":")[1] for _, address, _, _ in day.waiting()} == {"person"}
    day.wecom.api.heal()
    day.settle()
    day.nothing_is_lost()
    assert "图书馆几点开门" in reads(day.wecom, day.home)


@pytest.mark.parametrize("minutes", [1, 100, 230])
def test_half_a_message_is_not_said_again(day: Day, minutes: int) -> None:
    """Of a text in two pieces WeCom takes one, and then is gone for long."""
    began = len(day.wecom.api.calls_of("message/send"))

    def close_behind_the_first(call: Call) -> None:
        if call.path == "message/send" and len(day.wecom.api.calls_of(call.path)) == began + 1:
            day.road.is_closed = True

    day.wecom.api.watch = close_behind_the_first
    day.queue("wang", times=3)
    day.pass_time(minutes=minutes)
    assert 1 <= day.told("wang").count(day.queued["wang"][0]) <= 2
    day.road.is_closed = False
    day.settle()
    day.nothing_is_lost()


def test_a_flood_keeps_to_the_limits(day: Day) -> None:
    """More than a minute allows: WeCom drops what is too much, and says it was all right."""
    day.queue("lin", day.home, times=45)
    for _ in range(25):
        day.ring()
    day.settle()
    day.nothing_is_lost()
    assert not day.refused


def storms(day: Day) -> list[Callable[[], None]]:
    """What WeCom's API does on a bad day."""
    fail = day.wecom.api.fail
    return [
        lambda: fail("message/send", errcode=45009, times=4),
        lambda: fail("*", errcode=-1, times=9),
        lambda: fail("message/send", status=502, times=4),
        lambda: fail("message/send", "drop", times=4),
        lambda: fail("message/send", "drop_after", times=6),
        lambda: fail("*", slow=0.05, times=6),
        lambda: fail("message/send", status=200, body=b"<html>login</html>", times=3),
        lambda: expire(day),
        day.wecom.api.forget_tokens,
        lambda: fail("message/send", errcode=42001, times=9),
        lambda: fail("message/send", errcode=40014, times=9),
        lambda: refuse_tokens(day),
        lambda: fail("webhook/send", errcode=45009, times=2),
        lambda: fail("webhook/send", status=500, times=1),
    ]


def expire(day: Day) -> None:
    """Every token ends early, the next one too."""
    day.wecom.api.expire_tokens()
    day.wecom.api.fail("message/send", errcode=42001, times=2)


def refuse_tokens(day: Day) -> None:
    """There is no token to be had for a while."""
    day.wecom.api.forget_tokens()
    day.wecom.api.fail("gettoken", errcode=-1, times=3)
    day.wecom.api.fail("gettoken", "drop", times=2)
    day.wecom.api.fail("gettoken", status=503, times=2)


def lines(day: Day) -> list[Callable[[], None]]:
    """What becomes of the aibot's connection on such a day."""
    gateway, server = day.gateway, day.server
    return [
        lambda: gateway.fail_next(846609, 2, SEND),
        lambda: gateway.fail_next(6000, 3, SEND),
        lambda: gateway.fail_next(-1, 3, SEND),
        lambda: gateway.fail_next(45009, 2, SEND),
        lambda: gateway.close(CLEAN),
        lambda: gateway.close(CUT),
        lambda: gateway.close(INTERNAL_ERROR),
        lambda: setattr(server, "refusals", 2),
        lambda: gateway.double_next(2),
    ]


def test_a_day_of_faults(day: Day) -> None:
    """A storm after the other, while people ask and are answered."""
    of_the_line = cycle(lines(day))
    for number, storm in enumerate(storms(day)):
        day.queue(*day.places, times=2)
        day.ring()
        asker, group = ASKERS[number % 3], day.groups[number % 3]
        assert day.wecom.say(asker, f"咨询 单独问{number}号").message is not None
        day.say_in_group(asker, f"咨询 群里问{number}号", group)
        day.wecom.wait_for(lambda number=number: f"群里问{number}号" in day.asked())
        storm()
        next(of_the_line)()
        day.pass_time(minutes=4)
    day.settle()
    asked = day.asked()
    assert len(asked) == 2 * len(storms(day))
    for question, number in asked.items():
        assert question in reads(day.wecom, day.home)
        assert day.wecom.say(WORKER, f"回复 Q{number} 答复：{question}。").message is not None
    day.settle()
    for number in range(len(storms(day))):
        assert f"答复：单独问{number}号。" in reads(day.wecom, ASKERS[number % 3])
        assert f"答复：群里问{number}号。" in reads(day.wecom, day.groups[number % 3])
    # Of what broke on the aibot's line nobody can tell whether it was shown.
    day.nothing_is_lost(doubled=day.groups)
