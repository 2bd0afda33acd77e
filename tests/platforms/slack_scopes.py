"""What a bot token may do. https://docs.slack.dev/reference/scopes"""

from __future__ import annotations

from collections.abc import Iterable

from tests.platforms.slack_model import Json, Workspace

# Those that a manifest for this bot asks for.
USUAL = (
    "commands",
    "chat:write",
    "im:write",
    "im:history",
    "channels:history",
    "groups:history",
    "channels:read",
    "groups:read",
    "app_mentions:read",
    "users:read",
    "reactions:read",
    "files:write",
)
APP_LEVEL = "connections:write"

# Any one of them will do. A method that is not here needs none.
NEEDED = {
    "chat.postMessage": ("chat:write",),
    "chat.postEphemeral": ("chat:write",),
    "chat.update": ("chat:write",),
    "chat.delete": ("chat:write",),
    "conversations.open": ("im:write", "mpim:write", "channels:manage", "groups:write"),
    "users.info": ("users:read",),
    "users.list": ("users:read",),
    "reactions.add": ("reactions:write",),
    "files.getUploadURLExternal": ("files:write",),
    "files.completeUploadExternal": ("files:write",),
}
# These need the scope of the kind of place they are asked about.
_BY_PLACE = {
    "conversations.info": "read",
    "conversations.members": "read",
    "conversations.history": "history",
    "conversations.replies": "history",
}
_FAMILIES = {"public": "channels", "private": "groups", "im": "im", "mpim": "mpim"}


class Scopes(set[str]):
    """The granted ones; a test may add and discard."""

    def __init__(self, granted: Iterable[str] | None = None) -> None:
        super().__init__(USUAL if granted is None else granted)

    @property
    def header(self) -> str:
        return ",".join(sorted(self))

    def refusal(self, method: str, args: Json, workspace: Workspace) -> Json | None:
        needed = _needed(method, args, workspace)
        if not needed or self & set(needed):
            return None
        said: Json = {"ok": False, "error": "missing_scope"}
        return said | {"needed": ",".join(needed), "provided": self.header}


def _needed(method: str, args: Json, workspace: Workspace) -> tuple[str, ...]:
    right = _BY_PLACE.get(method)
    if right is None:
        return NEEDED.get(method, ())
    channel = workspace.channels.get(str(args.get("channel")))
    families = _FAMILIES.values() if channel is None else [_FAMILIES[channel.kind]]
    return tuple(f"{family}:{right}" for family in families)
