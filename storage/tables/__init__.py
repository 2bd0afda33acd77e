"""All tables, one file per drawer."""

from storage.tables import queues as queues
from storage.tables.attendance import Break, Correction, Punch, WorkSession
from storage.tables.audit import AuditEntry
from storage.tables.base import Base
from storage.tables.people import Code, CodeAttempt, Identity, JoinRequest, Membership, Person
from storage.tables.queries import Query, QueryEntry, QueryMessage, Reminder, ReminderDay
from storage.tables.teams import BoundGroup, Team

__all__ = [
    "AuditEntry",
    "Base",
    "BoundGroup",
    "Break",
    "Code",
    "CodeAttempt",
    "Correction",
    "Identity",
    "JoinRequest",
    "Membership",
    "Person",
    "Punch",
    "Query",
    "QueryEntry",
    "QueryMessage",
    "Reminder",
    "ReminderDay",
    "Team",
    "WorkSession",
]
