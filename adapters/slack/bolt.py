"""What slack-bolt does for us, behind the guard: challenges, workspaces, and our own messages.

Every payload is claimed by one middleware, the last of the row, so there is no list of listeners
to search and no answer to poll for. Bolt's verification is off: the guard's is stricter (http.py).
What Bolt 1.30 gets wrong on this path, and what is done about it:

- it drops a slash command whose text contains "payload", so it gets a body that is parsed already;
- it asks Slack who we are inside the first request, so an `authorize` of ours answers from memory;
- it reads SLACK_* variables of its own; that `authorize` also keeps its OAuth from deciding;
- a header, X-Slack-Bolt-Lazy-Only, makes it stay silent, so it is given no headers;
- it logs bodies, so its logger speaks of errors only.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any

from slack_bolt.async_app import AsyncApp, AsyncBoltRequest
from slack_bolt.authorization import AuthorizeResult
from slack_bolt.authorization.async_authorize import AsyncAuthorize
from slack_bolt.context.async_context import AsyncBoltContext
from slack_bolt.middleware.async_middleware import AsyncMiddleware
from slack_bolt.response import BoltResponse
from slack_sdk.web.async_client import AsyncWebClient

from adapters.contract import Receive, Rejected
from adapters.slack.api import Identity

Json = dict[str, Any]
Answer = Callable[[Json, datetime, Receive], Awaitable[Json | None]]
"""A payload, when it came in, and whom to tell → the response's body, None for an empty one."""

_RECEIVED_AT, _RECEIVE, _FAILURE = "received_at", "receive", "failure"


def quiet_logger(name: str, level: int = logging.ERROR) -> logging.Logger:
    """A logger for a library that would write down what people say."""
    logger = logging.getLogger(f"{__name__}.{name}")
    logger.setLevel(level)
    return logger


class Bolt:
    """The Bolt application; `dispatch` takes what the guard has let in."""

    def __init__(
        self, client: AsyncWebClient, identity: Callable[[], Identity | None], answer: Answer
    ) -> None:
        self._app = AsyncApp(
            name="banzhang",
            logger=quiet_logger("app"),
            client=client,
            authorize=_OneWorkspace(client.token, identity),
            signing_secret="",
            process_before_response=True,
            request_verification_enabled=False,
            # Bolt judges it by a deprecated token of the environment; to us it means nothing.
            ssl_check_enabled=False,
            ignoring_self_events_enabled=True,
            url_verification_enabled=True,
        )
        self._app.use(_ClaimEverything(answer))

    async def dispatch(self, payload: Json, received_at: datetime, receive: Receive) -> str:
        """The body of the response to a payload; empty, text or a JSON object.

        Raises Rejected (400) where Bolt cannot make sense of it, and whatever `receive` raises.
        """
        context = {_RECEIVED_AT: received_at, _RECEIVE: receive}
        try:
            # The mode in which Bolt takes a body that is parsed already; nothing else hangs on it.
            request = AsyncBoltRequest(body=payload, context=context, mode="socket_mode")
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise Rejected(400, f"an odd payload: {type(error).__name__}") from None
        response = await self._app.async_dispatch(request)
        failure = request.context.get(_FAILURE)
        if isinstance(failure, Exception):
            raise failure
        if response.status != 200:
            raise Rejected(400, "an odd payload")
        return response.body


class _OneWorkspace(AsyncAuthorize):
    """One workspace, one token; who we are as far as it is known by now."""

    def __init__(self, token: str | None, identity: Callable[[], Identity | None]) -> None:
        self._token = token
        self._identity = identity

    async def __call__(
        self,
        *,
        context: AsyncBoltContext,
        enterprise_id: str | None,
        team_id: str | None,
        user_id: str | None,
        actor_enterprise_id: str | None = None,
        actor_team_id: str | None = None,
        actor_user_id: str | None = None,
    ) -> AuthorizeResult:
        identity = self._identity()
        return AuthorizeResult(
            enterprise_id=enterprise_id,
            team_id=team_id,
            bot_token=self._token,
            bot_id=identity.bot_id if identity else None,
            bot_user_id=identity.user_id if identity else None,
        )


class _ClaimEverything(AsyncMiddleware):
    """Answers every payload that Bolt's own middleware has let pass."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer

    async def async_process(
        self,
        *,
        req: AsyncBoltRequest,
        resp: BoltResponse,
        next: Callable[[], Awaitable[BoltResponse]],
    ) -> BoltResponse:
        received_at, receive = req.context[_RECEIVED_AT], req.context[_RECEIVE]
        try:
            body = await self._answer(req.body, received_at, receive)
        except Exception as failure:
            # Bolt would log it and answer 500; whoever called dispatch() decides instead.
            req.context[_FAILURE] = failure
            return BoltResponse(status=500)
        return BoltResponse(status=200, body=body or "")
