"""What is said to Keycloak, each on a tape of its own: `make tapes` records them anew. Each asserts what it hears."""

from collections.abc import Awaitable, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field

import pytest

from extracted.identity_server.apply import apply, missing
from extracted.identity_server.difference import Change
from extracted.identity_server.domain import Administrator, ClientCredential, ForeignRealm, IdentityServerRefused
from extracted.identity_server.keycloak import RealmAdministration, RealmUsers, realm_administration, realm_users
from extracted.identity_server.wanted import Compatibility, Json
from parts.fresh import IdentityServer
from tests.support.keycloak.identity import wanted

LESS = ("polycode", "polycode-identity")
"""Clients that stand for all: a tape is to be read."""


@dataclass(frozen=True, slots=True)
class Stage:
    """A Keycloak, real or on tape. `secrets`: by client; the realm is there if the conversation is `in_realm`."""

    server: IdentityServer
    secrets: Mapping[str, str] = field(repr=False)

    @property
    def administrator(self) -> Administrator:
        return Administrator(self.server.user, self.server.password)

    def users(self, secret: str | None = None) -> RealmUsers:
        """`secret`: another one for the client that logs in."""
        client = ClientCredential("polycode", secret or self.secrets["polycode"])
        administrator = ClientCredential("polycode-identity", self.secrets["polycode-identity"])
        return realm_users(self.server.url, self.server.realm, client, administrator)

    def realm(self, compatibility: Compatibility = Compatibility.STRICT) -> Json:
        whole = wanted(self.secrets, compatibility)
        return {**whole, "clients": [client for client in whole["clients"] if client["clientId"] in LESS]}


async def a_realm_is_made_once_and_changed_where_it_differs(stage: Stage) -> None:
    strict, improved = stage.realm(), stage.realm(Compatibility.IMPROVED)
    async with realm_administration(stage.server.url, stage.server.realm, stage.administrator) as admin:
        planned = await missing(admin, strict)
        assert Change("clients polycode", None, "new") in planned
        assert await admin.realm() is None
        assert await apply(admin, strict) == planned
        assert await missing(admin, strict) == []
        lifetimes = await apply(admin, improved)
        assert {change.path for change in lifetimes} == {
            "revokeRefreshToken",
            "ssoSessionIdleTimeout",
            "ssoSessionMaxLifespan",
            "clients polycode attributes access.token.lifespan",
        }
        assert await missing(admin, improved) == []


async def what_was_changed_by_hand_is_put_right_and_what_was_added_stays(stage: Stage) -> None:
    realm = stage.realm()
    async with realm_administration(stage.server.url, stage.server.realm, stage.administrator) as admin:
        await apply(admin, realm)
        await change_by_hand(admin)
        assert {change.path for change in await apply(admin, realm)} == {
            "bruteForceProtected",
            "clients polycode secret",
            "clients polycode defaultClientScopes",
            "clients polycode protocolMappers user id config claim.name",
            "users service-account-polycode-identity clientRoles realm-management",
        }
        assert await missing(admin, realm) == []
        assert "of-ops" in {role["name"] for role in await admin.roles()}
        assert "of-ops" in {client["clientId"] for client in await admin.clients()}
        assert (await admin.realm() or {})["attributes"]["of-ops"] == "kept"


async def change_by_hand(admin: RealmAdministration) -> None:
    realm = await admin.realm() or {}
    clients = {client["clientId"]: client for client in await admin.clients()}
    await admin.update({"bruteForceProtected": False, "attributes": {**realm["attributes"], "of-ops": "kept"}})
    await admin.put_role({"name": "of-ops"})
    await admin.put_client({"clientId": "of-ops", "publicClient": True})
    changed = {**clients["polycode"], "secret": "secret-of-somebody-else"}
    for mapper in changed["protocolMappers"]:
        if mapper["name"] == "user id":
            mapper["config"]["claim.name"] = "other"
    await admin.put_client(changed)
    await admin.set_default_scopes(changed["id"], ["basic"], ["basic", "profile"])
    ids = clients["polycode-identity"]["id"], clients["realm-management"]["id"]
    await admin.set_service_account_roles(*ids, ["manage-users", "view-users"], ["view-users", "manage-realm"])


