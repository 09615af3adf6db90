"""The forms of names that come from outside."""

from datetime import date

import pytest

from ga_sync.accounts import names
from ga_sync.accounts.errors import Invalid


@pytest.mark.parametrize("customer", ["a", "A-Z.a_z-0.9", "x" * 64])
def test_good_customers(customer: str) -> None:
    assert names.check_customer(customer) == customer


@pytest.mark.parametrize("customer", ["", "x" * 65, "a b", "a\n", "ä", "a/b", "*"])
def test_bad_customers(customer: str) -> None:
    with pytest.raises(Invalid):
        names.check_customer(customer)


def test_ids_are_opaque_but_bounded() -> None:
    odd = ["\0", " ", "e\u0301", "\u00e9", "\U0001f9ea" * 100, "\u202e", "\n"]
    assert names.check_recording_ids(odd, 10) == odd
    for bad in ([""], ["x" * 101], ["\ud800"], ["x"] * 11):
        with pytest.raises(Invalid):
            names.check_recording_ids(bad, 10)
    with pytest.raises(Invalid):
        names.check_recording_ids([], 10, least=1)


def test_days_are_written_in_one_way() -> None:
    assert names.check_day("2026-01-31") == date(2026, 1, 31)
    for bad in ("20260131", "2026-W05-6", "2026-1-31", "2026-02-30", "", "0001-01-01 ", "x"):
        with pytest.raises(Invalid):
            names.check_day(bad)


def test_return_addresses_need_an_allowed_origin_exactly() -> None:
    allowed = ("https://console.example",)
    assert names.check_return_url(None, allowed) is None
    assert names.check_return_url("https://console.example/a?b#c", allowed)
    for bad in ("https://console.example:444/", "//console.example/", "https://console.example\\@evil/", "x"):
        with pytest.raises(Invalid):
            names.check_return_url(bad, allowed)
