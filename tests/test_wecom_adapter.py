"""WeCom's people against the adapter: what they see of what they write, tap and press, by the app
and by the aibot in both of its ways. All of it by real HTTP and real WebSockets.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from adapters.naming import handle_of
from adapters.wecom import adapter as wecom_adapter
from adapters.wecom.encode import TEXT_BYTES
from bot.messages import Answer, Button, Card, CardField, File, Mention, Outgoing, Reply, text
from tests.platforms.wecom import Delivery
from tests.platforms.wecom_model import LEFT, Corp, Message, buttons, plain
from tests.recorder import answer, reply, said
from tests.wecom_stage import GROUP, TEAM, Staged, StagedBot, staged, staged_with_bot

CLAIM = Button(label=said("认领"), command="claim", arguments={"query": "Q7"})
CARD = Card(
    title=said("Q7 等回复"),
    body=(said("几点开门？"),),
    fields=(CardField(label=said("班组"), value=said(TEAM)),),
    buttons=(CLAIM,),
)
SETTLED = CARD.model_copy(update={"title": said("Q7 已解决"), "buttons": ()})
LIST = File(name="工时.csv", content="姓名,小时\n张三,2\n")
SORRY = "企业微信暂时没告诉我你是谁"


@pytest.fixture(scope="module")
def app() -> Iterator[Staged]:
    with staged() as made:
        yield made


@pytest.fixture(scope="module")
def callback() -> Iterator[Staged]:
    """An app, and an aibot that calls us."""
    with staged(bot="callback", robots=True) as made:
        yield made


@pytest.fixture(scope="module")
def connected() -> Iterator[StagedBot]:
    """An app, and an aibot that we connect to."""
    with staged_with_bot(robots=True) as made:
        yield made


@pytest.fixture(autouse=True)
def _as_new(request: pytest.FixtureRequest) -> None:
    for name in ("app", "callback", "connected"):
        if name in request.fixturenames:
            request.getfixturevalue(name).forget()


def card_on(stage: Staged, to: str = "zhangsan", **more: Any) -> Message:
    """A card on somebody's screen."""
    mark = stage.mark()
    stage.send(stage.message(None, CARD, to, **more))
    (found,) = stage.shown(to, mark)
    return found


def key_of(message: Message) -> str:
    ((_label, key),) = buttons(message)
    return key


# --- the address


def test_the_address_is_confirmed_within_a_second(callback: Staged) -> None:
    assert callback.wecom.verify("app")
    assert callback.wecom.verify("bot")
    assert not callback.wecom.verify("app", token="another")
    assert not callback.wecom.verify("bot", token="another")
    assert callback.recorder.events == []


# --- what people write


def test_a_text_is_answered_in_its_response(app: Staged) -> None:
    mark = app.mark()
    delivery = app.wecom.say("zhangsan", "签到")
    assert delivery.statuses == [200]
    assert delivery.message is not None
    assert (delivery.message.via, plain(delivery.message)) == ("passive", "heard 签到")
    assert len(app.shown("zhangsan", mark)) == 1
    event = app.event
    assert (event.user.id, event.user.name, event.user.alias) == ("zhangsan", "张三", "三哥")
    assert (event.chat.kind, event.chat.id, event.text) == ("direct", "zhangsan", "签到")


@pytest.mark.parametrize(
    "words", ["a ]]> b", "<a href='http://x'>&amp;", "好" * 682, "\x00\ufffe x", "]]" + ">" * 9]
)
def test_whatever_is_answered_arrives_whole(app: Staged, words: str) -> None:
    app.recorder.answering = lambda _event: answer(words)
    delivery = app.wecom.say("zhangsan", "x")
    assert delivery.taken
    if delivery.message is not None:
        assert len(plain(delivery.message).encode()) <= TEXT_BYTES


@pytest.mark.parametrize(
    "told",
    [
        answer("好" * 683),
        reply(answer=Answer(card=CARD)),
        reply(answer=Answer(words=said("x"), card=CARD)),
        reply(),
        None,
    ],
    ids=["long", "a card", "words and a card", "no answer", "nothing for the bot"],
)
def test_what_the_response_cannot_say_it_does_not(app: Staged, told: Reply | None) -> None:
    """It goes by the outbox: dispatch is told so before."""
    app.recorder.answering = lambda _event: told
    delivery = app.wecom.say("zhangsan", "问")
    assert (delivery.statuses, delivery.body) == ([200], b"")
    if told is not None:
        assert not app.adapter.answers_inline(app.event, told)


def test_pictures_and_such_have_no_words(app: Staged) -> None:
    for kind in ("voice", "video", "location", "link"):
        assert app.wecom.send(app.wecom.callbacks.other("zhangsan", kind)).taken
        assert (app.event.kind, app.event.text) == ("text", "")


