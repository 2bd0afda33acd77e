"""What a procedure is made of. Every field is checked when the bot starts."""

from __future__ import annotations

import re
from collections.abc import Iterator
from string import Formatter
from typing import Annotated, Literal, Self, get_args

from pydantic import AfterValidator, BeforeValidator, StringConstraints, model_validator

from bot.messages import Locale, Model

UNITS = {"m": 60, "h": 3600}
DURATION = re.compile(r"(\d{1,4})(m|h)")
SHARE = re.compile(r"(\d{1,2})%")
AROUND = re.compile(r"([+-])(\d{1,4}(?:m|h))")
DEADLINE = "deadline"

Whom = Literal["owner", "home", "leads", "managers", "last_resort"]
"""owner: who claimed the query. leads: those on duty, else all. last_resort: the admins.
home: the team's group, when nobody else of the rung is there."""

Variable = Literal["asker", "question", "id"]
VARIABLES: frozenset[str] = frozenset(get_args(Variable))


def seconds(written: object) -> object:
    """`2h` or `30m` → seconds; anything else is refused.

    >>> seconds("2h"), seconds("90m")
    (7200, 5400)
    """
    found = DURATION.fullmatch(written) if isinstance(written, str) else None
    if found is None:
        raise ValueError("write a duration with its unit, such as 30m or 2h")
    if not int(found[1]):
        raise ValueError("a duration of nothing makes no sense here")
    return int(found[1]) * UNITS[found[2]]


def _moment(written: object) -> object:
    if isinstance(written, str) and (
        written == DEADLINE or SHARE.fullmatch(written) or AROUND.fullmatch(written)
    ):
        if re.fullmatch(r"[+-]?0+[mh%]", written):
            raise ValueError(f"for the deadline itself write: {DEADLINE}")
        return written
    raise ValueError(f"write 50%, -15m, {DEADLINE} or +30m")


def _knows_variables(sentence: str) -> str:
    try:
        names = {name for _, name, _, _ in Formatter().parse(sentence) if name is not None}
    except ValueError as error:
        raise ValueError(f"a brace is not closed or not opened ({error})") from None
    unknown = sorted(names - VARIABLES)
    if unknown:
        known = ", ".join(f"{{{name}}}" for name in sorted(VARIABLES))
        raise ValueError(f"unknown variable {{{unknown[0]}}}; there are {known}")
    return sentence


Seconds = Annotated[int, BeforeValidator(seconds)]
At = Annotated[str, BeforeValidator(_moment)]
Sentence = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
PhraseText = Annotated[Sentence, AfterValidator(_knows_variables)]


class Bilingual(Model):
    """The same in both languages."""

    en: Sentence
    zh_CN: Sentence  # noqa: N815 - the name of the language everywhere

    def say(self, locale: Locale) -> str:
        """The one for a reader."""
        return self.zh_CN if locale == "zh_CN" else self.en


class BilingualPhrase(Bilingual):
    """A text in both languages that may speak of {asker}, {question} and {id}."""

    en: PhraseText
    zh_CN: PhraseText  # noqa: N815


class Phrase(Model):
    """A standard phrase: found by its name in either language."""

    name: Bilingual
    text: BilingualPhrase


class Step(Model):
    """One thing to do, and how one sees that it is done."""

    title: Bilingual
    evidence: Bilingual | None = None


def _times(typed: object) -> object:
    if isinstance(typed, int) and not isinstance(typed, bool) and 1 <= typed <= 24:
        return typed
    raise ValueError("write a whole number from 1 to 24")


class Repeat(Model):
    """The last rung again, every so often, so many times at most."""

    every: Seconds
    times: Annotated[int, BeforeValidator(_times)]


class Rung(Model):
    """Whom to tell when. Everybody of `tell` who is there; if nobody is, the next rung's people."""

    at: At
    tell: tuple[Whom, ...]
    repeat: Repeat | None = None

    @model_validator(mode="after")
    def _tells_somebody(self) -> Self:
        if not self.tell:
            raise ValueError("tell must name somebody")
        if len(set(self.tell)) < len(self.tell):
            raise ValueError("tell names somebody twice")
        return self

    def after_start(self, response_time: int) -> int:
        """Seconds between the question and this rung."""
        if self.at == DEADLINE:
            return response_time
        share = SHARE.fullmatch(self.at)
        if share is not None:
            return response_time * int(share[1]) // 100
        return response_time + self.from_deadline()

    def from_deadline(self) -> int:
        """Seconds after the deadline, negative before it; 0 for a share, measured otherwise."""
        around = AROUND.fullmatch(self.at)
        if around is None:
            return 0
        length = seconds(around[2])
        assert isinstance(length, int)
        return -length if around[1] == "-" else length

    def percent(self) -> int | None:
        """The share of the response time, where the rung is measured by one."""
        share = SHARE.fullmatch(self.at)
        return int(share[1]) if share else None


class Script(Model):
    """A procedure: how fast, how well, in which steps, with which words, and who hears of delay."""

    title: Bilingual
    response_time: Seconds
    silence_after_claim: Seconds
    """How long nobody but the owner is reminded after a claim."""
    ladder: tuple[Rung, ...]
    quality: tuple[Bilingual, ...]
    deliverable: Bilingual
    steps: tuple[Step, ...]
    phrases: tuple[Phrase, ...] = ()

    @model_validator(mode="after")
    def _climbs(self) -> Self:
        if not self.ladder:
            raise ValueError("the ladder needs a rung")
        for rung, following in self._neighbours():
            if rung.repeat is not None:
                raise ValueError("only the last rung may repeat")
            if following.after_start(self.response_time) <= rung.after_start(self.response_time):
                raise ValueError(f"{following.at} must come after {rung.at}")
        if self.ladder[0].after_start(self.response_time) <= 0:
            raise ValueError(f"{self.ladder[0].at} lies before the question")
        return self

    @model_validator(mode="after")
    def _names_phrases_once(self) -> Self:
        names: set[str] = set()
        for phrase in self.phrases:
            mine = {phrase.name.en.casefold(), phrase.name.zh_CN.casefold()}
            if mine & names:
                raise ValueError(f"two phrases are called {phrase.name.en} or {phrase.name.zh_CN}")
            names |= mine
        return self

    def _neighbours(self) -> Iterator[tuple[Rung, Rung]]:
        return zip(self.ladder, self.ladder[1:], strict=False)

    def phrase(self, name: str) -> Phrase | None:
        """The phrase of this name, in either language."""
        wanted = name.strip().casefold()
        for phrase in self.phrases:
            if wanted in (phrase.name.en.casefold(), phrase.name.zh_CN.casefold()):
                return phrase
        return None
