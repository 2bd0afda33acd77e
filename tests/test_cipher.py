"""Sealing: what goes in comes out, only under the same key, and nothing can be changed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage.cipher import CannotOpen, Cipher, derive


@given(st.text())
def test_what_is_sealed_opens_again(words: str) -> None:
    for secret in ("key", None):
        assert Cipher(secret).open(Cipher(secret).seal(words)) == words


def test_sealed_words_do_not_show() -> None:
    assert "工资" not in Cipher("key").seal("工资 1234")
    assert Cipher("key").seal("same") != Cipher("key").seal("same")


@pytest.mark.parametrize("secret", ["other", None])
def test_another_key_opens_nothing(secret: str | None) -> None:
    with pytest.raises(CannotOpen):
        Cipher(secret).open(Cipher("key").seal("words"))


def test_a_changed_seal_does_not_open() -> None:
    sealed = Cipher("key").seal("words")
    changed = sealed[:10] + ("A" if sealed[10] != "A" else "B") + sealed[11:]
    with pytest.raises(CannotOpen):
        Cipher("key").open(changed)


def test_no_key_serves_two_purposes() -> None:
    assert derive("secret", "one") != derive("secret", "two")
    assert derive("secret", "one") == derive("secret", "one")
