"""Exports: columns that stay, times in UTC, and no text that a spreadsheet would run."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from bot.exports import COLUMNS, FORMULAS, KINDS, export
from bot.operations import Trouble
from storage.engine import make_engine
from storage.migrate import upgrade
from tests.stages import SLACK
from tests.town import Town

# What machines that read exports were promised.
PROMISED = {
    "people": "person_id, name, roles, teams, state, slack_id, wecom_id, dingtalk_id",
    "punches": "person_id, name, direction, at, source, event_key",
    "sessions": "id, person_id, name, start, end, seconds, work_date, state, team",
    "corrections": "id, person_id, name, session_id, old, new, reason, state, decided_by",
    "queries": "id, question, asker_id, asker_name, owner_id, owner_name, opened_at,"
    " first_reply_at, due_at, state, rating",
    "reminders": "subject, step, due_at, fired_at, late_seconds, told",
    "messages": "id, address, key, state, created_at, sent_at",
    "audit": "seq, at, actor, action, subject, sealed",
}


@pytest.fixture
def town(tmp_path: Path) -> Iterator[Town]:
    """A town on a database that was made by the migrations."""
    engine = make_engine(f"sqlite:///{tmp_path}/town.db")
    upgrade(engine)
    one = Town(engine, SLACK)
    yield one
    one.close()


@pytest.fixture
def day(town: Town) -> Town:
    """A day with something of every kind."""
    town.say("小王", "签到")
    town.say("访客", "咨询 =HYPERLINK(1)", in_group=True)
    town.wait(hours=2)
    town.say("小王", "回复 Q1 好的")
    town.say("小王", "签退")
    town.say("小王", "补卡 上班 8:30 忘了打卡")
    return town


def rows(town: Town, kind: str, **limits: Any) -> list[dict[str, Any]]:
    """An export as JSON, read back."""
    first, last, team = (limits.get(name) for name in ("first", "last", "team"))
    found: list[dict[str, Any]] = json.loads(
        export(town.bot.engine, kind, "json", first, last, team)
    )
    return found


def as_csv(town: Town, kind: str) -> list[list[str]]:
    """An export as CSV, read back."""
    raw = export(town.bot.engine, kind, "csv", None, None, None)
    return list(csv.reader(io.StringIO(raw.decode("utf-8-sig"), newline="")))


def as_xlsx(town: Town, kind: str) -> list[tuple[Any, ...]]:
    """An export as a spreadsheet, read back."""
    raw = export(town.bot.engine, kind, "xlsx", None, None, None)
    book = openpyxl.load_workbook(io.BytesIO(raw))
    found = list(book[kind].iter_rows(values_only=True))
    book.close()
    return found


@pytest.mark.parametrize("kind", sorted(PROMISED))
def test_columns_are_as_promised_even_without_a_row(town: Town, kind: str) -> None:
    names = PROMISED[kind].split(", ")
    assert as_csv(town, kind)[0] == names
    assert list(as_xlsx(town, kind)[0]) == names
    assert COLUMNS.keys() == KINDS.keys()


@pytest.mark.parametrize("kind", sorted(PROMISED))
def test_every_row_has_these_columns(day: Town, kind: str) -> None:
    found = rows(day, kind)
    assert found
    assert all(list(row) == PROMISED[kind].split(", ") for row in found)
    assert len(as_csv(day, kind)) == len(as_xlsx(day, kind)) == len(found) + 1


def test_times_are_utc_and_things_have_their_short_ids(day: Town) -> None:
    (session,) = rows(day, "sessions")
    assert session["start"] == "2026-11-23T01:00:00Z"
    assert (session["id"], session["work_date"], session["seconds"]) == ("H1", "2026-11-23", 7200)
    (query,) = rows(day, "queries")
    assert (query["id"], query["due_at"]) == ("Q1", "2026-11-23T03:00:00Z")


def test_a_formula_is_a_text_in_spreadsheets_and_untouched_in_json(day: Town) -> None:
    assert rows(day, "queries")[0]["question"] == "=HYPERLINK(1)"
    assert as_csv(day, "queries")[1][1] == "'=HYPERLINK(1)"
    assert as_xlsx(day, "queries")[1][1] == "'=HYPERLINK(1)"


@pytest.mark.parametrize("start", FORMULAS)
def test_every_way_to_begin_a_formula_is_defused(town: Town, start: str) -> None:
    with town.uow() as uow:
        person = uow.people.get(1)
        person.name = f"{start}1+1"
    assert as_csv(town, "people")[1][1] == f"'{start}1+1"
    assert as_xlsx(town, "people")[1][1].startswith("'")


def test_characters_that_a_spreadsheet_cannot_hold_do_not_stop_it(town: Town) -> None:
    with town.uow() as uow:
        uow.people.get(1).name = "a\x0bb\x00c"
    assert as_xlsx(town, "people")[1][1] == "abc"
    assert rows(town, "people")[0]["name"] == "a\x0bb\x00c"


def test_days_are_the_teams_own(day: Town) -> None:
    monday, tuesday = date(2026, 11, 23), date(2026, 11, 24)
    assert rows(day, "sessions", first=monday, last=monday)
    assert not rows(day, "sessions", first=tuesday)
    assert not rows(day, "sessions", last=date(2026, 11, 22))
    assert rows(day, "people", first=tuesday), "people have no day"


def test_one_team_alone(day: Town) -> None:
    with day.uow() as uow:
        uow.teams.add("晚班", "zh_CN", "Asia/Shanghai", day.now)
    assert rows(day, "sessions", team="班组")
    assert not rows(day, "sessions", team="晚班")
    assert not rows(day, "people", team="晚班")
    with pytest.raises(Trouble, match="夜班"):
        rows(day, "people", team="夜班")


def test_nothing_sealed_is_in_an_export(day: Town) -> None:
    everything: Callable[[str], str] = lambda kind: json.dumps(rows(day, kind))  # noqa: E731
    for kind in ("messages", "audit", "reminders"):
        assert "HYPERLINK" not in everything(kind)
