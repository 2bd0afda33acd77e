"""What the command line does besides serving: codes, checks, seals.

Each function returns what to print, or raises Trouble with one plain sentence.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

import sop_scripts
from bot.settings import Settings
from storage import migrate
from storage.cipher import CannotOpen, Cipher
from storage.engine import make_engine
from storage.uow import UnitOfWork


class Trouble(Exception):
    """Something is wrong; the text is the sentence to print."""


def admin_code(engine: Engine, cipher: Cipher, now: datetime) -> str:
    """A single-use code that makes the account which sends `link CODE` an admin."""
    must_be_migrated(engine)
    with Session(engine) as session, session.begin():
        uow = UnitOfWork(session, cipher)
        code = uow.people.new_code("admin", None, now)
        uow.audit.record(now, None, "admin.code", "command line")
    return code


def verify_audit(engine: Engine, cipher: Cipher) -> str:
    """Walk the chain of seals. Raises Trouble when it is broken or cannot be read."""
    must_be_migrated(engine)
    try:
        with engine.connect().execution_options(reading=True) as connection:
            verdict = UnitOfWork(Session(connection), cipher).audit.verify()
    except CannotOpen as error:
        raise Trouble(f"The audit log cannot be verified: {error}.") from None
    if verdict.broken_at is not None:
        raise Trouble(
            f"The audit log is broken at entry {verdict.broken_at}: {verdict.why}."
            f" {verdict.sealed} entries before it are whole."
        )
    return (
        f"{verdict.sealed} entries are sealed and whole, {verdict.unsealed} wait to be sealed."
        f" Head: {verdict.head}"
    )


def check_scripts(folder: Path | None) -> str:
    """Validate the procedures. Raises Trouble naming file and line."""
    try:
        scripts = sop_scripts.load(folder)
    except sop_scripts.InvalidScript as error:
        raise Trouble(str(error)) from None
    return f"{len(scripts)} procedures are fine: {', '.join(sorted(scripts))}"


def check_up(settings: Settings) -> list[tuple[bool, str]]:
    """The doctor's findings: (is it fine, one sentence)."""
    findings = [_check(lambda: check_scripts(settings.sop_dir))]
    engine = make_engine(settings.database_url)
    try:
        findings.append(_check(lambda: _database(engine)))
    finally:
        engine.dispose()
    if settings.secret_key is None:
        findings.append(
            (
                False,
                (
                    "BANZHANG_SECRET_KEY is not set: messages are stored unsealed, the audit log"
                    " has no seals, and sensitive data is refused. Set it to a long random text."
                ),
            )
        )
    else:
        findings.append((True, "The secret key is set."))
    if settings.slack_bot_token is None:
        findings.append(
            (
                False,
                (
                    "No platform is set. For Slack set SLACK_BOT_TOKEN and SLACK_SIGNING_SECRET"
                    " (api.slack.com/apps, your app, OAuth & Permissions and Basic Information)."
                ),
            )
        )
    return findings


def _check(look: Callable[[], str]) -> tuple[bool, str]:
    try:
        return True, look()
    except Trouble as trouble:
        return False, str(trouble)


def _database(engine: Engine) -> str:
    try:
        at = migrate.current(engine)
    except SQLAlchemyError as error:
        raise Trouble(f"The database cannot be opened: {type(error).__name__}.") from None
    if at is None:
        raise Trouble("The database is empty. Run `banzhang migrate`, or `banzhang serve` does it.")
    if at != migrate.head():
        raise Trouble("The database is older than this version. Run `banzhang migrate`.")
    return "The database is in the newest shape."


def must_be_migrated(engine: Engine) -> None:
    """Raises Trouble unless the database has the newest shape."""
    _database(engine)
