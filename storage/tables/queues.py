"""The inbox, the outbox, the timers and the dialogues. Spoken to in SQLAlchemy Core, many rows a
statement.
"""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    Column,
    Index,
    Integer,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from storage.tables.base import Base, Number, UtcDateTime

inbox = Table(
    "inbox",
    Base.metadata,
    Column("platform", String(20), primary_key=True),
    Column("event_key", String(255), primary_key=True),
    Column("received_at", UtcDateTime, nullable=False),
    # Who said what where, hashed: a creating command typed again is known by it.
    Column("fingerprint", String(64)),
    # The stored answer, sealed; NULL while the event is being worked on.
    Column("reply", Text),
    Index("ix_inbox_fingerprint", "fingerprint", "received_at"),
    Index("ix_inbox_received_at", "received_at"),
)

outbox = Table(
    "outbox",
    Base.metadata,
    Column("id", Number, primary_key=True),
    # The queue this message stands in: "platform:kind:id"; what rings phones has one of its own,
    # and "platform:kind:id beside" is for what may have to wait for weeks.
    Column("address", String(300), nullable=False),
    # UNIQUE: nothing is said twice. A message to several homes has "name@platform".
    Column("key", String(200), nullable=False),
    Column("name", String(200), nullable=False),
    Column("body", Text, nullable=False),  # sealed JSON: address, words and card
    Column("locale", String(10), nullable=False),
    Column("zone", String(64), nullable=False),
    Column("priority", Integer, nullable=False),
    # The row whose message on the platform this one replaces.
    Column("edits_id", Number),
    # pending, sending, sent, unknown, dead, superseded (a newer edit took its place)
    Column("state", String(10), nullable=False),
    Column("attempts", Integer, nullable=False, default=0),
    # How many attempts ended with nobody knowing whether it was taken.
    Column("doubts", Integer, nullable=False, default=0, server_default="0"),
    Column("created_at", UtcDateTime, nullable=False),
    Column("sent_at", UtcDateTime),
    Column("handle", String(300)),
    Column("error", String(300)),
    UniqueConstraint("key"),
    Index("ix_outbox_name", "name"),
    Index("ix_outbox_edits_id", "edits_id"),
    # What somebody answers to on a platform is found by its handle.
    Index("ix_outbox_handle", "handle"),
    Index("ix_outbox_state", "state"),
    Index(
        "ix_outbox_waiting",
        "address",
        "id",
        sqlite_where=text("state IN ('pending', 'sending')"),
        postgresql_where=text("state IN ('pending', 'sending')"),
    ),
)

outbox_addresses = Table(
    "outbox_addresses",
    Base.metadata,
    # What is leased is the address, not the message: so order per chat holds with many senders.
    Column("address", String(300), primary_key=True),
    Column("ready_at", UtcDateTime),  # when its head may be tried; NULL: nothing waits
    Column("priority", Integer, nullable=False),
    Column("leased_until", UtcDateTime),
    Index(
        "ix_outbox_addresses_ready",
        "priority",
        "ready_at",
        sqlite_where=text("ready_at IS NOT NULL"),
        postgresql_where=text("ready_at IS NOT NULL"),
    ),
)

timers = Table(
    "timers",
    Base.metadata,
    Column("id", Number, primary_key=True),
    Column("kind", String(40), nullable=False),
    Column("subject", String(60), nullable=False),
    Column("step", String(40), nullable=False),
    Column("due_at", UtcDateTime, nullable=False),
    # When to look at it: due_at at first, later after a failure.
    Column("wake_at", UtcDateTime, nullable=False),
    Column("attempts", Integer, nullable=False, default=0),
    Column("fired_at", UtcDateTime),
    UniqueConstraint("kind", "subject", "step"),
    # Partial, so that looking for what is due costs the same however many have fired.
    Index(
        "ix_timers_waiting",
        "wake_at",
        sqlite_where=text("fired_at IS NULL"),
        postgresql_where=text("fired_at IS NULL"),
    ),
)

dialogues = Table(
    "dialogues",
    Base.metadata,
    Column("platform", String(20), primary_key=True),
    Column("chat_id", String(200), primary_key=True),
    Column("user_id", String(200), primary_key=True),
    Column("command", String(40), nullable=False),
    Column("arguments", JSON, nullable=False),
    Column("asking", String(40), nullable=False),
    Column("expires_at", UtcDateTime, nullable=False),
)

pages = Table(
    "pages",
    Base.metadata,
    # Who has looked at their own page on a platform: it is kept true from then on.
    Column("platform", String(20), primary_key=True),
    Column("user_id", String(200), primary_key=True),
    Column("opened_at", UtcDateTime, nullable=False),
    # What was put there last, hashed: the same need not be put again.
    Column("shown", String(64)),
)

leads = Table(
    "leads",
    Base.metadata,
    # What only one process may do at a time, who does it, and how long that holds.
    Column("what", String(60), primary_key=True),
    Column("holder", String(40), nullable=False),
    Column("until", UtcDateTime, nullable=False),
)

calls = Table(
    "calls",
    Base.metadata,
    # Platforms let a program call them so often in a month, and say nothing until it was too often.
    Column("platform", String(20), primary_key=True),
    Column("month", String(7), primary_key=True),  # "2026-11", by the platform's own calendar
    Column("kind", String(20), primary_key=True),
    Column("made", Integer, nullable=False),
)

facts = Table(
    "facts",
    Base.metadata,
    # Small facts about this database: whether it is a demo's, its clock offset.
    Column("name", String(40), primary_key=True),
    Column("value", String(400), nullable=False),
)
