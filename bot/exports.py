"""`banzhang export KIND`: rows as CSV, JSON or a spreadsheet, with column names that stay."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, date, datetime, time
from typing import Any
from zoneinfo import ZoneInfo

import openpyxl
from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from bot.operations import Trouble, must_be_migrated
from storage.tables.attendance import Correction, Punch, WorkSession
from storage.tables.audit import AuditEntry
from storage.tables.people import Identity, Membership, Person
from storage.tables.queries import Query, Reminder
from storage.tables.queues import outbox
from storage.tables.teams import Team

Row = dict[str, Any]

# What begins a formula somewhere: https://owasp.org/www-community/attacks/CSV_Injection
FORMULAS = ("=", "+", "-", "@", "＝", "＋", "－", "＠", "\t", "\r", "\n")

# A promise to those who read exports by machine, kept when there is not a single row.
COLUMNS: dict[str, tuple[str, ...]] = {
    kind: tuple(names.split())
    for kind, names in {
        "people": "person_id name roles teams state slack_id wecom_id dingtalk_id",
        "punches": "person_id name direction at source event_key",
        "sessions": "id person_id name start end seconds work_date state team",
        "corrections": "id person_id name session_id old new reason state decided_by",
        "queries": "id question asker_id asker_name owner_id owner_name opened_at first_reply_at"
        " due_at state rating",
        "reminders": "subject step due_at fired_at late_seconds told",
        "messages": "id address key state created_at sent_at",
        "audit": "seq at actor action subject sealed",
    }.items()
}


def export(
    engine: Engine, kind: str, form: str, first: date | None, last: date | None, team: str | None
) -> bytes:
    """Rows of a kind as csv, json or xlsx. Raises Trouble for an unknown kind or team."""
    must_be_migrated(engine)
    if kind not in KINDS:
        raise Trouble(f"There is no export of {kind!r}; there are: {', '.join(sorted(KINDS))}.")
    with engine.connect().execution_options(reading=True) as connection:
        session = Session(connection)
        chosen = _team(session, team)
        found = _between(KINDS[kind](session, chosen), first, last, session)
        rows = list(_with_names(found, session))
    return FORMATS[form](kind, rows)


def _team(session: Session, name: str | None) -> Team | None:
    if name is None:
        return None
    team = session.scalar(select(Team).where(Team.name == name))
    if team is None:
        raise Trouble(f"There is no team called {name!r}.")
    return team


def _between(
    rows: Iterable[tuple[datetime | None, Row]],
    first: date | None,
    last: date | None,
    session: Session,
) -> Iterable[Row]:
    """Rows whose moment lies in the local dates [first, last]; rows without a moment always."""
    zone = ZoneInfo(session.scalar(select(Team.zone).order_by(Team.id).limit(1)) or "UTC")
    start = datetime.combine(first, time.min, zone) if first else None
    end = datetime.combine(last, time.max, zone) if last else None
    for moment, row in rows:
        if moment is not None and ((start and moment < start) or (end and moment > end)):
            continue
        yield row


def _with_names(rows: Iterable[Row], session: Session) -> Iterable[Row]:
    """Beside each person's number their name."""
    names = {row.id: row.name for row in session.execute(select(Person.id, Person.name))}
    for row in rows:
        if "person_id" in row:
            row.setdefault("name", names.get(row["person_id"]))
        for part in ("asker", "owner"):
            if f"{part}_id" in row:
                row[f"{part}_name"] = names.get(row[f"{part}_id"])
        yield row


def _iso(moment: datetime | None) -> str | None:
    return None if moment is None else moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _people(session: Session, team: Team | None) -> Iterable[tuple[datetime | None, Row]]:
    names = {one.id: one.name for one in session.scalars(select(Team))}
    accounts = session.scalars(select(Identity)).all()
    for person in session.scalars(select(Person).order_by(Person.id)):
        held = session.scalars(select(Membership).where(Membership.person_id == person.id)).all()
        if team is not None and team.id not in {one.team_id for one in held}:
            continue
        row: Row = {
            "person_id": person.id,
            "name": person.name,
            "roles": " ".join(sorted({one.role for one in held})),
            "teams": ", ".join(sorted({names[one.team_id] for one in held if one.team_id})),
            "state": person.state,
        }
        for platform in ("slack", "wecom", "dingtalk"):
            row[f"{platform}_id"] = next(
                (
                    one.user_id
                    for one in accounts
                    if one.person_id == person.id and one.platform == platform
                ),
                None,
            )
        yield None, row


def _punches(session: Session, team: Team | None) -> Iterable[tuple[datetime | None, Row]]:
    for one in session.scalars(_of_team(select(Punch), Punch.team_id, team).order_by(Punch.id)):
        yield (
            one.at,
            {
                "person_id": one.person_id,
                "direction": one.direction,
                "at": _iso(one.at),
                "source": one.source,
                "event_key": one.event_key,
            },
        )


