"""Which verb a line of text begins with: the words of both languages, the longest first."""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass

from bot.commands import Command
from bot.messages import MENTION_OPEN, Role
from bot.words import every_word

# These are so short and so common that people glue what follows to them: 派单@小王整理精华.
GLUED_ID = re.compile(r"[a-z]\d+(?!\w)", re.ASCII)
GLUED = frozenset(("签到", "派单", "咨询"))


@dataclass(frozen=True, slots=True)
class Match:
    """A verb at the start of a line: the commands it may mean, and the rest of the line."""

    word: str
    commands: tuple[Command, ...]
    rest: str


class Verbs:
    """The words of all commands. Several commands may share a word; the kind of id decides."""

    def __init__(self, commands: Iterable[Command]) -> None:
        words: dict[str, list[Command]] = {}
        for command in commands:
            for word in words_of(command.name):
                known = words.setdefault(_plain(word), [])
                if command not in known:
                    known.append(command)
        self._words = {word: tuple(found) for word, found in words.items()}
        self._by_length = sorted(self._words, key=len, reverse=True)

    def match(self, line: str) -> Match | None:
        """The longest verb that the line begins with, or None."""
        plain, places = _with_places(line)
        for word in self._by_length:
            if plain.startswith(word) and (word in GLUED or _ends(plain, len(word))):
                rest = line[places[len(word)] :] if len(word) < len(plain) else ""
                return Match(word, self._words[word], _behind(rest))
        return None

    def nearest(self, line: str, roles: frozenset[Role] | None = None) -> str | None:
        """The verb that a line or its first word was probably meant to be.

        With `roles`, only among the commands that somebody who has them may give.
        """
        plain = _plain(line)
        words = [word for word in self._by_length if roles is None or self._is_for(word, roles)]
        for candidate in (plain, plain.split(" ", 1)[0]):
            close = difflib.get_close_matches(candidate, words, n=1, cutoff=0.72)
            if close and len(candidate) > 1:
                return close[0]
        return None

    def _is_for(self, word: str, roles: frozenset[Role]) -> bool:
        return any(roles & command.who for command in self._words[word])


def _behind(rest: str) -> str:
    """What stands behind a verb; punctuation alone (签到！) is nothing."""
    rest = rest.lstrip(" \t\n\u3000,，:：、").rstrip()
    return "" if all(unicodedata.category(one)[0] == "P" for one in rest) else rest


def words_of(name: str) -> list[str]:
    """Everything people may type for a command, in both languages."""
    words = every_word(f"verbs.{name}")
    glued = [word.replace(" ", "") for word in words if not word.isascii()]
    return list(dict.fromkeys([*words, *glued]))


def _ends(plain: str, at: int) -> bool:
    """Whether a verb may end here: end of line, space, punctuation, digit, @ or a mention.

    After a Chinese verb a short id may follow at once: 认领Q1.
    """
    if at >= len(plain):
        return True
    following = plain[at]
    if not plain[at - 1].isascii() and GLUED_ID.match(plain, at):
        return True
    return (
        following in (" ", "@", MENTION_OPEN)
        or following.isdigit()
        or unicodedata.category(following)[0] in "PSZ"
    )


def _plain(words: str) -> str:
    return _with_places(words)[0]


def _with_places(line: str) -> tuple[str, list[int]]:
    """The line in half-width lower case with single spaces, and where each character came from."""
    characters: list[str] = []
    places: list[int] = []
    for place, original in enumerate(line):
        for character in unicodedata.normalize("NFKC", original).casefold():
            blank = character.isspace()
            if blank and (not characters or characters[-1] == " "):
                continue
            characters.append(" " if blank else character)
            places.append(place)
    while characters and characters[-1] == " ":
        characters.pop()
        places.pop()
    return "".join(characters), places
