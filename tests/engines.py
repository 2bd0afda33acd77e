"""Engines on empty databases."""

from __future__ import annotations

import tempfile
from functools import cache
from pathlib import Path
from sqlite3 import Connection

from sqlalchemy import Dialect, Engine, event, make_url
from sqlalchemy.engine.interfaces import CompiledCacheType
from sqlalchemy.util import LRUCache

from storage.engine import is_sqlite, make_engine
from storage.tables import Base

STATEMENTS = 5000
"""More than the tests of one process have."""

_compilers: dict[str, tuple[Dialect, CompiledCacheType]] = {}


def fresh_engine(url: str) -> Engine:
    """An engine on an empty database with all tables (migrations have tests of their own)."""
    engine = make_engine(url)
    path = make_url(url).database
    if is_sqlite(engine):
        # What outlives no test need not reach a disk.
        event.listen(engine, "connect", _hurry)
    if is_sqlite(engine) and path:
        Path(path).write_bytes(_furnished())
    else:
        Base.metadata.create_all(engine, checkfirst=False)
    _compile_once(engine)
    return engine


def _hurry(connection: Connection, _record: object) -> None:
    connection.execute("PRAGMA synchronous=OFF")


@cache
def _furnished() -> bytes:
    """A file with all tables: writing it is quicker than making them."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "tables.db"
        engine = make_engine(f"sqlite:///{path}")
        Base.metadata.create_all(engine, checkfirst=False)
        engine.dispose()
        return path.read_bytes()


def _compile_once(engine: Engine) -> None:
    """A statement is compiled once for all the engines of a process, not for each of them anew."""
    with engine.connect():
        pass  # what it asks a database at first, it asks by a dialect of its own
    dialect = engine.dialect
    dialect, compiled = _compilers.setdefault(dialect.name, (dialect, LRUCache(STATEMENTS)))
    engine.dialect = engine.pool._dialect = dialect
    engine._compiled_cache = compiled