def test_the_same_callback_again_is_the_same_event(app: Staged) -> None:
    """And is answered with the same, sealed anew."""
    first = app.wecom.say("zhangsan", "签到")
    again = app.wecom.retry(first)
    one, two = app.recorder.events
    assert one.key == two.key
    assert first.message is not None
    assert again.message is not None
    assert plain(first.message) == plain(again.message)
    assert first.body != again.body


def test_a_failure_inside_is_told_again_by_wecom(app: Staged) -> None:
    failures = [OSError("the disk is full"), OSError("the disk is full")]

    def fails_twice(_event: Any) -> Reply:
        if failures:
            raise failures.pop()
        return answer("好")

    app.recorder.answering = fails_twice
    delivery = app.wecom.say("zhangsan", "签到")
    assert delivery.statuses == [503, 503, 200]
    assert delivery.message is not None
    assert len({event.key for event in app.recorder.events}) == 1


# --- the menu and other events


def test_a_tap_on_the_menu(app: Staged) -> None:
    app.recorder.answering = lambda event: answer(f"done {event.command}")
    delivery = app.wecom.click("LISI", '{"command":"checkin"}')
    assert delivery.message is not None
    assert plain(delivery.message) == "done checkin"
    assert (app.event.kind, app.event.command, app.event.user.id) == ("button", "checkin", "lisi")


def test_whoever_sees_the_app_first_reads_what_it_is_for(app: Staged) -> None:
    delivery = app.wecom.send(app.wecom.callbacks.subscribe("zhangsan"))
    assert delivery.message is not None
    assert app.event.command == "help"


def test_what_means_nothing_to_the_bot_is_taken(app: Staged) -> None:
    callbacks = app.wecom.callbacks
    card = card_on(app)
    for request in (
        callbacks.enter_agent("zhangsan"),
        callbacks.view("zhangsan", "https://example.com/"),
        callbacks.location("zhangsan"),
        callbacks.change_contact("delete_user", "zhangsan"),
        callbacks.unknown_event("zhangsan"),
        callbacks.click("zhangsan", "of another menu"),
        callbacks.press_in_menu("zhangsan", card, "of the corner"),
        callbacks.press("zhangsan", card, "of another program", anyway=True),
    ):
        delivery = app.wecom.send(request)
        assert (delivery.statuses, delivery.body) == ([200], b"")
    assert app.recorder.events == []


def left(corp: Corp) -> None:
    corp.members["wangwu"].status = LEFT


def removed(corp: Corp) -> None:
    del corp.members["wangwu"]


def out_of_sight(corp: Corp) -> None:
    corp.members["wangwu"].visible = False


def still_here(corp: Corp) -> None:
    assert corp.members["wangwu"].status != LEFT


@pytest.mark.parametrize(
    ("what", "is_gone"),
    [(left, True), (removed, True), (out_of_sight, False), (still_here, False)],
)
def test_who_sees_the_app_no_more_may_still_be_there(app: Staged, what: Any, is_gone: bool) -> None:
    """Only a clear word of WeCom's takes an account away."""
    app.corp.add_member("WangWu", "王五")
    app.wecom.say("wangwu", "hello")
    app.recorder.events.clear()
    what(app.corp)
    request = app.wecom.callbacks.unsubscribe("wangwu")
    delivery = app.wecom.send(request)
    assert (delivery.statuses, delivery.body) == ([200], b"")
    assert [event.kind for event in app.recorder.events] == (["account"] if is_gone else [])
    if is_gone:
        assert (app.event.gone, app.event.complete, app.event.user.id) == (True, True, "wangwu")


@pytest.mark.parametrize("errcode", [-1, 40001, 45009, 60020])
def test_nobody_is_gone_while_wecom_does_not_say_so(app: Staged, errcode: int) -> None:
    """It comes again, as often as WeCom tries."""
    app.api.fail("user/get", errcode=errcode, times=None)
    delivery = app.wecom.send(app.wecom.callbacks.unsubscribe("lisi"))
    assert delivery.statuses == [503] * 4
    assert app.recorder.events == []
    assert app.adapter.trouble() is None
    app.api.heal()


def test_who_cannot_be_seen_is_not_gone(app: Staged) -> None:
    app.api.fail("user/get", errcode=48002, times=None)
    assert app.wecom.send(app.wecom.callbacks.unsubscribe("lisi")).taken
    assert app.recorder.events == []
    assert app.adapter.trouble() is None


# --- buttons


def test_a_press_tells_its_message_and_how_to_change_it(app: Staged) -> None:
    card = card_on(app, message_id=4711)
    app.recorder.answering = lambda _event: answer("for the outbox")
    delivery = app.wecom.press("zhangsan", card, key_of(card))
    assert (delivery.statuses, delivery.body) == ([200], b"")
    event = app.event
    assert (event.kind, event.command, event.arguments) == ("button", "claim", {"query": "Q7"})
    assert event.pressed == 4711
    assert event.handle.startswith("card:")
    assert not app.adapter.answers_inline(event, answer("x"))


