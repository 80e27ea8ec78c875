"""The tokens with which gateways call each other: of the same key, for a moment, and for nothing else."""

import pytest
from joserfc.jwk import ECKey

from chassis.auth.claims import AuthenticationOutcome, Identity
from strangler_gateway.identity.signer import GATEWAYS, Signer, ephemeral_signer

KEY = ECKey.generate_key("P-256", private=True)


def at(time: float) -> Signer:
    return Signer([KEY], lambda: time)


@pytest.mark.parametrize(("later", "valid"), [(0, True), (55, True), (-25, True), (62, False), (-32, False)])
def test_a_gateway_knows_another_one_by_the_shared_key_for_a_moment(later: float, valid: bool) -> None:
    token = at(1000).gateway_token("gw1")
    assert at(1000 + later).gateway_of(token) == ("gw1" if valid else None)
    assert ephemeral_signer().gateway_of(token) is None


def test_a_token_of_a_service_is_none_of_a_gateway() -> None:
    ada = Identity(AuthenticationOutcome.USER, "ada")
    assert at(1000).gateway_of(at(1000).token(ada, GATEWAYS).decode()) is None
    assert at(1000).gateway_of("x") is None
