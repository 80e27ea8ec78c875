"""Who is logged in where, and who is refused: users move at a log-in, and Keycloak refuses nobody by mistake."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import structlog

from chassis.auth.claims import IdentityUnavailable
from chassis.auth.jwt import TokenRejected
from chassis.database.own_tables import OwnTables
from examples.monolith.storage.tables import auth_oauth2_tokens
from extracted.account.domain import Compat
from extracted.account.sessions.service import Sessions
from extracted.account.sign_in.domain import IssuedToken, Login
from extracted.account.sign_in.keycloak_authority import KeycloakAuthority
from extracted.account.sign_in.storage.moved_users import SqlMovedUsers, define
from legacy_adapter.account.access_tokens import LegacyAccessTokens, token_form
from tests.support.keycloak.scripted_keycloak import ScriptedKeycloak
from tests.support.monolith.monolith_file import AUDIENCE, ISSUER, SECRET, MonolithData
from tests.support.stores import EVERYWHERE
from tests.unit.extracted.account.sessions.world import KEYS, SessionWorld, opened

PASSWORD, OTHER = "correct horse 9", "an other password"


@dataclass
class SignInWorld:
    """`hashes`: how often bcrypt was asked. Hashes of the test run are `bcrypt:` and the password."""

    inner: SessionWorld
    moved: SqlMovedUsers
    keycloak: ScriptedKeycloak = field(default_factory=lambda: ScriptedKeycloak(KEYS))
    hashes: int = 0

    async def matches(self, password: str, secret: str) -> bool:
        self.hashes += 1
        return secret == f"bcrypt:{password}"

    def sessions(self, compat: Compat = Compat.STRICT) -> Sessions:
        return self.inner.sessions(compat)

    def authority(self, compat: Compat = Compat.STRICT) -> KeycloakAuthority:
        tables = LegacyAccessTokens(self.inner.database, token_form(SECRET, ISSUER, AUDIENCE), self.matches)
        return KeycloakAuthority(
            server=self.keycloak,
            moved=self.moved,
            tables=tables,
            matches=self.matches,
            sessions=self.sessions(compat),
            compat=compat,
        )

    def user(self, password: str = PASSWORD) -> Login:
        user_id = self.inner.data.add_user("user")
        return Login(user_id, self.inner.data.subject_of(user_id), f"bcrypt:{password}")

    async def is_keycloaks(self, issued: IssuedToken | None, login: Login) -> bool:
        """As against a token of the monolith."""
        assert issued is not None
        try:
            verified, _subject = await self.sessions().check(issued.access_token.encode())
        except TokenRejected:
            return False
        return verified.user_id == login.user_id and verified.expires_at == issued.expires_at


@pytest.fixture(params=EVERYWHERE)
async def world(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[SignInWorld]:
    data = MonolithData(request.param(tmp_path))
    async with opened(data) as inner:
        own = OwnTables("account", inner.database.is_sqlite)
        yield SignInWorld(inner, SqlMovedUsers(inner.database, own, define(own), inner.clock))
    data.close()


async def test_a_user_moves_at_the_first_log_in_and_costs_no_bcrypt_from_then_on(world: SignInWorld) -> None:
    login = world.user()
    assert await world.is_keycloaks(await world.authority().log_in(login, PASSWORD), login)
    assert (world.hashes, world.keycloak.calls) == (1, ["put_user", "log_in"])
    world.keycloak.calls.clear()
    assert await world.is_keycloaks(await world.authority().log_in(login, PASSWORD), login)
    assert (world.hashes, world.keycloak.calls) == (1, ["log_in"])


async def test_first_log_ins_at_once_all_succeed(world: SignInWorld) -> None:
    login = world.user()
    issued = await asyncio.gather(*(world.authority().log_in(login, PASSWORD) for _ in range(5)))
    assert all([await world.is_keycloaks(one, login) for one in issued])
    assert len({one.access_token for one in issued if one}) == 5


@pytest.mark.parametrize("compat", Compat)
async def test_a_wrong_password_moves_nobody_and_is_refused_before_and_after(
    world: SignInWorld, compat: Compat
) -> None:
    login = world.user()
    assert await world.authority(compat).log_in(login, OTHER) is None
    assert not await world.moved.has(login.user_id)
    await world.authority(compat).log_in(login, PASSWORD)
    assert await world.authority(compat).log_in(login, OTHER) is None


async def test_a_password_that_was_changed_in_the_tables_counts_and_the_old_one_is_gone(world: SignInWorld) -> None:
    login = world.user()
    await world.authority().log_in(login, PASSWORD)
    changed = Login(login.user_id, login.subject_id, f"bcrypt:{OTHER}")
    assert await world.is_keycloaks(await world.authority().log_in(changed, OTHER), login)
    assert world.keycloak.users[login.user_id].password == OTHER
    assert await world.authority().log_in(changed, PASSWORD) is None


async def test_a_lock_in_keycloak_is_ended_by_the_right_password_alone(world: SignInWorld) -> None:
    login = world.user()
    await world.authority().log_in(login, PASSWORD)
    world.keycloak.users[login.user_id].is_locked = True
    assert await world.authority().log_in(login, OTHER) is None
    assert world.keycloak.users[login.user_id].is_locked
    assert await world.is_keycloaks(await world.authority().log_in(login, PASSWORD), login)


async def test_who_moved_to_a_keycloak_that_was_emptied_moves_again(world: SignInWorld) -> None:
    login = world.user()
    await world.authority().log_in(login, PASSWORD)
    world.keycloak.users.clear()
    assert await world.is_keycloaks(await world.authority().log_in(login, PASSWORD), login)


async def test_who_is_disabled_in_keycloak_gets_no_token_of_either_side(world: SignInWorld) -> None:
    login = world.user()
    await world.authority().log_in(login, PASSWORD)
    world.keycloak.users[login.user_id].is_disabled = True
    assert await world.authority().log_in(login, PASSWORD) is None
    assert world.inner.data.rows(auth_oauth2_tokens) == []


@pytest.mark.parametrize("has_moved", [False, True])
async def test_while_keycloak_is_away_the_tables_decide(world: SignInWorld, has_moved: bool) -> None:
    login = world.user()
    if has_moved:
        await world.authority().log_in(login, PASSWORD)
    world.keycloak.is_away = True
    issued = await world.authority().log_in(login, PASSWORD)
    assert issued is not None
    assert not await world.is_keycloaks(issued, login)
    assert len(world.inner.data.rows(auth_oauth2_tokens)) == 1
    assert await world.authority().log_in(login, OTHER) is None


ODD = {
    "another issuer": {"iss": "http://127.0.0.1/realms/polycode"},
    "another user": {"preferred_username": str(uuid.uuid4())},
    "no session": {"sid": None},
}


@pytest.mark.parametrize("claims", ODD.values(), ids=ODD.keys())
async def test_a_keycloak_whose_tokens_nobody_would_accept_counts_as_away(
    world: SignInWorld, claims: dict[str, object]
) -> None:
    login = world.user()
    world.keycloak.issues = claims
    assert await world.authority().log_in(login, PASSWORD) is not None
    assert len(world.inner.data.rows(auth_oauth2_tokens)) == 1


async def test_refresh_tokens_are_for_improved_alone_and_each_works_once(world: SignInWorld) -> None:
    login, authority = world.user(), world.authority(Compat.IMPROVED)
    strict = await world.authority().log_in(login, PASSWORD)
    assert strict is not None
    assert strict.refresh_token is None
    first = await authority.log_in(login, PASSWORD)
    assert first is not None
    assert first.refresh_token is not None
    second = await authority.refresh(first.refresh_token)
    assert await world.is_keycloaks(second, login)
    assert await authority.refresh(first.refresh_token) is None


async def test_nobody_is_told_that_a_refresh_token_is_bad_while_keycloak_is_away(world: SignInWorld) -> None:
    world.keycloak.is_away = True
    with pytest.raises(IdentityUnavailable):
        await world.authority(Compat.IMPROVED).refresh("a.refresh.token")


@pytest.mark.parametrize("is_away", [False, True], ids=["with Keycloak", "Keycloak away"])
async def test_a_log_out_ends_the_session_and_what_was_exchanged_for_it(world: SignInWorld, is_away: bool) -> None:
    """Replay after revocation, on both sides, with access and refresh token, whether Keycloak heard of it or not."""
    login, authority = world.user(), world.authority(Compat.IMPROVED)
    issued = await authority.log_in(login, PASSWORD)
    assert issued is not None
    await world.sessions().exchange(issued.access_token.encode(), login.user_id)
    world.keycloak.is_away = is_away
    assert await authority.revoke(issued.access_token)
    world.keycloak.is_away = False
    assert world.inner.data.rows(auth_oauth2_tokens) == []
    assert not await world.is_keycloaks(issued, login)
    assert await authority.refresh(issued.refresh_token or "") is None
    assert not await authority.revoke(issued.access_token)


async def test_a_token_of_the_monolith_is_revoked_beside_it(world: SignInWorld) -> None:
    login = world.user()
    world.keycloak.is_away = True
    issued = await world.authority().log_in(login, PASSWORD)
    assert issued is not None
    assert await world.authority().revoke(issued.access_token)
    assert world.inner.data.rows(auth_oauth2_tokens) == []


async def test_a_refusal_asks_keycloak_and_bcrypt_once_whoever_it_is_under_improved(world: SignInWorld) -> None:
    """User enumeration by time."""
    moved, not_moved = world.user(), world.user()
    authority = world.authority(Compat.IMPROVED)
    await authority.log_in(moved, PASSWORD)
    costs = []
    for refused in (authority.log_in(moved, OTHER), authority.log_in(not_moved, OTHER), authority.refuse(OTHER)):
        world.keycloak.calls.clear()
        world.hashes = 0
        await refused
        costs.append((world.keycloak.calls[:], world.hashes))
    assert costs == [(["log_in"], 1)] * 3


async def test_no_log_and_no_repr_shows_a_secret(world: SignInWorld) -> None:
    login, authority = world.user(), world.authority(Compat.IMPROVED)
    with structlog.testing.capture_logs() as logged:
        issued = await authority.log_in(login, PASSWORD)
        await authority.log_in(login, OTHER)
        world.keycloak.users[login.user_id].is_disabled = True
        await authority.log_in(login, PASSWORD)
        world.keycloak.is_away = True
        await authority.log_in(login, PASSWORD)
    assert issued is not None
    told = repr((logged, issued, login, authority))
    secrets = (PASSWORD, OTHER, login.secret, issued.access_token, issued.refresh_token or "-")
    assert len(logged) == 2
    assert not [secret for secret in secrets if secret in told]