def test_a_card_is_changed_where_it_stands(app: Staged) -> None:
    card = card_on(app)
    app.wecom.press("zhangsan", card, key_of(card))
    mark = app.mark()
    handle = app.send(app.message(said("已解决"), SETTLED, edits_handle=app.event.handle))
    assert handle == "card:"
    assert card.changed > mark
    assert plain(card) == "Q7 已解决\n几点开门？\n班组 一班"
    assert buttons(card) == []
    assert app.shown("zhangsan", mark) == []
    # The key is used up, and nobody has pressed since: it is said below.
    assert app.send(app.message(said("又打开了"), CARD, edits_handle=handle)) == ""
    (below,) = app.shown("zhangsan", mark)
    assert plain(below) == "又打开了"


def test_a_card_is_changed_once_by_what_came_with_its_sending(app: Staged) -> None:
    mark = app.mark()
    handle = app.send(app.message(None, CARD))
    (card,) = app.shown("zhangsan", mark)
    assert app.send(app.message(None, SETTLED, edits_handle=handle)) == "card:"
    assert plain(card).startswith("Q7 已解决")
    # Used a second time, as after a lost answer of somebody else's: said instead.
    mark = app.mark()
    app.send(app.message(said("已解决"), SETTLED, edits_handle=handle))
    assert [plain(one) for one in app.shown("zhangsan", mark)] == ["已解决"]


def test_what_cannot_be_changed_and_says_nothing_stays(app: Staged) -> None:
    mark = app.mark()
    for handle in ("card:", "card:of another time", "", f"{GROUP}:Q7"):
        assert app.send(app.message(None, SETTLED, edits_handle=handle)) == handle
    assert app.shown("zhangsan", mark) == []


def test_a_change_whose_answer_got_lost_is_not_said_as_well(app: Staged) -> None:
    mark = app.mark()
    handle = app.send(app.message(None, CARD))
    (card,) = app.shown("zhangsan", mark)
    mark = app.mark()
    edit = app.message(said("已解决"), SETTLED, edits_handle=handle)
    app.api.fail("message/update_template_card", "drop_after")
    failed = app.failure(edit)
    assert (failed.outcome, failed.repeatable) == ("unknown", True)
    assert app.send(again(app, edit)) == "card:"
    assert plain(card).startswith("Q7 已解决")
    assert app.shown("zhangsan", mark) == []


def again(stage: Staged, outgoing: Outgoing, attempt: int = 2) -> Outgoing:
    """The same message, after nobody knew what became of it."""
    since = stage.adapter._clock() - timedelta(seconds=30)
    return outgoing.model_copy(update={"attempt": attempt, "uncertain_since": since})


def test_two_presses_in_one_second_are_two(app: Staged) -> None:
    card = card_on(app)
    now = int(app.corp.now())
    for _ in range(2):
        app.wecom.press("zhangsan", card, key_of(card), created_at=now)
    one, two = app.recorder.events
    assert one.key != two.key
    assert one.handle != two.handle


def test_a_press_that_comes_again_is_the_same(app: Staged) -> None:
    card = card_on(app)
    app.wecom.retry(app.wecom.press("zhangsan", card, key_of(card)))
    one, two = app.recorder.events
    assert (one.key, one.handle) == (two.key, two.handle)


# --- who they are


OPEN_LIKE = "woLooksLikeAnEncryptedId01234567"


def test_a_userid_that_looks_encrypted_is_one(app: Staged) -> None:
    app.corp.add_member(OPEN_LIKE, "长名")
    before = len(app.sent("batch/openuserid_to_userid"))
    for _ in range(2):
        assert app.wecom.say(OPEN_LIKE, "签到").message is not None
    assert {event.user.id for event in app.recorder.events} == {OPEN_LIKE.lower()}
    assert app.event.chat.id == OPEN_LIKE.lower()
    assert app.event.user.name == "长名"
    assert len(app.sent("batch/openuserid_to_userid")) == before + 1


@pytest.mark.parametrize("chatid", [None, GROUP], ids=["direct", "group"])
def test_an_encrypted_id_is_a_member(callback: Staged, chatid: str | None) -> None:
    request = callback.wecom.callbacks.bot_text("zhangsan", "签到", chatid, encrypted=True)
    assert callback.wecom.send(request).message is not None
    event = callback.event
    assert (event.user.id, event.user.name, event.text) == ("zhangsan", "张三", "签到")
    assert event.chat.id == (chatid or "zhangsan")


