"""Buttons, menus and inputs as a person's hand meets them, and what Slack reports of it.

https://docs.slack.dev/reference/block-kit/block-elements
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from tests.platforms.slack_model import Json

# element type -> (name of its value in payloads, name of its preset in the app's blocks)
_VALUES = {
    "plain_text_input": ("value", "initial_value"),
    "email_text_input": ("value", "initial_value"),
    "url_text_input": ("value", "initial_value"),
    "number_input": ("value", "initial_value"),
    "datepicker": ("selected_date", "initial_date"),
    "timepicker": ("selected_time", "initial_time"),
    "datetimepicker": ("selected_date_time", "initial_date_time"),
    "static_select": ("selected_option", "initial_option"),
    "radio_buttons": ("selected_option", "initial_option"),
    "overflow": ("selected_option", ""),
    "checkboxes": ("selected_options", "initial_options"),
    "multi_static_select": ("selected_options", "initial_options"),
    "users_select": ("selected_user", "initial_user"),
    "multi_users_select": ("selected_users", "initial_users"),
    "channels_select": ("selected_channel", "initial_channel"),
    "multi_channels_select": ("selected_channels", "initial_channels"),
    "conversations_select": ("selected_conversation", "initial_conversation"),
    "multi_conversations_select": ("selected_conversations", "initial_conversations"),
}
# Pressed and forgotten: they never stand in state.values.
STATELESS = ("button", "overflow")


def interactive(blocks: list[Json]) -> Iterator[tuple[Json, Json]]:
    for block in blocks:
        inside = [*block.get("elements", []), block.get("accessory"), block.get("element")]
        for element in inside:
            if isinstance(element, dict) and "action_id" in element:
                yield block, element


def label(block: Json, element: Json) -> str:
    for part in (element.get("text"), block.get("label"), element.get("placeholder")):
        if isinstance(part, dict):
            return str(part.get("text", ""))
    return ""


def find(blocks: list[Json], target: str) -> tuple[Json, Json]:
    """By action_id, else by exactly what it says, else by the only one that contains it."""
    every = list(interactive(blocks))
    for matches in (
        [pair for pair in every if pair[1]["action_id"] == target],
        [pair for pair in every if label(*pair) == target],
        [pair for pair in every if target and target in label(*pair)],
    ):
        if len(matches) == 1:
            return matches[0]
    offered = [f"{element['action_id']} [{label(block, element)}]" for block, element in every]
    raise AssertionError(f"no single {target!r} to press; there are: {offered}")


def action(block: Json, element: Json, chosen: Any, action_ts: str) -> Json:
    """One entry of `actions` in block_actions."""
    found: Json = {
        "action_id": element["action_id"],
        "block_id": block["block_id"],
        "type": element["type"],
        "action_ts": action_ts,
    }
    if element["type"] == "button":
        found["text"] = element["text"]
        found |= {name: element[name] for name in ("value", "style") if name in element}
        return found
    return found | element_state(element, chosen)


def element_state(element: Json, chosen: Any) -> Json:
    """What one input holds, as in state.values[block_id][action_id]."""
    kind = element["type"]
    if kind not in _VALUES:
        raise AssertionError(f"the stand-in cannot fill a {kind}")
    name, preset = _VALUES[kind]
    if kind == "overflow" and chosen is None:
        raise AssertionError("an overflow menu needs `chosen`")
    several = name.endswith("s")
    if several and isinstance(chosen, str):
        chosen = [chosen]
    value = element.get(preset) if chosen is None else chosen
    if chosen is not None and name == "selected_option":
        value = _option(element, chosen)
    if chosen is not None and name == "selected_options":
        value = [_option(element, one) for one in chosen]
    if several:
        value = value or []
        most = element.get("max_selected_items")
        if most is not None and len(value) > most:
            raise AssertionError(f"Slack lets nobody choose more than {most}")
    return {"type": kind, name: value}


def _option(element: Json, wanted: Any) -> Json:
    groups = element.get("option_groups", [])
    options = [*element.get("options", []), *(o for group in groups for o in group["options"])]
    for option in options:
        if wanted in (option["value"], option["text"]["text"]):
            return dict(option)
    raise AssertionError(f"no option {wanted!r} among {[o['value'] for o in options]}")


def state(blocks: list[Json], values: Mapping[str, Any], *, complete: bool = False) -> Json:
    """state.values; `complete` refuses, as the client does, a form with a hole in it."""
    left = dict(values)
    found: Json = {}
    for block, element in interactive(blocks):
        if element["type"] in STATELESS:
            continue
        names = (block["block_id"], element["action_id"], label(block, element))
        name = next((name for name in names if name in left), None)
        held = element_state(element, left.pop(name) if name is not None else None)
        required = block["type"] == "input" and not block.get("optional", False)
        if complete and required and held[_VALUES[element["type"]][0]] in (None, "", []):
            raise AssertionError(f"Slack does not send the form: {names[2]!r} is empty")
        if complete:
            _measured(element, held)
        found.setdefault(block["block_id"], {})[element["action_id"]] = held
    if left:
        raise AssertionError(f"the form has no field {sorted(left)}")
    return found


def _measured(element: Json, held: Json) -> None:
    value, least, most = held.get("value"), element.get("min_length"), element.get("max_length")
    if element["type"] != "plain_text_input" or not value:
        return
    if (least and len(value) < least) or (most and len(value) > most):
        raise AssertionError(f"Slack does not send the form: {least}..{most} characters")
