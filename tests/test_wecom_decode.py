"""What WeCom sends becomes what a person did: each payload file holds one and its event.

A file holds an app's XML ("xml") or an aibot's JSON ("body"), as it was before WeCom encrypted it,
and the event it becomes: null where it means nothing to the bot, or the status it is refused with.
"""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.contract import Rejected, Request
from adapters.wecom import decode, frames, http
from adapters.wecom.crypto import Envelope
from adapters.wecom.reading import (
    account,
    handle_of,
    key_of,
    message_number,
    moment_of,
    task_id,
    typed,
)
from bot.messages import MENTION_CLOSE, MENTION_OPEN, Event
from tests.odd import DROPPED, JSON, changed_at, places
from tests.platforms.wecom_callbacks import Callbacks
from tests.platforms.wecom_model import Corp
from tests.platforms.wecom_requests import Origin, Side

Json = dict[str, Any]

FOLDER = Path(__file__).parent / "payloads" / "wecom"
FILES = sorted(FOLDER.glob("*.json"))
NOW = datetime.fromisoformat("2026-11-23T09:00:00+08:00")
CORP = Corp()
APP = Envelope(CORP.token, CORP.aes_key, CORP.corp_id)
BOT = Envelope(CORP.bot_token, CORP.bot_aes_key, "")


def case(name: str) -> Json:
    found: Json = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    return found


def received_at(found: Json) -> datetime:
    return datetime.fromisoformat(found["received_at"])


def sealed(side: Side, said: str, at: datetime) -> Request:
    """As WeCom calls us with it."""
    signed = Callbacks(CORP).sign(said, Origin(side, "text"), timestamp=int(at.timestamp()))
    return Request(signed.method, signed.path, {}, signed.query, signed.body, at)


def opened(found: Json) -> Json:
    """What the guard lets in of a case. Raises Rejected."""
    at = received_at(found)
    if "xml" in found:
        inside = http.admit_app(sealed("app", found["xml"], at), APP)
    else:
        inside = http.admit_bot(sealed("bot", json.dumps(found["body"]), at), BOT)
    assert isinstance(inside, dict)
    return inside


def heard(found: Json) -> Event | None:
    """The event of a case. Raises Rejected."""
    inside, at = opened(found), received_at(found)
    if "xml" in found:
        return decode.decode(inside, at)
    return frames.decode(inside, at, found.get("bot_name", CORP.bot_name))


def event_of(name: str) -> Event:
    event = heard(case(name))
    assert event is not None
    return event


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_each_payload_becomes_its_event(file: Path) -> None:
    found = json.loads(file.read_text(encoding="utf-8"))
    expected = found["event"]
    if expected is not None and "rejected" in expected:
        with pytest.raises(Rejected) as rejected:
            heard(found)
        assert rejected.value.status == expected["rejected"]
        return
    event = heard(found)
    assert event == (Event.model_validate(expected) if expected else None)
