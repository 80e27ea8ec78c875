"""A realm of PolyCode's own on a real Keycloak, applied as `polycode identity apply` does it."""

import asyncio
import json
import secrets
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from extracted.identity_server.apply import apply
from extracted.identity_server.domain import Administrator
from extracted.identity_server.keycloak import realm_administration
from extracted.identity_server.wanted import HERE, Compatibility, Json, wanted_realm
from parts.fresh import IdentityServer
from tests.support.connected import fresh_realm

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
    async with realm_administration(server.url, server.realm, administrator) as admin:
        await apply(admin, wanted(realm.secrets, compatibility))
