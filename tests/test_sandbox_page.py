"""The sandbox's page: its door, its live line, and the whole bot used in a real browser."""

from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from adapters.sandbox.adapter import SandboxAdapter
from adapters.sandbox.views import View
from adapters.sandbox.world import GROUP_ID, PERSONAS, PROFILES, Persona, Profile
from bot.messages import LOCALES, Locale
from bot.words import reader_for
from tests.browser import CHROMIUM, MISSING, Demo, chromium, served_demo
from tests.clock import MORNING
from tests.town import Town

NOT_UNDERSTOOD = r"没看懂|没有“|还差一项|这里没有叫|不在可选范围|看不出|两种读法|作为问题提出"
REPLY = "已经恢复了，抱歉让你久等。"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if not CHROMIUM.exists():
        pytest.skip(MISSING)
    with chromium() as started:
        yield started


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """A demo for tests that leave nothing behind that others would trip over."""
    with served_demo(tmp_path_factory.mktemp("demo")) as demo:
        yield demo


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[Demo]:
    with served_demo(tmp_path) as demo:
        yield demo


# --- the door -------------------------------------------------------------------------------------


def own_origin(demo: Demo) -> str:
    return demo.url.rstrip("/")


def post(demo: Demo, path: str, **fields: str) -> httpx.Response:
    headers = {"origin": own_origin(demo), "accept": "application/json"}
    return httpx.post(f"{demo.url}{path}", data=fields, headers=headers)


def says(demo: Demo, who: str, words: str) -> None:
    answer = post(demo, "say", **{"as": who, "chat": GROUP_ID, "text": words, "addressed": "1"})
    assert answer.json() == {"ok": True}


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        ("", {"host": "evil.example"}),
        ("", {"host": "127.0.0.1:1"}),
        ("live", {"host": "evil.example"}),
        ("static/page.js", {"host": "evil.example"}),
        ("", {"origin": "https://evil.example"}),
        ("live", {"origin": "null"}),
        ("live", {"origin": "http://[broken"}),
        ("live", {"sec-fetch-site": "cross-site"}),
        ("live", {"sec-fetch-site": "same-site", "sec-fetch-mode": "cors"}),
        ("static/page.js", {"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors"}),
    ],
)
def test_strangers_are_not_let_in(shared: Demo, path: str, headers: dict[str, str]) -> None:
    assert httpx.get(shared.url + path, headers=headers).status_code == 403


@pytest.mark.parametrize("path", ["say", "press", "form", "clock", "profile", "language"])
def test_another_site_cannot_post(shared: Demo, path: str) -> None:
    before = shared.adapter.transcript.last_change
    fields = {"as": "zhou", "chat": GROUP_ID, "text": "hi", "push": "+1 h", "profile": "wecom"}
    own = own_origin(shared)
    for headers in (
        {},
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": own.replace("127.0.0.1", "localhost")},
        {"origin": own, "sec-fetch-site": "cross-site"},
        {"origin": own, "sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"},
        {"origin": own, "host": "evil.example"},
    ):
        answer = httpx.post(f"{shared.url}{path}", data=fields, headers=headers)
        assert answer.status_code == 403
    assert shared.adapter.transcript.last_change == before
    assert shared.adapter.profile.name == "slack"


def test_a_link_on_another_site_may_lead_to_the_page(shared: Demo) -> None:
    headers = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"}
    assert httpx.get(shared.url, headers=headers).status_code == 200


def test_every_answer_forbids_what_is_not_ours(shared: Demo) -> None:
    for path in ("", "static/page.js", "static/base.css", "static/none.css"):
        policy = httpx.get(shared.url + path).headers["content-security-policy"]
        assert "default-src 'none'; script-src 'self';" in policy
        assert "unsafe" not in policy
    html = httpx.get(shared.url).text
    assert not re.search(r"<script(?![^>]* src=)|<style|\sstyle=|\son[a-z]+=", html)
    assert set(re.findall(r'(?:src|href)="(?![/#])([^"]*)', html)) == set()


