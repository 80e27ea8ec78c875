"""Speaks to Keycloak: the one module that knows its library (python-keycloak 7) and translates its errors.

An instance belongs to one event loop. Every call ends within `timeout_s`, follows no redirect and reads no proxy
from the environment.
"""

import json
import ssl
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import httpx
from keycloak import KeycloakAdmin, KeycloakOpenIDConnection
from keycloak.exceptions import KeycloakConnectionError, KeycloakError

from extracted.identity_server.domain import Administrator, IdentityServerAway, IdentityServerRefused

TIMEOUT_S = 10
MAX_CONNECTIONS = 20
MASTER = "master"
_TOLD = 200

Json = Mapping[str, Any]


class RealmAdministration:
    """One realm's settings, as Keycloak exports them. Raises IdentityServerAway and IdentityServerRefused."""

    def __init__(self, admin: KeycloakAdmin, realm: str) -> None:
        self._admin = admin
        self._realm = realm

    async def realm(self) -> Json | None:
        """Its own settings, without roles and clients; None if there is no such realm."""
        with _translated():
            try:
                return dict(await self._admin.a_get_realm(self._realm))
            except KeycloakError as error:
                if error.response_code == httpx.codes.NOT_FOUND:
                    return None
                raise

    async def create(self, settings: Json) -> None:
        """A new realm with Keycloak's own defaults besides `settings`."""
        with _translated():
            await self._admin.a_create_realm({"realm": self._realm, **settings})

    async def update(self, settings: Json) -> None:
        """Replaces what `settings` names; of `attributes`, all."""
        with _translated():
            await self._admin.a_update_realm(self._realm, dict(settings))

    async def roles(self) -> Sequence[Json]:
        """Those of the realm, with their descriptions."""
        with _translated():
            return list(await self._admin.a_get_realm_roles())

    async def put_role(self, role: Json) -> None:
        """Creates or replaces it. One that is there has an `id`."""
        with _translated():
            if "id" in role:
                await self._admin.a_update_realm_role(str(role["name"]), dict(role))
            else:
                await self._admin.a_create_realm_role(dict(role))

    async def clients(self) -> Sequence[Json]:
        """With their secrets."""
        with _translated():
            return list(await self._admin.a_get_clients())

    async def put_client(self, client: Json) -> None:
        """Creates or replaces it, its mappers too. One that is there has an `id`, and keeps its scopes."""
        with _translated():
            if "id" in client:
                await self._admin.a_update_client(str(client["id"]), dict(client))
            else:
                await self._admin.a_create_client(dict(client))

    async def set_default_scopes(self, client_id: str, before: Sequence[str], after: Sequence[str]) -> None:
        """`client_id`: Keycloak's own id of the client."""
        with _translated():
            ids = {scope["name"]: scope["id"] for scope in await self._admin.a_get_client_scopes()}
            for name in sorted({*after} - {*before}):
                await self._admin.a_add_client_default_client_scope(client_id, ids[name], {})
            for name in sorted({*before} - {*after}):
                await self._admin.a_delete_client_default_client_scope(client_id, ids[name])

    async def required_actions(self) -> Sequence[Json]:
        """What users may be asked to do when they log in."""
        with _translated():
            return list(await self._admin.a_get_required_actions())

    async def put_required_action(self, action: Json) -> None:
        """Replaces one."""
        with _translated():
            await self._admin.a_update_required_action(str(action["alias"]), dict(action))

    async def service_account_roles(self, client_id: str, of_client: str) -> Sequence[str]:
        """The names of the roles of client `of_client` that this client's service account has (Keycloak's own ids)."""
        with _translated():
            user = await self._admin.a_get_client_service_account_user(client_id)
            return [role["name"] for role in await self._admin.a_get_client_roles_of_user(user["id"], of_client)]

    async def set_service_account_roles(
        self, client_id: str, of_client: str, before: Sequence[str], after: Sequence[str]
    ) -> None:
        """Gives and takes the difference."""
        with _translated():
            user = await self._admin.a_get_client_service_account_user(client_id)
            roles = {role["name"]: role for role in await self._admin.a_get_client_roles(of_client)}
            given, taken = (
                [roles[name] for name in sorted(names)] for names in ({*after} - {*before}, {*before} - {*after})
            )
            if given:
                await self._admin.a_assign_client_role(user["id"], of_client, given)
            if taken:
                await self._admin.a_delete_client_roles_of_user(user["id"], of_client, taken)


@asynccontextmanager
async def realm_administration(
    url: str, realm: str, administrator: Administrator, ca_file: Path | None = None, timeout_s: float = TIMEOUT_S
) -> AsyncIterator[RealmAdministration]:
    """`url`: where Keycloak is, with its path if it has one. `ca_file`: who signed its certificate."""
    async with _client(ca_file, timeout_s) as client:
        connection = KeycloakOpenIDConnection(
            server_url=f"{url.rstrip('/')}/",
            username=administrator.user,
            password=administrator.password,
            realm_name=realm,
            user_realm_name=MASTER,
            timeout=timeout_s,  # type: ignore[arg-type]  # httpx takes a float, too
        )
        connection.async_s = connection.keycloak_openid.connection.async_s = client
        yield RealmAdministration(KeycloakAdmin(connection=connection), realm)


def _client(ca_file: Path | None, timeout_s: float) -> httpx.AsyncClient:
    """The library makes its own, which would read proxies from the environment."""
    limits = httpx.Limits(max_connections=MAX_CONNECTIONS)
    verify: ssl.SSLContext | bool = ssl.create_default_context(cafile=ca_file) if ca_file else True
    return httpx.AsyncClient(verify=verify, timeout=timeout_s, limits=limits, trust_env=False)


@contextmanager
def _translated() -> Iterator[None]:
    try:
        try:
            yield
        except KeycloakConnectionError as error:
            raise IdentityServerAway(_reason(error)) from error
        except KeycloakError as error:
            status = error.response_code or 0
            if status >= httpx.codes.INTERNAL_SERVER_ERROR:
                raise IdentityServerAway(f"it answers {status}") from error
            raise IdentityServerRefused(status, _message(error)) from error
    except (AttributeError, KeyError, TypeError, ValueError) as error:  # the library met other JSON, or none
        raise IdentityServerAway("it does not answer as Keycloak does") from error


def _reason(error: Exception) -> str:
    cause = error.__cause__
    if isinstance(cause, httpx.TimeoutException):
        return "it does not answer in time"
    return "it does not accept connections" if isinstance(cause, httpx.ConnectError) else "the connection broke"


def _message(error: KeycloakError) -> str:
    """Keycloak's own words. Raises ValueError if it does not answer with an object."""
    body = error.response_body or b""
    answer = json.loads(body) if body else {}
    names = ("error_description", "errorMessage", "message", "error")
    return next((str(answer[name]) for name in names if answer.get(name)), "without a reason")[:_TOLD]
