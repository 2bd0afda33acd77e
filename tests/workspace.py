"""What people do in Slack beside giving commands: talk in threads, react, edit, delete, look.

town = make_town(profile=SLACK); slack = Workspace(town)
asked = slack.talk("访客", "门打不开")
slack.react("小王", asked)
assert "Q1" in town.group()[-1]
"""

from __future__ import annotations

from collections.abc import Callable

from tests.platforms.slack_driver import Reply
from tests.platforms.slack_model import Message, View
from tests.stages.slack import ACCOUNTS, SlackStage
from tests.town import Town


class Workspace:
    """A town's Slack, hands on."""

    def __init__(self, town: Town) -> None:
        stage = town.stage
        assert isinstance(stage, SlackStage), "these things are done in Slack"
        self._town, self._stage = town, stage
        self.cloud = stage.cloud

    def channel(self, id: str, name: str, members: list[str]) -> str:
        """Another channel, the bot in it."""
        self.cloud.workspace.add_channel(id, name, [ACCOUNTS[one] for one in members])
        return id

    # --- what people do ------------------------------------------------------------------------

    def talk(
        self, name: str, words: str, *, in_: str | None = None, under: Message | None = None
    ) -> Message:
        """Say something in a channel (the team's, if no other) or in a message's thread."""
        channel = under.channel if under is not None else in_ or self._stage.group_id
        thread = (under.thread_ts or under.ts) if under is not None else None
        self._do(lambda: self.cloud.say(ACCOUNTS[name], channel, words, thread_ts=thread))
        said = [one for one in self.cloud.workspace.timeline if one.user == ACCOUNTS[name]]
        return said[-1]

    def command(self, name: str, command: str, words: str = "", channel: str | None = None) -> str:
        """Give a slash command (in the team's channel, if in no other); what one reads of it."""
        place, said = channel or self._stage.group_id, []
        read = self._stage.answered(
            name,
            lambda: said.append(self.cloud.command(ACCOUNTS[name], command, words, channel=place)),
        )
        return "\n".join([*(one.text for one in said), read])

    def newest(self, words: str) -> Message:
        """The newest message of the bot's that says this."""
        for one in reversed(self.cloud.workspace.timeline):
            if one.user == self.cloud.workspace.bot_user and words in self._stage.plain(one):
                return one
        raise AssertionError(f"the bot said nothing with {words!r}")

    def react(self, name: str, message: Message, emoji: str = "question") -> None:
        """Put an emoji on a message."""
        self._do(lambda: self.cloud.react(ACCOUNTS[name], message, emoji))

    def edit(self, name: str, message: Message, words: str) -> None:
        """Change one's message."""
        self._do(lambda: self.cloud.edit(ACCOUNTS[name], message, words))

    def erase(self, name: str, message: Message) -> None:
        """Delete one's message."""
        self._do(lambda: self.cloud.erase(ACCOUNTS[name], message))

    def shortcut(self, name: str, shortcut: str, message: Message) -> str:
        """Choose something in a message's menu; returns what the person reads afterwards."""
        return self._stage.answered(
            name, lambda: self.cloud.shortcut(ACCOUNTS[name], shortcut, message)
        )

    def open_home(self, name: str) -> str:
        """Look at one's own page; what stands on it."""
        self._do(lambda: self.cloud.open_home(ACCOUNTS[name]))
        return self.home(name)

    def press_at_home(self, name: str, label: str, chosen: str | None = None) -> str:
        """Press a button (or choose in a menu) of one's own page; what one reads afterwards."""
        view = self.view(name)
        return self._stage.answered(
            name, lambda: self.cloud.press(ACCOUNTS[name], view, label, chosen=chosen)
        )

    def leave_slack(self, name: str) -> None:
        """An owner of the workspace deactivates the account."""
        self._do(lambda: self.cloud.deactivate(ACCOUNTS[name]))

    def change_account(self, who: str, **changes: object) -> None:
        """Zone, name, or whether it is deleted."""
        self._do(lambda: self.cloud.change_user(ACCOUNTS[who], **changes))  # type: ignore[arg-type]

    def invite_bot(self, name: str, channel: str) -> None:
        """Take the bot into a channel."""
        self._do(lambda: self.cloud.invite_bot(channel, ACCOUNTS[name]))

    # --- Slack's own moods -----------------------------------------------------------------------

    def watch(self, seen: Callable[[str], object]) -> None:
        """Tell each method that is called from now on."""
        self._stage.watch = seen

    def refuse(self, method: str, code: str) -> None:
        """Slack says no to the next call of a method."""
        self._stage.refusals[method] = code

    def _do(self, act: Callable[[], Reply | list[Reply]]) -> None:
        done = act()
        for reply in done if isinstance(done, list) else [done]:
            assert reply.error is None, reply.text
        self._town.run(self._town.bot.delivery.drain())

    # --- what people see -----------------------------------------------------------------------

    def view(self, name: str) -> View:
        """One's own page as it stands."""
        found = self.cloud.workspace.homes.get(ACCOUNTS[name])
        assert found is not None, f"{name} has never looked at the page"
        return found

    def home(self, name: str) -> str:
        """What stands on one's own page."""
        return self._stage.plain(self.view(name))

    def thread(self, message: Message) -> list[str]:
        """What the bot said below a message for all."""
        return [
            self._stage.plain(one)
            for one in self.cloud.workspace.timeline
            if one.thread_ts == message.ts
            and one.user == self.cloud.workspace.bot_user
            and one.ephemeral_to is None
        ]

    def whispers(self, name: str) -> list[str]:
        """What only this person was shown in channels."""
        return [
            self._stage.plain(one)
            for one in self.cloud.workspace.timeline
            if one.ephemeral_to == ACCOUNTS[name]
        ]

    def text(self, message: Message) -> str:
        """What a message says now."""
        return self._stage.plain(message)

    def card(self, id: str) -> Message:
        """The message in the team's channel that is the card of a query."""
        group = self._stage.group_id
        for one in self.cloud.workspace.timeline:
            if one.channel == group and one.blocks and f"{id} ·" in self._stage.plain(one):
                return one
        raise AssertionError(f"there is no card of {id}")
