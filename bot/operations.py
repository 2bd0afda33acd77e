"""What the command line does besides serving: codes, checks, seals.

Each function returns what to print, or raises Trouble with one plain sentence.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.orm import Session

import sop_scripts
from adapters.contract import Adapter, Checkup, Finding, Home
from bot.settings import Settings
from storage import migrate
from storage.cipher import CannotOpen, Cipher
from storage.engine import is_sqlite, make_engine
from storage.uow import UnitOfWork


class Trouble(Exception):
    """Something is wrong; the text is the sentence to print."""


EXPECTED = (Trouble, sop_scripts.InvalidScript, SQLAlchemyError, OSError)
"""What may go wrong on a machine without a fault of ours."""


def plainly(error: Exception) -> str:
    """One of the expected errors as a sentence."""
    if isinstance(error, DBAPIError):
        # Only the first line: the others quote the statement.
        why = (str(error.orig).strip().splitlines() or [type(error.orig).__name__])[0]
        return f"The database cannot be used: {why}."
    if isinstance(error, SQLAlchemyError):
        return f"The database cannot be used: {type(error).__name__}."
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename or 'The machine'}: {error.strerror}."
    return str(error)


EMPTY = "The database is empty. Run `banzhang migrate`, or `banzhang serve` does it."


def admin_code(engine: Engine, cipher: Cipher, now: datetime) -> str:
    """A single-use code that makes the account which sends `link CODE` an admin."""
    must_be_migrated(engine)
    with Session(engine) as session, session.begin():
        uow = UnitOfWork(session, cipher)
        code = uow.codes.new("admin", None, now)
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


async def check_up(
    settings: Settings,
    adapters: Sequence[Adapter],
    now: datetime,
    verbs: frozenset[str] = frozenset(),
) -> list[Finding]:
    """The doctor's findings about settings, database, procedures and each platform; `verbs` are
    the commands that the bot knows.
    """
    engine = make_engine(settings.database_url)
    try:
        database = _check(lambda: _database(engine))
        findings = [_check(lambda: check_scripts(settings.sop_dir)), database]
        findings += _settings_and_platforms(settings, adapters)
        for adapter in adapters:
            known = Checkup(now, settings.base_url, verbs=verbs)
            if database.fine:
                known = _known(engine, adapter.name, known)
            findings += await adapter.examine(known)
    finally:
        engine.dispose()
    return findings


def _known(engine: Engine, platform: str, checkup: Checkup) -> Checkup:
    """What the database tells of a platform: the teams and their homes there, what came in, and
    what a running server holds.
    """

    def heard(beginning: str) -> bool:
        with _looking(engine) as uow:
            return uow.inbox.heard(platform, beginning)

    def calls(month: str) -> Mapping[str, int]:
        with _looking(engine) as uow:
            return uow.calls.of(platform, month)

    def called(month: str, made: Mapping[str, int]) -> None:
        with suppress(SQLAlchemyError), Session(engine) as session, session.begin():
            UnitOfWork(session, Cipher(None)).calls.add(platform, month, made)

    def led(what: str) -> bool:
        with _looking(engine) as uow:
            return uow.leads.is_led(what, checkup.now)

    with _looking(engine) as uow:
        teams = uow.teams.all()
        names = tuple(team.name for team in teams)
        homes = tuple(
            Home(home.chat_id, home.name, team.name)
            for team in teams
            for home in uow.teams.home_groups(team.id)
            if home.platform == platform
        )
    return replace(
        checkup, homes=homes, teams=names, calls=calls, called=called, heard=heard, led=led
    )


@contextmanager
def _looking(engine: Engine) -> Iterator[UnitOfWork]:
    """A unit of work that only reads, and nothing that is sealed."""
    with engine.connect().execution_options(reading=True) as connection:
        yield UnitOfWork(Session(connection), Cipher(None))


def _settings_and_platforms(settings: Settings, adapters: Sequence[Adapter]) -> list[Finding]:
    findings = []
    if settings.secret_key is None:
        findings.append(
            Finding(
                True,
                (
                    "BANZHANG_SECRET_KEY is not set: messages are stored unsealed, the audit log"
                    " has no seals, and sensitive data is refused. Set it to a long random text."
                ),
                advice=True,
            )
        )
    else:
        findings.append(Finding(True, "The secret key is set."))
    if not adapters:
        findings.append(
            Finding(
                False,
                (
                    "No platform is set. For Slack set SLACK_BOT_TOKEN and SLACK_APP_TOKEN"
                    " (api.slack.com/apps, your app, OAuth & Permissions and Basic Information);"
                    " `banzhang slack manifest` begins it. For WeCom set WECOM_CORP_ID,"
                    " WECOM_AGENT_ID, WECOM_SECRET, WECOM_TOKEN and WECOM_ENCODING_AES_KEY"
                    " (work.weixin.qq.com/wework_admin, 应用管理 → 创建应用), and for its groups"
                    " WECOM_BOT_ID and WECOM_BOT_SECRET (安全与管理 → 管理工具 → 智能机器人). For"
                    " DingTalk set DINGTALK_CLIENT_ID and DINGTALK_CLIENT_SECRET"
                    " (open-dev.dingtalk.com, 应用开发 → 企业内部应用 → 凭证与基础信息)."
                ),
            )
        )
    return findings


def _check(look: Callable[[], str]) -> Finding:
    try:
        return Finding(True, look())
    except Trouble as trouble:
        return Finding(False, str(trouble))


def _database(engine: Engine) -> str:
    file = engine.url.database
    if is_sqlite(engine) and file and not Path(file).exists():
        raise Trouble(EMPTY)  # looking at it would make it
    try:
        at = migrate.current(engine)
    except SQLAlchemyError as error:
        raise Trouble(plainly(error)) from None
    if at is None:
        raise Trouble(EMPTY)
    must_not_be_newer(at)
    if at != migrate.head():
        raise Trouble("The database is older than this version. Run `banzhang migrate`.")
    return "The database is in the newest shape."


def must_not_be_newer(revision: str) -> None:
    """Raises Trouble for a database that a newer version has brought up to date."""
    if not migrate.knows(revision):
        raise Trouble(
            "The database was made by a newer version of Banzhang. Install that version again,"
            " or restore the backup that was made before it."
        )


def must_be_migrated(engine: Engine) -> None:
    """Raises Trouble unless the database has the newest shape."""
    _database(engine)
