"""Sentences in both languages: the catalogues, and how a reader gets to read them."""

from __future__ import annotations

import string
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from importlib.resources import files
from zoneinfo import ZoneInfo

from babel.messages.pofile import read_po

from bot.messages import LOCALES, Duration, Lines, Locale, Mention, Moment, Param, Span, Text, Words
from bot.times import show_time

Pieces = tuple[tuple[str, str | None], ...]
"""A sentence cut at its placeholders: (what stands before it, the placeholder's name or None)."""


# Entries of these kinds hold several words with "|" between them.
SYNONYMS = ("verbs.", "roles.", "choices.")
# `verbs.checkin.all` reads as all of them, in both languages.
ALL = ".all"


class Catalogue:
    """All sentences of one language, read once at start."""

    def __init__(self, locale: Locale) -> None:
        self.locale = locale
        self._sentences: dict[str, tuple[Pieces, ...]] = {}
        self._synonyms: dict[str, list[str]] = {}
        folder = files("bot") / "locales" / locale / "LC_MESSAGES"
        for file in sorted(folder.iterdir(), key=lambda one: one.name):
            if file.name.endswith(".po"):
                with file.open("rb") as stream:
                    self._read(stream.read().splitlines(keepends=True))

    def _read(self, source: list[bytes]) -> None:
        for message in read_po(iter(source), abort_invalid=True):
            if not message.id:
                continue
            key = message.id if isinstance(message.id, str) else message.id[0]
            forms = message.string if isinstance(message.string, tuple | list) else [message.string]
            if key in self._sentences:
                raise ValueError(f"{key} stands twice in the {self.locale} catalogues")
            if key.startswith(SYNONYMS):
                self._synonyms[key] = [word.strip() for word in str(forms[0]).split("|")]
                forms = self._synonyms[key][:1]
            self._sentences[key] = tuple(_pieces(form or "") for form in forms)

    def pieces(self, key: str, params: dict[str, Param]) -> Pieces:
        """The sentence of a key, in the plural form that `n` asks for. Raises KeyError."""
        forms = self._sentences[key]
        count = params.get("n")
        if len(forms) == 1 or not isinstance(count, int):
            return forms[0]
        # Only English has two forms here; Chinese has one and never comes this far.
        return forms[0 if count == 1 else 1]

    def __contains__(self, key: str) -> bool:
        return key in self._sentences

    def synonyms(self, key: str) -> list[str]:
        """The words that people may type for a verb, a role or a choice; the first is shown."""
        return self._synonyms[key]


def _pieces(sentence: str) -> Pieces:
    return tuple(
        (before, name) for before, name, _format, _conversion in string.Formatter().parse(sentence)
    )


@cache
def catalogue(locale: Locale) -> Catalogue:
    """The catalogue of a language."""
    return Catalogue(locale)


def warm_up() -> None:
    """Read both catalogues now, so that a broken one stops the start and not an answer."""
    for locale in LOCALES:
        catalogue(locale)


@dataclass(frozen=True)
class LocalReader:
    """Somebody who reads `locale` in `zone` at the moment `now` (messages.Reader)."""

    locale: Locale
    zone: ZoneInfo
    now: datetime

    def spans(self, words: Words) -> Sequence[Span]:
        """The words in pieces; unknown keys show themselves, so that nothing is ever swallowed."""
        return tuple(self._spans(words))

    def plain(self, words: Words) -> str:
        """The words as one string, for logs' readers and tests."""
        return "".join(span.text for span in self.spans(words))

    def _spans(self, words: Words) -> Iterator[Span]:
        if isinstance(words, Lines):
            for index, part in enumerate(words.parts):
                if index:
                    yield Span("ours", words.separator)
                yield from self._spans(part)
            return
        if words.key.endswith(ALL):
            yield Span("ours", " · ".join(every_word(words.key.removesuffix(ALL))))
            return
        try:
            pieces = catalogue(self.locale).pieces(words.key, words.params)
        except KeyError:
            yield Span("ours", words.key)
            return
        for before, name in pieces:
            if before:
                yield Span("ours", before)
            if name is not None and name in words.params:
                yield from self._param(words.params[name])
            elif name is not None:  # another version wrote it, for another sentence
                yield Span("ours", f"{{{name}}}")

    def _param(self, value: Param) -> Iterator[Span]:
        match value:
            case str():
                yield Span("theirs", value)
            case int():
                yield Span("ours", str(value))
            case Mention():
                yield Span("mention", value.name, user_id=value.user_id)
            case Moment():
                yield Span("moment", self._moment(value), at=value.at, style=value.style)
            case Duration():
                yield Span("ours", show_duration(value.seconds, self.locale))
            case Text() | Lines():
                yield from self._spans(value)

    def _moment(self, moment: Moment) -> str:
        local = moment.at.astimezone(self.zone)
        if moment.style == "clock":
            return f"{local:%H:%M}"
        if moment.style == "date":
            this_year = self.now.astimezone(self.zone).year
            return f"{local:%m-%d}" if local.year == this_year else f"{local:%Y-%m-%d}"
        return show_time(moment.at, self.now, self.zone)


def every_word(key: str) -> list[str]:
    """The words for a verb, a role or a choice in all languages."""
    found = [word for locale in LOCALES for word in catalogue(locale).synonyms(key)]
    return list(dict.fromkeys(found))


def reader_for(locale: Locale, zone: str, now: datetime) -> LocalReader:
    """A reader of a language in a zone (by name) at a moment."""
    return LocalReader(locale=locale, zone=ZoneInfo(zone), now=now)


def show_duration(seconds: int, locale: Locale) -> str:
    """Hours and minutes, as one says them; seconds only below a minute.

    >>> show_duration(8_100, "en"), show_duration(8_100, "zh_CN"), show_duration(59, "en")
    ('2 h 15 min', '2 小时 15 分钟', '59 s')
    """
    hour, minute, second = ("小时", "分钟", "秒") if locale == "zh_CN" else ("h", "min", "s")
    minutes, rest = divmod(abs(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if not hours and not minutes:
        return f"{rest} {second}"
    parts = [f"{hours} {hour}"] if hours else []
    if minutes or not hours:
        parts.append(f"{minutes} {minute}")
    return " ".join(parts)
