"""``awskms:KEY_ARN``: AWS KMS wraps the data keys; the key-encryption key never leaves it.

https://docs.aws.amazon.com/kms/latest/APIReference/API_Decrypt.html: the key's id is pinned on each call. The
encryption context shows in the provider's logs, so it holds a digest of whose key it is, and no name.
"""

import hashlib
import re
from collections.abc import Callable
from typing import Any, Protocol

from models.errors import KekUnusable
from models.kek import number_of

_ARN = re.compile(r"arn:aws[a-z-]*:kms:([a-z0-9-]+):[0-9]{12}:key/[A-Za-z0-9-]+")
_TIMEOUT = 5


class KmsClient(Protocol):
    """What is used of a client of AWS KMS."""

    def encrypt(self, **parameters: Any) -> dict[str, Any]:  # noqa: ANN401 -- as AWS documents them
        """``Encrypt``."""
        ...

    def decrypt(self, **parameters: Any) -> dict[str, Any]:  # noqa: ANN401 -- as AWS documents them
        """``Decrypt``."""
        ...


def check_arn(arn: str) -> str:
    """The region of a key's ARN; an alias is refused, for it may come to mean another key. Raises KekUnusable."""
    found = _ARN.fullmatch(arn)
    if found is None:
        raise KekUnusable(
            "GA_SYNC_KEK must be awskms: and the full ARN of a key, such as "
            "awskms:arn:aws:kms:eu-central-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"
        )
    return found[1]


def connect(arn: str) -> KmsClient:
    """A client for the key's region; credentials are found where AWS tools look for them.

    Raises:
        KekUnusable: the ARN is none, or the package boto3 is not installed.
    """
    region = check_arn(arn)
    try:
        import boto3  # noqa: PLC0415 -- an extra that most installations go without
        from botocore.config import Config  # noqa: PLC0415
    except ImportError:
        raise KekUnusable("awskms needs the package boto3: install ga-sync[awskms]") from None
    patience = Config(
        connect_timeout=_TIMEOUT, read_timeout=_TIMEOUT, retries={"mode": "standard", "max_attempts": 3}
    )
    client: KmsClient = boto3.client("kms", region_name=region, config=patience)
    return client


class AwsKms:
    """One key of AWS KMS."""

    def __init__(self, arn: str, client: KmsClient) -> None:
        check_arn(arn)
        self._arn, self._client = arn, client

    def describe(self) -> str:
        """Where the key lives."""
        return f"awskms:{self._arn}"

    @property
    def primary(self) -> int:
        """The number of this key."""
        return number_of(self._arn.encode())

    def holds(self, version: int) -> bool:
        """Whether the number is this key's."""
        return version == self.primary

    def wrap(self, data_key: bytes, context: bytes, version: int | None = None) -> tuple[int, bytes]:
        """``Encrypt``. Raises KekUnusable."""
        self._require(version or self.primary)
        answer = self._ask(self._client.encrypt, context, Plaintext=data_key)
        return self.primary, bytes(answer["CiphertextBlob"])

    def unwrap(self, version: int, wrapped: bytes, context: bytes) -> bytes:
        """``Decrypt``. Raises KekUnusable: KMS refuses, does not answer, or answers for another key."""
        self._require(version)
        return bytes(self._ask(self._client.decrypt, context, CiphertextBlob=wrapped)["Plaintext"])

    def _require(self, version: int) -> None:
        if not self.holds(version):
            raise KekUnusable(f"{self.describe()} is another key than the one that wrapped this keyring")

    def _ask(
        self, call: Callable[..., dict[str, Any]], context: bytes, **parameters: bytes
    ) -> dict[str, Any]:
        from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 -- comes with the client

        bound = {"app": "ga-sync", "of": hashlib.sha256(context).hexdigest()}
        try:
            answer = call(KeyId=self._arn, EncryptionContext=bound, **parameters)
        except ClientError as error:
            code = str(error.response.get("Error", {}).get("Code", "unknown"))
            raise KekUnusable(f"AWS KMS refuses ({code}): {_ADVICE.get(code, _ELSE)}") from None
        except BotoCoreError as error:
            raise KekUnusable(
                f"AWS KMS cannot be asked ({type(error).__name__}): check network and credentials"
            ) from None
        if answer.get("KeyId") != self._arn:
            raise KekUnusable("AWS KMS answered for another key: set GA_SYNC_KEK to the key's full ARN")
        return answer


_ELSE = "check the key, its policy and the credentials"
_ADVICE = {
    "AccessDeniedException": "the credentials need kms:Encrypt and kms:Decrypt on this key",
    "DisabledException": "enable the key",
    "KMSInvalidStateException": "the key is disabled or to be deleted: enable it, or cancel its deletion",
    "NotFoundException": "there is no such key: check the ARN",
    "ThrottlingException": "too many requests: it is tried again with the next call",
    "InvalidCiphertextException": "a wrapped key was altered, or belongs to another keyring",
    "IncorrectKeyException": "a wrapped key belongs to another key",
}
