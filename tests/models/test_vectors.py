"""Known answers: of the standards for what we build on, and of our own format, so that it never changes unnoticed.

AES-256-GCM: test cases 13 to 16 of "The Galois/Counter Mode of Operation" (McGrew and Viega, 2005), which NIST's
SP 800-38D takes over. HKDF: RFC 5869, appendix A.3, the case without salt.
"""

import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from models.errors import SealBroken
from models.keyring import Sealer, derive
from models.sealed import Place, Sealed
from tests.models.bench import hkdf, independent_open

NOBODY = bytes(32), bytes(12)
KEY = bytes.fromhex("feffe9928665731c6d6a8f9467308308" * 2)
NONCE = bytes.fromhex("cafebabefacedbaddecaf888")
PLAIN = bytes.fromhex(
    "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
    "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b391aafd255"
)
CIPHER = bytes.fromhex(
    "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"
    "8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662898015ad"
)
EXTRA = bytes.fromhex("feedfacedeadbeeffeedfacedeadbeefabaddad2")
GCM = {
    "13": (*NOBODY, b"", b"", b"", "530f8afbc74536b9a963b4f1c4cb738b"),
    "14": (
        *NOBODY,
        b"",
        bytes(16),
        bytes.fromhex("cea7403d4d606b6e074ec5d3baf39d18"),
        "d0d1c8a799996bf0265b98b5d48ab919",
    ),
    "15": (KEY, NONCE, b"", PLAIN, CIPHER, "b094dac5d93471bdec1a502270e3cc6c"),
    "16": (KEY, NONCE, EXTRA, PLAIN[:60], CIPHER[:60], "76fc6ece0f4e1768cddf8853bb2d551b"),
}
PLACE = Place("acme", "links", "property", "l1", 3)
OURS = Sealed(
    bytes.fromhex(
        "47010100000007a0a1a2a3a4a5a6a7a8a9aaabdfea9d3860890279000be7cb6a92e326bbf88116cf6a68174f250148bb8a"
        "d47c017725ce45e976f73e7cb67fdf4f366603f1d5d68fcdff992f2c743f7186ed2d61196c3f9eb52da72aece2212a321c22"
    )
)


@pytest.mark.parametrize("case", GCM)
def test_aes_256_gcm_gives_the_published_answers(case: str) -> None:
    key, nonce, extra, plain, cipher, tag = GCM[case]
    sealed = AESGCM(key).encrypt(nonce, plain, extra)
    assert sealed == cipher + bytes.fromhex(tag)
    assert AESGCM(key).decrypt(nonce, sealed, extra) == plain


@pytest.mark.parametrize("case", GCM)
def test_aes_256_gcm_refuses_every_flipped_bit_of_the_tag(case: str) -> None:
    key, nonce, extra, _, cipher, tag = GCM[case]
    for bit in range(128):
        forged = bytearray(bytes.fromhex(tag))
        forged[bit // 8] ^= 1 << bit % 8
        with pytest.raises(InvalidTag):
            AESGCM(key).decrypt(nonce, cipher + bytes(forged), extra)


def test_hkdf_gives_the_published_answer() -> None:
    expected = "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8"
    assert derive(b"\x0b" * 22, "", 42).hex() == expected
    assert hkdf(b"\x0b" * 22, "", 32).hex() == expected[:64]


def test_our_own_format_is_what_it_was() -> None:
    sealer = Sealer(7, bytes(range(32)), lambda size: bytes(range(0xA0, 0xA0 + size)))
    assert sealer.seal(PLACE, b"properties/123") == OURS
    assert sealer.open(PLACE, OURS) == b"properties/123"
    column_key = hkdf(bytes(range(32)), "enc|links|property", 32)
    assert independent_open(column_key, PLACE, OURS.ciphertext) == b"properties/123"
    assert (
        sealer.blind("segment", "42").hex()
        == "3b07a0c45548277889125acc3d787cee990d400393493d22293544038109c134"
    )
    assert derive(bytes(range(32)), "kcv", 16).hex() == "d36b261a840815a483e7af59863b3996"


def test_no_flipped_bit_of_our_format_opens() -> None:
    sealer = Sealer(7, bytes(range(32)), bytes)
    for bit in range(len(OURS.ciphertext) * 8):
        altered = bytearray(OURS.ciphertext)
        altered[bit // 8] ^= 1 << bit % 8
        with pytest.raises(SealBroken):
            sealer.open(PLACE, Sealed(bytes(altered)))
