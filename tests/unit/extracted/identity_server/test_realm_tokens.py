"""What the realm's clients are given by a real Keycloak, and what they are not."""

import pytest

from tests.support.keycloak.identity import CLIENTS, AppliedRealm
from tests.unit.extracted.identity_server.realm_tokens import (
    EMAIL,
    PASSWORD,
    USER,
    asked,
    claims,
    token_of,
    user_token,
    with_user,
)

pytestmark = pytest.mark.connected

DAYS_S = 24 * 3600


def test_a_user_gets_a_token_of_three_days_for_the_api_that_names_the_user_and_nothing_else(
    keycloak: AppliedRealm,
) -> None:
    found = claims(user_token(keycloak))
    wanted = {"iss": keycloak.issuer, "aud": "polycode-api", "azp": "polycode", "typ": "Bearer"}
    assert found.items() >= {**wanted, "preferred_username": USER}.items()
    assert found["exp"] - found["iat"] == 3 * DAYS_S
    assert not {"realm_access", "resource_access", "email", "name"} & found.keys()


@pytest.mark.parametrize("client", sorted(set(CLIENTS) - {"polycode"}))
def test_no_other_client_may_ask_with_a_password(keycloak: AppliedRealm, client: str) -> None:
    answer = asked(keycloak, client, grant_type="password", username=with_user(keycloak), password=PASSWORD)
    assert answer.json()["error"] == "unauthorized_client"


def test_an_email_address_is_no_name_to_log_in_with(keycloak: AppliedRealm) -> None:
    with_user(keycloak)
    answer = asked(keycloak, "polycode", grant_type="password", username=EMAIL, password=PASSWORD)
    assert answer.json()["error"] == "invalid_grant"


@pytest.mark.parametrize(
    ("caller", "audience"),
    [("polycode-account", "polycode-shop"), ("polycode-learning", "polycode-runner"), ("polycode-shop", None)],
)
def test_a_service_gets_a_token_for_whom_it_calls_alone(
    keycloak: AppliedRealm, caller: str, audience: str | None
) -> None:
    found = claims(token_of(keycloak, caller))
    assert (found["azp"], found.get("aud"), found["exp"] - found["iat"]) == (caller, audience, 300)


@pytest.mark.parametrize(("grant", "client"), [("client_credentials", "polycode"), ("password", "polycode-api")])
def test_what_a_client_does_not_need_it_does_not_get(keycloak: AppliedRealm, grant: str, client: str) -> None:
    assert asked(keycloak, client, grant_type=grant).status_code in (400, 401)
