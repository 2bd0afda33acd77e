"""What an event means: which command, with which arguments, and whether this person may give it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from bot import asking
from bot.arguments import (
    SHORT_ID,
    Missing,
    Reading,
    expand,
    is_about,
    keep,
    read_alone,
    read_each,
    read_line,
)
from bot.commands import Argument, Command, Listener, Request, Signal, Value
from bot.courtesies import is_courtesy
from bot.messages import (
    Answer,
    Button,
    Card,
    Event,
    Form,
    Locale,
    Mention,
    Refused,
    Role,
    Words,
    known_locale,
    lines,
    query_ids,
    text,
)
from bot.verbs import Match, Verbs
from storage.dialogues import Dialogue
from storage.tables.people import Person
from storage.tables.teams import Team
from storage.uow import UnitOfWork

CANCEL_WORDS = frozenset(("cancel", "取消", "算了"))
# How a message without buttons says what to type (plain.typed.*): many copy it with the rest.
COPIED = re.compile(r"^(?:发送|(?:mention\s+)?and type|type)[:：]\s*", re.IGNORECASE)
LONGEST_BUTTON_TEXT = 600
HEARD = "heard"
"""The signal of talk in a thread that is not said to the bot."""


@dataclass(frozen=True, slots=True)
class Sender:
    """Who speaks, for which team, with which roles."""

    person: Person
    team: Team | None
    roles: frozenset[Role]
    locale: Locale
    zone: str


@dataclass(frozen=True, slots=True)
class Routed:
    """What came of an event: a command to run, a signal to follow, a form to open, or words to say
    at once.
    """

    command: Command | None = None
    request: Request | None = None
    listener: Listener | None = None
    signal: Signal | None = None
    form: Form | None = None
    answer: Answer | None = None


class Router:
    """Reads events by the tables of commands and signals it is given.

    `about` says which query a message stands under, if any.
    """

    def __init__(
        self,
        commands: Iterable[Command],
        signals: Mapping[str, Listener],
        guests_allowed: Callable[[Team], bool],
        about: Callable[[Event, UnitOfWork], int | None],
    ) -> None:
        self._commands: Mapping[str, Command] = {one.name: one for one in commands}
        self._signals = signals
        self._verbs = Verbs(self._commands.values())
        self._guests_allowed = guests_allowed
        self._about = about

    def concerns(self, event: Event, uow: UnitOfWork) -> bool:
        """Whether it is the bot's business at all. What is said to it always is."""
        if event.kind == "text":
            return event.addressed or self._is_heard(event, uow)
        listener = self._signals.get(event.kind)
        return listener is None or listener.concerns(event, uow)

    def _is_heard(self, event: Event, uow: UnitOfWork) -> bool:
        return bool(event.under) and self._signals[HEARD].concerns(event, uow)

    # --- who ---------------------------------------------------------------------------------

    def sender(self, event: Event, uow: UnitOfWork) -> Sender:
        """The person behind the event, their team in this chat, and what they may do."""
        person = self._person(event, uow)
        team = self._team(event, person, uow)
        roles = uow.people.roles(person.id, team.id) if team else _roles_anywhere(person, uow)
        if not roles:
            guest = team is not None and self._guests_allowed(team)
            roles = frozenset(("guest",)) if guest else frozenset(("outsider",))
        reads_as = team or uow.teams.first()
        locale = known_locale(person.locale or reads_as.locale)
        return Sender(person, team, roles, locale, person.zone or reads_as.zone)

    def _person(self, event: Event, uow: UnitOfWork) -> Person:
        """Whoever acts is there now; of whom the platform tells something need not be."""
        if event.kind in ("account", "edited", "deleted"):
            known = uow.people.find(event.platform, event.user.id)
            if known is not None:
                return known
        return uow.people.meet(event.platform, event.user, event.received_at)

    def _team(self, event: Event, person: Person, uow: UnitOfWork) -> Team | None:
        """In a bound group the group decides; in a direct message the only or the chosen one."""
        if event.chat.kind == "group":
            bound = uow.teams.bound(event.platform, event.chat.id)
            if bound is not None:
                return bound
        only = uow.teams.only()
        if only is not None or event.chat.kind == "group":
            return only
        mine = uow.people.team_ids(person.id)
        chosen = person.chosen_team_id
        if chosen is not None and (chosen in mine or uow.people.roles(person.id, None)):
            return uow.teams.get(chosen)  # admins may choose any
        return uow.teams.get(mine[0]) if len(mine) == 1 else None

    # --- what --------------------------------------------------------------------------------

    def route(self, event: Event, sender: Sender, uow: UnitOfWork) -> Routed:
        """What the event means. Raises Refused."""
        if event.kind in self._signals:
            return self._signal(event.kind, event, sender, uow)
        if event.kind == "text":
            if not event.addressed:
                return self._signal(HEARD, event, sender, uow)
            return self._text(event, sender, uow)
        command = self._commands.get(event.command)
        if command is None:
            raise Refused("usage.button_unknown")
        return self._given(command, event, sender, uow, event.arguments)

    def _signal(self, name: str, event: Event, sender: Sender, uow: UnitOfWork) -> Routed:
        """What somebody did that is no command; the words are as a command would have them."""
        listener = self._signals[name]
        if not sender.roles & listener.who:
            return Routed()
        words = self._without_verb(event, sender, uow)
        signal = Signal(
            event=event,
            person=sender.person,
            team=sender.team,
            roles=sender.roles,
            words=words,
            is_courtesy=is_courtesy(words),
        )
        return Routed(listener=listener, signal=signal)

    def _without_verb(self, event: Event, sender: Sender, uow: UnitOfWork) -> str:
        """What is asked in "ask …"; all of it where no question is asked so."""
        match = self._verbs.match(event.text.strip()) if event.kind == "edited" else None
        for command in match.commands if match else ():
            if any(argument.name == "question" for argument in command.arguments):
                assert match is not None
                try:
                    asked = read_line(self._reading(command, event, sender, uow), match.rest)
                except (Missing, Refused):
                    continue
                return str(asked["question"])
        return expand(event.text, event).strip()

    def _text(self, event: Event, sender: Sender, uow: UnitOfWork) -> Routed:
        line = COPIED.sub("", event.text.strip())
        dialogue = uow.dialogues.find(
            event.platform, event.chat.id, event.user.id, event.received_at
        )
        if line.casefold().strip("。.!！ ") in CANCEL_WORDS:
            uow.dialogues.close(event.platform, event.chat.id, event.user.id)
            return _say("dialogue.cancelled" if dialogue else "dialogue.nothing")
        if dialogue is not None and dialogue.command in self._commands:
            return self._continue(dialogue, line, event, sender, uow)
        return self._line(line, event, sender, uow)

    def _line(self, line: str, event: Event, sender: Sender, uow: UnitOfWork) -> Routed:
        """A line that begins something new."""
        match = self._verbs.match(line)
        if match is not None and self._is_talk(match, event, uow):
            return self._signal(HEARD, event, sender, uow)
        if match is None:
            if self._is_heard(event, uow) and self._verbs.nearest(line, sender.roles) is None:
                return self._signal(HEARD, event, sender, uow)
            return self._unknown(line, event, sender)
        command = _by_prefix(match)
        self._permit(command, event, sender, uow)
        reading = self._reading(command, event, sender, uow)
        if command.arguments and not match.rest and not event.mentions:
            return self._bare(reading, sender, event)
        try:
            values = read_line(reading, match.rest)
        except Missing as missing:
            raise self._incomplete(reading, missing.argument) from None
        except Refused as refused:
            if refused.words.key == "usage.extra" and event.chat.kind == "direct":
                # Perhaps no command at all: "Who is working tomorrow?" begins with a verb.
                return _offer(refused.words, expand(line, event), sender)
            raise
        return self._run(command, event, sender, values)

    def _is_talk(self, match: Match, event: Event, uow: UnitOfWork) -> bool:
        """Whether words that begin with a verb are an answer to the question they quote, such as
        "Check in on the ground floor": there only a verb alone or with an id is a command.
        """
        if not event.quoted or not match.rest or SHORT_ID.match(match.rest):
            return False
        return self._is_heard(event, uow)

    def _bare(self, reading: Reading, sender: Sender, event: Event) -> Routed:
        """A verb alone: it may need nothing, or it asks for what it needs."""
        try:
            values = read_line(reading, "")
        except Missing as missing:
            if event.quoted and missing.argument.kind == "words":
                # 咨询, said about somebody's words: those are the question.
                return self._run(reading.command, event, sender, read_line(reading, event.quoted))
            if not _has_forms(event) and event.chat.kind == "group":
                raise self._incomplete(reading, missing.argument) from None
            return self._ask_for(reading, {}, missing.argument)
        return self._run(reading.command, event, sender, values)

    def _given(
        self,
        command: Command,
        event: Event,
        sender: Sender,
        uow: UnitOfWork,
        given: Mapping[str, str],
    ) -> Routed:
        """A command whose arguments came one by one."""
        self._permit(command, event, sender, uow)
        reading = self._reading(command, event, sender, uow)
        given = _with_what_it_is_about(reading, given)
        if event.kind == "button" and event.message and _lacks_any(command, given):
            return self._ask_for(reading, dict(given), command.arguments[-1])
        try:
            values = read_each(reading, given)
        except Missing as missing:
            if event.kind == "form":
                raise Refused(
                    "usage.missing",
                    field=missing.argument.name,
                    what=asking.label(missing.argument),
                    example=reading.example,
                ) from None
            return self._ask_for(reading, dict(given), missing.argument)
        return self._run(command, event, sender, values)

    def _run(
        self, command: Command, event: Event, sender: Sender, values: Mapping[str, Value]
    ) -> Routed:
        if command.needs_team and sender.team is None:
            raise Refused("team.which")
        request = Request(
            person=sender.person,
            team=sender.team,
            roles=sender.roles,
            chat=event.chat,
            platform=event.platform,
            event_key=event.key,
            at=event.at,
            now=event.received_at,
            arguments=values,
            message=event.message,
            thread=event.under or event.message,
        )
        return Routed(command=command, request=request)

    def _reading(self, command: Command, event: Event, sender: Sender, uow: UnitOfWork) -> Reading:
        team_id = sender.team.id if sender.team else None
        about = self._about(event, uow)
        return Reading(event, uow, team_id, ZoneInfo(sender.zone), command, self._verbs, about)

    # --- permission --------------------------------------------------------------------------

    def _permit(self, command: Command, event: Event, sender: Sender, uow: UnitOfWork) -> None:
        """The one place where it is decided who may give a command."""
        if command.direct_only and event.chat.kind == "group":
            raise Refused("refused.direct_only", verb=text(f"verbs.{command.name}"))
        if command.needs_proof and not event.trusted:
            raise Refused("refused.unproven", verb=text(f"verbs.{command.name}"))
        if sender.roles & command.who:
            return
        if not command.needs_team and command.who & _roles_anywhere(sender.person, uow):
            return  # it is about a thing, whose own team the handler asks
        if sender.roles <= {"outsider", "guest"}:
            raise Refused("refused.outsider", people=_whom_to_ask(sender, uow))
        needed = [
            text(f"roles.{role}")
            for role in ("worker", "lead", "manager", "finance", "admin")
            if role in command.who
        ]
        raise Refused("refused.role", roles=lines(*needed, separator=" / "))

    # --- asking for what is missing ----------------------------------------------------------

    def _incomplete(self, reading: Reading, argument: Argument) -> Refused:
        return Refused(
            "usage.missing",
            what=asking.label(argument),
            example=reading.example,
        )

    def _ask_for(self, reading: Reading, given: dict[str, str], missing: Argument) -> Routed:
        """A form where one can open, a button that opens one, else a dialogue, question by
        question.
        """
        command, event = reading.command, reading.event
        given = asking.kept(reading, given)
        if event.can_open_form:
            return Routed(form=asking.form_for(reading, given))
        if event.can_offer_form:
            return Routed(answer=Answer(card=asking.form_offer(reading, given), private=True))
        dialogue = Dialogue(command.name, given, missing.name)
        reading.uow.dialogues.open(
            event.platform, event.chat.id, event.user.id, dialogue, event.received_at
        )
        return Routed(answer=Answer(words=asking.question(missing), private=command.private))

    def _continue(
        self, dialogue: Dialogue, line: str, event: Event, sender: Sender, uow: UnitOfWork
    ) -> Routed:
        """The line is the answer to what was asked; a wrong one is refused and asked again."""
        command = self._commands[dialogue.command]
        reading = self._reading(command, event, sender, uow)
        asked = next((one for one in command.arguments if one.name == dialogue.asking), None)
        if asked is None:
            uow.dialogues.close(event.platform, event.chat.id, event.user.id)
            return self._unknown(line, event, sender)
        match = self._verbs.match(line) if any(one.isalnum() for one in line) else None
        value: Value = None
        if match is None or asked.kind != "words" or not _is_whole(match):
            try:
                value = read_alone(reading, asked, line)
            except Refused:
                if match is None:
                    raise
        if value is None:  # not what was asked for, but a command: the person has moved on
            uow.dialogues.close(event.platform, event.chat.id, event.user.id)
            return self._line(line, event, sender, uow)
        given = {**dialogue.arguments, asked.name: keep(asked, value, line, event)}
        uow.dialogues.close(event.platform, event.chat.id, event.user.id)
        return self._given(command, event, sender, uow, given)

    # --- words that are no command -----------------------------------------------------------

    def _unknown(self, line: str, event: Event, sender: Sender) -> Routed:
        typed = expand(line, event)
        ids = query_ids(event.quoted)
        if len(ids) == 1 and any(character.isalnum() for character in typed):
            # Perhaps a question, perhaps the first quarter: nobody is answered by a guess.
            return _say("usage.quoted", id=next(iter(ids)), words=typed[:200])
        if not any(character.isalnum() for character in typed):
            return _say("usage.empty")
        if is_courtesy(typed):
            return _say("usage.courtesy")
        nearest = self._verbs.nearest(line, sender.roles)
        if nearest is not None:
            return _say("usage.nearest", typed=typed[:60], verb=nearest)
        if event.chat.kind == "group" or "outsider" in sender.roles:
            return _say("usage.unknown", typed=typed[:60])
        return _offer(text("usage.ask_this"), typed, sender)


