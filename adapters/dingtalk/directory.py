"""Who people are: what those are called whom a message mentions, and whether somebody is still
there.

A message says what its sender is called, and only the ids of those it mentions. DingTalk is asked
once a person, at no charge, and remembered for an hour. A name is only a hint: an event waits for
it a moment at most, and where the app may not read names, people are known by their ids.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Iterable, Sequence
from typing import Literal

from adapters.contract import DeliveryFailed
from adapters.dingtalk.api import DingtalkApi, DingtalkRefused
from adapters.dingtalk.errcodes import Kind, kind_of
from adapters.dingtalk.reading import display_name
from adapters.memory import Memory
from bot.messages import Event, User, mention_mark

log = logging.getLogger(__name__)

# https://open.dingtalk.com/document/orgapp/query-user-details
USER_GET = "/topapi/v2/user/get"

# A card's press has to be acknowledged within 2 s, and names nobody but who pressed.
LOOKUP_SECONDS = 1.0
STANDING_SECONDS = 3.0
REST_SECONDS = 30.0
# It is a person who gives the app a permission.
REFUSED_REST_SECONDS = 300.0
# What DingTalk could not say in this second it says in the next but one.
BUSY_REST_SECONDS = 2.0
# user/get may be called 20 times a second; who is mentioned after so many rounds is one of a crowd.
AT_ONCE, ROUNDS = 10, 5

# https://open.dingtalk.com/document/orgapp/server-api-error-codes: no such user. The page of
# user/get names 60121 alone; that it says the other two of somebody who left is unverified.
NOBODY = frozenset({"60121", "33012", "40003"})
# There, and not among those whom the app may look at.
OUT_OF_SIGHT = "50002"

Standing = Literal["here", "gone", "unknown"]


class Directory:
    """A small memory of user/get, and of what messages say of their senders."""

    def __init__(self, api: DingtalkApi) -> None:
        """`api` is opened and closed by whoever owns it."""
        self._api = api
        self._people = Memory[User]()
        self._rest_until = 0.0

    def remember(self, user: User) -> None:
        """Somebody wrote, and so said what they are called: others may mention them."""
        if user.name and user.name != user.id:
            self._people.keep(user.id, User(id=user.id, name=user.name))

    async def introduce(self, event: Event) -> Event:
        """The event, complete: with what the people in it are called, and with their marks in its
        text where their names had stayed in it. Takes a second at most for each ten of them, and
        never fails.
        """
        if event.trusted:
            self.remember(event.user)
        # A card's press says only whose it was.
        unnamed = [event.user] if event.user.name == event.user.id else []
        await self._ask(user.id for user in (*unnamed, *event.mentions))
        mentions = tuple(map(self._named, event.mentions))
        told: dict[str, object] = {
            "user": self._named(event.user) if unnamed else event.user,
            "mentions": mentions,
            "text": _marked(event.text, mentions),
            "complete": True,
        }
        return event.model_copy(update=told)

    def _named(self, user: User) -> User:
        return self._people.get(user.id, user)

    async def _ask(self, user_ids: Iterable[str]) -> None:
        now = asyncio.get_running_loop().time()
        missing = [one for one in dict.fromkeys(user_ids) if not self._people.is_fresh(one, now)]
        if not missing or now < self._rest_until or self._api.trouble is not None:
            return
        for first in range(0, min(len(missing), AT_ONCE * ROUNDS), AT_ONCE):
            rest = await self._ask_at_once(missing[first : first + AT_ONCE])
            if rest > 0:
                self._rest_until = asyncio.get_running_loop().time() + rest
                return

    async def _ask_at_once(self, user_ids: Sequence[str]) -> float:
        """For how many seconds nobody need be asked about now."""
        try:
            async with asyncio.timeout(LOOKUP_SECONDS):
                return max(await asyncio.gather(*map(self._look_up, user_ids)))
        except TimeoutError:
            log.info("DingTalk is slow to tell who people are")
            return REST_SECONDS

    async def _look_up(self, user_id: str) -> float:
        """Ask about one of them; for how many seconds nobody need be asked about now."""
        try:
            told = await self._api.ask_old(USER_GET, {"userid": user_id})
        except DingtalkRefused as refused:
            if refused.code not in NOBODY and refused.code != OUT_OF_SIGHT:
                log.info("DingTalk does not tell who people are: %s", refused.code)
                is_busy = kind_of(refused.code) in (Kind.RATE, Kind.RETRY)
                return BUSY_REST_SECONDS if is_busy else REFUSED_REST_SECONDS
            told = {}
        except DeliveryFailed as failed:
            log.info("DingTalk does not tell who people are: %s", failed.outcome)
            return REST_SECONDS
        found = told.get("result")
        name = display_name(found.get("name")) if isinstance(found, dict) else ""
        self._people.keep(user_id, User(id=user_id, name=name or user_id))
        return 0.0

    async def standing(self, user_id: str) -> Standing:
        """Whether an account is still there: much hangs on it, so only a clear answer counts."""
        self._people.forget(user_id)
        try:
            async with asyncio.timeout(STANDING_SECONDS):
                told = await self._api.ask_old(USER_GET, {"userid": user_id})
        except DingtalkRefused as refused:
            if refused.code in NOBODY:
                return "gone"
            # Out of the app's sight, they may well work on.
            return "here" if refused.code == OUT_OF_SIGHT else "unknown"
        except (TimeoutError, DeliveryFailed):
            return "unknown"
        return "here" if isinstance(told.get("result"), dict) else "unknown"


def _marked(typed: str, mentions: Sequence[User]) -> str:
    """The text with a mark for every "@name" in it. A long name goes before one that it begins
    with; of people with one name each has a place of their own, in order, and the last keeps the
    rest.
    """
    places: dict[str, list[int]] = {}
    for index, user in enumerate(mentions):
        places.setdefault(user.name, []).append(index)
    if "@" not in typed or not places:
        return typed

    def mark(found: re.Match[str]) -> str:
        indexes = places[found[1]]
        return mention_mark(indexes.pop(0) if len(indexes) > 1 else indexes[0])

    names = sorted(places, key=len, reverse=True)
    return re.sub(f"@({'|'.join(map(re.escape, names))})", mark, typed)
