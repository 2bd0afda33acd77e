"""The Web API of the stand-in: one function per method, arguments in, Slack's JSON out."""

from __future__ import annotations

from collections.abc import Callable

from tests.platforms import slack_blocks
from tests.platforms.slack_args import decoded, flag, need, page
from tests.platforms.slack_files import Files
from tests.platforms.slack_history import History
from tests.platforms.slack_model import (
    Channel,
    Json,
    Message,
    RefusalError,
    Workspace,
    number_blocks,
)
from tests.platforms.slack_places import Places, channel_json, user_json
from tests.platforms.slack_socket import SocketMode
from tests.platforms.slack_views import Views

TEXT_LIMIT = 40_000


class WebApi:
    def __init__(self, workspace: Workspace, origin: Callable[[], str], socket: SocketMode) -> None:
        self.workspace = workspace
        self.origin = origin
        self.socket = socket
        self.views = Views(workspace)
        self.places = Places(workspace)
        self.files = Files(self.places, origin)
        history = History(self.places)
        self.dedupe_client_msg_id = False
        self.methods: dict[str, Callable[[Json], Json]] = {
            "auth.test": self.auth_test,
            "chat.postMessage": self.post_message,
            "chat.postEphemeral": self.post_ephemeral,
            "chat.update": self.update,
            "chat.delete": self.delete,
            "conversations.open": self.conversations_open,
            "conversations.info": self.conversations_info,
            "conversations.members": self.conversations_members,
            "conversations.history": history.history,
            "conversations.replies": history.replies,
            "users.info": self.users_info,
            "users.list": self.users_list,
            "views.open": self.views.open,
            "views.push": self.views.push_on_top,
            "views.update": self.views.update,
            "views.publish": self.views.publish,
            "reactions.add": self.reactions_add,
            "files.getUploadURLExternal": self.files.get_upload_url,
            "files.completeUploadExternal": self.files.complete_upload,
            "apps.connections.open": self.connections_open,
        }

    def answer(self, method: str, args: Json) -> Json:
        """https://docs.slack.dev/apis/web-api — always 200, `ok` says how it went."""
        handler = self.methods.get(method)
        if handler is None:
            return {"ok": False, "error": "unknown_method", "req_method": method}
        try:
            with self.workspace.changed:
                return {"ok": True, **handler(args)}
        except RefusalError as refusal:
            found: Json = {"ok": False, "error": refusal.code}
            if refusal.problems:
                found["errors"] = refusal.problems
                said = [f"[ERROR] {problem}" for problem in refusal.problems]
                found["response_metadata"] = {"messages": said}
            return found

    # https://docs.slack.dev/reference/methods/auth.test
    def auth_test(self, args: Json) -> Json:
        w = self.workspace
        return {
            "url": f"https://{w.team_domain}.slack.com/",
            "team": w.team_domain,
            "user": w.users[w.bot_user].name,
            "team_id": w.team_id,
            "user_id": w.bot_user,
            "bot_id": w.bot_id,
            "is_enterprise_install": False,
        }

    # https://docs.slack.dev/reference/methods/chat.postMessage
    def post_message(self, args: Json) -> Json:
        channel = self.places.destination(args)
        text, blocks = self._content(args)
        key = args.get("client_msg_id")
        if key and self.dedupe_client_msg_id:
            for old in self.workspace.timeline:
                if old.client_msg_id == key and old.channel == channel.id and not old.deleted:
                    return {"channel": channel.id, "ts": old.ts, "message": old.as_json()}
        message = self._say(channel, text, blocks, args)
        return {"channel": channel.id, "ts": message.ts, "message": message.as_json()}

    # https://docs.slack.dev/reference/methods/chat.postEphemeral
    def post_ephemeral(self, args: Json) -> Json:
        channel = self.places.destination(args)
        user = need(args, "user", "user_not_in_channel")
        if user not in channel.members:
            raise RefusalError("user_not_in_channel")
        text, blocks = self._content(args)
        message = self._say(channel, text, blocks, args, ephemeral_to=user)
        return {"message_ts": message.ts}

    # https://docs.slack.dev/reference/methods/chat.update
    def update(self, args: Json) -> Json:
        message = self.places.own(args, "cant_update_message")
        text, blocks = self._content(args)
        if "text" in args or "blocks" not in args:
            message.text = text
        # Text alone takes the blocks away: this surprises people, so the stand-in does it too.
        message.blocks = blocks
        number_blocks(message.blocks)
        message.edited_ts = self.workspace.next_ts()
        message.args = args
        self.workspace.changed.notify_all()
        body = message.as_json()
        return {"channel": message.channel, "ts": message.ts, "text": message.text, "message": body}

    # https://docs.slack.dev/reference/methods/chat.delete
    def delete(self, args: Json) -> Json:
        message = self.places.own(args, "cant_delete_message")
        message.deleted = True
        self.workspace.changed.notify_all()
        return {"channel": message.channel, "ts": message.ts}

    # https://docs.slack.dev/reference/methods/conversations.open
    def conversations_open(self, args: Json) -> Json:
        if args.get("channel"):
            channel = self.places.seen(args)
        else:
            wanted = [part for part in str(args.get("users") or "").split(",") if part]
            if not wanted:
                raise RefusalError("users_list_not_supplied")
            if len(wanted) > 8:
                raise RefusalError("too_many_users")
            for user in wanted:
                if self.workspace.user(user).deleted:
                    raise RefusalError("user_disabled")
            channel = self.workspace.direct(*wanted)
        full = flag(args.get("return_im"))
        return {"channel": channel_json(channel, self.workspace) if full else {"id": channel.id}}

    # https://docs.slack.dev/reference/methods/conversations.info
    def conversations_info(self, args: Json) -> Json:
        return {"channel": channel_json(self.places.seen(args), self.workspace)}

    # https://docs.slack.dev/reference/methods/conversations.members
    def conversations_members(self, args: Json) -> Json:
        some, cursor = page(self.places.seen(args).members, args, 100)
        return {"members": some, "response_metadata": {"next_cursor": cursor}}

    # https://docs.slack.dev/reference/methods/users.info
    def users_info(self, args: Json) -> Json:
        user = self.workspace.user(need(args, "user", "user_not_found"))
        locale = flag(args.get("include_locale"))
        return {"user": user_json(user, self.workspace, with_locale=locale)}

    # https://docs.slack.dev/reference/methods/users.list
    def users_list(self, args: Json) -> Json:
        some, cursor = page(list(self.workspace.users.values()), args, 200)
        locale = flag(args.get("include_locale"))
        members = [user_json(user, self.workspace, with_locale=locale) for user in some]
        return {"members": members, "response_metadata": {"next_cursor": cursor}}

    # https://docs.slack.dev/reference/methods/reactions.add
    def reactions_add(self, args: Json) -> Json:
        channel = self.places.seen(args)
        message = self.workspace.find_message(channel.id, str(args.get("timestamp")))
        if message is None or message.ephemeral_to:
            raise RefusalError("message_not_found")
        mark = (self.workspace.bot_user, need(args, "name", "invalid_name"))
        if mark in message.reactions:
            raise RefusalError("already_reacted")
        message.reactions.append(mark)
        return {}

    # https://docs.slack.dev/reference/methods/apps.connections.open
    def connections_open(self, args: Json) -> Json:
        return {"url": self.socket.open_url(self.origin())}

    # ---- response_url: https://docs.slack.dev/interactivity/handling-user-interaction

    def respond(self, path: str, args: Json) -> str | None:
        """An error code, or None when it was done."""
        w = self.workspace
        with w.changed:
            ticket = w.response_urls.get(path)
            if ticket is None:
                return "no_service"
            problem = w.why_not(ticket)
            if problem:
                return problem
            try:
                if args.get("delete_original") and ticket.original:
                    ticket.original.deleted = True
                elif flag(args.get("replace_original")) and ticket.original:
                    text, blocks = self._content(args)
                    ticket.original.text, ticket.original.blocks = text, blocks
                    number_blocks(blocks)
                else:
                    self.reply(ticket.user, ticket.channel, args)
            except RefusalError as refusal:
                return refusal.code
            ticket.uses += 1
            w.changed.notify_all()
            return None

    def reply(self, user: str, channel: str, args: Json) -> Message:
        """The answer to a command, seen by one person unless response_type says in_channel."""
        text, blocks = self._content(args)
        whole = args.get("response_type") == "in_channel"
        place = self.workspace.channels[channel]
        return self._say(place, text, blocks, args, ephemeral_to=None if whole else user)

    # ---- shared parts

    def _say(
        self,
        channel: Channel,
        text: str,
        blocks: list[Json],
        args: Json,
        ephemeral_to: str | None = None,
    ) -> Message:
        w = self.workspace
        return w.add_message(
            Message(
                channel=channel.id,
                ts=w.next_ts(),
                user=w.bot_user,
                bot_id=w.bot_id,
                text=text,
                blocks=blocks,
                thread_ts=args.get("thread_ts"),
                client_msg_id=args.get("client_msg_id"),
                metadata=decoded(args, "metadata"),
                ephemeral_to=ephemeral_to,
                args=args,
            )
        )

    def _content(self, args: Json) -> tuple[str, list[Json]]:
        text = str(args.get("text") or args.get("markdown_text") or "")
        blocks = decoded(args, "blocks") or []
        if len(text) > TEXT_LIMIT:
            raise RefusalError("msg_too_long")
        problems = slack_blocks.problems_in_message(blocks)
        if problems:
            raise RefusalError("invalid_blocks", problems)
        if slack_blocks.text_size(blocks) > slack_blocks.TEXT_IN_ALL_BLOCKS:
            raise RefusalError("msg_blocks_too_long")
        if not text.strip() and not blocks and not args.get("attachments"):
            raise RefusalError("no_text")
        return text, blocks
