"""The stand-in's HTTP API: who may call what, what goes wrong on demand, and every call noted.

    api = Api(corp)
    api.answer("GET", "gettoken", {"corpid": …, "corpsecret": …}, {})   # the JSON, as a function
    httpx.AsyncClient(transport=httpx.ASGITransport(api.application()))  # the same in process
    with served(api.application()) as origin: …                          # the same over HTTP

    api.fail("message/send", "drop_after")    # it takes effect, then the line breaks
    api.fail("*", errcode=-1, times=2)

https://developer.work.weixin.qq.com/document/path/91039 (the access token)
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from starlette.applications import Starlette

from tests.platforms.answering import Answer
from tests.platforms.faults import Fault, How, LineBroken
from tests.platforms.noted import NotedCalls
from tests.platforms.wecom_http import HttpApi
from tests.platforms.wecom_messages import AppMessages
from tests.platforms.wecom_model import Corp, Json
from tests.platforms.wecom_office import Office
from tests.platforms.wecom_refusals import Refusal, errmsg_in_full
from tests.platforms.wecom_webhooks import Webhooks

SECRETS = frozenset(("access_token", "corpsecret"))
Handler = Callable[[Json, Json], Json]


@dataclass(frozen=True)
class Call:
    """One request as it arrived; `query` without token and secret, a file only by its size."""

    method: str
    path: str  # "message/send"
    query: dict[str, str]
    body: Json
    caller: str
    at: float


@dataclass(frozen=True)
class Entry:
    """A call of the API: how it is asked and what it does."""

    method: str
    handler: Handler
    token: bool = True
    uploads: bool = field(default=False)


class Api(NotedCalls[Call, Fault]):
    token_path, token_letters = "gettoken", 214

    def __init__(self, corp: Corp) -> None:
        super().__init__(corp)
        self.corp = corp
        self.messages = AppMessages(corp)
        self.office = Office(corp)
        self.webhooks = Webhooks(corp)
        self.caller = "203.0.113.7"
        """The address that the bot seems to call from."""
        self.entries = self._entries()

    # ---- for tests

    @property
    def remembers_unflagged(self) -> bool:
        """Is a message without enable_duplicate_check an earlier one to later ones with it?"""
        return self.messages.remembers_unflagged

    @remembers_unflagged.setter
    def remembers_unflagged(self, wanted: bool) -> None:
        self.messages.remembers_unflagged = wanted

    def enforce_pace(self, wanted: bool) -> None:
        """Off where the clock stands still: there a minute never passes."""
        self.messages.enforces_pace = self.webhooks.enforces_pace = wanted

    def expire_tokens(self) -> None:
        """WeCom ends every token early: 42001 from now on."""
        with self.corp.changed:
            self._tokens = dict.fromkeys(self._tokens, 0.0)

    def forget_tokens(self) -> None:
        """No token is known any more: 40014 from now on."""
        with self.corp.changed:
            self._tokens.clear()

    def fail(
        self,
        path: str = "*",
        how: How | None = None,
        *,
        times: int | None = 1,
        errcode: int | None = None,
        status: int | None = None,
        slow: float | None = None,
        body: bytes | None = None,
    ) -> None:
        """The next `times` calls of this path go wrong; None: all of them until heal().

        "drop": nothing is done and the line breaks. "drop_after": it is done and the line breaks.
        `slow`: it is done and answered so many seconds later. `errcode`, or `status` with `body`,
        or `body` alone with status 200: nothing is done.
        """
        self._faults.add(Fault(_short(path), how, errcode, status, slow, body, times))

    # ---- answering

    def application(self) -> Starlette:
        return HttpApi(self)

    def answer(self, method: str, path: str, query: Json, body: Json) -> Json:
        """The JSON; raises LineBroken where no answer comes, ValueError where it is no JSON."""
        answer = self.handle(method, path, query, body)
        if answer.lost:
            raise LineBroken
        found: Json = json.loads(answer.body)
        return found

    def handle(self, method: str, path: str, query: Json, body: Any) -> Answer:
        """Raises LineBroken where nothing was done and no answer comes."""
        path = _short(path)
        call = self._note(method, path, query, body)
        self.watch(call)
        fault = self._faults.next(path)
        if fault is None:
            return self._act(method, path, query, body)
        if fault.how == "drop":
            raise LineBroken
        if fault.errcode is not None:
            return self._said(self._refused(fault.errcode, Refusal(fault.errcode).errmsg))
        if fault.status is not None or fault.body is not None:
            said = b"<html>Bad Gateway</html>" if fault.body is None else fault.body
            return Answer(fault.status or 200, said)
        done = self._act(method, path, query, body)
        return Answer(done.status, done.body, fault.slow or 0.0, fault.how == "drop_after")

    def _act(self, method: str, path: str, query: Json, body: Any) -> Answer:
        entry = self.entries.get(path)
        if entry is None:
            return Answer(404, b"")
        try:
            with self.corp.changed:
                if method != entry.method:
                    raise Refusal(43002 if entry.method == "POST" else 43001)
                if entry.token:
                    self._check_caller(query)
                if not isinstance(body, dict):
                    raise Refusal(47001)
                return self._said({"errcode": 0, "errmsg": "ok"} | entry.handler(query, body))
        except Refusal as refusal:
            return self._said(self._refused(refusal.errcode, refusal.errmsg))

    def _said(self, found: Json) -> Answer:
        return Answer(200, json.dumps(found, ensure_ascii=False).encode())

    def _refused(self, errcode: int, errmsg: str) -> Json:
        hint = str(int(self.corp.now() * 1000))
        return {
            "errcode": errcode,
            "errmsg": errmsg_in_full(errcode, errmsg, self.caller, hint),
        }

    def _note(self, method: str, path: str, query: Json, body: Any) -> Call:
        kept = {name: str(value) for name, value in query.items() if name not in SECRETS}
        shown = dict(body) if isinstance(body, dict) else {"not JSON": repr(body)[:200]}
        if isinstance(shown.get("content"), bytes):
            shown["content"] = f"{len(shown['content'])} bytes"
        return self._noted(Call(method, path, kept, shown, self.caller, self.corp.now()))

    # ---- tokens

    # https://developer.work.weixin.qq.com/document/path/91039
    def _get_token(self, query: Json, body: Json) -> Json:
        if not query.get("corpid"):
            raise Refusal(41002)
        if not query.get("corpsecret"):
            raise Refusal(41004)
        if query["corpid"] != self.corp.corp_id:
            raise Refusal(40013)
        if query["corpsecret"] != self.corp.secret:
            raise Refusal(40001)
        token, lasts = self._granted()
        return {"access_token": token, "expires_in": lasts}

    def _check_caller(self, query: Json) -> None:
        token = str(query.get("access_token") or "")
        if not token:
            raise Refusal(41001)
        if token not in self._tokens:
            raise Refusal(40014)
        if self.corp.now() >= self._tokens[token]:
            raise Refusal(42001)
        trusted = self.corp.trusted_ips
        if trusted is not None and self.caller not in trusted:
            raise Refusal(60020)

    # ---- what there is

    def _entries(self) -> dict[str, Entry]:
        messages, office, hooks = self.messages, self.office, self.webhooks
        return {
            "gettoken": Entry("GET", self._get_token, token=False),
            "message/send": Entry("POST", messages.send),
            "message/update_template_card": Entry("POST", messages.update_template_card),
            "message/recall": Entry("POST", messages.recall),
            "media/upload": Entry("POST", office.upload, uploads=True),
            "user/get": Entry("GET", office.get_user),
            "batch/openuserid_to_userid": Entry("POST", office.openuserid_to_userid),
            "agent/get": Entry("GET", office.get_agent),
            "menu/create": Entry("POST", office.create_menu),
            "menu/get": Entry("GET", office.get_menu),
            "menu/delete": Entry("GET", office.delete_menu),
            "getcallbackip": Entry("GET", office.get_callback_ips),
            "webhook/send": Entry("POST", hooks.send, token=False),
            "webhook/upload_media": Entry("POST", self._upload_for_a_key, False, uploads=True),
            "aibot/response": Entry("POST", hooks.respond, token=False),
        }

    def _upload_for_a_key(self, query: Json, body: Json) -> Json:
        self.webhooks.check_key(query)
        return self.office.upload(query, body)


def _short(path: str) -> str:
    return path.removeprefix("/").removeprefix("cgi-bin/")
