"""What the stand-in's gateway promises to tests that need no sockets."""

from __future__ import annotations

import json
from urllib.parse import quote

import pytest

from tests.platforms.dingtalk_gateway import (
    BOT,
    CARD,
    CLEAN,
    CUT,
    EVENT,
    ODD_FRAMES,
    Gateway,
    HandshakeRefused,
    OpenRefused,
    connect_in_process,
)
from tests.platforms.dingtalk_model import Json, Org

ASKED = [
    {"type": "EVENT", "topic": "*"},
    {"type": "CALLBACK", "topic": BOT},
    {"type": "CALLBACK", "topic": CARD},
]


class Bot:
    """One line and what came by it."""

    def __init__(self, gateway: Gateway) -> None:
        self.came: list[str | int] = []
        self.session = gateway.connect(
            gateway.open(asking(gateway.org))["ticket"], self.came.append
        )

    @property
    def frames(self) -> list[Json]:
        return [json.loads(text) for text in self.came if isinstance(text, str)]

    def acknowledge(self, frame: Json, answer: object = None, **change: object) -> None:
        self.session.receive(ack(frame["headers"]["messageId"], answer, **change))


def asking(org: Org, **change: object) -> Json:
    known = {"clientId": org.client_id, "clientSecret": org.client_secret, "subscriptions": ASKED}
    return known | change


def ack(message_id: object, answer: object = None, **change: object) -> str:
    headers = {"messageId": message_id, "contentType": "application/json"}
    text = json.dumps(answer or {"response": None})
    return json.dumps({"code": 200, "message": "OK", "headers": headers, "data": text} | change)


@pytest.fixture
def gateway() -> Gateway:
    return Gateway(Org())


@pytest.fixture
def bot(gateway: Gateway) -> Bot:
    return Bot(gateway)


# ---- lines


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"clientId": "another"}, 401, "authFailed"),
        ({"clientSecret": ""}, 401, "authFailed"),
        ({"subscriptions": None}, 400, "systemError"),
        ({"subscriptions": []}, 400, "systemError"),
        ({"subscriptions": ["*"]}, 400, "systemError"),
        ({"subscriptions": [{"type": "EVENT"}]}, 400, "systemError"),
        ({"subscriptions": [{"type": "EVENT", "topic": "user_leave_org"}]}, 400, "systemError"),
        ({"subscriptions": [{"type": "SYSTEM", "topic": "ping"}]}, 400, "systemError"),
    ],
)
def test_who_may_not_connect(gateway: Gateway, change: Json, status: int, code: str) -> None:
    with pytest.raises(OpenRefused) as refused:
        gateway.open(asking(gateway.org, **change))
    assert isinstance(refused.value.body, dict)
    assert (refused.value.status, refused.value.body["code"]) == (status, code)
    assert [one.ticket for one in gateway.opens] == [""]


def test_opens_are_refused_as_long_as_a_test_wants(gateway: Gateway) -> None:
    gateway.refuse_opens(403, body="<html>", times=2)
    gateway.refuse_opens(500, "InternalError")
    statuses = []
    for _ in range(4):
        with pytest.raises(OpenRefused) as refused:
            gateway.open(asking(gateway.org))
        statuses.append(refused.value.status)
    assert statuses == [403, 403, 500, 500]
    gateway.heal()
    assert gateway.open(asking(gateway.org))["endpoint"] == gateway.endpoint


def test_a_ticket_is_good_once_and_for_ninety_seconds(gateway: Gateway) -> None:
    first, second = (gateway.open(asking(gateway.org))["ticket"] for _ in range(2))
    gateway.connect(first, lambda _: None)
    gateway.org.advance(91)
    for ticket in (first, second, "", "of nobody"):
        with pytest.raises(HandshakeRefused, match="401"):
            gateway.connect(ticket, lambda _: None)
    assert len(gateway.lines) == 1


def test_a_line_that_was_told_to_go_gets_nothing_and_is_cut(gateway: Gateway, bot: Bot) -> None:
    kept = gateway.push(BOT, {"msgId": "1"})
    gateway.disconnect(bot.session, with_id=False)
    goodbye = bot.frames[-1]
    assert (goodbye["type"], goodbye["headers"]["topic"]) == ("SYSTEM", "disconnect")
    assert "messageId" not in goodbye["headers"]
    lost = gateway.push(BOT, {"msgId": "2"})
    assert (lost.is_lost, gateway.lost) == (True, [lost])
    other = Bot(gateway)
    assert gateway.push(BOT, {"msgId": "3"}).sent[0][0] is other.session
    bot.acknowledge(bot.frames[0])
    assert len(kept.acks) == 1
    gateway.org.advance(9)
    gateway.tick()
    assert bot.session.is_open
    gateway.org.advance(2)
    gateway.tick()
    assert (bot.session.is_open, bot.came[-1]) == (False, CUT)


def test_lines_age(gateway: Gateway, bot: Bot) -> None:
    gateway.ping_every, gateway.disconnect_every = 25, 3600
    gateway.tick()
    assert bot.frames == []
    gateway.org.advance(26)
    gateway.tick()
    gateway.tick()
    (ping,) = bot.frames
    bot.acknowledge(ping, json.loads(ping["data"]))
    assert (bot.session.pongs, gateway.odd) == (1, [])
    gateway.org.advance(3600)
    gateway.tick()
    assert [frame["headers"]["topic"] for frame in bot.frames] == ["ping", "disconnect"]