def test_nothing_is_done_for_whom_wecom_does_not_name(callback: Staged) -> None:
    """They read so in one sentence."""
    member = callback.corp.add_member("Unknown", "不明")
    card = callback.corp.show(
        via="bot",
        kind="person",
        to="unknown",
        msgtype="template_card",
        body={"button_list": [{"text": "认领", "key": '{"command":"claim"}'}]},
        task_id="m1-0123456789abcdef",
    )
    callback.api.fail("batch/openuserid_to_userid", errcode=-1, times=None)
    callbacks = callback.wecom.callbacks
    for chatid in (None, GROUP):
        request = callbacks.bot_text("unknown", "签到", chatid, encrypted=True)
        delivery = callback.wecom.send(request)
        assert delivery.message is not None
        assert plain(delivery.message).startswith(SORRY)
    press = callbacks.bot_press("unknown", card, '{"command":"claim"}', encrypted=True)
    assert callback.wecom.send(press).body == b""
    assert callback.recorder.events == []
    callback.api.heal()
    assert callback.wecom.send(callbacks.bot_text("unknown", "签到", encrypted=True)).taken
    assert callback.event.user.id == member.userid.lower()


def test_names_wait_for_nobody(app: Staged) -> None:
    """WeCom's API is away: people are heard, by their userids."""
    app.corp.add_member("ZhaoLiu", "赵六")
    app.api.fail("user/get", "drop", times=None)
    began = time.monotonic()
    delivery = app.wecom.say("zhaoliu", "签到")
    assert delivery.message is not None
    assert time.monotonic() - began < 4
    assert app.event.user.name == "zhaoliu"


# --- messages of ours


def test_words_and_cards(app: Staged) -> None:
    mark = app.mark()
    assert app.send(app.message(said("下班别忘了签退"))) == ""
    assert app.send(app.message(said("给你"), CARD)).startswith("card:")
    words, card = app.shown("zhangsan", mark)
    assert (words.via, words.msgtype, plain(words)) == ("app", "text", "下班别忘了签退")
    assert plain(card) == "Q7 等回复\n给你\n几点开门？\n班组 一班"
    assert [label for label, _key in buttons(card)] == ["认领"]


def test_a_long_text_comes_in_pieces(app: Staged) -> None:
    mark = app.mark()
    whole = "\n".join(f"{number} 行" for number in range(500))
    app.send(app.message(said(whole)))
    shown = app.shown("zhangsan", mark)
    assert len(shown) > 1
    assert not any(one.truncated for one in shown)
    assert "".join(plain(one) for one in shown) == whole


def test_a_long_card_has_its_text_above(app: Staged) -> None:
    mark = app.mark()
    long = CARD.model_copy(update={"body": (said("问" * 1000),)})
    assert app.send(app.message(None, long)).startswith("card:")
    *texts, card = app.shown("zhangsan", mark)
    assert "问" * 1000 in "".join(plain(one) for one in texts).replace("\n", "")
    assert plain(card) == "Q7 等回复"
    assert len(buttons(card)) == 1


def test_a_file_comes_as_a_file(app: Staged) -> None:
    mark = app.mark()
    app.send(app.message(said("上周的工时"), file=LIST))
    words, file = app.shown("zhangsan", mark)
    assert plain(words) == "上周的工时"
    assert file.file == (LIST.name, LIST.content.encode())


@pytest.mark.parametrize("content", ["", "a", "12345", "好"])
def test_a_file_that_is_too_small_for_one_comes_as_words(app: Staged, content: str) -> None:
    mark = app.mark()
    app.send(app.message(file=File(name="a.csv", content=content)))
    (words,) = app.shown("zhangsan", mark)
    assert plain(words) == f"a.csv：\n{content}".strip()


def test_what_is_for_one_person_in_a_group_goes_to_them(app: Staged) -> None:
    mark = app.mark()
    whisper = app.message(said("只有你看得到"), to=GROUP)
    place = whisper.address.model_copy(update={"only_for": "lisi"})
    app.send(whisper.model_copy(update={"address": place}))
    assert [plain(one) for one in app.shown("lisi", mark)] == ["只有你看得到"]
    assert app.shown(GROUP, mark) == []


# --- sent again


@pytest.mark.parametrize("card_first", [False, True], ids=["duplicates first", "names first"])
@pytest.mark.parametrize(
    "what", [{"words": said("你好")}, {"card": CARD}, {"words": said("好" * 700)}, {"file": LIST}]
)
def test_what_was_taken_and_not_answered_is_shown_once(
    app: Staged, what: dict[str, Any], card_first: bool
) -> None:
    """WeCom may look at a card's name before it looks whether it has the same message already."""
    app.api.messages.checks_task_id_first = card_first
    mark = app.mark()
    message = app.message(**what)
    for one in (message, again(app, message)):
        app.api.fail("message/send", "drop_after")
        failed = app.failure(one)
        assert (failed.outcome, failed.repeatable) == ("unknown", True)
        assert len(app.shown("zhangsan", mark)) == 1
    app.send(again(app, message, 3))
    shown = [(plain(one), one.msgtype) for one in app.shown("zhangsan", mark)]
    assert len(shown) == len(set(shown)) == (2 if what.get("words") == said("好" * 700) else 1)


def test_a_card_of_a_known_name_is_no_success_the_first_time(app: Staged) -> None:
    app.api.fail("message/send", errcode=42014)
    failed = app.failure(app.message(None, CARD))
    assert (failed.outcome, failed.why) == ("dead", "42014")
    app.api.fail("message/send", errcode=42014)
    assert app.send(app.message(None, CARD, attempt=2)) == "card:"


