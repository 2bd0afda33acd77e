"""Who is on the roster of a database before the bot starts on it, and what waits for them there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from sqlalchemy.orm import Session

from bot.messages import Address, Send, User, text
from storage.cipher import Cipher
from storage.engine import make_engine
from storage.uow import UnitOfWork
from tests.platforms.dingtalk_model import Org
from tests.platforms.wecom_model import Corp
from tests.processes import running

WAIT = 120.0


def hire(url: str, platform: str, users: int, secret: str) -> None:
    """Put everybody who will check in on the roster of a first team."""
    with running(["bot", "migrate"], {"BANZHANG_DATABASE_URL": url}) as migrated:
        migrated.wait(30)
    now = datetime.now(UTC)
    letter = "U" if platform == "slack" else "u"
    with _work(url, secret) as uow:
        team = uow.teams.add("Bench", "en", "Asia/Shanghai", now)
        for number in range(users):
            user = User(id=f"{letter}{number}", name=f"user{number}")
            uow.people.grant(uow.people.meet(platform, user, now), "worker", team.id, None, now)


def tell_all(url: str, platform: str, people: int, secret: str) -> None:
    """The same words wait for so many people, each in the chat with the bot."""
    now, words = datetime.now(UTC), text("said", words="明天九点开会，请准时参加。")
    with _work(url, secret) as uow:
        for number in range(people):
            to = Address(platform=platform, kind="person", id=f"u{number}")
            uow.outbox.put(Send(to=to, key=f"all/{number}", words=words), now)


def told(platform: Org | Corp, people: int) -> float:
    """Seconds from the first of them who reads it to the last."""
    platform.wait_for(lambda: len(platform.timeline) >= people, WAIT)
    return platform.timeline[-1].at - platform.timeline[0].at


@contextmanager
def _work(url: str, secret: str) -> Iterator[UnitOfWork]:
    engine = make_engine(url)
    with Session(engine) as session, session.begin():
        yield UnitOfWork(session, Cipher(secret))
    engine.dispose()
