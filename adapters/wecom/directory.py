"""Who people are: names and aliases, which callbacks do not tell, and who an encrypted id is.

WeCom is asked once a person and remembered for an hour. A name is only a hint and an event waits
for it a moment at most. An encrypted id is an identity: until it is known whose it is, nothing is
done in its name.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any, Literal

from adapters.contract import DeliveryFailed
from adapters.memory import Memory
from adapters.wecom.api import WecomApi, WecomRefused
from adapters.wecom.errcodes import Kind, kind_of
from adapters.wecom.reading import display_name, may_be_open
from bot.messages import Event, User

log = logging.getLogger(__name__)

# Out of the 5 s in which a callback has to be answered.
LOOKUP_SECONDS = 1.0
STANDING_SECONDS = 3.0
REST_SECONDS = 30.0

# https://developer.work.weixin.qq.com/document/path/96213
UNKNOWN_MEMBER = 60111
DISABLED, LEFT = 2, 5

OUT_OF_SIGHT = frozenset({Kind.FORBIDDEN, Kind.UNREACHABLE})

Standing = Literal["here", "gone", "unknown"]


class Directory:
    """A small memory of user/get and batch/openuserid_to_userid. Without an app nobody is asked."""

    def __init__(self, api: WecomApi | None) -> None:
        self._api = api
        self._people = Memory[User]()
        self._accounts = Memory[str]()
        self._rest_until = 0.0

    async def introduce(self, event: Event) -> Event | None:
        """The event with who it is from and what they are called; None: nobody can tell who."""
        user_id = await self.identify(event.user.id)
        if user_id is None:
            return None
        user = await self._named(User(id=user_id, name=user_id))
        told: dict[str, object] = {"user": user}
        if event.chat.kind == "direct" and event.chat.id != user_id:
            told["chat"] = event.chat.model_copy(update={"id": user_id})
            told["under"] = event.under.replace(f"{event.chat.id}:", f"{user_id}:", 1)
        return event.model_copy(update=told)

    # https://developer.work.weixin.qq.com/document/path/101521
    async def identify(self, user_id: str) -> str | None:
        """Whose id it is; None while WeCom does not tell. Without an app an id stays what it is."""
        if not may_be_open(user_id):
            return user_id
        if self._api is None:
            return user_id
        now = asyncio.get_running_loop().time()
        if self._accounts.is_fresh(user_id, now):
            return self._accounts.get(user_id, user_id)
        try:
            async with asyncio.timeout(LOOKUP_SECONDS * 2):
                told = await self._api.call(
                    "batch/openuserid_to_userid", {"open_userid_list": [user_id]}, quietly=True
                )
        except (TimeoutError, WecomRefused, DeliveryFailed) as error:
            log.warning("WeCom does not tell whose an encrypted id is: %s", type(error).__name__)
            # What was known an hour ago is still true: an id never becomes another's.
            return self._accounts.get(user_id, "") or None
        found = _account_in(told, user_id)
        if found is None:
            log.warning("WeCom tells nothing of an encrypted id that it was asked about")
            return self._accounts.get(user_id, "") or None
        self._accounts.keep(user_id, found)
        return found

    async def _named(self, user: User) -> User:
        now = asyncio.get_running_loop().time()
        if self._api is not None and not self._people.is_fresh(user.id, now):
            await self._look_up(self._api, user, now)
        return self._people.get(user.id, user)

    # https://developer.work.weixin.qq.com/document/path/96213
    async def _look_up(self, api: WecomApi, user: User, now: float) -> None:
        if now < self._rest_until or api.trouble is not None:
            return
        try:
            async with asyncio.timeout(LOOKUP_SECONDS):
                told = await api.call("user/get", query={"userid": user.id}, quietly=True)
        except WecomRefused:
            told = {}  # outside of the app's visible range: then they have no name here
        except (TimeoutError, DeliveryFailed) as error:
            log.info("WeCom does not tell who people are: %s", type(error).__name__)
            self._rest_until = now + REST_SECONDS
            return
        name, alias = display_name(told.get("name")), display_name(told.get("alias"))
        self._people.keep(user.id, User(id=user.id, name=name or user.id, alias=alias))

    async def standing(self, user_id: str) -> Standing:
        """Whether an account is still there: much hangs on it, so only a clear answer counts."""
        if self._api is None:
            return "unknown"
        self._people.forget(user_id)
        try:
            async with asyncio.timeout(STANDING_SECONDS):
                told = await self._api.call("user/get", query={"userid": user_id}, quietly=True)
        except WecomRefused as refused:
            if refused.code == UNKNOWN_MEMBER:
                return "gone"
            # Out of the app's sight, they may well work on.
            return "here" if kind_of(refused.code) in OUT_OF_SIGHT else "unknown"
        except (TimeoutError, DeliveryFailed):
            return "unknown"
        return "gone" if told.get("status") in (DISABLED, LEFT) else "here"


def _account_in(told: dict[str, Any], user_id: str) -> str | None:
    """What is no encrypted id after all comes back as invalid: then it is a plain one."""
    listed, invalid = told.get("userid_list"), told.get("invalid_open_userid_list")
    for one in listed if isinstance(listed, list) else ():
        if isinstance(one, dict) and one.get("open_userid") == user_id:
            plain = one.get("userid")
            if isinstance(plain, str) and plain:
                return plain.lower()
    return user_id.lower() if isinstance(invalid, list) and user_id in invalid else None