@pytest.mark.parametrize(
    ("content_type", "body", "status"),
    [
        (
            "application/x-www-form-urlencoded",
            b"as=zhou&chat=team-group&text=" + b"a" * 70_000,
            413,
        ),
        ("application/x-www-form-urlencoded", b"as=zhou&chat=team-group&text=" + b"a" * 8_001, 413),
        ("application/x-www-form-urlencoded", b"as=zhou&chat=team-group&text=%20", 400),
        ("application/x-www-form-urlencoded", b"as=nobody&chat=team-group&text=hi", 404),
        ("application/x-www-form-urlencoded", b"as=zhou&chat=li&text=hi", 404),
        ("application/x-www-form-urlencoded", b"as=zhou&chat=team-group&text=hi&key=short", 400),
        ("application/x-www-form-urlencoded", b"a&" * 200, 400),
        ("application/x-www-form-urlencoded", b"\xff\xfe", 400),
        ("application/json", b"{", 400),
        ("application/json", b"[" * 50_000, 400),
        ("application/json", b'["text"]', 400),
        ("application/json", b'{"as": "zhou", "chat": "team-group", "text": 7}', 400),
        ("multipart/form-data; boundary=x", b"--x--", 400),
        ("", b"text=hi", 400),
    ],
)
def test_bodies_that_are_refused(shared: Demo, content_type: str, body: bytes, status: int) -> None:
    before = shared.adapter.transcript.last_change
    headers = {"origin": own_origin(shared), "content-type": content_type}
    answer = httpx.post(f"{shared.url}say", content=body, headers=headers)
    assert answer.status_code == status
    assert "Traceback" not in answer.text
    assert shared.adapter.transcript.last_change == before


@pytest.mark.parametrize(
    ("path", "fields", "status"),
    [
        ("press", {"entry": "999", "button": "0"}, 404),
        ("press", {"entry": "²", "button": "0"}, 400),
        ("press", {}, 400),
        ("form", {"field-words": "hi"}, 404),
        ("profile", {"profile": "irc"}, 400),
        ("language", {"language": "fr"}, 400),
        ("clock", {"push": "gestern"}, 400),
        ("clock", {"push": "+400 days"}, 400),
    ],
)
def test_acts_that_are_refused(
    shared: Demo, path: str, fields: dict[str, str], status: int
) -> None:
    answer = post(shared, path, **{"as": "zhou", "chat": GROUP_ID, **fields})
    assert answer.status_code == status
    assert answer.json()["error"]


def test_json_is_taken_too(shared: Demo) -> None:
    fields = {"as": "zhou", "chat": GROUP_ID, "text": "大家早"}
    headers = {"origin": own_origin(shared), "accept": "application/json"}
    assert httpx.post(f"{shared.url}say", json=fields, headers=headers).json() == {"ok": True}
    assert shared.adapter.visible("li", GROUP_ID)[-1].plain == "大家早"


def test_a_repeated_request_is_done_once(shared: Demo) -> None:
    fields = {"as": "zhou", "chat": "zhou", "text": "帮助", "key": "0123456789abcdef"}
    for _ in range(2):
        assert post(shared, "say", **fields).status_code == 200
    said = [one.plain for one in shared.adapter.visible("zhou", "zhou") if one.author == "zhou"]
    assert said == ["帮助"]


def test_a_repeated_push_of_the_clock_is_one_push(shared: Demo) -> None:
    fields = {"as": "zhou", "chat": GROUP_ID, "key": "fedcba9876543210"}
    assert post(shared, "clock", push="gestern", **fields).status_code == 400
    before = shared.bot.clock.now()
    for _ in range(2):
        assert post(shared, "clock", push="+1 h", **fields).status_code == 200
    assert timedelta(hours=1) <= shared.bot.clock.now() - before < timedelta(hours=1, minutes=1)


# --- the live line --------------------------------------------------------------------------------


def events(demo: Demo, enough: int, last: str, header: str = "", who: str = "li") -> list[str]:
    """The messages that a live stream brings, until there are enough of them."""
    found: list[str] = []
    params = {"as": who, "chat": GROUP_ID, "last": last}
    headers = {"last-event-id": header} if header else {}
    with httpx.stream("GET", f"{demo.url}live", params=params, headers=headers, timeout=10) as live:
        name = ""
        for line in live.iter_lines():
            kind, _, value = line.partition(": ")
            name = value if kind == "event" else name
            if kind == "data" and name in ("entry", "reload"):
                html = json.loads(value).get("html", name)
                found += re.findall(r'class="words">([^<]*)', html) or [html]
            if len(found) >= enough:
                return found
    return found


def test_a_broken_line_is_taken_up_where_it_broke(shared: Demo) -> None:
    transcript = shared.adapter.transcript
    start = transcript.last_change
    for words in ("一", "二", "三"):
        post(shared, "say", **{"as": "wang", "chat": GROUP_ID, "text": words})
    assert events(shared, 3, f"{transcript.epoch}-{start}") == ["一", "二", "三"]
    assert events(shared, 2, f"{transcript.epoch}-{start}", f"{transcript.epoch}-{start + 1}") == [
        "二",
        "三",
    ]


