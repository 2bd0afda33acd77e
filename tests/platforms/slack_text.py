"""What a person types and what a person reads, to and from Slack's wire form.

https://docs.slack.dev/messaging/formatting-message-text
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from tests.platforms.slack_model import Json, Message, View, Workspace

_TOKEN = re.compile(r"<([^<>\n]+)>")
_BOLD = re.compile(r"(?<![\w*])\*([^*\n]+)\*(?![\w*])")
_URL = re.compile(r"https?://[^\s<>]+")


def escape(text: str) -> str:
    """Only these three are escaped by Slack."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def unescape(text: str) -> str:
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


def encode_typed(text: str, workspace: Workspace, *, with_names: bool = False) -> str:
    """What `should_escape: true` and the events do to a line that a person typed.

    `@name` becomes `<@U…>`, `#name` `<#C…|name>` (`<#C…|>` when private), links stand in <>.
    https://docs.slack.dev/interactivity/implementing-slash-commands
    """
    found = _URL.sub(lambda m: f"<{m[0]}>", escape(text))
    people = sorted(workspace.users.values(), key=lambda user: -len(user.name))
    for user in people:
        label = f"|{user.name}" if with_names else ""
        found = _typed(user.name, "@").sub(f"<@{user.id}{label}>", found)
    for channel in sorted(workspace.channels.values(), key=lambda c: -len(c.name)):
        if channel.name:
            shown = channel.name if channel.kind == "public" else ""
            found = _typed(channel.name, "#").sub(f"<#{channel.id}|{shown}>", found)
    return found


def _typed(name: str, sign: str) -> re.Pattern[str]:
    # A Latin name ends where its word ends; a Chinese one may be glued to what is around it.
    end = r"(?![A-Za-z0-9_-])" if name[-1:].isascii() else ""
    return re.compile(rf"(?<![A-Za-z0-9_<]){sign}{re.escape(name)}{end}")


def render(text: str, workspace: Workspace) -> str:
    """mrkdwn as the client shows it: names for mentions, fallbacks for dates, no escapes."""
    shown = _TOKEN.sub(lambda m: _token(m[1], workspace), text)
    return unescape(_BOLD.sub(r"\1", shown))


def _token(inside: str, workspace: Workspace) -> str:
    target, _, label = inside.partition("|")
    if target.startswith("@"):
        user = workspace.users.get(target[1:])
        return f"@{user.name if user else label or target[1:]}"
    if target.startswith("#"):
        channel = workspace.channels.get(target[1:])
        return f"#{channel.name if channel else label or target[1:]}"
    if target.startswith("!date^"):
        return label
    if target.startswith("!"):
        return label or "@" + target[1:].split("^")[0]
    return label or target


def on_screen(blocks: list[Json], workspace: Workspace) -> str:
    """The blocks from top to bottom, one line each; buttons as [label]."""
    lines = [line for block in blocks for line in _block(block, workspace)]
    return "\n".join(line for line in lines if line)


def _block(block: Json, workspace: Workspace) -> Iterator[str]:
    kind = block.get("type")
    if kind == "markdown":
        yield unescape(str(block.get("text", "")))
        return
    if kind == "rich_text":
        yield "".join(_rich(block.get("elements", []), workspace))
        return
    for name in ("text", "label", "title"):
        yield _text(block.get(name), workspace)
    for item in block.get("fields", []):
        yield _text(item, workspace)
    row = [_element(item, workspace) for item in block.get("elements", [])]
    yield " ".join(item for item in row if item)
    for name in ("accessory", "element"):
        yield _element(block.get(name), workspace)
    yield _text(block.get("hint"), workspace)


def _text(part: Any, workspace: Workspace) -> str:
    if not isinstance(part, dict) or not isinstance(part.get("text"), str):
        return ""
    # A plain_text object shows <@U1> as it stands, which is exactly what a test should see.
    found: str = part["text"]
    return render(found, workspace) if part.get("type") == "mrkdwn" else unescape(found)


def _element(part: Any, workspace: Workspace) -> str:
    if not isinstance(part, dict):
        return ""
    kind = part.get("type")
    if kind in ("mrkdwn", "plain_text"):
        return _text(part, workspace)
    if kind == "button":
        return f"[{_text(part.get('text'), workspace)}]"
    if kind == "image":
        return str(part.get("alt_text", ""))
    groups = part.get("option_groups", [])
    options = [*part.get("options", []), *(one for group in groups for one in group["options"])]
    choices = [_text(option.get("text"), workspace) for option in options]
    if kind == "overflow":
        return f"[⋯ {' / '.join(choices)}]"
    shown = part.get("initial_value") or _text(part.get("placeholder"), workspace)
    return f"[{shown or ' / '.join(choices)} ▾]" if shown or choices else ""


def _rich(elements: list[Json], workspace: Workspace) -> Iterator[str]:
    for part in elements:
        if "elements" in part:
            yield "".join(_rich(part["elements"], workspace)) + "\n"
        elif part.get("type") == "user":
            yield _token("@" + str(part.get("user_id")), workspace)
        else:
            yield str(part.get("text") or part.get("url") or part.get("name") or "")


def plain(message: Message | View | Json, workspace: Workspace) -> str:
    """All that a person can read of it: the notification's text, the blocks, the files' titles.

    The text is left out when the blocks say the same, so nothing is counted twice; it is kept
    when they differ, because a phone's lock screen shows it.
    """
    if isinstance(message, View):
        title = _text(message.content.get("title"), workspace)
        return "\n".join(part for part in (title, on_screen(message.blocks, workspace)) if part)
    body = message.as_json() if isinstance(message, Message) else message
    text = render(str(body.get("text") or ""), workspace)
    blocks = on_screen(body.get("blocks") or [], workspace)
    said = bool(blocks) and all(line.strip() in blocks for line in text.splitlines())
    files = [str(file["title"]) for file in body.get("files") or []]
    return "\n".join(part for part in ("" if said else text, blocks, *files) if part)
