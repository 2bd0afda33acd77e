"""The shared words of the house: what comes in, what goes out, and how it is said.

Everything here is frozen and imports nothing of ours. Text is kept as a key and its parameters
until somebody is about to read it: only then is it clear in which language, which zone and on which
platform.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Literal, NamedTuple, Protocol, get_args

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

Locale = Literal["zh_CN", "en"]
LOCALES: tuple[Locale, ...] = get_args(Locale)


def known_locale(written: str | None) -> Locale:
    """A language as it is stored; whatever is not English is answered in Chinese."""
    return "en" if written == "en" else "zh_CN"


Role = Literal["outsider", "guest", "worker", "lead", "manager", "finance", "admin"]
"""outsider: unknown, and guests are off here. guest: not on the roster, in a chat of a team."""
ROLES: tuple[Role, ...] = get_args(Role)

# Decoders put a mention into a text as OPEN + index + CLOSE; both are private-use characters, which
# `without_marks` removes from what people type, so nobody can forge one.
MENTION_OPEN, MENTION_CLOSE = "\ue000", "\ue001"

_QUERY_ID = re.compile(r"(?<![A-Za-z0-9])Q[1-9][0-9]{0,17}(?![0-9])", re.ASCII)


class Model(BaseModel):
    """A frozen value that refuses unknown fields."""

    # What is wrong with a value may be logged; the value is what somebody said, and may not.
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


# --- what is said --------------------------------------------------------------------------------


class Mention(Model):
    """A person named in a text. `user_id` is filled in for the platform the text goes to."""

    kind: Literal["mention"] = "mention"
    person_id: int
    name: str
    user_id: str | None = None


class Moment(Model):
    """A point in time, shown in the reader's zone; `style` says how much of it."""

    kind: Literal["moment"] = "moment"
    at: AwareDatetime
    style: Literal["when", "clock", "date"] = "when"


class Duration(Model):
    """Whole seconds, shown as hours and minutes."""

    kind: Literal["duration"] = "duration"
    seconds: int


class Text(Model):
    """A sentence of the catalogues: its key, and what stands in its {placeholders}.

    A `str` parameter is something a person typed: adapters escape it and it never pings or links.
    """

    kind: Literal["text"] = "text"
    key: str
    params: dict[str, Param] = {}


class Lines(Model):
    """Several sentences, one under the other (or joined by `separator`)."""

    kind: Literal["lines"] = "lines"
    parts: tuple[Words, ...]
    separator: str = "\n"


Words = Annotated[Text | Lines, Field(discriminator="kind")]
Param = (
    str | int | Annotated[Mention | Moment | Duration | Text | Lines, Field(discriminator="kind")]
)
Text.model_rebuild()
Lines.model_rebuild()


def text(key: str, /, **params: Param) -> Text:
    """The sentence `key` of the catalogues with its parameters."""
    return Text(key=key, params=params)


def lines(*parts: Words | None, separator: str = "\n") -> Lines:
    """The given sentences, one a line; None is left out."""
    return Lines(parts=tuple(part for part in parts if part is not None), separator=separator)


class Span(NamedTuple):
    """A piece of a rendered text. Only "ours" may carry markup of the platform."""

    kind: Literal["ours", "theirs", "mention", "moment"]
    text: str
    user_id: str | None = None
    at: datetime | None = None
    style: Literal["when", "clock", "date"] = "when"


class Reader(Protocol):
    """Somebody about to read: knows the language, the zone and the present moment."""

    @property
    def locale(self) -> Locale: ...

    def spans(self, words: Words) -> Sequence[Span]:
        """The words in the reader's language, in pieces that an adapter joins in its own way."""


# --- cards and forms -----------------------------------------------------------------------------


class Button(Model):
    """A command with its arguments, to be pressed. What is missing is asked for in a form."""

    label: Words
    command: str
    arguments: dict[str, str] = {}
    style: Literal["plain", "primary", "danger"] = "plain"
    hint: Words | None = None
    """How to type it, where that takes more than the verb and the arguments: 回复 Q1 内容."""

    @property
    def typed(self) -> tuple[Text, tuple[str, ...]]:
        """The same as a line of text: the verb's name and the arguments that follow it."""
        return text(f"verbs.{self.command}"), tuple(self.arguments.values())


