"""The command line: `banzhang …`, also `python -m bot`. Parsing only."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import webbrowser
from collections.abc import Mapping
from datetime import date, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import ValidationError
from rich.console import Console

from bot import logs
from bot.settings import Settings

cli = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    # Its own traceback shows what stands in variables, secrets among it.
    pretty_exceptions_enable=False,
    help="Banzhang, a shift leader in your team's chat.",
)
admin = typer.Typer(no_args_is_help=True, help="Let the first admin in.")
audit = typer.Typer(no_args_is_help=True, help="The append-only log.")
sop = typer.Typer(no_args_is_help=True, help="Procedures.")
cli.add_typer(admin, name="admin")
cli.add_typer(audit, name="audit")
slack = typer.Typer(no_args_is_help=True, help="Setting Slack up.")
cli.add_typer(sop, name="sop")
cli.add_typer(slack, name="slack")
wecom = typer.Typer(no_args_is_help=True, help="Setting WeCom (企业微信) up.")
cli.add_typer(wecom, name="wecom")
out = Console()
DEMO_PORT = 8765


class Format(StrEnum):
    """How an export is written."""

    csv = "csv"
    json = "json"
    xlsx = "xlsx"


def read_settings(instead: Mapping[str, Any] | None = None) -> Settings:
    """The environment, with `instead` in place of some of it. Raises Trouble that names the
    variable.
    """
    from bot.operations import Trouble

    try:
        settings = Settings(**(instead or {}))
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"])
        reason = first["msg"].removeprefix("Value error, ")
        raise Trouble(f"{name + ': ' if name else ''}{reason}") from None
    logs.set_up(settings.log_level, settings.log_format)
    return settings


@cli.command()
def demo(
    host: str = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535)] = DEMO_PORT,
    data: Annotated[Path, typer.Option(help="Where the demo keeps its database.")] = Path(
        "banzhang-demo"
    ),
) -> None:
    """The whole bot with a chat page in your browser; no account needed."""
    from bot.demo import PLATFORMS_OFF, build_demo, demo_settings
    from bot.serving import hold, listen, serve

    settings = demo_settings(data, read_settings(PLATFORMS_OFF))
    listener = listen(host, port)
    port = listener.getsockname()[1]
    hosts = [f"{name}:{port}" for name in {host, "127.0.0.1", "localhost"}]
    from storage.engine import make_engine

    lock = hold(make_engine(settings.database_url))
    bot, application = build_demo(settings, data, hosts)
    url = f"http://{host}:{port}/"
    out.print(
        f"[bold]班长 Banzhang[/bold]  {url}\n"
        "打开网页就能聊；按 Ctrl+C 停止。Open the page and chat; Ctrl+C stops."
    )
    if os.environ.get("DISPLAY") or sys.platform in ("darwin", "win32"):
        webbrowser.open(url)
    try:
        serve(application, listener)
    finally:
        del bot
        if lock is not None:
            lock.release()


@cli.command()
def serve(
    host: Annotated[str | None, typer.Option(help="Default BANZHANG_HOST.")] = None,
    port: Annotated[
        int | None, typer.Option(help="Default BANZHANG_PORT.", min=0, max=65535)
    ] = None,
    no_migrate: Annotated[
        bool, typer.Option("--no-migrate", help="Refuse an old database.")
    ] = False,
) -> None:
    """The bot on the platforms that the environment configures."""
    from bot.app import Bot, make_adapters, web_application
    from bot.clock import WallClock
    from bot.operations import Trouble
    from bot.serving import bring_up_to_date, hold, listen
    from bot.serving import serve as serve_until_stopped
    from storage.engine import make_engine

    settings = read_settings()
    clock = WallClock()
    adapters = make_adapters(settings, clock)
    if not adapters:
        raise Trouble(
            "No platform is set. For Slack set SLACK_BOT_TOKEN and SLACK_APP_TOKEN in .env"
            " (`banzhang slack manifest` begins it), for WeCom WECOM_BOT_ID and WECOM_BOT_SECRET"
            " or WECOM_CORP_ID and its others, or try `banzhang demo`."
        )
    engine = make_engine(settings.database_url)
    lock = hold(engine)
    try:
        bring_up_to_date(engine, apply=not no_migrate)
        bot = Bot(settings, adapters, clock, engine)
        listener = listen(host or settings.host, settings.port if port is None else port)
        out.print(f"Banzhang serves {', '.join(bot.adapters)} on port {listener.getsockname()[1]}.")
        serve_until_stopped(web_application(bot), listener)
    finally:
        if lock is not None:
            lock.release()


@admin.command("code")
def admin_code() -> None:
    """A single-use code, good for 15 minutes: `link CODE` in a direct message makes an admin."""
    from bot import operations
    from bot.app import make_cipher
    from bot.clock import WallClock
    from storage.engine import make_engine

    settings = read_settings()
    engine = make_engine(settings.database_url)
    code = operations.admin_code(engine, make_cipher(settings), WallClock().now())
    out.print(
        f"{code}\n15 分钟内私聊机器人发送 / within 15 minutes send to the bot directly:"
        f"  link {code}",
        highlight=False,
    )


@cli.command()
def doctor() -> None:
    """Check settings, database, procedures and platforms; say what is wrong and where to click."""
    import handlers
    from bot import operations
    from bot.app import make_adapters
    from bot.clock import WallClock

    settings = read_settings()
    clock = WallClock()
    adapters = make_adapters(settings, clock)
    findings = asyncio.run(operations.check_up(settings, adapters, clock.now(), handlers.NAMES))
    for one in findings:
        mark = "[yellow]![/yellow]" if one.advice else "[green]✓[/green]"
        out.print(mark if one.fine else "[red]✗[/red]", end=" ")
        out.print(one.sentence, markup=False, highlight=False)
    if not all(one.fine for one in findings):
        raise operations.Trouble("The doctor found something; see above.")


@cli.command()
def migrate() -> None:
    """Bring the database to the newest shape, with a backup before."""
    from bot.serving import bring_up_to_date
    from storage.engine import make_engine

    engine = make_engine(read_settings().database_url)
    bring_up_to_date(engine, apply=True)
    out.print("The database is in the newest shape.")


@cli.command()
def backup(file: Path) -> None:
    """Copy the SQLite database while it is in use (PostgreSQL: use pg_dump)."""
    from bot.operations import Trouble, must_be_migrated
    from storage import migrate as migrations
    from storage.engine import is_sqlite, make_engine

    engine = make_engine(read_settings().database_url)
    if not is_sqlite(engine):
        raise Trouble("This is PostgreSQL: use pg_dump, which knows its own database best.")
    must_be_migrated(engine)
    try:
        migrations.back_up(engine, file)
    except FileExistsError as error:
        raise Trouble(f"{error}; choose another name.") from None
    out.print(
        f"Written to {file}. The secret key is not in it: keep BANZHANG_SECRET_KEY elsewhere."
    )


@audit.command("verify")
def audit_verify() -> None:
    """Prove that nothing in the audit log was changed; report what is not sealed yet."""
    from bot import operations
    from bot.app import make_cipher
    from storage.engine import make_engine

    settings = read_settings()
    out.print(operations.verify_audit(make_engine(settings.database_url), make_cipher(settings)))


@sop.command("check")
def sop_check(folder: Annotated[Path | None, typer.Argument()] = None) -> None:
    """Validate the procedures that ship, and those in a folder."""
    from bot import operations

    out.print(operations.check_scripts(folder or read_settings().sop_dir))


@slack.command("manifest")
def slack_manifest(
    url: Annotated[
        str | None, typer.Option(help="The bot's public address; without it: Socket Mode.")
    ] = None,
) -> None:
    """What to paste into Slack to make the app; the first line is a link that does it."""
    from bot.app import slack_manifest as make

    if url is not None and not url.startswith("https://"):
        raise typer.BadParameter("Slack calls only addresses that begin with https://")
    link, text = make(read_settings().locale, url)
    sys.stdout.write(f"# {link}\n{text}")


@wecom.command("menu")
def wecom_menu(
    show: Annotated[bool, typer.Option("--show", help="Print it as JSON, push nothing.")] = False,
) -> None:
    """Put the menu of BANZHANG_LOCALE under the app's conversation, in place of what was there."""
    from bot.app import push_wecom_menu
    from bot.app import wecom_menu as make
    from bot.clock import WallClock

    settings = read_settings()
    if show:
        sys.stdout.write(json.dumps(make(settings.locale), ensure_ascii=False, indent=2) + "\n")
        return
    shown = asyncio.run(push_wecom_menu(settings, WallClock()))
    out.print(f"The app's menu is now: {shown}.", markup=False, highlight=False, soft_wrap=True)


