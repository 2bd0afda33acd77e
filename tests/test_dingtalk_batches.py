"""What says the same at the same moment goes in one call, and each is told their own result."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.contract import DeliveryFailed
from adapters.dingtalk.api import DingtalkApi, DingtalkRefused
from adapters.dingtalk.batches import MOST_PEOPLE, Batches, shares, unreached
from adapters.dingtalk.errcodes import FILTERED_STAFF, FLOW_CONTROLLED, INVALID_STAFF
from adapters.dingtalk.setup import Setup
from tests.platforms.dingtalk_api import TO_PEOPLE, Api
from tests.platforms.dingtalk_model import Org
from tests.platforms.dingtalk_refusals import PERMISSION, QUOTA

TEST = "http://dingtalk.test"
Result = str | BaseException


@dataclass
class Robot:
    """The robot of a stand-in organisation, and what it sends with."""

    org: Org
    standin: Api
    batches: Batches
    results: list[Result] = field(default_factory=list)

    @property
    def calls(self) -> list[list[str]]:
        """Whom each call was for."""
        return [call.body["userIds"] for call in self.standin.calls_of(TO_PEOPLE)]

    async def say(self, *messages: tuple[str, str]) -> list[Result]:
        """All at once: to whom, and what."""
        sends = (self.send(user_id, words) for user_id, words in messages)
        return await asyncio.gather(*sends, return_exceptions=True)

    async def send(self, user_id: str, words: str = "早") -> str:
        return await self.batches.send(user_id, "sampleText", {"content": words})

    def heard(self, user_id: str) -> list[str]:
        return [str(one.body["content"]) for one in self.org.messages(user_id)]


@asynccontextmanager
async def robot_of(members: Sequence[str]) -> AsyncIterator[Robot]:
    org = Org()
    for staff_id in members:
        org.add_member(staff_id)
    standin = Api(org)
    standin.enforce_pace(False)
    api = DingtalkApi(
        Setup(TEST, org.client_id, org.client_secret),
        lambda: datetime.fromtimestamp(org.now(), UTC),
        httpx.ASGITransport(standin.application()),
        count(step=3600.0).__next__,  # never too soon
    )
    await api.open()
    try:
        yield Robot(org, standin, Batches(api, org.robot_code))
    finally:
        await api.close()


PEOPLE = [f"u{number}" for number in range(45)]


@pytest.fixture
async def robot() -> AsyncIterator[Robot]:
    async with robot_of(PEOPLE) as made:
        yield made


def shown(result: Result) -> str:
    """A result in a word: "sent", or why not."""
    if isinstance(result, DeliveryFailed):
        return f"{result.outcome} {result.why}"
    if isinstance(result, DingtalkRefused):
        return result.code
    assert isinstance(result, str)
    return "sent"


# --- together


async def test_one_message(robot: Robot) -> None:
    assert await robot.send("u1", "你好 😀")
    (call,) = robot.standin.calls_of(TO_PEOPLE)
    assert call.body == {
        "robotCode": robot.org.robot_code,
        "userIds": ["u1"],
        "msgKey": "sampleText",
        "msgParam": '{"content":"你好 😀"}',
    }
    assert robot.heard("u1") == ["你好 😀"]


async def test_the_same_to_many_goes_in_few_calls(robot: Robot) -> None:
    keys = await robot.say(*((user_id, "早") for user_id in PEOPLE))
    assert [len(call) for call in robot.calls] == [20, 20, 5]
    assert len(set(keys)) == 3
    assert all(robot.heard(user_id) == ["早"] for user_id in PEOPLE)
    assert robot.standin.metered == 3


async def test_other_words_go_in_another_call(robot: Robot) -> None:
    await robot.say(("u1", "早"), ("u2", "晚"), ("u3", "早"), ("u2", "早"))
    assert sorted(robot.calls) == [["u1", "u3", "u2"], ["u2"]]
    assert robot.heard("u2") in (["晚", "早"], ["早", "晚"])


async def test_another_kind_goes_in_another_call(robot: Robot) -> None:
    shown_as = {"title": "早", "text": "早", "content": "早"}
    await asyncio.gather(
        robot.batches.send("u1", "sampleText", shown_as),
        robot.batches.send("u2", "sampleMarkdown", shown_as),
    )
    assert sorted(robot.calls) == [["u1"], ["u2"]]


async def test_the_same_twice_to_one_person(robot: Robot) -> None:
    """They are two messages, and nobody is twice in one call."""
    await robot.say(("u1", "早"), ("u1", "早"), ("u2", "早"))
    assert robot.calls == [["u1", "u2"], ["u1"]]
    assert robot.heard("u1") == ["早", "早"]


async def test_who_is_woken_together_is_sent_together(robot: Robot) -> None:
    woken = asyncio.Event()

    async def later(user_id: str) -> str:
        await woken.wait()
        return await robot.send(user_id)

    tasks = [asyncio.create_task(later(user_id)) for user_id in ("u1", "u2", "u3")]
    await asyncio.sleep(0)
    woken.set()
    await asyncio.gather(*tasks)
    assert robot.calls == [["u1", "u2", "u3"]]


async def test_what_comes_later_waits_for_nobody(robot: Robot) -> None:
    robot.standin.fail(TO_PEOPLE, slow=0.05)
    first = asyncio.create_task(robot.send("u1"))
    while not robot.calls:  # noqa: ASYNC110 - the loop goes on by its own turns
        await asyncio.sleep(0)
    await robot.send("u2")
    assert not first.done()
    assert await first
    assert robot.calls == [["u1"], ["u2"]]


# --- each their own


async def test_each_is_told_what_became_of_their_own(robot: Robot) -> None:
    robot.standin.fail(TO_PEOPLE, invalid=["u1"], flow_controlled=["u2"], filtered=["u3"])
    results = await robot.say(*((user_id, "早") for user_id in PEOPLE[:5]))
    assert [shown(one) for one in results] == [
        "sent",
        f"dead {INVALID_STAFF}",
        f"retry {FLOW_CONTROLLED}",
        f"dead {FILTERED_STAFF}",
        "sent",
    ]
    assert len(robot.calls) == 1
    flowing = results[2]
    assert isinstance(flowing, DeliveryFailed)
    assert (flowing.after, flowing.scope) == (60.0, "address")


@pytest.mark.parametrize(
    "code", ["staffId.notExisted", "invalidParameter.param.invalid", "new.one"]
)
async def test_one_does_not_spoil_it_for_the_others(robot: Robot, code: str) -> None:
    def watch(call: Any) -> None:
        if call.path == TO_PEOPLE and "u1" in call.body["userIds"]:
            robot.standin.fail(TO_PEOPLE, code=code)

    robot.standin.watch = watch
    results = await robot.say(*((user_id, "早") for user_id in PEOPLE[:4]))
    assert [shown(one) for one in results] == ["sent", code, "sent", "sent"]
    assert Counter(map(tuple, robot.calls)) == {
        ("u0", "u1", "u2", "u3"): 1,
        ("u0",): 1,
        ("u1",): 1,
        ("u2",): 1,
        ("u3",): 1,
    }
    assert [robot.heard(user_id) for user_id in PEOPLE[:4]] == [["早"], [], ["早"], ["早"]]


async def test_who_left_the_organisation(robot: Robot) -> None:
    robot.org.remove_member("u1")
    robot.standin.robots.refuses_whole_batch = True
    results = await robot.say(("u0", "早"), ("u1", "早"))
    assert [shown(one) for one in results] == ["sent", "staffId.notExisted"]
    robot.standin.robots.refuses_whole_batch = False
    results = await robot.say(("u0", "晚"), ("u1", "晚"))
    assert [shown(one) for one in results] == ["sent", f"dead {INVALID_STAFF}"]


@pytest.mark.parametrize(
    "code", ["system.busy", PERMISSION, QUOTA, "invalidParameter.robotCode.auth"]
)
async def test_what_is_nobodys_fault_is_everybodys(robot: Robot, code: str) -> None:
    robot.standin.fail(TO_PEOPLE, code=code)
    results = await robot.say(("u0", "早"), ("u1", "早"))
    assert [shown(one) for one in results] == [code, code]
    first, second = results
    assert isinstance(first, DingtalkRefused)
    assert isinstance(second, DingtalkRefused)
    assert first is not second
    assert (first.what, first.scopes) == (second.what, second.scopes)
    assert first.what == TO_PEOPLE
    assert bool(first.scopes) == (code == PERMISSION)
    assert len(robot.calls) == 1, "nobody is asked again in vain"


async def test_what_nobody_knows_nobody_knows(robot: Robot) -> None:
    robot.standin.fail(TO_PEOPLE, "drop_after")
    first, second = await robot.say(("u0", "早"), ("u1", "早"))
    assert isinstance(first, DeliveryFailed)
    assert isinstance(second, DeliveryFailed)
    assert first.outcome == second.outcome == "unknown"
    first.gone = True
    assert not second.gone, "each has an error of their own"
    assert len(robot.calls) == 1
    assert robot.heard("u0") == robot.heard("u1") == ["早"]


async def test_not_our_turn(robot: Robot) -> None:
    """What waits for a turn waits together."""
    still = DingtalkApi(
        Setup(TEST, robot.org.client_id, robot.org.client_secret),
        lambda: datetime.fromtimestamp(robot.org.now(), UTC),
        httpx.ASGITransport(robot.standin.application()),
        lambda: 0.0,
    )
    await still.open()
    robot.batches = Batches(still, robot.org.robot_code)
    await robot.say(*((f"u{number}", str(number)) for number in range(5)))
    results = await robot.say(("u0", "早"), ("u1", "早"))
    assert [shown(one) for one in results] == ["paced not its turn yet"] * 2
    assert len(robot.calls) == 5
    await still.close()


async def test_after_a_refusal_each_waits_for_a_turn(robot: Robot) -> None:
    """Not one of them is sent away: they would only meet again."""
    real = DingtalkApi(
        Setup(TEST, robot.org.client_id, robot.org.client_secret),
        lambda: datetime.fromtimestamp(robot.org.now(), UTC),
        httpx.ASGITransport(robot.standin.application()),
    )
    await real.open()
    robot.batches = Batches(real, robot.org.robot_code)
    robot.standin.fail(TO_PEOPLE, code="staffId.notExisted")
    results = await robot.say(*((user_id, "早") for user_id in PEOPLE[:7]))
    assert [shown(one) for one in results] == ["sent"] * 7
    await real.close()


# --- those who leave


async def test_who_leaves_before_the_call_is_left_out(robot: Robot) -> None:
    staying = asyncio.create_task(robot.send("u0"))
    leaving = asyncio.create_task(robot.send("u1"))
    await asyncio.sleep(0)
    leaving.cancel()
    assert await staying
    assert leaving.cancelled()
    assert robot.calls == [["u0"]]


async def test_when_all_leave_there_is_no_call(robot: Robot) -> None:
    leaving = asyncio.create_task(robot.send("u1"))
    await asyncio.sleep(0)
    leaving.cancel()
    await asyncio.wait([leaving])
    await robot.send("u2")
    assert robot.calls == [["u2"]]


@pytest.mark.parametrize("how", [None, "drop_after"], ids=["answered", "broken"])
async def test_who_leaves_during_the_call_takes_nobody_along(robot: Robot, how: Any) -> None:
    robot.standin.fail(TO_PEOPLE, how, slow=0.02)
    staying = asyncio.create_task(robot.send("u0"))
    leaving = asyncio.create_task(robot.send("u1"))
    while not robot.calls:  # noqa: ASYNC110 - the loop goes on by its own turns
        await asyncio.sleep(0)
    leaving.cancel()
    (result,) = await asyncio.gather(staying, return_exceptions=True)
    assert shown(result).startswith("unknown" if how else "sent")
    assert leaving.cancelled()
    assert robot.heard("u0") == robot.heard("u1") == ["早"]


async def test_who_leaves_before_it_is_tried_again_is_left_out(robot: Robot) -> None:
    robot.standin.fail(TO_PEOPLE, code="staffId.notExisted", slow=0.02)
    tasks = [asyncio.create_task(robot.send(user_id)) for user_id in ("u0", "u1", "u2")]

    def watch(call: Any) -> None:
        if call.path == TO_PEOPLE and len(call.body["userIds"]) > 1:
            tasks[1].cancel()

    robot.standin.watch = watch
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert isinstance(results[1], asyncio.CancelledError)
    assert robot.calls[1:] == [["u0"], ["u2"]]


async def test_the_end_comes_to_all(robot: Robot) -> None:
    """A call that is cut off tells nobody that it was done, and leaves nobody waiting."""
    robot.standin.fail(TO_PEOPLE, slow=30.0)
    tasks = [asyncio.create_task(robot.send(user_id)) for user_id in ("u0", "u1")]
    while not robot.calls:  # noqa: ASYNC110 - the loop goes on by its own turns
        await asyncio.sleep(0)
    (call,) = robot.batches._calls
    call.cancel()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert [shown(one) for one in results] == ["unknown it was stopped in the middle"] * 2


# --- the rules


@pytest.mark.parametrize("odd", [None, "u1", {"u1": 1}, 7])
def test_odd_lists_name_nobody(odd: Any) -> None:
    assert unreached({"invalidStaffIdList": odd}, "u1") is None


def test_who_was_not_reached() -> None:
    assert unreached({}, "u1") is None
    assert unreached({"invalidStaffIdList": ["u2"], "filteredStaffIdList": []}, "u1") is None
    found = unreached({"invalidStaffIdList": ["u1"], "flowControlledStaffIdList": ["u1"]}, "u1")
    assert found is not None
    assert found.why == INVALID_STAFF, "what will never work counts before what may"


IDS = st.lists(st.sampled_from(PEOPLE), max_size=150)


@given(IDS)
def test_none_is_lost_and_none_twice(user_ids: list[str]) -> None:
    calls = shares(user_ids)
    assert sorted(at for call in calls for at in call) == list(range(len(user_ids)))
    for call in calls:
        assert 0 < len(call) <= MOST_PEOPLE
        assert len({user_ids[at] for at in call}) == len(call)


@given(IDS)
def test_no_call_too_many(user_ids: list[str]) -> None:
    """Full ones, and for who gets several messages as many as there are."""
    repeats = max(Counter(user_ids).values(), default=0)
    assert repeats <= len(shares(user_ids)) <= len(user_ids) // MOST_PEOPLE + repeats


@given(st.sets(st.text(min_size=1)))
def test_calls_are_full(user_ids: set[str]) -> None:
    assert len(shares(list(user_ids))) == -(-len(user_ids) // MOST_PEOPLE)


SENDS = st.lists(
    st.tuples(st.sampled_from(PEOPLE[:25]), st.sampled_from(["早", "晚"])), min_size=1, max_size=60
)


@settings(max_examples=25, deadline=None)
@given(SENDS, st.sets(st.sampled_from(PEOPLE[:25]), max_size=6), st.booleans())
def test_whatever_is_sent(sends: list[tuple[str, str]], gone: set[str], whole: bool) -> None:
    """Each message arrives once, or says why not; strangers among them spoil nothing."""

    async def all_of_it() -> None:
        async with robot_of([one for one in PEOPLE[:25] if one not in gone]) as robot:
            robot.standin.robots.refuses_whole_batch = whole
            results = await robot.say(*sends)
            for (user_id, _), result in zip(sends, results, strict=True):
                word = shown(result)
                if user_id in gone:
                    assert word in ("staffId.notExisted", f"dead {INVALID_STAFF}")
                else:
                    assert word == "sent"
            arrived = Counter((one, words) for one in PEOPLE[:25] for words in robot.heard(one))
            assert arrived == Counter(one for one in sends if one[0] not in gone)
            for call in robot.calls:
                assert len(set(call)) == len(call) <= MOST_PEOPLE

    asyncio.run(all_of_it())
