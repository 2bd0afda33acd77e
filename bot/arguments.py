"""What stands behind a verb: ids, people, times, choices, words. Read strictly, refused in plain
words.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from bot.commands import Argument, Command, Kind, Value
from bot.messages import (
    MENTION_CLOSE,
    MENTION_OPEN,
    ROLES,
    Event,
    Refused,
    Text,
    lines,
    text,
)
from bot.times import UnreadableTime, read_leading_time, read_time
from bot.verbs import Verbs
from bot.words import every_word
from storage.tables.people import Person
from storage.uow import UnitOfWork

MARK = re.compile(f"{MENTION_OPEN}(\\d+){MENTION_CLOSE}")
# A person who was mentioned in an earlier line of a dialogue; nobody can type one either.
KNOWN = re.compile(f"{MENTION_OPEN}p(\\d+){MENTION_CLOSE}")
SHORT_ID = re.compile(r"\s*#?([A-Za-z]?)\s?-?(\d{1,12})(?![\w])")
NUMBER = re.compile(r"\d{1,9}(?!\w)")
TYPED_MENTION = re.compile(r"@([^\s@,，:：;；。!！?？、]+)")
# A name of several words: "Tom Lee", "Anna Maria van Dijk".
WORD_END = re.compile(r"\s+[^\s@,，:：;；。!！?？、]+")
MOST_WORDS = 4
GRANTABLE = tuple(role for role in ROLES if role not in ("outsider", "guest"))
# Full-width letters and digits one to one, so that places in the text stay the same.
HALF_WIDTH = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)}
SEPARATORS = " \t\n\u3000,，:：;；、"


class Missing(Exception):
    """A required argument was not given."""

    def __init__(self, argument: Argument) -> None:
        super().__init__(argument.name)
        self.argument = argument


@dataclass(frozen=True, slots=True)
class Reading:
    """What reading arguments needs to know: who is meant by a name, and what the time is."""

    event: Event
    uow: UnitOfWork
    team_id: int | None
    zone: ZoneInfo
    command: Command
    verbs: Verbs
    about: int | None = None
    """The number of the query in whose thread it was said: there Q7 need not be typed."""

    @property
    def example(self) -> Text:
        """How the command is typed."""
        return text(f"examples.{self.command.name}")


def read_line(reading: Reading, rest: str) -> dict[str, Value]:
    """All arguments from the words behind the verb, left to right. Raises Missing or Refused."""
    values: dict[str, Value] = {}
    for argument in reading.command.arguments:
        value, rest = _read_one(reading, argument, rest)
        if value is None and argument.required:
            raise Missing(argument)
        values[argument.name] = value
    left = rest.strip(SEPARATORS)
    if left:
        raise Refused("usage.extra", extra=expand(left, reading.event), example=reading.example)
    return values


def read_each(reading: Reading, given: Mapping[str, str]) -> dict[str, Value]:
    """Arguments that came one by one, from a button, a form or a dialogue.

    Raises Refused (with the field that is wrong) or Missing (the first that is not there).
    """
    values: dict[str, Value] = {}
    missing: Argument | None = None
    for argument in reading.command.arguments:
        raw = given.get(argument.name, "").strip()
        value: Value = None
        if raw:
            value = read_alone(reading, argument, raw)
        if value is None and argument.required:
            missing = missing or argument
        values[argument.name] = value
    if missing is not None:
        raise Missing(missing)
    return values


def read_alone(reading: Reading, argument: Argument, raw: str) -> Value:
    """One argument that must be the whole of `raw`. Raises Refused naming the field."""
    try:
        if argument.kind == "time":
            return _time(reading, argument, raw, whole=True)[0]
        value, left = _read_one(reading, argument, raw)
    except Refused as refused:
        refused.field = argument.name
        raise
    if value is None or left.strip(SEPARATORS):
        raise Refused("usage.extra", field=argument.name, extra=raw, example=reading.example)
    return value


def _read_one(reading: Reading, argument: Argument, rest: str) -> tuple[Value, str]:
    rest = rest.lstrip(SEPARATORS)
    if is_about(reading, argument) and not _names_a_query(rest):
        return reading.about, rest
    if argument.before:
        rest = _after_keyword(argument.before, rest)
    if not rest and argument.kind != "people":
        return None, rest
    return READERS[argument.kind](reading, argument, rest)


def is_about(reading: Reading, argument: Argument) -> bool:
    """Whether the thread says which query is meant."""
    return reading.about is not None and argument.kind == "id" and "Q" in argument.prefixes


def _names_a_query(rest: str) -> bool:
    """Q7, and not the 8 of "reply 8:00 is fine"."""
    found = SHORT_ID.match(rest.translate(HALF_WIDTH))
    return found is not None and found[1].upper() == "Q"


def _after_keyword(keywords: tuple[str, ...], rest: str) -> str:
    """Skip a keyword such as "team"; without it the argument is not there."""
    for keyword in keywords:
        if rest.casefold().startswith(keyword):
            return rest[len(keyword) :].lstrip(SEPARATORS)
    return rest


def _verb(reading: Reading, _argument: Argument, rest: str) -> tuple[Value, str]:
    """The names of the commands that a verb may mean."""
    typed = expand(rest, reading.event).strip()
    match = reading.verbs.match(typed)
    if match is not None:
        return tuple(command.name for command in match.commands), ""
    nearest = reading.verbs.nearest(typed)
    if nearest is not None:
        raise Refused("usage.nearest", typed=typed[:60], verb=nearest)
    raise Refused("usage.unknown", typed=typed[:60])


def _short_id(reading: Reading, argument: Argument, rest: str) -> tuple[Value, str]:
    found = SHORT_ID.match(rest.translate(HALF_WIDTH))
    if found is None or (found[1] and found[1].upper() not in argument.prefixes):
        raise Refused(
            "usage.id",
            field=argument.name,
            typed=expand(rest.split(" ", 1)[0], reading.event),
            example=reading.example,
        )
    return int(found[2]), rest[found.end() :]


def _time(
    reading: Reading, argument: Argument, rest: str, *, whole: bool = False
) -> tuple[datetime, str]:
    now = reading.event.received_at
    try:
        if whole:
            return read_time(rest, now, reading.zone, looking=argument.looking), ""
        return read_leading_time(rest, now, reading.zone, looking=argument.looking)
    except UnreadableTime as error:
        raise Refused(
            f"usage.time.{error.reason}",
            field=argument.name,
            typed=expand(rest[:60], reading.event),
            example=reading.example,
        ) from None


def _roles(_reading: Reading, _argument: Argument, rest: str) -> tuple[Value, str]:
    """Role words at the start, in either language."""
    found: list[str] = []
    while rest:
        for role in GRANTABLE:
            word = _leading_word(rest, words_for(f"roles.{role}"))
            if word is not None:
                found.append(role)
                rest = rest[len(word) :].lstrip(SEPARATORS)
                break
        else:
            break
    return (tuple(dict.fromkeys(found)) or None), rest


def _choice(reading: Reading, argument: Argument, rest: str) -> tuple[Value, str]:
    for value in argument.choices:
        word = _leading_word(rest, [value, *words_for(f"choices.{value}")])
        if word is not None:
            return value, rest[len(word) :]
    if not argument.required:
        return None, rest
    raise Refused(
        "usage.choice",
        field=argument.name,
        typed=expand(rest.split(" ", 1)[0], reading.event),
        choices=lines(*(text(f"choices.{value}") for value in argument.choices), separator=", "),
        example=reading.example,
    )


def words_for(key: str) -> list[str]:
    """Both languages' words for a value, the longest first."""
    return sorted(every_word(key), key=len, reverse=True)


