"""Forms on a persona's screen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from adapters.plain import flat
from bot.messages import Form, FormField, Reader


@dataclass(frozen=True, slots=True)
class ShownFormField:
    """A question of an open form, rendered."""

    name: str
    label: str
    kind: str
    options: tuple[tuple[str, str], ...]
    """Value and label."""
    hint: str
    required: bool


@dataclass(frozen=True, slots=True)
class OpenForm:
    """A form that a persona has on the screen."""

    chat: str
    command: str
    arguments: Mapping[str, str]
    title: str
    fields: tuple[ShownFormField, ...]
    values: Mapping[str, str] = field(default_factory=dict)
    """What was entered, when it was sent in and found wanting."""
    errors: Mapping[str, str] = field(default_factory=dict)


def opened(form: Form, chat: str, reader: Reader) -> OpenForm:
    """A form as its reader sees it, nothing entered yet."""
    return OpenForm(
        chat=chat,
        command=form.command,
        arguments=dict(form.arguments),
        title=flat(form.title, reader),
        fields=tuple(_shown_field(one, reader) for one in form.fields),
    )


def _shown_field(asked: FormField, reader: Reader) -> ShownFormField:
    return ShownFormField(
        name=asked.name,
        label=flat(asked.label, reader),
        kind=asked.kind,
        options=tuple((one.value, flat(one.label, reader)) for one in asked.options),
        hint=flat(asked.hint, reader) if asked.hint else "",
        required=asked.required,
    )


def sent_back(form: OpenForm, values: Mapping[str, str], errors: Mapping[str, str]) -> OpenForm:
    """The form with what was entered and what is wrong with it."""
    return replace(form, values=dict(values), errors=dict(errors))
