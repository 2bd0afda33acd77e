"""Two people act at the same moment: one after the other decides, on both databases."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from threading import Barrier
from typing import TypeVar

import pytest
from sqlalchemy import Engine, select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from bot.commands import Handler, Request, Value
from bot.messages import Chat, Refused, Role, User
from handlers.people import commands, roster, teams
from storage.cipher import Cipher
from storage.tables.people import JoinRequest, Membership, Person
from storage.tables.teams import BoundGroup, Team
from storage.uow import UnitOfWork
from tests.clock import MORNING
from tests.engines import fresh_engine

T = TypeVar("T")

TIMES = 5
TRY_AGAIN = ("40001", "40P01")
_keys = count(1)

Step = tuple[int, Handler, dict[str, int | str | list[int]]]
"""Who (a person's id), what, with which arguments; people by their ids."""


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    engine = fresh_engine(database_url)
    yield engine
    engine.dispose()


def inside(engine: Engine, work: Callable[[UnitOfWork], T]) -> T:
    """Do something in a transaction of its own."""
    with Session(engine) as session, session.begin():
        return work(UnitOfWork(session, Cipher("a secret")))


def newcomer(engine: Engine, *roles: Role, platform: str = "one") -> int:
    """Somebody with these roles in the first team."""

    def make(uow: UnitOfWork) -> int:
        if not uow.teams.all():
            uow.teams.add("班组", "zh_CN", "Asia/Shanghai", MORNING)
        name = f"u{next(_keys)}"
        person = uow.people.meet(platform, User(id=name, name=name), MORNING)
        for role in roles:
            uow.people.grant(person, role, uow.teams.first().id, None, MORNING)
        return person.id

    return inside(engine, make)


def code_of(engine: Engine, who: int) -> str:
    """A code that somebody asked for."""
    return inside(engine, lambda uow: uow.codes.new("link", who, MORNING))


def act(engine: Engine, step: Step, barrier: Barrier, chat: str) -> str:
    """Give a command as dispatch does: again when another transaction was in the way."""
    who, handler, arguments = step
    key = f"event-{next(_keys)}"
    barrier.wait()
    while True:
        try:
            with Session(engine) as session, session.begin():
                uow = UnitOfWork(session, Cipher("a secret"))
                person, team = uow.people.get(who), uow.teams.first()
                given: dict[str, Value] = {
                    name: tuple(uow.people.get(one) for one in value)
                    if isinstance(value, list)
                    else value
                    for name, value in arguments.items()
                }
                account = uow.people.identities(who)
                request = Request(
                    person=person,
                    team=team,
                    roles=uow.people.roles(who, team.id),
                    chat=Chat(kind="group", id=chat)
                    if chat
                    else Chat(kind="direct", id=account[0].user_id),
                    platform=account[0].platform,
                    event_key=key,
                    at=MORNING,
                    now=MORNING,
                    arguments=given,
                )
                answer = handler(request, uow)
        except Refused as refused:
            return f"refused {refused.words.key}"
        except DBAPIError as error:
            if getattr(error.orig, "sqlstate", None) not in TRY_AGAIN:
                raise
        else:
            words = answer.words
            return getattr(words, "key", "done")


def together(engine: Engine, *steps: Step, chat: str = "") -> list[str]:
    """All steps at the same moment; what each came to."""
    barrier = Barrier(len(steps))
    with ThreadPoolExecutor(len(steps)) as pool:
        futures = [pool.submit(act, engine, step, barrier, chat) for step in steps]
        return [one.result(timeout=30) for one in futures]


def test_two_admins_who_remove_each_other_leave_one(engine: Engine) -> None:
    for _ in range(TIMES):
        one, two = newcomer(engine, "admin"), newcomer(engine, "admin")
        results = together(
            engine,
            (one, roster.staff_remove, {"people": [two]}),
            (two, roster.staff_remove, {"people": [one]}),
        )
        assert sorted(result.startswith("refused") for result in results) == [False, True]
        with Session(engine) as session:
            holders = set(
                session.scalars(select(Membership.person_id).where(Membership.role == "admin"))
            )
        assert len(holders & {one, two}) == 1


def test_two_managers_decide_once(engine: Engine) -> None:
    one, two = newcomer(engine, "manager"), newcomer(engine, "manager")
    for number in range(1, TIMES + 1):
        asker = newcomer(engine)
        assert together(engine, (asker, commands.join, {})) == ["people.join_asked"]
        results = together(
            engine,
            (one, commands.approve_join, {"join": number}),
            (two, commands.reject_join, {"join": number}),
        )
        assert sum(result == "refused people.join_decided" for result in results) == 1


def test_the_same_wish_at_once_is_one_request(engine: Engine) -> None:
    newcomer(engine, "manager")
    for _ in range(TIMES):
        asker = newcomer(engine)
        results = together(engine, *[(asker, commands.join, {})] * 4)
        assert sorted(results) == ["people.join_asked"] + ["people.join_waits"] * 3
        with Session(engine) as session:
            wishes = select(JoinRequest).where(JoinRequest.person_id == asker)
            assert len(session.scalars(wishes).all()) == 1


def test_two_teams_of_one_name(engine: Engine) -> None:
    admin = newcomer(engine, "admin")
    for number in range(TIMES):
        step: Step = (admin, teams.new, {"name": f"夜班{number}"})
        results = together(engine, step, step)
        assert sum(result == "refused teams.name_taken" for result in results) == 1
    with Session(engine) as session:
        assert len(session.scalars(select(Team)).all()) == TIMES + 1


def test_one_home_whoever_binds_last(engine: Engine) -> None:
    admin = newcomer(engine, "admin")
    barrier = Barrier(2)
    for number in range(TIMES):
        chats = (f"a{number}", f"b{number}")
        with ThreadPoolExecutor(2) as pool:
            futures = [
                pool.submit(act, engine, (admin, teams.here, {}), barrier, chat) for chat in chats
            ]
            assert all(not one.result(timeout=30).startswith("refused") for one in futures)
        with Session(engine) as session:
            homes = session.scalars(select(BoundGroup).where(BoundGroup.home)).all()
        assert len(homes) == 1
        assert homes[0].chat_id in chats


def test_two_who_link_each_other_are_one_person(engine: Engine) -> None:
    for _ in range(TIMES):
        one, two = newcomer(engine, "worker"), newcomer(engine, "lead", platform="two")
        codes = [code_of(engine, who) for who in (one, two)]
        results = together(
            engine,
            (two, commands.link, {"code": codes[0]}),
            (one, commands.link, {"code": codes[1]}),
        )
        assert results.count("done") == 1, results
        with Session(engine) as session:
            states = [session.get_one(Person, who).state for who in (one, two)]
        assert sorted(states) == ["active", "merged"]
