"""Whose token is good, and for how long; what it is exchanged for, and when that ends."""

import asyncio
import hashlib
import uuid
from datetime import timedelta

import pytest
from sqlalchemy import func, select

from chassis.auth.jwt import TokenRejected
from examples.monolith.storage.tables import auth_oauth2_tokens
from extracted.account.domain import Compat
from extracted.account.sessions.domain import AnotherUser
from extracted.account.sessions.storage.sessions import KEPT
from legacy_adapter.identity import MonolithIdentity
from tests.support.keycloak.keycloak_tokens import LIFETIME_S
from tests.support.monolith.monolith_file import AUDIENCE, ISSUER, SECRET
from tests.unit.extracted.account.sessions.world import KEYS, SessionWorld


async def is_accepted(world: SessionWorld, credential: str, user_id: str) -> bool:
    """As the monolith decides: signature and live row."""
    identity = MonolithIdentity(SECRET, ISSUER, AUDIENCE, world.database)
    fields = [(b"Authorization", b"Bearer " + credential.encode())]
    told = identity.identify(fields)
    assert told.subject == user_id
    return (await identity.confirm(told, fields)).subject == user_id


async def test_a_role_that_was_given_a_moment_ago_is_told(world: SessionWorld) -> None:
    user = world.data.add_user("guest")
    token = KEYS.token(user)
    before = (await world.sessions().check(token))[1].roles
    world.data.give_role(user, "user")
    assert (before, (await world.sessions().check(token))[1].roles) == (("guest",), ("guest", "user"))


async def test_a_user_without_roles_is_a_user(world: SessionWorld) -> None:
    assert (await world.sessions().check(KEYS.token(world.data.add_user())))[1].roles == ()


async def test_nobody_has_never_signed_up(world: SessionWorld) -> None:
    with pytest.raises(TokenRejected):
        await world.sessions().check(KEYS.token(str(uuid.uuid4())))


async def test_a_deleted_user_goes_on_under_strict_alone(world: SessionWorld) -> None:
    user = world.data.add_user("user")
    world.data.delete_user(user)
    token = KEYS.token(user)
    assert (await world.sessions().check(token))[1].roles == ("user",)
    await world.sessions().exchange(token, user)
    with pytest.raises(TokenRejected):
        await world.sessions(Compat.IMPROVED).check(token)
    with pytest.raises(TokenRejected):
        await world.sessions(Compat.IMPROVED).exchange(token, user)


async def test_who_is_disabled_at_the_identity_server_is_rejected(world: SessionWorld) -> None:
    user = world.data.add_user("user")
    world.activity.is_live = False
    with pytest.raises(TokenRejected):
        await world.sessions().check(KEYS.token(user))
    with pytest.raises(TokenRejected):
        await world.sessions().exchange(KEYS.token(user), user)


async def test_the_monolith_accepts_what_a_token_is_exchanged_for(world: SessionWorld) -> None:
    user = world.data.add_user("user")
    exchanged = await world.sessions().exchange(KEYS.token(user), user)
    assert await is_accepted(world, exchanged.credential, user)
    (row,) = world.data.rows(auth_oauth2_tokens)
    digest = hashlib.sha256(exchanged.credential.encode()).hexdigest()
    assert (row["hashed_token"], row["type"], row["grant_with"]) == (digest, "access_token", "implicit")
    assert timedelta(0) < exchanged.expires_at - world.clock() <= timedelta(seconds=LIFETIME_S)
    assert exchanged.credential not in repr(exchanged)


async def test_a_token_exchanged_often_and_at_once_leaves_one_row(world: SessionWorld) -> None:
    user = world.data.add_user()
    token = KEYS.token(user)
    got = await asyncio.gather(*(world.sessions().exchange(token, user) for _ in range(5)))
    assert len({one.credential for one in got}) == 1
    assert len(world.data.rows(auth_oauth2_tokens)) == 1


async def test_nobody_gets_the_credential_of_another_user(world: SessionWorld) -> None:
    """Exchange abused to become another user: the caller's internal token names one user, the body's token another."""
    user, other = world.data.add_user("user"), world.data.add_user("admin")
    with pytest.raises(AnotherUser):
        await world.sessions().exchange(KEYS.token(other), user)
    assert world.data.rows(auth_oauth2_tokens) == []


async def test_a_log_out_ends_the_session_on_both_sides_and_no_other(world: SessionWorld) -> None:
    user = world.data.add_user("user")
    one, later, other = KEYS.token(user, "one"), KEYS.token(user, "one", jti="later"), KEYS.token(user, "other")
    exchanged = [await world.sessions().exchange(token, user) for token in (one, later, other)]
    await world.store.end((await world.sessions().check(one))[0])
    for token in (one, later):
        with pytest.raises(TokenRejected):
            await world.sessions().check(token)
        with pytest.raises(TokenRejected):
            await world.sessions().exchange(token, user)
    assert len(world.data.rows(auth_oauth2_tokens)) == 1
    await world.sessions().check(other)
    assert await is_accepted(world, exchanged[2].credential, user)


async def test_log_out_and_exchange_at_once_leave_no_row(world: SessionWorld) -> None:
    """Whoever comes first: the session's row makes one wait for the other."""
    user = world.data.add_user()
    for number in range(10):
        token = KEYS.token(user, f"session-{number}")
        verified = await world.sessions().tokens.verify(token)
        await asyncio.gather(world.sessions().exchange(token, user), world.store.end(verified), return_exceptions=True)
    assert world.data.rows(auth_oauth2_tokens) == []


async def test_what_has_expired_is_forgotten_and_an_ended_session_much_later(world: SessionWorld) -> None:
    user = world.data.add_user()
    await world.sessions().exchange(KEYS.token(user), user)
    ended = await world.sessions().tokens.verify(KEYS.token(user))
    await world.store.end(ended)
    assert await world.store.forget() == 0
    world.ahead = timedelta(seconds=LIFETIME_S + 1)
    assert await world.store.forget() == 2
    assert world.data.rows(auth_oauth2_tokens) == []
    assert await world.store.has_ended(ended.session_id)
    world.ahead = KEPT + timedelta(seconds=1)
    await world.store.forget()
    async with world.database.read() as connection:
        assert await connection.scalar(select(func.count()).select_from(world.tables.sessions)) == 0
