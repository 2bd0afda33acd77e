"""The stand-in's own signature and encryption, against what others have published."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.platforms.wecom_crypto import CryptoError, decrypt, encrypt, signature
from tests.platforms.wecom_model import Corp

VECTORS: dict[str, Any] = json.loads(
    (Path(__file__).parent / "payloads" / "wecom_vectors.json").read_text(encoding="utf-8")
)
KNOWN: dict[str, dict[str, Any]] = {one["id"]: one for one in VECTORS["vectors"]}


@pytest.mark.parametrize("name", sorted(KNOWN))
def test_every_known_callback_is_signed_and_read_as_published(name: str) -> None:
    vector = KNOWN[name]
    signed = signature(vector["token"], vector["timestamp"], vector["nonce"], vector["encrypt"])
    assert signed == vector["msg_signature"]
    key, receive_id = vector["encoding_aes_key"], vector["receive_id"]
    assert decrypt(key, vector["encrypt"], receive_id) == vector["plaintext"]
    head = bytes.fromhex(vector["random16_hex"])
    assert encrypt(key, vector["plaintext"], receive_id, head) == vector["encrypt"]


@pytest.mark.parametrize("case", VECTORS["negative"], ids=lambda case: str(case["id"]))
def test_every_known_wrong_callback_is_seen_to_be_wrong(case: dict[str, Any]) -> None:
    vector = KNOWN[case["base"]] | case["change"]
    signed = signature(vector["token"], vector["timestamp"], vector["nonce"], vector["encrypt"])
    if "receive_id" in case["change"]:
        with pytest.raises(CryptoError):
            decrypt(vector["encoding_aes_key"], vector["encrypt"], vector["receive_id"])
    else:
        assert signed != vector["msg_signature"]


@pytest.mark.parametrize("encrypted", ["", "no base64", "AAAA", "A" * 64])
def test_what_was_never_encrypted_is_no_crash(encrypted: str) -> None:
    with pytest.raises(CryptoError):
        decrypt(Corp().aes_key, encrypted, "ww1")


def test_another_key_reads_nothing() -> None:
    with pytest.raises(CryptoError):
        decrypt(Corp().aes_key, encrypt(Corp().bot_aes_key, "签到", "ww1"), "ww1")
