"""What goes out: written in the same transaction as its reason, delivered after it is safe."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, case, delete, false, func, or_, select, update
from sqlalchemy.orm import Session

from bot.messages import (
    Address,
    Card,
    File,
    Locale,
    Model,
    Page,
    Priority,
    Send,
    ToHome,
    ToPerson,
    Words,
    lines,
)
from storage.cipher import CannotOpen, Cipher
from storage.people import People
from storage.recipients import Recipients
from storage.tables.queues import outbox, outbox_addresses
from storage.teams import Teams
from storage.timers import Timers
from storage.upsert import Insert, prepared

WAITING = ("pending", "sending")
PRIORITIES: Mapping[Priority, int] = {"person": 0, "reminder": 1, "digest": 2}
_PRIORITY = {number: priority for priority, number in PRIORITIES.items()}
NOBODY = "nobody"
KEPT = timedelta(days=90)
# As many short answers as leave as one message; a person still reads so many lines.
MOST_FOLDED = 20
ALONE = "refused together: "
# How the queue ends in which those of an address stand that may have to wait for weeks. No platform
# has blanks in its ids.
BESIDE = " beside"

Rings = Callable[[str, str], bool]
"""Of a platform and a team's name: whether what is said in its home there can ring phones."""


def never_rings(_platform: str, _team: str) -> bool:
    """As long as no platform is known."""
    return False


class Body(Model):
    """What is sealed in a row."""

    address: Address
    words: Words | None = None
    card: Card | None = None
    page: Page | None = None
    file: File | None = None
    or_else: ToPerson | None = None
    team: str = ""
    answers: str = ""
    rings: bool = False

    @property
    def is_short(self) -> bool:
        """Words for a group, nothing else: they may share a message with others."""
        return (
            self.address.kind == "group"
            and self.address.only_for is None
            and self.words is not None
            and self.card is None
            and self.file is None
            and not self.rings
        )

    @property
    def shown(self) -> dict[str, Any]:
        """What the platform is given of it."""
        return {name: value for name, value in self if name != "or_else"}


@dataclass(frozen=True, slots=True)
class Leased:
    """The head of an address's queue, ours to send until the lease ends."""

    id: int
    queue: str
    body: Body
    edits_handle: str | None
    locale: Locale
    zone: str
    attempt: int
    priority: Priority
    uncertain_since: datetime | None
    """When it was queued, where an earlier attempt may have been taken."""
    doubts: int = 0
    """How many earlier attempts may have been taken."""
    also: tuple[int, ...] = ()
    """The messages behind it whose words leave with it."""
    alone: bool = False
    """It was refused together with others: now it is seen which of them it was."""

    @property
    def address(self) -> Address:
        """Where it goes."""
        return self.body.address


@dataclass(frozen=True, slots=True)
class Outcome:
    """How sending one message ended. state: sent, pending (postponed), unknown, dead."""

    id: int
    queue: str
    state: str
    attempt: int
    """Which attempt it was: one that a newer attempt has overtaken has nothing more to say."""
    handle: str | None = None
    error: str | None = None
    uncertain: bool = False
    counted: bool = True
    """Whether it was tried at all, and not only held back because it was not its turn."""
    aside: bool = False
    """Whether it waits beside its queue, and lets past what stands behind it."""
    gone: Address | None = None
    """The account that turned out to be there no more."""
    also: tuple[int, ...] = ()
    """What left with it. Refused together, each is tried alone, for one may spoil it for all."""
    is_edit: bool = False
    ready_at: datetime | None = None
    """When the address may be tried next (its pace, or the wait after a failure)."""


def _message(insert: Insert) -> Any:
    return insert(outbox).on_conflict_do_nothing().returning(outbox.c.id)


def _wake_address(insert: Insert) -> Any:
    """An address that waits for a better moment keeps it; the more urgent priority wins."""
    addresses, new = outbox_addresses.c, insert(outbox_addresses)
    urgent = case(
        (addresses.ready_at.is_(None), new.excluded.priority),
        (addresses.priority > new.excluded.priority, new.excluded.priority),
        else_=addresses.priority,
    )
    ready_at = func.coalesce(addresses.ready_at, new.excluded.ready_at)
    return new.on_conflict_do_update(
        index_elements=["address"], set_={"ready_at": ready_at, "priority": urgent}
    )


