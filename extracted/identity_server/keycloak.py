"""Speaks to Keycloak: the one module that knows its library (python-keycloak 7) and translates its errors.

An instance belongs to one event loop. Every call ends within `timeout_s`, follows no redirect and reads no proxy
from the environment.
"""

import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
from keycloak import KeycloakAdmin, KeycloakOpenID, KeycloakOpenIDConnection
from keycloak.exceptions import KeycloakConnectionError, KeycloakDeleteError, KeycloakError

from extracted.identity_server.domain import (
    Administrator,
    ClientCredential,
    IdentityServerAway,
    IdentityServerRefused,
    UserTokens,
)

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


class RealmUsers:
    """A realm's users, by their user names: passwords, tokens, sessions. Passwords are in no error and no repr.

    Raises IdentityServerAway and IdentityServerRefused. Close it at the end.
    """

    def __init__(self, admin: KeycloakAdmin, client: KeycloakOpenID, http: httpx.AsyncClient, realm: str) -> None:
        self._admin, self._client, self._http, self._realm = admin, client, http, realm

    async def log_in(self, user_name: str, password: str) -> UserTokens | None:
        """None: no such user, or another password, or the user is locked or disabled."""
        with _translated():
            return await _granted(self._client.a_token(user_name, well_formed(password), scope="basic"))

    async def refresh(self, refresh_token: str) -> UserTokens | None:
        """None: not a refresh token of this client, or no longer."""
        with _translated():
            return await _granted(self._client.a_refresh_token(well_formed(refresh_token)))

    async def put(self, user_name: str, password: str) -> bool:
        """Creates the user, or sets the password and ends a lock after failures. False: the user is disabled."""
        secret = well_formed(password)
        with _translated():
            if await self._created(user_name, secret):
                return True
            found = await self._admin.a_get_users({"username": user_name, "exact": True, "max": 1})
            if not found:
                raise IdentityServerAway("it has the user, and does not find it")
            if not found[0]["enabled"]:
                return False
            await self._admin.a_set_user_password(found[0]["id"], secret, temporary=False)
            await self._admin.a_clear_bruteforce_attempts_for_user(found[0]["id"])
            return True

    async def end_session(self, session_id: str) -> None:
        """Access and refresh tokens of the session do not count from then on. There may be no such session."""
        with _translated():
            path = f"admin/realms/{quote(self._realm, safe='')}/sessions/{quote(session_id, safe='')}"
            answer = await self._admin.connection.a_raw_delete(path)
            if answer.status_code not in (httpx.codes.NO_CONTENT, httpx.codes.NOT_FOUND):
                raise KeycloakDeleteError(answer.content, answer.status_code, answer.content)

    async def is_active(self, access_token: str) -> bool:
        """Whether the token counts now: its session goes on, and its user is enabled (RFC 7662)."""
        with _translated():
            return (await self._client.a_introspect(access_token))["active"] is True

    async def aclose(self) -> None:
        """Closes the connections."""
        await self._http.aclose()

    async def _created(self, user_name: str, secret: str) -> bool:
        credential = {"type": "password", "value": secret, "temporary": False}
        try:
            await self._admin.a_create_user({"username": user_name, "enabled": True, "credentials": [credential]})
        except KeycloakError as error:
            if error.response_code == httpx.codes.CONFLICT:
                return False
            raise
        return True


def realm_users(
    url: str,
    realm: str,
    client: ClientCredential,
    administrator: ClientCredential,
    ca_file: Path | None = None,
    timeout_s: float = TIMEOUT_S,
) -> RealmUsers:
    """`client`: logs users in, and introspects. `administrator`: its service account manages users."""
    http = _client(ca_file, timeout_s)
    server = f"{url.rstrip('/')}/"
    connection = KeycloakOpenIDConnection(
        server_url=server,
        realm_name=realm,
        client_id=administrator.client_id,
        client_secret_key=administrator.secret,
        timeout=timeout_s,  # type: ignore[arg-type]  # httpx takes a float, too
    )
    openid = KeycloakOpenID(
        server,
        realm,
        client.client_id,
        client.secret,
        timeout=timeout_s,  # type: ignore[arg-type]
    )
    connection.async_s = connection.keycloak_openid.connection.async_s = openid.connection.async_s = http
    return RealmUsers(KeycloakAdmin(connection=connection), openid, http, realm)


def well_formed(text: str) -> str:
    """The text as UTF-8 can hold it: half of a surrogate pair becomes U+FFFD, as in Node."""
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


async def _granted(asked: Awaitable[Mapping[str, Any]]) -> UserTokens | None:
    """Only `invalid_grant` refuses the user (RFC 6749 §5.2); its status is 400 or 401, by version and reason."""
    try:
        tokens = await asked
    except KeycloakError as error:
        if _error_code(error) == "invalid_grant":
            return None
        raise
    return UserTokens(str(tokens["access_token"]), str(tokens["refresh_token"]))


def _error_code(error: KeycloakError) -> object:
    try:
        document = json.loads(error.response_body or b"")
    except ValueError:
        return None
    return document.get("error") if isinstance(document, dict) else None


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