class CardField(Model):
    """One labelled fact on a card."""

    label: Words
    value: Words


class Menu(Model):
    """Buttons of which one chooses: a menu where the platform has menus, else buttons in a row."""

    label: Words
    choices: tuple[Button, ...]


class Card(Model):
    """One model for all platforms; each shows of it what it can."""

    title: Words
    body: tuple[Words, ...] = ()
    fields: tuple[CardField, ...] = ()
    buttons: tuple[Button, ...] = ()
    menus: tuple[Menu, ...] = ()


class Page(Model):
    """A person's own page on a platform that has one, such as Slack's App Home."""

    cards: tuple[Card, ...]


class File(Model):
    """A text file that goes along with a message."""

    name: str
    content: str


class FormOption(Model):
    """One choice of a menu."""

    value: str
    label: Words


class FormField(Model):
    """One question of a form; `kind` chooses the widget.

    "people" and "choices" take several; where a platform has no such widget, a line does.
    """

    name: str
    label: Words
    kind: Literal["line", "paragraph", "menu", "choices", "people"] = "line"
    options: tuple[FormOption, ...] = ()
    hint: Words | None = None
    required: bool = True


class Form(Model):
    """Questions for what a command still lacks. Opening one writes nothing."""

    command: str
    title: Words
    arguments: dict[str, str] = {}
    fields: tuple[FormField, ...]


# --- what goes out -------------------------------------------------------------------------------


class Address(Model):
    """A durable place on a platform: a person's direct messages, their own page, or a group."""

    platform: str
    kind: Literal["person", "group", "page"]
    id: str
    thread: str | None = None
    """In a group the message it stands under; of a person which of several conversations, where the
    bot has several with them."""
    only_for: str | None = None
    """The one account in a group that reads it; by direct message where that cannot be."""


class ToPerson(Model):
    """Somebody, on the platform where they were last active and can be reached."""

    kind: Literal["to_person"] = "to_person"
    person_id: int


class ToHome(Model):
    """A team's home group, on every platform where it has one."""

    kind: Literal["to_home"] = "to_home"
    team_id: int


Priority = Literal["person", "reminder", "digest"]


class Send(Model):
    """A message to a durable address. `key` is UNIQUE: nothing is said twice.

    `edits` names the key of an earlier message that this one replaces; where the platform cannot
    edit, `words` follow as a short line (the card alone is then left out).
    """

    to: ToPerson | ToHome | Address
    key: str
    words: Words | None = None
    card: Card | None = None
    page: Page | None = None
    """In place of words and card, to an address of kind "page": the newest alone is shown."""
    file: File | None = None
    or_else: ToPerson | None = None
    """Who reads it directly where it cannot be said there."""
    edits: str | None = None
    answers: str = ""
    """The key of the event that it answers: a platform may have opened a way back with it."""
    rings: bool = False
    """To a home, and only where it rings the phones of those it names: elsewhere nothing is said,
    for their direct messages say it."""
    priority: Priority = "person"


class Answer(Model):
    """What the person who acted reads. `private`: nobody else may read it."""

    words: Words | None = None
    card: Card | None = None
    private: bool = False
    about: str = ""
    """The short id of what it is about, where people may answer to it: "Q7"."""


class Outgoing(Model):
    """A message at the platform's door: where to, what, and the handle of the message it edits."""

    address: Address
    words: Words | None = None
    card: Card | None = None
    page: Page | None = None
    file: File | None = None
    edits_handle: str | None = None
    team: str = ""
    """The team whose home it goes to; "" for any other place."""
    answers: str = ""
    """The key of the event that it answers."""
    rings: bool = False
    priority: Priority = "person"
    message_id: int
    attempt: int = 1
    uncertain_since: AwareDatetime | None = None
    """When it was first tried, where an earlier attempt may have been taken: look before saying it
    again.
    """


# --- what comes in -------------------------------------------------------------------------------


