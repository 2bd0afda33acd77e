"""Who and where, as the Web API shows them, and where the bot may look, speak and change things."""

from __future__ import annotations

from tests.platforms.slack_args import need
from tests.platforms.slack_model import Channel, Json, Message, RefusalError, User, Workspace


class Places:
    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace

    def destination(self, args: Json) -> Channel:
        """Where the bot may speak. A person's id opens the DM, and the DM's id is returned."""
        name = need(args, "channel", "channel_not_found")
        user = self.workspace.users.get(name)
        if user is not None and name != self.workspace.bot_user:
            # https://github.com/slackapi/python-slack-sdk/issues/1156 — somebody who is gone can
            # still be written to where they were before; what nobody ever opened stays shut.
            known = self.workspace.find_direct(name)
            if known is not None or not user.deleted:
                return known or self.workspace.direct(name)
        channel = self.seen(args)
        if channel.archived:
            raise RefusalError("is_archived")
        return self.inside(channel)

    def seen(self, args: Json) -> Channel:
        channel = self.workspace.channels.get(need(args, "channel", "channel_not_found"))
        inside = channel is not None and self.workspace.bot_user in channel.members
        if channel is None or (channel.kind != "public" and not inside):
            raise RefusalError("channel_not_found")  # what it may not see does not exist for it
        return channel

    def inside(self, channel: Channel) -> Channel:
        if self.workspace.bot_user not in channel.members:
            raise RefusalError("not_in_channel")
        return channel

    def own(self, args: Json, refusal: str) -> Message:
        channel = self.seen(args)
        message = self.workspace.find_message(channel.id, str(args.get("ts")))
        if message is None or message.ephemeral_to:
            raise RefusalError("message_not_found")
        if message.user != self.workspace.bot_user:
            raise RefusalError(refusal)
        return message


def channel_json(channel: Channel, workspace: Workspace) -> Json:
    """https://docs.slack.dev/reference/objects/conversation-object"""
    others = [user for user in channel.members if user != workspace.bot_user]
    im = channel.kind == "im"
    return {
        "id": channel.id,
        "is_channel": channel.kind == "public",
        "is_group": channel.kind == "private",
        "is_im": im,
        "is_mpim": channel.kind == "mpim",
        "is_private": channel.kind != "public",
        "is_archived": channel.archived,
        "is_member": workspace.bot_user in channel.members,
        **({"user": others[0] if others else ""} if im else {"name": channel.name}),
    }


def user_json(user: User, workspace: Workspace, *, with_locale: bool) -> Json:
    """https://docs.slack.dev/reference/objects/user-object"""
    found: Json = {
        "id": user.id,
        "team_id": workspace.team_id,
        "name": user.name,
        "deleted": user.deleted,
        "is_bot": user.is_bot,
        "updated": int(workspace.now()),
        "profile": {"real_name": user.name, "display_name": user.name, **user.profile},
    }
    if user.deleted:
        return found  # Slack says little of somebody who is gone
    found |= {
        "real_name": found["profile"]["real_name"],
        "tz": user.tz,
        "is_restricted": user.is_restricted,
        "is_ultra_restricted": user.is_ultra_restricted,
    }
    if user.enterprise_user is not None:
        found["enterprise_user"] = dict(user.enterprise_user)
    return found | ({"locale": user.locale} if with_locale else {})
