"""The people of the town on a second platform, and what the bot lets their accounts do."""

from __future__ import annotations

from itertools import count

from adapters.contract import Adapter
from adapters.sandbox.adapter import SandboxAdapter
from adapters.sandbox.world import PERSONAS
from bot.messages import Chat, Event, User
from bot.words import reader_for
from tests.town import Town

ELSEWHERE = "elsewhere"
ACCOUNTS = {one.name: one.id for one in PERSONAS}
_keys = count(1)


def account_of(town: Town, name: str, platform: str) -> str:
    """Somebody's id on the town's own platform or the other one."""
    return town.account(name) if platform == town.platform else ACCOUNTS[name]


def roles_of(town: Town, name: str, platform: str | None = None) -> set[str]:
    """The roles of whoever owns the account now; on the town's platform unless another is named."""
    platform = platform or town.platform
    with town.uow() as uow:
        person = uow.people.find(platform, account_of(town, name, platform))
        assert person is not None
        return set(uow.people.roles(person.id, uow.teams.first().id))


def elsewhere(town: Town, name: str, words: str) -> str:
    """The same human types on another platform, where the bot does not know them yet."""
    if ELSEWHERE not in town.bot.adapters:
        town.bot.adapters[ELSEWHERE] = _second(town)
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


def _second(town: Town) -> Adapter:
    """Of the second platform nothing is asked but that it takes what is sent."""
    if isinstance(town.adapter, SandboxAdapter):
        return town.adapter
    return SandboxAdapter(town.clock.now, reader_for)


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
