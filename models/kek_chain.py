"""Opening the key-encryption key that a setting names, and the next one beside it while keys are rotated."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from models import kms
from models.errors import KekUnusable
from models.kek import Kek, Random, read_env
from models.kek_file import read_file


class KekChain:
    """Several keys: the first is the one in use, the others are on their way in."""

    def __init__(self, keks: Sequence[Kek]) -> None:
        self._keks = keks

    def describe(self) -> str:
        """Where the keys live."""
        return ", next ".join(one.describe() for one in self._keks)

    @property
    def primary(self) -> int:
        """The version to wrap under, where the keyring names none: the first key's."""
        return self._keks[0].primary

    def holds(self, version: int) -> bool:
        """Whether any of them has this version."""
        return any(one.holds(version) for one in self._keks)

    def wrap(self, data_key: bytes, context: bytes, version: int | None = None) -> tuple[int, bytes]:
        """Wrap under the key that has this version. Raises KekUnusable."""
        chosen = self.primary if version is None else version
        return self._of(chosen).wrap(data_key, context, chosen)

    def unwrap(self, version: int, wrapped: bytes, context: bytes) -> bytes:
        """Unwrap with the key that has this version. Raises KekUnusable."""
        return self._of(version).unwrap(version, wrapped, context)

    def _of(self, version: int) -> Kek:
        for one in self._keks:
            if one.holds(version):
                return one
        raise KekUnusable(
            f"{self.describe()} does not hold version {version} of the key-encryption key: set GA_SYNC_KEK to the "
            "one in use, and while keys are rotated GA_SYNC_KEK_NEXT to the next"
        )


def open_kek(
    spec: str,
    environ: Mapping[str, str],
    random: Random,
    connect: Callable[[str], kms.KmsClient] = kms.connect,
) -> Kek:
    """The key-encryption key that ``spec`` names: ``file:PATH``, ``env:NAME`` or ``awskms:KEY_ARN``.

    Raises:
        KekUnusable: it names none, or it is absent or malformed.
    """
    provider, _, where = spec.partition(":")
    if provider == "file" and where:
        return read_file(Path(where), random)
    if provider == "env" and where:
        return read_env(where, environ, random)
    if provider == "awskms" and where:
        return kms.AwsKms(where, connect(where))
    raise KekUnusable("GA_SYNC_KEK must be file:PATH, env:NAME or awskms:KEY_ARN")


def open_chain(specs: Sequence[str], environ: Mapping[str, str], random: Random) -> Kek:
    """The key in use and, where it is named, the next one. Raises KekUnusable."""
    keks = [open_kek(spec, environ, random) for spec in specs if spec]
    return keks[0] if len(keks) == 1 else KekChain(keks)
