"""Where a platform shows no button or form, people type: the line below a card, or answers."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from bot.verbs import words_of
from bot.words import catalogue
from tests.clock import StillClock
from tests.stages.stage import Stage

# Short ids, and the page of a list: 认领 Q1, 问题 open 2.
_SHORT_IDS = r"(?: [A-Z]\d+(?:\.\d+)?)*(?:(?: [a-z]+)? \d+(?=$))?"

# What somebody said stands in the line already: 咨询 明天谁上班？
WHOLE = frozenset(words_of("ask"))


class TypingStage(Stage):
    """A platform on which what is missing is asked for question by question."""

    def __init__(self, clock: StillClock) -> None:
        super().__init__(clock)
        # What everybody typed last in place of a button, and whether in the group.
        self._typed: dict[str, tuple[str, bool]] = {}

    def type_in_place_of(self, name: str, line: str, *, in_group: bool) -> str:
        """Type what stands where a button would be."""
        self._typed[name] = (line, in_group)
        return self.say(name, line, in_group=in_group)

    def fill(self, name: str, answers: Mapping[str, str]) -> str:
        """Answer question by question, or type the whole line anew where nothing asks."""
        if self.in_dialogue(name):
            return [self.say(name, answer, in_group=False) for answer in answers.values()][-1]
        line, in_group = self._typed[name]
        return self.say(name, " ".join((line, *answers.values())), in_group=in_group)

    def in_dialogue(self, name: str) -> bool:
        """Is somebody being asked something in their direct messages?"""
        person = self.account(name)
        work = self.bot.transactions.read(
            lambda uow: uow.dialogues.find(self.platform, person, person, self.clock.now())
        )
        return self.run(work) is not None


def words_for(label: str) -> list[str]:
    """The words by which a command is typed; of any other label the label itself."""
    return words_of(label) if f"verbs.{label}" in catalogue("en") else [label]


def line_for(label: str, shown: str) -> str | None:
    """The line that gives a command, out of what stands below a message: "@班长 发送：认领 Q1 · …".

    What is still to be filled in (回复 Q1 内容) is left out.
    """
    for line in reversed(shown.splitlines()):
        _call, colon, commands = line.partition("：") if "：" in line else line.partition(": ")
        if colon:
            found = _first(words_for(label), commands.split(" · "))
            if found is not None:
                return found
    return None


def _first(words: Iterable[str], commands: Iterable[str]) -> str | None:
    for command in commands:
        for word in words:
            rest = r" .+" if word in WHOLE else rf"{_SHORT_IDS}(?= |$)"
            found = re.match(rf"{re.escape(word)}{rest}", command.strip())
            if found:
                return found[0]
    return None