def test_the_same_words_a_while_later_are_said_again(app: Staged) -> None:
    """The second time, too, if WeCom does not take them at once, or nobody knows whether it has."""
    mark = app.mark()
    words = said("该吃饭了")
    app.send(app.message(words))
    app.corp.advance(120)
    app.api.fail("message/send", errcode=-1)
    message = app.message(words)
    assert app.failure(message).outcome == "retry"
    app.send(message.model_copy(update={"attempt": 2}))
    app.corp.advance(120)
    app.api.fail("message/send", "drop")
    message = app.message(words)
    assert app.failure(message).outcome == "unknown"
    app.send(again(app, message))
    assert [plain(one) for one in app.shown("zhangsan", mark)] == ["该吃饭了"] * 3


# --- what WeCom refuses


def partly(**named: str) -> bytes:
    listed = "".join(f',"{name}":"{userid}"' for name, userid in named.items())
    return f'{{"errcode":0,"errmsg":"ok","msgid":"m"{listed}}}'.encode()


@pytest.mark.parametrize(
    ("named", "why"),
    [
        ({"invaliduser": "zhangsan"}, "invaliduser"),
        ({"invaliduser": "lisi|ZhangSan"}, "invaliduser"),
        ({"unlicenseduser": "zhangsan"}, "unlicensed"),
        ({"invaliduser": "lisi"}, None),
        ({"invaliduser": ""}, None),
    ],
)
def test_whom_wecom_did_not_reach_though_it_said_yes(
    app: Staged, named: dict[str, str], why: str | None
) -> None:
    app.api.fail("message/send", body=partly(**named))
    if why is None:
        app.send(app.message(said("x")))
        return
    failed = app.failure(app.message(said("x")))
    # WeCom shows them still to be there.
    assert (failed.outcome, failed.why, failed.gone) == ("dead", why, False)


@pytest.mark.parametrize(
    ("changed", "is_gone"),
    [({"visible": False}, False), ({"licensed": False}, False), ({"status": LEFT}, True)],
)
def test_somebody_who_cannot_be_reached(
    app: Staged, changed: dict[str, Any], is_gone: bool
) -> None:
    app.corp.add_member("GoneAway", "走了", **changed)
    failed = app.failure(app.message(said("x"), to="goneaway"))
    assert (failed.outcome, failed.why) == ("dead", "81013")
    assert failed.gone is is_gone


def test_somebody_of_whom_nobody_ever_heard(app: Staged) -> None:
    failed = app.failure(app.message(said("x"), to="nobody"))
    assert (failed.outcome, failed.why, failed.gone) == ("dead", "81013", True)


def test_nobody_is_gone_while_wecom_cannot_be_asked(app: Staged) -> None:
    app.api.fail("user/get", "drop", times=None)
    assert not app.failure(app.message(said("x"), to="nobody")).gone


@pytest.mark.parametrize(
    ("errcode", "outcome", "after", "scope"),
    [
        (60011, "dead", None, "address"),
        (45009, "retry", 60.0, "address"),
        (45033, "retry", 60.0, "address"),
        (-1, "retry", None, "address"),
        (44004, "dead", None, "address"),
        (12345678, "dead", None, "address"),
    ],
)
def test_what_a_refusal_means(
    app: Staged, errcode: int, outcome: str, after: float | None, scope: str
) -> None:
    app.api.fail("message/send", errcode=errcode)
    failed = app.failure(app.message(said("x")))
    assert (failed.outcome, failed.why) == (outcome, str(errcode))
    assert (failed.after, failed.scope, failed.gone) == (after, scope, False)
    app.send(app.message(said("the next one goes")))


def test_a_token_that_ends_early_is_replaced(app: Staged) -> None:
    for end in (app.api.expire_tokens, app.api.forget_tokens):
        end()
        app.send(app.message(said("x")))


@pytest.mark.parametrize(
    ("how", "outcome"),
    [({"how": "drop"}, "unknown"), ({"status": 502}, "unknown"), ({"body": b"<html>"}, "unknown")],
)
def test_what_nobody_knows(app: Staged, how: dict[str, Any], outcome: str) -> None:
    app.api.fail("message/send", **how)
    failed = app.failure(app.message(said("x")))
    assert (failed.outcome, failed.repeatable) == (outcome, True)


# --- while WeCom lets the app out


@pytest.fixture
def untrusted(connected: StagedBot) -> Iterator[StagedBot]:
    connected.corp.trusted_ips = {"198.51.100.1"}
    yield connected
    connected.corp.trusted_ips = None
    assert connected.adapter.posting.app is not None
    connected.adapter.posting.app.rest_is_over()
    connected.send(connected.message(said("again")))


ASKING: dict[str, dict[str, Any]] = {
    "words": {},
    "a file": {"file": LIST},
    "a change": {"edits_handle": "card:code", "card": CARD},
}


