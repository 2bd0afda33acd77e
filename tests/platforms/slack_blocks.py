"""The limits of Block Kit, as the Web API enforces them.

https://docs.slack.dev/reference/block-kit/blocks and …/block-kit/block-elements
Each function returns problems in Slack's own words: `must be less than 3001 characters
[json-pointer:/blocks/0/text/text]`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tests.platforms.slack_model import Json

BLOCKS_IN_A_MESSAGE = 50
BLOCKS_IN_A_VIEW = 100
# Not documented; seen by others at about this sum of text (bolt-js #2509).
TEXT_IN_ALL_BLOCKS = 13_200

_CONTAINERS = {
    "section": ("accessory",),
    "actions": ("elements",),
    "context": ("elements",),
    "input": ("element",),
}
_KNOWN_BLOCKS = {*_CONTAINERS, "header", "divider", "image", "rich_text", "markdown", "video"}
_KNOWN_BLOCKS |= {"file", "table", "context_actions", "alert", "card", "carousel", "data_table"}
_WITH_OPTIONS = {"static_select", "multi_static_select", "radio_buttons", "checkboxes", "overflow"}
_KNOWN_ELEMENTS = _WITH_OPTIONS | {
    "button", "image", "mrkdwn", "plain_text", "datepicker", "timepicker", "datetimepicker",
    "plain_text_input", "email_text_input", "url_text_input", "number_input", "file_input",
    "rich_text_input", "users_select", "multi_users_select", "channels_select",
    "multi_channels_select", "conversations_select", "multi_conversations_select",
    "external_select", "multi_external_select", "workflow_button",
}  # fmt: skip
_MAX_ELEMENTS = {"actions": 25, "context": 10}
_MAX_OPTIONS = {"radio_buttons": 10, "checkboxes": 10, "overflow": 5}
_WITH_GROUPS = {"static_select", "multi_static_select"}
# Their options may be mrkdwn; those of menus are plain_text.
_SPELLED_OUT = {"radio_buttons", "checkboxes"}


def problems_in_message(blocks: Any) -> list[str]:
    return list(_in_blocks(blocks, BLOCKS_IN_A_MESSAGE, "/blocks"))


def problems_in_view(view: Any) -> list[str]:
    """https://docs.slack.dev/reference/views/modal-views and …/home-tab-views"""
    if not isinstance(view, dict) or view.get("type") not in ("modal", "home"):
        return ["missing required field: type [json-pointer:/view]"]
    found = list(_in_blocks(view.get("blocks"), BLOCKS_IN_A_VIEW, "/view/blocks"))
    found += _length(view.get("private_metadata", ""), 0, 3000, "/view/private_metadata")
    found += _length(view.get("callback_id", ""), 0, 255, "/view/callback_id")
    if view["type"] == "home":
        return found
    found += _text(view.get("title"), 24, "/view/title", plain=True)
    for name in ("submit", "close"):
        if view.get(name) is not None:
            found += _text(view[name], 24, f"/view/{name}", plain=True)
    blocks = view.get("blocks")
    inputs = [b for b in blocks if b.get("type") == "input"] if not found and blocks else []
    if inputs and view.get("submit") is None:
        found.append("missing required field: submit [json-pointer:/view/submit]")
    return found


def text_size(blocks: list[Json]) -> int:
    return sum(len(text) for text in _texts(blocks))


def _texts(part: Any) -> Iterator[str]:
    if isinstance(part, list):
        for item in part:
            yield from _texts(item)
    elif isinstance(part, dict):
        if isinstance(part.get("text"), str):
            yield part["text"]
        for name in ("text", "fields", "elements", "accessory", "element", "label"):
            if not isinstance(part.get(name), str):
                yield from _texts(part.get(name))


