"""What WeCom takes as a template card, and what it would show cut off.

https://developer.work.weixin.qq.com/document/path/90236 (of an app)
https://developer.work.weixin.qq.com/document/path/101032 (of an aibot)
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

from tests.platforms.wecom_model import Corp, Json, Sender
from tests.platforms.wecom_refusals import Refusal

NOTICES = frozenset(("text_notice", "news_notice"))
INTERACTIONS = frozenset(("button_interaction", "vote_interaction", "multiple_interaction"))
TASK_ID = re.compile(r"[0-9A-Za-z_\-@]{1,128}")
KEY_BYTES = 1024

MOST = {"horizontal_content_list": 6, "button_list": 6, "jump_list": 3, "vertical_content_list": 4}
"""How many there may be; more is refused."""

RECOMMENDED = {
    "title": 26,
    "desc": 30,
    "sub_title_text": 112,
    "keyname": 5,
    "value": 26,
    "text": 10,
}
"""Characters that every client has room for: what is longer is taken, and cut on the screen."""


def interactive(card: Json) -> bool:
    """Can anything on it be pressed that calls us back?"""
    return card.get("card_type") in INTERACTIONS or bool(card.get("action_menu"))


def check_card(card: Any, *, kinds: frozenset[str] = NOTICES | INTERACTIONS) -> None:
    """Raises Refusal. The task_id is check_task_id's: a changed card keeps the one it had."""
    if not isinstance(card, dict) or not card:
        raise _bad("template_card missing")
    kind = card.get("card_type")
    if kind not in kinds:
        raise _bad(f"template_card.card_type invalid: {kind!r}")
    for name, most in MOST.items():
        if len(_listed(card, name)) > most:
            raise _bad(f"template_card.{name} exceed max size {most}")
    _check_rows(_listed(card, "horizontal_content_list"))
    _check_menu(card)
    CHECKS[str(kind)](card)


def check_task_id(corp: Corp, sender: Sender, card: Json) -> None:
    """Raises Refusal: it is missing where it must be, of a wrong form, or was there before."""
    task_id = card.get("task_id")
    if task_id is None and not interactive(card):
        return
    if not isinstance(task_id, str) or not TASK_ID.fullmatch(task_id):
        raise Refusal(42014, f"template_card.task_id invalid: {task_id!r}")
    if corp.knows_task_id(sender, task_id):
        raise Refusal(42014, f"template_card.task_id repeated: {task_id!r}")


def overlong(card: Json) -> list[str]:
    """Where a card is longer than the document recommends, as "name: text"; taken all the same."""
    title = card.get("main_title") or {}
    found = [(name, title.get(name)) for name in ("title", "desc")]
    found.append(("sub_title_text", card.get("sub_title_text")))
    for row in _listed(card, "horizontal_content_list"):
        found += [(name, row.get(name)) for name in ("keyname", "value")]
    found += [("text", button.get("text")) for button in _listed(card, "button_list")]
    return [f"{name}: {text}" for name, text in found if len(text or "") > RECOMMENDED[name]]


# ---- by the kind of card


def _check_text_notice(card: Json) -> None:
    if not _title(card) and not card.get("sub_title_text"):
        raise _bad("template_card.main_title.title or sub_title_text missing")
    _check_action(card)


def _check_news_notice(card: Json) -> None:
    _need_title(card)
    image = card.get("card_image") or {}
    if not image.get("url") and not card.get("image_text_area"):
        raise _bad("template_card.card_image.url missing")
    _check_action(card)


def _check_buttons(card: Json) -> None:
    _need_title(card)
    shown = _listed(card, "button_list")
    if not shown:
        raise _bad("template_card.button_list missing")
    keys: set[str] = set()
    for button in shown:
        if not button.get("text"):
            raise Refusal(42020, "template_card.button_list.text missing")
        if button.get("type", 0) == 1:
            if not button.get("url"):
                raise _bad("template_card.button_list.url missing")
            continue
        keys.add(_checked_key(button.get("key"), keys))


def _checked_key(key: Any, before: set[str]) -> str:
    if not key:
        raise Refusal(42019, "template_card.button_list.key missing")
    if not isinstance(key, str) or len(key.encode()) > KEY_BYTES:
        raise Refusal(42018, f"template_card.button_list.key exceed max length {KEY_BYTES}")
    if key in before:
        raise Refusal(42018, f"template_card.button_list.key repeated: {key}")
    return key


def _check_vote(card: Json) -> None:
    _need_submit(card)
    if not (card.get("checkbox") or {}).get("option_list"):
        raise _bad("template_card.checkbox.option_list missing")


def _check_choices(card: Json) -> None:
    _need_submit(card)
    if not 1 <= len(_listed(card, "select_list")) <= 3:
        raise _bad("template_card.select_list: 1 to 3")


CHECKS: dict[str, Callable[[Json], None]] = {
    "text_notice": _check_text_notice,
    "news_notice": _check_news_notice,
    "button_interaction": _check_buttons,
    "vote_interaction": _check_vote,
    "multiple_interaction": _check_choices,
}


# ---- parts


def _title(card: Json) -> str:
    return str((card.get("main_title") or {}).get("title") or "")


def _need_title(card: Json) -> None:
    if not _title(card):
        raise _bad("template_card.main_title.title missing")


def _need_submit(card: Json) -> None:
    button = card.get("submit_button") or {}
    if not button.get("text") or not button.get("key"):
        raise _bad("template_card.submit_button.text and key missing")


def _check_action(card: Json) -> None:
    action = card.get("card_action") or {}
    needed = {1: "url", 2: "appid"}.get(action.get("type", 0))
    if needed is None:
        raise _bad("template_card.card_action.type: 1 or 2")
    if not action.get(needed):
        raise _bad(f"template_card.card_action.{needed} missing")


def _check_rows(rows: Sequence[Json]) -> None:
    """https://developer.work.weixin.qq.com/document/path/101032 — HorizontalContent"""
    for row in rows:
        if not row.get("keyname"):
            raise _bad("template_card.horizontal_content_list.keyname missing")
        needed = {1: "url", 2: "media_id", 3: "userid"}.get(row.get("type", 0))
        if needed is not None and not row.get(needed):
            raise _bad(f"template_card.horizontal_content_list.{needed} missing")


def _check_menu(card: Json) -> None:
    menu = card.get("action_menu")
    if menu is None:
        return
    actions = menu.get("action_list") or []
    if not 1 <= len(actions) <= 3:
        raise _bad("template_card.action_menu.action_list: 1 to 3")
    for action in actions:
        if not action.get("text") or not action.get("key"):
            raise _bad("template_card.action_menu.action_list.text and key missing")


def _listed(card: Json, name: str) -> list[Json]:
    found = card.get(name) or []
    if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
        raise _bad(f"template_card.{name} is no list of objects")
    return found


def _bad(detail: str) -> Refusal:
    return Refusal(40058, detail)