def _offer(title: Words, typed: str, sender: Sender) -> Routed:
    """Words that are no command, with a button that asks them as a question."""
    buttons = [Button(label=text("usage.help_button"), command="help")]
    if len(typed) <= LONGEST_BUTTON_TEXT and sender.roles != {"outsider"}:
        ask = Button(
            label=text("usage.ask_button"),
            command="ask",
            arguments={"question": typed},
            style="primary",
        )
        buttons.insert(0, ask)
    shown = typed if len(typed) <= LONGEST_BUTTON_TEXT else f"{typed[:LONGEST_BUTTON_TEXT]}…"
    card = Card(title=title, body=(text("said", words=shown),), buttons=tuple(buttons))
    return Routed(answer=Answer(card=card, private=True))


def _has_forms(event: Event) -> bool:
    return event.can_open_form or event.can_offer_form


def _with_what_it_is_about(reading: Reading, given: Mapping[str, str]) -> Mapping[str, str]:
    """The query in whose thread it was done, where none is named. Raises Refused.

    Of a person's message that belongs to no query nobody is asked for a number.
    """
    for argument in reading.command.arguments:
        if argument.kind == "id" and argument.name not in given:
            if is_about(reading, argument):
                return {**given, argument.name: f"Q{reading.about}"}
            if reading.event.message and reading.event.kind == "button":
                raise Refused("usage.no_query_here")
    return given


