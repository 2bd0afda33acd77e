"""The whole behaviour on one screen: which command may be given by whom, what is listened to beside
commands, and which timer does what.

The words people type are in the catalogues under `verbs.NAME` ("|" between several); so are
`help.NAME` and `examples.NAME`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial

from bot.commands import Argument, Command, Listener, TimerHandler
from bot.messages import Answer, Role
from handlers.attendance import commands as attendance
from handlers.attendance import corrections, deciding, provisional
from handlers.attendance import timers as attendance_timers
from handlers.delivery import commands as delivery
from handlers.delivery import timers as delivery_timers
from handlers.help.commands import make_help
from handlers.people import accounts, own_data, page, profile, roster, teams
from handlers.people import commands as people
from handlers.people.rules import SETTINGS
from handlers.queries import commands as queries
from handlers.queries import threads
from handlers.queries import timers as query_timers
from handlers.queries import views as query_views
from handlers.reminding import send_digest
from handlers.upkeep import timers as upkeep
from sop_scripts import Scripts

EVERYBODY: frozenset[Role] = frozenset(
    ("outsider", "guest", "worker", "lead", "manager", "finance", "admin")
)
ASKERS: frozenset[Role] = EVERYBODY - {"outsider"}
STAFF: frozenset[Role] = ASKERS - {"guest"}
WORKERS: frozenset[Role] = frozenset(("worker", "lead", "manager", "finance"))
LEADS: frozenset[Role] = frozenset(("lead", "manager", "admin"))
MANAGERS: frozenset[Role] = frozenset(("manager", "admin"))


def _id(name: str, prefix: str) -> Argument:
    return Argument(name, "id", prefixes=(prefix,))


def _words(name: str, *, required: bool = True) -> Argument:
    return Argument(name, "words", required=required)


QUERY = _id("query", "Q")
PAGE = Argument("page", "number", required=False)
REASON = _words("reason")

COMMANDS: tuple[Command, ...] = (
    # people
    Command(
        "team_new",
        MANAGERS,
        teams.new,
        (_words("name"),),
        creates=True,
        needs_team=False,
        needs_proof=True,
    ),
    Command(
        "team_here",
        MANAGERS,
        teams.here,
        (_words("name", required=False),),
        needs_team=False,
        needs_proof=True,
    ),
    Command(
        "team_set",
        MANAGERS,
        teams.set_policy,
        (Argument("setting", "choice", choices=SETTINGS), _words("value")),
        needs_proof=True,
    ),
    Command("team_use", STAFF, teams.use, (_words("name"),), needs_team=False),
    Command("team", STAFF, teams.show),
    Command("join", EVERYBODY, people.join, (_words("team", required=False),), needs_team=False),
    Command(
        "approve_join",
        MANAGERS,
        people.approve_join,
        (_id("join", "J"),),
        needs_team=False,
        needs_proof=True,
    ),
    Command(
        "reject_join",
        MANAGERS,
        people.reject_join,
        (_id("join", "J"),),
        needs_team=False,
        needs_proof=True,
    ),
    Command(
        "staff_add",
        MANAGERS,
        roster.staff_add,
        (
            Argument("people", "people"),
            Argument("roles", "role", required=False),
            Argument("team", "words", required=False, before=("team", "团队")),
        ),
        needs_team=False,
        needs_proof=True,
    ),
    Command(
        "staff_remove",
        MANAGERS,
        roster.staff_remove,
        (Argument("people", "people"),),
        needs_proof=True,
    ),
    Command("staff_list", LEADS, roster.staff_list, (PAGE,)),
    Command(
        "link",
        EVERYBODY,
        people.link,
        (_words("code", required=False),),
        private=True,
        needs_team=False,
        needs_proof=True,
    ),
    Command(
        "language",
        EVERYBODY,
        people.language,
        (Argument("language", "choice", choices=("zh_CN", "en")),),
        private=True,
        needs_team=False,
    ),
    Command("me", STAFF, profile.me, private=True, needs_team=False),
    Command("me_data", STAFF, own_data.me_data, private=True, needs_team=False),
    # attendance
    Command("checkin", WORKERS, attendance.check_in, (_words("note", required=False),)),
    Command("checkout", WORKERS, attendance.check_out, (_words("note", required=False),)),
    Command("break", WORKERS, attendance.take_break),
    Command("back", WORKERS, attendance.come_back),
    Command("who", STAFF, attendance.who, (PAGE,)),
    Command(
        "fix",
        WORKERS,
        corrections.fix,
        (
            Argument("direction", "choice", choices=("in", "out")),
            Argument("time", "time", looking="back"),
            REASON,
        ),
        creates=True,
        private=True,
        needs_proof=True,
    ),
    Command(
        "confirm_session",
        STAFF,
        provisional.confirm,
        (_id("session", "H"), Argument("time", "time", required=False, looking="back")),
        private=True,
        needs_team=False,
        needs_proof=True,
    ),
    Command(
        "approve_correction",
        LEADS,
        deciding.approve,
        (_id("correction", "C"),),
        private=True,
        needs_team=False,
        needs_proof=True,
    ),
    Command(
        "reject_correction",
        LEADS,
        deciding.reject,
        (_id("correction", "C"), REASON),
        private=True,
        needs_team=False,
        needs_proof=True,
    ),
    # queries
    Command("ask", ASKERS, queries.ask, (_words("question"),), creates=True),
    Command(
        "ask_for",
        STAFF,
        queries.ask_for,
        (Argument("asker", "people"), _words("question")),
        creates=True,
    ),
    Command(
        "escalate",
        ASKERS,
        threads.escalate,
        (Argument("asker", "people", required=False), _words("question")),
        private=True,
    ),
    Command(
        "queries",
        STAFF,
        query_views.list_queries,
        (
            Argument("filter", "choice", required=False, choices=("open", "mine", "late")),
            PAGE,
        ),
    ),
    Command("show_query", ASKERS, query_views.show, (QUERY, PAGE), needs_team=False),
    Command("claim", STAFF, queries.claim, (QUERY,), needs_team=False, evidence=True),
    Command(
        "reply", ASKERS, queries.reply, (QUERY, _words("words")), needs_team=False, evidence=True
    ),
    Command(
        "replied", STAFF, queries.replied, (QUERY, _words("note")), needs_team=False, evidence=True
    ),
    Command("note", STAFF, queries.note, (QUERY, _words("note")), needs_team=False, evidence=True),
    Command(
        "mute", STAFF, queries.mute, (QUERY, Argument("time", "time"), REASON), needs_team=False
    ),
    Command(
        "resolve",
        ASKERS,
        queries.resolve,
        (QUERY, _words("words", required=False)),
        needs_team=False,
        evidence=True,
    ),
    Command("reopen", ASKERS, queries.reopen, (QUERY, REASON), needs_team=False),
    Command("phrase", STAFF, query_views.phrase, (_words("name", required=False),)),
    # the bot itself
    Command(
        "retry",
        MANAGERS,
        delivery.retry,
        (_id("message", "M"),),
        needs_team=False,
        needs_proof=True,
    ),
    Command(
        "help",
        EVERYBODY,
        make_help(lambda: COMMANDS),
        (Argument("verb", "verb", required=False),),
        private=True,
        needs_team=False,
    ),
)

SIGNALS: Mapping[str, Listener] = {
    "heard": Listener(threads.stands_under_one, EVERYBODY, threads.heard),
    "reaction": Listener(threads.is_the_teams_sign, ASKERS, threads.reacted),
    "edited": Listener(threads.opened_one, EVERYBODY, threads.edited),
    "deleted": Listener(threads.opened_one, EVERYBODY, threads.deleted),
    "account": Listener(accounts.is_known, EVERYBODY, accounts.changed),
    "page": Listener(lambda _event, _uow: True, EVERYBODY, page.opened),
    "invited": Listener(teams.is_new_here, EVERYBODY, teams.invited),
}

NAMES: frozenset[str] = frozenset(command.name for command in COMMANDS)
"""What menus, manifests and the doctor may offer."""

TIMERS: dict[str, TimerHandler] = {
    "session.overlong": attendance_timers.overlong,
    "session.confirm": attendance_timers.ask_to_confirm,
    "correction.ask": attendance_timers.ask_to_decide,
    "query.ladder": query_timers.climb,
    "reminder.digest": send_digest,
    "message.dead": delivery_timers.tell_dead,
    "account.gone": accounts.gone,
    "page.refresh": page.refresh,
    upkeep.ALARM: upkeep.sound_alarm,
    "audit.seal": upkeep.seal_audit,
    "audit.head": upkeep.send_audit_head,
    "storage.prune": upkeep.prune,
}

# Timers that events arm while they hold what other timers wait for: fired together with those, both
# sides would wait for each other.
APART: frozenset[str] = frozenset((page.REFRESH,))

# The commands that follow a procedure; left alone, they follow the shipped ones.
PROCEDURAL: Mapping[str, Callable[..., Answer]] = {
    "ask": queries.ask,
    "ask_for": queries.ask_for,
    "escalate": threads.escalate,
    "reopen": queries.reopen,
    "phrase": query_views.phrase,
}


def following(scripts: Scripts) -> tuple[Command, ...]:
    """COMMANDS, with a deployment's own procedures in place of the shipped ones."""
    return tuple(
        replace(one, run=partial(PROCEDURAL[one.name], scripts=scripts))
        if one.name in PROCEDURAL
        else one
        for one in COMMANDS
    )


def listening(scripts: Scripts) -> Mapping[str, Listener]:
    """SIGNALS, with a deployment's own procedures in place of the shipped ones."""
    reacted = partial(threads.reacted, scripts=scripts)
    return {**SIGNALS, "reaction": replace(SIGNALS["reaction"], run=reacted)}
