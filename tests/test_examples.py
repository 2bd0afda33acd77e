"""The examples that help shows can be typed as they stand, in either language."""

from __future__ import annotations

import pytest

import handlers
from adapters.sandbox.world import PERSONAS
from bot.arguments import GRANTABLE, SHORT_ID
from bot.commands import Argument, Command
from bot.messages import LOCALES, Locale, text
from bot.verbs import Match, Verbs
from bot.words import catalogue, every_word, reader_for
from tests.clock import MORNING
from tests.town import Town

COMMANDS = {one.name: one for one in handlers.COMMANDS}
VERBS = Verbs(handlers.COMMANDS)


def example(name: str, locale: Locale) -> str:
    """The example of a command as its reader sees it."""
    return reader_for(locale, "Asia/Shanghai", MORNING).plain(text(f"examples.{name}"))


def prefixes(command: Command) -> tuple[str, ...]:
    """The letters of the id that a command begins with."""
    first = command.arguments[0] if command.arguments else None
    return first.prefixes if first is not None and first.kind == "id" else ()


def meant(match: Match) -> Command:
    """The command of a match; of several with one verb, the one that wants such an id."""
    if len(match.commands) == 1:
        return match.commands[0]
    found = SHORT_ID.match(match.rest)
    assert found is not None, f"{match.word}: only the id says what is meant"
    (command,) = (one for one in match.commands if found[1].upper() in prefixes(one))
    return command


@pytest.mark.parametrize("name", COMMANDS)
@pytest.mark.parametrize("locale", LOCALES)
def test_an_example_means_its_command(name: str, locale: Locale) -> None:
    match = VERBS.match(example(name, locale))
    assert match is not None
    assert meant(match).name == name


@pytest.mark.parametrize("name", COMMANDS)
@pytest.mark.parametrize("locale", LOCALES)
def test_every_word_for_a_command_means_it(name: str, locale: Locale) -> None:
    for word in catalogue(locale).synonyms(f"verbs.{name}"):
        match = VERBS.match(word)
        assert match is not None
        assert COMMANDS[name] in match.commands, word


@pytest.mark.parametrize("name", COMMANDS)
@pytest.mark.parametrize("locale", LOCALES)
def test_an_example_shows_all_that_is_needed(name: str, locale: Locale) -> None:
    match = VERBS.match(example(name, locale))
    assert match is not None
    for argument in (one for one in COMMANDS[name].arguments if one.required):
        assert shows(argument, match.rest), argument.name


def shows(argument: Argument, rest: str) -> bool:
    """Whether an argument of this kind stands in the words behind a verb."""
    match argument.kind:
        case "id":
            found = SHORT_ID.match(rest)
            return found is not None and found[1] in argument.prefixes
        case "choice":
            return any(
                word in rest for one in argument.choices for word in every_word(f"choices.{one}")
            )
        case "role":
            return any(word in rest for one in GRANTABLE for word in every_word(f"roles.{one}"))
        case "people":
            return "@" in rest
        case _:
            return bool(rest.strip())


@pytest.mark.parametrize("name", COMMANDS)
@pytest.mark.parametrize("locale", LOCALES)
def test_help_is_a_whole_sentence(name: str, locale: Locale) -> None:
    sentence = reader_for(locale, "Asia/Shanghai", MORNING).plain(text(f"help.{name}"))
    assert sentence.endswith("." if locale == "en" else "。")
    assert locale != "en" or sentence[0].isupper()
    assert "\n" not in sentence


@pytest.mark.parametrize("part", ["manager", "lead", "worker", "guest"])
@pytest.mark.parametrize("chat", ["group", "direct"])
@pytest.mark.parametrize("locale", LOCALES)
def test_what_the_sandbox_suggests_are_commands(part: str, chat: str, locale: Locale) -> None:
    key = f"sandbox.suggestions.{part}.{chat}"
    names = {"@" + one.called(locale) for one in PERSONAS}
    for line in reader_for(locale, "Asia/Shanghai", MORNING).plain(text(key)).split("|"):
        assert VERBS.match(line) is not None, line
        assert {word for word in line.split() if word.startswith("@")} <= names


# How the bot says that it could not read a line.
NOT_UNDERSTOOD: dict[Locale, tuple[str, ...]] = {
    "zh_CN": ("没看懂", "还差一项", "还没写", "看不出是什么时间", "两种读法", "这个说法"),
    "en": ("I do not know “", "I still need", "is missing", "I cannot read", "did not understand"),
}
# People and teams that are only examples.
NAMES_SOMEBODY = {
    "ask_for",
    "escalate",
    "staff_add",
    "staff_remove",
    "team_here",
    "team_use",
    "join",
}


@pytest.mark.parametrize("name", sorted(COMMANDS.keys() - NAMES_SOMEBODY))
@pytest.mark.parametrize("locale", LOCALES)
def test_the_bot_reads_an_example_to_its_end(town: Town, name: str, locale: Locale) -> None:
    """Nothing has the ids of the examples; but nobody reads that the line is wrong."""
    town.say("周经理", "language en" if locale == "en" else "语言 中文")
    said = town.say("周经理", example(name, locale))
    assert said
    assert not any(one in said for one in NOT_UNDERSTOOD[locale])
