"""Whoever is behind the identity port: passwords decide, tokens live until they are revoked."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.ports.identity.authorities import AUTHORITIES, PASSWORD, IdentityWorld, at_keycloak, on_the_tables


@pytest.fixture(params=AUTHORITIES)
def opened(request: pytest.FixtureRequest, tmp_path: Path) -> AbstractAsyncContextManager[IdentityWorld]:
    keycloak = None if request.param else request.getfixturevalue("keycloak")
    return at_keycloak(keycloak, tmp_path) if keycloak else on_the_tables(request.param, tmp_path)


@pytest.fixture
async def world(opened: AbstractAsyncContextManager[IdentityWorld]) -> AsyncIterator[IdentityWorld]:
    async with opened as world:
        yield world


async def test_the_right_password_gives_a_live_token_that_says_how_long(world: IdentityWorld) -> None:
    issued = await world.authority.log_in(world.login, PASSWORD)
    assert issued is not None
    assert issued.expires_at > datetime.now(UTC)
    assert await world.is_live(issued.access_token)


@pytest.mark.parametrize("secret", ["", PASSWORD[:-1], PASSWORD + "x", PASSWORD.upper(), "\0", "é" * 300])
async def test_another_password_gives_none(world: IdentityWorld, secret: str) -> None:
    assert await world.authority.log_in(world.login, secret) is None


async def test_a_hash_that_is_none_is_a_wrong_password(world: IdentityWorld) -> None:
    for secret in ("", "admin", PASSWORD, "$2b$10$abc"):
        assert await world.authority.log_in(replace(world.login, secret=secret), PASSWORD) is None


async def test_a_revoked_token_is_over_at_once(world: IdentityWorld) -> None:
    issued = await world.authority.log_in(world.login, PASSWORD)
    assert issued is not None
    assert await world.is_live(issued.access_token)
    assert await world.authority.revoke(issued.access_token)
    assert not await world.is_live(issued.access_token)
    assert not await world.authority.revoke(issued.access_token)


@pytest.mark.parametrize("token", ["", "nonsense", "a.b.c", "x" * 70_000, "\0"])
async def test_what_nobody_issued_is_neither_revoked_nor_renewed(world: IdentityWorld, token: str) -> None:
    assert not await world.authority.revoke(token)
    assert await world.authority.refresh(token) is None


async def test_no_repr_shows_a_secret(world: IdentityWorld) -> None:
    issued = await world.authority.log_in(world.login, PASSWORD)
    assert issued is not None
    shown = repr((world.login, issued, world.authority))
    assert not any(secret in shown for secret in (PASSWORD, world.login.secret, issued.access_token))
