"""The audit log: append-only, sealed in order, and a change of it shows."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import delete, update

from storage.audit import Verdict
from storage.cipher import CannotOpen, Cipher
from storage.tables import AuditEntry
from tests.clock import MORNING
from tests.engines import fresh_engine
from tests.small import Small


@pytest.fixture
def small(database_url: str) -> Iterator[Small]:
    """The spine on both databases."""
    one = Small(fresh_engine(database_url))
    yield one
    one.close()


def write(small: Small, count: int) -> None:
    with small.uow() as uow:
        for number in range(count):
            uow.audit.record(MORNING, None, "role.grant", f"P{number}", role="worker")


def seal(small: Small) -> int:
    with small.uow() as uow:
        return uow.audit.seal()


def verify(small: Small) -> Verdict:
    with small.uow() as uow:
        return uow.audit.verify()


def test_a_whole_chain_verifies_and_the_tail_is_reported(small: Small) -> None:
    write(small, 5)
    assert seal(small) == 5
    write(small, 2)
    verdict = verify(small)
    assert (verdict.sealed, verdict.unsealed, verdict.broken_at) == (5, 2, None)
    assert seal(small) == 2
    assert verify(small).sealed == 7


@pytest.mark.parametrize("seq", [1, 3, 5])
def test_a_changed_row_is_found(small: Small, seq: int) -> None:
    write(small, 5)
    seal(small)
    with small.uow() as uow:
        uow.session.execute(update(AuditEntry).where(AuditEntry.seq == seq).values(actor_id=7))
    assert verify(small).broken_at == seq


def test_a_row_taken_out_is_found(small: Small) -> None:
    write(small, 5)
    seal(small)
    with small.uow() as uow:
        uow.session.execute(delete(AuditEntry).where(AuditEntry.seq == 3))
    assert verify(small).broken_at == 4


def test_a_cut_tail_shows_against_the_head_the_admins_keep(small: Small) -> None:
    write(small, 5)
    seal(small)
    kept = verify(small).head
    with small.uow() as uow:
        uow.session.execute(delete(AuditEntry).where(AuditEntry.seq == 5))
    verdict = verify(small)
    assert verdict.broken_at is None
    assert verdict.head != kept


def test_another_key_verifies_nothing(small: Small) -> None:
    write(small, 1)
    seal(small)
    with small.uow() as uow:
        uow.audit._cipher = Cipher("another secret")
        assert uow.audit.verify().broken_at == 1
        uow.audit._cipher = Cipher(None)
        with pytest.raises(CannotOpen):
            uow.audit.verify()
        assert uow.audit.seal() == 0
