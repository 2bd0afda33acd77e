"""The people of the town on a second platform, and what the bot lets their accounts do."""

from __future__ import annotations

from itertools import count

from adapters.sandbox.world import PERSONAS
from bot.messages import Chat, Event, User
from bot.words import reader_for
from tests.town import Town

ELSEWHERE = "elsewhere"
ACCOUNTS = {one.name: one.id for one in PERSONAS}
_keys = count(1)


def roles_of(town: Town, name: str, platform: str = "sandbox") -> set[str]:
    """The roles of whoever owns the account now."""
    with town.uow() as uow:
        person = uow.people.find(platform, ACCOUNTS[name])
        assert person is not None
        return set(uow.people.roles(person.id, uow.teams.first().id))


def elsewhere(town: Town, name: str, words: str) -> str:
    """The same human types on another platform, where the bot does not know them yet."""
    town.bot.adapters.setdefault(ELSEWHERE, town.adapter)
    account = ACCOUNTS[name]
    event = Event(
        platform=ELSEWHERE,
        key=f"event-{next(_keys)}",
        kind="text",
        user=User(id=account, name=name),
        chat=Chat(kind="direct", id=account),
        text=words,
        at=town.now,
        received_at=town.now,
    )
    reply = town.run(town.bot.dispatch.receive(event))
    assert reply is not None
    town.run(town.bot.delivery.drain())
    if reply.answer is None or reply.answer.words is None:
        return ""
    return reader_for(reply.locale, reply.zone, reply.at).plain(reply.answer.words)


def code_in(answer: str) -> str:
    """The code in an answer to `link`."""
    words = [word for word in answer.replace("：", " ").split() if word.isascii()]
    return next(word for word in words if len(word) == 8 and word.isupper())


def introduce(town: Town, name: str) -> None:
    """They have spoken once: where mentions are mere text, nobody can be named before that."""
    town.say(name, "帮助")
    town.reads(name)


def make_manager(town: Town, name: str) -> None:
    """A manager who is no admin."""
    town.say("周经理", f"人员 添加 @{name} 经理")
    town.reads(name)
