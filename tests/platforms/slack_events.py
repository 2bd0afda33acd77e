"""What people do that nobody asked the app about: it hears of it by the Events API.

https://docs.slack.dev/reference/events
"""

from __future__ import annotations

from typing import Any, TypedDict, Unpack

from tests.platforms.slack_driver import Reply, SlackDriver
from tests.platforms.slack_model import Channel, Json, Message, User
from tests.platforms.slack_places import user_json
from tests.platforms.slack_text import encode_typed

_KINDS = {"public": "channel", "private": "group", "im": "im", "mpim": "mpim"}
_LETTERS = {"public": "C", "private": "G"}


class UserChanges(TypedDict, total=False):
    name: str
    tz: str
    locale: str
    deleted: bool
    is_restricted: bool
    is_ultra_restricted: bool
    profile: Json
    enterprise_user: Json | None


class EventDriver(SlackDriver):
    # https://docs.slack.dev/reference/events/message and …/app_mention
    def say(
        self, user: str, channel: str | None, text: str, thread_ts: str | None = None
    ) -> list[Reply]:
        """A person writes. A mention in a channel fires app_mention *and* message, two ids."""
        w, place = self.workspace, self.place(user, channel)
        message = Message(place.id, w.next_ts(), user, encode_typed(text, w), thread_ts=thread_ts)
        message.client_msg_id = w.new_id("msg")
        return self._said(w.add_message(message), place)

    # https://docs.slack.dev/reference/events/message/bot_message
    def bot_says(
        self,
        channel: str,
        text: str,
        *,
        bot_id: str = "B0CALENDAR",
        username: str = "calendar",
        thread_ts: str | None = None,
    ) -> list[Reply]:
        """Another app's bot writes; its text goes out as it is."""
        w, place = self.workspace, self.workspace.channels[channel]
        message = Message(place.id, w.next_ts(), "", text, thread_ts=thread_ts, bot_id=bot_id)
        message.subtype, message.username = "bot_message", username
        return self._said(w.add_message(message), place)

    # https://docs.slack.dev/reference/events/message/message_changed
    def edit(self, user: str, message: Message, text: str) -> Reply:
        w = self.workspace
        with w.changed:
            self._theirs(user, message)
            before = self._inner(message)
            message.text = encode_typed(text, w)
            message.edited_ts = w.next_ts()
            w.changed.notify_all()
            after = self._inner(message)
        return self._hidden(
            message, "message_changed", {"message": after, "previous_message": before}
        )

    # https://docs.slack.dev/reference/events/message/message_deleted
    def erase(self, user: str, message: Message) -> Reply:
        with self.workspace.changed:
            self._theirs(user, message)
            before = self._inner(message)
            message.deleted = True
            self.workspace.changed.notify_all()
        return self._hidden(
            message, "message_deleted", {"deleted_ts": message.ts, "previous_message": before}
        )

    # https://docs.slack.dev/reference/events/reaction_added
    def react(self, user: str, message: Message, name: str = "question") -> Reply:
        with self.workspace.changed:
            if message.ephemeral_to or (user, name) in message.reactions:
                raise AssertionError(f"{user} cannot put :{name}: on this message")
            message.reactions.append((user, name))
            self.workspace.changed.notify_all()
        return self._reaction("reaction_added", user, message, name)

    # https://docs.slack.dev/reference/events/reaction_removed
    def unreact(self, user: str, message: Message, name: str = "question") -> Reply:
        with self.workspace.changed:
            if (user, name) not in message.reactions:
                raise AssertionError(f"{user} has no :{name}: on this message")
            message.reactions.remove((user, name))
            self.workspace.changed.notify_all()
        return self._reaction("reaction_removed", user, message, name)

    # https://docs.slack.dev/reference/events/app_home_opened
    def open_home(self, user: str, tab: str = "home") -> Reply:
        """The app is told what it has published for this person, if anything."""
        with self.workspace.changed:
            direct, home = self.workspace.direct(user), self.workspace.homes.get(user)
            event: Json = {"type": "app_home_opened", "user": user, "channel": direct.id}
            event["tab"] = tab
            if home is not None and tab == "home":
                event["view"] = self.api.views.as_json(home)
        return self.event(event)

    # https://docs.slack.dev/reference/events/user_change
    def change_user(self, id: str, **changes: Unpack[UserChanges]) -> Reply:
        """`profile` is merged into what the person had filled in before."""
        with self.workspace.changed:
            user = self.workspace.users[id]
            for name, value in changes.items():
                wanted: Any = value
                if name == "profile":
                    wanted = {**user.profile, **wanted}
                setattr(user, name, wanted)
            self.workspace.changed.notify_all()
        return self._person("user_change", user)

    def deactivate(self, id: str) -> Reply:
        """The account is closed; the person stays known, and what was said stays."""
        return self.change_user(id, deleted=True)

    # https://docs.slack.dev/reference/events/team_join
    def join_workspace(self, id: str, name: str) -> Reply:
        return self._person("team_join", self.workspace.add_user(id, name))

    # https://docs.slack.dev/reference/events/member_joined_channel
    def invite_bot(self, channel: str, by: str) -> Reply:
        w = self.workspace
        with w.changed:
            place = w.channels[channel]
            if w.bot_user not in place.members:
                place.members.append(w.bot_user)
            w.changed.notify_all()
        event = {"type": "member_joined_channel", "user": w.bot_user, "channel": channel}
        event |= {"channel_type": _LETTERS[place.kind], "team": w.team_id, "inviter": by}
        return self.event(event)

    # https://docs.slack.dev/reference/events/channel_left and …/group_left
    def remove_bot(self, channel: str, by: str = "") -> list[Reply]:
        """Told where an app listens at all; the rest is seen when the bot tries to speak."""
        with self.workspace.changed:
            place = self.workspace.channels[channel]
            place.members.remove(self.workspace.bot_user)
            self.workspace.changed.notify_all()
        return self._to_listeners(place, "left", {"actor_id": by or place.members[0]})

    # https://docs.slack.dev/reference/events/channel_archive and …/group_archive
    def archive(self, channel: str, by: str = "") -> list[Reply]:
        with self.workspace.changed:
            place = self.workspace.channels[channel]
            place.archived = True
            self.workspace.changed.notify_all()
        return self._to_listeners(place, "archive", {"user": by or place.members[0]})

    # ---- parts

    def _inner(self, message: Message) -> Json:
        found = {**message.as_json(), "team": self.workspace.team_id}
        if message.client_msg_id:
            found["client_msg_id"] = message.client_msg_id
        return found

    def _said(self, message: Message, place: Channel) -> list[Reply]:
        w = self.workspace
        event = {**self._inner(message), "channel": place.id, "event_ts": message.ts}
        heard = []
        if w.bot_user in place.members:
            heard.append({**event, "channel_type": _KINDS[place.kind]})
        if f"<@{w.bot_user}" in message.text and place.kind in ("public", "private"):
            heard.append({**event, "type": "app_mention"})
        return [self.event(one) for one in heard]

    def _hidden(self, message: Message, subtype: str, more: Json) -> Reply:
        place, ts = self._heard(message), self.workspace.next_ts()
        event: Json = {"type": "message", "subtype": subtype, "hidden": True, **more}
        event |= {"channel": place.id, "channel_type": _KINDS[place.kind]}
        return self.event(event | {"ts": ts, "event_ts": ts})

    def _reaction(self, kind: str, user: str, message: Message, name: str) -> Reply:
        item = {"type": "message", "channel": self._heard(message).id, "ts": message.ts}
        event: Json = {"type": kind, "user": user, "reaction": name, "item": item}
        return self.event(event | ({"item_user": message.user} if message.user else {}))

    def _person(self, kind: str, user: User) -> Reply:
        w = self.workspace
        event = {"type": kind, "user": user_json(user, w, with_locale=True)}
        return self.event(event | {"cache_ts": int(w.now())})

    def _to_listeners(self, place: Channel, what: str, more: Json) -> list[Reply]:
        if not self.listens:
            return []
        kind = "group" if place.kind == "private" else "channel"
        return [self.event({"type": f"{kind}_{what}", "channel": place.id, **more})]

    def _heard(self, message: Message) -> Channel:
        place = self.workspace.channels[message.channel]
        if self.workspace.bot_user not in place.members:
            raise AssertionError(f"the bot is not in {place.id}: Slack tells it nothing")
        return place

    def _theirs(self, user: str, message: Message) -> None:
        if message.user != user or message.deleted or message.ephemeral_to:
            raise AssertionError(f"{user} cannot change this message")
