"""Messages that could not be delivered: somebody is told, and may send them again."""

from __future__ import annotations

from collections.abc import Callable

from adapters.contract import DeliveryFailed
from bot.messages import Send, ToPerson, text
from storage.cipher import Cipher
from storage.tables.queues import outbox
from tests.town import ROSTER, Town

GONE = DeliveryFailed("dead", "channel_not_found")
BECAUSE = {"slack": "频道不存在"}
"""How a platform's word is told; where the catalogues do not know it, as it stands."""


def doubt() -> DeliveryFailed:
    """Nobody knows whether it was taken."""
    return DeliveryFailed("unknown", "the line died", after=1)


def lose(town: Town, name: str = "小王", *failures: DeliveryFailed) -> None:
    """A message to somebody that the platform does not take."""
    town.fail_next(*(failures or (GONE,)))
    send(town, name)
    for _ in failures or (GONE,):
        town.wait(minutes=1)


def send(town: Town, name: str) -> None:
    """A message to somebody, on its way."""
    with town.uow() as uow:
        to = ToPerson(person_id=town.person_id(name))
        sent = Send(to=to, key=f"lost/{name}", words=text("said", words="请看排班"))
        assert uow.outbox.put(sent, town.now)
    town.run(town.bot.delivery.drain())


def test_the_manager_is_told_and_sends_it_again(town: Town) -> None:
    lose(town)
    told = "\n".join(town.reads("周经理"))
    assert "M1" in told
    assert BECAUSE.get(town.platform, GONE.why) in told
    assert town.reads("小王") == []
    assert "M1" in town.press("周经理", "retry", on="M1")
    assert town.reads("小王") == ["请看排班"]
    assert not town.reads("周经理")[1:], "nothing more is said about it"


def test_sending_again_by_typing(town: Town) -> None:
    lose(town)
    assert "M1" in town.say("周经理", "重发 M1")
    assert town.reads("小王") == ["请看排班"]
    again = town.say("周经理", "重发 M1")
    assert "M1" in again
    assert town.reads("小王") == []
    assert "M99" in town.say("周经理", "重发 M99")


def test_only_managers_and_admins_send_again(town: Town) -> None:
    lose(town)
    assert "M1" not in town.say("小王", "重发 M1")
    assert "M1" not in town.say("李组长", "重发 M1")
    assert "M1" not in town.say("访客", "重发 M1")
    assert town.reads("小王")[-1:] != ["请看排班"]


def test_a_second_death_is_told_again(town: Town) -> None:
    lose(town)
    town.reads("周经理")
    town.fail_next(GONE)
    town.say("周经理", "重发 M1")
    town.wait(minutes=1)
    assert "M1" in "\n".join(town.reads("周经理"))


def test_a_doubtful_message_is_told_as_such_unless_one_can_look(town: Town) -> None:
    lose(town, "小王", doubt(), doubt(), doubt())
    told = "\n".join(town.reads("周经理"))
    if town.platform == "slack":  # there it is looked for, and said as it was not there
        town.wait(minutes=1)
        assert town.reads("小王") == ["请看排班"]
        assert told == ""
    else:
        assert "M1" in told
        assert "the line died" in told


def test_whoever_is_out_of_reach_is_not_told_of_it_others_are(
    make_town: Callable[..., Town],
) -> None:
    town = make_town(roster={**ROSTER, "周经理": ("manager",), "小陈": ("worker", "admin")})
    lose(town, "周经理")
    assert town.reads("周经理") == []
    assert "M1" in "\n".join(town.reads("小陈"))


def test_a_message_about_a_lost_message_is_not_followed_by_another(town: Town) -> None:
    lose(town, "小王", GONE, GONE)
    town.wait(days=2)
    with town.uow() as uow:
        assert uow.outbox.count("dead") == 2
    assert not [words for words in town.reads("周经理") if "M2" in words]


def test_somebody_without_an_account_is_told_of_too(town: Town) -> None:
    with town.uow() as uow:
        uow.people.unreachable(town.platform, town.account("小王"))
    send(town, "小王")
    town.wait(minutes=1)
    assert "M1" in "\n".join(town.reads("周经理"))
    assert "M1" in town.say("周经理", "重发 M1")


def test_words_that_cannot_be_read_any_more_are_told_of(town: Town) -> None:
    with town.uow() as uow:
        to = ToPerson(person_id=town.person_id("小王"))
        uow.outbox.put(Send(to=to, key="k", words=text("said", words="早")), town.now)
        uow.session.execute(outbox.update().values(body=Cipher("another").seal("{}")))
    town.wait(minutes=1)
    assert "M1" in "\n".join(town.reads("周经理"))
