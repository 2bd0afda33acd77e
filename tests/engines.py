"""Engines on empty databases."""

from __future__ import annotations

from sqlalchemy import Engine

from storage.engine import make_engine
from storage.tables import Base


def fresh_engine(url: str) -> Engine:
    """An engine on an empty database with all tables (migrations have tests of their own)."""
    engine = make_engine(url)
    Base.metadata.create_all(engine)
    return engine
