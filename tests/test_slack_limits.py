"""The pace of each method: never more than its tier, and silence where Slack asked for it."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.contract import DeliveryFailed
from adapters.slack import limits as slack_limits
from adapters.slack.adapter import SlackAdapter
from adapters.slack.api import SlackApi
from adapters.slack.limits import BURST_SECONDS, LONGEST_PAUSE, Limits
from adapters.slack.methods import METHODS, TIER_1, TIER_2, TIER_3, TIER_4, Method
from bot.messages import Address, Outgoing, Page
from bot.words import reader_for
from tests.hands import Hands
from tests.platforms.slack import RateLimited, SlackError, StandInSlack
from tests.platforms.slack_faults import TIERS
from tests.recorder import Recorder, said

NOW = datetime(2026, 11, 23, 1, 0, tzinfo=UTC)
READER = reader_for("en", "Asia/Shanghai", NOW)
GROUP = Address(platform="slack", kind="group", id="C1")
OTHER = Address(platform="slack", kind="group", id="C2")
LIMITED = sorted(name for name, method in METHODS.items() if method.a_minute is not None)
FREE = sorted(name for name, method in METHODS.items() if method.a_minute is None)


class Bucket:
    """Limits and their clock."""

    def __init__(self) -> None:
        self.clock = Hands()
        self.limits = Limits(self.clock)

    def wait(self, method: str) -> float:
        """0 when the call may go, else the seconds it was told to wait."""
        try:
            self.limits.take(method)
        except DeliveryFailed as failed:
            held = failed
        else:
            return 0.0
        assert (held.outcome, held.scope) == ("paced", "address")
        assert held.why == f"{method}: not its turn yet"
        assert held.after is not None
        return held.after

    def burst(self, method: str) -> int:
        """How many calls may go at this moment."""
        taken = 0
        while not self.wait(method):
            taken += 1
        return taken


@pytest.fixture
def bucket() -> Bucket:
    return Bucket()


# --- the bucket


@pytest.mark.parametrize(
    ("a_minute", "burst", "wait"),
    [
        (TIER_1, 1, LONGEST_PAUSE),
        (TIER_2, 5, 3.0),
        (TIER_3, 12, 1.2),
        (TIER_4, 25, 0.6),
        (300, 75, 0.2),
    ],
)
def test_the_tiers(
    bucket: Bucket, monkeypatch: pytest.MonkeyPatch, a_minute: int, burst: int, wait: float
) -> None:
    """A quarter of a minute's calls at once, then one after another; at least one, even of the
    slowest tier.
    """
    monkeypatch.setattr(slack_limits, "METHODS", {"some.method": Method((), a_minute)})
    exact = max(1.0, a_minute * BURST_SECONDS / 60)
    assert bucket.burst("some.method") == burst == int(exact)
    assert bucket.wait("some.method") == pytest.approx(
        min(LONGEST_PAUSE, (1 - exact % 1) * 60 / a_minute)
    )
    assert wait >= bucket.wait("some.method")
    bucket.clock.at += 60
    assert bucket.burst("some.method") == burst, "a bucket holds no more, however long it stood"


@pytest.mark.parametrize("method", LIMITED)
def test_no_method_is_called_more_often_than_slack_allows(bucket: Bucket, method: str) -> None:
    """As fast as it goes for ten minutes: the stand-in's table of tiers is Slack's."""
    calls = bucket.burst(method)
    for _ in range(600):
        bucket.clock.at += 1
        calls += bucket.burst(method)
    a_minute = METHODS[method].a_minute
    assert a_minute is not None
    assert 10 * a_minute - 1 <= calls <= 10 * a_minute + max(1.0, a_minute * BURST_SECONDS / 60)
    assert a_minute <= TIERS.get(method, 300)


def test_what_has_no_tier_is_not_held_back(bucket: Bucket) -> None:
    assert FREE == ["apps.connections.open", "auth.test"]
    for method in FREE:
        assert [bucket.wait(method) for _ in range(1000)] == [0.0] * 1000


def test_each_method_has_a_bucket_of_its_own(bucket: Bucket) -> None:
    bucket.burst("chat.update")
    assert bucket.wait("chat.update") > 0
    assert bucket.wait("chat.postEphemeral") == 0


@given(st.lists(st.tuples(st.floats(0, 30), st.integers(1, 40)), min_size=1, max_size=60))
def test_never_more_in_any_window_than_the_burst_and_the_rate(
    steps: list[tuple[float, int]],
) -> None:
    bucket, method = Bucket(), "chat.update"
    rate = TIER_3 / 60
    taken: list[float] = []
    for pause, tries in steps:
        bucket.clock.at += pause
        taken += [bucket.clock.at for _ in range(tries) if not bucket.wait(method)]
    for first, began in enumerate(taken):
        for last in range(first, len(taken)):
            allowed = BURST_SECONDS * rate + rate * (taken[last] - began)
            assert last - first + 1 <= allowed + 1e-3


@given(st.sampled_from(LIMITED), st.lists(st.floats(0, 3), max_size=30))
def test_whoever_waits_as_long_as_told_passes(method: str, pauses: list[float]) -> None:
    """If nobody was quicker; rounding must not send anybody away for a millionth of a second."""
    bucket = Bucket()
    for pause in pauses:
        bucket.clock.at += pause
        bucket.burst(method)
    bucket.burst(method)
    bucket.clock.at += bucket.wait(method)
    assert bucket.wait(method) == 0
    assert bucket.wait(method) > 0, "it takes the turn with it"


def test_nobody_is_sent_away_for_long(bucket: Bucket) -> None:
    """What is more urgent must be able to come first when the turn comes."""
    bucket.limits.pause("chat.update", 60)
    assert bucket.wait("chat.update") == LONGEST_PAUSE


@given(st.floats(0.1, 600), st.lists(st.floats(0, 30), max_size=40))
def test_a_pause_is_silent_to_its_end(seconds: float, steps: list[float]) -> None:
    bucket = Bucket()
    bucket.limits.pause("chat.update", seconds)
    ends = bucket.clock.at + seconds
    for step in steps:
        bucket.clock.at = min(bucket.clock.at + step, ends - 1e-3)
        assert 0 < bucket.wait("chat.update") <= min(LONGEST_PAUSE, ends - bucket.clock.at)
    assert bucket.wait("chat.postMessage") == 0
    bucket.clock.at = ends
    assert bucket.wait("chat.update") == 0


@given(st.floats(0.001, 600))
def test_whoever_comes_back_as_told_passes_after_a_pause(seconds: float) -> None:
    bucket = Bucket()
    bucket.limits.pause("chat.update", seconds)
    times = 0
    while wait := bucket.wait("chat.update"):
        bucket.clock.at += wait
        times += 1
    assert times <= seconds // LONGEST_PAUSE + 1


def test_of_two_pauses_the_longer_counts(bucket: Bucket) -> None:
    bucket.limits.pause("chat.update", 30)
    bucket.limits.pause("chat.update", 2)
    bucket.clock.at += 29
    assert bucket.wait("chat.update") == pytest.approx(1)
    bucket.clock.at += 1
    assert bucket.wait("chat.update") == 0


# --- through the adapter


@pytest.fixture
def slack() -> Iterator[StandInSlack]:
    with StandInSlack() as standin:
        standin.add_user("U1", "wang")
        standin.add_channel("C1", "rooms", ["U1"])
        standin.add_channel("C2", "office", ["U1"])
        yield standin


@pytest.fixture
def hands() -> Hands:
    return Hands()


@pytest.fixture
async def adapter(slack: StandInSlack, hands: Hands) -> AsyncIterator[SlackAdapter]:
    api = SlackApi(slack.token, slack.api_url, lambda: NOW)
    api.limits = Limits(hands)
    made = SlackAdapter(api, ("secret",), lambda: NOW, reader_for)
    await made.start(Recorder())
    yield made
    await made.stop()


def outgoing(number: int = 1, address: Address = GROUP, **more: object) -> Outgoing:
    return Outgoing.model_validate(
        {"address": address, "words": said("hello"), "message_id": number, **more}
    )


async def failure(adapter: SlackAdapter, message: Outgoing) -> DeliveryFailed:
    with pytest.raises(DeliveryFailed) as failed:
        await adapter.send(message, READER)
    return failed.value


async def test_a_limit_on_changes_holds_changes_and_not_what_is_new(
    slack: StandInSlack, adapter: SlackAdapter, hands: Hands
) -> None:
    handle = await adapter.send(outgoing(), READER)
    elsewhere = await adapter.send(outgoing(2, OTHER), READER)
    slack.faults.script("chat.update", [RateLimited(retry_after=20)])
    failed = await failure(adapter, outgoing(3, edits_handle=handle))
    assert (failed.outcome, failed.why, failed.after, failed.scope) == (
        "retry",
        "ratelimited",
        20.0,
        "method",
    )

    paced = await failure(adapter, outgoing(4, OTHER, edits_handle=elsewhere))
    assert (paced.outcome, paced.after) == ("paced", LONGEST_PAUSE)
    assert len(slack.calls_of("chat.update")) == 1, "Slack is not asked"

    assert await adapter.send(outgoing(5), READER)
    hands.at += 19.5
    assert (await failure(adapter, outgoing(6, edits_handle=handle))).after == pytest.approx(0.5)
    hands.at += 0.5
    assert await adapter.send(outgoing(6, edits_handle=handle), READER) == handle
    assert len(slack.calls_of("chat.update")) == 2


async def test_a_limit_on_one_channel_holds_that_channel(
    slack: StandInSlack, adapter: SlackAdapter
) -> None:
    """https://docs.slack.dev/apis/web-api/rate-limits: about one message a second and channel. The
    outbox holds the address for as long; nothing else waits.
    """
    slack.faults.script("chat.postMessage", [RateLimited(retry_after=30)], channel="C1")
    failed = await failure(adapter, outgoing())
    assert (failed.outcome, failed.after, failed.scope) == ("retry", 30.0, "address")
    assert await adapter.send(outgoing(2, OTHER), READER)
    assert await adapter.send(outgoing(3, GROUP), READER), "the outbox decides when, not the bucket"


async def test_a_limit_without_retry_after_is_kept_for_a_second(
    slack: StandInSlack, adapter: SlackAdapter, hands: Hands
) -> None:
    page = Address(platform="slack", kind="page", id="U1")
    shown = Outgoing(address=page, page=Page(cards=()), message_id=1)
    slack.faults.script("views.publish", [SlackError("ratelimited")])
    failed = await failure(adapter, shown)
    assert (failed.outcome, failed.after, failed.scope) == ("retry", 1.0, "method")
    assert (await failure(adapter, shown)).outcome == "paced"
    hands.at += 1
    assert await adapter.send(shown, READER) == ""
    assert [call.outcome for call in slack.calls_of("views.publish")] == ["ratelimited", "ok"]


async def test_slack_need_not_say_no(
    slack: StandInSlack, adapter: SlackAdapter, hands: Hands
) -> None:
    """A hundred changes at once, Slack's own tiers enforced: all arrive, each when it is its turn,
    and no call is refused.
    """
    handle = await adapter.send(outgoing(), READER)
    slack.enforce_rate_limits = True
    began = hands.at
    for number in range(100):
        while (wait := await waits(adapter, outgoing(number + 2, edits_handle=handle))) is not None:
            hands.at += wait
            slack.advance(wait)
    assert Counter(call.outcome for call in slack.calls_of("chat.update")) == {"ok": 100}
    assert hands.at - began == pytest.approx((100 - 12.5) * 60 / TIER_3, rel=0.05)


async def waits(adapter: SlackAdapter, message: Outgoing) -> float | None:
    """None when it was sent, else how long it is to wait for its turn."""
    try:
        await adapter.send(message, READER)
    except DeliveryFailed as failed:
        held = failed
    else:
        return None
    assert held.outcome == "paced"
    return held.after