def _lacks_any(command: Command, given: Mapping[str, str]) -> bool:
    """Done on somebody's message, a command asks even for what it could do without."""
    return any(argument.name not in given for argument in command.arguments)


def _is_whole(match: Match) -> bool:
    """A verb alone, or with a short id: 签退, 认领 Q1."""
    return not match.rest or SHORT_ID.fullmatch(match.rest) is not None


def _roles_anywhere(person: Person, uow: UnitOfWork) -> frozenset[Role]:
    """What somebody may do in any team."""
    found = uow.people.roles(person.id, None)
    for team_id in uow.people.team_ids(person.id):
        found |= uow.people.roles(person.id, team_id)
    return found


def _by_prefix(match: Match) -> Command:
    """Among the commands of a verb, the one whose kind of id stands behind it."""
    if len(match.commands) == 1:
        return match.commands[0]
    found = SHORT_ID.match(match.rest)
    letter = found[1].upper() if found else ""
    plain: Command | None = None
    for command in match.commands:
        first = command.arguments[0] if command.arguments else None
        if first is None or first.kind != "id":
            plain = command
        elif letter and letter in first.prefixes:
            return command
    if plain is None and found is not None and not letter:
        # "approve 1": a request to join, or a correction?
        shown = [text(f"examples.{command.name}") for command in match.commands]
        raise Refused("usage.which_id", examples=lines(*shown, separator=" / "))
    return plain or match.commands[0]


def _whom_to_ask(sender: Sender, uow: UnitOfWork) -> Words:
    people = list(uow.people.holders("manager", sender.team.id)) if sender.team else []
    people = people or list(uow.people.holders("admin", None))
    if not people:
        return text("refused.nobody_yet")
    return lines(
        *(text("person", person=Mention(person_id=one.id, name=one.name)) for one in people[:3]),
        separator=" / ",
    )


def _say(key: str, **params: str) -> Routed:
    return Routed(answer=Answer(words=text(key, **params), private=True))
