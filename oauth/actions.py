"""What the customer can do: one sentence for each way in which a grant stops, and for a revocation left open."""

ACTIONS = {
    "denied": "The consent was declined at Google. Open the address again and choose “Allow”, or ask for a new"
    " address.",
    "scope_missing": "The box for Google Analytics was not ticked on Google's page. Open the address again, tick"
    " “See and download your Google Analytics data”, and continue.",
    "scope_wider": "Google granted something else than read-only access to Google Analytics, so nothing was"
    " stored. Open the address again; if it happens again, tell the operator of this service.",
    "no_refresh_token": "Google gave no lasting permission. Open the address again and confirm every step of"
    " Google's page.",
    "expired": "The address was not used within 24 hours. Ask for a new one.",
    "invalid_grant": "Google ended the permission: reconnect the grant. This happens when access was removed in"
    " the Google account, when its password or sign-in rules changed, when it was not used for six months, or"
    " when the same Google account was revoked elsewhere (another link, another customer): that ends every"
    " permission it gave to this service.",
    "admin_policy_enforced": "The administrator of the Google Workspace does not allow this service. Have them"
    " trust it in the Admin console (Security, Access and data control, API controls), then reconnect the grant.",
}
REVOKE_BY_HAND = (
    "Google did not confirm the revocation. Revoke it by hand: sign in with the Google account that gave the"
    " consent, open https://myaccount.google.com/connections, choose this service and remove its access."
)


def action_for(status: str, reason: str | None, google: str | None = None) -> str | None:
    """What to do about a grant of this status; None where nothing is to be done.

    ``reason`` is the grant's; ``google`` the receipt's (``revoked``, ``already_dead``, ``pending``,
    ``unconfirmed``).
    """
    if status in {"failed", "reconsent_required"}:
        return ACTIONS.get(reason or "", "Reconnect the grant: ask for a new address.")
    return REVOKE_BY_HAND if google == "unconfirmed" else None
