"""Makes a realm what it should be, and nothing more: what realm.json does not say stays as it is."""

from collections.abc import Mapping, Sequence
from typing import Any

from extracted.identity_server.difference import Change, differences, find, merged
from extracted.identity_server.domain import ForeignRealm
from extracted.identity_server.keycloak import RealmAdministration

MARK = "polycode.managed"
"""An attribute of realms that are ours."""
_OWN_SECTIONS = frozenset({"clients", "requiredActions", "roles", "users"})
"""Not among the realm's own settings in Keycloak's API."""

Json = Mapping[str, Any]


async def missing(admin: RealmAdministration, wanted: Json, adopt: bool = False) -> Sequence[Change]:
    """What `apply` would change. Raises ForeignRealm unless `adopt`."""
    return list(differences(wanted, await _found(admin, wanted, adopt)))


async def apply(admin: RealmAdministration, wanted: Json, adopt: bool = False) -> Sequence[Change]:
    """Changes it. Repeated after a failure, it does the rest. Raises ForeignRealm unless `adopt`."""
    found = await _found(admin, wanted, adopt)
    changes = list(differences(wanted, found))
    if not found:
        await admin.create({"enabled": False, "attributes": {MARK: wanted["attributes"][MARK]}})
        found = await _found(admin, wanted, adopt)
    await _apply_roles(admin, wanted["roles"]["realm"], found["roles"]["realm"])
    await _apply_clients(admin, wanted["clients"], found["clients"])
    for action in _different(wanted["requiredActions"], found["requiredActions"]):
        await admin.put_required_action(action)
    await _apply_service_accounts(admin, wanted["users"])
    settings = _settings(wanted)
    if any(differences(settings, found)):  # last: it opens a new realm
        await admin.update(merged(settings, _settings(found)))
    return changes


async def _found(admin: RealmAdministration, wanted: Json, adopt: bool) -> Json:
    """Empty if there is no realm."""
    realm = await admin.realm()
    if realm is None:
        return {}
    if MARK not in realm.get("attributes", {}) and not adopt:
        raise ForeignRealm
    clients = await admin.clients()
    return {
        **realm,
        "roles": {"realm": await admin.roles()},
        "clients": clients,
        "requiredActions": await admin.required_actions(),
        "users": [await _service_account(admin, user, clients) for user in wanted["users"]],
    }


async def _service_account(admin: RealmAdministration, user: Json, clients: Sequence[Json]) -> Json:
    """Like a user of realm.json, with the roles that it has."""
    client = _client(clients, user["serviceAccountClientId"])
    if client is None or not client["serviceAccountsEnabled"]:
        return {"username": user["username"], "clientRoles": {}}
    ids = {name: _id(clients, name) for name in user["clientRoles"]}
    roles = {name: await admin.service_account_roles(client["id"], other) for name, other in ids.items()}
    return {**user, "clientRoles": roles}


async def _apply_roles(admin: RealmAdministration, wanted: Sequence[Json], found: Sequence[Json]) -> None:
    for role in _different(wanted, found):
        await admin.put_role(role)


async def _apply_clients(admin: RealmAdministration, wanted: Sequence[Json], found: Sequence[Json]) -> None:
    for client in _different(wanted, found):
        await admin.put_client(client)
        before = find(client, found)
        if before is not None and "defaultClientScopes" in client:
            scopes = before["defaultClientScopes"], client["defaultClientScopes"]
            await admin.set_default_scopes(before["id"], *scopes)


async def _apply_service_accounts(admin: RealmAdministration, wanted: Sequence[Json]) -> None:
    clients = await admin.clients()
    for user in wanted:
        found = await _service_account(admin, user, clients)
        client = _id(clients, user["serviceAccountClientId"])
        for name, roles in user["clientRoles"].items():
            await admin.set_service_account_roles(client, _id(clients, name), found["clientRoles"][name], roles)


def _different(wanted: Sequence[Json], found: Sequence[Json]) -> Sequence[Json]:
    """Those to write, whole."""
    pairs = ((item, find(item, found)) for item in wanted)
    return [item if other is None else merged(item, other) for item, other in pairs if any(differences(item, other))]


def _settings(realm: Json) -> Json:
    return {name: value for name, value in realm.items() if name not in _OWN_SECTIONS}


def _client(clients: Sequence[Json], client_id: str) -> Json | None:
    return find({"clientId": client_id}, clients)


def _id(clients: Sequence[Json], client_id: str) -> str:
    return str(next(client["id"] for client in clients if client["clientId"] == client_id))
