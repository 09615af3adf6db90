"""Where this package's ciphertexts belong, and whose key seals them."""

from models.keyring import Owner
from models.sealed import Place

GRANT = "grant"


def grant_owner(grant_id: str) -> Owner:
    """The data key that seals one grant's token."""
    return Owner(GRANT, grant_id)


def grant_token(customer_id: str, grant_id: str, generation: int) -> Place:
    """The refresh token in a grant's row; ``generation`` is the row's ``token_generation``."""
    return Place(customer_id, "grants", "token", grant_id, generation)


def outbox_token(customer_id: str, grant_id: str) -> Place:
    """The refresh token on its way to be revoked."""
    return Place(customer_id, "revocations", "token", grant_id)


def state_verifier(customer_id: str, state_hash: bytes) -> Place:
    """The PKCE verifier of one opening."""
    return Place(customer_id, "consent_states", "verifier", state_hash.hex())
