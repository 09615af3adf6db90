"""Data keys wrapped by AWS KMS: against moto where it is faithful, against botocore's Stubber where it is not."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator

import boto3
import pytest
from botocore.exceptions import EndpointConnectionError
from botocore.stub import ANY, Stubber
from moto import mock_aws

from models.errors import KekUnusable
from models.kek_chain import KekChain, open_kek
from models.keyring import Keyring, Owner
from models.kms import AwsKms, check_arn, connect
from models.rotation import rotation_of
from models.session import Store
from tests.clock import NOON
from tests.models.bench import Monotonic
from tests.postgres import DatabaseUrls

ARN = "arn:aws:kms:eu-central-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"
OTHER = ARN.replace("1234abcd", "deadbeef")
DATA_KEY, CONTEXT = b"d" * 32, b"ga-sync data key|link|l1|acme"


@pytest.fixture(autouse=True)
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of nobody; no file of the machine is read."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "nobody")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, os.devnull)


@pytest.fixture
def arn() -> Iterator[str]:
    """A key of an account in memory."""
    with mock_aws():
        yield boto3.client("kms", region_name="eu-central-1").create_key()["KeyMetadata"]["Arn"]


def make_key() -> str:
    found: str = boto3.client("kms", region_name="eu-central-1").create_key()["KeyMetadata"]["Arn"]
    return found


def test_what_was_wrapped_is_unwrapped(arn: str) -> None:
    kek = open_kek(f"awskms:{arn}", {}, os.urandom)
    version, wrapped = kek.wrap(DATA_KEY, CONTEXT)
    assert kek.holds(version)
    assert DATA_KEY not in wrapped
    assert kek.unwrap(version, wrapped, CONTEXT) == DATA_KEY
    assert kek.describe() == f"awskms:{arn}"


def test_another_context_an_altered_value_and_another_key_do_not_unwrap(arn: str) -> None:
    kek = AwsKms(arn, connect(arn))
    version, wrapped = kek.wrap(DATA_KEY, CONTEXT)
    with pytest.raises(KekUnusable, match="InvalidCiphertextException"):
        kek.unwrap(version, wrapped, b"another")
    with pytest.raises(KekUnusable, match="refuses"):
        kek.unwrap(version, wrapped[:-1] + bytes([wrapped[-1] ^ 1]), CONTEXT)
    another = make_key()
    stranger = AwsKms(another, connect(another))
    with pytest.raises(
        KekUnusable, match="refuses"
    ):  # the key is pinned: KMS would find the right one by itself
        stranger.unwrap(stranger.primary, wrapped, CONTEXT)
    with pytest.raises(KekUnusable, match="another key"):
        stranger.unwrap(version, wrapped, CONTEXT)
    with pytest.raises(KekUnusable, match="another key"):
        stranger.wrap(DATA_KEY, CONTEXT, version)


def test_a_keyring_moves_to_the_next_key(arn: str, migrated_urls: DatabaseUrls) -> None:
    store = Store(migrated_urls.keyring)
    first = AwsKms(arn, connect(arn))
    Keyring(store, first, os.urandom, Monotonic()).initialise(NOON)
    next_arn = make_key()
    second = AwsKms(next_arn, connect(next_arn))
    keyring = Keyring(store, KekChain([first, second]), os.urandom, Monotonic())
    assert rotation_of(store, keyring, first, second).run().rewrapped == 2
    later = Keyring(store, second, os.urandom, Monotonic())
    assert later.keyring_id()
    later.create(Owner("link", "l1"), "acme", NOON)
    store.close()


def stubbed() -> tuple[AwsKms, Stubber]:
    client = boto3.client("kms", region_name="eu-central-1")
    return AwsKms(ARN, client), Stubber(client)


def test_the_key_is_pinned_and_the_context_names_nobody() -> None:
    kek, stub = stubbed()
    bound = {"app": "ga-sync", "of": ANY}
    expected = {"KeyId": ARN, "CiphertextBlob": b"wrapped", "EncryptionContext": bound}
    stub.add_response("decrypt", {"Plaintext": DATA_KEY, "KeyId": ARN}, expected)
    with stub:
        assert kek.unwrap(kek.primary, b"wrapped", CONTEXT) == DATA_KEY
    sent: list[dict[str, str]] = []

    class Seen:
        """Keeps what it is asked."""

        def encrypt(self, **parameters: object) -> dict[str, object]:
            context = parameters["EncryptionContext"]
            assert isinstance(context, dict)
            sent.append(context)
            return {"CiphertextBlob": b"wrapped", "KeyId": ARN}

        decrypt = encrypt

    AwsKms(ARN, Seen()).wrap(DATA_KEY, CONTEXT)
    assert sent[0]["app"] == "ga-sync"
    assert re.fullmatch("[0-9a-f]{64}", sent[0]["of"])


@pytest.mark.parametrize(
    ("code", "advice"),
    [
        ("DisabledException", "enable the key"),
        ("KMSInvalidStateException", "cancel its deletion"),
        ("NotFoundException", "check the ARN"),
        ("AccessDeniedException", "kms:Decrypt"),
        ("IncorrectKeyException", "another key"),
        ("KMSInternalException", "check the key"),
    ],
)
def test_a_refusal_fails_closed_with_a_sentence(code: str, advice: str) -> None:
    """Moto decrypts with a disabled key and with one that is to be deleted; KMS does not."""
    kek, stub = stubbed()
    stub.add_client_error("decrypt", code)
    with stub, pytest.raises(KekUnusable, match=f"{code}.*{advice}"):
        kek.unwrap(kek.primary, b"wrapped", CONTEXT)


def test_an_answer_for_another_key_is_refused() -> None:
    kek, stub = stubbed()
    stub.add_response("decrypt", {"Plaintext": DATA_KEY, "KeyId": OTHER})
    with stub, pytest.raises(KekUnusable, match="another key"):
        kek.unwrap(kek.primary, b"wrapped", CONTEXT)


def test_a_kms_that_is_not_there_fails_closed() -> None:
    class Unreachable:
        """As a client without a network."""

        def encrypt(self, **_parameters: object) -> dict[str, object]:
            raise EndpointConnectionError(endpoint_url="https://kms.example")

        decrypt = encrypt

    with pytest.raises(KekUnusable, match="cannot be asked \\(EndpointConnectionError\\)"):
        AwsKms(ARN, Unreachable()).wrap(DATA_KEY, CONTEXT)


@pytest.mark.parametrize(
    "arn",
    ["", "alias/ga-sync", "1234abcd-12ab-34cd-56ef-1234567890ab", ARN.replace("key/", "alias/"), ARN + " "],
)
def test_only_the_full_arn_of_a_key_is_taken(arn: str) -> None:
    with pytest.raises(KekUnusable, match="full ARN"):
        connect(arn)
    assert check_arn(ARN) == "eu-central-1"


def test_without_the_extra_the_sentence_names_it() -> None:
    """In a process of its own, where boto3 cannot be imported."""
    code = (
        "import sys; sys.modules['boto3'] = None\n"
        "from models.kms import connect\n"
        f"try: connect({ARN!r})\n"
        "except Exception as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "ga-sync[awskms]" in done.stdout
