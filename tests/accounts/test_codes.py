"""The codes of authenticator apps, by the published answers; and recovery codes."""

import base64
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import pytest

from ga_sync.accounts import codes
from models.sealed import Secret

# RFC 6238, appendix B, SHA-1: eight digits there, of which ours are the last six (RFC 4226 §5.3).
RFC_SECRET = Secret(base64.b32encode(b"12345678901234567890").decode())
RFC_VECTORS = [
    (59, "94287082"),
    (1111111109, "07081804"),
    (1111111111, "14050471"),
    (1234567890, "89005924"),
    (2000000000, "69279037"),
    (20000000000, "65353130"),
]


@pytest.mark.parametrize(("seconds", "expected"), RFC_VECTORS)
def test_every_vector_of_rfc_6238_is_taken_at_its_time(seconds: int, expected: str) -> None:
    now = datetime.fromtimestamp(seconds, UTC)
    assert codes.step_of(RFC_SECRET, expected[-6:], now) == seconds // 30
    assert codes.step_of(RFC_SECRET, expected, now) is None


@pytest.mark.parametrize(("drift", "taken"), [(-60, False), (-30, True), (0, True), (30, True), (60, False)])
def test_a_clock_may_be_one_step_off_each_way(drift: int, taken: bool) -> None:  # noqa: FBT001
    seconds, expected = RFC_VECTORS[2]
    now = datetime.fromtimestamp(seconds, UTC) + timedelta(seconds=drift)
    step = codes.step_of(RFC_SECRET, expected[-6:], now)
    assert step == (seconds // 30 if taken else None)


@pytest.mark.parametrize("code", ["", "05047", "050471 ", "٠٥٠٤٧١", "\ud800", "0" * 6000])
def test_what_is_no_code_is_refused(code: str) -> None:
    assert codes.step_of(RFC_SECRET, code, datetime.fromtimestamp(RFC_VECTORS[2][0], UTC)) is None


def test_a_code_is_the_same_however_it_is_typed() -> None:
    assert codes.plain(" 050 471\n") == "050471"
    assert codes.plain("ABCD-efgh ijkl-MNOP") == "abcdefghijklmnop"
    digits = [one for one in ("050471", "05047", "٠٥٠٤٧١", "abcdef") if codes.is_digits(one)]
    assert digits == ["050471"]
    shaped = (
        "abcdefghijklmnop",
        "abcd2345efgh6723",
        "abcdefghijklmno",
        "abcdefghijklmno1",
        "ABCDEFGHIJKLMNOP",
    )
    assert [one for one in shaped if codes.is_recovery(one)] == list(shaped[:2])


def test_a_secret_has_160_bits_and_an_address_that_apps_read() -> None:
    secret = codes.new_secret(bytes)
    assert len(base64.b32decode(secret.reveal())) == 20
    address = urlsplit(codes.app_address(secret, "ada+x@example.com").reveal())
    assert (address.scheme, address.netloc) == ("otpauth", "totp")
    assert address.path == "/ga-sync:ada%2Bx%40example.com"
    assert parse_qs(address.query) == {"secret": [secret.reveal()], "issuer": ["ga-sync"]}
    assert secret.reveal() not in f"{secret!r} {secret}"


def test_there_are_ten_recovery_codes_of_80_bits_each() -> None:
    asked: list[int] = []

    def random(count: int) -> bytes:
        asked.append(count)
        return bytes([len(asked)] * count)

    found = codes.recovery_codes(random)
    assert asked == [10] * 10
    assert len(set(found)) == 10
    assert all(len(one) == 19 and one == one.lower() for one in found)
    assert all(codes.is_recovery(codes.plain(one)) for one in found)
