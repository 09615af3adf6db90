"""Boxes show nothing."""

import copy
import json
import logging
import pickle
from typing import Any

import pytest

from models.sealed import Place, Sealed, Secret

WORDS = "canary-1//refresh"


@pytest.mark.parametrize(
    "show",
    [str, repr, "{}".format, lambda secret: f"{secret!s:>20}", lambda secret: f"{[secret]}", "%s".__mod__],
)
def test_a_secret_prints_nothing(show: Any) -> None:  # noqa: ANN401 -- any way to show
    assert "canary" not in show(Secret(WORDS))
    assert "secret" in show(Secret(WORDS))


def test_a_secret_is_shown_only_on_an_explicit_call() -> None:
    assert Secret(WORDS).reveal() == WORDS


def test_a_secret_in_a_log_record_or_an_error_prints_nothing(caplog: pytest.LogCaptureFixture) -> None:
    logging.getLogger("test").warning("got %s and %r", Secret(WORDS), {"token": Secret(WORDS)})
    assert "canary" not in caplog.text
    assert "canary" not in str(ValueError(Secret(WORDS)))


@pytest.mark.parametrize("spill", [pickle.dumps, copy.copy, copy.deepcopy, json.dumps, vars])
def test_a_secret_is_not_spilled_by_copying_or_writing(spill: Any) -> None:  # noqa: ANN401 -- any way to spill
    with pytest.raises(TypeError) as caught:
        spill(Secret(WORDS))
    assert "canary" not in str(caught.value)


def test_a_sealed_value_prints_its_length_alone() -> None:
    box = Sealed(b"canary")
    assert repr(box) == str(box) == "<sealed, 6 bytes>"


def test_boxes_and_places_are_values() -> None:
    assert Sealed(b"x") == Sealed(b"x")
    assert Place("a", "b", "c", "d") == Place("a", "b", "c", "d", 0)
    with pytest.raises(AttributeError):
        Sealed(b"x").ciphertext = b"y"  # type: ignore[misc]
