"""Every stop of a grant has a sentence that says what to do."""

import pytest

from oauth.actions import ACTIONS, REVOKE_BY_HAND, action_for


@pytest.mark.parametrize("reason", ["denied", "scope_missing", "scope_wider", "no_refresh_token", "expired"])
def test_a_failed_grant_says_what_to_do(reason: str) -> None:
    assert action_for("failed", reason) == ACTIONS[reason]


@pytest.mark.parametrize("reason", ["invalid_grant", "admin_policy_enforced"])
def test_a_dead_grant_says_how_to_reconnect(reason: str) -> None:
    assert "reconnect the grant" in (action_for("reconsent_required", reason) or "")


def test_a_dead_grant_says_that_revoking_elsewhere_may_have_ended_it() -> None:
    assert "revoked elsewhere" in (action_for("reconsent_required", "invalid_grant") or "")


def test_an_unknown_reason_still_has_an_action() -> None:
    assert action_for("failed", "something new")
    assert action_for("reconsent_required", None)


def test_nothing_is_to_be_done_about_a_grant_that_works() -> None:
    assert action_for("active", None) is None
    assert action_for("revoked", None, "revoked") is None


def test_an_unconfirmed_revocation_says_where_to_revoke_by_hand() -> None:
    assert action_for("revoked", None, "unconfirmed") == REVOKE_BY_HAND
    assert "myaccount.google.com" in REVOKE_BY_HAND
