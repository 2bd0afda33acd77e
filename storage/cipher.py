"""Sealing of stored answers and messages, and the keys derived from BANZHANG_SECRET_KEY."""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import zlib

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

SEALED, PLAIN = "1:", "0:"
NONCE_BYTES = 12


class CannotOpen(Exception):
    """A sealed text cannot be read: another secret key, or the bytes were changed."""


def derive(secret: str, purpose: str) -> bytes:
    """A 256-bit key for one purpose (HKDF, RFC 5869), so that no key serves two."""
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=purpose.encode()).derive(
        secret.encode()
    )


class Cipher:
    """AES-256-GCM under the secret key; without a key texts are kept plain and marked so."""

    def __init__(self, secret: str | None) -> None:
        self._aead = AESGCM(derive(secret, "banzhang messages")) if secret else None
        self._audit_key = derive(secret, "banzhang audit") if secret else None

    @property
    def can_seal(self) -> bool:
        """Whether there is a secret key at all."""
        return self._aead is not None

    def seal(self, words: str) -> str:
        """Text → what is stored."""
        packed = zlib.compress(words.encode(), level=1)
        if self._aead is None:
            return PLAIN + base64.b64encode(packed).decode()
        nonce = os.urandom(NONCE_BYTES)
        return SEALED + base64.b64encode(nonce + self._aead.encrypt(nonce, packed, None)).decode()

    def open(self, stored: str) -> str:
        """What is stored → text. Raises CannotOpen."""
        raw = base64.b64decode(stored[len(SEALED) :])
        if stored.startswith(PLAIN):
            return zlib.decompress(raw).decode()
        if self._aead is None:
            raise CannotOpen("the text is sealed and BANZHANG_SECRET_KEY is not set")
        try:
            packed = self._aead.decrypt(raw[:NONCE_BYTES], raw[NONCE_BYTES:], None)
        except InvalidTag:
            raise CannotOpen("the text was sealed with another BANZHANG_SECRET_KEY") from None
        return zlib.decompress(packed).decode()

    def audit_seal(self, before: str, row: str) -> str:
        """HMAC-SHA256 over the seal before and the row, in hex. Needs a secret key."""
        if self._audit_key is None:
            raise CannotOpen("sealing the audit log needs BANZHANG_SECRET_KEY")
        return hmac.new(self._audit_key, f"{before}\n{row}".encode(), hashlib.sha256).hexdigest()
