"""The router: who may give which command where, and answers asked for line by line."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta

import pytest

from bot.commands import Argument, Command, Request
from bot.messages import Answer, Event, Role, User, mention_mark, text, without_marks
from storage.uow import UnitOfWork
from tests.clock import MORNING
from tests.engines import fresh_engine
from tests.small import Small, event
from tests.test_dispatch import read

GUESTS: frozenset[Role] = frozenset(("guest", "worker", "manager", "admin"))
WORKERS: frozenset[Role] = frozenset(("worker", "manager"))
MANAGERS: frozenset[Role] = frozenset(("manager", "admin"))


def where(request: Request, _uow: UnitOfWork) -> Answer:
    """Says for which team it was understood, and with which roles."""
    team = request.team.name if request.team else "no team"
    return Answer(words=text("said", words=f"{team}: {' '.join(sorted(request.roles))}"))


def whom(request: Request, _uow: UnitOfWork) -> Answer:
    """Says who is meant, and what was asked for them."""
    names = "+".join(person.name for person in request.people("asker"))
    return Answer(words=text("said", words=f"{names}: {request.words('question')}"))


TABLE = (
    Command("checkin", WORKERS, where),
    Command("queries", GUESTS, where),
    Command("team_set", MANAGERS, where),
    Command("retry", MANAGERS, where, needs_team=False),
    Command("link", GUESTS, where, direct_only=True, private=True, needs_team=False),
    Command("ask_for", GUESTS, whom, (Argument("asker", "people"), Argument("question", "words"))),
)


@pytest.fixture
def small(sqlite_url: str) -> Iterator[Small]:
    """Two teams, each with a group of its own; Wang works in one and manages the other."""
    one = Small(fresh_engine(sqlite_url), TABLE)
    with one.uow() as uow:
        first, second = uow.teams.first(), uow.teams.add("Night", "en", "Asia/Shanghai", MORNING)
        uow.teams.bind(first, "postbox", "G1", "day", MORNING)
        uow.teams.bind(second, "postbox", "G2", "night", MORNING)
        roles: Sequence[tuple[str, Role, int | None]] = (
            ("Wang", "worker", first.id),
            ("Wang", "manager", second.id),
            ("Lin", "worker", first.id),
            ("Zhou", "admin", None),
        )
        for name, role, team_id in roles:
            person = uow.people.meet("postbox", User(id=name, name=name), MORNING)
            uow.people.grant(person, role, team_id, None, MORNING)
    yield one
    one.close()


@pytest.mark.parametrize(
    ("name", "chat", "words", "answer"),
    [
        # A bound group decides the team, and with it the roles.
        ("Wang", "G1", "checkin", "Team: worker"),
        ("Wang", "G2", "checkin", "Night: manager"),
        ("Wang", "G1", "team set", "manager / admin"),
        ("Lin", "G2", "checkin", "send me: join"),
        ("Zhou", "G2", "team set", "Night: admin"),
        # In a direct message: the only team one is in; of two, one has to choose.
        ("Lin", None, "checkin", "Team: worker"),
        ("Wang", None, "checkin", "team use"),
        # A group that belongs to no team is nobody's, however many roles one has elsewhere.
        ("Wang", "G9", "checkin", "team use"),
        ("Lin", "G9", "team set", "manager / admin"),
        # Guests: in a team's group, nowhere else.
        ("Guest", "G1", "queries", "Team: guest"),
        ("Guest", "G1", "checkin", "send me: join"),
        ("Guest", "G9", "queries", "send me: join"),
        ("Guest", None, "queries", "send me: join"),
        # A command about a thing asks for the role in any team; the thing's team is asked later.
        ("Wang", "G1", "retry", "Team: worker"),
        ("Lin", "G1", "retry", "manager / admin"),
        ("Guest", "G1", "retry", "send me: join"),
        ("Lin", "G1", "link", "direct message"),
        ("Guest", "G1", "link", "direct message"),
    ],
)
async def test_who_may_do_what_where(
    small: Small, name: str, chat: str | None, words: str, answer: str
) -> None:
    said = event(words, key="a", user=name, chat=chat)
    reply = read(await small.dispatch.receive(said))
    await small.delivery.drain()
    everything = [reply, *(words for _address, words in small.postbox.taken)]
    assert any(answer in one for one in everything), everything


async def test_a_chosen_team_counts_only_while_one_is_in_it(small: Small) -> None:
    with small.uow() as uow:
        wang, lin = (uow.people.find("postbox", name) for name in ("Wang", "Lin"))
        night = uow.teams.named("Night")
        assert wang is not None
        assert lin is not None
        assert night is not None
        wang.chosen_team_id = lin.chosen_team_id = night.id
    answer = await small.dispatch.receive(event("checkin", key="a", user="Wang"))
    assert read(answer) == "Night: manager"
    answer = await small.dispatch.receive(event("checkin", key="b", user="Lin"))
    assert read(answer) == "Team: worker"


async def test_an_admin_of_no_team_chooses_any(small: Small) -> None:
    with small.uow() as uow:
        zhou, night = uow.people.find("postbox", "Zhou"), uow.teams.named("Night")
        assert zhou is not None
        assert night is not None
        zhou.chosen_team_id = night.id
    answer = await small.dispatch.receive(event("team set", key="a", user="Zhou"))
    assert read(answer) == "Night: admin"


# --- question by question -------------------------------------------------------------------------


def line(words: str, key: str, *mentioned: str, minutes: int = 0) -> Event:
    """Lin says it directly; structured mentions come along."""
    users = tuple(User(id=name, name=name) for name in mentioned)
    said = event(words, key=key, user="Lin", at=MORNING + timedelta(minutes=minutes))
    return said.model_copy(update={"mentions": users})


async def test_a_mention_is_remembered_while_the_rest_is_asked_for(small: Small) -> None:
    asked = read(await small.dispatch.receive(line("ask for", "a")))
    assert "cancel" in asked
    await small.dispatch.receive(line(mention_mark(0), "b", "Wang"))
    said = line(f"where is {mention_mark(0)}?", "c", "Zhou")
    assert read(await small.dispatch.receive(said)) == "Wang: where is @Zhou?"


async def test_a_mention_without_a_place_is_remembered_too(small: Small) -> None:
    await small.dispatch.receive(line("ask for", "a"))
    await small.dispatch.receive(line("", "b", "Wang"))
    assert read(await small.dispatch.receive(line("why?", "c", "Zhou"))) == "Wang: why?"


def test_nobody_can_type_a_remembered_person() -> None:
    assert without_marks("\ue000p1\ue001") == "p1"


async def test_cancelling_ends_it(small: Small) -> None:
    await small.dispatch.receive(line("ask for", "a"))
    assert "Cancelled" in read(await small.dispatch.receive(line("取消", "b")))
    assert "nothing to cancel" in read(await small.dispatch.receive(line("cancel", "c")))


async def test_a_question_left_open_is_forgotten(small: Small) -> None:
    await small.dispatch.receive(line("ask for", "a"))
    answer = read(await small.dispatch.receive(line("checkin", "b", minutes=16)))
    assert answer == "Team: worker"


async def test_whoever_lost_the_role_meanwhile_is_refused(small: Small) -> None:
    await small.dispatch.receive(line("ask for", "a"))
    await small.dispatch.receive(line(mention_mark(0), "b", "Wang"))
    with small.uow() as uow:
        lin = uow.people.find("postbox", "Lin")
        assert lin is not None
        uow.people.revoke(lin.id, uow.teams.first().id)
    assert "send me: join" in read(await small.dispatch.receive(line("why?", "c")))
