"""Takes the pictures of the sandbox that the documentation shows: `python -m tests.screenshots`.

They go to docs/images/sandbox-*.png, or to the folder that is named as the only argument. Needs
Chromium (tests/browser.py says where it is looked for) and, for the Chinese, a font that has it.
"""

from __future__ import annotations

import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import httpx
from playwright.sync_api import Browser

from adapters.sandbox.world import BOT_ID, GROUP_ID
from bot.messages import Locale
from tests.browser import CHROMIUM, MISSING, Demo, chromium, served_demo

FOLDER = Path(__file__).parents[1] / "docs" / "images"
BRIEF = 400.0


@dataclass(frozen=True)
class Picture:
    """One look at the sandbox."""

    name: str
    locale: Locale
    width: int
    height: int
    theme: Literal["light", "dark"]


PICTURES = (
    Picture("sandbox-wide-light-zh", "zh_CN", 1280, 800, "light"),
    Picture("sandbox-wide-dark-en", "en", 1280, 800, "dark"),
    Picture("sandbox-narrow-light-zh", "zh_CN", 390, 844, "light"),
)

# Who does what: a line that is said, a button that is pressed ("press"), or the clock ("push").
STORY: dict[Locale, tuple[tuple[str, str], ...]] = {
    "zh_CN": (
        ("zhou", "人员 添加 @李组长 组长"),
        ("zhou", "人员 添加 @小王 @小林 @小陈 兼职"),
        ("li", "签到"),
        ("push", "9:30"),
        ("wang", "签到"),
        ("push", "9:42"),
        ("guest", "咨询 我的帖子为什么被删了？"),
        ("push", "9:50"),
        ("wang", "press 认领"),
        ("wang", "回复 Q1"),
    ),
    "en": (
        ("zhou", "staff add @Li lead"),
        ("zhou", "staff add @Wang @Lin @Chen worker"),
        ("li", "checkin"),
        ("push", "9:30"),
        ("wang", "checkin"),
        ("push", "9:42"),
        ("guest", "ask Why was my post removed?"),
        ("push", "9:50"),
        ("wang", "press Claim"),
        ("wang", "reply Q1"),
    ),
}


def play(demo: Demo, locale: Locale) -> None:
    """Let the people of the story do what they do; RuntimeError where the bot does not."""
    headers = {"origin": demo.url.rstrip("/"), "accept": "application/json"}
    cookies: dict[str, str] = {"banzhang_sandbox_language": locale}
    with httpx.Client(base_url=demo.url, headers=headers, cookies=cookies, timeout=30) as client:
        for who, does in STORY[locale]:
            if who == "push":
                answer = client.post("/clock", data={"push": does})
            elif does.startswith("press "):
                entry, button = find_button(demo, who, does.removeprefix("press "))
                fields = {"as": who, "chat": GROUP_ID, "entry": entry, "button": button}
                answer = client.post("/press", data=fields)
            else:
                fields = {"as": who, "chat": GROUP_ID, "text": does, "addressed": "1"}
                answer = client.post("/say", data=fields)
            answer.raise_for_status()
    if not any(entry.edited for entry in demo.adapter.visible("wang", GROUP_ID)):
        raise RuntimeError("the story went wrong: nobody could claim the question")


def find_button(demo: Demo, who: str, label: str) -> tuple[str, str]:
    """The newest message with such a button, and the button's place on it."""
    for entry in reversed(demo.adapter.visible(who, GROUP_ID)):
        for index, button in enumerate(entry.buttons):
            if entry.author == BOT_ID and button.label == label:
                return str(entry.id), str(index)
    raise LookupError(f"{who} sees no button {label!r}")


def take(browser: Browser, picture: Picture, folder: Path) -> Path:
    """One picture, of a demo of its own."""
    with (
        tempfile.TemporaryDirectory() as data,
        served_demo(Path(data), picture.locale) as demo,
        browser.new_context(
            viewport={"width": picture.width, "height": picture.height},
            locale=picture.locale.replace("_", "-"),
            color_scheme=picture.theme,
        ) as context,
    ):
        play(demo, picture.locale)
        page = context.new_page()
        page.goto(f"{demo.url}?as=wang")
        page.wait_for_timeout(BRIEF)
        path = folder / f"{picture.name}.png"
        page.screenshot(path=path)
    return path


def main() -> int:
    """Take all pictures; 1 when there is no browser."""
    if not CHROMIUM.exists():
        print(MISSING, file=sys.stderr)
        return 1
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    with chromium() as browser:
        for picture in PICTURES:
            print(take(browser, picture, folder))
    return 0


if __name__ == "__main__":
    sys.exit(main())
