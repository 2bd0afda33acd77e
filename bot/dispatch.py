"""The only place that commits domain work: events come in, answers go out after the commit."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

import structlog

from adapters.contract import Adapter
from bot.commands import Command, Request, TimerHandler, place_of
from bot.messages import (
    Address,
    Answer,
    Event,
    Mention,
    Refused,
    Reply,
    Send,
    Tick,
    Words,
    known_locale,
    text,
)
from bot.metrics import EVENTS, LAST_EVENT, TIMERS_FAILED, TIMERS_FIRED, TIMERS_LATE
from bot.router import Routed, Router, Sender
from bot.transactions import Transactions, in_the_way
from storage.tables.people import Person
from storage.uow import UnitOfWork

log = structlog.get_logger()

TIMERS_PER_COMMIT = 200

Evidence = Callable[[UnitOfWork, int, datetime], None]
"""Told when a person did something that shows they are at work."""

Afterwards = Callable[[UnitOfWork, datetime], None]
"""Called before each commit, when all that was to be done is done."""


class Dispatch:
    """Events and ticks, each in a transaction."""

    def __init__(
        self,
        transactions: Transactions,
        router: Router,
        timers: Mapping[str, TimerHandler],
        adapters: Mapping[str, Adapter],
        evidence: Evidence,
        afterwards: Afterwards,
        apart: frozenset[str] = frozenset(),
    ) -> None:
        """Timers of the kinds `apart` share no transaction with the others."""
        self._transactions = transactions
        self._router = router
        self._timers = timers
        self._adapters = adapters
        self._evidence = evidence
        self._afterwards = afterwards
        self._apart = apart

    # --- events ------------------------------------------------------------------------------

    async def receive(self, event: Event) -> Reply | None:
        """Handle an event once; a repeat gets the stored answer. None: it is not for the bot."""
        if event.kind == "text" and not event.addressed and not event.under:
            return None
        EVENTS.labels(event.platform, event.kind).inc()
        LAST_EVENT.labels(event.platform).set(event.received_at.timestamp())
        return await self._transactions.run(lambda uow: self._once(event, uow))

    def _once(self, event: Event, uow: UnitOfWork) -> Reply | None:
        if not self._router.concerns(event, uow):
            return None
        if not event.complete:
            return self._reply(event, uow).model_copy(update={"wants_more": True})
        if not uow.inbox.claim(event):
            told = uow.inbox.answered(event.platform, event.key)
            return told and self._placed_for(event, told, uow)
        if event.pressed is not None and event.handle:
            uow.outbox.renew(event.platform, event.pressed, event.handle)
        told, placed, fingerprint = self._handled(event, uow)
        if told.errors:
            # A form that was sent back did nothing, and what was wrong may be right by now.
            uow.inbox.release(event)
        elif told.form is None:
            # As it was given, not as it was placed: what comes again is placed anew.
            uow.inbox.answer(event, told, fingerprint)
        self._afterwards(uow, event.received_at)
        return placed

    def _handled(self, event: Event, uow: UnitOfWork) -> tuple[Reply, Reply, str | None]:
        """The reply, what the platform's response carries of it, and the fingerprint by which the
        same words again are known.

        Whatever goes wrong rolls back to the savepoint; the claim stays, with the refusal as its
        answer.
        """
        savepoint = uow.session.begin_nested()
        try:
            sender = self._router.sender(event, uow)
            routed = self._router.route(event, sender, uow)
            fingerprint = None
            if routed.command is not None and routed.command.creates:
                fingerprint = _fingerprint(event)
                before = uow.inbox.same_again(event.platform, fingerprint, event.received_at)
                if before is not None:
                    savepoint.rollback()
                    return before, self._placed_for(event, before, uow), None
            with uow.outbox.held() as consequences:
                told = self._performed(routed, event, sender, uow)
            placed = self._placed(event, told, _mention(event, sender.person), uow)
            for send, at in consequences:
                uow.outbox.put(send, at)
            savepoint.commit()
        except Refused as refused:
            savepoint.rollback()
            told = self._refusal(event, refused, uow)
        except Exception as error:
            savepoint.rollback()
            if in_the_way(error):
                raise  # the whole event is tried again
            reference = secrets.token_hex(4)
            log.exception("handler failed", reference=reference, key=event.key, kind=event.kind)
            told = self._reply_alone(event, text("failed", reference=reference), uow)
        else:
            return told, placed, fingerprint
        return told, self._placed_for(event, told, uow), None

    def _performed(self, routed: Routed, event: Event, sender: Sender, uow: UnitOfWork) -> Reply:
        form, answer = routed.form, routed.answer
        if routed.command is not None and routed.request is not None:
            answer = self._run(routed.command, routed.request, uow)
        if routed.listener is not None and routed.signal is not None:
            answer = routed.listener.run(routed.signal, uow)
        if answer is not None:
            words, card = uow.recipients.for_platform(answer.words, answer.card, event.platform)
            answer = answer.model_copy(update={"words": words, "card": card})
        # The person may have changed their language just now.
        locale = known_locale(sender.person.locale or sender.locale)
        return Reply(
            answer=answer, form=form, locale=locale, zone=sender.zone, at=event.received_at
        )

    def _run(self, command: Command, request: Request, uow: UnitOfWork) -> Answer:
        answer = command.run(request, uow)
        if command.evidence:
            self._evidence(uow, request.person.id, request.at)
        if command.private and not answer.private:
            answer = answer.model_copy(update={"private": True})
        return answer

    # --- where the answer goes ---------------------------------------------------------------

    def _placed_for(self, event: Event, reply: Reply, uow: UnitOfWork) -> Reply:
        """The same for a reply that was made before, or after a rollback. Doing it twice queues
        nothing twice.
        """
        person = uow.people.find(event.platform, event.user.id)
        return self._placed(event, reply, _mention(event, person), uow)

    def _placed(self, event: Event, reply: Reply, speaker: Mention, uow: UnitOfWork) -> Reply:
        """An answer the platform's own response cannot carry goes through the outbox instead."""
        adapter, answer = self._adapters[event.platform], reply.answer
        if answer is None or reply.errors:
            return reply
        group = event.chat.kind == "group"
        # What people may answer to needs a handle, which a platform's own response has not.
        keeps = answer.about and group and adapter.capabilities.threads and event.chat.is_ours
        inline = adapter.answers_inline(event, reply)
        whispers = adapter.capabilities.private_in_groups
        inline = inline and (not keeps or answer.private)
        if group and whispers and event.kind in ("button", "form") and not answer.private:
            # The card in the group tells the group; the answer is for who pressed.
            answer = answer.model_copy(update={"private": True})
            reply = reply.model_copy(update={"answer": answer})
        if answer.private and group and not (inline and whispers):
            if whispers:
                self._queue(event, _place(event, only_for=event.user.id), answer, uow)
            else:
                self._to_person(event, answer, uow)
            told = text("answer.sent_privately", person=speaker)
            if not inline:
                if not whispers:
                    # Else the group would read nothing, and think that nobody heard.
                    self._queue(event, _place(event), Answer(words=told), uow, "here")
                return reply.model_copy(update={"answer": None})
            return reply.model_copy(update={"answer": Answer(words=told)})
        if group and not answer.private and answer.words is not None:
            words = text("answer.to", person=speaker, words=answer.words)
            answer = answer.model_copy(update={"words": words})
            reply = reply.model_copy(update={"answer": answer})
        if inline:
            return reply
        if group:
            self._queue(event, _place(event), answer, uow)
        else:
            self._to_person(event, answer, uow)
        return reply.model_copy(update={"answer": None})

    def _to_person(self, event: Event, answer: Answer, uow: UnitOfWork) -> None:
        # Where a person has several conversations with us, the answer stands in the same one.
        direct = event.chat.thread if event.chat.kind == "direct" else None
        place = Address(platform=event.platform, kind="person", id=event.user.id, thread=direct)
        self._queue(event, place, answer, uow)

    def _queue(
        self, event: Event, place: Address, answer: Answer, uow: UnitOfWork, which: str = "answer"
    ) -> None:
        digest = hashlib.sha256(event.key.encode()).hexdigest()[:40]
        key = f"{answer.about or which}/{event.platform}/{digest}"
        uow.outbox.put(
            Send(to=place, key=key, words=answer.words, card=answer.card, answers=event.key),
            event.received_at,
        )

    def _refusal(self, event: Event, refused: Refused, uow: UnitOfWork) -> Reply:
        reply = self._reply_alone(event, refused.words, uow)
        if event.kind == "form":
            # The form stays open with what was typed in it; "" is the form as a whole.
            return reply.model_copy(update={"errors": {refused.field or "": refused.words}})
        return reply

    def _reply_alone(self, event: Event, words: Words, uow: UnitOfWork) -> Reply:
        """A private reply made after a rollback."""
        resolved, _card = uow.recipients.for_platform(words, None, event.platform)
        answer = Answer(words=resolved, private=True)
        return self._reply(event, uow).model_copy(update={"answer": answer})

    def _reply(self, event: Event, uow: UnitOfWork) -> Reply:
        """A reply that says nothing yet, for what is known of the person without meeting them."""
        person = uow.people.find(event.platform, event.user.id)
        team = uow.teams.bound(event.platform, event.chat.id) or uow.teams.first()
        chosen = (person and person.locale) or event.user.locale or team.locale
        zone = (person and person.zone) or event.user.zone or team.zone
        return Reply(locale=known_locale(chosen), zone=zone, at=event.received_at)

    # --- ticks -------------------------------------------------------------------------------

    async def tick(self, now: datetime) -> int:
        """Fire what is due, in batches, what fires apart last; returns how many fired."""
        fired = await self._fire_all(now, apart=False)
        return fired + (await self._fire_all(now, apart=True) if self._apart else 0)

    async def _fire_all(self, now: datetime, *, apart: bool) -> int:
        fired = 0
        while True:
            batch = await self._transactions.run(lambda uow: self._fire(now, uow, apart=apart))
            fired += batch
            if batch < TIMERS_PER_COMMIT:
                return fired

    def _fire(self, now: datetime, uow: UnitOfWork, *, apart: bool) -> int:
        if apart:
            due = uow.timers.claim_due(now, TIMERS_PER_COMMIT, only=self._apart)
        else:
            due = uow.timers.claim_due(now, TIMERS_PER_COMMIT, without=self._apart)
        for timer_id, tick in due:
            savepoint = uow.session.begin_nested()
            try:
                self._timers[tick.kind](tick, uow)
                savepoint.commit()
            except Exception as error:
                savepoint.rollback()
                if in_the_way(error):
                    raise  # the whole batch is tried again
                TIMERS_FAILED.labels(tick.kind).inc()
                log.exception("timer failed", kind=tick.kind, subject=tick.subject, step=tick.step)
                uow.timers.failed(timer_id, now)
            else:
                self._fired(tick)
        self._afterwards(uow, now)
        uow.timers.hold_back([timer_id for timer_id, _tick in due], now)
        return len(due)

    @staticmethod
    def _fired(tick: Tick) -> None:
        TIMERS_FIRED.labels(tick.kind).inc()
        TIMERS_LATE.observe(max(0.0, (tick.now - tick.due_at) / timedelta(seconds=1)))


def _mention(event: Event, person: Person | None) -> Mention:
    """Whoever spoke, on the platform where they spoke."""
    name = person.name if person else event.user.name
    return Mention(person_id=person.id if person else 0, name=name, user_id=event.user.id)


def _place(event: Event, only_for: str | None = None) -> Address:
    """The group of an event, or one person in it."""
    return place_of(event.platform, event.chat).model_copy(update={"only_for": only_for})


def _fingerprint(event: Event) -> str:
    """The same person, the same chat, the same words: one hash."""
    parts = [event.user.id, event.chat.id, event.under, event.kind, event.command]
    parts += [" ".join(event.text.split()), *(user.id for user in event.mentions)]
    parts += [f"{name}={value}" for name, value in sorted(event.arguments.items())]
    return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()
