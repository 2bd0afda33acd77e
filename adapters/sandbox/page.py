"""The sandbox's page: rendered here, live by server-sent events, readable without script.

A POST answers a script with JSON and a plain form with a redirect back to the chat.
"""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import (
    HTMLResponse,
    JSONResponse,
    RedirectResponse,
    Response,
    StreamingResponse,
)
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from adapters.contract import ReaderFor, Receive, Rejected
from adapters.plain import flat
from adapters.sandbox.adapter import SandboxAdapter
from adapters.sandbox.decode import mentions_bot
from adapters.sandbox.guard import Guard, read_fields
from adapters.sandbox.views import THEMES, ReadingPlaces, View
from adapters.sandbox.world import BOT_NAMES, GROUP_ID, PERSONA_OF, PERSONAS, PROFILES
from bot.messages import LOCALES, Locale, Refused, Words, text

FOLDER: Final = Path(__file__).parent / "page"
LANGUAGE_COOKIE: Final = "banzhang_sandbox_language"
THEME_COOKIE: Final = "banzhang_sandbox_theme"
MESSAGES_AT_ONCE: Final = 200
KEEP_ALIVE: Final = 15.0
"""Seconds after which an idle stream says that it is still there."""
REMEMBERED_PUSHES: Final = 100
"""A push is sent again at once or never."""

PushClock = Callable[[str], Awaitable[datetime]]
"""Pushes the clock as the typed words say ("+2 h", a time); raises Refused or ValueError."""
LanguageChosen = Callable[[Locale], Awaitable[None]]
"""Told when somebody chose another language for the page."""
Fields = Mapping[str, str]


def routes(
    adapter: SandboxAdapter,
    receive: Receive,
    *,
    clock: Callable[[], datetime],
    push_clock: PushClock,
    reader_for: ReaderFor,
    allowed_hosts: frozenset[str],
    zone: str = "Asia/Shanghai",
    language_chosen: LanguageChosen | None = None,
) -> list[BaseRoute]:
    """The routes of the page, each behind its guard; only a demo mounts them.

    `allowed_hosts` are the names the page may be called by ("127.0.0.1", or "127.0.0.1:8080" to
    admit one port only); `zone` is the place whose time the page shows.
    """
    page = Page(adapter, receive, clock, push_clock, reader_for, zone, language_chosen)
    guard = [Middleware(Guard, allowed_hosts=allowed_hosts)]
    posts = {
        "/say": page.say,
        "/press": page.press,
        "/form": page.form,
        "/clock": page.clock,
        "/profile": page.profile,
        "/language": page.language,
    }
    return [
        Route("/", page.show, middleware=guard),
        Route("/live", page.live, middleware=guard),
        *(
            Route(path, page.act(do), methods=["POST"], middleware=guard)
            for path, do in posts.items()
        ),
        Mount("/static", StaticFiles(directory=FOLDER / "static"), middleware=guard),
    ]