@pytest.mark.parametrize("what", ASKING)
def test_the_app_rests_and_groups_go_on(untrusted: StagedBot, what: str) -> None:
    stage = untrusted
    failed = stage.failure(stage.message(said("x"), **ASKING[what]))
    # Only these messages wait: a platform that waited as a whole would leave the groups out.
    assert (failed.outcome, failed.why, failed.scope) == ("retry", "60020", "address")
    asked = len(stage.api.calls)
    for other in ASKING.values():
        waits = stage.failure(stage.message(said("y"), to="lisi", **other))
        assert (waits.outcome, waits.why) == ("paced", "60020")
        assert waits.after is not None
        assert 0 < waits.after <= 60
    assert len(stage.api.calls) == asked, "nobody asks again before somebody has acted"
    assert "60020" in str(stage.adapter.trouble())
    stage.gateway.say("zhangsan", "你好", GROUP)
    stage.hear(1)
    mark = stage.mark()
    stage.send(stage.message(said("群里照常"), to=GROUP))
    assert [plain(one) for one in stage.shown(GROUP, mark)] == ["群里照常"]


def test_the_admins_hear_of_it_once(untrusted: StagedBot) -> None:
    for _ in range(2):
        untrusted.failure(untrusted.message(said("x"), to="lisi"))
    assert untrusted.alone.alarms == ["app_refused"]


# --- an aibot that we connect to


def test_a_mention_in_a_group(connected: StagedBot) -> None:
    connected.gateway.say("ZhangSan", "签到", GROUP)
    event = connected.hear(1)
    assert (event.chat.kind, event.chat.id, event.chat.thread) == ("group", GROUP, None)
    assert (event.user.id, event.user.name, event.text) == ("zhangsan", "张三", "签到")
    assert not connected.adapter.answers_inline(event, answer("x"))
    mark = connected.mark()
    handle = connected.send(connected.message(said("Q7 有人问"), CARD, to=GROUP))
    (shown,) = connected.shown(GROUP, mark)
    assert (shown.via, shown.msgtype) == ("bot", "markdown")
    assert plain(shown).endswith("@班长 发送：认领 Q7")
    assert handle == handle_of(GROUP, plain(shown))


def test_a_quotation_is_under_what_it_quotes(connected: StagedBot) -> None:
    connected.gateway.say("zhangsan", "hello", GROUP)
    connected.hear(1)
    mark = connected.mark()
    handle = connected.send(connected.message(None, CARD, to=GROUP))
    (shown,) = connected.shown(GROUP, mark)
    connected.gateway.say("lisi", "八点", GROUP, quote=shown)
    assert connected.hear(2).under == handle


def test_an_encrypted_id_by_the_connection(connected: StagedBot) -> None:
    connected.gateway.say("lisi", "签到", GROUP, encrypted=True)
    assert connected.hear(1).user.id == "lisi"


def test_what_comes_twice_is_one_event(connected: StagedBot) -> None:
    connected.gateway.double_next()
    connected.gateway.say("lisi", "签到", GROUP)
    connected.hear(2)
    assert len({event.key for event in connected.recorder.events}) == 1


def test_direct_messages_of_the_aibot_have_their_own_conversation(connected: StagedBot) -> None:
    connected.gateway.say("zhangsan", "帮助")
    event = connected.hear(1)
    assert (event.chat.kind, event.chat.id, event.chat.thread) == ("direct", "zhangsan", "bot")
    mark = connected.mark()
    connected.send(connected.message(said("<a>在</a> # 这里"), thread="bot"))
    handle = connected.send(connected.message(None, CARD, thread="bot"))
    words, card = connected.shown("zhangsan", mark)
    assert (words.via, words.msgtype) == ("bot", "markdown")
    assert plain(words) == "＜a＞在＜/a＞ ＃ 这里"
    assert (card.via, plain(card)) == ("bot", "Q7 等回复\n几点开门？\n班组 一班")
    connected.gateway.press("zhangsan", card, key_of(card))
    press = connected.hear(2)
    assert (press.command, press.chat.thread, press.handle) == ("claim", "bot", "")
    assert press.pressed is not None
    # A card of the aibot's has no key to change it by: it is said.
    mark = connected.mark()
    edit = connected.message(said("已解决"), SETTLED, thread="bot", edits_handle=handle)
    connected.send(edit)
    assert [plain(one) for one in connected.shown("zhangsan", mark)] == ["已解决"]


