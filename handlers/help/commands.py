"""What the bot can do, for just this person: the verbs in groups, or one verb in full."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from bot.commands import Argument, Command, Handler, Request
from bot.messages import Answer, Text, Words, lines, text
from storage.uow import UnitOfWork

# The most used first, a line each. What stands in no group is named under "more", so that a new
# command is found without a word here.
GROUPS: dict[str, tuple[str, ...]] = {
    "work": ("checkin", "checkout", "break", "back", "who", "fix", "me"),
    "queries": ("ask", "queries", "claim", "reply", "resolve"),
    "people": ("staff_list", "staff_add", "team_set", "approve_correction"),
}
# Another command has the same words, and the kind of id decides (approve C4, approve J1).
SAME_WORD = frozenset(("approve_join", "reject_join"))
SEPARATOR = " · "


def make_help(table: Callable[[], Sequence[Command]]) -> Handler:
    """The handler of `help [VERB]`.

    `table` gives all commands when somebody needs help: `help` stands among them itself.
    """

    def help_(request: Request, _uow: UnitOfWork) -> Answer:
        wanted = request.choices("verb")
        if wanted:
            named = [one for one in table() if one.name in wanted]
            return Answer(words=lines(*(_explained(one) for one in named), separator="\n\n"))
        mine = [one for one in table() if one.who & request.roles]
        return Answer(words=lines(*_overview(mine), _manner(request)))

    return help_


# --- all of it -----------------------------------------------------------------------------------


def _overview(mine: Sequence[Command]) -> Iterator[Words]:
    """The groups of commands that the person may give; a group with none is left out."""
    by_name = {one.name: one for one in mine}
    for group, members in GROUPS.items():
        shown = [name for name in members if name in by_name]
        if shown:
            yield text(f"manual.group.{group}")
        for name in shown:
            yield text("manual.line", verb=_verb(name), does=text(f"help.{name}"))
    grouped = {name for members in GROUPS.values() for name in members}
    rest = [_verb(name) for name in by_name if name not in grouped | SAME_WORD]
    if rest:
        yield text("manual.more", verbs=lines(*rest, separator=SEPARATOR))


def _manner(request: Request) -> Words:
    """How to speak in this chat."""
    key = "manual.in_group" if request.chat.kind == "group" else "manual.in_direct"
    return text(key)


# --- one verb ------------------------------------------------------------------------------------


def _explained(command: Command) -> Words:
    """What it does, how it is typed, an example, every word for it, and who may."""
    return lines(
        text("manual.line", verb=_verb(command.name), does=text(f"help.{command.name}")),
        text("manual.usage", usage=_usage(command)) if command.arguments else None,
        text("manual.example", example=text(f"examples.{command.name}")),
        text("manual.words", words=_all_words(command.name)),
        text("manual.who", roles=_who(command)),
        text("manual.direct_only") if command.direct_only else None,
    )


def _usage(command: Command) -> Words:
    return lines(_verb(command.name), *(_argument(one) for one in command.arguments), separator=" ")


def _argument(argument: Argument) -> Text:
    """What to choose from, or the label of an argument; what may be left out stands in brackets."""
    choices = (text(f"choices.{value}") for value in argument.choices)
    named = text(f"arguments.{argument.name}")
    label = lines(*choices, separator=" / ") if argument.choices else named
    return text("manual.needed" if argument.required else "manual.optional", label=label)


def _who(command: Command) -> Words:
    if "outsider" in command.who:
        return text("manual.everybody")
    who = ("guest", "worker", "lead", "manager", "finance", "admin")
    roles = (text(f"roles.{role}") for role in who if role in command.who)
    return lines(*roles, separator=" / ")


def _verb(name: str) -> Text:
    """The word by which a command is shown."""
    return text(f"verbs.{name}")


def _all_words(name: str) -> Text:
    """Every word for a command, in both languages, the reader's first."""
    key = "verbs." + name + ".all"
    return text(key)
