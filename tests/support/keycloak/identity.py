"""A realm of PolyCode's own on a real Keycloak, applied as `polycode identity apply` does it."""

import asyncio
import json
import secrets
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from extracted.identity_server.apply import apply
from extracted.identity_server.domain import Administrator
from extracted.identity_server.keycloak import realm_administration
from extracted.identity_server.wanted import HERE, Compatibility, Json, wanted_realm
from parts.fresh import IdentityServer
from tests.support.connected import fresh_realm
from tests.support.stores import SECRET

CLIENTS = tuple(
    client["clientId"]
    for client in json.loads((HERE / "realm.json").read_text())["clients"]
    if not client.get("bearerOnly")
)
"""Those with a secret."""


@dataclass(frozen=True, slots=True)
class AppliedRealm:
    """`secrets`: by client."""

    server: IdentityServer
    secrets: Mapping[str, str] = field(repr=False)

    @property
    def issuer(self) -> str:
        return self.server.realm_url

    @property
    def token_url(self) -> str:
        return f"{self.issuer}/protocol/openid-connect/token"

    @property
    def jwks_url(self) -> str:
        return f"{self.issuer}/protocol/openid-connect/certs"


def fresh_secrets() -> Mapping[str, str]:
    return {name: secrets.token_hex(16) for name in CLIENTS}


def wanted(of_clients: Mapping[str, str], compatibility: Compatibility = Compatibility.STRICT) -> Json:
    """realm.json with these secrets."""
    with tempfile.TemporaryDirectory() as folder:
        for name, secret in of_clients.items():
            (Path(folder) / name).write_text(secret)
        return wanted_realm(compatibility, Path(folder))


def applied_realm(
    server: IdentityServer | None = None, compatibility: Compatibility = Compatibility.STRICT
) -> AppliedRealm:
    """On the shared Keycloak, or on one of the test's own. Fails the test if there is none."""
    realm = AppliedRealm(fresh_realm(server), fresh_secrets())
    asyncio.run(apply_to(realm, compatibility))
    return realm


async def apply_to(realm: AppliedRealm, compatibility: Compatibility = Compatibility.STRICT) -> None:
    """Again, or for the first time."""
    server = realm.server
    administrator = Administrator(server.user, server.password)
    async with realm_administration(server.url, server.realm, administrator, timeout_s=120) as admin:
        await apply(admin, wanted(realm.secrets, compatibility))


def account_settings(realm: AppliedRealm, url: str | None = None) -> dict[str, str]:
    """Account's variables, without its prefix. `url`: another way to the same Keycloak."""
    return {
        "AUTH_JWT_SECRET": SECRET,
        "KEYCLOAK_URL": url or realm.server.url,
        "KEYCLOAK_REALM": realm.server.realm,
        "KEYCLOAK_ISSUER": realm.issuer,
        "KEYCLOAK_CLIENT_SECRET": realm.secrets["polycode"],
        "KEYCLOAK_ADMIN_CLIENT_SECRET": realm.secrets["polycode-identity"],
    }


def administer(realm: AppliedRealm, method: str, path: str = "", document: object = None) -> Any:
    """Asks Keycloak's administration API below the realm; its answer, if it has one."""
    server = realm.server
    form = {"grant_type": "password", "client_id": "admin-cli", "username": server.user, "password": server.password}
    with httpx.Client(timeout=60, trust_env=False) as client:
        token = client.post(f"{server.url}/realms/master/protocol/openid-connect/token", data=form)
        head = {"Authorization": f"Bearer {token.raise_for_status().json()['access_token']}"}
        url = f"{server.url}/admin/realms/{server.realm}{path}"
        answer = client.request(method, url, json=document, headers=head).raise_for_status()
        return answer.json() if answer.content else None


def add_key(realm: AppliedRealm, priority: int) -> None:
    """What Keycloak signs with from then on, if no key has a higher priority; tokens of the others go on."""
    key = {"name": f"new-{priority}", "providerId": "rsa-generated", "providerType": "org.keycloak.keys.KeyProvider"}
    config = {"priority": [str(priority)], "algorithm": ["RS256"]}
    administer(realm, "POST", "/components", key | {"config": config})


def hash_fast(realm: AppliedRealm) -> None:
    """Keycloak's hashes are slow by design, and a test run shares its cores with Keycloak."""
    policy = "maxLength(510) and hashAlgorithm(pbkdf2-sha256) and hashIterations(1)"
    administer(realm, "PUT", document={"passwordPolicy": policy})
