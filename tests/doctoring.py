"""`banzhang doctor` from the command line, beside the database that it looks into."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy.orm import Session

from storage.cipher import Cipher
from storage.engine import make_engine
from storage.migrate import upgrade
from storage.uow import UnitOfWork
from tests.processes import bare_environment


def migrated(folder: Path) -> Path:
    """A database in the newest shape, where the doctor looks for it."""
    file = folder / "banzhang.db"
    engine = make_engine(f"sqlite:///{file}")
    upgrade(engine)
    engine.dispose()
    return file


def written(database: Path, write: Callable[[UnitOfWork, datetime], None]) -> None:
    """What a server would have left there by now."""
    engine = make_engine(f"sqlite:///{database}")
    with Session(engine) as session, session.begin():
        write(UnitOfWork(session, Cipher(None)), datetime.now(UTC))
    engine.dispose()


def run_doctor(folder: Path, variables: Mapping[str, str]) -> tuple[int, str, str]:
    """In a process of its own: exit code, stdout on one line, stderr."""
    # In a narrow window sentences are wrapped, and Chinese ones within words.
    ours = {"COLUMNS": "1000", "BANZHANG_SECRET_KEY": "for tests"}
    ended = subprocess.run(
        [sys.executable, "-m", "bot", "doctor"],
        env={**bare_environment(), **ours, **variables},
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return ended.returncode, " ".join(ended.stdout.split()), ended.stderr