def _leading_word(rest: str, words: list[str]) -> str | None:
    """The word that `rest` begins with; Latin words must end there, Chinese ones may be glued."""
    lowered = rest.casefold()
    for word in words:
        if lowered.startswith(word.casefold()):
            after = lowered[len(word) : len(word) + 1]
            if not word.isascii() or not (after.isalnum() and after.isascii()):
                return rest[: len(word)]
    return None


# --- people --------------------------------------------------------------------------------------


def _people(reading: Reading, argument: Argument, rest: str) -> tuple[Value, str]:
    """Mentioned persons at the start of `rest`, then those the platform names without a place."""
    if reading.event.strangers:
        raise Refused("usage.people.stranger", field=argument.name, example=reading.example)
    found: list[Person] = []
    earlier = KNOWN.match(rest) is not None
    while True:
        rest = rest.lstrip(SEPARATORS + "和与")
        marked, typed, known = MARK.match(rest), TYPED_MENTION.match(rest), KNOWN.match(rest)
        if known is not None:
            found.append(reading.uow.people.get(int(known[1])))
            rest = rest[known.end() :]
        elif marked is not None:
            found.append(_mentioned(reading, int(marked[1])))
            rest = rest[marked.end() :]
        elif typed is not None:
            person, length = _named(reading, rest[1:], typed[1])
            found.append(person)
            rest = rest[1 + length :]
        else:
            break
    typed_in = (reading.event.text, *reading.event.arguments.values())
    in_text = {int(index) for words in typed_in for index in MARK.findall(words)}
    placeless = (n for n in range(len(reading.event.mentions)) if n not in in_text)
    if not earlier:
        found.extend(_mentioned(reading, index) for index in placeless)
    if not found and rest and argument.required:
        person, rest = _bare_name(reading, argument, rest)
        found.append(person)
    unique = {person.id: person for person in found}
    return (tuple(unique.values()) or None), rest