@cli.command()
def export(
    kind: str,
    format: Annotated[Format, typer.Option()] = Format.csv,
    first: Annotated[datetime | None, typer.Option("--from", formats=["%Y-%m-%d"])] = None,
    last: Annotated[datetime | None, typer.Option("--to", formats=["%Y-%m-%d"])] = None,
    team: Annotated[str | None, typer.Option()] = None,
    output: Annotated[Path | None, typer.Option()] = None,
) -> None:
    """Rows of a KIND (people, punches, sessions, corrections, queries, reminders …)."""
    from bot import exports
    from storage.engine import make_engine

    if kind not in exports.KINDS:
        raise typer.BadParameter(
            f"there is none of {kind!r}; there are: {', '.join(exports.KINDS)}"
        )
    engine = make_engine(read_settings().database_url)
    rows = exports.export(engine, kind, format.value, _day(first), _day(last), team)
    if output is None:
        sys.stdout.buffer.write(rows)
    else:
        output.write_bytes(rows)


def _day(moment: datetime | None) -> date | None:
    return None if moment is None else moment.date()


def main() -> None:
    """Entry point: 0 fine, 1 a finding or failure in one sentence on stderr, 2 wrong usage."""
    from bot.operations import EXPECTED, plainly

    try:
        cli()
    except EXPECTED as error:
        words = plainly(error)
        Console(stderr=True).print(words, highlight=False, markup=False, soft_wrap=True)
        sys.exit(1)


if __name__ == "__main__":
    main()