def test_zombies_and_silent_lines(gateway: Gateway, bot: Bot) -> None:
    bot.session.is_zombie = True
    pushed = gateway.push(BOT, {"msgId": "1"})
    gateway.ping()
    assert [frame["headers"]["topic"] for frame in bot.frames] == ["ping"]
    assert (pushed.delivered, pushed.is_lost) == (1, False)
    bot.session.is_silent = True
    gateway.ping()
    assert len(bot.frames) == 1
    gateway.heal()
    gateway.org.advance(61)
    gateway.tick()
    assert bot.frames[-1]["headers"]["messageId"] == pushed.message_id


# ---- what is pushed


def test_who_asked_for_what(gateway: Gateway, bot: Bot) -> None:
    bot.session.asked = {("CALLBACK", BOT)}
    assert not gateway.push(BOT, {}).is_lost
    assert gateway.push(CARD, {}).is_lost
    assert gateway.event({}, "user_leave_org").is_lost
    assert not gateway.push(CARD, {}, to=bot.session).is_lost


def test_what_nobody_acknowledged_comes_again_by_any_line(gateway: Gateway, bot: Bot) -> None:
    said = gateway.push(BOT, {"msgId": "1"})
    pressed = gateway.push(CARD, {"outTrackId": "1"})
    happened = gateway.event({"userId": ["1"]}, "user_leave_org")
    other = Bot(gateway)
    gateway.choose = lambda lines: lines[-1]
    gateway.org.advance(59)
    gateway.tick()
    assert other.frames == []
    gateway.org.advance(2)
    gateway.tick()
    gateway.tick()
    assert (said.delivered, pressed.delivered, happened.delivered) == (2, 1, 2)
    first, again = bot.frames[0], other.frames[0]
    assert first["data"] == again["data"]
    assert first["headers"]["messageId"] == again["headers"]["messageId"]
    assert first["headers"]["connectionId"] != again["headers"]["connectionId"]
    bot.acknowledge(first)
    other.acknowledge(other.frames[1], {"status": "LATER"})
    gateway.org.advance(61)
    gateway.tick()
    assert (said.delivered, happened.delivered) == (2, 3)
    other.acknowledge(other.frames[1], {"status": "SUCCESS"})
    gateway.org.advance(61)
    gateway.tick()
    assert (happened.delivered, happened.kind) == (3, EVENT)
    assert gateway.odd == []


def test_an_answer_by_another_line_counts_for_nothing(gateway: Gateway, bot: Bot) -> None:
    pushed = gateway.push(BOT, {"msgId": "1"})
    other = Bot(gateway)
    other.acknowledge(bot.frames[0])
    assert pushed.acks == []
    assert [stray.session for stray in gateway.strays] == [other.session]


def test_losses_and_doubles(gateway: Gateway, bot: Bot) -> None:
    gateway.lose_next()
    gateway.double_next()
    lost, doubled, plain = gateway.flood(3)
    assert (lost.is_lost, gateway.lost) == (True, [lost])
    assert (lost.delivered, doubled.delivered, plain.delivered) == (0, 2, 1)
    first, again, other = (frame["headers"]["messageId"] for frame in bot.frames)
    assert (first, again, other) == (doubled.message_id, doubled.message_id, plain.message_id)


@pytest.mark.parametrize("text", ODD_FRAMES)
def test_what_is_no_acknowledgement(gateway: Gateway, bot: Bot, text: str) -> None:
    bot.session.receive(text)
    assert gateway.odd == [text]


@pytest.mark.parametrize(
    "change",
    [
        {"code": "200"},
        {"code": True},
        {"message": None},
        {"headers": {"messageId": "of nobody", "contentType": "application/json"}},
        {"headers": {"contentType": "application/json"}},
        {"headers": {}},
        {"data": {"response": None}},
        {"data": "no json"},
        {"data": "[]"},
        {"data": "{}"},
    ],
)
def test_what_is_a_wrong_one(gateway: Gateway, bot: Bot, change: Json) -> None:
    gateway.push(BOT, {})
    bot.acknowledge(bot.frames[0], **change)
    assert len(gateway.odd) == 1


def test_pongs_give_back_what_came(gateway: Gateway, bot: Bot) -> None:
    gateway.ping()
    bot.acknowledge(bot.frames[0], {"opaque": "another"})
    assert len(gateway.odd) == 1


# ---- lines without sockets


def address(gateway: Gateway) -> str:
    said = gateway.open(asking(gateway.org))
    return f"{said['endpoint']}?ticket={quote(said['ticket'], safe='')}"


async def test_a_wire_without_a_socket(gateway: Gateway) -> None:
    connect = connect_in_process(gateway)
    url = address(gateway)
    wire = await connect(url)
    with pytest.raises(OSError, match="401"):
        await connect(url)
    with pytest.raises(OSError, match="404"):
        await connect("ws://127.0.0.1:9/elsewhere")
    pushed = gateway.push(BOT, {"msgId": "1"})
    frame = json.loads(await wire.next_text() or "")
    await wire.send_str(ack(frame["headers"]["messageId"]))
    assert len(pushed.acks) == 1
    gateway.close(CLEAN)
    assert await wire.next_text() is None
    assert not wire.is_open
    with pytest.raises(ConnectionResetError):
        await wire.send_str("late")
    await connect.read_up()


async def test_the_bot_ends_a_wire(gateway: Gateway) -> None:
    connect = connect_in_process(gateway)
    wire = await connect(address(gateway))
    await wire.close()
    assert gateway.open_lines == []
    assert await wire.next_text() is None


async def test_a_line_that_is_closed_at_once(gateway: Gateway) -> None:
    gateway.closes_at_once = True
    connect = connect_in_process(gateway)
    wire = await connect(address(gateway))
    assert await wire.next_text() is None
    assert gateway.push(BOT, {}).is_lost