def test_a_file_in_a_group_is_words(connected: StagedBot) -> None:
    connected.gateway.say("zhangsan", "hello", GROUP)
    connected.hear(1)
    mark = connected.mark()
    connected.send(connected.message(said("工时"), to=GROUP, file=LIST))
    (shown,) = connected.shown(GROUP, mark)
    assert plain(shown) == f"工时\n{LIST.name}：\n{LIST.content}".strip()


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wecom_adapter, "TAKE_AGAIN", (0.0, 0.01))


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("chatid", [None, GROUP], ids=["direct", "group"])
def test_nothing_is_done_by_the_connection_for_whom_wecom_does_not_name(
    connected: StagedBot, chatid: str | None
) -> None:
    userid = f"stranger{len(chatid or '')}"
    connected.corp.add_member(userid, "不明")
    connected.api.fail("batch/openuserid_to_userid", errcode=-1, times=None)
    mark = connected.mark()
    connected.gateway.say(userid, "签到", chatid, encrypted=True)
    (shown,) = connected.corp.wait_for(lambda: connected.shown(chatid or userid, mark))
    assert plain(shown).startswith(SORRY)
    assert connected.recorder.events == []
    connected.api.heal()
    connected.gateway.say(userid, "签到", chatid, encrypted=True)
    assert connected.hear(1).user.id == userid


@pytest.mark.usefixtures("impatient")
def test_a_frame_is_tried_until_it_is_taken(connected: StagedBot) -> None:
    """It comes only once."""
    failures = [OSError("away"), OSError("away")]

    def fails_twice(_event: Any) -> Reply:
        if failures:
            raise failures.pop()
        return reply()

    connected.recorder.answering = fails_twice
    connected.gateway.say("zhangsan", "签到", GROUP)
    assert connected.hear(3).text == "签到"
    assert len({event.key for event in connected.recorder.events}) == 1


def test_odd_frames_are_left_alone(connected: StagedBot) -> None:
    for body in ({}, {"msgid": 7}, {"event": 5}, {"msgtype": "event", "event": {}}):
        connected.gateway.deliver(body, event="event" in body)
    connected.gateway.say("zhangsan", "还在", GROUP)
    assert connected.hear(1).text == "还在"
    assert connected.adapter.trouble() is None


def test_a_group_that_nobody_spoke_in_is_written_to_by_its_robot(connected: StagedBot) -> None:
    """The aibot may not begin; of another group nobody has a robot."""
    other = connected.corp.add_group("二班", ["lisi"]).chatid
    failed = connected.failure(connected.message(said("x"), to=other))
    assert (failed.outcome, failed.why) == ("dead", "93006")
    mark = connected.mark()
    connected.send(connected.message(said("x"), to=other, team=TEAM))
    (shown,) = connected.shown(GROUP, mark)
    assert shown.via == "webhook"


# --- phones that ring


def mention(name: str, user_id: str) -> Any:
    return text("person", person=Mention(person_id=1, name=name, user_id=user_id))


def test_what_rings_goes_by_the_robot(connected: StagedBot) -> None:
    assert connected.adapter.can_ring(TEAM)
    assert connected.adapter.can_ring(" 一 班 ")
    assert not connected.adapter.can_ring("二班")
    mark = connected.mark()
    words = mention("张三", "zhangsan")
    connected.send(connected.message(words, CARD, to=GROUP, team=TEAM, rings=True))
    (shown,) = connected.shown(GROUP, mark)
    assert (shown.via, shown.mentioned) == ("webhook", ("zhangsan",))
    assert plain(shown).startswith("@张三\nQ7 等回复")


def test_what_does_not_ring_goes_by_the_aibot(connected: StagedBot) -> None:
    connected.gateway.say("zhangsan", "hello", GROUP)
    connected.hear(1)
    mark = connected.mark()
    connected.send(connected.message(mention("张三", "zhangsan"), to=GROUP, team=TEAM))
    (shown,) = connected.shown(GROUP, mark)
    assert (shown.via, shown.mentioned) == ("bot", ())


def test_a_robot_that_was_removed(connected: StagedBot) -> None:
    connected.api.fail("webhook/send", errcode=93000)
    message = connected.message(said("x"), to=GROUP, team=TEAM, rings=True)
    failed = connected.failure(message)
    assert (failed.outcome, failed.why) == ("dead", "93000")


# --- an aibot that calls us


@pytest.mark.parametrize("chatid", [None, GROUP], ids=["direct", "group"])
def test_the_response_is_a_stream_that_ends_at_once(callback: Staged, chatid: str | None) -> None:
    told = reply(answer=Answer(words=said("好"), card=CARD))
    callback.recorder.answering = lambda _event: told
    delivery = callback.wecom.say_to_bot("zhangsan", "问", chatid)
    assert delivery.message is not None
    assert callback.adapter.answers_inline(callback.event, told)
    shown = plain(delivery.message)
    assert shown.startswith("好\n**Q7 等回复**")
    call = "Mention @班长 and type:" if chatid else "Type:"
    assert shown.endswith(f"{call} claim Q7")
    assert delivery.message.body["finish"] is True
    # WeCom may ask how it goes on, though it has ended.
    stream = callback.wecom.callbacks.bot_stream("zhangsan", delivery.message.body["id"], chatid)
    assert callback.wecom.send(stream).body == b""


