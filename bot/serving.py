"""Running the web application until somebody stops it."""

from __future__ import annotations

import socket
from contextlib import suppress
from pathlib import Path
from types import FrameType

import filelock
import uvicorn
from sqlalchemy import Engine
from starlette.applications import Starlette

from bot.operations import Trouble, must_not_be_newer
from storage import migrate
from storage.engine import is_sqlite

SHUTDOWN_SECONDS = 10


def hold(engine: Engine) -> filelock.BaseFileLock | None:
    """Make sure that only this process serves a SQLite file. Raises Trouble when another does."""
    database = engine.url.database
    if not is_sqlite(engine) or not database:
        return None
    lock = filelock.FileLock(f"{database}.lock")
    try:
        lock.acquire(timeout=0)
    except filelock.Timeout:
        if not Path(lock.lock_file).exists():  # it could not even be made
            raise Trouble(f"The folder of {database} cannot be written to.") from None
        raise Trouble(
            f"Another banzhang serves {database} already. SQLite has one writer:"
            " stop the other one, or use PostgreSQL."
        ) from None
    return lock


def bring_up_to_date(engine: Engine, *, apply: bool) -> None:
    """Apply pending migrations, a backup before. Raises Trouble when they must not be applied."""
    at = migrate.current(engine)
    if at == migrate.head():
        return
    if at is not None:
        must_not_be_newer(at)
    if not apply:
        raise Trouble("The database is not in the newest shape. Run `banzhang migrate` first.")
    database = engine.url.database
    backup = Path(f"{database}.before-{migrate.head()}") if is_sqlite(engine) and database else None
    if backup is not None and backup.exists():
        backup = None
    migrate.upgrade(engine, backup)


def serve(application: Starlette, listener: socket.socket) -> None:
    """Serve until interrupted; requests in flight are finished.

    `application.state.hang_up`, where there is one, is called first: it ends
    what would never finish.
    """
    config = uvicorn.Config(
        application,
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=SHUTDOWN_SECONDS,
        # Proxies are trusted with nothing: what a platform signed is verified from the body.
        proxy_headers=False,
    )
    server = _Server(config)
    with listener, suppress(SystemExit):  # uvicorn's own way to say that the start failed
        server.run(sockets=[listener])
    if not server.started:
        raise Trouble("Banzhang could not start; the reason stands above.")


class _Server(uvicorn.Server):
    """Lets go of endless answers before it waits for all answers to end."""

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        application = self.config.app
        hang_up = getattr(getattr(application, "state", None), "hang_up", None)
        if hang_up is not None:
            hang_up()
        super().handle_exit(sig, frame)


def listen(host: str, port: int) -> socket.socket:
    """Take the port. Raises Trouble when somebody else has it."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise Trouble(f"{host}:{port} cannot be used: {error.strerror}.") from None
    return listener