class User(Model):
    """A platform account as the platform tells it; name, language and zone are hints."""

    id: str
    name: str
    alias: str = ""
    """A second name by which colleagues may mention them."""
    locale: Locale | None = None
    zone: str | None = None


class Chat(Model):
    """Where something was said. A direct chat has the user's id, on every platform."""

    kind: Literal["direct", "group"]
    id: str
    name: str = ""
    thread: str | None = None
    is_ours: bool = True
    """Is the bot in it? A command may be given in a group that the bot cannot write to."""


Happening = Literal["reaction", "edited", "deleted", "account", "page", "invited"]
"""What people do beside giving commands: react to a message, change or delete theirs, change or
lose their account, open their own page, take the bot into a group.
"""


class Event(Model):
    """Something a person did, decoded and verified, the same for all platforms.

    `key` is the platform's own event key, unique per platform. `at` is work time (the platform's
    time where it is signed and not in the future), `received_at` ours. `addressed` is false for
    group talk that the bot merely overhears.
    """

    platform: str
    key: str
    kind: Literal["text", "button", "form"] | Happening
    user: User
    chat: Chat
    text: str = ""
    mentions: tuple[User, ...] = ()
    command: str = ""
    arguments: dict[str, str] = {}
    addressed: bool = True
    can_open_form: bool = False
    can_offer_form: bool = False
    """No form can open at once, but a button could open one."""
    message: str = ""
    """The handle of the message that was said, or that it is about; "" where there is none."""
    pressed: int | None = None
    """The number of the message of ours whose button was pressed, where it comes back with it."""
    handle: str = ""
    """What that message can be changed by from now on, where changing uses a handle up."""
    under: str = ""
    """The handle of the message above: the first one of the thread, or the one that is quoted."""
    quoted: str = ""
    """The words of the message that is quoted, where they come along."""
    author: User | None = None
    """Who wrote the message it is about, where that is somebody else's."""
    strangers: int = 0
    """How many more are mentioned of whom the platform gives no account."""
    trusted: bool = True
    """False: that it came from the platform is proven, not what it says and of whom."""
    emoji: str = ""
    gone: bool = False
    """The account is there no more."""
    complete: bool = True
    """False: it has still to be asked for who they are and what the message says, and will be if
    the event concerns the bot at all.
    """
    at: AwareDatetime
    received_at: AwareDatetime


class Tick(Model):
    """A timer that has come due."""

    kind: str
    subject: str
    step: str
    due_at: AwareDatetime
    now: AwareDatetime

    @property
    def late_seconds(self) -> int:
        """How long after its time it runs."""
        return int((self.now - self.due_at).total_seconds())


class Reply(Model):
    """What dispatch gives back to an adapter for one event; stored with it, so a repeat reads the
    same.
    """

    answer: Answer | None = None
    form: Form | None = None
    errors: dict[str, Words] = {}
    wants_more: bool = False
    """Nothing was done yet: hand the event over again, complete."""
    locale: Locale
    zone: str
    at: AwareDatetime


class Refused(Exception):
    """The polite no: the work rolls back and this sentence is the answer.

    `field` names the form field that is wrong, where one is.
    """

    def __init__(self, key: str, /, field: str | None = None, **params: Param) -> None:
        super().__init__(key)
        self.words = text(key, **params)
        self.field = field


def without_marks(typed: str) -> str:
    """What a person typed, without the characters that only decoders may write."""
    return "".join(
        character
        for character in typed
        if character not in (MENTION_OPEN, MENTION_CLOSE)
        and (character >= " " or character in "\n\t")
    )


def plain_name(name: str) -> str:
    """A team's name as it is compared: capitals, widths and spaces are as one likes."""
    return "".join(unicodedata.normalize("NFKC", name).casefold().split())


def query_ids(words: str) -> frozenset[str]:
    """The short ids of queries that stand in somebody's words: "Q7"."""
    return frozenset(_QUERY_ID.findall(words))


def mention_mark(index: int) -> str:
    """The mark that stands in an event's text for `mentions[index]`."""
    return f"{MENTION_OPEN}{index}{MENTION_CLOSE}"