@pytest.mark.parametrize("last", ["00000000-1", "nonsense", "-", "{epoch}-²", "{epoch}"])
def test_a_line_to_another_transcript_makes_the_page_load_anew(shared: Demo, last: str) -> None:
    last = last.format(epoch=shared.adapter.transcript.epoch)
    assert events(shared, 1, last) == ["reload"]


def test_an_open_line_does_not_hold_up_the_end(tmp_path: Path) -> None:
    port = free_port()
    command = [sys.executable, "-m", "bot", "demo", "--port", str(port), "--data", str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        url = f"http://127.0.0.1:{port}/"
        wait_for(url)
        with httpx.stream("GET", f"{url}live", timeout=30) as live:
            lines = live.iter_lines()
            assert next(lines) == "retry: 2000"
            process.send_signal(signal.SIGINT)
            started = time.monotonic()
            assert "reload" not in "".join(lines)
        output, _ = process.communicate(timeout=30)
        assert time.monotonic() - started < 5
    assert b"Traceback" not in output


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


def wait_for(url: str) -> None:
    for _ in range(200):
        try:
            httpx.get(url)
        except httpx.TransportError:
            time.sleep(0.1)
        else:
            return
    raise AssertionError(f"{url} does not answer")


# --- what is suggested ----------------------------------------------------------------------------


@pytest.fixture(params=sorted(PROFILES))
def profile(request: pytest.FixtureRequest) -> Profile:
    """What the page suggests is for the sandbox, whatever it resembles."""
    return PROFILES[request.param]


def suggestions(persona: Persona, chat: str, locale: Locale, town: Town) -> list[str]:
    assert isinstance(town.adapter, SandboxAdapter)
    view = View(town.adapter, persona, chat, locale, "Asia/Shanghai", MORNING, reader_for)
    return view.suggestions


@pytest.mark.parametrize("locale", LOCALES)
def test_every_suggestion_is_understood(town: Town, locale: Locale) -> None:
    town.say("访客", "咨询 我的帖子为什么被删了？", in_group=True)
    for persona in PERSONAS:
        for chat in (GROUP_ID, persona.id):
            for line in suggestions(persona, chat, locale, town):
                answer = town.say(persona.name, line, in_group=chat == GROUP_ID)
                assert answer, line
                assert not re.search(NOT_UNDERSTOOD, answer), (line, answer)


# --- in a browser ---------------------------------------------------------------------------------


class Screen:
    """A page, and what a person does with it."""

    def __init__(self, page: Page, demo: Demo) -> None:
        self.page = page
        self.url = demo.url
        self.errors: list[str] = []
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on(
            "console", lambda said: self.errors.append(said.text) if said.type == "error" else None
        )
        self.page.set_default_timeout(10_000)

    def speak_as(self, name: str, *, direct: bool = False) -> None:
        self.page.goto(self.url)
        rail = self.page.get_by_role("navigation")
        rail.get_by_role("link", name=re.compile(rf"^\s*{name}")).click()
        if direct:
            rail.get_by_role("link", name="和班长私聊").click()

    def say(self, words: str) -> None:
        box = self.page.get_by_role("textbox", name="说点什么")
        box.fill(words)
        box.press("Enter")
        expect(box).to_have_value("")

    def suggest(self, words: str) -> None:
        self.page.get_by_role("button", name=words, exact=True).click()
        self.page.keyboard.press("Enter")

    def push(self, label: str, shows: str) -> None:
        button = self.page.get_by_role("button", name=label, exact=True)
        button.click()
        expect(self.page.locator(".clock-face")).to_have_text(shows)
        # The clock moves before the request is answered; until then another push is not taken.
        expect(button).not_to_have_attribute("aria-busy", "true")

    def reads(self, *words: str) -> Locator:
        newest = self.page.get_by_role("log").get_by_role("listitem").filter(has_text=words[0]).last
        for one in words:
            expect(newest).to_contain_text(one)
        return newest

    def hears(self, *words: str) -> Locator:
        """The newest message of the bot that has the first of the words, and has them all."""
        newest = self.page.locator(".entry.is-bot").filter(has_text=words[0]).last
        for one in words:
            expect(newest).to_contain_text(one)
        return newest

    def card(self, *words: str) -> Locator:
        """The newest card, which has these words."""
        newest = self.page.locator(".entry").filter(has=self.page.locator(".card")).last
        for one in words:
            expect(newest).to_contain_text(one)
        return newest

    def shoot(self, path: Path) -> None:
        self.page.screenshot(path=path)
        assert path.stat().st_size > 10_000


@pytest.fixture
def open_page(browser: Browser) -> Iterator[Callable[..., Screen]]:
    contexts = []
    screens: list[Screen] = []

    def make(
        demo: Demo,
        *,
        width: int = 1280,
        height: int = 800,
        locale: str = "zh-CN",
        script: bool = True,
    ) -> Screen:
        context = browser.new_context(
            viewport={"width": width, "height": height}, locale=locale, java_script_enabled=script
        )
        contexts.append(context)
        screens.append(Screen(context.new_page(), demo))
        return screens[-1]

    yield make
    for context in contexts:
        context.close()
    assert [one.errors for one in screens] == [[]] * len(screens)


def test_the_whole_story(demo: Demo, open_page: Callable[..., Screen], tmp_path: Path) -> None:
    """A roster by chat, a check-in, a question, two hours, a reply by form, a check-out."""
    screen = open_page(demo)
    screen.speak_as("周经理")
    screen.suggest("人员 添加 @李组长 组长")
    screen.hears("李组长", "组长")
    screen.suggest("人员 添加 @小王 @小林 @小陈 兼职")
    screen.hears("小陈")
    screen.speak_as("小王")
    screen.suggest("签到")
    screen.hears("H1", "09:00")
    screen.speak_as("访客")
    screen.say("咨询 我的帖子为什么被删了？")
    screen.card("访客", "11:00")
    screen.shoot(tmp_path / "asked.png")

    screen.speak_as("小王")
    screen.card("11:00").get_by_role("button", name="认领").click()
    screen.card("小王", "已编辑")
    screen.push("+2 小时", "11:00")
    expect(screen.page.get_by_role("link", name="和班长私聊").locator(".badge")).to_be_visible()
    for name in ("小王", "李组长"):
        screen.speak_as(name, direct=True)
        screen.hears("Q1")

    screen.speak_as("小王")
    screen.card().get_by_role("button", name="回复").click()
    dialog = screen.page.get_by_role("dialog")
    expect(dialog).to_be_visible()
    screen.shoot(tmp_path / "form.png")
    dialog.get_by_role("textbox").fill(REPLY)
    dialog.get_by_role("button", name="提交").click()
    expect(dialog).to_be_hidden()
    screen.speak_as("访客")
    screen.hears(REPLY, "Q1")

    told = told_about_q1(demo)
    screen.push("+2 小时", "13:00")
    screen.push("+1 小时", "14:00")
    assert told_about_q1(demo) == told
    screen.speak_as("小王")
    screen.say("签退")
    screen.hears("5 小时")
    screen.shoot(tmp_path / "done.png")


def told_about_q1(demo: Demo) -> int:
    seen = {
        one.id
        for persona in PERSONAS
        for chat in (GROUP_ID, persona.id)
        for one in demo.adapter.visible(persona.id, chat)
        if "Q1" in one.plain
    }
    return len(seen)


def test_what_one_types_is_shown_as_typed_and_live(
    demo: Demo, open_page: Callable[..., Screen]
) -> None:
    typed = "<img src=x onerror=alert(1)> & </li>"
    first, second = open_page(demo), open_page(demo)
    first.speak_as("小王")
    second.speak_as("小林")
    box = first.page.get_by_role("textbox", name="说点什么")
    first.page.get_by_role("checkbox").uncheck(force=True)
    box.fill(typed)
    box.press("Shift+Enter")
    first.page.keyboard.type("第二行")
    box.press("Enter")
    for screen in (first, second):
        entry = screen.reads("第二行")
        assert entry.locator(".words").inner_text() == f"{typed}\n第二行"
        assert screen.page.locator("img[src=x]").count() == 0


def test_the_form_is_put_away_with_escape(demo: Demo, open_page: Callable[..., Screen]) -> None:
    screen = open_page(demo)
    screen.speak_as("访客", direct=True)
    screen.say("/ask")
    dialog = screen.page.get_by_role("dialog")
    expect(dialog.get_by_role("textbox")).to_be_focused()
    screen.page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    assert demo.adapter.open_form("guest") is None
    expect(screen.page.get_by_role("textbox", name="说点什么")).to_be_focused()


def test_a_refusal_is_shown_and_the_line_kept(demo: Demo, open_page: Callable[..., Screen]) -> None:
    screen = open_page(demo)
    screen.speak_as("小王")
    box = screen.page.get_by_role("textbox", name="说点什么")
    box.evaluate("(box) => box.removeAttribute('maxlength')")
    box.fill("长" * 8001)
    box.press("Enter")
    expect(screen.page.get_by_role("alert").first).to_contain_text("8000")
    expect(box).to_have_value("长" * 8001)
    screen.page.get_by_label("或者拨到某个时间").fill("从前")
    screen.page.get_by_role("button", name="拨钟").click()
    expect(screen.page.locator(".clock-box [role=alert]")).to_contain_text("18:00")
    # The browser itself reports both refused requests.
    assert all("400" in one or "413" in one for one in screen.errors)
    screen.errors.clear()


def test_profiles_change_what_is_shown(demo: Demo, open_page: Callable[..., Screen]) -> None:
    screen = open_page(demo)
    screen.speak_as("周经理")
    screen.page.get_by_role("button", name="类企业微信").click()
    pressed = screen.page.get_by_role("button", name="类企业微信", pressed=True)
    expect(pressed).to_be_visible()
    screen.speak_as("访客")
    screen.say("咨询 密码忘了怎么办？")
    card = screen.card("发送")
    expect(card.get_by_role("button", name="认领 Q1")).to_be_visible()
    screen.page.get_by_role("checkbox").uncheck(force=True)
    screen.say("谢谢大家")
    screen.reads("谢谢大家", "班长没听到")


def test_the_page_and_the_bot_change_their_language(
    demo: Demo, open_page: Callable[..., Screen]
) -> None:
    screen = open_page(demo)
    screen.speak_as("周经理")
    screen.page.get_by_role("button", name="English").click()
    expect(screen.page.get_by_role("heading", name="Team group")).to_be_visible()
    assert screen.page.locator("html").get_attribute("lang") == "en"
    screen.page.get_by_role("button", name="staff add @Li lead", exact=True).click()
    screen.page.keyboard.press("Enter")
    screen.hears("Li", "lead")
    assert not re.search(
        r"[\u4e00-\u9fff]", screen.page.locator("body").inner_text().replace("中文", "")
    )


@pytest.mark.parametrize("width", [360, 390, 820])
def test_on_small_screens(shared: Demo, open_page: Callable[..., Screen], width: int) -> None:
    screen = open_page(shared, width=width, height=720)
    page = screen.page
    page.goto(screen.url)
    assert page.evaluate("document.documentElement.scrollWidth") == width
    expect(page.get_by_role("textbox", name="说点什么")).to_be_in_viewport(ratio=1)
    page.get_by_role("button", name="模拟控制台").click()
    expect(page.get_by_role("button", name="+2 小时")).to_be_in_viewport()
    page.keyboard.press("Escape")
    expect(page.get_by_role("button", name="+2 小时")).to_be_hidden()
    if width < 760:
        page.get_by_role("button", name="身份和聊天").click()
        page.get_by_role("link", name=re.compile("小林")).click()
        expect(page.get_by_role("textbox", name="以小林的身份")).to_be_in_viewport(ratio=1)


def test_without_script_one_can_read_and_even_speak(
    demo: Demo, open_page: Callable[..., Screen]
) -> None:
    screen = open_page(demo, script=False)
    page = screen.page
    page.goto(f"{screen.url}?as=guest&chat=guest")
    page.get_by_role("textbox", name="说点什么").fill("帮助")
    page.get_by_role("button", name="发送").click()
    screen.reads("咨询")
    assert page.url.endswith("?as=guest&chat=guest")
    expect(page.locator(".suggestions")).to_be_hidden()


def test_a_page_finds_its_way_back_after_a_restart(
    tmp_path: Path, open_page: Callable[..., Screen]
) -> None:
    with served_demo(tmp_path) as demo:
        screen = open_page(demo)
        screen.speak_as("小林")
        port = int(demo.url.rstrip("/").rpartition(":")[2])
        says(demo, "zhou", "人员 名单")
        screen.reads("人员 名单")
    expect(screen.page.get_by_role("status")).to_contain_text("正在重新连接")
    with served_demo(tmp_path, port=port) as demo:
        says(demo, "zhou", "团队")
        screen.reads("@班长 团队")
        expect(screen.page.get_by_role("status")).to_be_hidden()
        assert screen.page.get_by_text("@班长 人员 名单").count() == 1
    # The browser itself reports the requests that found nobody.
    assert all("ERR_" in one for one in screen.errors)
    screen.errors.clear()
