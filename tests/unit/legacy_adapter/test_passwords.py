"""Password hashes: the monolith's form, made beside the event loop."""

import asyncio
from collections.abc import AsyncIterator

import bcrypt
import pytest

from legacy_adapter.account.passwords import Passwords


@pytest.fixture
async def passwords() -> AsyncIterator[Passwords]:
    passwords = Passwords(threads=1)
    yield passwords
    passwords.close()


@pytest.mark.parametrize(
    "password", ["12345678", "x" * 72, "x" * 71 + "é", "x" * 255, "é✓\U0001f600" * 85, "a\0bcdefg"]
)
async def test_a_hash_is_of_the_first_72_bytes(passwords: Passwords, password: str) -> None:
    kept = await passwords.hashed(password)
    assert kept.startswith("$2b$10$")
    assert bcrypt.checkpw(password.encode()[:72], kept.encode())
    assert not bcrypt.checkpw(b"another", kept.encode())


async def test_two_hashes_of_one_password_differ(passwords: Passwords) -> None:
    assert await passwords.hashed("12345678") != await passwords.hashed("12345678")


async def test_the_event_loop_goes_on_while_passwords_are_hashed(passwords: Passwords) -> None:
    hashing = asyncio.gather(*(passwords.hashed("12345678") for _ in range(3)))
    turns = 0
    while not hashing.done():
        turns += 1
        await asyncio.sleep(0)
    assert turns > 20
