"""Password hashes as the monolith keeps them: bcrypt of the first 72 bytes, computed in a thread."""

import asyncio

import bcrypt

MAX_BYTES = 72


async def hashed(password: str, rounds: int) -> str:
    """`rounds`: 4 to 31; each doubles the time."""
    return (await asyncio.to_thread(bcrypt.hashpw, _counted(password), bcrypt.gensalt(rounds))).decode()


async def matches(password: str, secret: str) -> bool:
    return await asyncio.to_thread(bcrypt.checkpw, _counted(password), secret.encode())


def _counted(password: str) -> bytes:
    return password.encode()[:MAX_BYTES]