class Page:
    """The page and what can be done on it."""

    def __init__(
        self,
        adapter: SandboxAdapter,
        receive: Receive,
        clock: Callable[[], datetime],
        push_clock: PushClock,
        reader_for: ReaderFor,
        zone: str,
        language_chosen: LanguageChosen | None,
    ) -> None:
        self._adapter = adapter
        self._receive = receive
        self._clock = clock
        self._push_clock = push_clock
        self._reader_for = reader_for
        self._zone = zone
        self._language_chosen = language_chosen
        self._places = ReadingPlaces(adapter)
        self._pushes: deque[str] = deque(maxlen=REMEMBERED_PUSHES)
        self._templates = Environment(
            loader=FileSystemLoader(FOLDER / "templates"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )

    # --- looking

    async def show(self, request: Request) -> Response:
        """The whole page. While nothing was said yet, the bot takes on the page's language."""
        view = self._view(request, request.query_params)
        unspoken = not self._adapter.transcript.last_entry
        if self._language_chosen and unspoken:
            await self._language_chosen(view.locale)
        return self._page(request, view)

    async def live(self, request: Request) -> Response:
        """What happens, as server-sent events, from `Last-Event-ID` (or `last`) on."""
        view = self._view(request, request.query_params)
        last = request.headers.get("last-event-id") or request.query_params.get("last", "")
        profile = request.query_params.get("profile", view.profile.name)
        return StreamingResponse(
            self._events(view, last, profile),
            media_type="text/event-stream",
            headers={"cache-control": "no-store"},
        )

    def _view(self, request: Request, asked: Fields) -> View:
        persona = PERSONA_OF.get(asked.get("as", ""), PERSONAS[0])
        chat = asked.get("chat", GROUP_ID)
        return View(
            adapter=self._adapter,
            persona=persona,
            chat=GROUP_ID if chat == GROUP_ID else persona.id,
            locale=_locale(request),
            zone=self._zone,
            now=self._clock(),
            reader_for=self._reader_for,
        )

    def _page(self, request: Request, view: View, error: str = "", status: int = 200) -> Response:
        self._places.mark(view.persona.id, view.chat)
        newest = request.query_params.get("newest", "")
        shown = min(int(newest), 100_000) if newest.isascii() and newest.isdigit() else 0
        shown = max(shown, MESSAGES_AT_ONCE)
        total = len(self._adapter.visible(view.persona.id, view.chat))
        html = self._templates.get_template("page.html").render(
            view.as_context(),
            entries=view.entries(shown),
            earlier=shown + MESSAGES_AT_ONCE if total > shown else 0,
            counts=self._places.counts(view.persona.id),
            theme=_theme(request),
            error=error,
        )
        return HTMLResponse(html, status, headers={"cache-control": "no-store"})

    # --- what happens

    async def _events(self, view: View, last: str, profile: str) -> AsyncIterator[str]:
        transcript = self._adapter.transcript
        epoch, _, number = last.partition("-")
        known = epoch == transcript.epoch and number.isascii() and number.isdigit()
        if last and not known:
            yield _event("reload", {})
            return
        change = int(number) if last else transcript.last_change
        form = ""
        awake = asyncio.Event()
        transcript.listeners.add(awake.set)
        try:
            yield "retry: 2000\n\n"
            while not self._adapter.hung_up:
                awake.clear()
                view = replace(view, now=self._clock())
                if self._adapter.profile.name != profile:
                    yield _event("reload", {})
                for happened in self._news(view, change):
                    yield happened
                change = transcript.last_change
                if form != (form := self._form(view)):
                    yield _event("form", {"html": form})
                yield _event("clock", {"now": view.now.isoformat()})
                yield _event("counts", self._places.counts(view.persona.id))
                try:
                    async with asyncio.timeout(KEEP_ALIVE):
                        await awake.wait()
                except TimeoutError:
                    yield ": still here\n\n"
        finally:
            transcript.listeners.discard(awake.set)

    def _news(self, view: View, change: int) -> list[str]:
        transcript = self._adapter.transcript
        template = self._templates.get_template("entry.html")
        happened = []
        for entry in transcript.since(change):
            if entry.chat == view.chat and entry.is_for(view.persona.id):
                html = template.render(view.as_context(), one=view.entry(entry))
                number = f"{transcript.epoch}-{entry.changed}"
                happened.append(_event("entry", {"id": f"entry-{entry.id}", "html": html}, number))
        if happened:
            self._places.mark(view.persona.id, view.chat)
        return happened

    def _form(self, view: View) -> str:
        if view.form is None:
            return ""
        return self._templates.get_template("form.html").render(view.as_context(), form=view.form)

    # --- doing

    def act(
        self, do: Callable[[Fields, View], Awaitable[Response | None]]
    ) -> Callable[[Request], Awaitable[Response]]:
        """An endpoint that reads the fields, does it, and says how it went in the caller's way."""

        async def endpoint(request: Request) -> Response:
            scripted = "application/json" in request.headers.get("accept", "")
            fields: Fields = {}
            try:
                fields = await read_fields(request)
                response = await do(fields, self._view(request, fields))
            except Rejected as rejected:
                why = text(f"sandbox.refused.{rejected.status}")
                return self._failed(request, fields, rejected.status, why)
            except Refused as refused:
                return self._failed(request, fields, 400, refused.words)
            except ValueError as error:
                return self._failed(request, fields, 400, text("said", words=str(error)))
            if response is not None:
                return response
            if scripted:
                return JSONResponse({"ok": True})
            view = self._view(request, fields)
            return RedirectResponse(f"/?as={view.persona.id}&chat={view.chat}", 303)

        return endpoint

    def _failed(self, request: Request, fields: Fields, status: int, why: Words) -> Response:
        view = self._view(request, fields)
        sentence = flat(why, view.reader)
        if "application/json" in request.headers.get("accept", ""):
            return JSONResponse({"error": sentence}, status)
        return self._page(request, view, sentence, status)

    async def say(self, fields: Fields, view: View) -> None:
        """Say something; in the group to the bot, when the box before the line is ticked."""
        _known(fields, view)
        said = fields.get("text", "")
        to_bot = view.is_group and fields.get("addressed") == "1"
        slash = view.profile.slash_commands and said.lstrip().startswith("/")
        if said.strip() and to_bot and not slash and not mentions_bot(said):
            said = f"@{BOT_NAMES[view.locale]} {said.lstrip()}"
        key = self._key("say", fields)
        await self._adapter.say(
            view.persona.id, view.chat, said, self._receive, key=key, locale=view.locale
        )

    async def press(self, fields: Fields, view: View) -> None:
        """Press a button of a message."""
        _known(fields, view)
        entry, button = fields.get("entry", ""), fields.get("button", "")
        if not all(one.isascii() and one.isdigit() and len(one) < 10 for one in (entry, button)):
            raise Rejected(400, "entry and button are numbers")
        await self._adapter.press(
            view.persona.id,
            int(entry),
            int(button),
            self._receive,
            key=self._key("press", fields),
            locale=view.locale,
        )

    async def form(self, fields: Fields, view: View) -> None:
        """Send the open form in, or put it away; what is wrong comes back inside the form."""
        _known(fields, view)
        form = view.form
        if form is None:
            raise Rejected(404, "no form is open")
        if "cancel" in fields:
            self._adapter.close_form(view.persona.id)
            return
        values = {one.name: fields.get(f"field-{one.name}", "") for one in form.fields}
        await self._adapter.submit(
            view.persona.id,
            form.command,
            form.arguments,
            values,
            self._receive,
            key=self._key("form", fields),
            locale=view.locale,
        )
        self._adapter.transcript.announce()

    async def clock(self, fields: Fields, view: View) -> None:
        """Push the clock; everybody's timers run on it. One push that is sent again is one push."""
        key = self._key("clock", fields)
        if key is not None and key in self._pushes:
            return
        if key is not None:
            self._pushes.append(key)
        try:
            await self._push_clock(fields.get("push", ""))
        except Exception:
            if key is not None and key in self._pushes:
                self._pushes.remove(key)  # it may be tried again
            raise
        self._adapter.transcript.announce()

    async def profile(self, fields: Fields, view: View) -> None:
        """Resemble another platform."""
        profile = PROFILES.get(fields.get("profile", ""))
        if profile is None:
            raise Rejected(400, "no such profile")
        self._adapter.profile = profile

    async def language(self, fields: Fields, view: View) -> Response:
        """Another language for the page, and for the bot if it was asked to be told."""
        language = fields.get("language", "")
        if language not in LOCALES:
            raise Rejected(400, "no such language")
        if self._language_chosen is not None:
            await self._language_chosen(language)
        back = RedirectResponse(f"/?as={view.persona.id}&chat={view.chat}", 303)
        back.set_cookie(
            LANGUAGE_COOKIE, language, max_age=31_536_000, httponly=True, samesite="lax"
        )
        return back

    def _key(self, kind: str, fields: Fields) -> str | None:
        """The event key for what a script sends, so that sending it again does it once."""
        key = fields.get("key", "")
        if not key:
            return None
        if not (key.isascii() and key.isalnum() and 16 <= len(key) <= 64):
            raise Rejected(400, "a key is 16 to 64 letters and digits")
        return f"{self._adapter.transcript.epoch}:{kind}:{key}"


def _known(fields: Fields, view: View) -> None:
    """Looking may fall back to somebody; nobody acts by mistake. Raises Rejected."""
    if (fields.get("as"), fields.get("chat")) != (view.persona.id, view.chat):
        raise Rejected(404, "nobody of this name is in this chat")


def _event(name: str, data: Mapping[str, object], number: str = "") -> str:
    head = f"id: {number}\n" if number else ""
    return f"{head}event: {name}\ndata: {json.dumps(data, ensure_ascii=False)}\n\n"


def _locale(request: Request) -> Locale:
    """The language chosen on the page, else the first of the browser's that is spoken here."""
    chosen = request.cookies.get(LANGUAGE_COOKIE)
    if chosen in LOCALES:
        return chosen
    for wanted in request.headers.get("accept-language", "").lower().split(","):
        if wanted.strip().startswith("en"):
            return "en"
        if wanted.strip().startswith("zh"):
            return "zh_CN"
    return "zh_CN"


def _theme(request: Request) -> str:
    chosen = request.cookies.get(THEME_COOKIE, "")
    return chosen if chosen in THEMES else "auto"
