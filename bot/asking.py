"""What is shown to who has not said all: a form, a button that opens one, or a question."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from bot.arguments import GRANTABLE, Reading, keep, read_alone
from bot.commands import Argument
from bot.messages import Button, Card, Form, FormField, FormOption, Words, lines, text

PARAGRAPHS = frozenset(("question", "words", "note", "reason", "value"))


def form_for(reading: Reading, given: Mapping[str, str]) -> Form:
    """The command's form for what is not given yet."""
    return Form(
        command=reading.command.name,
        title=text(f"verbs.{reading.command.name}"),
        arguments=dict(given),
        fields=tuple(_field(one) for one in reading.command.arguments if _is_open(one, given)),
    )


def _is_open(argument: Argument, given: Mapping[str, str]) -> bool:
    """Whether it is still to be filled in; an id that was given as nothing is meant to be none."""
    if argument.kind == "id":
        return argument.name not in given
    return not given.get(argument.name)


def form_offer(reading: Reading, given: Mapping[str, str]) -> Card:
    """A message cannot open a form; the button below its answer can."""
    verb = text(f"verbs.{reading.command.name}")
    fill_in = Button(
        label=text("usage.form_button"),
        command=reading.command.name,
        arguments=dict(given),
        style="primary",
    )
    return Card(
        title=text("usage.form_offer", verb=verb),
        body=(text("usage.form_or_type", example=reading.example),),
        buttons=(fill_in,),
    )


def kept(reading: Reading, given: Mapping[str, str]) -> dict[str, str]:
    """What is given already, as it can be given once more: marks of mentions end with their event.

    Raises Refused where it names somebody who is nobody.
    """
    if not reading.event.mentions:
        return dict(given)
    found = {}
    for argument in reading.command.arguments:
        if argument.name in given:
            typed = given[argument.name]
            value = read_alone(reading, argument, typed) if argument.kind == "people" else typed
            found[argument.name] = keep(argument, value, typed, reading.event)
    return found


def label(argument: Argument) -> Words:
    """What the argument is called."""
    return text(f"arguments.{argument.name}")


def question(argument: Argument) -> Words:
    """Asks for one argument, and names the choices if there are any."""
    if argument.choices:
        choices = lines(*(text(f"choices.{one}") for one in argument.choices), separator=" / ")
        return text("dialogue.ask_choice", what=label(argument), choices=choices)
    return text("dialogue.ask", what=label(argument))


def _field(argument: Argument) -> FormField:
    """The widget for an argument."""
    return FormField(
        name=argument.name,
        label=label(argument),
        kind=_widget(argument),
        options=tuple(
            FormOption(value=one, label=text(f"{key}.{one}")) for key, one in _options(argument)
        ),
        hint=text("hints.time") if argument.kind == "time" else None,
        required=argument.required,
    )


def _widget(argument: Argument) -> Literal["line", "paragraph", "menu", "choices", "people"]:
    if argument.kind == "people":
        return "people"
    if argument.kind == "role":
        return "choices"
    if argument.choices:
        return "menu"
    long = argument.kind == "words" and argument.name in PARAGRAPHS
    return "paragraph" if long else "line"


def _options(argument: Argument) -> list[tuple[str, str]]:
    """What may be chosen: where its words stand in the catalogues, and its value."""
    if argument.kind == "role":
        return [("roles", role) for role in GRANTABLE]
    return [("choices", one) for one in argument.choices]