def _in_blocks(blocks: Any, limit: int, at: str) -> Iterator[str]:
    if not isinstance(blocks, list):
        yield f"must be an array [json-pointer:{at}]"
        return
    if len(blocks) > limit:
        yield f"no more than {limit} items allowed [json-pointer:{at}]"
    named: set[str] = set()
    for number, block in enumerate(blocks):
        here = f"{at}/{number}"
        if not isinstance(block, dict) or block.get("type") not in _KNOWN_BLOCKS:
            yield f"unsupported type [json-pointer:{here}/type]"
            continue
        name = block.get("block_id")
        if name is not None:
            yield from _length(name, 1, 255, f"{here}/block_id")
            if name in named:
                yield f"`block_id` {name} already exists for another block [json-pointer:{here}]"
            named.add(name)
        yield from _in_block(block, here)


def _in_block(block: Json, at: str) -> Iterator[str]:
    kind = block["type"]
    if kind == "section":
        yield from _in_section(block, at)
    elif kind == "header":
        yield from _text(block.get("text"), 150, f"{at}/text", plain=True)
    elif kind == "markdown":
        yield from _length(block.get("text"), 1, 12_000, f"{at}/text")
    elif kind == "input":
        yield from _text(block.get("label"), 2000, f"{at}/label", plain=True)
        element = block.get("element")
        if not isinstance(element, dict):
            yield f"missing required field: element [json-pointer:{at}]"
        elif element.get("type") in ("button", "overflow"):
            yield f"unsupported type [json-pointer:{at}/element/type]"
        if block.get("hint") is not None:
            yield from _text(block["hint"], 2000, f"{at}/hint", plain=True)
    if kind in _MAX_ELEMENTS:
        yield from _in_row(block, at)
    for place, element in _elements(block):
        yield from _in_element(element, f"{at}/{place}")


def _in_section(block: Json, at: str) -> Iterator[str]:
    fields = block.get("fields")
    if block.get("text") is None and not fields:
        yield f"missing required field: text [json-pointer:{at}]"
    if block.get("text") is not None:
        yield from _text(block["text"], 3000, f"{at}/text")
    for number, item in enumerate(fields or []):
        yield from _text(item, 2000, f"{at}/fields/{number}")
    if fields and len(fields) > 10:
        yield f"no more than 10 items allowed [json-pointer:{at}/fields]"


def _in_row(block: Json, at: str) -> Iterator[str]:
    elements, most = block.get("elements"), _MAX_ELEMENTS[block["type"]]
    if not isinstance(elements, list) or not elements:
        yield f"no less than 1 items allowed [json-pointer:{at}/elements]"
        return
    if len(elements) > most:
        yield f"no more than {most} items allowed [json-pointer:{at}/elements]"
    names = [e["action_id"] for e in elements if isinstance(e, dict) and "action_id" in e]
    for name in {name for name in names if names.count(name) > 1}:
        yield f"`action_id` {name} already exists in the block [json-pointer:{at}/elements]"


def _elements(block: Json) -> Iterator[tuple[str, Any]]:
    for place in _CONTAINERS.get(block["type"], ()):
        inside = block.get(place)
        if isinstance(inside, list):
            yield from ((f"{place}/{number}", item) for number, item in enumerate(inside))
        elif inside is not None:
            yield place, inside


def _in_element(element: Any, at: str) -> Iterator[str]:
    kind = element.get("type") if isinstance(element, dict) else None
    if kind not in _KNOWN_ELEMENTS:
        yield f"unsupported type [json-pointer:{at}/type]"
        return
    if kind in ("mrkdwn", "plain_text"):
        yield from _text(element, 3000, at)
        return
    if "action_id" in element:
        yield from _length(element["action_id"], 1, 255, f"{at}/action_id")
    if kind == "button":
        yield from _in_button(element, at)
    if element.get("placeholder") is not None:
        yield from _text(element["placeholder"], 150, f"{at}/placeholder", plain=True)
    if element.get("confirm") is not None:
        yield from _confirm(element["confirm"], f"{at}/confirm")
    yield from _in_menu(element, at)


def _in_button(element: Json, at: str) -> Iterator[str]:
    yield from _text(element.get("text"), 75, f"{at}/text", plain=True)
    yield from _length(element.get("value", ""), 0, 2000, f"{at}/value")
    yield from _length(element.get("url", ""), 0, 3000, f"{at}/url")
    if element.get("style") not in (None, "primary", "danger"):
        yield f"must be a valid enum value [json-pointer:{at}/style]"