def _sessions(session: Session, team: Team | None) -> Iterable[tuple[datetime | None, Row]]:
    names = {one.id: one.name for one in session.scalars(select(Team))}
    wanted = _of_team(select(WorkSession), WorkSession.team_id, team).order_by(WorkSession.id)
    for one in session.scalars(wanted):
        worked = None
        if one.ended_at is not None:
            worked = int((one.ended_at - one.started_at).total_seconds()) - one.break_seconds
        yield (
            one.started_at,
            {
                "id": f"H{one.id}",
                "person_id": one.person_id,
                "start": _iso(one.started_at),
                "end": _iso(one.ended_at),
                "seconds": worked,
                "work_date": one.work_date.isoformat(),
                "state": one.state,
                "team": names[one.team_id],
            },
        )


def _corrections(session: Session, team: Team | None) -> Iterable[tuple[datetime | None, Row]]:
    wanted = _of_team(select(Correction), Correction.team_id, team).order_by(Correction.id)
    for one in session.scalars(wanted):
        yield (
            one.asked_at,
            {
                "id": f"C{one.id}",
                "person_id": one.person_id,
                "session_id": f"H{one.session_id}" if one.session_id else None,
                "old": _iso(one.old),
                "new": _iso(one.new),
                "reason": one.reason,
                "state": one.state,
                "decided_by": one.decided_by,
            },
        )


def _queries(session: Session, team: Team | None) -> Iterable[tuple[datetime | None, Row]]:
    for one in session.scalars(_of_team(select(Query), Query.team_id, team).order_by(Query.id)):
        yield (
            one.opened_at,
            {
                "id": f"Q{one.id}",
                "question": one.question,
                "asker_id": one.asker_id,
                "owner_id": one.owner_id,
                "opened_at": _iso(one.opened_at),
                "first_reply_at": _iso(one.first_reply_at),
                "due_at": _iso(one.due_at),
                "state": one.state,
                "rating": None,
            },
        )


def _reminders(session: Session, _team: Team | None) -> Iterable[tuple[datetime | None, Row]]:
    for one in session.scalars(select(Reminder).order_by(Reminder.id)):
        yield (
            one.fired_at,
            {
                "subject": one.subject,
                "step": one.step,
                "due_at": _iso(one.due_at),
                "fired_at": _iso(one.fired_at),
                "late_seconds": one.late_seconds,
                "told": " ".join(str(person_id) for person_id in one.told),
            },
        )


def _messages(session: Session, _team: Team | None) -> Iterable[tuple[datetime | None, Row]]:
    for one in session.execute(select(outbox).order_by(outbox.c.id)):
        yield (
            one.created_at,
            {
                "id": f"M{one.id}",
                "address": one.address,
                "key": one.key,
                "state": one.state,
                "created_at": _iso(one.created_at),
                "sent_at": _iso(one.sent_at),
            },
        )


def _audit(session: Session, _team: Team | None) -> Iterable[tuple[datetime | None, Row]]:
    for one in session.scalars(select(AuditEntry).order_by(AuditEntry.seq)):
        yield (
            one.at,
            {
                "seq": one.seq,
                "at": _iso(one.at),
                "actor": one.actor_id,
                "action": one.action,
                "subject": one.subject,
                "sealed": one.seal is not None,
            },
        )


def _of_team(wanted: Any, column: Any, team: Team | None) -> Any:
    return wanted if team is None else wanted.where(column == team.id)


KINDS: dict[str, Callable[[Session, Team | None], Iterable[tuple[datetime | None, Row]]]] = {
    "people": _people,
    "punches": _punches,
    "sessions": _sessions,
    "corrections": _corrections,
    "queries": _queries,
    "reminders": _reminders,
    "messages": _messages,
    "audit": _audit,
}


def _as_json(kind: str, rows: Sequence[Row]) -> bytes:
    ordered = [{name: row[name] for name in COLUMNS[kind]} for row in rows]
    return (json.dumps(ordered, ensure_ascii=False, indent=2) + "\n").encode()


def _as_csv(kind: str, rows: Sequence[Row]) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(COLUMNS[kind])
    writer.writerows([_harmless(row[name]) for name in COLUMNS[kind]] for row in rows)
    # The mark at the start makes spreadsheet programs read Chinese as UTF-8.
    return text.getvalue().encode("utf-8-sig")


def _as_xlsx(kind: str, rows: Sequence[Row]) -> bytes:
    book = openpyxl.Workbook()
    sheet = book.active or book.create_sheet()
    sheet.title = kind
    sheet.append(COLUMNS[kind])
    for row in rows:
        sheet.append([_printable(_harmless(row[name])) for name in COLUMNS[kind]])
    stream = io.BytesIO()
    book.save(stream)
    return stream.getvalue()


def _harmless(value: object) -> object:
    """A text that a spreadsheet would run as a formula is made a text again."""
    if isinstance(value, str) and value.startswith(FORMULAS):
        return "'" + value
    return value


def _printable(value: object) -> object:
    """A spreadsheet file cannot hold control characters."""
    return ILLEGAL_CHARACTERS_RE.sub("", value) if isinstance(value, str) else value


FORMATS: dict[str, Callable[[str, Sequence[Row]], bytes]] = {
    "csv": _as_csv,
    "json": _as_json,
    "xlsx": _as_xlsx,
}
