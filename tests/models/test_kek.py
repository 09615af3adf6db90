"""Key-encryption keys from files and from the environment."""

import base64
import json
import os
import resource
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from models.errors import KekUnusable, KeyringExists
from models.kek import LocalKek, read_env
from models.kek_file import create_file, read_file
from tests.models.bench import kek

KEY = base64.b64encode(b"k" * 32).decode()
SHORT = base64.b64encode(b"k" * 31).decode()


def key_file(folder: Path, text: str, mode: int = 0o600) -> Path:
    path = folder / "kek.json"
    path.write_text(text, encoding="utf-8")
    path.chmod(mode)
    return path


def body(**changes: object) -> str:
    return json.dumps({"format": 1, "primary": 1, "keys": {"1": KEY}} | changes)


@contextmanager
def files_no_longer_than(size: int) -> Iterator[None]:
    """As on a full disk: a write past ``size`` bytes fails."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@contextmanager
def umask(mask: int) -> Iterator[None]:
    former = os.umask(mask)
    try:
        yield
    finally:
        os.umask(former)


def test_a_new_key_file_is_private_and_wraps_and_unwraps(tmp_path: Path) -> None:
    path = tmp_path / "new" / "kek.json"
    create_file(path, os.urandom)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    version, wrapped = read_file(path, os.urandom).wrap(b"d" * 32, b"context")
    assert read_file(path, os.urandom).unwrap(version, wrapped, b"context") == b"d" * 32
    assert version == 1


def test_a_key_file_is_never_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "kek.json"
    create_file(path, os.urandom)
    before = path.read_bytes()
    with pytest.raises(KeyringExists, match="never overwritten"):
        create_file(path, os.urandom)
    assert path.read_bytes() == before


def test_a_key_file_that_could_not_be_written_whole_is_not_there(tmp_path: Path) -> None:
    path = tmp_path / "kek.json"
    with files_no_longer_than(20), pytest.raises(OSError, match="File too large"):
        create_file(path, os.urandom)
    assert list(tmp_path.iterdir()) == []
    create_file(path, os.urandom)
    assert read_file(path, os.urandom).describe() == f"file:{path}"


def test_writing_a_key_file_leaves_nothing_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "kek.json"
    create_file(path, os.urandom)
    with pytest.raises(KeyringExists):
        create_file(path, os.urandom)
    assert list(tmp_path.iterdir()) == [path]


def test_new_folders_of_a_key_file_are_private_under_any_umask(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "new" / "kek.json"
    with umask(0):
        create_file(path, os.urandom)
    assert [stat.S_IMODE(place.stat().st_mode) for place in (path.parent, path.parent.parent)] == [0o700] * 2


def test_a_key_file_of_another_user_is_refused(tmp_path: Path) -> None:
    with pytest.raises(KekUnusable, match="another user"):
        read_file(key_file(tmp_path, body()), os.urandom, user=lambda: os.geteuid() + 1)


@pytest.mark.parametrize("content", [b"\xff\xfe{", body().encode("utf-16"), b'{"primary": "\xe9"}'])
def test_a_key_file_that_is_not_utf_8_is_refused(tmp_path: Path, content: bytes) -> None:
    path = key_file(tmp_path, "")
    path.write_bytes(content)
    with pytest.raises(KekUnusable, match="not a key file"):
        read_file(path, os.urandom)


def test_a_folder_in_the_place_of_a_key_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(KekUnusable, match="cannot be read"):
        read_file(tmp_path, os.urandom)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o644, 0o660, 0o666, 0o601])
def test_a_key_file_that_others_may_touch_is_refused(tmp_path: Path, mode: int) -> None:
    with pytest.raises(KekUnusable, match="chmod 600"):
        read_file(key_file(tmp_path, body(), mode), os.urandom)


def test_a_key_file_that_only_its_owner_may_read_is_fine(tmp_path: Path) -> None:
    assert read_file(key_file(tmp_path, body(), 0o400), os.urandom).describe().startswith("file:")


def test_a_missing_key_file_is_refused_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(KekUnusable, match="keyring init"):
        read_file(tmp_path / "none.json", os.urandom)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no json",
        "[]",
        "{}",
        "null",
        "7",
        body(keys=[]),
        body(keys={"one": KEY}),
        body(keys={"1": 5}),
        body(keys={"1": None}),
        body(primary="first"),
        body(primary=None),
        body(keys={"1": "%%%"}),
        body(keys={"1": "é"}),
        body(keys={"1": SHORT}),
        body(keys={"1": ""}),
        body(primary=2),
        body(keys={}),
    ],
)
def test_a_malformed_key_file_is_refused_and_not_quoted(tmp_path: Path, text: str) -> None:
    with pytest.raises(KekUnusable) as caught:
        read_file(key_file(tmp_path, text), os.urandom)
    assert KEY not in str(caught.value)
    assert SHORT not in str(caught.value)


def test_a_key_in_the_environment_is_used() -> None:
    key = read_env("GA_KEK", {"GA_KEK": KEY}, os.urandom)
    version, wrapped = key.wrap(b"d" * 32, b"context")
    assert version > 1 << 16
    assert kek(b"k" * 32, version).unwrap(version, wrapped, b"context") == b"d" * 32
    assert key.describe() == "env:GA_KEK"


@pytest.mark.parametrize("environ", [{}, {"GA_KEK": ""}, {"GA_KEK": "%%%"}, {"GA_KEK": SHORT}])
def test_an_unusable_key_in_the_environment_is_refused_and_not_quoted(environ: dict[str, str]) -> None:
    with pytest.raises(KekUnusable) as caught:
        read_env("GA_KEK", environ, os.urandom)
    assert SHORT not in str(caught.value)


@pytest.mark.parametrize(
    ("key", "context"), [(kek(b"x" * 32), b"context"), (kek(), b"other"), (kek(version=2), b"context")]
)
def test_another_key_context_or_version_does_not_unwrap(key: LocalKek, context: bytes) -> None:
    version, wrapped = kek().wrap(b"d" * 32, b"context")
    with pytest.raises(KekUnusable):
        key.unwrap(version, wrapped, context)


def test_wrapping_uses_the_primary_version_and_unwrapping_the_named_one() -> None:
    both = LocalKek("env:X", {1: b"a" * 32, 2: b"b" * 32}, 2, os.urandom)
    assert both.wrap(b"d" * 32, b"")[0] == 2
    version, wrapped = kek(b"a" * 32).wrap(b"d" * 32, b"")
    assert both.unwrap(version, wrapped, b"") == b"d" * 32


@pytest.mark.parametrize("index", [0, 12, -1])
def test_an_altered_wrapped_key_does_not_unwrap(index: int) -> None:
    version, wrapped = kek().wrap(b"d" * 32, b"")
    altered = bytearray(wrapped)
    altered[index] ^= 1
    with pytest.raises(KekUnusable, match="in use when the keyring was made"):
        kek().unwrap(version, bytes(altered), b"")
