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
from tests.wecom_world import IMPATIENT, Day, reads
from tests.world import ASKERS, MANAGER, WORKER

SEND = "aibot_send_msg"
MET = {"-1", "6000", "40014", "42001", "45009", "846609"} | {
    f"an odd answer: HTTP {status}" for status in (200, 500, 502, 503)
}
"""What surely goes wrong on a day of faults."""


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
    assert {address.split(":")[1] for _id, address, *_ in day.waiting()} == {"person"}
    day.wecom.api.heal()
    day.settle()
    day.nothing_is_lost()
    assert "图书馆几点开门" in reads(day.wecom, day.home)


def test_half_a_message_is_not_said_again(day: Day) -> None:
    """Of a text in two pieces WeCom takes one, and then is gone for long."""
    began = len(day.wecom.api.calls_of("message/send"))

    def close_behind_the_first(call: Call) -> None:
        if call.path == "message/send" and len(day.wecom.api.calls_of(call.path)) == began + 1:
            day.road.is_closed = True

    day.wecom.api.watch = close_behind_the_first
    day.queue("wang", times=3)
    day.pass_time(hours=3, minutes=50)
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
        lambda: fail("webhook/send", status=500),
        lambda: fail("webhook/send", errcode=45009),
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
        lambda: gateway.fail_next(846609, 3, SEND),
        lambda: gateway.fail_next(6000, 3, SEND),
        lambda: gateway.fail_next(-1, 3, SEND),
        lambda: gateway.fail_next(45009, 3, SEND),
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
        day.queue(*day.places)
        day.ring()
        asker, group = ASKERS[number % 3], day.groups[number % 3]
        assert day.wecom.say(asker, f"咨询 单独问{number}号").message is not None
        day.say_in_group(asker, f"咨询 群里问{number}号", group)
        day.wait_asked(f"群里问{number}号")
        storm()
        next(of_the_line)()
        day.pass_time(minutes=3)
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
    day.nothing_is_lost(doubled=day.numbers_of(day.groups))
    assert set(day.met) >= MET, day.met


# --- the aibot's connection -----------------------------------------------------------------------


def starve(day: Day) -> None:
    """The line stays open, and its pings are not acknowledged any more."""
    day.gateway.swallows_pongs = True
    before = day.gateway.tries
    day.wecom.wait_for(lambda: day.gateway.tries > before)
    day.gateway.swallows_pongs = False


def deafen(day: Day) -> None:
    """Nothing is read from the line any more, not even its end."""
    day.server.is_deaf = True
    day.wecom.wait_for(lambda: not day.is_connected)
    day.server.is_deaf = False


def test_a_connection_that_ends_is_there_again(day: Day) -> None:
    """However it ends: what waits for the groups goes out once, and people are heard."""
    ends: list[Callable[[Day], None]] = [
        lambda day: day.gateway.close(CLEAN),
        lambda day: day.gateway.close(INTERNAL_ERROR),
        lambda day: day.gateway.close(CUT),
        starve,
        deafen,
    ]
    for number, end in enumerate(ends):
        before = day.gateway.subscriptions
        end(day)
        day.queue(*day.places, times=2)
        day.server.wait_subscribed(before + 1)
        day.say_in_group("lin", f"咨询 第{number}次，还在吗？", day.home)
        day.wait_asked(f"第{number}次，还在吗？")
        day.settle()
        day.nothing_is_lost()


def test_without_acknowledgements_it_is_said_again(day: Day) -> None:
    """Nobody knows whether it was shown, and nobody can be asked: rather twice than never."""
    day.gateway.swallows_acks = True
    day.queue(*day.groups)
    day.wecom.wait_for(lambda: all(day.told(group) for group in day.groups))
    day.gateway.swallows_acks = False
    day.settle()
    day.queue(*day.groups)
    day.settle()
    day.nothing_is_lost(doubled=day.numbers_of(day.groups))
    assert any(day.told(group) != day.queued[group] for group in day.groups)


def test_another_takes_the_place(day: Day) -> None:
    """Nobody fights: the admins are told by the app, and the next try is long after."""
    before, began = day.gateway.tries, time.monotonic()
    day.gateway.kick()
    day.queue(*day.groups, times=2)
    day.wecom.wait_for(lambda: "另一个程序占走" in reads(day.wecom, MANAGER))
    assert day.gateway.tries == before
    day.wecom.wait_for(lambda: day.gateway.tries > before)
    assert time.monotonic() - began >= IMPATIENT.kicked_wait
    day.server.wait_subscribed()
    day.settle()
    day.nothing_is_lost()
    assert reads(day.wecom, MANAGER).count("另一个程序占走") == 1


# --- callbacks ------------------------------------------------------------------------------------


def test_callbacks_that_come_again_are_one_effect(day: Day) -> None:
    """WeCom got no answer in time, or the answer got lost: three times more at most."""
    asked = day.wecom.say("lin", "咨询 几点开门？")
    with ThreadPoolExecutor(3) as pool:
        again = list(pool.map(lambda _: day.wecom.retry(asked), range(3)))
    assert {str(one.message and one.message.body) for one in [asked, *again]} == {
        str(asked.message and asked.message.body)
    }
    # All four come before the first is answered.
    request = day.wecom.callbacks.text("chen", "咨询 几点关门？")
    with ThreadPoolExecutor(4) as pool:
        at_once = list(pool.map(day.wecom.send, [request] * 4))
    assert all(one.taken for one in at_once)
    # Nobody waits long enough for an answer, until the line is better.
    day.wecom.patience = 0.001
    hasty = day.wecom.say("sun", "咨询 几点吃饭？")
    day.wecom.patience = 5.0
    assert "Q3" in str(day.wecom.retry(hasty).message)
    day.settle()
    assert sorted(day.asked().values()) == [1, 2, 3]
    cards = [line for line in reads(day.wecom, day.home).splitlines() if "几点" in line]
    assert sorted(cards) == ["几点关门？", "几点吃饭？", "几点开门？"]


def test_frames_that_come_twice_are_one_effect(day: Day) -> None:
    day.gateway.double_next(2)
    day.say_in_group("lin", "咨询 几点开门？", day.home)
    day.say_in_group("chen", "咨询 几点关门？", day.groups[1])
    day.wait_asked("几点开门？")
    day.wait_asked("几点关门？")
    day.settle()
    assert sorted(day.asked().values()) == [1, 2]
    assert reads(day.wecom, day.home).count("Q1 收到") == 1
