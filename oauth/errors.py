"""What can go wrong with permission.

OauthError
├── ConsentError
│   ├── ConsentUnknown      no such address was ever given out
│   ├── ConsentExpired      the address is older than its life: ask for a new one
│   ├── ConsentUsed         a finished consent consumed the address
│   ├── StateRefused        an answer that no opening of ours in this browser waits for
│   ├── ConsentUnfinished   Google did not finish it; the address stays usable
│   └── ConsentRefused      Google's answer is not what was asked; ``reason`` says how
│       ├── ScopeMissing        the box was not ticked
│       ├── ScopeWider          more than, or something other than, what was asked
│       └── NoRefreshToken      nothing to come back with
├── GrantError
│   ├── GrantUnknown        no such grant, or another customer's
│   ├── GrantClosed         it is revoked, or on its way there: nothing reopens it
│   ├── GrantNotUsable      it has no token that may be used; ``status`` says why
│   └── GrantDead           Google says that the permission has ended; ``reason`` is Google's word
├── OurFault                our client or our request was refused: the operator's alarm, never the customer's
└── TryLater                no answer that means anything: a timeout, a 5xx, a page where JSON belongs
"""


class OauthError(Exception):
    """Root of this package's errors; its text says what to do and holds no secret."""


class ConsentError(OauthError):
    """A consent does not go on."""


class ConsentUnknown(ConsentError):
    """The address is not one of ours."""

    def __init__(self) -> None:
        super().__init__("This address is not known: ask for a new one.")


class ConsentExpired(ConsentError):
    """The address outlived its 24 hours."""

    def __init__(self) -> None:
        super().__init__("This address has expired: ask for a new one.")


class ConsentUsed(ConsentError):
    """The consent was finished through this address, or through another one of the same grant."""

    def __init__(self) -> None:
        super().__init__("This address has done its work: nothing is left to do here.")


class StateRefused(ConsentError):
    """Foreign, replayed, expired or unknown: always the same words, whatever the grant is."""

    def __init__(self) -> None:
        super().__init__(
            "This answer does not belong to a consent that was started in this browser within the last ten minutes. "
            "Nothing was stored: open the address again, in this browser, with cookies allowed."
        )


class ConsentUnfinished(ConsentError):
    """Google did not finish the consent; nothing changed, and the address can be opened again.

    Attributes:
        grant_id: the grant, as it was.
        customer_id: its customer.
        return_url: where the browser may be sent on to, if the console named an address.
        reason: ``no_code`` (Google came back without one), ``invalid_grant`` (it refused the code),
            ``admin_policy_enforced`` (the customer's Workspace forbids it) or ``unavailable`` (an outage).
    """

    def __init__(self, grant_id: str, customer_id: str, return_url: str | None, reason: str) -> None:
        super().__init__(
            "Google did not finish the consent. Nothing was stored: open the same address again."
        )
        self.grant_id, self.customer_id, self.return_url = grant_id, customer_id, return_url
        self.reason = reason


class ConsentRefused(ConsentError):
    """Google answered, but not with what was asked: nothing of it is stored or used."""

    reason = "refused"


class ScopeMissing(ConsentRefused):
    """The scope was not granted: the box on Google's page was left unticked."""

    reason = "scope_missing"

    def __init__(self) -> None:
        super().__init__("Google did not grant reading of Google Analytics: start again and tick the box.")


class ScopeWider(ConsentRefused):
    """Another set of scopes was granted than the one that was asked."""

    reason = "scope_wider"

    def __init__(self) -> None:
        super().__init__(
            "Google granted something else than read-only Google Analytics: the answer was discarded."
        )


class NoRefreshToken(ConsentRefused):
    """The answer to the code holds no refresh token."""

    reason = "no_refresh_token"

    def __init__(self) -> None:
        super().__init__("Google gave no permission that lasts: start again and give the consent anew.")


class GrantError(OauthError):
    """A grant cannot do what was asked."""


class GrantUnknown(GrantError):
    """No such grant under this customer."""

    def __init__(self) -> None:
        super().__init__("There is no such grant.")


class GrantClosed(GrantError):
    """Revoked or being revoked."""

    def __init__(self) -> None:
        super().__init__("The grant has been revoked and cannot be reconnected: make a new one.")


class GrantNotUsable(GrantError):
    """No token may be used under this grant; ``status`` is the grant's."""

    def __init__(self, status: str) -> None:
        super().__init__(f"The grant is {status}: there is no permission to use.")
        self.status = status


class GrantDead(GrantError):
    """Google ended the permission for good.

    ``reason`` is ``invalid_grant`` or ``admin_policy_enforced``.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(f"Google ended the permission ({reason}): the grant must be reconnected.")
        self.reason = reason


class OurFault(OauthError):
    """Google refuses us, whoever the customer is.

    ``what`` is ``client`` (the OAuth client is unknown, disabled, or its secret is wrong), ``request`` (what
    we sent is refused, such as the redirect URI) or ``client_id`` (the grant was given to another client than the
    configured one).
    """

    def __init__(self, what: str) -> None:
        super().__init__(_OUR_FAULTS[what])
        self.what = what


_OUR_FAULTS = {
    "client": "Google refuses this service's OAuth client: check GA_SYNC_GOOGLE_CLIENT_ID and its secret.",
    "request": "Google refuses this service's request: check that GA_SYNC_PUBLIC_URL with /oauth/callback is"
    " one of the client's authorised redirect URIs.",
    "client_id": "The grant was given to another OAuth client than the one in GA_SYNC_GOOGLE_CLIENT_ID: restore"
    " the former client, or have the grant reconnected.",
}


class TryLater(OauthError):
    """Google could not be asked, or its answer means nothing; ``why`` is a word for the log."""

    def __init__(self, why: str) -> None:
        super().__init__(f"Google did not answer usefully ({why}): try again later.")
        self.why = why
