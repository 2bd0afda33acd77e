"""`me data`: what is kept about a person, for that person, as a file."""

from __future__ import annotations

import json

from bot.commands import Request
from bot.messages import Address, Answer, File, Send, text
from handlers.people.granting import cause_of
from storage.personal import kept_about
from storage.uow import UnitOfWork


def me_data(request: Request, uow: UnitOfWork) -> Answer:
    """`me data`: the file goes to one's direct messages, wherever one asks."""
    person = request.person
    kept = kept_about(uow.session, person.id)
    content = json.dumps(kept, ensure_ascii=False, indent=2) + "\n"
    account = uow.people.account(person.id, request.platform)
    assert account is not None  # they have just spoken by it
    uow.outbox.put(
        Send(
            to=Address(platform=request.platform, kind="person", id=account),
            key=f"data/{cause_of(request).occasion}",
            words=text("people.data", rows=sum(map(len, kept.values()))),
            file=File(name=f"banzhang-{request.now:%Y-%m-%d}.json", content=content),
        ),
        request.now,
    )
    uow.audit.record(request.now, person.id, "person.export", f"person/{person.id}")
    return Answer(words=text("people.data_sent"), private=True)