def test_a_repeated_callback_of_the_aibot(callback: Staged) -> None:
    first = callback.wecom.say_to_bot("zhangsan", "签到", GROUP)
    request = first.request
    callback.corp.advance(1)
    again_: Delivery = callback.wecom.send(request)
    assert again_.taken
    one, two = callback.recorder.events
    assert one.key == two.key


def test_what_means_nothing_to_the_aibot_is_taken(callback: Staged) -> None:
    callbacks = callback.wecom.callbacks
    for request in (callbacks.bot_enter_chat("lisi"), callbacks.bot_feedback("lisi")):
        assert callback.wecom.send(request).body == b""
    assert callback.recorder.events == []


def test_a_press_on_a_card_of_an_aibot_that_calls_us(callback: Staged) -> None:
    card = callback.corp.show(
        via="bot",
        kind="person",
        to="lisi",
        msgtype="template_card",
        body={"button_list": [{"text": "认领", "key": '{"command":"claim"}'}]},
        task_id="m9-0123456789abcdef",
    )
    delivery = callback.wecom.press_of_bot("lisi", card, '{"command":"claim"}')
    assert (delivery.statuses, delivery.body) == ([200], b"")
    assert (callback.event.command, callback.event.pressed) == ("claim", 9)
    assert not callback.adapter.answers_inline(callback.event, answer("x"))


def test_groups_without_a_connection_are_written_to_by_their_robots(callback: Staged) -> None:
    mark = callback.mark()
    long = said("好" * 1000)
    handle = callback.send(callback.message(long, CARD, to=GROUP, team=TEAM))
    first, second = callback.shown(GROUP, mark)
    assert {first.via, second.via} == {"webhook"}
    assert "认领 Q7" in plain(second)
    assert handle == ""
    failed = callback.failure(callback.message(said("x"), to=GROUP))
    assert (failed.outcome, failed.why) == ("dead", "no_group_transport")


def test_an_app_alone_has_no_groups(app: Staged) -> None:
    failed = app.failure(app.message(said("x"), to=GROUP))
    assert (failed.outcome, failed.why) == ("dead", "no_group_transport")
    assert not app.adapter.can_ring(TEAM)


# --- an aibot alone


def test_an_aibot_alone_speaks_with_people_too() -> None:
    with staged_with_bot(app=False) as stage:
        stage.gateway.say("ZhangSan", "签到")
        event = stage.hear(1)
        assert (event.user.id, event.user.name) == ("zhangsan", "zhangsan")
        mark = stage.mark()
        stage.send(stage.message(said("好"), CARD))
        (card,) = stage.shown("zhangsan", mark)
        assert (card.via, card.msgtype) == ("bot", "template_card")
        assert stage.adapter.paths == ()
        # Whoever never spoke with it cannot be written to.
        assert stage.failure(stage.message(said("x"), to="lisi")).outcome == "dead"


def test_an_aibot_that_calls_us_alone_reaches_nobody_by_itself() -> None:
    with staged(app=False, bot="callback") as stage:
        assert stage.wecom.say_to_bot("zhangsan", "签到").message is not None
        failed = stage.failure(stage.message(said("x")))
        assert (failed.outcome, failed.why) == ("dead", "no_person_transport")


# --- who is not WeCom


def test_what_wecom_did_not_send_stays_outside(callback: Staged) -> None:
    callbacks, now = callback.wecom.callbacks, int(callback.corp.now())
    refused = {
        401: [
            callbacks.text("zhangsan", "x", token="another"),
            callbacks.text("zhangsan", "x", signature="0" * 40),
            callbacks.text("zhangsan", "x", timestamp=now - 310),
            callbacks.text("zhangsan", "x", timestamp="now"),
            callbacks.text("zhangsan", "x", receive_id="ww0000000000000000"),
            callbacks.bot_text("zhangsan", "x", token="another"),
        ],
        400: [
            callbacks.text("zhangsan", "x", raw_body=b"<xml></xml>"),
            callbacks.text("zhangsan", "x", raw_body=b"\xff\xfe"),
            callbacks.text("zhangsan", "x", raw_plaintext="<xml>"),
            callbacks.text("zhangsan", "x", raw_plaintext="{}"),
            callbacks.text("zhangsan", "x", raw_plaintext="<xml><MsgType>text</MsgType></xml>"),
            callbacks.bot_text("zhangsan", "x", raw_body=b"[]"),
            callbacks.bot_text("zhangsan", "x", raw_plaintext="[]"),
            callbacks.bot_text("zhangsan", "x", raw_plaintext='{"msgtype":"text"}'),
        ],
        413: [callbacks.text("zhangsan", "x", raw_body=b"x" * 20 * 2**20)],
    }
    for status, requests in refused.items():
        for request in requests:
            response = callback.wecom._ask(request, 10.0)
            assert response is None or response.content == b""
            # A body that is far too large may meet a closed door before it is all sent.
            assert response is None or response.status_code == status, request.origin
            assert response is not None or status == 413
    assert callback.recorder.events == []
