"""The stand-in's HTTP API: who may call what, what goes wrong on demand, and every call noted.

    api = Api(org)
    api.answer("POST", "/v1.0/oauth2/accessToken", {"appKey": …, "appSecret": …})  # as a function
    httpx.AsyncClient(transport=httpx.ASGITransport(api.application()))  # the same in process
    with served(api.application()) as origin: …                          # the same over HTTP

    api.fail("/v1.0/robot/oToMessages/batchSend", "drop_after")  # it is done, then the line breaks
    api.fail("*", code="Forbidden.AccessDenied.QpsLimitForAppkeyAndApi", times=2)

The old API (oapi.dingtalk.com) and the new one (api.dingtalk.com) are one place here.
https://open.dingtalk.com/document/orgapp/obtain-the-access_token-of-an-internal-app (the token)
https://open.dingtalk.com/document/orgapp/invocation-frequency-limit (the limits)
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, Unpack

from starlette.applications import Starlette

from tests.platforms.answering import Answer
from tests.platforms.dingtalk_cards import Cards
from tests.platforms.dingtalk_faults import (
    Fault,
    How,
    LineBroken,
    Partly,
    Planned,
    planned_fault,
)
from tests.platforms.dingtalk_gateway import CARD, Gateway, OpenRefused
from tests.platforms.dingtalk_http import HttpApi
from tests.platforms.dingtalk_limits import Limits
from tests.platforms.dingtalk_model import Json, Org
from tests.platforms.dingtalk_refusals import BAD_SECRET, BAD_TOKEN, OldRefusal, Refusal
from tests.platforms.dingtalk_robots import RobotMessages
from tests.platforms.dingtalk_webhooks import Webhooks
from tests.platforms.noted import NotedCalls

SECRETS = frozenset(("session", "access_token", "sign", "appSecret", "clientSecret"))

ACCESS_TOKEN = "/v1.0/oauth2/accessToken"
TO_PEOPLE = "/v1.0/robot/oToMessages/batchSend"
TO_GROUP = "/v1.0/robot/groupMessages/send"
CARDS = "/v1.0/card/instances"
DELIVER = "/v1.0/card/instances/deliver"
CREATE_AND_DELIVER = "/v1.0/card/instances/createAndDeliver"
OPEN = "/v1.0/gateway/connections/open"
SESSION = "/robot/sendBySession"
ROBOT = "/robot/send"
USER = "/topapi/v2/user/get"

Handler = Callable[[Json, Json, Partly], Json]


@dataclass
class Call:
    """One request as it arrived, without the secrets in it."""

    method: str
    path: str  # "/v1.0/robot/oToMessages/batchSend"
    query: dict[str, str]
    body: Json
    at: float
    status: int = 0  # of the answer; 0: there was none


@dataclass(frozen=True)
class Entry:
    """A call of the API: who may ask, and what it does."""

    handler: Handler
    token: Literal["header", "query"] | None = "header"
    is_metered: bool = False


class Api(NotedCalls[Call, Fault]):
    token_path, token_letters = ACCESS_TOKEN, 32

    def __init__(self, org: Org, gateway: Gateway | None = None) -> None:
        super().__init__(org)
        self.org = org
        self.gateway = gateway
        self.robots = RobotMessages(org)
        self.webhooks = Webhooks(org)
        self.cards = Cards(org)
        self.limits = Limits(org)
        self.entries = self._entries()
        self.cards.is_pressed = self._is_pressed

    # ---- for tests

    @property
    def metered(self) -> int:
        """How many calls counted this month."""
        return self.limits.used

    @property
    def quota(self) -> int:
        """How many calls the organisation has a month."""
        return self.limits.quota

    @quota.setter
    def quota(self, calls: int) -> None:
        self.limits.quota = calls

    def enforce_pace(self, wanted: bool) -> None:
        """Off where the clock stands still: there a second never passes."""
        self.limits.enforces_pace = self.webhooks.enforces_pace = wanted

    def expire_tokens(self) -> None:
        """DingTalk ends every token early."""
        with self.org.changed:
            self._tokens.clear()

    def fail(
        self,
        path: str = "*",
        how: How | None = None,
        *,
        times: int | None = 1,
        **planned: Unpack[Planned],
    ) -> None:
        """The next `times` calls of this path go wrong; None: all of them until heal().

        "drop": nothing is done and the line breaks. "drop_after": it is done and the line breaks.
        `slow`: it is done and answered so many seconds later. `code` (of the new API) or `errcode`
        (of the old): it is refused as such, with another `status` if one is given. `status` with
        `body`, or `body` alone with status 200: nothing is done. `invalid`, `flow_controlled`,
        `filtered`: it is done, but not for these staff ids; `undelivered`: a card is created, and
        does not arrive for this reason.
        """
        self._faults.add(planned_fault(path, how, times, planned))

    # ---- answering

    def application(self) -> Starlette:
        return HttpApi(self)

    def answer(
        self, method: str, path: str, body: Any = None, *, token: str | None = None, **query: str
    ) -> tuple[int, Json]:
        """Status and JSON; raises LineBroken where no answer comes, ValueError for no JSON."""
        sent = body if isinstance(body, bytes) else json.dumps(body).encode()
        answer = self.handle(method, path, sent, query=query, token=token)
        if answer.lost:
            raise LineBroken
        found: Json = json.loads(answer.body)
        return answer.status, found

    def handle(
        self,
        method: str,
        path: str,
        body: bytes,
        *,
        query: dict[str, str],
        token: str | None = None,
        content_type: str = "application/json",
    ) -> Answer:
        """Raises LineBroken where nothing was done and no answer comes."""
        sent = _parsed(body, content_type)
        call = self._note(method, path, query, sent)
        self.watch(call)
        fault = self._faults.next(path)
        if fault is not None and fault.how == "drop":
            raise LineBroken
        answer = self._refused_by(fault, path) if fault is not None else None
        if answer is None:
            partly = fault.partly if fault is not None else Partly()
            answer = self._act(method, path, query, sent, token, partly)
        call.status = answer.status
        if fault is None:
            return answer
        late = fault.slow or answer.late
        return Answer(answer.status, answer.body, late, fault.how == "drop_after")

    def _refused_by(self, fault: Fault, path: str) -> Answer | None:
        """What the fault says instead of the API, None when the API has its say."""
        if fault.code is not None:
            refusal: Refusal | OldRefusal = Refusal(fault.code, status=fault.status or 0)
            return self._no(refusal, path)
        if fault.errcode is not None:
            return self._no(OldRefusal(fault.errcode), path)
        if fault.status is not None or fault.body is not None:
            said = b"<html>Bad Gateway</html>" if fault.body is None else fault.body
            return Answer(fault.status or 200, said)
        return None

    def _act(
        self,
        method: str,
        path: str,
        query: dict[str, str],
        body: Any,
        token: str | None,
        partly: Partly,
    ) -> Answer:
        try:
            with self.org.changed:
                entry = self.entries.get((method, path))
                if entry is None:
                    raise Refusal("InvalidAction.NotFound")
                self._admit(path, entry, query, token)
                if not isinstance(body, dict):
                    raise OldRefusal(43004) if _is_old(path) else Refusal("Missingbody")
                said = entry.handler(query, body, partly)
        except (Refusal, OldRefusal) as refusal:
            return self._no(refusal, path)
        except OpenRefused as refusal:
            text = refusal.body if isinstance(refusal.body, str) else json.dumps(refusal.body)
            return Answer(refusal.status, text.encode(), self._stall(path))
        whole = {"errcode": 0, "errmsg": "ok"} | said if _is_old(path) else said
        return Answer(200, json.dumps(whole, ensure_ascii=False).encode(), self._stall(path))

    def _no(self, refusal: Refusal | OldRefusal, path: str) -> Answer:
        request_id = self.org.new_id("", 32).upper()
        if isinstance(refusal, OldRefusal):
            status, body = refusal.answer(
                request_id, of_gate=refusal.errcode in (40014, 60011, 90018)
            )
        else:
            status, body = refusal.answer(request_id)
        return Answer(status, json.dumps(body, ensure_ascii=False).encode())

    def _stall(self, path: str) -> float:
        return self.gateway.stall if self.gateway is not None and path == OPEN else 0.0

    def _note(self, method: str, path: str, query: dict[str, str], body: Any) -> Call:
        kept = {name: value for name, value in query.items() if name not in SECRETS}
        shown = body if isinstance(body, dict) else {"not JSON": repr(body)[:200]}
        shown = {name: value for name, value in shown.items() if name not in SECRETS}
        return self._noted(Call(method, path, kept, shown, self.org.now()))

    # ---- who may

    def _admit(self, path: str, entry: Entry, query: dict[str, str], token: str | None) -> None:
        if entry.token == "query":
            token = query.get("access_token")
        if entry.token is not None and self.org.now() >= self._tokens.get(token or "", 0.0):
            raise OldRefusal(40014) if _is_old(path) else Refusal(BAD_TOKEN)
        if path not in (SESSION, ROBOT):
            self.limits.take_turn(path, is_old=_is_old(path))
        if entry.is_metered:
            self.limits.count()

    def _get_token(self, query: Json, body: Json, partly: Partly) -> Json:
        """The same one while it is good, as DingTalk does."""
        asked = (body.get("appKey"), body.get("appSecret"))
        if asked != (self.org.client_id, self.org.client_secret):
            raise Refusal(BAD_SECRET)
        token, lasts = self._granted()
        return {"accessToken": token, "expireIn": lasts}

    # ---- what there is

    def _entries(self) -> dict[tuple[str, str], Entry]:
        robots, cards, hooks = self.robots, self.cards, self.webhooks
        return {
            ("POST", ACCESS_TOKEN): Entry(self._get_token, token=None),
            ("POST", OPEN): Entry(self._open, token=None),
            ("POST", TO_PEOPLE): _metered(robots.to_people),
            ("POST", TO_GROUP): _metered(robots.to_group),
            ("POST", CREATE_AND_DELIVER): _metered(cards.create_and_deliver),
            ("POST", CARDS): _metered(cards.create),
            ("POST", DELIVER): _metered(cards.deliver),
            ("PUT", CARDS): _metered(cards.update),
            ("POST", SESSION): Entry(lambda query, body, _: hooks.by_session(query, body), None),
            ("POST", ROBOT): Entry(lambda query, body, _: hooks.by_robot(query, body), None),
            ("POST", USER): Entry(self._get_user, token="query"),
        }

    def _open(self, query: Json, body: Json, partly: Partly) -> Json:
        if self.gateway is None:
            raise Refusal("authFailed")
        return self.gateway.open(body)

    def _is_pressed(self, out_track_id: str) -> bool:
        """Whether DingTalk waits for the bot's answer to a press on this card."""
        pushes = self.gateway.pushes if self.gateway is not None else []
        waiting = [json.loads(one.data) for one in pushes if one.topic == CARD and not one.acks]
        return any(data.get("outTrackId") == out_track_id for data in waiting)

    def _get_user(self, query: Json, body: Json, partly: Partly) -> Json:
        """https://open.dingtalk.com/document/orgapp/query-user-details"""
        userid = body.get("userid")
        if not userid:
            raise OldRefusal(40035, "缺少参数 userid")
        member = self.org.members.get(userid)
        if member is None:
            raise OldRefusal(60121)
        result = {
            "userid": member.staff_id,
            "name": member.name,
            "unionid": self.org.encrypted_id(f"union {member.staff_id}")[-24:],
            "admin": member.admin,
            "active": True,
        }
        return {"result": result, "request_id": self.org.new_id("", 12).lower()}


def _metered(act: Callable[[Json, Partly], Json]) -> Entry:
    return Entry(lambda _, body, partly: act(body, partly), is_metered=True)


def _is_old(path: str) -> bool:
    return not path.startswith("/v1.0/")


def _parsed(body: bytes, content_type: str) -> Any:
    """None where it is not said to be JSON, or is not."""
    if not content_type.startswith("application/json"):
        return None
    try:
        return json.loads(body)
    except ValueError:
        return None