async def a_realm_of_others_is_left_alone_unless_it_is_adopted(stage: Stage) -> None:
    async with realm_administration(stage.server.url, stage.server.realm, stage.administrator) as admin:
        await admin.create({"enabled": True, "displayName": "of others"})
        for use in (missing, apply):
            with pytest.raises(ForeignRealm):
                await use(admin, stage.realm())
        assert Change("displayName", "of others", "PolyCode") in await missing(admin, stage.realm(), adopt=True)
        await apply(admin, stage.realm(), adopt=True)
        assert await missing(admin, stage.realm()) == []


async def a_wrong_password_is_refused(stage: Stage) -> None:
    wrong = Administrator(stage.server.user, "wrong")
    async with realm_administration(stage.server.url, stage.server.realm, wrong) as admin:
        with pytest.raises(IdentityServerRefused, match="Invalid user credentials") as refused:
            await admin.realm()
        assert refused.value.status == 401


USER, PASSWORD = "user-on-tape", "pässword 😀"
TOO_LONG = "long password " * 40


async def a_user_is_put_logged_in_and_refreshed(stage: Stage) -> None:
    async with aclosing(stage.users()) as users:
        assert await users.log_in(USER, PASSWORD) is None
        assert await users.put(USER, PASSWORD)
        tokens = await users.log_in(USER, PASSWORD)
        assert tokens is not None
        assert await users.is_active(tokens.access_token)
        assert await users.log_in(USER, PASSWORD + "x") is None
        renewed = await users.refresh(tokens.refresh_token)
        assert renewed is not None
        assert await users.refresh("no.refresh.token") is None
        assert not await users.is_active("no.access.token")


async def a_user_who_is_put_again_has_the_new_password_alone(stage: Stage) -> None:
    async with aclosing(stage.users()) as users:
        for password in (PASSWORD, "another password"):
            assert await users.put(USER, password)
        assert await users.log_in(USER, PASSWORD) is None
        assert await users.log_in(USER, "another password") is not None


async def what_cannot_be_done_is_refused_and_no_secret_is_told(stage: Stage) -> None:
    async with aclosing(stage.users()) as users:
        await users.end_session("no-such-session")
        with pytest.raises(IdentityServerRefused, match="maximum length") as refused:
            await users.put(USER, TOO_LONG)
        assert TOO_LONG not in str(refused.value)
    async with aclosing(stage.users(secret="wrong-secret-of-a-client")) as users:
        with pytest.raises(IdentityServerRefused, match="Invalid client or Invalid client credentials") as refused:
            await users.log_in(USER, PASSWORD)
        assert "wrong-secret" not in str(refused.value)


@dataclass(frozen=True, slots=True)
class Conversation:
    """`in_realm`: starts in a realm that has been applied."""

    talk: Callable[[Stage], Awaitable[None]]
    in_realm: bool = False


CONVERSATIONS: Mapping[str, Conversation] = {
    "realm-made": Conversation(a_realm_is_made_once_and_changed_where_it_differs),
    "realm-put-right": Conversation(what_was_changed_by_hand_is_put_right_and_what_was_added_stays),
    "realm-of-others": Conversation(a_realm_of_others_is_left_alone_unless_it_is_adopted),
    "wrong-password": Conversation(a_wrong_password_is_refused),
    "user-logged-in": Conversation(a_user_is_put_logged_in_and_refreshed, in_realm=True),
    "user-put-again": Conversation(a_user_who_is_put_again_has_the_new_password_alone, in_realm=True),
    "user-refused": Conversation(what_cannot_be_done_is_refused_and_no_secret_is_told, in_realm=True),
}
"""By the name of its tape."""
