"""Who is told what and when while an answer is owed: by the minute, at night, after a restart."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta

import pytest

from bot.messages import Refused, Role
from handlers.queries.timers import missed
from storage.engine import make_engine
from tests.clock import MORNING
from tests.desk import Desk, check_in, clock, outcomes, told
from tests.engines import fresh_engine
from tests.stages import GROUP
from tests.town import Town

QUESTION = "退款什么时候到账？"


@pytest.fixture
def desk() -> Iterator[Desk]:
    """A desk in memory, at nine in the morning."""
    engine = make_engine("sqlite://")
    yield Desk(engine)
    engine.dispose()


# --- minute by minute, as people read it ----------------------------------------------------------

SILENCE = {
    "zh_CN": [
        (60, GROUP, "Q1 还剩 1 小时"),
        (105, GROUP, "Q1 还剩 15 分钟"),
        (120, "李组长", "Q1 现在到期"),
        (150, "周经理", "Q1 已超时 30 分钟"),
        (180, "周经理", "Q1 已超时 1 小时"),
        (240, "周经理", "Q1 已超时 2 小时"),
        (300, "周经理", "Q1 已超时 3 小时"),
        (360, "周经理", "Q1 已超时 4 小时"),
    ],
    "en": [
        (60, GROUP, "Q1: 1 h left"),
        (105, GROUP, "Q1: 15 min left"),
        (120, "李组长", "Q1: due now"),
        (150, "周经理", "Q1: 30 min late"),
        (180, "周经理", "Q1: 1 h late"),
        (240, "周经理", "Q1: 2 h late"),
        (300, "周经理", "Q1: 3 h late"),
        (360, "周经理", "Q1: 4 h late"),
    ],
}


LATE = [120, 150, 180, 240, 300, 360]
"""When somebody is told that it is due; the group reads whom, where that can ring or is all there
is."""


def speak(town: Town, locale: str) -> None:
    """Everybody reads this language."""
    with town.uow() as uow:
        uow.teams.first().locale = locale


def reminders_of(town: Town) -> list[tuple[int, str, str]]:
    """What the bot said by itself about Q1: minutes since nine, the chat, the first line."""
    found = []
    for one in town.said():
        line = one.words.splitlines()[0]
        minutes = (one.at - MORNING) // timedelta(minutes=1)
        if minutes >= 60 and "Q1" in line:
            found.append((minutes, one.chat, line))
    return found


def parted(
    reminders: list[tuple[int, str, str]],
) -> tuple[list[tuple[int, str, str]], list[int]]:
    """Without what the group reads from the deadline on, and when it read that."""
    rings = [one for one in reminders if one[1] == GROUP and one[0] >= LATE[0]]
    return [one for one in reminders if one not in rings], [minutes for minutes, *_ in rings]


@pytest.mark.parametrize("locale", ["zh_CN", "en"])
def test_nobody_answers(town: Town, locale: str) -> None:
    speak(town, locale)
    town.say("访客", f"咨询 {QUESTION}", in_group=True)
    town.wait(hours=7)
    silence, rings = parted(reminders_of(town))
    assert silence == SILENCE[locale]
    assert rings == (LATE if town.adapter.can_ring("班组") else [])


@pytest.mark.parametrize("locale", ["zh_CN", "en"])
def test_a_claimed_query_reminds_its_owner(town: Town, locale: str) -> None:
    speak(town, locale)
    town.say("访客", f"咨询 {QUESTION}", in_group=True)
    town.wait(minutes=10)
    town.press("小王", "claim", on="Q1")
    town.wait(hours=7)
    silence, rings = parted(reminders_of(town))
    assert rings == (LATE if town.adapter.can_ring("班组") else [])
    assert [(minutes, chat) for minutes, chat, _ in silence] == [
        (60, "小王"),
        (105, "小王"),
        (120, "小王"),
        (120, "李组长"),
        (150, "周经理"),
        (180, "周经理"),
        (240, "周经理"),
        (300, "周经理"),
        (360, "周经理"),
    ]


@pytest.mark.parametrize("minutes", [1, 59, 61, 104, 106, 119, 121, 149, 151, 181, 241, 359])
def test_after_a_reply_nothing_more_for_days(desk: Desk, minutes: int) -> None:
    desk.give("guest", "ask", question=QUESTION)
    desk.wait(minutes=minutes)
    before = len(desk.reminders())
    desk.give("worker", "reply", query=1, words="明天。")
    everything = len(desk.sent())
    desk.wait(days=9)
    assert len(desk.reminders()) == before
    assert len(desk.sent()) == everything


def test_a_reminder_says_what_whose_and_offers_what_to_do(town: Town) -> None:
    town.say("访客", f"咨询 {QUESTION}", in_group=True)
    town.press("小王", "claim", on="Q1")
    town.reads("小王")
    town.wait(hours=2)
    read = town.reads("小王")[-1]
    assert QUESTION in read
    assert "由你负责" in read
    assert "小王负责" in town.reads("李组长")[-1]
    said = town.press("小王", "reply", on="Q1 现在到期")
    assert "要说的话" in said or town.has_form("小王")


# --- claims ---------------------------------------------------------------------------------------


def test_a_claim_moves_reminders_but_no_deadline(desk: Desk) -> None:
    desk.give("guest", "ask", question=QUESTION)
    desk.wait(minutes=70)
    desk.give("worker", "claim", query=1)
    desk.wait(hours=12)
    assert told(desk)[:5] == [
        ("23 10:00", "group"),
        ("23 10:45", "worker"),
        ("23 11:00", "worker"),
        ("23 11:00", "lead"),
        ("23 11:30", "manager"),
    ]


def test_a_claim_silences_the_higher_rungs_for_half_an_hour(desk: Desk) -> None:
    desk.give("guest", "ask", question=QUESTION)
    desk.wait(minutes=110)
    desk.give("worker", "claim", query=1)
    desk.wait(minutes=75)
    assert told(desk)[2:] == [
        ("23 11:00", "worker"),
        ("23 11:20", "lead"),
        ("23 11:30", "manager"),
        ("23 12:00", "admin"),
    ]


def test_what_was_silenced_is_said_when_the_silence_ends(desk: Desk) -> None:
    desk.give("guest", "ask", question=QUESTION)
    desk.wait(minutes=140)
    desk.give("worker", "claim", query=1)
    desk.wait(minutes=35)
    assert told(desk)[3:] == [("23 11:50", "manager")]
    assert outcomes(desk)["+30m"] == "silenced"


def test_two_claim_at_once_and_one_wins(database_url: str) -> None:
    engine = fresh_engine(database_url)
    desk = Desk(engine)
    desk.give("guest", "ask", question=QUESTION)
    names = ["worker", "other"]
    start = threading.Barrier(len(names))
    won: list[str] = []
    lost: list[Refused] = []

    def claim(name: str) -> None:
        start.wait()
        try:
            desk.give(name, "claim", query=1)
            won.append(name)
        except Refused as refused:
            lost.append(refused)

    threads = [threading.Thread(target=claim, args=(name,)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == len(lost) == 1
    assert lost[0].words.key == "queries.taken"
    assert lost[0].words.params["owner"] == won[0]
    engine.dispose()


def test_a_reply_and_a_rung_at_once(database_url: str) -> None:
    """Whoever is first: after the reply has been taken, nothing is said."""
    engine = fresh_engine(database_url)
    desk = Desk(engine)
    for _ in range(5):
        desk.give("guest", "ask", question=QUESTION)
    desk.now += timedelta(hours=2)
    start = threading.Barrier(2)

    def answer() -> None:
        start.wait()
        for number in range(1, 6):
            desk.give("worker", "reply", query=number, words="明天。")

    def tick() -> None:
        start.wait()
        with desk.uow() as uow:
            desk.tick(uow)

    threads = [threading.Thread(target=answer), threading.Thread(target=tick)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    before = len(desk.reminders())
    desk.wait(days=1)
    assert len(desk.reminders()) == before
    engine.dispose()


# --- empty rungs, doubled people ------------------------------------------------------------------


def desk_with(roster: dict[str, tuple[Role, ...]], *, home: bool = True) -> Desk:
    return Desk(make_engine("sqlite://"), roster={"guest": (), **roster}, home=home)


def test_an_empty_rung_falls_to_the_next_at_once_and_is_recorded() -> None:
    desk = desk_with({"worker": ("worker",), "admin": ("admin",)})
    desk.give("guest", "ask", question=QUESTION)
    desk.wait(hours=3)
    assert told(desk) == [
        ("23 10:00", "group"),
        ("23 10:45", "group"),
        ("23 11:00", "admin"),
        ("23 11:30", "admin"),
        ("23 12:00", "admin"),
    ]
    assert outcomes(desk)["deadline"] == outcomes(desk)["+30m"] == "empty"
    assert outcomes(desk)["+60m"] == "told"


def test_without_a_home_and_an_owner_the_leads_are_warned() -> None:
    desk = desk_with({"lead": ("lead",), "manager": ("manager",)}, home=False)
    desk.give("guest", "ask", question=QUESTION)
    desk.wait(minutes=60)
    assert told(desk) == [("23 10:00", "lead")]
    assert outcomes(desk) == {"50%": "empty"}


def test_nobody_at_all_is_recorded_too() -> None:
    desk = desk_with({"worker": ("worker",)}, home=False)
    desk.give("guest", "ask", question=QUESTION)
    desk.wait(hours=9)
    assert told(desk) == []
    assert set(outcomes(desk).values()) == {"empty"}


def test_one_person_on_two_rungs_of_one_moment_is_told_once() -> None:
    desk = desk_with({"lead": ("lead", "worker", "manager", "admin")})
    desk.give("guest", "ask", question=QUESTION)
    desk.give("lead", "claim", query=1)
    desk.wait(hours=12)
    moments = Counter(told(desk))
    assert set(moments.values()) == {1}
    assert len(moments) == 8


def test_leads_on_duty_are_told_before_all_leads() -> None:
    desk = desk_with({"first": ("lead",), "second": ("lead",)})
    check_in(desk, "second")
    desk.give("guest", "ask", question=QUESTION)
    desk.wait(hours=2)
    assert told(desk)[2:] == [("23 11:00", "second")]


def test_an_owner_who_left_is_told_nothing(desk: Desk) -> None:
    desk.give("guest", "ask", question=QUESTION)
    desk.give("worker", "claim", query=1)
    with desk.uow() as uow:
        uow.people.revoke(desk.person(uow, "worker").id, uow.teams.first().id)
    desk.wait(hours=2)
    assert [reader for _at, reader in told(desk)] == ["group", "group", "lead"]


# --- late -----------------------------------------------------------------------------------------


def test_after_a_restart_only_the_highest_rung_speaks_and_says_it_is_late(desk: Desk) -> None:
    desk.give("guest", "ask", question=QUESTION)
    desk.sleep(minutes=170)
    [message] = desk.reminders()
    assert message.to == "manager"
    assert "50 min late" in message.words
    assert "This reminder comes 20 min late." in message.words
    assert outcomes(desk) == {
        "50%": "folded",
        "-15m": "folded",
        "deadline": "folded",
        "+30m": "told",
    }


def test_a_little_late_is_not_worth_a_word(desk: Desk) -> None:
    desk.give("guest", "ask", question=QUESTION)
    desk.sleep(minutes=62)
    [message] = desk.reminders()
    assert "comes" not in message.words


# --- muting ---------------------------------------------------------------------------------------


def test_a_mute_holds_reminders_back_and_moves_no_deadline(desk: Desk) -> None:
    desk.give("guest", "ask", question=QUESTION)
    desk.wait(minutes=50)
    desk.give("worker", "mute", query=1, time=clock(11, 10), reason="等仓库")
    assert [one.to for one in desk.sent(lambda one: "/mute/" in one.key)] == ["lead"]
    desk.wait(minutes=79)
    assert told(desk) == []
    with desk.uow() as uow:
        assert missed(uow, desk.now) == []
    desk.wait(minutes=21)
    assert told(desk) == [("23 11:10", "lead"), ("23 11:30", "manager")]
    assert outcomes(desk)["50%"] == outcomes(desk)["-15m"] == "folded"


def test_more_from_the_asker_after_a_reply_is_not_muted(desk: Desk) -> None:
    desk.give("guest", "ask", question=QUESTION)
    desk.give("worker", "mute", query=1, time=clock(20), reason="等仓库")
    desk.give("worker", "reply", query=1, words="明天。")
    desk.give("guest", "reply", query=1, words="几点？")
    desk.wait(hours=1)
    assert told(desk) == [("23 10:00", "worker")]


# --- next replies ---------------------------------------------------------------------------------


def test_the_oldest_unanswered_message_keeps_the_clock(desk: Desk) -> None:
    desk.give("guest", "ask", question=QUESTION)
    desk.wait(minutes=30)
    desk.give("worker", "reply", query=1, words="明天。")
    desk.wait(minutes=30)
    desk.give("guest", "reply", query=1, words="几点？")
    desk.wait(minutes=60)
    desk.give("guest", "reply", query=1, words="在吗？")
    with desk.uow() as uow:
        query = uow.queries.peek(1)
        assert query is not None
        assert (query.target, query.due_at) == (2, clock(12))
        assert query.first_due_at == clock(11)
    desk.wait(minutes=60)
    assert told(desk) == [
        ("23 11:00", "worker"),
        ("23 11:45", "worker"),
        ("23 12:00", "worker"),
        ("23 12:00", "lead"),
    ]
