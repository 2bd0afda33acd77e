"""Guests: who is not on the roster may ask, while the team lets them."""

from __future__ import annotations

from sqlalchemy import func, select

from storage.tables import Query
from tests.town import Town


def asked(town: Town) -> int:
    with town.uow() as uow:
        return uow.session.scalar(select(func.count()).select_from(Query)) or 0


def test_a_guest_asks_follows_up_and_reopens(town: Town) -> None:
    assert "Q1" in town.say("访客", "咨询 图书馆几点开门？", in_group=True)
    town.say("小王", "回复 Q1 八点")
    assert "Q1" in town.say("访客", "回复 Q1 周末呢？")
    assert "Q1" in town.say("访客", "解决 Q1")
    assert "Q1" in town.say("访客", "重开 Q1 周末还没说")


def test_where_guests_are_off_they_read_whom_to_ask(town: Town) -> None:
    town.say("周经理", "team set guests off")
    for in_group in (True, False):
        said = town.say("访客", "咨询 图书馆几点开门？", in_group=in_group)
        assert "周经理" in said
        assert "Q1" not in said
    assert asked(town) == 0
    assert "Q1" in town.say("小王", "咨询 储物柜的钥匙在哪？"), "staff may ask all the same"


def test_guests_may_be_let_in_again(town: Town) -> None:
    town.say("周经理", "team set guests off")
    town.say("访客", "咨询 图书馆几点开门？", in_group=True)
    town.say("周经理", "team set guests on")
    assert "Q1" in town.say("访客", "咨询 图书馆几点开门？", in_group=True)
