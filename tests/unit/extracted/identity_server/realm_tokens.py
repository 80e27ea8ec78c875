"""Tokens of a real Keycloak: of clients and of one user of the realm."""

import base64
import json
from typing import Any

import httpx

from tests.support.keycloak.identity import AppliedRealm

USER, PASSWORD = "5b0d9f5e-0000-4000-8000-00000000000a", "pässword 😀"
EMAIL = "a@b.example"


def asked(realm: AppliedRealm, client: str, **form: str) -> httpx.Response:
    """Keycloak's answer to a client that proves itself."""
    own = {"client_id": client, "client_secret": realm.secrets.get(client, "none")}
    return httpx.post(realm.token_url, data=own | form, timeout=30)


def token_of(realm: AppliedRealm, client: str) -> str:
    """A client's own access token."""
    return str(asked(realm, client, grant_type="client_credentials").raise_for_status().json()["access_token"])


def key_of(token: str) -> str:
    """The `kid` of the key that has signed it."""
    head = token.partition(".")[0]
    return str(json.loads(base64.urlsafe_b64decode(head + "=" * (-len(head) % 4)))["kid"])


def user_token(realm: AppliedRealm) -> str:
    return str(_logged_in(realm)["access_token"])


def id_token(realm: AppliedRealm) -> str:
    return str(_logged_in(realm, scope="openid")["id_token"])


def with_user(realm: AppliedRealm) -> str:
    """The name of a user, made by Account's administration of users if it is not there yet."""
    password = {"type": "password", "value": PASSWORD, "temporary": False}
    body = {"username": USER, "email": EMAIL, "enabled": True, "credentials": [password]}
    head = {"Authorization": f"Bearer {token_of(realm, 'polycode-identity')}"}
    users = f"{realm.server.url}/admin/realms/{realm.server.realm}/users"
    answer = httpx.post(users, json=body, headers=head, timeout=30)
    assert answer.status_code in (201, 409), answer.text
    return USER


def claims(token: str) -> dict[str, Any]:
    """Unverified."""
    found: dict[str, Any] = json.loads(base64.urlsafe_b64decode(token.split(".")[1] + "=="))
    return found


def _logged_in(realm: AppliedRealm, **form: str) -> Any:
    own = {"username": with_user(realm), "password": PASSWORD}
    return asked(realm, "polycode", grant_type="password", **own, **form).raise_for_status().json()
