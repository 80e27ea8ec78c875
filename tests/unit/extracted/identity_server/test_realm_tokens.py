"""What the realm's clients are given by a real Keycloak, and what they are not."""

import base64
import json
from typing import Any

import httpx
import pytest

from tests.support.identity import CLIENTS, AppliedRealm

pytestmark = pytest.mark.connected

USER, PASSWORD = "5b0d9f5e-0000-4000-8000-00000000000a", "pässword 😀"
DAYS_S = 24 * 3600


def token(realm: AppliedRealm, client: str, **form: str) -> httpx.Response:
    own = {"client_id": client, "client_secret": realm.secrets[client]}
    return httpx.post(realm.token_url, data=own | form, timeout=30)


def claims(answer: httpx.Response) -> dict[str, Any]:
    part = answer.raise_for_status().json()["access_token"].split(".")[1]
    found: dict[str, Any] = json.loads(base64.urlsafe_b64decode(part + "=="))
    return found


@pytest.fixture(scope="module")
def user(keycloak: AppliedRealm) -> str:
    """Made by Account's administration of users."""
    access = token(keycloak, "polycode-identity", grant_type="client_credentials").json()["access_token"]
    password = {"type": "password", "value": PASSWORD, "temporary": False}
    body = {"username": USER, "email": "a@b.example", "enabled": True, "credentials": [password]}
    users = f"{keycloak.server.url}/admin/realms/{keycloak.server.realm}/users"
    answer = httpx.post(users, json=body, headers={"Authorization": f"Bearer {access}"}, timeout=30)
    assert answer.status_code == 201, answer.text
    return USER


def test_a_user_gets_a_token_of_three_days_for_the_api_that_names_the_user_and_nothing_else(
    keycloak: AppliedRealm, user: str
) -> None:
    found = claims(token(keycloak, "polycode", grant_type="password", username=user, password=PASSWORD))
    wanted = {"iss": keycloak.issuer, "aud": "polycode-api", "azp": "polycode", "typ": "Bearer"}
    assert found.items() >= {**wanted, "preferred_username": USER}.items()
    assert found["exp"] - found["iat"] == 3 * DAYS_S
    assert not {"realm_access", "resource_access", "email", "name"} & found.keys()


@pytest.mark.parametrize("client", sorted(set(CLIENTS) - {"polycode"}))
def test_no_other_client_may_ask_with_a_password(keycloak: AppliedRealm, user: str, client: str) -> None:
    answer = token(keycloak, client, grant_type="password", username=user, password=PASSWORD)
    assert answer.json()["error"] == "unauthorized_client"


def test_an_email_address_is_no_name_to_log_in_with(keycloak: AppliedRealm, user: str) -> None:
    answer = token(keycloak, "polycode", grant_type="password", username="a@b.example", password=PASSWORD)
    assert answer.json()["error"] == "invalid_grant"


@pytest.mark.parametrize(
    ("caller", "audience"),
    [("polycode-account", "polycode-shop"), ("polycode-learning", "polycode-runner"), ("polycode-shop", None)],
)
def test_a_service_gets_a_token_for_whom_it_calls_alone(
    keycloak: AppliedRealm, caller: str, audience: str | None
) -> None:
    found = claims(token(keycloak, caller, grant_type="client_credentials"))
    assert (found["azp"], found.get("aud"), found["exp"] - found["iat"]) == (caller, audience, 300)


@pytest.mark.parametrize(("grant", "client"), [("client_credentials", "polycode"), ("password", "polycode-api")])
def test_what_a_client_needs_not_it_does_not_get(keycloak: AppliedRealm, grant: str, client: str) -> None:
    form = {"grant_type": grant, "client_id": client, "client_secret": keycloak.secrets.get(client, "none")}
    assert httpx.post(keycloak.token_url, data=form, timeout=30).status_code in (400, 401)
