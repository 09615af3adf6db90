"""What every Google that our tests talk to must do: the fake of this folder, and any sandbox.

A test module subclasses `GoogleContract` and gives a fixture `world`: a `World` around that Google. Its `control`
is the person at the consent page and the switch of its moods.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import httpx
import pytest

from models.sealed import Secret
from oauth import protocol
from oauth.errors import GrantDead, NoRefreshToken, OurFault, ScopeMissing, ScopeWider, TryLater
from oauth.google import Google
from oauth.protocol import Endpoints, TokenAnswer

VERIFIER = Secret("v" * 86)


class Control(Protocol):
    """The person at the consent page, and the weather at Google."""

    def consent(self, location: str) -> Mapping[str, str]:
        """Allow: the parameters that come back to our callback."""
        ...

    def deny(self, location: str) -> Mapping[str, str]:
        """Decline."""
        ...

    def set_mood(self, mood: str | None) -> None:
        """`untick`, `widen`, `no_refresh_token`, `html_503`, `admin_policy_enforced`, `testing`, or None."""
        ...


@dataclass(frozen=True)
class World:
    """One Google: how it is spoken to, where it is, who we are there, and who controls it."""

    http: httpx.Client
    endpoints: Endpoints
    client_id: str
    client_secret: str
    public_url: str
    control: Control

    def google(self, secret: str | None = None) -> Google:
        return Google(
            self.http,
            self.endpoints,
            client_id=self.client_id,
            client_secret=Secret(secret or self.client_secret),
            monotonic=lambda: 0.0,
        )

    def location(self, state: str = "s" * 43) -> str:
        return protocol.authorize_url(
            self.endpoints, self.client_id, self.public_url, Secret(state), VERIFIER
        )

    def code(self) -> str:
        code = protocol.read_code(self.control.consent(self.location()))
        assert code is not None
        return code

    def exchange(self, code: str, verifier: Secret = VERIFIER, path: str = "") -> TokenAnswer:
        callback = protocol.redirect_uri(self.public_url) + path
        return self.google().exchange(code, verifier, callback)

    def refresh_token(self) -> Secret:
        return protocol.require_refresh_token(self.exchange(self.code()))


class GoogleContract:
    """The suite; subclass it and give `world`."""

    def test_a_consent_gives_tokens_for_the_one_scope(self, world: World) -> None:
        answer = world.exchange(world.code())
        assert answer.scopes == {protocol.SCOPE}
        assert answer.refresh_token is not None
        assert 3000 < answer.expires_in <= 3600

    def test_the_callback_carries_our_state(self, world: World) -> None:
        assert world.control.consent(world.location("t" * 43))["state"] == "t" * 43
        assert world.control.deny(world.location("u" * 43))["state"] == "u" * 43

    def test_a_denied_consent_says_so_and_has_no_code(self, world: World) -> None:
        params = world.control.deny(world.location())
        assert params["error"] == "access_denied"
        assert "code" not in params

    def test_a_code_works_once(self, world: World) -> None:
        code = world.code()
        world.exchange(code)
        with pytest.raises(GrantDead, match="invalid_grant"):
            world.exchange(code)

    def test_a_code_needs_the_verifier_of_its_challenge(self, world: World) -> None:
        with pytest.raises(GrantDead):
            world.exchange(world.code(), Secret("w" * 86))

    def test_a_code_needs_the_redirect_uri_that_it_was_made_for(self, world: World) -> None:
        with pytest.raises((GrantDead, OurFault)):
            world.exchange(world.code(), path="/elsewhere")

    def test_a_wrong_client_secret_is_our_fault(self, world: World) -> None:
        with pytest.raises(OurFault) as caught:
            world.google("another secret").refresh(world.refresh_token())
        assert caught.value.what == "client"

    def test_a_refresh_gives_another_access_token_and_no_new_refresh_token(self, world: World) -> None:
        refresh_token = world.refresh_token()
        first, second = (world.google().refresh(refresh_token) for _ in range(2))
        assert first.access_token.reveal() != second.access_token.reveal()
        assert first.refresh_token is None

    def test_an_unknown_refresh_token_is_dead(self, world: World) -> None:
        with pytest.raises(GrantDead) as caught:
            world.google().refresh(Secret("never-issued"))
        assert caught.value.reason == "invalid_grant"

    def test_revoking_ends_every_permission_of_the_account(self, world: World) -> None:
        first, second = world.refresh_token(), world.refresh_token()
        assert world.google().revoke(first) == "revoked"
        with pytest.raises(GrantDead):
            world.google().refresh(second)

    def test_revoking_a_dead_token_says_that_it_is_dead(self, world: World) -> None:
        token = world.refresh_token()
        world.google().revoke(token)
        assert world.google().revoke(token) == "already_dead"

    def test_an_unticked_box_is_a_missing_scope(self, world: World) -> None:
        world.control.set_mood("untick")
        with pytest.raises(ScopeMissing):
            world.exchange(world.code())

    def test_a_wider_scope_is_told(self, world: World) -> None:
        world.control.set_mood("widen")
        with pytest.raises(ScopeWider):
            world.exchange(world.code())

    def test_a_missing_refresh_token_is_told(self, world: World) -> None:
        world.control.set_mood("no_refresh_token")
        with pytest.raises(NoRefreshToken):
            world.refresh_token()

    def test_a_page_of_an_outage_means_later(self, world: World) -> None:
        token = world.refresh_token()
        world.control.set_mood("html_503")
        for call in (world.google().refresh, world.google().revoke):
            with pytest.raises(TryLater):
                call(token)

    def test_an_administrators_policy_ends_the_permission(self, world: World) -> None:
        token = world.refresh_token()
        world.control.set_mood("admin_policy_enforced")
        with pytest.raises(GrantDead) as caught:
            world.google().refresh(token)
        assert caught.value.reason == "admin_policy_enforced"

    def test_a_consent_screen_in_testing_says_when_it_ends(self, world: World) -> None:
        world.control.set_mood("testing")
        answer = world.exchange(world.code())
        assert answer.refresh_token_expires_in is not None
        assert 0 < answer.refresh_token_expires_in <= 7 * 86_400
