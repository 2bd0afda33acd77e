"""The sandbox, which resembles a platform: for those whose own stage is not built yet."""

from __future__ import annotations

from collections.abc import Mapping

from adapters.contract import DeliveryFailed
from adapters.sandbox.adapter import SandboxAdapter
from adapters.sandbox.world import BOT_ID, GROUP_ID, PERSONAS, Entry, Profile
from bot.words import reader_for
from tests.clock import StillClock
from tests.stages.stage import GROUP, Said
from tests.stages.typing import TypingStage, words_for

IDS = {persona.name: persona.id for persona in PERSONAS}
NAMES = {GROUP_ID: GROUP, **{persona.id: persona.name for persona in PERSONAS}}


class SandboxStage(TypingStage):
    """The sandbox's own adapter; nothing is encoded for any real platform."""

    platform = "sandbox"
    group_id = GROUP_ID

    def __init__(self, clock: StillClock, profile: Profile) -> None:
        super().__init__(clock)
        self.profile = profile
        self.sandbox = SandboxAdapter(clock.now, reader_for, profile)
        self.adapter = self.sandbox

    def account(self, name: str) -> str:
        return IDS[name]

    def say(
        self, name: str, words: str, *, in_group: bool, mention: bool = True, key: str | None = None
    ) -> str:
        person = IDS[name]
        chat = GROUP_ID if in_group else person
        line = f"@班长 {words}" if in_group and mention else words
        receive = self.bot.dispatch.receive
        return self.answered(
            name, lambda: self.run(self.sandbox.say(person, chat, line, receive, key=key))
        )

    def press(self, name: str, label: str, on: str, key: str | None = None) -> str:
        """Where the profile shows no buttons, the command that stands there instead is typed."""
        words = words_for(label)
        for entry in reversed(self._visible(IDS[name])):
            if on not in entry.plain or entry.author != BOT_ID:
                continue
            for index, button in enumerate(entry.buttons):
                if label in (button.label, button.command):
                    return self._press(name, entry.id, index, key)
            for line in entry.content.typed:
                if any(line.startswith(word) for word in words):
                    return self.type_in_place_of(name, line, in_group=entry.chat == GROUP_ID)
        raise AssertionError(f"{name} sees no button {label!r} on {on!r}")

    def _press(self, name: str, entry_id: int, index: int, key: str | None) -> str:
        receive = self.bot.dispatch.receive
        return self.answered(
            name,
            lambda: self.run(self.sandbox.press(IDS[name], entry_id, index, receive, key=key)),
        )

    def fill(self, name: str, answers: Mapping[str, str]) -> str:
        """Fill the form that is open, or answer as one does where there are none."""
        return self._submit(name, answers) if self.has_form(name) else super().fill(name, answers)

    def _submit(self, name: str, answers: Mapping[str, str]) -> str:
        person = IDS[name]
        form = self.sandbox.open_form(person)
        assert form is not None
        errors: dict[str, str] = {}

        def submit() -> None:
            receive = self.bot.dispatch.receive
            found = self.run(
                self.sandbox.submit(person, form.command, form.arguments, answers, receive)
            )
            errors.update(found or {})

        said = self.answered(name, submit)
        return "\n".join(errors.values()) if errors else said

    def has_form(self, name: str) -> bool:
        return self.sandbox.open_form(IDS[name]) is not None

    def fail_next(self, *failures: DeliveryFailed) -> None:
        self.sandbox.failures.extend(failures)

    @property
    def change(self) -> int:
        return self.sandbox.transcript.last_change

    def since(self, change: int) -> list[Said]:
        return [
            Said(one.at, NAMES[one.chat], one.plain, NAMES[one.audience] if one.audience else None)
            for one in self.sandbox.transcript.since(change)
            if one.author == BOT_ID
        ]

    def _visible(self, person: str) -> list[Entry]:
        seen = [
            entry for chat in (GROUP_ID, person) for entry in self.sandbox.visible(person, chat)
        ]
        return sorted(seen, key=lambda entry: entry.id)
