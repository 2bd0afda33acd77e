"""How WeCom signs and encrypts a callback, written from the document and without wechatpy.

https://developer.work.weixin.qq.com/document/path/90968: the receive id is the corp's id for an
app and empty for an aibot (https://developer.work.weixin.qq.com/document/path/101033).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import secrets
import struct

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

BLOCK = 32  # WeCom pads to 32 bytes though AES has 16


class CryptoError(Exception):
    """It was not written by somebody who knows the key, or is for somebody else."""


def signature(token: str, timestamp: str, nonce: str, encrypted: str) -> str:
    """The msg_signature of an encrypted text."""
    return hashlib.sha1("".join(sorted((token, timestamp, nonce, encrypted))).encode()).hexdigest()


def encrypt(
    aes_key: str, plaintext: str | bytes, receive_id: str, random16: bytes | None = None
) -> str:
    """`aes_key` is the EncodingAESKey of 43 characters; gives base64."""
    message = plaintext.encode() if isinstance(plaintext, str) else plaintext
    head = random16 or secrets.token_hex(8).encode()
    whole = head + struct.pack(">I", len(message)) + message + receive_id.encode()
    missing = BLOCK - len(whole) % BLOCK
    encryptor = _cipher(aes_key).encryptor()
    sealed = encryptor.update(whole + bytes((missing,)) * missing) + encryptor.finalize()
    return base64.b64encode(sealed).decode()


def decrypt(aes_key: str, encrypted: str, receive_id: str) -> str:
    """Raises CryptoError."""
    try:
        sealed = base64.b64decode(encrypted, validate=True)
        decryptor = _cipher(aes_key).decryptor()
        padded = decryptor.update(sealed) + decryptor.finalize()
    except (binascii.Error, ValueError) as wrong:
        raise CryptoError(f"this was not encrypted: {wrong}") from wrong
    length = padded[-1] if padded else 0
    if not 1 <= length <= BLOCK or padded[-length:] != bytes((length,)) * length:
        raise CryptoError("the padding is wrong: another key")
    whole = padded[:-length]
    if len(whole) < 20:
        raise CryptoError("too short")
    end = 20 + int(struct.unpack(">I", whole[16:20])[0])
    if end > len(whole):
        raise CryptoError("the length is wrong: another key")
    if whole[end:] != receive_id.encode():
        raise CryptoError(f"this is for {whole[end:]!r}")
    try:
        return whole[20:end].decode()
    except UnicodeDecodeError as wrong:
        raise CryptoError("no UTF-8") from wrong


def _cipher(aes_key: str) -> Cipher[modes.CBC]:
    key = base64.b64decode(aes_key + "=")
    return Cipher(algorithms.AES(key), modes.CBC(key[:16]))
