"""Opening what WeCom sealed, and sealing what goes back: signature, AES, receive id.

https://developer.work.weixin.qq.com/document/path/90968 (apps; the receive id is the corp's)
https://developer.work.weixin.qq.com/document/path/101033 (aibots; the receive id is empty)
wechatpy does the work. It compares signatures with `!=`, believes the padding and the length that
it decrypts, and stumbles in seven different ways over what it cannot read; none of that gets out.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import re
import secrets
from typing import NamedTuple

from wechatpy.enterprise.crypto import PrpCrypto, WeChatCrypto
from wechatpy.enterprise.exceptions import InvalidCorpIdException
from wechatpy.utils import WeChatSigner

from adapters.contract import Rejected

AES_KEY_CHARACTERS = 43
AES_KEY_BYTES = 32

# In front of what was said: 16 characters at random, and its length in four more bytes.
RANDOM_BYTES = 16
HEAD_BYTES = RANDOM_BYTES + 4
# PKCS#7, to blocks of 32 bytes (AES itself has blocks of 16).
PADDED_TO = 32

_SHA1 = re.compile(r"[0-9a-f]{40}", re.ASCII)
_BASE64 = re.compile(r"[A-Za-z0-9+/]++={0,2}", re.ASCII)


class Sealed(NamedTuple):
    """Encrypted and signed; `timestamp` is in seconds since 1970."""

    encrypt: str
    signature: str
    timestamp: int
    nonce: str


class _Cipher(PrpCrypto):  # type: ignore[misc]  # wechatpy has no types
    """wechatpy draws its 16 bytes from a generator whose next number can be worked out."""

    def get_random_string(self) -> str:
        return secrets.token_urlsafe(RANDOM_BYTES * 3 // 4)


class Envelope:
    """The secrets of one callback address, as its page in WeCom's console shows them."""

    def __init__(self, token: str, encoding_aes_key: str, receive_id: str) -> None:
        """`receive_id` is the corp id for an app and "" for an aibot.

        Raises ValueError for a key that is none.
        """
        if not is_aes_key(encoding_aes_key):
            raise ValueError("an EncodingAESKey has 43 letters and digits")
        self._token = token
        self._receive_id = receive_id
        self._crypto = WeChatCrypto(token, encoding_aes_key, receive_id)
        self._cipher = _Cipher(self._crypto.key)

    def opened(self, encrypt: str, signature: str, timestamp: str, nonce: str) -> str:
        """What WeCom said. Whether it said it lately is not looked at here.

        Raises Rejected: 401 when the signature is not WeCom's or it was said to somebody else, 400
        when it is, and cannot be read all the same.
        """
        genuine = self._signature(encrypt, timestamp, nonce)
        if not _SHA1.fullmatch(signature) or not hmac.compare_digest(genuine, signature):
            raise Rejected(401, "the signature is missing or wrong")
        if not self._is_whole(encrypt):
            raise Rejected(400, "what is signed cannot be decrypted")
        try:
            said = self._crypto.check_signature(signature, timestamp, nonce, encrypt)
        except InvalidCorpIdException:
            raise Rejected(401, "it was said to another corp") from None
        except Exception as error:
            # Whatever wechatpy stumbles over; the error's text may quote what was said.
            why = f"what is signed cannot be read: {type(error).__name__}"
            raise Rejected(400, why) from None
        return str(said)

    def sealed(self, plain: str, nonce: str, timestamp: int) -> Sealed:
        """Encrypt and sign an answer. `timestamp` in seconds since 1970."""
        encrypt = self._cipher.encrypt(plain, self._receive_id).decode("ascii")
        signature = self._signature(encrypt, str(timestamp), nonce)
        return Sealed(encrypt, signature, timestamp, nonce)

    def _signature(self, encrypt: str, timestamp: str, nonce: str) -> str:
        signer = WeChatSigner()
        try:
            signer.add_data(self._token, timestamp, nonce, encrypt)
        except UnicodeEncodeError:
            # Half a character, which nobody can have signed.
            raise Rejected(401, "what is signed is no text") from None
        return str(signer.signature)

    def _is_whole(self, encrypt: str) -> bool:
        """Whether padding and length are as they must be: a receive id of nothing proves nothing,
        so without this a piece of an aibot's callback would pass for all of it.
        """
        try:
            if not _BASE64.fullmatch(encrypt):
                return False
            plain = bytes(self._cipher.cipher.decrypt(base64.b64decode(encrypt)))
        except ValueError:  # no base64 after all (binascii.Error), or no whole blocks
            return False
        padding = plain[-1] if plain else 0
        if not 1 <= padding <= PADDED_TO or not plain.endswith(bytes([padding]) * padding):
            return False
        length = int.from_bytes(plain[RANDOM_BYTES:HEAD_BYTES], "big")
        return HEAD_BYTES + length <= len(plain) - padding


def is_aes_key(text: str) -> bool:
    """Whether this can be an EncodingAESKey: 43 characters that stand for 32 bytes."""
    if len(text) != AES_KEY_CHARACTERS:
        return False
    try:
        return len(base64.b64decode(text + "=", validate=True)) == AES_KEY_BYTES
    except (binascii.Error, ValueError):  # ValueError: not ASCII
        return False