def _mentioned(reading: Reading, index: int) -> Person:
    """The person behind a structured mention; the platform vouches for the account."""
    event = reading.event
    user = event.mentions[index]
    known = reading.uow.people.find_named(event.platform, user)
    if known is not None:
        return known
    return reading.uow.people.meet(event.platform, user, event.received_at)


def _named(reading: Reading, rest: str, typed: str) -> tuple[Person, int]:
    """Who is named at the start of `rest`: exactly one known name, or asked.

    A name may have blanks in it ("Tom Lee"), so the longest counts. It may be glued to what follows
    (派单@小王整理精华) only where hands wrote it so: a client puts a blank on both sides of a name
    that was chosen, and then "小王子" is not "小王".
    """
    lengths = [*_with_blanks(rest, len(typed)), len(typed)]
    if not _is_chosen(reading.event.text, rest, typed) and not typed.isascii():
        lengths += range(len(typed) - 1, 0, -1)
    for length in lengths:
        name = rest[:length]
        people = reading.uow.people.named(name, reading.team_id, reading.event.platform)
        if not people and reading.command.name in ("staff_add", "ask_for"):
            people = reading.uow.people.named(name, None, reading.event.platform)
        if len(people) == 1:
            return people[0], length
        if people:
            raise Refused("usage.people.two", name=name, n=len(people), example=reading.example)
    raise _unknown(reading, typed, None)


def _with_blanks(rest: str, length: int) -> list[int]:
    """Where a name of several words could end, the longest first."""
    line = rest.partition("\n")[0]
    ends = [found.end() for found in WORD_END.finditer(line, length)]
    return ends[: MOST_WORDS - 1][::-1]


def _is_chosen(text: str, rest: str, typed: str) -> bool:
    """Whether it stands as a client writes the mention that somebody chose."""
    place = text.find(f"@{typed}")
    glued_before = place > 0 and not text[place - 1].isspace()
    return not glued_before and rest[len(typed) : len(typed) + 1].isspace()


def _bare_name(reading: Reading, argument: Argument, rest: str) -> tuple[Person, str]:
    """A name without @, which must be exact and end where a word ends."""
    word = re.split(r"[\s,，:：;；、]", rest, maxsplit=1)[0]
    people = reading.uow.people.named(word, None, reading.event.platform)
    if len(people) == 1:
        return people[0], rest[len(word) :]
    if people:
        raise Refused(
            "usage.people.two",
            field=argument.name,
            name=word,
            n=len(people),
            example=reading.example,
        )
    raise _unknown(reading, word, argument.name)


def _unknown(reading: Reading, name: str, field: str | None) -> Refused:
    """Nobody of this name; who puts somebody new on the roster reads how they become known."""
    if reading.command.name == "staff_add":
        return Refused("usage.people.new", field=field, name=name)
    return Refused("usage.people.unknown", field=field, name=name, example=reading.example)


def _word(reading: Reading, _argument: Argument, rest: str) -> tuple[Value, str]:
    word, _space, left = rest.partition(" ")
    return expand(word, reading.event), left


def _number(_reading: Reading, _argument: Argument, rest: str) -> tuple[Value, str]:
    """Digits that stand alone; other words are none of its business."""
    found = NUMBER.match(rest.translate(HALF_WIDTH))
    return (found[0], rest[found.end() :]) if found else (None, rest)


def _words(reading: Reading, _argument: Argument, rest: str) -> tuple[Value, str]:
    return expand(rest, reading.event).strip(), ""


READERS: Mapping[Kind, Callable[[Reading, Argument, str], tuple[Value, str]]] = {
    "id": _short_id,
    "time": _time,
    "people": _people,
    "role": _roles,
    "choice": _choice,
    "word": _word,
    "number": _number,
    "words": _words,
    "verb": _verb,
}


def keep(argument: Argument, value: Value, typed: str, event: Event) -> str:
    """An answer that must outlive its event: a mention's mark means nothing in the next one."""
    if argument.kind == "people" and isinstance(value, tuple):
        people = (one for one in value if isinstance(one, Person))
        return "".join(f"{MENTION_OPEN}p{person.id}{MENTION_CLOSE}" for person in people)
    return expand(typed, event)


def expand(words: str, event: Event) -> str:
    """Words for people to read: each mention's mark becomes @name."""

    def name(found: re.Match[str]) -> str:
        index = int(found[1])
        return f"@{event.mentions[index].name}" if index < len(event.mentions) else ""

    return MARK.sub(name, words)