def _in_menu(element: Json, at: str) -> Iterator[str]:
    kind, most = element["type"], element.get("max_selected_items")
    if kind.startswith("multi_") and most is not None and most < 1:
        yield f"must be greater than 0 [json-pointer:{at}/max_selected_items]"
    if kind in _WITH_GROUPS and "option_groups" in element:
        yield from _groups(element, at)
    elif kind in _WITH_OPTIONS:
        yield from _options(element.get("options"), kind, f"{at}/options")
    yield from _presets(element, at)


def _options(options: Any, kind: str, at: str) -> Iterator[str]:
    """https://docs.slack.dev/reference/block-kit/composition-objects/option-object"""
    yield from _count(options, _MAX_OPTIONS.get(kind, 100), at)
    for number, option in enumerate(options if isinstance(options, list) else []):
        here, plain = f"{at}/{number}", kind not in _SPELLED_OUT
        yield from _text(option.get("text"), 75, f"{here}/text", plain=plain)
        yield from _length(option.get("value"), 1, 150, f"{here}/value")
        if option.get("description") is not None:
            yield from _text(option["description"], 75, f"{here}/description", plain=plain)
        if option.get("url") is not None:
            yield from _length(option["url"], 0, 3000, f"{here}/url")


def _groups(element: Json, at: str) -> Iterator[str]:
    """https://docs.slack.dev/reference/block-kit/composition-objects/option-group-object"""
    if "options" in element:
        yield f"only one of options and option_groups allowed [json-pointer:{at}]"
    groups = element["option_groups"]
    yield from _count(groups, 100, f"{at}/option_groups")
    for number, group in enumerate(groups if isinstance(groups, list) else []):
        here = f"{at}/option_groups/{number}"
        yield from _text(group.get("label"), 75, f"{here}/label", plain=True)
        yield from _options(group.get("options"), element["type"], f"{here}/options")


def _presets(element: Json, at: str) -> Iterator[str]:
    """What is chosen to begin with has to be among the options."""
    groups = element.get("option_groups") or []
    options = [*(element.get("options") or []), *(o for g in groups for o in g["options"])]
    offered = [option.get("value") for option in options]
    several = element.get("initial_options") or []
    first = element.get("initial_option")
    for chosen in [*several, *([first] if first else [])]:
        if element["type"] in _WITH_OPTIONS and chosen.get("value") not in offered:
            yield f"initial_option is not among the options [json-pointer:{at}]"


def _confirm(found: Json, at: str) -> Iterator[str]:
    """https://docs.slack.dev/reference/block-kit/composition-objects/confirmation-dialog-object"""
    for name, most in (("title", 100), ("text", 300), ("confirm", 30), ("deny", 30)):
        yield from _text(found.get(name), most, f"{at}/{name}", plain=name != "text")


def _count(items: Any, most: int, at: str) -> Iterator[str]:
    if not isinstance(items, list) or not items:
        yield f"no less than 1 items allowed [json-pointer:{at}]"
    elif len(items) > most:
        yield f"no more than {most} items allowed [json-pointer:{at}]"


def _text(found: Any, most: int, at: str, *, plain: bool = False) -> list[str]:
    """https://docs.slack.dev/reference/block-kit/composition-objects/text-object"""
    if not isinstance(found, dict):
        return [f"missing required field: {at.rsplit('/', 1)[-1]} [json-pointer:{at}]"]
    kinds = ("plain_text",) if plain else ("plain_text", "mrkdwn")
    if found.get("type") not in kinds:
        return [f"must be a valid enum value [json-pointer:{at}/type]"]
    return _length(found.get("text"), 1, most, f"{at}/text")


def _length(found: Any, least: int, most: int, at: str) -> list[str]:
    if not isinstance(found, str):
        return [f"must be a string [json-pointer:{at}]"]
    if len(found) < least:
        return [f"must be more than {least - 1} characters [json-pointer:{at}]"]
    if len(found) > most:
        return [f"must be less than {most + 1} characters [json-pointer:{at}]"]
    return []