class Outbox:
    """Messages in order per address."""

    def __init__(
        self,
        session: Session,
        cipher: Cipher,
        people: People,
        teams: Teams,
        recipients: Recipients,
        timers: Timers,
        rings: Rings = never_rings,
    ) -> None:
        self._session = session
        self._cipher = cipher
        self._people = people
        self._teams = teams
        self._timers = timers
        self._recipients = recipients
        self._rings = rings
        self._held: list[tuple[Send, datetime]] | None = None

    # --- writing -----------------------------------------------------------------------------

    @contextmanager
    def held(self) -> Iterator[list[tuple[Send, datetime]]]:
        """What is put meanwhile is not queued but given back, for `put` after something else.

        Whoever acted reads the answer before what follows from it, in the same chat.
        """
        held: list[tuple[Send, datetime]] = []
        self._held = held
        try:
            yield held
        finally:
            self._held = None

    def put(self, send: Send, now: datetime) -> bool:
        """Queue a message; False when its key is known already."""
        if self._held is not None:
            self._held.append((send, now))
            return True
        if send.edits is not None:
            return self._put_edit(send, now)
        if isinstance(send.to, ToPerson):
            person = self._people.get(send.to.person_id)
            address = self._people.address(person.id)
            return self._add(send, send.key, address, *self._recipients.reads(person), now)
        if isinstance(send.to, ToHome):
            team = self._teams.get(send.to.team_id)
            added = [
                self._add(
                    send,
                    f"{send.key}@{home.platform}",
                    home,
                    *self._recipients.reads(team),
                    now,
                    home_of=team.name,
                )
                for home in self._teams.homes(team.id)
                if not send.rings or self._rings(home.platform, team.name)
            ]
            return any(added)
        return self._add(send, send.key, send.to, *self._recipients.reads_at(send.to), now)

    def _put_edit(self, send: Send, now: datetime) -> bool:
        """An edit goes wherever the message went that it changes, and outdates the edits before
        it.
        """
        originals = self._session.execute(
            select(outbox).where(outbox.c.name == send.edits, outbox.c.edits_id.is_(None))
        ).all()
        added = False
        for original in originals:
            self._supersede(outbox.c.edits_id == original.id)
            body = self._body(original.body)
            if body is None:
                continue
            key = f"{send.key}@{original.id}"
            # What has not left yet goes before what changes it, wherever it waits.
            queue = original.address if original.state in WAITING else None
            added |= self._add(
                send, key, body.address, original.locale, original.zone, now, original.id, queue
            )
        return added

    def _add(
        self,
        send: Send,
        key: str,
        address: Address | None,
        locale: str,
        zone: str,
        now: datetime,
        edits_id: int | None = None,
        queue: str | None = None,
        home_of: str | None = None,
    ) -> bool:
        lost = address is None
        if address is None:
            address = Address(platform=NOBODY, kind="person", id=send.key)
        # What rings must not wait behind what only the aibot can say.
        kind = "ring" if send.rings else address.kind
        queue = queue or f"{address.platform}:{kind}:{address.id}"
        is_page = address.kind == "page"
        if is_page:
            # First the address, then its rows, as `lease` and `record` take them.
            self._ready(queue, PRIORITIES[send.priority], now)
            self._clear_page(queue)
        row = {
            "address": queue,
            "key": key,
            # The rows of a page are found by whose it is.
            "name": queue if is_page else send.key,
            "body": self._cipher.seal(self._addressed(send, address, home_of).model_dump_json()),
            "locale": locale,
            "zone": zone,
            "priority": PRIORITIES[send.priority],
            "edits_id": edits_id,
            "state": "dead" if lost else "pending",
            "error": "no account that can be reached" if lost else None,
            "created_at": now,
            "attempts": 0,
            "doubts": 0,
        }
        inserted = self._session.execute(prepared(self._session, _message), row).scalar()
        if inserted is None:
            return False
        if lost:
            self._timers.arm("message.dead", f"M{inserted}", "tell", now)
        else:
            self._ready(queue, PRIORITIES[send.priority], now)
        return True

    def _addressed(self, send: Send, address: Address, home_of: str | None) -> Body:
        """What goes to an address, with each mention's account on its platform.

        `home_of`: the team whose home it is, where that is known already.
        """
        words, card = self._recipients.for_platform(send.words, send.card, address.platform)
        page = send.page and self._recipients.page(send.page, address.platform)
        if home_of is None and address.kind == "group":
            home_of = self._teams.home_of(address.platform, address.id)
        return Body(
            address=address,
            words=words,
            card=card,
            page=page,
            file=send.file,
            or_else=send.or_else,
            team=home_of or "",
            answers=send.answers,
            rings=send.rings,
        )

    def _supersede(self, those: ColumnElement[bool]) -> None:
        """Something newer takes the place of those that have not left yet."""
        self._session.execute(
            update(outbox).where(those, outbox.c.state == "pending").values(state="superseded")
        )

    def _clear_page(self, queue: str) -> None:
        """A page is only ever what was drawn last: nothing before it is sent or kept."""
        self._supersede(outbox.c.name == queue)
        self._session.execute(
            delete(outbox).where(outbox.c.name == queue, outbox.c.state.not_in(WAITING))
        )

    def _ready(self, queue: str, priority: int, now: datetime) -> None:
        """Wake the address, unless its head is waiting for a better moment already."""
        row = {"address": queue, "ready_at": now, "priority": priority}
        self._session.execute(prepared(self._session, _wake_address), row)
        self._session.info["queued"] = True

    # --- delivering --------------------------------------------------------------------------

    def lease(
        self,
        now: datetime,
        until: datetime,
        limit: int,
        prefixes: Iterable[str],
        folding: Collection[str] = (),
    ) -> Sequence[Leased]:
        """Lease addresses whose head may go, waiting people first; the heads become "sending".

        Only queues that begin with one of `prefixes` are looked at.

        On platforms that are `folding` a short answer takes those with it that wait behind it.
        """
        addresses = outbox_addresses.c
        free = self._session.scalars(
            select(addresses.address)
            .where(
                addresses.ready_at <= now,
                (addresses.leased_until.is_(None)) | (addresses.leased_until <= now),
                _of(prefixes),
            )
            .order_by(addresses.priority, addresses.ready_at)
            .limit(limit)
            .with_for_update(skip_locked=True)
        ).all()
        if not free:
            return []
        self._session.execute(
            update(outbox_addresses).where(addresses.address.in_(free)).values(leased_until=until)
        )
        heads = self._take_heads(free, now)
        return [self._folded(one) if one.address.platform in folding else one for one in heads]

    def _take_heads(self, queues: Sequence[str], now: datetime) -> Sequence[Leased]:
        original = outbox.alias("original")
        heads = (
            select(func.min(outbox.c.id))
            .where(outbox.c.address.in_(queues), outbox.c.state.in_(WAITING))
            .group_by(outbox.c.address)
        )
        rows = self._session.execute(
            select(outbox, original.c.handle.label("original_handle"))
            .outerjoin(original, original.c.id == outbox.c.edits_id)
            .where(outbox.c.id.in_(heads))
            .order_by(outbox.c.priority, outbox.c.id)
        ).all()
        if rows:
            self._session.execute(
                update(outbox)
                .where(outbox.c.id.in_([row.id for row in rows]))
                .values(
                    doubts=case(
                        (outbox.c.state == "sending", outbox.c.doubts + 1), else_=outbox.c.doubts
                    ),
                    state="sending",
                    attempts=outbox.c.attempts + 1,
                )
            )
        idle = set(queues) - {row.address for row in rows}
        if idle:
            self._session.execute(
                update(outbox_addresses)
                .where(outbox_addresses.c.address.in_(idle))
                .values(ready_at=None, leased_until=None)
            )
        return [leased for row in rows if (leased := self._leased(row, now)) is not None]

    def _folded(self, head: Leased) -> Leased:
        """With the words of the short messages that wait directly behind it."""
        if head.alone or head.doubts or not head.body.is_short or head.edits_handle is not None:
            return head
        waiting = self._session.execute(
            select(outbox)
            .where(
                outbox.c.address == head.queue,
                outbox.c.state.in_(WAITING),
                outbox.c.id > head.id,
            )
            .order_by(outbox.c.id)
            .limit(MOST_FOLDED - 1)
        )
        behind: dict[int, Words] = {}
        for row in waiting:
            body = self._body(row.body)
            if (
                body is None
                # Left behind by a sender that died: perhaps it was said, so it goes alone.
                or row.state != "pending"
                or row.doubts
                or _is_alone(row)
                or not body.is_short
                or body.words is None
                or body.address != head.address
                or row.edits_id is not None
                or (row.locale, row.zone) != (head.locale, head.zone)
            ):
                break
            behind[row.id] = body.words
        if not behind:
            return head
        self._session.execute(
            update(outbox)
            .where(outbox.c.id.in_(behind))
            .values(state="sending", attempts=outbox.c.attempts + 1)
        )
        words = lines(head.body.words, *behind.values())
        return replace(head, body=head.body.model_copy(update={"words": words}), also=tuple(behind))

    def _leased(self, row: Any, now: datetime) -> Leased | None:
        body = self._body(row.body)
        if body is None:
            # One that nobody can read must not hold up those that can be read.
            why = "its words cannot be read: sealed with another secret key, or by another version"
            self.record(Outcome(row.id, row.address, "dead", row.attempts + 1, error=why), now)
            return None
        # Found "sending": the sender before us died, and nobody knows what it did.
        doubts = row.doubts + (row.state == "sending")
        return Leased(
            id=row.id,
            queue=row.address,
            body=body,
            edits_handle=row.original_handle,
            locale=row.locale,
            zone=row.zone,
            attempt=row.attempts + 1,
            priority=_PRIORITY[row.priority],
            uncertain_since=row.created_at if doubts else None,
            doubts=doubts,
            alone=_is_alone(row),
        )

    def _body(self, stored: str) -> Body | None:
        """What is sealed in a row; None where that cannot be read."""
        try:
            return Body.model_validate_json(self._cipher.open(stored))
        except (CannotOpen, ValueError):
            return None

    def record(self, outcome: Outcome, now: datetime) -> bool:
        """Write down how it ended, and free the address for its next message.

        False, and nothing is written, when the lease ran out and another attempt has begun.
        """
        # Whoever queues a message for this address comes before us or after us, never between the
        # counting and the waking: else its message would wait for ever.
        self._session.execute(
            select(outbox_addresses.c.address)
            .where(outbox_addresses.c.address == outcome.queue)
            .with_for_update()
        )
        outcome = _parted(outcome)
        ours = self._session.execute(
            update(outbox)
            .where(
                outbox.c.id == outcome.id,
                outbox.c.state == "sending",
                outbox.c.attempts == outcome.attempt,
            )
            .values(
                state=outcome.state,
                attempts=outbox.c.attempts if outcome.counted else outbox.c.attempts - 1,
                handle=func.coalesce(outcome.handle, outbox.c.handle),
                error=outcome.error and outcome.error[:300],
                doubts=outbox.c.doubts + 1 if outcome.uncertain else outbox.c.doubts,
                sent_at=now if outcome.state == "sent" else None,
            )
            .returning(outbox.c.id)
        ).scalar()
        if ours is None:
            return False
        if outcome.also:
            self._record_also(outcome, now)
        if outcome.is_edit and outcome.handle:
            self._renew_original(outcome)
        if outcome.aside and not outcome.queue.endswith(BESIDE):
            self._step_aside(outcome, now)
        else:
            self._free(outcome.queue, outcome.ready_at or now)
        if outcome.state in ("dead", "unknown") and not _is_page(outcome.queue):
            self._timers.arm("message.dead", f"M{outcome.id}", "tell", now)
        if outcome.state == "dead":
            self._say_directly(outcome.id, now)
        if outcome.gone is not None:
            subject = f"{outcome.gone.platform}/{outcome.gone.only_for or outcome.gone.id}"
            self._timers.arm("account.gone", subject, "leave", now)
        return True

    def _step_aside(self, outcome: Outcome, now: datetime) -> None:
        """It waits in a queue beside its own, together with what changes it; what left with it may
        go by a way of its own.
        """
        beside = f"{outcome.queue}{BESIDE}"
        moved = self._session.scalars(
            update(outbox)
            .where(
                (outbox.c.id == outcome.id) | (outbox.c.edits_id == outcome.id),
                outbox.c.state == "pending",
            )
            .values(address=beside)
            .returning(outbox.c.priority)
        ).all()
        self._free(outcome.queue, now)
        self._ready(beside, min(moved, default=0), outcome.ready_at or now)

    def _record_also(self, outcome: Outcome, now: datetime) -> None:
        """The same for what left with it."""
        self._session.execute(
            update(outbox)
            .where(outbox.c.id.in_(outcome.also), outbox.c.state == "sending")
            .values(
                state=outcome.state,
                attempts=outbox.c.attempts if outcome.counted else outbox.c.attempts - 1,
                error=outcome.error and outcome.error[:300],
                doubts=outbox.c.doubts + 1 if outcome.uncertain else outbox.c.doubts,
                sent_at=now if outcome.state == "sent" else None,
            )
        )
        if outcome.state == "unknown":
            for message_id in outcome.also:
                self._timers.arm("message.dead", f"M{message_id}", "tell", now)

    def _renew_original(self, outcome: Outcome) -> None:
        """Changing a message may use its handle up: the next change goes by what is left."""
        edited = select(outbox.c.edits_id).where(outbox.c.id == outcome.id).scalar_subquery()
        self._session.execute(
            update(outbox).where(outbox.c.id == edited).values(handle=outcome.handle)
        )

    def renew(self, platform: str, message_id: int, handle: str) -> None:
        """A press on a message of ours brought a new handle to change it by."""
        self._session.execute(
            update(outbox)
            .where(
                outbox.c.id == message_id,
                outbox.c.address.startswith(f"{platform}:", autoescape=True),
                outbox.c.state == "sent",
            )
            .values(handle=handle)
        )

    def _say_directly(self, message_id: int, now: datetime) -> None:
        """What cannot be said in a group reaches its reader all the same, where one is named and
        can be reached; the message itself has then been replaced, and is not to be said again.
        """
        row = self.get(message_id)
        body = self._body(row.body) if row is not None else None
        if row is None or body is None or body.or_else is None:
            return
        if self._people.address(body.or_else.person_id) is None:
            return
        key = f"{row.name}/direct"
        self.put(Send(to=body.or_else, key=key, words=body.words, card=body.card), now)
        self._replaced(message_id)

    def _replaced(self, message_id: int) -> None:
        self._session.execute(
            update(outbox).where(outbox.c.id == message_id).values(state="superseded")
        )

    def _free(self, queue: str, ready_at: datetime) -> None:
        """End an address's lease; it is ready again at `ready_at` when something waits."""
        waiting = self._session.execute(
            select(func.count(), func.min(outbox.c.priority)).where(
                outbox.c.address == queue, outbox.c.state.in_(WAITING)
            )
        ).one()
        self._session.execute(
            update(outbox_addresses)
            .where(outbox_addresses.c.address == queue)
            .values(
                ready_at=ready_at if waiting[0] else None,
                priority=waiting[1] or 0,
                leased_until=None,
            )
        )

    def clock_set_back(self, now: datetime, until: datetime) -> None:
        """The wall clock was set back: what was to wait a moment would wait until it comes round.

        Addresses may be tried now; leases end at `until` at the latest.
        """
        addresses = outbox_addresses.c
        self._session.execute(
            update(outbox_addresses).where(addresses.ready_at > now).values(ready_at=now)
        )
        self._session.execute(
            update(outbox_addresses)
            .where(addresses.leased_until > until)
            .values(leased_until=until)
        )

    def release_all(self) -> None:
        """End every lease: for a process that knows it is the only one, at its start."""
        self._session.execute(update(outbox_addresses).values(leased_until=None))

    def next_ready(self, prefixes: Iterable[str]) -> datetime | None:
        """When the earliest waiting address may be tried, leases included."""
        addresses = outbox_addresses.c
        leased = addresses.leased_until
        wait_for = case((leased > addresses.ready_at, leased), else_=addresses.ready_at)
        earliest: datetime | None = self._session.scalar(
            select(func.min(wait_for)).where(addresses.ready_at.is_not(None), _of(prefixes))
        )
        return earliest

    def withdraw(self, beginning: str, priority: Priority) -> None:
        """What has become pointless before it left: messages whose keys begin like this."""
        self._supersede(
            outbox.c.name.startswith(beginning, autoescape=True)
            & (outbox.c.priority == PRIORITIES[priority])
        )

    # --- looking after -----------------------------------------------------------------------

    def get(self, message_id: int) -> Any | None:
        """The row of a message, or None."""
        return self._session.execute(select(outbox).where(outbox.c.id == message_id)).one_or_none()

    def named(self, platform: str, handle: str) -> str | None:
        """The key of the message that has this handle on a platform; None: none of ours has."""
        return self._session.scalar(
            select(outbox.c.name)
            .where(outbox.c.handle == handle, outbox.c.address.startswith(f"{platform}:"))
            .order_by(outbox.c.id)
            .limit(1)
        )

    def address_of(self, message_id: int) -> Address | None:
        """Where a message goes; None where that cannot be read any more."""
        stored = self._session.execute(
            select(outbox.c.body).where(outbox.c.id == message_id)
        ).scalar_one()
        body = self._body(stored)
        return body.address if body is not None else None

    def said_to(self, message_id: int) -> int | None:
        """The person who read it directly, since it could not be said where it was to go."""
        row = self.get(message_id)
        if row is None or row.state != "superseded" or row.error is None:
            return None
        body = self._body(row.body)
        return body.or_else.person_id if body is not None and body.or_else is not None else None

    def retry(self, message_id: int, now: datetime) -> bool:
        """Give a dead or unknown message another life; False when it is neither, or when something
        newer has taken its place: then it is superseded.
        """
        row = self._session.execute(
            select(outbox)
            .where(outbox.c.id == message_id, outbox.c.state.in_(("dead", "unknown")))
            .where(outbox.c.address.not_like(f"{NOBODY}:%"))
            .with_for_update()
        ).one_or_none()
        if row is None:
            return False
        if _is_page(row.address) or self._is_outdated(row):
            self._replaced(message_id)
            return False
        self._session.execute(
            update(outbox)
            .where(outbox.c.id == message_id)
            .values(state="pending", attempts=0, error=None)
        )
        self._ready(row.address, row.priority, now)
        return True

    def _is_outdated(self, row: Any) -> bool:
        """Whether people read, or are about to read, something newer in its place.

        An original may still go first when all that would change it has not arrived either.
        """
        is_original = row.edits_id is None
        newer = self._session.scalar(
            select(outbox.c.id)
            .where(
                outbox.c.edits_id == (row.id if is_original else row.edits_id),
                outbox.c.id > row.id,
                outbox.c.state.not_in(("dead", "superseded") if is_original else ("dead",)),
            )
            .limit(1)
        )
        return newer is not None

    def count(self, *states: str) -> int:
        """How many messages are in these states."""
        found = self._session.scalar(
            select(func.count()).select_from(outbox).where(outbox.c.state.in_(states))
        )
        return found or 0

    def waiting(self) -> int:
        """How many messages have not left yet."""
        return self.count(*WAITING)

    def prune(self, now: datetime) -> None:
        """Forget what was said long ago."""
        self._session.execute(
            delete(outbox).where(outbox.c.created_at < now - KEPT, outbox.c.state.not_in(WAITING))
        )


def _parted(outcome: Outcome) -> Outcome:
    """Of messages that were refused together each is tried again, alone."""
    if not outcome.also or outcome.state != "dead":
        return outcome
    return replace(outcome, state="pending", error=f"{ALONE}{outcome.error}", gone=None)


def _is_alone(row: Any) -> bool:
    return bool(row.error) and str(row.error).startswith(ALONE)


def _is_page(queue: str) -> bool:
    return queue.split(":", 2)[1] == "page"


def _of(prefixes: Iterable[str]) -> ColumnElement[bool]:
    """Queues that begin like these ("slack:", "wecom:person:"); of none, nothing."""
    addresses = outbox_addresses.c
    wanted = (addresses.address.startswith(one, autoescape=True) for one in prefixes)
    return or_(false(), *wanted)
