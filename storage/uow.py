"""The unit of work: one transaction's view of all drawers."""

from __future__ import annotations

from sqlalchemy.orm import Session

from storage.attendance import Attendance
from storage.audit import Audit
from storage.calls import Calls
from storage.cipher import Cipher
from storage.codes import Codes
from storage.dialogues import Dialogues
from storage.facts import Facts
from storage.inbox import Inbox
from storage.leads import Leads
from storage.outbox import Outbox, Rings, never_rings
from storage.pages import Pages
from storage.people import People
from storage.queries import Queries
from storage.recipients import Recipients
from storage.reminders import Reminders
from storage.teams import Teams
from storage.timers import Timers


class UnitOfWork:
    """What handlers work on. It never commits: whoever made it does."""

    def __init__(self, session: Session, cipher: Cipher, rings: Rings = never_rings) -> None:
        self.session = session
        self.people = People(session)
        self.codes = Codes(session)
        self.teams = Teams(session)
        self.attendance = Attendance(session)
        self.queries = Queries(session)
        self.reminders = Reminders(session)
        self.inbox = Inbox(session, cipher)
        self.timers = Timers(session)
        self.recipients = Recipients(self.people, self.teams)
        self.outbox = Outbox(
            session, cipher, self.people, self.teams, self.recipients, self.timers, rings
        )
        self.leads = Leads(session)
        self.calls = Calls(session)
        self.dialogues = Dialogues(session)
        self.pages = Pages(session)
        self.audit = Audit(session, cipher)
        self.facts = Facts(session)

    @property
    def armed(self) -> bool:
        """Whether a timer was written, so that the scheduler looks for a nearer wake-up."""
        return bool(self.session.info.get("armed"))

    @property
    def queued(self) -> bool:
        """Whether a message was written, so that the drain wakes at once."""
        return bool(self.session.info.get("queued"))
